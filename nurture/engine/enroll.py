"""How people come in, and what programs report of them: sign-ups, imports, product events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.engine.addresses import normalise
from nurture.engine.deploy import deciding
from nurture.engine.moving import await_moments, carry, happen, start
from nurture.errors import Refused
from nurture.journey.events import Event, Kind
from nurture.language.people import convert
from nurture.language.problems import did_you_mean, or_one_of
from nurture.language.sequence import ALWAYS_KNOWN
from nurture.store import enrollments, events, people

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.journey.enrollment import Subscriber
    from nurture.language.sequence import People
    from nurture.store.database import Store


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A sign-up. `suppressed` is why this address gets no mail, "" when it may; `enrolled` are sequences it began."""

    email: str
    is_new: bool
    enrolled: tuple[str, ...] = ()
    suppressed: str = ""


@dataclass(frozen=True, slots=True)
class Reported:
    """A product event. `moved` are the sequences in which it changed the person's place."""

    email: str
    known: bool
    moved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One person of an import, its values already converted."""

    line: int
    email: str
    attributes: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Imported:
    """What one batch of an import did."""

    new: int = 0
    updated: int = 0
    suppressed: int = 0
    enrolled: int = 0


def subscribe(
    store: Store, deployed: Deployed, email: str, *, attributes: Mapping[str, object],
    tags: Sequence[str], sequence: str | None, now: datetime,
) -> Subscribed:  # fmt: skip
    """Add a person, or what we know of them.

    With `sequence` they begin that one and no other; without, a new person has `joined`, and what starts at that
    begins. A suppressed address is kept out. Raises Refused for an address, attribute, tag or sequence that cannot be.
    """
    address = normalise(email)
    known = typed(deployed.project.people, attributes)
    declared("tag", tags, deployed.project.people.tags)
    if sequence is not None and sequence not in deployed.ladders:
        raise Refused(f"there is no sequence '{sequence}'{did_you_mean(sequence, deployed.ladders)}")
    with deciding(store, deployed) as tx:
        before = people.by_email(tx, address)
        (saved,) = people.save(tx, [people.Newcomer(address, known, frozenset(tags))], now)
        if saved.suppressed:
            return Subscribed(address, saved.is_new, suppressed=saved.suppressed)
        subscriber = people.by_ids(tx, [saved.id])[saved.id]
        inside = {place.id for place, _ in enrollments.of_people(tx, [saved.id], lock=True)}
        if sequence is not None:
            start(tx, deployed, [subscriber], sequence, now)
        came(tx, deployed, before, subscriber, now, joins=saved.is_new and sequence is None)
        begun = [place for place, _ in enrollments.of_people(tx, [saved.id], lock=False) if place.id not in inside]
    return Subscribed(address, saved.is_new, tuple(sorted(place.sequence for place in begun)))


def came(
    tx: Connection, deployed: Deployed, before: Subscriber | None, subscriber: Subscriber,
    now: datetime, *, joins: bool,
) -> None:  # fmt: skip
    """Someone is here, or more is known of them: what follows from that."""
    fresh = subscriber.tags - (before.tags if before is not None else frozenset())
    happened = [Event(Kind.HAPPENED, now, happening="tag", name=tag) for tag in sorted(fresh)]
    told = [
        events.Recorded(kind="tag", at=now, received_at=now, subscriber=subscriber.id, reason=event.name)
        for event in happened
    ]
    events.record(tx, told)
    if joins:
        happened.insert(0, Event(Kind.HAPPENED, now, happening="joined"))
    if before is not None and before.attributes != subscriber.attributes:
        happened.insert(0, Event(Kind.CHANGED, now))
    happen(tx, deployed, subscriber, happened, now)
    await_moments(tx, deployed, [subscriber], now)


def import_batch(
    store: Store, deployed: Deployed, rows: Sequence[Row], *, enroll: str | None, now: datetime
) -> Imported:
    """Add many people in one transaction. Enrolls nobody unless asked, and never revives a suppressed address."""
    with deciding(store, deployed) as tx:
        saved = people.save(tx, [people.Newcomer(row.email, row.attributes, row.tags) for row in rows], now)
        welcome = [one for one in saved if not one.suppressed]
        subscribers = people.by_ids(tx, [one.id for one in welcome])
        changed = [subscribers[one.id] for one in welcome if not one.is_new]
        inside = enrollments.of_people(tx, [subscriber.id for subscriber in changed], lock=True)
        carry(tx, deployed, [(place, person, Event(Kind.CHANGED, now)) for place, person in inside], now)
        await_moments(tx, deployed, subscribers.values(), now)
        begun = start(tx, deployed, subscribers.values(), enroll, now) if enroll is not None else ()
    new = sum(1 for one in welcome if one.is_new)
    return Imported(new, len(welcome) - new, len(saved) - len(welcome), len(begun))


def report(
    store: Store, deployed: Deployed, email: str, name: str, data: Mapping[str, object], now: datetime
) -> Reported:
    """The product reports something a person did.

    `name` is an event of people.yaml, or `bought` with the product in `data`, or `replied`. Raises Refused when it is
    none of these. `known` is false when nobody has this address; then nothing is kept.
    """
    address = normalise(email)
    event = happening(deployed.project.people, name, data, now)
    with deciding(store, deployed) as tx:
        subscriber = people.by_email(tx, address)
        if subscriber is None:
            return Reported(address, known=False)
        before = {place.id: place for place, _ in enrollments.of_people(tx, [subscriber.id], lock=True)}
        subscriber = people.lock(tx, subscriber.id)
        if subscriber.status == people.ERASED:
            return Reported(address, known=False)
        happened_to(tx, deployed, subscriber, event, now)
        after = [place for place, _ in enrollments.of_people(tx, [subscriber.id], lock=False)]
    moved = {place.sequence for place in after if place != before.get(place.id)}
    return Reported(address, known=True, moved=tuple(sorted(moved)))


def happened_to(
    tx: Connection, deployed: Deployed, subscriber: Subscriber, event: Event, now: datetime, *, key: str | None = None
) -> bool:
    """Record that something happened to a person, and let it have its effect. With a `key` once: False when known.

    Their enrollments are locked already.
    """
    recorded = events.Recorded(
        kind=event.happening, at=event.at, received_at=now, key=key, subscriber=subscriber.id, reason=event.name,
        detail=dict(event.data),
    )  # fmt: skip
    if not events.record(tx, [recorded]) and key is not None:
        return False
    if event.happening == "bought":
        subscriber = replace(subscriber, bought={**subscriber.bought, event.name: event.at})
    subscriber = replace(subscriber, last_seen_at=max(subscriber.last_seen_at or event.at, event.at))
    people.update(tx, [subscriber])
    happen(tx, deployed, subscriber, [event], now)
    return True


def happening(known: People, name: str, data: Mapping[str, object], now: datetime) -> Event:
    """What a program reports, as people.yaml declares it. Raises Refused for anything else."""
    if name == "bought":
        product = str(data.get("product", ""))
        if not product:
            raise Refused('say what was bought: --data \'{"product": "NAME"}\'')
        declared("product", [product], known.products)
        return Event(Kind.HAPPENED, now, happening="bought", name=product, data=data)
    if name == "replied":
        return Event(Kind.HAPPENED, now, happening="replied", data=data)
    if name not in known.events:
        hint = or_one_of(name, ("bought", "replied", *known.events))
        raise Refused(f"people.yaml declares no event '{name}'{hint}")
    kinds = known.events[name]
    converted = {key: _converted(kinds[key], key, value) if key in kinds else value for key, value in data.items()}
    return Event(Kind.HAPPENED, now, happening="event", name=name, data=converted)


def typed(known: People, attributes: Mapping[str, object]) -> dict[str, object]:
    """Attributes as people.yaml declares them. Raises Refused for a name or value that it does not allow."""
    kinds: dict[str, str | tuple[str, ...]] = {**dict.fromkeys(ALWAYS_KNOWN, "text"), **known.attributes}
    declared("attribute", attributes, kinds)
    return {name: _converted(kinds[name], name, value) for name, value in attributes.items() if value is not None}


def _converted(kind: str | tuple[str, ...], name: str, value: object) -> object:
    try:
        return convert(kind, value if isinstance(value, str) else str(value))
    except ValueError as error:
        raise Refused(f"{name}: {error}") from None


def declared(
    what: str, names: Mapping[str, object] | Sequence[str], known: Mapping[str, object] | Sequence[str]
) -> None:
    """Raises Refused, with the nearest word, for a name that people.yaml does not have."""
    for name in names:
        if name not in known:
            raise Refused(f"people.yaml declares no {what} '{name}'{did_you_mean(name, known)}")
