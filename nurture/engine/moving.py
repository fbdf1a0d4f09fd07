"""Carrying out decisions: many enrollments, one transaction, set by set.

A pass hands over who is reached by what; `advance` decides; this file gathers what the decisions ask for and writes
it in a handful of statements. Kept asks and goals echo: they may start or move the same person elsewhere.
"""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from nurture.engine import listening, offering
from nurture.journey.advance import advance
from nurture.journey.branching import has_place
from nurture.journey.enrollment import Award, Drawn, End, Enrollment, Grant, Kept, Save, Send, changed
from nurture.journey.events import Event, Kind
from nurture.journey.starting import start_moment, starts
from nurture.language.theirs import ours
from nurture.store import enrollments, events, friends, messages, people, suppressions, wakeups

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.journey.enrollment import Subscriber
    from nurture.language.sequence import Step

Reached = tuple[Enrollment, "Subscriber", Event]

ECHOES = 100
"""How many echoes (a kept ask starts a sequence whose goal starts another …) one pass follows before it leaves the
rest to the next: a loop between sequences must not hold a transaction for ever."""


LOOK_AGAIN = timedelta(hours=1)
"""When to look again at someone whose step is gone: nobody is lost, and nobody blocks the queue."""


@dataclass(slots=True)
class Moves:
    """What one transaction decided, gathered before it is written."""

    enrollments: dict[int, Enrollment] = field(default_factory=dict)
    began: dict[int, Enrollment] = field(default_factory=dict)
    subscribers: dict[int, Subscriber] = field(default_factory=dict)
    changed_people: set[int] = field(default_factory=set)
    plans: dict[tuple[int, str], messages.Plan] = field(default_factory=dict)
    notes: list[events.Recorded] = field(default_factory=list)
    left: dict[int, str] = field(default_factory=dict)
    thanked: list[tuple[int, str]] = field(default_factory=list)
    echoes: deque[tuple[int, Event]] = field(default_factory=deque)
    happened: list[listening.Happened] = field(default_factory=list)
    decided: int = 0


@dataclass(frozen=True, slots=True)
class Carried:
    """What a transaction did, in numbers."""

    decided: int = 0
    planned: int = 0
    ended: int = 0


def message_id(now: datetime) -> str:
    """A new id of a message: opaque, without personal data, and rising with time so that indexes stay narrow."""
    return f"{int(now.timestamp() * 1000):011x}{secrets.token_hex(8)}"[:26]


def carry(tx: Connection, deployed: Deployed, reached: Iterable[Reached], now: datetime) -> Carried:
    """Decide for everyone reached, in order, and write what follows."""
    moves = Moves()
    for enrollment, subscriber, event in reached:
        moves.enrollments.setdefault(enrollment.id, enrollment)
        moves.subscribers.setdefault(subscriber.id, subscriber)
        _decide(moves, deployed, enrollment.id, event, now)
    _follow_echoes(tx, moves, deployed, now)
    return _write(tx, moves, deployed, now)


def happen(
    tx: Connection, deployed: Deployed, subscriber: Subscriber, happened: Iterable[Event], now: datetime
) -> Carried:
    """Something happened to a person: every enrollment of theirs hears of it, and sequences may start from it."""
    moves = Moves(subscribers={subscriber.id: subscriber})
    moves.echoes.extend((subscriber.id, event) for event in happened)
    _follow_echoes(tx, moves, deployed, now)
    return _write(tx, moves, deployed, now)


def start(
    tx: Connection, deployed: Deployed, subscribers: Iterable[Subscriber], sequence: str, now: datetime
) -> tuple[int, ...]:
    """Begin a pass of one sequence for people, by hand. Returns whom it began for."""
    chosen = {one.id: one for one in subscribers if sequence not in one.preferences.without}
    latest = enrollments.latest(tx, list(chosen), sequence)
    event = Event(Kind.STARTED, now)
    fresh = [_fresh(sequence, latest.get(who), who, event, now) for who in chosen]
    begun = enrollments.add(tx, fresh)
    moves = Moves()
    for enrollment in begun:
        moves.enrollments[enrollment.id] = enrollment
        moves.subscribers[enrollment.subscriber] = chosen[enrollment.subscriber]
        _decide(moves, deployed, enrollment.id, event, now)
    _follow_echoes(tx, moves, deployed, now)
    _write(tx, moves, deployed, now)
    return tuple(enrollment.subscriber for enrollment in begun)


def start_anew(
    tx: Connection, deployed: Deployed, person: Subscriber, sequence: str, why: str, now: datetime
) -> None:  # fmt: skip
    """Begin a pass of a sequence of one mail. What is open of an earlier one ends with this reason, and leaves no more."""
    open_ = [one for one in enrollments.every_pass(tx, person.id) if one.sequence == sequence and one.ended is None]
    ended = [
        changed(one, phase="ended", ended="removed", ended_at=now, due_at=None, because=why) for one in open_
    ]  # fmt: skip
    enrollments.save(tx, ended)
    messages.cancel(tx, dict.fromkeys((one.id for one in open_), ""), why)
    start(tx, deployed, [person], sequence, now)


def await_moments(tx: Connection, deployed: Deployed, subscribers: Iterable[Subscriber], now: datetime) -> None:
    """For sequences that start at a moment: note when it comes for these people, or that it moved."""
    sequences = [
        sequence
        for sequence in deployed.sequences.values()
        if any(happening.kind == "at" for happening in sequence.start.when)
    ]
    chosen = {subscriber.id: subscriber for subscriber in subscribers} if sequences else {}
    for sequence in sequences:
        latest = enrollments.latest(tx, list(chosen), sequence.name)
        fresh, moved = [], []
        for subscriber in chosen.values():
            last = latest.get(subscriber.id)
            when = start_moment(sequence, deployed.rules.facts(subscriber), now)
            if last is not None and last.phase == "starting":
                due_at = None if when is None else when[1]
                if due_at != last.due_at:
                    moved.append(replace(last, due_at=due_at))
            elif when is not None and (last is None or (last.ended is not None and sequence.start.again is not None)):
                begins = _fresh(sequence.name, last, subscriber.id, Event(Kind.STARTED, now), now)
                fresh.append(replace(begins, due_at=when[1], waits_for=when[0], because=f"starts {when[0]}"))
        enrollments.add(tx, fresh)
        enrollments.save(tx, moved)


def _fresh(sequence: str, last: Enrollment | None, subscriber: int, event: Event, now: datetime) -> Enrollment:
    if last is None:
        return Enrollment(0, subscriber, sequence, 1, now, data=event.data)
    # a badge is a person's for good: a later pass begins with those of the earlier ones, and gives none twice
    return Enrollment(0, subscriber, sequence, last.number + 1, now, data=event.data, awards=last.awards)


def _decide(moves: Moves, deployed: Deployed, number: int, event: Event, now: datetime) -> None:
    before = moves.enrollments[number]
    moves.began.setdefault(number, before)
    sequence = deployed.sequences.get(before.sequence)
    if sequence is None or not has_place(sequence, before):
        if before.due_at is not None and before.due_at <= now and ours(before.sequence):
            gone = changed(
                before, phase="ended", ended="removed", ended_at=now, due_at=None, because="the form is gone"
            )
            moves.enrollments[number] = gone
            moves.left[number] = ""
            moves.notes.append(_note(gone, now))
        elif before.due_at is not None and before.due_at <= now:
            why = f"held: {before.sequence} has no step {before.step} in the running version"
            moves.enrollments[number] = replace(before, due_at=now + LOOK_AGAIN, because=why)
        return
    subscriber = moves.subscribers[before.subscriber]
    after, effects = advance(sequence, before, event, deployed.rules.facts(subscriber), now)
    moves.decided += 1
    if after is before and not effects:
        return
    moves.enrollments[number] = after
    if after.step != before.step or after.phase != before.phase:
        moves.left[number] = after.step if after.phase == "asked" and after.ended is None else ""
    if after.because != before.because or after.phase != before.phase:
        moves.notes.append(_note(after, now))
    for effect in effects:
        match effect:
            case Send(step):
                plan = messages.Plan(message_id(now), after.id, subscriber.id, sequence.name, step, now, after.because)
                moves.plans[after.id, step] = plan
                if deployed.rules.gap is not None or subscriber.preferences.days_apart:
                    _knows(moves, replace(subscriber, last_mail_at=now))
            case Save(name, value):
                _knows(moves, replace(subscriber, attributes={**subscriber.attributes, name: value}))
                subscriber = moves.subscribers[subscriber.id]
            case Kept(step, value):
                detail: dict[str, object] = {"answer": value}
                moves.notes.append(_note(after, now, kind="kept", step=step, reason="", detail=detail))
                moves.echoes.append((subscriber.id, _echo("kept", f"{sequence.name}.{step}", now)))
                moves.happened.append(_told("kept", after, now, step, {**detail, **_price(sequence.steps[step])}))
            case Drawn(step, way, split, arm):
                lottery: dict[str, object] = {"way": way, "split": split}
                moves.notes.append(_note(after, now, kind="drawn", step=step, reason=arm, detail=lottery))
            case Award(name, step):
                moves.notes.append(_note(after, now, kind="awarded", step=step, reason=name))
                badge = {"badge": name, "title": sequence.badges[name].title if name in sequence.badges else name}
                moves.happened.append(_told("awarded", after, now, step, badge))
            case Grant(step, product, _, deadline):
                thanks = sequence.steps[step].ask.grants
                reason = (
                    f"{product} until {deadline:%d %b %Y %H:%M} UTC" if sequence.steps[step].offer_ends else product
                )
                if thanks:
                    moves.thanked.append((after.id, step))
                moves.notes.append(_note(after, now, kind="granted", step=step, reason=reason))
            case End(how):
                so = {"how": how, "because": after.because}
                moves.happened.append(_told("goal" if how == "goal" else "ended", after, now, before.step, so))
                if how == "goal":
                    moves.echoes.append((subscriber.id, _echo("goal", sequence.name, now)))
                if how == "unsubscribed" and event.kind is not Kind.UNSUBSCRIBED:
                    moves.echoes.append((subscriber.id, Event(Kind.UNSUBSCRIBED, now)))


def _echo(happening: str, name: str, now: datetime) -> Event:
    return Event(Kind.HAPPENED, now, happening=happening, name=name)


def _told(kind: str, place: Enrollment, now: datetime, step: str, more: Mapping[str, object]) -> listening.Happened:
    return listening.Happened(kind, now, place.subscriber, place.sequence, step, more)


def _price(step: Step) -> Mapping[str, object]:
    return {"price": step.ask.price} if step.ask.price else {}


def _knows(moves: Moves, subscriber: Subscriber) -> None:
    moves.subscribers[subscriber.id] = subscriber
    moves.changed_people.add(subscriber.id)


def _note(
    enrollment: Enrollment, now: datetime, *, kind: str = "", step: str | None = None, reason: str | None = None,
    detail: dict[str, object] | None = None,
) -> events.Recorded:  # fmt: skip
    return events.Recorded(
        kind=kind or ("ended" if enrollment.ended else enrollment.phase),
        at=now,
        received_at=now,
        enrollment=enrollment.id,
        subscriber=enrollment.subscriber,
        sequence=enrollment.sequence,
        step=enrollment.step if step is None else step,
        reason=enrollment.because if reason is None else reason,
        detail=detail or {},
    )


def _follow_echoes(tx: Connection, moves: Moves, deployed: Deployed, now: datetime) -> None:
    loaded: set[int] = set()
    for _ in range(ECHOES):
        if not moves.echoes:
            return
        who, event = moves.echoes.popleft()
        subscriber = moves.subscribers[who]
        if event.kind is Kind.UNSUBSCRIBED and subscriber.status == "active":
            _knows(moves, replace(subscriber, status="unsubscribed"))
            suppressions.bar(tx, [subscriber.email], "unsubscribed", now)
            moves.happened.append(listening.Happened("unsubscribed", now, who))
        if who not in loaded:
            loaded.add(who)
            for enrollment, _person in enrollments.of_people(tx, [who], lock=True):
                moves.enrollments.setdefault(enrollment.id, enrollment)
        for number, enrollment in list(moves.enrollments.items()):
            if enrollment.subscriber == who:
                _decide(moves, deployed, number, event, now)
        if event.kind is Kind.HAPPENED and subscriber.status == "active":
            _start_from(tx, moves, deployed, who, event, now)


def _start_from(tx: Connection, moves: Moves, deployed: Deployed, who: int, event: Event, now: datetime) -> None:
    for sequence in deployed.sequences.values():
        passes = [e for e in moves.enrollments.values() if e.subscriber == who and e.sequence == sequence.name]
        last = max(passes, key=lambda enrollment: enrollment.number, default=None)
        if not starts(sequence, event, deployed.rules.facts(moves.subscribers[who]), last, now):
            continue
        if last is not None:  # the database allows one open pass a person; what ended in this transaction comes first
            enrollments.save(tx, [last])
        for enrollment in enrollments.add(tx, [_fresh(sequence.name, last, who, event, now)]):
            moves.enrollments[enrollment.id] = enrollment
            begins = replace(event, kind=Kind.STARTED)
            _decide(moves, deployed, enrollment.id, begins, now)


def _write(tx: Connection, moves: Moves, deployed: Deployed, now: datetime) -> Carried:
    plans = [
        plan
        for (number, step), plan in moves.plans.items()
        if moves.enrollments[number].step == step and moves.enrollments[number].ended is None
    ]
    if moves.thanked:
        offering.grant(tx, deployed, moves.thanked, moves.enrollments, now)
    made = offering.make(tx, deployed, plans, moves.enrollments, now)
    _hold(moves, made.held, now)
    enrollments.save(tx, moves.enrollments.values())
    if moves.left:
        messages.cancel(tx, moves.left, "the person moved on")
    friends.give_links(tx, {(plan.subscriber, plan.sequence) for plan in made.plans if _refers(deployed, plan)})
    planned = set(messages.plan(tx, made.plans, now).values())
    enrollments.save(tx, [_unmailed(moves, plan, now) for plan in made.plans if plan.enrollment not in planned])
    if planned:
        wakeups.want(tx, "send")
    if any(place.due_at is not None and place.due_at <= now for place in moves.enrollments.values()):
        wakeups.want(tx, "tick")
    people.update(tx, [moves.subscribers[who] for who in sorted(moves.changed_people)])
    events.record(tx, moves.notes)
    if did := {note.subscriber for note in moves.notes if note.kind == "kept" and not ours(note.sequence)}:
        friends.engage(tx, [who for who in did if who is not None], now)
    if deployed.rules.listeners:
        emails = {who: person.email for who, person in moves.subscribers.items()}
        listening.tell(tx, deployed.rules.listeners, moves.happened, emails, now)
    ended = sum(1 for note in moves.notes if note.kind == "ended")
    return Carried(moves.decided, len(planned), ended)


def _refers(deployed: Deployed, plan: messages.Plan) -> bool:
    return deployed.sequences[plan.sequence].steps[plan.step].ask.kind == "refer"


def _hold(moves: Moves, held: Mapping[int, Enrollment], now: datetime) -> None:
    """They wait for their mail as before; what was noted of its leaving is not so. A reason is noted once."""
    if not held:
        return
    moves.notes = [note for note in moves.notes if note.enrollment not in held or note.kind not in ("asked", "granted")]
    for number, place in held.items():
        if place.because != moves.began.get(number, place).because:
            moves.notes.append(_note(place, now))
        moves.enrollments[number] = place


def _unmailed(moves: Moves, plan: messages.Plan, now: datetime) -> Enrollment:
    """Their pass had that step's mail before, or an attempt at it: nobody is left waiting for it to leave."""
    why = f"{plan.step} was mailed or given up before, so not again"
    return replace(moves.enrollments[plan.enrollment], due_at=now + LOOK_AGAIN, because=why)
