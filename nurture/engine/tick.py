"""What time brings: clicks that have settled get their verdict, people whose time has come get their decision.

A pass does one batch in one transaction and returns what it did; the loop around it is someone else's. Its cost
follows what is due now, never who is waiting.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nurture.engine.deploy import deciding
from nurture.engine.moving import Carried, Reached, carry
from nurture.journey.events import Event, Kind
from nurture.journey.verdict import judge
from nurture.store import enrollments, events, messages, people

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.store.database import Store

BATCH = 500
"""Rows a pass takes: 100 reaches two thirds of its pace, 2,000 adds a twentieth on SQLite."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """What one pass did; `more` is true when a full batch was found, so that another pass should follow at once."""

    judged: int = 0
    decided: int = 0
    planned: int = 0
    ended: int = 0
    more: bool = False


def tick(store: Store, deployed: Deployed, now: datetime, *, batch: int = BATCH) -> Ticked:
    """One pass: verdicts first, since a yes that was given in time goes before the no."""
    if not _anything_due(store, now):
        return Ticked()
    with deciding(store, deployed) as tx:
        clicks = events.to_judge(tx, now, batch)
        reached = _judged(tx, clicks) if clicks else []
        judged = carry(tx, deployed, reached, now) if reached else Carried()
        due = enrollments.due(tx, now, batch)
        due.sort(key=lambda pair: (-_priority(deployed, pair[0].sequence), pair[0].due_at))
        moment = Event(Kind.DUE, now)
        carried = carry(tx, deployed, [(place, person, moment) for place, person in due], now)
    return Ticked(
        judged=len(clicks),
        decided=judged.decided + carried.decided,
        planned=judged.planned + carried.planned,
        ended=judged.ended + carried.ended,
        more=len(clicks) == batch or len(due) == batch,
    )


def _anything_due(store: Store, now: datetime) -> bool:
    with store.read() as tx:
        first = [moment for moment in (enrollments.peek(tx), events.peek(tx)) if moment is not None]
    return any(moment <= now for moment in first)


def _priority(deployed: Deployed, name: str) -> int:
    sequence = deployed.sequences.get(name)
    return 0 if sequence is None else sequence.priority


def _judged(tx: Connection, clicks: list[events.Row]) -> list[Reached]:
    """Give each settled click its verdict, and say whom a human one reaches."""
    rows = messages.by_ids(tx, sorted({click.message for click in clicks}))
    seen: dict[str, list[Event]] = defaultdict(list)
    for row in events.of_messages(tx, list(rows)):
        if row.kind in (Kind.CLICKED, Kind.UNSUBSCRIBED):
            seen[row.message].append(events.as_event(row))
    verdicts, human = [], []
    for click in clicks:
        message = rows[click.message]
        verdict = judge(seen[click.message], events.as_event(click), message.sent_at)
        verdicts.append((click.id, verdict.human, "; ".join(verdict.reasons)))
        if verdict.human:
            human.append((message, click))
    events.judge(tx, verdicts)
    people.seen(tx, {message.subscriber: click.at for message, click in human})
    places = {place.id: (place, person) for place, person in enrollments.by_ids(tx, [m.enrollment for m, _ in human])}
    return [
        (*places[message.enrollment], Event(Kind.CLICKED, click.at, step=message.step, human=True))
        for message, click in human
        if message.enrollment in places
    ]
