"""A storm of webhooks while mail is sent: does sending keep its pace, is anything lost after a 2xx, is memory flat?

    python -m benchmarks.storm [--seconds 60] [--rate 30] [--url postgresql://…]

One process is the engine (`nurture run` over a fake provider). It sends to a list that is long enough to last, first
in calm, then while single signed reports come ten times as fast as mail leaves. Afterwards every report that was
answered with a 2xx is looked for in the database. Exits with 1 when one is lost, when less than four fifths are left of
the pace, or when the engine's memory has grown by more than 50 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.hooks_load import _free_port, _wait
from benchmarks.machines import ROOT, fake_esp

LADDER = """\
start: manual
from: Ada <ada@example.com>
within: 3 days
steps:
  tour:
    subject: The tour
    ask: {click: Show me, to: https://example.com/tour}
    no: end
"""
LEAST_PACE, MOST_MB = 0.8, 50
LOGIN = base64.b64encode(b"user:password").decode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="of calm, and again of storm")
    parser.add_argument("--rate", type=int, default=30, help="mails a second; reports come ten times as fast")
    parser.add_argument("--url", default="", help="of an empty database; a SQLite file when left out")
    said = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nurture-storm-") as kept:
        folder = Path(kept)
        log = folder / "accepted.jsonl"
        with fake_esp(log, latency=50) as esp:
            _storm(folder, log, esp, said)


def _storm(folder: Path, log: Path, esp: int, said: argparse.Namespace) -> None:
    port = _free_port()
    environment = _project(folder, esp, port, said)
    people = int(said.rate * said.seconds * 5) + 50  # a storm takes longer where the machine is slow
    rows = "".join(f"person{number}@example.com\n" for number in range(people))
    (folder / "people.csv").write_text("email\n" + rows)
    command = [sys.executable, "-m", "nurture", "-C", str(folder)]
    subprocess.run(
        [*command, "import", "people.csv", "--enroll", "ladder"], env=environment, cwd=ROOT, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    engine = subprocess.Popen([*command, "run"], env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        time.sleep(2)  # the first turns of a fresh process are slower
        calm = _pace(log, said.seconds)
        before = _memory(engine.pid)
        count = int(said.rate * 10 * said.seconds)
        started, sent = time.monotonic(), _accepted(log)
        answers = asyncio.run(_reports(port, count, said.rate * 10))
        took = time.monotonic() - started
        stormy = (_accepted(log) - sent) / took
        after = _memory(engine.pid)
    finally:
        engine.terminate()
        engine.wait(40)
    taken = sum(200 <= status < 300 for status in answers)
    kept = _kept(folder, environment)
    print(f"calm: {calm:.1f} mails a second; storm: {stormy:.1f}, with {count / took:.0f} reports a second")
    print(f"pace kept: {stormy / calm:.0%}  (wanted: 80 % or more)")
    print(f"answered 2xx: {taken} of {count}; asked to come again: {count - taken}; lost after a 2xx: {taken - kept}")
    print(f"memory: {before:.0f} MB before, {after:.0f} MB after  (wanted: {MOST_MB} MB more at most)")
    if taken > kept or stormy < calm * LEAST_PACE or after > before + MOST_MB:
        sys.exit(1)


def _project(folder: Path, esp: int, port: int, said: argparse.Namespace) -> dict[str, str]:
    (folder / "sequences").mkdir()
    (folder / "templates/ladder").mkdir(parents=True)
    (folder / "people.yaml").write_text("attributes: {first_name: text}\n")
    (folder / "sequences/ladder.yaml").write_text(LADDER)
    (folder / "templates/ladder/tour.md").write_text("Hello.\n\n{{ ask }}\n")
    database = {"NURTURE_DATABASE_URL": said.url} if said.url else {}
    return {
        **os.environ, **database, "NURTURE_SECRET_KEY": "for a measurement only, long enough",
        "NURTURE_PROVIDER": "postmark", "NURTURE_PROVIDERS__POSTMARK__KEY": "key", "NURTURE_PORT": str(port),
        "NURTURE_PROVIDERS__POSTMARK__URL": f"http://127.0.0.1:{esp}",
        "NURTURE_PROVIDERS__POSTMARK__RATE": str(said.rate),
        "NURTURE_PROVIDERS__POSTMARK__HOOK_SECRET": "user:password", "NURTURE_POSTAL_ADDRESS": "1 Example Street",
    }  # fmt: skip


def _accepted(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0


def _pace(log: Path, seconds: float) -> float:
    before, started = _accepted(log), time.monotonic()
    time.sleep(seconds)
    return (_accepted(log) - before) / (time.monotonic() - started)


def _memory(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def _reports(port: int, count: int, rate: int) -> list[int]:
    """Single reports, each of its own, at this rate; the statuses they were answered with (0 for no answer)."""
    started = time.monotonic()
    queue: asyncio.Queue[int] = asyncio.Queue()
    for number in range(count):
        queue.put_nowait(number)
    answers: list[int] = []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while not queue.empty():
            number = queue.get_nowait()
            await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
            writer.write(_request(number))
            await writer.drain()
            answers.append(await _status(reader))
        writer.close()

    await asyncio.gather(*(connection() for _ in range(50)))
    return answers


def _request(number: int) -> bytes:
    body = json.dumps(
        {
            "RecordType": "Delivery", "MessageID": f"report-{number}", "Metadata": {"nid": f"{number:026x}"},
            "Recipient": "ann@example.com", "DeliveredAt": "2026-06-01T10:00:00Z", "Details": "250 OK",
        }
    ).encode()  # fmt: skip
    head = f"POST /hooks/postmark HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {LOGIN}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    await reader.readexactly(length)
    return int(head.split()[1])


def _kept(folder: Path, environment: dict[str, str]) -> int:
    command = [sys.executable, "-m", "nurture", "-C", str(folder), "hooks", "--json"]
    told = subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sum(json.loads(told)["kept"]["postmark"].values())


if __name__ == "__main__":
    main()
