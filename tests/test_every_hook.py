"""Every provider that reports: recorded words, each tried without its proof, altered, late, twice, and among broken ones."""

import json
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from urllib.parse import urlencode

import pytest
from stage import Stage
from test_inbound import LADDER, OWN, THANKS, posted
from test_signatures import ALL, ANOTHER, NOW, SIGN, SIGN_A_TIME, read, recorded

from nurture.engine.inbox import Inbox
from nurture.engine.receive import receive
from nurture.engine.rules import Rules
from nurture.engine.sending import Sender
from nurture.errors import BadSignature
from nurture.journey.events import Event
from nurture.providers import HOOKS, INBOUND, PROVIDERS
from nurture.providers.base import Abilities, Account, Hook, Provider
from nurture.store import events, people
from nurture.store.database import open_store

REPORTERS = sorted(HOOKS.keys() - INBOUND.keys())
LISTS = {"sendgrid", "brevo", "mailjet", "sparkpost", "mandrill"}
"""Who posts several reports in one hook; the others post one, so that several hooks are the batch."""


NID = "m7Qk2cZ1pXw4"
"""Our id in the recorded reports."""
ROSA = "rosa@example.net"
DETAIL = ("ip", "agent", "hint")
PAYS = "rosa@example.org"
"""The address that her card has."""
HELLO = """\
title: Hello
start: joined
from: Ada <ada@example.com>
within: 3 days
steps:
  hello:
    subject: Hello
    template: body.md
    ask: {click: Show me, to: https://example.com/tour}
    no: end
"""


def hooks(name, nid=NID, again=0):
    """Its recorded hooks, of a mail of this id; `again` is how often they came before."""
    found = [
        json.loads(json.dumps(told).replace(NID, nid)) for of, told in (param.values for param in ALL) if of == name
    ]
    for told in found if again else ():
        # not webhook-id, which by Standard Webhooks is the id of what is told
        told["headers"] |= {key: f"{value}{again}" for key, value in told["headers"].items() if key == "svix-id"}
        for item in told["body"] if name == "sendgrid" else ():
            item["sg_event_id"] = f"{item.get('sg_event_id')}{again}"
    return [recorded(name, told, again) for told in found]


def test_nobody_who_reports_lacks_a_recording_a_proof_and_another_secret():
    assert {param.values[0] for param in ALL} == set(REPORTERS) == set(SIGN) == set(ANOTHER)


def test_whoever_covers_a_time_is_tried_with_an_old_one():
    covers = {name for name in REPORTERS if PROVIDERS[name].abilities.covers in ("a token", "the body and its time")}
    # SendGrid repeats a hook for a day with the time it was made, so an old one is no forgery; its ids tell repeats
    assert covers - {"sendgrid"} == set(SIGN_A_TIME)


@pytest.mark.parametrize("name", REPORTERS)
def test_every_recorded_hook_is_refused_with_a_wrong_secret_a_changed_body_and_an_old_time(name):
    for one in hooks(name):
        one.provider.verify(one.hook, one.account, one.now)
        tries = [(one.hook, replace(one.account, hook_secrets=(ANOTHER[name],)), one.now)]
        if one.provider.abilities.covers.startswith("the body"):
            changed = one.hook.body.replace(b"example", b"elsewhere", 1)
            changed = changed if changed != one.hook.body else one.hook.body + b" "
            tries.append((replace(one.hook, body=changed), one.account, one.now))
        if name in SIGN_A_TIME:
            tries.append((one.hook, one.account, one.now + timedelta(hours=13)))
        for hook, account, now in tries:
            with pytest.raises(BadSignature):
                one.provider.verify(hook, account, now)


# --- what a hook does that comes again


class Known:
    """Two people with a mail each, sent by the provider that reports, under the id that the recording has."""

    def __init__(self, store, name, sequence=HELLO):
        rules = Rules(postal_address="1 Example Street", products={"plink_1": "course", "price_1": "course"})
        files = {"templates/thanks.md": THANKS}
        self.stage, self.name, self.sent = Stage(store, {"ladder": sequence}, rules=rules, templates=files), name, {}
        self.all = []
        ids = [event.provider_id for event, _ in said(hooks(name)) if isinstance(event, Event)]
        self.id = next(filter(None, ids), "theirs")
        self.stage.sender.close()
        by = Provider(name, lambda _: self._take, abilities=Abilities())
        self.stage.sender = Sender(store, by, Account(name), OWN, senders=1)
        self.stage.now = NOW - timedelta(hours=1)
        for address in (ROSA, PAYS):
            self.stage.subscribe(address)
        self.stage.work()
        self.stage.now = NOW + timedelta(seconds=30)

    def _take(self, message):
        self.sent.setdefault(message.to, message)
        self.all.append(message)
        return self.id if message.to == ROSA else f"of {message.id}"

    def come(self, arrived):
        """All in one pass."""
        inbox = Inbox(self.stage.store)
        for hook in arrived:
            inbox.submit(self.name, hook.headers, hook.body, self.stage.now)
        inbox.close()
        return receive(self.stage.store, self.stage.deployed, OWN, self.stage.now)

    def kept(self):
        """Everything that is on record as reported: of whom, what, when and how."""
        with self.stage.store.read() as tx:
            of = {address: events.reports_of(tx, people.by_email(tx, address).id) for address in self.sent}
        return sorted(
            (address, row.kind, f"{row.at:%FT%T}", row.url, row.reason, *(row.detail.get(part, "") for part in DETAIL))
            for address, rows in of.items()
            for row in rows
        )


def said(arrived):
    """What these hooks tell, each with what the recording expects of it."""
    for one in arrived:
        found = [read(one.provider, item, one.hook) for item in one.provider.items(one.hook)]
        yield from ((it, expected) for it, expected in zip(found, one.expect, strict=True) if it is not None)


def expected(arrived):
    """Once each of what differs in its meaning, with the kind and the time that the recording expects."""
    meant = set()
    for it, by_hand in said(arrived):
        at = f"{datetime.fromisoformat(by_hand['at']) if 'at' in by_hand else it.at:%FT%T}"
        if isinstance(it, Event):
            kind, detail = by_hand["kind"], (it.ip, it.agent, it.machine_hint)
            meant |= {(ROSA, kind, at, it.url, it.reason, *detail)} if it.message or it.provider_id else set()
            continue
        # a shop's ids stand for what settings say, and its several reports of one payment are one purchase
        of_a_person = {
            "bought": ("bought", "course"),
            "tag": ("tag", it.data.get("tag")),
            "unsubscribed": (it.name, ""),
        }
        kind, what = of_a_person.get(it.name, ("event", it.name))
        meant.add((it.email, kind, at, "", what, "", "", ""))
    return sorted(meant)


@pytest.fixture
def sqlite(migrated, tmp_path):
    """What makes a report be kept once is asked of both databases in test_any_order.py."""
    shutil.copy(migrated, tmp_path / "nurture.db")
    opened = open_store(f"sqlite:///{tmp_path}/nurture.db")
    yield opened
    opened.close()


@pytest.mark.parametrize("name", REPORTERS)
def test_every_recorded_hook_has_its_effect_once_however_it_comes_again(sqlite, name):
    known = Known(sqlite, name)
    nid = known.sent[ROSA].id
    recordings = hooks(name, nid)
    alone, once = [one.hook for one in recordings], expected(recordings)
    batch = [one.hook for one in hooks(name, nid, again=2)]
    if name in LISTS:
        items = [item for one in recordings for item in one.provider.items(one.hook)]
        batch = [replace(batch[0], body=_batch(name, [*items, {"event": "x", "msys": {"a": {"type": "open"}}}]))]
    else:
        batch.append(replace(batch[0], body=b'{"neither": "of these"}'))
    Random(name).shuffle(batch)
    told = known.come(batch)
    assert (told.hooks, told.quarantined) == (len(batch), 1), "the broken one alone is set aside"
    assert known.kept() == once

    told = known.come(alone)
    assert (told.hooks, told.recorded) == (len(alone), 0), "each alone means the same as among others"
    assert known.come(alone).hooks == 0, "the same bytes"
    others = hooks(name, nid, again=1)
    for one in others:
        one.provider.verify(one.hook, one.account, one.now)
    bodies = {one.hook.body for one in others} - {hook.body for hook in alone}  # an empty batch has no other bytes
    told = known.come([one.hook for one in others])
    assert (told.hooks, told.recorded) == (len(bodies), 0), "so do other bytes with other marks"
    assert known.kept() == once
    known.stage.close()


@pytest.mark.parametrize("name", sorted(INBOUND))
def test_a_recorded_reply_is_one_yes_however_it_comes_again(sqlite, name):
    known = Known(sqlite, name, LADDER)
    address = known.sent[ROSA].reply_to
    headers, body = posted(name, address)
    first = Hook(headers, body)
    assert known.come([first]).recorded == 1
    assert known.come([first]).hooks == 0, "the same bytes"
    again = {
        "postmark-inbound": lambda: posted(name, address, MessageID="another"),
        "mailgun-inbound": lambda: posted(name, address, token="another", timestamp="1780311490"),
        "sendgrid-inbound": lambda: ({**headers, "content-type": headers["content-type"].replace("xYzZY", "zZyYx")},
                                     body.replace(b"xYzZY", b"zZyYx")),
    }[name]()  # fmt: skip
    told = known.come([Hook(headers, b"neither of these"), Hook(*again)])
    assert (told.hooks, told.recorded, told.quarantined) == (2, 0, 1)
    assert [row[:2] for row in known.kept()] == [(ROSA, "replied")]
    known.stage.work()
    assert [mail.subject for mail in known.all if mail.to == ROSA] == ["Question", "Thanks"]
    known.stage.close()


def _batch(name, items):
    Random(1).shuffle(items)
    body = json.dumps(items).encode()
    return urlencode({"mandrill_events": body}).encode() if name == "mandrill" else body
