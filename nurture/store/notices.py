"""What is to be told to listeners: kept with the decision, claimed with a lease, told, kept when nobody heard it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, select, text, update

from nurture.store.dialect import insert, locked
from nurture.store.listener_tables import notice as table

if TYPE_CHECKING:
    from sqlalchemy import Connection

c = table.c
WAITING, TOLD, FAILED = "waiting", "told", "failed"
IS_WAITING, IS_FAILED, IS_TOLD = (text(f"notice.state = '{state}'") for state in (WAITING, FAILED, TOLD))
"""As they stand in the indexes, so that both databases use them."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One event for one listener. `body` is what is posted, byte for byte, however often."""

    event: str
    listener: str
    type: str
    subscriber: int
    body: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """A notice that is told now, for the `tries`-th time."""

    id: int
    event: str
    listener: str
    body: str
    since: datetime
    tries: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a claimed notice; `again` is when to tell it again, None for never."""

    id: int
    state: str
    error: str = ""
    again: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How one listener stands. `error` is what went wrong last with what is not told."""

    waiting: int = 0
    told: int = 0
    failed: int = 0
    oldest: datetime | None = None
    error: str = ""


def keep(tx: Connection, notices: Sequence[Notice], now: datetime) -> None:
    values = [
        {
            "event": one.event, "listener": one.listener, "type": one.type, "subscriber": one.subscriber,
            "body": one.body, "at": one.at, "since": now, "due_at": now, "tries": 0, "state": WAITING, "error": "",
        }
        for one in notices
    ]  # fmt: skip
    if values:
        tx.execute(insert(tx, table), values)


def next_due(tx: Connection) -> datetime | None:
    return tx.execute(select(func.min(c.due_at)).where(IS_WAITING)).scalar()


def claim(tx: Connection, listener: str, now: datetime, lease_until: datetime, limit: int) -> list[Claimed]:
    """Take what is due for this listener, in the order it happened; nobody else takes it until the lease is over."""
    query = (
        select(c.id, c.event, c.listener, c.body, c.since, c.tries)
        .where(IS_WAITING, c.listener == listener, c.due_at <= now)
        .order_by(c.id)
        .limit(limit)
    )
    rows = tx.execute(locked(tx, query, of=[table], skip=True))
    found = [Claimed(number, event, name, body, since, tries + 1) for number, event, name, body, since, tries in rows]
    if found:
        ids = [one.id for one in found]
        tx.execute(update(table).where(c.id.in_(ids)).values(due_at=lease_until, tries=c.tries + 1))
    return found


def settle(tx: Connection, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Write down what became of them. One that was told meanwhile by another stays told."""
    changing = (
        update(table)
        .where(c.id == bindparam("number"), IS_WAITING)
        .values(state=bindparam("becomes"), error=bindparam("why"), due_at=bindparam("again"))
    )
    values = [
        {"number": one.id, "becomes": one.state, "why": one.error[:300], "again": one.again or now} for one in outcomes
    ]
    if values:
        tx.execute(changing, values)


def release(tx: Connection, claimed: Sequence[Claimed], due_at: datetime) -> None:
    """These were claimed and not tried."""
    if claimed:
        ids = [one.id for one in claimed]
        changing = update(table).where(c.id.in_(ids), IS_WAITING)
        tx.execute(changing.values(due_at=due_at, tries=c.tries - 1))


def give_up(tx: Connection, listener: str, older: datetime, error: str) -> int:
    """What has waited for this listener since before is kept, and not told any more."""
    changing = update(table).where(IS_WAITING, c.listener == listener, c.since <= older)
    return tx.execute(changing.values(state=FAILED, error=error[:300])).rowcount


def put_off(tx: Connection, known: Collection[str], now: datetime, due_at: datetime) -> None:
    """What is due for listeners that nobody here knows is looked at later."""
    tx.execute(update(table).where(IS_WAITING, c.due_at <= now, c.listener.not_in(known)).values(due_at=due_at))


def forget_told(tx: Connection, before: datetime) -> None:
    tx.execute(table.delete().where(IS_TOLD, c.at < before))


def forget_person(tx: Connection, subscriber: int) -> int:
    """Nothing more is told of this person, and nothing that was is kept. Returns how many notices that were."""
    return tx.execute(table.delete().where(c.subscriber == subscriber)).rowcount


def replay(tx: Connection, now: datetime, listener: str = "", events: Sequence[str] = ()) -> int:
    """Tell again what failed: all of it, one listener's, or these events whatever became of them."""
    changing = update(table).where(c.event.in_(events)) if events else update(table).where(IS_FAILED)
    if listener:
        changing = changing.where(c.listener == listener)
    return tx.execute(changing.values(state=WAITING, since=now, due_at=now, tries=0, error="")).rowcount


def standing(tx: Connection) -> dict[str, Standing]:
    """How each listener stands, by name; those without a notice are missing."""
    found: dict[str, dict[str, tuple[int, datetime, str]]] = {}
    query = select(c.listener, c.state, func.count(), func.min(c.at), func.max(c.error)).group_by(c.listener, c.state)
    for listener, state, *rest in tx.execute(query.order_by(c.listener)):
        found.setdefault(listener, {})[state] = tuple(rest)
    return {name: _standing(states) for name, states in found.items()}


def _standing(states: dict[str, tuple[int, datetime, str]]) -> Standing:
    number = {state: states[state][0] if state in states else 0 for state in (WAITING, TOLD, FAILED)}
    errors = [states[state][2] for state in (WAITING, FAILED) if state in states and states[state][2]]
    oldest = states[WAITING][1] if WAITING in states else None
    return Standing(number[WAITING], number[TOLD], number[FAILED], oldest, errors[0] if errors else "")


def failed(tx: Connection) -> dict[str, int]:
    """How many notices nobody heard, by listener."""
    query = select(c.listener, func.count()).where(IS_FAILED).group_by(c.listener).order_by(c.listener)
    return {listener: number for listener, number in tx.execute(query)}  # noqa: C416 - mypy wants a dict of pairs
