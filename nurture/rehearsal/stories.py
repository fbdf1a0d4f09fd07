"""The `tests:` of a sequence: a story is played on the real decision and compared with what its author expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from nurture.journey import timing
from nurture.journey.enrollment import Facts, Subscriber
from nurture.journey.events import Event, Kind
from nurture.language.stories import PLAIN, story_time
from nurture.language.words import duration
from nurture.rehearsal.calendar import Doing, Life, live
from nurture.rehearsal.comparing import as_list, as_mapping, compare, when

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from nurture.language.sequence import Sequence, Step

FIXED_MONDAY = date(2026, 6, 1)
"""The week in which a story takes place that names a weekday: no clock changes near it in most zones."""

SOON = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Told:
    """How a story went. `differences` are empty when it went as expected; `trace` says why it went as it did.

    `line` is where it stands in its file, 0 when that is not known.
    """

    sequence: str
    name: str
    differences: tuple[str, ...]
    trace: tuple[str, ...]
    file: str = ""
    line: int = 0


def tell(sequence: Sequence, *, zone: str = "UTC") -> list[Told]:
    """Play every story of a sequence; `zone` is the project's."""
    return [_told(sequence, number, zone) for number in range(len(sequence.stories))]


def _told(sequence: Sequence, number: int, zone: str) -> Told:
    story = sequence.stories[number]
    given = as_mapping(story.get("given"))
    own = str(given.get("timezone") or zone)
    wall = timing.zone(own, zone)
    start = moment_of(str(given.get("start") or "mon 10:00"), FIXED_MONDAY, wall)
    acts, happenings = _doings(sequence, as_list(story.get("does")), start, wall)
    life = _live(sequence, given, start, zone, own, acts, happenings)
    differences = tuple(compare(life, as_mapping(story.get("expect")), start, wall))
    trace = [f"{when(at, wall)}  {because}" for at, because in life.turns]
    mailed = {mail.step for mail in life.mails}
    trace += [f"{'':16}  nothing was done about {step}: it was never mailed" for step in acts if step not in mailed]
    mark = sequence.marks.get(("tests", number))
    name = str(story.get("name") or f"story {number + 1}")
    return Told(sequence.name, name, differences, tuple(trace), sequence.file, mark.line if mark else 0)


Acts = Mapping[str, list[tuple[timedelta, Doing]]]


def _doings(
    sequence: Sequence, does: list[object], start: datetime, wall: ZoneInfo
) -> tuple[Acts, list[tuple[datetime, Event]]]:
    """What is done about each step's mail, and what happens outside."""
    acts: dict[str, list[tuple[timedelta, Doing]]] = {}
    happenings: list[tuple[datetime, Event]] = []
    for doing in does:
        what = dict(as_mapping(doing))
        at, after = what.pop("at", None), what.pop("after", None)
        ((key, value),) = what.items()
        if key in sequence.steps:
            acts.setdefault(key, []).append((length_of(after), _value(value)))
        else:
            moment = moment_of(str(at or "day 1 10:00"), start.astimezone(wall).date(), wall)
            happenings.append((moment, happening(key, str(value), moment)))
    return acts, happenings


def happening(what: str, name: str, at: datetime) -> Event:
    """Something that happens outside, as the event that reports it."""
    if what == "unsubscribed":
        return Event(Kind.UNSUBSCRIBED, at)
    return Event(Kind.HAPPENED, at, happening=what, name="" if what in PLAIN else name)


def _live(
    sequence: Sequence, given: Mapping[str, object], start: datetime, zone: str, own: str,
    acts: Acts, happenings: list[tuple[datetime, Event]],
) -> Life:  # fmt: skip
    left = dict(acts)

    def on_mail(step: Step, _at: datetime) -> list[tuple[timedelta, Doing]]:
        return left.pop(step.name, [])  # a second pass through the sequence meets silence

    data = as_mapping(given.get("event"))
    return live(sequence, imagine(given, start, zone, own), start, data=data, on_mail=on_mail, happenings=happenings)


def imagine(given: Mapping[str, object], start: datetime, zone: str, own: str) -> Facts:
    """The person a story is about, who lives in the zone `own`."""
    attributes = {**as_mapping(given.get("attributes")), "timezone": own}
    tags = frozenset(str(tag) for tag in as_list(given.get("tags")))
    person = Subscriber(1, "someone@example.com", attributes=attributes, tags=tags, joined_at=start)
    return Facts(person, zone=zone, arms=frozenset(str(arm) for arm in as_list(given.get("arms"))))


def moment_of(text: str, first: date, wall: ZoneInfo) -> datetime:
    """`mon 10:00` of the week that begins on `first` or goes on from it, `day 4 20:00` from it, or a date."""
    told = story_time(text)
    if told.date is not None:
        on = told.date
    elif told.weekday is not None:
        on = first + timedelta(days=(told.weekday - first.weekday()) % 7)
    else:
        on = first + timedelta(days=told.day - 1)
    return timing.at_wall(on, told.clock, wall).astimezone(UTC)


def length_of(text: object) -> timedelta:
    if text is None:
        return SOON
    length = duration(str(text))
    return timedelta(days=length.days, seconds=length.seconds)


def _value(value: object) -> Doing:
    if isinstance(value, Mapping):
        return as_mapping(value)
    return value if isinstance(value, str | int) and not isinstance(value, bool) else str(value)
