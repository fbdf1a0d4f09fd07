"""What a marketer wrote, as frozen values. Nothing here reads files, knows the time or knows a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from nurture.language.conditions import Condition
    from nurture.language.forms import Field, FormPage

EMPTY: Mapping[str, object] = MappingProxyType({})

ENGLISH = "en"
"""The language of a sequence that does not say its own, and of pages and footers that know no better one."""


def language_code(written: str) -> str:
    """`de_AT`, `de-at` and `de-AT` are one language (RFC 5646 compares without case)."""
    return written.strip().replace("_", "-").lower()


END = "end"
"""Where a waiting person stands who waits for nothing but the end (`{after: 2 days, go: end}`)."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time. `days` count on the person's wall clock, `seconds` are elapsed time; one of them is 0."""

    days: int = 0
    seconds: int = 0

    def __str__(self) -> str:
        if self.days:
            return _count(self.days, "day")
        for size, unit in ((3600, "hour"), (60, "minute")):
            if self.seconds % size == 0 and self.seconds:
                return _count(self.seconds // size, unit)
        return _count(self.seconds, "second")


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


@dataclass(frozen=True, slots=True)
class AtClock:
    """`9:00`, `tue 9:00`: the next such time on the person's wall clock. Monday is 0."""

    clock: time
    weekday: int | None = None


@dataclass(frozen=True, slots=True)
class AtInstant:
    """`2026-11-24 18:00 Europe/London`. Without a clock it is a bare date; without a zone it is the person's own."""

    local: datetime
    zone: str | None = None
    bare: bool = False


@dataclass(frozen=True, slots=True)
class AtName:
    """`NAME`, `3 days before NAME`: a date of the sequence, the person, the start event (`start.X`) or `joined` …"""

    name: str
    offset: Duration = Duration()
    before: bool = False


Point = AtClock | AtInstant | AtName


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time and the words it was written in."""

    text: str
    point: Point


HappeningKind = Literal["joined", "replied", "bought", "tag", "event", "kept", "goal", "manual", "at"]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that starts, ends or stops a sequence. `name` is the product, tag, event, `sequence.step` or sequence."""

    kind: HappeningKind
    name: str = ""
    moment: Moment | None = None


@dataclass(frozen=True, slots=True)
class Goto:
    """Go on to a later step."""

    step: str


@dataclass(frozen=True, slots=True)
class Exit:
    """Leave the sequence; `unsubscribe` leaves the list as well."""

    how: Literal["end", "unsubscribe"]


@dataclass(frozen=True, slots=True)
class Split:
    """A lottery, sticky by person. Shares are whole percents and add up to 100."""

    shares: tuple[tuple[Goto | Exit, int], ...]

    def __str__(self) -> str:
        return ", ".join(f"{target_name(target)} {percent}%" for target, percent in self.shares)


def target_name(target: Goto | Exit) -> str:
    """Where it leads, as it was written: the step's name, `end` or `unsubscribe`."""
    return target.step if isinstance(target, Goto) else target.how


Go = Goto | Exit | Split


@dataclass(frozen=True, slots=True)
class Arm:
    """One line of a branch: if this holds, then after this long (or at that moment) go there."""

    go: Go
    condition: Condition | None = None
    after: Duration | None = None
    at: Moment | None = None


AnswerKey = str | int


@dataclass(frozen=True, slots=True)
class Branch:
    """Where a yes or a no leads: arms tried in order, or for a poll one such list per answer."""

    arms: tuple[Arm, ...] = ()
    by_answer: Mapping[AnswerKey, tuple[Arm, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def arms_for(self, answer: AnswerKey | None) -> tuple[Arm, ...]:
        return self.arms if answer is None else self.by_answer.get(answer, self.arms)

    def every_arm(self) -> tuple[Arm, ...]:
        return self.arms + tuple(arm for arms in self.by_answer.values() for arm in arms)


@dataclass(frozen=True, slots=True)
class Ask:
    """The one small action. `kind` is one of the table `kinds.KINDS`. `words` are what the person reads, `name` is the
    event, product, file or form.

    An offer's code is `code`, the same for all, or one of those in `pool`. `missed` is where its link leads when the
    deadline is over; "" for our own page. `pages` are those of a form, `at_least` is how much of a video, in percent;
    `results` shows to who answered a poll how others did. `friends` are how many it takes, and `signup` is the form
    they come by.
    """

    kind: str
    words: str
    size: int
    name: str = ""
    label: str = ""
    to: str = ""
    answers: Mapping[AnswerKey, str] = field(default_factory=lambda: MappingProxyType({}))
    save: str = ""
    price: str = ""
    code: str = ""
    pool: str = ""
    expires: Duration | None = None
    missed: str = ""
    friends: int = 0
    signup: str = ""
    pages: tuple[FormPage, ...] = ()
    at_least: int = 0
    results: bool = False

    @property
    def fields(self) -> tuple[Field, ...]:
        """The questions of a form, in order."""
        return tuple(field for page in self.pages for field in page.fields)

    @property
    def grants(self) -> bool:
        """Whether its yes, rather than its mail, makes an offer: a form that thanks with a code."""
        return self.kind == "form" and bool(self.code or self.pool)


@dataclass(frozen=True, slots=True)
class SendRules:
    """When mail may leave. `between` includes its first minute and not its last and may span midnight; Monday is 0.

    `timezone` is "theirs" or a zone's name; "theirs" without a known zone is the project's. `now` answers someone
    who waits: neither window nor gap holds it.
    """

    between: tuple[time, time] | None = None
    days: frozenset[int] = frozenset(range(7))
    timezone: str = "theirs"
    gap: Duration | None = None
    now: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One mail and its ask. `root` is the step whose ask it is: its own name, or the earlier step that it asks again."""

    name: str
    position: int
    subjects: tuple[str, ...]
    template: str
    ask: Ask
    root: str
    yes: Branch
    no: Branch
    within: Duration | None = None
    until: Moment | None = None
    send: SendRules = SendRules()
    preheader: str = ""
    extra: Mapping[str, object] = field(default_factory=lambda: EMPTY)
    principle: str = ""
    award: str = ""

    @property
    def ends(self) -> bool:
        """Whether what is asked for is open until a moment that the author wrote down, and no longer."""
        return (self.ask.expires is not None and self.ask.kind != "form") or self.until is not None

    @property
    def offer_ends(self) -> bool:
        """Whether its offer has a deadline. That of a form begins when the form is sent, so only `expires` gives one."""
        return self.ask.expires is not None if self.ask.kind == "form" else self.ends

    @property
    def repeats(self) -> bool:
        return self.root != self.name


@dataclass(frozen=True, slots=True)
class Badge:
    """What a person gets once from a sequence, however often they go through it: when this holds after an ask was kept, or by a step's `award`."""

    name: str
    title: str
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What someone said. `wanted` are the answers and attributes of whom it is for: any of these values; all of it must be.

    `tagged` is whether the page says for whom it is, everyone among them.
    """

    quote: str
    name: str
    picture: str = ""
    said_on: date | None = None
    wanted: Mapping[tuple[str, ...], tuple[object, ...]] = field(default_factory=lambda: MappingProxyType({}))
    tagged: bool = True

    def __str__(self) -> str:
        return self.quote


@dataclass(frozen=True, slots=True)
class Start:
    """What begins a pass. `again`: None is never, a Duration counts from the end of the last pass (0 is always)."""

    when: tuple[Happening, ...]
    go: Go
    condition: Condition | None = None
    again: Duration | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit means for the people inside: the step's name before, what becomes of who waits, where they go."""

    was: str = ""
    waiting: str = ""
    go: str = ""


Place = tuple[str | int, ...]
"""Where something stands in the file: `("steps", "tour", "ask")`. Keys of mappings, indexes of lists."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A spot in a file, counted from 1; `width` characters long."""

    line: int
    column: int
    width: int = 1


@dataclass(frozen=True, slots=True)
class Sequence:
    """The whole plan. `steps` keep the order of the page. `marks` remember where each value stood, for fault reports.

    `language` is the one its words are in. `languages` are the same plan in other words, each a Sequence of its own:
    they decide nothing, so only who writes mails and pages looks for one. `challenge` is the time in which friends
    count for the leaderboard, from and to; None is open.
    """

    name: str
    title: str
    start: Start
    sender: str
    steps: Mapping[str, Step]
    goal: tuple[Happening, ...] = ()
    stop: tuple[Happening, ...] = ()
    reply_to: str = ""
    send: SendRules = SendRules()
    dates: Mapping[str, Moment] = field(default_factory=lambda: MappingProxyType({}))
    priority: int = 0
    stories: tuple[Mapping[str, object], ...] = ()
    language: str = ENGLISH
    languages: Mapping[str, Sequence] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    changes: Mapping[str, Change] = field(default_factory=lambda: MappingProxyType({}))
    challenge: tuple[Moment | None, Moment | None] = (None, None)
    proof: tuple[Proof, ...] = ()
    badges: Mapping[str, Badge] = field(default_factory=lambda: MappingProxyType({}))
    file: str = field(default="", compare=False)
    marks: Mapping[Place, Mark] = field(default_factory=lambda: MappingProxyType({}), compare=False, repr=False)

    def step_of(self, name: str) -> Step:
        return self.steps[name]

    def in_language(self, wanted: object) -> Sequence:
        """The same plan in the words for a person of this language: `de-AT` reads `de`, others read its own words."""
        code = language_code(str(wanted or ""))
        if code == language_code(self.language):
            return self
        return self.languages.get(code) or self.languages.get(code.partition("-")[0]) or self


@dataclass(frozen=True, slots=True)
class SignUp:
    """A form by which people put themselves on the list. `asks` are the attributes it asks for beside the address.

    `start` are sequences that begin when they have confirmed, beside those that start at `joined`. `to` is where they
    go then; "" is a page of ours. `confirms` is double opt-in. `sender` is "" where that of its first sequence will do.
    """

    name: str
    title: str
    asks: tuple[str, ...] = ()
    consent: str = ""
    button: str = ""
    start: tuple[str, ...] = ()
    to: str = ""
    confirms: bool = True
    sender: str = ""
    roles: bool = True
    disposable: bool = False
    mark: Mark = field(default=Mark(1, 1), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class People:
    """What we know of people, declared once in `people.yaml`.

    `attributes` map a name to `text`, `number`, `date`, `yearly`, `yes_no` or a tuple of allowed words; `events` map
    a name to the types of its data. `signups` are forms by name.
    """

    attributes: Mapping[str, str | tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    events: Mapping[str, Mapping[str, str | tuple[str, ...]]] = field(default_factory=lambda: MappingProxyType({}))
    products: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    signups: Mapping[str, SignUp] = field(default_factory=lambda: MappingProxyType({}))


ALWAYS_KNOWN = ("email", "language", "timezone", "country")
"""Attributes that exist without being declared."""
