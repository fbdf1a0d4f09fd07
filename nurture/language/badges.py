"""`badges:` of a sequence: what each is called, and for which kept asks it is given."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.language.sequence import Badge, Mark
from nurture.language.values import allow, excused, line_of, name_of, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nurture.language.faults import Faults
    from nurture.language.page import Page
    from nurture.language.sequence import Sequence
    from nurture.language.yaml import Node

BADGE_KEYS = ("title", "if")


def read_badges(node: Node | None, page: Page) -> Mapping[str, Badge]:
    found: dict[str, Badge] = {}
    table = None if node is None else table_of(node, page.faults, "badges")
    for key, value in table or ():
        name = name_of(key, page.faults, "badge")
        body = table_of(value, page.faults, f"the badge '{name}'")
        if body is None:
            continue
        allow(body, BADGE_KEYS, page.faults)
        title, condition = body.get("title"), body.get("if")
        if title is None and not excused(body, "title", BADGE_KEYS):
            page.faults.add("E102", key.mark, f"the badge '{name}' has no title; write title: and its words")
        found[name] = Badge(
            name,
            name if title is None else line_of(title, page.faults, "title"),
            None if condition is None else page.condition(condition),
        )
    return MappingProxyType(found)


def check(sequence: Sequence, faults: Faults) -> None:
    """A badge that a step gives is declared, and one that is declared can be had."""
    given = {step.award for step in sequence.steps.values()}
    for step in sequence.steps.values():
        if step.award and step.award not in sequence.badges:
            mark = sequence.marks.get(("steps", step.name, "award")) or Mark(1, 1)
            hint = faults.hint(step.award, sequence.badges)
            hint = hint or f"; declare it: badges: {{{step.award}: {{title: …}}}}"
            faults.add("E205", mark, f"there is no badge '{step.award}'{hint}")
    for badge in sequence.badges.values():
        if badge.condition is None and badge.name not in given:
            mark = sequence.marks.get(("badges", badge.name)) or Mark(1, 1)
            what = f"nobody ever gets the badge '{badge.name}'; give it an if:, or a step award: {badge.name}"
            faults.add("E102", mark, what)
