"""Cluster mode: wake-ups through the database, Procrastinate's workers, and what happens when one of them dies."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue

import pytest
from sqlalchemy import text
from stage import BODY, LINKS, MONDAY, PEOPLE
from test_run import ROOT
from waiting import until

from benchmarks.machines import fake_esp
from nurture.engine import answering, cluster, enroll
from nurture.engine.deploy import Current
from nurture.engine.inbox import Inbox
from nurture.engine.presence import clock_is_missing, present
from nurture.engine.rules import Rules
from nurture.engine.run import Engine
from nurture.engine.shared_gate import SharedGate
from nurture.errors import StoreError
from nurture.journey.verdict import AT_ONCE
from nurture.providers.base import Abilities, Account, Provider
from nurture.store import deploys, wakeups, workers
from nurture.store.database import open_store

LADDER = b"""\
title: A ladder
start: manual
from: Ada <ada@example.com>
within: 1 day
steps:
  question:
    subject: A question
    template: body.md
    ask: {poll: "Home or auto?", answers: {home: A home loan, auto: An auto loan}}
    yes: tour
    no: end
  tour:
    subject: The tour
    template: body.md
    ask: {click: Show me, to: https://shop.example.com/tour}
    yes: offer
    no: end
  offer:
    subject: The offer
    template: body.md
    ask: {click: Buy, to: https://shop.example.com/buy}
    yes: end
    no: end
"""


@pytest.fixture
def opened(postgresql):
    store = open_store(postgresql)
    with store.write() as tx:
        files = {"people.yaml": PEOPLE, "templates/body.md": BODY, "sequences/ladder.yaml": LADDER}
        deploys.save(tx, files, datetime.now(UTC))
    cluster.prepare(store)
    yield store
    store.close()


def jobs(store):
    with store.read() as tx:
        return [tuple(row) for row in tx.execute(text("SELECT task_name, status FROM procrastinate_jobs ORDER BY id"))]


def engine_of(store, delivered=None, **more):
    provider = Provider("outbox", lambda _: lambda mail: delivered.put(mail) or mail.id, abilities=Abilities())
    rules = Rules(postal_address="1 Example Street", settle=timedelta(0))
    return Engine(store, Current(store, rules), LINKS, provider, Account("outbox"), senders=2, **more)


def subscribe(engine, email="ann@example.com"):
    enroll.subscribe(
        engine.store, engine.current(), email, attributes={}, tags=(), sequence="ladder", now=engine.now()
    )  # fmt: skip


# --- wake-ups


def test_a_wake_up_is_deferred_with_the_report_that_gives_the_reason_and_many_are_one(opened):
    inbox = Inbox(opened)
    for number in range(5):
        inbox.keep("postmark", {}, b"%d" % number, datetime.now(UTC))
    inbox.close()
    assert jobs(opened) == [("receive", "todo")]


def test_what_is_rolled_back_wakes_nobody(opened):
    with pytest.raises(ZeroDivisionError), opened.write() as tx:
        wakeups.want(tx, "send")
        raise ZeroDivisionError
    with opened.write() as tx:
        tx.execute(text("SELECT 1"))
    assert jobs(opened) == []


def test_several_clocks_collapse_into_one_job_a_piece_of_work(opened):
    engine = engine_of(opened, SimpleQueue())
    cluster.wake(engine)
    assert jobs(opened) == [], "nothing is due, nobody is woken"
    subscribe(engine)
    for _ in range(3):
        cluster.wake(engine)
    assert jobs(opened) == [("tick", "todo")]


def test_two_transactions_that_defer_the_same_at_once_make_one_job(opened):
    ready = SimpleQueue()
    from threading import Thread

    def other():
        with opened.write() as tx:
            wakeups.want(tx, "send")
        ready.put(True)

    with opened.write() as tx:
        wakeups.want(tx, "send")
        wakeups.leave(tx)
        thread = Thread(target=other)
        thread.start()
        with pytest.raises(Empty):
            ready.get(timeout=0.3)
    assert ready.get(timeout=10)
    thread.join()
    assert jobs(opened) == [("send", "todo")]


# --- Procrastinate's tables


def test_the_queue_is_made_once_and_follows_procrastinates_versions(opened):
    with opened.write() as tx:
        for kind in ("TABLE procrastinate_periodic_defers, procrastinate_events, procrastinate_jobs",
                     "TABLE procrastinate_workers", "TYPE procrastinate_job_to_defer_v1",
                     "TYPE procrastinate_job_status", "TYPE procrastinate_job_event_type"):  # fmt: skip
            tx.execute(text(f"DROP {kind} CASCADE"))
        functions = "SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc WHERE proname LIKE 'procrastinate%'"
        tx.execute(text(f"DROP FUNCTION {tx.execute(text(functions)).scalar_one()} CASCADE"))
        from procrastinate.schema import migrations_path

        first = min(migrations_path.glob("*.sql"))
        tx.connection.driver_connection.execute(first.read_text())
        version = "00.00.00_01"
        tx.execute(text(f"COMMENT ON TABLE procrastinate_jobs IS '{cluster.OURS}{version}'"))
    for _ in range(2):
        cluster.prepare(opened)
    with opened.write() as tx:
        wakeups.want(tx, "tick")
    assert jobs(opened) == [("tick", "todo")]


def test_a_queue_that_is_not_ours_is_left_alone(opened):
    with opened.write() as tx:
        tx.execute(text("COMMENT ON TABLE procrastinate_jobs IS NULL"))
    with pytest.raises(StoreError, match="not ours"):
        cluster.prepare(opened)


# --- workers


@contextmanager
def at_work(engine, *runs):
    with cluster.clustered(engine, runs):
        yield


def test_an_answer_wakes_the_next_mail_without_any_clock(opened):
    delivered = SimpleQueue()
    engine = engine_of(opened, delivered)
    with at_work(engine, "worker"):
        subscribe(engine)
        question = delivered.get(timeout=20)
        answering.answer(opened, engine.current(), question.id, "home", engine.now())
        tour = delivered.get(timeout=20)
        inbox = Inbox(opened)
        read = engine.now() + AT_ONCE
        until(lambda: engine.now() > read)  # a click sooner than that is a machine's
        who = {"method": "GET", "ip": "203.0.113.7", "agent": "Mozilla/5.0", "hint": "", "now": engine.now()}
        answering.click(opened, inbox, tour.id, **who)
        assert delivered.get(timeout=20).subject == "The offer"
        inbox.close()
    until(lambda: jobs(opened) == [])


def test_a_job_whose_worker_was_killed_stops_nobody_and_is_swept_out(opened):
    with opened.write() as tx:
        dead = "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour') RETURNING id"
        number = tx.execute(text(dead)).scalar_one()
        for name in ("receive", "tick", "send"):
            worker = number if name == "send" else "NULL"  # as it is when its row was pruned before the job was found
            tx.execute(text(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, status, worker_id) "
                f"VALUES ('{name}', '{name}', '{name}', 'doing', {worker})"
            ))  # fmt: skip
    delivered = SimpleQueue()
    engine = engine_of(opened, delivered)
    subscribe(engine)
    with at_work(engine, "worker", "clock"):
        assert delivered.get(timeout=20).subject == "A question"
        until(lambda: [job for job in jobs(opened) if job[1] == "doing"] == [])


def test_workers_outlive_the_loss_of_every_connection(opened):
    delivered = SimpleQueue()
    engine = engine_of(opened, delivered, every=timedelta(milliseconds=200))
    with at_work(engine, "worker", "clock"):
        for round_ in range(3):
            subscribe(engine, f"ann{round_}@example.com")
            assert delivered.get(timeout=30).to == f"ann{round_}@example.com"
            with opened.read() as tx:
                others = "pid <> pg_backend_pid() AND datname = current_database()"
                tx.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))


# --- one provider, many workers


def test_all_workers_together_keep_to_the_rate_of_the_provider(opened):
    gates = [SharedGate(opened, "postmark", 10.0) for _ in range(3)]
    allowed = [sum(gate.allows(5, MONDAY + timedelta(seconds=tenth / 10)) for gate in gates) for tenth in range(101)]
    assert sum(allowed) == 101, "ten a second for ten seconds, and the first"
    late = [gate.allows(50, MONDAY + timedelta(minutes=1)) for gate in gates]
    assert sum(late) == 10, "credit of one second at most, however long nobody sent"
    assert gates[0].allows(50, MONDAY) == 0, "a clock that is behind gains nothing"


def test_what_a_provider_told_one_worker_holds_all_of_them(opened):
    one, other = (SharedGate(opened, "postmark", None) for _ in range(2))
    assert not other.shut(MONDAY)
    one.close(MONDAY + timedelta(minutes=5), "429")
    assert other.shut(MONDAY + timedelta(seconds=1))
    assert other.allows(3, MONDAY + timedelta(seconds=2)) == 0
    later = MONDAY + timedelta(minutes=6)
    assert other.allows(3, later) == 3
    assert one.ajar(later) and other.ajar(later), "nobody has taken anything yet"
    other.close(later + timedelta(seconds=5), "429")
    one.taken(later)
    assert other.shut(later + timedelta(seconds=2)), "what one worker knew does not undo what another was told since"
    later += timedelta(minutes=1)
    one.taken(later)
    assert not other.ajar(later + timedelta(seconds=2))
    assert not SharedGate(opened, "resend", None).shut(MONDAY)


# --- presence


def test_a_process_says_that_it_is_at_work_and_that_it_left(opened):
    engine = engine_of(opened)
    now = datetime.now(UTC)
    assert not clock_is_missing(opened, now), "nobody is at work, so nobody is missed"
    with present(engine, ["web"]):
        assert clock_is_missing(opened, now)
        with present(engine, ["clock", "worker"]):
            assert not clock_is_missing(opened, now)
            assert clock_is_missing(opened, now + timedelta(minutes=2))
            with opened.read() as tx:
                found = workers.listing(tx)
            assert [one.runs for one in found] == [("web",), ("clock", "worker")]
            assert {one.process for one in found} == {os.getpid()}
    with opened.read() as tx:
        assert workers.listing(tx) == []


# --- as an operator runs it


@contextmanager
def processes(folder, environment, *commands):
    """Each command in a process of its own; gives a function that starts one more."""
    running = []

    def start(*words):
        with (folder / "engine.log").open("ab") as log:
            command = [sys.executable, "-m", "nurture", "-C", str(folder), *words]
            running.append(subprocess.Popen(command, env=environment, stderr=log, cwd=ROOT, start_new_session=True))
        return running[-1]

    try:
        yield [start(*words) for words in commands], start
    finally:
        for process in running:
            process.kill()
            process.wait()


@pytest.fixture
def project(tmp_path, postgresql):
    (tmp_path / "sequences").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "sequences/ladder.yaml").write_bytes(LADDER)
    (tmp_path / "templates/body.md").write_text("Hello.\n\n{{ ask }}\n")
    (tmp_path / "people.csv").write_text("email\n" + "".join(f"person{n}@example.com\n" for n in range(300)))
    return {
        **os.environ, "NURTURE_DATABASE_URL": postgresql, "NURTURE_SECRET_KEY": "a key for tests only, long enough",
        "NURTURE_PROVIDER": "resend", "NURTURE_PROVIDERS__RESEND__KEY": "test", "NURTURE_SEND_TIMEOUT": "2 seconds",
        "NURTURE_TICK": "0.2 seconds",
    }  # fmt: skip


def test_workers_are_killed_and_replaced_and_nobody_is_lost_or_mailed_twice(project, tmp_path):
    log = tmp_path / "accepted.jsonl"
    with fake_esp(log, latency=20, key=True) as port:
        environment = {**project, "NURTURE_PROVIDERS__RESEND__URL": f"http://127.0.0.1:{port}"}
        # one at a time and slow, so that there is a middle to be killed in
        environment |= {"NURTURE_SENDERS": "2", "NURTURE_PROVIDERS__RESEND__RATE": "60"}
        importing = [sys.executable, "-m", "nurture", "-C", str(tmp_path), "import", "people.csv", "--enroll", "ladder"]
        subprocess.run(importing, env=environment, cwd=ROOT, check=True, capture_output=True)
        started = [("run", "--only", "clock"), ("worker",), ("worker",)]
        with processes(tmp_path, environment, *started) as ((clock, first, _), start):
            until(lambda: _lines(log) >= 50, tmp_path)
            os.killpg(first.pid, signal.SIGKILL)
            start("worker")
            os.killpg(clock.pid, signal.SIGKILL)
            start("run", "--only", "clock")
            until(lambda: _lines(log) >= 300, lambda: (tmp_path / "engine.log").read_text()[-3000:])
    mails = [json.loads(line)["to"] for line in log.read_text().splitlines()]
    assert Counter(mails) == Counter(f"person{n}@example.com" for n in range(300))


def _lines(log):
    return log.read_bytes().count(b"\n") if log.exists() else 0


def test_a_program_that_is_older_than_the_tables_drains_and_stops_with_a_sentence(project, tmp_path, postgresql):
    environment = {**project, "NURTURE_PROVIDER": "outbox"}
    with processes(tmp_path, environment, ("run", "--port", "0")) as ((engine,), _):
        said = tmp_path / "engine.log"
        until(lambda: "Nurture runs" in said.read_text() or engine.poll() is not None)
        store = open_store(postgresql)
        with store.write() as tx:
            tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        store.close()
        assert engine.wait(30) == 3, said.read_text()
    assert "the database is of a newer version (9999) than this program" in said.read_text()
    assert "Traceback" not in said.read_text()
