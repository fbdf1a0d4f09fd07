"""How long `plan` and `apply` take with many people inside, on both databases.

A ladder of five steps is renamed, shortened, retimed and lengthened at once, so that nearly everyone is touched: a
fifth each stands at a step that is renamed, removed, retimed, or left alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.machines import postgres  # noqa: E402
from nurture.engine.applying import Agreed, apply, preview  # noqa: E402
from nurture.engine.rules import Rules  # noqa: E402
from nurture.journey.enrollment import Enrollment  # noqa: E402
from nurture.store import deploys, enrollments, events, people, tables  # noqa: E402
from nurture.store.database import open_store  # noqa: E402

NOW = datetime(2026, 6, 1, 10, tzinfo=UTC)
HEAD = "start: manual\nfrom: Ada <ada@example.com>\nwithin: 3 days\nsteps:\n"
STEPS = ("hello", "tips", "story", "tour", "offer")
BATCH = 5_000


def step(name: str, no: str, within: str = "3 days") -> str:
    ask = f"{{click: Look, to: https://example.com/{name}}}"
    return f"  {name}:\n    subject: {name}\n    template: body.md\n    ask: {ask}\n    within: {within}\n    yes: end\n    no: {no}\n"


BEFORE = HEAD + "".join(
    step(name, after) for name, after in zip(STEPS, ("tips", "story", "tour", "offer", "end"), strict=True)
)
AFTER = (
    HEAD + step("welcome", "story") + step("story", "extra", "1 hour") + step("extra", "tour") + step("tour", "offer")
    + step("offer", "end") + "changes:\n  welcome: {was: hello}\n  tips: {go: story}\n  story: {waiting: retime}\n"
)  # fmt: skip


def files(text: str) -> dict[str, bytes]:
    return {"sequences/ladder.yaml": text.encode(), "templates/body.md": b"Hello.\n\n{{ ask }}\n"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--only", choices=["", "sqlite", "postgresql"], default="")
    options = parser.parse_args()
    if options.only in ("", "sqlite"):
        with tempfile.TemporaryDirectory() as folder:
            show("SQLite", f"sqlite:///{folder}/nurture.db", options.people)
    if options.only in ("", "postgresql"):
        with postgres() as url:
            show("PostgreSQL", url, options.people)


def show(name: str, url: str, number: int) -> None:
    store = open_store(url)
    fill(store, number)
    rules = Rules(postal_address="1 Example Street")
    with timed() as planning:
        found = preview(store, files(AFTER), rules, NOW)
    with timed() as applying:
        done = apply(store, files(AFTER), rules, NOW, Agreed(found.deployed, found.digest))
    store.close()
    moved = sum(move.people for move in done.plan.moves)
    print(
        f"{name}: {number:,} people, {moved:,} moved or retimed, {found.mails_now + found.mails_soon:,} mails; "
        f"plan {planning['seconds']:.1f} s ({planning['cpu']:.1f} s of CPU here), "
        f"apply {applying['seconds']:.1f} s ({applying['cpu']:.1f}), "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB"
    )
    print(json.dumps({"database": name, "people": number, "plan": planning, "apply": applying}))


@contextmanager
def timed():
    """Seconds on the wall, and of CPU in this process: on a machine that others use, the second says more."""
    found = {}
    wall, cpu = perf_counter(), process_time()
    yield found
    found |= {"seconds": perf_counter() - wall, "cpu": process_time() - cpu}


def fill(store, number: int) -> None:
    """People who got the mails of the steps so far, and stand asked at one of them, evenly."""
    with store.write() as tx:
        deploys.save(tx, files(BEFORE), NOW)
    for start in range(1, number + 1, BATCH):
        ids = range(start, min(start + BATCH, number + 1))
        with store.write() as tx:
            newcomers = [people.Newcomer(f"p{one}@example.com", {}, frozenset()) for one in ids]
            saved = people.save(tx, newcomers, NOW)
            begun = enrollments.add(tx, [place(one.id) for one in saved])
            mails = [mail(one, name, at) for one in begun for at, name in enumerate(one.asked)]
            tx.execute(tables.message.insert(), mails)
            events.record(tx, [note(one) for one in begun])


def place(subscriber: int) -> Enrollment:
    at = subscriber % len(STEPS)
    left = NOW - timedelta(hours=subscriber % 60)
    return Enrollment(
        0, subscriber, "ladder", 1, NOW - timedelta(days=20), "asked", STEPS[at], left + timedelta(days=3),
        asked=STEPS[: at + 1], last_mail_at=left, because=f"{STEPS[at]} left",
    )  # fmt: skip


def mail(one: Enrollment, name: str, at: int) -> dict[str, object]:
    empty = dict.fromkeys(("owner", "key", "subject", "target", "reason"), "")
    return {
        "id": f"{one.id:012x}{at}", "enrollment": one.id, "subscriber": one.subscriber, "shard": one.subscriber % 64,
        "sequence": "ladder", "step": name, "state": "sent", "planned_at": NOW, "due_at": None, "token": 1,
        "attempt": 1, "uncertain": 0, "sent_at": NOW, "provider": "outbox", "provider_id": f"outbox-{one.id}-{at}",
        **empty,
    }  # fmt: skip


def note(one: Enrollment) -> events.Recorded:
    return events.Recorded(
        kind="asked", at=NOW, received_at=NOW, enrollment=one.id, subscriber=one.subscriber, sequence="ladder",
        step=one.step, reason=one.because,
    )  # fmt: skip


if __name__ == "__main__":
    main()
