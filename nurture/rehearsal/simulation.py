"""A forecast: many imagined people live through a sequence on the real decision, and what happened is counted.

Nobody rolls dice: each person draws a lot for each step, by hash, as in a split. So a seed gives the same people on
every machine and in any order, and another yes-rate for one step changes only what follows from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.journey.branching import lot
from nurture.journey.enrollment import Facts, Subscriber
from nurture.journey.events import Event, Kind
from nurture.rehearsal.calendar import Doing, Life, live

if TYPE_CHECKING:
    from nurture.language.sequence import AnswerKey, Duration, Sequence, Step

BY_SIZE = MappingProxyType({1: 0.30, 2: 0.22, 3: 0.12, 4: 0.05, 5: 0.04})
"""The share that says yes where nothing better is known: guesses, so that a forecast can be made on the first day."""

ASKED_AGAIN = 0.5
"""Of that share, who asks the same thing again gets half."""

PATIENCE = tuple(
    (part, timedelta(hours=hours)) for part, hours in
    ((0.0, 0.02), (0.25, 1.0), (0.5, 5.0), (0.75, 20.0), (0.9, 48.0), (1.0, 168.0))
)  # fmt: skip
"""How long those who say yes take for it: half of them within five hours, the last after a week. A guess as well."""

OUTSIDE = timedelta(days=30)
"""What happens outside happens on some moment of this time after the beginning."""

WEEK = timedelta(days=7)
PEOPLE_A_SEED = 2**32


@dataclass(frozen=True, slots=True)
class Habit:
    """What people do about one step's mail: the share that says yes, and for a poll the share of each answer in it."""

    yes: float
    answers: tuple[tuple[AnswerKey, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Outside:
    """Something that happens to a share of the people without any mail: an event, a purchase, a tag, a reply."""

    happening: str
    name: str
    share: float


@dataclass(frozen=True, slots=True)
class World:
    """Who is imagined, and what is true for all of them.

    People begin at `start` (UTC) when `joining` is no time, else spread evenly over it. `until` is where the forecast
    stops; None lets everyone come to the end. `zone` and `gap` are the project's, `data` comes with each start event.
    """

    seed: int
    start: datetime
    habits: Mapping[str, Habit]
    joining: timedelta = timedelta()
    until: datetime | None = None
    outside: tuple[Outside, ...] = ()
    zone: str = "UTC"
    gap: Duration | None = None
    data: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(slots=True)
class Tally:
    """What happened to everyone, counted. Hours count from the start of the world."""

    people: int = 0
    mailed: Counter[str] = field(default_factory=Counter)
    yes: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, AnswerKey]] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    offered: int = 0
    hours: Counter[int] = field(default_factory=Counter)
    most_in_a_week: int = 0
    decisions: int = 0

    def add(self, other: Tally) -> None:
        self.people += other.people
        self.offered += other.offered
        self.decisions += other.decisions
        self.most_in_a_week = max(self.most_in_a_week, other.most_in_a_week)
        for mine, theirs in (
            (self.mailed, other.mailed), (self.yes, other.yes), (self.ended, other.ended), (self.hours, other.hours),
        ):  # fmt: skip
            mine.update(theirs)  # type: ignore[arg-type]
        self.answers.update(other.answers)


def habits_of(
    sequence: Sequence, yes: Mapping[str, float], answers: Mapping[tuple[str, AnswerKey], float]
) -> dict[str, Habit]:
    """A habit for each step. What is not given is guessed: a yes by the ask's size, answers in equal parts.

    Who asks again hears the same answers, unless others are given for that mail.
    """
    found = {}
    for step in sequence.steps.values():
        guess = BY_SIZE[step.ask.size] * (ASKED_AGAIN if step.repeats else 1)
        told = step.name if any(name == step.name for name, _ in answers) else step.root
        given = {answer: answers[told, answer] for answer in step.ask.answers if (told, answer) in answers}
        silent = [answer for answer in step.ask.answers if answer not in given]
        rest = max(0.0, 1 - sum(given.values())) / (len(silent) or 1)
        shares = {answer: given.get(answer, rest) for answer in step.ask.answers}
        whole = sum(shares.values()) or 1.0
        found[step.name] = Habit(
            yes.get(step.name, guess), tuple((answer, share / whole) for answer, share in shares.items())
        )
    return found


def simulate(sequence: Sequence, world: World, numbers: Iterable[int]) -> Tally:
    """Let the people of these numbers live, and count. Tallies of parts add up to that of the whole."""
    offers = {step.name for step in sequence.steps.values() if step.ask.kind == "buy"}
    tally = Tally()
    for number in numbers:
        _count(tally, _one(sequence, world, number), offers, world)
    return tally


def _one(sequence: Sequence, world: World, number: int) -> Life:
    who = world.seed * PEOPLE_A_SEED + number
    begins = world.start + world.joining * lot(who, "joins") if world.joining else world.start
    begins = begins.replace(microsecond=0)
    person = Subscriber(who, f"{number}@imagined.example", joined_at=begins)

    def on_mail(step: Step, _at: datetime) -> list[tuple[timedelta, Doing]]:
        habit = world.habits[step.name]
        drawn = lot(who, f"{step.name} yes")
        if drawn >= habit.yes:
            return []
        says = _types(step, who) if step.ask.fields else _says(habit, drawn / habit.yes)
        return [(_after(lot(who, f"{step.name} when")), says)]

    return live(
        sequence, Facts(person, zone=world.zone, gap=world.gap), begins, data=world.data, on_mail=on_mail,
        happenings=_outside(world, who, begins), until=world.until, from_start=True,
    )  # fmt: skip


def _outside(world: World, who: int, begins: datetime) -> list[tuple[datetime, Event]]:
    found = []
    for one in world.outside:
        name = f"{one.happening} {one.name}"
        if lot(who, name) < one.share:
            at = (begins + OUTSIDE * lot(who, f"{name} when")).replace(microsecond=0)
            found.append((at, Event(Kind.HAPPENED, at, happening=one.happening, name=one.name)))
    return found


def _after(drawn: float) -> timedelta:
    """How long a person takes who drew this; a line between the points that are known."""
    for (low, soon), (high, late) in pairwise(PATIENCE):
        if drawn < high:
            return timedelta(seconds=round((soon + (late - soon) * ((drawn - low) / (high - low))).total_seconds()))
    return PATIENCE[-1][1]


def _says(habit: Habit, drawn: float) -> Doing:
    """Which answer; the lot that said yes says this as well, so that shares of answers need no lot of their own."""
    reached = 0.0
    for answer, share in habit.answers:
        reached += share
        if drawn < reached:
            return answer
    return habit.answers[-1][0] if habit.answers else "yes"


def _types(step: Step, who: int) -> Doing:
    """What is typed into a form: each choice with the same chance, and nothing where something has to be made up."""
    return {
        field.save: choices[int(lot(who, f"{step.root} {field.save}") * len(choices))]
        for field in step.ask.fields
        if (choices := ("yes",) if field.kind == "consent" else field.choices())
    }


def _count(tally: Tally, life: Life, offers: set[str], world: World) -> None:
    tally.people += 1
    tally.decisions += life.decisions
    steps = [mail.step for mail in life.mails]
    tally.mailed.update(steps)
    tally.offered += not offers.isdisjoint(steps)
    for kept in life.enrollment.answers.values():
        tally.yes[kept.step] += 1
        if kept.value != "yes":
            tally.answers[kept.step, kept.value] += 1
    tally.ended[life.enrollment.ended or "inside"] += 1
    times = [mail.at for mail in life.mails]
    tally.hours.update(int((at - world.start).total_seconds()) // 3600 for at in times)
    first = 0
    for last, at in enumerate(times):
        while at - times[first] >= WEEK:
            first += 1
        tally.most_in_a_week = max(tally.most_in_a_week, last - first + 1)


def busiest(tally: Tally, start: datetime) -> tuple[datetime, int] | None:
    """The hour (UTC) in which most mails leave, the first of several, and how many."""
    if not tally.hours:
        return None
    hour = min(tally.hours, key=lambda hour: (-tally.hours[hour], hour))
    return (start + timedelta(hours=hour)).astimezone(UTC), tally.hours[hour]
