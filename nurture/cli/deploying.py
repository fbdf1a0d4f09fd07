"""Commands that change what runs: see what an edit does to the people inside, then do it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from nurture.cli import say
from nurture.cli.people import AsJson, Now
from nurture.cli.project import At, moment, who
from nurture.errors import Refused

CHANGES = 2
"""The exit code of `plan --detailed-exitcode` where there is something to do."""

Ends = Annotated[
    list[str] | None, typer.Option("--end", metavar="SEQUENCE", help="end the passes of a sequence whose file is gone")
]


def register(app: typer.Typer) -> None:
    for command in (plan, apply, deploys):
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
    from nurture.cli.plan_document import document, keep
    from nurture.cli.plan_markdown import as_markdown
    from nurture.cli.plan_text import show
    from nurture.engine.applying import preview

    at: At = context.obj
    with at.store() as store:
        found = preview(store, at.files(), at.rules, moment(now), ends=end or ())
    if out is not None:
        keep(found, out)
    if as_json:
        say.data(document(found))
    elif markdown:
        print(as_markdown(found))
    else:
        show(found)
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
    from nurture.cli.plan_document import agreed_to
    from nurture.cli.plan_text import show
    from nurture.engine.applying import Agreed, Impossible, Stale, preview
    from nurture.engine.applying import apply as carry_out
    from nurture.engine.deeds import so_many

    at: At = context.obj
    files = at.files()
    with at.store() as store:
        if file is None:
            found = preview(store, files, at.rules, moment(now), ends=end or ())
            show(found)
            if found.refusals:
                return 1
            if found.empty:
                return 0
            if not yes and not _agrees():
                say.say("Nothing was changed.")
                return 1
            agreed = Agreed(found.deployed, found.digest, found.ends)
        else:
            agreed = agreed_to(at.find(file), file)
        try:
            done = carry_out(store, files, at.rules, moment(now), agreed, who=who(), why=because)
        except Stale as error:
            say.say(f"nurture: {error}")
            return 1
        except Impossible as error:
            show(error.plan)
            return 1
    moved = sum(move.people for move in done.plan.moves)
    say.say(f"Version {done.number} runs{f'; {so_many(moved)} moved or retimed' if moved else ''}.")
    return 0


def _agrees() -> bool:
    if not sys.stdin.isatty():
        raise Refused("nobody is there to ask; say it with --yes")
    return typer.confirm("Apply this?", err=True)


def deploys(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="so many, newest first")] = 20,
    *,
    as_json: AsJson = False,
) -> int:
    """The versions that ran: when, who made each the running one and why, what it did to the people inside."""
    from nurture.cli.plan_document import deploy_document
    from nurture.engine.deeds import deeds
    from nurture.store.deploys import listing

    at: At = context.obj
    with at.store() as store, store.read() as tx:
        rows = listing(tx, limit)
    if as_json:
        say.data({"format": "nurture.deploys/1", "deploys": [deploy_document(row) for row in rows]})
        return 0
    for row in rows:
        by = f"  by {row.who}" if row.who else ""
        say.out.print(f"{row.id:>4}  {say.clock(row.at.isoformat())}{by}", style="bold", markup=False)
        for words in filter(None, (row.why, *deeds(row))):
            say.out.print(f"      {words}", markup=False)
    if not rows:
        say.say("Nothing is deployed yet; `nurture apply` makes the files the running version.")
    return 0
