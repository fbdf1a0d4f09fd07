"""One way out: a provider with its gate, and sender threads that do nothing but hand mails to it.

Each way has threads of its own, so that a provider that stalls holds up nobody else's mail.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parseaddr
from math import ceil
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING

from nurture.engine.gate import GATE_CLOSED, Gate
from nurture.errors import DeliveryError, Rejected, Unavailable, Uncertain
from nurture.journey.ledger import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nurture.engine.returns import Returns
    from nurture.mail.message import Message
    from nurture.providers.base import Account, Provider, Send, SendMany
    from nurture.store.attempts import Claimed

log = logging.getLogger("nurture.sending")

AHEAD = 0.1
"""How many seconds of work lie before the senders, on record as `sending`. A statement costs as much for fifty mails
as for five, so turns are larger where a provider is quick; where it is slow, little is left undecided by a crash."""

LOST = 5
"""So many mails in a row of which nobody knows are the provider's fault; one lost connection is nobody's."""

SHORTEST, LONGEST = timedelta(seconds=5), timedelta(minutes=1)
"""How long it is then left alone: at first, and at most, each time twice as long."""

LATE = "the provider is slow: this mail waited too long for a free sender, and has not left"

DEEPEST = 16
"""Mails before one sender at most, however quick the provider is."""

GRACE = timedelta(minutes=1)
"""A provider that has taken nothing for this long is down; then another may have what it did not take."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to. `refused`: the provider took nothing, and other mail may fare alike.

    `call` is the first mail of a call for many, whose answer is one for all of them. `sender` is whom the mail is from,
    `stranger` whether the provider does not know them.
    """

    id: str
    token: int
    state: State
    reason: str = ""
    provider_id: str = ""
    attempt: int = 0
    retry_after: float | None = None
    gate: bool = False
    refused: bool = False
    took: float | None = None
    way: str = ""
    call: str = ""
    sender: str = ""
    stranger: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """A claimed message that is written and waits for a free sender."""

    claimed: Claimed
    message: Message
    frozen: bytes | None
    target: str


@dataclass(frozen=True, slots=True)
class Work:
    """What a sender thread gets. An attempt takes at most the timeout, and the row's deadline is a quarter more: one
    that begins by `start_by` (monotonic) has ended before anybody takes it for lost.
    """

    ready: Ready
    attempt: int
    start_by: float


class Way:
    """Owns the threads of one provider. Who goes through it is decided by the sender."""

    def __init__(self, provider: Provider, account: Account, gate: Gate, back: Returns, senders: int) -> None:
        self.provider = provider
        self.account = account
        self.gate = gate
        self.batch = provider.abilities.batch if account.batch and provider.connect_many is not None else 1
        self.in_flight: dict[str, int] = {}
        self.full_until: datetime | None = None
        self._failing_since: datetime | None = None
        self._probe_at: datetime | None = None
        self._lost: set[str] = set()
        self._strangers: dict[str, tuple[datetime, str]] = {}
        self._silence = SHORTEST
        self._pace = AHEAD / 2
        self._senders = senders
        self._back = back
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        work = self._hand_over if self.batch == 1 else self._hand_over_many
        self._threads = [
            Thread(target=work, name=f"{provider.name}-{number}", daemon=True) for number in range(senders)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def name(self) -> str:
        return self.provider.name

    @property
    def depth(self) -> int:
        """How many mails may be on their way at a time: where a rate holds them back, about a second's."""
        deepest = DEEPEST if self.gate.rate is None else ceil(self.gate.rate / self._senders)
        return self._senders * max(self.batch, 1, min(DEEPEST, deepest, round(AHEAD / self._pace)))

    def free(self, now: datetime) -> int:
        """How many more it may be handed; one at a time while it is not known whether it takes mail again."""
        most = 1 if self.gate.ajar(now) else self.depth
        return max(0, most - len(self.in_flight))

    def start(self, ready: Ready, start_by: float) -> None:
        self.in_flight[ready.claimed.id] = ready.claimed.token
        self._work.put(Work(ready, ready.claimed.attempt + 1, start_by))

    def renew(self, account: Account) -> bool:
        """Go on with another key; that the one before was refused says nothing of it. False when it is the same."""
        fresh = replace(self.account, key=account.key, url=account.url)
        if fresh == self.account:
            return False
        self.account = fresh
        self._strangers.clear()
        self._well()
        self.gate.open()
        log.info("%s is known by a new key from now on", self.name)
        return True

    def came_back(self, outcome: Outcome, now: datetime) -> None:
        """Learn from an answer how the provider does."""
        self.in_flight.pop(outcome.id, None)
        if outcome.took is not None:
            self._pace += (max(outcome.took, 0.001) - self._pace) / 20
        if outcome.state in (State.SENT, State.FAILED):
            self._well()
            self.gate.taken(now)
            self._strangers.pop(outcome.sender, None)
        elif outcome.state is State.UNKNOWN:
            self._lost.add(outcome.call or outcome.id)
        if outcome.stranger:
            self._meet(outcome, now)
        wait = self._asks_for(outcome, now)
        if outcome.refused or wait is not None:
            self._failing_since = self._failing_since or now
        if wait is not None:
            if not self.gate.shut(now):
                log.warning(
                    "%s is left alone for %s: %s", self.name, wait, outcome.reason, extra={"provider": self.name}
                )
            self.gate.close(now + wait, outcome.reason)

    def _meet(self, outcome: Outcome, now: datetime) -> None:
        if self.refuses(outcome.sender, now) is None:
            log.warning("%s", not_from(self.name, outcome.sender, outcome.reason), extra={"provider": self.name})
        self._strangers[outcome.sender] = (now + GATE_CLOSED, outcome.reason)

    def refuses(self, sender: str, now: datetime) -> tuple[datetime, str] | None:
        """Until when mail from this sender waits whom the provider does not know, and why; None when it may go."""
        known = self._strangers.get(sender)
        return known if known is not None and now < known[0] else None

    def _well(self) -> None:
        self._failing_since = None
        self._lost.clear()
        self._silence = SHORTEST

    def _asks_for(self, outcome: Outcome, now: datetime) -> timedelta | None:
        """How long to leave the provider alone after this answer, None when it is no reason to."""
        if outcome.gate:
            return GATE_CLOSED
        if outcome.retry_after is not None:
            return timedelta(seconds=outcome.retry_after)
        if outcome.state is not State.UNKNOWN or self.gate.shut(now):
            return None
        if len(self._lost) < LOST and not self.gate.ajar(now):
            return None
        wait, self._silence = self._silence, min(self._silence * 2, LONGEST)
        return wait

    def full(self, now: datetime) -> bool:
        """Whether this day's most has left."""
        return self.full_until is not None and now < self.full_until

    def down(self, now: datetime) -> bool:
        return self._failing_since is not None and now - self._failing_since > GRACE

    def counts_as_down(self) -> datetime | None:
        """From when on others take over, unless it takes a mail before; None when it is well."""
        return None if self._failing_since is None else self._failing_since + GRACE + timedelta(seconds=1)

    def may_probe(self, now: datetime) -> bool:
        """Whether a mail may go to a provider that is down, to see whether it is back: one each minute."""
        if self.gate.shut(now) or (self._probe_at is not None and now < self._probe_at):
            return False
        self._probe_at = now + GRACE
        return True

    def close(self) -> None:
        """Stop the threads; what they are at has been waited for by the caller."""
        for _ in self._threads:
            self._work.put(None)

    # --- in the sender threads

    def _hand_over(self) -> None:
        account = self.account
        send = self.provider.connect(account)
        while (work := self._work.get()) is not None:
            if account is not self.account:
                account = self.account
                send = self.provider.connect(account)
            began = monotonic()
            if began > work.start_by:
                self._back.put(self._late(work))
                continue
            outcome = _attempt(send, work)
            self._back.put(replace(outcome, took=monotonic() - began, way=self.name))

    def _hand_over_many(self) -> None:
        assert self.provider.connect_many is not None
        account = self.account
        send_many, send = self.provider.connect_many(account), self.provider.connect(account)
        while (first := self._work.get()) is not None:
            if account is not self.account:
                account = self.account
                send_many, send = self.provider.connect_many(account), self.provider.connect(account)
            works = [first, *self._waiting(self.batch - 1)]
            began = monotonic()
            for work in (work for work in works if began > work.start_by):
                self._back.put(self._late(work))
            works = [work for work in works if began <= work.start_by]
            # what the provider may have already is asked for again under its own key, which a call for many has not
            again = [work for work in works if work.ready.claimed.uncertain]
            fresh = [work for work in works if not work.ready.claimed.uncertain]
            outcomes = [_attempt(send, work) for work in again]
            outcomes += _attempt_many(send_many, send, fresh) if fresh else []
            for outcome in outcomes:
                took = (monotonic() - began) / len(works)
                self._back.put(replace(outcome, took=took, way=self.name, call=works[0].ready.claimed.id))

    def _waiting(self, most: int) -> list[Work]:
        found: list[Work] = []
        while len(found) < most:
            try:
                work = self._work.get_nowait()
            except Empty:
                break
            if work is None:
                self._work.put(None)  # it was meant for this thread or another: both will see it
                break
            found.append(work)
        return found

    def _late(self, work: Work) -> Outcome:
        return replace(_planned(work, LATE), way=self.name)


def left_alone(provider: str, why: str = "") -> str:
    """With which words a mail waits for a provider that is left alone; without a reason, how these begin."""
    return f"{provider} is left alone: {why}"


def not_from(provider: str, sender: str = "", why: str = "") -> str:
    """With which words a mail waits whose sender a provider does not know; without a sender, how these begin."""
    begins = f"{provider} takes no mail from "
    return f"{begins}{parseaddr(sender)[1] or sender}: {why}" if sender else begins


def _planned(work: Work, reason: str) -> Outcome:
    return Outcome(work.ready.claimed.id, work.ready.claimed.token, State.PLANNED, reason, attempt=work.attempt)


def _attempt(send: Send, work: Work) -> Outcome:
    try:
        return _came_to(work, send(work.ready.message))
    except Exception as error:  # noqa: BLE001 - sorted, and told, below
        return _came_to(work, error)


def _attempt_many(send_many: SendMany, send: Send, works: Sequence[Work]) -> list[Outcome]:
    """One call for all. A refusal of the whole may be the fault of one mail, or of its sender, so each is then asked for
    by itself.
    """
    try:
        results = send_many([work.ready.message for work in works])
    except Exception as error:  # noqa: BLE001 - sorted, and told, below
        if not (isinstance(error, Rejected) or (isinstance(error, Unavailable) and error.sender)):
            return [_came_to(work, error) for work in works]
        now = monotonic()
        return [_attempt(send, work) if now <= work.start_by else _planned(work, LATE) for work in works]
    return [_came_to(work, result) for work, result in zip(works, results, strict=True)]


def _came_to(work: Work, result: str | Exception) -> Outcome:
    number, token, attempt = work.ready.claimed.id, work.ready.claimed.token, work.attempt
    sender = work.ready.message.sender
    match result:
        case str():
            return Outcome(number, token, State.SENT, provider_id=result, attempt=attempt, sender=sender)
        case Rejected():
            return Outcome(number, token, State.FAILED, str(result), attempt=attempt)
        case Unavailable():
            return Outcome(
                number, token, State.PLANNED, str(result), attempt=attempt, retry_after=result.retry_after,
                gate=result.gate, refused=not result.sender, sender=sender, stranger=result.sender,
            )  # fmt: skip
        case Uncertain() | DeliveryError():
            return Outcome(number, token, State.UNKNOWN, str(result), attempt=attempt)
    # a fault of ours after the request may have left: the mail must be visible, not the thread dead
    log.error("a sender met a fault of its own", exc_info=result)
    return Outcome(number, token, State.UNKNOWN, f"{type(result).__name__}: {result}", attempt=attempt)
