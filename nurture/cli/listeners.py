"""Commands about listeners: who hears of what happens, what nobody heard, tell it again."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import typer

from nurture.cli import say
from nurture.cli.people import AsJson, Now
from nurture.cli.project import At, moment
from nurture.errors import DeliveryError, Refused
from nurture.language.problems import counted, or_one_of

Name = Annotated[str, typer.Argument(metavar="NAME", help="the listener, as the settings name it")]


def register(app: typer.Typer) -> None:
    listeners = typer.Typer(no_args_is_help=True, help="Addresses of yours that hear of what happens.")
    listeners.command("list")(list_listeners)
    listeners.command("try")(try_listener)
    listeners.command("replay")(replay)
    app.add_typer(listeners, name="listeners")


def list_listeners(context: typer.Context, *, as_json: AsJson = False) -> int:
    """Who listens, and how many events each has heard, waits for, and never heard."""
    from nurture.store import notices

    at: At = context.obj
    known = {one.name: one for one in at.listeners()}
    with at.store() as store, store.read() as tx:
        standing = notices.standing(tx)
    names = [*known, *(name for name in standing if name not in known)]
    rows = [(name, standing.get(name, notices.Standing())) for name in names]
    if as_json:
        listeners = [
            {
                "listener": name, "host": _host(known[name].url) if name in known else None, "told": one.told,
                "waiting": one.waiting, "failed": one.failed, "error": one.error,
                "events": sorted(known[name].events) if name in known else [],
            }
            for name, one in rows
        ]  # fmt: skip
        say.data({"format": "nurture.listeners/1", "listeners": listeners})
    else:
        width = max((len(name) for name in names), default=0)
        for name, one in rows:
            where = _host(known[name].url) if name in known else "not in the settings"
            line = f"{name:<{width}}  {one.told:>7} told  {one.waiting:>5} waiting  {one.failed:>5} failed  {where}"
            print(f"{line}  {one.error}".rstrip())
        if not rows:
            say.say("Nobody listens; the settings name who does: NURTURE_LISTENERS__CRM__URL")
    return 1 if any(one.failed for _, one in rows) else 0


def _host(url: str) -> str:
    """Of an address only so much that one knows it: some are secrets as a whole."""
    return urlsplit(url).netloc


def try_listener(context: typer.Context, name: Name, now: Now = None) -> int:
    """Tell a listener that nothing happened, and say whether it heard. Nothing is kept."""
    from nurture.engine.listening import TRIED, Happened, body
    from nurture.engine.telling import connected

    at: At = context.obj
    listener = next((one for one in at.listeners() if one.name == name), None)
    if listener is None:
        raise Refused(f"the settings name no listener '{name}'{or_one_of(name, at.settings.listeners)}")
    when = moment(now)
    event = f"evt_{TRIED}_{int(when.timestamp())}"
    try:
        connected(listener)(event, body(listener, Happened(TRIED, when, 0), event, "nobody@example.com"), when)
    except DeliveryError as error:
        say.say(f"{name} did not hear it: {error}")
        return 1
    print(f"{name} heard it.")
    return 0


def replay(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="one listener; all when left out")] = "",
    event: Annotated[
        list[str] | None, typer.Option(help="this event, whatever became of it; may be given again")
    ] = None,
    now: Now = None,
) -> int:
    """Tell again what nobody heard. It keeps its id, so a receiver knows what it had."""
    from nurture.store import notices, wakeups

    at: At = context.obj
    with at.store() as store:
        at.clustered(store)
        with store.write() as tx:
            again = notices.replay(tx, moment(now), name, event or ())
            wakeups.want(tx, "tell")
    print(f"{counted(again, 'event')} {'is' if again == 1 else 'are'} told again.")
    return 0 if again or not event else 1
