"""What is asked about an offer from outside: by its link, its picture, and the shop.

The server keeps one deadline for each person and offer. All of these read that one, as the mail did, so none of them
can say another, and nothing that is asked of them moves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from nurture.engine.addresses import normalise
from nurture.engine.show import offer_document
from nurture.errors import Refused
from nurture.journey.timing import zone as zone_of
from nurture.language.sequence import ENGLISH
from nurture.mail.phrases import in_words
from nurture.store import offers, people

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.store.database import Store


@dataclass(frozen=True, slots=True)
class Missed:
    """An offer whose deadline is over, as its page says it. `target` is where the author leads instead, or ""."""

    deadline: str
    target: str
    language: str
    sender: str


def missed(store: Store, deployed: Deployed, message: str, now: datetime) -> Missed | None:
    """What the link of this mail shows instead of the shop; None while its offer is open, and for who took it."""
    with store.read() as tx:
        offer = offers.of_message(tx, message)
        if offer is None or offer.deadline is None or not offer.over(now) or offer.redeemed_at is not None:
            return None
        person = people.by_ids(tx, [offer.subscriber])[offer.subscriber]
    bought = person.bought.get(offer.product)
    if bought is not None and bought >= offer.granted_at:
        return None
    sequence = deployed.sequences.get(offer.sequence)
    sequence = None if sequence is None else sequence.in_language(person.attributes.get("language"))
    asking = None if sequence is None else sequence.steps.get(offer.step)
    language = str(person.attributes.get("language") or ENGLISH) if sequence is None else sequence.language
    zone = zone_of(str(person.attributes.get("timezone") or ""), deployed.rules.zone)
    return Missed(
        in_words(offer.deadline, zone, language), "" if asking is None else asking.ask.missed, language,
        "" if sequence is None else sequence.title,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Countdown:
    """How long an offer is still open (nothing when it is over or taken), and the language of whom it was made to."""

    left: timedelta
    language: str


def countdown(store: Store, offer: str, now: datetime) -> Countdown | None:
    """What the picture of an offer shows; None when there is no such offer, or it never ends."""
    with store.read() as tx:
        found = offers.by_id(tx, offer)
        if found is None or found.deadline is None:
            return None
        person = people.by_ids(tx, [found.subscriber])[found.subscriber]
    return Countdown(max(timedelta(0), found.deadline - now), str(person.attributes.get("language") or ENGLISH))


class Ambiguous(Refused):
    """Several people have this code, so that it takes their address to say whose offer is meant."""


class Spent(Refused):
    """An offer was used before."""


class Over(Refused):
    """The deadline of this offer is over."""


def look(store: Store, code: str, email: str | None, now: datetime) -> dict[str, object] | None:
    """An offer as a shop sees it, in the shape `nurture.offer/1`; None when nobody has this code.

    Raises Ambiguous for a code that several have, when no address says whose is meant.
    """
    with store.read() as tx:
        found = _found(tx, code, email)
    return None if found is None else offer_document(found, now)


def redeem(store: Store, code: str, email: str | None, now: datetime) -> dict[str, object] | None:
    """Use an offer up. Raises Spent or Over when that is not possible any more; of two at once, one succeeds."""
    with store.write() as tx:
        found = _found(tx, code, email)
        if found is None:
            return None
        done = offers.redeem(tx, found.id, now)
        after = offers.by_id(tx, found.id) or found
    document = offer_document(after, now)
    if done:
        return document
    if after.redeemed_at is not None:
        raise Spent(f"{code} was redeemed at {document['redeemed']}")
    raise Over(f"{code} was good until {document['deadline']}")


def _found(tx: Connection, code: str, email: str | None) -> offers.Offer | None:
    found = offers.of_code(tx, code, None if email is None else normalise(email)) if code else []
    if len(found) > 1:
        raise Ambiguous(f"{len(found)} people have the code {code}; say whose is meant, with ?email=ADDRESS")
    return found[0] if found else None
