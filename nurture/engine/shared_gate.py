"""One provider's rate for all workers of a PostgreSQL: the gate of `sending`, its truth in a row.

Credit is taken in a short transaction of its own, before the mails begin: what is taken and not used is lost, so that
all workers together never send faster than they may.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from nurture.engine.gate import Gate
from nurture.store import gates

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from nurture.store.database import Store

LOOK = timedelta(seconds=1)
"""How long a worker may not know that another closed the gate."""


class SharedGate(Gate):
    """As `Gate`, with what other workers took and were told."""

    def __init__(self, store: Store, provider: str, rate: float | None) -> None:
        super().__init__(rate)
        self._store = store
        self._provider = provider
        self._looked: datetime | None = None
        self._empty_until: datetime | None = None

    def shut(self, now: datetime) -> bool:
        if self._looked is None or not (self._looked <= now < self._looked + LOOK):
            with self._store.read() as tx:
                self._take_over(gates.look(tx, self._provider), now)
        return super().shut(now)

    def allows(self, wanted: int, now: datetime) -> int:
        if self.rate is None or not wanted:
            return super().allows(wanted, now)
        if self._empty_until is not None and now < self._empty_until:
            return 0
        with self._store.write() as tx:
            bucket = gates.hold(tx, self._provider)
            self._take_over(bucket, now)
            allowed = super().allows(wanted, now if bucket.at is None else max(now, bucket.at))
            gates.save(tx, self._provider, replace(bucket, credit=self._credit, at=self._at))
        short = max(0.0, 1.0 - self._credit) / self.rate
        self._empty_until = now + timedelta(seconds=short) if allowed < wanted else None
        return allowed

    def close(self, until: datetime, reason: str) -> None:
        super().close(until, reason)
        with self._store.write() as tx:
            bucket = gates.hold(tx, self._provider)
            if bucket.closed_until is None or until > bucket.closed_until:
                gates.save(tx, self._provider, replace(bucket, closed_until=until, reason=reason))

    def taken(self, now: datetime) -> None:
        if self.closed_until is None or not self.ajar(now):
            return
        with self._store.write() as tx:
            bucket = gates.hold(tx, self._provider)
            self._take_over(bucket, now)
            if self.ajar(now):  # nobody has shut it again meanwhile
                self._open(tx, bucket)

    def open(self) -> None:
        with self._store.write() as tx:
            self._open(tx, gates.hold(tx, self._provider))

    def _open(self, tx: Connection, bucket: gates.Bucket) -> None:
        super().open()
        gates.save(tx, self._provider, replace(bucket, closed_until=None, reason=""))

    def _take_over(self, bucket: gates.Bucket, now: datetime) -> None:
        self._credit, self._at, self._looked = bucket.credit, bucket.at, now
        self.closed_until, self.reason = bucket.closed_until, bucket.reason
