"""Watching a video: how much of it was really played, judged here, since a browser may say anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from nurture.engine import answering
from nurture.store import answers

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.engine.answering import Question
    from nurture.engine.deploy import Deployed
    from nurture.store.database import Store

FASTEST = 2.0
"""Seconds of a video that can be played in one second: the speed that players offer."""

SLACK = timedelta(seconds=2)
"""What may have been played before the first report arrives. Only once: else a hundred reports would be a whole video."""


MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """How much counts as watched, in percent, and whether that is enough."""

    percent: int
    enough: bool


def report(
    store: Store, deployed: Deployed, message: str, asked: Question, played: float, length: float, now: datetime
) -> Progress:  # fmt: skip
    """A player says that it played so many seconds of so many. No more of it counts than can have been played since
    the last report, and the first one only begins the clock, so that a jump to the end is no yes.
    """
    if asked.answered is not None:
        return Progress(100, enough=True)
    with store.write() as tx:
        known = answers.watched(tx, asked.enrollment, asked.root)
        could = SLACK / MILLISECOND
        if known is None:
            known = answers.Watched(0, 0, now)
        else:
            could = known.played + max(0, (now - known.at) / MILLISECOND * FASTEST)
        whole = max(known.length, round(length * 1000))
        counted = max(known.played, min(round(played * 1000), int(could), whole))
        answers.put_watched(tx, asked.enrollment, asked.root, answers.Watched(counted, whole, now))
    percent = counted * 100 // whole if whole else 0
    enough = percent >= asked.ask.at_least
    if enough:
        answering.answer(store, deployed, message, None, now)
    return Progress(percent, enough=enough)


def seen(store: Store, asked: Question) -> int:
    """How much of it this person has seen so far, in percent."""
    with store.read() as tx:
        known = answers.watched(tx, asked.enrollment, asked.root)
    return known.played * 100 // known.length if known is not None and known.length else 0
