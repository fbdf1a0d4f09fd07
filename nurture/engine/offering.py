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
from nurture.language.problems import counted
from nurture.store import codes, offers, wakeups, wishes

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.journey.enrollment import Enrollment
    from nurture.store.messages import Plan

log = logging.getLogger("nurture.offers")

LOOK_AGAIN = timedelta(minutes=1)
"""When to look for a code again where a pool had none."""

SHORTLY = timedelta(seconds=5)
"""How long a shop is given to answer before its code is looked for."""

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
    owed = {plan.enrollment: _thanks(deployed, places[plan.enrollment]) for plan in plans}
    if not buying and not any(owed.values()):
        return Made(plans)
    with_offers = {plan.enrollment for plan in buying} | {number for number, steps in owed.items() if steps}
    known = offers.of_passes(tx, sorted(with_offers))
    late = [(number, step) for number, steps in owed.items() for step in steps if step not in known.get(number, {})]
    still = grant(tx, deployed, late, places, now)
    fresh: dict[str, offers.Offer] = {}
    wanted: dict[str, list[str]] = defaultdict(list)
    wished = wishes.of_passes(tx, sorted(with_offers))
    held: dict[int, Enrollment] = {}
    for who, pool in still.items():
        if pool in deployed.rules.shops:
            found = next((one for one in wished.values() if (one.enrollment, one.pool) == (who, pool)), None)
            held[who] = _waits_for_shop(places[who], "", found, pool, now)
        else:
            held[who] = _waits(places[who], "", pool, now)
    for plan in buying:
        root = deployed.sequences[plan.sequence].steps[asking[plan.id].root]
        if root.name in known.get(plan.enrollment, {}):
            continue
        deadline = places[plan.enrollment].offers[root.name] if root.offer_ends else None
        fresh[plan.id] = offers.Offer(
            secrets.token_urlsafe(12), plan.enrollment, plan.subscriber, plan.sequence, root.name, root.ask.name,
            root.ask.code, deadline, now,
        )  # fmt: skip
        wish = wished.get((plan.enrollment, root.name))
        if root.ask.pool and wish is not None and wish.code:
            fresh[plan.id] = replace(fresh[plan.id], id=wish.id, code=wish.code)
        elif root.ask.pool in deployed.rules.shops:
            _ask(tx, fresh.pop(plan.id), wish, root.ask.pool, now)
            held[plan.enrollment] = _waits_for_shop(places[plan.enrollment], root.name, wish, root.ask.pool, now)
        elif root.ask.pool:
            wanted[root.ask.pool].append(plan.id)
    for pool, waiting in sorted(wanted.items()):
        given = _take(tx, pool, [fresh[number].id for number in waiting])
        for number in waiting:
            offer = fresh[number]
            if offer.id in given:
                wishes.forget(tx, offer.enrollment, offer.step)  # of a shop that is asked no more
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


def _thanks(deployed: Deployed, place: Enrollment) -> list[str]:
    """The forms this person sent that thank with a code."""
    steps = deployed.sequences[place.sequence].steps
    return [name for name in place.offers if name in steps and steps[name].ask.grants]


def grant(
    tx: Connection, deployed: Deployed, thanked: Sequence[tuple[int, str]], places: Mapping[int, Enrollment], now: datetime
) -> Mapping[int, str]:  # fmt: skip
    """Give who sent a form the code it thanks with, once. Who gets none, and which pool is empty, comes back; the next
    mail of their pass waits until it is filled.
    """
    empty: dict[int, str] = {}
    made = []
    wished = wishes.of_passes(tx, sorted({number for number, _ in thanked}))
    for number, name in thanked:
        place = places[number]
        step = deployed.sequences[place.sequence].steps[name]
        deadline = place.offers[name] if step.offer_ends else None
        offer = offers.Offer(
            secrets.token_urlsafe(12), number, place.subscriber, place.sequence, name, step.ask.name, step.ask.code,
            deadline, now,
        )  # fmt: skip
        wish = wished.get((number, name))
        if step.ask.pool and wish is not None and wish.code:
            offer = replace(offer, id=wish.id, code=wish.code)
        elif step.ask.pool in deployed.rules.shops:
            _ask(tx, offer, wish, step.ask.pool, now)
            empty[number] = step.ask.pool
            continue
        elif step.ask.pool:
            given = _take(tx, step.ask.pool, [offer.id])
            if offer.id not in given:
                empty[number] = step.ask.pool
                continue
            wishes.forget(tx, number, name)
            offer = replace(offer, code=given[offer.id])
        made.append(offer)
    offers.add(tx, made)
    return empty


def _take(tx: Connection, pool: str, wanted: Sequence[str]) -> Mapping[str, str]:
    given = codes.take(tx, pool, wanted)
    left = codes.left(tx, pool)
    if len(given) < len(wanted):
        short = len(wanted) - len(given)
        known = {"pool": pool, "count": short}
        waits = f"{counted(short, 'mail')} {'waits' if short == 1 else 'wait'}"
        log.error("%s for a code: the pool %s is empty; %s", waits, pool, fill(pool), extra=known)
    elif left < LOW:
        log.warning(
            "the pool %s has %s left; %s", pool, counted(left, "code"), fill(pool), extra={"pool": pool, "count": left}
        )
    return given


def fill(pool: str) -> str:
    """The command that brings more codes."""
    return f"nurture codes import {pool} FILE.csv"


def _waits(place: Enrollment, root: str, pool: str, now: datetime) -> Enrollment:
    why = f"the pool {pool} has no code left; {fill(pool)}"
    return _held(place, root, why, now + LOOK_AGAIN)


def _ask(tx: Connection, offer: offers.Offer, wish: wishes.Wish | None, pool: str, now: datetime) -> None:
    """The shop is to be asked, once for a person and pass."""
    if wish is None:
        wishes.add(tx, wishes.Wish(offer.id, offer.enrollment, offer.step, pool, offer.product, now, now))
    elif wish.due_at is None:  # it was not asked for while their pass was over
        wishes.again(tx, wish.id, now)
    wakeups.want(tx, "shop")


def _waits_for_shop(place: Enrollment, root: str, wish: wishes.Wish | None, pool: str, now: datetime) -> Enrollment:
    error = wish.error if wish is not None else ""
    why = f"the shop of {pool} {error}" if error else f"the shop is asked for a code of {pool}"
    next_try = wish.due_at if wish is not None and wish.due_at is not None else now
    return _held(place, root, why, max(next_try, now + (LOOK_AGAIN if error else timedelta(0))) + SHORTLY)


def _held(place: Enrollment, root: str, why: str, look_at: datetime) -> Enrollment:
    """As they stood before their mail was due: nothing was offered, so no deadline runs."""
    return changed(
        place,
        phase="waiting",
        due_at=look_at,
        offers={name: deadline for name, deadline in place.offers.items() if name != root},
        because=f"{place.step} is held: {why}",
    )
