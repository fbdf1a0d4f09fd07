"""Making offers, in the transaction that plans their mail: a deadline that is written once, a code of one's own."""

from __future__ import annotations

import logging
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from nurture.journey.enrollment import changed
from nurture.store import codes, offers

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.journey.enrollment import Enrollment
    from nurture.store.messages import Plan

log = logging.getLogger("nurture.offers")

LOOK_AGAIN = timedelta(minutes=1)
"""When to look for a code again where a pool had none."""

LOW = 20
"""Codes in a pool below which it is said that they run out."""


@dataclass(frozen=True, slots=True)
class Made:
    """Mails that may be planned, each with the offer it makes, and who waits for a code, as they stand then."""

    plans: Sequence[Plan]
    held: Mapping[int, Enrollment] = field(default_factory=dict)


def make(
    tx: Connection, deployed: Deployed, plans: Sequence[Plan], places: Mapping[int, Enrollment], now: datetime
) -> Made:
    """Make the offers of these mails. A mail that asks again makes the same offer; without a code there is no mail."""
    asking = {plan.id: deployed.sequences[plan.sequence].steps[plan.step] for plan in plans}
    buying = [plan for plan in plans if asking[plan.id].ask.kind == "buy"]
    if not buying:
        return Made(plans)
    known = offers.of_passes(tx, sorted({plan.enrollment for plan in buying}))
    fresh: dict[str, offers.Offer] = {}
    wanted: dict[str, list[str]] = defaultdict(list)
    for plan in buying:
        root = deployed.sequences[plan.sequence].steps[asking[plan.id].root]
        if root.name in known.get(plan.enrollment, {}):
            continue
        deadline = places[plan.enrollment].offers[root.name] if root.ends else None
        fresh[plan.id] = offers.Offer(
            secrets.token_urlsafe(12), plan.enrollment, plan.subscriber, plan.sequence, root.name, root.ask.name,
            root.ask.code, deadline, now,
        )  # fmt: skip
        if root.ask.pool:
            wanted[root.ask.pool].append(plan.id)
    held: dict[int, Enrollment] = {}
    for pool, waiting in sorted(wanted.items()):
        given = _take(tx, pool, [fresh[number].id for number in waiting])
        for number in waiting:
            offer = fresh[number]
            if offer.id in given:
                fresh[number] = replace(offer, code=given[offer.id])
            else:
                del fresh[number]
                held[offer.enrollment] = _waits(places[offer.enrollment], offer.step, pool, now)
    offers.add(tx, list(fresh.values()))
    made = {plan.id: fresh[plan.id].id for plan in buying if plan.id in fresh}
    made |= {
        plan.id: known[plan.enrollment][asking[plan.id].root].id
        for plan in buying
        if asking[plan.id].root in known.get(plan.enrollment, {})
    }
    left = [plan for plan in plans if plan.enrollment not in held]
    return Made([replace(plan, offer=made.get(plan.id, "")) for plan in left], held)


def _take(tx: Connection, pool: str, wanted: Sequence[str]) -> Mapping[str, str]:
    given = codes.take(tx, pool, wanted)
    left = codes.left(tx, pool)
    if len(given) < len(wanted):
        log.error("%d mail(s) wait for a code: the pool %s is empty; %s", len(wanted) - len(given), pool, fill(pool))
    elif left < LOW:
        log.warning("the pool %s has %d code(s) left; %s", pool, left, fill(pool))
    return given


def fill(pool: str) -> str:
    """The command that brings more codes."""
    return f"nurture codes import {pool} FILE.csv"


def _waits(place: Enrollment, root: str, pool: str, now: datetime) -> Enrollment:
    """As they stood before their mail was due: nothing was offered, so no deadline runs."""
    return changed(
        place,
        phase="waiting",
        due_at=now + LOOK_AGAIN,
        offers={name: deadline for name, deadline in place.offers.items() if name != root},
        because=f"{place.step} is held: the pool {pool} has no code left; {fill(pool)}",
    )
