"""The pass that tells listeners: claimed with a lease, posted outside any transaction, told again for two days.

At least once: a listener that took an event and did not answer in time hears it again under the same id. Each listener
has a thread and a connection of its own, and none of this happens where mail is sent: one that is away costs its own
events time, and nothing else any.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

from nurture.errors import DeliveryError, Unavailable
from nurture.providers.listener import Post, connect
from nurture.store import notices

if TYPE_CHECKING:
    from nurture.engine.listening import Listener
    from nurture.store.database import Store

log = logging.getLogger("nurture.listeners")

BATCH = 50
MOST_LISTENERS = 8
"""Listeners that are told at the same time."""

ROOM = 5.0
"""Seconds after which a turn begins no further post to a slow listener, so that the others need not wait."""

LEASE = timedelta(minutes=2)
WAITS = tuple(
    timedelta(**{unit: number})
    for number, unit in (
        (5, "seconds"), (1, "minutes"), (5, "minutes"), (30, "minutes"), (2, "hours"), (5, "hours"), (10, "hours"),
    )
)  # fmt: skip
"""After the first try, the second …; the last again and again."""

GIVE_UP = timedelta(days=2)
"""Two days after it happened an event is kept for `nurture listeners replay` and told no more by itself."""

REST, LONGEST_REST = timedelta(seconds=5), timedelta(minutes=5)
"""How long a listener that is away is left alone, doubled each time."""

KEPT = timedelta(days=30)
"""How long what was told is known."""

Connect = Callable[["Listener"], Post]


def connected(listener: Listener) -> Post:
    return connect(listener.url, listener.secrets, private=listener.private)


@dataclass(frozen=True, slots=True)
class Turned:
    """What one turn did. `more` is true when another should follow at once."""

    told: int = 0
    failed: int = 0
    waits: int = 0
    more: bool = False


@dataclass(slots=True)
class _Way:
    """One listener as this process knows it."""

    listener: Listener
    post: Post
    away: int = 0
    rests_until: datetime | None = None


@dataclass(slots=True)
class _Told:
    """What came of one listener's batch."""

    outcomes: list[notices.Outcome] = field(default_factory=list)
    untried: list[notices.Claimed] = field(default_factory=list)
    error: str = ""


class Teller:
    """Tells listeners. What it knows of one that is away it forgets with the process; what is to be told are rows."""

    def __init__(self, store: Store, connect: Connect = connected) -> None:
        self._store = store
        self._connect = connect
        self._ways: dict[str, _Way] = {}

    def turn(self, listeners: Sequence[Listener], now: datetime) -> Turned:
        """One batch for each listener that is not left alone."""
        with self._store.read() as tx:
            first = notices.next_due(tx)
        if first is None or first > now:
            return Turned()
        ways = [way for one in listeners if (way := self._way(one)).rests_until is None or way.rests_until <= now]
        with self._store.write() as tx:
            notices.put_off(tx, [one.name for one in listeners], now, now + WAITS[-1])
            claimed = {way.listener.name: notices.claim(tx, way.listener.name, now, now + LEASE, BATCH) for way in ways}
        busy = [way for way in ways if claimed[way.listener.name]]
        if not busy:
            return Turned()
        with ThreadPoolExecutor(min(len(busy), MOST_LISTENERS), "listener") as threads:
            told = list(threads.map(lambda way: _tell(way, claimed[way.listener.name], now), busy))
        return self._settle(dict(zip([way.listener.name for way in busy], told, strict=True)), now)

    def _way(self, listener: Listener) -> _Way:
        known = self._ways.get(listener.name)
        if known is None or known.listener != listener:
            known = self._ways[listener.name] = _Way(listener, self._connect(listener))
        return known

    def _settle(self, told: Mapping[str, _Told], now: datetime) -> Turned:
        counted: Counter[str] = Counter()
        with self._store.write() as tx:
            for name, done in told.items():
                notices.settle(tx, done.outcomes, now)
                counted.update(one.state for one in done.outcomes)
                way = self._ways[name]
                if done.error:
                    way.rests_until = now + min(REST * (1 << min(way.away, 10)), LONGEST_REST)
                    way.away += 1
                    notices.release(tx, done.untried, way.rests_until)
                    counted[notices.FAILED] += notices.give_up(tx, name, now - GIVE_UP, done.error)
                else:
                    way.away, way.rests_until = 0, None
                    notices.release(tx, done.untried, now)
            notices.forget_told(tx, now - KEPT)
        for name, done in told.items():
            if done.error:
                log.warning("%s is not told for now: %s", name, done.error, extra={"listener": name})
        more = any(not done.error and (done.untried or len(done.outcomes) == BATCH) for done in told.values())
        return Turned(counted[notices.TOLD], counted[notices.FAILED], counted[notices.WAITING], more)


def _tell(way: _Way, claimed: Sequence[notices.Claimed], now: datetime) -> _Told:
    done = _Told()
    until = monotonic() + ROOM
    for place, one in enumerate(claimed):
        if monotonic() > until:
            done.untried = list(claimed[place:])
            break
        try:
            way.post(one.event, one.body, now)
        except Unavailable as error:  # nobody there: the rest need not find out as well
            done.error = str(error)
            wait = timedelta(seconds=error.retry_after) if error.retry_after is not None else timedelta(0)
            done.outcomes.append(_again(one, str(error), now, wait))
            done.untried = list(claimed[place + 1 :])
            break
        except DeliveryError as error:
            done.outcomes.append(_again(one, str(error), now))
        else:
            done.outcomes.append(notices.Outcome(one.id, notices.TOLD))
    return done


def _again(one: notices.Claimed, error: str, now: datetime, at_least: timedelta = timedelta(0)) -> notices.Outcome:
    wait = max(WAITS[min(one.tries, len(WAITS)) - 1], at_least)
    if now >= one.since + GIVE_UP:
        return notices.Outcome(one.id, notices.FAILED, error)
    return notices.Outcome(one.id, notices.WAITING, error, now + wait)
