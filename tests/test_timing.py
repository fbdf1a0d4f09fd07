"""Time on a person's wall clock: around every change of every zone from 2025 to 2030, and examples one can check by hand."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from nurture.journey import timing
from nurture.language.sequence import Duration, SendRules
from nurture.language.words import moment

FIRST, LAST = datetime(2025, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
WIDEST = timedelta(hours=2)
"""No zone moves its clocks by more than this today (Antarctica/Troll)."""

WINDOWS = [
    SendRules(between=(time(9), time(17))),
    SendRules(between=(time(22), time(2))),
    SendRules(between=(time(2), time(3))),
    SendRules(between=(time(0), time(1))),
    SendRules(between=(time(23), time(0))),
]
CLOCKS = [time(9), time(2, 30), time(0), time(23, 30)]


def offset(at, where):
    return at.astimezone(where).utcoffset()


def changes_of(where):
    """The instants at which this zone moves its clocks: the offset is compared day by day, then the day is halved."""
    found = []
    for number in range((LAST - FIRST).days):
        low, high = FIRST + number * DAY, FIRST + (number + 1) * DAY
        before = offset(low, where)
        if offset(high, where) != before:
            while high - low > SECOND:
                middle = low + (high - low) // 2
                low, high = (middle, high) if offset(middle, where) == before else (low, middle)
            found.append(high.replace(microsecond=0))
    return tuple(found)


@lru_cache(maxsize=1)
def zones():
    """One zone for each way to move the clocks, with its changes. Those that never do are left out."""
    found = {}
    for name in sorted(available_timezones()):
        where = ZoneInfo(name)
        changes = changes_of(where)
        if changes:
            found.setdefault((changes, offset(FIRST, where)), where)
    return [(where, changes) for (changes, _), where in found.items()]


def around(changes):
    """Instants within three days of each change, denser within three hours of it, in order."""
    for change in changes:
        far = [change + n * timedelta(hours=5, minutes=7) for n in range(-14, 15)]
        near = [change + n * timedelta(minutes=20) for n in range(-9, 10)]
        yield sorted({*far, *near, change - SECOND})


def wall(at, where):
    return at.astimezone(where).replace(tzinfo=None)


def repeated(at, where):
    """Whether the clock shows this time for the second time."""
    return at.astimezone(where).fold == 1


def is_in(clock, between):
    first, last = between
    return first <= clock < last if first < last else clock >= first or clock < last


def test_most_of_the_world_is_looked_at():
    assert len(zones()) > 25
    assert sum(len(changes) for _, changes in zones()) > 300


def test_days_later_it_is_the_same_time_on_the_wall_or_the_first_minute_after_a_gap():
    for where, changes in zones():
        for times in around(changes):
            for at in times:
                for days in (1, 2, 3):
                    later = timing.add(at, Duration(days=days), where)
                    assert abs(later - at - days * DAY) <= WIDEST
                    wanted = wall(at, where) + days * DAY
                    if wall(later, where) != wanted:
                        assert later in changes, (where, at, days)
                        assert wall(later - SECOND, where) < wanted < wall(later, where)
                    assert not repeated(later, where)


def test_days_later_it_is_that_day_or_the_first_instant_of_the_next_where_the_evening_is_missing():
    for where, changes in zones():
        for times in around(changes):
            for at in times:
                for days in (1, 2, 3):
                    later = timing.add(at, Duration(days=days), where)
                    passed = (wall(later, where).date() - wall(at, where).date()).days
                    jumped = later in changes and wall(later, where).time() == time(0)
                    assert passed == days or (passed == days + 1 and jumped), (where, at, days)


def test_days_before_undo_days_after():
    for where, changes in zones():
        for times in around(changes):
            for at in times:
                later = timing.add(at, Duration(days=2), where)
                if not repeated(at, where) and later not in changes and at not in changes:
                    back = timing.subtract(later, Duration(days=2), where)
                    assert back == at, (where, at)


def test_a_later_start_never_gives_an_earlier_end_unless_the_clock_itself_goes_back():
    for where, changes in zones():
        for times in around(changes):
            for days in (1, 2, 3):
                once = [at for at in times if not repeated(at, where)]
                ends = [timing.add(at, Duration(days=days), where) for at in once]
                assert ends == sorted(ends)
                both = [timing.add(at, Duration(days=days), where) for at in times]
                assert all(after - before >= -WIDEST for before, after in pairwise(both))


def test_mail_leaves_only_inside_its_window():
    for where, changes in zones():
        for times in around(changes):
            for rules in WINDOWS:
                for at in times:
                    leaves, why = timing.earliest(at, rules, where, None)
                    assert leaves >= at
                    assert (why == "") == (leaves == at)
                    # a window stays open, once, while the clock goes back within it
                    assert (
                        is_in(wall(leaves, where).time(), rules.between)
                        or repeated(leaves, where)
                        or (leaves in changes)
                    ), (where, at)
                    assert leaves - at < 2 * DAY + WIDEST


def test_mail_is_not_held_inside_its_window():
    for where, changes in zones():
        for times in around(changes):
            for rules in WINDOWS:
                for at in times:
                    if is_in(wall(at, where).time(), rules.between) and not repeated(at, where):
                        assert timing.earliest(at, rules, where, None) == (at, ""), (where, at, rules)


def test_asking_the_window_again_changes_nothing_and_later_is_never_earlier():
    for where, changes in zones():
        for times in around(changes):
            for rules in WINDOWS:
                found = [timing.earliest(at, rules, where, None)[0] for at in times]
                assert found == sorted(found)
                assert [timing.earliest(at, rules, where, None)[0] for at in found] == found


def test_with_a_gap_of_a_day_mail_leaves_in_each_window_once_and_skips_only_one_that_does_not_exist():
    for where, changes in zones():
        for change in changes:
            for rules in WINDOWS:
                day = wall(change, where).date() - 3 * DAY
                last = timing.at_wall(day, rules.between[0], where)
                for _ in range(6):
                    leaves, _ = timing.earliest(last, replace(rules, gap=Duration(days=1)), where, last)
                    days = (opening_day(leaves, where, rules) - opening_day(last, where, rules)).days
                    skipped = not exists(opening_day(last, where, rules) + DAY, rules, where)
                    assert days == (2 if skipped else 1), (where, last, rules)
                    last = leaves


def opening_day(at, where, rules):
    """The day on which the window that holds `at` opened."""
    local = wall(at, where)
    return local.date() if local.time() >= rules.between[0] else local.date() - DAY


def exists(day, rules, where):
    """Whether a window of this day is there at all: a gap may hold the whole of it."""
    first, last = rules.between
    return timing.at_wall(day, first, where) < timing.at_wall(day + DAY if last <= first else day, last, where)


def test_a_clock_time_comes_once_a_day_and_shows_on_the_wall_or_is_the_end_of_a_gap():
    for where, changes in zones():
        for change in changes:
            for clock in CLOCKS:
                spot, at = moment(f"{clock:%H:%M}"), change - 3 * DAY
                found = []
                for _ in range(6):
                    when = timing.resolve(spot, after=at, zone=where, lookup=lambda _: None)
                    assert when.fixed
                    assert wall(when.at, where).time() == clock or when.at in changes, (where, at, clock)
                    assert not repeated(when.at, where)
                    assert not when.over(when.at)
                    found.append(when.at)
                    at = when.at + SECOND
                assert all(DAY - WIDEST <= after - before <= DAY + WIDEST for before, after in pairwise(found)), (
                    where, clock, found,
                )  # fmt: skip


def test_the_next_clock_time_is_never_past_and_never_earlier_for_a_later_question():
    for where, changes in zones():
        for times in around(changes):
            for text in ("9:00", "2:30", "0:00", "23:30", "sun 2:30"):
                found = [timing.resolve(moment(text), after=at, zone=where, lookup=lambda _: None).at for at in times]
                assert found == sorted(found)
                assert all(at <= when for at, when in zip(times, found, strict=True))


def test_every_day_of_the_calendar_begins_where_the_one_before_ended():
    for where, changes in zones():
        for change in changes:
            first = wall(change, where).date() - 2 * DAY
            days = [
                timing.resolve(moment(str(first + n * DAY)), after=change, zone=where, lookup=lambda _: None)
                for n in range(5)
            ]
            assert all(one.until == other.at for one, other in pairwise(days))
            assert not any(day.fixed for day in days)
            assert sum((day.until - day.at for day in days), timedelta()) == days[-1].until - days[0].at


# --- examples


BERLIN, NEW_YORK, KOLKATA, APIA = (
    ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia")
)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def at(text, where):
    """An instant by what the wall shows; with a `*` the second time it shows it."""
    local = datetime.fromisoformat(text.rstrip("*")).replace(tzinfo=where, fold=int(text.endswith("*")))
    return local.astimezone(UTC)


ONE_DAY = Duration(days=1)
HOURS = Duration(seconds=24 * 3600)


@pytest.mark.parametrize(
    ("where", "start", "length", "end"),
    [
        (BERLIN, "2026-03-28 09:00", ONE_DAY, "2026-03-29 09:00"),
        (BERLIN, "2026-03-28 09:00", HOURS, "2026-03-29 10:00"),
        (BERLIN, "2026-03-28 02:30", ONE_DAY, "2026-03-29 03:00"),
        (BERLIN, "2026-03-28 03:00", ONE_DAY, "2026-03-29 03:00"),
        (BERLIN, "2026-03-27 02:30", Duration(days=3), "2026-03-30 02:30"),
        (NEW_YORK, "2026-10-31 09:00", ONE_DAY, "2026-11-01 09:00"),
        (NEW_YORK, "2026-10-31 09:00", HOURS, "2026-11-01 08:00"),
        (NEW_YORK, "2026-10-31 01:30", ONE_DAY, "2026-11-01 01:30"),
        (NEW_YORK, "2026-11-01 01:30*", ONE_DAY, "2026-11-02 01:30"),
        (NEW_YORK, "2026-11-01 01:30*", Duration(days=371), "2027-11-07 01:30"),
        (NEW_YORK, "2026-11-01 01:30", Duration(seconds=3600), "2026-11-01 01:30*"),
        (KOLKATA, "2026-03-28 09:00", ONE_DAY, "2026-03-29 09:00"),
        (KOLKATA, "2026-03-28 09:00", HOURS, "2026-03-29 09:00"),
        (APIA, "2011-12-29 09:00", ONE_DAY, "2011-12-31 00:00"),
        (APIA, "2011-12-29 09:00", Duration(days=2), "2011-12-31 09:00"),
    ],
)
def test_adding_by_hand(where, start, length, end):
    assert timing.add(at(start, where), length, where) == at(end, where)


@pytest.mark.parametrize(
    ("where", "start", "end"),
    [
        (BERLIN, "2026-03-29 08:59", "2026-03-29 09:00"),
        (BERLIN, "2026-03-29 09:00", "2026-03-29 09:00"),
        (BERLIN, "2026-03-29 16:59", "2026-03-29 16:59"),
        (BERLIN, "2026-03-29 17:00", "2026-03-30 09:00"),
        (KOLKATA, "2026-03-29 17:00", "2026-03-30 09:00"),
        (APIA, "2011-12-29 17:00", "2011-12-31 09:00"),
    ],
)
def test_a_window_by_hand(where, start, end):
    rules = SendRules(between=(time(9), time(17)))
    assert timing.earliest(at(start, where), rules, where, None)[0] == at(end, where)


def test_nine_in_berlin_moves_by_an_hour_in_spring():
    rules = SendRules(between=(time(9), time(17)))
    assert timing.earliest(utc("2026-03-28 04:00"), rules, BERLIN, None)[0] == utc("2026-03-28 08:00")
    assert timing.earliest(utc("2026-03-29 04:00"), rules, BERLIN, None)[0] == utc("2026-03-29 07:00")


def test_a_night_window_belongs_to_the_day_on_which_it_opens():
    rules = SendRules(between=(time(22), time(2)), days=frozenset({4}))
    assert timing.earliest(at("2026-03-27 12:00", BERLIN), rules, BERLIN, None)[0] == at("2026-03-27 22:00", BERLIN)
    saturday = at("2026-03-28 01:59", BERLIN)
    assert timing.earliest(saturday, rules, BERLIN, None) == (saturday, "")
    assert timing.earliest(at("2026-03-28 02:00", BERLIN), rules, BERLIN, None)[0] == at("2026-04-03 22:00", BERLIN)


def test_days_without_a_window_hold_until_midnight():
    weekdays = SendRules(days=frozenset(range(5)))
    held, why = timing.earliest(at("2026-03-28 12:00", BERLIN), weekdays, BERLIN, None)
    assert held == at("2026-03-30 00:00", BERLIN)
    assert why == "the window opens Mon 30 Mar 00:00"


def test_the_gap_counts_from_the_last_mail_and_then_the_window_holds():
    rules = SendRules(between=(time(9), time(17)), gap=ONE_DAY)
    last, now = at("2026-03-28 16:00", BERLIN), at("2026-03-29 09:00", BERLIN)
    assert timing.earliest(now, rules, BERLIN, last) == (at("2026-03-29 16:00", BERLIN), "1 day after the last mail")
    late = replace(rules, gap=Duration(seconds=26 * 3600))
    assert timing.earliest(now, late, BERLIN, last)[0] == at("2026-03-30 09:00", BERLIN)
    assert timing.earliest(now, replace(late, now=True), BERLIN, last) == (now, "")


def test_a_deadline_is_rounded_up_to_the_minute():
    assert timing.round_up_to_minute(utc("2026-03-29 09:00:00.000001")) == utc("2026-03-29 09:01")
    assert timing.round_up_to_minute(utc("2026-03-29 09:00:59")) == utc("2026-03-29 09:01")
    assert timing.round_up_to_minute(utc("2026-03-29 09:00")) == utc("2026-03-29 09:00")


KNOWN = {
    "renewal": "2026-03-30", "trial_ends": "2026-03-29T18:00:00", "birthday": "03-28", "leap": "02-29",
    "deal": moment("2026-03-29 02:30 Europe/Berlin"), "circle": moment("1 day before circle"), "empty": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected", "fixed"),
    [
        ("tue 9:00", "2026-03-31 09:00", True),
        ("sat 12:00", "2026-03-28 12:00", True),
        ("2026-03-29 02:30", "2026-03-29 03:00", True),
        ("2026-03-29", "2026-03-29 00:00", False),
        ("renewal", "2026-03-30 00:00", False),
        ("2 days before renewal", "2026-03-28 00:00", False),
        ("36 hours before renewal", "2026-03-28 11:00", True),
        ("trial_ends", "2026-03-29 18:00", True),
        ("1 day before trial_ends", "2026-03-28 18:00", True),
        ("24 hours before trial_ends", "2026-03-28 17:00", True),
        ("birthday", "2026-03-28 00:00", False),
        ("leap", "2027-02-28 00:00", False),
        ("deal", "2026-03-29 03:00", True),
    ],
)
def test_moments_by_hand(text, expected, fixed):
    when = timing.resolve(moment(text), after=at("2026-03-28 12:00", BERLIN), zone=BERLIN, lookup=KNOWN.get)
    assert (when.at, when.fixed) == (at(expected, BERLIN), fixed)


@pytest.mark.parametrize("text", ["unheard_of", "empty", "circle", "3 days after unheard_of"])
def test_an_unknown_moment_is_none(text):
    assert timing.resolve(moment(text), after=utc("2026-03-28 12:00"), zone=BERLIN, lookup=KNOWN.get) is None


def test_a_day_is_over_when_the_next_begins_and_a_clock_time_at_once_after_it():
    after = at("2026-03-01 12:00", BERLIN)
    day = timing.resolve(moment("2026-03-29"), after=after, zone=BERLIN, lookup=KNOWN.get)
    assert not day.over(at("2026-03-29 23:59", BERLIN))
    assert day.over(at("2026-03-30 00:00", BERLIN))
    clock = timing.resolve(moment("2026-03-29 18:00"), after=after, zone=BERLIN, lookup=KNOWN.get)
    assert not clock.over(at("2026-03-29 18:00", BERLIN))
    assert clock.over(at("2026-03-29 18:01", BERLIN))


def test_the_skipped_day_of_samoa_is_over_as_soon_as_it_begins():
    day = timing.resolve(moment("2011-12-30"), after=at("2011-12-01 12:00", APIA), zone=APIA, lookup=KNOWN.get)
    assert day.at == day.until == at("2011-12-31 00:00", APIA)


def test_a_zone_that_is_not_known_is_the_fallback():
    assert timing.zone("Mars/Olympus", "Europe/Berlin") == BERLIN
    assert timing.zone("../etc/passwd") == ZoneInfo("UTC")
    assert timing.zone("", "Europe/Berlin") == BERLIN
