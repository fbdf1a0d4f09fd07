"""What starts, ends and stops a sequence: one happening, or a list that means any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from nurture.language import words
from nurture.language.branches import read_go
from nurture.language.sequence import AtClock, Duration, Exit, Goto, Happening, Start
from nurture.language.values import allow, excused, known, text_of
from nurture.language.yaml import Items, Scalar, Table

if TYPE_CHECKING:
    from nurture.language.page import Page
    from nurture.language.sequence import HappeningKind, People
    from nurture.language.yaml import Node

PLAIN = ("joined", "replied", "bought")
NAMED = ("bought", "tag", "event", "kept", "goal")
START_KEYS = ("when", "if", "again", "go")
ALWAYS = Duration()


def read_happenings(node: Node, page: Page, *, starting: bool = False) -> tuple[Happening, ...]:
    nodes = node.items if isinstance(node, Items) else [node]
    if not nodes:
        page.faults.add("E103", node.mark, "this list is empty; say what happens, such as joined or {event: NAME}")
    return tuple(happening for one in nodes if (happening := _happening(one, page, starting)) is not None)


def read_start(node: Node, page: Page) -> Start:
    first: Goto | Exit = Goto(page.order[0]) if page.order else Exit("end")
    if not isinstance(node, Table) or not _is_long(node):
        return Start(read_happenings(node, page, starting=True), first)
    allow(node, START_KEYS, page.faults)
    when, condition, again, go = (node.get(key) for key in START_KEYS)
    if when is None and not excused(node, "when", START_KEYS):
        page.faults.add("E102", node.mark, "this start does not say when; write when: joined, or {event: NAME}")
    return Start(
        when=() if when is None else read_happenings(when, page, starting=True),
        go=first if go is None else read_go(go, -1, page),
        condition=None if condition is None else page.condition(condition),
        again=None if again is None else _again(again, page),
    )


def start_data(node: Node | None, people: People) -> dict[str, str | tuple[str, ...]]:
    """The names under `start.`: the data of every event that may start the sequence. Faults are found elsewhere."""
    if isinstance(node, Table) and "when" in node.keys:
        node = node.values["when"]
    found: dict[str, str | tuple[str, ...]] = {}
    for one in node.items if isinstance(node, Items) else [node]:
        if isinstance(one, Scalar) and one.text == "bought":
            found["product"] = "text"
        elif isinstance(one, Table):
            event = one.get("event")
            if isinstance(event, Scalar):
                found |= people.events.get(event.text, {})
            if "bought" in one.keys:
                found["product"] = "text"
    return found


def _is_long(table: Table) -> bool:
    return not any(key in table.keys for key in (*NAMED, "at")) or any(key in table.keys for key in START_KEYS)


def _again(node: Node, page: Page) -> Duration | None:
    written = " ".join(text_of(node, page.faults, "again").split())
    if written in ("", "never"):
        return None
    if written == "always":
        return ALWAYS
    try:
        return words.duration(written.removeprefix("after "))
    except ValueError as error:
        page.faults.add("E103", node.mark, f"again: {error}; or write never, always or after 180 days")
        return None


def _happening(node: Node, page: Page, starting: bool) -> Happening | None:
    if isinstance(node, Scalar):
        return _plain(node, page, starting)
    if not isinstance(node, Table):
        page.faults.add("E103", node.mark, "a list in a list; write one list")
        return None
    kinds = (*NAMED, "at") if starting else NAMED
    if len(node.keys) != 1:
        allow(node, kinds, page.faults)
        if all(key in kinds for key in node.keys):
            what = "each happening stands alone; for any of several write a list: [{event: A}, {event: B}]"
            page.faults.add("E103", node.mark, what)
        return None
    ((key, value),) = node
    if key.text == "at" and not starting:
        page.faults.add("E103", key.mark, "only a start can be at a moment")
        return None
    if key.text not in kinds:
        allow(node, kinds, page.faults)
        return None
    if key.text == "at":
        moment = page.moment(value, of_start=True)
        if moment is not None and isinstance(moment.point, AtClock):
            page.faults.add("E103", value.mark, "a start needs a day: a date, or the name of one")
            return None
        return None if moment is None else Happening("at", moment=moment)
    return Happening(cast("HappeningKind", key.text), _name(key.text, value, page))


def _name(kind: str, value: Node, page: Page) -> str:
    people = page.people
    match kind:
        case "bought":
            return known(value, people.products, page.faults, "product")
        case "tag":
            return known(value, people.tags, page.faults, "tag")
        case "event":
            return known(value, people.events, page.faults, "event")
        case "kept":
            written = text_of(value, page.faults, "kept")
            if written and written.count(".") != 1:
                page.faults.add("E103", value.mark, f"'{written}' is no ask; write SEQUENCE.STEP, as in welcome.tour")
                return ""
            return written
        case _:
            return text_of(value, page.faults, "goal")


def _plain(node: Scalar, page: Page, starting: bool) -> Happening | None:
    written = node.text.strip()
    if written in PLAIN or (written == "manual" and starting):
        return Happening(cast("HappeningKind", written))
    if written == "manual":
        page.faults.add("E103", node.mark, "only a start can be manual")
    elif written in NAMED:
        page.faults.add("E103", node.mark, f"'{written}' needs a name: write {{{written}: NAME}}")
    elif written in page.people.events:
        page.faults.add("E103", node.mark, f"'{written}' is an event; write {{event: {written}}}")
    elif written in page.people.tags:
        page.faults.add("E103", node.mark, f"'{written}' is a tag; write {{tag: {written}}}")
    elif written in page.people.products:
        page.faults.add("E103", node.mark, f"'{written}' is a product; write {{bought: {written}}}")
    else:
        hint = page.faults.hint(written, (*PLAIN, "manual"))
        instead = (
            hint or "; write joined, replied, bought, {tag: X}, {event: X}, {kept: SEQUENCE.STEP} or {goal: SEQUENCE}"
        )
        page.faults.add("E103", node.mark, f"'{written}' is nothing that happens{instead}")
    return None
