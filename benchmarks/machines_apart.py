"""Machines apart: network namespaces with addresses of their own, one PostgreSQL, and things that happen to machines.

Web and clock on one machine, a worker on each of two others. Many people climb a ladder of three mails while a worker's
machine is cut off in the middle of sending, another is killed, PostgreSQL crashes, and the machine of the clock is
replaced by another at another address. Nobody helps. The judge is the log of a fake provider that honours an
idempotency key: 0 lost, 0 doubled. Needs root and iproute2; everything stays inside the namespaces.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS = ("one", "two", "three")
STEP = """\
  {name}:
    subject: {name}
    template: plain.md
    ask: {{click: Go on, to: https://example.com/}}
    yes: {then}
    no: {then}
"""
SEQUENCE = "title: Three mails\nstart: manual\nfrom: Ada <ada@example.com>\nwithin: 5 seconds\nsteps:\n" + "".join(
    STEP.format(name=name, then=then) for name, then in zip(STEPS, (*STEPS[1:], "end"), strict=True)
)
CLICKER = """\
import json, re, sys, time, urllib.error, urllib.request
log, hosts = open(sys.argv[1]), sys.argv[2:]
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_): return None
opener, seen, clicked = urllib.request.build_opener(Stay), 0, 0
while True:
    line = log.readline()
    if not line.endswith("\\n"):
        time.sleep(0.2)
        continue
    seen += 1
    link = re.search(r"/c/\\S+", json.loads(line)["text"])
    if seen % 20 or not link:
        continue
    for host in hosts:
        try:
            opener.open(f"http://{host}:8000{link[0]}", timeout=2)
        except urllib.error.HTTPError as answer:
            if answer.code == 302:
                print("clicked", flush=True)
                break
        except OSError:
            pass
"""


class Net:
    """A switch and the machines on it, each a namespace: `nurture-NAME` at 10.77.0.N."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self._ns("net")
        _run("ip", "-n", "nurture-net", "link", "add", "switch", "type", "bridge")
        _run("ip", "-n", "nurture-net", "link", "set", "switch", "up")

    def machine(self, name: str, number: int) -> None:
        self._ns(name)
        _run(
            "ip", "-n", f"nurture-{name}", "link", "add", "eth0", "type", "veth", "peer", "name", f"to-{name}",
            "netns", "nurture-net",
        )  # fmt: skip
        _run("ip", "-n", "nurture-net", "link", "set", f"to-{name}", "master", "switch", "up")
        _run("ip", "-n", f"nurture-{name}", "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            _run("ip", "-n", f"nurture-{name}", "link", "set", device, "up")

    def cut(self, name: str) -> None:
        _run("ip", "-n", "nurture-net", "link", "set", f"to-{name}", "down")

    def mend(self, name: str) -> None:
        _run("ip", "-n", "nurture-net", "link", "set", f"to-{name}", "up")

    def _ns(self, name: str) -> None:
        subprocess.run(["ip", "netns", "delete", f"nurture-{name}"], check=False, capture_output=True)
        _run("ip", "netns", "add", f"nurture-{name}")
        self.stack.callback(_run, "ip", "netns", "delete", f"nurture-{name}")


def _run(*words: str) -> None:
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _on(machine: str, *words: str) -> list[str]:
    """A command on a machine, which has its name as host name."""
    named = f'hostname {machine}; exec "$@"'
    return ["ip", "netns", "exec", f"nurture-{machine}", "unshare", "--uts", "sh", "-c", named, "sh", *words]


class World:
    """The database and the provider, on a machine of their own, and every engine that was started."""

    def __init__(self, stack: ExitStack, options: argparse.Namespace) -> None:
        self.stack = stack
        self.options = options
        self.began = time.monotonic()
        self.net = Net(stack)
        for name, number in (("db", 2), ("web", 11), ("one", 12), ("two", 13), ("web2", 14)):
            self.net.machine(name, number)
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nurture-apart-")))
        self.log = self.folder / "accepted.jsonl"
        self.log.touch()
        self._postgres()
        fake = [sys.executable, str(ROOT / "tests/fakes/fake_esp.py"), "--host", "10.77.0.2", "--port", "8025"]
        self.start("db", *fake, "--log", str(self.log), "--latency", "20", "--key")
        self.environment = self._project()

    def _postgres(self) -> None:
        binary = max(Path("/usr/lib/postgresql").glob("*/bin"))
        self.data = Path(tempfile.mkdtemp(prefix="nurture-apart-pg-"))
        self.stack.callback(shutil.rmtree, self.data, ignore_errors=True)
        os.chown(self.data, pwd.getpwnam("postgres").pw_uid, -1)
        self.pg = [
            *_on("db", "runuser", "-u", "postgres", "--"),
            str(binary / "pg_ctl"),
            "-D",
            str(self.data / "data"),
            "-w",
        ]
        _run("runuser", "-u", "postgres", "--", str(binary / "initdb"), "-D", str(self.data / "data"), "-A", "trust")
        with (self.data / "data" / "pg_hba.conf").open("a") as file:
            file.write("host all all 10.77.0.0/24 trust\n")
        options = f"-k {self.data} -c listen_addresses=10.77.0.2 -c max_connections=200 -c shared_buffers=512MB"
        self.pg += ["-l", str(self.data / "log"), "-o", options]
        _run(*self.pg, "start")
        self.stack.callback(_run, *self.pg, "-m", "immediate", "stop")

    def _project(self) -> dict[str, str]:
        (self.folder / "sequences").mkdir()
        (self.folder / "templates").mkdir()
        (self.folder / "sequences" / "ladder.yaml").write_text(SEQUENCE)
        (self.folder / "templates" / "plain.md").write_text("Hello.\n\n{{ ask }}\n")
        (self.folder / "nurture.toml").write_text('postal_address = "1 Example Street"\n')
        rows = "".join(f"person{n}@example.com\n" for n in range(self.options.people))
        (self.folder / "people.csv").write_text("email\n" + rows)
        return {
            **os.environ,
            "NURTURE_DATABASE_URL": "postgresql://postgres@10.77.0.2/postgres",
            "NURTURE_SECRET_KEY": "a key for these machines only, 32 letters",
            "NURTURE_BASE_URL": "https://links.example.com",
            "NURTURE_PROVIDER": "resend",
            "NURTURE_PROVIDERS__RESEND__KEY": "test",
            "NURTURE_PROVIDERS__RESEND__URL": "http://10.77.0.2:8025",
            "NURTURE_SEND_TIMEOUT": "5 seconds",
            "NURTURE_SETTLE": "1 second",
        }

    def start(self, machine: str, *words: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        with (self.folder / f"{machine}.log").open("ab") as log:
            process = subprocess.Popen(
                _on(machine, *words), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                start_new_session=True, cwd=ROOT,
            )  # fmt: skip
        self.stack.callback(_end, process)
        return process

    def nurture(self, machine: str, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "nurture", "-C", str(self.folder), *words]
        return self.start(machine, *command, environment=self.environment)

    def ask(self, *words: str) -> str:
        command = [sys.executable, "-m", "nurture", "-C", str(self.folder), *words]
        done = subprocess.run(
            _on("db", *command), env=self.environment, capture_output=True, text=True, check=False, cwd=ROOT
        )
        if done.returncode:
            raise SystemExit(f"nurture {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    @property
    def accepted(self) -> int:
        return self.log.read_bytes().count(b"\n")

    def say(self, what: str) -> None:
        print(f"{time.monotonic() - self.began:6.0f} s  {self.accepted:>7,} accepted   {what}", flush=True)

    def until(self, share: float, patience: float = 300) -> None:
        """Wait until this share of all mail was accepted; give up when nothing has happened for long."""
        wanted = self.options.people * len(STEPS) * share
        last, since = -1, time.monotonic()
        while last < wanted:
            time.sleep(0.5)
            if (now := self.accepted) != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > patience:
                raise SystemExit(f"nothing happens any more; see {self._kept()}")

    def _kept(self) -> Path:
        kept = Path(tempfile.mkdtemp(prefix="nurture-apart-logs-"))
        for log in self.folder.glob("*.log"):
            shutil.copy(log, kept)
        return kept


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--cut", type=float, default=45, help="seconds for which a machine is cut off")
    options = parser.parse_args()
    with ExitStack() as stack:
        world = World(stack, options)
        print(
            f"machines: web + clock 10.77.0.11, workers .12 and .13, database and provider .2; {options.people:,} people"
        )
        world.ask("import", "people.csv", "--enroll", "ladder")
        world.say("imported, nothing runs yet")
        web, clock = (
            world.nurture("web", "run", "--only", "web", "--host", "10.77.0.11"),
            world.nurture("web", "run", "--only", "clock"),
        )
        world.nurture("one", "worker")
        two = world.nurture("two", "worker")
        clicking = world.start("db", sys.executable, "-c", CLICKER, str(world.log), "10.77.0.11", "10.77.0.14")
        world.until(0.15)
        world.net.cut("one")
        world.say("worker one is cut off in the middle of sending")
        since = time.monotonic()
        world.until(0.30)
        _end(two)
        world.nurture("two", "worker")
        world.say("worker two was killed (SIGKILL), another takes its place")
        time.sleep(max(0.0, options.cut - (time.monotonic() - since)))
        world.net.mend("one")
        world.say("worker one is back on the network")
        world.until(0.50)
        _run(*world.pg, "-m", "immediate", "restart")
        world.say("PostgreSQL crashed and started again")
        world.until(0.65)
        for process in (web, clock):
            _end(process)
        world.say("the machine of web and clock is gone")
        time.sleep(5)
        world.nurture("web2", "run", "--only", "web", "--host", "10.77.0.14")
        world.nurture("web2", "run", "--only", "clock")
        world.say("another machine has web and clock, at another address")
        world.until(1.0)
        world.say("every mail of every person was accepted")
        time.sleep(10)
        _end(clicking)
        return _judge(world)


def _judge(world: World) -> int:
    accepted = [json.loads(line) for line in world.log.read_text().splitlines()]
    copies = Counter((mail["to"], mail["subject"]) for mail in accepted)
    lost = sum(
        1
        for number in range(world.options.people)
        for step in STEPS
        if (f"person{number}@example.com", step) not in copies
    )
    doubled = sum(count - 1 for count in copies.values())
    unknown = json.loads(world.ask("messages", "--state", "unknown", "--json"))["messages"]
    fine = lost == 0 and doubled == 0 and not unknown
    print(
        f"{'ok ' if fine else 'BAD'} {world.options.people:,} people x {len(STEPS)}: accepted {len(accepted):,}, lost {lost}, "
        f"doubled {doubled}, unknown {len(unknown)}, {time.monotonic() - world.began:.0f} s"
    )
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
