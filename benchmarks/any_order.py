"""A thousand reports, each three times, in fifty random orders: do they always end in one state?

    python -m benchmarks.any_order [--orders 50] [--databases sqlite,postgresql]

A hundred people have a mail each. Reports of every kind come about it in the words of two vendors, several in the same
second, some of them contradictory, and a person's next mail hangs on them. Every order begins from the same rows, is cut
into hooks of random size and worked off in between. What is compared is all that has a meaning (people, suppressions,
places, mails, events), and neither the order nor the database may show in it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.machines import postgres  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=50)
    parser.add_argument("--databases", default="sqlite,postgresql")
    said = parser.parse_args()
    digests: set[str] = set()
    for database in said.databases.split(","):
        began = time.monotonic()
        with _opened(database) as store:
            found = _states(store, said.orders)
        digests |= found.keys()
        shown = ", ".join(f"{digest[:16]} x {count}" for digest, count in found.items())
        print(f"{database:<10} {said.orders} orders: {len(found)} state(s): {shown}   {time.monotonic() - began:.0f} s")
    fine = len(digests) == 1
    print(f"{'ok ' if fine else 'BAD'} one state hash over all: {digests.pop() if fine else 'no'}")
    return 0 if fine else 1


@contextmanager
def _opened(database: str):
    from nurture.store.database import open_store

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nurture-order-"))
        store = open_store(
            f"sqlite:///{folder}/nurture.db" if database == "sqlite" else stack.enter_context(postgres())
        )
        stack.callback(store.close)
        yield store


def _states(store, orders: int) -> Counter[str]:
    from test_any_order import every_order, staged

    stage = staged(store)
    try:
        return Counter(digest for digest, _ in every_order(stage, orders))
    finally:
        stage.close()


if __name__ == "__main__":
    sys.exit(main())
