"""What becomes of an attempt of which nobody knows whether the mail went out.

In this order (reliability is bought by evidence, never by guessing): a report that carries our id settles it when it
comes; a provider that honours an idempotency key is asked again with the same bytes and the same key while the key
lives; one that can be searched is searched, and what it has is settled, what it twice does not have where that proves
something is sent again; what has had no evidence for long enough is settled by the project's `delivery` setting.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from nurture.engine.deploy import deciding
from nurture.engine.moving import carry
from nurture.errors import DeliveryError
from nurture.journey.events import Event, Kind
from nurture.journey.ledger import State
from nurture.store import audit, enrollments, evidence, messages, people
from nurture.store.audit import Entry

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.engine.rules import Rules
    from nurture.providers.base import Account, Provider
    from nurture.store.database import Store

log = logging.getLogger("nurture.settling")

BATCH = 500
AGAIN_AFTER = timedelta(seconds=5)
"""How long to leave a provider alone before the same bytes are posted under the same key."""

MOST_ATTEMPTS = 5
"""After so many attempts without evidence even `at_least_once` gives a message up."""

FIRST_LOOK = timedelta(minutes=2)
"""A search shows a mail some time after it was taken; a provider that names no such time is first asked after this."""

BETWEEN_LOOKS = timedelta(minutes=1)
LONGEST_BETWEEN = timedelta(hours=1)
LOOKS_A_PASS = 20
AGREEING = 2
"""Searches in vain, a minute apart, that prove that a mail was not taken; where one proves anything at all."""


@dataclass(frozen=True, slots=True)
class Course:
    """How an unknown message is being settled, and when that goes on; no moment when only a person can."""

    how: Literal["key", "search", "delivery", "hold"]
    at: datetime | None

    @property
    def words(self) -> str:
        return {
            "key": "it is asked for again under its key",
            "search": "the provider is searched for it",
            "delivery": "reports of it are awaited, then the setting `delivery` decides",
            "hold": "it waits until somebody settles it on its page or with `nurture resolve`",
        }[self.how]


@dataclass(frozen=True, slots=True)
class Settled:
    """What one pass did: attempts given up on as stuck, found at the provider, asked again, abandoned."""

    stuck: int = 0
    again: int = 0
    abandoned: int = 0
    found: int = 0


def course(row: messages.Row, provider: Provider | None, rules: Rules, now: datetime) -> Course:
    """What comes next for an unknown message. `provider` is whoever had it, None when it is not configured any more."""
    first = row.first_attempt_at or row.started_at
    started = row.started_at
    if first is None or started is None:
        return Course("hold", None)
    life = provider.abilities.key_life if provider is not None and row.key else None
    if life is not None and now < first + life * 0.9:
        return Course("key", now)
    last = Course("hold", None) if rules.delivery == "hold" else Course("delivery", started + rules.awaiting)
    if provider is None or provider.find is None:
        return last
    look = _next_look(row, started, provider.abilities.found_after)
    return Course("search", look) if last.at is None or look < last.at else last


def _next_look(row: messages.Row, started: datetime, found_after: timedelta | None) -> datetime:
    if row.looked_at is None or row.looked_at < started:
        return started + (FIRST_LOOK if found_after is None else found_after)
    doubled: int = 1 << min(max(row.looks - AGREEING, 0), 6)
    return row.looked_at + min(BETWEEN_LOOKS * doubled, LONGEST_BETWEEN)


def settle(
    store: Store, deployed: Deployed, provider: Provider, now: datetime, *, account: Account | None = None,
    others: Sequence[tuple[Provider, Account]] = (),
) -> Settled:  # fmt: skip
    """One pass over attempts that are overdue or unknown. Without an account nobody is searched."""
    with store.read() as tx:
        if not evidence.any_unsettled(tx, now):
            return Settled()
    known = {provider.name: provider, **{one.name: one for one, _ in others}}
    with deciding(store, deployed) as tx:
        stuck = evidence.stuck(tx, now)
        unknown = evidence.unknown(tx, BATCH)
        again, abandoned, to_search = [], [], []
        for row in unknown:
            next_one = course(row, known.get(row.provider), deployed.rules, now)
            over = now >= (row.started_at or row.first_attempt_at or now) + deployed.rules.awaiting
            if next_one.how == "key":
                again.append((row.id, State.PLANNED, "asked again under the same key", now + AGAIN_AFTER))
            elif next_one.how == "search" and next_one.at is not None and next_one.at <= now and not over:
                to_search.append(row)
            elif deployed.rules.delivery != "hold" and over:
                if deployed.rules.delivery == "at_least_once" and row.attempt < MOST_ATTEMPTS:
                    again.append((row.id, State.PLANNED, "sent again: no evidence that it left", now))
                else:
                    abandoned.append(row)
        evidence.settle(tx, again)
        reason = f"no evidence that it left within {deployed.rules.awaiting}"
        evidence.settle(tx, [(row.id, State.ABANDONED, reason, None) for row in abandoned])
        _tell(tx, deployed, {row.enrollment: Event(Kind.MISSED, now, step=row.step) for row in abandoned}, now)
    accounts = {one.name: had for one, had in ((provider, account), *others) if had is not None}
    found = _search(store, deployed, to_search[:LOOKS_A_PASS], known, accounts, now)
    return Settled(len(stuck), len(again), len(abandoned), found)


def _search(
    store: Store, deployed: Deployed, rows: Sequence[messages.Row], known: Mapping[str, Provider],
    accounts: Mapping[str, Account], now: datetime,
) -> int:  # fmt: skip
    """Ask, outside any transaction, then record. A provider that cannot answer is left alone until the next look."""
    hits: dict[str, str] = {}
    vain: list[tuple[str, bool]] = []
    gone: list[tuple[str, str, datetime]] = []
    silent: set[str] = set()
    for row in rows:
        find = known[row.provider].find
        if find is None or row.provider not in accounts or row.provider in silent:
            continue
        proves = known[row.provider].abilities.found_after is not None
        try:
            had = find(row.id, row.first_attempt_at or now, accounts[row.provider])
        except DeliveryError as error:
            log.warning("%s cannot be searched for mail: %s", row.provider, error, extra={"provider": row.provider})
            silent.add(row.provider)
            vain.append((row.id, False))
            continue
        if had:
            hits[row.id] = had
        elif proves and row.absent + 1 >= AGREEING:
            gone.append((row.id, f"{row.provider} does not have it: it was not taken", now))
        else:
            vain.append((row.id, proves))
    if hits or vain or gone:
        with deciding(store, deployed) as tx:
            news = evidence.found(tx, hits)
            evidence.looked(tx, vain, now)
            evidence.not_taken(tx, gone)
            people.mailed(tx, {row.subscriber: row.started_at or now for row in news})
            told = {row.enrollment: Event(Kind.SENT, row.started_at or now, step=row.step) for row in news}
            _tell(tx, deployed, told, now)
    return len(hits)


def _tell(tx: Connection, deployed: Deployed, told: Mapping[int, Event], now: datetime) -> None:
    if told:
        places = enrollments.by_ids(tx, sorted(told), lock=True)
        carry(tx, deployed, [(place, person, told[place.id]) for place, person in places], now)


def resolve(
    store: Store, deployed: Deployed, message: str, verdict: str, now: datetime, *, who: str = "", because: str = ""
) -> bool:  # fmt: skip
    """An operator settles an unknown message: `sent`, `resend` or `drop`. False when it is not unknown.

    Who did so, when and why stays with the message, and in the audit log.
    """
    state = {"sent": State.SENT, "resend": State.PLANNED, "drop": State.ABANDONED}[verdict]
    by = f" by {who}" if who else ""
    reason = f"settled by hand: {verdict},{by} at {now:%Y-%m-%d %H:%M} UTC{because and f', because {because}'}"
    with deciding(store, deployed) as tx:
        row = messages.by_ids(tx, [message]).get(message)
        if row is None or row.state is not State.UNKNOWN:
            return False
        evidence.settle(tx, [(message, state, reason, now if state is State.PLANNED else None)])
        place = {"message_id": message, "sequence": row.sequence, "step": row.step, "provider": row.provider}
        log.info("%s (%s.%s): %s", message, row.sequence, row.step, reason, extra=place)
        audit.record(tx, Entry(now, who or "command line", f"message settled: {verdict}", message, because))
        if state is State.PLANNED:
            return True
        at = row.started_at or now if state is State.SENT else now
        kind = Kind.SENT if state is State.SENT else Kind.MISSED
        _tell(tx, deployed, {row.enrollment: Event(kind, at, step=row.step)}, now)
    return True
