"""Which ways of the drawn ladder people took, and how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from nurture.language.chart import GOAL, chart

if TYPE_CHECKING:
    from nurture.language.sequence import Sequence
    from nurture.report.ladder import Pass

Way = tuple[str, str, str]
"""From where, to where, and how: `start`, `yes` or `no`."""


def flows(sequence: Sequence, passes: Iterable[Pass], sent_at: Mapping[tuple[int, str], int]) -> Mapping[Way, int]:
    """Passes by the ways they took. Jumps that no way shows (a late yes that pulls forward) are not drawn."""
    known: dict[tuple[str, str], list[str]] = {}
    for edge in chart(sequence).edges:
        known.setdefault((edge.source, edge.target), []).append(edge.way)
    found: Counter[Way] = Counter()
    for one in passes:
        steps = ["start", *(name for name in one.asked if name in sequence.steps)]
        if one.ended in _LAST:
            steps.append(_LAST[one.ended])
        for source, target in pairwise(steps):
            ways = known.get((source, target), ())
            if len(ways) == 1:
                found[source, target, ways[0]] += 1
            elif ways:
                said_yes = _answered_before(sequence, one, source, sent_at.get((one.id, target)))
                found[source, target, "yes" if said_yes else "no"] += 1
    return found


_LAST = {"finished": "end", "goal": GOAL}


def _answered_before(sequence: Sequence, one: Pass, step: str, left_at: int | None) -> bool:
    """Whether the yes was there when the next mail left: else silence led there, and the yes came later."""
    answer = one.answers.get(sequence.steps[step].root)
    return answer is not None and (left_at is None or answer[1] <= left_at)
