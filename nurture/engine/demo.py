"""The demo's people: imagined subscribers of different tempers who do what people do, through the doors people use.

They click links, answer pages, buy and leave by calling exactly what the web calls; time runs fast because the engine
is handed a faster `now`. Nothing here is known to the engine.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Literal

from nurture.engine import answering, enroll, signing
from nurture.language.kinds import CONFIRM, HOSTED, OUTSIDE
from nurture.store import codes, friends, messages, people

if TYPE_CHECKING:
    from nurture.engine.inbox import Inbox
    from nurture.engine.run import Engine
    from nurture.language.sequence import Step
    from nurture.store.messages import Row

YOU = "you@example.com"
"""The visitor's own seat in the demo."""

CODES = 2_000
"""Imagined codes in each pool: more than the demo's people ever take."""


class FastTime:
    """The time of the demo: it begins at `start` (UTC) and runs `speed` times as fast as life."""

    def __init__(self, start: datetime, speed: float) -> None:
        self._lock = Lock()
        self._start, self._since, self._speed = start, monotonic(), speed

    def __call__(self) -> datetime:
        with self._lock:
            return self._now()

    @property
    def speed(self) -> float:
        return self._speed

    def run_at(self, speed: float) -> None:
        """From now on run this fast; 0 stands still."""
        with self._lock:
            self._start, self._since = self._now(), monotonic()
            self._speed = speed

    def skip(self, length: timedelta) -> None:
        with self._lock:
            self._start += length

    def _now(self) -> datetime:
        return self._start + timedelta(seconds=(monotonic() - self._since) * self._speed)


Temper = Literal["keen", "curious", "slow", "silent", "guarded", "leaving"]


@dataclass(frozen=True, slots=True)
class Habits:
    """How likely someone of a temper is to do what is asked, by the size of the ask, and after how many hours."""

    says: str
    yes: tuple[float, float, float, float, float]
    hours: tuple[float, float]
    scanned: bool = False
    leaves: float = 0.0


HABITS: dict[Temper, Habits] = {
    "keen": Habits("does it at once", (0.97, 0.95, 0.9, 0.8, 0.75), (0.1, 6)),
    "curious": Habits("likes small things", (0.85, 0.7, 0.5, 0.3, 0.2), (1, 30)),
    "slow": Habits("answers late", (0.8, 0.6, 0.5, 0.3, 0.25), (50, 130)),
    "silent": Habits("reads and says nothing", (0.08, 0.05, 0.03, 0.0, 0.0), (2, 60)),
    "guarded": Habits("sits behind a link scanner", (0.6, 0.5, 0.4, 0.3, 0.2), (2, 30), scanned=True),
    "leaving": Habits("has enough mail", (0.3, 0.1, 0.1, 0.0, 0.0), (1, 20), leaves=0.5),
}
MIX: tuple[tuple[Temper, int], ...] = (
    ("keen", 10), ("curious", 16), ("slow", 8), ("silent", 9), ("guarded", 5), ("leaving", 3),
)  # fmt: skip
NAMES = (
    "Mara Ivo Lena Jonas Aiko Ben Carla Dmitri Elif Farid Greta Hugo Ines Jamal Kaya Luis Mina Noor Otto Priya Quinn "
    "Rosa Sami Tova Uma Viktor Wanda Xavi Yara Zeno Amara Bruno Chloe Dario Esme Finn Gita Henri Isla Juno Kofi Lior "
    "Maya Nils Oona Pavel Rhea Sven Talia Ugo Vera"
).split()
ZONES = ("Europe/Berlin", "Europe/London", "America/New_York", "Europe/Lisbon", "Asia/Tokyo")
AGENT = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15"
)
SCANNER = "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)"


@dataclass(frozen=True, slots=True)
class Imagined:
    """One imagined subscriber."""

    name: str
    email: str
    temper: Temper
    zone: str


def crowd(count: int, dice: random.Random) -> list[Imagined]:
    """So many people, of mixed tempers."""
    tempers = [temper for temper, share in MIX for _ in range(share)]
    people = []
    for number in range(count):
        name = NAMES[number % len(NAMES)]
        again = number // len(NAMES)
        address = f"{name.lower()}{again or ''}@example.com"
        people.append(Imagined(name, address, tempers[number % len(tempers)], dice.choice(ZONES)))
    dice.shuffle(people)
    return people


def stock(engine: Engine) -> None:
    """Fill each pool that an offer takes its codes from, as no shop exports any here."""
    asks = [step.ask for one in engine.current().sequences.values() for step in one.steps.values()]
    with engine.store.write() as tx:
        for pool in sorted({ask.pool for ask in asks if ask.pool}):
            codes.add(tx, pool, [f"{pool.upper()}-{number}" for number in range(1000, 1000 + CODES)], engine.now())


def come(engine: Engine, person: Imagined, sequence: str, now: datetime) -> None:
    """A person comes in by the door that this sequence opens: a sign-up, a tag, an event of the product."""
    deployed = engine.current()
    happening = deployed.sequences[sequence].start.when[0]
    known = {"first_name": person.name} if "first_name" in deployed.project.people.attributes else {}
    attributes = {**known, "timezone": person.zone}
    if happening.kind == "joined":
        enroll.subscribe(
            engine.store, deployed, person.email, attributes=attributes, tags=[], sequence=None, now=now
        )  # fmt: skip
        return
    enroll.import_batch(engine.store, deployed, [enroll.Row(0, person.email, attributes)], enroll=None, now=now)
    if happening.kind == "event":
        data = {name: _imagined(kind, now) for name, kind in deployed.project.people.events[happening.name].items()}
        enroll.report(engine.store, deployed, person.email, happening.name, data, now)
    else:
        tags, by_hand = ([happening.name], None) if happening.kind == "tag" else ([], sequence)
        enroll.subscribe(
            engine.store, deployed, person.email, attributes={}, tags=tags, sequence=by_hand, now=now
        )  # fmt: skip


def _imagined(kind: str | tuple[str, ...], now: datetime) -> object:
    if isinstance(kind, tuple):
        return kind[0]
    day = (now + timedelta(days=14)).date()
    return {"number": 12, "date": day.isoformat(), "yearly": f"{day:%m-%d}", "yes_no": True}.get(kind, "something")


class Crowd:
    """Lets the imagined people come, read their mail and act on it, whenever `act` is called."""

    def __init__(self, engine: Engine, inbox: Inbox, people: list[Imagined], seed: int) -> None:
        self._engine = engine
        self._inbox = inbox
        self._people = {person.email: person for person in people}
        self._friends = 0
        self._dice = random.Random(seed)  # noqa: S311 - imagined people, not secrets
        self._seen: set[str] = set()
        self._plans: list[tuple[datetime, str, str, Row]] = []
        self._coming = self._arrivals(people, engine.now())

    @property
    def people(self) -> list[Imagined]:
        """All who are imagined by now, friends who were brought among them."""
        return list(self._people.values())

    def act(self) -> None:
        """Everyone whose moment has come does what they had in mind."""
        now = self._engine.now()
        while self._coming and self._coming[0][0] <= now:
            _, person, sequence = self._coming.popleft()
            come(self._engine, person, sequence, now)
        self._read_new_mail(now)
        while self._plans and self._plans[0][0] <= now:
            _, _, what, row = heappop(self._plans)
            self._do(what, row, now)

    def _arrivals(self, people: list[Imagined], start: datetime) -> deque[tuple[datetime, Imagined, str]]:
        """A third of them is there at once, the others come over the first three days."""
        # one that another sequence begins gets its people from there
        ladders = self._engine.current().ladders
        names = [name for name, one in ladders.items() if one.start.when[0].kind not in ("kept", "goal")] or [*ladders]
        early = len(people) // 3
        hours = sorted(self._dice.uniform(0, 72) for _ in people[early:])
        moments = [start] * early + [start + timedelta(hours=hour) for hour in hours]
        return deque(
            (at, person, names[number % len(names)])
            for number, (at, person) in enumerate(zip(moments, people, strict=True))
        )

    def _read_new_mail(self, now: datetime) -> None:
        with self._engine.store.read() as tx:
            recent = messages.listing(tx, None, 500)
        for row, email in recent:
            if row.sent_at is None or row.id in self._seen:
                continue
            self._seen.add(row.id)
            person = self._people.get(email)
            if person is not None:
                self._make_up_their_mind(person, row, row.sent_at or now)

    def _make_up_their_mind(self, person: Imagined, row: Row, at: datetime) -> None:
        habits, dice = HABITS[person.temper], self._dice
        step = self._step(row)
        if step is None:
            return
        if habits.scanned:
            self._plan(at + timedelta(seconds=2), "scan", row)
        later = at + timedelta(hours=dice.uniform(*habits.hours))
        if dice.random() < habits.leaves and step.position > 0:
            self._plan(later, "leave", row)
        elif dice.random() < habits.yes[step.ask.size - 1]:
            self._plan(later, "yes", row)

    def _plan(self, at: datetime, what: str, row: Row) -> None:
        heappush(self._plans, (at, row.id, what, row))

    def _step(self, row: Row) -> Step | None:
        sequence = self._engine.current().sequences.get(row.sequence)
        return None if sequence is None else sequence.steps.get(row.step)

    def _do(self, what: str, row: Row, now: datetime) -> None:
        engine, step = self._engine, self._step(row)
        deployed = engine.current()
        if step is None:
            return
        if what == "leave":
            answering.unsubscribe(engine.store, deployed, row.id, now)
        elif what == "scan":
            for method in ("HEAD", "GET"):
                self._click(row, method, "40.94.0.7", SCANNER, now)
        elif step.ask.kind == "poll":
            answering.answer(engine.store, deployed, row.id, self._dice.choice(list(step.ask.answers)), now)
        elif step.ask.kind == "refer":
            self._bring_friends(row, step, now)
        elif step.ask.kind == CONFIRM:
            signing.confirm(engine.store, deployed, row.id, row.id, "", now)
        elif step.ask.kind in HOSTED:
            answering.answer(engine.store, deployed, row.id, None, now, self._typed(step))
        else:
            self._click(row, "GET", f"203.0.113.{self._dice.randrange(1, 250)}", AGENT, now)
            if step.ask.kind in OUTSIDE:
                self.product_reports(row, now)

    def _bring_friends(self, row: Row, step: Step, now: datetime) -> None:
        """Friends sign up by this person's own link. They get a mail that asks whether it was them, like anybody."""
        engine, deployed = self._engine, self._engine.current()
        form = deployed.project.people.signups.get(step.ask.signup)
        with engine.store.read() as tx:
            link = friends.of_people(tx, [row.subscriber]).get((row.subscriber, row.sequence))
            came = 0 if link is None else len(friends.of_link(tx, link.id))
        if form is None or link is None:
            return
        for _ in range(step.ask.friends - came):
            name = NAMES[self._friends % len(NAMES)]
            self._friends += 1
            friend = Imagined(name, f"{name.lower()}.{self._friends}@example.com", "keen", self._dice.choice(ZONES))
            self._people[friend.email] = friend
            known = {"first_name": name} if "first_name" in form.asks else {}
            # each in a browser of their own: two from one place would not both count
            source = signing.Came(client=friend.email, friend_of=link.id)
            signing.sign_up(engine.store, deployed, form, friend.email, known, source, now)

    def _typed(self, step: Step) -> dict[str, object]:
        """What they type into a form: one of what can be chosen, and nothing where something would be made up."""
        typed: dict[str, object] = {}
        for field in step.ask.fields:
            if choices := ("yes",) if field.kind == "consent" else field.choices():
                typed[field.save] = field.value(str(self._dice.choice(choices)))
        return typed

    def product_reports(self, row: Row, now: datetime) -> None:
        """What the shop or the product would report once the person did it there."""
        engine, step = self._engine, self._step(row)
        if step is None:
            return
        with engine.store.read() as tx:
            email = people.by_ids(tx, [row.subscriber])[row.subscriber].email
        name, data = (
            ("bought", {"product": step.ask.name}) if step.ask.kind == "buy" else (step.ask.name, dict[str, str]())
        )
        enroll.report(engine.store, engine.current(), email, name, data, now)

    def _click(self, row: Row, method: str, ip: str, agent: str, now: datetime) -> None:
        answering.click(
            self._engine.store, self._inbox, row.id, method=method, ip=ip, agent=agent, hint="", now=now
        )  # fmt: skip
