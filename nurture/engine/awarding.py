"""The badges of one person in one sequence, as their page shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nurture.journey.timing import zone as zone_of
from nurture.mail.effort import look_of
from nurture.mail.phrases import in_words
from nurture.store import enrollments, messages

if TYPE_CHECKING:
    from nurture.engine.deploy import Deployed
    from nurture.store.database import Store


@dataclass(frozen=True, slots=True)
class Badge:
    """`at` is in words when it was given, "" while it is not. `look` is which picture it has."""

    title: str
    look: int
    at: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """All badges of a sequence: those `given`, in the order they were, then those still `open` as the page has them."""

    sequence: str
    language: str
    given: tuple[Badge, ...]
    open: tuple[Badge, ...]


def badges(store: Store, deployed: Deployed, message: str) -> Shelf | None:
    """The shelf of whom this mail went to, as it is now; None when the mail or its sequence is gone, or has no badges."""
    with store.read() as tx:
        row = messages.by_ids(tx, [message]).get(message)
        found = enrollments.by_ids(tx, [row.enrollment]) if row is not None else []
        latest = enrollments.latest(tx, [found[0][1].id], found[0][0].sequence) if found else {}
    sequence = deployed.sequences.get(found[0][0].sequence) if found else None
    if sequence is None or not sequence.badges:
        return None
    subscriber = found[0][1]
    sequence = sequence.in_language(subscriber.attributes.get("language"))
    zone = zone_of(str(subscriber.attributes.get("timezone") or ""), deployed.rules.zone)
    awards = latest[subscriber.id].awards
    given = [
        Badge(sequence.badges[name].title, look_of(sequence.name, name), in_words(at, zone, sequence.language))
        for name, at in awards.items()
        if name in sequence.badges
    ]
    still = [
        Badge(one.title, look_of(sequence.name, one.name), "")
        for one in sequence.badges.values()
        if one.name not in awards
    ]
    return Shelf(sequence.title or sequence.name, sequence.language, tuple(given), tuple(still))
