"""kill -9 at random moments, judged by the provider's own log.

A ladder of three mails is sent to many people while the engine is killed again and again: one process on SQLite,
three on PostgreSQL. The judge is the log of a fake provider in a process of its own; our tables are only asked for
what they call unknown. With a provider that honours an idempotency key nothing may be lost or doubled; without one
nothing may be doubled, and every mail of which nobody knows must be visible as unknown; of a provider that can be
searched, none of those may be one that had left.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

from benchmarks.machines import fake_esp, postgres  # noqa: E402

STEPS = ("one", "two", "three")
SEQUENCE = """\
title: Three mails, nobody answers
start: manual
from: Ada <ada@example.com>
within: 1 second
steps:
  one:
    subject: one
    template: plain.md
    ask: {click: Go on, to: https://example.com/}
    yes: end
    no: two
  two:
    subject: two
    template: plain.md
    ask: {click: Go on, to: https://example.com/}
    yes: end
    no: three
  three:
    subject: three
    template: plain.md
    ask: {click: Go on, to: https://example.com/}
    yes: end
    no: end
"""


def main() -> int:
    options = _options()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    bad = 0
    for database in options.databases.split(","):
        for provider in options.providers.split(","):
            bad += not _round(database, provider, options, random.Random(f"{seed}{database}{provider}"))
    return 1 if bad else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--providers", default="resend,postmark", help="resend honours a key, postmark has none")
    parser.add_argument("--batch", action="store_true", help="many mails in one call (which has no key)")
    parser.add_argument("--search", action="store_true", help="postmark can be asked for a mail")
    return parser.parse_args()


def _round(database: str, provider: str, options: argparse.Namespace, dice: random.Random) -> bool:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nurture-crash-")))
        url = f"sqlite:///{folder}/nurture.db" if database == "sqlite" else stack.enter_context(postgres())
        log = folder / "accepted.jsonl"
        key = provider == "resend" and not options.batch
        more = ("--search",) if options.search else ()
        port = stack.enter_context(fake_esp(log, latency=5, key=key, more=more))
        environment = _project(folder, url, provider, port, options)
        _nurture(environment, folder, "import", "people.csv", "--enroll", "ladder")
        engines = 1 if database == "sqlite" else 3
        began = time.monotonic()
        kills = _kill_again_and_again(environment, folder, engines, options, dice)
        _finish(environment, folder, log, options, key=key)
        unknown = _unknown(environment, folder)
        return _judge(database, provider, key, log, unknown, options, kills, time.monotonic() - began)


def _project(folder: Path, url: str, provider: str, port: int, options: argparse.Namespace) -> dict[str, str]:
    (folder / "sequences").mkdir()
    (folder / "templates").mkdir()
    (folder / "sequences" / "ladder.yaml").write_text(SEQUENCE)
    (folder / "templates" / "plain.md").write_text("Hello.\n\n{{ ask }}\n")
    (folder / "nurture.toml").write_text('postal_address = "1 Example Street"\n')
    rows = "".join(f"person{n}@example.com\n" for n in range(options.people))
    (folder / "people.csv").write_text("email\n" + rows)
    mails = options.people * len(STEPS)
    return {
        **os.environ,
        "NURTURE_DATABASE_URL": url,
        "NURTURE_SECRET_KEY": "a key for crash tests only, 32 letters",
        "NURTURE_PROVIDER": provider,
        f"NURTURE_PROVIDERS__{provider.upper()}__KEY": "test",
        f"NURTURE_PROVIDERS__{provider.upper()}__URL": f"http://127.0.0.1:{port}",
        f"NURTURE_PROVIDERS__{provider.upper()}__RATE": str(max(20, mails // max(1, options.kills // 2))),
        f"NURTURE_PROVIDERS__{provider.upper()}__BATCH": str(options.batch).lower(),
        "NURTURE_SEND_TIMEOUT": "2 seconds",
        "NURTURE_TICK": "1 second",
    }


def _nurture(environment: dict[str, str], folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "nurture", "-C", str(folder), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"nurture {' '.join(words)} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    return done.stdout


def _unknown(environment: dict[str, str], folder: Path) -> list[dict]:
    return json.loads(_nurture(environment, folder, "messages", "--state", "unknown", "--json"))["messages"]


def _start(environment: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "nurture", "-C", str(folder), "run", "--port", "0"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "engine.log").open("ab"),
        start_new_session=True,
    )


def _kill_again_and_again(
    environment: dict[str, str], folder: Path, engines: int, options: argparse.Namespace, dice: random.Random
) -> int:
    running = [_start(environment, folder) for _ in range(engines)]
    for _ in range(options.kills):
        time.sleep(dice.uniform(0.8, 2.4) / engines)
        victim = dice.randrange(engines)
        os.killpg(running[victim].pid, signal.SIGKILL)
        running[victim].wait()
        running[victim] = _start(environment, folder)
    for process in running:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return options.kills + engines


def _finish(environment: dict[str, str], folder: Path, log: Path, options: argparse.Namespace, *, key: bool) -> None:
    """Without further kills, run until nothing changes any more. The first search for a mail is after two minutes; under
    its key it is asked for again ever more seldom.
    """
    people, patience = options.people, 150 if options.search else 30
    process = _start(environment, folder)
    last, since = -1, time.monotonic()
    while time.monotonic() - since < patience and last < people * len(STEPS):
        time.sleep(1)
        if process.poll() is not None:
            raise SystemExit(f"the engine ended by itself:\n{(folder / 'engine.log').read_text()[-2000:]}")
        size = log.read_bytes().count(b"\n")
        if size != last:
            last, since = size, time.monotonic()
    time.sleep(4)
    until = time.monotonic() + 30
    while key and time.monotonic() < until and _unknown(environment, folder):
        time.sleep(1)
    process.terminate()
    process.wait(40)


def _judge(
    database: str, provider: str, key: bool, log: Path, unknown: list[dict], options: argparse.Namespace, kills: int,
    seconds: float,
) -> bool:  # fmt: skip
    people = options.people
    accepted = [json.loads(line) for line in log.read_text().splitlines()]
    copies = Counter((mail["to"], mail["subject"]) for mail in accepted)
    doubled = sum(count - 1 for count in copies.values() if count > 1)
    undecided = {(row["email"], row["step"]) for row in unknown}
    lost = 0
    for number in range(people):
        address = f"person{number}@example.com"
        for step in STEPS:
            if (address, step) in undecided:
                break  # visible; what comes after it waits for evidence
            if (address, step) not in copies:
                lost += 1
    left = sum(1 for pair in undecided if pair in copies)
    fine = doubled == 0 and lost == 0 and (not key or not undecided) and (not options.search or not left)
    variant = "".join(f" {word}" for word in ("batch", "search") if getattr(options, word))
    print(
        f"{'ok ' if fine else 'BAD'} {database:<10} {provider:<8} {'key   ' if key else 'no key'}{variant} "
        f"{kills} kills, {people} people x {len(STEPS)}: accepted {len(accepted)}, lost {lost}, doubled {doubled}, "
        f"unknown {len(undecided)} (of which {left} had left), {seconds:.0f} s"
    )
    return fine


if __name__ == "__main__":
    sys.exit(main())
