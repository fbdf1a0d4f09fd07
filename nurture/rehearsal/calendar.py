"""One imagined person on an imagined calendar, moved by the real decision.

Time jumps from one thing that is due to the next, so years take milliseconds. A mail leaves the instant it is sent;
a click waits for its verdict as it does in life.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count

from nurture.journey.advance import advance
from nurture.journey.enrollment import End, Enrollment, Facts, Save, Send
from nurture.journey.events import Event, Kind
from nurture.language.sequence import Sequence, Step

SETTLE = timedelta(seconds=30)
HORIZON = timedelta(days=3 * 366)
"""A ladder only leads forward, so it ends; a person who waits longer than this waits for a date that never comes."""

Doing = str | int
"""`yes`, `machine`, or the answer to a poll."""


@dataclass(frozen=True, slots=True)
class Mailed:
    """One mail of the story: which step, when it left (UTC), and why then."""

    step: str
    at: datetime
    because: str


@dataclass(slots=True)
class Life:
    """What happened to one person: every mail in order, every turn of the decision, how it ended."""

    enrollment: Enrollment
    facts: Facts
    mails: list[Mailed] = field(default_factory=list)
    turns: list[tuple[datetime, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Calendar:
    entries: list[tuple[datetime, int, Event]] = field(default_factory=list)
    _order: Callable[[], int] = field(default_factory=lambda: count().__next__)

    def add(self, at: datetime, event: Event) -> None:
        heappush(self.entries, (at, self._order(), event))

    def next(self) -> datetime | None:
        return self.entries[0][0] if self.entries else None

    def take(self) -> Event:
        return heappop(self.entries)[2]


def live(
    sequence: Sequence,
    facts: Facts,
    start: datetime,
    *,
    data: Mapping[str, object],
    on_mail: Callable[[Step, datetime], list[tuple[timedelta, Doing]]],
    happenings: list[tuple[datetime, Event]],
) -> Life:
    """Live through a pass that begins at `start` (UTC).

    `on_mail` says what the person does about each mail, and how long after it; `happenings` come from outside.
    """
    calendar = _Calendar()
    for at, event in happenings:
        calendar.add(at, event)
    life = Life(Enrollment(1, facts.subscriber.id, sequence.name, 1, start, data=data), facts)
    _happens(sequence, life, calendar, Event(Kind.STARTED, start), start, on_mail)
    while (now := _earlier(life.enrollment.due_at, calendar.next())) is not None and now < start + HORIZON:
        due = calendar.next() != now
        event = Event(Kind.DUE, now) if due else calendar.take()
        _happens(sequence, life, calendar, event, now, on_mail)
    return life


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    known = [moment for moment in (one, other) if moment is not None]
    return min(known, default=None)


def _happens(
    sequence: Sequence,
    life: Life,
    calendar: _Calendar,
    event: Event,
    now: datetime,
    on_mail: Callable[[Step, datetime], list[tuple[timedelta, Doing]]],
) -> None:
    if event.kind is Kind.CLICKED and event.human is None and event.judged_at is not None:
        calendar.add(event.judged_at, replace(event, human=event.agent != "machine", judged_at=None))
    life.facts = _knowing(life.facts, event)
    before = life.enrollment
    life.enrollment, effects = advance(sequence, before, event, life.facts, now)
    if life.enrollment.because != before.because:
        life.turns.append((now, life.enrollment.because))
    for effect in effects:
        match effect:
            case Save(name, value):
                person = life.facts.subscriber
                person = replace(person, attributes={**person.attributes, name: value})
                life.facts = replace(life.facts, subscriber=person)
            case Send(name):
                step = sequence.steps[name]
                life.mails.append(Mailed(name, now, life.enrollment.because))
                person = replace(life.facts.subscriber, last_mail_at=now)
                life.facts = replace(life.facts, subscriber=person)
                for after, doing in on_mail(step, now):
                    calendar.add(now + after, act(step, doing, now + after))
                _happens(sequence, life, calendar, Event(Kind.SENT, now, step=name), now, on_mail)
            case End(how):
                life.turns.append((now, f"ended: {how}"))


def act(step: Step, doing: Doing, at: datetime) -> Event:
    """What a person does about a mail, as the event that reports it."""
    if doing == "machine":
        return Event(Kind.CLICKED, at, step=step.name, agent="machine", judged_at=at + SETTLE)
    match step.ask.kind:
        case "click":
            return Event(Kind.CLICKED, at, step=step.name, judged_at=at + SETTLE)
        case "event":
            return Event(Kind.HAPPENED, at, happening="event", name=step.ask.name)
        case "buy":
            return Event(Kind.HAPPENED, at, happening="bought", name=step.ask.name)
        case _:
            return Event(Kind.ANSWERED, at, step=step.name, answer=doing)


def _knowing(facts: Facts, event: Event) -> Facts:
    """Purchases and tags are known of the person before the decision hears of them."""
    person = facts.subscriber
    if event.kind is Kind.HAPPENED and event.happening == "bought":
        return replace(facts, subscriber=replace(person, bought={**person.bought, event.name: event.at}))
    if event.kind is Kind.HAPPENED and event.happening == "tag":
        return replace(facts, subscriber=replace(person, tags=person.tags | {event.name}))
    return facts
