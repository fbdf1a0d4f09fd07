"""A thousand reports, each three times, in many random orders, on both databases: one state."""

import hashlib
import json
import os
import random
from datetime import timedelta

import pytest
from stage import LINKS, Stage

from nurture.engine.inbox import Inbox
from nurture.engine.receive import receive
from nurture.engine.tick import tick
from nurture.store import tables

PEOPLE, REPORTS, TIMES = 100, 1_000, 3
ORDERS = int(os.environ.get("ORDERS", "5"))
"""Each costs half a second; `ORDERS=50 pytest tests/test_any_order.py` is the whole of it."""

LADDER = """\
start: joined
from: Ada <ada@example.com>
within: 30 days
steps:
  tour:
    subject: Tour
    template: body.md
    ask: {click: Show me, to: https://example.com/tour}
    yes: more
    no: {go: end}
  more:
    subject: More
    template: body.md
    ask: {click: Once more, to: https://example.com/more}
    no: end
"""
KINDS = ["processed", "deferred", "delivered", "open", "click", "click", "click", "bounce", "soft", "dropped",
         "spamreport", "unsubscribe", "group_unsubscribe"]  # fmt: skip
AGENTS = ["Mozilla/5.0 (X11)", "Mozilla/5.0 (iPhone)", "python-requests/2.31", ""]


@pytest.fixture
def stage(store):
    made = Stage(store, {"ladder": LADDER})
    yield made
    made.close()


def _reports(stage, dice):
    """Reports of every kind about these people's mails, several at the same second, some of them contradictory."""
    found = []
    for number in range(REPORTS):
        mail = dice.choice(stage.delivered)
        kind = dice.choice(KINDS)
        at = int(stage.now.timestamp()) + dice.randrange(0, 600)
        report = {
            "email": mail.to, "timestamp": at, "event": "bounce" if kind == "soft" else kind,
            "sg_event_id": f"event-{number}", "nid": mail.id, "sg_message_id": f"sg-{mail.id}.recvd",
        }  # fmt: skip
        if kind == "soft":
            report |= {"type": "blocked", "reason": dice.choice(["mailbox full", "try later"])}
        if kind == "click":
            link = dice.choice([LINKS.ask(mail.id, _Click, ""), "https://example.com/tour", LINKS.unsubscribe(mail.id)])
            report |= {"url": link, "ip": f"203.0.{dice.randrange(3)}.7", "useragent": dice.choice(AGENTS)}
        found.append(report)
    return found


class _Click:
    kind = "click"


def _snapshot(store):
    with store.read() as tx:
        return {
            table: [dict(row) for row in tx.execute(table.select()).mappings()]
            for table in tables.metadata.sorted_tables
            if table.name != "audit"  # which is only added to, and no report adds to it
        }


def _restore(store, snapshot):
    with store.write() as tx:
        for table in reversed(list(snapshot)):
            tx.execute(table.delete())
        for table, rows in snapshot.items():
            if rows:
                tx.execute(table.insert(), rows)


def _state(store):
    """All that has a meaning, without the numbers that rows get as they come."""
    meant = {}
    for table, rows in _snapshot(store).items():
        if table.name in ("subscriber", "suppression", "enrollment"):
            meant[table.name] = rows
        elif table.name == "message":
            # a second mail is planned under a new random id; what it is and how it stands is meant
            meant["message"] = [
                {name: row[name] for name in ("enrollment", "step", "state", "sent_at")} for row in rows
            ]
        elif table.name == "event":
            reports = [dict(row) for row in rows if row["key"] is not None]
            for row in reports:
                del row["id"]
                row["detail"].pop("id", None)
            meant["event"] = reports
    ordered = {
        name: sorted(json.dumps(row, default=str, sort_keys=True) for row in rows) for name, rows in meant.items()
    }
    return hashlib.sha256(json.dumps(ordered, sort_keys=True).encode()).hexdigest(), ordered


def test_any_order_and_any_number_of_repeats_end_in_one_state(stage):
    for number in range(PEOPLE):
        stage.subscribe(f"person{number}@example.com")
    stage.work()
    assert len(stage.delivered) == PEOPLE
    dice = random.Random(20260601)
    reports = _reports(stage, dice)
    stage.after(minutes=20)
    start, now = _snapshot(stage.store), stage.now
    states = {}
    for order in range(ORDERS):
        _restore(stage.store, start)
        come = reports * TIMES
        dice.shuffle(come)
        _arrive(stage, come, dice, now)
        digest, told = _state(stage.store)
        states.setdefault(digest, (order, told))
    first, *others = states.values()
    for _, other in others:
        for name, rows in first[1].items():
            assert sorted(set(rows) ^ set(other[name]))[:4] == [], name
    assert len(states) == 1
    statuses = {json.loads(row)["status"] for row in first[1]["subscriber"]}
    assert statuses == {"active", "bounced", "unsubscribed", "complained"}, "every kind of end was among them"


def _arrive(stage, come, dice, now):
    inbox = Inbox(stage.store)
    waiting = []
    while come:
        size = dice.choice([1, 20, 60, 200])
        batch, come = come[:size], come[size:]
        waiting.append(inbox.submit("sendgrid", {}, json.dumps(batch).encode(), now))
        if dice.random() < 0.3:
            [one.result() for one in waiting]
            receive(stage.store, stage.deployed, LINKS, now)
    inbox.close()
    while receive(stage.store, stage.deployed, LINKS, now).more:
        pass
    later = now + timedelta(minutes=5)
    while tick(stage.store, stage.deployed, later).more:
        pass
