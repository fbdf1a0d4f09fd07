"""Edits that must not be applied as they stand, and what to write so that they may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nurture.language.diff import SequenceDiff, alike, displaced, names_now
from nurture.language.sequence import END
from nurture.store import messages

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from nurture.engine.inside import Fates


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why this must not be applied as it stands. `write` is what to put into the file, or to run."""

    sequence: str
    step: str
    people: int
    words: str
    write: str = ""


def refusals(tx: Connection, one: SequenceDiff, found: Fates) -> Iterator[Refusal]:
    """What is wrong with the edit itself, then people who would stand nowhere."""
    if one.before is None:
        return
    if one.after is not None:
        yield from _names(tx, one)
        yield from _backwards(one)
    for step, people in found.stranded.items():
        yield _nowhere(one, step, people)


def _names(tx: Connection, one: SequenceDiff) -> Iterator[Refusal]:
    assert one.before is not None
    assert one.after is not None
    for name in displaced(one.before, one.after):
        was = one.after.changes[name].was
        words = f"'{was}' cannot be called '{name}': the running version has another step of that name, and two steps cannot become one"
        yield Refusal(one.name, was, 0, words)
    fresh = [new for new in one.renamed.values() if new not in one.before.steps]
    for name in sorted(messages.used(tx, one.name, fresh)) if fresh else ():
        was = one.after.changes[name].was
        words = f"'{was}' cannot be called '{name}': people got mail of an earlier step of that name; choose a name that was never used"
        yield Refusal(one.name, was, 0, words)


def _backwards(one: SequenceDiff) -> Iterator[Refusal]:
    assert one.before is not None
    assert one.after is not None
    was_of = {new: old for old, new in names_now(one.before, one.after).items()}
    for gone in one.removed:
        change = one.after.changes.get(gone)
        target = was_of.get(change.go, "") if change is not None else ""
        if target and one.before.steps[target].position < one.before.steps[gone].position:
            assert change is not None
            words = f"'{gone}' leads its people back to '{change.go}'; they go only forward, to a later step or end"
            yield Refusal(one.name, gone, 0, words)


def _nowhere(one: SequenceDiff, step: str, people: int) -> Refusal:
    there = "1 person is" if people == 1 else f"{people:,} people are"
    if one.after is None:
        words = f"sequences/{one.name}.yaml is gone, and {there} inside at '{step or 'its start'}'"
        return Refusal(one.name, step, people, words, f"nurture apply --end {one.name}")
    heir = alike(one, step)
    if heir:
        words = f"'{step}' is gone, and {there} there; if it is called '{heir}' now, say so"
        return Refusal(one.name, step, people, words, f"changes:\n  {heir}: {{was: {step}}}")
    words = f"'{step}' is gone, and {there} there; say where they go"
    return Refusal(one.name, step, people, words, f"changes:\n  {step}: {{go: {_below(one, step)}}}")


def _below(one: SequenceDiff, gone: str) -> str:
    """The first step below it that still exists, as the likely place to go."""
    assert one.before is not None
    assert one.after is not None
    now = names_now(one.before, one.after)
    if gone not in one.before.steps:
        return END
    below = [name for name, step in one.before.steps.items() if step.position > one.before.steps[gone].position]
    return next((now[name] for name in below if name in now), END)
