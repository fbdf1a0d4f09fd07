"""Questions of the reports: many rows at once, as plain tuples, since a hundred thousand of them are counted at a time.

Times are whole microseconds, as they are stored. `since` and `until` are about when a pass began.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json
from sqlalchemy import BigInteger, Text, func, or_, select, text, type_coerce

from nurture.store import signup_tables, tables

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Select

enrollment, message, event = tables.enrollment, tables.message, tables.event

# the conditions of partial indexes, which a database finds only where they stand word for word
CLICKED = text("event.kind = 'clicked'")
HAPPENED = text("event.kind IN ('bought', 'drawn', 'event', 'replied', 'tag')")
STANDING = text("enrollment.phase <> 'ended'")


def _micros(column: ColumnElement[Any]) -> ColumnElement[int]:
    return type_coerce(column, BigInteger)


def _cohort(sequence: str, since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    """The passes that began in a period."""
    conditions = [enrollment.c.sequence == sequence]
    if since is not None:
        conditions.append(enrollment.c.started_at >= since)
    if until is not None:
        conditions.append(enrollment.c.started_at < until)
    return conditions


def passes(
    tx: Connection, sequence: str, since: datetime | None, until: datetime | None, *, before: int | None = None,
    latest_first: bool = False, kept: tuple[str, str] | None = None, standing: Collection[str] = (),
) -> Iterator[tuple[int, int, int, str, str, str | None, list[str], dict[str, Any]]]:  # fmt: skip
    """Of each pass: id, subscriber, when it began, phase, step, how it ended, the steps mailed, the kept answers.

    `before` leaves out passes from this one on; `kept` those without this answer to this ask ("" is any); `standing`
    those that do not stand at one of these steps.
    """
    c = enrollment.c
    query = select(
        c.id, c.subscriber, _micros(c.started_at), c.phase, c.step, c.ended, type_coerce(c.memory, Text)
    ).where(*_cohort(sequence, since, until))  # fmt: skip
    if before is not None:
        query = query.where(c.id < before)
    if kept is not None:
        query = query.where(answered(*kept))
    if standing:
        query = query.where(STANDING, c.step.in_(standing))
    if latest_first:  # whoever wants a page of them stops early
        query = query.order_by(c.id.desc()).execution_options(yield_per=1000)
    for *row, written in tx.execute(query):
        memory = from_json(written)
        yield (*row, memory.get("asked", []), memory.get("answers", {}))


def answered(root: str, answer: str) -> ColumnElement[bool]:
    """Passes that gave this answer to this ask ("" is any), and a few more perhaps: the text of their memory is asked."""
    memory = type_coerce(enrollment.c.memory, Text)  # a number is kept as one, a word in quotes
    said = (f'"{root}":["{answer}",', f'"{root}":[{answer},') if answer else (f'"{root}":[',)
    return or_(*(memory.contains(one, autoescape=True) for one in said))


def sent_at(
    tx: Connection, sequence: str, since: datetime | None, until: datetime | None
) -> dict[tuple[int, str], int]:
    """When the mail of each (pass, step) left."""
    c = message.c
    query = select(c.enrollment, c.step, _micros(c.sent_at)).where(c.sequence == sequence, c.sent_at.is_not(None))
    if since is not None or until is not None:
        query = query.join(enrollment, enrollment.c.id == c.enrollment).where(*_cohort(sequence, since, until))
    return {(number, step): at for number, step, at in tx.execute(query)}


def clicks(tx: Connection, sequence: str, since: datetime | None, until: datetime | None) -> dict[str, tuple[int, int]]:
    """Clicks on the ask of each step's mails that have their verdict: those of people, those of machines."""
    c = event.c
    query = select(c.step, c.human, func.count()).where(CLICKED, c.sequence == sequence, c.human.is_not(None))
    if since is not None or until is not None:
        query = query.join(enrollment, enrollment.c.id == c.enrollment).where(*_cohort(sequence, since, until))
    found: dict[str, tuple[int, int]] = {}
    for step, human, number in tx.execute(query.group_by(c.step, c.human)):
        people, machines = found.get(step, (0, 0))
        found[step] = (people + number, machines) if human else (people, machines + number)
    return found


def draws(tx: Connection, sequence: str) -> Iterator[tuple[int, int, str, str, str, str]]:
    """Of each lot that was drawn, oldest first: subscriber, when, step, way, the split as it was, the arm."""
    c = event.c
    query = select(c.subscriber, _micros(c.at), c.step, type_coerce(c.detail, Text), c.reason)
    query = query.where(HAPPENED, c.kind == "drawn", c.sequence == sequence).order_by(c.id)
    for subscriber, at, step, written, arm in tx.execute(query):
        detail = from_json(written)
        yield subscriber, at, step, detail["way"], detail["split"], arm


def happened(tx: Connection, kind: str, name: str) -> Iterator[tuple[int, int]]:
    """Of whom something was reported, and when: `bought` (any product where `name` is ""), `event`, `tag`, `replied`."""
    c = event.c
    query = select(c.subscriber, _micros(c.at)).where(HAPPENED, c.kind == kind, c.subscriber.is_not(None))
    if name:
        query = query.where(c.reason == name)
    return _pairs(tx, query)


def _pairs(tx: Connection, query: Select[Any]) -> Iterator[tuple[int, int]]:
    return ((subscriber, at) for subscriber, at in tx.execute(query))


def purchases(tx: Connection, since: datetime | None = None) -> Iterator[tuple[int, int, str, dict[str, Any]]]:
    """Every purchase on record (since then): whose, when, which product, what its report said."""
    c = event.c
    query = select(c.subscriber, _micros(c.at), c.reason, type_coerce(c.detail, Text))
    query = query.where(HAPPENED, c.kind == "bought", c.subscriber.is_not(None))
    if since is not None:
        query = query.where(c.at >= since)
    for subscriber, at, product, written in tx.execute(query):
        yield subscriber, at, product, from_json(written)


def kept(tx: Connection, sequence: str, step: str) -> Iterator[tuple[int, int]]:
    """Who kept an ask of a sequence, and when."""
    c = enrollment.c
    query = select(c.subscriber, type_coerce(c.memory, Text)).where(c.sequence == sequence)
    for subscriber, written in tx.execute(query):
        answer = from_json(written).get("answers", {}).get(step)
        if answer is not None:
            yield subscriber, answer[1]


def goals(tx: Connection, sequence: str) -> Iterator[tuple[int, int]]:
    """Who reached the goal of a sequence in one of its passes, and when."""
    c = enrollment.c
    query = select(c.subscriber, _micros(c.ended_at)).where(c.sequence == sequence, c.ended == "goal")
    return _pairs(tx, query)


def forms_of(
    tx: Connection, sequence: str, since: datetime | None, until: datetime | None
) -> Iterator[tuple[int, str, str, dict[str, str]]]:
    """Of each form that a person of these passes sent: subscriber, its name, by whose link ("" by none), where from.

    The first of each person first, those that were confirmed before those that were not.
    """
    c = signup_tables.signup.c
    inside = select(enrollment.c.subscriber).where(*_cohort(sequence, since, until))
    query = select(c.subscriber, c.form, c.friend_of, type_coerce(c.source, Text)).where(c.subscriber.in_(inside))
    for subscriber, form, friend_of, written in tx.execute(query.order_by(c.confirmed_at.is_(None), c.id)):
        yield subscriber, form, friend_of, from_json(written)


def known_of(
    tx: Connection, sequence: str, since: datetime | None, until: datetime | None
) -> Iterator[tuple[int, dict[str, Any], list[str]]]:
    """Of each person of these passes: subscriber, attributes, tags."""
    c = tables.subscriber.c
    inside = select(enrollment.c.subscriber).where(*_cohort(sequence, since, until))
    query = select(c.id, type_coerce(c.attributes, Text), type_coerce(c.tags, Text)).where(c.id.in_(inside))
    for subscriber, attributes, tags in tx.execute(query):
        yield subscriber, from_json(attributes), from_json(tags)
