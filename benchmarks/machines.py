"""The other machines of a measurement, as processes of their own: a fake provider, a PostgreSQL server."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def fake_esp(log: Path, *, latency: int = 0, key: bool = False, more: tuple[str, ...] = ()) -> Iterator[int]:
    """A provider that writes every mail it accepts to `log` before it answers; gives its port."""
    with _machine("fake_esp", log, "--latency", str(latency), *(["--key"] if key else []), *more) as port:
        yield port


@contextmanager
def fake_smtp(log: Path) -> Iterator[int]:
    """A mail server that writes every mail it accepts to `log`; gives its port."""
    with _machine("fake_smtp", log) as port:
        yield port


@contextmanager
def _machine(name: str, log: Path, *words: str) -> Iterator[int]:
    command = [sys.executable, str(ROOT / f"tests/fakes/{name}.py"), "--log", str(log), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL server of our own with durable commits, on a free port; gives the URL of an empty database."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not binaries:
        raise SystemExit("PostgreSQL is not installed: apt-get install postgresql")
    binary = Path(binaries[-1])
    folder = Path(tempfile.mkdtemp(prefix="nurture-pg-"))
    who = {}
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        who = {"user": "postgres", "group": pwd.getpwnam("postgres").pw_gid, "cwd": folder}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": True}
    subprocess.run([binary / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust"], **who, **quiet)
    options = f"-k {folder} -c listen_addresses='' -c shared_buffers=512MB -c max_connections=200"
    start = [binary / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start"]
    subprocess.run(start, **who, **quiet)
    name = f"n{uuid.uuid4().hex[:8]}"
    try:
        subprocess.run([binary / "createdb", "-h", folder, "-U", "postgres", name], **quiet)
        yield f"postgresql://postgres@/{name}?host={folder}"
    finally:
        stop = [binary / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop"]
        subprocess.run(stop, **who, **quiet)
        shutil.rmtree(folder, ignore_errors=True)
