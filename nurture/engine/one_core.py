"""While mail goes out, the threads of this process share one core, so that handing the interpreter over costs no trip
to another.

Python runs one thread at a time. As the kernel places them, each thread wakes on a core where it finds nothing in its
caches and the interpreter taken: 22 switches a mail and half as much work again, against 3 on one core (`make bench`
measures both). Which core is left to the kernel: from time to time the thread that leads is let go, and the others
follow to where it was put.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

STAYS = 2.0
"""Seconds after which the leading thread is let go again: the kernel may know a better core by then."""

THREADS = Path("/proc/self/task")
LEADING = Path("/proc/thread-self/stat")
LAST_CORE = 36
"""Where `proc_pid_stat(5)` has the core that a thread ran on last, counted after the name, which may hold blanks."""


def takes_turns() -> bool:
    """Whether threads of this process run one at a time, and can be told where (Linux)."""
    free_threaded = not getattr(sys, "_is_gil_enabled", lambda: True)()
    return hasattr(os, "sched_setaffinity") and LEADING.exists() and not free_threaded


class SharedCore:
    """The core that the whole process keeps to while it has work. Does nothing where the system has no say in that."""

    def __init__(self, *, wanted: bool) -> None:
        self._all = os.sched_getaffinity(0) if wanted and takes_turns() else set[int]()
        self._core: int | None = None
        self._until = 0.0

    def lead(self) -> None:
        """Called by the leading thread, again and again while there is work."""
        if len(self._all) < 2 or monotonic() < self._until:
            return
        if self._core is None:
            self._core = int(LEADING.read_text().rpartition(")")[2].split()[LAST_CORE])
            self._place({self._core})
            self._until = monotonic() + STAYS
        else:
            with suppress(OSError):
                os.sched_setaffinity(0, self._all)
            self._core = None

    def rest(self) -> None:
        """There is no more work: every thread runs where the kernel likes."""
        if self._until:
            self._place(self._all)
            self._core, self._until = None, 0.0

    def _place(self, cores: set[int]) -> None:
        for thread in THREADS.iterdir():
            with suppress(OSError):  # it has ended, or this core was taken from us
                os.sched_setaffinity(int(thread.name), cores)
