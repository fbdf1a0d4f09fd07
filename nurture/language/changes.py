"""Reading `changes:`, what a marketer says about the people inside when steps were renamed, retimed or removed.

Whether a rule is still needed depends on what is deployed, which a file does not know; see `diff`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.language.sequence import END, Change
from nurture.language.values import allow, name_of, one_of, table_of, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nurture.language.page import Page
    from nurture.language.yaml import Node, Scalar, Table

WAITING = ("keep", "retime")
CHANGE_KEYS = ("was", "waiting", "go")
_HOW = "write {NEW: {was: OLD}}, {STEP: {waiting: retime}} or {GONE: {go: STEP}}"


def read_changes(node: Node | None, page: Page) -> Mapping[str, Change]:
    """The rules by the step they are about."""
    found: dict[str, Change] = {}
    if node is None or (table := table_of(node, page.faults, "changes")) is None:
        return found
    for key, body in table:
        rule = table_of(body, page.faults, f"what changed about '{key.text}'")
        if rule is None:
            continue
        allow(rule, CHANGE_KEYS, page.faults)
        if not rule.keys:
            page.faults.add("E102", key.mark, f"this says nothing about '{key.text}'; {_HOW}")
        change = _gone(key, rule, page) if "go" in rule.keys else _stays(key, rule, page)
        if change is not None:
            found[key.text] = change
    _one_heir_each(table, found, page)
    return MappingProxyType(found)


def _gone(key: Scalar, rule: Table, page: Page) -> Change | None:
    """`{GONE: {go: STEP | end}}`."""
    name_of(key, page.faults, "step", reserved=False)
    if key.text in page.positions:
        what = f"'{key.text}' is still a step, so nobody has to leave it; `go` is for a step that is gone"
        page.faults.add("E103", rule.keys["go"].mark, what)
        return None
    for other in ("was", "waiting"):
        if other in rule.keys:
            page.faults.add("E103", rule.keys[other].mark, f"a step that is gone has no '{other}'; write only go: STEP")
    go = rule.values["go"]
    target = text_of(go, page.faults, "go")
    if target != END and target not in page.positions:
        if target:
            hint = page.faults.hint(target, (*page.order, END)) or "; name a step of this file, or end"
            page.faults.add("E201", go.mark, f"there is no step '{target}'{hint}")
        return None
    return Change(go=target)


def _stays(key: Scalar, rule: Table, page: Page) -> Change | None:
    if key.text not in page.positions:
        hint = page.faults.hint(key.text, page.order)
        hint = hint or f"; if it is gone, write {key.text}: {{go: STEP}} or {key.text}: {{go: end}}"
        page.faults.add("E201", key.mark, f"there is no step '{key.text}'{hint}")
        return None
    waiting = (
        one_of(rule.values["waiting"], WAITING, page.faults, "rule for who waits") if "waiting" in rule.keys else ""
    )
    return Change(was=_was(key, rule.get("was"), page), waiting=waiting)


def _was(key: Scalar, node: Node | None, page: Page) -> str:
    if node is None:
        return ""
    was = text_of(node, page.faults, "was")
    if was == key.text:
        page.faults.add("E103", node.mark, f"'{was}' has this name already; `was` is the name it had before")
        return ""
    return was


def _one_heir_each(table: Table, found: dict[str, Change], page: Page) -> None:
    """An old name passes on to one step, and only when it is not a step's own name any more."""
    heirs: dict[str, str] = {}
    for step, change in list(found.items()):
        body = table.values[step]
        mark = body.values["was"].mark if change.was and hasattr(body, "values") else table.mark
        if change.was in heirs and change.was:
            page.faults.add(
                "E103", mark, f"'{change.was}' became '{heirs[change.was]}' already; a step has one new name"
            )
        elif change.was in page.positions and not found.get(change.was, Change()).was:
            what = f"'{change.was}' is still a step of this file; remove it, or say what it was before"
            page.faults.add("E103", mark, what)
        elif change.was in found and found[change.was].go:
            page.faults.add("E103", mark, f"'{change.was}' is renamed here and gone below; keep one of the two")
        heirs.setdefault(change.was, step)
