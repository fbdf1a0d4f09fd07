"""Does the interval of a lift hold what it promises to someone who looks again and again?

A thousand experiments are imagined. After every 25 people somebody looks. An experiment counts as covered when the true
difference was inside the interval at every one of those looks. Beside it: an ordinary 95 % interval under the same
looks, which is why this one is wider. Exits 1 when fewer than 95 % are covered in any of the worlds.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from math import sqrt
from multiprocessing import Pool
from pathlib import Path
from random import Random
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from nurture.report.sequential import Group, difference  # noqa: E402

LOOK = 25
PROMISED = 0.95
WORLDS = (
    # ladder's goal rate, control's, control's share, people
    (0.05, 0.03, 0.1, 8000),
    (0.10, 0.08, 0.1, 8000),
    (0.02, 0.02, 0.1, 8000),
    (0.01, 0.01, 0.1, 8000),
    (0.30, 0.30, 0.5, 3000),
    (0.12, 0.20, 0.5, 3000),
    (0.002, 0.01, 0.1, 8000),
)


@dataclass(frozen=True)
class World:
    """How likely a goal is with the ladder and without it, how many are kept out, and what a goal pays."""

    ladder: float
    control: float
    share: float
    people: int
    pays: bool = False

    @property
    def truth(self) -> float:
        return (self.ladder - self.control) * (PRICE if self.pays else 1)


PRICE = 100.0
"""What a goal pays on average, where it pays: a third of it to three times as much."""


@dataclass
class Run:
    covered: bool = True
    ordinary: bool = True
    shown_at: int | None = None
    wrong: bool = False


def experiment(world: World, seed: int) -> Run:
    """One experiment, looked at after every LOOK people."""
    chance = Random(seed)
    arms = {False: [0, 0, 0.0, 0.0], True: [0, 0, 0.0, 0.0]}
    run = Run()
    for number in range(1, world.people + 1):
        control = chance.random() < world.share
        arm = arms[control]
        arm[0] += 1
        if chance.random() < (world.control if control else world.ladder):
            worth = PRICE * chance.choice((1 / 3, 2 / 3, 2)) if world.pays else 1.0
            arm[1] += 1
            arm[2] += worth
            arm[3] += worth * worth
        if number % LOOK:
            continue
        one, other = Group(*arms[False]), Group(*arms[True])
        found = difference(one, other)
        if found.low is None or found.high is None:
            continue
        run.covered &= found.low <= world.truth <= found.high
        run.ordinary &= abs(found.estimate - world.truth) <= 1.96 * _standard_error(one, other)
        if found.shown and run.shown_at is None:
            run.shown_at = number
            run.wrong = (found.estimate > 0) != (world.truth > 0) or world.truth == 0
    return run


def _standard_error(one: Group, other: Group) -> float:
    return sqrt(sum((group.squares / group.people - group.mean**2) / group.people for group in (one, other)))


def runs(world: World, number: int) -> list[Run]:
    with Pool(2) as pool:
        return pool.starmap(experiment, [(world, seed) for seed in range(number)], chunksize=20)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    print(f"{options.runs:,} experiments each, looked at after every {LOOK} people\n")
    print("ladder  control  kept out  people  measured    covered  ordinary  shown  at (median)  wrongly")
    broken = 0
    for pays in (False, True):
        for world in (World(*numbers, pays) for numbers in WORLDS):
            found = runs(world, options.runs)
            broken += _share(found, "covered") < PROMISED
            at = [run.shown_at for run in found if run.shown_at is not None]
            print(
                f"{world.ladder:6.1%}  {world.control:7.1%}  {world.share:8.0%}  {world.people:6,}  "
                f"{'money' if pays else 'goals':9}  {_share(found, 'covered'):8.1%}  {_share(found, 'ordinary'):8.1%}  "
                f"{len(at) / len(found):5.1%}  {median(at) if at else 0:11,.0f}  {_share(found, 'wrong'):7.1%}",
                flush=True,
            )
    if broken:
        print(f"in {broken} worlds fewer than {PROMISED:.0%} were covered at every look")
    return 1 if broken else 0


def _share(found: list[Run], what: str) -> float:
    return sum(getattr(run, what) for run in found) / len(found)


if __name__ == "__main__":
    sys.exit(main())
