"""The desk where claimed mails are written, with all that stands beside the person: forms, friends, live counts."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from nurture.engine.filling import half_done
from nurture.engine.inviting import Boards
from nurture.engine.tallying import Tallying
from nurture.engine.way import Ready
from nurture.errors import NurtureError
from nurture.journey import timing
from nurture.journey.ledger import State
from nurture.journey.patience import until_of
from nurture.mail.message import thaw

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nurture.engine.deploy import Deployed
    from nurture.mail.counts import Tallies
    from nurture.mail.links import Links
    from nurture.store.attempts import Claimed
    from nurture.store.database import Store

Spoilt = tuple["Claimed", State, str]
"""A mail that cannot be written or whose time is over, what becomes of it, and why."""


class Desk:
    """Writes mails. It keeps what many of them print: leaderboards, and how many said what."""

    def __init__(self, store: Store, links: Links) -> None:
        self._store = store
        self._links = links
        self._boards = Boards()
        self._tallying = Tallying(store)

    def write(self, deployed: Deployed, claimed: list[Claimed], now: datetime) -> tuple[list[Ready], list[Spoilt]]:
        """The mails that can leave, and those that cannot: one that fails stops no other."""
        ready: list[Ready] = []
        spoilt: list[Spoilt] = []
        done = half_done(self._store, deployed, claimed)
        tallies = self._tallying.at(deployed, now)
        for one in claimed:
            try:
                if _too_late(deployed, one, now):
                    spoilt.append((one, State.CANCELLED, "its time was over before it could leave"))
                else:
                    ready.append(self._written(deployed, one, done, tallies))
            except NurtureError as error:
                spoilt.append((one, State.FAILED, str(error)))
        return ready, spoilt

    def _written(
        self, deployed: Deployed, claimed: Claimed, done: Mapping[tuple[int, str], int], tallies: Tallies
    ) -> Ready:
        """The mail, written once: a later attempt posts the bytes that were frozen before the first."""
        if claimed.frozen is not None:
            return Ready(claimed, thaw(claimed.frozen), None, claimed.target)
        root = deployed.sequences[claimed.sequence].steps[claimed.step].root
        refused = (
            0 if claimed.uncertain else claimed.attempt
        )  # what may have been taken keeps the key it may be known by
        written = deployed.writers[claimed.sequence].write(
            claimed.step,
            enrollment=claimed.enrollment,
            subscriber=claimed.subscriber,
            links=self._links,
            letterhead=deployed.rules.letterhead,
            message_id=claimed.id,
            key=idempotency_key(claimed.id, refused),
            offers=claimed.offers,
            pages_done=done.get((claimed.enrollment.id, root), 0),
            invited=self._boards.shown(self._store, deployed, claimed.sequence, claimed.step, claimed.invited),
            tallies=tallies,
        )
        return Ready(claimed, written.message, written.message.freeze(), written.target)


def idempotency_key(message: str, refused: int = 0) -> str:
    """What a provider knows this message by, over all retries of the same bytes.

    A mail that is written anew after it was `refused` so many times is other bytes, and may find the old key taken.
    """
    name = f"{message}/{refused}" if refused else message
    return "m1-" + blake2b(name.encode(), digest_size=16).hexdigest()


def _too_late(deployed: Deployed, claimed: Claimed, now: datetime) -> bool:
    sequence = deployed.sequences.get(claimed.sequence)
    if sequence is None or claimed.step not in sequence.steps:
        return True
    limit = until_of(sequence, claimed.step, claimed.enrollment, deployed.rules.facts(claimed.subscriber), now)
    return isinstance(limit, timing.When) and limit.over(now)
