"""When: adding time on a person's wall clock, windows and gaps, moments.

Pure functions on aware UTC datetimes. In the hour a spring night skips, the first valid minute after it stands for
what is missing; of the hour an autumn night repeats, only the first counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from nurture.language.sequence import AtClock, AtInstant, AtName, Moment

if TYPE_CHECKING:
    from nurture.language.sequence import Duration, SendRules

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT = time(0)
DEEPEST = 8
"""How many names of dates may stand for each other before it is a circle."""


@lru_cache(maxsize=1024)
def zone(name: str, fallback: str = "UTC") -> ZoneInfo:
    """The zone of this name; of `fallback` when there is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return ZoneInfo(fallback)


def at_wall(day: date, clock: time, where: ZoneInfo) -> datetime:
    """The instant (UTC) at which a wall clock shows this; in a gap the first valid minute after it."""
    shown = datetime.combine(day, clock.replace(fold=0) if clock.fold else clock)
    wanted = shown.replace(tzinfo=where)
    instant = wanted.astimezone(UTC)
    if instant.astimezone(where).replace(tzinfo=None) == shown:
        return instant
    return _end_of_gap(wanted, where)


def _end_of_gap(missing: datetime, where: ZoneInfo) -> datetime:
    """The instant at which the clock jumped over `missing`: found by halving between an offset before and one after."""
    low = missing.replace(fold=1).astimezone(UTC)
    high = missing.replace(fold=0).astimezone(UTC)
    before = low.astimezone(where).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(where).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def add(at: datetime, length: Duration, where: ZoneInfo) -> datetime:
    """So much later: days keep the time on the wall, seconds are elapsed time."""
    if not length.days:
        return at + timedelta(seconds=length.seconds)
    local = at.astimezone(where)
    return at_wall(local.date() + timedelta(days=length.days), local.time(), where)


def subtract(at: datetime, length: Duration, where: ZoneInfo) -> datetime:
    """So much earlier, by the same rule."""
    if not length.days:
        return at - timedelta(seconds=length.seconds)
    local = at.astimezone(where)
    return at_wall(local.date() - timedelta(days=length.days), local.time(), where)


def round_up_to_minute(at: datetime) -> datetime:
    whole = at.replace(second=0, microsecond=0)
    return whole if whole == at else whole + timedelta(minutes=1)


def earliest(at: datetime, rules: SendRules, where: ZoneInfo, last_mail_at: datetime | None) -> tuple[datetime, str]:
    """The first instant at or after `at` when mail may leave, and in words what it waits for ("" when it does not).

    `last_mail_at` is the last mail of this sequence, for its gap. A window belongs to the day on which it opens.
    """
    if rules.now:
        return at, ""
    why = ""
    if rules.gap is not None and last_mail_at is not None:
        free = add(last_mail_at, rules.gap, where)
        if free > at:
            at, why = free, f"{rules.gap} after the last mail"
    if rules.between is None and len(rules.days) == 7:
        return at, why
    opens = _opening(at, rules, where)
    if opens <= at:
        return at, why
    return opens, f"the window opens {opens.astimezone(where):%a %d %b %H:%M}"


def _opening(at: datetime, rules: SendRules, where: ZoneInfo) -> datetime:
    """The first instant at or after `at` that is inside a window; at or before `at` when it is inside one."""
    first, last = rules.between or (MIDNIGHT, MIDNIGHT)
    day = at.astimezone(where).date()
    if last <= first:
        day -= timedelta(days=1)  # yesterday's window may be open still
    while True:
        if day.weekday() in rules.days:
            opens, closes = _window(day, first, last, where)
            if at < closes and opens < closes:
                return opens
        day += timedelta(days=1)


@lru_cache(maxsize=4096)
def _window(day: date, first: time, last: time, where: ZoneInfo) -> tuple[datetime, datetime]:
    """When the window of a day opens and closes. Everyone in a zone has the same, so it is worked out once."""
    closes_on = day + timedelta(days=1) if last <= first else day
    return at_wall(day, first, where), at_wall(closes_on, last, where)


@dataclass(frozen=True, slots=True)
class When:
    """A moment in time (UTC). `fixed` when a clock time was given; otherwise it is a day, from its first instant.

    A clock time holds against window and gap; a day's mail leaves in that day's window, so a day is over when the
    next one begins.
    """

    at: datetime
    fixed: bool
    until: datetime

    def over(self, now: datetime) -> bool:
        return self.until <= now


def resolve(
    moment: Moment, *, after: datetime, zone: ZoneInfo, lookup: Callable[[str], object], depth: int = 0
) -> When | None:
    """When a moment is. `lookup` gives a datetime, ISO text, `MM-DD`, another Moment, or None; None is unknown."""
    match moment.point:
        case AtClock(clock, weekday):
            return _instant(_next_clock(after, clock, weekday, zone))
        case AtInstant(local, name, bare):
            where = zone if name is None else ZoneInfo(name)
            return _day(local.date(), where) if bare else _instant(at_wall(local.date(), local.time(), where))
        case AtName(name, offset, before):
            base = _named(lookup(name), after, zone, lookup, depth)
            if base is None or not (offset.days or offset.seconds):
                return base
            shifted = (subtract if before else add)(base.at, offset, zone)
            if base.fixed or offset.seconds:
                return _instant(shifted)
            return _day(shifted.astimezone(zone).date(), zone)


def _next_clock(after: datetime, clock: time, weekday: int | None, where: ZoneInfo) -> datetime:
    day = after.astimezone(where).date()
    while True:
        if weekday is None or day.weekday() == weekday:
            instant = at_wall(day, clock, where)
            if instant >= after:
                return instant
        day += timedelta(days=1)


def _named(value: object, after: datetime, where: ZoneInfo, lookup: Callable[[str], object], depth: int) -> When | None:
    if isinstance(value, Moment):
        return None if depth > DEEPEST else resolve(value, after=after, zone=where, lookup=lookup, depth=depth + 1)
    if isinstance(value, datetime):
        return _instant(value)
    if not isinstance(value, str) or not value:
        return None
    if len(value) == len("11-24"):
        return _yearly(value, after, where)
    if len(value) == len("2026-11-24"):
        return _day(date.fromisoformat(value), where)
    parsed = datetime.fromisoformat(value)
    if parsed.tzinfo is None:
        return _instant(at_wall(parsed.date(), parsed.time(), where))
    return _instant(parsed.astimezone(UTC))


def _yearly(text: str, after: datetime, where: ZoneInfo) -> When:
    """The next such day that is not over; the 29th of February is the 28th in other years."""
    month, day = int(text[:2]), int(text[3:])
    year = after.astimezone(where).year
    while True:
        try:
            found = _day(date(year, month, day), where)
        except ValueError:
            found = _day(date(year, month, day - 1), where)
        if not found.over(after):
            return found
        year += 1


def _instant(at: datetime) -> When:
    return When(at, fixed=True, until=at + timedelta(microseconds=1))


def _day(day: date, where: ZoneInfo) -> When:
    opens = at_wall(day, MIDNIGHT, where)
    return When(opens, fixed=False, until=at_wall(day + timedelta(days=1), MIDNIGHT, where))
