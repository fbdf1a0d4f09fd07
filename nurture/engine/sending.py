"""Letting mail go: claimed, written, frozen, on record as `sending`, and only then handed to the provider.

One thread turns (`Sender.turn`): it commits what came back together with what goes next, so that a mail costs a
fraction of a commit; a number of sender threads, each with one connection of its own, do nothing but the request. An
attempt that was on record and has no answer is never repeated blindly (see `settling`).
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from queue import Empty, SimpleQueue
from secrets import token_hex
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING

from nurture.engine.deploy import deciding
from nurture.engine.moving import Reached, carry
from nurture.errors import NurtureError, Rejected, Unavailable, Uncertain
from nurture.journey import timing
from nurture.journey.advance import until_of
from nurture.journey.events import Event, Kind
from nurture.journey.ledger import State
from nurture.mail.message import Message, thaw
from nurture.store import attempts, enrollments, messages, pauses, people

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.mail.links import Links
    from nurture.providers.base import Account, Provider
    from nurture.store.database import Store

log = logging.getLogger("nurture.sending")

GATE_CLOSED = timedelta(minutes=5)
"""How long a provider is left alone after it refused us rather than a message (a wrong key, a redirect)."""

LONGEST_BACKOFF = timedelta(hours=1)

AHEAD = 0.1
"""How many seconds of work lie before the senders, on record as `sending`. A statement costs as much for fifty mails
as for five, so turns are larger where a provider is quick; where it is slow, little is left undecided by a crash."""

LATE = "the provider is slow: this mail waited too long for a free sender, and has not left"

DEEPEST = 4
"""Mails before one sender at most, however quick the provider is."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to."""

    id: str
    token: int
    state: State
    reason: str = ""
    provider_id: str = ""
    attempt: int = 0
    retry_after: float | None = None
    gate: bool = False
    took: float | None = None


@dataclass(frozen=True, slots=True)
class Turned:
    """What one turn did, and what is still on its way."""

    begun: int = 0
    sent: int = 0
    failed: int = 0
    unknown: int = 0
    postponed: int = 0
    in_flight: int = 0
    ready: int = 0

    @property
    def idle(self) -> bool:
        return not (self.begun or self.in_flight or self.ready or self.sent or self.postponed or self.failed)


@dataclass(frozen=True, slots=True)
class Ready:
    """A claimed message that is written and waits for a free sender."""

    claimed: attempts.Claimed
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


@dataclass(slots=True)
class Gate:
    """How fast, and whether at all, mail may leave. Times are the engine's `now`, UTC."""

    rate: float | None
    closed_until: datetime | None = None
    reason: str = ""
    _credit: float = field(default=1.0)
    _at: datetime | None = None

    def shut(self, now: datetime) -> bool:
        return self.closed_until is not None and now < self.closed_until

    def allows(self, wanted: int, now: datetime) -> int:
        """How many mails may leave now; takes that many from the credit of one second at most."""
        if self.shut(now):
            return 0
        if self.rate is None:
            return wanted
        passed = 0.0 if self._at is None else max(0.0, (now - self._at).total_seconds())
        self._at = now
        self._credit = min(max(self.rate, 1.0), self._credit + passed * self.rate)
        allowed = min(wanted, int(self._credit))
        self._credit -= allowed
        return allowed

    def close(self, until: datetime, reason: str) -> None:
        if self.closed_until is None or until > self.closed_until:
            self.closed_until, self.reason = until, reason


class Sender:
    """Owns the sender threads of one process. `turn` is a pass; the loop around it is someone else's."""

    def __init__(self, store: Store, provider: Provider, account: Account, links: Links, *, senders: int = 20) -> None:
        self._store = store
        self._provider = provider
        self._links = links
        self._owner = token_hex(8)
        self.gate = _gate(store, provider.name, account.rate)
        self._ready: deque[Ready] = deque()
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._back: SimpleQueue[Outcome] = SimpleQueue()
        self._in_flight: dict[str, int] = {}
        self._senders = senders
        self._pace = AHEAD / 2
        self._version: int | None = None
        self._threads = [
            Thread(target=self._hand_over, args=(account,), name=f"sender-{n}", daemon=True) for n in range(senders)
        ]
        for thread in self._threads:
            thread.start()

    def turn(self, deployed: Deployed, now: datetime, *, stopping: bool = False) -> Turned:
        """Commit what came back and what goes next, hand that over, and write the mails after it."""
        self._follow_version(deployed, now)
        outcomes = self._come_back()
        depth = self._senders * max(1, min(DEEPEST, round(AHEAD / self._pace)))
        free = max(0, depth - len(self._in_flight))
        wanted = 0 if stopping else self.gate.allows(min(free, len(self._ready)), now)
        begins = [self._ready.popleft() for _ in range(wanted)]
        room = 0 if stopping or self.gate.shut(now) else depth * 2 - len(self._ready)
        room = room if room > depth // 2 else 0  # a claim costs the same for few
        if not self._anything(outcomes, begins, room, now, stopping=stopping):
            return Turned(in_flight=len(self._in_flight), ready=len(self._ready))
        try:
            with deciding(self._store, deployed) as tx:
                counts = self._finish(tx, deployed, outcomes, now)
                begun = self._begin(tx, deployed, begins, now)
                claimed = self._claim(tx, deployed, room, now) if room else []
                if stopping and self._ready:
                    self._put_back(tx, now, "the engine stopped")
        except NurtureError:
            self._take_back(outcomes, begins)
            raise
        start_by = monotonic() + deployed.rules.timeout.total_seconds() / 4
        for ready in begins:
            if ready.claimed.id in begun:
                self._in_flight[ready.claimed.id] = ready.claimed.token
                self._work.put(Work(ready, ready.claimed.attempt + 1, start_by))
        faults = self._write_mails(deployed, claimed, now)
        if faults:
            with deciding(self._store, deployed) as tx:
                counts += self._spoil(tx, deployed, faults, now)
        return Turned(
            begun=len(begun), sent=counts[State.SENT], failed=counts[State.FAILED], unknown=counts[State.UNKNOWN],
            postponed=counts[State.PLANNED], in_flight=len(self._in_flight), ready=len(self._ready),
        )  # fmt: skip

    def wait(self, seconds: float) -> None:
        """Wait until a good number of answers has come back, or this long."""
        enough = max(1, len(self._in_flight) // 2)
        until = monotonic() + seconds
        gathered: list[Outcome] = []
        while len(gathered) < enough and (left := until - monotonic()) > 0:
            try:
                gathered.append(self._back.get(timeout=left))
            except Empty:
                break
        for outcome in gathered:
            self._back.put(outcome)

    def close(self) -> None:
        """Stop the threads; what they are at has been waited for by the caller."""
        for _ in self._threads:
            self._work.put(None)

    # --- one turn, piece by piece

    def _come_back(self) -> list[Outcome]:
        outcomes = []
        while True:
            try:
                outcomes.append(self._back.get_nowait())
            except Empty:
                break
        for outcome in outcomes:
            self._in_flight.pop(outcome.id, None)
            if outcome.took is not None:
                self._pace += (max(outcome.took, 0.001) - self._pace) / 20
        return outcomes

    def _take_back(self, outcomes: list[Outcome], begins: list[Ready]) -> None:
        """What was not committed is still to be done: answers are not lost, mails keep their turn."""
        for outcome in outcomes:
            self._in_flight[outcome.id] = outcome.token
            self._back.put(outcome)
        self._ready.extendleft(reversed(begins))

    def _follow_version(self, deployed: Deployed, now: datetime) -> None:
        """Mails that were written with another version and have not left are written again with this one."""
        if self._version not in (None, deployed.id) and self._ready:
            with deciding(self._store, deployed) as tx:
                self._put_back(tx, now, "another version was deployed")
        self._version = deployed.id

    def _anything(
        self, outcomes: list[Outcome], begins: list[Ready], room: int, now: datetime, *, stopping: bool
    ) -> bool:
        if outcomes or begins or (stopping and self._ready):
            return True
        if not room:
            return False
        with self._store.read() as tx:
            first = messages.next_due(tx)
        return first is not None and first <= now

    def _claim(self, tx: Connection, deployed: Deployed, room: int, now: datetime) -> list[attempts.Claimed]:
        held = pauses.paused(tx)
        if "" in held:
            return []
        return attempts.claim(tx, now, lease=deployed.rules.lease, owner=self._owner, limit=room, paused=held)

    def _begin(self, tx: Connection, deployed: Deployed, begins: list[Ready], now: datetime) -> set[str]:
        if not begins:
            return set()
        deadline = now + deployed.rules.timeout * 1.25
        return attempts.begin(
            tx,
            [
                attempts.Begin(
                    ready.claimed.id, ready.claimed.token, ready.frozen, self._provider.name, ready.message.key,
                    ready.message.subject, ready.target,
                )
                for ready in begins
            ],
            now,
            deadline,
        )  # fmt: skip

    def _put_back(self, tx: Connection, now: datetime, why: str) -> None:
        """What was claimed and will not be sent as it is written goes back, to be claimed anew."""
        rows = [(ready.claimed.id, ready.claimed.token, now, why) for ready in self._ready]
        attempts.postpone(tx, rows)
        self._ready.clear()

    def _write_mails(
        self, deployed: Deployed, claimed: list[attempts.Claimed], now: datetime
    ) -> list[tuple[attempts.Claimed, State, str]]:
        faults = []
        for one in claimed:
            try:
                if _too_late(deployed, one, now):
                    faults.append((one, State.CANCELLED, "its time was over before it could leave"))
                    continue
                self._ready.append(self._written(deployed, one))
            except NurtureError as error:
                faults.append((one, State.FAILED, str(error)))
        return faults

    def _written(self, deployed: Deployed, claimed: attempts.Claimed) -> Ready:
        """The mail, written once: a later attempt posts the bytes that were frozen before the first."""
        if claimed.frozen is not None:
            return Ready(claimed, thaw(claimed.frozen), None, claimed.target)
        written = deployed.writers[claimed.sequence].write(
            claimed.step,
            enrollment=claimed.enrollment,
            subscriber=claimed.subscriber,
            links=self._links,
            letterhead=deployed.rules.letterhead,
            message_id=claimed.id,
            key=idempotency_key(claimed.id),
            offers=claimed.offers,
        )
        return Ready(claimed, written.message, written.message.freeze(), written.target)

    def _spoil(
        self, tx: Connection, deployed: Deployed, faults: list[tuple[attempts.Claimed, State, str]], now: datetime
    ) -> Counter[State]:
        """Mails that cannot be written, or whose time is over: they alone stop, their people go on."""
        spoilt = attempts.spoil(tx, [(one.id, one.token, state, reason) for one, state, reason in faults])
        steps = {one.enrollment.id: one.step for one, _, _ in faults if one.id in spoilt}
        _tell(tx, deployed, {number: (Kind.MISSED, now, step) for number, step in steps.items()}, now)
        return Counter(state for one, state, _ in faults if one.id in spoilt)

    def _finish(self, tx: Connection, deployed: Deployed, outcomes: list[Outcome], now: datetime) -> Counter[State]:
        if not outcomes:
            return Counter()
        for outcome in outcomes:
            if outcome.gate or outcome.retry_after is not None:
                wait = GATE_CLOSED if outcome.gate else timedelta(seconds=outcome.retry_after or 0)
                self.gate.close(now + wait, outcome.reason)
                log.warning("%s is left alone for %s: %s", self._provider.name, wait, outcome.reason)
        changed = attempts.finish(
            tx,
            [
                attempts.Outcome(
                    o.id, o.token, o.state, now, o.provider_id, o.reason, _next_attempt(o, now)
                )
                for o in outcomes
            ],
        )  # fmt: skip
        people.mailed(tx, {row.subscriber: now for row in changed if row.state is State.SENT})
        kinds = {State.SENT: Kind.SENT, State.FAILED: Kind.MISSED}
        told = {row.enrollment: (kinds[row.state], now, row.step) for row in changed if row.state in kinds}
        _tell(tx, deployed, told, now)
        return Counter(outcome.state for outcome in outcomes)

    # --- in the sender threads

    def _hand_over(self, account: Account) -> None:
        send = self._provider.connect(account)
        while (work := self._work.get()) is not None:
            began = monotonic()
            if began > work.start_by:
                self._back.put(
                    Outcome(work.ready.claimed.id, work.ready.claimed.token, State.PLANNED, LATE, attempt=work.attempt)
                )
                continue
            outcome = _attempt(send, work.ready, work.attempt)
            self._back.put(replace(outcome, took=monotonic() - began))


def _gate(store: Store, provider: str, rate: float | None) -> Gate:
    """On SQLite one engine works, so its own memory will do."""
    if store.dialect == "sqlite":
        return Gate(rate)
    from nurture.engine.shared_gate import SharedGate

    return SharedGate(store, provider, rate)


def _attempt(send: object, ready: Ready, attempt: int) -> Outcome:
    number, token = ready.claimed.id, ready.claimed.token
    try:
        provider_id = send(ready.message)  # type: ignore[operator]
    except Rejected as error:
        return Outcome(number, token, State.FAILED, str(error), attempt=attempt)
    except Unavailable as error:
        return Outcome(
            number, token, State.PLANNED, str(error), attempt=attempt, retry_after=error.retry_after, gate=error.gate
        )
    except Uncertain as error:
        return Outcome(number, token, State.UNKNOWN, str(error), attempt=attempt)
    except Exception as error:
        # a fault of ours after the request may have left: the mail must be visible, not the thread dead
        log.exception("a sender met a fault of its own")
        return Outcome(number, token, State.UNKNOWN, f"{type(error).__name__}: {error}", attempt=attempt)
    return Outcome(number, token, State.SENT, provider_id=provider_id, attempt=attempt)


def idempotency_key(message: str) -> str:
    """What a provider knows this message by, over all retries; a deliberate second copy would need another."""
    return "m1-" + blake2b(message.encode(), digest_size=16).hexdigest()


def _next_attempt(outcome: Outcome, now: datetime) -> datetime | None:
    if outcome.state is not State.PLANNED:
        return None
    backoff = min(timedelta(seconds=2 ** min(outcome.attempt, 12)), LONGEST_BACKOFF)
    asked = timedelta(seconds=outcome.retry_after or 0)
    return now + max(backoff, asked)


def _too_late(deployed: Deployed, claimed: attempts.Claimed, now: datetime) -> bool:
    sequence = deployed.sequences.get(claimed.sequence)
    if sequence is None or claimed.step not in sequence.steps:
        return True
    limit = until_of(sequence, claimed.step, claimed.enrollment, deployed.rules.facts(claimed.subscriber), now)
    return isinstance(limit, timing.When) and limit.over(now)


def _tell(tx: Connection, deployed: Deployed, told: Mapping[int, tuple[Kind, datetime, str]], now: datetime) -> None:
    if not told:
        return
    reached: list[Reached] = []
    for place, person in enrollments.by_ids(tx, sorted(told), lock=True):
        kind, at, step = told[place.id]
        reached.append((place, person, Event(kind, at, step=step)))
    carry(tx, deployed, reached, now)
