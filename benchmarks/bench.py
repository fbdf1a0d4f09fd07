"""What the engine does on this machine, in one run and as ratios.

Decisions a second, mails a second from due to accepted request, CPU a mail, durable hook events a second, the cost of
a tick that finds nothing as the waiting grow, and memory as the list grows. The fake provider and the load for the
hooks run in processes of their own; figures of one run on one machine are comparable with each other, not with those
of another day.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from threading import Thread

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.machines import fake_esp, postgres  # noqa: E402

NOW = datetime(2026, 6, 1, 10, tzinfo=UTC)
SEQUENCE = """\
title: Two mails
start: manual
from: Ada <ada@example.com>
within: 1 day
steps:
  ask:
    subject: A question for {{ first_name or "you" }}
    template: body.md
    ask: {click: Show me how it works, to: https://example.com/tour}
    yes: more
    no: remind
  remind:
    subject: Still curious?
    template: body.md
    ask: ask
    no: end
  more:
    subject: Here is more
    template: body.md
    ask: {click: Read on, to: https://example.com/more}
    no: end
"""
BODY = """\
Hello {{ first_name or "there" }},

You told us you work at {{ company or "a company" }} with {{ seats or "some" }} people. {% if kept %}Thank you for
answering.{% endif %} Here is what three teams like yours did in their first week:

- They wrote down one question a day, and asked it.
- They answered every reply within an hour.
- They stopped sending what nobody had asked for.

{{ ask }}

{{ city or "Here" }} is waiting. The next step takes two minutes, and you can stop at any time.

Ada
"""
PEOPLE = "attributes: {first_name: text, company: text, seats: number, city: text}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=4000)
    parser.add_argument("--decisions", type=int, default=20_000)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="comma-separated: decisions,mails,batch,hooks,idle,memory")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _memory_child(int(options.child))
        return
    wanted = (
        set(options.only.split(",")) if options.only else {"decisions", "mails", "batch", "hooks", "idle", "memory"}
    )
    if "decisions" in wanted:
        decisions(options.decisions)
    if "mails" in wanted:
        mails(options.mails)
    if "batch" in wanted:
        batch(options.mails)
    if "hooks" in wanted:
        hooks()
    if "idle" in wanted:
        idle(options.waiting)
    if "memory" in wanted:
        memory()


@contextmanager
def databases():
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nurture-bench-"))
        yield {"sqlite": f"sqlite:///{folder}/nurture.db", "postgresql": stack.enter_context(postgres())}


@contextmanager
def opened(url: str):
    from nurture.engine.deploy import Current
    from nurture.engine.rules import Rules
    from nurture.engine.run import settle_in
    from nurture.store import deploys
    from nurture.store.database import open_store

    store = open_store(url)
    files = {
        "people.yaml": PEOPLE.encode(),
        "sequences/ladder.yaml": SEQUENCE.encode(),
        "templates/body.md": BODY.encode(),
    }
    with store.write() as tx:
        deploys.save(tx, files, NOW)
    try:
        deployed = Current(store, Rules(postal_address="1 Example Street"))()
        settle_in()  # as `nurture run` does
        yield store, deployed
    finally:
        store.close()


def enroll(store, deployed, count: int, *, first: int = 0, now: datetime = NOW) -> None:
    from nurture.engine.enroll import Row, import_batch

    for start in range(first, first + count, 1000):
        rows = [
            Row(n, f"person{n}@example.com", {"first_name": f"Ann {n}", "company": "Brightline", "seats": n % 50})
            for n in range(start, min(start + 1000, first + count))
        ]
        import_batch(store, deployed, rows, enroll="ladder", now=now)


def decisions(count: int) -> None:
    """From due to decided: claimed, decided, the move, the planned message and its trace committed."""
    from nurture.engine.tick import tick

    with databases() as urls:
        for name, url in urls.items():
            with opened(url) as (store, deployed):
                enroll(store, deployed, count)
                began, cpu = time.perf_counter(), time.process_time()
                decided = 0
                while (turn := tick(store, deployed, NOW)).decided:
                    decided += turn.decided
                took, used = time.perf_counter() - began, time.process_time() - cpu
                print(
                    f"decisions  {name:<10} {decided / took:>9,.0f} a second   {used / decided * 1e6:>6.0f} us CPU each"
                )


def mails(count: int) -> None:
    """From due to accepted request, one request a mail, rendering included.

    Once as the engine runs, its threads on the core of the one that leads, and once as the kernel places them.
    """
    with databases() as urls:
        for latency, senders in ((0, 8), (50, 64)):
            for name, url in urls.items():
                together = 0.0
                for apart, first in ((False, latency * 1_000_000), (True, latency * 1_000_000 + 500_000)):
                    with fake_esp_of(latency) as (port, log), opened(url) as (store, deployed):
                        enroll(store, deployed, count, first=first)
                        took, used = _mail_all(store, deployed, port, senders, count, apart=apart)
                        accepted = log.read_bytes().count(b"\n")
                    assert accepted == count, f"{accepted} accepted of {count}"
                    ratio = f"{together / took:>5.2f} x" if apart else ""
                    together = together or took
                    print(
                        f"mails      {name:<10} {count / took:>9,.0f} a second   {used / count * 1e6:>6.0f} us CPU each"
                        f"   provider answers after {latency} ms, {senders} senders"
                        f"{', threads anywhere' if apart else ''} {ratio}".rstrip()
                    )


def batch(count: int) -> None:
    """Postmark with many mails in one call against one a call, in one run: where its answer takes as long as a real one's."""
    with databases() as urls:
        for name, url in urls.items():
            alone = 0.0
            for many, first in ((False, 0), (True, 500_000)):
                with fake_esp_of(50) as (port, log), opened(url) as (store, deployed):
                    enroll(store, deployed, count, first=first)
                    took, used = _mail_all(store, deployed, port, 8, count, batch=many)
                    accepted = log.read_bytes().count(b"\n")
                assert accepted == count, f"{accepted} accepted of {count}"
                ratio = f"   {alone / took:>5.2f} x" if many else ""
                alone = alone or took
                print(
                    f"batch      {name:<10} {count / took:>9,.0f} a second   {used / count * 1e6:>6.0f} us CPU each"
                    f"   {'many a call' if many else 'one a call'}, answered after 50 ms, 8 senders{ratio}"
                )


@contextmanager
def fake_esp_of(latency: int):
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "accepted.jsonl"
        with fake_esp(log, latency=latency) as port:
            yield port, log


def _mail_all(
    store, deployed, port: int, senders: int, count: int, *, batch: bool = False, apart: bool = False
) -> tuple[float, float]:  # fmt: skip
    from nurture.engine.sending import Sender
    from nurture.engine.tick import tick
    from nurture.mail.links import Links, Signer
    from nurture.providers import PROVIDERS
    from nurture.providers.base import Account

    links = Links("https://links.example.com", "https://links.example.com", Signer(["a key for benchmarks only"]))
    account = Account("postmark", key="test", url=f"http://127.0.0.1:{port}", batch=batch)
    sender = Sender(store, PROVIDERS["postmark"], account, links, senders=senders, one_core=not apart)
    began, cpu, sent = time.perf_counter(), time.process_time(), 0
    ticking = Thread(target=lambda: _tick_all(tick, store, deployed))
    ticking.start()
    while sent < count:
        sent += sender.turn(deployed, NOW + timedelta(seconds=1)).sent
        sender.wait(0.05)  # as `nurture run` does
    took, used = time.perf_counter() - began, time.process_time() - cpu
    ticking.join()
    sender.close()
    return took, used


def _tick_all(tick, store, deployed) -> None:
    while tick(store, deployed, NOW).decided:
        pass


def hooks() -> None:
    """Events answered after they are durable: a POST with 100 events, and one event a POST on 16 connections."""
    with databases() as urls, tempfile.TemporaryDirectory() as folder:
        for name, url in urls.items():
            script = ROOT / "benchmarks" / "hooks_load.py"
            done = subprocess.run(
                [sys.executable, str(script), url, folder], capture_output=True, text=True, check=False, cwd=ROOT
            )
            if done.returncode:
                raise SystemExit(done.stderr[-3000:])
            for line in json.loads(done.stdout):
                print(f"hooks      {name:<10} {line['events']:>9,.0f} a second   {line['what']}")


def idle(waiting: int) -> None:
    """One tick that finds nothing, as the waiting grow."""
    from sqlalchemy import text

    from nurture.engine.tick import tick

    with databases() as urls:
        for name, url in urls.items():
            with opened(url) as (store, deployed):
                enroll(store, deployed, 1000)
                while tick(store, deployed, NOW).decided:
                    pass
                with store.write() as tx:
                    tx.execute(text("update enrollment set phase = 'waiting', due_at = :later"), {"later": _later()})
                few = _idle(tick, store, deployed)
                _multiply(store, waiting)
                many = _idle(tick, store, deployed)
                print(
                    f"idle tick  {name:<10} {few * 1e6:>6.0f} us with 1,000 waiting, {many * 1e6:>6.0f} us with "
                    f"{waiting:,}: ratio {many / few:.2f}"
                )


def _later() -> int:
    return int((NOW + timedelta(days=300)).timestamp() * 1_000_000)


def _multiply(store, wanted: int) -> None:
    """Copy one waiting person many times, by the database itself."""
    from sqlalchemy import inspect, text

    with store.write() as tx:
        for table, special in (
            ("subscriber", {"id": "id + :step", "email": "email || :step"}),
            ("enrollment", {"id": "id + :step", "subscriber": "subscriber + :step"}),
        ):
            columns = [column["name"] for column in inspect(tx).get_columns(table)]
            chosen = ", ".join(special.get(column, column) for column in columns)
            chosen = chosen.replace(":step", "cast(:step as bigint)") if store.dialect == "postgresql" else chosen
            have = tx.execute(text(f"select count(*) from {table}")).scalar_one()
            while have < wanted:
                top = tx.execute(text(f"select max(id) from {table}")).scalar_one()
                more = min(have, wanted - have)
                tx.execute(
                    text(
                        f"insert into {table} ({', '.join(columns)}) "
                        f"select {chosen} from {table} order by id limit :more"
                    ),
                    {"step": top, "more": more},
                )
                have += more
    if store.dialect == "postgresql":
        with store.write() as tx:
            tx.execute(text("analyze"))


def _idle(tick, store, deployed) -> float:
    for _ in range(20):
        tick(store, deployed, NOW)
    times = []
    for _ in range(300):
        began = time.perf_counter()
        tick(store, deployed, NOW)
        times.append(time.perf_counter() - began)
    return median(times)


def memory() -> None:
    """Peak memory of a process that takes a list through its first mail, at two sizes."""
    peaks = {}
    for people in (1_000, 100_000):
        done = subprocess.run(
            [sys.executable, __file__, "--child", str(people)], capture_output=True, text=True, check=True, cwd=ROOT
        )
        peaks[people] = int(done.stdout)
    few, many = peaks[1_000], peaks[100_000]
    print(
        f"memory     {few / 1024:.0f} MB with 1,000 people, {many / 1024:.0f} MB with 100,000: ratio {many / few:.2f}"
    )


def _memory_child(people: int) -> None:
    from nurture.engine.tick import tick

    with (
        tempfile.TemporaryDirectory() as folder,
        opened(f"sqlite:///{folder}/nurture.db") as (store, deployed),
    ):
        enroll(store, deployed, people)
        while tick(store, deployed, NOW).decided:
            pass
    # not `ru_maxrss`, which a child inherits from whoever started it (man 2 getrusage)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))


if __name__ == "__main__":
    main()
