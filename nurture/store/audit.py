"""The audit log: who did what, when and why. Only added to, and chained, so that a change behind our back shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text, update

from nurture.store import access_tables
from nurture.store.dialect import chunks
from nurture.store.tables import to_micros

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = access_tables.audit
c = table.c
ERASED = {"erased": True}
"""All that an entry says whose words an erasure took out; its digest stays, and the chain with it."""

LOCK = 726585
"""PostgreSQL's advisory lock for the end of the chain."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done. `target` names no person by address: an erasure could not reach it here."""

    at: datetime
    who: str
    action: str
    target: str = ""
    reason: str = ""
    detail: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    id: int = 0


def record(tx: Connection, entry: Entry) -> None:
    """Add to the log, in the transaction of what was done."""
    if tx.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    last = tx.execute(select(c.digest).order_by(c.id.desc()).limit(1)).scalar() or ""
    tx.execute(
        table.insert(),
        {
            "at": entry.at, "who": entry.who, "action": entry.action, "target": entry.target, "reason": entry.reason,
            "detail": dict(entry.detail), "digest": _digest(last, entry),
        },
    )  # fmt: skip


def _digest(before: str, entry: Entry) -> str:
    said = [to_micros(entry.at), entry.who, entry.action, entry.target, entry.reason, dict(entry.detail)]
    return sha256(f"{before}\n{json.dumps(said, sort_keys=True)}".encode()).hexdigest()


def erase(tx: Connection, about: Sequence[str], beginning: str) -> int:
    """Take the words out of the entries on these targets, and on those that begin so; returns how many that was.

    The database lets nothing else be changed here.
    """
    number = 0
    for some in (*chunks(about), ()):
        whose = c.target.in_(some) if some else c.target.startswith(beginning, autoescape=True)
        number += tx.execute(update(table).where(whose).values(reason="", detail=ERASED)).rowcount
    return number


def listing(tx: Connection, limit: int, before: int | None = None) -> list[Entry]:
    """The latest entries, newest first; those before an entry when one is named."""
    query = select(c.at, c.who, c.action, c.target, c.reason, c.detail, c.id).order_by(c.id.desc()).limit(limit)
    query = query if before is None else query.where(c.id < before)
    return [Entry(*row) for row in tx.execute(query)]


def first_broken(tx: Connection) -> int | None:
    """The first entry that is not as it was written, or does not follow the one before; None when all are sound."""
    last = ""
    rows: Any = tx.execute(select(c.at, c.who, c.action, c.target, c.reason, c.detail, c.id, c.digest).order_by(c.id))
    for *said, digest in rows:
        entry = Entry(*said)
        if not entry.reason and entry.detail == ERASED:
            last = digest
            continue
        last = _digest(last, entry)
        if digest != last:
            return entry.id
    return None
