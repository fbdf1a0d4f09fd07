"""Erasing a person: what is known of them goes from every table, in one transaction; what was counted stays true.

What stays is a number with its passes, mails and moments, and of the address a keyed digest that bars it. What is
reported of them later is "erased": recorded without its words, it moves nobody and is no fault.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nurture.engine.addresses import normalise
from nurture.engine.deploy import deciding
from nurture.errors import Refused
from nurture.journey.enrollment import Answer
from nurture.store import answers, audit, enrollments, erasing, friends, notices, people, signups, suppressions
from nurture.store.audit import Entry

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.journey.enrollment import Enrollment
    from nurture.language.sequence import Sequence
    from nurture.store.database import Store

WHY = "erased"
"""The reason that stands with all that is left."""

DECLARED = frozenset({"bought", "event", "tag", "awarded"})
"""Entries whose reason is a word of people.yaml or of a sequence."""

CURRENCY = re.compile(r"[A-Za-z]{3}")


@dataclass(frozen=True, slots=True)
class Erased:
    """What went, in numbers. `id` is what stays of the person."""

    id: int
    passes: int
    mails: int
    events: int
    offers: int
    reports: int = 0

    @property
    def document(self) -> dict[str, object]:
        """For programs: `nurture.erased/1`."""
        return {
            "format": "nurture.erased/1", "id": self.id, "passes": self.passes, "mails": self.mails,
            "events": self.events, "offers": self.offers, "reports": self.reports,
        }  # fmt: skip


def about(store: Store, email: str) -> Erased | None:
    """What erasing this person would take away; None when nobody has this address."""
    with store.read() as tx:
        person = people.by_email(tx, normalise(email))
        return None if person is None else _counted(tx, person.id)


def _counted(tx: Connection, subscriber: int) -> Erased:
    held = erasing.held(tx, subscriber)
    return Erased(subscriber, held.passes, held.mails, held.events, held.offers)


def erase(
    store: Store, deployed: Deployed, email: str, now: datetime, *, by: str, reason: str = ""
) -> Erased | None:  # fmt: skip
    """Erase the person with this address; None when nobody has it. Afterwards nothing of theirs begins to leave.

    The audit log keeps who did it and which number it was. A reason is kept there as it is given, so it must name nobody:
    Refused when it holds the address.
    """
    address = normalise(email)
    if address in reason.lower():
        raise Refused("the reason is kept in the audit log: say it without the address")
    named = _reports_naming(store, address)
    with deciding(store, deployed) as tx:
        person = people.by_email(tx, address)
        if person is None:
            return None
        enrollments.of_people(tx, [person.id], lock=True)
        people.lock(tx, person.id)
        found = _counted(tx, person.id)
        places = enrollments.every_pass(tx, person.id)
        enrollments.save(tx, [_left(place, deployed.sequences.get(place.sequence), now) for place in places])
        mailed = erasing.handed_over(tx, person.id)
        erasing.mails(tx, person.id)
        erasing.grants(tx, person.id)
        _rewrite(tx, deployed, person.id)
        answers.erase(tx, person.id, _choices(deployed, answers.of_subscriber(tx, person.id)))
        notices.forget_person(tx, person.id)
        signups.erase(tx, person.id)
        friends.erase(tx, person.id)
        reports = erasing.traces(tx, address, mailed, named)
        erasing.person(tx, person.id)
        suppressions.erase(tx, address, now)
        audit.erase(tx, [f"person {person.id}", *mailed], f"person {person.id},")
        audit.record(tx, Entry(now, by, "person erased", f"number {person.id}", reason.strip()[:500]))
    store.leave_no_traces(address)
    return replace(found, reports=reports)


def _reports_naming(store: Store, address: str) -> erasing.Naming:
    """Read before anything is locked: there may be millions."""
    with store.read() as tx:
        person = people.by_email(tx, address)
        return erasing.Naming() if person is None else erasing.naming(tx, address, erasing.handed_over(tx, person.id))


def _left(place: Enrollment, sequence: Sequence | None, now: datetime) -> Enrollment:
    """A pass as it is counted: which steps, which of the answers that the author wrote, how and when it ended."""
    return replace(
        place, phase="ended", due_at=None, judging_until=None, waits_for="", fixed=False, data={}, because=WHY,
        ended=place.ended or "removed", ended_at=place.ended_at or now,
        answers={root: _counts(sequence, root, answer) for root, answer in place.answers.items()},
    )  # fmt: skip


def _counts(sequence: Sequence | None, root: str, answer: Answer) -> Answer:
    return answer if _offered(sequence, root, answer.value) else replace(answer, value="yes")


def _offered(sequence: Sequence | None, step: str, value: object) -> bool:
    """Whether the author wrote this answer, so that it is nobody's own words."""
    if sequence is None or step not in sequence.steps:
        return value == "yes"
    return value == "yes" or value in sequence.steps[step].ask.answers


def _choices(deployed: Deployed, said: list[answers.Said]) -> set[tuple[str, str, str]]:
    """Which of these answers an author offered; a number is kept as its text."""
    found = set()
    for one in said:
        sequence = deployed.sequences.get(one.sequence)
        offered = sequence.steps[one.step].ask.answers if sequence and one.step in sequence.steps else {}
        if one.value in {"yes", *map(str, offered)}:
            found.add((one.sequence, one.step, one.value))
    return found


def _rewrite(tx: Connection, deployed: Deployed, subscriber: int) -> None:
    erasing.rewrite(tx, [_without_words(deployed, row) for row in erasing.happened(tx, subscriber)])


def _without_words(deployed: Deployed, row: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of the log as it is counted: nothing in it that they or anyone said of them."""
    sequence, kind, detail = deployed.sequences.get(row["sequence"]), row["kind"], row["detail"]
    answer = row["answer"] if _offered(sequence, row["step"], row["answer"]) else None
    reason, kept = WHY, {}
    if kind in DECLARED:
        reason = row["reason"]
    if kind == "drawn":
        reason, kept = row["reason"], detail
    elif kind == "bought":
        kept = _paid(detail)
    elif kind == "kept" and _offered(sequence, row["step"], detail.get("answer")):
        kept = {"answer": detail.get("answer")}
    return {"id": row["id"], "answer": answer, "reason": reason, "detail": kept}


def _paid(detail: Mapping[str, object]) -> dict[str, object]:
    """What a purchase brought, for what is earned: a number and three letters, not whatever a shop writes there."""
    amount, currency = detail.get("amount"), detail.get("currency")
    if isinstance(amount, str):
        try:
            amount = float(amount)
        except ValueError:
            amount = None
    kept: dict[str, object] = {}
    if isinstance(amount, int | float) and not isinstance(amount, bool):
        kept["amount"] = amount
        if isinstance(currency, str) and CURRENCY.fullmatch(currency):
            kept["currency"] = currency
    return kept
