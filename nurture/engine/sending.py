"""Letting mail go: claimed, written, frozen, on record as `sending`, and only then handed to a provider.

One thread turns (`Sender.turn`): it commits what came back together with what goes next, so that a mail costs a
fraction of a commit; the sender threads of each way (see `way`) do nothing but the request. An attempt that was on
record and has no answer is never repeated blindly (see `settling`).
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from secrets import token_hex
from time import monotonic
from typing import TYPE_CHECKING

from nurture.engine.deploy import deciding
from nurture.engine.desk import Desk, Spoilt
from nurture.engine.gate import GATE_CLOSED, Gate
from nurture.engine.moving import Reached, carry
from nurture.engine.one_core import SharedCore
from nurture.engine.returns import Returns
from nurture.engine.settling import protected
from nurture.engine.shared_gate import SharedGate
from nurture.engine.way import Outcome, Ready, Way, left_alone, not_from
from nurture.journey import warmup
from nurture.journey.branching import Case, day_of
from nurture.journey.events import Event, Kind
from nurture.journey.fuses import LAST
from nurture.journey.ledger import State
from nurture.store import allowances, attempts, enrollments, messages, pauses, people, traffic

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.mail.links import Links
    from nurture.providers.base import Account, Provider
    from nurture.store.database import Store

log = logging.getLogger("nurture.sending")

LONGEST_BACKOFF = timedelta(hours=1)


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


class Sender:
    """Owns the ways out of one process. `turn` is a pass; the loop around it is someone else's.

    `others` take over, in this order, what the provider before them provably did not take: mail that it refuses for
    longer than a minute, or that is more than its day's most. A mail that it may have taken stays with it. `one_core`
    keeps the whole process on one core while mail goes out (see `one_core`); for whoever owns the process.
    """

    def __init__(
        self, store: Store, provider: Provider, account: Account, links: Links, *, senders: int = 20,
        others: Sequence[tuple[Provider, Account]] = (), one_core: bool = False,
    ) -> None:  # fmt: skip
        self._store = store
        self._desk = Desk(store, links)
        self._owner = token_hex(8)
        self._ready: deque[Ready] = deque()
        self._back = Returns()
        self._recent: deque[bool] = deque(maxlen=LAST)
        self._renewed: list[str] = []
        self._version: int | None = None
        self._written_now = False
        self._swept: date | None = None
        self.ways = [
            Way(one, known, _gate(store, one.name, known.rate), self._back, senders)
            for one, known in ((provider, account), *others)
        ]
        self._core = SharedCore(wanted=one_core)

    def turn(self, deployed: Deployed, now: datetime, *, stopping: bool = False) -> Turned:
        """Commit what came back and what goes next, hand that over, and write the mails after it."""
        self._follow_version(deployed, now)
        self._written_now = False
        outcomes = self._back.take()
        begins: list[tuple[Way, Ready]] = []
        begun: set[str] = set()
        claimed: list[attempts.Claimed] = []
        try:
            self._learn(outcomes, now)
            unprotected = [] if stopping else self._unprotected(now)
            begins, wait = ([], []) if stopping else self._choose(deployed, now)
            room = 0 if stopping else self._room(now)
            news = begins or wait or unprotected or self._renewed
            if not self._anything(outcomes, news, room, now, stopping=stopping):
                idle = self._turned()
                if idle.idle:
                    self._core.rest()
                return idle
            with deciding(self._store, deployed) as tx:
                counts = self._finish(tx, deployed, outcomes, now)
                attempts.set_aside(tx, unprotected, now)
                attempts.postpone(tx, wait)
                for name in self._renewed:
                    messages.hasten(tx, (left_alone(name), not_from(name)), now)
                if not self._blows(tx, deployed, outcomes, begins, now):
                    begun = self._begin(tx, deployed, begins, now)
                    claimed = self._claim(tx, deployed, room, now) if room else []
                if stopping and self._ready:
                    self._put_back(tx, now, "the engine stopped")
        except BaseException:
            self._take_back(outcomes, begins)
            raise
        self._renewed.clear()
        self._recent.extend(outcome.state in (State.FAILED, State.UNKNOWN) for outcome in outcomes)
        self._core.lead()
        start_by = monotonic() + deployed.rules.timeout.total_seconds() / 4
        for way, ready in begins:
            if ready.claimed.id in begun:
                way.start(ready, start_by)
        written, faults = self._desk.write(deployed, claimed, now)
        self._ready.extend(written)
        self._written_now = bool(written)
        if faults:
            with deciding(self._store, deployed) as tx:
                counts += self._spoil(tx, deployed, faults, now)
        return self._turned(len(begun), counts)

    def wait(self, seconds: float) -> None:
        """Wait until a good number of answers has come back, or this long; not at all when none is to come."""
        if not self._in_flight and (self._written_now or not self._ready):
            return
        # of the way that has least to wait for: one that stalls is not waited for
        enough = max(1, min((len(way.in_flight) for way in self.ways if way.in_flight), default=0) // 2)
        self._back.wait(enough, seconds)

    def renew(self, accounts: Mapping[str, Account]) -> None:
        """Keys as settings name them now. A provider that is not named keeps its own."""
        self._renewed += [way.name for way in self.ways if way.renew(accounts.get(way.name, way.account))]

    def close(self) -> None:
        self._core.rest()
        for way in self.ways:
            way.close()

    # --- one turn, piece by piece

    @property
    def _in_flight(self) -> int:
        return sum(len(way.in_flight) for way in self.ways)

    def _turned(self, begun: int = 0, counts: Mapping[State, int] | None = None) -> Turned:
        found = counts or {}
        return Turned(
            begun=begun, sent=found.get(State.SENT, 0), failed=found.get(State.FAILED, 0),
            unknown=found.get(State.UNKNOWN, 0), postponed=found.get(State.PLANNED, 0), in_flight=self._in_flight,
            ready=len(self._ready),
        )  # fmt: skip

    def _learn(self, outcomes: list[Outcome], now: datetime) -> None:
        known = {way.name: way for way in self.ways}
        for outcome in outcomes:
            known[outcome.way].came_back(outcome, now)

    def _unprotected(self, now: datetime) -> list[tuple[str, int, str]]:
        """What was to be posted again under a key that no longer keeps it from going out twice: taken off the desk."""
        known = {way.name: way.provider for way in self.ways}
        over = {
            one.id: one.token
            for one in (ready.claimed for ready in self._ready)
            if one.uncertain and one.key and not protected(one.first_attempt_at, known.get(one.provider), now)
        }
        if over:
            self._ready = deque(ready for ready in self._ready if ready.claimed.id not in over)
        why = "its key protects it no more, and nobody knows whether it left"
        return [(number, token, why) for number, token in over.items()]

    def _way_for(self, ready: Ready, now: datetime) -> Way:
        """The first provider that is well, unless one may have taken this mail already."""
        if ready.claimed.uncertain:
            for way in self.ways:
                if way.name == ready.claimed.provider:
                    return way
        able = [way for way in self.ways if way.refuses(ready.message.sender, now) is None]
        for way in able:
            if not way.full(now) and (not way.down(now) or way.may_probe(now)):
                return way
        return next(iter(able), self.ways[0])

    def _choose(
        self, deployed: Deployed, now: datetime
    ) -> tuple[list[tuple[Way, Ready]], list[tuple[str, int, datetime, str]]]:
        """What goes now, each by its way; and what goes back, since its way is shut for longer than the claim lives."""
        lines: dict[str, list[tuple[Way, Ready]]] = {way.name: [] for way in self.ways}
        wait = []
        for ready in self._ready:
            way = self._way_for(ready, now)
            if held := self._goes_back(way, ready, deployed.rules.timeout, now):
                wait.append((ready.claimed.id, ready.claimed.token, *held))
            else:
                lines[way.name].append((way, ready))
        begins = []
        for way in self.ways:
            line = lines[way.name]
            if len(self.ways) > 1:  # mail that must stay with a stalled provider must not fill the others' room
                tied = [ready.claimed for _, ready in line if ready.claimed.uncertain][way.depth * 2 :]
                again, why = now + deployed.rules.timeout / 2, f"{way.name} is slow: it waits its turn"
                wait += [(one.id, one.token, again, why) for one in tied]
                later = {one.id for one in tied}
                line = [pair for pair in line if pair[1].claimed.id not in later]
            begins += line[: way.gate.allows(min(way.free(now), len(line)), now)]
        gone = {ready.claimed.id for _, ready in begins} | {number for number, *_ in wait}
        self._ready = deque(ready for ready in self._ready if ready.claimed.id not in gone)
        return begins, wait

    def _goes_back(self, way: Way, ready: Ready, timeout: timedelta, now: datetime) -> tuple[datetime, str] | None:
        """When a mail is to be claimed again whose way is shut for longer than the claim lives, and why."""
        sender = ready.message.sender
        if way.full_until is not None and way.full(now):
            return way.full_until, f"{way.name} has had its most for today (its DAILY and GROWING)"
        if way.gate.closed_until is not None and way.gate.closed_until - now > timeout:
            return self._until_open(way, ready), left_alone(way.name, way.gate.reason)
        if refused := way.refuses(sender, now):
            return refused[0], not_from(way.name, sender, refused[1])
        return None

    def _until_open(self, way: Way, ready: Ready) -> datetime:
        """When a shut way opens, or another may have this mail."""
        opens = way.gate.closed_until
        assert opens is not None
        others = way.counts_as_down() if len(self.ways) > 1 and not ready.claimed.uncertain else None
        return opens if others is None else min(opens, others)

    def _taken_over_at(self, outcome: Outcome, now: datetime) -> datetime | None:
        """When another may have this mail; None when nobody will."""
        if outcome.stranger:
            others = [way for way in self.ways if way.refuses(outcome.sender, now) is None]
            return now if others else None
        if len(self.ways) == 1 or not outcome.refused:
            return None
        return next(way.counts_as_down() for way in self.ways if way.name == outcome.way)

    def _room(self, now: datetime) -> int:
        """How many more to claim: none while no way is open, and never few, since a claim costs the same for many."""
        open_ways = [way for way in self.ways if not way.full(now) and not way.gate.shut(now)]
        depth = max((way.depth for way in open_ways), default=0)
        room = depth * 2 - sum(1 for ready in self._ready if not ready.claimed.uncertain)
        return room if depth and room > depth // 2 else 0

    def _take_back(self, outcomes: list[Outcome], begins: list[tuple[Way, Ready]]) -> None:
        """What was not committed is still to be done: answers are not lost, mails keep their turn."""
        known = {way.name: way for way in self.ways}
        for outcome in outcomes:
            known[outcome.way].in_flight[outcome.id] = outcome.token
            self._back.put(outcome)
        kept = {ready.claimed.id for ready in self._ready}
        self._ready.extendleft(ready for _, ready in reversed(begins) if ready.claimed.id not in kept)

    def _follow_version(self, deployed: Deployed, now: datetime) -> None:
        """Mails that were written with another version and have not left are written again with this one."""
        if self._version not in (None, deployed.id) and self._ready:
            with deciding(self._store, deployed) as tx:
                self._put_back(tx, now, "another version was deployed")
        self._version = deployed.id

    def _anything(
        self, outcomes: list[Outcome], begins: Sequence[object], room: int, now: datetime, *, stopping: bool
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
        if pauses.EVERYTHING & set(held):
            return []
        return attempts.claim(tx, now, lease=deployed.rules.lease, owner=self._owner, limit=room, paused=held)

    def _blows(
        self, tx: Connection, deployed: Deployed, outcomes: list[Outcome], begins: list[tuple[Way, Ready]],
        now: datetime,
    ) -> bool:  # fmt: skip
        """Whether the rate fuse blows: then all mail is held, and what was to begin goes back."""
        fuse = deployed.rules.fuse
        wrong = [outcome.state in (State.FAILED, State.UNKNOWN) for outcome in outcomes]
        why = fuse.overheated([*self._recent, *wrong][-LAST:]) if wrong else ""
        for way in self.ways if fuse.hourly is not None and not why else ():
            wanted = sum(1 for one, _ in begins if one is way)
            if wanted:
                why = why or fuse.overloaded(traffic.today(tx, way.name, now, lock=True).hour, wanted)
        if not why:
            return False
        for way in self.ways:
            traffic.forgive(tx, way.name, now)
        self._recent.clear()
        reason = f"a fuse has blown: {why}; look at `nurture messages`, then `nurture resume`"
        if pauses.pause(tx, pauses.ALL, reason, now):
            log.error("all mail is held: %s", reason)
        self._ready.extendleft(ready for _, ready in reversed(begins))
        self._put_back(tx, now, "a fuse had blown before it could leave")
        return True

    def _begin(
        self, tx: Connection, deployed: Deployed, begins: list[tuple[Way, Ready]], now: datetime
    ) -> set[str]:  # fmt: skip
        if not begins:
            return set()
        if self._swept != now.date():
            allowances.forget(tx, (now.date() - timedelta(days=2)).isoformat())
            self._swept = now.date()
        within = self._within_the_day(tx, begins, now)
        deadline = now + deployed.rules.timeout * 1.25
        begun = attempts.begin(
            tx, [self._record(deployed, way, ready, now) for way, ready in within], now, deadline,
            budget=deployed.rules.budget,
        )  # fmt: skip
        through = Counter(way.name for way, ready in within if ready.claimed.id in begun)
        for name, number in sorted(through.items()):
            traffic.count(tx, name, number, now)
        return begun

    def _record(self, deployed: Deployed, way: Way, ready: Ready, now: datetime) -> attempts.Begin:
        claimed = ready.claimed
        sequence = deployed.sequences[claimed.sequence]
        case = Case(sequence, deployed.rules.facts(claimed.subscriber), now)
        day, tomorrow = day_of(case, claimed.enrollment, sequence.steps[claimed.step])
        # a call for many has no key for each, so an uncertain one must not be asked again as if it had
        fresh = ready.message.key if way.batch == 1 else ""
        key = claimed.key if claimed.uncertain else fresh
        return attempts.Begin(
            claimed.id, claimed.token, ready.frozen, way.name, key, ready.message.subject, ready.target, day, tomorrow
        )

    def _within_the_day(
        self, tx: Connection, begins: list[tuple[Way, Ready]], now: datetime
    ) -> list[tuple[Way, Ready]]:  # fmt: skip
        """What a provider's daily most still allows, counted in the database over all processes."""
        within = []
        for way in self.ways:
            wanted = [(one, ready) for one, ready in begins if one is way]
            account = way.account
            if wanted and account.daily is not None:
                known = traffic.today(tx, way.name, now, lock=True)
                left = warmup.most_today(account.daily, account.growing, known.first, now) - known.begun
                if left < len(wanted):
                    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
                    way.full_until = midnight
                    had = known.begun + max(left, 0)
                    log.warning("%s has had its most for today (%d)", way.name, had, extra={"provider": way.name})
                    self._ready.extendleft(ready for _, ready in reversed(wanted[max(left, 0) :]))
                    wanted = wanted[: max(left, 0)]
            within += wanted
        return within

    def _put_back(self, tx: Connection, now: datetime, why: str) -> None:
        """What was claimed and will not be sent as it is written goes back, to be claimed anew."""
        rows = [(ready.claimed.id, ready.claimed.token, now, why) for ready in self._ready]
        attempts.postpone(tx, rows)
        self._ready.clear()

    def _spoil(self, tx: Connection, deployed: Deployed, faults: list[Spoilt], now: datetime) -> Counter[State]:
        """Mails that cannot be written, or whose time is over: they alone stop, their people go on."""
        spoilt = attempts.spoil(tx, [(one.id, one.token, state, reason) for one, state, reason in faults])
        steps = {one.enrollment.id: one.step for one, _, _ in faults if one.id in spoilt}
        _tell(tx, deployed, {number: (Kind.MISSED, now, step) for number, step in steps.items()}, now)
        return Counter(state for one, state, _ in faults if one.id in spoilt)

    def _finished(self, outcome: Outcome, now: datetime) -> attempts.Outcome:
        reason = left_alone(outcome.way, outcome.reason) if outcome.gate else outcome.reason
        reason = not_from(outcome.way, outcome.sender, outcome.reason) if outcome.stranger else reason
        again = _next_attempt(outcome, now, self._taken_over_at(outcome, now))
        return attempts.Outcome(
            outcome.id, outcome.token, outcome.state, now, outcome.provider_id, reason, again, afresh=outcome.stranger
        )

    def _finish(self, tx: Connection, deployed: Deployed, outcomes: list[Outcome], now: datetime) -> Counter[State]:
        if not outcomes:
            return Counter()
        changed = attempts.finish(tx, [self._finished(outcome, now) for outcome in outcomes])
        people.mailed(tx, {row.subscriber: now for row in changed if row.state is State.SENT})
        kinds = {State.SENT: Kind.SENT, State.FAILED: Kind.MISSED}
        told = {row.enrollment: (kinds[row.state], now, row.step) for row in changed if row.state in kinds}
        _tell(tx, deployed, told, now)
        return Counter(outcome.state for outcome in outcomes)


def _gate(store: Store, provider: str, rate: float | None) -> Gate:
    """On SQLite one engine works, so its own memory will do."""
    return Gate(rate) if store.dialect == "sqlite" else SharedGate(store, provider, rate)


def _next_attempt(outcome: Outcome, now: datetime, taken_over_at: datetime | None) -> datetime | None:
    if outcome.state is not State.PLANNED:
        return None
    backoff = min(timedelta(seconds=2 ** min(outcome.attempt, 12)), LONGEST_BACKOFF)
    asked = GATE_CLOSED if outcome.stranger else timedelta(seconds=outcome.retry_after or 0)
    alone = now + max(backoff, asked)
    return alone if taken_over_at is None else min(alone, max(taken_over_at, now + timedelta(seconds=2)))


def _tell(tx: Connection, deployed: Deployed, told: Mapping[int, tuple[Kind, datetime, str]], now: datetime) -> None:
    if not told:
        return
    reached: list[Reached] = []
    for place, person in enrollments.by_ids(tx, sorted(told), lock=True):
        kind, at, step = told[place.id]
        reached.append((place, person, Event(kind, at, step=step)))
    carry(tx, deployed, reached, now)
