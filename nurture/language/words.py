"""How people write time: durations, clock times, days, moments, time zones. Each function raises ValueError with a
sentence that says what to write instead. When a moment is, for a person, is decided elsewhere.
"""

from __future__ import annotations

import re
from datetime import datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from nurture.language.problems import did_you_mean
from nurture.language.sequence import AtClock, AtInstant, AtName, Duration, Moment

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SHORT_DAYS = tuple(day[:3] for day in DAYS)
MOST_DAYS = 3660
NAME = re.compile(r"[a-z][a-z0-9_]*")
KNOWN_MOMENTS = ("joined", "last_seen", "last_bought")

_UNITS = {
    "s": (0, 1), "second": (0, 1), "seconds": (0, 1),
    "m": (0, 60), "minute": (0, 60), "minutes": (0, 60),
    "h": (0, 3600), "hour": (0, 3600), "hours": (0, 3600),
    "d": (1, 0), "day": (1, 0), "days": (1, 0),
    "w": (7, 0), "week": (7, 0), "weeks": (7, 0),
}  # fmt: skip
_DURATION = re.compile(r"(\d{1,9})\s*([A-Za-z]+)")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_WEEKDAY_CLOCK = re.compile(r"([A-Za-z]+)\s+(\d{1,2}:\d{2})")
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ]\s*(\d{1,2}:\d{2}))?(?:\s+([A-Za-z]\S*))?")
_RELATIVE = re.compile(r"(.+?)\s+(before|after)\s+(\S+)")
_MOMENT_NAME = re.compile(r"(start\.)?[a-z][a-z0-9_]*")
_HOW_DURATION = "write it like 20 minutes, 36 hours, 2 days or 1 week"
_HOW_MOMENT = "write it like 9:00, tue 9:00, 2026-11-24 18:00 Europe/London, the name of a date, or 3 days before one"


def duration(text: str) -> Duration:
    """`2 days`, `36 hours`, `20m`. A day is a day on the wall clock, 24 hours are elapsed time."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"'{text}' is not a length of time; {_HOW_DURATION}")
    number, unit = int(match[1]), match[2].lower()
    if unit not in _UNITS:
        if unit.startswith(("month", "year", "mo", "y")):
            raise ValueError(f"'{text}' has no fixed length; say it in days or weeks")
        hint = did_you_mean(unit, [word for word in _UNITS if len(word) > 1])
        raise ValueError(f"'{match[2]}' is not a unit of time{hint or f'; {_HOW_DURATION}'}")
    days, seconds = _UNITS[unit]
    if number == 0:
        raise ValueError(f"'{text}' is no time at all; leave it out, or {_HOW_DURATION}")
    if number * days > MOST_DAYS or number * seconds > MOST_DAYS * 86400:
        raise ValueError(f"'{text}' is longer than ten years; {_HOW_DURATION}")
    return Duration(number * days, number * seconds)


def clock(text: str) -> time:
    """`9:00`, `17:30`."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError(f"'{text}' is not a time of day; write it like 9:00 or 17:30")
    return time(int(match[1]), int(match[2]))


def between(text: str) -> tuple[time, time]:
    """`9:00-17:00`. It may span midnight; `24:00` ends a day."""
    first, dash, last = text.replace("\N{EN DASH}", "-").partition("-")
    if not dash:
        raise ValueError(f"'{text}' is not a stretch of the day; write it like 9:00-17:00")
    opens, closes = clock(first), time(0) if last.strip() == "24:00" else clock(last)
    if opens == closes:
        raise ValueError(f"'{text}' begins when it ends; leave `between` out for the whole day")
    return opens, closes


def days(text: str) -> frozenset[int]:
    """`weekdays`, `weekend`, `every day`, `tue`, `mon-thu`, `mon, wed, fri`. Monday is 0."""
    found: set[int] = set()
    for part in text.lower().replace("\N{EN DASH}", "-").split(","):
        match part.strip():
            case "weekdays":
                found |= {0, 1, 2, 3, 4}
            case "weekend" | "weekends":
                found |= {5, 6}
            case "every day" | "everyday":
                found |= set(range(7))
            case stretch if "-" in stretch:
                first, _, last = stretch.partition("-")
                start = weekday(first.strip())
                found |= {(start + step) % 7 for step in range((weekday(last.strip()) - start) % 7 + 1)}
            case one:
                found.add(weekday(one))
    return frozenset(found)


def weekday(text: str) -> int:
    """`tue` or `tuesday`; Monday is 0."""
    word = text.lower()
    for names in (SHORT_DAYS, DAYS):
        if word in names:
            return names.index(word)
    hint = did_you_mean(word, [*SHORT_DAYS, *DAYS, "weekdays", "weekend", "every day"])
    raise ValueError(f"'{text}' is not a day{hint or '; write weekdays, weekend, every day, mon, or mon-thu'}")


def zone(text: str) -> str:
    """The name of a time zone, as `Europe/London`."""
    if not _is_zone(text):
        short = {name.rpartition("/")[2]: name for name in sorted(available_timezones())}
        near = did_you_mean(text, available_timezones())
        city = text.rpartition("/")[2].strip().replace(" ", "_")
        hint = near or (f", did you mean '{short[city]}'?" if city in short else "; write it like Europe/London")
        raise ValueError(f"there is no time zone '{text}'{hint}")
    return text


@lru_cache(maxsize=1000)
def _is_zone(text: str) -> bool:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return text not in ("localtime", "posixrules", "Factory")


@lru_cache(maxsize=1000)
def moment(text: str) -> Moment:
    """A point in time as it is written after `at:` and `until:`. The text of a Moment reads back to the same Moment."""
    words = " ".join(text.split())
    if _CLOCK.fullmatch(words):
        return Moment(words, AtClock(clock(words)))
    if (match := _INSTANT.fullmatch(words)) is not None:
        return Moment(words, _instant(match))
    if (match := _RELATIVE.fullmatch(words)) is not None:
        if not _MOMENT_NAME.fullmatch(match[3]):
            raise ValueError(f"'{match[3]}' is not the name of a date; {_HOW_MOMENT}")
        return Moment(words, AtName(match[3], duration(match[1]), before=match[2] == "before"))
    if (match := _WEEKDAY_CLOCK.fullmatch(words)) is not None:
        return Moment(words, AtClock(clock(match[2]), weekday(match[1])))
    if _MOMENT_NAME.fullmatch(words):
        if words in (*SHORT_DAYS, *DAYS):
            raise ValueError(f"'{words}' needs a time of day; write it like {words} 9:00")
        return Moment(words, AtName(words))
    raise ValueError(f"'{text}' is not a moment; {_HOW_MOMENT}")


def _instant(match: re.Match[str]) -> AtInstant:
    date, hour, place = match.groups()
    try:
        day = datetime.fromisoformat(date)
    except ValueError:
        raise ValueError(f"{date} is not a day of the calendar") from None
    at = clock(hour) if hour else time(0)
    local = day.replace(hour=at.hour, minute=at.minute)
    return AtInstant(local, zone(place) if place else None, bare=not hour)
