"""Offers: one to a person in a pass, with a deadline that is written once and never again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select, update

from nurture.journey.enrollment import Granted
from nurture.store import offer_tables, tables
from nurture.store.dialect import chunks, insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = offer_tables.offer
c = table.c


@dataclass(frozen=True, slots=True)
class Offer:
    """What was offered to whom. `step` is the root: the mails that ask again make the same offer."""

    id: str
    enrollment: int
    subscriber: int
    sequence: str
    step: str
    product: str
    code: str
    deadline: datetime | None
    granted_at: datetime
    redeemed_at: datetime | None = None

    def over(self, now: datetime) -> bool:
        return self.deadline is not None and now >= self.deadline


COLUMNS = (
    c.id, c.enrollment, c.subscriber, c.sequence, c.step, c.product, c.code, c.deadline, c.granted_at, c.redeemed_at,
)  # fmt: skip


def _offer(row: Sequence[Any]) -> Offer:
    return Offer(*row)


def add(tx: Connection, offers: Sequence[Offer]) -> None:
    """Make these offers. One that was made in this pass before stays as it is."""
    rows = [dict(zip((column.name for column in COLUMNS), _values(one), strict=True)) for one in offers]
    if rows:
        tx.execute(insert(tx, table).on_conflict_do_nothing(index_elements=["enrollment", "step"]), rows)


def _values(offer: Offer) -> tuple[object, ...]:
    return (
        offer.id, offer.enrollment, offer.subscriber, offer.sequence, offer.step, offer.product, offer.code,
        offer.deadline, offer.granted_at, offer.redeemed_at,
    )  # fmt: skip


def of_passes(tx: Connection, enrollments: Sequence[int]) -> dict[int, Mapping[str, Granted]]:
    """The offers that were made in these passes, by root step."""
    found: dict[int, dict[str, Granted]] = defaultdict(dict)
    for some in chunks(enrollments):
        query = select(c.enrollment, c.step, c.id, c.code, c.deadline).where(c.enrollment.in_(some))
        for enrollment, step, *granted in tx.execute(query):
            found[enrollment][step] = Granted(*granted)
    return dict(found)


def by_id(tx: Connection, number: str) -> Offer | None:
    row = tx.execute(select(*COLUMNS).where(c.id == number)).first()
    return None if row is None else _offer(row)


def of_message(tx: Connection, message: str) -> Offer | None:
    """The offer that a mail makes; None for a mail that makes none."""
    mail = tables.message.c
    row = tx.execute(select(*COLUMNS).join(tables.message, mail.offer == c.id).where(mail.id == message)).first()
    return None if row is None else _offer(row)


def of_code(tx: Connection, code: str, email: str | None) -> list[Offer]:
    """Offers with this code, of one address where it is given; each person's latest, the latest first."""
    query = select(*COLUMNS).where(c.code == code).order_by(c.granted_at.desc(), c.id.desc())
    if email is not None:
        person = tables.subscriber
        query = query.join(person, person.c.id == c.subscriber).where(person.c.email == email)
    latest: dict[int, Offer] = {}
    for row in tx.execute(query):
        offer = _offer(row)
        latest.setdefault(offer.subscriber, offer)
    return list(latest.values())


def of_subscriber(tx: Connection, subscriber: int) -> list[Offer]:
    query = select(*COLUMNS).where(c.subscriber == subscriber).order_by(c.granted_at, c.id)
    return [_offer(row) for row in tx.execute(query)]


def redeem(tx: Connection, number: str, now: datetime) -> bool:
    """Use an offer up, once and in time; False when it was used before or its deadline is over."""
    open_still = or_(c.deadline.is_(None), c.deadline > now)
    changing = update(table).where(c.id == number).where(c.redeemed_at.is_(None)).where(open_still)
    return bool(tx.execute(changing.values(redeemed_at=now)).rowcount)
