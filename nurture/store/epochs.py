"""When an engine last started on this database, and on which database that was.

A number that only rises, and an identity that a copy does not share: together with a note outside they tell a database
that was restored or cloned from one that merely rested.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, text

from nurture.store import tables
from nurture.store.dialect import insert

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from nurture.store.database import Store

table = tables.installation
EPOCH, IDENTITY = "epoch", "identity"


@dataclass(frozen=True, slots=True)
class Epoch:
    """0 and "" when no engine has started on it yet."""

    number: int
    identity: str


def read(tx: Connection) -> Epoch:
    query = select(table.c.name, table.c.value).where(table.c.name.in_([EPOCH, IDENTITY]))
    found = {row.name: row.value for row in tx.execute(query)}
    return Epoch(int(found.get(EPOCH, "0")), found.get(IDENTITY, ""))


def write(tx: Connection, epoch: Epoch) -> None:
    adding = insert(tx, table)
    adding = adding.on_conflict_do_update(index_elements=["name"], set_={"value": adding.excluded.value})
    tx.execute(adding, [{"name": EPOCH, "value": str(epoch.number)}, {"name": IDENTITY, "value": epoch.identity}])


def forget(tx: Connection) -> None:
    """A copy made on purpose is a new home: the next start remembers it as such."""
    tx.execute(delete(table).where(table.c.name.in_([EPOCH, IDENTITY])))


def identity(store: Store, tx: Connection) -> str:
    """What a copy has differently: the file's number on its disk; the server's own number and the database's in it.

    "" when a server does not tell. A backup that is copied over the same file keeps it: the epoch tells that one.
    """
    if store.path is not None:
        return f"file {store.path.stat().st_ino}"
    allowed = "SELECT has_function_privilege('pg_control_system()', 'execute')"
    if not tx.execute(text(allowed)).scalar():  # some hosted servers keep it to themselves
        return ""
    server = tx.execute(text("SELECT system_identifier FROM pg_control_system()")).scalar()
    database = tx.execute(text("SELECT oid FROM pg_database WHERE datname = current_database()")).scalar()
    return f"server {server}, database {database}"
