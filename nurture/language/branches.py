"""Branches: where a yes or a no leads. GO, one arm, a list of arms, or for a poll one of these per answer."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.language import words
from nurture.language.sequence import Arm, Branch, Exit, Split
from nurture.language.values import allow, parsed
from nurture.language.yaml import Items, Scalar, Table, key_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nurture.language.page import Page
    from nurture.language.sequence import AnswerKey, Go, Goto
    from nurture.language.yaml import Node

ARM_KEYS = ("if", "after", "at", "go")
_SHARE = re.compile(r"(\d{1,3})\s*%?")
_FORMS = "write a step, next, end or unsubscribe; {after: 2 days, go: STEP}; or a list of {if: …, go: …}"


def read_branch(node: Node, here: int, answers: Mapping[AnswerKey, str] | None, page: Page) -> Branch:
    """The branch of the step at position `here`.

    `answers` are those of its poll, empty for a `no` or another kind, None where they could not be read.
    """
    if isinstance(node, Table) and not _is_arm(node):
        if answers is None:
            answers = {key_of(key): "" for key, _ in node}
        if answers:
            return Branch(by_answer=MappingProxyType(_by_answer(node, here, answers, page)))
        if not any(key.text in page.positions for key in node.keys.values()) and node.keys:
            first = next(iter(node.keys.values()))
            hint = page.faults.hint(first.text, (*ARM_KEYS, "split"))
            if hint:
                allow(node, (*ARM_KEYS, "split"), page.faults)
                page.guess(here)
                return _nowhere()
        page.faults.add("E103", node.mark, f"only the yes of a poll leads by answer; {_FORMS}")
        page.guess(here)
        return _nowhere()
    return Branch(arms=_arms(node, here, page))


def read_go(node: Node, here: int, page: Page) -> Go:
    """A step, `next`, `end`, `unsubscribe`, or a split."""
    if isinstance(node, Scalar):
        return page.target(node, here)
    if isinstance(node, Table) and "split" in node.keys:
        allow(node, ("split",), page.faults)
        return _split(node.values["split"], here, page)
    page.faults.add("E103", node.mark, "this leads nowhere; write a step, next, end, unsubscribe or {split: …}")
    page.guess(here)
    return Exit("end")


def _nowhere() -> Branch:
    return Branch(arms=(Arm(Exit("end")),))


def _is_arm(table: Table) -> bool:
    return any(key in table.keys for key in (*ARM_KEYS, "split"))


def _by_answer(
    table: Table, here: int, answers: Mapping[AnswerKey, str], page: Page
) -> dict[AnswerKey, tuple[Arm, ...]]:
    found: dict[AnswerKey, tuple[Arm, ...]] = {}
    strangers = []
    for key, value in table:
        answer = key_of(key)
        if answer in answers:
            if isinstance(value, Table) and not _is_arm(value):
                page.faults.add("E103", value.mark, f"a branch is not nested deeper; {_FORMS}")
                page.guess(here)
                found[answer] = (Arm(Exit("end")),)
            else:
                found[answer] = _arms(value, here, page)
        else:
            strangers.append(key)
            _arms(value, here, page)
            names = [str(name) for name in answers]
            hint = page.faults.hint(key.text, names) or f"; the answers are {', '.join(names)}"
            page.faults.add("E101", key.mark, f"'{key.text}' is not an answer of this poll{hint}")
    missing = [answer for answer in answers if answer not in found and str(answer) not in table.valueless]
    if len(missing) > len(strangers):
        for answer in missing:
            what = f"the answer '{answer}' has no branch; write where it leads, or one branch for all answers"
            page.faults.add("E204", table.mark, what)
    if len(found) < len(answers):
        page.guess(here)
    return {answer: found.get(answer, (Arm(Exit("end")),)) for answer in answers}


def _arms(node: Node, here: int, page: Page) -> tuple[Arm, ...]:
    if isinstance(node, Items):
        return _list(node, here, page)
    if isinstance(node, Scalar):
        return (Arm(page.target(node, here)),) if _written(node, here, page) else (Arm(Exit("end")),)
    if "split" in node.keys:
        return (Arm(read_go(node, here, page)),)
    if "if" in node.keys:
        what = "an `if` stands in a list, whose last entry says what happens otherwise: [{if: …, go: A}, {go: B}]"
        page.faults.add("E207", node.keys["if"].mark, what)
    return (_arm(node, here, page),)


def _written(node: Scalar, here: int, page: Page) -> bool:
    if node.text.strip():
        return True
    page.faults.add("E103", node.mark, f"this leads nowhere; {_FORMS}")
    page.guess(here)
    return False


def _list(node: Items, here: int, page: Page) -> tuple[Arm, ...]:
    arms: list[Arm] = []
    for index, item in enumerate(node.items):
        if not isinstance(item, Table):
            if isinstance(item, Scalar) and item.text in (*page.positions, "next", "end", "unsubscribe"):
                what = f"each entry of a list says where it goes: write {{go: {item.text}}}"
            else:
                what = "each entry of a list is {if: …, go: …}, and the last one {go: …}"
            page.faults.add("E103", item.mark, what)
            page.guess(here)
            continue
        arm = _arm(item, here, page)
        arms.append(arm)
        is_last = index == len(node.items) - 1
        if is_last and "if" in item.keys:
            what = "the last entry has no `if`, so that something always holds; add an entry {go: …} below it"
            page.faults.add("E207", item.keys["if"].mark, what)
        elif is_last and page.can_be_over(arm.at):
            what = "the last entry has no date that can be over, so that something always holds; add {go: …} below it"
            page.faults.add("E207", item.values["at"].mark, what)
        elif not is_last and not {"if", "at"} & item.keys.keys():
            what = "this entry always holds, so what stands below it never does; give it an `if`, or move it down"
            page.faults.add("E207", item.mark, what)
    if not node.items:
        page.faults.add("E103", node.mark, f"this list is empty; {_FORMS}")
        page.guess(here)
    return tuple(arms) or (Arm(Exit("end")),)


def _arm(table: Table, here: int, page: Page) -> Arm:
    if "split" in table.keys and "go" not in table.keys:
        allow(table, (*ARM_KEYS, "split"), page.faults)
        page.faults.add("E103", table.keys["split"].mark, "a split stands after go: {go: {split: {A: 50%, B: 50%}}}")
        page.guess(here)
    else:
        allow(table, ARM_KEYS, page.faults)
    condition, after, at = table.get("if"), table.get("after"), table.get("at")
    if after is not None and at is not None:
        page.faults.add("E103", table.keys["at"].mark, "`after` and `at` exclude each other; keep one of the two")
    node = table.get("go")
    go = page.take_next(here) if node is None else read_go(node, here, page)
    return Arm(
        go=go,
        condition=None if condition is None else page.condition(condition),
        after=None if after is None else parsed(after, words.duration, page.faults, "after"),
        at=None if at is None else page.moment(at),
    )


def _split(node: Node, here: int, page: Page) -> Go:
    if not isinstance(node, Table):
        page.faults.add("E103", node.mark, "a split names its arms and their shares: {split: {A: 50%, B: 50%}}")
        page.guess(here)
        return Exit("end")
    shares: list[tuple[Goto | Exit, int]] = []
    broken = False
    for key, value in node:
        target = page.target(key, here)
        match = _SHARE.fullmatch(value.text.strip()) if isinstance(value, Scalar) else None
        if match is None or not 1 <= int(match[1]) <= 100:
            page.faults.add("E103", value.mark, "a share is a whole percentage, such as 50%")
            broken = True
        shares.append((target, int(match[1]) if match else 0))
    total = sum(share for _, share in shares)
    if len(shares) < 2 and not broken:
        page.faults.add("E207", node.mark, "a split has two arms or more: {split: {A: 50%, B: 50%}}")
    elif total != 100 and not broken:
        page.faults.add("E207", node.mark, f"the shares of a split add up to 100%, not {total}%")
    if len(shares) < 2 or total != 100:
        return shares[0][0] if shares else Exit("end")
    return Split(tuple(shares))
