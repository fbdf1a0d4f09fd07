"""Questions about who stands where, and where they stand next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, and_, bindparam, func, or_, select, type_coerce, update

from nurture.journey.enrollment import Answer, Enrollment, Subscriber
from nurture.store import people, tables
from nurture.store.dialect import among, chunks, insert, locked, locked_once
from nurture.store.tables import SHARDS, from_micros, to_micros

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

table = tables.enrollment
Pair = tuple[Enrollment, Subscriber]
COLUMNS = (
    table.c.id, table.c.subscriber, table.c.sequence, table.c.number, table.c.started_at, table.c.phase, table.c.step,
    table.c.due_at, table.c.ended, table.c.ended_at, table.c.memory,
)  # fmt: skip
WIDTH = len(COLUMNS)
PAGE = 2_000
"""Passes that are read at once where all of a sequence are looked at."""

PAIRS: Select[Any] = select(*COLUMNS, *people.COLUMNS).join(
    tables.subscriber, tables.subscriber.c.id == table.c.subscriber
)
DUE = PAIRS.where(table.c.due_at <= bindparam("now")).order_by(table.c.due_at).limit(bindparam("limit"))
NEXT_DUE = select(table.c.due_at).where(table.c.due_at.is_not(None)).order_by(table.c.due_at).limit(1)
BY_ID = PAIRS.where(table.c.id.in_(among("ids"))).order_by(table.c.id)
SAVE = update(table).where(table.c.id == bindparam("row"))


def as_enrollment(row: Sequence[Any]) -> Enrollment:
    """The value of a row that was selected with COLUMNS."""
    number, subscriber, sequence, passes, started_at, phase, step, due_at, ended, ended_at, memory = row
    get = memory.get
    mail, judging = get("mail"), get("judging")
    return Enrollment(
        number,
        subscriber,
        sequence,
        passes,
        started_at,
        phase,
        step,
        due_at,
        data=get("data", {}),
        asked=tuple(get("asked", ())),
        answers={root: Answer(value, from_micros(at), step) for root, (value, at, step) in get("answers", {}).items()},
        done={key: from_micros(at) for key, at in get("done", {}).items()},
        offers={root: from_micros(at) for root, at in get("offers", {}).items()},
        awards={name: from_micros(at) for name, at in get("awards", {}).items()},
        last_mail_at=None if mail is None else from_micros(mail),
        judging_until=None if judging is None else from_micros(judging),
        waits_for=get("waits_for", ""),
        fixed=get("fixed", False),
        led_by=get("led_by", ""),
        ended=ended,
        ended_at=ended_at,
        ended_by_no=get("ended_by_no", False),
        because=get("because", ""),
    )


def _memory(place: Enrollment) -> dict[str, Any]:
    """What only the decision needs, without what is empty: most people have done little so far."""
    memory: dict[str, Any] = {
        "data": dict(place.data),
        "asked": place.asked,
        "answers": {root: (kept.value, to_micros(kept.at), kept.step) for root, kept in place.answers.items()},
        "done": {key: to_micros(at) for key, at in place.done.items()},
        "offers": {root: to_micros(at) for root, at in place.offers.items()},
        "awards": {name: to_micros(at) for name, at in place.awards.items()},
        "mail": None if place.last_mail_at is None else to_micros(place.last_mail_at),
        "judging": None if place.judging_until is None else to_micros(place.judging_until),
        "waits_for": place.waits_for,
        "fixed": place.fixed,
        "led_by": place.led_by,
        "ended_by_no": place.ended_by_no,
        "because": place.because,
    }
    return {name: value for name, value in memory.items() if value}


def _pair(row: Sequence[Any]) -> Pair:
    return as_enrollment(row[:WIDTH]), people.as_subscriber(row[WIDTH:])


def add(tx: Connection, places: Iterable[Enrollment]) -> list[Enrollment]:
    """Begin these passes. Who is inside already, or has had this pass, is left out of the result."""
    wanted = {(place.subscriber, place.sequence, place.number): place for place in places}
    if not wanted:
        return []
    rows = [
        {
            "subscriber": place.subscriber,
            "sequence": place.sequence,
            "number": place.number,
            "shard": place.subscriber % SHARDS,
            "phase": place.phase,
            "step": place.step,
            "due_at": place.due_at,
            "started_at": place.started_at,
            "ended": place.ended,
            "ended_at": place.ended_at,
            "memory": _memory(place),
        }
        for place in wanted.values()
    ]
    adding = insert(tx, table).on_conflict_do_nothing()
    added = tx.execute(adding.returning(table.c.id, table.c.subscriber, table.c.sequence, table.c.number), rows)
    return [replace(wanted[subscriber, sequence, number], id=row) for row, subscriber, sequence, number in added]


def save(tx: Connection, places: Iterable[Enrollment]) -> None:
    """Write where these people stand now."""
    rows = [
        {
            "row": place.id,
            "phase": place.phase,
            "step": place.step,
            "due_at": place.due_at,
            "started_at": place.started_at,
            "ended": place.ended,
            "ended_at": place.ended_at,
            "memory": _memory(place),
        }
        for place in places
    ]
    if rows:
        tx.execute(SAVE, rows)


def due(tx: Connection, now: datetime, limit: int) -> list[Pair]:
    """Who is due, longest first; locked together with the person, so that two workers never decide for one."""
    query = locked_once(tx, DUE, table, tables.subscriber, skip=True)
    return [_pair(row) for row in tx.execute(query, {"now": now, "limit": limit})]


def peek(tx: Connection) -> datetime | None:
    """When the next person is due: one look at an index, however many wait."""
    return tx.execute(NEXT_DUE).scalar()


def by_ids(tx: Connection, ids: Sequence[int], *, lock: bool = False) -> list[Pair]:
    """Places by their number."""
    query = locked_once(tx, BY_ID, table, tables.subscriber, skip=False) if lock else BY_ID
    return [_pair(row) for some in chunks(ids) for row in tx.execute(query, {"ids": some})]


def of_people(tx: Connection, subscribers: Sequence[int], *, lock: bool) -> list[Pair]:
    """Of each person, the latest pass of every sequence: open, or ended and perhaps to be woken by a late yes."""
    newest: dict[tuple[int, str], Pair] = {}
    for some in chunks(subscribers):
        query = PAIRS.where(table.c.subscriber.in_(some)).order_by(table.c.subscriber, table.c.id)
        query = locked(tx, query, of=[table, tables.subscriber], skip=False) if lock else query
        for row in tx.execute(query):
            pair = _pair(row)
            place = pair[0]
            known = newest.get((place.subscriber, place.sequence))
            if known is None or known[0].number < place.number:
                newest[place.subscriber, place.sequence] = pair
    return list(newest.values())


def every_pass(tx: Connection, subscriber: int) -> list[Enrollment]:
    """All passes of one person, oldest first."""
    query = select(*COLUMNS).where(table.c.subscriber == subscriber).order_by(table.c.id)
    return [as_enrollment(row) for row in tx.execute(query)]


def latest(tx: Connection, subscribers: Sequence[int], sequence: str) -> dict[int, Enrollment]:
    """Of each person, their latest pass of this sequence."""
    found: dict[int, Enrollment] = {}
    for some in chunks(subscribers):
        query = select(*COLUMNS).where(table.c.subscriber.in_(some)).where(table.c.sequence == sequence)
        for row in tx.execute(query.order_by(table.c.number)):
            place = as_enrollment(row)
            found[place.subscriber] = place
    return found


def inside(tx: Connection) -> Mapping[str, Mapping[str, int]]:
    """How many people stand at each step of each sequence, not counting those whose pass has ended."""
    query = select(table.c.sequence, table.c.step, func.count()).where(table.c.phase != "ended")
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for sequence, step, people_there in tx.execute(query.group_by(table.c.sequence, table.c.step)):
        found[sequence][step] = people_there
    return found


def standing(tx: Connection) -> Mapping[str, Mapping[tuple[str, str], int]]:
    """How many people stand where in each sequence, by phase and step, not counting those whose pass has ended."""
    query = select(table.c.sequence, table.c.phase, table.c.step, func.count()).where(table.c.phase != "ended")
    found: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for sequence, phase, step, people_there in tx.execute(
        query.group_by(table.c.sequence, table.c.phase, table.c.step)
    ):
        found[sequence][phase, step] = people_there
    return found


def touched(
    tx: Connection, sequence: str, at: Collection[str], known: Collection[str], mention: Collection[str]
) -> Iterator[list[Pair]]:
    """Passes that an edit may concern, in batches: open ones at these steps or at none that is `known`, and any whose
    memory mentions a step.
    """
    open_there = and_(table.c.phase != "ended", or_(table.c.step.in_(list(at)), table.c.step.not_in(list(known))))
    mentions = [
        type_coerce(table.c.memory, Text).like(f'%"{step.replace("_", "!_")}"%', escape="!") for step in mention
    ]
    query = PAIRS.where(table.c.sequence == sequence).where(or_(open_there, *mentions)).order_by(table.c.id)
    last = 0
    while rows := tx.execute(query.where(table.c.id > last).limit(PAGE)).all():
        last = rows[-1][0]
        yield [_pair(row) for row in rows]


def endings(tx: Connection) -> Mapping[str, Mapping[str, int]]:
    """How many passes of each sequence have ended, by how."""
    query = select(table.c.sequence, table.c.ended, func.count()).where(table.c.phase == "ended")
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for sequence, ended, passes in tx.execute(query.group_by(table.c.sequence, table.c.ended)):
        found[sequence][ended] = passes
    return found


def kept(tx: Connection, sequence: str) -> Mapping[str, Mapping[str | int, int]]:
    """How often the mail of each step of a sequence was answered, by answer."""
    query = select(table.c.memory).where(table.c.sequence == sequence).execution_options(yield_per=1000)
    found: dict[str, dict[str | int, int]] = defaultdict(lambda: defaultdict(int))
    for memory in tx.execute(query).scalars():
        for value, _, step in memory.get("answers", {}).values():
            found[step][value] += 1
    return found
