"""Who is inside the sequences that an edit changes: where they stand, where they will stand, which mails follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from nurture.journey.branching import UNSUBSCRIBE
from nurture.journey.relocating import What, edit_of, relocate
from nurture.journey.silence import mails_to_come
from nurture.language.diff import SequenceDiff
from nurture.language.sequence import END
from nurture.store import enrollments, messages

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.engine.rules import Rules
    from nurture.journey.enrollment import Enrollment, Phase, Subscriber

SOON = timedelta(days=1)

Shift = Literal["", "sooner", "later"]


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of people who stand at a step. `target` is "" for those whose pass ends."""

    step: str
    phase: Phase
    what: What
    target: str
    shift: Shift = ""


@dataclass(slots=True)
class Fates:
    """What becomes of everyone whom the edit of one sequence moves, and the mails they get that they would not have
    got by then. `changed` are their new places, kept only for an apply.
    """

    people: Counter[Fate] = field(default_factory=Counter)
    mails_now: int = 0
    mails_soon: int = 0
    changed: list[tuple[Enrollment, What]] = field(default_factory=list, repr=False)

    def of(self, step: str, phase: Phase, what: What) -> Counter[Fate]:
        return Counter({f: n for f, n in self.people.items() if (f.step, f.phase, f.what) == (step, phase, what)})

    @property
    def stranded(self) -> Counter[str]:
        """By step, people for whom nobody said where they go."""
        found: Counter[str] = Counter()
        for fate, people in self.people.items():
            if fate.what == "stranded":
                found[fate.step] += people
        return found


def fates(
    tx: Connection, one: SequenceDiff, rules: Rules, now: datetime, *, ends: Collection[str], by: str = ""
) -> Fates:
    """Look at everyone whom this edit may concern, and count. `by` is who applies it, "" when nobody does yet."""
    found = Fates()
    for old, new, person, what in _relocated(tx, one, rules, now, ends=ends, by=by):
        if what and by:
            found.changed.append((new, what))
        if what in ("", "carried"):
            continue
        found.people[_fate(old, new, what)] += 1
        if what in ("moved", "retimed") and new.due_at is not None and new.due_at <= now + SOON:
            assert one.before is not None
            assert one.after is not None
            facts = rules.facts(person)
            more = mails_to_come(one.after, new, facts, now, now + SOON)
            less = mails_to_come(one.before, old, facts, now, now + SOON) if more else ()
            at_once = max(0, more.count(now) - less.count(now))
            found.mails_now += at_once
            found.mails_soon += max(0, len(more) - len(less) - at_once)
    return found


def _fate(old: Enrollment, new: Enrollment, what: What) -> Fate:
    shift: Shift = ""
    if what == "retimed" and old.due_at is not None and new.due_at is not None:
        shift = "sooner" if new.due_at < old.due_at else "later"
    return Fate(old.step, old.phase, what, "" if what == "ended" else new.step, shift)


def _relocated(
    tx: Connection, one: SequenceDiff, rules: Rules, now: datetime, *, ends: Collection[str], by: str
) -> Iterator[tuple[Enrollment, Enrollment, Subscriber, What]]:
    """Everyone whom this edit may concern: where they stand, where they will, who they are, what becomes of them."""
    before, after = one.before, one.after
    if before is None:
        return
    edit = edit_of(one, by)
    if after is None:
        flying: set[int] = set()
        batches = enrollments.touched(tx, one.name, [*before.steps], (), ())
    else:
        if not (one.renamed or one.removed or one.retimed):
            return
        was = {new: old for old, new in edit.now.items()}
        flying = messages.in_flight(tx, one.name, one.removed) if one.removed else set()
        at = [*edit.renamed, *one.removed, *(was[name] for name in one.retimed)]
        remember = [*edit.renamed] if by else []  # who only remembers a step is written, and never counted
        batches = enrollments.touched(tx, one.name, at, (*before.steps, "", END, UNSUBSCRIBE), remember)
    for batch in batches:
        for place, person in batch:
            if after is None and one.name not in ends:
                yield place, place, person, "stranded"
                continue
            moved, what = relocate(edit, place, rules.facts(person), now, in_flight=place.id in flying)
            yield place, moved, person, what
