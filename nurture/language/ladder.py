"""Whether the asks make a ladder: small ones first, no rung left out, and silence never answered with more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.language.paths import arrivals, steps_of
from nurture.language.sequence import Mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nurture.language.faults import Faults
    from nurture.language.sequence import Branch, People, Sequence, Step

BIGGEST_FIRST = 2
HIGHEST_RUNG = 2


def check(sequence: Sequence, people: People, faults: Faults) -> None:
    """Report W401–W403, W407 and W408. One ask is blamed once: an offer that comes too early is not a jump as well."""
    first = steps_of(sequence.start.go)
    arrived = arrivals(sequence, people)
    for name, arrival in arrived.items():
        step = sequence.steps[name]
        size = step.ask.size
        if not step.repeats:
            if step.ask.kind == "buy" and arrival.kept == 0:
                what = f"some people get to the offer '{name}' who have kept nothing yet; ask for something small first"
                faults.add("W403", _mark(sequence, step), what)
            elif name in first and size > BIGGEST_FIRST:
                what = f"'{name}' comes first and its ask has the size {size}; begin with a click, a poll or a download"
                faults.add("W401", _mark(sequence, step), what)
            elif arrival.kept and size - arrival.kept > HIGHEST_RUNG:
                what = (
                    f"'{name}' asks for something of size {size}, and some people get here who never kept more than "
                    f"size {arrival.kept}; put an ask of size {size - HIGHEST_RUNG} or more between, or "
                    f"say that it asks for less, with size: {arrival.kept + HIGHEST_RUNG}"
                )
                faults.add("W402", _mark(sequence, step), what)
        for after in _led(sequence, step.no):
            if _asks_more(after, step) and not (after.ask.kind == "buy" and arrived[after.name].kept == 0):
                _bigger(sequence, step, after, faults)
                break
        _outrun(sequence, step, faults)


def _asks_more(after: Step, step: Step) -> bool:
    return after.root != step.root and after.ask.size > step.ask.size


def _bigger(sequence: Sequence, step: Step, after: Step, faults: Faults) -> None:
    what = (
        f"whoever does not answer '{step.name}' (size {step.ask.size}) is asked for more by '{after.name}' "
        f"(size {after.ask.size}); ask for the same again, for less, or end here"
    )
    faults.add("W407", _mark(sequence, step, "no"), what)


def _outrun(sequence: Sequence, step: Step, faults: Faults) -> None:
    """Where silence goes further down than a yes leads: people are only led forward, so a late yes comes to nothing."""
    wanted = [after for after in _led(sequence, step.yes) if after.root != step.root]
    for silent in _led(sequence, step.no):
        for after in wanted:
            if after.position < silent.position:
                what = (
                    f"silence leads to '{silent.name}', which is below '{after.name}', where a yes leads; whoever "
                    f"answers late never gets it; move '{after.name}' below '{silent.name}'"
                )
                faults.add("W408", _mark(sequence, step, "no"), what)
                return


def _led(sequence: Sequence, branch: Branch) -> Iterator[Step]:
    """The steps that a branch can lead to, each once, in the order they are written."""
    names: Iterable[str] = dict.fromkeys(name for arm in branch.every_arm() for name in steps_of(arm.go))
    return (sequence.steps[name] for name in names)


def _mark(sequence: Sequence, step: Step, key: str = "ask") -> Mark:
    place = ("steps", step.name)
    return sequence.marks.get((*place, key)) or sequence.marks.get(place) or Mark(1, 1)
