"""How an attempt of which nobody knows is settled: by a search, by evidence that comes late, by hand."""

import json
import logging
import shutil
from datetime import timedelta

import pytest
from stage import LINKS, MONDAY, Stage

from nurture.engine import settling
from nurture.engine.due import look
from nurture.engine.rules import Rules
from nurture.engine.sending import Sender
from nurture.engine.settling import MOST_ATTEMPTS, course, settle
from nurture.errors import Unavailable, Uncertain
from nurture.providers import PROVIDERS
from nurture.providers.base import Abilities, Account, Provider
from nurture.store import audit, evidence, messages
from nurture.store.database import open_store

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


# --- a provider that never answers, with a key or without one


@pytest.fixture
def file(migrated, tmp_path):
    """A SQLite file, for what both databases do alike; commands in this folder find it."""
    shutil.copy(migrated, tmp_path / "nurture.db")
    opened = open_store(f"sqlite:///{tmp_path}/nurture.db")
    yield opened
    opened.close()


class Silent:
    """A provider that answers nothing, so that nobody ever knows; `tried` is when it was asked."""

    def __init__(self, store, *, key_life=None, **rules):
        self.tried = []
        self.provider = Provider("outbox", lambda account: self._send, abilities=Abilities(key_life=key_life))
        self.stage = Stage(store, {"one": ONE}, rules=Rules(postal_address="1 Example Street", **rules))
        self.stage.sender.close()
        self.stage.provider = self.provider
        self.stage.sender = self.stage.start_sender(self.provider)
        self.stage.subscribe()
        self.stage.work()

    def _send(self, message):
        self.tried.append(self.stage.now - MONDAY)
        raise Uncertain("no answer")

    def at(self, **since):
        """How it stands so long after the first attempt, and why."""
        self.stage.now = MONDAY + timedelta(**since)
        self.stage.work()
        (mail,) = self.stage.story()["messages"]
        return mail["state"], mail["reason"]

    def close(self):
        self.stage.close()


MINUTES = timedelta(minutes=15)  # Brevo's key; Resend's lives for a day


def test_under_a_key_it_is_asked_ever_more_seldom_and_for_the_last_time_before_the_key_ends(file):
    one = Silent(file, key_life=MINUTES)
    expected = [0, 5, 15, 35, 75, 155, 315, 615, 810]
    for seconds in expected[1:]:
        assert one.at(seconds=seconds - 1)[0] == "unknown", "it can be seen, and settled by hand, between two attempts"
        one.at(seconds=seconds)
    assert one.at(hours=23) == ("unknown", "no answer")
    assert one.tried == [timedelta(seconds=seconds) for seconds in expected]
    assert one.at(hours=25)[0] == "abandoned"
    assert len(one.tried) == len(expected)
    one.close()


@pytest.mark.parametrize("life", [MINUTES, timedelta(hours=24)])
def test_what_was_to_be_asked_again_under_a_key_that_has_ended_meanwhile_is_not_posted(file, life):
    """All mail was held, or the engine stood still, with the next attempt planned already."""
    one = Silent(file, key_life=life)
    one.stage.now += timedelta(seconds=10)
    assert settle(file, one.stage.deployed, one.provider, one.stage.now).again == 1
    state, reason = one.at(seconds=life.total_seconds() * 0.96)
    assert (state, reason) == ("unknown", "its key protects it no more, and nobody knows whether it left")
    assert len(one.tried) == 1
    assert one.at(hours=25)[0] == "abandoned"
    assert len(one.tried) == 1
    one.close()


def test_what_was_to_be_asked_again_under_a_key_is_not_given_to_another_provider(file):
    """The settings name another one since."""
    one, took = Silent(file, key_life=MINUTES), []
    one.stage.now += timedelta(seconds=10)
    settle(file, one.stage.deployed, one.provider, one.stage.now)
    one.stage.sender.close()
    one.stage.provider = Provider("postmark", lambda account: lambda message: took.append(message.id) or "taken")
    one.stage.sender = Sender(file, one.stage.provider, Account("postmark"), LINKS, senders=1)
    assert one.at(minutes=1)[0] == "unknown"
    assert one.at(hours=25)[0] == "abandoned"
    assert took == []
    one.close()


def test_at_least_once_sends_it_again_after_each_wait_and_not_for_ever(file):
    one = Silent(file, delivery="at_least_once", awaiting=timedelta(hours=1))
    for hours in range(1, MOST_ATTEMPTS):
        one.at(hours=hours)
    assert one.at(hours=MOST_ATTEMPTS, seconds=-1) == ("unknown", "no answer")
    assert one.at(hours=MOST_ATTEMPTS)[0] == "abandoned"
    assert one.tried == [timedelta(hours=hours) for hours in range(MOST_ATTEMPTS)]
    one.close()


def test_hold_waits_for_a_person_however_long(file):
    one = Silent(file, delivery="hold", awaiting=timedelta(hours=1))
    assert not look(file, one.stage.now).unsettled, "nothing is to be done about it, so nobody looks at it each second"
    assert look(file, one.stage.now + timedelta(minutes=10)).unsettled
    assert one.at(days=100) == ("unknown", "no answer")
    assert one.stage.place("one")["phase"] == "asked"
    assert len(one.tried) == 1
    one.close()


BY_HAND = {"resend": ("sent", 2), "drop": ("abandoned", 1), "sent": ("sent", 1)}


def test_it_is_seen_and_settled_on_the_command_line(file, nurture):
    tried = []

    def send(message):
        tried.append(message.to)
        if tried.count(message.to) == 1:
            raise Uncertain("no answer")
        return "taken"

    stage = Stage(file, {"one": ONE}, send=send)
    for said in BY_HAND:
        stage.subscribe(f"{said}@example.com")
    stage.work()
    code, out, err = nurture("messages", "--state", "unknown")
    assert (code, out.count("  unknown     one.hello  ")) == (0, 3)
    assert "drop@example.com  not sent  no answer" in out
    assert (
        err.count("reports of it are awaited, then the setting `delivery` decides (Tue 02 Jun 2026 10:00:00 UTC)") == 3
    )
    listed = json.loads(nurture("messages", "--state", "unknown", "--json")[1])["messages"]
    assert {(row["email"], row["state"]) for row in listed} == {(f"{said}@example.com", "unknown") for said in BY_HAND}
    for row in listed:
        said = row["email"].partition("@")[0]
        settled = nurture(
            "resolve", row["id"], "--as", said, "--because", "I asked them", "--now", "2026-06-01T10:05Z"
        )  # fmt: skip
        assert settled[:2] == (0, f"{row['id']} is settled: {said}.\n")
    assert nurture("messages", "--state", "unknown")[1] == ""
    stage.after(days=4)
    for said, (state, tries) in BY_HAND.items():
        (mail,) = stage.story(f"{said}@example.com")["messages"]
        assert (mail["state"], tried.count(f"{said}@example.com")) == (state, tries)
        assert "because I asked them" in mail["reason"]
        assert stage.place("one", f"{said}@example.com")["ended"] == "finished", "the person goes on"
    stage.close()
