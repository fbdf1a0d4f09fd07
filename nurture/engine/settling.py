"""What becomes of an attempt of which nobody knows whether the mail went out.

In this order (reliability is bought by evidence, never by guessing): a report that carries our id settles it when it
comes; a provider that honours an idempotency key is asked again with the same bytes and the same key while the key
lives; what has had no evidence for long enough is settled by the project's `delivery` setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from nurture.engine.deploy import deciding
from nurture.engine.moving import carry
from nurture.journey.events import Event, Kind
from nurture.journey.ledger import State
from nurture.store import enrollments, evidence, messages

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.engine.deploy import Deployed
    from nurture.providers.base import Provider
    from nurture.store.database import Store

BATCH = 500
AGAIN_AFTER = timedelta(seconds=5)
"""How long to leave a provider alone before the same bytes are posted under the same key."""

MOST_ATTEMPTS = 5
"""After so many attempts without evidence even `at_least_once` gives a message up."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What one pass did: attempts given up on as stuck, asked again, abandoned."""

    stuck: int = 0
    again: int = 0
    abandoned: int = 0


def settle(store: Store, deployed: Deployed, provider: Provider, now: datetime) -> Settled:
    """One pass over attempts that are overdue or unknown."""
    with store.read() as tx:
        if not evidence.any_unsettled(tx, now):
            return Settled()
    with deciding(store, deployed) as tx:
        stuck = evidence.stuck(tx, now)
        again, abandoned = [], []
        for row in evidence.unknown(tx, BATCH):
            first = row.first_attempt_at or now
            life = provider.abilities.key_life if row.provider == provider.name else None
            if life is not None and now < first + life * 0.9:
                again.append((row.id, State.PLANNED, "asked again under the same key", now + AGAIN_AFTER))
            elif deployed.rules.delivery != "hold" and now >= (row.started_at or first) + deployed.rules.awaiting:
                if deployed.rules.delivery == "at_least_once" and row.attempt < MOST_ATTEMPTS:
                    again.append((row.id, State.PLANNED, "sent again: no evidence that it left", now))
                else:
                    abandoned.append(row)
        evidence.settle(tx, again)
        reason = f"no evidence that it left within {deployed.rules.awaiting}"
        evidence.settle(tx, [(row.id, State.ABANDONED, reason, None) for row in abandoned])
        steps = {row.enrollment: row.step for row in abandoned}
        places = enrollments.by_ids(tx, sorted(steps), lock=True)
        missed = [(place, person, Event(Kind.MISSED, now, step=steps[place.id])) for place, person in places]
        carry(tx, deployed, missed, now)
    return Settled(len(stuck), len(again), len(abandoned))


def resolve(store: Store, deployed: Deployed, message: str, verdict: str, now: datetime) -> bool:
    """An operator settles an unknown message: `sent`, `resend` or `drop`. False when it is not unknown."""
    state = {"sent": State.SENT, "resend": State.PLANNED, "drop": State.ABANDONED}[verdict]
    with deciding(store, deployed) as tx:
        row = messages.by_ids(tx, [message]).get(message)
        if row is None or row.state is not State.UNKNOWN:
            return False
        due_at = now if state is State.PLANNED else None
        evidence.settle(tx, [(message, state, f"settled by hand: {verdict}", due_at)])
        if state is State.PLANNED:
            return True
        kind = Kind.SENT if state is State.SENT else Kind.MISSED
        places = enrollments.by_ids(tx, [row.enrollment], lock=True)
        at = row.started_at or now if kind is Kind.SENT else now
        carry(tx, deployed, [(p, s, Event(kind, at, step=row.step)) for p, s in places], now)
    return True
