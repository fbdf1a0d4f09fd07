"""A list outgrows its file: mailed half on SQLite, copied to PostgreSQL with the engine stopped, mailed on from there.

The judge is the log of the fake provider, a process of its own: nobody mailed twice, nobody forgotten.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.bench import SEQUENCE  # noqa: E402
from benchmarks.cluster import Site  # noqa: E402
from benchmarks.machines import postgres  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--before", type=int, default=20_000, help="mails that leave before the move")
    options = parser.parse_args()
    began = time.monotonic()

    with ExitStack() as stack:
        url = stack.enter_context(postgres())
        site = Site(stack, "sqlite:///{folder}/nurture.db", SEQUENCE, options.people)
        accepted = Lines(site.log)

        def say(what: str) -> None:
            print(f"{time.monotonic() - began:>6.0f} s {accepted():>8,} accepted   {what}", flush=True)

        say(f"{options.people:,} people imported, nothing runs yet")
        engine = site.start("run", "--port", "0")
        site.until(lambda: accepted() >= options.before, 600)
        engine.send_signal(signal.SIGTERM)
        left = engine.wait(60)
        say(f"the engine on SQLite was stopped in the middle of sending (exit {left})")
        site.run("db", "copy", "--to", url)
        say("copied to PostgreSQL")
        site.environment["NURTURE_DATABASE_URL"] = url
        site.start("worker")
        site.start("run", "--only", "clock")
        site.until(lambda: accepted() >= options.people, 1200)
        time.sleep(10)  # whoever would be mailed twice has time for it
        say("every person was mailed")
        many = Counter(mail["to"] for mail in site.mails())
    doubled, lost = sum(number > 1 for number in many.values()), options.people - len(many)
    print(f"{'ok ' if not doubled and not lost else 'BAD'} {options.people:,} people: lost {lost}, doubled {doubled}")
    return 1 if doubled or lost else 0


class Lines:
    """How many lines a file has that grows to hundreds of megabytes; only what is new is read."""

    def __init__(self, path: Path) -> None:
        self._path, self._read, self._number = path, 0, 0

    def __call__(self) -> int:
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        self._read += len(new)
        self._number += new.count(b"\n")
        return self._number


if __name__ == "__main__":
    sys.exit(main())
