"""Following a branch: which arm holds, where it leads, and when the mail there may leave.

The mechanics under `advance`: look-ups for conditions and moments, the lottery of splits, windows and gaps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from nurture.journey import timing
from nurture.journey.enrollment import Drawn, Effect, End, Ended, Enrollment, Facts, changed
from nurture.language.conditions import UNKNOWN, Condition, Lookup
from nurture.language.sequence import END, AtClock, Duration, Exit, Goto, Split, target_name

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from nurture.language.sequence import Arm, Go, Moment, Sequence, Step

K = TypeVar("K")
V = TypeVar("V")

UNSUBSCRIBE = "unsubscribe"
"""Where a person stands who waits to be taken off the list (`{after: 2 days, go: unsubscribe}`)."""

Outcome = tuple[Enrollment, tuple[Effect, ...]]


@dataclass(frozen=True, slots=True)
class Case:
    """What a decision is made from, beside the enrollment itself. `now` is UTC."""

    sequence: Sequence
    facts: Facts
    now: datetime

    @property
    def zone(self) -> ZoneInfo:
        """The clock on the person's wall; the project's where theirs is not known."""
        theirs = self.facts.subscriber.attributes.get("timezone")
        return timing.zone(str(theirs or self.facts.zone), self.facts.zone)

    def knowing(self, name: str, value: object) -> Case:
        """The same case, with one more thing known of the person."""
        subscriber = self.facts.subscriber
        learned = replace(subscriber, attributes=added(subscriber.attributes, name, value))
        return replace(self, facts=replace(self.facts, subscriber=learned))


def follow(
    case: Case,
    enrollment: Enrollment,
    arms: tuple[Arm, ...],
    base: datetime,
    why: str,
    *,
    led_by: str = "",
    by_no: bool = False,
) -> Outcome:
    """Take the first arm that holds, and say of those above it why they do not. `base` is when the wait counts from."""
    for arm in arms:
        if arm.condition is not None:
            held = arm.condition.test(lookup(case.sequence, enrollment, case.facts))
            why = f"{why}, {says(case, arm.condition, enrollment)}{'' if held else ' is false'}"
            if not held:
                continue
        due_at, fixed, waits_for = base, False, ""
        if arm.after is not None:
            due_at = timing.add(base, arm.after, case.zone)
        elif arm.at is not None:
            recurs = isinstance(arm.at.point, AtClock)
            when = resolve(case, enrollment, arm.at, after=max(base, case.now) if recurs else base)
            if when is None or when.over(case.now):
                why = f"{why}, {arm.at.text} is {'unknown' if when is None else 'over'}"
                continue
            due_at, fixed, waits_for = when.at, when.fixed, arm.at.text
        asked = led_by or enrollment.step
        target = chosen(case, arm.go, asked)
        name = target_name(target)
        drawn: tuple[Effect, ...] = ()
        if isinstance(arm.go, Split):
            way = "no" if by_no else "yes" if led_by else "start"
            drawn = (Drawn(asked, way, str(arm.go), name),)
        if isinstance(target, Exit) and due_at <= case.now:
            ended, ending = end(case, enrollment, left(target), why, by_no=by_no)
            return ended, (*drawn, *ending)
        moved = changed(
            enrollment,
            phase="waiting",
            step=name,
            due_at=due_at,
            fixed=fixed,
            waits_for=waits_for,
            led_by=led_by,
            because=f"{why} → {name}",
        )
        if name in case.sequence.steps:
            at, hindrance = hold(case, moved, case.sequence.steps[name], max(due_at, base))
            if hindrance:
                moved = changed(moved, due_at=at, because=f"{moved.because} ({hindrance})")
            elif at != due_at:
                moved = changed(moved, due_at=at)
        return moved, drawn
    return end(case, enrollment, "finished", f"{why}, no branch holds", by_no=by_no)


def end(case: Case, enrollment: Enrollment, how: Ended, because: str, *, by_no: bool = False) -> Outcome:
    """The pass is over."""
    ended = changed(
        enrollment,
        phase="ended",
        due_at=None,
        judging_until=None,
        waits_for="",
        fixed=False,
        led_by="",
        ended=how,
        ended_at=case.now,
        ended_by_no=by_no,
        because=because,
    )
    return ended, (End(how),)


def has_place(sequence: Sequence, enrollment: Enrollment) -> bool:
    """Whether this sequence knows where the person stands."""
    step = enrollment.step
    return step in sequence.steps or step in ("", END, UNSUBSCRIBE) or enrollment.phase in ("starting", "ended")


def left(target: Exit) -> Ended:
    return "unsubscribed" if target.how == "unsubscribe" else "finished"


def hold(case: Case, enrollment: Enrollment, step: Step, at: datetime) -> tuple[datetime, str]:
    """When this step's mail may leave, not before `at`, and what holds it: the window, the gaps."""
    if step.send.now:
        return at, ""
    why = ""
    facts = case.facts
    last, days = facts.subscriber.last_mail_at, facts.subscriber.preferences.days_apart
    if facts.gap is not None and last is not None:
        free = timing.add(last, facts.gap, case.zone)
        if free > at:
            at, why = free, f"{facts.gap} between any two mails to a person"
    if days and last is not None:
        free = timing.add(last, Duration(days=days), case.zone)
        if free > at:
            at, why = free, f"they asked for no more than one mail in {days} days"
    if enrollment.fixed:
        return at, why
    zone = case.zone if step.send.timezone == "theirs" else timing.zone(step.send.timezone, facts.zone)
    later, held = timing.earliest(at, step.send, zone, enrollment.last_mail_at)
    return later, held or why


def day_of(case: Case, enrollment: Enrollment, step: Step) -> tuple[str, datetime]:
    """Which day it is for this person, like 2026-06-01, and when this step's mail may leave after it."""
    today = case.now.astimezone(case.zone).date()
    midnight = timing.at_wall(today + timedelta(days=1), timing.MIDNIGHT, case.zone)
    return today.isoformat(), hold(case, enrollment, step, midnight)[0]


def chosen(case: Case, go: Go, asked: str) -> Goto | Exit:
    """Where this person goes: a split is drawn once and sticks. `asked` is the step whose branch is followed."""
    if not isinstance(go, Split):
        return go
    for target, _ in go.shares:
        if target_name(target) in case.facts.arms:
            return target
    ticket = lot(case.facts.subscriber.id, f"{case.sequence.name}/{asked}")
    reached = 0.0
    for target, percent in go.shares:
        reached += percent / 100
        if ticket < reached:
            return target
    return go.shares[-1][0]


def lot(subscriber: int, of: str) -> float:
    """A number in [0, 1) that a person always draws in the same lottery: a hash of the two, so that splits stick."""
    digest = blake2b(f"{subscriber}:{of}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def resolve(case: Case, enrollment: Enrollment, moment: Moment, *, after: datetime) -> timing.When | None:
    """When a moment is for this person: names are dates of the sequence, the start event, the person."""
    subscriber = case.facts.subscriber

    def look(name: str) -> object:
        if name in case.sequence.dates:
            return case.sequence.dates[name]
        if name.startswith("start."):
            return enrollment.data.get(name.removeprefix("start."))
        match name:
            case "joined":
                return subscriber.joined_at
            case "last_seen":
                return subscriber.last_seen_at
            case "last_bought":
                return max(subscriber.bought.values(), default=None)
        return subscriber.attributes.get(name)

    return timing.resolve(moment, after=after, zone=case.zone, lookup=look)


def lookup(sequence: Sequence, enrollment: Enrollment, facts: Facts) -> Lookup:
    """The names a condition may use, as this person has them now."""
    subscriber = facts.subscriber

    def look(path: tuple[str, ...]) -> object:
        match path:
            case ("kept",):
                return len(enrollment.answers)
            case ("asked",):
                return len(enrollment.asked)
            case ("streak",):
                return streak(sequence, enrollment)
            case ("answers", step):
                answer = enrollment.answers.get(step)
                return UNKNOWN if answer is None else answer.value
            case ("tags", tag):
                return tag in subscriber.tags
            case ("bought", product):
                return product in subscriber.bought
            case ("start", name):
                return enrollment.data.get(name, UNKNOWN)
            case ("email",):
                return subscriber.email
            case (name,):
                value = subscriber.attributes.get(name)
                return UNKNOWN if value is None else value
        return UNKNOWN

    return look


def streak(sequence: Sequence, enrollment: Enrollment) -> int:
    """How many asks were kept in a row without a silence, the latest among them; one that is still open breaks nothing.

    A silence is an ask that was mailed and not kept, or one that had to be mailed again before it was. A late yes to
    a mail that was not sent again mends the row, so that the order in which reports come in makes no difference.
    """
    steps = sequence.steps
    mailed: dict[str, list[str]] = {}
    for name in enrollment.asked:
        root = steps[name].root if name in steps else name
        mailed.setdefault(root, []).append(name)
    standing = steps.get(enrollment.step) if enrollment.phase == "asked" else None
    row = 0
    for root, mails in mailed.items():
        answer = enrollment.answers.get(root)
        if answer is not None:
            row = row + 1 if answer.step == mails[0] else 1
        elif standing is None or standing.root != root or len(mails) > 1:
            row = 0
    return row


def says(case: Case, condition: Condition | None, enrollment: Enrollment) -> str:
    """A condition with the values it saw."""
    return "" if condition is None else condition.explain(lookup(case.sequence, enrollment, case.facts))


def added(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    return MappingProxyType({**mapping, key: value})
