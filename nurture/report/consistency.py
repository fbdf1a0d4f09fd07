"""Does a yes to one ask go with a yes to the next? The idea of the whole ladder, measured as far as watching can.

People choose for themselves what they answer, so who said yes before is keener anyway: this is a difference between
people, not yet what the yes did to them. Only a split that leaves an ask out for some shows that (`lift`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from nurture.report.sequential import Difference, Group, difference

if TYPE_CHECKING:
    from nurture.language.sequence import Sequence
    from nurture.report.ladder import Pass

CAVEAT = "Who said yes before is keener anyway; only a split that leaves the first ask out shows what the yes did."


@dataclass(frozen=True, slots=True)
class Consistency:
    """Of those who got two asks in a row: the yes to the second, by what they had said to the first.

    `principle` is that of the second ask: it is the one that leans on what was said before.
    """

    principle: str
    after_yes: Group
    after_no: Group
    raises: Difference


def consistency(sequence: Sequence, passes: Iterable[Pass]) -> tuple[Consistency, ...]:
    """By principle, over all pairs of asks that follow each other; asks without one stand under "".

    A yes that was given after the next mail had left is a yes all the same. Who has time left for the second is not
    counted.
    """
    roots = {step.name: step.root for step in sequence.steps.values()}
    people: Counter[tuple[str, bool]] = Counter()
    kept: Counter[tuple[str, bool]] = Counter()
    for one in passes:
        climbed = [root for root in dict.fromkeys(roots.get(name, "") for name in one.asked) if root]
        for first, second in pairwise(climbed):
            if second not in one.answers and one.ended is None and roots.get(one.step) == second:
                continue
            key = (sequence.steps[second].principle, first in one.answers)
            people[key] += 1
            kept[key] += second in one.answers
    found = []
    for principle in dict.fromkeys(step.principle for step in sequence.steps.values()):
        yes, no = (Group.counted(people[principle, said], kept[principle, said]) for said in (True, False))
        if yes.people or no.people:
            found.append(Consistency(principle, yes, no, difference(yes, no)))
    return tuple(found)
