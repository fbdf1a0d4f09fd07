"""A stage for tests of the whole engine: a real database, the real passes, the `outbox` provider, time as a number.

Nothing is replaced. What a test wants of a provider that misbehaves it gets from a provider of its own, through the
same seam (`Provider.connect`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from nurture.engine import answering, enroll
from nurture.engine.deploy import Current, Deployed
from nurture.engine.due import look
from nurture.engine.inbox import Inbox
from nurture.engine.receive import Received, receive
from nurture.engine.rules import Rules
from nurture.engine.sending import Sender, Turned
from nurture.engine.settling import settle
from nurture.engine.show import person
from nurture.engine.tick import tick
from nurture.mail.links import Links, Signer
from nurture.mail.message import Message, thaw
from nurture.providers.base import Abilities, Account, Provider
from nurture.store import deploys, enrollments, messages, wakeups

MONDAY = datetime(2026, 6, 1, 10, 0, tzinfo=UTC)
BODY = b"Hello {{ first_name or 'friend' }}.\n\n{{ ask }}\n"
PEOPLE = b"""\
attributes: {first_name: text, seats: number, renewal: date, loan: [home, auto]}
events: {cart_added: {total: number}, trial_started: {trial_ends: date}}
products: [review, course]
tags: [vip, guide]
"""
LINKS = Links("https://go.example.com", "https://go.example.com", Signer(["a key for tests only, long enough"]))


class Stage:
    def __init__(self, store, sequences: Mapping[str, str], *, rules: Rules | None = None, templates=None, send=None):
        self.store = store
        self.rules = rules or Rules(postal_address="1 Example Street")
        self.now = MONDAY
        self.delivered: list[Message] = []
        self.deploy(sequences, templates)
        self.provider = Provider("outbox", lambda account: send or self._deliver, abilities=Abilities())
        self.sender = self.start_sender()

    def deploy(self, sequences: Mapping[str, str], templates: Mapping[str, bytes] | None = None) -> None:
        files = {"people.yaml": PEOPLE, "templates/body.md": BODY, **(templates or {})}
        files |= {f"sequences/{name}.yaml": text.encode() for name, text in sequences.items()}
        with self.store.write() as tx:
            deploys.save(tx, files, self.now)
        self.deployed: Deployed = Current(self.store, self.rules)()

    def start_sender(self, provider: Provider | None = None) -> Sender:
        return Sender(self.store, provider or self.provider, Account("outbox"), LINKS, senders=2)

    def send_through(self, first, *others) -> None:
        """Mail leaves by these from now on, each with a `provider` and an `account`; the others stand by."""
        self.sender.close()
        self.provider = first.provider
        by = [(one.provider, one.account) for one in others]
        self.sender = Sender(self.store, first.provider, first.account, LINKS, senders=2, others=by)

    def _deliver(self, message: Message) -> str:
        self.delivered.append(message)
        return f"outbox-{message.id}"

    def close(self) -> None:
        self.sender.close()

    # --- time

    def work(self) -> None:
        """Everything that is due now, until nothing more happens."""
        works = {
            "receive": lambda: receive(self.store, self.deployed, LINKS, self.now).hooks,
            "tick": self._tick,
            "settle": lambda: settle(self.store, self.deployed, self.provider, self.now).again,
            "send": self.send,
        }
        for _ in range(100):
            if not sum([works[name]() for name in sorted(self._woken(works), key=list(works).index)]):
                return
        raise AssertionError("the engine did not come to rest")

    def _woken(self, works) -> set[str]:
        """Everything, as one engine looks at everything; on a cluster what the clock and the transactions deferred."""
        if not self.store.carries_wakeups:
            return set(works)
        with self.store.write() as tx:
            wakeups.want(tx, *look(self.store, self.now).works(self.now))
        with self.store.write() as tx:
            return set(tx.execute(text("DELETE FROM procrastinate_jobs RETURNING task_name")).scalars())

    def _tick(self) -> int:
        ticked = tick(self.store, self.deployed, self.now)
        return ticked.decided + ticked.judged

    def send(self) -> int:
        begun, before = 0, None
        while not (turned := self.sender.turn(self.deployed, self.now)).idle:
            if turned == before == Turned(ready=turned.ready):
                break  # what is ready waits for time to go by
            begun, before = begun + turned.begun, turned
            if turned.in_flight:
                self.sender.wait(0.2)
        return begun

    def until(self, moment: datetime) -> None:
        """Let time go by, stopping wherever something is due."""
        self.work()
        while (due := self._next_due()) is not None and due <= moment:
            self.now = max(due, self.now)
            self.work()
        self.now = moment
        self.work()

    def after(self, **length: float) -> None:
        self.until(self.now + timedelta(**length))

    def _next_due(self) -> datetime | None:
        from nurture.store import events

        with self.store.read() as tx:
            found = [enrollments.peek(tx), events.peek(tx), messages.next_due(tx)]
        return min((moment for moment in found if moment is not None), default=None)

    # --- people

    def subscribe(self, email: str = "ann@example.com", *, sequence: str | None = None, **attributes: object):
        tags = attributes.pop("tags", ())
        return enroll.subscribe(
            self.store, self.deployed, email, attributes=attributes, tags=tags, sequence=sequence, now=self.now
        )

    def report(self, name: str, email: str = "ann@example.com", **data: object):
        return enroll.report(self.store, self.deployed, email, name, data, self.now)

    def click(self, mail: Message, *, method="GET", ip="203.0.113.7", agent="Mozilla/5.0 (X11)", hint="") -> str | None:
        inbox = Inbox(self.store)
        try:
            return answering.click(
                self.store, inbox, mail.id, method=method, ip=ip, agent=agent, hint=hint, now=self.now
            )
        finally:
            inbox.close()

    def hook(self, provider: str, body: bytes, headers: Mapping[str, str] | None = None) -> Received:
        inbox = Inbox(self.store)
        inbox.keep(provider, headers or {}, body, self.now)
        inbox.close()
        return receive(self.store, self.deployed, LINKS, self.now)

    def answer(self, mail: Message, value: str | int | None):
        return answering.answer(self.store, self.deployed, mail.id, value, self.now)

    def unsubscribe(self, mail: Message) -> bool:
        return answering.unsubscribe(self.store, self.deployed, mail.id, self.now)

    # --- looking

    def story(self, email: str = "ann@example.com") -> dict:
        found = person(self.store, email)
        assert found is not None
        return found

    def place(self, sequence: str, email: str = "ann@example.com") -> dict:
        return next(place for place in self.story(email)["enrollments"] if place["sequence"] == sequence)

    def subjects(self, email: str = "ann@example.com") -> list[str]:
        return [mail.subject for mail in self.delivered if mail.to == email]

    def mail(self, subject: str, email: str = "ann@example.com") -> Message:
        return next(mail for mail in self.delivered if mail.to == email and mail.subject == subject)

    def states(self) -> dict[str, str]:
        with self.store.read() as tx:
            return {row.step: row.state.value for row, _ in messages.listing(tx, None, 1000)}

    def frozen(self, number: str) -> Message:
        with self.store.read() as tx:
            payload = messages.payload(tx, number)
        assert payload is not None
        return thaw(payload)


Send = Callable[[Message], str]
