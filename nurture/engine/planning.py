"""What an edit does to the people inside, before it is done: who stands where, who is moved, which mails follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from nurture.engine.becoming import Standing, StepPlan, step_plan
from nurture.engine.inside import Fates, fates
from nurture.engine.refusals import Refusal, refusals
from nurture.language.diff import SequenceDiff, diff, done, files_of, names_now
from nurture.language.problems import Problem
from nurture.store import enrollments

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.engine.rules import Rules
    from nurture.journey.enrollment import Enrollment
    from nurture.journey.relocating import What
    from nurture.language.project import Project


@dataclass(frozen=True, slots=True)
class SequencePlan:
    diff: SequenceDiff
    inside: int
    steps: tuple[StepPlan, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """So many people go from here to there. `target` is "" for those whose pass ends."""

    sequence: str
    source: str
    target: str
    what: What
    people: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What an apply would do. `deployed` is the version it was made against, `digest` says which files it was made from.

    `mails_now` and `mails_soon` are mails to people who are moved or retimed, that leave at once, or within a day, and
    would not have left by then. `done` are rules in the files that have no more work. `touched` are places at which
    people stand and whose step changed in more than words. `places` are everyone's new places, for an apply alone.
    """

    deployed: int | None
    digest: str
    ends: tuple[str, ...] = ()
    sequences: tuple[SequencePlan, ...] = ()
    moves: tuple[Move, ...] = ()
    mails_now: int = 0
    mails_soon: int = 0
    refusals: tuple[Refusal, ...] = ()
    done: tuple[Problem, ...] = ()
    other: tuple[str, ...] = ()
    empty: bool = False
    touched: tuple[str, ...] = ()
    places: tuple[tuple[Enrollment, What], ...] = field(default=(), repr=False)


def digest_of(files: Mapping[str, bytes]) -> str:
    """What these files say, as one word."""
    found = sha256()
    for path, body in sorted(files.items()):
        found.update(f"{len(path)} {path} {len(body)} ".encode() + body)
    return found.hexdigest()


def plan(
    tx: Connection, running: tuple[int, Mapping[str, bytes], Project] | None, files: Mapping[str, bytes],
    project: Project, rules: Rules, now: datetime, *, ends: Collection[str] = (), by: str = "",
) -> Plan:  # fmt: skip
    """What becoming the running version would do. `ends` are removed sequences whose people's passes may end.

    `by` is who is about to do it: then the plan has everyone's new place, and their stories say so.
    """
    number, old_files, before = running if running is not None else (None, {}, None)
    differences = diff(before, project)
    standing = enrollments.standing(tx)
    found = {one.name: fates(tx, one, rules, now, ends=ends, by=by) for one in differences}
    return Plan(
        deployed=number,
        digest=digest_of(files),
        ends=tuple(sorted(ends)),
        sequences=tuple(_sequence(one, standing.get(one.name, {}), found[one.name]) for one in differences),
        moves=tuple(move for one in differences for move in _moves(one.name, found[one.name])),
        mails_now=sum(one.mails_now for one in found.values()),
        mails_soon=sum(one.mails_soon for one in found.values()),
        refusals=tuple(refusal for one in differences for refusal in refusals(tx, one, found[one.name])),
        done=tuple(finished(before, project)),
        other=tuple(_elsewhere(old_files, files, differences)),
        empty=dict(old_files) == dict(files),
        touched=tuple(
            place for one in differences for place in _touched(one, standing.get(one.name, {}), found[one.name])
        ),
        places=tuple(place for one in found.values() for place in one.changed),
    )


def finished(before: Project | None, after: Project) -> Iterator[Problem]:
    """W410: rules of `changes:` that made what runs already."""
    for name, sequence in after.sequences.items():
        for rule in done(None if before is None else before.sequences.get(name), sequence):
            yield Problem(rule.file, rule.mark.line, rule.mark.column, "W410", rule.words, rule.mark.width)


def _moves(name: str, found: Fates) -> Iterator[Move]:
    people: Counter[tuple[str, str, What]] = Counter()
    for fate, number in found.people.items():
        if fate.what != "stranded":
            people[fate.step, fate.target, fate.what] += number
    for (source, target, what), number in sorted(people.items()):
        yield Move(name, source, target, what, number)


def _touched(one: SequenceDiff, standing: Standing, found: Fates) -> Iterator[str]:
    if one.after is None and standing:
        yield one.name
    changed = one.places | {fate.step for fate in found.people}
    yield from (f"{one.name}.{step}" for step in sorted({step for _, step in standing} & changed))


def _elsewhere(
    old: Mapping[str, bytes], new: Mapping[str, bytes], differences: tuple[SequenceDiff, ...]
) -> Iterator[str]:
    """Files that changed and belong to no sequence that is spoken of."""
    told = {path for one in differences for path in files_of(one)}
    for path in sorted({*old, *new} - told):
        if old.get(path) != new.get(path):
            yield path


def _sequence(one: SequenceDiff, standing: Standing, found: Fates) -> SequencePlan:
    inside = sum(standing.values())
    if one.before is None or one.after is None:
        return SequencePlan(one, inside, ())
    names = names_now(one.before, one.after)
    return SequencePlan(one, inside, tuple(step_plan(one, step, standing, names, found) for step in one.steps))
