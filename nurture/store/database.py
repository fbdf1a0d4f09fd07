"""Opening a database, its transactions, and who may work on it. One way in for SQLite and for PostgreSQL.

On SQLite every writing unit is BEGIN IMMEDIATE on one connection behind one lock: a deferred transaction that reads
first and then writes loses updates or fails at once. Everything the driver says of trouble leaves here as a
StoreError of one line.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import QueuePool, StaticPool

from nurture.errors import StoreError
from nurture.store import wakeups
from nurture.store.migrations import HEAD, upgrade

if TYPE_CHECKING:
    from sqlalchemy import Engine

Dialect = Literal["sqlite", "postgresql"]
COPYING = "copying"
"""The table that is there while a copy from SQLite is not finished."""

BUSY = 5_000
"""Milliseconds that a writer waits for another process on the same SQLite file."""


class Store:
    """One database. `write` is a transaction that may change it, `read` one that does not."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.dialect: Dialect = "sqlite" if url.get_backend_name() == "sqlite" else "postgresql"
        self.carries_wakeups = False
        self._writing = Lock()
        if self.dialect == "sqlite":
            self._writer = _sqlite(url, "BEGIN IMMEDIATE", StaticPool)
            self._reader = _sqlite(url, "BEGIN", QueuePool)
        else:
            self._writer = self._reader = _postgresql(url)

    @property
    def path(self) -> Path | None:
        """Where the SQLite file lies; None on PostgreSQL."""
        return Path(self.url.database or "") if self.dialect == "sqlite" else None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: all of it or nothing."""
        if self.dialect == "sqlite":
            with self._writing, _explained(self), self._writer.begin() as tx:
                yield tx
        else:
            with _explained(self), self._writer.begin() as tx:
                wakeups.forget(tx)
                yield tx
                wakeups.leave(tx)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent look."""
        with _explained(self), self._reader.connect() as tx:
            yield tx

    @contextmanager
    def own(self, command: str, since: str = "") -> Iterator[None]:
        """Be the one engine of a SQLite file. On PostgreSQL any number may work.

        The lock is the operating system's, so it ends with the process, however that ends.
        """
        if self.path is None:
            with self.read() as tx:
                if tx.dialect.has_table(tx, COPYING):
                    raise StoreError("a copy into this database was not finished; run `nurture db copy` again")
            yield
            return
        with owned(self.path, command, since):
            yield

    def revision(self) -> str | None:
        """The version of the tables; None when there are none."""
        with self.read() as tx:
            known = tx.dialect.has_table(tx, "alembic_version")
            return tx.execute(text("SELECT version_num FROM alembic_version")).scalar() if known else None

    def newer(self) -> str | None:
        """The version of the tables when it is newer than this program's: one small question, asked at each pass."""
        with self.read() as tx:
            found: str = tx.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        return found if found > HEAD else None

    def queue_wakeups(self) -> None:
        """Transactions carry wake-ups from now on (PostgreSQL with a queue for them)."""
        wakeups.queue(self._writer)
        self.carries_wakeups = True

    def upgrade(self) -> None:
        """Bring the tables to this program's version. Another process may do so at the same time."""
        with self.write() as tx:
            if self.dialect == "postgresql":
                tx.execute(text("SELECT pg_advisory_xact_lock(726583)"))
            upgrade(tx)

    def leave_no_traces(self, words: str) -> None:
        """After an erasure: the log of a SQLite file is emptied, and what an older program left in the file goes too.

        A file that secure_delete did not see written may hold old pages; then it is written anew. On PostgreSQL
        autovacuum does this.
        """
        if self.path is None:
            return
        with self._writing, _explained(self), self._reader.connect() as tx:
            connection: Any = tx.connection.dbapi_connection
            if not connection.in_transaction:
                self._empty_log(connection)
                if _holds(self.path, words.encode()):
                    connection.execute("VACUUM")
                    self._empty_log(connection)

    def _empty_log(self, connection: Any) -> None:  # noqa: ANN401 - the driver's own type
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._writer.dispose()
        self._reader.dispose()


@contextmanager
def owned(path: Path, command: str, since: str = "") -> Iterator[None]:
    """Hold the lock of the one engine that may work on a SQLite file."""
    file = path.with_name(path.name + ".lock")
    with file.open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "of unknown name"
            raise StoreError(
                f"another engine ({owner}) works on {path}; stop it first, or use PostgreSQL for several"
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(f"process {os.getpid()}, {command}{since and f', since {since}'}")
        lock.flush()
        try:
            yield
        finally:
            lock.seek(0)
            lock.truncate()


def open_store(url: str, *, upgrade: bool = True) -> Store:
    """Open a database, and bring its tables to this program's version.

    A SQLite file that does not exist is made (readable by its owner only), never its folder. Raises StoreError.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError("the database's URL cannot be read; write sqlite:///nurture.db or postgresql://…") from None
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    elif parsed.get_backend_name() != "sqlite":
        raise StoreError(f"'{parsed.drivername}' is not a database we know; write sqlite:///… or postgresql://…")
    if parsed.get_backend_name() == "sqlite":
        _make_file(parsed)
    try:
        store = Store(parsed)
    except (ModuleNotFoundError, NoSuchModuleError):
        raise StoreError("PostgreSQL needs one more package: pip install 'nurture[postgres]'") from None
    _check_version(store, upgrade=upgrade)
    return store


def _make_file(url: URL) -> None:
    if not url.database or url.database == ":memory:":
        raise StoreError("the database must be a file: write sqlite:///nurture.db")
    path = Path(url.database)
    if not path.parent.is_dir():
        raise StoreError(f"there is no folder {path.parent} to keep the database in; make it first")
    try:
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}") from None


def _check_version(store: Store, *, upgrade: bool) -> None:
    revision = store.revision()
    if revision == HEAD:
        return
    if revision is not None and revision > HEAD:
        raise StoreError(
            f"the database is of a newer version ({revision}) than this program ({HEAD}); upgrade the program"
        )
    if not upgrade:
        raise StoreError(f"the database is of version {revision or 'none'}, not {HEAD}; run `nurture db upgrade`")
    store.upgrade()


def _sqlite(url: URL, begin: str, pool: type[StaticPool | QueuePool]) -> Engine:
    # what a statement was given names people, and an error's words get into logs
    engine = create_engine(
        url, poolclass=pool, hide_parameters=True, connect_args={"check_same_thread": False, "timeout": BUSY / 1000}
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own type
        connection.isolation_level = None  # the driver's own BEGIN is deferred; ours is said below
        # what is erased, or written anew, must not lie on in the file
        for pragma in (
            "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", f"busy_timeout={BUSY}",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _holds(path: Path, words: bytes) -> bool:
    """Whether a file holds these bytes anywhere."""
    with path.open("rb") as file:
        before = b""
        while piece := file.read(1 << 20):
            if words in before + piece:
                return True
            before = piece[-len(words) :]
    return False


PATIENCE: dict[str, Any] = {
    "connect_timeout": 10, "tcp_user_timeout": 20_000, "keepalives_idle": 10, "keepalives_interval": 5,
    "keepalives_count": 3,
}  # fmt: skip
"""A machine that is cut off from the database learns it within half a minute; TCP alone would wait a quarter of an hour
(libpq's parameters). The server learns it of us by the same figures."""

OPTIONS = (
    # a lost lock or a forgotten transaction must not hold a row for ever
    "-c lock_timeout=30s -c idle_in_transaction_session_timeout=120s "
    "-c tcp_user_timeout=20000 -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
)


def _postgresql(url: URL) -> Engine:
    arguments = {**PATIENCE, "options": OPTIONS, "application_name": "nurture"}
    return create_engine(
        url, hide_parameters=True, pool_size=10, max_overflow=20, pool_pre_ping=True, connect_args=arguments
    )


@contextmanager
def _explained(store: Store) -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise StoreError(_sentence(store, str(error.orig).strip().splitlines()[0], error)) from error


def _sentence(store: Store, said: str, error: DBAPIError) -> str:
    where = store.path or f"{store.url.host or store.url.query.get('host', 'localhost')}/{store.url.database}"
    known = {
        "database or disk is full": f"the disk that holds {where} is full; make room, nothing was half done",
        "database is locked": f"another process holds {where}; try again when it is done",
        "readonly": f"{where} may not be written; change its permissions",
        "file is not a database": f"{where} is not a database of ours; choose another file",
        "malformed": f"{where} is damaged; restore a backup",
        "No space left": f"the database server's disk is full ({where}); make room, nothing was half done",
        "unable to open": f"{where} cannot be opened; check the folder and its permissions",
    }
    for words, sentence in known.items():
        if words in said:
            return sentence
    if (isinstance(error, OperationalError) and error.connection_invalidated) or "connection" in said:
        return f"the database {where} cannot be reached: {said}"
    return f"the database {where} refused: {said}"
