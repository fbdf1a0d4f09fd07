"""Commands that change what runs: see what an edit does to the people inside, then do it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nurture.cli import say
from nurture.cli.people import AsJson, Now
from nurture.cli.project import At, moment, who
from nurture.errors import Refused

if TYPE_CHECKING:
    from nurture.engine.applying import Agreed
    from nurture.engine.planning import Plan, SequencePlan, StepPlan

CHANGES = 2
"""The exit code of `plan --detailed-exitcode` where there is something to do."""

TONES = {"renamed": "cyan", "removed": "red", "inserted": "green"}
Ends = Annotated[
    list[str] | None, typer.Option("--end", metavar="SEQUENCE", help="end the passes of a sequence whose file is gone")
]


def register(app: typer.Typer) -> None:
    for command in (plan, apply):
        app.command(command.__name__)(command)


def plan(
    context: typer.Context,
    end: Ends = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="keep the plan, to apply exactly this one")] = None,
    now: Now = None,
    *,
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="as a comment for a pull request")] = False,
    detailed: Annotated[bool, typer.Option("--detailed-exitcode", help="leave with 2 when there is work")] = False,
) -> int:
    """What an edit does to the people inside, with counts. Changes nothing."""
    from nurture.engine.applying import preview

    at: At = context.obj
    with at.store() as store:
        found = preview(store, at.files(), at.rules, moment(now), ends=end or ())
    if out is not None:
        out.write_text(json.dumps(document(found), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if as_json:
        say.data(document(found))
    elif markdown:
        print(as_markdown(found))
    else:
        _show(found)
    if found.refusals:
        return 1
    return CHANGES if detailed and not found.empty else 0


def apply(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="[PLAN]", help="a plan that `nurture plan --out` kept")] = None,
    end: Ends = None,
    because: Annotated[str, typer.Option(metavar="WORDS", help="why, for the record")] = "",
    now: Now = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> int:
    """Make the files the running version: everyone inside is moved, in one transaction."""
    from nurture.engine.applying import Agreed, Impossible, Stale, preview
    from nurture.engine.applying import apply as carry_out

    at: At = context.obj
    files = at.files()
    with at.store() as store:
        if file is None:
            found = preview(store, files, at.rules, moment(now), ends=end or ())
            _show(found)
            if found.refusals:
                return 1
            if found.empty:
                return 0
            if not yes and not _agrees():
                return 1
            agreed = Agreed(found.deployed, found.digest, found.ends)
        else:
            agreed = _kept(at.find(file), file)
        try:
            done = carry_out(store, files, at.rules, moment(now), agreed, who=who(), why=because)
        except Stale as error:
            say.say(f"nurture: {error}")
            return 1
        except Impossible as error:
            _show(error.plan)
            return 1
    moved = sum(move.people for move in done.plan.moves)
    say.say(f"Version {done.number} runs; {_people(moved)} moved." if moved else f"Version {done.number} runs.")
    return 0


def _agrees() -> bool:
    if not sys.stdin.isatty():
        raise Refused("nobody is there to ask; say it with --yes")
    return typer.confirm("Apply this?", err=True)


def _kept(path: Path, named: Path) -> Agreed:
    from nurture.engine.applying import Agreed

    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        assert known["format"] == "nurture.plan/1"
        return Agreed(known["deployed"], known["digest"], tuple(known["ends"]))
    except (AssertionError, ValueError, LookupError, TypeError):
        raise Refused(f"{named} is no plan; `nurture plan --out FILE` makes one") from None


# --- as a document


def document(found: Plan) -> dict[str, Any]:
    """The plan as `nurture.plan/1`."""
    return {
        "format": "nurture.plan/1",
        "deployed": found.deployed,
        "digest": found.digest,
        "ends": list(found.ends),
        "empty": found.empty,
        "sequences": [_sequence(one) for one in found.sequences],
        "files": list(found.other),
        "moves": [
            {"sequence": m.sequence, "from": m.source, "to": m.target or None, "what": m.what, "people": m.people}
            for m in found.moves
        ],
        "mails": {"now": found.mails_now, "within_a_day": found.mails_soon},
        "refused": [
            {"sequence": r.sequence, "step": r.step, "people": r.people, "message": r.words, "write": r.write}
            for r in found.refusals
        ],
        "problems": [
            {"file": p.file, "line": p.line, "column": p.column, "severity": p.severity, "code": p.code,
             "message": p.message}
            for p in found.done
        ],
    }  # fmt: skip


def _sequence(one: SequencePlan) -> dict[str, Any]:
    return {
        "name": one.diff.name,
        "change": _change(one),
        "inside": one.inside,
        "words": list(one.diff.words),
        "steps": [
            {
                "step": step.diff.name or None,
                "was": step.diff.was or None,
                "changes": [{"kind": d.kind, "words": d.words} for d in step.diff.differences],
                "people": {
                    "before": step.people.before, "waiting": step.people.waiting, "asked": step.people.asked,
                    "past": step.people.past,
                },
                "becomes": list(step.becomes),
            }
            for step in one.steps
        ],
    }  # fmt: skip


def _change(one: SequencePlan) -> str:
    if one.diff.before is None:
        return "new"
    return "gone" if one.diff.after is None else "changed"


# --- as text


def _show(found: Plan) -> None:
    line = say.out.print
    for problem in found.done:
        say.say(str(problem))
    if found.empty:
        line("Nothing to do: the files say what runs.")
        return
    for one in found.sequences:
        line(one.diff.name, style="bold", end="", markup=False)
        line(f"  {_headline(one)}", style="dim", markup=False)
        for words in one.diff.words:
            line(f"  {words}", markup=False)
        for step in one.steps:
            _show_step(step)
        line()
    if found.other:
        line(f"Other files that changed: {_some(found.other)}", style="dim", markup=False)
        line()
    for sentence in _sums(found):
        line(sentence, markup=False)
    for refusal in found.refusals:
        line("refused ", style="bold red", end="")
        line(f"{refusal.sequence}: {refusal.words}", markup=False)
        if refusal.write:
            line(_indented(refusal.write), style="bold", markup=False)


def _headline(one: SequencePlan) -> str:
    change = _change(one)
    return {"new": "is new", "gone": f"its file is gone; {_people(one.inside)} inside"}.get(
        change, f"{_people(one.inside)} inside"
    )


def _show_step(step: StepPlan) -> None:
    line = say.out.print
    first, *more = step.diff.differences
    line(f"  {step.diff.name or step.diff.was}", style=TONES.get(first.kind, "yellow"), end="", markup=False)
    line(f"  {'; '.join(difference.words for difference in (first, *more))}", markup=False)
    people = step.people
    if people.before or people.there or people.past:
        line(f"      {_where(step)}", style="dim", markup=False)
    for words in step.becomes:
        line(f"      → {words}", markup=False)


def _where(step: StepPlan) -> str:
    people = step.people
    if not step.diff.was:
        return f"{people.before:,} before it, {people.past:,} past it"
    return (
        f"{people.before:,} before it, {people.waiting:,} waiting for it, {people.asked:,} asked by it, "
        f"{people.past:,} past it"
    )


def _sums(found: Plan) -> list[str]:
    sums = [
        f"{_people(m.people)} {'of' if m.what == 'ended' else 'from'} {m.sequence}.{m.source or 'its start'} "
        f"{_goes(m.what, m.target)}"
        for m in found.moves
    ]
    if not found.refusals:
        mails = f"{found.mails_now:,} now, {found.mails_soon:,} more within a day"
        sums.append(f"Mails this causes: {mails if found.mails_now or found.mails_soon else 'none within a day'}.")
    return sums


def _goes(what: str, target: str) -> str:
    return {
        "ended": "end their pass",
        "retimed": "get their time computed again",
        "renamed": f"are at {target}, its new name",
    }.get(what, f"go to {target}")


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def as_markdown(found: Plan) -> str:
    """A comment for a pull request."""
    if found.empty:
        return "**Nurture:** nothing to do; the files say what runs."
    lines = ["### What this edit does to the people inside", ""]
    for one in found.sequences:
        lines += [f"**{one.diff.name}**: {'; '.join((_headline(one), *one.diff.words))}", ""]
        if one.steps:
            lines += ["| step | change | before | waiting | asked | past | what becomes of them |"]
            lines += ["|---|---|--:|--:|--:|--:|---|"]
        for step in one.steps:
            people, words = step.people, "; ".join(difference.words for difference in step.diff.differences)
            lines.append(
                f"| `{step.diff.name or step.diff.was}` | {_cell(words)} | {people.before} | {people.waiting} "
                f"| {people.asked} | {people.past} | {_cell('; '.join(step.becomes))} |"
            )
        lines.append("")
    lines += [f"- {sentence}" for sentence in _sums(found)]
    for refusal in found.refusals:
        lines += ["", f"> **Refused.** {refusal.sequence}: {refusal.words}"]
        if refusal.write:
            lines += ["", "```", refusal.write, "```"]
    lines += [f"- {problem}" for problem in found.done]
    return "\n".join(lines)


def _cell(words: str) -> str:
    return words.replace("|", "\\|")
