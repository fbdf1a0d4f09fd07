"""The ledger of messages: what is planned, claimed, on its way, gone, or unknown.

Each change is a compare-and-set on state and token, so a worker that lost its claim changes nothing backwards. A row
found in `sending` is never taken over: it becomes unknown and is settled by evidence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, func, literal, or_, select, update

from nurture.journey.enrollment import Enrollment, Subscriber
from nurture.journey.ledger import LEFT, RANK, State
from nurture.store import enrollments, people, tables
from nurture.store.dialect import chunks, insert, locked
from nurture.store.tables import SHARDS

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = tables.message
c = table.c
PLANNED, CLAIMED, SENDING, UNKNOWN = (
    state.value for state in (State.PLANNED, State.CLAIMED, State.SENDING, State.UNKNOWN)
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A mail to be sent. `id` is opaque and ours; `because` says why it is sent."""

    id: str
    enrollment: int
    subscriber: int
    sequence: str
    step: str
    due_at: datetime
    because: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A message as it stands."""

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


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is ours until the lease is over, with all that is needed to write it."""

    id: str
    token: int
    attempt: int
    sequence: str
    step: str
    target: str
    frozen: bytes | None
    enrollment: Enrollment
    subscriber: Subscriber


@dataclass(frozen=True, slots=True)
class Begin:
    """A claimed message about to be handed over. `frozen` is None when it was frozen by an earlier attempt."""

    id: str
    token: int
    frozen: bytes | None
    provider: str
    key: str
    subject: str
    target: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to; `due_at` is the next attempt when it is planned again."""

    id: str
    token: int
    state: State
    at: datetime
    provider_id: str = ""
    reason: str = ""
    due_at: datetime | None = None


COLUMNS = (
    c.id, c.enrollment, c.subscriber, c.sequence, c.step, c.state, c.due_at, c.attempt, c.uncertain,
    c.first_attempt_at, c.started_at, c.sent_at, c.provider, c.provider_id, c.subject, c.target, c.reason,
)  # fmt: skip


def _row(found: Sequence[Any]) -> Row:
    number, enrollment, subscriber, sequence, step, state, due_at, attempt, uncertain, *rest = found
    return Row(number, enrollment, subscriber, sequence, step, State(state), due_at, attempt, bool(uncertain), *rest)


# --- planned and cancelled


def plan(tx: Connection, plans: Sequence[Plan], now: datetime) -> list[str]:
    """Plan these mails; a step that this pass was mailed already is left out. Returns what is new."""
    rows = [
        {
            "id": one.id,
            "enrollment": one.enrollment,
            "subscriber": one.subscriber,
            "shard": one.subscriber % SHARDS,
            "sequence": one.sequence,
            "step": one.step,
            "state": PLANNED,
            "planned_at": now,
            "due_at": one.due_at,
            "owner": "",
            "token": 0,
            "attempt": 0,
            "uncertain": 0,
            "provider": "",
            "provider_id": "",
            "key": "",
            "subject": "",
            "target": "",
            "reason": one.because,
        }
        for one in plans
    ]
    if not rows:
        return []
    adding = insert(tx, table).on_conflict_do_nothing(index_elements=["enrollment", "step"]).returning(c.id)
    return list(tx.execute(adding, rows).scalars())


def cancel(tx: Connection, keep: Mapping[int, str], reason: str) -> None:
    """Of these enrollments, cancel what is planned and has not left, but for the step named.

    Not an attempt of which nobody knows: only evidence or policy ends that.
    """
    changing = (
        update(table)
        .where(c.enrollment == bindparam("place"))
        .where(c.step != bindparam("keeping"))
        .where(or_(c.state == PLANNED, c.state == CLAIMED))  # IN expands, which many sets at once do not allow
        .where(c.uncertain == 0)
        .values(state=State.CANCELLED.value, due_at=None, reason=reason)
    )
    tx.execute(changing, [{"place": place, "keeping": step} for place, step in keep.items()])


# --- on their way


def claim(
    tx: Connection, now: datetime, *, lease: timedelta, owner: str, limit: int, paused: Collection[str]
) -> list[Claimed]:
    """Take messages that are due, or whose claim has run out. Nobody else gets them while the lease lives."""
    query = select(c.id).where(c.state.in_((PLANNED, CLAIMED))).where(c.due_at <= now)
    if paused:
        query = query.where(c.sequence.not_in(list(paused)))
    ids = list(tx.execute(locked(tx, query.order_by(c.due_at, c.id).limit(limit), of=[table], skip=True)).scalars())
    if not ids:
        return []
    claimed: list[Claimed] = []
    for some in chunks(ids):
        # a claimed row comes back by itself when its lease is over: that is when it is due again
        values = {
            "state": CLAIMED,
            "token": c.token + 1,
            "owner": owner,
            "lease_until": now + lease,
            "due_at": now + lease,
        }
        tx.execute(update(table).where(c.id.in_(some)).values(values))
        claimed += _claimed(tx, some)
    order = {number: place for place, number in enumerate(ids)}
    return sorted(claimed, key=lambda one: order[one.id])


def _claimed(tx: Connection, ids: Sequence[str]) -> list[Claimed]:
    place, person = tables.enrollment, tables.subscriber
    own = (c.id, c.token, c.attempt, c.sequence, c.step, c.target, tables.payload.c.frozen)
    query = (
        select(*own, *enrollments.COLUMNS, *people.COLUMNS)
        .join(place, place.c.id == c.enrollment)
        .join(person, person.c.id == c.subscriber)
        .outerjoin(tables.payload, tables.payload.c.message == c.id)
        .where(c.id.in_(ids))
    )
    middle = len(own) + enrollments.WIDTH
    return [
        Claimed(
            *row[:7],
            enrollments.as_enrollment(row[len(own) : middle]),
            people.as_subscriber(row[middle:]),
        )
        for row in tx.execute(query)
    ]


def begin(tx: Connection, begins: Sequence[Begin], now: datetime, deadline: datetime) -> set[str]:
    """Put these on record as `sending`, their bytes frozen; returns those that may be handed over now.

    Only while the claim is ours and lives, the person is active and still at this step, and nothing is paused: all in
    this one transaction, so no mail begins after an unsubscribe or a goal was committed. What must never leave is
    cancelled; of an uncertain attempt it is only known that it will not be repeated.
    """
    by_id = {one.id: one for one in begins}
    lock_places(tx, list(by_id))
    rows = _ours(tx, list(by_id))
    go: list[str] = []
    never: list[tuple[str, bool]] = []
    later: list[str] = []
    for number, token, lease_until, step, uncertain, paused, status, phase, at in rows:
        if token != by_id[number].token or lease_until is None or lease_until <= now:
            continue
        if status != "active" or phase != "asked" or at != step:
            never.append((number, uncertain))
        else:
            (later if paused else go).append(number)
    if go:
        frozen = [{"message": n, "frozen": by_id[n].frozen} for n in go if by_id[n].frozen is not None]
        if frozen:
            tx.execute(insert(tx, tables.payload).on_conflict_do_nothing(index_elements=["message"]), frozen)
        changing = update(table).where(c.id == bindparam("number"))
        tx.execute(
            changing.values(
                state=SENDING,
                attempt=c.attempt + 1,
                started_at=now,
                first_attempt_at=_first(now),
                deadline=deadline,
                due_at=None,
            ),
            [
                {
                    "number": n, "provider": by_id[n].provider, "key": by_id[n].key, "subject": by_id[n].subject,
                    "target": by_id[n].target,
                }
                for n in go
            ],
        )  # fmt: skip
    for number, uncertain in never:
        state = State.ABANDONED if uncertain else State.CANCELLED
        values = {"state": state.value, "due_at": None, "reason": "the person left or moved on before it could leave"}
        tx.execute(update(table).where(c.id == number).values(values))
    if later:
        tx.execute(update(table).where(c.id.in_(later)).values(state=PLANNED, due_at=now + timedelta(seconds=5)))
    return set(go)


def _first(now: datetime) -> Any:  # noqa: ANN401 - a piece of SQL
    return func.coalesce(c.first_attempt_at, literal(now, c.first_attempt_at.type))


def lock_places(tx: Connection, ids: Sequence[str]) -> None:
    """Lock the enrollments of these messages before the messages, as every decision does: one order, no deadlock."""
    if tx.dialect.name == "sqlite":
        return
    place = tables.enrollment
    for some in chunks(ids):
        query = select(place.c.id).join(table, c.enrollment == place.c.id).where(c.id.in_(some)).order_by(place.c.id)
        tx.execute(query.with_for_update(of=place)).all()


def _ours(tx: Connection, ids: Sequence[str]) -> list[Sequence[Any]]:
    place, person, pause = tables.enrollment, tables.subscriber, tables.pause
    found: list[Sequence[Any]] = []
    for some in chunks(ids):
        query = (
            select(
                c.id, c.token, c.lease_until, c.step, c.uncertain, pause.c.name, person.c.status, place.c.phase,
                place.c.step,
            )
            .join(place, place.c.id == c.enrollment)
            .join(person, person.c.id == c.subscriber)
            .outerjoin(pause, pause.c.name.in_(("", c.sequence)))
            .where(c.id.in_(some))
            .where(c.state == CLAIMED)
        )  # fmt: skip
        found += tx.execute(locked(tx, query, of=[table, place, person], skip=False)).all()
    return found


def postpone(tx: Connection, rows: Sequence[tuple[str, int, datetime, str]]) -> None:
    """Give claims back: (id, token, due_at, why)."""
    changing = (
        update(table)
        .where(c.id == bindparam("number"))
        .where(c.token == bindparam("held"))
        .where(c.state == CLAIMED)
        .values(state=PLANNED)
    )
    tx.execute(
        changing, [{"number": n, "held": token, "due_at": at, "reason": why} for n, token, at, why in rows]
    )  # fmt: skip


def spoil(tx: Connection, rows: Sequence[tuple[str, int, State, str]]) -> set[str]:
    """End claims that cannot be sent: (id, token, failed or cancelled, why). Returns those that were still ours."""
    ended = set()
    for number, token, state, why in rows:
        held = and_(c.id == number, c.token == token, c.state == CLAIMED)
        uncertain = tx.execute(select(c.uncertain).where(held)).scalar()
        if uncertain is None:
            continue
        final = State.ABANDONED if uncertain else state
        tx.execute(update(table).where(held).values(state=final.value, due_at=None, reason=why))
        ended.add(number)
    return ended


def finish(tx: Connection, outcomes: Sequence[Outcome]) -> list[Row]:
    """Record what came back. Returns the messages that changed, as they stand now.

    That a mail left is evidence and is believed from anyone, whatever the row says meanwhile; that it did not is
    believed only from whoever holds the claim.
    """
    ids = [outcome.id for outcome in outcomes]
    lock_places(tx, ids)
    now_known = by_ids(tx, ids, lock=True)
    tokens = _tokens(tx, list(now_known))
    changed = []
    for outcome in outcomes:
        row = now_known.get(outcome.id)
        if row is None:
            continue
        holds = tokens[outcome.id] == outcome.token and row.state is State.SENDING
        if holds or (outcome.state is State.SENT and RANK[State.SENT] > RANK[row.state]):
            changed.append(outcome)
    if changed:
        tx.execute(
            update(table).where(c.id == bindparam("number")), [_after(one, now_known[one.id]) for one in changed]
        )  # fmt: skip
    after = by_ids(tx, [one.id for one in changed])
    return [after[one.id] for one in changed]


def _after(outcome: Outcome, before: Row) -> dict[str, Any]:
    sent = outcome.state is State.SENT
    return {
        "number": outcome.id,
        "state": outcome.state.value,
        "sent_at": outcome.at if sent else None,
        "provider_id": outcome.provider_id or before.provider_id,
        "reason": outcome.reason or before.reason,
        "due_at": outcome.due_at if outcome.state is State.PLANNED else None,
        "uncertain": int(outcome.state is State.UNKNOWN or (before.uncertain and not sent)),
    }


def _tokens(tx: Connection, ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in chunks(ids):
        found |= {row.id: row.token for row in tx.execute(select(c.id, c.token).where(c.id.in_(some)))}
    return found


# --- undecided


def any_unsettled(tx: Connection, now: datetime) -> bool:
    """Whether an attempt is overdue or unknown."""
    overdue = select(c.id).where(c.state == SENDING).where(c.deadline <= now).limit(1)
    undecided = select(c.id).where(c.state == UNKNOWN).limit(1)
    return tx.execute(overdue).first() is not None or tx.execute(undecided).first() is not None


def stuck(tx: Connection, now: datetime) -> list[str]:
    """Attempts that had no answer in time become unknown."""
    why = "no answer in time: the process may have died while it was sent"
    changing = update(table).where(c.state == SENDING).where(c.deadline <= now)
    return list(tx.execute(changing.values(state=UNKNOWN, uncertain=1, reason=why).returning(c.id)).scalars())


def orphan(tx: Connection, now: datetime) -> None:
    """When no other engine can be at work: claims are void, and attempts without an answer are unknown."""
    tx.execute(update(table).where(c.state == CLAIMED).values(state=PLANNED, due_at=now))
    tx.execute(update(table).where(c.state == SENDING).values(deadline=now))
    stuck(tx, now)


def unknown(tx: Connection, limit: int) -> list[Row]:
    """Attempts of which nobody knows whether the mail left, oldest first."""
    query = select(*COLUMNS).where(c.state == UNKNOWN).order_by(c.started_at).limit(limit)
    return [_row(row) for row in tx.execute(locked(tx, query, of=[table], skip=True))]


def settle(tx: Connection, rows: Sequence[tuple[str, State, str, datetime | None]]) -> None:
    """Decide unknown messages: (id, sent | planned | abandoned, why, due_at when planned again)."""
    if rows:
        changing = update(table).where(c.id == bindparam("number")).where(c.state == UNKNOWN)
        tx.execute(
            changing, [{"number": n, "state": state.value, "reason": why, "due_at": at} for n, state, why, at in rows]
        )  # fmt: skip


def report(tx: Connection, states: Mapping[str, State]) -> list[Row]:
    """Move messages forward on evidence. Returns those of which it is news that they left, as they stood."""
    if not states:
        return []
    lock_places(tx, sorted(states))
    rows = by_ids(tx, sorted(states), lock=True)
    forward = {n: row for n, row in rows.items() if RANK[states[n]] > RANK[row.state]}
    news = [row for n, row in forward.items() if row.state not in LEFT and states[n] in LEFT]
    fresh = {row.id for row in news}
    changes = [
        {
            "number": n, "state": states[n].value, "due_at": None, "uncertain": 0,
            "sent_at": row.started_at if n in fresh else row.sent_at,
        }
        for n, row in forward.items()
    ]  # fmt: skip
    if changes:
        tx.execute(update(table).where(c.id == bindparam("number")), changes)
    return news


# --- looking


def by_ids(tx: Connection, ids: Sequence[str], *, lock: bool = False) -> dict[str, Row]:
    """Messages by our id."""
    found = {}
    for some in chunks(ids):
        query = select(*COLUMNS).where(c.id.in_(some))
        query = locked(tx, query.order_by(c.id), of=[table], skip=False) if lock else query
        for row in tx.execute(query):
            found[row[0]] = _row(row)
    return found


def by_provider_ids(tx: Connection, provider: str, ids: Sequence[str]) -> dict[str, Row]:
    """Messages by the provider's id of them."""
    found = {}
    for some in chunks(ids):
        query = select(*COLUMNS).where(c.provider_id.in_(some)).where(c.provider == provider)
        for row in tx.execute(query):
            message = _row(row)
            found[message.provider_id] = message
    return found


def of_subscriber(tx: Connection, subscriber: int) -> list[Row]:
    """One person's mail, oldest first."""
    return [_row(row) for row in tx.execute(select(*COLUMNS).where(c.subscriber == subscriber).order_by(c.id))]


def listing(tx: Connection, state: State | None, limit: int) -> list[tuple[Row, str]]:
    """Messages in one state (any when None) with the address they go to, newest first."""
    email = tables.subscriber.c.email
    query = select(*COLUMNS, email).join(tables.subscriber, tables.subscriber.c.id == c.subscriber)
    query = query if state is None else query.where(c.state == state.value)
    return [(_row(row[:-1]), row[-1]) for row in tx.execute(query.order_by(c.id.desc()).limit(limit))]


def payload(tx: Connection, number: str) -> bytes | None:
    """The frozen bytes of a message; None when it was never written."""
    frozen = tables.payload.c.frozen
    return tx.execute(select(frozen).where(tables.payload.c.message == number)).scalar()


def next_due(tx: Connection) -> datetime | None:
    """When the next message is to leave: one look at an index."""
    query = select(c.due_at).where(c.state.in_((PLANNED, CLAIMED))).where(c.due_at.is_not(None))
    return tx.execute(query.order_by(c.due_at, c.id).limit(1)).scalar()


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
