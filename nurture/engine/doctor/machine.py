"""The database, its clock, the disk under it, and what waits in it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from nurture.engine.doctor.finding import Finding, Patient, fault, ok, warning
from nurture.engine.presence import GONE
from nurture.errors import StoreError
from nurture.journey.ledger import State
from nurture.language.problems import counted
from nurture.store import enrollments, hooks, messages, workers
from nurture.store.database import Store, open_store
from nurture.store.migrations import HEAD

WAL_RESET = ((3, 7, 0), (3, 51, 2))
"""SQLite's versions in which two checkpoints at once can damage a WAL database (https://www.sqlite.org/wal.html)."""
OVER_A_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.s3fs"})
LEAST_ROOM = 500_000_000
SKEW, MOST_SKEW = timedelta(seconds=2), timedelta(seconds=60)
LATE = timedelta(minutes=10)


def database(patient: Patient) -> Iterator[Finding]:
    store = patient.store
    if store is None:
        return
    yield ok("database", f"{store.dialect} is of version {HEAD}")
    if store.path is None:
        return
    with store.read() as tx:
        mode = tx.execute(text("PRAGMA journal_mode")).scalar()
    if mode != "wal":
        yield fault("database", f"{store.path} is in journal mode {mode}, not WAL", "move it to a local disk")
    yield from sqlite_version(sqlite3.sqlite_version_info)
    yield from _disk(store.path)


def sqlite_version(version: tuple[int, ...]) -> Iterator[Finding]:
    shown = ".".join(map(str, version))
    if WAL_RESET[0] <= version <= WAL_RESET[1]:
        yield warning(
            "database", f"SQLite {shown} has the WAL-reset bug (3.7.0 to 3.51.2): rarely, two checkpoints at once damage a file",
            "let one `nurture run` work on the file, back it up, use a Python with SQLite 3.51.3 or PostgreSQL",
        )  # fmt: skip
    else:
        yield ok("database", f"SQLite {shown} is sound")


def _disk(path: Path, mounts: Path = Path("/proc/mounts")) -> Iterator[Finding]:
    kind = file_system(path.absolute(), mounts.read_text(encoding="utf-8") if mounts.exists() else "")
    if kind in OVER_A_NETWORK:
        yield fault(
            "database", f"{path} lies on a network file system ({kind}), where SQLite's locks do not hold",
            "move it to a local disk, or set NURTURE_DATABASE_URL to PostgreSQL",
        )  # fmt: skip
    room = shutil.disk_usage(path.absolute().parent).free
    if room < LEAST_ROOM:
        yield warning("disk", f"{room // 1_000_000} MB are left on the disk of {path}", "make room")


def file_system(path: Path, mounts: str) -> str:
    """The kind of file system that a path lies on, by the kernel's table of mounts; "" when it is not known."""
    found = [line.split()[1:3] for line in mounts.splitlines() if len(line.split()) > 2]
    over = [(place, kind) for place, kind in found if path.is_relative_to(place.replace("\\040", " "))]
    return max(over, key=lambda one: len(one[0]))[1] if over else ""


def clock(patient: Patient) -> Iterator[Finding]:
    """Hooks are believed within five minutes of their time, and mail leaves by the clock."""
    store = patient.store
    if store is None:
        return
    if store.dialect == "sqlite":
        yield ok("clock", f"the database has this machine's clock: {patient.now:%Y-%m-%d %H:%M:%S} UTC")
        return
    with store.read() as tx:
        begun = datetime.now(UTC)
        theirs = tx.execute(text("SELECT clock_timestamp()")).scalar_one()
        ours = begun + (datetime.now(UTC) - begun) / 2
    yield skew(theirs - ours, "the database's", "timedatectl set-ntp true, on both machines")


def skew(ahead: timedelta, whose: str, mend: str) -> Finding:
    apart = abs(ahead)
    says = f"{whose} clock is {apart.total_seconds():.1f} seconds from ours"
    if apart > MOST_SKEW:
        return fault("clock", says, mend)
    return warning("clock", says, mend) if apart > SKEW else ok("clock", says)


def queues(patient: Patient) -> Iterator[Finding]:
    """How long what is due has been waiting."""
    if patient.store is None:
        return
    with patient.store.read() as tx:
        due = {
            "mail": messages.next_due(tx), "person's next step": enrollments.peek(tx), "webhook": hooks.oldest(tx),
        }  # fmt: skip
        unknown = messages.states(tx).get(State.UNKNOWN, 0)
        failed = hooks.count_failed(tx)
    late = {
        what: patient.now - since for what, since in due.items() if since is not None and patient.now - since > LATE
    }
    for what, age in late.items():
        yield fault(
            "queues", f"the oldest {what} that is due has waited {_long(age)}", "start `nurture run`; see `nurture why`"
        )
    if not late:
        yield ok("queues", "nothing that is due has waited longer than ten minutes")
    if unknown:
        yield warning(
            "queues",
            f"of {counted(unknown, 'mail')} nobody knows whether {'it' if unknown == 1 else 'they'} left",
            "nurture messages --state unknown",
        )
    if failed:
        yield warning("queues", f"{counted(failed, 'report')} could not be applied", "nurture hooks --failed")


def at_work(patient: Patient) -> Iterator[Finding]:
    """Which processes were seen lately; a process that stops in order takes itself off the record."""
    if patient.store is None:
        return
    with patient.store.read() as tx:
        known = workers.listing(tx)
    for one in known:
        silent = patient.now - one.seen_at
        if silent > GONE:
            yield warning(
                "at work", f"the {' and '.join(one.runs)} on {one.host} (process {one.process}) was not seen for {_long(silent)}",
                "start it again there, or another anywhere",
            )  # fmt: skip
    alive = [one for one in known if patient.now - one.seen_at <= GONE]
    if alive and not any("clock" in one.runs for one in alive):
        yield fault("at work", "no process has a clock, so nothing falls due", "nurture run --only clock")
    if alive:
        parts = "; ".join(f"{' and '.join(one.runs)} on {one.host}" for one in alive)
        yield ok("at work", f"{len(alive)} process(es): {parts}")


def _long(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return (
        f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"
    )


def unopened(url: str, path: Path | None) -> Store | Finding:
    """The database as it is, or why it cannot be looked at; nothing is made and nothing upgraded."""
    if path is not None and not path.exists():
        return warning("database", f"there is no database at {path} yet", "nurture db upgrade")
    try:
        return open_store(url, upgrade=False)
    except StoreError as error:
        return fault(
            "database", str(error), "nurture db upgrade" if "version" in str(error) else "see NURTURE_DATABASE_URL"
        )
