"""Versions of the files: each content kept once, each version a list of which file has which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text

from nurture.store import tables
from nurture.store.dialect import chunks, insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

deploy, blob = tables.deploy, tables.blob
LATEST = select(func.max(deploy.c.id))

LOCK = 726584
"""PostgreSQL's advisory lock on which version runs; any number but ours for migrations would do."""


@dataclass(frozen=True, slots=True)
class Row:
    """A version on record: who made it the running one, why, and what it did to the people inside."""

    id: int
    at: datetime
    who: str
    why: str
    plan: Mapping[str, Any]


def save(
    tx: Connection, files: Mapping[str, bytes], now: datetime, *, who: str = "", why: str = "",
    plan: Mapping[str, object] | None = None,
) -> int:  # fmt: skip
    """Make these files the running version; returns its number, which follows the latest without a gap."""
    digests = {path: sha256(body).hexdigest() for path, body in files.items()}
    bodies = {digests[path]: body for path, body in files.items()}
    adding = insert(tx, blob).on_conflict_do_nothing(index_elements=["digest"])
    if bodies:
        tx.execute(adding, [{"digest": digest, "body": body} for digest, body in bodies.items()])
    row = {
        "id": following(latest_id(tx)),
        "at": now,
        "files": digests,
        "who": who,
        "why": why,
        "plan": dict(plan or {}),
    }
    return int(tx.execute(deploy.insert().returning(deploy.c.id), row).scalar_one())


def hold(tx: Connection, *, alone: bool = False) -> int | None:
    """The number of the running version, which stays the running one until this transaction is over.

    Passes hold it together; whoever deploys holds it `alone`. It comes first in a transaction, before any row is
    locked, so nobody waits for it in a ring. A writing transaction on SQLite is alone anyhow.
    """
    if tx.dialect.name == "postgresql":
        shared = "" if alone else "_shared"
        tx.execute(text(f"SELECT pg_advisory_xact_lock{shared}({LOCK})"))
    return latest_id(tx)


def following(number: int | None) -> int:
    """The number of the version after this one, known before it is saved so that people's stories can name it."""
    return (number or 0) + 1


def latest_id(tx: Connection) -> int | None:
    """The number of the running version."""
    return tx.execute(LATEST).scalar()


def latest(tx: Connection) -> tuple[int, dict[str, bytes]] | None:
    """The running version and its files; None before the first."""
    row = tx.execute(select(deploy.c.id, deploy.c.files).order_by(deploy.c.id.desc()).limit(1)).first()
    if row is None:
        return None
    number, digests = row
    bodies: dict[str, bytes] = {}
    for some in chunks(list(digests.values())):
        found = tx.execute(select(blob.c.digest, blob.c.body).where(blob.c.digest.in_(some)))
        bodies |= {row.digest: row.body for row in found}
    return number, {path: bodies[digest] for path, digest in digests.items()}


def listing(tx: Connection, limit: int) -> list[Row]:
    """The latest versions, newest first."""
    query = select(deploy.c.id, deploy.c.at, deploy.c.who, deploy.c.why, deploy.c.plan)
    return [Row(*row) for row in tx.execute(query.order_by(deploy.c.id.desc()).limit(limit))]
