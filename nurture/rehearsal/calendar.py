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
from nurture.journey.starting import may_start, start_moment, starts
from nurture.journey.verdict import judge
from nurture.language.kinds import KINDS
from nurture.language.sequence import Sequence, Step
from nurture.language.stories import friends_in

SETTLE = timedelta(seconds=30)
HORIZON = timedelta(days=3 * 366)
"""A ladder only leads forward, so it ends; a person who waits longer than this waits for a date that never comes."""

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

Doing = str | int | Mapping[str, object]
"""`yes`, `machine`, the answer to a poll, or what is typed into a form."""

OnMail = Callable[[Step, datetime], list[tuple[timedelta, Doing]]]
"""What the person does about a mail that left at this moment, and how long after it."""


@dataclass(frozen=True, slots=True)
class Mailed:
    """One mail of the story: which step, when it left (UTC), and why then. `turn` is how many turns led to it."""

    step: str
    at: datetime
    because: str
    turn: int


@dataclass(slots=True)
class Life:
    """What happened to one person: every mail in order, every turn of the decision, how it ended."""

    enrollment: Enrollment
    facts: Facts
    mails: list[Mailed] = field(default_factory=list)
    turns: list[tuple[datetime, str]] = field(default_factory=list)
    clicks: dict[str, list[Event]] = field(default_factory=dict)
    decisions: int = 0


def live(
    sequence: Sequence,
    facts: Facts,
    start: datetime,
    *,
    data: Mapping[str, object],
    on_mail: OnMail,
    happenings: list[tuple[datetime, Event]],
    until: datetime | None = None,
    from_start: bool = False,
) -> Life:
    """Live from `start` (UTC), when what begins the sequence happens, until nothing is due, or `until`.

    `happenings` come from outside; one that begins the sequence again does so here as well. `from_start` says that the
    pass begins now, whatever its start asks for.
    """
    life = Life(Enrollment(1, facts.subscriber.id, sequence.name, 1, start, data=data), facts)
    living = Living(sequence, life, on_mail)
    for at, event in happenings:
        living.expect(at, event)
    if from_start:
        living.start(life.enrollment, start)
    else:
        living.begin(start)
    horizon = start + HORIZON if until is None else until
    now = start
    while (due := living.next()) is not None and due < horizon:
        now = max(now, due)  # what a click leads to is due since the click, and its verdict came later
        living.go_on(now)
    return life


@dataclass(slots=True)
class Living:
    """A life in progress and its calendar."""

    sequence: Sequence
    life: Life
    on_mail: OnMail
    entries: list[tuple[datetime, int, Event]] = field(default_factory=list)
    begun: bool = False
    _order: count[int] = field(default_factory=count)

    def expect(self, at: datetime, event: Event) -> None:
        heappush(self.entries, (at, next(self._order), event))

    def next(self) -> datetime | None:
        due = self.life.enrollment.due_at
        if not self.entries:
            return due
        return self.entries[0][0] if due is None else min(due, self.entries[0][0])

    def go_on(self, now: datetime) -> None:
        if self.entries and self.entries[0][0] <= now:
            self.happens(heappop(self.entries)[2], now)
        else:
            self.happens(Event(Kind.DUE, now), now)

    def begin(self, now: datetime) -> None:
        """The pass begins, or waits for the moment it begins at, or does not begin, and then it is said why."""
        life, start = self.life, self.sequence.start
        if any(happening.moment is None for happening in start.when):
            self._start_if_it_may(life.enrollment, now)
            return
        found = start_moment(self.sequence, life.facts, now)
        if found is None:
            wanted = " or ".join(happening.moment.text for happening in start.when if happening.moment is not None)
            life.turns.append((now, f"no pass began: {wanted} is unknown or over"))
            return
        self.begun = True
        text, at = found
        waiting = replace(life.enrollment, due_at=at, waits_for=text, because=f"the pass begins at {text}")
        life.enrollment = waiting
        life.turns.append((now, waiting.because))

    def _start_if_it_may(self, fresh: Enrollment, now: datetime) -> None:
        if may_start(self.sequence, fresh.data, self.life.facts, None, now):
            self.start(fresh, now)
            return
        condition = self.sequence.start.condition
        assert condition is not None, "without a last pass nothing else forbids it"
        self.life.turns.append((now, f"no pass began: start asks for {condition.source}"))

    def start(self, fresh: Enrollment, now: datetime) -> None:
        self.begun = True
        self.life.enrollment = fresh
        self.happens(Event(Kind.STARTED, now), now)

    def happens(self, event: Event, now: datetime) -> None:
        life = self.life
        if event.kind is Kind.CLICKED and event.human is None:
            event = self._judged(event, now)
        elif event.kind is Kind.HAPPENED:
            life.facts = _knowing(life.facts, event)
            if self._begins_again(event, now):
                return
        before = life.enrollment
        life.decisions += 1
        life.enrollment, effects = advance(self.sequence, before, event, life.facts, now)
        if life.enrollment.because != before.because:
            life.turns.append((now, life.enrollment.because))
        for effect in effects:
            match effect:
                case Send(name):
                    self._mail(self.sequence.steps[name], now)
                case Save(name, value):
                    person = life.facts.subscriber
                    person = replace(person, attributes={**person.attributes, name: value})
                    life.facts = replace(life.facts, subscriber=person)
                case End(how):
                    life.turns.append((now, f"ended: {how}"))

    def _mail(self, step: Step, now: datetime) -> None:
        life = self.life
        life.mails.append(Mailed(step.name, now, life.enrollment.because, len(life.turns)))
        if life.facts.gap is not None:  # which alone asks when the last mail to a person left
            life.facts = replace(life.facts, subscriber=replace(life.facts.subscriber, last_mail_at=now))
        for after, doing in self.on_mail(step, now):
            self.expect(now + after, act(step, doing, now + after))
        self.happens(Event(Kind.SENT, now, step=step.name), now)

    def _judged(self, click: Event, now: datetime) -> Event:
        """A click as it is reported, and 30 seconds later with the verdict on it, judged as in life."""
        clicks = self.life.clicks.setdefault(click.step, [])
        if click.judged_at is not None and now < click.judged_at:
            clicks.append(click)
            self.expect(click.judged_at, click)
            return click
        sent_at = next((mail.at for mail in self.life.mails if mail.step == click.step), None)
        verdict = judge(clicks, click, sent_at)
        if not verdict.human:
            why = ", ".join(verdict.reasons)
            self.life.turns.append((now, f"a machine clicked in {click.step}, which counts for nothing: {why}"))
        return replace(click, human=verdict.human)

    def _begins_again(self, event: Event, now: datetime) -> bool:
        """Whether this begins a pass, where none runs."""
        last = self.life.enrollment
        if self.begun and last.ended is None:
            return False
        if not starts(self.sequence, event, self.life.facts, last if self.begun else None, now):
            return False
        number = last.number + self.begun
        fresh = Enrollment(number, last.subscriber, last.sequence, number, now, data=last.data, awards=last.awards)
        self.start(fresh, now)
        return True


def act(step: Step, doing: Doing, at: datetime) -> Event:
    """What a person, or a machine, does about a mail, as the event that reports it."""
    if doing == "machine":  # as link scanners do: it looks without reading
        return Event(Kind.CLICKED, at, step=step.name, url=step.name, method="HEAD", judged_at=at + SETTLE)
    if isinstance(doing, Mapping):
        fields = {field.save: field for field in step.ask.fields}
        typed = {name: fields[name].value(str(value)) for name, value in doing.items() if name in fields}
        return Event(Kind.ANSWERED, at, step=step.name, answer="yes", data=typed)
    kind = step.ask.kind
    match KINDS[kind].yes if kind in KINDS else "page":  # a mail that we wrote is answered on a page of ours
        case "click":
            return Event(
                Kind.CLICKED, at, step=step.name, url=step.name, method="GET", agent=BROWSER, judged_at=at + SETTLE
            )
        case "event":
            return Event(Kind.HAPPENED, at, happening="event", name=step.ask.name)
        case "friends":
            return Event(Kind.HAPPENED, at, happening="friends", name=str(friends_in(doing) or step.ask.friends))
        case "bought":
            return Event(Kind.HAPPENED, at, happening="bought", name=step.ask.name)
        case _:
            return Event(Kind.ANSWERED, at, step=step.name, answer=doing)


def _knowing(facts: Facts, event: Event) -> Facts:
    """Purchases and tags are known of the person before the decision hears of them."""
    person = facts.subscriber
    if event.happening == "bought":
        return replace(facts, subscriber=replace(person, bought={**person.bought, event.name: event.at}))
    if event.happening == "tag":
        return replace(facts, subscriber=replace(person, tags=person.tags | {event.name}))
    return facts
