"""What is theirs, handed to a person themselves: a copy of all that is known of them, or its erasure.

Whoever was forwarded a mail has its preference page too, so that page only sends a mail to the person's own address. The
button in it works once, within a day of its leaving.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from nurture.engine import erasing, exporting
from nurture.engine.deploy import deciding
from nurture.engine.inbox import OWN
from nurture.engine.moving import start_anew
from nurture.engine.receive import Report, apply_reports
from nurture.engine.signing import LASTING
from nurture.journey.events import Event, Kind
from nurture.language.theirs import ASKED, hands_over
from nurture.mail.handing import LIVES
from nurture.store import enrollments, events, messages, people, suppressions

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.journey.enrollment import Enrollment, Subscriber
    from nurture.store.database import Store

AGAIN = timedelta(hours=1)
"""How long after such a mail the next one may go for the same wish: a page that was passed on must not fill an inbox."""

MOST = 3
"""Such mails to a person within a day for the same wish."""

BY = "themselves"
"""Who erased them, on the audit log."""


def reaches(tx: Connection, deployed: Deployed, person: Subscriber) -> bool:
    """Whether such a mail may go to them. It goes to who left as well, but to nobody who called us spam or whose mail
    bounces.
    """
    barred = suppressions.of(tx, [person.email]).get(person.email)
    lasting = person.status in LASTING or (barred is not None and barred.reason in LASTING)
    return bool(deployed.ladders) and not lasting


def lately(places: Iterable[Enrollment], what: str, now: datetime) -> bool:
    """Whether the mail for this wish went often enough for now."""
    began = [place.started_at for place in places if place.sequence == ASKED + what]
    today = sum(1 for at in began if now - at < timedelta(days=1))
    return today >= MOST or any(now - at < AGAIN for at in began)


def ask(tx: Connection, deployed: Deployed, person: Subscriber, what: str, now: datetime) -> None:
    """Plan the mail that hands it over, unless one went lately. Of several only the last one's button works."""
    if not lately(enrollments.every_pass(tx, person.id), what, now):
        start_anew(tx, deployed, person, ASKED + what, "they asked for it once more", now)


def works(store: Store, message: str, now: datetime) -> bool:
    """Whether the button of this mail still hands something over."""
    with store.read() as tx:
        return _opened(tx, message, now) is not None


def _opened(tx: Connection, message: str, now: datetime) -> tuple[messages.Row, Subscriber] | None:
    row = messages.by_ids(tx, [message]).get(message)
    if row is None or not hands_over(row.sequence):
        return None
    ((place, person),) = enrollments.by_ids(tx, [row.enrollment])
    over = (place.last_mail_at or place.started_at) + timedelta(days=LIVES.days)
    return None if place.ended is not None or now >= over else (row, person)


def copy(store: Store, deployed: Deployed, message: str, now: datetime) -> dict[str, Any] | None:
    """All that is known of whom this mail went to, once; None when its button works no more."""
    with deciding(store, deployed) as tx:
        found = _locked(tx, message, now)
        if found is None:
            return None
        row, person = found
        yes = Event(Kind.ANSWERED, now, answer="yes", url="answer:yes")
        apply_reports(tx, deployed, [Report(yes, OWN, row)], now)
        if "copy" in person.preferences.asks:
            people.prefer(tx, person.id, replace(person.preferences, asks=person.preferences.asks - {"copy"}))
        people.seen(tx, {person.id: now})
        took = "took a copy of what is known of them"
        events.record(tx, [events.Recorded("wished", now, now, subscriber=person.id, reason=took)])
    return exporting.everything(store, person.email)


def erase(store: Store, deployed: Deployed, message: str, now: datetime) -> bool:
    """Erase whom this mail went to; False when its button works no more."""
    with store.read() as tx:
        found = _opened(tx, message, now)
    if found is None:
        return False
    why = "by themselves, through a mail to their own address"
    return erasing.erase(store, deployed, found[1].email, now, by=BY, reason=why) is not None


def _locked(tx: Connection, message: str, now: datetime) -> tuple[messages.Row, Subscriber] | None:
    """As `_opened`, and nobody else opens it before this transaction ends."""
    row = messages.by_ids(tx, [message]).get(message)
    if row is not None:
        enrollments.of_people(tx, [row.subscriber], lock=True)
    return _opened(tx, message, now)
