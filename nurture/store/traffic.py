"""How many attempts began through each provider, by the hour: for the daily cap, the warm-up and the rate fuse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update

from nurture.store import fuse_tables
from nurture.store.dialect import insert, locked

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = fuse_tables.traffic
c = table.c
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Today:
    """The first day (UTC) on which a provider was used, and what began today. `hour` is what the fuse counts."""

    first: datetime
    begun: int
    hour: int


def count(tx: Connection, provider: str, number: int, now: datetime) -> None:
    """So many more began. The last thing in a transaction: others wait for this row until it ends."""
    if not number:
        return
    hour = now.replace(minute=0, second=0, microsecond=0)
    adding = insert(tx, table)
    more = {"begun": c.begun + adding.excluded.begun}
    adding = adding.on_conflict_do_update(index_elements=["provider", "hour"], set_=more)
    tx.execute(adding, [{"provider": provider, "hour": hour, "begun": number, "forgiven": 0}])


def today(tx: Connection, provider: str, now: datetime, *, lock: bool = False) -> Today:
    """What is known of a provider's traffic. With `lock` nobody else begins anything before this transaction ends."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = tx.execute(select(func.min(c.hour)).where(c.provider == provider)).scalar()
    if lock:
        hour = now.replace(minute=0, second=0, microsecond=0)
        start = insert(tx, table).on_conflict_do_nothing(index_elements=["provider", "hour"])
        tx.execute(start, [{"provider": provider, "hour": hour, "begun": 0, "forgiven": 0}])
    mine = c.provider == provider
    query = select(c.hour, c.begun, c.forgiven).where(mine).where(c.hour >= midnight).where(c.hour < midnight + DAY)
    rows = tx.execute(locked(tx, query, of=[table], skip=False) if lock else query).all()
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    return Today(
        (first or now).replace(hour=0, minute=0, second=0, microsecond=0),
        sum(begun for _, begun, _ in rows),
        sum(begun - forgiven for hour, begun, forgiven in rows if hour == this_hour),
    )


def forgive(tx: Connection, provider: str, now: datetime) -> None:
    """The fuse has blown and someone will look: what began in this hour does not blow it once more."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    tx.execute(update(table).where(c.provider == provider).where(c.hour == this_hour).values(forgiven=c.begun))
