"""Who gets no more mail, from any sequence: a complaint, an unsubscription, a hard bounce, many soft ones, an operator.

What holds at the end depends on what was reported and not on its order: of several reasons the strongest stays.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nurture.engine import listening
from nurture.engine.addresses import normalise
from nurture.engine.moving import Reached, carry
from nurture.journey.bounces import worn_out
from nurture.journey.events import ENDS_EVERYTHING, Event, Kind
from nurture.store import enrollments, events, people, suppressions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.journey.enrollment import Subscriber
    from nurture.store.database import Store

WORDS = frozenset(ENDS_EVERYTHING.values())


def end_people(tx: Connection, deployed: Deployed, hit: Iterable[tuple[int, Event]], now: datetime) -> list[Reached]:
    """Bar these people for what was reported of them, and say which of their places hear of it."""
    strength = suppressions.STRENGTH
    strongest: dict[int, Event] = {}
    since: dict[int, datetime] = {}
    for who, event in hit:
        since[who] = min(event.at, since.get(who, event.at))
        known = strongest.get(who)
        rank = (-strength[ENDS_EVERYTHING[event.kind]], event.at)
        if known is None or rank < (-strength[ENDS_EVERYTHING[known.kind]], known.at):
            strongest[who] = event
    by_kind: dict[Kind, list[int]] = defaultdict(list)
    for who, event in sorted(strongest.items()):
        by_kind[event.kind].append(who)
    for kind, whom in by_kind.items():
        status = ENDS_EVERYTHING[kind]
        found = people.by_ids(tx, whom)
        for one in found.values():
            suppressions.bar(tx, [one.email], status, since[one.id])
        stronger = people.stop(tx, whom, status)
        for who in stronger:
            _say_stronger(tx, who, strongest[who])
        news = [one for one in found.values() if one.status == "active" or one.id in stronger]
        _tell(tx, deployed, [(one, status, strongest[one.id].reason) for one in news], now)
    return [
        (place, person, strongest[person.id])
        for place, person in enrollments.of_people(tx, sorted(strongest), lock=True)
    ]


def _tell(tx: Connection, deployed: Deployed, refused: Iterable[tuple[Subscriber, str, str]], now: datetime) -> None:
    """Others hear of people that get no more mail, and why."""
    told = [(one, listening.Happened(kind, now, one.id, more={"because": why})) for one, kind, why in refused]
    emails = {one.id: one.email for one, _ in told}
    listening.tell(tx, deployed.rules.listeners, [happened for _, happened in told], emails, now)


def _say_stronger(tx: Connection, who: int, event: Event) -> None:
    """Passes that ended for a weaker reason name the stronger one, as if it had come first."""
    word = ENDS_EVERYTHING[event.kind]
    changed = [
        replace(place, ended=word, because=event.kind.value)
        for place in enrollments.every_pass(tx, who)
        if place.ended in WORDS
    ]
    enrollments.save(tx, changed)


# --- soft bounces, once their neighbours have come as well


def grade(tx: Connection, deployed: Deployed, bounced: Collection[int], now: datetime) -> Mapping[int, str]:
    """Stop the people whose mailbox has refused too often. Returns why, for each of them."""
    found: dict[int, str] = {}
    reached: list[Reached] = []
    for one in people.by_ids(tx, sorted(bounced)).values():
        why = worn_out([events.as_event(row) for row in events.reports_of(tx, one.id)])
        if not why or one.status != "active":
            continue
        found[one.id] = why
        suppressions.bar(tx, [one.email], "soft", now, why)
        people.stop(tx, [one.id], "bounced")
        _tell(tx, deployed, [(one, "bounced", why)], now)
        event = Event(Kind.BOUNCED, now, reason=why)
        reached += [(place, person, event) for place, person in enrollments.of_people(tx, [one.id], lock=True)]
    carry(tx, deployed, reached, now)
    return found


# --- by hand


@dataclass(frozen=True, slots=True)
class Changed:
    """What an operator changed. `before` is what barred the address until now."""

    email: str
    known: bool
    before: suppressions.Barred | None


def suppress(store: Store, deployed: Deployed, email: str, because: str, now: datetime) -> Changed:
    """An operator bars an address; its person, if there is one, gets no more mail from any sequence."""
    address = normalise(email)
    with store.write() as tx:
        before = suppressions.of(tx, [address]).get(address)
        person = people.by_email(tx, address)
        suppressions.bar(tx, [address], "manual", now, because)
        if person is not None and person.status == "active":
            people.stop(tx, [person.id], "manual")
            _tell(tx, deployed, [(person, "unsubscribed", because)], now)
            event = Event(Kind.UNSUBSCRIBED, now, reason=because)
            places = enrollments.of_people(tx, [person.id], lock=True)
            carry(tx, deployed, [(place, one, event) for place, one in places], now)
        _note(tx, "suppressed", person, because, now)
    return Changed(address, person is not None, before)


def unsuppress(store: Store, email: str, because: str, now: datetime) -> Changed:
    """An operator lets an address have mail again. What had ended stays ended; a sign-up begins anew."""
    address = normalise(email)
    with store.write() as tx:
        person = people.by_email(tx, address)
        before = suppressions.lift(tx, address)
        if person is not None and person.status != "active":
            people.revive(tx, person.id)
        if before is not None or person is not None:
            why = f"{because} (it was barred: {before.reason})" if before is not None else because
            _note(tx, "unsuppressed", person, why, now)
    return Changed(address, person is not None, before)


def _note(tx: Connection, kind: str, person: Subscriber | None, because: str, now: datetime) -> None:
    """The trace of it. Without a person there is nobody to name: an address is kept nowhere but as a digest."""
    note = events.Recorded(
        kind=kind, at=now, received_at=now, subscriber=None if person is None else person.id, reason=because
    )
    events.record(tx, [note])
