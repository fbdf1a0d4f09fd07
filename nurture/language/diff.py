"""What changed between two readings of a project, step by step, in words. Who is touched by it, others count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from nurture.language.sequence import Exit, Goto, Mark, Split
from nurture.language.step_changes import TIMES, Difference, Kind, asks, leads, times, wording

if TYPE_CHECKING:
    from nurture.language.project import Project
    from nurture.language.sequence import Go, Sequence


@dataclass(frozen=True, slots=True)
class StepDiff:
    """A step that changed. `was` is its name in the running version, "" when it is new; `name` is "" when it is gone."""

    name: str
    was: str
    differences: tuple[Difference, ...]

    @property
    def kinds(self) -> frozenset[Kind]:
        return frozenset(difference.kind for difference in self.differences)


@dataclass(frozen=True, slots=True)
class SequenceDiff:
    """A sequence that changed. `before` is None when it is new, `after` when its file is gone."""

    name: str
    before: Sequence | None
    after: Sequence | None
    steps: tuple[StepDiff, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def renamed(self) -> Mapping[str, str]:
        """Old name to new, of the steps that carry their people along."""
        return {step.was: step.name for step in self.steps if step.was and step.name and step.was != step.name}

    @property
    def removed(self) -> tuple[str, ...]:
        return tuple(step.was for step in self.steps if not step.name)

    @property
    def retimed(self) -> frozenset[str]:
        """Steps whose people get their time computed again: it changed, and the file says so."""
        if self.after is None or self.before is None:
            return frozenset()
        asked_for = {n for n in _pending(self.before, self.after) if self.after.changes[n].waiting == "retime"}
        return frozenset(step.name for step in self.steps if step.kinds & TIMES and step.name in asked_for)

    @property
    def places(self) -> frozenset[str]:
        """Steps of the running version at which an edit is more than words, and not only new."""
        return frozenset(step.was for step in self.steps if step.was and step.kinds - {"words"})


@dataclass(frozen=True, slots=True)
class Done:
    """A rule under `changes:` that the running version has behind it already."""

    file: str
    mark: Mark
    words: str


def diff(before: Project | None, after: Project) -> tuple[SequenceDiff, ...]:
    """What changed, sequence by sequence, in the order of their names."""
    old = {} if before is None else before.sequences
    found = []
    for name in sorted({*old, *after.sequences}):
        mine, theirs = old.get(name), after.sequences.get(name)
        if mine is None or theirs is None:
            found.append(SequenceDiff(name, mine, theirs))
            continue
        assert before is not None
        steps = _steps(mine, theirs, before.templates, after.templates)
        said = tuple(_sequence_words(mine, theirs))
        if steps or said:
            found.append(SequenceDiff(name, mine, theirs, steps, said))
    return tuple(found)


def files_of(one: SequenceDiff) -> frozenset[str]:
    """The files that a sequence is written in, before and after: its own, its words in other languages, its mails."""
    found = {f"sequences/{one.name}.yaml"}
    for sequence in (one.before, one.after):
        for words in () if sequence is None else (sequence, *sequence.languages.values()):
            found |= {words.file, *(f"templates/{step.template}" for step in words.steps.values())}
    return frozenset(found)


def alike(one: SequenceDiff, gone: str) -> str:
    """The new step that looks like one that is gone, as if it had only been given another name; "" when none does."""
    if one.before is None or one.after is None or gone not in one.before.steps:
        return ""
    old = one.before.steps[gone]
    for step in one.steps:
        if "inserted" in step.kinds and step.name not in one.after.changes:
            new = one.after.steps[step.name]
            if new.ask == old.ask and new.subjects == old.subjects and not new.repeats:
                return step.name
    return ""


def names_now(before: Sequence, after: Sequence) -> Mapping[str, str]:
    """Each step of the running version that still exists, and what it is called now."""
    heirs = {
        after.changes[name].was: name for name in _pending(before, after) if after.changes[name].was in before.steps
    }
    taken = set(heirs.values())
    stays = {name: name for name in before.steps if name in after.steps and name not in taken}
    return {**stays, **heirs}


def displaced(before: Sequence, after: Sequence) -> tuple[str, ...]:
    """Names that a renamed step takes from a step that has no new name: two steps cannot become one."""
    now = names_now(before, after)
    return tuple(new for old, new in now.items() if old != new and new in before.steps and new not in now)


def _pending(before: Sequence, after: Sequence) -> Iterator[str]:
    """Rules that the running version does not have in its own file: each is read by one apply."""
    for name, change in after.changes.items():
        known = before.changes.get(name)
        if known is None or (known.was, known.waiting, known.go) != (change.was, change.waiting, change.go):
            yield name


def done(before: Sequence | None, after: Sequence) -> Iterator[Done]:
    """Rules that this version has no more work for."""
    pending = set() if before is None else set(_pending(before, after))
    for name, change in after.changes.items():
        if before is not None and name in pending:
            now = names_now(before, after)
            renames = bool(change.was) and now.get(change.was) == name
            moves = bool(change.go) and name in before.steps and name not in now
            retimes = bool(change.waiting) and name in _retimed(before, after, now)
            if renames or moves or retimes:
                continue
        mark = after.marks.get(("changes", name), Mark(1, 1))
        yield Done(after.file, mark, f"the change of '{name}' is done; remove it from changes:")


def _retimed(before: Sequence, after: Sequence, now: Mapping[str, str]) -> set[str]:
    return {
        new
        for old, new in now.items()
        if before.steps[old].send != after.steps[new].send or any(times(before, after, old, new, now))
    }


# --- steps


def _steps(
    before: Sequence, after: Sequence, templates: Mapping[str, str], new_templates: Mapping[str, str]
) -> tuple[StepDiff, ...]:
    now = names_now(before, after)
    was = {new: old for old, new in now.items()}
    moved = _moved([now[name] for name in before.steps if name in now], [name for name in after.steps if name in was])
    found = []
    for name, step in after.steps.items():
        if name not in was:
            found.append(StepDiff(name, "", (Difference("inserted", "is new"),)))
            continue
        old = before.steps[was[name]]
        differences = []
        if was[name] != name:
            differences.append(Difference("renamed", f"was called {was[name]}"))
        if name in moved:
            differences.append(Difference("moved", _stands(after, name)))
        differences += asks(old.ask, step.ask)
        if now.get(old.root, old.root) != step.root:
            differences.append(Difference("asks", f"asks {step.root} again" if step.repeats else "asks for itself"))
        differences += [Difference("retimed", said) for said in times(before, after, was[name], name, now)]
        differences += leads(old, step, now)
        if old.send != step.send:
            differences.append(Difference("rules", "leaves at other times"))
        differences += wording(before, after, was[name], name, templates, new_templates)
        if differences:
            found.append(StepDiff(name, was[name], tuple(differences)))
    gone = [StepDiff("", name, (Difference("removed", "is gone"),)) for name in before.steps if name not in now]
    return (*found, *gone)


def _moved(before: list[str], after: list[str]) -> set[str]:
    matches = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    stayed = {name for block in matches for name in after[block.b : block.b + block.size]}
    return set(after) - stayed


def _stands(sequence: Sequence, name: str) -> str:
    order = list(sequence.steps)
    place = order.index(name)
    return f"stands after {order[place - 1]} now" if place else "stands first now"


# --- the rest of the page


def _sequence_words(before: Sequence, after: Sequence) -> Iterator[str]:
    said = (
        ("start", "it starts otherwise"), ("goal", "another goal"), ("stop", "it is stopped by other things"),
        ("dates", "other dates"), ("priority", "another priority"), ("sender", "another sender"),
        ("reply_to", "replies go elsewhere"), ("title", "another title"), ("proof", "other proof"), ("badges", "other badges"),
    )  # fmt: skip
    now = names_now(before, after)
    renamed_start = replace(before.start, go=_renamed_go(before.start.go, now))
    for code in sorted({*before.languages} ^ {*after.languages}):
        yield f"is written in '{code}' as well" if code in after.languages else f"is no longer written in '{code}'"
    for name, words in said:
        mine = renamed_start if name == "start" else getattr(before, name)
        if mine != getattr(after, name):
            yield words


def _renamed_go(go: Go, now: Mapping[str, str]) -> Go:
    match go:
        case Goto(step):
            return Goto(now.get(step, step))
        case Split(shares):
            return Split(tuple((_renamed_target(target, now), share) for target, share in shares))
    return go


def _renamed_target(target: Goto | Exit, now: Mapping[str, str]) -> Goto | Exit:
    return Goto(now.get(target.step, target.step)) if isinstance(target, Goto) else target
