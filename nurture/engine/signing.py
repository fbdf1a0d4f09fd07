"""Sign-ups from outside: a form is sent, a mail asks whether it was them, and a page confirms it.

What a form says is believed only of the address it names, and only once that address has confirmed it: until then
nobody joins, nothing known of a person changes, and nobody who left comes back. What is answered does not depend on
whether the address is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.engine import domains, referring
from nurture.engine.addresses import normalise
from nurture.engine.deploy import deciding
from nurture.engine.enroll import came, typed
from nurture.engine.inbox import OWN
from nurture.engine.moving import start, start_anew
from nurture.engine.receive import Report, apply_reports
from nurture.errors import Refused
from nurture.journey.events import Event, Kind
from nurture.journey.starting import may_start
from nurture.language.sequence import ENGLISH
from nurture.language.signups import SIGNUP, confirms
from nurture.mail.confirming import KEPT
from nurture.store import enrollments, messages, people, signups, suppressions
from nurture.store.people import UNCONFIRMED

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.engine.deploy import Deployed
    from nurture.journey.enrollment import Subscriber
    from nurture.language.sequence import SignUp
    from nurture.store.database import Store

AGAIN = timedelta(minutes=10)
"""How long after a mail that asks for a confirmation the next one may go for the same form."""

MOST = 3
"""Such mails to one address within a day, whatever forms they are for (list bombing: many forms, one address)."""

LASTING = ("complained", "bounced", "manual", "soft")
"""Reasons that no form lifts: who called us spam stays away, and what bounces would bounce again."""


class Fault(Refused):
    """What is wrong with a form that was sent. `name` is "email" or an attribute, `reason` a word for the page."""

    def __init__(self, name: str, reason: str, meant: str = "") -> None:
        super().__init__(f"{name}: {reason}")
        self.name, self.reason, self.meant = name, reason, meant


@dataclass(frozen=True, slots=True)
class Came:
    """Where a form came from: the page, what it said of campaigns, who asked, and by whose link."""

    page: str = ""
    campaign: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    client: str = ""
    friend_of: str = ""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A sign-up that was confirmed, now or before. `to` is where its form leads, "" for a page of ours."""

    title: str
    to: str
    language: str
    friend_of: str = ""


def checked(form: SignUp, email: str, *, sure: bool) -> str:
    """The address in our spelling. Raises Fault for one that will not do; `sure`: it was asked whether it is a slip."""
    try:
        address = normalise(email)
    except Refused:
        raise Fault("email", "address_wrong") from None
    likely = "" if sure else domains.meant(address)
    if likely:
        raise Fault("email", "meant", likely)
    kind = domains.kind(address)
    if kind == "disposable" and not form.disposable:
        raise Fault("email", "disposable")
    if kind == "role" and not form.roles:
        raise Fault("email", "role")
    return address


def values_of(deployed: Deployed, form: SignUp, given: Mapping[str, str]) -> dict[str, object]:
    """What was typed, as people.yaml declares it. Raises Fault for what cannot be; what was left empty is left out."""
    found: dict[str, object] = {}
    for name in form.asks:
        if value := given.get(name, "").strip()[:LONGEST]:
            try:
                found |= typed(deployed.project.people, {name: value})
            except Refused:
                raise Fault(name, "wrong_value") from None
    language = given.get("language", "").strip()
    return {**found, "language": language} if language and len(language) <= 5 and language.isascii() else found


LONGEST = 500
"""Characters of one value that a stranger may leave with us."""


def sign_up(
    store: Store, deployed: Deployed, form: SignUp, address: str, values: Mapping[str, object], source: Came,
    now: datetime,
) -> None:  # fmt: skip
    """Somebody sent the form. Whoever has this address is asked by mail whether it was them, not too often."""
    with deciding(store, deployed) as tx:
        barred = suppressions.of(tx, [address]).get(address)
        if barred is not None and barred.reason in LASTING:
            return
        person = people.by_email(tx, address)
        if person is not None and person.status in LASTING:
            return
        left = barred is not None or (person is not None and person.status == "unsubscribed")
        if not form.confirms:
            if not left:
                _join(tx, deployed, form, address, values, source, now)
            return
        number = signups.await_confirmation(tx, address)
        if not _asked_lately(tx, number, form, now):
            _ask(tx, deployed, form, people.by_ids(tx, [number])[number], values, source, now)


def _asked_lately(tx: Connection, number: int, form: SignUp, now: datetime) -> bool:
    """Whether this person was asked often enough for now."""
    passes = [one for one in enrollments.every_pass(tx, number) if confirms(one.sequence)]
    same = [one for one in passes if one.sequence == SIGNUP + form.name]
    today = sum(1 for one in passes if now - one.started_at < timedelta(days=1))
    return today >= MOST or bool(same and now - same[-1].started_at < AGAIN)


def _ask(
    tx: Connection, deployed: Deployed, form: SignUp, person: Subscriber, values: Mapping[str, object], source: Came,
    now: datetime,
) -> None:  # fmt: skip
    spoken = person
    if person.status == UNCONFIRMED and (language := values.get("language")):
        people.update(tx, [spoken := replace(person, attributes={"language": language})])
    start_anew(tx, deployed, spoken, SIGNUP + form.name, "they signed up once more", now)
    asked = enrollments.latest(tx, [person.id], SIGNUP + form.name)[person.id]
    _record(tx, form, person, asked.id, values, source, now, confirmed=False)


def _record(
    tx: Connection, form: SignUp, person: Subscriber, enrollment: int | None, values: Mapping[str, object],
    source: Came, now: datetime, *, confirmed: bool,
) -> None:  # fmt: skip
    role = "role" if domains.kind(person.email) == "role" else ""
    from_where = {"page": source.page, **source.campaign, "address": role}
    signups.add(
        tx,
        signups.SignedUp(
            person.id, form.name, enrollment, source.friend_of, values,
            {name: text for name, text in from_where.items() if text}, form.consent,
            referring.digest(tx, source.client), now, now if confirmed else None,
        ),
    )  # fmt: skip


def _join(
    tx: Connection, deployed: Deployed, form: SignUp, address: str, values: Mapping[str, object], source: Came,
    now: datetime,
) -> None:  # fmt: skip
    """Without a confirmation: a new person joins; of one we know already nothing is changed."""
    before = people.by_email(tx, address)
    known = before is not None and before.status == "active"
    (saved,) = people.save(tx, [people.Newcomer(address, {} if known else values)], now)
    person = people.by_ids(tx, [saved.id])[saved.id]
    _record(tx, form, person, None, values, source, now, confirmed=True)
    if saved.is_new:
        referring.confirmed(tx, person, source.friend_of, source.client, "", now)
        came(tx, deployed, None, person, now, joins=True)
    _begin(tx, deployed, form, person, now)


def _begin(tx: Connection, deployed: Deployed, form: SignUp, person: Subscriber, now: datetime) -> None:
    """What this form starts, where it may."""
    for name in form.start:
        sequence = deployed.sequences.get(name)
        last = enrollments.latest(tx, [person.id], name).get(person.id)
        if sequence is not None and may_start(sequence, {}, deployed.rules.facts(person), last, now):
            start(tx, deployed, [person], name, now)


def confirm(
    store: Store, deployed: Deployed, message: str, client: str, device: str, now: datetime
) -> Confirmed | None:  # fmt: skip
    """Whoever reads the mail says that it was them. None when that form is not known any more, or its address barred."""
    with deciding(store, deployed) as tx:
        row = messages.by_ids(tx, [message]).get(message)
        if row is None or not enrollments.of_people(tx, [row.subscriber], lock=True):
            return None
        signed = signups.of_enrollment(tx, row.enrollment)
        form = None if signed is None else deployed.project.people.signups.get(signed.form)
        if signed is None or form is None:
            return None
        before = people.by_ids(tx, [row.subscriber])[row.subscriber]
        if before.status == people.ERASED:
            return None
        language = str(signed.attributes.get("language") or before.attributes.get("language") or ENGLISH)
        done = Confirmed(form.title, form.to, language, signed.friend_of)
        if signed.confirmed_at is not None:
            return done
        barred = suppressions.of(tx, [before.email]).get(before.email)
        if before.status in LASTING or (barred is not None and barred.reason in LASTING):
            return None
        suppressions.lift(tx, before.email)
        signups.confirm(tx, signed.id, now)
        joins = before.status != "active"
        person = replace(
            before, status="active", attributes={**before.attributes, **signed.attributes},
            joined_at=now if joins else before.joined_at, last_seen_at=now,
        )  # fmt: skip
        people.update(tx, [person])
        yes = Event(Kind.ANSWERED, now, answer="yes", url="answer:yes")
        apply_reports(tx, deployed, [Report(yes, OWN, row)], now)
        if before.status == UNCONFIRMED:
            referring.confirmed(tx, person, signed.friend_of, client, device, now)
        came(tx, deployed, before, person, now, joins=joins)
        _begin(tx, deployed, form, person, now)
    return done


def forget(store: Store, now: datetime, *, batch: int = 500) -> int:
    """One pass: forms that nobody confirmed in time are forgotten, with people of whom nothing else is known."""
    with store.write() as tx:
        return signups.forget(tx, now - timedelta(days=KEPT.days), batch)


def forgets_at(tx: Connection) -> datetime | None:
    """When the next form is forgotten that nobody confirmed."""
    oldest = signups.oldest_open(tx)
    return None if oldest is None else oldest + timedelta(days=KEPT.days)
