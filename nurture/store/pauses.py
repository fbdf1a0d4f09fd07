"""What is held: a sequence by its name, all mail by "" (an operator, a fuse) or by RESTORED (a guard)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from nurture.store import tables
from nurture.store.dialect import insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = tables.pause
NAMES = select(table.c.name)

ALL = ""
RESTORED = "(restored)"
"""No sequence can have this name. It holds all mail until someone says that they looked what left meanwhile."""

EVERYTHING = frozenset({ALL, RESTORED})


@dataclass(frozen=True, slots=True)
class Held:
    """A sequence, or all mail, that waits: since when and why."""

    name: str
    since: datetime
    because: str


def pause(tx: Connection, name: str, because: str, now: datetime) -> bool:
    """Hold it; False when it was held already, and then its first reason stays."""
    row = {"name": name, "since": now, "because": because}
    holding = insert(tx, table).on_conflict_do_nothing(index_elements=["name"])
    return tx.execute(holding.returning(table.c.name), [row]).first() is not None


def resume(tx: Connection, name: str) -> bool:
    """Let mail go again; False when it was not held."""
    return bool(tx.execute(delete(table).where(table.c.name == name)).rowcount)


def paused(tx: Connection) -> Collection[str]:
    return frozenset(tx.execute(NAMES).scalars())


def every(tx: Connection) -> list[Held]:
    """All that is held, the oldest first."""
    query = select(table.c.name, table.c.since, table.c.because).order_by(table.c.since, table.c.name)
    return [Held(*row) for row in tx.execute(query)]
