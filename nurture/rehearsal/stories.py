"""The `tests:` of a sequence: a story is played on the real decision and compared with what its author expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from nurture.journey import timing
from nurture.journey.enrollment import Facts, Subscriber
from nurture.journey.events import Event, Kind
from nurture.language.words import SHORT_DAYS, clock, duration
from nurture.rehearsal.calendar import Doing, Life, live

if TYPE_CHECKING:
    from nurture.language.sequence import Sequence, Step

FIXED_MONDAY = date(2026, 6, 1)
"""The week in which a story takes place that names a weekday: no clock changes near it in most zones."""

SOON = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Told:
    """How a story went. `differences` are empty when it went as expected; `trace` says why it went as it did."""

    sequence: str
    name: str
    differences: tuple[str, ...]
    trace: tuple[str, ...]


def tell(sequence: Sequence, *, zone: str = "UTC") -> list[Told]:
    """Play every story of a sequence; `zone` is the project's."""
    return [_told(sequence, story, zone) for story in sequence.stories]


def _told(sequence: Sequence, story: Mapping[str, object], zone: str) -> Told:
    given = _mapping(story.get("given"))
    own = str(given.get("timezone") or zone)
    wall = timing.zone(own, zone)
    start = _moment(str(given.get("start") or "mon 10:00"), FIXED_MONDAY, wall)
    life = _live(sequence, story, given, start, zone, own)
    differences = tuple(_compare(life, _mapping(story.get("expect")), start, wall))
    trace = tuple(f"{_when(at, wall)}  {because}" for at, because in life.turns)
    return Told(sequence.name, str(story.get("name", "")), differences, trace)


def _live(
    sequence: Sequence, story: Mapping[str, object], given: Mapping[str, object], start: datetime, zone: str, own: str
) -> Life:
    attributes = {**_mapping(given.get("attributes")), "timezone": own}
    tags = frozenset(str(tag) for tag in _list(given.get("tags")))
    person = Subscriber(1, "someone@example.com", attributes=attributes, tags=tags, joined_at=start)
    arms = frozenset(str(arm) for arm in _list(given.get("arms")))
    acts: dict[str, list[tuple[timedelta, Doing]]] = {}
    happenings: list[tuple[datetime, Event]] = []
    wall = timing.zone(own, zone)
    for doing in _list(story.get("does")):
        what = dict(_mapping(doing))
        at, after = what.pop("at", None), what.pop("after", None)
        ((key, value),) = what.items()
        if key in sequence.steps:
            acts.setdefault(key, []).append((_length(after), _value(value)))
        else:
            moment = _moment(str(at or "day 1 10:00"), start.astimezone(wall).date(), wall)
            happenings.append((moment, Event(Kind.HAPPENED, moment, happening=key, name=str(value or ""))))

    def on_mail(step: Step, _at: datetime) -> list[tuple[timedelta, Doing]]:
        return acts.get(step.name, [])

    facts = Facts(person, zone=zone, arms=arms)
    data = _mapping(given.get("event"))
    return live(sequence, facts, start, data=data, on_mail=on_mail, happenings=happenings)


def _compare(life: Life, expect: Mapping[str, object], start: datetime, wall: ZoneInfo) -> list[str]:
    path = [mail.step for mail in life.mails]
    found = []
    if "path" in expect and path != _list(expect["path"]):
        found.append(f"path: expected {_arrow(_list(expect['path']))}, was {_arrow(path)}")
    found += [f"never: {step} was mailed" for step in _list(expect.get("never")) if step in path]
    if "sent" in expect and expect["sent"] != len(path):
        found.append(f"sent: expected {expect['sent']}, was {len(path)}")
    for step, wanted in _mapping(expect.get("at")).items():
        found += _compare_time(life, step, str(wanted), start, wall)
    for step, answer in _mapping(expect.get("answers")).items():
        kept = life.enrollment.answers.get(step)
        value = "nothing" if kept is None else kept.value
        if str(value) != str(answer):
            found.append(f"answers: {step}: expected {answer}, was {value}")
    ended = life.enrollment.ended or "waiting"
    if "ends" in expect and expect["ends"] != ended:
        found.append(f"ends: expected {expect['ends']}, was {ended}")
    return found


def _compare_time(life: Life, step: str, wanted: str, start: datetime, wall: ZoneInfo) -> list[str]:
    mail = next((mail for mail in life.mails if mail.step == step), None)
    if mail is None:
        return [f"at: {step} was never mailed"]
    local = mail.at.astimezone(wall)
    first = start.astimezone(wall).date()
    day, _, time = wanted.rpartition(" ")
    number = (local.date() - first).days + 1
    same_day = {"": True, f"day {number}": True, SHORT_DAYS[local.weekday()]: True, local.date().isoformat(): True}
    if not same_day.get(day, False) or clock(time) != local.time().replace(second=0, microsecond=0):
        return [f"at: {step}: expected {wanted}, was {_when(mail.at, wall)} (day {number}): {mail.because}"]
    return []


def _moment(text: str, first: date, wall: ZoneInfo) -> datetime:
    """`mon 10:00` of the fixed week, `day 4 20:00` of the story, or `2026-11-24 18:00`."""
    day, _, time = text.rpartition(" ")
    if day.startswith("day "):
        on = first + timedelta(days=int(day.removeprefix("day ")) - 1)
    elif day in SHORT_DAYS:
        on = first + timedelta(days=SHORT_DAYS.index(day))
    else:
        on = date.fromisoformat(day or text)
        time = time if day else "0:00"
    return datetime.combine(on, clock(time), wall).astimezone(UTC)


def _when(at: datetime, wall: ZoneInfo) -> str:
    return f"{at.astimezone(wall):%a %d %b %H:%M}"


def _length(text: object) -> timedelta:
    if text is None:
        return SOON
    length = duration(str(text))
    return timedelta(days=length.days, seconds=length.seconds)


def _value(value: object) -> Doing:
    return value if isinstance(value, str | int) and not isinstance(value, bool) else str(value)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _arrow(steps: list[object] | list[str]) -> str:
    return " → ".join(str(step) for step in steps) or "no mail"
