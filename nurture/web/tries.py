"""How often someone may try: so many times in a stretch of time, then they are told when to come again."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from threading import Lock


class Tries:
    """Counts tries by name, in this process."""

    def __init__(self, most: int, within: timedelta) -> None:
        self._most, self._within = most, within
        self._lock = Lock()
        self._seen: dict[str, deque[datetime]] = {}

    def wait(self, name: str, now: datetime) -> timedelta:
        """Count one more try of this name. Zero when it may go on, else how long it is to wait; then it is not counted."""
        with self._lock:
            self._forget(now)
            seen = self._seen.setdefault(name, deque())
            if len(seen) >= self._most:
                return seen[0] + self._within - now
            seen.append(now)
            return timedelta(0)

    def forgive(self, name: str) -> None:
        """It was them: their earlier tries do not count."""
        with self._lock:
            self._seen.pop(name, None)

    def _forget(self, now: datetime) -> None:
        for name, seen in list(self._seen.items()):
            while seen and seen[0] + self._within <= now:
                seen.popleft()
            if not seen:
                del self._seen[name]
