"""Sign-ups: a form that was sent, and what came of it. Who never confirms is forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update

from nurture.store import people, signup_tables, tables
from nurture.store.dialect import chunks, insert, locked
from nurture.store.people import UNCONFIRMED

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = signup_tables.signup
c = table.c


@dataclass(frozen=True, slots=True)
class SignedUp:
    """`enrollment` is the pass whose mail asks for the confirmation; None where none is asked for."""

    subscriber: int
    form: str
    enrollment: int | None
    friend_of: str
    attributes: Mapping[str, object]
    source: Mapping[str, str]
    consent: str
    client: str
    at: datetime
    confirmed_at: datetime | None = None
    id: int = 0


COLUMNS = (
    c.subscriber, c.form, c.enrollment, c.friend_of, c.attributes, c.source, c.consent, c.client, c.at,
    c.confirmed_at, c.id,
)  # fmt: skip


def add(tx: Connection, one: SignedUp) -> None:
    row: dict[str, Any] = {
        "subscriber": one.subscriber, "form": one.form, "enrollment": one.enrollment, "friend_of": one.friend_of,
        "attributes": dict(one.attributes), "source": dict(one.source), "consent": one.consent, "client": one.client,
        "at": one.at, "confirmed_at": one.confirmed_at,
    }  # fmt: skip
    tx.execute(insert(tx, table), [row])


def of_enrollment(tx: Connection, enrollment: int) -> SignedUp | None:
    row = tx.execute(select(*COLUMNS).where(c.enrollment == enrollment)).first()
    return None if row is None else SignedUp(*row)


def of_person(tx: Connection, subscriber: int) -> list[SignedUp]:
    """Every form of theirs, the oldest first."""
    query = select(*COLUMNS).where(c.subscriber == subscriber).order_by(c.id)
    return [SignedUp(*row) for row in tx.execute(query)]


def confirm(tx: Connection, number: int, at: datetime) -> None:
    tx.execute(update(table).where(c.id == number).values(confirmed_at=at))


def await_confirmation(tx: Connection, email: str) -> int:
    """Someone of whom only the address is known, or whoever has it already; their number."""
    row: dict[str, Any] = {
        "email": email, "status": UNCONFIRMED, "attributes": {}, "tags": [], "bought": {}, "joined_at": None,
        "last_seen_at": None, "last_mail_at": None,
    }  # fmt: skip
    tx.execute(insert(tx, people.table).on_conflict_do_nothing(index_elements=["email"]), [row])
    return int(tx.execute(select(people.table.c.id).where(people.table.c.email == email)).scalar_one())


def oldest_open(tx: Connection) -> datetime | None:
    """When the oldest form was sent that nobody confirmed: one look at an index."""
    return tx.execute(select(func.min(c.at)).where(c.confirmed_at.is_(None))).scalar()


def forget(tx: Connection, before: datetime, limit: int) -> int:
    """Forget forms of that time which nobody confirmed, and people of whom there is nothing else; how many forms.

    Rows that another transaction holds are left for later: somebody may be confirming in this moment.
    """
    query = select(c.id, c.subscriber).where(c.confirmed_at.is_(None)).where(c.at <= before).order_by(c.at).limit(limit)
    old = tx.execute(locked(tx, query, of=[table], skip=True)).all()
    for some in chunks([row.id for row in old]):
        tx.execute(delete(table).where(c.id.in_(some)))
    for some in chunks(sorted({row.subscriber for row in old})):
        still = select(c.subscriber).where(c.subscriber.in_(some))
        person = people.table.c
        alone = select(person.id).where(person.id.in_(some)).where(person.status == UNCONFIRMED)
        query = locked(tx, alone.where(person.id.not_in(still)), of=[people.table], skip=True)
        nobody = list(tx.execute(query).scalars())
        _erase(tx, nobody)
    return len(old)


def _erase(tx: Connection, numbers: list[int]) -> None:
    """People who got nothing but mails that asked for a confirmation."""
    message = tables.message.c
    theirs = select(message.id).where(message.subscriber.in_(numbers))
    tx.execute(delete(tables.payload).where(tables.payload.c.message.in_(theirs)))
    for whose in (tables.event, tables.message, tables.enrollment):
        tx.execute(delete(whose).where(whose.c.subscriber.in_(numbers)))
    tx.execute(delete(people.table).where(people.table.c.id.in_(numbers)))


def erase(tx: Connection, subscriber: int) -> None:
    """What this person typed, and where from. That a form was confirmed stays counted."""
    theirs = c.subscriber == subscriber
    tx.execute(delete(table).where(theirs, c.confirmed_at.is_(None)))
    nothing: dict[str, Any] = {"attributes": {}, "source": {}, "client": "", "friend_of": ""}
    tx.execute(update(table).where(theirs).values(nothing))


def numbers(tx: Connection) -> dict[str, tuple[int, int]]:
    """Of each form: how often it was sent, and how often that was confirmed. Forgotten ones are not counted."""
    query = select(c.form, func.count(), func.count(c.confirmed_at)).group_by(c.form)
    return {form: (sent, confirmed) for form, sent, confirmed in tx.execute(query)}
