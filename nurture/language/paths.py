"""What is known of people at each step, over every path that leads there.

Branches only lead forward, so one pass from the top of the page meets every step after all that lead to it: what comes
in is merged, and no path is ever followed on its own. A late yes leads to the same steps as one in time, with at least as
much known; what may have been answered meanwhile is added to what may be known there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from nurture.language.conditions import UNKNOWN, UNREAD
from nurture.language.kinds import OUTSIDE
from nurture.language.knowing import COUNT, NOTHING, OFFER, Known, Sample, Values, after
from nurture.language.sequence import ALWAYS_KNOWN, Goto, Split

if TYPE_CHECKING:
    from nurture.language.conditions import Path
    from nurture.language.forms import Field
    from nurture.language.sequence import Arm, Go, People, Sequence, Step

SAMPLES: Mapping[str, object] = {"text": "Ann", "number": 12, "date": "2026-06-15", "yearly": "06-15", "yes_no": True}
YES = "yes"


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who gets a step's mail: what is known of them, and the biggest ask that the least keen of them kept (0: none)."""

    known: Known
    kept: int

    def either(self, other: Arrival) -> Arrival:
        return Arrival(self.known.either(other.known), min(self.kept, other.kept))


def arrivals(sequence: Sequence, people: People) -> dict[str, Arrival]:
    """For each step that some path reaches, in the order of the page."""
    if sequence.start.condition is UNREAD:
        return {}
    begun = beginning(sequence, people)
    found = {name: Arrival(begun, 0) for name in steps_of(sequence.start.go)}
    for step in sequence.steps.values():
        if step.name not in found:
            continue
        here = found[step.name]
        # an ask that is kept already is not mailed again, so whoever gets this mail has not answered it
        asked = Arrival(here.known.having(("answers", step.root), NOTHING), here.kept)
        found[step.name] = asked
        for target, arrival in _ways_out(sequence, step, asked):
            found[target] = found[target].either(arrival) if target in found else arrival
    return {name: found[name] for name in sequence.steps if name in found}


def beginning(sequence: Sequence, people: People) -> Known:
    """What is known of people whose pass begins."""
    first = Known(_Beginning(sequence, people))
    return after(sequence.start.condition, first, holds=True) or first


def steps_of(go: Go) -> tuple[str, ...]:
    """The steps a GO can lead to."""
    targets = [target for target, _ in go.shares] if isinstance(go, Split) else [go]
    return tuple(target.step for target in targets if isinstance(target, Goto))


def answers_of(step: Step) -> tuple[object, ...]:
    """What a yes to this step's ask can be: one of a poll's answers, else plainly yes."""
    return tuple(step.ask.answers) or (YES,)


def _ways_out(sequence: Sequence, step: Step, here: Arrival) -> Iterator[tuple[str, Arrival]]:
    made = _offered(here.known, step, yes=False)
    for target, known in _along(step.no.arms, made):
        yield target, Arrival(known, here.kept)
    kept = max(here.kept, step.ask.size)
    made = _offered(here.known, step, yes=True)
    for arms, answers in _answered(step):
        # what was done before it could be asked is not asked: its yes is taken, and it counts as no answer
        skipped = NOTHING if step.ask.kind in OUTSIDE else frozenset()
        known = made.having(("answers", step.root), answers | skipped)
        if step.ask.save:
            known = known.having((step.ask.save,), answers)
        for field in step.ask.fields:
            known = known.having(
                (field.save,), _typed(field) | (known.of((field.save,)) if field.optional else frozenset())
            )
        for target, there in _along(arms, _meanwhile(sequence, step, known, arms)):
            yield target, Arrival(there, kept)


def _answered(step: Step) -> Iterator[tuple[tuple[Arm, ...], Values]]:
    if not step.yes.by_answer:
        yield step.yes.arms, frozenset(answers_of(step))
    for answer, arms in step.yes.by_answer.items():
        yield arms, frozenset({answer})


def _typed(field: Field) -> Values:
    """What a field of a form can bring to its attribute."""
    if field.kind == "choice":
        return frozenset(key if field.saved == "number" else str(key) for key in field.answers)
    if field.kind == "consent" and not field.optional:
        return frozenset({True})
    return samples(field.saved)


def _offered(known: Known, step: Step, *, yes: bool) -> Known:
    """A mail that asks to buy makes its offer; one that is not sent (bought already, or its `until` over) does not."""
    if step.ask.grants and yes:
        return known.having(OFFER, frozenset({True}))
    if step.ask.kind != "buy":
        return known
    unsent = known.of(OFFER) if yes or step.until is not None else frozenset()
    return known.having(OFFER, frozenset({True}) | unsent)


def _along(arms: tuple[Arm, ...], known: Known) -> Iterator[tuple[str, Known]]:
    """Each arm that can be taken, with what is known of those who take it."""
    left: Known | None = known
    for arm in arms:
        if left is None or arm.condition is UNREAD:
            return
        taken = after(arm.condition, left, holds=True)
        if taken is not None:
            for target in steps_of(arm.go):
                yield target, taken
        if arm.condition is not None and arm.at is None:
            left = after(arm.condition, left, holds=False)


def _meanwhile(sequence: Sequence, step: Step, known: Known, arms: tuple[Arm, ...]) -> Known:
    """A late yes comes when later asks may have been answered, down to the step that it leads to."""
    lowest = max((sequence.steps[name].position for arm in arms for name in steps_of(arm.go)), default=-1)
    between = islice(sequence.steps.values(), step.position + 1, max(lowest, step.position + 1))
    paths: dict[Path, Values] = {
        ("answers", later.root): frozenset(answers_of(later)) for later in between if later.root != step.root
    }
    return known.also({path: known.of(path) | answers for path, answers in paths.items()})


class _Beginning:
    """What is known of people who begin: attributes may be, answers are not."""

    def __init__(self, sequence: Sequence, people: People) -> None:
        self._attributes = people.attributes
        started = sequence.start.when
        self._start: dict[str, Values] = {}
        for happening in started:
            data = people.events.get(happening.name, {}) if happening.kind == "event" else {}
            for name, kind in data.items():
                self._start[name] = samples(kind)
        for name in self._start:
            if any(
                happening.kind != "event" or name not in people.events.get(happening.name, {}) for happening in started
            ):
                self._start[name] |= NOTHING

    def __call__(self, path: Path) -> Values:
        match path:
            case ("answers", _) | ("offer",):
                return NOTHING
            case (kind, _, *_) if kind == COUNT:
                return frozenset({Sample(100), UNKNOWN})
            case ("tags" | "bought", _):
                return frozenset({True, UNKNOWN})
            case ("start", name):
                return self._start.get(name, NOTHING)
            case (name,) if name in self._attributes:
                return samples(self._attributes[name]) | NOTHING
            case (name,) if name in ALWAYS_KNOWN:
                return frozenset({Sample(name)})
        return frozenset({Sample("")})


def samples(kind: str | tuple[str, ...]) -> Values:
    """Values that something of this kind may have."""
    if isinstance(kind, tuple):
        return frozenset(kind)
    return frozenset({True, False}) if kind == "yes_no" else frozenset({Sample(SAMPLES[kind])})
