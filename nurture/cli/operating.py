"""Commands for whoever runs the engine: the outbox, pauses, settings, the database."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import SecretStr

from nurture.cli import say
from nurture.cli.noting import on_record
from nurture.cli.people import AsJson, Now
from nurture.cli.project import At, moment, who
from nurture.errors import Refused
from nurture.journey.ledger import State
from nurture.language.problems import or_one_of
from nurture.language.sequence import Duration

if TYPE_CHECKING:
    from rich.progress import TaskID

    from nurture.store.database import Store


SHOWN = 200
"""Messages in a listing for people. A document holds all: a program that counts must not be told less."""


class As(StrEnum):
    """How an operator settles an unknown message."""

    SENT = "sent"
    RESEND = "resend"
    DROP = "drop"


def register(app: typer.Typer) -> None:
    for command in (messages, resolve, pause, resume, config):
        app.command(command.__name__)(command)
    database = typer.Typer(no_args_is_help=True, help="The database.")
    database.command("upgrade")(upgrade)
    database.command("copy")(copy)
    app.add_typer(database, name="db")


def messages(
    context: typer.Context,
    message: Annotated[str, typer.Argument(metavar="ID", help="show this one, with its words and links")] = "",
    state: Annotated[State | None, typer.Option(help="only messages in this state")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help=f"how many; {SHOWN} as text, all as a document")] = None,
    *,
    as_json: AsJson = False,
) -> int:
    """The outbox, newest first: every mail that was decided on, and what became of it."""
    from nurture.engine.show import held, outbox

    at: At = context.obj
    if message:
        return _one(at, message, as_json=as_json)
    with at.store() as store:
        found = outbox(store, at.rules, state, moment(None), limit if as_json else (limit or SHOWN) + 1)
        waiting = held(store)
    for one in waiting:
        whose = f"Mail of {one['sequence']}" if one["sequence"] else "All mail"
        say.say(f"{whose} is held since {say.clock(one['since'])}: {one['because'] or 'by hand, see `nurture resume`'}")
    if as_json:
        say.data({"format": "nurture.messages/1", "messages": found})
        return 0
    for one in found[: limit or SHOWN]:
        when = say.clock(one["sent_at"]) or "not sent"
        line = f"{one['id']}  {one['state']:<10}  {one['sequence']}.{one['step']}  {one['email']}  {when}"
        print(
            f"{line}  {one['reason']}"
            if one["state"] in ("planned", "unknown", "failed", "cancelled", "abandoned")
            else line
        )
        if one["settling"]:
            say.say(f"    {_course(one['settling'])}")
    if not found:
        say.say(f"No mail is {state.value}." if state else "No mail yet; `nurture why EMAIL` says what comes next.")
    elif len(found) > (limit or SHOWN):
        say.say(f"These are the newest {limit or SHOWN}; --limit shows more, --json all.")
    return 0


def _course(settling: Any) -> str:  # noqa: ANN401 - as it stands in a document
    when = f" ({say.clock(settling['at'])})" if settling["at"] else ""
    return f"{settling['words']}{when}"


def _one(at: At, number: str, *, as_json: bool) -> int:
    from nurture.engine.mailed import mailed

    with at.store() as store:
        found = mailed(store, at.rules, number, moment(None))
    if found is None:
        say.say(f"There is no message {number}; `nurture messages` lists them.")
        return 1
    if as_json:
        say.data({"format": "nurture.message/1", **found})
        return 0
    left = f"left {say.clock(found['sent_at'])}" if found["sent_at"] else found["reason"]
    print(f"{found['state']}  {found['sequence']}.{found['step']}  {left}")
    if found["settling"]:
        print(f"Nobody knows whether it left: {_course(found['settling'])}.")
    print(f"To: {found['email']}")
    if found["text"] is None:
        waits = found["state"] in (State.PLANNED.value, State.CLAIMED.value)
        say.say(
            "It is not written yet: that happens when it leaves, with what is known then."
            if waits
            else "Its words were deleted: they are kept as long as NURTURE_KEEP_MAILS says."
            if found["deleted"]
            else "There are no words of it: it was never written, or its person was erased."
        )
    else:
        print(f"From: {found['from']}\nSubject: {found['subject']}\n\n{found['text'].rstrip()}\n")
        for link in found["links"]:
            print(f"[{link['words']}] {link['address']}")
    for one in found["events"]:
        print(f"{say.clock(one['at'])}  {one['kind']}  {one['verdict'] or ''}  {one['reason']}".rstrip())
    return 0


def resolve(
    context: typer.Context,
    message: Annotated[str, typer.Argument(metavar="ID")],
    verdict: Annotated[As, typer.Option("--as", help="it went out; send it again; give it up")],
    because: Annotated[str, typer.Option(help="how you know, for whoever wonders later")] = "",
    now: Now = None,
) -> int:
    """Settle a message of which nobody knows whether it left."""
    from nurture.engine.settling import resolve as settle_one

    at: At = context.obj
    with at.store() as store:
        done = settle_one(
            store, at.deployed(store, moment(now)), message, verdict.value, moment(now), who=who(), because=because
        )
        if done:
            on_record(store, f"message settled: {verdict.value}", moment(now), message, because)
    if not done:
        say.say(f"{message} is not unknown; `nurture messages --state unknown` lists those that are.")
        return 1
    print(f"{message} is settled: {verdict.value}.")
    return 0


def pause(
    context: typer.Context,
    sequence: Annotated[str, typer.Argument(metavar="SEQUENCE", help="or `all`")],
    because: Annotated[str, typer.Option(help="for whoever wonders later")] = "",
    now: Now = None,
) -> None:
    """Hold the mail of a sequence. What is due waits and leaves after `resume`."""
    from nurture.store import pauses

    at: At = context.obj
    with at.store() as store:
        name = _held(at, store, sequence, now)
        with store.write() as tx:
            pauses.pause(tx, name, because, moment(now))
        on_record(store, "mail held", moment(now), sequence, because)
    print(f"Mail of {sequence} is held.")


def resume(
    context: typer.Context,
    sequence: Annotated[str, typer.Argument(metavar="SEQUENCE", help="or `all`")] = "all",
    now: Now = None,
    *,
    after_restore: Annotated[
        bool, typer.Option("--after-restore", help="you looked what left since the backup was made")
    ] = False,
) -> int:
    """Let held mail go again, also after a fuse has blown."""
    from nurture.engine import guard
    from nurture.store import pauses

    at: At = context.obj
    with at.store() as store:
        if after_restore:
            done = guard.looked(store, at.note(store), moment(now))
        else:
            with store.write() as tx:
                done = pauses.resume(tx, pauses.ALL if sequence == "all" else sequence)
        if done:
            on_record(store, "mail resumed", moment(now), "after a restore" if after_restore else sequence)
        with store.read() as tx:
            restored = pauses.RESTORED in pauses.paused(tx)
    if restored:
        say.say("All mail is held since the database was restored or copied: `nurture resume --after-restore`")
    if not done:
        say.say("No restored database was held." if after_restore else f"Mail of {sequence} was not held.")
        return 1
    print(f"Mail of {sequence} goes again.")
    return 0


def _held(at: At, store: Store, sequence: str, now: str | None) -> str:
    if sequence == "all":
        return ""
    deployed = at.deployed(store, moment(now))
    if sequence not in deployed.sequences:
        raise Refused(f"there is no sequence '{sequence}'{or_one_of(sequence, deployed.ladders)}")
    return sequence


def config(context: typer.Context) -> None:
    """Every setting, its value and where it comes from. Secrets are not shown."""
    for name, shown, source, means in settings_shown(context.obj):
        say.out.print(name, style="bold", end="")
        say.out.print(f" = {shown}", end="", markup=False)
        say.out.print(f"  ({source})", style="dim", markup=False)
        say.out.print(f"    {means}", style="dim", markup=False)


def settings_shown(at: At) -> tuple[tuple[str, str, str, str], ...]:
    """Of every setting its name, its value without secrets, where it comes from, what it means."""
    from nurture.settings import PREFIX, Settings, where_from

    settings, sources = at.settings, where_from(at.folder)
    return tuple(
        (
            f"{PREFIX}{name.upper()}", _shown(name, getattr(settings, name)), sources.get(name, "default"),
            field.description or "",
        )
        for name, field in Settings.model_fields.items()
    )  # fmt: skip


def _shown(name: str, value: object) -> str:
    if name == "database_url" and isinstance(value, SecretStr):
        from sqlalchemy.engine import make_url

        return make_url(value.get_secret_value()).render_as_string(hide_password=True)
    if isinstance(value, SecretStr):
        return "set" if value.get_secret_value() else "not set"
    if isinstance(value, tuple) and value and isinstance(value[0], SecretStr):
        return f"{len(value)} set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(sorted(value)) or "none"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return str(Duration(seconds=int(seconds))) if seconds.is_integer() else f"{seconds:g} seconds"
    return str(value) if value not in ("", None) else "not set"


def upgrade(context: typer.Context) -> None:
    """Bring the database's tables to this program's version."""
    at: At = context.obj
    with at.store(upgrade=True) as store:
        at.clustered(store)
        print(f"{store.path or store.url.database} is of version {store.revision()}.")


def copy(
    context: typer.Context,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="postgresql://user@host/name, an empty database")],
) -> None:
    """Copy the SQLite file to PostgreSQL, while no engine runs. Broken off, it goes on where it stopped."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from nurture.store.copying import copy as copy_all

    at: At = context.obj
    scheme, _, path = at.database.partition(":///")
    if scheme != "sqlite":
        raise Refused("NURTURE_DATABASE_URL is not a SQLite file; only such a file is copied")
    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=say.talk) as progress:
        bars: dict[str, TaskID] = {}

        def shown(table: str, copied: int, total: int) -> None:
            if table not in bars:
                bars[table] = progress.add_task(table, total=total)
            progress.update(bars[table], completed=copied)

        counted = copy_all(Path(path), to, shown)
    for one in counted:
        print(f"{one.table:<12} {one.source:>12,} = {one.target:,}")
    say.say(
        f"Everything is copied, and {path} is as it was. Set NURTURE_DATABASE_URL to the new database, and start no "
        "engine on the file again: it would mail people whom the new one has mailed."
    )
