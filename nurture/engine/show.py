"""What is known of a person and of their mail, as plain data for the command line, the API and the pages."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nurture.engine.addresses import normalise
from nurture.engine.origins import origins
from nurture.engine.settling import course
from nurture.journey.enrollment import Enrollment
from nurture.journey.events import Kind
from nurture.journey.ledger import State
from nurture.journey.verdict import UNSUBSCRIBE_PAGE
from nurture.mail.checks import LINKS as LOOKING
from nurture.mail.imagined import someone
from nurture.providers import PROVIDERS
from nurture.store import answers, enrollments, events, messages, offers, pauses, people, suppressions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nurture.engine.deploy import Deployed
    from nurture.engine.rules import Rules
    from nurture.journey.enrollment import Granted, Subscriber
    from nurture.mail.message import Message
    from nurture.store.database import Store

EVENTS = 1_000


def person(store: Store, email: str) -> dict[str, object] | None:
    """A person's whole story, in the shape `nurture.subscriber/1`; None when nobody has this address."""
    with store.read() as tx:
        subscriber = people.by_email(tx, email)
        if subscriber is None:
            return None
        places = enrollments.every_pass(tx, subscriber.id)
        mails = messages.of_subscriber(tx, subscriber.id)
        made = offers.of_subscriber(tx, subscriber.id)
        said = answers.of_subscriber(tx, subscriber.id)
        happened = events.of_subscriber(tx, subscriber.id, EVENTS)
        barred = suppressions.of(tx, [email]).get(email)
        came = origins(tx, subscriber.id, iso)
    return {
        "format": "nurture.subscriber/1",
        "email": subscriber.email,
        "status": subscriber.status,
        "suppressed": _barred(barred),
        "preferences": _preferences(subscriber),
        "attributes": dict(subscriber.attributes),
        "tags": sorted(subscriber.tags),
        "enrollments": [place_document(place) for place in places],
        "messages": [message(row) for row in mails],
        "offers": [_offer(one) for one in made],
        "answers": [answer for place in places for answer in _answers(place)],
        "said": [_said(one) for one in said],
        "events": [event(row) for row in happened],
        **came,
        "awards": [row.reason for row in happened if row.kind == "awarded"],
    }


def barred(store: Store, email: str) -> dict[str, object] | None:
    """Why an address gets no mail, also one that nobody on the list has; None when it may have mail."""
    with store.read() as tx:
        return _barred(suppressions.of(tx, [email]).get(email))


def _barred(found: suppressions.Barred | None) -> dict[str, object] | None:
    if found is None:
        return None
    return {"reason": found.reason, "because": found.because, "since": iso(found.since)}


def outbox(
    store: Store, rules: Rules, state: State | None, now: datetime, limit: int | None = None
) -> list[dict[str, object]]:
    """Messages in one state (any when None), newest first; all without a limit."""
    with store.read() as tx:
        return [
            {**message(row), "email": email, "settling": settling(row, rules, now)}
            for row, email in messages.listing(tx, state, limit)
        ]


def settling(row: messages.Row, rules: Rules, now: datetime) -> dict[str, str | None] | None:
    """How an unknown message is being settled, and when that goes on; None of one that is not unknown."""
    if row.state is not State.UNKNOWN:
        return None
    next_one = course(row, PROVIDERS.get(row.provider), rules, now)
    return {"how": next_one.how, "words": next_one.words, "at": iso(next_one.at)}


def held(store: Store) -> list[dict[str, object]]:
    """What waits until someone acts: a sequence, or all mail ("sequence" is null), since when and why."""
    with store.read() as tx:
        found = pauses.every(tx)
    return [
        {
            "sequence": None if one.name in pauses.EVERYTHING else one.name, "since": iso(one.since),
            "because": one.because,
        }
        for one in found
    ]  # fmt: skip


def rendered(
    deployed: Deployed, sequence: str, step: str, store: Store | None, email: str | None, now: datetime,
    language: str = "",
) -> Message | None:  # fmt: skip
    """One mail as a subscriber gets it, or an imagined person; None when nobody has this address. Sends nothing.

    `language` goes before the person's own. Raises RenderError when it cannot be written for them.
    """
    plan = deployed.sequences[sequence]
    subscriber, enrollment = someone(plan, plan.steps[step], deployed.project.people)
    if store is not None and email is not None:
        with store.read() as tx:
            found = people.by_email(tx, normalise(email))
            places = enrollments.every_pass(tx, found.id) if found is not None else []
        if found is None:
            return None
        fresh = Enrollment(0, found.id, sequence, 1, now)
        subscriber = found
        enrollment = next((place for place in reversed(places) if place.sequence == sequence), fresh)
    if language:
        subscriber = replace(subscriber, attributes={**subscriber.attributes, "language": language})
    made = _made(store, enrollment)
    written = deployed.writers[sequence].write(
        step, enrollment=enrollment, subscriber=subscriber, links=LOOKING, letterhead=deployed.rules.letterhead,
        message_id="preview", key="", offers=made,
    )  # fmt: skip
    return written.message


def _made(store: Store | None, enrollment: Enrollment) -> Mapping[str, Granted]:
    if store is None:
        return {}
    with store.read() as tx:
        return offers.of_passes(tx, [enrollment.id]).get(enrollment.id, {})


def _preferences(subscriber: Subscriber) -> dict[str, object]:
    """What they asked for on their own page."""
    preferences = subscriber.preferences
    return {
        "paused_until": iso(preferences.paused_until), "days_apart": preferences.days_apart or None,
        "without": sorted(preferences.without), "asks": sorted(preferences.asks),
    }  # fmt: skip


def offer_document(offer: offers.Offer, now: datetime) -> dict[str, object]:
    """An offer as a shop sees it: `nurture.offer/1`."""
    return {
        "format": "nurture.offer/1",
        "code": offer.code,
        "product": offer.product,
        "valid": offer.redeemed_at is None and not offer.over(now),
        "deadline": iso(offer.deadline),
        "redeemed": iso(offer.redeemed_at),
    }


def _said(one: answers.Said) -> dict[str, object]:
    """An answer in the words its person read. `consent` is null but for a box to consent."""
    return {
        "sequence": one.sequence, "step": one.step, "field": one.field, "value": one.value, "question": one.question,
        "words": one.words, "language": one.language, "consent": None if one.consent is None else bool(one.consent),
        "at": iso(one.at),
    }  # fmt: skip


def _offer(offer: offers.Offer) -> dict[str, object]:
    return {
        "sequence": offer.sequence,
        "step": offer.step,
        "product": offer.product,
        "code": offer.code,
        "deadline": iso(offer.deadline),
        "granted": iso(offer.granted_at),
        "redeemed": iso(offer.redeemed_at),
    }


def message(row: messages.Row) -> dict[str, object]:
    return {
        "id": row.id,
        "sequence": row.sequence,
        "step": row.step,
        "state": row.state.value,
        "subject": row.subject,
        "sent_at": iso(row.sent_at),
        "due_at": iso(row.due_at),
        "attempt": row.attempt,
        "provider": row.provider,
        "provider_id": row.provider_id,
        "reason": row.reason,
    }


def place_document(place: Enrollment) -> dict[str, object]:
    return {
        "sequence": place.sequence,
        "pass": place.number,
        "step": place.step,
        "phase": "waiting" if place.phase == "starting" else place.phase,
        "due_at": iso(place.due_at),
        "ended": place.ended,
        "started_at": iso(place.started_at),
        "ended_at": iso(place.ended_at),
        "because": place.because,
    }


def _answers(place: Enrollment) -> list[dict[str, object]]:
    return [
        {
            "sequence": place.sequence,
            "step": step,
            "kept": True,
            "answer": answer.value,
            "at": iso(answer.at),
            "verdict": "human",
        }
        for step, answer in place.answers.items()
    ]


WAY_OUT = "looked at the page of the way out, which does nothing by itself"


def event(row: events.Row) -> dict[str, object]:
    judged = row.kind in (Kind.CLICKED, Kind.ANSWERED)
    verdicts = {True: "human", False: "machine", None: "waiting" if row.judged_at else None}
    return {
        "kind": row.kind,
        "at": iso(row.at),
        "sequence": row.sequence,
        "step": row.step,
        "url": row.url,
        "verdict": verdicts[row.human] if judged else None,
        "reason": row.reason or (WAY_OUT if row.kind == Kind.CLICKED and row.url == UNSUBSCRIBE_PAGE else ""),
        "answer": row.answer if row.answer is not None else row.detail.get("answer"),
    }


def iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
