"""How an attempt of which nobody knows is settled: by a search, by evidence that comes late, by hand."""

import logging
from datetime import timedelta

import pytest
from stage import Stage

from nurture.engine import settling
from nurture.engine.settling import course, settle
from nurture.errors import Unavailable, Uncertain
from nurture.providers import PROVIDERS
from nurture.providers.base import Abilities, Account, Provider
from nurture.store import audit, evidence, messages

ONE = """\
title: One
start: joined
from: Ada <ada@example.com>
within: 3 days
steps:
  hello:
    subject: Hello
    template: body.md
    ask: {click: Go, to: https://example.com/}
    no: end
"""
ACCOUNT = Account("outbox")


class Searched:
    """A provider that loses its first answer, and can be searched; `has` is what a search tells, one after another."""

    def __init__(self, store, has, found_after=None):
        self.asked = []
        self.sent = []
        self.has = iter(has)
        self.provider = Provider(
            "outbox", lambda account: self._send, abilities=Abilities(found_after=found_after), find=self._find
        )
        self.stage = Stage(store, {"one": ONE})
        self.stage.sender.close()
        self.stage.provider = self.provider
        self.stage.sender = self.stage.start_sender(self.provider)
        self.stage.subscribe()
        self.stage.work()
        assert self.state() == "unknown"

    def _send(self, message):
        self.sent.append(message.id)
        if len(self.sent) == 1:
            raise Uncertain("no answer")
        return "second"

    def _find(self, message, since, account, transport=None):
        self.asked.append(message)
        answer = next(self.has)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def state(self):
        return self.stage.states()["hello"]

    def look(self, **later):
        """The next pass, so much later."""
        self.stage.now += timedelta(**later)
        settle(self.stage.store, self.stage.deployed, self.provider, self.stage.now, account=ACCOUNT)

    def close(self):
        self.stage.close()


def test_what_a_search_finds_is_sent_and_nobody_is_searched_too_early(store):
    one = Searched(store, ["its-id"])
    one.look(seconds=100)
    assert one.asked == []
    one.look(seconds=30)
    assert len(one.asked) == 1
    assert one.state() == "sent"
    (mail,) = one.stage.story()["messages"]
    assert (mail["provider_id"], mail["reason"]) == ("its-id", "the provider has it: found by a search")
    assert mail["sent_at"] == "2026-06-01T10:00:00Z", "it left when it was tried"
    one.stage.work()
    assert len(one.sent) == 1
    one.close()


def test_two_searches_in_vain_a_minute_apart_prove_it_where_the_provider_says_so(store):
    one = Searched(store, ["", "", "third"], found_after=timedelta(minutes=3))
    one.look(seconds=170)
    assert one.asked == []
    one.look(seconds=15)
    assert (len(one.asked), one.state()) == (1, "unknown")
    one.look(seconds=40)
    assert len(one.asked) == 1, "not before a minute has gone by"
    one.look(seconds=30)
    assert (len(one.asked), one.state()) == (2, "planned")
    one.stage.work()
    assert one.state() == "sent"
    assert len(one.sent) == 2
    one.close()


def test_searches_in_vain_prove_nothing_where_no_time_is_promised(store):
    one = Searched(store, [""] * 100)
    for _ in range(30):
        one.look(minutes=30)
    assert one.state() == "unknown"
    assert 3 < len(one.asked) < 30, "it is asked less and less often"
    one.look(hours=10)
    assert one.state() == "abandoned", "the project's `delivery` decides"
    assert len(one.sent) == 1
    one.close()


def test_a_search_that_fails_is_no_absence(store):
    one = Searched(store, [Unavailable("no"), Uncertain("no"), "", ""], found_after=timedelta(minutes=2))
    one.look(minutes=3)
    one.look(minutes=3)
    one.look(minutes=3)
    assert (len(one.asked), one.state()) == (3, "unknown")
    one.look(minutes=5)
    assert one.state() == "planned"
    one.close()


def test_a_mail_that_was_proven_not_taken_may_be_cancelled_like_one_that_was_never_tried(store):
    one = Searched(store, ["", ""], found_after=timedelta(minutes=2))
    one.look(minutes=3)
    one.look(minutes=3)
    with store.read() as tx:
        (row,) = [row for row, _ in messages.listing(tx, None)]
    assert (row.state.value, row.uncertain, row.absent) == ("planned", False, 0)
    one.close()


def test_an_answer_that_comes_after_its_claim_was_lost_is_evidence(store):
    """The attempt was taken for lost; then its sender thread says that the provider has it."""
    stage = Stage(store, {"one": ONE})
    stage.subscribe()
    from nurture.engine.tick import tick

    tick(store, stage.deployed, stage.now)
    stage.sender.turn(stage.deployed, stage.now)
    stage.sender.turn(stage.deployed, stage.now)
    with store.write() as tx:
        assert len(evidence.stuck(tx, stage.now + timedelta(hours=1))) == 1
    assert stage.states() == {"hello": "unknown"}
    stage.now += timedelta(hours=1)
    stage.send()
    assert stage.states() == {"hello": "sent"}
    stage.close()


def test_who_settled_it_by_hand_when_and_why_stays_with_the_message(store, caplog):
    one = Searched(store, [])
    (mail,) = one.stage.story()["messages"]
    with caplog.at_level(logging.INFO, "nurture.settling"):
        assert settling.resolve(
            store, one.stage.deployed, mail["id"], "sent", one.stage.now, who="ann", because="the log shows it"
        )
    (mail,) = one.stage.story()["messages"]
    assert mail["state"] == "sent"
    assert mail["reason"] == "settled by hand: sent, by ann at 2026-06-01 10:00 UTC, because the log shows it"
    assert "by ann" in caplog.text
    with store.read() as tx:
        (entry,) = audit.listing(tx, 9)
    assert (entry.who, entry.action, entry.reason) == ("ann", "message settled: sent", "the log shows it")
    assert not settling.resolve(store, one.stage.deployed, mail["id"], "drop", one.stage.now)
    one.close()


@pytest.mark.parametrize(
    ("provider", "how"), [("resend", "key"), ("postmark", "search"), ("sendgrid", "delivery"), ("gone", "delivery")]
)
def test_it_is_said_how_a_message_is_being_settled(store, provider, how):
    one = Searched(store, [])
    with store.read() as tx:
        ((row, _),) = messages.listing(tx, None)
    assert course(row, PROVIDERS.get(provider), one.stage.deployed.rules, one.stage.now).how == how
    one.close()
