"""Commands about people: bring them in, report what they did, see what happened to them and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli import say
from nurture.cli.project import At, moment
from nurture.errors import Refused
from nurture.language.problems import or_one_of

if TYPE_CHECKING:
    from nurture.engine.enroll import Imported
    from nurture.engine.importing import Bad

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


def import_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="its first line names the columns; email is needed")],
    enroll: Annotated[str | None, typer.Option(metavar="SEQUENCE", help="begin this sequence for everyone")] = None,
    now: Now = None,
    *,
    as_json: AsJson = False,
) -> int:
    """Bring in a list. It enrolls nobody unless asked, and never revives a suppressed address."""
    from rich.progress import Progress

    from nurture.engine.deploy import Current
    from nurture.engine.enroll import Imported
    from nurture.engine.importing import Sheet, bring_in

    at: At = context.obj
    path = at.find(file)
    total = Imported()
    with at.store() as store, path.open("r", encoding="utf-8-sig", errors="surrogateescape", newline="") as opened:
        deployed = at.deployed(store, moment(now))
        if enroll is not None and enroll not in deployed.ladders:
            raise Refused(f"there is no sequence '{enroll}'{or_one_of(enroll, deployed.ladders)}")
        running = Current(store, at.rules)
        sheet = Sheet(opened, str(path), deployed.project.people)
        for column in sheet.left_out:
            say.say(column)
        with Progress(console=say.talk, transient=True) as bar:
            size = path.stat().st_size
            task = bar.add_task(f"reading {path.name}", total=size)
            for done in bring_in(store, running, sheet.batches(), enroll=enroll, now=moment(now)):
                total = done
                bar.update(task, completed=min(sheet.read, size))
    if as_json:
        say.data(
            {
                "format": "nurture.import/1", "new": total.new, "updated": total.updated, "enrolled": total.enrolled,
                "suppressed": total.suppressed, "bad": [{"line": one.line, "reason": one.reason} for one in sheet.bad],
            }
        )  # fmt: skip
    else:
        _tell(file, total, sheet.bad, enroll)
    return 1 if sheet.bad else 0


def _tell(file: Path, total: Imported, bad: list[Bad], enroll: str | None) -> None:
    for one in bad:
        say.say(f"{file}:{one.line}: {one.reason}")
    print(f"{total.new} new, {total.updated} known, {total.suppressed} suppressed, {len(bad)} refused.")
    if enroll is not None:
        print(f"{total.enrolled} began {enroll}.")
    elif total.new:
        say.say("Nobody was enrolled; --enroll SEQUENCE does that.")


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


def _draws(found: dict[str, Any]) -> None:
    """Where they take part, and what they look for in the published log."""
    line = say.out.print
    if found["draws"]:
        line("\nprize draws", style="bold")
    for one in found["draws"]:
        came = {None: "not drawn yet", True: "won", False: "did not win"}[one["won"]]
        line(f"  {one['of']}, closed {say.clock(one['closed_at'])}: entry {one['entry']}, {came}", markup=False)


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
    for words in _preferred(found["preferences"]):
        line(f"  {words}", markup=False)
    for place in found["enrollments"]:
        line(f"\n{place['sequence']}", style="bold", end="", markup=False)
        line(f"  {_where(place)}", markup=False)
        line(f"  because: {place['because']}", style="dim", markup=False)
    _origins(found)
    _draws(found)
    if found["messages"]:
        line("\nmails", style="bold")
    for mail in found["messages"]:
        when = say.clock(mail["sent_at"]) or "not yet"
        line(f"  {when}  {mail['sequence']}.{mail['step']}  {mail['state']}: {mail['subject']}", markup=False)
        if mail["state"] not in ("sent", "claimed", "sending") and mail["reason"]:
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


def _preferred(preferences: dict[str, Any]) -> Iterator[str]:
    """What they asked for on their own page, in words."""
    if preferences["paused_until"]:
        yield f"paused by themselves until {say.clock(preferences['paused_until'])}"
    if preferences["days_apart"]:
        yield f"asked for no more than one mail in {preferences['days_apart']} days"
    if preferences["without"]:
        yield f"asked for nothing more of {', '.join(preferences['without'])}"
    if "copy" in preferences["asks"]:
        yield "asked for a copy of what is known of them: `nurture export --email`, sent to their own address"
    if "erase" in preferences["asks"]:
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
    for words in _preferred(found["preferences"]):
        print(f"  {words}")
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
