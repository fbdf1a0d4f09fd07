"""Letting messages go: claimed, begun, given back, ended, finished.

Each change is a compare-and-set on state and token, so a worker that lost its claim changes nothing backwards. A row
found in `sending` is never taken over: it becomes unknown and is settled by evidence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, func, null, or_, select, update

from nurture.journey.enrollment import Enrollment, Granted, Invited, Subscriber
from nurture.journey.ledger import RANK, State
from nurture.language.theirs import ours
from nurture.store import allowances, enrollments, friends, offers, pauses, people, tables
from nurture.store.dialect import among, chunks, insert, locked_once
from nurture.store.messages import CLAIMED, LEAVING, PLANNED, SENDING, Row, by_ids, lock_places

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = tables.message
c = table.c
NO_LINK = Invited()
TO_CLAIM = select(c.id).where(LEAVING).where(c.due_at <= bindparam("now"))
IN_TURN = TO_CLAIM.order_by(c.due_at, c.id).limit(bindparam("limit"))
BUT_FOR = TO_CLAIM.where(c.sequence.not_in(among("paused"))).order_by(c.due_at, c.id).limit(bindparam("limit"))
OWN = (
    c.id, c.token, c.attempt, c.sequence, c.step, c.target, c.provider, c.uncertain, tables.payload.c.frozen, c.key,
    c.first_attempt_at,
)  # fmt: skip
WITH_THEIR_PERSON = (
    select(*OWN, *enrollments.COLUMNS, *people.COLUMNS)
    .join(tables.enrollment, tables.enrollment.c.id == c.enrollment)
    .join(tables.subscriber, tables.subscriber.c.id == c.subscriber)
    .outerjoin(tables.payload, tables.payload.c.message == c.id)
    .where(c.id.in_(among("ids")))
)
OURS = (
    select(
        c.id, c.token, c.lease_until, c.step, c.uncertain, tables.pause.c.name, tables.subscriber.c.status,
        tables.enrollment.c.phase, tables.enrollment.c.step, c.sequence, tables.subscriber.c.id,
    )
    .join(tables.enrollment, tables.enrollment.c.id == c.enrollment)
    .join(tables.subscriber, tables.subscriber.c.id == c.subscriber)
    .outerjoin(
        tables.pause, or_(tables.pause.c.name == c.sequence, tables.pause.c.name.in_(sorted(pauses.EVERYTHING)))
    )
    .where(c.id.in_(among("ids")))
    .where(c.state == CLAIMED)
)  # fmt: skip
TOKENS = select(c.id, c.token).where(c.id.in_(among("ids")))
CHANGE = update(table).where(c.id == bindparam("number"))
# a claimed row comes back by itself when its lease is over: that is when it is due again
CLAIM = (
    update(table)
    .where(c.id.in_(among("ids")))
    .values(
        state=CLAIMED, token=c.token + 1, owner=bindparam("by"), lease_until=bindparam("until", type_=c.due_at.type),
        due_at=bindparam("until", type_=c.due_at.type),
    )
)  # fmt: skip
BEGIN = CHANGE.values(
    state=SENDING, attempt=c.attempt + 1, started_at=bindparam("began", type_=c.due_at.type),
    first_attempt_at=func.coalesce(c.first_attempt_at, bindparam("began", type_=c.due_at.type)),
    deadline=bindparam("ends", type_=c.due_at.type), due_at=null(), provider=bindparam("through"),
    key=bindparam("known_by"), subject=bindparam("about"), target=bindparam("leads_to"),
)  # fmt: skip
CONFIRMING = (people.UNCONFIRMED, "unsubscribed")
"""Who may yet be asked whether it was they who signed up, or who asked for what is theirs."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is ours until the lease is over, with all that is needed to write it.

    `uncertain`: it may have been taken by `provider` before, so no other may have it; then `key` is the one that it
    is asked for again under, and "" when it is sent again on purpose.
    `offers` are those that were made in this pass, by root step.
    """

    id: str
    token: int
    attempt: int
    sequence: str
    step: str
    target: str
    provider: str
    uncertain: bool
    frozen: bytes | None
    enrollment: Enrollment
    subscriber: Subscriber
    key: str = ""
    first_attempt_at: datetime | None = None
    offers: Mapping[str, Granted] = field(default_factory=lambda: MappingProxyType({}))
    invited: Invited = NO_LINK


@dataclass(frozen=True, slots=True)
class Begin:
    """A claimed message about to be handed over. `frozen` is None when it was frozen by an earlier attempt.

    `day` is the person's, for their budget (none when empty), and `tomorrow` when mail may go to them after it.
    """

    id: str
    token: int
    frozen: bytes | None
    provider: str
    key: str
    subject: str
    target: str
    day: str = ""
    tomorrow: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to; `due_at` is the next attempt when it is planned again. `afresh`: what was refused is not
    to be posted again as it is (its sender is unknown there), so the next attempt writes it anew.
    """

    id: str
    token: int
    state: State
    at: datetime
    provider_id: str = ""
    reason: str = ""
    due_at: datetime | None = None
    afresh: bool = False


def claim(
    tx: Connection, now: datetime, *, lease: timedelta, owner: str, limit: int, paused: Collection[str]
) -> list[Claimed]:
    """Take messages that are due, or whose claim has run out. Nobody else gets them while the lease lives."""
    query = locked_once(tx, BUT_FOR if paused else IN_TURN, table, skip=True)
    given = {"now": now, "limit": limit, **({"paused": sorted(paused)} if paused else {})}
    ids = list(tx.execute(query, given).scalars())
    if not ids:
        return []
    claimed: list[Claimed] = []
    for some in chunks(ids):
        tx.execute(CLAIM, {"ids": some, "by": owner, "until": now + lease})
        claimed += _claimed(tx, some)
    order = {number: place for place, number in enumerate(ids)}
    return sorted(claimed, key=lambda one: order[one.id])


def _claimed(tx: Connection, ids: Sequence[str]) -> list[Claimed]:
    middle = len(OWN) + enrollments.WIDTH
    claimed = [
        Claimed(
            *row[:9],
            enrollments.as_enrollment(row[len(OWN) : middle]),
            people.as_subscriber(row[middle:]),
            key=row[9],
            first_attempt_at=row[10],
        )
        for row in tx.execute(WITH_THEIR_PERSON, {"ids": ids})
    ]
    made = offers.of_passes(tx, [one.enrollment.id for one in claimed if one.enrollment.offers])
    claimed = [replace(one, offers=made[one.enrollment.id]) if one.enrollment.id in made else one for one in claimed]
    links = friends.of_people(tx, {one.subscriber.id for one in claimed})
    return [_with_friends(tx, one, links.get((one.subscriber.id, one.sequence))) for one in claimed]


def _with_friends(tx: Connection, one: Claimed, link: friends.Referral | None) -> Claimed:
    if link is None:
        return one
    many = friends.counted(tx, [link.id], one.enrollment.started_at).get(link.id, 0)
    return replace(one, invited=Invited(link.id, many))


def begin(
    tx: Connection, begins: Sequence[Begin], now: datetime, deadline: datetime, *, budget: int = 0
) -> set[str]:  # fmt: skip
    """Put these on record as `sending`, their bytes frozen; returns those that may be handed over now.

    Only while the claim is ours and lives, the person is active, still at this step and within their day's budget, and
    nothing is paused: all in this one transaction, so no mail begins after an unsubscribe or a goal was committed. What
    must never leave is cancelled; of an uncertain attempt it is only known that it will not be repeated.
    """
    by_id = {one.id: one for one in begins}
    lock_places(tx, list(by_id))
    rows = _ours(tx, list(by_id))
    go: list[str] = []
    never: list[tuple[str, bool]] = []
    later: list[str] = []
    whose = {row[0]: row[-1] for row in rows}
    for number, token, lease_until, step, uncertain, paused, status, phase, at, sequence, _ in rows:
        if token != by_id[number].token or lease_until is None or lease_until <= now:
            continue
        if not _may_have(status, sequence) or phase != "asked" or at != step:
            never.append((number, uncertain))
        else:
            (later if paused is not None else go).append(number)
    counted = [allowances.Wanted(n, whose[n], by_id[n].day) for n in dict.fromkeys(go) if by_id[n].day]
    if counted:
        within = allowances.take(tx, counted, budget)
        _hold_for_the_day(tx, [by_id[one.message] for one in counted if one.message not in within], budget)
        go = [n for n in go if n in within or not by_id[n].day]
    if go:
        frozen = [{"message": n, "frozen": by_id[n].frozen} for n in go if by_id[n].frozen is not None]
        if frozen:
            tx.execute(insert(tx, tables.payload).on_conflict_do_nothing(index_elements=["message"]), frozen)
        tx.execute(
            BEGIN,
            [
                {
                    "number": n, "through": by_id[n].provider, "known_by": by_id[n].key, "about": by_id[n].subject,
                    "leads_to": by_id[n].target, "began": now, "ends": deadline,
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


def _may_have(status: str, sequence: str) -> bool:
    """Whether mail of this sequence may go to them. That which asks whether it was them goes to who left as well."""
    return status == "active" or (status in CONFIRMING and ours(sequence))


def _hold_for_the_day(tx: Connection, over: Sequence[Begin], budget: int) -> None:
    why = f"{budget} mails a day are a person's most (NURTURE_BUDGET): it waits for their next day"
    postpone(tx, [(one.id, one.token, one.tomorrow, why) for one in over if one.tomorrow is not None])


def _ours(tx: Connection, ids: Sequence[str]) -> list[Sequence[Any]]:
    query = locked_once(tx, OURS, table, tables.enrollment, tables.subscriber, skip=False)
    return [row for some in chunks(ids) for row in tx.execute(query, {"ids": some})]


def postpone(tx: Connection, rows: Sequence[tuple[str, int, datetime, str]]) -> None:
    """Give claims back: (id, token, due_at, why)."""
    if not rows:
        return
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


def set_aside(tx: Connection, rows: Sequence[tuple[str, int, str]], now: datetime) -> None:
    """Claims that must not be tried again, since they may have left, are unknown: (id, token, why)."""
    if not rows:
        return
    held = and_(c.id == bindparam("number"), c.token == bindparam("held"), c.state == CLAIMED)
    changing = update(table).where(held).values(state=State.UNKNOWN.value, due_at=None)
    tx.execute(changing, [{"number": n, "held": token, "reason": why, "deadline": now} for n, token, why in rows])


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
    """Record what came back. Returns the messages that changed, as they stood, each with what came of it.

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
        tx.execute(CHANGE, [_after(one, now_known[one.id]) for one in changed])
        _thaw(tx, [one.id for one in changed if one.afresh and not now_known[one.id].uncertain])
    return [
        replace(
            now_known[one.id], state=one.state, provider_id=one.provider_id or now_known[one.id].provider_id,
            sent_at=one.at if one.state is State.SENT else None,
        )
        for one in changed
    ]  # fmt: skip


def _thaw(tx: Connection, ids: Sequence[str]) -> None:
    """Forget the bytes of mails that nobody has taken."""
    for some in chunks(ids):
        tx.execute(delete(tables.payload).where(tables.payload.c.message.in_(some)))


def _after(outcome: Outcome, before: Row) -> dict[str, Any]:
    sent = outcome.state is State.SENT
    return {
        "number": outcome.id,
        "state": outcome.state.value,
        "sent_at": outcome.at if sent else None,
        "provider_id": outcome.provider_id or before.provider_id,
        "reason": outcome.reason or before.reason,
        "due_at": outcome.due_at if outcome.state is State.PLANNED else None,
        "deadline": outcome.at,
        "uncertain": int(outcome.state is State.UNKNOWN or (before.uncertain and not sent)),
    }


def _tokens(tx: Connection, ids: Sequence[str]) -> dict[str, int]:
    return {row.id: row.token for some in chunks(ids) for row in tx.execute(TOKENS, {"ids": some})}
