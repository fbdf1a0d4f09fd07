"""How long a report takes with a hundred thousand people and a million events in the database.

The rows are made here, in the shape the engine leaves behind, by people who are imagined: keener ones say yes more
often, and a tenth is kept out of the ladder. Run it, and look at what `nurture report` makes of them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.machines import postgres  # noqa: E402
from nurture.engine.deploy import Current  # noqa: E402
from nurture.engine.measuring import Period, report  # noqa: E402
from nurture.engine.rules import Rules  # noqa: E402
from nurture.store import deploys, tables  # noqa: E402
from nurture.store.database import open_store  # noqa: E402

NOW = datetime(2026, 6, 1, 10, tzinfo=UTC)
NAME = "home-loan"
SEQUENCE = """\
title: From one easy question to a mortgage review
start: {when: joined, go: {split: {question: 90%, end: 10%}}}
goal: {bought: review}
from: Ada <ada@example.com>
within: 3 days
steps:
  question:
    subject: One quick question
    template: body.md
    ask: {poll: Are you looking for a home loan or an auto loan?, answers: {home: A home loan, auto: An auto loan}}
    principle: foot_in_the_door
    yes: {home: guide, auto: guide}
    no: question_again
  question_again:
    subject: Still looking?
    template: body.md
    ask: question
    no: end
  guide:
    subject: Your two-minute checklist
    template: body.md
    ask: {click: Get the checklist, to: https://example.com/checklist}
    principle: reciprocity
    yes: tour
    no: tour
  tour:
    subject: See how a review works
    template: body.md
    ask: {click: Show me how a review works, to: https://example.com/tour}
    principle: consistency
    yes: offer
    no: end
  offer:
    subject: Shall we look at your numbers together?
    template: body.md
    ask: {buy: review, price: 99 GBP, to: https://example.com/checkout}
    principle: consistency
    no: end
"""
FILES = {
    "people.yaml": b"attributes: {first_source: [ads, friends, search]}\nproducts: [review]\ntags: [vip]\n",
    "templates/body.md": b"Hello.\n\n{{ ask }}\n",
    f"sequences/{NAME}.yaml": SEQUENCE.encode(),
}
LADDER = (("question", 0.5), ("guide", 0.45), ("tour", 0.35), ("offer", 0.12))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--only", choices=("sqlite", "postgresql"), help="one database")
    parser.add_argument("--keep", type=Path, help="leave the SQLite project in this folder")
    options = parser.parse_args()
    if options.only != "postgresql":
        folder = options.keep or Path(tempfile.mkdtemp(prefix="nurture-reports-"))
        measure(f"sqlite:///{project(folder) / 'nurture.db'}", options)
    if options.only != "sqlite":
        with postgres() as url:
            measure(url, options)


def project(folder: Path) -> Path:
    for name, body in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return folder


def measure(url: str, options: argparse.Namespace) -> None:
    store = open_store(url)
    rows = fill(store, options.people, options.events)
    print(f"{store.dialect}: {', '.join(f'{number:,} {name}s' for name, number in rows.items())}")
    deployed = Current(store, Rules())()
    month = Period(NOW - timedelta(days=30))
    for what, given in (
        ("the report of all time", {}),
        ("the last 30 days and the 30 before", {"period": month}),
        ("by first source", {"by": "first_source"}),
        ("with lift", {"with_lift": True}),
    ):
        begun = time.perf_counter()
        report(store, deployed, NAME, NOW, **given)
        print(f"  {what:36} {(time.perf_counter() - begun) * 1000:7.0f} ms")
    store.close()


def fill(store, people: int, events: int, seed: int = 1) -> dict[str, int]:
    """Imagined people of half a year."""
    chance = Random(seed)
    with store.write() as tx:
        deploys.save(tx, FILES, NOW - timedelta(days=200))
    rows: dict[str, list[dict]] = {"subscriber": [], "enrollment": [], "message": [], "event": []}
    written = dict.fromkeys(rows, 0)
    for number in range(1, people + 1):
        _person(rows, number, chance)
        _noise(rows, number, chance, events // people)
        if number % 5000 == 0 or number == people:
            with store.write() as tx:
                for name, some in rows.items():
                    if some:
                        tx.execute(tables.metadata.tables[name].insert(), some)
                    written[name] += len(some)
                    some.clear()
    if store.dialect == "postgresql":
        with store.write() as tx:
            tx.exec_driver_sql("ANALYZE")
    return written


def _person(rows, number: int, chance: Random) -> None:
    keen = chance.betavariate(2, 2) * 2
    began = NOW - timedelta(days=180 * chance.random(), minutes=5)
    at = began
    source = chance.choice(("ads", "friends", "search"))
    rows["subscriber"].append(
        {
            "id": number, "email": f"person{number}@example.com", "status": "active",
            "attributes": {"first_source": source}, "tags": ["vip"] if chance.random() < 0.1 else [],
            "bought": {}, "joined_at": began, "last_seen_at": None, "last_mail_at": None,
        }
    )  # fmt: skip
    arm = "end" if chance.random() < 0.1 else "question"
    detail = {"way": "start", "split": "question 90%, end 10%"}
    _event(rows, number, "drawn", began, reason=arm, detail=detail)
    asked: list[str] = []
    answers: dict[str, tuple[str, int, str]] = {}
    step, phase, ended, ended_at = "", "ended", "finished", began
    if arm == "end" and chance.random() < 0.01 * keen:
        _event(rows, number, "bought", began + timedelta(days=20), reason="review", detail={"product": "review"})
    for root, base in LADDER if arm != "end" else ():
        for step in (root, f"{root}_again") if root == "question" else (root,):
            if at > NOW:
                break
            asked.append(step)
            rows["message"].append(_message(number, step, at))
            if chance.random() < 0.08:
                _event(rows, number, "clicked", at + timedelta(seconds=3), step=step, human=0)
            acted = at + timedelta(hours=chance.expovariate(1 / 9))
            if acted < NOW and chance.random() < base * keen * (1 if step == root else 0.4):
                value = chance.choice(("home", "home", "auto")) if root == "question" else "yes"
                answers[root] = (value, tables.to_micros(acted), step)
                _event(rows, number, "clicked", acted, step=step, human=1)
                _event(rows, number, "kept", acted, step=root, detail={"answer": value})
                if root == "offer":
                    ended, ended_at = "goal", acted
                    _event(rows, number, "bought", acted, reason="review", detail={"product": "review", "amount": 99})
                at = acted + timedelta(minutes=1)
                break
            at += timedelta(days=3)
        if at > NOW:
            phase, ended, ended_at = "asked", None, None
            break
        ended_at = at
        if root not in answers and root in ("question", "tour"):
            break
    rows["enrollment"].append(
        {
            "id": number, "subscriber": number, "sequence": NAME, "number": 1, "shard": number % 64, "phase": phase,
            "step": step, "due_at": None if ended else at, "started_at": began, "ended": ended, "ended_at": ended_at,
            "memory": {"asked": asked, "answers": answers, "mail": tables.to_micros(at), "because": "it was so"},
        }
    )  # fmt: skip


def _message(number: int, step: str, at: datetime) -> dict:
    return {
        "id": f"{number}-{step}", "enrollment": number, "subscriber": number, "shard": number % 64, "sequence": NAME,
        "step": step, "state": "delivered", "planned_at": at, "due_at": None, "owner": "", "token": 1,
        "lease_until": None, "attempt": 1, "uncertain": 0, "first_attempt_at": at, "started_at": at, "deadline": None,
        "sent_at": at, "provider": "outbox", "provider_id": f"outbox-{number}-{step}", "key": "",
        "subject": "A subject of the usual length", "target": "https://example.com/a/target", "reason": "it was due",
    }  # fmt: skip


def _noise(rows, number: int, chance: Random, events: int) -> None:
    """What else is in the log: deliveries, opens, our own notes."""
    for kind in chance.choices(("delivered", "opened", "waiting", "asked"), k=max(events - 3, 0)):
        _event(rows, number, kind, NOW - timedelta(days=chance.random() * 180), step="question")


def _event(rows, number: int, kind: str, at: datetime, *, step: str = "", human=None, reason: str = "", detail=None):
    rows["event"].append(
        {
            "key": None, "kind": kind, "at": at, "received_at": at, "message": f"{number}-{step}" if step else "",
            "enrollment": number, "subscriber": number, "sequence": "" if kind == "bought" else NAME, "step": step,
            "provider": "", "url": "", "answer": None, "human": human, "reason": reason,
            "judged_at": at if kind == "clicked" else None, "detail": detail or {},
        }
    )  # fmt: skip


if __name__ == "__main__":
    main()
