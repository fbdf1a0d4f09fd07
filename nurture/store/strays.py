"""Reports on mail that is not known, by the provider's id alone: kept for a time, since ours may become known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, select, update

from nurture.store import tables
from nurture.store.dialect import chunks, insert, locked

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = tables.stray
c = table.c
LOOKS = (
    timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6), timedelta(days=1),
    timedelta(days=3), timedelta(days=7),
)  # fmt: skip
"""When to look again, from when the report came. Few looks, since most strays are other people's mail."""


@dataclass(frozen=True, slots=True)
class Stray:
    """A report, as plain data, of a mail that was not known when it came."""

    digest: bytes
    provider: str
    received_at: datetime
    looks: int
    event: Mapping[str, Any]


def keep(tx: Connection, provider: str, happened: Sequence[Mapping[str, Any]], now: datetime) -> int:
    """Keep these reports of a provider, each once. Returns how many are new."""
    values = [
        {
            "digest": blake2b(json.dumps([provider, event], sort_keys=True).encode(), digest_size=20).digest(),
            "provider": provider, "received_at": now, "look_at": now + LOOKS[0], "looks": 0, "event": dict(event),
        }
        for event in happened
    ]  # fmt: skip
    adding = insert(tx, table).on_conflict_do_nothing(index_elements=["digest"]).returning(c.digest)
    return len(list(tx.execute(adding, values).scalars())) if values else 0


def any_due(tx: Connection, now: datetime) -> bool:
    return tx.execute(select(c.digest).where(c.look_at <= now).limit(1)).first() is not None


def due(tx: Connection, now: datetime, limit: int) -> list[Stray]:
    """Reports whose mail is to be looked for again."""
    query = select(c.digest, c.provider, c.received_at, c.looks, c.event).where(c.look_at <= now)
    query = locked(tx, query.order_by(c.look_at).limit(limit), of=[table], skip=True)
    return [Stray(bytes(row[0]), *row[1:]) for row in tx.execute(query)]


def forget(tx: Connection, strays: Sequence[Stray]) -> None:
    """Their mail was found, or their time is over."""
    for some in chunks([stray.digest for stray in strays]):
        tx.execute(delete(table).where(c.digest.in_(some)))


def look_later(tx: Connection, strays: Sequence[Stray]) -> None:
    """Their mail is still not known; the next look is later than the last."""
    rows = [
        {"which": one.digest, "number": one.looks + 1, "later": one.received_at + LOOKS[one.looks + 1]}
        for one in strays
    ]
    if rows:
        changing = update(table).where(c.digest == bindparam("which"))
        tx.execute(changing.values(looks=bindparam("number"), look_at=bindparam("later", type_=c.look_at.type)), rows)


def count(tx: Connection) -> dict[str, int]:
    """How many wait, by provider."""
    query = select(c.provider, func.count()).group_by(c.provider).order_by(c.provider)
    return {str(row[0]): int(row[1]) for row in tx.execute(query)}
