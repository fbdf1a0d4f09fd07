"""How fast, and whether at all, mail may leave through one provider."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

GATE_CLOSED = timedelta(minutes=5)
"""How long a provider is left alone after it refused us rather than a message (a wrong key, a redirect)."""


@dataclass(slots=True)
class Gate:
    """A bucket of one second's mails that fills at `rate`. Times are the engine's `now`, UTC."""

    rate: float | None
    closed_until: datetime | None = None
    reason: str = ""
    _credit: float = field(default=1.0)
    _at: datetime | None = None

    def shut(self, now: datetime) -> bool:
        return self.closed_until is not None and now < self.closed_until

    def ajar(self, now: datetime) -> bool:
        """Whether its time is over and nothing was taken since: then one mail at a time shows whether anything is."""
        return not self.shut(now) and self.closed_until is not None

    def allows(self, wanted: int, now: datetime) -> int:
        """How many mails may leave now; takes that many from the credit of one second at most."""
        if self.shut(now):
            return 0
        if self.rate is None:
            return wanted
        passed = 0.0 if self._at is None else max(0.0, (now - self._at).total_seconds())
        self._at = now
        self._credit = min(max(self.rate, 1.0), self._credit + passed * self.rate)
        allowed = min(wanted, int(self._credit))
        self._credit -= allowed
        return allowed

    def close(self, until: datetime, reason: str) -> None:
        if self.closed_until is None or until > self.closed_until:
            self.closed_until, self.reason = until, reason

    def taken(self, now: datetime) -> None:
        """A mail was taken, so a gate that is ajar is open."""
        if self.closed_until is not None and self.ajar(now):
            self.open()

    def open(self) -> None:
        """Why it was closed is over."""
        self.closed_until, self.reason = None, ""
