"""Why someone stands where they stand: each decision with its reason, what comes next, when, and why not sooner."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nurture.engine.show import person
from nurture.journey.branching import Case
from nurture.journey.ledger import LEFT, State
from nurture.journey.patience import patience
from nurture.language.chart import GOAL, chart
from nurture.store import enrollments, messages, pauses, people

if TYPE_CHECKING:
    from nurture.engine.deploy import Deployed
    from nurture.journey.enrollment import Enrollment, Subscriber
    from nurture.language.chart import Edge
    from nurture.language.sequence import Sequence
    from nurture.store.database import Store

DECISIONS = frozenset({"starting", "waiting", "asked", "ended", "kept", "granted", "awarded", "moved"})
"""Entries of the log that we wrote ourselves; all others came from outside."""


HELD = re.compile(r"→ \S+ \((.+)\)$|^\S+ is held: (.+)$")
"""Where a decision says what holds the mail it led to: a window, a gap."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the answer is made from."""

    deployed: Deployed
    subscriber: Subscriber
    barred: bool
    mail: dict[tuple[int, str], messages.Row]
    pauses: list[pauses.Held]
    now: datetime


def why(store: Store, deployed: Deployed, email: str, now: datetime) -> dict[str, Any] | None:
    """A person's story with its reasons, in the shape `nurture.why/1`; None when nobody has this address."""
    story = person(store, email)
    if story is None:
        return None
    with store.read() as tx:
        subscriber = people.by_email(tx, email)
        if subscriber is None:
            return None
        places = enrollments.every_pass(tx, subscriber.id)
        rows = messages.of_subscriber(tx, subscriber.id)
        held = pauses.every(tx)
    mail = {(row.enrollment, row.step): row for row in rows}
    seen = _Seen(deployed, subscriber, story["suppressed"] is not None, mail, held, now)
    return {
        **story,
        "format": "nurture.why/1",
        "id": subscriber.id,
        "joined_at": _iso(subscriber.joined_at),
        "last_seen_at": _iso(subscriber.last_seen_at),
        "last_mail_at": _iso(subscriber.last_mail_at),
        "places": [_place(seen, place) for place in reversed(places)],
    }


def _place(seen: _Seen, place: Enrollment) -> dict[str, Any]:
    sequence = seen.deployed.sequences.get(place.sequence)
    return {
        "id": place.id,
        "sequence": place.sequence,
        "title": place.sequence if sequence is None else sequence.title or sequence.name,
        "pass": place.number,
        "phase": place.phase,
        "step": place.step,
        "started_at": _iso(place.started_at),
        "ended": place.ended,
        "ended_at": _iso(place.ended_at),
        "because": _came(seen, place),
        "asked": list(place.asked),
        "answers": {root: kept.value for root, kept in place.answers.items()},
        "badges": _badges(sequence, place),
        "offers": {root: _iso(at) for root, at in place.offers.items()},
        "data": dict(place.data),
        "next": _next(seen, sequence, place),
    }


def _badges(sequence: Sequence | None, place: Enrollment) -> list[dict[str, str | None]]:
    """What they were given, the first first, by the title it has now or, where it is gone, by its name."""
    titles = {} if sequence is None else {one.name: one.title for one in sequence.badges.values()}
    return [{"badge": name, "title": titles.get(name, name), "at": _iso(at)} for name, at in place.awards.items()]


def _came(seen: _Seen, place: Enrollment) -> str:
    """What led them to their step; once its mail has left, the mail remembers."""
    row = seen.mail.get((place.id, place.step))
    return (
        row.reason if place.phase == "asked" and row is not None and row.state in LEFT and row.reason else place.because
    )


# --- what comes next


def _next(seen: _Seen, sequence: Sequence | None, place: Enrollment) -> dict[str, Any]:
    """`what` comes, `at` which moment (None: unknown), `unless` something else happens, and `why_not_sooner`."""
    if place.ended is not None:
        return _told(f"nothing: {_how(place)}")
    if sequence is None:
        return _told(f"nothing while {place.sequence} is not in the running version", place.due_at)
    if seen.barred or seen.subscriber.status != "active":
        return _told("no more mail: this address is barred")
    match place.phase:
        case "starting":
            return _told(f"{sequence.name} begins", place.due_at, _waits(seen, place))
        case "waiting":
            step = sequence.steps.get(place.step)
            what = f"the mail {place.step}: {step.ask.words or step.ask.label}" if step is not None else "the end"
            return _told(what, place.due_at, _waits(seen, place))
    return _after_the_mail(seen, sequence, place)


def _after_the_mail(seen: _Seen, sequence: Sequence, place: Enrollment) -> dict[str, Any]:
    """They were mailed, or are about to be: what a yes leads to, and what silence."""
    row = seen.mail.get((place.id, place.step))
    if place.due_at is None:
        return _told(f"the mail {place.step} leaves", None if row is None else row.due_at, _in_flight(seen, place, row))
    edges = [edge for edge in chart(sequence).edges if edge.source == place.step]
    yes = [_leads(edge) for edge in edges if edge.way == "yes"]
    no = [_leads(edge) for edge in edges if edge.way == "no"]
    step = sequence.steps.get(place.step)
    since = place.last_mail_at
    given = ""
    if step is not None and since is not None:
        case = Case(sequence, seen.deployed.rules.facts(seen.subscriber), seen.now)
        length = f"{step.within} to answer" if step.within else "until its moment to answer"
        over = patience(case, place, step, since)
        given = f"{place.step} left {_at(since)} and gives {length}, until {_at(over)}"
    why_not = [given] if given else []
    return {
        **_told(
            f"silence counts as a no, and leads to {' or '.join(no) or 'the end'}",
            place.due_at,
            why_not + _judged(seen, place),
        ),
        "unless": f"a yes to {place.step} leads to {' or '.join(yes) or 'the end'}",
    }


def _waits(seen: _Seen, place: Enrollment) -> list[str]:
    """Everything that holds a wait, the last reason of the decision itself first."""
    found = []
    if place.due_at is not None and place.due_at > seen.now:
        ends = f"the wait ends {_at(place.due_at)}{f', at {place.waits_for}' if place.waits_for else ''}"
        held = HELD.search(place.because)
        found.append(ends if held is None else f"{ends}: {held[1] or held[2]}")
    elif place.due_at is not None:
        found.append("nothing holds it; it goes with the engine's next turn")
    return found + _judged(seen, place) + _paused(seen, place.sequence)


def _judged(seen: _Seen, place: Enrollment) -> list[str]:
    if place.judging_until is None or place.judging_until <= seen.now:
        return []
    return [f"a click is being judged until {_at(place.judging_until)}"]


def _paused(seen: _Seen, sequence: str) -> list[str]:
    return [
        f"mail of {'every sequence' if row.name in pauses.EVERYTHING else row.name} is held since {_at(row.since)}{row.because and f': {row.because}'}"
        for row in seen.pauses
        if row.name in {sequence, *pauses.EVERYTHING}
    ]


def _in_flight(seen: _Seen, place: Enrollment, row: messages.Row | None) -> list[str]:
    if row is None:
        return ["its mail is not planned yet"]
    said = {
        State.PLANNED: f"it is planned{f' for {_at(row.due_at)}' if row.due_at else ''}",
        State.CLAIMED: "it is being written",
        State.SENDING: "it is being handed to the provider",
        State.UNKNOWN: "nobody knows whether it left; evidence is awaited",
    }.get(row.state, f"it is {row.state.value}")
    return [f"{said}{row.reason and f' ({row.reason})'}", *_paused(seen, place.sequence)]


def _leads(edge: Edge) -> str:
    cases = f" ({'; '.join(edge.cases)})" if edge.cases else ""
    return f"{'the goal' if edge.target == GOAL else edge.target}{cases}"


def _told(what: str, at: datetime | None = None, why_not: list[str] | None = None) -> dict[str, Any]:
    return {"what": what, "at": _iso(at), "unless": "", "why_not_sooner": why_not or []}


def _how(place: Enrollment) -> str:
    ended = place.ended_at
    return f"it ended as {place.ended}{'' if ended is None else f' {_at(ended)}'}, because {place.because or 'it was over'}"


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%d %b %Y %H:%M} UTC"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
