"""Commands about what is known of people: taken along, or taken away."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli import say
from nurture.cli.people import AsJson, Now
from nurture.cli.project import At, moment, who
from nurture.errors import Refused

if TYPE_CHECKING:
    from nurture.engine.erasing import Erased


def register(app: typer.Typer) -> None:
    app.command("export")(export)
    app.command("erase")(erase)


def export(
    context: typer.Context,
    email: Annotated[str | None, typer.Option(help="everything that is known of this person")] = None,
    *,
    as_csv: Annotated[bool, typer.Option("--csv", help="a table of all people, for a spreadsheet")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="a document; so it is without --csv as well")] = False,
    sent: Annotated[
        str, typer.Option(metavar="HOW", help="with --email: how it went to them; then nobody is asked for it any more")
    ] = "",
    now: Now = None,
) -> int:
    """All people, or everything that is known of one, on stdout. Who took it is on the audit log."""
    from nurture.engine import exporting, preferring
    from nurture.engine.addresses import normalise
    from nurture.store import audit

    if as_csv and (email is not None or as_json):
        raise Refused("--csv is a table of all people: it goes with neither --email nor --json")
    if sent and email is None:
        raise Refused("--sent goes with --email: it says how one person got what is known of them")
    at: At = context.obj
    by = who() or "command line"
    with at.store() as store:
        if email is None:
            with store.write() as tx:
                audit.record(tx, audit.Entry(moment(None), by, "people exported"))
        if email is not None:
            found = exporting.taken(store, normalise(email), by, moment(None))
            if found is None:
                say.say(f"Nobody has the address {email}.")
                return 1
            if sent:
                by = who() or "command line"
                preferring.seen_to(store, normalise(email), "copy", reason=sent, by=by, now=moment(now))
            say.data(found)
        elif as_csv:
            declared = at.deployed(store, moment(None)).project.people.attributes
            sys.stdout.writelines(exporting.as_csv(exporting.everyone(store), exporting.columns(declared)))
        else:
            sys.stdout.writelines(exporting.document(exporting.everyone(store)))
    return 0


def erase(
    context: typer.Context,
    email: Annotated[str, typer.Argument(metavar="EMAIL")],
    because: Annotated[str, typer.Option(help="why, for the audit log; without their name or address")] = "",
    now: Now = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: AsJson = False,
) -> int:
    """Erase a person: everything that is known of them. What was counted stays counted, and the address stays barred."""
    from nurture.engine import erasing

    at: At = context.obj
    with at.store() as store:
        there = erasing.about(store, email)
        if there is None:
            say.say(f"Nobody has the address {email}; there is nothing to erase.")
            return 1
        _tell(there)
        if not yes and not _agrees():
            say.say("Nothing was erased.")
            return 1
        done = erasing.erase(
            store, at.deployed(store, moment(now)), email, moment(now), by=who() or "command line", reason=because
        )
    if done is None:
        say.say("Somebody else erased them in this moment.")
        return 1
    if as_json:
        say.data(done.document)
    else:
        print(f"Erased; what is counted stands as number {done.id}. {done.reports} raw reports were emptied.")
    return 0


def _tell(there: Erased) -> None:
    say.say(
        f"Goes: address, attributes, tags, {there.passes} places with their answers, the words of {there.mails} mails, "
        f"{there.offers} offers, what {there.events} entries say, raw reports that name them."
    )
    say.say(
        "Stays: that there were so many passes, mails and answers of the author's own choices, when, and what was paid, as a "
        "number without a name; a keyed digest that keeps the address off the list. Backups and providers keep theirs."
    )


def _agrees() -> bool:
    if not sys.stdin.isatty():
        raise Refused("nobody is there to ask; say it with --yes")
    return typer.confirm("Erase this person?", err=True)
