"""One provider stalls: what the others' mail keeps of its pace, as a ratio.

Half of the mail may have been taken by a provider that accepts connections and says nothing more, so it has to stay
with it; the other half goes by one that is well. Measured against the same half alone.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.bench import NOW, databases, enroll, opened  # noqa: E402
from benchmarks.machines import fake_esp  # noqa: E402

MAILS = 400


def main() -> None:
    with databases() as urls, tempfile.TemporaryDirectory() as folder:
        alone = _pace(urls["sqlite"], Path(folder) / "alone.jsonl", stalled=False)
        beside = _pace(f"{urls['sqlite']}2", Path(folder) / "beside.jsonl", stalled=True)
    print(f"{alone:,.0f} mails a second alone, {beside:,.0f} beside a provider that stalls: ratio {beside / alone:.2f}")


def _pace(url: str, log: Path, *, stalled: bool) -> float:
    from sqlalchemy import update

    from nurture.engine.sending import Sender
    from nurture.engine.tick import tick
    from nurture.mail.links import Links, Signer
    from nurture.providers import PROVIDERS
    from nurture.providers.base import Account
    from nurture.store import tables

    links = Links("https://links.example.com", "https://links.example.com", Signer(["a key for benchmarks only"]))
    with (
        fake_esp(log, latency=5) as port,
        closing(socket.create_server(("127.0.0.1", 0), backlog=512)) as silent,
        opened(url) as (store, deployed),
    ):
        enroll(store, deployed, MAILS + (100 if stalled else 0))
        while tick(store, deployed, NOW).decided:
            pass
        if stalled:
            some = tables.message.c.subscriber <= 100  # the first in the line, as the oldest are
            with store.write() as tx:
                tx.execute(update(tables.message).where(some).values(uncertain=1, provider="resend"))
        well = Account("postmark", key="test", url=f"http://127.0.0.1:{port}")
        silence = Account("resend", key="test", url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        sender = Sender(
            store, PROVIDERS["postmark"], well, links, senders=8, others=[(PROVIDERS["resend"], silence)]
        )  # fmt: skip
        began, sent = time.perf_counter(), 0
        while sent < MAILS:
            sent += sender.turn(deployed, NOW + timedelta(seconds=1)).sent
            sender.wait(0.05)
        took = time.perf_counter() - began
        sender.close()
    return sent / took


if __name__ == "__main__":
    main()
