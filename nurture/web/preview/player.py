"""Playing the ladder on a page: a walk is the address, each act is a link to the walk with that act."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from nurture.errors import Refused, RenderError
from nurture.language.chart import GOAL
from nurture.language.graph import svg
from nurture.language.kinds import CLICKED, HOSTED, OUTSIDE
from nurture.language.sequence import ENGLISH, Goto, Split
from nurture.language.stories import story_time
from nurture.language.words import SHORT_DAYS
from nurture.mail.ask import choices_of
from nurture.rehearsal.cast import ALL, LITTLE, given
from nurture.rehearsal.comparing import when
from nurture.rehearsal.playing import SOON, WAIT, Act, Walk, play, read_act
from nurture.rehearsal.retelling import retell
from nurture.web.preview.mails import ASK, BADGES, DOORS, UNSUBSCRIBE

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from nurture.language.sequence import Sequence, Step
    from nurture.mail.message import Message
    from nurture.web.preview.desk import Desk, Shown

DAY, HOUR = "mon", "10:00"
DELAYS = ("1 minute", "1 hour", "5 hours", "1 day", "4 days")
ROLES = ((ALL, "all is known"), (LITTLE, "as little as can be"))


@dataclass(frozen=True, slots=True)
class Asked:
    """A walk as its address tells it. `after` and `stay` are how the next act is done.

    `mail` is the one looked at, None for the newest; `place`: where its link leads is looked at instead.
    """

    sequence: str
    person: str = ALL
    day: str = DAY
    hour: str = HOUR
    zone: str = ""
    arms: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    after: str = SOON
    stay: bool = False
    mail: int | None = None
    place: bool = False

    def link(self, **changes: object) -> str:
        """The address of this walk with some things changed."""
        return f"/play/{quote(self.sequence)}{self.query(**changes)}"

    def query(self, **changes: object) -> str:
        new = replace(self, **changes)  # type: ignore[arg-type]
        pairs = [("person", new.person), ("day", new.day), ("hour", new.hour), ("zone", new.zone), ("after", new.after)]
        fresh = Asked(self.sequence)
        said = [(name, value) for name, value in pairs if value != getattr(fresh, name)]
        said += [("arm", arm) for arm in new.arms] + [("do", act) for act in new.acts]
        said += [("mail", str(new.mail))] if new.mail is not None else []
        said += [(name, "1") for name in ("stay", "place") if getattr(new, name)]
        return f"?{urlencode(said, quote_via=quote, safe=':,~')}" if said else ""

    def doing(self, what: str, value: str = "") -> str:
        """The address of the walk in which this was done next."""
        act = Act(what, value) if what == WAIT else Act(what, value, self.after, self.stay)
        return self.link(acts=(*self.acts, str(act)), mail=None, place=False)


def read_asked(sequence: str, query: QueryParams) -> Asked:
    mail = query.get("mail", "")
    return Asked(
        sequence, query.get("person", ALL), query.get("day", DAY), query.get("hour", HOUR), query.get("zone", ""),
        tuple(arm for arm in query.getlist("arm") if arm), tuple(query.getlist("do")), query.get("after", SOON), "stay" in query,
        int(mail) if mail.isdecimal() else None, "place" in query,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the timeline; `link` leads to the mail, or back to where this act was not done yet."""

    kind: str
    when: str
    words: str
    link: str = ""
    open: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that can be done now."""

    words: str
    link: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Played:
    """All that the page of a walk says."""

    asked: Asked
    shown: Shown
    walk: Walk
    now: str
    lines: tuple[Line, ...]
    step: Step | None
    number: int
    message: Message | None
    failure: str
    because: str
    next: str
    answers: tuple[Choice, ...]
    others: tuple[Choice, ...]
    delays: tuple[Choice, ...]
    stopping: Choice
    splits: tuple[str, ...]
    undo: str
    story: str
    trouble: str
    ladder: str
    days: tuple[str, ...] = SHORT_DAYS
    roles: tuple[tuple[str, str], ...] = ROLES


def played(desk: Desk, shown: Shown, asked: Asked) -> Played:
    """Play the walk of this address, and all there is to say of where it stands."""
    sequence, people = shown.sequence, shown.version.project.people
    walk, trouble = _walk(desk, shown, asked)
    asked = replace(asked, acts=asked.acts[: len(walk.acts)])
    last = len(walk.mails) - 1
    number = last if asked.mail is None else min(asked.mail, last)
    mail = walk.mails[number] if walk.mails else None
    step = sequence.steps[mail.step] if mail is not None else None
    message, failure = None, ""
    if mail is not None and step is not None:
        try:
            written, failure = desk.write(shown, step.name, (mail.subscriber, mail.enrollment), DOORS)
            message = written.message
        except RenderError as error:
            failure = str(error)
    place = walk.life.enrollment
    stands = [GOAL] if place.ended == "goal" else [place.step] if not walk.over else []
    return Played(
        asked, shown, walk, when(walk.now, walk.wall), tuple(_lines(desk, shown, asked, walk, number)), step, number, message, failure,
        mail.because if mail is not None else "", _next(walk),
        tuple(_answers(asked, step)) if step is not None else (),
        tuple(_others(asked, sequence, walk, step, people.products)),
        tuple(Choice(delay, asked.link(after=delay), "on" if delay == asked.after else "") for delay in DELAYS),
        Choice("and stop there", asked.link(stay=not asked.stay), "on" if asked.stay else ""), _splits(sequence),
        asked.link(acts=asked.acts[:-1], mail=None, place=False) if asked.acts else "",
        retell(walk, zone=desk.zone), trouble, svg(sequence, here=stands, path=[one.step for one in walk.mails]),
    )  # fmt: skip


def _walk(desk: Desk, shown: Shown, asked: Asked) -> tuple[Walk, str]:
    """The walk as far as it goes, and what is wrong with its address."""
    trouble, start = "", f"{asked.day} {asked.hour}"
    try:
        story_time(start)
    except ValueError as error:
        trouble, start = str(error), f"{DAY} {HOUR}"
    acts: list[Act] = []
    try:
        acts.extend(map(read_act, asked.acts))
    except Refused as error:
        trouble = str(error)
    people = shown.version.project.people
    known = given(shown.sequence, people, asked.person, start, asked.zone or desk.zone, list(asked.arms))
    walk = play(shown.sequence, known, acts, zone=desk.zone)
    return walk, walk.stopped or trouble


def leads(asked: Asked, step: Step, door: str) -> str:
    """Where a door of a mail in the walk leads: to the walk with that act, or to the place where the act is done."""
    if door == UNSUBSCRIBE:
        return asked.doing("unsubscribed", "yes")
    if door == BADGES:
        return asked.link(place=True)
    if door.startswith(f"{ASK}/"):
        return asked.doing(step.name, door.removeprefix(f"{ASK}/"))
    if step.ask.kind in CLICKED or (step.ask.kind in HOSTED and not step.ask.answers):
        return asked.doing(step.name, "yes")
    return asked.link(place=True)


def _lines(desk: Desk, shown: Shown, asked: Asked, walk: Walk, number: int) -> Iterator[Line]:
    for one in walk.timeline:
        at = when(one.at, walk.wall)
        match one.kind:
            case "mail":
                mail = walk.mails[one.place]
                step = walk.sequence.steps[mail.step]
                subject = desk.subject(shown, step, (mail.subscriber, mail.enrollment))
                link = asked.link(mail=one.place, place=False)
                yield Line("mail", at, f"{one.words}: {subject}", link, one.place == number)
            case "act" | "wait":
                yield Line(one.kind, at, one.words, asked.link(acts=asked.acts[: one.act], mail=None, place=False))
            case _:
                yield Line(one.kind, at, one.words)


def _next(walk: Walk) -> str:
    """What comes if nothing more is done, when, and why."""
    place = walk.life.enrollment
    if place.ended is not None:
        return f"It is over: {place.ended}, because {place.because}."
    if place.due_at is None:
        return "Nothing will happen by itself."
    at = when(place.due_at, walk.wall)
    if place.phase == "asked":
        return f"Silence until {at} is a no to {place.step}."
    if place.phase == "starting":
        return f"The pass begins {at}: {place.because}."
    return f"{place.step} comes {at}: {place.because}."


def _answers(asked: Asked, step: Step) -> Iterator[Choice]:
    """What the shown mail asks for."""
    ask = step.ask
    for key, words in choices_of(ask, ENGLISH).items():
        yield Choice(words, asked.doing(step.name, str(key)), "yes")
    if not ask.answers:
        said = {
            "buy": f"Buy {ask.name}", "event": f"Do it: {ask.name}", "download": f"Take {ask.name}",
            "form": f"Fill in {ask.name}", "watch": f"Watch {ask.at_least}% of it",
        }  # fmt: skip
        yield Choice(said.get(ask.kind, ask.label or ask.words), asked.doing(step.name, "yes"), "yes")
    yield Choice("A scanner clicks", asked.doing(step.name, "machine"))


def _others(
    asked: Asked, sequence: Sequence, walk: Walk, step: Step | None, products: tuple[str, ...]
) -> Iterator[Choice]:
    """What else can happen: time, the world outside, the way out."""
    if not walk.over and walk.life.enrollment.due_at is not None:
        words = "Ignore it" if walk.life.enrollment.phase == "asked" else "Go on"
        yield Choice(words, asked.doing(WAIT), "no")
    yield Choice("Jump a day", asked.doing(WAIT, "1 day"))
    own = step.ask.name if step is not None and step.ask.kind in OUTSIDE else ""
    for what, name in dict.fromkeys(_happenings(sequence, products)):
        if name != own:
            said = {"bought": f"Buy {name}", "tag": f"Gets the tag {name}", "replied": "Write back"}.get(what, name)
            yield Choice(said, asked.doing(what, name or "yes"))
    yield Choice("Unsubscribe", asked.doing("unsubscribed", "yes"), "no")


def _happenings(sequence: Sequence, products: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What can happen outside that this sequence listens to."""
    for one in (*sequence.goal, *sequence.stop):
        if one.kind == "bought":
            yield from (("bought", name) for name in ([one.name] if one.name else products))
        elif one.kind in ("event", "tag"):
            yield one.kind, one.name
    for step in sequence.steps.values():
        if step.ask.kind in OUTSIDE:
            yield OUTSIDE[step.ask.kind], step.ask.name
    yield "replied", ""


def _splits(sequence: Sequence) -> tuple[str, ...]:
    """The targets of its lotteries, in the order of the page."""
    branches = [arm.go for step in sequence.steps.values() for arm in (*step.yes.every_arm(), *step.no.every_arm())]
    targets = [
        target.step if isinstance(target, Goto) else target.how
        for go in (sequence.start.go, *branches)
        if isinstance(go, Split)
        for target, _ in go.shares
    ]
    return tuple(dict.fromkeys(targets))
