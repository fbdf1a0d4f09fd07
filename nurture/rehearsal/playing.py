"""Playing a ladder by hand: a start, then one act after another, on the real decision and its imagined calendar.

A walk is plain data, so it can be a link: the same start and the same acts always lead to the same mails.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from nurture.errors import Refused
from nurture.journey import timing
from nurture.journey.enrollment import Enrollment, Subscriber
from nurture.journey.timing import round_up_to_minute
from nurture.language.problems import or_one_of
from nurture.language.stories import HAPPENINGS, friends_in
from nurture.rehearsal.calendar import HORIZON, Doing, Life, Living, act
from nurture.rehearsal.comparing import as_mapping
from nurture.rehearsal.stories import FIXED_MONDAY, happening, imagine, length_of, moment_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from nurture.journey.events import Event
    from nurture.language.sequence import Sequence, Step

SOON = "1 minute"
WAIT = "~"
"""An act that does nothing: time goes on to the next mail, or so long. No step can be called so."""

STAY = "stay"
LONGEST_WALK = 200
_ACT = re.compile(r"(~|[a-z][a-z0-9_]*)(?::([^,]{1,100}))?(?:,([^,]{1,20}))?(?:,(stay))?")


@dataclass(frozen=True, slots=True)
class Act:
    """What is done next. `what` is a step, a happening from outside, or WAIT.

    `value` is `yes`, `machine` or an answer; the name of what happened; or how long to wait, "" for the next mail.
    `after` is how long it takes from where the walk stands. With `stay` the walk stands there, and does not go on to
    the next mail by itself.
    """

    what: str
    value: str = ""
    after: str = SOON
    stay: bool = False

    def __str__(self) -> str:
        words = self.what + (f":{self.value}" if self.value else "")
        if self.after != SOON:
            words += f",{self.after}"
        return f"{words},{STAY}" if self.stay else words


def read_act(text: str) -> Act:
    """An act as a link carries it: `question:home`, `offer:yes,5 hours`, `bought:review,1 minute,stay`, `~`, `~:1 day`."""
    match = _ACT.fullmatch(text)
    if match is None:
        raise Refused(f"'{text[:60]}' is no act")
    after = match[3] or SOON
    if after == STAY:
        return Act(match[1], match[2] or "", stay=True)
    return Act(match[1], match[2] or "", after, stay=match[4] is not None)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A mail of the walk, and the person as they stood when it left."""

    step: str
    at: datetime
    because: str
    enrollment: Enrollment
    subscriber: Subscriber


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of the walk's timeline. `place` counts mails; `act` is which act it is, -1 for what the ladder did."""

    at: datetime
    kind: str
    words: str
    place: int = -1
    act: int = -1


@dataclass(slots=True)
class Walk:
    """Where a walk stands. `acts` are those that were done; `stopped` says why the next one could not be."""

    sequence: Sequence
    given: Mapping[str, object]
    wall: ZoneInfo
    start: datetime
    now: datetime
    life: Life
    acts: list[tuple[Act, datetime]] = field(default_factory=list)
    mails: list[Arrived] = field(default_factory=list)
    timeline: list[Moment] = field(default_factory=list)
    stopped: str = ""

    @property
    def over(self) -> bool:
        return self.life.enrollment.ended is not None


def play(sequence: Sequence, given: Mapping[str, object], acts: Iterable[Act], *, zone: str = "UTC") -> Walk:
    """Play a walk. `given` is what a story gives; `zone` is the project's."""
    player = _Player(sequence, given, zone)
    player.begin()
    for number, one in enumerate(acts):
        if number == LONGEST_WALK:
            player.walk.stopped = f"a walk has at most {LONGEST_WALK} acts"
            break
        try:
            player.do(one)
        except (Refused, ValueError) as error:
            player.walk.stopped = str(error)
            break
    return player.walk


def lived_on(walk: Walk, *, zone: str = "UTC") -> Life:
    """What comes of a walk when nothing more is done: its story to the end."""
    player = _Player(walk.sequence, walk.given, zone)
    player.begin()
    for one, _ in walk.acts:
        player.do(one)
    player.run(walk.start + HORIZON)
    return player.walk.life


def tapped(step: Step, value: str) -> Mapping[str, object] | None:
    """What a tap on a choice in the mail types into a form; None where it is no such tap."""
    if not step.ask.fields or value not in map(str, step.ask.fields[0].choices()):
        return None
    return {step.ask.fields[0].save: value}


class _Player:
    """A walk in progress."""

    def __init__(self, sequence: Sequence, given: Mapping[str, object], zone: str) -> None:
        own = str(given.get("timezone") or zone)
        wall = timing.zone(own, zone)
        start = moment_of(str(given.get("start") or "mon 10:00"), FIXED_MONDAY, wall)
        facts = imagine(given, start, zone, own)
        fresh = Enrollment(1, facts.subscriber.id, sequence.name, 1, start, data=as_mapping(given.get("event")))
        self.walk = Walk(sequence, given, wall, start, start, Life(fresh, facts))
        self.living = Living(sequence, self.walk.life, self._arrives)
        self.told = 0

    def begin(self) -> None:
        self.walk.timeline.append(Moment(self.walk.start, "start", "what begins the sequence happens"))
        self.living.begin(self.walk.start)
        self._tell()
        if not self.walk.mails:
            self._to_next_mail()

    def do(self, one: Act) -> None:
        walk = self.walk
        if one.what == WAIT:
            self._wait(one)
            return
        at = walk.now + length_of(one.after)
        event, words = self._answer(one, at) if one.what in walk.sequence.steps else self._outside(one, at)
        self.run(event.at, fully=False)  # at one instant, what is done goes before what was due, as in a story
        walk.now = max(walk.now, event.at)
        before = self._place()
        walk.timeline.append(Moment(event.at, "act", words, act=len(walk.acts)))
        self.living.expect(event.at, event)
        self.run(event.judged_at if event.judged_at is not None else event.at)
        walk.acts.append((one, event.at))
        mails, phase, step = self._place()
        if not one.stay and one.value != "machine" and before != (mails, phase, step) and mails == before[0]:
            self._to_next_mail()

    def _place(self) -> tuple[int, str, str]:
        """Where the person stands, so that one sees whether an act moved them."""
        place = self.walk.life.enrollment
        return len(self.walk.mails), place.phase, place.step

    def _answer(self, one: Act, at: datetime) -> tuple[Event, str]:
        step = self.walk.sequence.steps[one.what]
        if all(mail.step != step.name for mail in self.walk.mails):
            raise Refused(f"{step.name} has not been mailed in this walk, so nothing can be done about it")
        if one.value == "machine":
            return act(step, "machine", at), f"a machine clicks in {step.name}"
        if step.ask.kind == "refer" and friends_in(one.value):
            return act(step, one.value, at), f"{one.value} came by the link of {step.name}"
        if (typed := tapped(step, one.value)) is not None:
            return act(step, typed, at), f"{step.name}: “{one.value}”, and the rest of the form"
        if not step.ask.answers:
            return act(step, "yes", at), f"yes to {step.name}"
        known = {str(key): key for key in step.ask.answers}
        if one.value not in known:
            raise Refused(f"'{one.value}' is no answer to {step.name}{or_one_of(one.value, known)}")
        return act(step, known[one.value], at), f"{step.name}: “{step.ask.answers[known[one.value]] or one.value}”"

    @staticmethod
    def _outside(one: Act, at: datetime) -> tuple[Event, str]:
        """What happens outside is told to the minute, as stories tell it."""
        if one.what not in HAPPENINGS:
            raise Refused(
                f"'{one.what}' is neither a step nor something that can happen{or_one_of(one.what, HAPPENINGS)}"
            )
        minute = round_up_to_minute(at)
        words = {
            "replied": "writes back", "unsubscribed": "unsubscribes", "bought": f"buys {one.value}",
            "tag": f"gets the tag {one.value}", "event": f"{one.value} happens",
        }  # fmt: skip
        return happening(one.what, one.value, minute), words[one.what]

    def _wait(self, one: Act) -> None:
        walk = self.walk
        until = walk.now + length_of(one.value) if one.value else None
        words = f"{one.value} pass" if one.value else "nothing is done"
        words = words.replace("1 day pass", "a day passes")
        walk.timeline.append(Moment(walk.now, "wait", words, act=len(walk.acts)))
        if until is None:
            self._to_next_mail()
        else:
            self.run(until)
            walk.now = max(walk.now, until)
        walk.acts.append((one, walk.now))

    # --- time

    def run(self, until: datetime, *, fully: bool = True) -> None:
        """Let everything happen that is due by then; with `fully` false only what is due before."""
        while (due := self.living.next()) is not None and (due < until or (fully and due == until)):
            self._go_on(due)

    def _to_next_mail(self) -> None:
        before = len(self.walk.mails)
        while len(self.walk.mails) == before and (due := self.living.next()) is not None:
            if due >= self.walk.start + HORIZON:
                return
            self._go_on(due)

    def _go_on(self, due: datetime) -> None:
        self.walk.now = max(self.walk.now, due)
        self.living.go_on(self.walk.now)
        self._tell()

    def _arrives(self, step: Step, at: datetime) -> list[tuple[timedelta, Doing]]:
        life = self.walk.life
        self._tell()
        mail = Arrived(step.name, at, life.enrollment.because, life.enrollment, life.facts.subscriber)
        self.walk.timeline.append(Moment(at, "mail", step.name, place=len(self.walk.mails)))
        self.walk.mails.append(mail)
        return []

    def _tell(self) -> None:
        """Put what the ladder did since on the timeline. That a mail left stands there already."""
        turns = self.walk.life.turns
        left = {f"{name} left" for name in self.walk.sequence.steps}
        for at, because in turns[self.told :]:
            if because not in left:
                kind = "end" if because.startswith("ended: ") else "turn"
                self.walk.timeline.append(Moment(at, kind, because))
        self.told = len(turns)
