"""What comes to a person who does nothing: the mails that time alone brings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nurture.journey.advance import advance
from nurture.journey.branching import has_place
from nurture.journey.enrollment import Send
from nurture.journey.events import Event, Kind

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.journey.enrollment import Enrollment, Facts
    from nurture.language.sequence import Sequence


def mails_to_come(
    sequence: Sequence, place: Enrollment, facts: Facts, now: datetime, until: datetime
) -> tuple[datetime, ...]:
    """When mail leaves to this person from `now` on, `until` then, if they stay silent and each mail leaves at once."""
    found: list[datetime] = []
    while place.due_at is not None and place.due_at <= until and has_place(sequence, place):
        at = max(now, place.due_at)
        after, effects = advance(sequence, place, Event(Kind.DUE, at), facts, at)
        for effect in effects:
            if isinstance(effect, Send):
                found.append(at)
                facts = replace(facts, subscriber=replace(facts.subscriber, last_mail_at=at))
                after, _ = advance(sequence, after, Event(Kind.SENT, at, step=effect.step), facts, at)
        if after == place:
            break
        place = after
    return tuple(found)
