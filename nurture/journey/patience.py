"""How long: when silence becomes a no, when a mail comes too late, when an offer is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.journey import timing
from nurture.journey.branching import Case, resolve

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.journey.enrollment import Enrollment, Facts
    from nurture.language.sequence import Sequence, Step


def until_of(sequence: Sequence, step: str, enrollment: Enrollment, facts: Facts, now: datetime) -> timing.When | None:
    """The moment after which a step's mail is pointless (`until`); None when it has none or it is unknown."""
    until = sequence.steps[step].until
    if until is None:
        return None
    return resolve(Case(sequence, facts, now), enrollment, until, after=enrollment.last_mail_at or now)


def deadline(case: Case, enrollment: Enrollment, step: Step) -> datetime:
    if step.ask.expires is not None:
        return timing.add(case.now, step.ask.expires, case.zone)
    return patience(case, enrollment, step, case.now)


def patience(case: Case, enrollment: Enrollment, step: Step, left_at: datetime) -> datetime:
    """When silence after this mail becomes a no."""
    if step.until is not None:
        when = resolve(case, enrollment, step.until, after=left_at)
        return left_at if when is None else when.at
    return left_at if step.within is None else timing.add(left_at, step.within, case.zone)
