"""From a file to a Sequence, with all its faults at once. Every part has a reader of its own; here is the whole page.

A Sequence that comes with errors is well-formed all the same, so that other checks can look at it: what cannot be has
become something harmless. It must not run.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from nurture.language import badges, checks, words
from nurture.language.badges import read_badges
from nurture.language.changes import read_changes
from nurture.language.conditions import Names
from nurture.language.faults import Faults
from nurture.language.happenings import read_happenings, read_start, start_data
from nurture.language.page import Page
from nurture.language.proof import read_proof
from nurture.language.sending import read_address, read_send
from nurture.language.sequence import ALWAYS_KNOWN, ENGLISH, AtInstant, Mark, Moment, SendRules, Sequence, Start
from nurture.language.steps import read_asks, read_steps
from nurture.language.stories import read_stories
from nurture.language.values import allow, excused, line_of, name_of, parsed, table_of, text_of, whole_of
from nurture.language.yaml import Table, compose, marks

if TYPE_CHECKING:
    from nurture.language.problems import Problem
    from nurture.language.sequence import Duration, People
    from nurture.language.yaml import Node

KEYS = (
    "title", "language", "start", "goal", "stop", "from", "reply_to", "send", "within", "dates", "priority", "steps",
    "tests", "changes", "proof", "badges", "challenge",
)  # fmt: skip
REQUIRED = {
    "start": "write what begins it, as in start: joined",
    "from": "write who sends its mails, as in from: Ada Bright <ada@example.com>",
    "steps": "write its mails, in order, under steps:",
}
HIGHEST_PRIORITY = 1000
SEQUENCE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
LANGUAGE = re.compile(r"[a-z]{2,3}([-_][A-Za-z]{2,4})?")


class Reading(NamedTuple):
    """A file as a Sequence, None when it is no page at all, and everything that is wrong with it."""

    sequence: Sequence | None
    problems: tuple[Problem, ...]


def read(text: bytes | str, file: str, people: People) -> Reading:
    """Read one file. Its name, without folder and ending, is the sequence's."""
    faults = Faults(file)
    name = _name(file, faults)
    if name is None:
        return Reading(None, faults.in_order())
    root = compose(text, faults)
    sequence = None
    if isinstance(root, Table):
        sequence = _sequence(root, name, Page(people, faults))
    elif root is not None:
        faults.add("E103", root.mark, "a sequence begins with its keys, such as title: and start:")
    elif not faults.found:
        faults.add("E102", Mark(1, 1), "this file is empty; a sequence needs start, from and steps")
    return Reading(sequence, faults.in_order())


def _name(file: str, faults: Faults) -> str | None:
    stem = file.rpartition("/")[2].removesuffix(".yaml").removesuffix(".yml")
    if SEQUENCE_NAME.fullmatch(stem):
        return stem
    what = f"a sequence is named by its file, in small letters, digits, - and _; '{stem}' is not such a name"
    faults.add("E103", Mark(1, 1), what)
    return None


def _sequence(root: Table, name: str, page: Page) -> Sequence | None:
    faults = page.faults
    _refuse_keys(root, faults)
    steps = _steps_table(root, faults)
    if steps is None:
        return None
    page.order = tuple(steps.keys)
    page.positions = {step: position for position, step in enumerate(page.order)}
    for position, body in steps.dropped:
        page.guess_all(position - 1, body)
    start_names = start_data(root.get("start"), page.people)
    asks = read_asks(steps, page, start_names)
    page.names = Names(
        answers={step: tuple(ask.ask.answers) for step, ask in asks.items() if ask.root == step},
        repeats={step: ask.root for step, ask in asks.items() if ask.root != step},
        tags=page.people.tags,
        bought=page.people.products,
        start=start_names,
        attributes={**dict.fromkeys(ALWAYS_KNOWN, "text"), **page.people.attributes},
    )
    dates = _dates(root.get("dates"), page)
    page.dates = frozenset(dates)
    send = read_send(root.values["send"], SendRules(), faults) if "send" in root.keys else SendRules()
    start = read_start(root.values["start"], page) if "start" in root.keys else Start((), page.next_of(-1))
    goal = read_happenings(root.values["goal"], page) if "goal" in root.keys else ()
    stop = read_happenings(root.values["stop"], page) if "stop" in root.keys else ()
    within, has_within = _within(root, page)
    given = read_badges(root.get("badges"), page)
    page.badges = tuple(given)
    sequence = Sequence(
        name=name,
        title=_line(root.get("title"), page, "title") or name.replace("-", " ").replace("_", " ").capitalize(),
        start=start,
        sender=read_address(root.values["from"], faults, "from") if "from" in root.keys else "",
        steps=MappingProxyType(
            read_steps(steps, asks, page, send=send, within=within, has_within=has_within, ends=(*goal, *stop))
        ),
        goal=goal,
        stop=stop,
        reply_to=read_address(root.values["reply_to"], faults, "reply_to") if "reply_to" in root.keys else "",
        send=send,
        dates=MappingProxyType(dates),
        priority=_priority(root.get("priority"), page),
        stories=read_stories(root.get("tests"), asks, page),
        language=_language(root.get("language"), page),
        changes=read_changes(root.get("changes"), page),
        challenge=_challenge(root.get("challenge"), page),
        proof=read_proof(root.get("proof"), page),
        badges=given,
        file=faults.file,
        marks=MappingProxyType(marks(root)),
    )
    badges.check(sequence, faults)
    checks.check(sequence, page, {step: key.mark for step, key in steps.keys.items()})
    return sequence


def _refuse_keys(root: Table, faults: Faults) -> None:
    allow(root, KEYS, faults)
    for key, how in REQUIRED.items():
        if key not in root.keys and not excused(root, key, KEYS):
            faults.add("E102", Mark(1, 1), f"this sequence has no '{key}'; {how}")


def _steps_table(root: Table, faults: Faults) -> Table | None:
    node = root.get("steps")
    if node is None:
        return None
    steps = table_of(node, faults, "steps")
    if steps is not None and not steps.keys:
        faults.add("E103", node.mark, "steps is empty; write at least one step")
        return None
    return steps


def _dates(node: Node | None, page: Page) -> dict[str, Moment]:
    found: dict[str, Moment] = {}
    if node is None or (table := table_of(node, page.faults, "dates")) is None:
        return found
    for key, value in table:
        name = name_of(key, page.faults, "date")
        if name in words.KNOWN_MOMENTS:
            page.faults.add("E103", key.mark, f"'{name}' already has a meaning; give this date another name")
        moment = parsed(value, words.moment, page.faults, "date")
        if moment is not None and isinstance(moment.point, AtInstant):
            found[name] = moment
            continue
        if moment is not None:
            what = "a date of the sequence is a day of the calendar, such as 2026-11-24 18:00 Europe/London"
            page.faults.add("E103", value.mark, what)
        found[name] = words.moment("2000-01-01")
    return found


def _challenge(node: Node | None, page: Page) -> tuple[Moment | None, Moment | None]:
    """`{from: 2026-12-01, to: 2026-12-24 18:00 Europe/London}`: either may be left out."""
    if node is None or (table := table_of(node, page.faults, "challenge")) is None:
        return None, None
    allow(table, ("from", "to"), page.faults)
    ends = []
    for key in ("from", "to"):
        value = table.get(key)
        moment = None if value is None else parsed(value, words.moment, page.faults, key)
        if value is not None and moment is not None and not isinstance(moment.point, AtInstant):
            page.faults.add("E103", value.mark, f"{key} is a day of the calendar, such as 2026-12-01")
            moment = None
        ends.append(moment)
    first, last = ends
    if (
        first is not None and last is not None and isinstance(first.point, AtInstant)
        and isinstance(last.point, AtInstant) and first.point.local >= last.point.local
    ):  # fmt: skip
        page.faults.add("E207", node.mark, "this challenge ends before it begins; exchange from and to")
    return first, last


def _within(root: Table, page: Page) -> tuple[Duration | None, bool]:
    node = root.get("within")
    if node is None:
        return None, excused(root, "within", KEYS)
    return parsed(node, words.duration, page.faults, "within"), True


def _line(node: Node | None, page: Page, what: str) -> str:
    return "" if node is None else line_of(node, page.faults, what)


def _language(node: Node | None, page: Page) -> str:
    written = ENGLISH if node is None else text_of(node, page.faults, "language")
    if written and not LANGUAGE.fullmatch(written):
        page.faults.add(
            "E103", node.mark if node else Mark(1, 1), f"'{written}' is no language; write it like en or de-AT"
        )
        return ENGLISH
    return written or ENGLISH


def _priority(node: Node | None, page: Page) -> int:
    if node is None:
        return 0
    return whole_of(node, page.faults, "priority", -HIGHEST_PRIORITY, HIGHEST_PRIORITY) or 0
