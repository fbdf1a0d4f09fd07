"""One changed step: whom it finds where, and what becomes of each group of them, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nurture.language.sequence import END
from nurture.language.step_changes import TIMES

if TYPE_CHECKING:
    from nurture.engine.inside import Fate, Fates
    from nurture.language.diff import SequenceDiff, StepDiff
    from nurture.language.sequence import Sequence

Group = Literal["before", "waiting", "asked", "past"]
GROUPS: tuple[Group, ...] = ("before", "waiting", "asked", "past")


@dataclass(frozen=True, slots=True)
class People:
    """How many stand before a step, wait for its mail, have been asked by it last, are past it."""

    before: int = 0
    waiting: int = 0
    asked: int = 0
    past: int = 0

    def of(self, group: Group) -> int:
        return int(getattr(self, group))


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One changed step: what changed, whom it finds where, and what becomes of each group, in words."""

    diff: StepDiff
    people: People
    becomes: Mapping[Group, tuple[str, ...]]


Standing = Mapping[tuple[str, str], int]
"""How many people stand where, by phase and step."""


def step_plan(
    one: SequenceDiff, step: StepDiff, standing: Standing, names: Mapping[str, str], found: Fates
) -> StepPlan:
    """`names` says what each step of the running version is called now."""
    assert one.before is not None
    assert one.after is not None
    name, sequence, called = (step.was, one.before, {}) if step.was else (step.name, one.after, names)
    people = _people(name, sequence, called, standing)
    becomes = {group: tuple(_becomes(one, step, group, found)) for group in GROUPS if people.of(group)}
    return StepPlan(step, people, becomes)


def _people(name: str, sequence: Sequence, names: Mapping[str, str], standing: Standing) -> People:
    counts: Counter[str] = Counter()
    place = sequence.steps[name].position
    for (phase, step), people in standing.items():
        now = names.get(step, step)
        if phase == "starting":
            counts["before"] += people
        elif now == name:
            counts["waiting" if phase == "waiting" else "asked"] += people
        elif now in sequence.steps and sequence.steps[now].position < place:
            counts["before"] += people
        else:
            counts["past"] += people
    return People(counts["before"], counts["waiting"], counts["asked"], counts["past"])


def _becomes(one: SequenceDiff, step: StepDiff, group: Group, found: Fates) -> Iterator[str]:
    kinds = step.kinds
    if "inserted" in kinds:
        yield "may come to it" if group == "before" else "never get it"
        return
    match group:
        case "before":
            yield "never get it" if "removed" in kinds else "will find it as it is now"
        case "past":
            if "removed" in kinds or "renamed" in kinds:
                yield "what they were asked and answered stays known"
            if "moved" in kinds:
                yield "whoever had it does not get it again"
            if not kinds & {"removed", "renamed", "moved"}:
                yield "nothing changes"
        case "waiting" | "asked" if "removed" in kinds:
            yield _leaving(one, step.was, group)
        case "waiting":
            if "renamed" in kinds:
                yield "wait for it under its new name"
            yield from _times(one, step, group, found)
            if not kinds <= {"renamed", "retimed"}:
                yield "get it as it is now"
        case "asked":
            if "renamed" in kinds:
                yield "their mail, its links and their answers come along"
            yield from _times(one, step, group, found)
            if "asks" in kinds:
                yield "have the old question in their inbox, and an answer that is gone counts no more"
            if "leads" in kinds:
                yield "go the new ways from here"
            if kinds <= {"words", "rules", "moved"}:
                yield "have the mail as it was"


def _leaving(one: SequenceDiff, gone: str, group: Group) -> str:
    assert one.after is not None
    go = one.after.changes[gone].go if gone in one.after.changes else ""
    if not go:
        return "nobody says where they go"
    if go == END:
        return "their pass ends"
    return f"wait for {go} instead" if group == "waiting" else f"go to {go} when their time to answer is over"


def _times(one: SequenceDiff, step: StepDiff, group: Literal["waiting", "asked"], found: Fates) -> Iterator[str]:
    if not step.kinds & (TIMES if group == "waiting" else {"retimed"}):
        return
    if step.name not in one.retimed:
        said = one.after is not None and step.name in one.after.changes and one.after.changes[step.name].waiting
        hint = "" if said else f"; {step.name}: {{waiting: retime}} counts it again"
        yield f"keep the time they were given{hint}"
        return
    moved = found.of(step.was, group, "retimed")
    shifts = _shifts(moved)
    yield f"their time is counted again: {shifts}" if shifts else "their time is counted again, and stays"


def _shifts(moved: Counter[Fate]) -> str:
    shifts: Counter[str] = Counter()
    for fate, people in moved.items():
        shifts[fate.shift] += people
    return ", ".join(f"{shifts[shift]:,} {shift}" for shift in ("sooner", "later") if shifts[shift])
