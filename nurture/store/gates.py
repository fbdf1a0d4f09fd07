"""How fast mail may leave to each provider, as one row that all workers share: a bucket of credit, and whether the
provider is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from nurture.store import tables
from nurture.store.dialect import insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

table = tables.gate
c = table.c


@dataclass(frozen=True, slots=True)
class Bucket:
    """`credit` mails might leave at `at`; nothing leaves before `closed_until`."""

    credit: float = 1.0
    at: datetime | None = None
    closed_until: datetime | None = None
    reason: str = ""


COLUMNS = (c.credit, c.at, c.closed_until, c.reason)


def look(tx: Connection, provider: str) -> Bucket:
    row = tx.execute(select(*COLUMNS).where(c.provider == provider)).first()
    return Bucket() if row is None else Bucket(*row)


def hold(tx: Connection, provider: str) -> Bucket:
    """The bucket, which nobody else changes until this transaction ends."""
    fresh = {"provider": provider, "credit": 1.0, "at": None, "closed_until": None, "reason": ""}
    tx.execute(insert(tx, table).on_conflict_do_nothing(index_elements=["provider"]), [fresh])
    return Bucket(*tx.execute(select(*COLUMNS).where(c.provider == provider).with_for_update()).one())


def save(tx: Connection, provider: str, bucket: Bucket) -> None:
    values = {
        "credit": bucket.credit, "at": bucket.at, "closed_until": bucket.closed_until, "reason": bucket.reason,
    }  # fmt: skip
    tx.execute(update(table).where(c.provider == provider).values(values))
