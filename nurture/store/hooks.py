"""Reports from outside, raw: kept once, applied later, quarantined when they cannot be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text, update

from nurture.store import tables
from nurture.store.dialect import chunks, insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = tables.hook
c = table.c
WAITING, APPLIED, QUARANTINED = "waiting", "applied", "quarantined"
ITEM = "x-nurture-item"
"""The header of a row that holds one report of a larger hook."""

EMPTY_LATER = "x-nurture-erased"
"""The header of a row that names someone who was erased before it was read."""

TO_APPLY = text("hook.state = 'waiting'")
"""As it stands in the index, so that both databases use it."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A verified report, as it came. `once` names what makes another one the same; "": the same bytes."""

    provider: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    once: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A kept report."""

    id: int
    provider: str
    received_at: datetime
    headers: Mapping[str, str]
    body: bytes
    state: str
    error: str


COLUMNS = (c.id, c.provider, c.received_at, c.headers, c.body, c.state, c.error)


def keep(tx: Connection, arrived: Sequence[Arrived]) -> int:
    """Keep these; the same one from the same provider is kept once. Returns how many are new."""
    return len(_add(tx, [(one, WAITING, "") for one in arrived]))


def quarantine(tx: Connection, number: int, error: str, item: str) -> None:
    """Put aside what could not be read: the whole report, or one item of it as a row of its own."""
    if not item:
        tx.execute(update(table).where(c.id == number).values(state=QUARANTINED, error=error))
        return
    row = tx.execute(select(*COLUMNS).where(c.id == number)).one()
    headers = {**row.headers, ITEM: str(number)}
    _add(tx, [(Arrived(row.provider, headers, item.encode(), row.received_at), QUARANTINED, error)])


def _add(tx: Connection, rows: Sequence[tuple[Arrived, str, str]]) -> list[Any]:
    values = [
        {
            "provider": one.provider,
            "digest": blake2b(one.once.encode() or one.body, digest_size=20, key=one.provider.encode()[:64]).digest(),
            "received_at": one.received_at,
            "headers": dict(one.headers),
            "body": one.body,
            "state": state,
            "error": error,
        }
        for one, state, error in rows
    ]
    adding = insert(tx, table).on_conflict_do_nothing(index_elements=["digest"]).returning(c.id)
    return list(tx.execute(adding, values).scalars()) if values else []


def any_waiting(tx: Connection) -> bool:
    return tx.execute(select(c.id).where(TO_APPLY).order_by(c.id).limit(1)).first() is not None


def waiting(tx: Connection, limit: int) -> list[Row]:
    """Reports that nothing was made of yet, in the order they came."""
    query = select(*COLUMNS).where(TO_APPLY).order_by(c.id).limit(limit)
    if tx.dialect.name == "postgresql":
        query = query.with_for_update(skip_locked=True)
    return [Row(*row) for row in tx.execute(query)]


def one_at_a_time(tx: Connection) -> None:
    """No other worker passes here until this transaction ends: two reports of one purchase must see each other."""
    if tx.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock(726584)"))


def applied(tx: Connection, ids: Sequence[int]) -> None:
    """These have had their effect; what was quarantined stays so."""
    for some in chunks(ids):
        tx.execute(update(table).where(c.id.in_(some)).where(c.state == WAITING).values(state=APPLIED))


def empty(tx: Connection, ids: Sequence[int]) -> None:
    """Nothing stays of what these said; that they came is known, so that a repeat is one."""
    for some in chunks(ids):
        tx.execute(update(table).where(c.id.in_(some)).values(body=b"", headers={}, error="", state=APPLIED))


def empty_later(tx: Connection, ids: Sequence[int]) -> None:
    """These are emptied once they were read: there may be reports on others in them."""
    for some in chunks(ids):
        for number, headers in tx.execute(select(c.id, c.headers).where(c.id.in_(some))).all():
            tx.execute(update(table).where(c.id == number).values(headers={**headers, EMPTY_LATER: "1"}))


def replay(tx: Connection, number: int) -> bool:
    """Let a kept report have its effect again; repeats are known and change nothing."""
    changed = tx.execute(update(table).where(c.id == number).values(state=WAITING, error=""))
    return bool(changed.rowcount)


def replay_failed(tx: Connection) -> int:
    """Let everything that could not be read be read again. Returns how many reports that is."""
    return tx.execute(update(table).where(c.state == QUARANTINED).values(state=WAITING, error="")).rowcount


def listing(tx: Connection, *, failed: bool, limit: int | None = None) -> list[Row]:
    """Kept reports, newest first, all without a limit; only those that could not be read when `failed`."""
    query = select(*COLUMNS)
    query = query.where(c.state == QUARANTINED) if failed else query
    return [Row(*row) for row in tx.execute(query.order_by(c.id.desc()).limit(limit))]


def oldest(tx: Connection) -> datetime | None:
    """When the report came that waits longest."""
    return tx.execute(select(c.received_at).where(TO_APPLY).order_by(c.id).limit(1)).scalar()


def count_failed(tx: Connection) -> int:
    """How many reports were put aside."""
    return int(tx.execute(select(func.count()).where(c.state == QUARANTINED)).scalar_one())


def count(tx: Connection) -> int:
    return int(tx.execute(select(func.count()).select_from(table)).scalar_one())


def states(tx: Connection) -> dict[str, dict[str, int]]:
    """How many kept reports are in which state, by provider."""
    query = select(c.provider, c.state, func.count()).group_by(c.provider, c.state).order_by(c.provider, c.state)
    found: dict[str, dict[str, int]] = {}
    for provider, state, number in tx.execute(query):
        found.setdefault(provider, {})[state] = number
    return found
