"""Which processes are at work: each says so every few seconds. For whoever operates them; no decision hangs on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from nurture.store import tables
from nurture.store.dialect import insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = tables.worker
c = table.c


@dataclass(frozen=True, slots=True)
class Worker:
    """A process. `runs` are its parts: web, clock, worker."""

    id: str
    host: str
    process: int
    version: str
    runs: tuple[str, ...]
    started_at: datetime
    seen_at: datetime


def seen(tx: Connection, one: Worker) -> None:
    """Put a process on record as at work now."""
    row = {
        "id": one.id, "host": one.host, "process": one.process, "version": one.version, "runs": list(one.runs),
        "clock": int("clock" in one.runs), "started_at": one.started_at, "seen_at": one.seen_at,
    }  # fmt: skip
    adding = insert(tx, table)
    tx.execute(adding.on_conflict_do_update(index_elements=["id"], set_={"seen_at": adding.excluded.seen_at}), [row])


def left(tx: Connection, number: str) -> None:
    """Take a process that stopped in order off the record."""
    tx.execute(delete(table).where(c.id == number))


def forget(tx: Connection, before: datetime) -> None:
    """Processes that were not seen since are no news any more."""
    tx.execute(delete(table).where(c.seen_at < before))


def listing(tx: Connection) -> list[Worker]:
    query = select(c.id, c.host, c.process, c.version, c.runs, c.started_at, c.seen_at).order_by(c.host, c.started_at)
    return [Worker(*row[:4], tuple(row.runs), *row[5:]) for row in tx.execute(query)]


def clock_seen(tx: Connection) -> tuple[int, datetime | None]:
    """How many processes are known, and when one with a clock was seen last."""
    count, last = tx.execute(select(func.count(), func.max(c.seen_at).filter(c.clock == 1)).select_from(table)).one()
    return int(count), last
