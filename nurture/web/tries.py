"""How often someone may try: so many times in a stretch of time, then they are told when to come again."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock

MOST_NAMES = 10_000
"""Names that are counted at a time. Whoever tries under more of them pushes out who came first."""


def near(address: str) -> str:
    """All that one line has: of IPv6 that is 64 bits of network, in which anybody can take any address (RFC 6177)."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((known, 64), strict=False)) if isinstance(known, IPv6Address) else address


class Tries:
    """Counts tries by name, in this process."""

    def __init__(self, most: int, within: timedelta) -> None:
        self._most, self._within = most, within
        self._lock = Lock()
        self._seen: dict[str, deque[datetime]] = {}

    def wait(self, name: str, now: datetime) -> timedelta:
        """Count one more try of this name. Zero when it may go on, else how long it is to wait; then it is not counted."""
        with self._lock:
            if len(self._seen) >= MOST_NAMES and name not in self._seen:
                self._forget(now)
            seen = self._seen.setdefault(name, deque())
            while seen and seen[0] + self._within <= now:
                seen.popleft()
            if len(seen) >= self._most:
                return seen[0] + self._within - now
            seen.append(now)
            return timedelta(0)

    def forgive(self, name: str) -> None:
        """It was them: their earlier tries do not count."""
        with self._lock:
            self._seen.pop(name, None)

    def _forget(self, now: datetime) -> None:
        """Make room: half of the names, those that came first, and all whose tries are over."""
        over = now - self._within
        newer = list(self._seen.items())[MOST_NAMES // 2 :]
        self._seen = {name: seen for name, seen in newer if seen and seen[-1] > over}
