"""What someone who runs the engine does to one person's place, by hand and with a reason: put off, move, skip, end.

Nothing is decided here that `advance` decides: the place is changed and the engine's next turn goes on from there.
Each act stands in the person's own story with its reason, and in the audit log without a name.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from nurture.engine.deploy import deciding
from nurture.errors import Refused
from nurture.journey.branching import Case, end
from nurture.language.problems import or_one_of
from nurture.store import audit, enrollments, events, messages
from nurture.store.audit import Entry

if TYPE_CHECKING:
    from nurture.engine.deploy import Deployed
    from nurture.journey.enrollment import Enrollment, Subscriber
    from nurture.language.sequence import Sequence
    from nurture.store.database import Store

Act = Literal["pause", "move", "skip", "end"]
ACTS: dict[str, Act] = {"pause": "pause", "move": "move", "skip": "skip", "end": "end"}
DONE = {"pause": "put off", "move": "moved", "skip": "wait skipped", "end": "ended"}
LONGEST = timedelta(days=366)


def by_hand(
    store: Store, deployed: Deployed, person: int, place: int, act: Act, *, reason: str, by: str, now: datetime, step: str = "",
    days: int = 0,
) -> None:  # fmt: skip
    """Do it. Raises Refused with the reason when it cannot be done to this place."""
    if not reason.strip():
        raise Refused("say why, for whoever wonders later")
    with deciding(store, deployed) as tx:
        found = enrollments.by_ids(tx, [place], lock=True)
        if not found or found[0][1].id != person:
            raise Refused("this place is gone")
        before, subscriber = found[0]
        sequence = deployed.sequences.get(before.sequence)
        if before.ended is not None or sequence is None:
            raise Refused("this pass is over; nothing can be done to it")
        mailed = {row.step: row for row in messages.of_subscriber(tx, subscriber.id) if row.enrollment == place}
        why = f"{DONE[act]} by hand: {reason.strip()[:500]}"
        match act:
            case "pause":
                after = _put_off(before, days, now, why)
            case "move":
                after = _moved(sequence, before, step, frozenset(mailed), now, why)
            case "skip":
                after = _skipped(before, now, why)
            case "end":
                after = _ended(deployed, sequence, before, subscriber, now, why)
        enrollments.save(tx, [after])
        if act in ("move", "end"):
            messages.cancel(tx, {place: ""}, why)
        kind = "ended" if after.ended else "moved"
        noted = events.Recorded(
            kind, now, now, enrollment=place, subscriber=subscriber.id, sequence=sequence.name, step=after.step,
            reason=why, detail={"by": by, "was": f"{before.phase} {before.step}".strip()},
        )  # fmt: skip
        events.record(tx, [noted])
        target = f"person {subscriber.id}, {sequence.name}"
        audit.record(tx, Entry(now, by, f"person {DONE[act]}", target, reason.strip()[:500], {"step": after.step}))


def _put_off(before: Enrollment, days: int, now: datetime, why: str) -> Enrollment:
    until = now + timedelta(days=days)
    if not timedelta(0) < timedelta(days=days) <= LONGEST:
        raise Refused(f"one can put off by 1 to {LONGEST.days} days")
    if before.due_at is None:
        raise Refused("its mail is on its way; wait until it has left")
    return replace(before, due_at=max(before.due_at, until), because=why)


def _moved(
    sequence: Sequence, before: Enrollment, step: str, mailed: frozenset[str], now: datetime, why: str
) -> Enrollment:
    if step not in sequence.steps:
        raise Refused(f"{sequence.name} has no step '{step}'{or_one_of(step, sequence.steps)}")
    if step in mailed:
        raise Refused(f"{step} was mailed to them, or is about to be; no mail goes out twice")
    return replace(
        before, phase="waiting", step=step, due_at=now, waits_for="", fixed=False, led_by="", judging_until=None,
        because=f"{why} → {step}",
    )  # fmt: skip


def _skipped(before: Enrollment, now: datetime, why: str) -> Enrollment:
    if before.due_at is None:
        raise Refused("there is no wait to skip: its mail is on its way")
    return replace(before, due_at=min(before.due_at, now), waits_for="", because=why)


def _ended(
    deployed: Deployed, sequence: Sequence, before: Enrollment, subscriber: Subscriber, now: datetime, why: str
) -> Enrollment:
    after, _ = end(Case(sequence, deployed.rules.facts(subscriber), now), before, "removed", why)
    return after
