"""A yes: kept once, with what it teaches, grants and earns, and where it leads, in time or late."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.journey import timing
from nurture.journey.branching import Case, Outcome, added, follow, lookup
from nurture.journey.enrollment import Answer, Award, Effect, Enrollment, Grant, Kept, Save, changed
from nurture.journey.patience import deadline

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nurture.language.sequence import Arm, Step

NOTHING_TYPED: Mapping[str, object] = MappingProxyType({})


def answered(
    case: Case, enrollment: Enrollment, step_name: str, value: str | int | None, at: datetime,
    typed: Mapping[str, object] = NOTHING_TYPED,
) -> Outcome:  # fmt: skip
    """A yes, in time or late. A late yes pulls forward, never back. `typed` is what the fields of a form hold."""
    step = case.sequence.steps.get(step_name)
    if step is None or value is None or (step.ask.answers and value not in step.ask.answers):
        return enrollment, ()
    known = enrollment.answers.get(step.root)
    if known is not None and (known.value == value or enrollment.phase != "waiting" or enrollment.led_by != step.root):
        return enrollment, ()  # an answer whose branch has mailed is fixed
    learned = {field.save: typed[field.save] for field in step.ask.fields if field.save in typed}
    for name, one in learned.items():
        case = case.knowing(name, one)
    kept, effects = keep(case, enrollment, step, value, at, again=known is not None)
    effects = (*(Save(name, one) for name, one in learned.items()), *effects)
    if step.ask.grants and step.root not in kept.offers:
        until = case.now if step.ask.expires is None else timing.round_up_to_minute(deadline(case, kept, step))
        kept = changed(kept, offers=added(kept.offers, step.root, until))
        effects = (*effects, Grant(step.root, step.ask.name, step.ask.code, until))
    if kept.ended is not None and not (kept.ended == "finished" and kept.ended_by_no):
        return kept, effects
    if step.ask.save:
        case = case.knowing(step.ask.save, value)
    awake = kept if kept.ended is None else changed(kept, ended=None, ended_at=None, ended_by_no=False, step="")
    why = f"yes to {step.name}" if value == "yes" else f"{step.root} was answered {value}"
    moved, more = follow(case, awake, step.yes.arms_for(value), at, why, led_by=step.root)
    if moved.ended is not None:
        return moved, (*effects, *more)
    if known is None and moved.step == awake.step:
        return _earlier(kept, moved, step), effects
    if _position(case, moved.step) > _stands(case, kept):
        return moved, (*effects, *more)
    ahead = case.sequence.steps.get(kept.step)
    if kept.phase == "asked" and ahead is not None and ahead.root == step.root:
        base, so = (case.now, f", so {ahead.name} is not mailed") if in_flight(kept) else (at, "")
        moved, more = follow(case, kept, yes_of(ahead, kept), base, f"{step.root} is kept{so}", led_by=step.root)
        return moved, (*effects, *more)
    return kept, effects


def _earlier(kept: Enrollment, moved: Enrollment, step: Step) -> Enrollment:
    """A late yes that leads to the step that waits already: the earlier time wins."""
    if kept.phase != "waiting" or kept.due_at is None or moved.due_at is None:
        return kept
    return moved if moved.due_at < kept.due_at else changed(kept, led_by=step.root)


def keep(
    case: Case, enrollment: Enrollment, step: Step, value: str | int, at: datetime, *, again: bool = False
) -> tuple[Enrollment, tuple[Effect, ...]]:
    """Record a kept ask once; a changed answer replaces the old one without being kept twice."""
    if step.root in enrollment.answers and not again:
        return enrollment, ()
    answers = added(enrollment.answers, step.root, Answer(value, at, step.name))
    effects: list[Effect] = [Save(step.ask.save, value)] if step.ask.save else []
    if not again:
        effects.append(Kept(step.root, value))
    kept = changed(enrollment, answers=answers)
    known = case.knowing(step.ask.save, value) if step.ask.save else case
    fresh = _badges(known, kept, step)
    if fresh:
        kept = changed(kept, awards={**kept.awards, **dict.fromkeys(fresh, at)})
        effects += [Award(name, step.root) for name in fresh]
    return kept, tuple(effects)


def _badges(case: Case, kept: Enrollment, step: Step) -> list[str]:
    """The badges that this kept ask brings, none of which the person has."""
    if not (step.award or case.sequence.badges):
        return []
    known = lookup(case.sequence, kept, case.facts)
    earned = [badge.name for badge in case.sequence.badges.values() if badge.condition and badge.condition.test(known)]
    given = [step.award] if step.award else []
    return [name for name in dict.fromkeys((*given, *earned)) if name not in kept.awards]


# --- small look-ups


def in_flight(enrollment: Enrollment) -> bool:
    """A mail is planned and has not left, as far as we know."""
    return enrollment.phase == "asked" and enrollment.due_at is None


def yes_of(step: Step, enrollment: Enrollment) -> tuple[Arm, ...]:
    answer = enrollment.answers.get(step.root)
    return step.yes.arms_for(None if answer is None else answer.value)


def _stands(case: Case, enrollment: Enrollment) -> int:
    """The position of the last step mailed, -1 before the first."""
    steps = case.sequence.steps
    return max((steps[name].position for name in enrollment.asked if name in steps), default=-1)


def _position(case: Case, name: str) -> int:
    steps = case.sequence.steps
    return steps[name].position if name in steps else len(steps)
