"""The `tests:` of a sequence: kept as they were written, checked for names that are not there. Others run them."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from nurture.language import words
from nurture.language.sequence import ALWAYS_KNOWN
from nurture.language.values import allow, check_known, line_of, one_of, parsed, table_of, whole_of
from nurture.language.yaml import Items, Scalar, Table, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nurture.language.page import Page
    from nurture.language.steps import AskOf
    from nurture.language.yaml import Node

STORY_KEYS = ("name", "given", "does", "expect")
GIVEN_KEYS = ("start", "timezone", "event", "attributes", "tags", "arms")
EXPECT_KEYS = ("path", "never", "at", "sent", "answers", "ends")
HAPPENINGS = ("event", "bought", "tag")
ENDS = ("finished", "goal", "stopped", "unsubscribed")
DEEDS = ("yes", "machine")
MOST_MAILS = 10_000
_FRIENDS = re.compile(r"\d{1,4} friends?")
_DAY_CLOCK = re.compile(r"day\s+(\d{1,4})\s+(\d{1,2}:\d{2})")


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
            _story(story, asks, page)
            found.append(MappingProxyType(cast("dict[str, object]", plain(story))))
    return tuple(found)


def _story(story: Table, asks: Mapping[str, AskOf], page: Page) -> None:
    allow(story, STORY_KEYS, page.faults)
    if (name := story.get("name")) is not None:
        line_of(name, page.faults, "the name of a story")
    if (node := story.get("given")) is not None and (given := table_of(node, page.faults, "given")) is not None:
        _given(given, page)
    does = story.get("does")
    for item in does.items if isinstance(does, Items) else [] if does is None else [does]:
        if isinstance(does, Items) and isinstance(item, Table):
            _deed(item, asks, page)
        else:
            page.faults.add("E103", item.mark, "does is a list of acts, each like {STEP: yes, after: 2 hours}")
    if (node := story.get("expect")) is not None and (expect := table_of(node, page.faults, "expect")) is not None:
        _expect(expect, asks, page)


def _given(given: Table, page: Page) -> None:
    allow(given, GIVEN_KEYS, page.faults)
    people = page.people
    if (node := given.get("start")) is not None:
        parsed(node, _start, page.faults, "start")
    if (node := given.get("timezone")) is not None:
        parsed(node, words.zone, page.faults, "timezone")
    if (node := given.get("event")) is not None:
        table_of(node, page.faults, "event")
    if (node := given.get("attributes")) is not None and (table := table_of(node, page.faults, "attributes")):
        for key, _ in table:
            check_known(key.text, key.mark, (*people.attributes, *ALWAYS_KNOWN), page.faults, "attribute")
    _each(given.get("tags"), lambda tag: check_known(tag.text, tag.mark, people.tags, page.faults, "tag"), page)
    _each(given.get("arms"), lambda arm: _step(arm, page, also=("end", "unsubscribe")), page)


def _deed(deed: Table, asks: Mapping[str, AskOf], page: Page) -> None:
    people = page.people
    named = {"event": people.events, "bought": people.products, "tag": people.tags}
    acts = [(key, value) for key, value in deed if key.text not in ("after", "at")]
    if len(acts) != 1:
        mark = acts[1][0].mark if acts else deed.mark
        what = "one act stands in one entry: {STEP: yes, after: 2 hours} or {event: X, at: day 4 20:00}"
        page.faults.add("E103", mark, what)
        return
    ((key, value),) = acts
    if key.text in named:
        if isinstance(value, Scalar):
            what = {"bought": "product"}.get(key.text, key.text)
            check_known(value.text, value.mark, named[key.text], page.faults, what)
        else:
            page.faults.add("E103", value.mark, f"{key.text} needs a name")
    elif _step(key, page, also=HAPPENINGS):
        _answer(key.text, value, asks, page)
    if (node := deed.get("after")) is not None:
        parsed(node, words.duration, page.faults, "after")
    if (node := deed.get("at")) is not None:
        parsed(node, _when, page.faults, "at")


def _answer(step: str, node: Node, asks: Mapping[str, AskOf], page: Page) -> None:
    ask = asks[step].ask
    if not isinstance(node, Scalar):
        page.faults.add("E103", node.mark, "an act is yes, machine, or the answer to a poll")
        return
    if node.text in DEEDS or node.value in ask.answers or _FRIENDS.fullmatch(node.text):
        return
    if ask.kind == "poll" and not ask.answers:
        return
    possible = [*(str(answer) for answer in ask.answers), *DEEDS]
    hint = page.faults.hint(node.text, possible) or f"; write {', '.join(possible)}"
    page.faults.add("E103", node.mark, f"'{node.text}' is nothing that can be done at '{step}'{hint}")


def _expect(expect: Table, asks: Mapping[str, AskOf], page: Page) -> None:
    allow(expect, EXPECT_KEYS, page.faults)
    for name in ("path", "never"):
        _each(expect.get(name), lambda step: _step(step, page), page)
    if (node := expect.get("at")) is not None and (table := table_of(node, page.faults, "at")) is not None:
        for key, value in table:
            _step(key, page)
            parsed(value, _when, page.faults, "at")
    if (node := expect.get("answers")) is not None and (table := table_of(node, page.faults, "answers")) is not None:
        for key, value in table:
            if _step(key, page):
                _answer(key.text, value, asks, page)
    if (node := expect.get("sent")) is not None:
        whole_of(node, page.faults, "sent", 0, MOST_MAILS)
    if (node := expect.get("ends")) is not None:
        one_of(node, ENDS, page.faults, "way to end")


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


def _start(text: str) -> None:
    """`mon 10:00`, or a date."""
    _when(text)


def _when(text: str) -> None:
    """`mon 12:00`, `day 3 9:00`, or a date."""
    match = _DAY_CLOCK.fullmatch(text.strip())
    if match is not None:
        words.clock(match[2])
        return
    try:
        words.moment(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a time; write it like mon 12:00, day 3 9:00 or 2026-11-24 9:00") from None
