"""Lists for pages, a piece at a time: each goes on from the last key of the one before, so its cost is its own length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, Text, func, select, text, type_coerce

from nurture.journey.ledger import State
from nurture.store import hooks, messages, people, reports, tables

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from nurture.journey.enrollment import Subscriber

person, place, mail = tables.subscriber, tables.enrollment, tables.message


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which people: those with a tag, who stand at a step, who gave an answer; "" is any. `step` needs its sequence."""

    tag: str = ""
    sequence: str = ""
    step: str = ""
    answer: tuple[str, str] = ("", "")
    beginning: str = ""


def people_after(tx: Connection, wanted: Wanted, after: int, limit: int) -> list[Subscriber]:
    """People in the order they came, those after a number."""
    query: Select[Any] = select(*people.COLUMNS).where(person.c.id > after).order_by(person.c.id).limit(limit)
    query = query.where(person.c.status != people.ERASED)
    if wanted.beginning:
        # SQLite's own index serves a range, not a LIKE; PostgreSQL's order of a language is not that of letters
        email = person.c.email if tx.dialect.name == "sqlite" else person.c.email.collate("C")
        query = query.where(email >= wanted.beginning).where(email < wanted.beginning + "\U0010ffff")
    if wanted.tag:
        query = query.where(type_coerce(person.c.tags, Text).contains(f'"{wanted.tag}"', autoescape=True))
    if wanted.sequence:
        query = query.join(place, place.c.subscriber == person.c.id).where(place.c.sequence == wanted.sequence)
        if wanted.step:
            query = query.where(place.c.step == wanted.step).where(reports.STANDING)
        root, value = wanted.answer
        if root:
            query = query.where(reports.answered(root, value))
    return [people.as_subscriber(row) for row in tx.execute(query)]


# --- mail and reports

TROUBLE = text("message.state IN ('unknown', 'failed', 'bounced', 'complained', 'abandoned')")
GONE_WRONG = (State.UNKNOWN, State.FAILED, State.BOUNCED, State.COMPLAINED, State.ABANDONED)
KEPT = text("event.kind = 'kept'")
AT_GOAL = text("enrollment.ended = 'goal'")
FAILED_HOOK = text("hook.state = 'quarantined'")


def mail_before(tx: Connection, state: State | None, before: str, limit: int) -> list[tuple[messages.Row, str, int]]:
    """Messages, newest first, those before an id ("" for the newest), with the address and number of whose they are."""
    query = select(*messages.COLUMNS, person.c.email, person.c.id).join(person, person.c.id == mail.c.subscriber)
    if before:
        query = query.where(mail.c.id < before)
    if state is not None:
        query = query.where(mail.c.state == state.value)
        if state in GONE_WRONG:
            query = query.where(TROUBLE)
        elif state in (State.PLANNED, State.CLAIMED):
            query = query.where(messages.LEAVING)
        elif state is State.SENDING:
            query = query.where(messages.UNSETTLED)
    rows = tx.execute(query.order_by(mail.c.id.desc()).limit(limit))
    return [(messages.as_row(row[:-2]), row[-2], row[-1]) for row in rows]


def troubles(tx: Connection) -> dict[State, int]:
    """How many messages ended badly or are in doubt, by state. The others are counted nowhere: there may be millions."""
    query = select(mail.c.state, func.count()).where(TROUBLE).group_by(mail.c.state)
    return {State(state): number for state, number in tx.execute(query)}


@dataclass(frozen=True, slots=True)
class Later:
    """A mail that is planned for later, how often it was tried, and why it waits."""

    attempt: int
    reason: str


def next_to_wait(tx: Connection, now: datetime, limit: int) -> list[Later]:
    """Of the mails that are planned for later, the first to be due: a look at an index. What is claimed waits for nobody."""
    later = (messages.LEAVING, mail.c.state == messages.PLANNED, mail.c.due_at > now)
    query = select(mail.c.attempt, mail.c.reason).where(*later).order_by(mail.c.due_at).limit(limit)
    return [Later(*row) for row in tx.execute(query)]


def hooks_before(tx: Connection, *, failed: bool, before: int | None, limit: int) -> list[hooks.Row]:
    """Reports, newest first, those before a number."""
    query = select(*hooks.COLUMNS).order_by(hooks.c.id.desc()).limit(limit)
    query = query.where(FAILED_HOOK) if failed else query
    query = query if before is None else query.where(hooks.c.id < before)
    return [hooks.Row(*row) for row in tx.execute(query)]


def hook(tx: Connection, number: int) -> hooks.Row | None:
    row = tx.execute(select(*hooks.COLUMNS).where(hooks.c.id == number)).first()
    return None if row is None else hooks.Row(*row)


# --- how things go, from indexes that hold nothing else


@dataclass(frozen=True, slots=True)
class Pulse:
    """What happened since a moment."""

    mails: int
    kept: int
    goals: int


def pulse(tx: Connection, since: datetime) -> Pulse:
    """Mails that left, asks that were kept, passes that reached their goal."""
    kept = tables.event
    return Pulse(
        _count(tx, select(func.count()).where(mail.c.sent_at >= since)),
        _count(tx, select(func.count()).where(KEPT).where(kept.c.at >= since)),
        _count(tx, select(func.count()).where(AT_GOAL).where(place.c.ended_at >= since)),
    )


def failed_hooks(tx: Connection) -> int:
    return _count(tx, select(func.count()).select_from(hooks.table).where(FAILED_HOOK))


def last_hook(tx: Connection) -> datetime | None:
    """When anything was last reported from outside."""
    return tx.execute(select(hooks.c.received_at).order_by(hooks.c.id.desc()).limit(1)).scalar()


def reporting(tx: Connection) -> dict[str, datetime]:
    """Which providers are among the newest thousand reports, and when each last said something."""
    newest = select(hooks.c.provider, hooks.c.received_at).order_by(hooks.c.id.desc()).limit(1000).subquery()
    query = select(newest.c.provider, func.max(newest.c.received_at)).group_by(newest.c.provider)
    return {row[0]: row[1] for row in tx.execute(query)}


def _count(tx: Connection, query: Select[Any]) -> int:
    return int(tx.execute(query).scalar_one())


def standing(tx: Connection) -> Mapping[str, Mapping[str, int]]:
    """How many stand at each step of each sequence, from the index of places alone."""
    query = select(place.c.sequence, place.c.step, func.count()).where(reports.STANDING)
    found: dict[str, dict[str, int]] = {}
    for sequence, step, number in tx.execute(query.group_by(place.c.sequence, place.c.step)):
        found.setdefault(sequence, {})[step] = number
    return found
