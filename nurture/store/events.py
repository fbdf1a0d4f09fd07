"""What happened: one log of reports and of our own moves, and the clicks that wait for a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, literal_column, select, text, update

from nurture.journey.events import Event, Kind
from nurture.journey.verdict import Elsewhere
from nurture.store import tables
from nurture.store.dialect import chunks, insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = tables.event
c = table.c


@dataclass(frozen=True, slots=True)
class Recorded:
    """Something to be written down. With a `key` it is a report from outside and is kept once."""

    kind: str
    at: datetime
    received_at: datetime
    key: str | None = None
    message: str = ""
    enrollment: int | None = None
    subscriber: int | None = None
    sequence: str = ""
    step: str = ""
    provider: str = ""
    url: str = ""
    answer: str | int | None = None
    human: bool | None = None
    reason: str = ""
    judged_at: datetime | None = None
    detail: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Row:
    """Something that was written down."""

    id: int
    kind: str
    at: datetime
    received_at: datetime
    message: str
    enrollment: int | None
    subscriber: int | None
    sequence: str
    step: str
    provider: str
    url: str
    answer: str | int | None
    human: bool | None
    reason: str
    judged_at: datetime | None
    detail: Mapping[str, str]


REPORTED = ("key", "message", "provider", "url", "ip", "answer", "human", "judged_at")
NOTE = table.insert().values(
    # part of the statement's text, since a bound value costs as much a row as one that differs
    {name: literal_column("NULL" if c[name].nullable else "''") for name in REPORTED}
)
"""What nobody reported: our own notes of decisions have none of these, and they are most of this table."""

COLUMNS = (
    c.id, c.kind, c.at, c.received_at, c.message, c.enrollment, c.subscriber, c.sequence, c.step, c.provider, c.url,
    c.answer, c.human, c.reason, c.judged_at, c.detail,
)  # fmt: skip


FROM = "event.kind = 'clicked' AND event.ip <> ''"


def _row(found: Sequence[Any]) -> Row:
    human = found[12]
    return Row(*(*found[:12], None if human is None else bool(human), *found[13:]))


def as_event(row: Row) -> Event:
    """A report as the value that verdicts are given on."""
    detail = row.detail
    return Event(
        Kind(row.kind),
        row.at,
        id=detail.get("id", ""),
        message=row.message,
        step=row.step,
        url=row.url,
        ip=detail.get("ip", ""),
        agent=detail.get("agent", ""),
        method=detail.get("method", ""),
        machine_hint=detail.get("hint", ""),
        human=row.human,
        judged_at=row.judged_at,
    )


def record(tx: Connection, rows: Sequence[Recorded]) -> list[str]:
    """Write these down; a key that is known is not written again. Returns the keys that are new."""
    if not rows:
        return []
    values = [
        {
            "key": row.key,
            "kind": row.kind,
            "at": row.at,
            "received_at": row.received_at,
            "message": row.message,
            "enrollment": row.enrollment,
            "subscriber": row.subscriber,
            "sequence": row.sequence,
            "step": row.step,
            "provider": row.provider,
            "url": row.url,
            "ip": row.detail.get("ip", "") if row.kind == Kind.CLICKED else "",
            "answer": row.answer,
            "human": None if row.human is None else int(row.human),
            "reason": row.reason,
            "judged_at": row.judged_at,
            "detail": dict(row.detail),
        }
        for row in rows
    ]
    reports = [row for row in values if row["key"] is not None]
    notes = [row for row in values if row["key"] is None]
    plain: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for row in notes:
        said = any(row[name] not in (None, "") for name in REPORTED)
        (others if said else plain).append(row)
    if plain:
        rest = [{name: value for name, value in row.items() if name not in REPORTED} for row in plain]
        tx.execute(NOTE, rest)
    if others:
        tx.execute(table.insert(), others)
    if not reports:
        return []
    adding = insert(tx, table).on_conflict_do_nothing(index_elements=["key"]).returning(c.key)
    return list(tx.execute(adding, reports).scalars())


def to_judge(tx: Connection, now: datetime, limit: int) -> list[Row]:
    """What has settled and waits to be judged, clicks and soft bounces, in the order it happened."""
    query = select(*COLUMNS).where(c.judged_at <= now).where(c.human.is_(None))
    query = query.order_by(c.judged_at, c.at, c.id).limit(limit)
    if tx.dialect.name == "postgresql":
        query = query.with_for_update(skip_locked=True)
    return [_row(row) for row in tx.execute(query)]


def peek(tx: Connection) -> datetime | None:
    """When the next click is to be judged: one look at an index."""
    query = select(c.judged_at).where(c.judged_at.is_not(None)).where(c.human.is_(None))
    return tx.execute(query.order_by(c.judged_at).limit(1)).scalar()


def of_messages(tx: Connection, messages: Sequence[str]) -> list[Row]:
    """All that was reported of these messages, in the order it happened."""
    found: list[Row] = []
    for some in chunks(messages):
        # the second condition is the index's own; SQLite does not infer it
        query = select(*COLUMNS).where(c.message.in_(some)).where(text("event.message <> ''"))
        found += [_row(row) for row in tx.execute(query.order_by(c.at, c.id))]
    return found


def clicks_from(tx: Connection, ips: Sequence[str], since: datetime, until: datetime, limit: int) -> list[Elsewhere]:
    """Clicks from these addresses, on whoever's mail: the latest `limit`, which show a flood as well as all of it."""
    whose = tables.subscriber.c
    found: list[Elsewhere] = []
    for some in chunks(ips):
        query = select(c.ip, c.detail, c.at, whose.email).join_from(table, tables.subscriber, c.subscriber == whose.id)
        # the last condition is the index's own
        query = query.where(c.ip.in_(some)).where(c.at.between(since, until)).where(text(FROM))
        query = query.order_by(c.at.desc()).limit(limit)
        found += [
            Elsewhere(ip, detail.get("agent", ""), at, (email or "").rpartition("@")[2])
            for ip, detail, at, email in tx.execute(query)
        ]
    return found


def judge(tx: Connection, verdicts: Sequence[tuple[int, bool, str]]) -> None:
    """Give clicks their verdict: (id, human, why)."""
    if verdicts:
        rows = [{"row": number, "human": int(human), "reason": why} for number, human, why in verdicts]
        tx.execute(update(table).where(c.id == bindparam("row")), rows)


def clicks(tx: Connection, after: int, since: datetime, limit: int) -> list[Row]:
    """Clicks that have a verdict, after one of them, in the order they were written down."""
    query = select(*COLUMNS).where(c.id > after).where(c.kind == Kind.CLICKED.value).where(c.judged_at.is_not(None))
    query = query.where(c.human.is_not(None)).where(c.at >= since).order_by(c.id).limit(limit)
    return [_row(row) for row in tx.execute(query)]


def verdicts(tx: Connection) -> dict[bool, int]:
    """How many clicks on asks people made (True), and how many machines did (False)."""
    query = select(c.human, func.count()).where(c.kind == Kind.CLICKED.value).where(c.human.is_not(None))
    return {bool(human): number for human, number in tx.execute(query.group_by(c.human))}


def reports_of(tx: Connection, subscriber: int) -> list[Row]:
    """All that was reported from outside of one person's mail."""
    query = select(*COLUMNS).where(c.subscriber == subscriber).where(c.key.is_not(None)).order_by(c.at, c.id)
    return [_row(row) for row in tx.execute(query)]


def of_subscriber(tx: Connection, subscriber: int, limit: int) -> list[Row]:
    """One person's story: the latest `limit` entries, in the order they happened."""
    query = select(*COLUMNS).where(c.subscriber == subscriber).order_by(c.id.desc()).limit(limit)
    return sorted((_row(row) for row in tx.execute(query)), key=lambda row: (row.at, row.id))


def bought_between(tx: Connection, subscriber: int, product: str, start: datetime, end: datetime) -> bool:
    """Whether it is on record that a person bought this product then."""
    query = select(c.id).where(c.subscriber == subscriber, c.kind == "bought", c.reason == product)
    return tx.execute(query.where(c.at.between(start, end)).limit(1)).first() is not None


def latest(tx: Connection, after: int, limit: int) -> list[Row]:
    """The log after an entry, for pages that follow it live."""
    query = select(*COLUMNS).where(c.id > after).order_by(c.id.desc()).limit(limit)
    return sorted((_row(row) for row in tx.execute(query)), key=lambda row: row.id)


def tally(tx: Connection, kind: str) -> Mapping[str, Mapping[str, int]]:
    """How many entries of one kind there are, by sequence and step."""
    query = select(c.sequence, c.step, func.count()).where(c.kind == kind).group_by(c.sequence, c.step)
    found: dict[str, dict[str, int]] = {}
    for sequence, step, count in tx.execute(query):
        found.setdefault(sequence, {})[step] = count
    return found
