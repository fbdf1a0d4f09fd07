"""Questions about people, and what is written of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select, text
from sqlalchemy import update as update_

from nurture.journey.enrollment import NO_PREFERENCES, Preferences, Subscriber
from nurture.store import suppressions, tables
from nurture.store.dialect import chunks, insert, locked
from nurture.store.tables import from_micros, to_micros

if TYPE_CHECKING:
    from sqlalchemy import Connection, Update

table = tables.subscriber
UNCONFIRMED = "unconfirmed"
"""The status of someone whose address was typed into a form, and who has not confirmed that it was them."""
ERASED = "erased"
"""The status of a row that stands for someone who was erased, so that what is counted stays true."""

COLUMNS = (
    table.c.id, table.c.email, table.c.status, table.c.attributes, table.c.tags, table.c.bought, table.c.joined_at,
    table.c.last_seen_at, table.c.last_mail_at, table.c.wishes,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A person to be added, or what is newly known of one. `email` is normalised already."""

    email: str
    attributes: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of a newcomer. `suppressed` says why this address gets no mail, "" when it may."""

    id: int
    email: str
    is_new: bool
    suppressed: str = ""


def as_subscriber(row: Sequence[Any]) -> Subscriber:
    """The value of a row that was selected with COLUMNS."""
    number, email, status, attributes, tags, bought, joined_at, last_seen_at, last_mail_at, preferences = row
    return Subscriber(
        number,
        email,
        status,
        attributes,
        frozenset(tags),
        {product: from_micros(at) for product, at in bought.items()},
        joined_at,
        last_seen_at,
        last_mail_at,
        NO_PREFERENCES if preferences is None else _preferences(preferences),
    )


def _preferences(kept: Mapping[str, Any]) -> Preferences:
    """As the column `wishes` keeps them: its name is older than the word."""
    until = kept.get("paused_until")
    paused_until = None if until is None else from_micros(until)
    return Preferences(
        paused_until, kept.get("days_apart", 0), frozenset(kept.get("without", ())), frozenset(kept.get("asks", ()))
    )


def prefer(tx: Connection, number: int, preferences: Preferences) -> None:
    """Write down what this person asked for."""
    until = preferences.paused_until
    said = {
        "paused_until": None if until is None else to_micros(until), "days_apart": preferences.days_apart,
        "without": sorted(preferences.without), "asks": sorted(preferences.asks),
    }  # fmt: skip
    kept = {name: value for name, value in said.items() if value}
    tx.execute(update_(table).where(table.c.id == number).values(wishes=kept or None))


def save(tx: Connection, newcomers: Iterable[Newcomer], now: datetime) -> list[Saved]:
    """Add people, or add to what is known of them; in the order given.

    An address that is suppressed, or whose person has left, is reported and left as it is.
    """
    wanted = {newcomer.email: newcomer for newcomer in newcomers}
    barred = {email: one.reason for email, one in suppressions.of(tx, list(wanted)).items()}
    known = {subscriber.email: subscriber for subscriber in by_emails(tx, list(wanted))}
    awaited = _trusted(tx, known, barred, now)
    fresh = [newcomer for email, newcomer in wanted.items() if email not in known and email not in barred]
    if fresh:
        tx.execute(
            insert(tx, table).on_conflict_do_nothing(index_elements=["email"]),
            [
                {
                    "email": newcomer.email,
                    "status": "active",
                    "attributes": dict(newcomer.attributes),
                    "tags": sorted(newcomer.tags),
                    "bought": {},
                    "joined_at": now,
                    "last_seen_at": None,
                    "last_mail_at": None,
                }
                for newcomer in fresh
            ],
        )
    ids = {subscriber.email: subscriber.id for subscriber in by_emails(tx, [newcomer.email for newcomer in fresh])}
    _learn(tx, known, wanted, barred)
    saved = []
    for email in wanted:
        before = known.get(email)
        left = "" if before is None or before.status == "active" else before.status
        number = before.id if before is not None else ids.get(email, 0)
        is_new = (before is None or email in awaited) and email not in barred
        saved.append(Saved(number, email, is_new, barred.get(email, left)))
    return saved


def _trusted(
    tx: Connection, known: dict[str, Subscriber], barred: Mapping[str, str], now: datetime
) -> frozenset[str]:  # fmt: skip
    """Who had signed up and not confirmed: whoever brings them now says that they asked for it, so they have joined."""
    waiting = [one for one in known.values() if one.status == UNCONFIRMED and one.email not in barred]
    for some in chunks([one.id for one in waiting]):
        tx.execute(update_(table).where(table.c.id.in_(some)).values(status="active", joined_at=now))
    known |= {one.email: replace(one, status="active", joined_at=now) for one in waiting}
    return frozenset(one.email for one in waiting)


def _learn(
    tx: Connection, known: Mapping[str, Subscriber], wanted: Mapping[str, Newcomer], barred: Mapping[str, str]
) -> None:
    changed = [
        {
            "number": subscriber.id,
            "attributes": {**subscriber.attributes, **wanted[email].attributes},
            "tags": sorted(subscriber.tags | wanted[email].tags),
        }
        for email, subscriber in known.items()
        if email not in barred and subscriber.status == "active" and (wanted[email].attributes or wanted[email].tags)
    ]
    if changed:
        # they may have been erased in this moment
        tx.execute(update_(table).where(table.c.id == bindparam("number"), table.c.status == "active"), changed)


def by_email(tx: Connection, email: str) -> Subscriber | None:
    """The person with this normalised address."""
    row = tx.execute(select(*COLUMNS).where(table.c.email == email)).first()
    return None if row is None else as_subscriber(row)


def lock(tx: Connection, number: int) -> Subscriber:
    """A person whom nobody else changes before this transaction ends. Their enrollments are locked before."""
    query = locked(tx, select(*COLUMNS).where(table.c.id == number), of=[table], skip=False)
    return as_subscriber(tx.execute(query).one())


def by_emails(tx: Connection, emails: Sequence[str]) -> list[Subscriber]:
    """Those of these normalised addresses that belong to someone."""
    found = []
    for some in chunks(emails):
        found += [as_subscriber(row) for row in tx.execute(select(*COLUMNS).where(table.c.email.in_(some)))]
    return found


def by_ids(tx: Connection, ids: Sequence[int]) -> dict[int, Subscriber]:
    """People by their number."""
    found = {}
    for some in chunks(ids):
        for row in tx.execute(select(*COLUMNS).where(table.c.id.in_(some))):
            found[row[0]] = as_subscriber(row)
    return found


def update(tx: Connection, subscribers: Iterable[Subscriber]) -> None:
    """Write what is known of these people, whole; nothing is learned of who was erased meanwhile."""
    rows = [
        {
            "number": subscriber.id,
            "status": subscriber.status,
            "attributes": dict(subscriber.attributes),
            "tags": sorted(subscriber.tags),
            "bought": {product: to_micros(at) for product, at in subscriber.bought.items()},
            "joined_at": subscriber.joined_at,
            "last_seen_at": subscriber.last_seen_at,
            "last_mail_at": subscriber.last_mail_at,
        }
        for subscriber in subscribers
    ]
    if rows:
        tx.execute(update_(table).where(table.c.id == bindparam("number"), table.c.status != ERASED), rows)


def mailed(tx: Connection, at: Mapping[int, datetime]) -> None:
    """These people got a mail then."""
    _later(tx, "last_mail_at", at)


def seen(tx: Connection, at: Mapping[int, datetime]) -> None:
    """These people did something themselves then."""
    _later(tx, "last_seen_at", at)


def _later(tx: Connection, name: str, at: Mapping[int, datetime]) -> None:
    if not at:
        return
    tx.execute(_moved_on(name), [{"number": number, "moment": moment} for number, moment in sorted(at.items())])


@cache
def _moved_on(name: str) -> Update:
    column = table.c[name]
    moment = bindparam("moment", type_=column.type)
    mine = update_(table).where(table.c.id == bindparam("number"))
    return mine.where((column.is_(None)) | (column < moment)).values({name: moment})


def stop(tx: Connection, ids: Sequence[int], status: str) -> list[int]:
    """These people get no more mail; `status` says why. Of several reasons the strongest stays, in any order.

    Returns those who had been stopped before for a weaker reason.
    """
    strength = suppressions.STRENGTH
    found = by_ids(tx, ids).values()
    weaker = [
        one
        for one in found
        if one.status == "active" or (one.status != ERASED and strength.get(one.status, 0) < strength[status])
    ]
    for some in chunks([one.id for one in weaker]):
        tx.execute(update_(table).where(table.c.id.in_(some)).values(status=status))
    return [one.id for one in weaker if one.status != "active"]


ASKING = text("subscriber.wishes LIKE '%\"asks\"%'")


def asking(tx: Connection, limit: int) -> list[Subscriber]:
    """Who waits for someone to send them what is known of them, or to erase it; who came first, first."""
    return [as_subscriber(row) for row in tx.execute(select(*COLUMNS).where(ASKING).order_by(table.c.id).limit(limit))]


def erased(tx: Connection, ids: Sequence[int]) -> set[int]:
    """Which of these people were erased."""
    found: set[int] = set()
    for some in chunks(ids):
        found |= set(tx.execute(select(table.c.id).where(table.c.id.in_(some), table.c.status == ERASED)).scalars())
    return found


def revive(tx: Connection, number: int) -> None:
    """Let this person have mail again."""
    tx.execute(update_(table).where(table.c.id == number).values(status="active"))


def every(tx: Connection) -> Iterator[Subscriber]:
    """Everyone who was not erased, in the order they came; read in pieces, so that any number fits."""
    last = 0
    known = select(*COLUMNS).where(table.c.status != ERASED).order_by(table.c.id).limit(1000)
    while rows := tx.execute(known.where(table.c.id > last)).all():
        yield from (as_subscriber(row) for row in rows)
        last = rows[-1][0]


def count(tx: Connection) -> int:
    """How many there are who were not erased."""
    everyone = int(tx.execute(select(func.count(table.c.email))).scalar_one())
    gone = table.c.status == ERASED
    if tx.dialect.name == "sqlite":
        # its only index here is that of addresses, and what stands for an erased one begins so; the rows are wide
        gone = (table.c.email >= f"{ERASED}:") & (table.c.email < f"{ERASED};")
    return everyone - int(tx.execute(select(func.count()).select_from(table).where(gone)).scalar_one())
