"""Databases for tests: each test that asks for `store` runs on SQLite and on a PostgreSQL that the suite starts itself."""

from __future__ import annotations

import fcntl
import gc
import json
import logging
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import certifi
import psycopg
import pytest
from doors import House
from playwright.sync_api import Browser, sync_playwright

from nurture.cli.main import run
from nurture.engine import cluster
from nurture.store.database import Store, open_store

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first draws no window that nobody sees, and takes two thirds of the others' time for it."""

TEMPLATE = "nurture_template"
CLUSTERED = {"test_engine", "test_advance_asks"}
"""Suites whose engine runs in cluster mode as well."""

WALKED = {"test_asks_browser", "test_challenge"}
"""Suites that walk through pages in a browser, on SQLite alone: the forms, films, offers, sign-ups and friends behind the
pages are asked of both databases where no browser stands between."""


def pytest_configure() -> None:
    for name in [name for name in os.environ if name.startswith("NURTURE_")]:
        del os.environ[name]  # a developer's own settings must not reach the tests
    _trust_one_authority()


def pytest_collection_finish() -> None:
    gc.freeze()  # thousands of tests wait to be run: no collection need look at them


def _trust_one_authority() -> None:
    """No test asks a server of the world: to read all its authorities takes 40 ms a client, and there are thousands."""
    first, end, _ = Path(certifi.where()).read_text().partition("-----END CERTIFICATE-----\n")
    one = Path(__file__).parent.parent / ".pytest_cache" / "authority.pem"
    one.parent.mkdir(exist_ok=True)
    mine = one.with_suffix(f".{os.getpid()}")
    mine.write_text(first + end)
    mine.replace(one)  # another worker may be reading it
    os.environ.pop("SSL_CERT_DIR", None)
    os.environ["SSL_CERT_FILE"] = str(one)


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    which = shutil.which("initdb")
    if not found and which:
        return Path(which).parent
    if not found:
        pytest.fail("the tests need PostgreSQL's server programs: apt-get install postgresql", pytrace=False)
    return found[-1]


class Server:
    """A PostgreSQL server in a folder of its own, reached by a socket there. It may forget on a power cut."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nurture-pg-"))
        self.binaries = _binaries()
        self.who: dict[str, object] = {}
        if os.geteuid() == 0:  # the server refuses to run as root
            group = pwd.getpwnam("postgres").pw_gid
            shutil.chown(self.folder, "postgres", group)
            self.who = {"user": "postgres", "group": group, "extra_groups": [], "cwd": self.folder}
        data = str(self.folder / "data")
        self._run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
        # Without autovacuum, as it would learn from one test's rows how to read those of the next.
        options = (
            f"-k {self.folder} -c listen_addresses='' -c fsync=off -c full_page_writes=off -c max_connections=200 "
        )
        options += "-c autovacuum=off"
        self._run("pg_ctl", "-D", data, "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [str(self.binaries / program), *words],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.who,
        )  # fmt: skip


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[str]:
    """One server for all workers of a run; the last one to leave stops it. Gives a URL with {} for the database."""
    shared = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    note, lock = shared / "postgresql.json", shared / "postgresql.lock"
    with Locked(lock):
        if note.exists():
            state = json.loads(note.read_text())
        else:
            started = Server()
            state = {"folder": str(started.folder), "users": 0}
            made = open_store(_make_database(started.url("postgres"), started.url("{}"), TEMPLATE, None))
            cluster.prepare(made)
            made.close()
        state["users"] += 1
        note.write_text(json.dumps(state))
    folder = Path(state["folder"])
    yield f"postgresql://postgres@/{{}}?host={folder}"
    with Locked(lock):
        state = json.loads(note.read_text())
        state["users"] -= 1
        note.write_text(json.dumps(state))
        if state["users"] == 0:
            leaving = Server.__new__(Server)
            leaving.folder, leaving.binaries, leaving.who = folder, _binaries(), {}
            if os.geteuid() == 0:
                leaving.who = {"user": "postgres", "cwd": folder}
            leaving.stop()
            note.unlink()


class Locked:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        self.file = self.path.open("w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.file.close()


def _make_database(admin: str, pattern: str, name: str, template: str | None) -> str:
    _say(admin, f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
    return pattern.format(name)


def _say(url: str, *statements: str) -> list[object]:
    """The first value that each statement answers, None where it answers nothing."""
    with psycopg.connect(url, autocommit=True) as connection:
        answers = [connection.execute(statement.encode()) for statement in statements]
        return [next(iter(answer.fetchone() or ()), None) if answer.description else None for answer in answers]


KEEP = """
CREATE SCHEMA kept;
CREATE TABLE kept.alembic_version AS TABLE public.alembic_version;
CREATE TABLE kept.installation AS TABLE public.installation;
"""
CLEAR = """
DO $$ DECLARE t text; many integer; BEGIN
    PERFORM pg_terminate_backend(pid, 10000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL (ARRAY[0, {}]);
    SET LOCAL session_replication_role = replica;
    FOR t IN SELECT format('public.%I', tablename) FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE 'SELECT count(*) FROM (SELECT FROM ' || t || ' LIMIT 2000) AS first' INTO many;
        IF many = 2000 THEN EXECUTE 'TRUNCATE ' || t || ' CASCADE';
        ELSIF many > 0 THEN EXECUTE 'DELETE FROM ' || t;  -- six times faster for a few rows
        END IF;
    END LOOP;
    PERFORM setval(format('public.%I', sequencename)::regclass, 1, false) FROM pg_sequences
        WHERE schemaname = 'public' AND last_value IS NOT NULL;
    INSERT INTO public.alembic_version TABLE kept.alembic_version;
    INSERT INTO public.installation TABLE kept.installation;
END $$
"""
SHAPE = """
SELECT md5(string_agg(c.relname || '.' || a.attname || a.atttypid || a.attnotnull, ',' ORDER BY c.relname, a.attname))
    || (SELECT count(*) FROM pg_trigger) || (SELECT count(*) FROM pg_constraint)
    || (SELECT coalesce(string_agg(description, ','), '') FROM pg_description WHERE objoid >= 16384)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'public'::regnamespace
"""


class Databases:
    """PostgreSQL databases for one worker's tests: one that a test has left is emptied for the next, as making one takes
    longer than most tests. One whose tables a test has changed is thrown away."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.free: list[str] = []
        self.shape: object = None
        self.asking: dict[str, psycopg.Connection] = {}

    def take(self) -> str:
        if self.free:
            return self.free.pop()
        url = _make_database(self.pattern.format("postgres"), self.pattern, f"t{uuid.uuid4().hex[:12]}", TEMPLATE)
        *_, self.shape = _say(url, *KEEP.strip().splitlines(), SHAPE)
        return url

    def give_back(self, url: str, *staying: int) -> None:
        """Empty it for the next. Those whose processes stay are connected to it as before."""
        if self._ask(url, SHAPE) == self.shape:
            self._ask(url, CLEAR.replace("{}", ", ".join(map(str, (0, *staying)))))
            self.free.append(url)
        else:
            self.close(url)
            name = url.partition("?")[0].rpartition("/")[2]
            _say(self.pattern.format("postgres"), f'DROP DATABASE "{name}" WITH (FORCE)')

    def _ask(self, url: str, statement: str) -> object:
        """Ask over the one connection that goes along with the database: a new one has all tables yet to get to know."""
        try:
            known = self.asking.get(url) or psycopg.connect(url, autocommit=True)
            answer = known.execute(statement.encode())
        except psycopg.OperationalError:  # a test that ended every connection ended this one too
            known = psycopg.connect(url, autocommit=True)
            answer = known.execute(statement.encode())
        self.asking[url] = known
        return next(iter(answer.fetchone() or ()), None) if answer.description else None

    def close(self, *urls: str) -> None:
        for url in urls or tuple(self.asking):
            self.asking.pop(url).close()


@pytest.fixture(scope="session")
def databases(server: str) -> Iterator[Databases]:
    made = Databases(server)
    yield made
    made.close()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to be copied."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database with all tables."""
    yield from _fresh(request.param, request, tmp_path)


@pytest.fixture
def postgresql(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Like `url`, for what only PostgreSQL does."""
    yield from _fresh("postgresql", request, tmp_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "store" in metafunc.fixturenames:
        name = metafunc.module.__name__
        kinds = ["sqlite"] if name in WALKED else ["sqlite", "postgresql", *(["cluster"] if name in CLUSTERED else [])]
        metafunc.parametrize("store", kinds, indirect=True)


class Stores:
    """Stores that a worker's tests use one after the other, each with a fresh database behind it: a store keeps the SQL
    of every question that it was ever asked, and to write that anew for each test takes longer than to ask."""

    def __init__(self, folder: Path, migrated: Path) -> None:
        self.folder = folder
        self.migrated = migrated
        self.known: dict[tuple[str, str], Store] = {}

    def file(self, name: str) -> Iterator[Store]:
        """On a fresh SQLite file, where the last one of this name was."""
        path = self.folder / name
        for old in self.folder.glob(f"{name}*"):
            old.unlink()
        shutil.copy(self.migrated, path)
        opened = self._open(f"sqlite:///{path}", "sqlite")
        yield opened
        opened.close()

    def database(self, databases: Databases, kind: str) -> Iterator[Store]:
        url = databases.take()
        opened = self._open(url, kind)
        yield opened
        databases.give_back(url, *_idle(opened))

    def _open(self, url: str, kind: str) -> Store:
        known = self.known.get((url, kind))
        if known is None:
            known = self.known[url, kind] = open_store(url)
            if kind == "cluster":
                known.queue_wakeups()
        return known

    def close(self) -> None:
        for known in self.known.values():
            known.close()


def _idle(store: Store) -> list[int]:
    """The server's processes behind the connections of a store that nobody uses any more. One that a test has not given
    back is not among them, and ends."""
    pool = store._writer.pool
    with ExitStack() as stack:
        idle = [stack.enter_context(store.read()).connection for _ in range(pool.checkedin())]
        return [connection.dbapi_connection.info.backend_pid for connection in idle]


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Stores]:
    made = Stores(tmp_path_factory.mktemp("stores"), migrated)
    yield made
    made.close()


@pytest.fixture
def store(request: pytest.FixtureRequest, stores: Stores) -> Iterator[Store]:
    """A fresh database, opened; on a cluster its transactions carry wake-ups, and the stage does what it is woken for."""
    if request.param == "sqlite":
        yield from stores.file("store.db")
    else:
        yield from stores.database(request.getfixturevalue("databases"), request.param)


def _forget_closed_logs() -> None:
    """A command that ran in this process before logs to the stderr it had then, which pytest has closed since."""
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, logging.StreamHandler) and getattr(handler.stream, "closed", False):
            root.removeHandler(handler)


@pytest.fixture
def nurture_in(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command in a folder; gives its exit code, stdout and stderr. A traceback fails the test."""

    def command(folder: Path, *words: str) -> tuple[int, str, str]:
        _forget_closed_logs()
        code = run(["-C", str(folder), *words])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return command


@pytest.fixture
def nurture(tmp_path: Path, nurture_in: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[int, str, str]]:
    """The same in the test's folder."""
    return partial(nurture_in, tmp_path)


@pytest.fixture
def house(stores: Stores) -> Iterator[House]:
    """A whole web, on SQLite: for questions to the web. What the store promises is asked of both databases."""
    for opened in stores.file("house.db"):
        built = House(opened)
        yield built
        built.close()


def _fresh(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if kind == "sqlite":
        shutil.copy(request.getfixturevalue("migrated"), tmp_path / "nurture.db")
        yield f"sqlite:///{tmp_path}/nurture.db"
        return
    databases = request.getfixturevalue("databases")
    made = databases.take()
    yield made
    databases.give_back(made)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser, for a file of tests. Not for the whole run: its loop would stand in the way of other tests' own."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert program, "the browser tests need Chromium: apt-get install chromium-headless-shell"
    with sync_playwright() as playwright:
        # what runs for a moment on a page that is left is not worth to be made fast
        args = ["--no-sandbox", "--js-flags=--no-opt"]
        opened = playwright.chromium.launch(executable_path=program, args=args)
        yield opened
        opened.close()
