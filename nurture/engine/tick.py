"""What time brings: clicks that have settled get their verdict, people whose time has come get their decision.

A pass does one batch in one transaction and returns what it did; the loop around it is someone else's. Its cost
follows what is due now, never who is waiting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nurture.engine.deploy import deciding
from nurture.engine.judging import judged_clicks
from nurture.engine.moving import Carried, carry
from nurture.engine.referring import tell
from nurture.engine.signing import forget, forgets_at
from nurture.engine.stopping import grade
from nurture.journey.events import Event, Kind
from nurture.store import enrollments, events, friends

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
    friends_wait, forms_are_over, anything = _look(store, now)
    told = tell(store, deployed, now) if friends_wait else 0
    if forms_are_over:
        forget(store, now)
    if not anything and not told:
        return Ticked()
    with deciding(store, deployed) as tx:
        settled = events.to_judge(tx, now, batch)
        clicks = [row for row in settled if row.kind == Kind.CLICKED]
        reached = judged_clicks(tx, clicks) if clicks else []
        judged = carry(tx, deployed, reached, now) if reached else Carried()
        _judge_bounces(tx, deployed, [row for row in settled if row.kind != Kind.CLICKED], now)
        due = enrollments.due(tx, now, batch)
        due.sort(key=lambda pair: (-_priority(deployed, pair[0].sequence), pair[0].due_at))
        moment = Event(Kind.DUE, now)
        carried = carry(tx, deployed, [(place, person, moment) for place, person in due], now)
    return Ticked(
        judged=len(settled),
        decided=told + judged.decided + carried.decided,
        planned=judged.planned + carried.planned,
        ended=judged.ended + carried.ended,
        more=told > 0 or len(settled) == batch or len(due) == batch,
    )


def _look(store: Store, now: datetime) -> tuple[bool, bool, bool]:
    """Whether a friend is to be counted, a form to be forgotten, a click or a person due: one look, each by an index."""
    with store.read() as tx:
        moments = (forgets_at(tx), enrollments.peek(tx), events.peek(tx))
        friend = friends.any_uncounted(tx)
    form, *first = (moment is not None and moment <= now for moment in moments)
    return friend, form, any(first)


def _priority(deployed: Deployed, name: str) -> int:
    sequence = deployed.sequences.get(name)
    return 0 if sequence is None else sequence.priority


def _judge_bounces(tx: Connection, deployed: Deployed, bounces: list[events.Row], now: datetime) -> None:
    """Soft bounces are graded when their neighbours have come as well; each says what came of it."""
    whose = {row.subscriber for row in bounces if row.subscriber is not None}
    stopped = grade(tx, deployed, whose, now) if whose else {}
    events.judge(tx, [(row.id, True, _with(row.reason, stopped.get(row.subscriber or 0, ""))) for row in bounces])


def _with(reason: str, more: str) -> str:
    return f"{reason}; {more}" if reason and more else reason or more
