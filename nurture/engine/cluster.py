"""Many machines on one PostgreSQL: clocks defer wake-ups, and Procrastinate's workers do the work they are woken for.

Rows are the truth. A job carries nothing but the name of a piece of work, any number of clocks collapse into one
waiting job (its queueing lock), and a job that is lost, doubled or stuck costs latency and never a mail. No job holds
Procrastinate's `lock`, so one that stays `doing` when its worker was killed (procrastinate#1518, #1408) stands in
nobody's way; the clock sweeps it out. Never one job a person: Procrastinate's fetch walks all jobs that wait.

The only importer of Procrastinate, and the only place in the engine with another colour: its asyncio lives in one
thread and ends here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING

from sqlalchemy import text

from nurture.engine.clock import Clock, guarded
from nurture.engine.due import look
from nurture.engine.outliving import drop_words
from nurture.engine.run import working
from nurture.errors import StoreError
from nurture.store import wakeups
from nurture.store.database import OPTIONS, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Collection

    from procrastinate import App
    from sqlalchemy.engine import URL

    from nurture.engine.clock import Work
    from nurture.engine.run import Engine
    from nurture.store.database import Store

log = logging.getLogger("nurture.cluster")

LANES = (["receive"], ["tick", "settle"], ["send"], ["tell"], ["shop"])
"""Works of one lane go one after the other in a process; a busy lane takes no wake-up that another machine could."""

SWEEP = timedelta(seconds=15)
STALLED = 30
"""Seconds without a sign after which a worker's jobs are taken for lost."""

AGAIN = 1.0
"""Seconds until a worker that lost the database tries again."""


def possible(store: Store) -> bool:
    """Whether this database could wake workers, and they are installed."""
    return store.dialect == "postgresql" and find_spec("procrastinate") is not None


# --- the queue's own tables


OURS = "wake-ups of Nurture, schema "
WAKE = """
CREATE OR REPLACE FUNCTION nurture_wake(names text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY names LOOP
        IF NOT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = name AND status = 'todo') THEN
            BEGIN
                PERFORM procrastinate_defer_jobs_v1(ARRAY[ROW(
                    name, name, 0, NULL, name, '{}'::jsonb, NULL)::procrastinate_job_to_defer_v1]);
            EXCEPTION WHEN unique_violation THEN -- another has just deferred the same
            END;
        END IF;
    END LOOP;
END $$;
"""
SWEPT = text("""
DELETE FROM procrastinate_jobs AS job WHERE job.status <> 'todo' AND job.queue_name = ANY(:queues) AND NOT (
    job.status = 'doing' AND EXISTS (SELECT 1 FROM procrastinate_workers AS worker WHERE worker.id = job.worker_id
    AND worker.last_heartbeat > now() - make_interval(secs => :stalled)))
""")


def prepare(store: Store) -> None:
    """Bring the queue's tables to Procrastinate's version, and let the store's transactions carry wake-ups.

    Another process may do so at the same time. The version stands in the comment on Procrastinate's table: it has none.
    """
    while _next_step(store):
        pass
    store.queue_wakeups()


def _next_step(store: Store) -> bool:
    """One file of Procrastinate's, in a transaction of its own (a new word of an enum cannot be used in the same)."""
    from procrastinate.schema import SchemaManager, migrations_path

    files = sorted(migrations_path.glob("*.sql"))
    newest = _version(files[-1].name)
    with store.write() as tx:
        tx.execute(text("SELECT pg_advisory_xact_lock(726586)"))
        there, said = tx.execute(
            text("SELECT t IS NOT NULL, obj_description(t, 'pg_class') FROM to_regclass('procrastinate_jobs') AS t")
        ).one()
        run = tx.connection.driver_connection
        assert run is not None
        if not there:
            run.execute(SchemaManager.get_schema())
            run.execute(f"COMMENT ON TABLE procrastinate_jobs IS '{OURS}{newest}'")
        elif said is None or not said.startswith(OURS):
            raise StoreError(
                "this database has Procrastinate's tables already, and they are not ours; "
                "give Nurture a database of its own, or set NURTURE_CLUSTER=off"
            )
        else:
            have = said.removeprefix(OURS)
            missing = [file for file in files if _version(file.name) > have]
            if missing:
                run.execute(missing[0].read_text(encoding="utf-8"))
                run.execute(f"COMMENT ON TABLE procrastinate_jobs IS '{OURS}{_version(missing[0].name)}'")
                return True
        run.execute(WAKE)
    return False


def _version(file: str) -> str:
    """`03.04.00_50` of `03.04.00_50_post_add_retry_failed_job_procedure.sql`; versions sort as text."""
    return "_".join(file.split("_")[:2])


# --- at work


@contextmanager
def clustered(engine: Engine, runs: Collection[str]) -> Iterator[None]:
    """The parts of the engine that this process runs (`clock`, `worker`), at work until the block ends."""
    with ExitStack() as stack:
        if "worker" in runs:
            works = stack.enter_context(working(engine))
            workers = Workers(engine.store.url, works)
            workers.start()
            stack.callback(workers.stop)
        if "clock" in runs:
            clock = Clock({
                "wake": (partial(wake, engine), engine.every),
                "sweep": (lambda: sweep(engine.store), SWEEP),
                "words": (lambda: _drop_words(engine), SWEEP),
            })  # fmt: skip
            clock.start()
            stack.callback(clock.stop)
        stack.callback(engine.stop.set)
        yield


def wake(engine: Engine) -> None:
    """Defer a wake-up for each piece of work that rows wait for, whoever should have been woken before."""
    names = look(engine.store, engine.now()).works(engine.now())
    if names:
        with engine.store.write() as tx:
            wakeups.want(tx, *names)


def _drop_words(engine: Engine) -> None:
    """Here as well as beside each tick: a cluster in which nobody is due has none."""
    while drop_words(engine.store, engine.current().rules, engine.now()) and not engine.stop.is_set():
        pass


def sweep(store: Store) -> None:
    """Remove jobs that no living worker is at. What they were for is found in the rows."""
    with store.write() as tx:
        queues = [name for lane in LANES for name in lane]
        swept = tx.execute(SWEPT, {"queues": queues, "stalled": STALLED}).rowcount
    if swept:
        log.warning(
            "jobs of workers that are gone were removed (%s); their work is found in the rows",
            swept,
            extra={"count": swept},
        )


class Workers:
    """Procrastinate's workers of this process, one a lane, in a thread with its own event loop.

    What the database's absence throws them out of they begin again, until `stop`; that returns when the pieces at
    work have returned.
    """

    def __init__(self, url: URL, works: Mapping[str, Work]) -> None:
        for chatty in ("procrastinate", "psycopg.pool"):
            logging.getLogger(chatty).setLevel(logging.CRITICAL)  # their tracebacks are one sentence of ours
        self._conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._works = works
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, context: log.debug("%s", context.get("message")))
        self._stopping = asyncio.Event()
        self._thread = Thread(target=self._run, name="cluster", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._until_stopped())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()

    async def _until_stopped(self) -> None:
        while not self._stopping.is_set():
            why = await self._serve()
            if self._stopping.is_set():
                return
            log.warning("the workers lost the database and begin again: %s", why)
            await asyncio.wait([asyncio.ensure_future(self._stopping.wait())], timeout=AGAIN)

    async def _serve(self) -> str:
        """The lanes at work, until one of them falls or we are to stop; gives the reason of a fall."""
        app = self._app()
        try:
            async with app.open_async():
                lanes = [
                    asyncio.ensure_future(
                        app.run_worker_async(
                            queues=lane, name="-".join(lane), delete_jobs="always", install_signal_handlers=False,
                            stalled_worker_timeout=STALLED,
                        )
                    )
                    for lane in LANES
                ]  # fmt: skip
                stopping = asyncio.ensure_future(self._stopping.wait())
                await asyncio.wait([*lanes, stopping], return_when=asyncio.FIRST_COMPLETED)
                stopping.cancel()
                for lane in lanes:
                    lane.cancel()  # a worker that is cancelled lets its job finish
                ended = await asyncio.gather(*lanes, return_exceptions=True)
        except Exception as error:  # noqa: BLE001 - the driver's, the pool's, Procrastinate's: all mean the same here
            return _first_line(error)
        faults = [one for one in ended if isinstance(one, Exception)]
        return _first_line(faults[0]) if faults else "its connection was closed"

    def _app(self) -> App:
        from procrastinate import App, PsycopgConnector

        connector = PsycopgConnector(
            conninfo=self._conninfo, min_size=1, max_size=len(LANES) + 1, timeout=5,
            kwargs={**PATIENCE, "options": OPTIONS, "application_name": "nurture wake-ups"},
        )  # fmt: skip
        app = App(connector=connector)
        for name, work in self._works.items():
            app.task(name=name, queue=name)(guarded(name, work))
        return app


def _first_line(error: BaseException) -> str:
    """What the driver said, which Procrastinate wraps in a "Database error."."""
    said = error.__cause__ or error
    return (str(said).strip() or type(said).__name__).splitlines()[0]
