"""A difference between two groups, with an interval that holds however often one looks.

An ordinary 95 % interval is wrong far more than 5 times in 100 for someone who looks every day and stops when they like
what they see. A confidence sequence covers the truth at all looks together. This is the asymptotic one of
Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences"
(Annals of Statistics 52, 2024; arXiv:2103.06476), whose boundary is Robbins' normal mixture.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

ALPHA = 0.05
"""How often the interval may be wrong at any of all the looks."""

SHARPEST = 2_000
"""People at which the interval is narrowest for what it promises; it holds before and after as well."""

SURPRISES = 3
"""Successes that each group is thought to have had more, in its variance only.

The theorem is about large numbers. With a small control group and rare purchases its plain form covers 93 of 100; with
these it covers 97 (benchmarks/lift.py).
"""

FEWEST = 50
"""People in the smaller group below which nothing is said."""

FEWEST_SUCCESSES = 10
"""Successes in both groups together below which nothing is said."""


@dataclass(frozen=True, slots=True)
class Group:
    """What was measured of some people: how many they are, how many had any, the sum and the sum of squares."""

    people: int = 0
    successes: int = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float:
        return self.total / self.people if self.people else 0.0

    @classmethod
    def counted(cls, people: int, successes: int) -> Group:
        """A group whose people did it or did not."""
        return cls(people, successes, successes, successes)


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more the one group has than the other, a person. `low` and `high` are None while nothing can be said."""

    estimate: float
    low: float | None = None
    high: float | None = None
    needed: int | None = None

    @property
    def shown(self) -> bool:
        """Whether the interval excludes that there is no difference."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def difference(one: Group, other: Group) -> Difference:
    """How much more `one` has than `other`, and within which limits, whenever one looks.

    `needed` is how many more people it takes until the interval excludes zero, if the difference stays as it is; None
    when that is more than anyone has.
    """
    estimate = one.mean - other.mean
    people = one.people + other.people
    successes = one.successes + other.successes
    if min(one.people, other.people) < FEWEST or successes < FEWEST_SUCCESSES:
        return Difference(estimate, needed=_until_anything_is_said(one, other))
    surprise = SURPRISES * (one.squares + other.squares) / successes
    variance = _of_mean(one, surprise) + _of_mean(other, surprise)
    width = sqrt(variance) * _boundary(people)
    found = Difference(estimate, estimate - width, estimate + width)
    if found.shown or not estimate:
        return found
    return Difference(estimate, found.low, found.high, needed=_needed(abs(estimate), variance * people, people))


def _of_mean(group: Group, surprise: float) -> float:
    """The variance of a group's mean."""
    return max((group.squares + surprise) / group.people - group.mean**2, 0.0) / group.people


def _boundary(people: int) -> float:
    """Standard errors from the middle of the interval to its end: 2 for one look, 3 and more for all looks."""
    wanted = -2 * log(ALPHA)
    scale = people * (wanted + log(wanted + 1)) / SHARPEST
    return sqrt((1 + scale) / scale * log((1 + scale) / ALPHA**2))


MOST = 10_000_000


def _needed(estimate: float, variance: float, people: int) -> int | None:
    """How many more people until the interval is narrower than this; `variance` is that of one person's part."""
    if _width(variance, MOST) >= estimate:
        return None
    enough, short = MOST, people
    while enough - short > max(1, enough // 200):
        middle = (enough + short) // 2
        if _width(variance, middle) < estimate:
            enough = middle
        else:
            short = middle
    return enough - people


def _width(variance: float, people: int) -> float:
    return sqrt(variance / people) * _boundary(people)


def _until_anything_is_said(one: Group, other: Group) -> int | None:
    """How many more people until there are the fewest that anything is said of, at the pace seen so far."""
    people, smaller = one.people + other.people, min(one.people, other.people)
    successes = one.successes + other.successes
    if not smaller or not successes:
        return None
    wanted = max(FEWEST / smaller, FEWEST_SUCCESSES / successes)
    return max(round(people * wanted) - people, 1)
