"""Reports that are counted once for many looks, beside the page: it is there at once, with the numbers of a moment ago."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

PATIENCE = 0.15
"""Seconds that a page waits for numbers before it shows those of a moment ago. Most lists are counted by then."""

FRESH = timedelta(seconds=5)
AT_MOST = 20
"""A report is counted again at the earliest after so many times as long as it took: a twentieth of one core."""

YIELDS = 0.0005
"""Seconds after which a thread makes way for one that waits, while something is counted. A page asks the database a
dozen times and waits for the interpreter after each answer: by Python's own measure ten times as long, which is made
for fewer turns.
"""

KEPT = 64


class _MakingWay:
    """As long as anyone counts, threads of this process take shorter turns."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counting = 0
        self._usual = 0.0

    def __enter__(self) -> None:
        with self._lock:
            self._counting += 1
            if self._counting == 1:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(min(self._usual, YIELDS))

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._counting -= 1
            if not self._counting:
                sys.setswitchinterval(self._usual)


MAKING_WAY = _MakingWay()


@dataclass(slots=True)
class _Counted:
    document: dict[str, Any]
    at: datetime
    took: timedelta


class Counting:
    """One thread that counts, and what it has counted."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "counting")
        self._lock = Lock()
        self._done: dict[Hashable, _Counted] = {}
        self._begun: dict[Hashable, Future[dict[str, Any]]] = {}

    def get(
        self, key: Hashable, count: Callable[[], dict[str, Any]], now: datetime, *, wait: bool = False
    ) -> dict[str, Any] | None:
        """The document under this key; None while it is counted for the first time, unless one waits for it."""
        with self._lock:
            known = self._done.get(key)
            if known is not None and now - known.at <= max(FRESH, known.took * AT_MOST) and not wait:
                return known.document
            begun = self._begun.get(key)
            if begun is None:
                begun = self._begun[key] = self._thread.submit(self._count, key, count, now)
        try:
            return begun.result(None if wait else PATIENCE)
        except NotYet:
            return None if known is None else known.document

    def _count(self, key: Hashable, count: Callable[[], dict[str, Any]], now: datetime) -> dict[str, Any]:
        begun = time.perf_counter()
        try:
            with MAKING_WAY:
                document = count()
        finally:
            with self._lock:
                self._begun.pop(key, None)
        with self._lock:
            self._done.pop(key, None)
            self._done[key] = _Counted(document, now, timedelta(seconds=time.perf_counter() - begun))
            while len(self._done) > KEPT:
                del self._done[next(iter(self._done))]
        return document
