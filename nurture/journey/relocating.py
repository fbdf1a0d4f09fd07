"""What an edit of a sequence does to one person inside it: where they stand in the new version, and why.

Pure, like `advance`: the plan counts what this says, and the apply writes it. A step's name is its identity. A renamed
step carries its mails, answers and offers along; a step that comes back under its old name is the step it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from nurture.journey.branching import UNSUBSCRIBE, Case, chosen, end, follow
from nurture.journey.enrollment import changed
from nurture.journey.patience import patience
from nurture.language.diff import names_now
from nurture.language.sequence import END, Arm, Goto

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.journey.enrollment import Enrollment, Facts
    from nurture.language.diff import SequenceDiff
    from nurture.language.sequence import Sequence

What = Literal["", "carried", "renamed", "moved", "ended", "retimed", "stranded"]
"""What became of a person: nothing, only their memory was renamed, their step was, they moved, their pass ended, their
time changed; or nobody said where they go."""


@dataclass(frozen=True, slots=True)
class Edit:
    """How one sequence changed, as it concerns the people inside. `after` is None when its file is gone.

    `now` gives each step that still exists the name it has now; `go` says where the people of a step that is gone go;
    `retimed` are steps whose people get their time computed again; `by` is who did it, in words.
    """

    before: Sequence
    after: Sequence | None
    now: Mapping[str, str]
    go: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    retimed: frozenset[str] = frozenset()
    by: str = ""
    renamed: Mapping[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        renamed = {old: new for old, new in self.now.items() if old != new}
        object.__setattr__(self, "renamed", MappingProxyType(renamed))


def edit_of(one: SequenceDiff, by: str) -> Edit:
    """What a difference of two versions means for the people inside; there is a version before."""
    assert one.before is not None
    if one.after is None:
        return Edit(one.before, None, {}, by=by)
    go = {name: change.go for name, change in one.after.changes.items() if change.go}
    return Edit(one.before, one.after, names_now(one.before, one.after), go, one.retimed, by)


def relocate(
    edit: Edit, place: Enrollment, facts: Facts, now: datetime, *, in_flight: bool = False
) -> tuple[Enrollment, What]:
    """Where this person stands after the edit. `in_flight`: the mail of their step was handed over, or may have been."""
    if edit.after is None:
        return _ended(edit.before, place, facts, now, f"{place.sequence} was removed by {edit.by}")
    carried = _carried(edit, place)
    if place.ended is not None:
        return carried, "" if carried == place else "carried"
    step = place.step
    if step in ("", END, UNSUBSCRIBE) or place.phase == "starting":
        return carried, "" if carried == place else "carried"
    if step in edit.now:
        name = edit.now[step]
        renamed = f"moved from {step} to {name} by {edit.by}: renamed" if name != step else ""
        if name in edit.retimed:
            due_at = _time_again(Case(edit.after, facts, now), carried)
            if due_at != place.due_at:
                why = f"{renamed} and retimed" if renamed else f"{name} got another time by {edit.by}: retimed"
                return changed(carried, due_at=due_at, because=why), "retimed"
        if renamed:
            return changed(carried, because=renamed), "renamed"
        return carried, "" if carried == place else "carried"
    if step not in edit.before.steps and step in edit.after.steps:
        return carried, ""
    return _left(edit, carried, facts, now, in_flight=in_flight)


def _carried(edit: Edit, place: Enrollment) -> Enrollment:
    """The same place with every step under the name it has now."""
    names = edit.renamed
    if not _mentions(place, names):
        return place

    def new(name: str) -> str:
        return names.get(name, name)

    return changed(
        place,
        step=new(place.step),
        asked=tuple(new(name) for name in place.asked),
        answers={new(root): replace(answer, step=new(answer.step)) for root, answer in place.answers.items()},
        offers={new(root): deadline for root, deadline in place.offers.items()},
        led_by=new(place.led_by),
    )


def _mentions(place: Enrollment, names: Mapping[str, str]) -> bool:
    """Whether a place remembers one of these steps; most people have nothing to do with most edits."""
    return bool(names) and (
        place.step in names
        or place.led_by in names
        or any(name in names for name in place.asked)
        or any(root in names or answer.step in names for root, answer in place.answers.items())
        or any(root in names for root in place.offers)
    )


def _left(edit: Edit, place: Enrollment, facts: Facts, now: datetime, *, in_flight: bool) -> tuple[Enrollment, What]:
    """A person whose step is gone goes where the rule says, and not sooner than they would have left it."""
    assert edit.after is not None
    gone, target = place.step, edit.go.get(place.step, "")
    if not target:
        return place, "stranded"
    if target == END:
        return _ended(edit.after, place, facts, now, f"{gone} was removed by {edit.by}")
    why = f"moved from {gone} to {target} by {edit.by}: removed"
    if place.phase == "waiting":
        return changed(place, step=target, because=why), "moved"
    due_at = place.due_at or now
    if place.due_at is None and in_flight:
        step = edit.before.steps.get(gone)
        due_at = now if step is None else patience(Case(edit.before, facts, now), place, step, now)
        place = changed(place, asked=(*place.asked, gone), last_mail_at=now)
    moved = changed(
        place, phase="waiting", step=target, due_at=due_at, waits_for="", fixed=False, led_by="", because=why
    )
    return moved, "moved"


def _ended(sequence: Sequence, place: Enrollment, facts: Facts, now: datetime, why: str) -> tuple[Enrollment, What]:
    if place.ended is not None:
        return place, ""
    ended, _ = end(Case(sequence, facts, now), place, "removed", why)
    return ended, "ended"


def _time_again(case: Case, place: Enrollment) -> datetime | None:
    """The same wait as the new version would have made it, counted from the same moment."""
    if place.phase == "waiting":
        return _arrival(case, place) or place.due_at
    if place.due_at is not None and place.last_mail_at is not None:
        return patience(case, place, case.sequence.steps[place.step], place.last_mail_at)
    return place.due_at


def _arrival(case: Case, place: Enrollment) -> datetime | None:
    """When a person who waits for this step would get it: by the answer that led here, the silence, or the start."""
    steps = case.sequence.steps
    answer = place.answers.get(place.led_by)
    if answer is not None and answer.step in steps:
        arms, base = steps[answer.step].yes.arms_for(answer.value), answer.at
    elif place.asked and place.asked[-1] in steps and place.last_mail_at is not None:
        source = steps[place.asked[-1]]
        arms, base = source.no.arms, patience(case, place, source, place.last_mail_at)
    elif place.asked or place.led_by:
        return None
    else:
        arms, base = (Arm(go=case.sequence.start.go),), place.started_at
    here = Goto(place.step)
    for arm in _leading(arms, case, place):
        moved, _ = follow(
            case, place, (replace(arm, condition=None, go=here),), base, place.because, led_by=place.led_by
        )
        if moved.phase == "waiting" and moved.step == place.step:
            return moved.due_at
    return None


def _leading(arms: Iterable[Arm], case: Case, place: Enrollment) -> Iterable[Arm]:
    """The arms that lead this person to the step they wait for."""
    source = place.led_by or (place.asked[-1] if place.asked else "")
    return [arm for arm in arms if chosen(case, arm.go, source) == Goto(place.step)]
