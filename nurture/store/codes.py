"""Pools of codes: filled from a file, and each code taken by one offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, select, update

from nurture.store import offer_tables
from nurture.store.dialect import chunks, insert, locked

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = offer_tables.code
c = table.c


LONGEST = 100
"""Signs of a code: people type them."""


@dataclass(frozen=True, slots=True)
class Stock:
    """How full a pool is."""

    left: int
    taken: int


def add(tx: Connection, pool: str, codes: Sequence[str], now: datetime) -> int:
    """Put these into a pool; returns how many are new. A code that is in a pool already, be it another, is left there."""
    new = 0
    for some in chunks(codes):
        adding = insert(tx, table).on_conflict_do_nothing(index_elements=["code"]).returning(c.id)
        rows = [{"pool": pool, "code": code, "imported_at": now} for code in some]
        new += len(tx.execute(adding, rows).all())
    return new


def elsewhere(tx: Connection, pool: str, codes: Sequence[str]) -> int:
    """How many of these are in another pool."""
    return sum(
        tx.execute(select(func.count()).where(c.code.in_(some)).where(c.pool != pool)).scalar_one()
        for some in chunks(codes)
    )


def complaint(code: str) -> str:
    """Why this cannot be a code; "" when it can."""
    if not code:
        return "there is no code"
    if len(code) > LONGEST:
        return f"'{code[:20]}…' has more than {LONGEST} signs"
    if not code.isprintable() or any(sign.isspace() or sign in "/?#" for sign in code):
        return f"'{code}' cannot be a code: it may hold no space, no / ? #, and nothing that cannot be seen"
    return ""


def take(tx: Connection, pool: str, offers: Sequence[str]) -> dict[str, str]:
    """Give each of these offers a code of the pool, the oldest first, for as long as there are any."""
    given: dict[str, str] = {}
    waiting = list(offers)
    while waiting:  # what another worker takes at the same time is passed over, so a look may find less than there is
        free = select(c.id, c.code).where(c.pool == pool).where(c.offer.is_(None)).order_by(c.id).limit(len(waiting))
        rows = tx.execute(locked(tx, free, of=[table], skip=True)).all()
        if not rows:
            break
        pairs = list(zip(waiting, rows, strict=False))
        tx.execute(
            update(table).where(c.id == bindparam("number")),
            [{"number": row.id, "offer": offer} for offer, row in pairs],
        )
        given |= {offer: row.code for offer, row in pairs}
        waiting = waiting[len(pairs) :]
    return given


def left(tx: Connection, pool: str) -> int:
    """How many codes of a pool nobody has."""
    return tx.execute(select(func.count()).where(c.pool == pool).where(c.offer.is_(None))).scalar_one()


def stocks(tx: Connection) -> dict[str, Stock]:
    """Every pool that there is."""
    query = select(c.pool, func.count(), func.count(c.offer)).group_by(c.pool).order_by(c.pool)
    return {pool: Stock(whole - taken, taken) for pool, whole, taken in tx.execute(query)}
