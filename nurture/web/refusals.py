"""Reports that did not prove whose they are: counted in the memory of this process, and nothing of them kept.

Anybody may post anything to a public address, so this is no fault by itself. It is the first thing to look at when a
provider that takes mail is not heard of: its secret was changed on one side only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock


@dataclass(frozen=True, slots=True)
class Refused:
    """How many reports to one provider's address were refused since the process started; when and why the last was."""

    times: int
    at: datetime
    why: str


class Refusals:
    """By provider: there are as many as providers, however much is posted."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[str, Refused] = {}

    def add(self, provider: str, why: str, now: datetime) -> None:
        with self._lock:
            before = self._known.get(provider)
            self._known[provider] = Refused(1 if before is None else before.times + 1, now, why)

    def every(self) -> Mapping[str, Refused]:
        with self._lock:
            return dict(self._known)
