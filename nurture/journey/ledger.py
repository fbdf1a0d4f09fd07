"""The life of a message: its states, and which state a report leads to. Evidence only moves a message forward.

planned → claimed (lease, token) → sending → sent → delivered | bounced | complained
              ↑ refused, retryable ← ┤        failed (refused for good)   cancelled (before any attempt)
                                     └→ unknown → (evidence) sent | (policy) abandoned or sent again
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType

from nurture.journey.events import Kind


class State(StrEnum):
    PLANNED = "planned"
    CLAIMED = "claimed"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    ABANDONED = "abandoned"


NOT_LEFT = frozenset({State.PLANNED, State.CLAIMED})
"""States in which a mail may still be cancelled: no attempt can have reached the provider."""

LEFT = frozenset({State.SENT, State.DELIVERED, State.BOUNCED, State.COMPLAINED})
"""States that say the provider has the mail."""

RANK = MappingProxyType(
    {
        State.PLANNED: 0,
        State.CLAIMED: 1,
        State.CANCELLED: 1,
        State.SENDING: 2,
        State.FAILED: 3,
        State.ABANDONED: 3,
        State.UNKNOWN: 3,
        State.SENT: 4,
        State.DELIVERED: 5,
        State.BOUNCED: 6,
        State.COMPLAINED: 7,
    }
)

_PROVES = MappingProxyType(
    {
        Kind.SENT: State.SENT,
        Kind.DEFERRED: State.SENT,
        Kind.OPENED: State.SENT,
        Kind.CLICKED: State.SENT,
        Kind.ANSWERED: State.SENT,
        Kind.UNSUBSCRIBED: State.SENT,
        Kind.SOFT_BOUNCED: State.SENT,
        Kind.REJECTED: State.SENT,
        Kind.AUTORESPONDED: State.SENT,
        Kind.REPLIED: State.SENT,
        Kind.DELIVERED: State.DELIVERED,
        Kind.BOUNCED: State.BOUNCED,
        Kind.COMPLAINED: State.COMPLAINED,
    }
)


def after(state: State, kind: Kind) -> State:
    """The state a message is in once this was reported of it: the higher of the two, in any order of reports.

    Any authenticated report that carries our id proves that the provider had the mail, whatever we believed before.
    """
    proven = _PROVES.get(kind)
    return proven if proven is not None and RANK[proven] > RANK[state] else state
