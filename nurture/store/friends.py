"""Links for friends, and who came by them: each friend once, for one person."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, select, update

from nurture.store import people, signup_tables
from nurture.store.dialect import among, chunks, insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

link = signup_tables.referral
table = signup_tables.friend
c = table.c


@dataclass(frozen=True, slots=True)
class Referral:
    """A person's link for friends in one sequence. `name` is what they want to be called in public."""

    id: str
    subscriber: int
    sequence: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Friend:
    """Who came by a link and confirmed. `refused` says why they do not count; "" when they do or may yet."""

    subscriber: int
    referral: str
    confirmed_at: datetime
    email: str = ""
    engaged_at: datetime | None = None
    counted_at: datetime | None = None
    refused: str = ""
    client: str = ""
    device: str = ""


LINK = (link.c.id, link.c.subscriber, link.c.sequence, link.c.name)
FRIEND = (
    c.subscriber, c.referral, c.confirmed_at, people.table.c.email, c.engaged_at, c.counted_at, c.refused, c.client,
    c.device,
)  # fmt: skip
OF_PEOPLE = select(*LINK).where(link.c.subscriber.in_(among("people")))


def give_links(tx: Connection, wanted: Collection[tuple[int, str]]) -> None:
    """A link to each of these (person, sequence), who keep the one they have."""
    rows = [
        {"id": secrets.token_hex(5), "subscriber": who, "sequence": sequence, "name": ""}
        for who, sequence in sorted(wanted)
    ]
    if rows:
        tx.execute(insert(tx, link).on_conflict_do_nothing(index_elements=["subscriber", "sequence"]), rows)


def by_id(tx: Connection, number: str) -> Referral | None:
    row = tx.execute(select(*LINK).where(link.c.id == number)).first()
    return None if row is None else Referral(*row)


def of_people(tx: Connection, numbers: Collection[int]) -> dict[tuple[int, str], Referral]:
    """The links of these people, by (person, sequence)."""
    found = {}
    for some in chunks(sorted(numbers)):
        for row in tx.execute(OF_PEOPLE, {"people": some}):
            found[row.subscriber, row.sequence] = Referral(*row)
    return found


def rename(tx: Connection, number: str, name: str) -> None:
    tx.execute(update(link).where(link.c.id == number).values(name=name))


def add(tx: Connection, friend: Friend) -> bool:
    """Whether they are new among friends: who came by one link does not come by another."""
    row = {
        "subscriber": friend.subscriber, "referral": friend.referral, "confirmed_at": friend.confirmed_at,
        "engaged_at": None, "counted_at": None, "refused": friend.refused, "client": friend.client,
        "device": friend.device,
    }  # fmt: skip
    done = tx.execute(insert(tx, table).on_conflict_do_nothing(index_elements=["subscriber"]), [row])
    return done.rowcount > 0


def of_link(tx: Connection, number: str) -> list[Friend]:
    """Everyone who came by this link, the first first."""
    query = select(*FRIEND).join(people.table, people.table.c.id == c.subscriber).where(c.referral == number)
    return [Friend(*row) for row in tx.execute(query.order_by(c.confirmed_at, c.subscriber))]


def of_friend(tx: Connection, subscriber: int) -> Friend | None:
    query = select(*FRIEND).join(people.table, people.table.c.id == c.subscriber).where(c.subscriber == subscriber)
    row = tx.execute(query).first()
    return None if row is None else Friend(*row)


def engage(tx: Connection, subscribers: Iterable[int], at: datetime) -> None:
    """These people did something themselves. Those who came by a friend's link count from now on."""
    for some in chunks(sorted(set(subscribers))):
        tx.execute(update(table).where(c.subscriber.in_(some)).where(c.engaged_at.is_(None)).values(engaged_at=at))


def erase(tx: Connection, subscriber: int) -> None:
    """The name of this person's links, and by what they were known as somebody's friend. Whom they brought stays."""
    tx.execute(update(link).where(link.c.subscriber == subscriber).values(name=""))
    tx.execute(update(table).where(c.subscriber == subscriber).values(client="", device=""))


def allow(tx: Connection, subscriber: int) -> bool:
    """They count like any other friend; False when they did so before."""
    done = tx.execute(update(table).where(c.subscriber == subscriber).where(c.refused != "").values(refused=""))
    return done.rowcount > 0


UNCOUNTED = and_(c.engaged_at.is_not(None), c.counted_at.is_(None), c.refused == "")


def any_uncounted(tx: Connection) -> bool:
    return tx.execute(select(c.subscriber).where(UNCOUNTED).limit(1)).first() is not None


def uncounted(tx: Connection, limit: int) -> list[tuple[Friend, Referral]]:
    query = (
        select(*FRIEND, *LINK)
        .join(people.table, people.table.c.id == c.subscriber)
        .join(link, link.c.id == c.referral)
        .where(UNCOUNTED)
        .order_by(c.engaged_at, c.subscriber)
        .limit(limit)
    )
    return [(Friend(*row[: len(FRIEND)]), Referral(*row[len(FRIEND) :])) for row in tx.execute(query)]


def count(tx: Connection, subscriber: int, at: datetime) -> bool:
    """Count a friend, once: False when another worker did."""
    done = tx.execute(update(table).where(c.subscriber == subscriber).where(UNCOUNTED).values(counted_at=at))
    return done.rowcount > 0


def counted(
    tx: Connection, numbers: Collection[str], since: datetime | None = None, until: datetime | None = None
) -> dict[str, int]:
    """How many friends count for each of these links, of those that were counted in that time."""
    found: dict[str, int] = {}
    for some in chunks(sorted(numbers)):
        query = select(c.referral, func.count()).where(c.referral.in_(some)).where(c.counted_at.is_not(None))
        query = query if since is None else query.where(c.counted_at >= since)
        query = query if until is None else query.where(c.counted_at < until)
        found |= {row[0]: row[1] for row in tx.execute(query.group_by(c.referral))}
    return found


def standing(tx: Connection, sequence: str, since: datetime | None, until: datetime | None) -> Mapping[str, int]:
    """For every link of a sequence that brought someone: how many friends count, in that time."""
    query = (
        select(c.referral, func.count())
        .join(link, link.c.id == c.referral)
        .where(link.c.sequence == sequence)
        .where(c.counted_at.is_not(None))
    )
    query = query if since is None else query.where(c.counted_at >= since)
    query = query if until is None else query.where(c.counted_at < until)
    return {row[0]: row[1] for row in tx.execute(query.group_by(c.referral))}


def by_links(tx: Connection, numbers: Collection[str]) -> list[Referral]:
    return [
        Referral(*row)
        for some in chunks(sorted(numbers))
        for row in tx.execute(select(*LINK).where(link.c.id.in_(some)))
    ]
