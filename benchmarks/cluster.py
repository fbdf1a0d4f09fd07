"""What more processes bring, in one run and as ratios.

Mails a second with the embedded engine and with 1, 2 and 4 workers on PostgreSQL, the provider taking its time; the CPU
of a cluster that has nothing to do, with few and with very many waiting; and from an answer or a click on the web to the
request for the next mail, with an idle queue. The fake provider, PostgreSQL and every engine are processes of their own
on the same machine; figures of one run are comparable with each other, not with those of another day.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.bench import BODY, PEOPLE, SEQUENCE, _later, _multiply  # noqa: E402
from benchmarks.machines import fake_esp, postgres  # noqa: E402

LADDER = """\
title: A ladder
start: manual
from: Ada <ada@example.com>
within: 10 days
steps:
  question:
    subject: question
    template: body.md
    ask: {poll: Home or auto?, answers: {home: A home loan, auto: An auto loan}}
    yes: tour
    no: end
  tour:
    subject: tour
    template: body.md
    ask: {click: Show me, to: https://example.com/tour}
    yes: offer
    no: end
  offer:
    subject: offer
    template: body.md
    ask: {click: Buy, to: https://example.com/buy}
    no: end
"""
TICKS = os.sysconf("SC_CLK_TCK")


class Site:
    """A project, its settings, its processes."""

    def __init__(self, stack: ExitStack, url: str, sequence: str, people: int, **settings: str) -> None:
        self.stack = stack
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nurture-cluster-")))
        self.log = self.folder / "accepted.jsonl"
        self.log.touch()
        latency = int(settings.pop("latency", "0"))
        port = stack.enter_context(fake_esp(self.log, latency=latency))
        for name, content in {
            "sequences/ladder.yaml": sequence, "templates/body.md": BODY, "people.yaml": PEOPLE,
            "nurture.toml": 'postal_address = "1 Example Street"\n',
            "people.csv": "email,first_name\n" + "".join(f"person{n}@example.com,Ann {n}\n" for n in range(people)),
        }.items():  # fmt: skip
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text(content)
        self.environment = {
            **os.environ,
            "NURTURE_DATABASE_URL": url.format(folder=self.folder),
            "NURTURE_SECRET_KEY": "a key for benchmarks only, long enough",
            "NURTURE_PROVIDER": "postmark",
            "NURTURE_PROVIDERS__POSTMARK__KEY": "test",
            "NURTURE_PROVIDERS__POSTMARK__URL": f"http://127.0.0.1:{port}",
            **settings,
        }
        self.run("import", "people.csv", "--enroll", "ladder")

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "nurture", "-C", str(self.folder), *words]

    def run(self, *words: str) -> None:
        done = subprocess.run(self.command(*words), env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / "engine.log").open("ab") as log:
            process = subprocess.Popen(self.command(*words), env=self.environment, stderr=log, cwd=ROOT)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process

    def until(self, true, seconds: float = 240) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise SystemExit(f"it did not happen:\n{self.said()[-3000:]}")
            time.sleep(0.005)

    def said(self) -> str:
        return (self.folder / "engine.log").read_text()

    def mails(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=4000)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--clicks", type=int, default=50)
    parser.add_argument("--only", default="workers,latency,idle")
    options = parser.parse_args()
    wanted = options.only.split(",")
    if "workers" in wanted:
        workers(options.people)
    if "latency" in wanted:
        latency(options.clicks)
    if "idle" in wanted:
        idle(options.waiting)


def workers(people: int) -> None:
    """From the first accepted mail to the last, every process started and everybody due before."""
    alone: dict[tuple[int, int], float] = {}
    for taken, senders in ((50, 8), (20, 20)):
        settings = {"latency": str(taken), "NURTURE_SENDERS": str(senders)}
        for name, count in (
            ("embedded, SQLite", 0),
            ("cluster, PostgreSQL", 1),
            ("cluster, PostgreSQL", 2),
            ("cluster, PostgreSQL", 4),
        ):
            with ExitStack() as stack:
                url = stack.enter_context(postgres()) if count else "sqlite:///{folder}/nurture.db"
                site = Site(stack, url, SEQUENCE, people, **settings)
                site.run("pause", "all")
                parts = [("worker",)] * count + [("run", "--only", "clock")] if count else [("run", "--only", "clock")]
                for words in parts:
                    site.start(*words)
                site.until(lambda s=site, p=parts: s.said().count("Nurture runs") == len(p))
                time.sleep(4)  # everybody is decided for; what is measured is sending
                site.run("resume", "all")
                site.until(lambda s=site: s.log.read_bytes().count(b"\n") >= people)
                at = sorted(mail["at"] for mail in site.mails())
                rate = people / (at[-1] - at[0])
                if count == 1:
                    alone[taken, senders] = rate
                against = f"   {rate / alone[taken, senders]:.2f} x one worker" if count > 1 else ""
                shown = f"{name}, {count} worker{'s' * (count > 1)}" if count else name
                print(
                    f"mails      {shown:<32} {rate:>7,.0f} a second   provider takes {taken} ms, "
                    f"{senders} senders a process{against}",
                    flush=True,
                )


def latency(people: int) -> None:
    """One person after the other, nothing else to do: web, clock and worker are processes of their own."""
    import httpx

    with ExitStack() as stack:
        settings = {"NURTURE_SETTLE": "0 seconds", "NURTURE_BASE_URL": "https://links.example.com"}
        site = Site(stack, stack.enter_context(postgres()), LADDER, people, **settings)
        site.start("worker")
        site.start("run", "--only", "clock")
        site.start("run", "--only", "web", "--port", "0")
        site.until(lambda: site.log.read_bytes().count(b"\n") >= people and site.said().count("Nurture runs") == 3)
        address = re.search(r"at (http://[\d.]+:\d+)", site.said())[1]
        time.sleep(3)
        web = stack.enter_context(httpx.Client(base_url=address, headers={"User-Agent": "Mozilla/5.0 (X11)"}))
        for what, before, link, after in (
            ("answer on a page", "question", r"/q/\S+", "tour"),
            ("click, verdict at once", "tour", r"/c/\S+", "offer"),
        ):
            took = []
            links = {m["to"]: re.search(link, m["text"])[0] for m in site.mails() if m["subject"] == before}
            time.sleep(2.5)  # a click within two seconds of the mail is a machine's
            for to, path in links.items():
                began = time.time()
                web.post(path, data={"answer": "home"}) if after == "tour" else web.get(path)
                site.until(lambda t=to, a=after: _last(site, t, a))
                mail = next(mail for mail in reversed(site.mails()) if (mail["to"], mail["subject"]) == (to, after))
                took.append(mail["at"] - began)
            p95 = quantiles(took, n=20)[18]
            print(
                f"latency    {what} to the next mail's request: median {median(took) * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms"
            )


def _last(site: Site, to: str, subject: str) -> bool:
    return any((mail["to"], mail["subject"]) == (to, subject) for mail in site.mails()[-3:])


def idle(waiting: int) -> None:
    """The CPU of clock, worker and PostgreSQL together, over half a minute in which nobody is due."""
    from sqlalchemy import text

    from nurture.store.database import open_store

    with ExitStack() as stack:
        url = stack.enter_context(postgres())
        site = Site(stack, url, SEQUENCE, 1000)
        store = open_store(url)
        with store.write() as tx:
            tx.execute(text("update enrollment set phase = 'waiting', due_at = :later"), {"later": _later()})
        used = {}
        for people in (1000, waiting):
            _multiply(store, people)
            processes = [site.start("worker"), site.start("run", "--only", "clock")]
            began = site.said().count("Nurture runs")
            site.until(lambda b=began: site.said().count("Nurture runs") >= b + 2 or b >= 2)
            time.sleep(8)
            before = [_cpu(process.pid) for process in processes] + [_server(url)]
            time.sleep(30)
            after = [_cpu(process.pid) for process in processes] + [_server(url)]
            worker, clock, server = [(b - a) / 30 * 1000 for a, b in zip(before, after, strict=True)]
            used[people] = worker + clock + server
            print(
                f"idle       {people:>9,} waiting: {used[people]:.1f} ms of CPU a second "
                f"(worker {worker:.1f}, clock {clock:.1f}, PostgreSQL {server:.1f})",
                flush=True,
            )
            for process in processes:
                process.terminate()
                process.wait()
        print(f"idle       ratio {used[waiting] / used[1000]:.2f}")
        store.close()


def _cpu(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _server(url: str) -> float:
    """The CPU seconds of the server and all its processes."""
    folder = url.partition("host=")[2]
    head = int((Path(folder) / "data" / "postmaster.pid").read_text().splitlines()[0])
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(head)], capture_output=True, text=True, check=True
    ).stdout
    fields = Path(f"/proc/{head}/stat").read_text().rpartition(")")[2].split()
    gone = (int(fields[13]) + int(fields[14])) / TICKS  # of children that have ended
    return _cpu(head) + gone + sum(_cpu(int(pid)) for pid in listed.split() if Path(f"/proc/{pid}").exists())


if __name__ == "__main__":
    main()
