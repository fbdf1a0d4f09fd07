"""Commands about what providers and people report: the inbox of webhooks, verdicts, and who gets no more mail."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli import say
from nurture.cli.noting import on_record, person_of
from nurture.cli.people import AsJson, Now
from nurture.cli.project import At, moment
from nurture.errors import Refused

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from nurture.engine.judging import Judged

Because = Annotated[str, typer.Option(help="why, for whoever wonders later")]
Email = Annotated[str, typer.Argument(metavar="EMAIL")]
TOLD = 20
SHOWN = 200
FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def register(app: typer.Typer) -> None:
    for command in (hooks, replay, suppress, unsuppress, suppressed):
        app.command(command.__name__)(command)


def hooks(
    context: typer.Context,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="only those that could not be read")] = False,
    as_json: AsJson = False,
) -> None:
    """The inbox of webhooks, as they came, and what became of them in numbers."""
    from nurture.store import hooks as inbox

    at: At = context.obj
    with at.store() as store, store.read() as tx:
        found = inbox.listing(tx, failed=failed, limit=None if as_json else SHOWN)
        numbers = _numbers(tx)
    if as_json:
        listed = [
            {
                "id": one.id, "provider": one.provider, "received_at": one.received_at.isoformat(), "state": one.state,
                "error": one.error, "body": one.body.decode("utf-8", "replace"),
            }
            for one in found
        ]  # fmt: skip
        say.data({"format": "nurture.hooks/1", "hooks": listed, **numbers})
        return
    for one in found:
        when = one.received_at.isoformat(timespec="seconds").replace("+00:00", "Z")
        print(f"{one.id}  {when}  {one.provider}  {one.state}  {one.error}".rstrip())
    if not found:
        say.say("Every report could be read." if failed else "No report of a provider has come yet.")
    for line in _told(numbers):
        say.say(line)


def _numbers(tx: Connection) -> dict[str, dict[str, object]]:
    from nurture.engine.receive import DROPPED
    from nurture.store import events, strays, tallies
    from nurture.store import hooks as inbox

    clicks = events.verdicts(tx)
    return {
        "kept": dict(inbox.states(tx)),
        "awaiting_their_mail": dict(strays.count(tx)),
        "dropped": dict(tallies.every(tx, DROPPED)),
        "clicks": {"human": clicks.get(True, 0), "machine": clicks.get(False, 0)},
    }


def _told(numbers: dict[str, dict[str, object]]) -> list[str]:
    lines = []
    for provider, states in numbers["kept"].items():
        assert isinstance(states, dict)
        lines.append(f"{provider}: {', '.join(f'{number} {state}' for state, number in states.items())}")
    for provider, number in numbers["awaiting_their_mail"].items():
        lines.append(f"{provider}: {number} about mail that is not known (yet); each is looked at again for a week")
    for provider, number in numbers["dropped"].items():
        lines.append(f"{provider}: {number} dropped, about mail that is not ours")
    people, machines = (int(str(numbers["clicks"][who])) for who in ("human", "machine"))
    if people + machines:
        lines.append(f"clicks: {people} by people, {machines} by machines ({machines / (people + machines):.0%})")
    return lines


def replay(
    context: typer.Context,
    hook: Annotated[int | None, typer.Argument(metavar="[ID]", help="of `nurture hooks`")] = None,
    since: Annotated[str, typer.Option(help="with --verdicts: only clicks since then, like 2026-11-01")] = "",
    now: Now = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="everything that could not be read")] = False,
    verdicts: Annotated[bool, typer.Option("--verdicts", help="judge clicks again by the present rules")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="with --verdicts: record what changes")] = False,
) -> int:
    """Let kept reports have their effect again. What is known already changes nothing."""
    at: At = context.obj
    if (hook is not None) + failed + verdicts != 1:
        raise Refused("say what to replay: an ID of `nurture hooks`, --failed or --verdicts")
    if verdicts:
        return _verdicts(at, moment(since) if since else FIRST, moment(now), apply=apply)
    if since or apply:
        raise Refused("--since and --apply go with --verdicts")
    return _failed(at) if hook is None else _one(at, hook)


def _one(at: At, hook: int) -> int:
    from nurture.store import hooks as inbox

    with at.store() as store:
        with store.write() as tx:
            done = inbox.replay(tx, hook)
        if done:
            on_record(store, "webhook replayed", moment(None), str(hook))
    if not done:
        say.say(f"There is no webhook {hook}; `nurture hooks` lists them.")
        return 1
    print(f"{hook} is applied again by the engine's next turn.")
    return 0


def _failed(at: At) -> int:
    from nurture.store import hooks as inbox

    with at.store() as store, store.write() as tx:
        number = inbox.replay_failed(tx)
    print(f"{number} {'is' if number == 1 else 'are'} read again by the engine's next turn.")
    return 0


def _verdicts(at: At, since: datetime, now: datetime, *, apply: bool) -> int:
    from nurture.engine.judging import judge_again

    with at.store() as store:
        found = judge_again(store, at.deployed(store, now), since, now, apply=apply)
    for click, verdict in found.changed[:TOLD]:
        was, now_is = ("a person", "a machine") if click.human else ("a machine", "a person")
        when = say.clock(click.at.isoformat())
        print(f"{when}  {click.sequence}.{click.step}  {was} -> {now_is}: {'; '.join(verdict.reasons)}")
    print(_summary(found, apply=apply))
    return 0


def _summary(found: Judged, *, apply: bool) -> str:
    changed = found.turned.total()
    if not changed:
        return f"{found.looked_at} clicks judged again; no verdict changes."
    what = f"{found.turned['human']} turn human, {found.turned['machine']} turn machine"
    if not apply:
        return f"{found.looked_at} clicks judged again: {what}. Nothing is recorded; --apply does that."
    return f"{found.looked_at} clicks judged again: {what}. Recorded; {found.moved} were decided on as a late yes."


# --- who gets no more mail


def suppress(context: typer.Context, email: Email, because: Because, now: Now = None) -> int:
    """Bar an address from all mail, whatever is imported later."""
    from nurture.engine import stopping

    at: At = context.obj
    with at.store() as store:
        done = stopping.suppress(store, at.deployed(store, moment(now)), email, because, moment(now))
        if done.before is None:
            on_record(store, "address suppressed", moment(now), person_of(store, done.email), because)
    if done.before is not None:
        print(f"{done.email} got no mail already ({done.before.reason} since {done.before.since:%Y-%m-%d}).")
        return 0
    print(f"{done.email} gets no more mail{'' if done.known else '; nobody on the list has this address'}.")
    return 0


def unsuppress(context: typer.Context, email: Email, because: Because, now: Now = None) -> int:
    """Let an address have mail again. What had ended stays ended; a sign-up begins anew."""
    from nurture.engine import stopping

    at: At = context.obj
    with at.store() as store:
        done = stopping.unsuppress(store, email, because, moment(now))
        if done.before is not None:
            on_record(store, "address unsuppressed", moment(now), person_of(store, done.email), because)
    if done.before is None:
        say.say(f"{done.email} was not suppressed.")
        return 1
    print(f"{done.email} may have mail again (it was barred: {done.before.reason}).")
    return 0


def suppressed(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Every address that gets no mail: why and since when. One that is not on the list is known by its digest alone."""
    from nurture.store import people, suppressions

    at: At = context.obj
    with at.store() as store, store.read() as tx:
        barred = suppressions.every(tx)
        emails = suppressions.digests(tx, (one.email for one in people.every(tx))) if barred else {}
    found = [
        {
            "email": emails.get(digest), "digest": digest, "reason": one.reason, "because": one.because,
            "since": one.since.isoformat().replace("+00:00", "Z"),
        }
        for digest, one in barred
    ]  # fmt: skip
    if as_json:
        say.data({"format": "nurture.suppressed/1", "suppressed": found})
        return
    for one in found:
        who = one["email"] or f"(digest {str(one['digest'])[:12]})"
        print(f"{one['since']}  {one['reason']:<12}  {who}  {one['because']}".rstrip())
    if not found:
        say.say("No address is suppressed.")
