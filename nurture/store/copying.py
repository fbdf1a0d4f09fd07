"""From a SQLite file to PostgreSQL, whole: table by table in the order of their references, a batch a transaction.

A batch and the note of how far it went are one transaction, so a copy that broke off goes on where it stopped. The file
is opened read-only. An engine starts on the copy only when every table has been counted.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import text

from nurture.errors import StoreError
from nurture.store import epochs
from nurture.store.database import COPYING, open_store, owned
from nurture.store.every_table import metadata
from nurture.store.migrations import HEAD

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

    from nurture.store.database import Store

BATCH = 5_000
LEFT_BEHIND = {"worker"}
"""Who is at work on the old database is not at work on the new one."""

BORN_WITH = {"installation"}
"""What a fresh database has of its own, which the copy replaces."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A table that was copied, and its rows there and here."""

    table: str
    source: int
    target: int


Progress = Callable[[str, int, int], None]
"""Told of the table, how many of its rows are copied, and how many there are."""


def copy(source: Path, target: str, progress: Progress, *, batch: int = BATCH) -> list[Counted]:
    """Copy everything. Raises StoreError when an engine works on the file, or the target holds something else."""
    with owned(source, "nurture db copy"), _reading(source) as file:
        store = open_store(target)
        try:
            if store.dialect != "postgresql":
                raise StoreError("a database is copied to PostgreSQL: --to postgresql://user@host/name")
            _begin(store, _fingerprint(source))
            tables = [table for table in metadata.sorted_tables if table.name not in LEFT_BEHIND]
            for table in tables:
                _table(file, store, table, batch, progress)
            return _end(file, store, tables)
        finally:
            store.close()


@contextmanager
def _reading(source: Path) -> Iterator[sqlite3.Connection]:
    try:
        file = sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)
        found = file.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"{source} cannot be read as a database of ours: {error}") from None
    try:
        if found[0] != HEAD:
            raise StoreError(f"{source} is of version {found[0]}, not {HEAD}; run `nurture db upgrade` on it first")
        yield file
    finally:
        file.close()


def _fingerprint(source: Path) -> str:
    """Says of a file that it is the same and has not changed since: a copy of two states would be one of neither."""
    files = (source, source.with_name(source.name + "-wal"))
    states = [path.stat() for path in files if path.exists()]
    parts = [str(source.absolute()), *(f"{state.st_size} {state.st_mtime_ns}" for state in states if state.st_size)]
    return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def _begin(store: Store, source: str) -> None:
    with store.write() as tx:
        if tx.dialect.has_table(tx, COPYING):
            known = tx.execute(text(f"SELECT last FROM {COPYING} WHERE name = ''")).scalar()
            if known != source:
                raise StoreError(
                    "the target holds a copy that was not finished, of another file or of an older state of this one; "
                    "empty it (drop and create the database) and begin again"
                )
            return
        for table in metadata.sorted_tables:
            if table.name in BORN_WITH:
                tx.execute(table.delete())
            elif tx.execute(text(f'SELECT 1 FROM "{table.name}" LIMIT 1')).first():
                raise StoreError(f"the target is not empty: its table {table.name} has rows; give an empty database")
        tx.execute(text(f"CREATE TABLE {COPYING} (name text PRIMARY KEY, last text, copied bigint NOT NULL)"))
        tx.execute(text(f"INSERT INTO {COPYING} VALUES ('', :source, 0)"), {"source": source})


def _table(file: sqlite3.Connection, store: Store, table: Table, batch: int, progress: Progress) -> None:
    total = _count(file.execute(_counting(table)).fetchone())
    with store.read() as tx:
        noted = tx.execute(text(f"SELECT last, copied FROM {COPYING} WHERE name = :name"), {"name": table.name}).first()
    last, copied = (_read(noted[0]), int(noted[1])) if noted else (None, 0)
    progress(table.name, copied, total)
    key = [column.name for column in table.primary_key]
    places = [[column.name for column in table.columns].index(name) for name in key]
    while rows := file.execute(*_next(table, key, last, batch)).fetchall():
        last = [rows[-1][place] for place in places]
        copied += len(rows)
        with store.write() as tx:
            _put(tx, table, rows)
            tx.execute(
                text(
                    f"INSERT INTO {COPYING} VALUES (:name, :last, :copied) "
                    "ON CONFLICT (name) DO UPDATE SET last = excluded.last, copied = excluded.copied"
                ),
                {"name": table.name, "last": _written(last), "copied": copied},
            )
        progress(table.name, copied, total)


def _next(table: Table, key: Sequence[str], last: Sequence[Any] | None, batch: int) -> tuple[str, Sequence[Any]]:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    by = ", ".join(f'"{name}"' for name in key)
    after = "" if last is None else f"WHERE ({by}) > ({', '.join('?' * len(key))}) "
    return f'SELECT {columns} FROM "{table.name}" {after}ORDER BY {by} LIMIT {batch}', last or ()


def _written(key: Sequence[Any]) -> str:
    return json.dumps([{"hex": part.hex()} if isinstance(part, bytes) else part for part in key])


def _read(key: str) -> list[Any]:
    return [bytes.fromhex(part["hex"]) if isinstance(part, dict) else part for part in json.loads(key)]


def _put(tx: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """As they are stored: both databases hold the same bytes."""
    import psycopg

    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    run = tx.connection.driver_connection
    assert run is not None
    try:
        with run.cursor().copy(f'COPY "{table.name}" ({columns}) FROM STDIN') as sink:
            for row in rows:
                sink.write_row(row)
    except psycopg.Error as error:
        raise StoreError(f"a row of {table.name} cannot be copied: {str(error).splitlines()[0]}") from None


def _end(file: sqlite3.Connection, store: Store, tables: Sequence[Table]) -> list[Counted]:
    counted = []
    with store.write() as tx:
        for table in tables:
            here = _count(tx.execute(text(_counting(table))).one())
            counted.append(Counted(table.name, _count(file.execute(_counting(table)).fetchone()), here))
            if "id" in table.columns:
                tx.execute(
                    text(
                        "SELECT setval(s, coalesce(top, 1), top IS NOT NULL) FROM "
                        f"pg_get_serial_sequence('{table.name}', 'id') AS s, "
                        f'(SELECT max(id)::text::bigint AS top FROM "{table.name}" '
                        f"WHERE pg_get_serial_sequence('{table.name}', 'id') IS NOT NULL) AS rows WHERE s IS NOT NULL"
                    )
                )
        wrong = [one.table for one in counted if one.source != one.target]
        if wrong:
            raise StoreError(f"the copy does not count the same: {', '.join(wrong)}; empty the target and begin again")
        epochs.forget(tx)
        tx.execute(text(f"DROP TABLE {COPYING}"))
        tx.execute(text("ANALYZE"))
    return counted


def _counting(table: Table) -> str:
    return f'SELECT count(*) FROM "{table.name}"'


def _count(row: Sequence[Any]) -> int:
    return int(row[0])
