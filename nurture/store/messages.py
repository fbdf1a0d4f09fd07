"""Messages: planned, cancelled, and looked at. How one leaves is in `attempts`, what is known of it in `evidence`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, literal_column, or_, select, text, update

from nurture.journey.ledger import State
from nurture.store import pauses, tables
from nurture.store.dialect import among, chunks, insert, locked_once
from nurture.store.tables import SHARDS

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = tables.message
c = table.c
PLANNED, CLAIMED, SENDING, UNKNOWN = (
    state.value for state in (State.PLANNED, State.CLAIMED, State.SENDING, State.UNKNOWN)
)


# Written into the statement, word for word as in the index: SQLite uses a partial index only where the question's own
# text implies its condition, which a bound value does not (sqlite.org/partialindex.html, section 3).
LEAVING = text("message.state IN ('planned', 'claimed')")
UNSETTLED = text("message.state IN ('sending', 'unknown')")


# Part of the statement's text, since a bound value costs as much a row as one that differs.
UNTRIED: Mapping[str, Any] = MappingProxyType(
    {
        "state": literal_column("'planned'"),
        **dict.fromkeys(("token", "attempt", "uncertain"), literal_column("0")),
        **dict.fromkeys(("owner", "provider", "provider_id", "key", "subject", "target"), literal_column("''")),
    }
)
"""What a message that was only planned has."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A mail to be sent. `id` is opaque and ours; `because` says why it is sent; `offer` is the one it makes."""

    id: str
    enrollment: int
    subscriber: int
    sequence: str
    step: str
    due_at: datetime
    because: str = ""
    offer: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A message as it stands. `looks` is how often the provider was searched for it, `absent` how often in vain."""

    id: str
    enrollment: int
    subscriber: int
    sequence: str
    step: str
    state: State
    due_at: datetime | None
    attempt: int
    uncertain: bool
    first_attempt_at: datetime | None
    started_at: datetime | None
    sent_at: datetime | None
    provider: str
    provider_id: str
    subject: str
    target: str
    reason: str
    key: str
    looks: int = 0
    absent: int = 0
    looked_at: datetime | None = None


COLUMNS = (
    c.id, c.enrollment, c.subscriber, c.sequence, c.step, c.state, c.due_at, c.attempt, c.uncertain,
    c.first_attempt_at, c.started_at, c.sent_at, c.provider, c.provider_id, c.subject, c.target, c.reason,
    c.key, c.looks, c.absent, c.looked_at,
)  # fmt: skip

BY_ID = select(*COLUMNS).where(c.id.in_(among("ids"))).order_by(c.id)
NEXT_DUE = select(c.due_at).where(LEAVING).where(c.due_at.is_not(None)).order_by(c.due_at, c.id).limit(1)
LOCK_PLACES = (
    select(tables.enrollment.c.id)
    .join(table, c.enrollment == tables.enrollment.c.id)
    .where(c.id.in_(among("ids")))
    .order_by(tables.enrollment.c.id)
    .with_for_update(of=tables.enrollment)
)


def as_row(found: Sequence[Any]) -> Row:
    number, enrollment, subscriber, sequence, step, state, due_at, attempt, uncertain, *rest = found
    return Row(number, enrollment, subscriber, sequence, step, State(state), due_at, attempt, bool(uncertain), *rest)


# --- planned and cancelled


def plan(tx: Connection, plans: Sequence[Plan], now: datetime) -> dict[str, int]:
    """Plan these mails; a step that this pass was mailed already is left out. Returns what is new, and whose it is.

    What was cancelled before any attempt is planned again: an edit may lead a person to a step they had passed by.
    """
    rows = [
        {
            "id": one.id,
            "enrollment": one.enrollment,
            "subscriber": one.subscriber,
            "shard": one.subscriber % SHARDS,
            "sequence": one.sequence,
            "step": one.step,
            "planned_at": now,
            "due_at": one.due_at,
            "reason": one.because,
            "offer": one.offer,
        }
        for one in plans
    ]
    if not rows:
        return {}
    adding = insert(tx, table).values(dict(UNTRIED))
    fresh = {name: adding.excluded[name] for name in ("state", "planned_at", "due_at", "reason", "offer")}
    never_tried = and_(c.state == State.CANCELLED.value, c.attempt == 0)
    adding = adding.on_conflict_do_update(index_elements=["enrollment", "step"], set_=fresh, where=never_tried)
    return {row.id: row.enrollment for row in tx.execute(adding.returning(c.id, c.enrollment), rows)}


def cancel(tx: Connection, keep: Mapping[int, str], reason: str) -> None:
    """Of these enrollments, cancel what is planned and has not left, but for the step named.

    Not an attempt of which nobody knows: only evidence or policy ends that.
    """
    # whoever moves on mostly has nothing planned, so one look at many costs less than a change for each
    planned = and_(or_(c.state == PLANNED, c.state == CLAIMED), c.uncertain == 0)
    gone: list[str] = []
    for some in chunks(list(keep)):
        query = select(c.id, c.enrollment, c.step).where(planned).where(c.enrollment.in_(some))
        gone += [row.id for row in tx.execute(query) if row.step != keep[row.enrollment]]
    for some_ids in chunks(gone):
        changing = update(table).where(c.id.in_(some_ids)).where(planned)
        tx.execute(changing.values(state=State.CANCELLED.value, due_at=None, reason=reason))


def put_off(tx: Connection, subscriber: int, until: datetime, reason: str, *, where: str = "") -> None:
    """What is planned for this person and was never tried leaves then; whoever holds a claim on it loses that.

    Only what waits for a reason with the words `where`, when they are given.
    """
    planned = and_(c.subscriber == subscriber, or_(c.state == PLANNED, c.state == CLAIMED), c.uncertain == 0)
    planned = and_(planned, c.reason.contains(where, autoescape=True)) if where else planned
    values = {"state": PLANNED, "token": c.token + 1, "due_at": until, "reason": reason}
    tx.execute(update(table).where(planned).values(values))


def hasten(tx: Connection, words: Collection[str], now: datetime) -> None:
    """What is planned for later for a reason that begins with some of these words is due now."""
    for_these = or_(*(c.reason.startswith(some, autoescape=True) for some in words))
    waiting = and_(c.state == PLANNED, c.due_at > now, for_these)
    tx.execute(update(table).where(LEAVING).where(waiting).values(due_at=now))


def in_flight(tx: Connection, sequence: str, steps: Collection[str]) -> set[int]:
    """Enrollments whose mail of one of these steps has been handed over, or may have been."""
    query = select(c.enrollment).where(c.sequence == sequence).where(c.step.in_(list(steps)))
    handed_over = or_(c.state == SENDING, c.state == UNKNOWN, and_(c.state.in_([PLANNED, CLAIMED]), c.uncertain == 1))
    return set(tx.execute(query.where(handed_over)).scalars())


def used(tx: Connection, sequence: str, steps: Collection[str]) -> set[str]:
    """Which of these names a mail of this sequence ever had."""
    query = select(c.step).where(c.sequence == sequence).where(c.step.in_(list(steps))).distinct()
    return set(tx.execute(query).scalars())


# --- looking


def by_ids(tx: Connection, ids: Sequence[str], *, lock: bool = False) -> dict[str, Row]:
    """Messages by our id."""
    query = locked_once(tx, BY_ID, table, skip=False) if lock else BY_ID
    return {row[0]: as_row(row) for some in chunks(ids) for row in tx.execute(query, {"ids": some})}


def by_provider_ids(tx: Connection, provider: str, ids: Sequence[str]) -> dict[str, Row]:
    """Messages by the provider's id of them."""
    found = {}
    for some in chunks(ids):
        query = select(*COLUMNS).where(c.provider_id.in_(some)).where(c.provider == provider)
        for row in tx.execute(query):
            message = as_row(row)
            found[message.provider_id] = message
    return found


def of_subscriber(tx: Connection, subscriber: int) -> list[Row]:
    """One person's mail, oldest first."""
    return [as_row(row) for row in tx.execute(select(*COLUMNS).where(c.subscriber == subscriber).order_by(c.id))]


def listing(tx: Connection, state: State | None, limit: int | None = None) -> list[tuple[Row, str]]:
    """Messages in one state (any when None) with the address they go to, newest first; all without a limit."""
    email = tables.subscriber.c.email
    query = select(*COLUMNS, email).join(tables.subscriber, tables.subscriber.c.id == c.subscriber)
    query = query if state is None else query.where(c.state == state.value)
    return [(as_row(row[:-1]), row[-1]) for row in tx.execute(query.order_by(c.id.desc()).limit(limit))]


def payload(tx: Connection, number: str) -> bytes | None:
    """The frozen bytes of a message; None when it was never written."""
    frozen = tables.payload.c.frozen
    return tx.execute(select(frozen).where(tables.payload.c.message == number)).scalar()


def outlived(tx: Connection, before: str, left: datetime, limit: int) -> list[str]:
    """Settled mails with ids before this one that left before that moment, if at all, and still have their words.

    A range of an index, the oldest first: words that are gone are not walked again.
    """
    words = tables.payload.c.message
    settled = c.state.not_in([PLANNED, CLAIMED, SENDING, UNKNOWN])
    query = select(words).join(table, c.id == words).where(words < before, settled)
    query = query.where(or_(c.sent_at.is_(None), c.sent_at < left))
    return list(tx.execute(query.order_by(words).limit(limit)).scalars())


def drop_words(tx: Connection, numbers: Sequence[str]) -> None:
    """Delete what these mails said."""
    for some in chunks(numbers):
        tx.execute(delete(tables.payload).where(tables.payload.c.message.in_(some)))


def next_due(tx: Connection) -> datetime | None:
    """When the next message is to leave that nothing holds: a look at an index. What is held is not late."""
    held = pauses.paused(tx)
    if pauses.EVERYTHING & set(held):
        return None
    query = NEXT_DUE.where(c.sequence.not_in(list(held))) if held else NEXT_DUE
    return tx.execute(query).scalar()


def states(tx: Connection) -> dict[State, int]:
    """How many messages are in each state."""
    return {State(state): count for state, count in tx.execute(select(c.state, func.count()).group_by(c.state))}


def asked(tx: Connection) -> dict[str, dict[str, int]]:
    """How many mails have left, by sequence and step."""
    query = select(c.sequence, c.step, func.count()).where(c.sent_at.is_not(None)).group_by(c.sequence, c.step)
    found: dict[str, dict[str, int]] = {}
    for sequence, step, count in tx.execute(query):
        found.setdefault(sequence, {})[step] = count
    return found


def lock_places(tx: Connection, ids: Sequence[str]) -> None:
    """Lock the enrollments of these messages before the messages, as every decision does: one order, no deadlock."""
    if tx.dialect.name == "sqlite":
        return
    for some in chunks(ids):
        tx.execute(LOCK_PLACES, {"ids": some}).all()
