"""Checks that need the whole page: what no branch leads to, where a left-out `yes` would be a guess, and the ladder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.language import ladder
from nurture.language.paths import steps_of
from nurture.language.sequence import Goto

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nurture.language.page import Page
    from nurture.language.sequence import Mark, Sequence, Step


def check(sequence: Sequence, page: Page, marks: Mapping[str, Mark]) -> None:
    """Report E203 and E208, and in a page without errors W401 to W403, W407 and W408. `marks` are where the steps' names stand."""
    reached = _reached(sequence, page)
    for step in sequence.steps.values():
        if step.position not in reached:
            what = f"nothing leads to '{step.name}'; name it in the yes or no of a step above, or remove it"
            page.faults.add("E203", marks[step.name], what)
    for name, mark in page.fallen.items():
        following = page.next_of(page.positions[name])
        if isinstance(following, Goto) and following.step in page.named:
            what = (
                f"'{name}' has no yes, and the step below it, '{following.step}', is where another branch leads; "
                f"say it: yes: {following.step}, or another step"
            )
            page.faults.add("E208", mark, what)
    if not page.faults.found:
        # what is broken has become something harmless, and would be blamed for what it never said
        ladder.check(sequence, page.people, page.faults)


def _reached(sequence: Sequence, page: Page) -> set[int]:
    """Positions that some path leads to, what broken branches may have meant included."""
    ahead = {page.positions[name] for name in steps_of(sequence.start.go)} | page.guesses.get(-1, set())
    reached: set[int] = set()
    steps = tuple(sequence.steps.values())
    while ahead:
        here = ahead.pop()
        if here in reached or here >= len(steps):
            continue
        reached.add(here)
        ahead |= {page.positions[name] for name in _leads_to(steps[here])} | page.guesses.get(here, set())
    return reached


def _leads_to(step: Step) -> Iterator[str]:
    for arm in (*step.yes.every_arm(), *step.no.every_arm()):
        yield from steps_of(arm.go)
