"""Taking a person out of every table. What is counted stays, as rows of nobody: no address, no words, no traces."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, and_, bindparam, delete, func, or_, select, type_coerce, update

from nurture.journey.ledger import State
from nurture.store import fuse_tables, hooks, messages, offer_tables, people, tables
from nurture.store.dialect import chunks

if TYPE_CHECKING:
    from sqlalchemy import Connection

event, mail, payload, offer = tables.event, tables.message, tables.payload, offer_tables.offer
PAGE = 1_000
AGAIN = 10_000
"""Reports before the last one seen that are looked at again: PostgreSQL gives numbers before it shows their rows."""

SHORTEST = 8
"""Signs of a name that is looked for in reports: a provider that counted its mails would be found in everything."""


@dataclass(frozen=True, slots=True)
class Held:
    """How much is kept of a person."""

    passes: int
    mails: int
    events: int
    offers: int


def held(tx: Connection, subscriber: int) -> Held:
    """How much is kept of this person, for whoever decides whether it goes."""
    counted = (
        tx.execute(select(func.count()).where(table.c.subscriber == subscriber)).scalar_one()
        for table in (tables.enrollment, mail, event, offer)
    )
    return Held(*counted)


def person(tx: Connection, subscriber: int) -> None:
    """Of the person's own row a number stays."""
    values: dict[str, Any] = {
        "email": f"erased:{subscriber}", "status": people.ERASED, "attributes": {}, "tags": [], "bought": {},
        "joined_at": None, "last_seen_at": None, "last_mail_at": None, "wishes": None,
    }  # fmt: skip
    tx.execute(update(tables.subscriber).where(tables.subscriber.c.id == subscriber).values(values))


def mails(tx: Connection, subscriber: int) -> None:
    """Nothing of theirs begins any more; what may be on its way is settled as given up, unless it is reported."""
    c = mail.c
    theirs = c.subscriber == subscriber
    tx.execute(delete(payload).where(payload.c.message.in_(select(c.id).where(theirs))))
    untried = and_(c.state.in_([messages.PLANNED, messages.CLAIMED]), c.uncertain == 0)
    open_still = c.state.in_([messages.PLANNED, messages.CLAIMED, messages.SENDING, messages.UNKNOWN])
    nothing: dict[str, Any] = {"due_at": None, "uncertain": 0}
    tx.execute(update(mail).where(theirs, untried).values(state=State.CANCELLED.value, **nothing))
    tx.execute(update(mail).where(theirs, open_still).values(state=State.ABANDONED.value, **nothing))
    tx.execute(update(mail).where(theirs).values(subject="", target="", reason=people.ERASED, offer=""))


def grants(tx: Connection, subscriber: int) -> None:
    """Their offers, codes that a shop is asked for, the days of their budget. A code stays used: it was theirs, and goes to nobody else."""
    tx.execute(delete(offer).where(offer.c.subscriber == subscriber))
    passes = select(tables.enrollment.c.id).where(tables.enrollment.c.subscriber == subscriber)
    tx.execute(delete(offer_tables.wish).where(offer_tables.wish.c.enrollment.in_(passes)))
    allowance = fuse_tables.allowance
    tx.execute(delete(allowance).where(allowance.c.subscriber == subscriber))


def happened(tx: Connection, subscriber: int) -> list[Mapping[str, Any]]:
    """What the log says of them, with that which may name them: id, kind, sequence, step, answer, reason, detail."""
    c = event.c
    query = select(c.id, c.kind, c.sequence, c.step, c.answer, c.reason, c.detail).where(c.subscriber == subscriber)
    return [dict(row._mapping) for row in tx.execute(query)]


def rewrite(tx: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write these entries anew: id, answer, reason, detail. Where they led and came from is gone, and they are judged no more."""
    c = event.c
    changing = update(event).where(c.id == bindparam("number"))
    values = {name: bindparam(f"new_{name}", type_=c[name].type) for name in ("answer", "reason", "detail")}
    changes = [
        {"number": row["id"], **{f"new_{name}": row[name] for name in ("answer", "reason", "detail")}} for row in rows
    ]
    if changes:
        tx.execute(changing.values(url="", ip="", judged_at=None, **values), changes)


@dataclass(frozen=True, slots=True)
class Naming:
    """The raw reports that name a person, by number, and up to which number was looked."""

    numbers: frozenset[int] = frozenset()
    looked_to: int = 0


def naming(tx: Connection, email: str, mailed: Collection[str], after: int = 0) -> Naming:
    """Which raw reports after this number name the person, by address or by a mail of theirs. It reads all of them."""
    needles = [one.lower().encode() for one in {*_spelled(email), *mailed} if len(one) >= SHORTEST]
    c = hooks.c
    found: set[int] = set()
    last = after
    while rows := tx.execute(select(c.id, c.body).where(c.id > last).order_by(c.id).limit(PAGE)).all():
        last = rows[-1].id
        found |= {row.id for row in rows if any(needle in bytes(row.body).lower() for needle in needles)}
    return Naming(frozenset(found), last)


def traces(tx: Connection, email: str, mailed: Collection[str], known: Naming) -> int:
    """Take the person out of the raw reports and of what waits to be looked at again; how many reports that was.

    `known` was found before this transaction, which would hold all others up while it reads millions. What came since,
    and what may have been written at the same time, is looked through here. A report that was not read yet is emptied
    once it has been.
    """
    fresh = naming(tx, email, mailed, known.looked_to - AGAIN)
    c = hooks.c
    numbers = sorted(known.numbers | fresh.numbers)
    for some in chunks(numbers):
        states = {row.id: row.state for row in tx.execute(select(c.id, c.state).where(c.id.in_(some)))}
        hooks.empty(tx, [number for number, state in states.items() if state != hooks.WAITING])
        hooks.empty_later(tx, [number for number, state in states.items() if state == hooks.WAITING])
    stray = tables.stray
    said = func.lower(type_coerce(stray.c.event, Text))
    named = or_(*(said.contains(one.lower(), autoescape=True) for one in _spelled(email)))
    tx.execute(delete(stray).where(named))
    return len(numbers)


def _spelled(email: str) -> set[str]:
    return {email, email.replace("@", "%40"), email.replace("@", "\\u0040")}


def handed_over(tx: Connection, subscriber: int) -> list[str]:
    """What outsiders know their mails by: our ids, and the providers'."""
    query = select(mail.c.id, mail.c.provider_id).where(mail.c.subscriber == subscriber)
    return [name for row in tx.execute(query) for name in row if name]
