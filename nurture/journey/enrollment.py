"""The decision: given where a person stands and what happened, what happens next. One pure function, `advance`.

Nothing here sends, stores or reads a clock. The engine, the story tests, the simulator and the property tests all
call `advance` and nothing beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from nurture.language.sequence import Duration

Phase = Literal["starting", "waiting", "asked", "ended"]
Ended = Literal["finished", "goal", "stopped", "unsubscribed", "bounced", "complained", "removed"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A kept ask: what was answered ("yes" unless the ask is a poll), when it was done, in answer to which mail."""

    value: str | int
    at: datetime
    step: str


@dataclass(frozen=True, slots=True)
class Enrollment:
    """One subscriber's place in one sequence, for one pass. Times are UTC.

    `step` is the step whose mail comes next (waiting) or left last (asked). `due_at` is when to look again; None
    while a planned mail has not left, and after the end. `asked` are the steps whose mail has left, in order: the
    person stands at the last. `answers` are kept asks by root step. `done` are happenings that asks of this sequence
    wait for (`"event:cart_added"`, `"bought:review"`), since the pass began. `offers` are deadlines by root step.
    `awards` are badges by name, each given once, those of earlier passes among them.
    `judging_until` is when the last act that is still being judged will have its verdict. `waits_for` is the moment's
    text while a wait hangs on a date that can change; `fixed` is true when it has a clock time, which holds against
    window and gap. `led_by` is the root step of the answer that led to the waiting
    step, "" otherwise. `because` says in words how the person came here.
    """

    id: int
    subscriber: int
    sequence: str
    number: int
    started_at: datetime
    phase: Phase = "starting"
    step: str = ""
    due_at: datetime | None = None
    data: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    asked: tuple[str, ...] = ()
    answers: Mapping[str, Answer] = field(default_factory=lambda: MappingProxyType({}))
    done: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    offers: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    awards: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    last_mail_at: datetime | None = None
    judging_until: datetime | None = None
    waits_for: str = ""
    fixed: bool = False
    led_by: str = ""
    ended: Ended | None = None
    ended_at: datetime | None = None
    ended_by_no: bool = False
    because: str = ""


if TYPE_CHECKING:
    from dataclasses import replace as changed  # so that a change of what is not there is still found
else:
    _NAMES = tuple(one.name for one in fields(Enrollment))
    _VALUES = attrgetter(*_NAMES)

    def changed(enrollment: Enrollment, **changes: object) -> Enrollment:
        """`dataclasses.replace`, and twice as fast: a decision changes a place several times, and does little else."""
        return Enrollment(**{**dict(zip(_NAMES, _VALUES(enrollment), strict=True)), **changes})


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a person asked for on their own page: no mail until a moment, no two mails closer than so many days (0: as
    it is), nothing of these sequences. `asks` is what someone who runs the engine is to do for them: a copy, an erasure.
    """

    paused_until: datetime | None = None
    days_apart: int = 0
    without: frozenset[str] = frozenset()
    asks: frozenset[str] = frozenset()


NO_PREFERENCES = Preferences()


@dataclass(frozen=True, slots=True)
class Subscriber:
    """What we know of a person. `zone`, `language`, `country` and `email` are attributes as well."""

    id: int
    email: str
    status: str = "active"
    attributes: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    tags: frozenset[str] = frozenset()
    bought: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    joined_at: datetime | None = None
    last_seen_at: datetime | None = None
    last_mail_at: datetime | None = None
    preferences: Preferences = NO_PREFERENCES


@dataclass(frozen=True, slots=True)
class Ranked:
    """A line of the leaderboard in somebody's mail; `own` is theirs."""

    place: int
    who: str
    friends: int
    own: bool = False


@dataclass(frozen=True, slots=True)
class Invited:
    """A person's link for friends in one sequence, and how many of those who came by it count in this pass.

    `board` are the first of the leaderboard and their own place, where their mail shows it.
    """

    link: str = ""
    confirmed: int = 0
    board: tuple[Ranked, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision may know beside the enrollment: the person, and the project's own rules.

    `zone` is the project's time zone; `gap` is between any two mails to a person, over all sequences. `arms` names
    targets that every split must choose (story tests only).
    """

    subscriber: Subscriber
    zone: str = "UTC"
    gap: Duration | None = None
    arms: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Granted:
    """An offer as it was made to one person: its id, its code, and until when (None for one without an end)."""

    id: str
    code: str
    deadline: datetime | None


@dataclass(frozen=True, slots=True)
class Send:
    """Write and send this step's mail."""

    step: str


@dataclass(frozen=True, slots=True)
class Save:
    """Keep an answer as an attribute of the person."""

    name: str
    value: object


@dataclass(frozen=True, slots=True)
class Grant:
    """Give the person an offer: a deadline of their own, and the name its code comes from."""

    step: str
    product: str
    code: str
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Award:
    """Give the person a badge, for keeping the ask of this step."""

    name: str
    step: str


@dataclass(frozen=True, slots=True)
class Kept:
    """An ask was kept; other sequences may start from it."""

    step: str
    value: str | int


@dataclass(frozen=True, slots=True)
class Drawn:
    """A split decided by lot. It is written down, since what is compared later is what was drawn, not what came of it.

    `step` is the one whose branch splits ("" at the start), `way` is `start`, `yes` or `no`, `split` the arms and
    shares as they were: other shares are another lottery.
    """

    step: str
    way: str
    split: str
    arm: str


@dataclass(frozen=True, slots=True)
class End:
    """The pass is over; mail of it that has not left is cancelled."""

    how: Ended


Effect = Send | Save | Grant | Award | Kept | Drawn | End
