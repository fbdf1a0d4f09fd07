"""What wakes the work: a handful of fixed jobs in memory, in UTC. Never one job a subscriber, never state.

The truth is rows; a lost or doubled wake-up costs latency and never a mail.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from nurture.errors import NurtureError

if TYPE_CHECKING:
    from datetime import timedelta

log = logging.getLogger("nurture.clock")

Work = Callable[[], None]


class Clock:
    """Calls each piece of work again and again, never two of one kind at once.

    A slow piece is not stacked up behind itself (`coalesce`, `max_instances=1`); one that fails is tried again at
    its next turn.
    """

    def __init__(self, works: Mapping[str, tuple[Work, timedelta]]) -> None:
        # its own word for a skipped wake-up is a warning; here it is the normal state of a busy engine
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={"default": ThreadPoolExecutor(len(works) or 1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for name, (work, every) in works.items():
            self._scheduler.add_job(
                guarded(name, work),
                "interval",
                seconds=every.total_seconds(),
                id=name,
                next_run_time=datetime.now(UTC),
            )

    def start(self) -> None:
        self._scheduler.start()

    def wake(self, name: str) -> None:
        """Do this piece of work now rather than at its next turn."""
        self._scheduler.modify_job(name, next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """No new wake-ups; returns when the pieces at work have returned."""
        self._scheduler.shutdown(wait=True)


def guarded(name: str, work: Work) -> Work:
    """The work, with its faults told and left for the next turn."""

    def run() -> None:
        try:
            work()
        except NurtureError as error:
            log.error("%s waits for its next turn: %s", name, error)  # noqa: TRY400 - the sentence is enough
        except Exception:
            log.exception("%s met a fault of its own and waits for its next turn", name)

    return run
