"""What changed between two readings of a project, step by step, in words. Who is touched by it, others count."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from nurture.language.sequence import Arm, Branch, Exit, Goto, Mark, Split

if TYPE_CHECKING:
    from nurture.language.project import Project
    from nurture.language.sequence import Ask, Go, Sequence, Step

Kind = Literal["renamed", "removed", "inserted", "moved", "retimed", "asks", "leads", "rules", "words"]
"""How a step changed. Only words touch nobody's place: they reach every mail that is not written yet."""


@dataclass(frozen=True, slots=True)
class Difference:
    kind: Kind
    words: str


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
        return frozenset(step.name for step in self.steps if "retimed" in step.kinds and step.name in asked_for)

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
        words = tuple(_sequence_words(mine, theirs))
        if steps or words:
            found.append(SequenceDiff(name, mine, theirs, steps, words))
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
    return {new for old, new in now.items() if list(_times(before, after, old, new, now))}


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
        differences += _asks(old.ask, step.ask)
        if now.get(old.root, old.root) != step.root:
            differences.append(Difference("asks", f"asks {step.root} again" if step.repeats else "asks for itself"))
        differences += [Difference("retimed", words) for words in _times(before, after, was[name], name, now)]
        differences += _leads(old, step, now)
        if old.send != step.send:
            differences.append(Difference("rules", "leaves at other times"))
        differences += _words(before, after, was[name], name, templates, new_templates)
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


def _asks(old: Ask, new: Ask) -> list[Difference]:
    if (old.kind, old.name) != (new.kind, new.name):
        return [Difference("asks", f"asks for {_what(new)} instead of {_what(old)}")]
    found = []
    if gone := [str(key) for key in old.answers if key not in new.answers]:
        found.append(Difference("asks", f"no longer offers the answer {', '.join(gone)}"))
    if fresh := [str(key) for key in new.answers if key not in old.answers]:
        found.append(Difference("asks", f"offers the new answer {', '.join(fresh)}"))
    if old.save != new.save:
        found.append(Difference("asks", f"keeps the answer as {new.save}" if new.save else "keeps the answer no more"))
    if (old.code, old.expires) != (new.code, new.expires):
        found.append(Difference("asks", "has another code or deadline"))
    return found


def _what(ask: Ask) -> str:
    return f"{ask.kind} {ask.name}".strip()


def _words(
    before: Sequence, after: Sequence, old: str, new: str, templates: Mapping[str, str], new_templates: Mapping[str, str]
) -> Iterator[Difference]:  # fmt: skip
    """In the file's own language, and in those that both versions have."""
    if _wording(before.steps[old], templates) != _wording(after.steps[new], new_templates):
        yield Difference("words", "other words")
    for code in sorted({*before.languages} & {*after.languages}):
        mine, theirs = before.languages[code].steps.get(old), after.languages[code].steps.get(new)
        if mine and theirs and _wording(mine, templates) != _wording(theirs, new_templates):
            yield Difference("words", f"other words in '{code}'")


def _wording(step: Step, templates: Mapping[str, str]) -> tuple[object, ...]:
    ask = step.ask
    return (
        step.subjects, step.preheader, step.extra, templates.get(step.template, ""), step.principle, step.award,
        ask.words, ask.label, ask.to, ask.price, ask.size, *ask.answers.values(),
    )  # fmt: skip


# --- times, and ways


def _times(before: Sequence, after: Sequence, old: str, new: str, now: Mapping[str, str]) -> Iterator[str]:
    mine, theirs = before.steps[old], after.steps[new]
    if (mine.within, mine.until) != (theirs.within, theirs.until):
        yield f"gives {_patience(theirs)} to answer, was {_patience(mine)}"
    earlier = {(now.get(source, ""), way): wait for source, way, wait in _arrivals(before, old)}
    for source, way, wait in _arrivals(after, new):
        known = earlier.get((source, way), wait)
        if known != wait:
            yield f"comes {wait} {way} {source}, was {known}"


def _patience(step: Step) -> str:
    return f"until {step.until.text}" if step.until is not None else str(step.within or "no time")


def _arrivals(sequence: Sequence, name: str) -> Iterator[tuple[str, str, str]]:
    """From which step, by which way and after how long people come to this one."""
    for source in sequence.steps.values():
        for way, branch in (("after a yes to", source.yes), ("after no yes to", source.no)):
            for arm in branch.every_arm():
                if name in _targets(arm.go):
                    yield source.name, way, _wait(arm)


def _wait(arm: Arm) -> str:
    if arm.at is not None:
        return f"at {arm.at.text}"
    return "at once" if arm.after is None else str(arm.after)


def _targets(go: Go) -> tuple[str, ...]:
    match go:
        case Goto(step):
            return (step,)
        case Exit(how):
            return (how,)
        case Split(shares):
            return tuple(target for share, _ in shares for target in _targets(share))


def _leads(old: Step, new: Step, now: Mapping[str, str]) -> Iterator[Difference]:
    for way, mine, theirs in (("yes", old.yes, new.yes), ("no", old.no, new.no)):
        if _timeless(mine, now) != _timeless(theirs, MappingProxyType({})):
            yield Difference("leads", f"its {way} leads to {_ways(theirs)}, was {_ways(mine)}")


def _timeless(branch: Branch, now: Mapping[str, str]) -> object:
    """A branch without its waits, its steps by the names they have now."""

    def arms(listed: tuple[Arm, ...]) -> list[object]:
        return [
            (
                "" if arm.condition is None else _renamed_in(arm.condition.source, now),
                [(now.get(target, target), share) for target, share in _shares(arm.go)],
            )
            for arm in listed
        ]

    return arms(branch.arms), {answer: arms(listed) for answer, listed in branch.by_answer.items()}


def _shares(go: Go) -> list[tuple[str, int]]:
    shares = go.shares if isinstance(go, Split) else ((go, 100),)
    return [(name, share) for target, share in shares for name in _targets(target)]


def _renamed_in(condition: str, now: Mapping[str, str]) -> str:
    return re.sub(r"\banswers\.(\w+)", lambda found: f"answers.{now.get(found[1], found[1])}", condition)


def _ways(branch: Branch) -> str:
    targets = dict.fromkeys(target for arm in branch.every_arm() for target in _targets(arm.go))
    return " or ".join(targets) or "nothing"


# --- the rest of the page


def _sequence_words(before: Sequence, after: Sequence) -> Iterator[str]:
    said = (
        ("start", "it starts otherwise"), ("goal", "another goal"), ("stop", "it is stopped by other things"),
        ("dates", "other dates"), ("priority", "another priority"), ("sender", "another sender"),
        ("reply_to", "replies go elsewhere"), ("title", "another title"),
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
