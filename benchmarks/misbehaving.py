"""One provider misbehaves: what the others' mail keeps of its pace, as a ratio, on both databases.

Some of the mail may have been taken by a provider that stalls, that drips bytes or that answers 503 to everything, so
it has to stay with it; the rest goes by one that is well. Measured against the same rest alone, by turns, each the
median of a few runs. Exits with 1 when less than four fifths are left of the pace.
"""

from __future__ import annotations

import logging
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.bench import NOW, databases, enroll, opened  # noqa: E402
from benchmarks.machines import fake_esp  # noqa: E402

MAILS, TIED, RUNS = 400, 100, 3
LEAST = 0.8
ILL: dict[str, tuple[str, ...]] = {"stalls": (), "drips": ("--drip", "0.5"), "answers 503": ("--fail-every", "1")}


def main() -> int:
    logging.disable(logging.WARNING)  # that a provider is left alone is what is measured
    worst = 1.0
    with databases() as urls, tempfile.TemporaryDirectory() as folder:
        for name, url in urls.items():
            runs = [{how: _pace(_fresh(url), Path(folder), how) for how in ("", *ILL)} for _ in range(RUNS)]
            alone = median(run[""] for run in runs)
            print(f"{name}: {alone:,.0f} mails a second alone")
            for how in ILL:
                beside = median(run[how] for run in runs)
                print(f"{name}: {beside:,.0f} beside one that {how}, ratio {beside / alone:.2f}")
                worst = min(worst, beside / alone)
    print(f"least ratio {worst:.2f}  (wanted: {LEAST} or more)")
    return 1 if worst < LEAST else 0


def _fresh(url: str) -> str:
    """A database beside this one."""
    name = f"n{time.monotonic_ns()}"
    if url.startswith("sqlite"):
        return f"{url}.{name}"
    import psycopg

    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
    where, _, how = url.partition("?")
    return f"{where.rpartition('/')[0]}/{name}?{how}"


@contextmanager
def _misbehaving(folder: Path, how: str) -> Iterator[int]:
    """Gives its port."""
    if ILL[how]:
        with fake_esp(folder / "misbehaving.jsonl", more=ILL[how]) as port:
            yield port
    else:
        with closing(socket.create_server(("127.0.0.1", 0), backlog=512)) as silent:  # it says nothing, to nobody
            yield silent.getsockname()[1]


def _pace(url: str, folder: Path, how: str) -> float:
    from sqlalchemy import update

    from nurture.engine.sending import Sender
    from nurture.engine.tick import tick
    from nurture.mail.links import Links, Signer
    from nurture.providers import PROVIDERS
    from nurture.providers.base import Account
    from nurture.store import tables

    links = Links("https://links.example.com", "https://links.example.com", Signer(["a key for benchmarks only"]))
    with (
        fake_esp(folder / "well.jsonl", latency=5) as port,
        _misbehaving(folder, how) if how else nullcontext(9) as other,
        opened(url) as (store, deployed),
    ):
        enroll(store, deployed, MAILS + (TIED if how else 0))
        while tick(store, deployed, NOW).decided:
            pass
        if how:
            some = tables.message.c.subscriber <= TIED  # the first in the line, as the oldest are
            with store.write() as tx:
                tx.execute(update(tables.message).where(some).values(uncertain=1, provider="resend"))
        well = Account("postmark", key="test", url=f"http://127.0.0.1:{port}")
        ill = Account("resend", key="test", url=f"http://127.0.0.1:{other}")
        sender = Sender(store, PROVIDERS["postmark"], well, links, senders=8, others=[(PROVIDERS["resend"], ill)])
        began, sent = time.perf_counter(), 0
        while sent < MAILS:
            passed = timedelta(seconds=time.perf_counter() - began)
            sent += sender.turn(deployed, NOW + timedelta(seconds=1) + passed).sent
            sender.wait(0.05)
        took = time.perf_counter() - began
        sender.close()
    return sent / took


if __name__ == "__main__":
    sys.exit(main())
