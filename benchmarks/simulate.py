"""People a second, and what one decision costs: `python benchmarks/simulate.py [PEOPLE]`. One process, one core."""

import sys
import time
from datetime import UTC, datetime, timedelta

from machines import ROOT

from nurture.engine.deploy import read_folder
from nurture.language.project import read_project
from nurture.rehearsal.simulation import World, habits_of, simulate


def main(people: int) -> None:
    for name, sequence in read_project(read_folder(ROOT)).sequences.items():
        start = datetime(2026, 6, 1, tzinfo=UTC)
        world = World(1, start, habits_of(sequence, {}, {}), joining=timedelta(days=30), zone="Europe/London")
        before = time.perf_counter()
        tally = simulate(sequence, world, range(people))
        seconds = time.perf_counter() - before
        each = seconds / tally.decisions * 1e6
        print(
            f"{name}: {people:,} people through {len(sequence.steps)} steps in {seconds:.1f} s: "
            f"{people / seconds:,.0f} a second, {tally.decisions:,} decisions, {each:.1f} microseconds each"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
