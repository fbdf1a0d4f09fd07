"""A person's daily budget of mails, which the database enforces: a row for each, numbered below the budget.

Whatever an engine believes, the key (day, person, number) and the check on the number let no further mail begin.
Rows hold numbers only, and are gone two days after.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, select

from nurture.store import fuse_tables
from nurture.store.dialect import among, chunks, insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = fuse_tables.allowance
c = table.c
USED = select(c.subscriber, c.slot, c.message).where(c.day == bindparam("day")).where(c.subscriber.in_(among("people")))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mail that is to begin on this day of its person, like 2026-06-01."""

    message: str
    subscriber: int
    day: str


def take(tx: Connection, wanted: Sequence[Wanted], budget: int) -> set[str]:
    """The messages that are within their person's budget. One that is tried again on a day is counted once."""
    used: dict[tuple[str, int], set[int]] = defaultdict(set)
    within: set[str] = set()
    asked = {one.message for one in wanted}
    for day in {one.day for one in wanted}:
        people = sorted({one.subscriber for one in wanted if one.day == day})
        for some in chunks(people):
            for subscriber, slot, message in tx.execute(USED, {"day": day, "people": some}):
                used[day, subscriber].add(slot)
                within |= {message} & asked
    rows = []
    for one in wanted:
        taken = used[one.day, one.subscriber]
        slot = next((number for number in range(budget) if number not in taken), None)
        if one.message in within or slot is None:
            continue
        taken.add(slot)
        rows.append(
            {"day": one.day, "subscriber": one.subscriber, "slot": slot, "budget": budget, "message": one.message}
        )
    if rows:
        adding = insert(tx, table).on_conflict_do_nothing(index_elements=["day", "subscriber", "slot"])
        within |= set(tx.execute(adding.returning(c.message), rows).scalars())
    return within


def forget(tx: Connection, before: str) -> None:
    """Days that are over for everybody need no counting."""
    tx.execute(delete(table).where(c.day < before))
