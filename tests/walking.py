"""Sequences in a line per step, and one pass of a person through them, moved by the decision alone."""

from datetime import UTC, datetime, timedelta

from nurture.journey.advance import advance
from nurture.journey.enrollment import Enrollment, Facts, Send, Subscriber
from nurture.journey.events import Event, Kind
from nurture.language.reading import read
from nurture.language.sequence import People

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday
PEOPLE = People(
    attributes={"loan": ("home", "auto"), "renewal": "date", "birthday": "yearly"},
    events={"cart_added": {}, "trial_started": {"trial_ends": "date"}},
    products=("review", "book"),
    tags=("vip",),
)
CLICK = "ask: {click: Go, to: https://a.example}"
POLL = "ask: {poll: Which?, answers: {home: A home, auto: A car}}"
CART = "ask: {event: cart_added, to: https://a.example}"
BUY = "ask: {buy: review, to: https://a.example}"


def written(steps, head="start: joined"):
    """A sequence of these steps, each `NAME: KEYS` in one line; asks are answered within 3 days."""
    body = "".join(f"  {name}: {{subject: S, {keys}}}\n" for name, keys in (one.split(": ", 1) for one in steps))
    found = read(f"{head}\nfrom: a@b.example\nwithin: 3 days\nsteps:\n{body}", "ladder.yaml", PEOPLE)
    assert not [problem for problem in found.problems if problem.code.startswith("E")]
    return found.sequence


def person(number=1, **known):
    """What we know of someone; `attributes` among it."""
    return Facts(Subscriber(number, f"p{number}@a.example", **known))


def after(days=0, hours=0, minutes=0, seconds=0):
    return START + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


class Walk:
    """One pass, moved by the decision alone. A mail leaves the instant it is planned, unless `leaves` is false."""

    def __init__(self, sequence, facts=None, data=None, leaves=True):
        self.sequence, self.facts, self.leaves, self.now = sequence, facts or person(), leaves, START
        self.mails, self.effects = [], []
        self.place = Enrollment(1, self.facts.subscriber.id, sequence.name, 1, START, data=data or {})
        self.hears(Event(Kind.STARTED, START))
        self.until(START)

    def hears(self, event):
        self.place, effects = advance(self.sequence, self.place, event, self.facts, self.now)
        self.effects += effects
        for effect in effects:
            if isinstance(effect, Send):
                self.mails.append((effect.step, self.now))
                if self.leaves:
                    self.hears(Event(Kind.SENT, self.now, step=effect.step))
        return self

    def until(self, at):
        """Time passes, and with it everything that is due by then."""
        while self.place.due_at is not None and self.place.due_at <= at:
            self.now = max(self.now, self.place.due_at)
            self.hears(Event(Kind.DUE, self.now))
        self.now = max(self.now, at)
        return self

    def tell(self, kind, at, done=None, **rest):
        return self.until(at).hears(Event(kind, done or at, **rest)).until(at)

    def click(self, step, at, *, human=True, done=None, judged=None):
        """A click with its verdict; `done` is when it happened where the verdict came later, `at`."""
        return self.tell(Kind.CLICKED, at, done, step=step, human=human, judged_at=judged)

    def answer(self, step, value, at):
        return self.tell(Kind.ANSWERED, at, step=step, answer=value)

    def happens(self, kind, name, at):
        return self.tell(Kind.HAPPENED, at, happening=kind, name=name)

    def rest(self):
        return self.until(after(days=400))

    @property
    def path(self):
        return [step for step, _ in self.mails]

    def mailed(self, step):
        return dict(self.mails)[step]


TWO = [f"one: {CLICK}, yes: two, no: end", f"two: {CLICK}, no: end"]
