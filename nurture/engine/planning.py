"""What an edit does to the people inside, before it is done: who stands where, who is moved, which mails follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from nurture.journey.branching import UNSUBSCRIBE
from nurture.journey.relocating import Edit, What, relocate
from nurture.language.diff import SequenceDiff, StepDiff, diff, displaced, done, names_now
from nurture.language.problems import Problem
from nurture.language.sequence import END
from nurture.store import enrollments, messages

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.engine.rules import Rules
    from nurture.journey.enrollment import Enrollment, Subscriber
    from nurture.language.project import Project
    from nurture.language.sequence import Sequence

SOON = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class People:
    """How many stand before a step, wait for its mail, have been asked by it last, are past it."""

    before: int = 0
    waiting: int = 0
    asked: int = 0
    past: int = 0

    @property
    def there(self) -> int:
        return self.waiting + self.asked


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One changed step: what changed, whom it finds where, and what becomes of them, in words."""

    diff: StepDiff
    people: People
    becomes: tuple[str, ...]


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
class Refusal:
    """Why this must not be applied as it stands, and what to write so that it may."""

    sequence: str
    step: str
    people: int
    words: str
    write: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an apply would do. `deployed` is the version it was made against, `digest` says which files it was made from.

    `mails_now` and `mails_soon` are mails that leave at once, or within a day, because of it; `cancelled` are planned
    mails that do not leave. `done` are rules in the files that have no more work.
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
    same_files: bool = False
    touched: tuple[str, ...] = field(default=())

    @property
    def empty(self) -> bool:
        return self.same_files


def digest_of(files: Mapping[str, bytes]) -> str:
    """What these files say, as one word."""
    found = sha256()
    for path, body in sorted(files.items()):
        found.update(f"{len(path)} {path} {len(body)} ".encode() + body)
    return found.hexdigest()


def plan(
    tx: Connection, running: tuple[int, Mapping[str, bytes], Project] | None, files: Mapping[str, bytes],
    project: Project, rules: Rules, now: datetime, *, ends: Collection[str] = (),
) -> Plan:  # fmt: skip
    """What becoming the running version would do. `ends` are removed sequences whose people's passes may end."""
    number, old_files, before = running if running is not None else (None, {}, None)
    differences = diff(before, project)
    standing = enrollments.standing(tx)
    moves: Counter[tuple[str, str, str, What]] = Counter()
    now_due = soon_due = 0
    refusals: list[Refusal] = []
    for one in differences:
        if one.before is None:
            continue
        refusals += _impossible(tx, one)
        for old, new, _, what in relocated(tx, one, rules, now, ends=ends):
            if what in ("", "carried"):
                continue
            moves[one.name, old.step, "" if what == "ended" else new.step, what] += 1
            if _comes_sooner(old, new, what):
                now_due += new.due_at is not None and new.due_at <= now
                soon_due += new.due_at is not None and now < new.due_at <= now + SOON
    kept = {key: people for key, people in moves.items() if key[3] != "stranded"}
    refusals += [_nowhere(differences, key, people) for key, people in moves.items() if key[3] == "stranded"]
    return Plan(
        deployed=number,
        digest=digest_of(files),
        ends=tuple(sorted(ends)),
        sequences=tuple(_sequence(one, standing.get(one.name, {})) for one in differences),
        moves=tuple(Move(*key, people) for key, people in sorted(kept.items())),
        mails_now=now_due,
        mails_soon=soon_due,
        refusals=tuple(refusals),
        done=tuple(finished(before, project)),
        other=tuple(_elsewhere(old_files, files, differences)),
        same_files=dict(old_files) == dict(files),
        touched=tuple(_touched(differences, standing, kept)),
    )


def relocated(
    tx: Connection, one: SequenceDiff, rules: Rules, now: datetime, *, ends: Collection[str], by: str = "this apply"
) -> Iterator[tuple[Enrollment, Enrollment, Subscriber, What]]:
    """Everyone whom this edit may concern: where they stand, where they will, who they are, what becomes of them."""
    before, after = one.before, one.after
    if before is None:
        return
    if after is None:
        edit = Edit(before, None, {}, by=by)
        flying: set[int] = set()
        batches = enrollments.touched(tx, one.name, [*before.steps], (), ())
    else:
        if not (one.renamed or one.removed or one.retimed):
            return
        names = names_now(before, after)
        was = {new: old for old, new in names.items()}
        go = {name: change.go for name, change in after.changes.items() if change.go}
        edit = Edit(before, after, names, go, one.retimed, by)
        flying = messages.in_flight(tx, one.name, one.removed) if one.removed else set()
        at = [*edit.renamed, *one.removed, *(was[name] for name in one.retimed)]
        batches = enrollments.touched(tx, one.name, at, (*before.steps, "", END, UNSUBSCRIBE), [*edit.renamed])
    for batch in batches:
        for place, person in batch:
            if after is None and one.name not in ends:
                yield place, place, person, "stranded"
                continue
            moved, what = relocate(edit, place, rules.facts(person), now, in_flight=place.id in flying)
            yield place, moved, person, what


def _comes_sooner(old: Enrollment, new: Enrollment, what: What) -> bool:
    """Whether a mail leaves that would not have left by then."""
    if new.phase != "waiting" or new.due_at is None or what == "renamed":
        return False
    return what == "moved" or old.due_at is None or new.due_at < old.due_at


# --- what must not be done


def _impossible(tx: Connection, one: SequenceDiff) -> Iterator[Refusal]:
    if one.before is None or one.after is None:
        return
    for name in displaced(one.before, one.after):
        was = one.after.changes[name].was
        words = f"'{was}' cannot be called '{name}': the running version has another step of that name, and two steps cannot become one"
        yield Refusal(one.name, was, 0, words)
    fresh = [new for new in one.renamed.values() if new not in one.before.steps]
    for name in sorted(messages.used(tx, one.name, fresh)) if fresh else ():
        was = one.after.changes[name].was
        words = f"'{was}' cannot be called '{name}': people got mail of an earlier step of that name; choose a name that was never used"
        yield Refusal(one.name, was, 0, words)
    order = {name: step.position for name, step in one.before.steps.items()}
    was_of = {new: old for old, new in names_now(one.before, one.after).items()}
    for gone in one.removed:
        change = one.after.changes.get(gone)
        target = was_of.get(change.go, "") if change is not None else ""
        if target and order[target] < order[gone]:
            yield Refusal(
                one.name,
                gone,
                0,
                f"'{gone}' leads its people back to '{change.go if change else ''}'; they go only forward, to a later step or end",
            )


def _nowhere(differences: tuple[SequenceDiff, ...], key: tuple[str, str, str, What], people: int) -> Refusal:
    name, step, _, _ = key
    one = next(one for one in differences if one.name == name)
    if one.after is None:
        words = f"sequences/{name}.yaml is gone, and {_count(people)} inside at '{step or 'its start'}'"
        return Refusal(name, step, people, words, f"nurture apply --end {name}")
    later = _heir(one, step)
    words = (
        f"'{step}' is gone, and {_count(people)} there; say where they go, or NEW: {{was: {step}}} if it has a new name"
    )
    return Refusal(name, step, people, words, f"changes:\n  {step}: {{go: {later}}}")


def _heir(one: SequenceDiff, gone: str) -> str:
    """The first step below it that still exists, as the likely place to go."""
    assert one.before is not None
    assert one.after is not None
    now = names_now(one.before, one.after)
    if gone not in one.before.steps:
        return END
    below = [name for name, step in one.before.steps.items() if step.position > one.before.steps[gone].position]
    return next((now[name] for name in below if name in now), END)


def finished(before: Project | None, after: Project) -> Iterator[Problem]:
    """W410: rules of `changes:` that made what runs already."""
    for name, sequence in after.sequences.items():
        for rule in done(None if before is None else before.sequences.get(name), sequence):
            yield Problem(rule.file, rule.mark.line, rule.mark.column, "W410", rule.words, rule.mark.width)


# --- who stands where, in words


def _touched(
    differences: tuple[SequenceDiff, ...], standing: Mapping[str, Mapping[tuple[str, str], int]],
    moves: Mapping[tuple[str, str, str, What], int],
) -> Iterator[str]:  # fmt: skip
    """Places at which people stand and whose step changed in more than words."""
    for one in differences:
        places = {step for (_, step), people in standing.get(one.name, {}).items() if people}
        if one.after is None and standing.get(one.name):
            yield one.name
        yield from (
            f"{one.name}.{step}"
            for step in sorted((one.places | {key[1] for key in moves if key[0] == one.name}) & places)
        )


def _elsewhere(
    old: Mapping[str, bytes], new: Mapping[str, bytes], differences: tuple[SequenceDiff, ...]
) -> Iterator[str]:
    """Files that changed and are no sequence that is spoken of."""
    told = {f"sequences/{one.name}.yaml" for one in differences}
    for path in sorted({*old, *new} - told):
        if old.get(path) != new.get(path):
            yield path


def _sequence(one: SequenceDiff, standing: Mapping[tuple[str, str], int]) -> SequencePlan:
    steps = tuple(_step(one, step, standing) for step in one.steps)
    return SequencePlan(one, sum(standing.values()), steps)


def _step(one: SequenceDiff, step: StepDiff, standing: Mapping[tuple[str, str], int]) -> StepPlan:
    assert one.before is not None
    assert one.after is not None
    now = names_now(one.before, one.after)
    name, sequence, names = (step.was, one.before, {}) if step.was else (step.name, one.after, now)
    people = _people(name, sequence, names, standing)
    return StepPlan(step, people, tuple(_becomes(one, step, people)))


def _people(name: str, sequence: Sequence, names: Mapping[str, str], standing: Mapping[tuple[str, str], int]) -> People:
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


def _becomes(one: SequenceDiff, step: StepDiff, people: People) -> Iterator[str]:
    assert one.after is not None
    if "inserted" in step.kinds:
        if people.before:
            yield f"{_count(people.before)} before it and may come to it"
        if people.past:
            yield f"{_count(people.past)} past it and never {'gets' if people.past == 1 else 'get'} it"
        return
    if "removed" in step.kinds:
        go = one.after.changes[step.was].go if step.was in one.after.changes else ""
        if go and people.there:
            yield f"{_number(people.there)} {'end' if go == END else f'go to {go}'}"
        if people.past:
            yield f"what {_number(people.past)} past it were asked and answered stays known"
        return
    if "renamed" in step.kinds:
        yield "mails, answers and links come along; nobody gets it twice"
    if "retimed" in step.kinds and people.there:
        retimes = step.name in one.retimed
        yield f"{_number(people.there)} there {'get their time computed again' if retimes else 'keep the time they were given'}"
    if "asks" in step.kinds and people.asked:
        yield f"{_number(people.asked)} have the old question in their inbox; an answer that is gone counts no more"
    if "leads" in step.kinds and people.asked:
        yield f"{_number(people.asked)} asked by it go the new ways"
    if "moved" in step.kinds and (people.past or people.there):
        yield "whoever had it does not get it again"
    if "words" in step.kinds:
        yield "mails that are not written yet get the new words"


def _number(people: int) -> str:
    return "1 person" if people == 1 else f"{people:,} people"


def _count(people: int) -> str:
    return f"{_number(people)} {'is' if people == 1 else 'are'}"
