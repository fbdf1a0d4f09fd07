"""Sequences whose mail is held by an operator; the name "" holds all mail."""

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


@dataclass(frozen=True, slots=True)
class Row:
    """Mail that is held: of one sequence, or of all when the name is ""."""

    name: str
    since: datetime
    because: str


def pause(tx: Connection, name: str, because: str, now: datetime) -> None:
    row = {"name": name, "since": now, "because": because}
    tx.execute(insert(tx, table).on_conflict_do_nothing(index_elements=["name"]), [row])


def resume(tx: Connection, name: str) -> bool:
    """Let mail go again; False when it was not held."""
    return bool(tx.execute(delete(table).where(table.c.name == name)).rowcount)


def paused(tx: Connection) -> Collection[str]:
    return frozenset(tx.execute(select(table.c.name)).scalars())


def listing(tx: Connection) -> list[Row]:
    """All mail that is held, and why."""
    query = select(table.c.name, table.c.since, table.c.because).order_by(table.c.since)
    return [Row(*row) for row in tx.execute(query)]
