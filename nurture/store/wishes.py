"""Codes that shops are asked for: one to a person and pass, asked for until it comes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update

from nurture.store import offer_tables, tables
from nurture.store.dialect import chunks, insert, locked

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = offer_tables.wish
c = table.c


@dataclass(frozen=True, slots=True)
class Wish:
    """A code that one person is to get. `id` becomes their offer's. `due_at` is the next time the shop is asked."""

    id: str
    enrollment: int
    step: str
    pool: str
    product: str
    since: datetime
    due_at: datetime | None
    tries: int = 0
    code: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """How many people wait for codes of a pool, since when, and what the shop said last."""

    people: int
    since: datetime
    error: str


COLUMNS = (c.id, c.enrollment, c.step, c.pool, c.product, c.since, c.due_at, c.tries, c.code, c.error)


def _wish(row: Sequence[Any]) -> Wish:
    return Wish(*row)


def add(tx: Connection, wish: Wish) -> None:
    """Ask for this; what was asked for in this pass before stays."""
    row = {
        "id": wish.id, "enrollment": wish.enrollment, "step": wish.step, "pool": wish.pool, "product": wish.product,
        "since": wish.since, "due_at": wish.due_at, "tries": wish.tries, "code": wish.code, "error": wish.error,
    }  # fmt: skip
    tx.execute(insert(tx, table).on_conflict_do_nothing(), [row])


def again(tx: Connection, number: str, due_at: datetime) -> None:
    tx.execute(update(table).where(c.id == number).where(c.code == "").values(due_at=due_at))


def forget(tx: Connection, enrollment: int, step: str) -> None:
    """Do not ask any more for what nobody has answered."""
    tx.execute(delete(table).where(c.enrollment == enrollment).where(c.step == step).where(c.code == ""))


def of_passes(tx: Connection, enrollments: Sequence[int]) -> Mapping[tuple[int, str], Wish]:
    """What was asked for in these passes, by pass and root step."""
    found: dict[tuple[int, str], Wish] = {}
    for some in chunks(enrollments):
        for row in tx.execute(select(*COLUMNS).where(c.enrollment.in_(some))):
            wish = _wish(row)
            found[wish.enrollment, wish.step] = wish
    return found


def next_due(tx: Connection) -> datetime | None:
    return tx.execute(select(func.min(c.due_at)).where(c.due_at.is_not(None))).scalar()


def claim(
    tx: Connection, pools: Collection[str], now: datetime, until: datetime, limit: int
) -> list[tuple[Wish, str]]:  # fmt: skip
    """What is to be asked for now, each with the person's address; no other worker asks for it before `until`.

    For someone whose pass is over nothing is asked.
    """
    place, person = tables.enrollment, tables.subscriber
    query = select(*COLUMNS, person.c.email, person.c.status, place.c.phase).where(c.due_at <= now)
    query = query.where(c.pool.in_(sorted(pools))).join(place, place.c.id == c.enrollment)
    query = query.join(person, person.c.id == place.c.subscriber).order_by(c.due_at, c.id).limit(limit)
    rows = tx.execute(locked(tx, query, of=[table], skip=True)).all()
    found = []
    for *wish, email, status, phase in rows:
        wanted = status == "active" and phase != "ended"
        tx.execute(update(table).where(c.id == wish[0]).values(due_at=until if wanted else None))
        if wanted:
            found.append((_wish(wish), email))
    return found


def grant(tx: Connection, wish: Wish, code: str, now: datetime) -> bool:
    """Keep the shop's answer; False when this code is somebody else's."""
    known = tx.execute(locked(tx, select(c.code).where(c.id == wish.id), of=[table], skip=False)).scalar()
    if known != "":  # it came by another way, or nobody asks any more
        return True
    row = {"pool": wish.pool, "code": code, "imported_at": now, "offer": wish.id}
    adding = insert(tx, offer_tables.code).on_conflict_do_nothing().returning(offer_tables.code.c.id)
    if not tx.execute(adding, [row]).all():
        return False
    tx.execute(update(table).where(c.id == wish.id).values(code=code, due_at=None, tries=wish.tries + 1, error=""))
    return True


def fail(tx: Connection, wish: Wish, error: str, due_at: datetime) -> None:
    changing = update(table).where(c.id == wish.id).where(c.code == "")
    tx.execute(changing.values(error=error, due_at=due_at, tries=wish.tries + 1))


def lines(tx: Connection) -> Mapping[str, Line]:
    """Who waits, by pool. The error is that of whoever waits longest."""
    query = select(c.pool, c.since, c.error).where(c.due_at.is_not(None)).order_by(c.pool, c.since, c.id)
    found: dict[str, Line] = {}
    for pool, since, error in tx.execute(query):
        first = found.get(pool, Line(0, since, error))
        found[pool] = Line(first.people + 1, first.since, first.error)
    return found
