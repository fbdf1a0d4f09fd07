"""Beginnings: whether something that happened starts a pass, and when a pass starts that waits for a date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.journey import timing
from nurture.journey.branching import Case, lookup, resolve
from nurture.journey.enrollment import Enrollment
from nurture.journey.events import Event, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nurture.journey.enrollment import Facts
    from nurture.language.sequence import Happening, Sequence


def starts(sequence: Sequence, event: Event, facts: Facts, last: Enrollment | None, now: datetime) -> bool:
    """Whether this happening begins a new pass for this person; `last` is their latest pass of this sequence."""
    if not any(is_it(happening, event) for happening in sequence.start.when):
        return False
    return may_start(sequence, event.data, facts, last, now)


def may_start(
    sequence: Sequence, data: Mapping[str, object], facts: Facts, last: Enrollment | None, now: datetime
) -> bool:
    """Whether a pass may begin now, whatever begins it: never two at once, `again`, and the start's condition."""
    case = Case(sequence, facts, now)
    if sequence.name in facts.subscriber.preferences.without:
        return False
    if last is not None:
        if last.ended_at is None or sequence.start.again is None:
            return False
        if timing.add(last.ended_at, sequence.start.again, case.zone) > now:
            return False
    fresh = Enrollment(0, facts.subscriber.id, sequence.name, 1, now, data=data)
    condition = sequence.start.condition
    return condition is None or condition.test(lookup(sequence, fresh, facts))


def start_moment(sequence: Sequence, facts: Facts, now: datetime) -> tuple[str, datetime] | None:
    """For `start: {at: MOMENT}`: the moment's text and when it is for this person; None while unknown or over."""
    fresh = Enrollment(0, facts.subscriber.id, sequence.name, 1, now)
    for happening in sequence.start.when:
        if happening.moment is not None:
            when = resolve(Case(sequence, facts, now), fresh, happening.moment, after=now)
            if when is not None and not when.over(now):
                return happening.moment.text, when.at
    return None


def is_it(happening: Happening, event: Event) -> bool:
    """Whether this event is the happening that a sequence names."""
    if event.kind is not Kind.HAPPENED or happening.kind != event.happening:
        return False
    return happening.name in ("", event.name)
