"""What people ask for on their own page: a pause, fewer mails, nothing of this sequence. Their wish goes before ours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from nurture.engine import handing
from nurture.engine.deploy import deciding
from nurture.errors import Refused
from nurture.journey.advance import PAUSED
from nurture.journey.branching import Case, end
from nurture.journey.enrollment import Preferences
from nurture.language.sequence import ENGLISH
from nurture.language.theirs import THEIRS
from nurture.store import audit, enrollments, events, messages, people, wakeups
from nurture.store.audit import Entry

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.journey.enrollment import Subscriber
    from nurture.store.database import Store

Choice = Literal["week", "month", "on", "fewer", "usual", "without", "copy", "erase"]
CHOICES: dict[str, Choice] = {
    "week": "week", "month": "month", "on": "on", "fewer": "fewer", "usual": "usual", "without": "without",
    "copy": "copy", "erase": "erase",
}  # fmt: skip
PAUSES = {"week": timedelta(days=7), "month": timedelta(days=30)}
FEWER = 7
"""Days between two mails to someone who asked for fewer."""


@dataclass(frozen=True, slots=True)
class Page:
    """What the page of one person shows. `inside`: whether they are in the sequence that brought them here.

    `mailed` are the wishes for which a mail went to their own address lately, `waits` those that somebody must see to.
    """

    sequence: str
    inside: bool
    preferences: Preferences
    active: bool
    language: str
    zone: str
    mailed: frozenset[str]
    waits: frozenset[str]


def page(store: Store, deployed: Deployed, message: str, now: datetime) -> Page | None:
    """What holds for the person this mail went to; None when no such mail is known, or they were erased."""
    with store.read() as tx:
        found = _whose(tx, message, lock=False)
        if found is None:
            return None
        person, name = found
        every = enrollments.every_pass(tx, person.id)
        places = [place for place in every if place.sequence == name]
        reached = handing.reaches(tx, deployed, person)
    sequence = deployed.sequences.get(name)
    sequence = None if sequence is None else sequence.in_language(person.attributes.get("language"))
    preferences = person.preferences
    if preferences.paused_until is not None and preferences.paused_until <= now:
        preferences = replace(preferences, paused_until=None)
    return Page(
        sequence=name if sequence is None else sequence.title or name,
        inside=any(place.ended is None for place in places) and name not in preferences.without,
        preferences=preferences,
        active=person.status == "active",
        language=ENGLISH if sequence is None else sequence.language,
        zone=str(person.attributes.get("timezone") or deployed.rules.zone),
        mailed=frozenset(what for what in THEIRS if reached and handing.lately(every, what, now)),
        waits=frozenset() if reached else preferences.asks,
    )


def _whose(tx: Connection, message: str, *, lock: bool) -> tuple[Subscriber, str] | None:
    row = messages.by_ids(tx, [message]).get(message)
    if row is None:
        return None
    if lock:
        enrollments.of_people(tx, [row.subscriber], lock=True)
    person = people.lock(tx, row.subscriber) if lock else people.by_ids(tx, [row.subscriber])[row.subscriber]
    return None if person.status == people.ERASED else (person, row.sequence)


def prefer(store: Store, deployed: Deployed, message: str, wanted: str, now: datetime) -> bool:
    """Do what the person this mail went to asks for; False when no such mail is known. Doing it twice is harmless."""
    what = CHOICES.get(wanted)
    if what is None:
        raise Refused(f"'{wanted}' is nothing one can ask for here")
    with deciding(store, deployed) as tx:
        found = _whose(tx, message, lock=True)
        if found is None:
            return False
        person, sequence = found
        before = person.preferences
        match what:
            case "week" | "month":
                after = _pause(tx, person, now + PAUSES[what])
            case "on":
                after = _go_on(tx, person, now)
            case "fewer":
                after = replace(before, days_apart=FEWER)
            case "usual":
                after = replace(before, days_apart=0)
            case "without":
                after = _leave(tx, deployed, person, sequence, now)
            case "copy" | "erase" if handing.reaches(tx, deployed, person):
                handing.ask(tx, deployed, person, what, now)
                after = before
            case "copy" | "erase":  # no mail may go to them, so somebody must find out whether it was they
                after = replace(before, asks=before.asks | {what})
        people.prefer(tx, person.id, after)
        people.seen(tx, {person.id: now})
        note = events.Recorded(
            kind="wished", at=now, received_at=now, subscriber=person.id, sequence=sequence, reason=_words(what, after)
        )
        events.record(tx, [note])
    return True


def seen_to(store: Store, email: str, what: str, *, reason: str, by: str, now: datetime) -> None:
    """Somebody saw to what a person asked for, or found that it was not they. Raises Refused where nothing waits."""
    if not reason.strip():
        raise Refused("say why, for whoever wonders later")
    if email in reason.lower():
        raise Refused("the reason is kept in the audit log: say it without the address")
    with store.write() as tx:
        known = people.by_email(tx, email)
        if known is not None:
            enrollments.of_people(tx, [known.id], lock=True)
        person = None if known is None else people.lock(tx, known.id)
        if person is None or what not in person.preferences.asks:
            raise Refused("nothing of the kind waits for them")
        number = person.id
        people.prefer(tx, number, replace(person.preferences, asks=person.preferences.asks - {what}))
        why = f"{_ASKED[what]}; seen to by hand: {reason.strip()[:500]}"
        events.record(tx, [events.Recorded("wished", now, now, subscriber=number, reason=why, detail={"by": by})])
        audit.record(tx, Entry(now, by, "person seen to", f"person {number}, {what}", reason.strip()[:500]))


_ASKED = {"copy": "asked for a copy of what is known of them", "erase": "asked to be erased"}


def _words(what: Choice, after: Preferences) -> str:
    until = after.paused_until
    return {
        "on": "ended their pause",
        "fewer": f"asked for no more than one mail in {FEWER} days",
        "usual": "asked for mail as usual again",
        "without": "asked for nothing more of this sequence",
        **_ASKED,
    }.get(what, "" if until is None else f"{PAUSED} {until:%d %b %Y %H:%M} UTC")


def _pause(tx: Connection, person: Subscriber, until: datetime) -> Preferences:
    messages.put_off(tx, person.id, until, f"{PAUSED} {until:%d %b %Y %H:%M} UTC")
    _held_until(tx, person, until)
    return replace(person.preferences, paused_until=until)


def _go_on(tx: Connection, person: Subscriber, now: datetime) -> Preferences:
    """What only the pause held is due now; a wait that is not over goes on."""
    until = person.preferences.paused_until
    if until is None or until <= now:
        return replace(person.preferences, paused_until=None)
    messages.put_off(tx, person.id, now, "they ended their pause", where=PAUSED)
    _held_until(tx, person, now)
    wakeups.want(tx, "tick", "send")
    return replace(person.preferences, paused_until=None)


def _held_until(tx: Connection, person: Subscriber, moment: datetime) -> None:
    """Mail that a pause holds already is looked at then."""
    held = [
        replace(place, due_at=moment)
        for place in enrollments.every_pass(tx, person.id)
        if place.phase == "waiting" and place.due_at is not None and PAUSED in place.because
    ]
    enrollments.save(tx, held)


def _leave(tx: Connection, deployed: Deployed, person: Subscriber, name: str, now: datetime) -> Preferences:
    why = "they asked for nothing more of this sequence"
    sequence = deployed.sequences.get(name)
    inside = [p for p in enrollments.every_pass(tx, person.id) if p.sequence == name and p.ended is None]
    if sequence is not None:
        case = Case(sequence, deployed.rules.facts(person), now)
        enrollments.save(tx, [end(case, place, "removed", why)[0] for place in inside])
    messages.cancel(tx, {place.id: "" for place in inside}, why)
    return replace(person.preferences, without=person.preferences.without | {name})
