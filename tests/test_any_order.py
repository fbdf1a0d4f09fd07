"""A thousand reports of two vendors, each three times, in many random orders, on both databases: one state."""

import hashlib
import json
import random
import shutil
from datetime import timedelta
from itertools import groupby

from stage import LINKS, Stage

from nurture.engine.inbox import Inbox
from nurture.engine.receive import receive
from nurture.engine.tick import tick
from nurture.store import suppressions, tables
from nurture.store.database import open_store

PEOPLE, REPORTS, TIMES = 100, 1_000, 3
ORDERS = 2
"""On each database. An order costs half a second; `python -m benchmarks.any_order` is the whole of it."""

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
BREVO = {
    "processed": "request", "deferred": "deferred", "delivered": "delivered", "open": "opened", "click": "click",
    "bounce": "hard_bounce", "soft": "soft_bounce", "dropped": "blocked", "spamreport": "spam",
    "unsubscribe": "unsubscribed", "group_unsubscribe": "unique_proxy_open",
}  # fmt: skip
"""The same in the words of a vendor that gives its reports no id."""
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
    """Reports of every kind about these people's mails, several at the same second, some of them contradictory.

    Every other mail is the second vendor's. Gives (vendor, report).
    """
    found = []
    mails = sorted(stage.delivered, key=lambda mail: mail.to)
    for number in range(REPORTS):
        place = dice.randrange(len(mails))
        mail, kind, at = mails[place], dice.choice(KINDS), int(stage.now.timestamp()) + dice.randrange(0, 600)
        link = dice.choice([LINKS.ask(mail.id, _Click, ""), "https://example.com/tour", LINKS.unsubscribe(mail.id)])
        clicked = (link, f"203.0.{dice.randrange(3)}.7", dice.choice(AGENTS)) if kind == "click" else ("", "", "")
        why = dice.choice(["mailbox full", "try later"]) if kind == "soft" else ""
        found.append((_in_words_of_brevo if place % 2 else _in_words_of_sendgrid)(number, mail, kind, at, clicked, why))
    return found


def _in_words_of_sendgrid(number, mail, kind, at, clicked, why):
    report = {
        "email": mail.to, "timestamp": at, "event": "bounce" if kind == "soft" else kind,
        "sg_event_id": f"event-{number}", "nid": mail.id, "sg_message_id": f"sg-{mail.id}.recvd",
    }  # fmt: skip
    report |= {"type": "blocked", "reason": why} if why else {}
    return "sendgrid", report | (dict(zip(("url", "ip", "useragent"), clicked, strict=True)) if clicked[0] else {})


def _in_words_of_brevo(_, mail, kind, at, clicked, why):
    report = {
        "event": BREVO[kind], "email": mail.to, "id": 26224, "ts_epoch": at * 1000, "message-id": f"<{mail.id}@brevo>",
        "X-Mailin-custom": mail.id, "reason": why,
    }  # fmt: skip
    return "brevo", report | (dict(zip(("link", "ip", "user_agent"), clicked, strict=True)) if clicked[0] else {})


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


def test_any_order_any_number_of_repeats_and_either_database_end_in_one_state(migrated, tmp_path, postgresql):
    shutil.copy(migrated, tmp_path / "nurture.db")
    states = {}
    for url in (f"sqlite:///{tmp_path}/nurture.db", postgresql):
        store = open_store(url)
        stage = staged(store)
        states |= every_order(stage, ORDERS)
        stage.close()
        store.close()
    first, *others = states.values()
    for other in others:
        for name, rows in first.items():
            assert sorted(set(rows) ^ set(other[name]))[:4] == [], name
    assert len(states) == 1
    statuses = {json.loads(row)["status"] for row in first["subscriber"]}
    assert statuses == {"active", "bounced", "unsubscribed", "complained"}, "every kind of end was among them"
    assert {json.loads(row)["provider"] for row in first["event"]} == {"sendgrid", "brevo"}


def _arrive(stage, come, dice, now):
    inbox = Inbox(stage.store)
    waiting = []
    while come:
        size = dice.choice([1, 20, 60, 200])
        batch, come = sorted(come[:size], key=lambda pair: pair[0]), come[size:]
        for vendor, pairs in groupby(batch, key=lambda pair: pair[0]):
            body = json.dumps([report for _, report in pairs]).encode()
            waiting.append(inbox.submit(vendor, {}, body, now))
        if dice.random() < 0.3:
            [one.result() for one in waiting]
            receive(stage.store, stage.deployed, LINKS, now)
    inbox.close()
    while receive(stage.store, stage.deployed, LINKS, now).more:
        pass
    later = now + timedelta(minutes=5)
    while tick(stage.store, stage.deployed, later).more:
        pass
