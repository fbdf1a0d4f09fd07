"""Addresses that get no mail, whatever is imported later: who, why and since when.

An address is kept as an HMAC under a key that this database was born with, so a list of digests tells nobody who is on
it, and no rotation of the secrets outside makes a barred address free again. Whoever holds the whole database holds
that key too.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from nurture.store import tables
from nurture.store.dialect import chunks, insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = tables.suppression
c = table.c
WHY = (c.reason, c.because, c.at, c.erased_at)
KEY = "suppression key"
STRENGTH: Mapping[str, int] = MappingProxyType(
    {"erased": -1, "manual": 0, "soft": 1, "bounced": 2, "unsubscribed": 3, "complained": 4}
)
"""Of several reasons the strongest is shown, in whatever order they came."""


@dataclass(frozen=True, slots=True)
class Barred:
    """Why an address gets no mail, and since when."""

    reason: str
    because: str
    since: datetime
    erased_at: datetime | None = None


def bar(tx: Connection, emails: Iterable[str], reason: str, at: datetime, because: str = "") -> None:
    """Bar these addresses for good. Of several reasons the strongest stays, of several moments the first."""
    by_digest = digests(tx, emails)
    if not by_digest:
        return
    known = _known(tx, list(by_digest))
    fresh, changed = [], []
    for digest in sorted(by_digest):
        before = known.get(digest)
        if before is None:
            fresh.append({"digest": digest, "reason": reason, "because": because, "at": at, "erased_at": None})
            continue
        stronger = STRENGTH.get(reason, 0) > STRENGTH.get(before.reason, 0)
        since = min(at, before.since)
        now = replace(before, reason=reason, because=because, since=since) if stronger else replace(before, since=since)
        if now != before:
            changed.append((digest, now))
    if fresh:
        tx.execute(insert(tx, table).on_conflict_do_nothing(index_elements=["digest"]), fresh)
    for digest, now in changed:
        values = {"reason": now.reason, "because": now.because, "at": now.since}
        tx.execute(update(table).where(c.digest == digest).values(values))


def erase(tx: Connection, email: str, at: datetime) -> None:
    """The person with this address was erased: it stays barred, and nothing that was said of it is kept."""
    bar(tx, [email], "erased", at)
    (digest,) = digests(tx, [email])
    tx.execute(update(table).where(c.digest == digest).values(because="", erased_at=at))


def was_erased(tx: Connection, email: str) -> bool:
    """Whether a person with this address was erased, and the address has been barred ever since."""
    barred = of(tx, [email]).get(email)
    return barred is not None and barred.erased_at is not None


def lift(tx: Connection, email: str) -> Barred | None:
    """Let an address have mail again; what barred it, None when nothing did."""
    (digest,) = digests(tx, [email])
    before = _known(tx, [digest]).get(digest)
    tx.execute(delete(table).where(c.digest == digest))
    return before


def of(tx: Connection, emails: Collection[str]) -> dict[str, Barred]:
    """Which of these addresses are barred, and why."""
    by_digest = digests(tx, emails)
    return {by_digest[digest]: barred for digest, barred in _known(tx, list(by_digest)).items()}


def every(tx: Connection) -> list[tuple[str, Barred]]:
    """All that is barred, the first first, with its digest: the address itself may be erased."""
    query = select(c.digest, *WHY).order_by(c.at, c.digest)
    return [(digest, Barred(*why)) for digest, *why in tx.execute(query)]


def _known(tx: Connection, wanted: Sequence[str]) -> dict[str, Barred]:
    found = {}
    for some in chunks(wanted):
        query = select(c.digest, *WHY).where(c.digest.in_(some))
        found.update({digest: Barred(*why) for digest, *why in tx.execute(query)})
    return found


def digests(tx: Connection, emails: Iterable[str]) -> dict[str, str]:
    """The address behind each digest, for those that are still known."""
    named = tables.installation.c
    key = bytes.fromhex(tx.execute(select(named.value).where(named.name == KEY)).scalar_one())
    # over a digest, since that is all an older version had kept
    return {hmac.digest(key, sha256(email.encode()).hexdigest().encode(), "sha256").hex(): email for email in emails}
