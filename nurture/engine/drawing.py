"""Prize draws on the record: who is in, closed before the seed is known, and drawn from with one seed.

An entry is a digest under the database's own key, so that a log can be published and names nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nurture.errors import Refused
from nurture.language.problems import or_one_of
from nurture.report.draw import drawn, log_hash
from nurture.store import audit, draws, people, reports, suppressions
from nurture.store.audit import Entry
from nurture.store.draws import Draw

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.journey.enrollment import Enrollment, Subscriber
    from nurture.store.database import Store


@dataclass(frozen=True, slots=True)
class Closed:
    """A log as it is published. `number` counts the logs of this ask: the first is 1."""

    hash: str
    entries: tuple[str, ...]
    closed_at: datetime
    number: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """The winning entries, the first first, each with its address; "" for who was erased since."""

    winners: tuple[tuple[str, str], ...]
    drawn_at: datetime


def close(store: Store, deployed: Deployed, of: str, now: datetime, *, by: str) -> Closed:
    """Close the log of an ask: everyone who kept it enters once. Raises Refused when there is no such ask."""
    name, _, step = of.partition(".")
    ladders = deployed.ladders
    if name not in ladders or step not in ladders[name].steps:
        known = [f"{one}.{ask}" for one, ladder in ladders.items() for ask in ladder.steps]
        raise Refused(f"there is no ask '{of}'{or_one_of(of, known)}")
    root = ladders[name].steps[step].root
    with store.write() as tx:
        kept = sorted({who for who, _ in reports.kept(tx, name, root)})
        emails = [one.email for one in people.by_ids(tx, kept).values() if one.status == "active"]
        entries = tuple(sorted(_entries(tx, of, emails)))
        fixed = log_hash(of, entries)
        if draws.close(tx, Draw(fixed, of, name, root, len(entries), now)):
            audit.record(tx, Entry(now, by, "draw closed", of, "", {"hash": fixed, "entries": len(entries)}))
        return Closed(fixed, entries, now, draws.closed(tx, of))


def draw(
    store: Store, of: str, entries: Collection[str], fixed: str, seed: str, winners: int, now: datetime, *, by: str
) -> Drawn:  # fmt: skip
    """Draw from a closed log, on the record. Raises Refused for a log that was changed, is not ours, or has its seed.

    The same seed draws the same; more winners of it come after those that were drawn.
    """
    if log_hash(of, entries) != fixed:
        raise Refused("it is not as it was closed: its entries do not make its hash")
    chosen = drawn(list(entries), fixed, seed, winners)
    with store.write() as tx:
        known = draws.lock(tx, fixed)
        if known is None:
            raise Refused("it was not closed here: this database has no record of its hash")
        if known.drawn_at is not None and known.seed != seed:
            before = f"{known.drawn_at:%d %b %Y %H:%M} UTC"
            raise Refused(f"it was drawn from on {before} with the seed '{known.seed}', and a log has one seed")
        if len(chosen) > len(known.winners) or known.drawn_at is None:
            draws.drawn(tx, fixed, seed, chosen, known.drawn_at or now)
            so = {"hash": fixed, "seed": seed, "winners": chosen}
            audit.record(tx, Entry(now, by, "draw", of, "", so))
        whose = _entries(tx, of, [one.email for one in people.every(tx)])
    return Drawn(tuple((entry, whose.get(entry, "")) for entry in chosen), known.drawn_at or now)


def theirs(tx: Connection, person: Subscriber, places: Iterable[Enrollment]) -> list[tuple[Draw, str]]:
    """The closed draws over what this person kept, each with the entry to look for in its log."""
    kept = {(place.sequence, root) for place in places for root in place.answers}
    found = [one for one in draws.every(tx) if (one.sequence, one.root) in kept]
    return [(one, next(iter(_entries(tx, one.ask, [person.email])))) for one in found]


def _entries(tx: Connection, of: str, emails: Collection[str]) -> Mapping[str, str]:
    """The address behind each entry of this draw."""
    by_digest = suppressions.digests(tx, [f"draw {of}\n{email}" for email in emails])
    return {digest[:32]: said.partition("\n")[2] for digest, said in by_digest.items()}
