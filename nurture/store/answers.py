"""Answers as they were given, in the words their person saw; forms half done; videos half watched."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from nurture.store import answer_tables, tables
from nurture.store.dialect import chunks, insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

said, draft, watch = answer_tables.said, answer_tables.draft, answer_tables.watch


@dataclass(frozen=True, slots=True)
class Said:
    """One answer. `field` is the attribute that keeps a form's field, "" for an ask with one answer.

    `question` and `words` are what the person read. `consent` is whether a box to consent was ticked, None for others.
    """

    enrollment: int
    subscriber: int
    sequence: str
    step: str
    field: str
    value: str
    question: str
    words: str
    language: str
    consent: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """A form half done: at which page it goes on (0 is the first), and what was typed, by what keeps each field."""

    page: int
    typed: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Watched:
    """How many milliseconds of a video were played, of how many, and when that was last reported."""

    played: int
    length: int
    at: datetime


def keep(tx: Connection, answers: Sequence[Said]) -> None:
    if answers:
        names = ["enrollment", "step", "field", "at"]
        adding = insert(tx, said).on_conflict_do_nothing(index_elements=names)
        tx.execute(adding, [asdict(one) for one in answers])


def of_subscriber(tx: Connection, subscriber: int) -> list[Said]:
    """Everything this person answered, in order, answers that were changed later among them."""
    columns = [said.c[name] for name in Said.__dataclass_fields__]
    query = select(*columns).where(said.c.subscriber == subscriber).order_by(said.c.at, said.c.id)
    return [Said(*row) for row in tx.execute(query)]


def erase(tx: Connection, subscriber: int, offered: Collection[tuple[str, str, str]]) -> None:
    """Of this person's answers the choices that an author offered stay, as (sequence, step, value), for the shares."""
    theirs = said.c.subscriber == subscriber
    tx.execute(said.delete().where(theirs, said.c.field != ""))
    for one in of_subscriber(tx, subscriber):
        if (one.sequence, one.step, one.value) not in offered:
            same = (said.c.sequence == one.sequence) & (said.c.step == one.step) & (said.c.value == one.value)
            tx.execute(said.delete().where(theirs, same))
    tx.execute(said.update().where(theirs).values(question="", words="", consent=None))
    passes = select(tables.enrollment.c.id).where(tables.enrollment.c.subscriber == subscriber)
    for table in (draft, watch):
        tx.execute(table.delete().where(table.c.enrollment.in_(passes)))


def shares(tx: Connection, sequence: str, step: str) -> dict[str, int]:
    """How many passes gave each answer to this ask; a changed answer counts as it stands now."""
    here = (said.c.sequence == sequence) & (said.c.step == step) & (said.c.field == "")
    latest = select(func.max(said.c.id)).where(here).group_by(said.c.enrollment)
    query = select(said.c.value, func.count()).where(said.c.id.in_(latest)).group_by(said.c.value)
    return {value: number for value, number in tx.execute(query)}  # noqa: C416 - rows are no pairs to mypy


# --- forms half done


def draft_of(tx: Connection, enrollment: int, step: str) -> Draft | None:
    here = (draft.c.enrollment == enrollment) & (draft.c.step == step)
    row = tx.execute(select(draft.c.page, draft.c.typed).where(here)).first()
    return None if row is None else Draft(*row)


def pages_done(tx: Connection, enrollments: Sequence[int]) -> dict[tuple[int, str], int]:
    """How many pages of their forms these passes have done, by pass and step."""
    found: dict[tuple[int, str], int] = {}
    for some in chunks(enrollments):
        query = select(draft.c.enrollment, draft.c.step, draft.c.page).where(draft.c.enrollment.in_(some))
        found |= {(enrollment, step): page for enrollment, step, page in tx.execute(query)}
    return found


def put_draft(tx: Connection, enrollment: int, step: str, left: Draft, now: datetime) -> None:
    values = {"page": left.page, "typed": dict(left.typed), "at": now}
    adding = insert(tx, draft).values(enrollment=enrollment, step=step, **values)
    tx.execute(adding.on_conflict_do_update(index_elements=["enrollment", "step"], set_=values))


def drop_draft(tx: Connection, enrollment: int, step: str) -> None:
    tx.execute(delete(draft).where(draft.c.enrollment == enrollment, draft.c.step == step))


# --- videos half watched


def watched(tx: Connection, enrollment: int, step: str) -> Watched | None:
    here = (watch.c.enrollment == enrollment) & (watch.c.step == step)
    row = tx.execute(select(watch.c.played, watch.c.length, watch.c.at).where(here)).first()
    return None if row is None else Watched(*row)


def put_watched(tx: Connection, enrollment: int, step: str, so_far: Watched) -> None:
    values = {"played": so_far.played, "length": so_far.length, "at": so_far.at}
    adding = insert(tx, watch).values(enrollment=enrollment, step=step, **values)
    tx.execute(adding.on_conflict_do_update(index_elements=["enrollment", "step"], set_=values))
