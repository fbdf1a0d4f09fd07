"""Asking shops for codes, again and again until they come. Nobody's mail leaves without theirs.

The call leaves outside any transaction. What it brings is kept before anything is made of it; a call whose answer was
lost is made again with the same id, by which the shop knows it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from nurture.errors import Unavailable
from nurture.providers import shop as shops_door
from nurture.store import codes, wishes

if TYPE_CHECKING:
    from nurture.providers.shop import Shop
    from nurture.store.database import Store

log = logging.getLogger("nurture.offers")

CALLS = 8
"""Calls at the same time, and in one pass, so that a pass lasts no longer than one call."""

LEASE = timedelta(minutes=1)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)

Ask = Callable[["Shop", str, Mapping[str, object], datetime, datetime], str]


@dataclass(frozen=True, slots=True)
class Shopped:
    """What one pass did; `more` is true when another should follow at once."""

    asked: int = 0
    given: int = 0
    more: bool = False


def shop(store: Store, shops: Mapping[str, Shop], now: datetime, ask: Ask = shops_door.ask) -> Shopped:
    """Ask for what is due."""
    if not shops:
        return Shopped()
    with store.read() as tx:
        first = wishes.next_due(tx)
    if first is None or first > now:
        return Shopped()
    with store.write() as tx:
        claimed = wishes.claim(tx, shops, now, now + LEASE, CALLS)
    if not claimed:
        return Shopped()

    def answer(one: tuple[wishes.Wish, str]) -> str | Unavailable:
        wish, email = one
        wanted = {"pool": wish.pool, "product": wish.product, "email": email}
        try:
            code = ask(shops[wish.pool], wish.id, wanted, wish.since, now)
        except Unavailable as error:
            return error
        wrong = codes.complaint(code)
        return Unavailable(f"answered what cannot be a code: {wrong}") if wrong else code

    with ThreadPoolExecutor(CALLS) as calls:
        answers = list(calls.map(answer, claimed))
    given = 0
    with store.write() as tx:
        for (wish, _), said in zip(claimed, answers, strict=True):
            if isinstance(said, str) and wishes.grant(tx, wish, said, now):
                given += 1
                continue
            error = said if isinstance(said, Unavailable) else Unavailable("gave a code that somebody has already")
            wishes.fail(tx, wish, str(error), now + _pause(wish.tries, error))
            if wish.error != str(error):
                log.error("a mail waits for a code of %s: the shop %s", wish.pool, error, extra={"pool": wish.pool})
    return Shopped(len(claimed), given, more=len(claimed) == CALLS)


def _pause(tries: int, error: Unavailable) -> timedelta:
    if error.retry_after is not None:
        return max(timedelta(seconds=error.retry_after), timedelta(seconds=1))
    return min(FIRST_PAUSE * (1 << min(tries, 10)), LONGEST_PAUSE)
