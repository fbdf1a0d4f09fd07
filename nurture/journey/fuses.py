"""Fuses that make any fault small: how much may go wrong, or leave at all, before all mail is held until someone looks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

LAST = 200
"""Outcomes of which the share that went wrong is taken. Fewer say too little."""


@dataclass(frozen=True, slots=True)
class Fuse:
    """`hourly` is the most mails within an hour; `failures` the largest share, from 0 to 1, that may go wrong."""

    hourly: int | None = None
    failures: float | None = None

    def overheated(self, recent: Collection[bool]) -> str:
        """Why no more should leave, by the last outcomes (True: failed or unknown); "" when all is well."""
        if self.failures is None or len(recent) < LAST:
            return ""
        wrong = sum(recent)
        if wrong <= self.failures * len(recent):
            return ""
        return f"{wrong} of the last {len(recent)} mails failed or are unknown, and {self.failures:.0%} is the most"

    def overloaded(self, begun: int, wanted: int) -> str:
        """Why these should not leave, by what left in this hour; "" when all is well."""
        if self.hourly is None or begun + wanted <= self.hourly:
            return ""
        return f"more than {self.hourly:,} mails were to leave within an hour (NURTURE_FUSE_HOURLY)"
