"""What shops and programs tell of people by hook: purchases, product events, tags, wishes to leave.

It comes the way of every hook: verified, kept, applied later. What cannot be applied (nobody has this address, there is
no such product) is put aside with its reason; `nurture replay` applies it once that is mended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from nurture.engine.addresses import normalise
from nurture.engine.enroll import declared, happened_to, happening
from nurture.engine.inbox import OWN
from nurture.engine.moving import carry
from nurture.engine.stopping import end_people
from nurture.errors import Refused
from nurture.journey.events import Event, Kind
from nurture.providers import HOOKS
from nurture.providers.base import Hook
from nurture.store import enrollments, events, hooks, people, suppressions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.journey.enrollment import Subscriber
    from nurture.providers.base import Told

ONE_PURCHASE = timedelta(hours=1)
"""Reports that a person bought a product, by the seller's clock no further apart than this, are of one purchase.

Stripe tells of one payment up to three times (the checkout, the invoice, the payment), and since its API of 2025-03-31
they no longer name each other.
"""


class Gone(Exception):
    """What is told is of someone who was erased."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one pass heard of people."""

    recorded: int = 0
    repeated: int = 0
    quarantined: int = 0
    erased: tuple[int, ...] = ()
    """Hooks that tell of someone who was erased."""


def hear(tx: Connection, deployed: Deployed, arrived: Sequence[hooks.Row], now: datetime) -> Heard:
    """Apply what these hooks tell of people; put aside those that cannot be applied."""
    tellers = [hook for hook in arrived if hook.provider != OWN and HOOKS[hook.provider].told is not None]
    recorded = repeated = quarantined = 0
    erased: list[int] = []
    if tellers:
        hooks.one_at_a_time(tx)
    for hook in tellers:
        faults: list[str] = []
        for told in _read(hook, faults):
            try:
                news = _apply(tx, deployed, hook.provider, told, now)
            except Gone:
                erased.append(hook.id)
                continue
            except Refused as error:
                faults.append(str(error))
                continue
            recorded += sum(news)
            repeated += len(news) - sum(news)
        if faults:
            quarantined += 1
            hooks.quarantine(tx, hook.id, "; ".join(faults), "")
    return Heard(recorded, repeated, quarantined, tuple(erased))


def _read(hook: hooks.Row, faults: list[str]) -> list[Told]:
    provider, raw = HOOKS[hook.provider], Hook(hook.headers, hook.body)
    found = []
    for item in provider.items(raw):
        try:
            told = provider.told(item, raw) if provider.told else None
        except Refused as error:
            faults.append(str(error))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError, OSError) as error:
            faults.append(f"not readable as {hook.provider} writes: {type(error).__name__}: {error}")
        else:
            found += [] if told is None else [told]
    return found


def _apply(tx: Connection, deployed: Deployed, provider: str, told: Told, now: datetime) -> list[bool]:
    """Let a report have its effect; for each thing it tells of, whether that was new. All of it or, if Refused, nothing."""
    address = normalise(told.email)
    if people.by_email(tx, address) is None and suppressions.was_erased(tx, address):
        raise Gone
    at = min(told.at, now)
    known = deployed.project.people
    things: list[Event]
    match told.name:
        case "unsubscribed":
            things = [Event(Kind.UNSUBSCRIBED, at, reason=str(told.data.get("reason") or ""))]
        case "tag":
            tag = str(told.data.get("tag") or "")
            declared("tag", [tag], known.tags)
            things = [Event(Kind.HAPPENED, at, happening="tag", name=tag)]
        case "bought":
            things = [
                happening(known, "bought", {**told.data, "product": product}, at)
                for product in _products(told, deployed)
            ]
        case name:
            things = [happening(known, name, told.data, at)]
    if people.by_email(tx, address) is None:
        raise Refused(f"nobody here has the address {address}; `nurture subscribe {address}`, then replay this")
    return [_one(tx, deployed, address, thing, _key(provider, told, thing), now) for thing in things]


def _products(told: Told, deployed: Deployed) -> list[str]:
    """What was bought: the product that is named, else what settings say the seller's ids are."""
    if product := str(told.data.get("product") or ""):
        return [product]
    mapped = deployed.rules.products
    found = sorted({mapped[reference] for reference in told.references if reference in mapped})
    if not found:
        ids = ", ".join(told.references)
        raise Refused(
            "it names no product: put nurture_product into its metadata"
            + (f", or say in nurture.toml under [products] what one of these is: {ids}" if ids else "")
        )
    return found


def _key(provider: str, told: Told, thing: Event) -> str:
    parts = ("told", provider, told.id, thing.kind, thing.happening, thing.name)
    return sha256("\n".join(parts).encode()).hexdigest()[:40]


def _one(tx: Connection, deployed: Deployed, address: str, thing: Event, key: str, now: datetime) -> bool:
    person = people.by_email(tx, address)
    assert person is not None
    enrollments.of_people(tx, [person.id], lock=True)
    person = people.lock(tx, person.id)  # as it is now that nobody else moves them
    if person.status == people.ERASED:
        raise Gone
    if thing.kind is Kind.UNSUBSCRIBED:
        return _leaves(tx, deployed, person, thing, key, now)
    if thing.happening == "bought" and events.bought_between(
        tx, person.id, thing.name, thing.at - ONE_PURCHASE, thing.at + ONE_PURCHASE
    ):
        return False
    if thing.happening == "tag":
        if thing.name in person.tags:
            return False
        person = replace(person, tags=person.tags | {thing.name})
    return happened_to(tx, deployed, person, thing, now, key=key)


def _leaves(tx: Connection, deployed: Deployed, person: Subscriber, thing: Event, key: str, now: datetime) -> bool:
    recorded = events.Recorded(
        kind=thing.kind, at=thing.at, received_at=now, key=key, subscriber=person.id, reason=thing.reason
    )
    if not events.record(tx, [recorded]):
        return False
    carry(tx, deployed, end_people(tx, deployed, [(person.id, thing)], now), now)
    return True
