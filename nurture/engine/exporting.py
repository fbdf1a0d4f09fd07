"""What is known of people, to be taken along: a list of all, or everything of one."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import TYPE_CHECKING, Any

from nurture.engine.mailed import hidden, without_keys
from nurture.engine.show import iso, message, person, place_document
from nurture.language.sequence import ALWAYS_KNOWN
from nurture.mail.message import thaw
from nurture.store import audit, enrollments, events, messages, people
from nurture.store.audit import Entry

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.journey.enrollment import Subscriber
    from nurture.store.database import Store

EVERY = 1_000_000
"""Entries of one person's log; nobody has so many."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell must not begin with: spreadsheets run it (OWASP, CSV injection)."""

FIRST = ("email", "status", "tags", "joined_at", "last_seen_at", "last_mail_at")


def everyone(store: Store) -> Iterator[dict[str, Any]]:
    """Each person on the list, in the order they came."""
    with store.read() as tx:
        yield from map(line, people.every(tx))


def line(subscriber: Subscriber) -> dict[str, Any]:
    """A person as they stand in a list."""
    return {
        "email": subscriber.email,
        "status": subscriber.status,
        "attributes": dict(subscriber.attributes),
        "tags": sorted(subscriber.tags),
        "bought": {product: iso(at) for product, at in sorted(subscriber.bought.items())},
        "joined_at": iso(subscriber.joined_at),
        "last_seen_at": iso(subscriber.last_seen_at),
        "last_mail_at": iso(subscriber.last_mail_at),
    }


def everything(store: Store, email: str) -> dict[str, Any] | None:
    """All that is kept of one person, in the shape `nurture.person/1`; None when nobody has this address."""
    story = person(store, email)
    if story is None:
        return None
    with store.read() as tx:
        subscriber = people.by_email(tx, email)
        if subscriber is None:
            return None
        places = enrollments.every_pass(tx, subscriber.id)
        happened = events.of_subscriber(tx, subscriber.id, EVERY)
        mails = [
            {**message(row), "leads_to": hidden(row.target), **_written(tx, row.id)}
            for row in messages.of_subscriber(tx, subscriber.id)
        ]
    return {
        **story,
        **{name: value for name, value in line(subscriber).items() if name not in story},
        "format": "nurture.person/1",
        "enrollments": [{**place_document(place), "started_with": dict(place.data)} for place in places],
        "messages": mails,
        "events": [
            {
                "kind": row.kind, "at": iso(row.at), "received_at": iso(row.received_at), "sequence": row.sequence,
                "step": row.step, "message": row.message, "provider": row.provider, "url": row.url,
                "answer": row.answer, "human": row.human, "reason": row.reason, "detail": dict(row.detail),
            }
            for row in happened
        ],
    }  # fmt: skip


def taken(store: Store, email: str, by: str, now: datetime) -> dict[str, Any] | None:
    """`everything` of one person, for whoever takes it along. Who did so is on the audit log before they have it."""
    with store.write() as tx:
        subscriber = people.by_email(tx, email)
        if subscriber is None:
            return None
        audit.record(tx, Entry(now, by, "person exported", f"person {subscriber.id}"))
    return everything(store, email)


def _written(tx: Connection, number: str) -> dict[str, str]:
    """The words of a mail, once they were written."""
    frozen = messages.payload(tx, number)
    if frozen is None:
        return {}
    mail = without_keys(thaw(frozen))
    return {"text": mail.text, "html": mail.html}


def document(lines: Iterable[dict[str, Any]]) -> Iterator[str]:
    """One document, a person a line, written while it is read: any number fits."""
    yield '{"format": "nurture.export/1", "people": ['
    before = "\n"
    for one in lines:
        yield before + json.dumps(one, ensure_ascii=False, default=str)
        before = ",\n"
    yield "\n]}\n"


def columns(declared: Iterable[str]) -> list[str]:
    """The attributes that a table has a column for: what everyone may have, and what people.yaml declares."""
    return [name for name in dict.fromkeys((*ALWAYS_KNOWN, *declared)) if name not in FIRST]


def as_csv(lines: Iterable[dict[str, Any]], attributes: Iterable[str]) -> Iterator[str]:
    """A table of people with a column for each attribute that is declared; no cell of it is a formula."""
    named = list(attributes)
    yield _row([*FIRST, *named])
    for one in lines:
        known = one["attributes"]
        own = [one["email"], one["status"], ", ".join(one["tags"]), *(one[name] or "" for name in FIRST[3:])]
        yield _row([*own, *("" if known.get(name) is None else known[name] for name in named)])


def _row(cells: Iterable[object]) -> str:
    out = StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([_harmless(cell) for cell in cells])
    return out.getvalue()


def _harmless(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    return f"'{cell}" if cell.startswith(FORMULA) else cell
