"""Commands about people: bring them in, report what they did, see what happened to them and why."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli import say
from nurture.cli.project import At, moment
from nurture.errors import Refused
from nurture.language.problems import did_you_mean, or_one_of

if TYPE_CHECKING:
    from nurture.engine.enroll import Imported, Row
    from nurture.language.sequence import People

BATCH = 500
SHOWN = 20
Now = Annotated[str | None, typer.Option(help="as if it were this moment, like 2026-11-24T18:00:00Z")]
AsJson = Annotated[bool, typer.Option("--json", help="a document instead of text")]


def register(app: typer.Typer) -> None:
    app.command("subscribe")(subscribe)
    app.command("import")(import_file)
    app.command("event")(event)
    app.command("show")(show)
    app.command("why")(why)


def subscribe(
    context: typer.Context,
    email: Annotated[str, typer.Argument(metavar="EMAIL")],
    attr: Annotated[list[str] | None, typer.Option(help="what we know, as name=value; may be repeated")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="may be repeated")] = None,
    sequence: Annotated[str | None, typer.Option(help="begin this one, and no other")] = None,
    now: Now = None,
) -> int:
    """Add a person; what starts at `joined` begins for a new one."""
    from nurture.engine import enroll

    at: At = context.obj
    attributes = dict(_pair(text) for text in attr or [])
    with at.store() as store:
        deployed = at.deployed(store, moment(now))
        done = enroll.subscribe(
            store, deployed, email, attributes=attributes, tags=tag or [], sequence=sequence, now=moment(now)
        )
    if done.suppressed:
        say.say(f"{done.email} gets no mail ({done.suppressed}), so nothing began.")
        return 1
    began = f"began {', '.join(done.enrolled)}" if done.enrolled else "nothing began"
    print(f"{done.email} {'is new' if done.is_new else 'was known'}; {began}.")
    return 0


def _pair(text: str) -> tuple[str, object]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise Refused(f"--attr '{text}': write it as name=value")
    return name.strip(), value


def event(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="an event of people.yaml, `bought` or `replied`")],
    email: Annotated[str, typer.Option(help="whose")],
    data: Annotated[str, typer.Option(metavar="JSON", help='like {"product": "review"}')] = "{}",
    now: Now = None,
) -> int:
    """The product reports what a person did."""
    from nurture.engine import enroll

    try:
        given = json.loads(data)
    except ValueError as error:
        raise Refused(f"--data is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise Refused('--data must be a JSON object, like {"product": "review"}')
    at: At = context.obj
    with at.store() as store:
        done = enroll.report(store, at.deployed(store, moment(now)), email, name, given, moment(now))
    if not done.known:
        say.say(f"Nobody has the address {done.email}; nothing was kept.")
        return 1
    print(f"{name} of {done.email} is kept; it moved {', '.join(done.moved) or 'nothing'}.")
    return 0


# --- a CSV of people


@dataclass(slots=True)
class Bad:
    """A row that was refused."""

    line: int
    reason: str


def import_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="its first line names the columns; email is needed")],
    enroll: Annotated[str | None, typer.Option(metavar="SEQUENCE", help="begin this sequence for everyone")] = None,
    now: Now = None,
    *,
    as_json: AsJson = False,
) -> int:
    """Bring in a list. It enrolls nobody unless asked, and never revives a suppressed address."""
    from nurture.engine.enroll import Imported, import_batch

    at: At = context.obj
    path = at.find(file)
    bad: list[Bad] = []
    total = Imported()
    with at.store() as store:
        deployed = at.deployed(store, moment(now))
        if enroll is not None and enroll not in deployed.ladders:
            raise Refused(f"there is no sequence '{enroll}'{or_one_of(enroll, deployed.ladders)}")
        for batch in _batches(path, deployed.project.people, bad):
            total = _sum(total, import_batch(store, deployed, batch, enroll=enroll, now=moment(now)))
    if as_json:
        say.data(
            {
                "format": "nurture.import/1", "new": total.new, "updated": total.updated, "enrolled": total.enrolled,
                "suppressed": total.suppressed, "bad": [{"line": one.line, "reason": one.reason} for one in bad],
            }
        )  # fmt: skip
    else:
        _tell(file, total, bad, enroll)
    return 1 if bad else 0


def _tell(file: Path, total: Imported, bad: list[Bad], enroll: str | None) -> None:
    for one in bad:
        say.say(f"{file}:{one.line}: {one.reason}")
    print(f"{total.new} new, {total.updated} known, {total.suppressed} suppressed, {len(bad)} refused.")
    if enroll is not None:
        print(f"{total.enrolled} began {enroll}.")
    elif total.new:
        say.say("Nobody was enrolled; --enroll SEQUENCE does that.")


def _sum(one: Imported, other: Imported) -> Imported:
    from nurture.engine.enroll import Imported

    return Imported(
        one.new + other.new, one.updated + other.updated, one.suppressed + other.suppressed,
        one.enrolled + other.enrolled,
    )  # fmt: skip


def _batches(path: Path, people: People, bad: list[Bad]) -> Iterator[list[Row]]:
    from rich.progress import Progress

    size = path.stat().st_size
    with (
        path.open("r", encoding="utf-8-sig", errors="surrogateescape", newline="") as file,
        Progress(console=say.talk, transient=True) as bar,
    ):
        task = bar.add_task(f"reading {path.name}", total=size)
        batch: list[Row] = []
        seen: dict[str, int] = {}
        for row, read in _rows(file, people, bad):
            if row.email in seen:
                bad.append(Bad(row.line, f"{row.email} stands in line {seen[row.email]} already; that line counts"))
                continue
            seen[row.email] = row.line
            batch.append(row)
            if len(batch) == BATCH:
                yield batch
                batch = []
                bar.update(task, completed=min(read, size))
        if batch:
            yield batch


def _rows(file: Any, people: People, bad: list[Bad]) -> Iterator[tuple[Row, int]]:  # noqa: ANN401 - an open text file
    head = file.readline()
    if not head.strip():
        raise Refused(f"{file.name} is empty; its first line names the columns, like email,first_name")
    sign = max(",;\t", key=head.count)
    columns = [name.strip() for name in next(csv.reader([head], delimiter=sign))]
    wanted = _columns(file.name, columns, people)
    reader = csv.reader(file, delimiter=sign, strict=True)
    read = len(head)
    while True:
        line = reader.line_num + 2
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            bad.append(Bad(line, f"this row cannot be read: {error}"))
            continue
        read += sum(len(cell) + 1 for cell in cells)
        if not any(cell.strip() for cell in cells):
            continue
        try:
            yield _row(line, cells, columns, wanted, people), read
        except Refused as error:
            bad.append(Bad(line, str(error)))


def _columns(name: str, columns: list[str], people: People) -> dict[int, str]:
    """Which column is which attribute (`email` and `tags` as well). Raises Refused when there is no email column."""
    from nurture.language.sequence import ALWAYS_KNOWN

    known = {word.casefold(): word for word in ("tags", *ALWAYS_KNOWN, *people.attributes)}
    wanted = {place: known[column.casefold()] for place, column in enumerate(columns) if column.casefold() in known}
    if "email" not in wanted.values():
        raise Refused(f"{name} has no column 'email'; its first line names the columns, like email,first_name")
    doubled = {column for column in wanted.values() if list(wanted.values()).count(column) > 1}
    if doubled:
        raise Refused(f"{name} has two columns '{doubled.pop()}'; keep one of them")
    for column in (column for place, column in enumerate(columns) if place not in wanted and column):
        say.say(f"column '{column}' is left out: people.yaml declares no such attribute{did_you_mean(column, known)}")
    return wanted


def _row(line: int, cells: list[str], columns: list[str], wanted: dict[int, str], people: People) -> Row:
    from nurture.engine.addresses import normalise
    from nurture.engine.enroll import Row, typed

    if len(cells) != len(columns):
        raise Refused(f"this row has {len(cells)} cells, and the first line names {len(columns)} columns")
    if any("\udc80" <= sign <= "\udcff" for cell in cells for sign in cell):
        raise Refused("this row is not UTF-8; save the file as UTF-8")
    given = {name: cells[place].strip() for place, name in wanted.items()}
    email = normalise(given.pop("email"))
    tags = [tag.strip() for tag in given.pop("tags", "").replace(";", ",").split(",") if tag.strip()]
    for tag in tags:
        if tag not in people.tags:
            raise Refused(f"people.yaml declares no tag '{tag}'{did_you_mean(tag, people.tags)}")
    # an empty cell says nothing; it does not take away what is known
    attributes = typed(people, {name: cell for name, cell in given.items() if cell})
    return Row(line, email, attributes, frozenset(tags))


# --- one person's story


def show(
    context: typer.Context, email: Annotated[str, typer.Argument(metavar="EMAIL")], *, as_json: AsJson = False
) -> int:
    """The trace of a person: where they stand, what happened and why."""
    from nurture.engine.addresses import normalise
    from nurture.engine.show import barred, person

    at: At = context.obj
    with at.store() as store:
        found = person(store, normalise(email))
        why = barred(store, normalise(email)) if found is None else None
    if found is None:
        say.say(f"Nobody has the address {email}.{f' It gets no mail: {_why(why)}.' if why else ''}")
        return 1
    if as_json:
        say.data(found)
    else:
        _story(found)
    return 0


def _origins(found: dict[str, Any]) -> None:
    """How they came, and who came by their link, with the reason where a friend does not count."""
    line = say.out.print
    if found["signups"] or found["friend_of"]:
        line("\ncame by", style="bold")
    for one in found["signups"]:
        when = f"confirmed {say.clock(one['confirmed_at'])}" if one["confirmed_at"] else "not confirmed"
        team = ", an address that a team reads" if one["role"] else ""
        line(
            f"  {say.clock(one['at'])}  the form {one['form']}, {when}{team}; {' '.join(one['source'].values())}",
            markup=False,
        )
    if (friend := found["friend_of"]) is not None:
        line(f"  the link of {friend['email']} in {friend['sequence']}: {_counts(friend)}", markup=False)
    for link in found["friends"]:
        line(f"\nfriends in {link['sequence']}", style="bold", end="", markup=False)
        line(f"  {link['link']}", markup=False)
        for one in link["who"]:
            line(f"  {one['email']}: {_counts(one)}", markup=False)


def _counts(friend: dict[str, Any]) -> str:
    if friend["refused"]:
        return f"does not count: {friend['refused']}"
    return "counts" if friend["counted_at"] else "confirmed, and has not clicked or answered anything yet"


def _story(found: dict[str, Any]) -> None:
    line = say.out.print
    line(found["email"], style="bold", end="", markup=False)
    known = ", ".join(f"{name} {value}" for name, value in found["attributes"].items())
    tags = f"; tagged {', '.join(found['tags'])}" if found["tags"] else ""
    line(f"  {found['status']}{f'; {known}' if known else ''}{tags}", markup=False)
    if found["suppressed"]:
        line(f"  gets no mail: {_why(found['suppressed'])}", markup=False)
    for wish in _wished(found["wishes"]):
        line(f"  {wish}", markup=False)
    for place in found["enrollments"]:
        line(f"\n{place['sequence']}", style="bold", end="", markup=False)
        line(f"  {_where(place)}", markup=False)
        line(f"  because: {place['because']}", style="dim", markup=False)
    _origins(found)
    if found["messages"]:
        line("\nmails", style="bold")
    for mail in found["messages"]:
        when = say.clock(mail["sent_at"]) or "not yet"
        line(f"  {when}  {mail['sequence']}.{mail['step']}  {mail['state']}: {mail['subject']}", markup=False)
        if mail["state"] in ("failed", "unknown", "cancelled", "abandoned"):
            line(f"      {mail['reason']}", style="dim", markup=False)
    if found["answers"]:
        line("\nkept asks", style="bold")
    for answer in found["answers"]:
        line(f"  {say.clock(answer['at'])}  {answer['sequence']}.{answer['step']}: {answer['answer']}", markup=False)
    if found["events"]:
        line("\nwhat happened", style="bold")
    for one in found["events"]:
        verdict = f" ({one['verdict']})" if one["verdict"] else ""
        place = f" {one['sequence']}{'.' if one['step'] else ''}{one['step']}" if one["sequence"] else ""
        reason = f": {one['reason']}" if one["reason"] else ""
        line(f"  {say.clock(one['at'])}  {one['kind']}{verdict}{place}{reason}", markup=False)


def _wished(wishes: dict[str, Any]) -> Iterator[str]:
    """What they asked for on their own page, in words."""
    if wishes["paused_until"]:
        yield f"paused by themselves until {say.clock(wishes['paused_until'])}"
    if wishes["days_apart"]:
        yield f"asked for no more than one mail in {wishes['days_apart']} days"
    if wishes["without"]:
        yield f"asked for nothing more of {', '.join(wishes['without'])}"
    if "copy" in wishes["asks"]:
        yield "asked for a copy of what is known of them: `nurture export --email`, sent to their own address"
    if "erase" in wishes["asks"]:
        yield "asked to be erased: make sure that it was they, then `nurture erase`"


def _why(barred: dict[str, Any]) -> str:
    because = f" ({barred['because']})" if barred["because"] else ""
    return f"{barred['reason']}{because}, since {say.clock(barred['since'])}"


def _where(place: dict[str, Any]) -> str:
    if place["ended"]:
        return f"ended: {place['ended']}, {say.clock(place['ended_at'])}"
    until = f" until {say.clock(place['due_at'])}" if place["due_at"] else ""
    return f"{place['phase']} at {place['step']}{until}"


def why(
    context: typer.Context,
    email: Annotated[str, typer.Argument(metavar="EMAIL")],
    now: Now = None,
    *,
    as_json: AsJson = False,
) -> int:
    """Why someone stands where they stand: each decision and its reason, what comes next, and why not sooner."""
    from nurture.engine.addresses import normalise
    from nurture.engine.why import DECISIONS
    from nurture.engine.why import why as reasons

    at: At = context.obj
    with at.store() as store:
        found = reasons(store, at.deployed(store, moment(now)), normalise(email), moment(now))
    if found is None:
        say.say(f"Nobody has the address {email}.")
        return 1
    if as_json:
        say.data(found)
        return 0
    print(f"{found['email']} is {found['status']}.")
    for wish in _wished(found["wishes"]):
        print(f"  {wish}")
    for place in found["places"]:
        coming = place["next"]
        when = f", {say.clock(coming['at'])}" if coming["at"] else ""
        print(f"\n{place['title']}")
        print(f"  next: {coming['what']}{when}")
        if coming["unless"]:
            print(f"  unless {coming['unless']}")
        for reason in coming["why_not_sooner"]:
            print(f"  not sooner: {reason}")
        for one in found["events"]:
            if one["sequence"] == place["sequence"]:
                mark = "·" if one["kind"] in DECISIONS else " "
                verdict = f"  [{one['verdict']}]" if one["verdict"] else ""
                answer = f" {one['answer']}" if one["answer"] is not None else ""
                print(
                    f"  {mark} {say.clock(one['at'])}  {one['kind']}{answer}  {one['step']}{verdict}  {one['reason']}".rstrip()
                )
    if not found["places"]:
        print("No sequence has begun for them.")
    return 0
