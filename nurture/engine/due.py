"""What waits for which piece of work, seen in one look: a few peeks at indexes, however many people wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nurture.engine import signing
from nurture.store import enrollments, events, evidence, friends, hooks, messages, notices, strays, wishes

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.store.database import Store


@dataclass(frozen=True, slots=True)
class Waiting:
    """The earliest moment in each queue, None where it is empty. `stray` reports are to be looked at again, `unsettled`
    attempts wait for evidence, a `notice` is for a listener, a `wish` for a code is for a shop, a `friend` is to be
    counted, and a form nobody confirmed to be forgotten.
    """

    hook: datetime | None
    click: datetime | None
    enrollment: datetime | None
    message: datetime | None
    notice: datetime | None
    wish: datetime | None
    stray: bool
    unsettled: bool
    friend: bool
    forget: datetime | None

    def works(self, now: datetime) -> list[str]:
        """The pieces of work that have something to do now."""
        due = {
            "receive": _over(self.hook, now) or self.stray,
            "tick": _over(self.click, now) or _over(self.enrollment, now) or self.friend or _over(self.forget, now),
            "send": _over(self.message, now),
            "settle": self.unsettled,
            "tell": _over(self.notice, now),
            "shop": _over(self.wish, now),
        }
        return [name for name, has in due.items() if has]


def _over(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now


def look(store: Store, now: datetime) -> Waiting:
    with store.read() as tx:
        return Waiting(
            hooks.oldest(tx), events.peek(tx), enrollments.peek(tx), messages.next_due(tx),
            notices.next_due(tx), wishes.next_due(tx), strays.any_due(tx, now), evidence.any_unsettled(tx, now),
            friends.any_uncounted(tx), signing.forgets_at(tx),
        )  # fmt: skip
