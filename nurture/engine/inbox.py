"""Where reports from outside are kept before anything is made of them: raw, de-duplicated, durable before we answer.

Many requests share one commit: a single writer thread takes whatever has gathered and commits it at once, and each
caller waits for the commit that carries its own report (group commit: several times as many reports a second as one
commit each, and a shorter wait under load).
"""

from __future__ import annotations

import json
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING

from nurture.errors import NurtureError, StoreError
from nurture.store import hooks, wakeups

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nurture.store.database import Store

OWN = "nurture"
"""The provider's name of what our own links report."""

MOST = 1_000
"""Reports that one commit takes at most, so that one wait stays short."""


MOST_WAITING = 64_000_000
"""Bytes of reports that wait for a commit. Beyond it a sender is asked to come again, so that a storm fills no memory."""

OVERHEAD = 2_000
"""Bytes that a waiting report takes beside its body."""


class Inbox:
    """The writer. `keep` and `click` return once the report is on disk, or raise StoreError."""

    def __init__(self, store: Store, *, most_waiting: int = MOST_WAITING) -> None:
        self._store = store
        self._most_waiting = most_waiting
        self._waiting = 0
        self._lock = Lock()
        self._queue: SimpleQueue[tuple[hooks.Arrived, Future[None]] | None] = SimpleQueue()
        self._closed = False
        self._thread = Thread(target=self._write, name="inbox", daemon=True)
        self._thread.start()

    def keep(self, provider: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
        """Keep one verified hook. A repeat of the same body is kept once."""
        self.submit(provider, headers, body, now).result()

    def submit(
        self, provider: str, headers: Mapping[str, str], body: bytes, now: datetime, once: str = ""
    ) -> Future[None]:
        """Like `keep`, for callers that wait in their own way. `once` names what makes another report the same."""
        if self._closed:
            raise StoreError("the engine is stopping; report it again in a moment")
        size = len(body) + OVERHEAD
        with self._lock:
            if self._waiting + size > self._most_waiting:
                raise StoreError("more reports wait than can be kept at once; report it again in a moment")
            self._waiting += size
        done: Future[None] = Future()
        self._queue.put((hooks.Arrived(provider, dict(headers), body, now, once), done))
        return done

    def click(
        self, message: str, *, method: str, ip: str, agent: str, hint: str, now: datetime, url: str = ""
    ) -> None:  # fmt: skip
        """Keep one request for a link of ours; `url` is "" for the ask's, else the word for the page that it shows."""
        report = {
            "message": message, "at": now.isoformat(), "method": method, "ip": ip, "agent": agent, "hint": hint,
            "url": url,
        }  # fmt: skip
        self.keep(OWN, {}, json.dumps(report).encode(), now)

    def close(self) -> None:
        """Write what has gathered, then stop."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _write(self) -> None:
        while (first := self._queue.get()) is not None:
            gathered = [first]
            closing = False
            while len(gathered) < MOST:
                try:
                    another = self._queue.get_nowait()
                except Empty:
                    break
                if another is None:
                    closing = True
                    break
                gathered.append(another)
            self._commit(gathered)
            if closing:
                return

    def _commit(self, gathered: list[tuple[hooks.Arrived, Future[None]]]) -> None:
        try:
            with self._store.write() as tx:
                hooks.keep(tx, [arrived for arrived, _ in gathered])
                wakeups.want(tx, "receive")
        except NurtureError as error:
            for _, done in gathered:
                done.set_exception(error)
        else:
            for _, done in gathered:
                done.set_result(None)
        with self._lock:
            self._waiting -= sum(len(arrived.body) + OVERHEAD for arrived, _ in gathered)
