"""Counts of what leaves no row of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from nurture.store import tables
from nurture.store.dialect import insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = tables.tally


def count_up(tx: Connection, name: str, number: int) -> None:
    """It happened so many times more."""
    adding = insert(tx, table).values(name=name, number=number)
    tx.execute(adding.on_conflict_do_update(index_elements=["name"], set_={"number": table.c.number + number}))


def every(tx: Connection, beginning: str) -> dict[str, int]:
    """The counts whose name begins so, by the rest of it."""
    query = select(table.c.name, table.c.number).where(table.c.name.startswith(beginning, autoescape=True))
    return {name.removeprefix(beginning): number for name, number in tx.execute(query.order_by(table.c.name))}
