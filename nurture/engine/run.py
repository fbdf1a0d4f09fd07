"""One process of the engine: what it holds, what it does again and again, and how it stops.

Stopping is orderly: no new mail is begun, what is in flight finishes or becomes visible as unknown, and the process
is gone within thirty seconds. A second signal leaves at once; even then nothing is sent twice.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event as Flag
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.engine import guard
from nurture.engine.clock import Clock, Work
from nurture.engine.deploy import afresh
from nurture.engine.outliving import drop_words
from nurture.engine.receive import receive
from nurture.engine.sending import Sender
from nurture.engine.settling import settle
from nurture.engine.shopping import shop
from nurture.engine.telling import Teller
from nurture.engine.tick import tick
from nurture.errors import Outdated
from nurture.store import evidence
from nurture.store.migrations import HEAD

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from nurture.engine.deploy import Current
    from nurture.mail.links import Links
    from nurture.providers.base import Account, Provider
    from nurture.store.database import Store

log = logging.getLogger("nurture.run")

DRAIN = timedelta(seconds=25)
"""How long mail in flight may take to come back after the signal to stop."""

NOTHING: Mapping[str, Work] = MappingProxyType({})


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything one process works with. `now` gives the time; the demo hands in a faster one.

    `note` is where it is noted outside the database when an engine started on it; None where nobody can restore it.
    """

    store: Store
    current: Current
    links: Links
    provider: Provider
    account: Account
    every: timedelta = timedelta(seconds=1)
    senders: int = 20
    one_core: bool = False
    now: Callable[[], datetime] = utc_now
    stop: Flag = field(default_factory=Flag)
    note: Path | None = None
    others: tuple[tuple[Provider, Account], ...] = ()
    accounts: Mapping[str, Account] = field(default_factory=dict)
    """By provider, as settings name them now: a key may be replaced while the engine runs."""
    ended_by: list[str] = field(default_factory=list)
    """Why the engine stopped by itself; empty when it was asked to."""


def settle_in() -> None:
    """Leave what is loaded by now out of garbage collections: a program that runs for days has no use for looking at
    its own modules again with every few hundred decisions, which took an eighth of their time. For whoever owns the process.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def working(engine: Engine) -> Iterator[Mapping[str, Work]]:
    """The engine's pieces of work by name; at the end, what is in flight has come back."""
    sender = Sender(
        engine.store, engine.provider, engine.account, engine.links, senders=engine.senders,
        others=engine.others, one_core=engine.one_core,
    )  # fmt: skip
    teller = Teller(engine.store)
    try:
        works: Mapping[str, Work] = {
            "receive": lambda: _again(lambda: _receive(engine)),
            "tick": lambda: _again(lambda: _tick(engine)),
            "send": lambda: _again(lambda: _send(engine, sender)),
            "settle": lambda: _again(lambda: _settle(engine)),
            "tell": lambda: _tell(engine, teller),
            "shop": lambda: _shop(engine),
        }
        yield {name: partial(_unless_outdated, engine, work) for name, work in works.items()}
    finally:
        _drain(engine, sender)


@contextmanager
def running(engine: Engine, more: Mapping[str, Work] = NOTHING) -> Iterator[Clock]:
    """The engine at work in the background of this process, until the block ends; `more` is woken beside it."""
    recover(engine)
    with ExitStack() as stack:
        works = stack.enter_context(working(engine))
        clock = Clock({name: (work, engine.every) for name, work in {**works, **more}.items()})
        clock.start()
        try:
            yield clock
        finally:
            engine.stop.set()
            clock.stop()


def recover(engine: Engine) -> None:
    """After a crash on SQLite no other engine can be at work, so every lease is void and every attempt is undecided.

    On PostgreSQL others may be working: leases and deadlines run out by themselves.
    """
    if engine.note is not None:
        guard.started(engine.store, engine.note, engine.now())
    if engine.store.dialect == "sqlite":
        with engine.store.write() as tx:
            evidence.orphan(tx, engine.now())


def _again(work: Work) -> None:
    """A pass that another version overtook kept nothing, so it begins again with that one."""
    try:
        work()
    except Outdated:
        work()


def stop_when_outdated(engine: Engine) -> bool:
    """Whether the tables are newer than this program; then it stops in order: what it knows of them may be wrong."""
    newer = engine.store.newer()
    if newer is None:
        return False
    if not engine.ended_by:
        engine.ended_by.append(
            f"the database is of a newer version ({newer}) than this program ({HEAD}), which has stopped; "
            "start the newer program here"
        )
    engine.stop.set()
    return True


def _unless_outdated(engine: Engine, work: Work) -> None:
    if not stop_when_outdated(engine):
        work()


def _receive(engine: Engine) -> None:
    deployed = engine.current()
    while receive(engine.store, deployed, engine.links, engine.now()).more and not engine.stop.is_set():
        pass


def _tick(engine: Engine) -> None:
    deployed = engine.current()
    while tick(engine.store, deployed, engine.now()).more and not engine.stop.is_set():
        pass
    while drop_words(engine.store, deployed.rules, engine.now()) and not engine.stop.is_set():
        pass


def _send(engine: Engine, sender: Sender) -> None:
    deployed = engine.current()
    done: Counter[str] = Counter()
    while not engine.stop.is_set():
        sender.renew(engine.accounts)
        turned = sender.turn(deployed, engine.now())
        done.update(sent=turned.sent, failed=turned.failed, unknown=turned.unknown, postponed=turned.postponed)
        if turned.idle:
            break
        sender.wait(0.05)
    if done.total():
        log.info("%s", ", ".join(f"{number} {what}" for what, number in done.items() if number), extra=+done)


def _settle(engine: Engine) -> None:
    if engine.note is not None:
        guard.look(engine.store, engine.note, engine.now())
    named = engine.accounts
    settle(
        engine.store, engine.current(), engine.provider, engine.now(),
        account=named.get(engine.provider.name, engine.account),
        others=[(one, named.get(one.name, had)) for one, had in engine.others],
    )  # fmt: skip


def _tell(engine: Engine, teller: Teller) -> None:
    while teller.turn(engine.current().rules.listeners, engine.now()).more and not engine.stop.is_set():
        pass


def _shop(engine: Engine) -> None:
    while shop(engine.store, engine.current().rules.shops, engine.now()).more and not engine.stop.is_set():
        pass


def _drain(engine: Engine, sender: Sender) -> None:
    until = monotonic() + DRAIN.total_seconds()
    while monotonic() < until:
        turned = afresh(engine.current, lambda deployed: sender.turn(deployed, engine.now(), stopping=True))
        if turned.in_flight == 0:
            break
        sender.wait(0.2)
    sender.close()


def flag_on_hangup() -> Flag:
    """A flag that SIGHUP raises: settings that may change while the engine runs are to be read again."""
    raised = Flag()
    signal.signal(signal.SIGHUP, lambda _number, _frame: raised.set())
    return raised


def stop_on_signals(stop: Flag) -> Callable[[], int]:
    """SIGTERM and SIGINT ask to stop in order; a second one leaves at once. Gives the exit code: 130 for SIGINT."""
    came: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        if came:
            os._exit(128 + number)
        came.append(number)
        log.info("stopping: mail in flight finishes first")
        stop.set()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
    return lambda: 130 if came[:1] == [signal.SIGINT] else 0
