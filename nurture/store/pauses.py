"""Sequences whose mail is held by an operator; the name "" holds all mail."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from nurture.store import tables
from nurture.store.dialect import insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = tables.pause


def pause(tx: Connection, name: str, because: str, now: datetime) -> None:
    row = {"name": name, "since": now, "because": because}
    tx.execute(insert(tx, table).on_conflict_do_nothing(index_elements=["name"]), [row])


def resume(tx: Connection, name: str) -> bool:
    """Let mail go again; False when it was not held."""
    return bool(tx.execute(delete(table).where(table.c.name == name)).rowcount)


def paused(tx: Connection) -> Collection[str]:
    return frozenset(tx.execute(select(table.c.name)).scalars())
