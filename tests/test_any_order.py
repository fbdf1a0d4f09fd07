"""A thousand reports, each three times, in many random orders, on both databases: one state."""

import hashlib
import json
import random
from datetime import timedelta

from stage import LINKS, Stage

from nurture.engine.inbox import Inbox
from nurture.engine.receive import receive
from nurture.engine.tick import tick
from nurture.store import suppressions, tables

PEOPLE, REPORTS, TIMES = 100, 1_000, 3
ORDERS = 5
"""Each costs half a second; `python -m benchmarks.any_order` is the whole of it."""

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


def staged(store):
    """A hundred people with a mail each, and nothing reported yet."""
    stage = Stage(store, {"ladder": LADDER})
    for number in range(PEOPLE):
        stage.subscribe(f"person{number}@example.com")
    stage.work()
    assert len(stage.delivered) == PEOPLE
    return stage


def _reports(stage, dice):
    """Reports of every kind about these people's mails, several at the same second, some of them contradictory."""
    found = []
    mails = sorted(stage.delivered, key=lambda mail: mail.to)
    for number in range(REPORTS):
        mail = dice.choice(mails)
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


def _state(store, mails):
    """All that has a meaning, without the numbers that rows get as they come and the random ids of mails."""
    meant = {}
    for table, rows in _snapshot(store).items():
        if table.name in ("subscriber", "enrollment"):
            meant[table.name] = rows
        elif table.name == "suppression":
            with store.read() as tx:
                whose = suppressions.digests(tx, [mail.to for mail in mails])
            meant["suppression"] = [{**row, "digest": whose[row["digest"]]} for row in rows]
        elif table.name == "message":
            # a second mail is planned under a new random id; what it is and how it stands is meant
            meant["message"] = [
                {name: row[name] for name in ("enrollment", "step", "state", "sent_at")} for row in rows
            ]
        elif table.name == "event":
            reports = [dict(row) for row in rows if row["key"] is not None]
            for row in reports:
                del row["id"], row["key"]
                row["detail"].pop("id", None)
            meant["event"] = reports
    said = json.dumps(meant, default=str, sort_keys=True)
    for mail in mails:
        for name, random_part in (
            ("ask", LINKS.ask(mail.id, _Click, "")), ("unsubscribe", LINKS.unsubscribe(mail.id)), ("mail", mail.id),
        ):  # fmt: skip
            said = said.replace(random_part, f"{name} of {mail.to}")
    ordered = {name: sorted(json.dumps(row, sort_keys=True) for row in rows) for name, rows in json.loads(said).items()}
    return hashlib.sha256(json.dumps(ordered, sort_keys=True).encode()).hexdigest(), ordered


def every_order(stage, orders):
    """The state, as a hash and as it reads, that each of so many orders of the same reports ends in."""
    dice = random.Random(20260601)
    reports = _reports(stage, dice)
    stage.after(minutes=20)
    start, now = _snapshot(stage.store), stage.now
    for _ in range(orders):
        _restore(stage.store, start)
        come = reports * TIMES
        dice.shuffle(come)
        _arrive(stage, come, dice, now)
        yield _state(stage.store, stage.delivered[:PEOPLE])


def test_any_order_and_any_number_of_repeats_end_in_one_state(store):
    stage = staged(store)
    states = dict(every_order(stage, ORDERS))
    first, *others = states.values()
    for other in others:
        for name, rows in first.items():
            assert sorted(set(rows) ^ set(other[name]))[:4] == [], name
    assert len(states) == 1
    statuses = {json.loads(row)["status"] for row in first["subscriber"]}
    assert statuses == {"active", "bounced", "unsubscribed", "complained"}, "every kind of end was among them"
    stage.close()


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
