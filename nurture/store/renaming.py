"""Giving the steps of a sequence other names, wherever a row names one: its mails, its offers, and the log of what happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sqlalchemy import update

from nurture.store import offer_tables, tables

if TYPE_CHECKING:
    from sqlalchemy import Connection

ON_THE_WAY = "~"
"""Before the name of a step that swaps names with another; no step can be called so."""


def rename(tx: Connection, sequence: str, names: Mapping[str, str]) -> None:
    """Old name to new. A mail keeps who it is, so it still is the one that its person got for this step.

    The database sees UNIQUE (enrollment, step) row by row, so a name is free before it is given again.
    """
    for old, new in _in_order(names):
        for table in (tables.message, tables.event, offer_tables.offer):
            changing = update(table).where(table.c.sequence == sequence).where(table.c.step == old)
            tx.execute(changing.values(step=new))


def _in_order(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    left = {old: new for old, new in names.items() if old != new}
    while left:
        free = next((old for old, new in left.items() if new not in left), None)
        if free is not None:
            yield free, left.pop(free)
            continue
        old = next(iter(left))  # a ring of names
        yield old, ON_THE_WAY + old
        left[ON_THE_WAY + old] = left.pop(old)
