"""What came back from the sender threads, gathered so that the thread that turns wakes once a turn.

A plain queue wakes its reader at every item: with a hundred mails a turn, two threads then hand the interpreter to and
fro a hundred times for nothing.
"""

from __future__ import annotations

from collections import deque
from threading import Event
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nurture.engine.way import Outcome


class Returns:
    """Many threads `put`, one takes and waits. A deque's ends are safe without a lock."""

    def __init__(self) -> None:
        self._held: deque[Outcome] = deque()
        self._enough = 1
        self._bell = Event()

    def put(self, outcome: Outcome) -> None:
        self._held.append(outcome)
        if len(self._held) >= self._enough and not self._bell.is_set():
            self._bell.set()

    def take(self) -> list[Outcome]:
        """All that is here."""
        taken = []
        while self._held:
            taken.append(self._held.popleft())
        return taken

    def wait(self, enough: int, seconds: float) -> None:
        """Until `enough` are here, or this long."""
        self._enough = enough
        self._bell.clear()
        if len(self._held) < enough:  # looked at after the bell is cleared: who comes between rings it again
            self._bell.wait(seconds)
