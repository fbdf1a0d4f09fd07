"""What the pages of an invitation show: to a friend, to whoever invites, and to all on the leaderboard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from nurture.journey import timing
from nurture.journey.enrollment import Ranked
from nurture.language.sequence import AtInstant
from nurture.mail.phrases import in_words
from nurture.store import friends, messages, people

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.journey.enrollment import Invited, Subscriber
    from nurture.language.sequence import Moment, Sequence, SignUp
    from nurture.store.database import Store

SHOWN = 50
LONGEST_NAME = 40
FIRST = 5
MINUTE = 60


@dataclass(frozen=True, slots=True)
class Landing:
    """What a friend sees: the form they may fill in, and who thought of them ("" when that is not to be said)."""

    form: SignUp
    by: str
    link: str


@dataclass(frozen=True, slots=True)
class Visitor:
    """A friend on the page of whoever brought them. `state` is counts, waits or not_counted."""

    who: str
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class Inviting:
    """A person's own page of an ask for friends."""

    link: str
    name: str
    confirmed: int
    wanted: int
    visitors: tuple[Visitor, ...]
    sequence: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A line of the leaderboard. Who has as many has the same place. `link` says whose it is, and is shown to nobody."""

    place: int
    who: str
    friends: int
    link: str


@dataclass(frozen=True, slots=True)
class Board:
    title: str
    language: str
    lines: tuple[Standing, ...]
    until: str

    @property
    def document(self) -> dict[str, object]:
        """The twin for programs, in the shape `nurture.leaderboard/1`."""
        lines = [{"place": one.place, "who": one.who, "friends": one.friends} for one in self.lines]
        return {"format": "nurture.leaderboard/1", "title": self.title, "lines": lines, "until": self.until or None}


def landing(store: Store, deployed: Deployed, link: str) -> Landing | None:
    """Where a link for friends leads; None when it is unknown, or its form or its ask is gone."""
    with store.read() as tx:
        referral = friends.by_id(tx, link)
    sequence = None if referral is None else deployed.sequences.get(referral.sequence)
    if referral is None or sequence is None:
        return None
    named = [step.ask.signup for step in sequence.steps.values() if step.ask.kind == "refer"]
    form = deployed.project.people.signups.get(named[0]) if named else None
    return None if form is None else Landing(form, referral.name, referral.id)


def inviting(store: Store, deployed: Deployed, message: str) -> Inviting | None:
    """The own page of whoever got this mail."""
    with store.read() as tx:
        row = messages.by_ids(tx, [message]).get(message)
        sequence = None if row is None else deployed.sequences.get(row.sequence)
        if row is None or sequence is None or row.step not in sequence.steps:
            return None
        referral = friends.of_people(tx, [row.subscriber]).get((row.subscriber, row.sequence))
        if referral is None:
            return None
        came = friends.of_link(tx, referral.id)
        known = people.by_ids(tx, [one.subscriber for one in came])
        confirmed = sum(1 for one in came if one.counted_at is not None)
    visitors = tuple(_visitor(one, known[one.subscriber]) for one in came)
    wanted = sequence.steps[row.step].ask.friends
    return Inviting(referral.id, referral.name, confirmed, wanted, visitors, sequence.name)


def _visitor(one: friends.Friend, who: Subscriber) -> Visitor:
    state = "not_counted" if one.refused else "counts" if one.counted_at is not None else "waits"
    return Visitor(initial(who), state, one.refused)


def initial(person: Subscriber) -> str:
    """As little of a name as tells two people apart: its first letter."""
    if person.status == people.ERASED:
        return "*"
    letters = [sign for sign in str(person.attributes.get("first_name") or person.email) if sign.isalpha()]
    return f"{letters[0].upper()}." if letters else "*"


def rename(store: Store, link: str, name: str) -> None:
    """What this person wants to be called in public; "" for their initial alone. One line of what can be seen."""
    seen = " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())
    with store.write() as tx:
        friends.rename(tx, link, seen[:LONGEST_NAME])


def board(store: Store, deployed: Deployed, name: str) -> Board | None:
    """The leaderboard of a sequence that asks for friends; None when there is no such sequence."""
    sequence = deployed.project.sequences.get(name)
    if sequence is None or all(step.ask.kind != "refer" for step in sequence.steps.values()):
        return None
    zone = timing.zone("", deployed.rules.zone)
    since, until = (instant(one, zone) for one in sequence.challenge)
    with store.read() as tx:
        lines = standings(tx, sequence, since, until)
    return Board(
        sequence.title, sequence.language, tuple(lines[:SHOWN]),
        "" if until is None else in_words(until, zone, sequence.language),
    )  # fmt: skip


class Boards:
    """The leaderboards that mails show, counted once a minute for all of them."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], tuple[float, list[Standing]]] = {}

    def shown(self, store: Store, deployed: Deployed, name: str, step: str, invited: Invited) -> Invited:
        """With the first five, and their own place, where the mail of this step shows it."""
        sequence = deployed.sequences[name]
        if not any(
            _prints_board(deployed, one.steps[step].template) for one in (sequence, *sequence.languages.values())
        ):
            return invited
        lines = self._lines(store, deployed, sequence)
        own = [one for one in lines if one.link == invited.link]
        first = lines[:FIRST]
        chosen = dict.fromkeys((*first, *own))
        ranked = tuple(Ranked(one.place, one.who, one.friends, own=one in own) for one in chosen)
        return replace(invited, board=ranked)

    def _lines(self, store: Store, deployed: Deployed, sequence: Sequence) -> list[Standing]:
        key = (deployed.id, sequence.name)
        at, lines = self._known.get(key, (-MINUTE, []))
        if monotonic() - at < MINUTE:
            return lines
        zone = timing.zone("", deployed.rules.zone)
        since, until = (instant(one, zone) for one in sequence.challenge)
        with store.read() as tx:
            lines = standings(tx, sequence, since, until)
        self._known = {
            **{old: kept for old, kept in self._known.items() if old[0] == deployed.id},
            key: (monotonic(), lines),
        }
        return lines


def _prints_board(deployed: Deployed, template: str) -> bool:
    return "leaderboard(" in deployed.project.templates.get(template, "")


def instant(moment: Moment | None, zone: ZoneInfo) -> datetime | None:
    """When a day or moment of the calendar is, in its own zone or the project's."""
    if moment is None or not isinstance(moment.point, AtInstant):
        return None
    point = moment.point
    return timing.at_wall(
        point.local.date(), point.local.time(), zone if point.zone is None else timing.zone(point.zone, "UTC")
    )


def standings(tx: Connection, sequence: Sequence, since: datetime | None, until: datetime | None) -> list[Standing]:
    """Everyone who brought somebody, most friends first; of equals, who has been here longest stands first."""
    brought = friends.standing(tx, sequence.name, since, until)
    links = {one.id: one for one in friends.by_links(tx, list(brought))}
    known = people.by_ids(tx, sorted({one.subscriber for one in links.values()}))
    active = [one for one in links.values() if known[one.subscriber].status == "active"]
    active.sort(key=lambda one: (-brought[one.id], one.subscriber))
    lines: list[Standing] = []
    for number, one in enumerate(active, 1):
        many = brought[one.id]
        place = lines[-1].place if lines and lines[-1].friends == many else number
        lines.append(Standing(place, one.name or initial(known[one.subscriber]), many, one.id))
    return lines
