"""Lift: does the ladder beat doing nothing, does one arm of a split beat the other?

People are compared by what the lottery drew for them, whatever became of them afterwards (intention to treat): who
never opened a mail counts for the ladder all the same, and who was drawn to get none has goals and purchases too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nurture.report.sequential import Difference, Group, difference

CONTROL = frozenset({"end", "unsubscribe"})
"""Arms that ask nothing: what is drawn there is a control group."""


@dataclass(frozen=True, slots=True)
class Person:
    """One person of a split: the arm that was drawn, whether they reached the goal since, and what they paid since."""

    arm: str
    goal: bool
    paid: float = 0.0


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of a split."""

    name: str
    goals: Group
    revenue: Group


@dataclass(frozen=True, slots=True)
class Against:
    """One arm against another: goals a person, and money a person."""

    arm: str
    other: str
    goals: Difference
    revenue: Difference
    says: str


@dataclass(frozen=True, slots=True)
class Lift:
    """What a split has shown so far. `control` is whether the arms are compared with people who get no mail."""

    arms: tuple[Arm, ...]
    control: bool
    against: tuple[Against, ...]


def lift(names: Sequence[str], people: Iterable[Person]) -> Lift:
    """Compare the arms of a split: each with the control group, or, where there is none, with the first."""
    by_arm: dict[str, list[Person]] = {name: [] for name in names}
    for person in people:
        if person.arm in by_arm:
            by_arm[person.arm].append(person)
    arms = {name: _arm(name, drawn) for name, drawn in by_arm.items()}
    control = next((name for name in names if name in CONTROL), None)
    base = control or names[0]
    others = [name for name in names if name != base]
    against = tuple(_against(arms[name], arms[base], is_control=control is not None) for name in others)
    return Lift(tuple(arms.values()), control is not None, against)


def _arm(name: str, people: Sequence[Person]) -> Arm:
    paid = [person.paid for person in people if person.paid]
    revenue = Group(len(people), len(paid), sum(paid), sum(amount * amount for amount in paid))
    return Arm(name, Group.counted(len(people), sum(person.goal for person in people)), revenue)


def _against(one: Arm, base: Arm, *, is_control: bool) -> Against:
    goals = difference(one.goals, base.goals)
    revenue = difference(one.revenue, base.revenue)
    says = _sentence(goals, one.name, base.name, is_control=is_control)
    return Against(one.name, base.name, goals, revenue, says)


def _sentence(goals: Difference, one: str, other: str, *, is_control: bool) -> str:
    """What a marketer may believe."""
    more = "" if goals.needed is None else f"; about {rounded(goals.needed):,} more people are needed"
    if goals.low is None or goals.high is None:
        return f"Nothing can be said yet{more}."
    if not goals.shown:
        if more:
            return f"Nothing is shown yet{more}, if the difference stays as it is."
        most = max(abs(goals.low), abs(goals.high))
        return f"Nothing is shown; a difference, if there is one, is below {points(most)} points."
    low, high = sorted((abs(goals.low), abs(goals.high)))
    how = "more" if goals.estimate > 0 else "less"
    if is_control:
        return f"The ladder sells {points(low)} to {points(high)} points {how} than asking nothing; you can trust this."
    return f"{one} sells {points(low)} to {points(high)} points {how} than {other}; you can trust this."


def points(share: float) -> str:
    """A share as points of a hundred: 0.0184 is `1.8`."""
    return f"{share * 100:.1f}" if share >= 0.001 else f"{share * 100:.2g}"


def rounded(number: int) -> int:
    """A number that does not claim to be known better than it is: two digits, rounded up."""
    size: int = 10 ** max(len(str(number)) - 2, 0)
    return -(-number // size) * size
