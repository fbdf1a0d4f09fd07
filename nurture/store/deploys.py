"""Versions of the files: each content kept once, each version a list of which file has which."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from nurture.store import tables
from nurture.store.dialect import chunks, insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

deploy, blob = tables.deploy, tables.blob


def save(tx: Connection, files: Mapping[str, bytes], now: datetime) -> int:
    """Make these files the running version; returns its number."""
    digests = {path: sha256(body).hexdigest() for path, body in files.items()}
    bodies = {digests[path]: body for path, body in files.items()}
    adding = insert(tx, blob).on_conflict_do_nothing(index_elements=["digest"])
    if bodies:
        tx.execute(adding, [{"digest": digest, "body": body} for digest, body in bodies.items()])
    return int(tx.execute(deploy.insert().returning(deploy.c.id), {"at": now, "files": digests}).scalar_one())


def latest_id(tx: Connection) -> int | None:
    """The number of the running version."""
    return tx.execute(select(func.max(deploy.c.id))).scalar()


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
