"""The `tests:` of a sequence: kept as they were written, checked for names that are not there. Others run them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from nurture.language import words
from nurture.language.people import convert
from nurture.language.sequence import ALWAYS_KNOWN
from nurture.language.values import allow, check_known, line_of, one_of, parsed, table_of, whole_of
from nurture.language.yaml import Items, Scalar, Table, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nurture.language.page import Page
    from nurture.language.sequence import Ask
    from nurture.language.steps import AskOf
    from nurture.language.yaml import Node

STORY_KEYS = ("name", "given", "does", "expect")
GIVEN_KEYS = ("start", "timezone", "event", "attributes", "tags", "arms")
EXPECT_KEYS = ("path", "never", "at", "sent", "answers", "awards", "ends")
HAPPENINGS = ("event", "bought", "tag", "replied", "unsubscribed")
PLAIN = ("replied", "unsubscribed")
"""What happens without a name of its own: `{replied: yes}`."""
ENDS = ("finished", "goal", "stopped", "unsubscribed")
DEEDS = ("yes", "machine")
MOST_MAILS = 10_000
_FRIENDS = re.compile(r"(\d{1,4}) friends?")
_DAY_CLOCK = re.compile(r"day\s+(\d{1,4})\s+(\d{1,2}:\d{2})")
_DATE_CLOCK = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ]\s*(\d{1,2}:\d{2}))?")
_WEEKDAY_CLOCK = re.compile(r"([A-Za-z]+)\s+(\d{1,2}:\d{2})")


@dataclass(frozen=True, slots=True)
class StoryTime:
    """A time in a story: that day of it (1 is its first), that weekday (Monday is 0), or that date."""

    clock: time
    day: int = 0
    weekday: int | None = None
    date: date | None = None


def story_time(text: str) -> StoryTime:
    """`mon 12:00`, `day 3 9:00`, `2026-11-24 9:00`, or a date alone. Raises ValueError."""
    written = " ".join(text.split())
    if match := _DAY_CLOCK.fullmatch(written):
        if int(match[1]) == 0:
            raise ValueError("a story begins on day 1")
        return StoryTime(words.clock(match[2]), day=int(match[1]))
    if match := _DATE_CLOCK.fullmatch(written):
        try:
            on = date.fromisoformat(match[1])
        except ValueError:
            raise ValueError(f"{match[1]} is not a day of the calendar") from None
        return StoryTime(words.clock(match[2]) if match[2] else time(0), date=on)
    if match := _WEEKDAY_CLOCK.fullmatch(written):
        return StoryTime(words.clock(match[2]), weekday=words.weekday(match[1]))
    raise ValueError(f"'{text}' is not a time; write it like mon 12:00, day 3 9:00 or 2026-11-24 9:00")


def friends_in(written: object) -> int:
    """How many came, in `3 friends`; 0 where that is not what was written."""
    match = _FRIENDS.fullmatch(str(written))
    return int(match[1]) if match else 0


def read_stories(node: Node | None, asks: Mapping[str, AskOf], page: Page) -> tuple[Mapping[str, object], ...]:
    if node is None:
        return ()
    if not isinstance(node, Items):
        page.faults.add("E103", node.mark, "tests is a list of stories, each beginning with - name:")
        return ()
    found = []
    for item in node.items:
        story = table_of(item, page.faults, "a story")
        if story is not None:
            told = cast("dict[str, object]", plain(story))
            told |= _story(story, asks, page)
            found.append(MappingProxyType(told))
    return tuple(found)


def _story(story: Table, asks: Mapping[str, AskOf], page: Page) -> dict[str, object]:
    """Look at a story; what is given in it comes back with each value as the type that is declared for it."""
    typed: dict[str, object] = {}
    allow(story, STORY_KEYS, page.faults)
    if (name := story.get("name")) is not None:
        line_of(name, page.faults, "the name of a story")
    if (node := story.get("given")) is not None and (given := table_of(node, page.faults, "given")) is not None:
        typed["given"] = _given(given, page)
    does = story.get("does")
    for item in does.items if isinstance(does, Items) else [] if does is None else [does]:
        if isinstance(does, Items) and isinstance(item, Table):
            _deed(item, asks, page)
        else:
            page.faults.add("E103", item.mark, "does is a list of acts, each like {STEP: yes, after: 2 hours}")
    if (node := story.get("expect")) is not None and (expect := table_of(node, page.faults, "expect")) is not None:
        _expect(expect, asks, page)
    return typed


def _given(given: Table, page: Page) -> dict[str, object]:
    allow(given, GIVEN_KEYS, page.faults)
    people = page.people
    if (node := given.get("start")) is not None:
        parsed(node, story_time, page.faults, "start")
    if (node := given.get("timezone")) is not None:
        parsed(node, words.zone, page.faults, "timezone")
    known = cast("dict[str, object]", plain(given))
    if (node := given.get("event")) is not None and (table := table_of(node, page.faults, "event")) is not None:
        known["event"] = _values(table, page.names.start, "data of the start event", page)
    if (node := given.get("attributes")) is not None and (
        table := table_of(node, page.faults, "attributes")
    ) is not None:
        kinds = {**dict.fromkeys(ALWAYS_KNOWN, "text"), **people.attributes}
        known["attributes"] = _values(table, kinds, "attribute", page)
    _each(given.get("tags"), lambda tag: check_known(tag.text, tag.mark, people.tags, page.faults, "tag"), page)
    _each(given.get("arms"), lambda arm: _step(arm, page, also=("end", "unsubscribe")), page)
    return known


def _values(table: Table, kinds: Mapping[str, str | tuple[str, ...]], what: str, page: Page) -> dict[str, object]:
    """What is said of a person or an event, converted as an import would convert it."""
    found: dict[str, object] = {}
    for key, value in table:
        check_known(key.text, key.mark, kinds, page.faults, what)
        if not isinstance(value, Scalar):
            page.faults.add("E103", value.mark, f"{key.text} is one value")
        elif key.text in kinds:
            found[key.text] = parsed(value, partial(convert, kinds[key.text]), page.faults, key.text)
    return found


def _deed(deed: Table, asks: Mapping[str, AskOf], page: Page) -> None:
    people = page.people
    named = {"event": people.events, "bought": people.products, "tag": people.tags, **dict.fromkeys(PLAIN, ("yes",))}
    acts = [(key, value) for key, value in deed if key.text not in ("after", "at")]
    if len(acts) != 1:
        mark = acts[1][0].mark if acts else deed.mark
        what = "one act stands in one entry: {STEP: yes, after: 2 hours} or {event: X, at: day 4 20:00}"
        page.faults.add("E103", mark, what)
        return
    ((key, value),) = acts
    if key.text in named:
        if key.text in PLAIN and (not isinstance(value, Scalar) or value.text != "yes"):
            what = {"replied": "a reply", "unsubscribed": "the way out"}[key.text]
            page.faults.add("E103", value.mark, f"{what} is told as {{{key.text}: yes, at: day 2 9:00}}")
        elif isinstance(value, Scalar):
            what = {"bought": "product"}.get(key.text, key.text)
            check_known(value.text, value.mark, named[key.text], page.faults, what)
        else:
            page.faults.add("E103", value.mark, f"{key.text} needs a name")
    elif _step(key, page, also=HAPPENINGS):
        _answer(key.text, value, asks, page)
    if (node := deed.get("after")) is not None:
        parsed(node, words.duration, page.faults, "after")
        if key.text in named:
            what = f"{key.text} comes from outside and answers no mail; say when, as in at: day 4 20:00"
            page.faults.add("E103", deed.keys["after"].mark, what)
    if (node := deed.get("at")) is not None:
        parsed(node, story_time, page.faults, "at")
        if key.text in page.positions:
            what = "what is done about a mail counts from that mail; say how long after it, as in after: 2 hours"
            page.faults.add("E103", deed.keys["at"].mark, what)


def _answer(step: str, node: Node, asks: Mapping[str, AskOf], page: Page) -> None:
    ask = asks[step].ask
    if ask.kind == "form" and isinstance(node, Table):
        _typed(step, node, ask, page)
        return
    if not isinstance(node, Scalar):
        page.faults.add("E103", node.mark, "an act is yes, machine, or the answer to a poll")
        return
    if node.text in DEEDS or node.value in ask.answers:
        return
    if ask.kind == "refer" and friends_in(node.text):
        return
    if ask.kind == "poll" and not ask.answers:
        return
    possible = [*(str(answer) for answer in ask.answers), *DEEDS]
    if ask.kind == "refer":
        possible.append(f"{ask.friends} friends")
    hint = page.faults.hint(node.text, possible) or f"; write {', '.join(possible)}"
    page.faults.add("E103", node.mark, f"'{node.text}' is nothing that can be done at '{step}'{hint}")


def _typed(step: str, table: Table, ask: Ask, page: Page) -> None:
    """What somebody types into a form, by the attributes that keep it."""
    fields = {field.save: field for field in ask.fields}
    allow(table, tuple(fields), page.faults)
    for key, value in table:
        field = fields.get(key.text)
        if field is None:
            continue
        try:
            field.value(value.text if isinstance(value, Scalar) else "")
        except ValueError:
            written = value.text if isinstance(value, Scalar) else "a list or keys"
            possible = ", ".join(map(str, field.choices()))
            hint = f"; write {possible}" if possible else ""
            page.faults.add("E103", value.mark, f"'{written}' cannot be typed into '{key.text}' of '{step}'{hint}")


def _expect(expect: Table, asks: Mapping[str, AskOf], page: Page) -> None:
    allow(expect, EXPECT_KEYS, page.faults)
    for name in ("path", "never"):
        _each(expect.get(name), lambda step: _step(step, page), page)
    if (node := expect.get("at")) is not None and (table := table_of(node, page.faults, "at")) is not None:
        for key, value in table:
            _step(key, page)
            parsed(value, story_time, page.faults, "at")
    if (node := expect.get("answers")) is not None and (table := table_of(node, page.faults, "answers")) is not None:
        for key, value in table:
            if _step(key, page):
                _answer(key.text, value, asks, page)
    _each(expect.get("awards"), lambda name: _badge(name, page), page)
    if (node := expect.get("sent")) is not None:
        whole_of(node, page.faults, "sent", 0, MOST_MAILS)
    if (node := expect.get("ends")) is not None:
        one_of(node, ENDS, page.faults, "way to end")


def _badge(name: Scalar, page: Page) -> None:
    if name.text not in page.badges:
        hint = page.faults.hint(name.text, page.badges) or "; badges: declares them"
        page.faults.add("E205", name.mark, f"there is no badge '{name.text}'{hint}")


def _each(node: Node | None, look: Callable[[Scalar], object], page: Page) -> None:
    if node is None:
        return
    if not isinstance(node, Items):
        page.faults.add("E103", node.mark, "this is a list, as in [one, two]")
        return
    for item in node.items:
        if isinstance(item, Scalar):
            look(item)
        else:
            page.faults.add("E103", item.mark, "this is one word")


def _step(scalar: Scalar, page: Page, also: Iterable[str] = ()) -> bool:
    if scalar.text in page.positions:
        return True
    if scalar.text not in also:
        hint = page.faults.hint(scalar.text, (*page.order, *also)) or f"; the steps are {', '.join(page.order[:10])}"
        page.faults.add("E201", scalar.mark, f"there is no step '{scalar.text}'{hint}")
    return False
