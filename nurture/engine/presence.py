"""A process says that it is at work, so that whoever operates several of them sees which, and since when not."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import nurture
from nurture.engine.clock import Clock
from nurture.engine.run import stop_when_outdated
from nurture.errors import NurtureError
from nurture.store import workers

if TYPE_CHECKING:
    from nurture.engine.run import Engine
    from nurture.store.database import Store

log = logging.getLogger("nurture.presence")

EVERY = timedelta(seconds=5)
GONE = timedelta(minutes=1)
"""A process that was not seen for so long is taken for gone."""

FORGOTTEN = timedelta(days=1)


@contextmanager
def present(engine: Engine, runs: Collection[str]) -> Iterator[None]:
    """On record as at work until the block ends, by the machine's own time."""
    store = engine.store
    number, began = secrets.token_hex(8), datetime.now(UTC)

    def beat() -> None:
        if stop_when_outdated(engine):
            return
        now = datetime.now(UTC)
        one = workers.Worker(
            number, socket.gethostname(), os.getpid(), nurture.__version__, tuple(sorted(runs)), began, now
        )  # fmt: skip
        with store.write() as tx:
            workers.seen(tx, one)
            workers.forget(tx, now - FORGOTTEN)

    beat()
    clock = Clock({"presence": (beat, EVERY)})
    clock.start()
    try:
        yield
    finally:
        clock.stop()
        try:
            with store.write() as tx:
                workers.left(tx, number)
        except NurtureError as error:
            log.warning("this process leaves without saying so: %s", error)


def clock_is_missing(store: Store, now: datetime) -> bool:
    """Whether processes are at work and none of them, for a minute, had a clock: then nothing falls due."""
    with store.read() as tx:
        known, last = workers.clock_seen(tx)
    return bool(known) and (last is None or now - last > GONE)
