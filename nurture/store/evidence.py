"""Attempts of which nobody knows whether the mail left, and the evidence that settles them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, select, update

from nurture.journey.ledger import LEFT, RANK, State
from nurture.store import tables
from nurture.store.dialect import locked
from nurture.store.messages import (
    CLAIMED,
    COLUMNS,
    LEAVING,
    PLANNED,
    SENDING,
    UNKNOWN,
    UNSETTLED,
    Row,
    as_row,
    by_ids,
    lock_places,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = tables.message
c = table.c


def any_unsettled(tx: Connection, now: datetime) -> bool:
    """Whether an attempt is overdue, or unknown and due for a look: that is what its deadline then says."""
    overdue = select(c.id).where(UNSETTLED).where(c.state == SENDING).where(c.deadline <= now).limit(1)
    undecided = select(c.id).where(UNSETTLED).where(c.state == UNKNOWN).where(c.deadline <= now).limit(1)
    return tx.execute(overdue).first() is not None or tx.execute(undecided).first() is not None


def count_unknown(tx: Connection) -> int:
    """Of how many attempts nobody knows whether the mail left."""
    query = select(func.count()).select_from(table).where(UNSETTLED).where(c.state == UNKNOWN)
    return int(tx.execute(query).scalar_one())


def stuck(tx: Connection, now: datetime) -> list[str]:
    """Attempts that had no answer in time become unknown."""
    why = "no answer in time: the process may have died while it was sent"
    changing = update(table).where(UNSETTLED).where(c.state == SENDING).where(c.deadline <= now)
    return list(tx.execute(changing.values(state=UNKNOWN, uncertain=1, reason=why).returning(c.id)).scalars())


def orphan(tx: Connection, now: datetime) -> None:
    """When no other engine can be at work: claims are void, and attempts without an answer are unknown."""
    tx.execute(update(table).where(LEAVING).where(c.state == CLAIMED).values(state=PLANNED, due_at=now))
    tx.execute(update(table).where(UNSETTLED).where(c.state == SENDING).values(deadline=now))
    stuck(tx, now)


def unknown(tx: Connection, now: datetime, limit: int) -> list[Row]:
    """Attempts of which nobody knows whether the mail left and that are due for a look, longest due first."""
    query = select(*COLUMNS).where(UNSETTLED).where(c.state == UNKNOWN).where(c.deadline <= now)
    query = query.order_by(c.deadline).limit(limit)
    return [as_row(row) for row in tx.execute(locked(tx, query, of=[table], skip=True))]


def look_later(tx: Connection, rows: Sequence[tuple[str, datetime]]) -> None:
    """Nothing is to be done yet about these unknown messages: (id, when to look again)."""
    if rows:
        changing = update(table).where(c.id == bindparam("number")).where(c.state == UNKNOWN)
        tx.execute(changing, [{"number": n, "deadline": at} for n, at in rows])


def settle(tx: Connection, rows: Sequence[tuple[str, State, str, datetime | None]]) -> None:
    """Decide unknown messages: (id, sent | planned | abandoned, why, due_at when planned again)."""
    if rows:
        changing = update(table).where(c.id == bindparam("number")).where(c.state == UNKNOWN)
        tx.execute(
            changing, [{"number": n, "state": state.value, "reason": why, "due_at": at} for n, state, why, at in rows]
        )  # fmt: skip


def send_again(tx: Connection, rows: Sequence[tuple[str, str, datetime]]) -> None:
    """These are sent once more although they may have left: (id, why, due_at). No key protects that."""
    if rows:
        changing = update(table).where(c.id == bindparam("number")).where(c.state == UNKNOWN)
        values = [{"number": n, "state": PLANNED, "reason": why, "due_at": at, "key": ""} for n, why, at in rows]
        tx.execute(changing, values)


def not_taken(tx: Connection, rows: Sequence[tuple[str, str, datetime]]) -> None:
    """It is proven that the provider has none of these: (id, why, due_at). They are as if never tried."""
    if rows:
        changing = update(table).where(c.id == bindparam("number")).where(c.state == UNKNOWN)
        values = [
            {"number": n, "state": PLANNED, "reason": why, "due_at": at, "uncertain": 0, "looks": 0, "absent": 0}
            for n, why, at in rows
        ]
        tx.execute(changing, values)


def looked(tx: Connection, rows: Sequence[tuple[str, bool]], now: datetime) -> None:
    """The provider was searched for these: (id, whether that it has none counts)."""
    if rows:
        changing = update(table).where(c.id == bindparam("number")).where(c.state == UNKNOWN)
        changing = changing.values(looks=c.looks + 1, absent=c.absent + bindparam("more"), looked_at=now)
        tx.execute(changing, [{"number": n, "more": int(counts)} for n, counts in rows])


def found(tx: Connection, ids: Mapping[str, str]) -> list[Row]:
    """The provider has these, by its own id. Returns those of which that is news, as they stood."""
    news = report(tx, dict.fromkeys(ids, State.SENT))
    named = [{"number": row.id, "provider_id": ids[row.id] or row.provider_id} for row in news]
    if named:
        why = "the provider has it: found by a search"
        tx.execute(update(table).where(c.id == bindparam("number")).values(reason=why), named)
    return news


def report(tx: Connection, states: Mapping[str, State]) -> list[Row]:
    """Move messages forward on evidence. Returns those of which it is news that they left, as they stood."""
    if not states:
        return []
    lock_places(tx, sorted(states))
    rows = by_ids(tx, sorted(states), lock=True)
    forward = {n: row for n, row in rows.items() if RANK[states[n]] > RANK[row.state]}
    news = [row for n, row in forward.items() if row.state not in LEFT and states[n] in LEFT]
    fresh = {row.id for row in news}
    changes = [
        {
            "number": n, "state": states[n].value, "due_at": None, "uncertain": 0,
            "sent_at": row.started_at if n in fresh else row.sent_at,
        }
        for n, row in forward.items()
    ]  # fmt: skip
    if changes:
        tx.execute(update(table).where(c.id == bindparam("number")), changes)
    return news
