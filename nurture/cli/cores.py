"""Work in parts, on all cores: a thousand sequences to check, a hundred thousand people to imagine."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")

# a forked child has everything before it; a spawned one would have to read it again, at the cost of the work itself
CAN_FORK = sys.platform == "linux"
_work: list[Callable[[Any], Any]] = []


def on_all_cores(work: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
    """`work` of each part, in order. Only parts and results travel; what `work` knows is inherited.

    The processes are there when this returns, so that a progress bar and its thread may begin after them.
    """
    cores = min(len(os.sched_getaffinity(0)), len(parts)) if CAN_FORK else 1
    if cores < 2:
        return map(work, parts)
    _work[:] = [work]
    gc.freeze()  # children share what is here until someone writes to it, and a collection writes to everything
    pool = ProcessPoolExecutor(cores, multiprocessing.get_context("fork"), initializer=_a_child)
    return _closing(pool, pool.map(_do, parts))


def _closing(pool: ProcessPoolExecutor, results: Iterator[Result]) -> Iterator[Result]:
    try:
        yield from results
    finally:
        pool.shutdown(cancel_futures=True)
        gc.unfreeze()


def _a_child() -> None:
    """Ctrl+C reaches every process of a terminal; one of them says so. Short lives need few collections."""
    gc.set_threshold(100_000)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _do(part: Any) -> Any:  # noqa: ANN401 - whatever the work takes and gives
    return _work[0](part)
