"""Several ways out: failover of what was provably not taken, warm-up and daily caps, pacing, what a fault keeps."""

from datetime import timedelta
from threading import Thread

import pytest
from stage import LINKS, MONDAY, Stage

from nurture.engine.gate import Gate
from nurture.engine.returns import Returns
from nurture.engine.sending import Sender
from nurture.engine.tick import tick
from nurture.engine.way import LATE, Outcome, Way
from nurture.errors import Rejected, StoreError, Unavailable, Uncertain
from nurture.journey.ledger import State
from nurture.journey.warmup import most_today
from nurture.providers.base import Abilities, Account, Provider
from nurture.store import traffic

ONE = """\
title: One
start: joined
from: Ada <ada@example.com>
within: 300 days
steps:
  hello:
    subject: Hello
    template: body.md
    ask: {click: Go, to: https://example.com/}
    no: end
"""


class Esp:
    """A provider that does as it is told, and keeps what it took."""

    def __init__(self, name, fault=None, **account):
        self.fault = fault
        self.took: list[str] = []
        self.asked: list[str] = []
        self.provider = Provider(name, lambda account: self._send, abilities=Abilities())
        self.account = Account(name, **account)

    def _send(self, message):
        self.asked.append(message.to)
        if self.fault is not None:
            raise self.fault
        self.took.append(message.to)
        return f"{self.provider.name}-{len(self.took)}"


def staged(store, *esps):
    stage = Stage(store, {"one": ONE})
    stage.send_through(*esps)
    return stage


def subscribe(stage, count, first=0):
    for number in range(first, first + count):
        stage.subscribe(f"p{number}@example.com")


def later(stage, *seconds):
    """Time goes by while mail is due and waits for a provider."""
    for some in seconds:
        stage.now += timedelta(seconds=some)
        stage.work()


# --- failover


@pytest.mark.parametrize(
    "fault",
    [Unavailable("cannot be reached"), Unavailable("a wrong key", gate=True), Unavailable("slow", retry_after=3600)],
)
def test_another_takes_over_what_the_first_has_refused_for_longer_than_a_minute(store, fault):
    first, second = Esp("first", fault), Esp("second")
    stage = staged(store, first, second)
    subscribe(stage, 3)
    stage.after(seconds=50)
    assert second.asked == [], "a short trouble moves nobody"
    stage.after(minutes=3)
    assert sorted(second.took) == [f"p{number}@example.com" for number in range(3)]
    assert {mail["provider"] for mail in stage.story("p0@example.com")["messages"]} == {"second"}
    stage.close()


def test_the_first_is_tried_once_a_minute_and_comes_back(store):
    first, second = Esp("first", Unavailable("cannot be reached")), Esp("second")
    stage = staged(store, first, second)
    subscribe(stage, 1)
    stage.after(minutes=3)
    assert second.took == ["p0@example.com"]
    first.fault = None
    stage.after(minutes=2)
    subscribe(stage, 1, first=1)
    stage.work()
    subscribe(stage, 3, first=2)
    stage.work()
    assert len(first.took) == 4, "the probe went through, and all others after it"
    stage.close()


def test_a_mail_that_the_first_may_have_is_never_given_to_another(store):
    first, second = Esp("first", Uncertain("no answer")), Esp("second")
    stage = staged(store, first, second)
    subscribe(stage, 1)
    stage.work()
    first.fault = Unavailable("cannot be reached")
    subscribe(stage, 1, first=1)
    stage.after(hours=20)
    assert second.took == ["p1@example.com"]
    assert stage.story("p0@example.com")["messages"][0]["state"] == "unknown"
    stage.after(hours=10)
    assert second.took == ["p1@example.com"]
    stage.close()


# --- a provider that answers nothing that says anything


def test_a_provider_that_answers_nothing_but_500_is_left_alone_and_what_was_not_tried_goes_by_another(store):
    first, second = Esp("first", Uncertain("answered 500")), Esp("second")
    stage = staged(store, first, second)
    subscribe(stage, 11)
    stage.work()
    lost = set(first.asked)
    assert 5 <= len(lost) <= 20, "five in a row, and what was on its way meanwhile"
    later(stage, 6, 6)
    assert len(first.asked) == len(lost) + 1, "one mail shows whether it takes mail again, after a longer time each"
    later(stage, 10, 20, 40)
    assert len(first.asked) <= len(lost) + 4
    assert sorted(first.asked + second.took) == sorted(f"p{number}@example.com" for number in range(11)), "none twice"
    states = {mail["state"] for to in first.asked for mail in stage.story(to)["messages"]}
    assert states == {"unknown"}
    first.fault = None
    subscribe(stage, 1, first=11)
    later(stage, 61)
    subscribe(stage, 2, first=12)
    stage.work()
    assert len(first.took) == 3, "one that it took, and all others after it"
    stage.close()


def test_a_lost_connection_now_and_then_stops_nobody_and_one_lost_call_is_one_however_many_were_in_it():
    esp = Esp("first")
    way = Way(esp.provider, esp.account, Gate(None), Returns(), 8)
    numbers = iter(range(1000))

    def come(state, times, call=""):
        for _ in range(times):
            way.came_back(Outcome(f"m{next(numbers)}", 1, state, way="first", call=call), now)

    now = MONDAY
    for _ in range(9):
        come(State.UNKNOWN, 4)
        come(State.SENT, 1)
    come(State.UNKNOWN, 50, call="a call for fifty")
    come(State.UNKNOWN, 3)
    assert not way.gate.shut(now)
    assert way.free(now) == 16
    for seconds in (5, 10, 20, 40, 60, 60):
        come(State.UNKNOWN, 3)
        assert way.gate.closed_until - now == timedelta(seconds=seconds)
        now = way.gate.closed_until
        assert way.free(now) == 1
    assert way.down(now)
    come(State.FAILED, 1)
    assert way.free(now) == 16
    assert not way.down(now)
    come(State.UNKNOWN, 4)
    assert not way.gate.shut(now)
    way.close()


# --- warm-up and daily caps


@pytest.mark.parametrize(
    ("day", "growing", "most"), [(0, 0.2, 200), (1, 0.2, 240), (2, 0.2, 288), (5, 0.0, 200), (90000, 0.2, 10**12)]
)
def test_a_warm_up_grows_by_the_day(day, growing, most):
    assert min(most_today(200, growing, MONDAY, MONDAY + timedelta(days=day)), 10**12) == most


def test_the_days_most_is_counted_in_the_database_over_restarts(store):
    esp = Esp("first", daily=2, growing=0.5)
    stage = staged(store, esp)
    subscribe(stage, 2)
    stage.work()
    stage.sender.close()
    stage.sender = Sender(store, esp.provider, esp.account, LINKS, senders=2)
    subscribe(stage, 6, first=2)
    stage.work()
    assert len(esp.took) == 2
    waiting = [mail for n in range(2, 8) for mail in stage.story(f"p{n}@example.com")["messages"]]
    assert {mail["due_at"] for mail in waiting} == {"2026-06-02T00:00:00Z"}
    assert "its most for today" in waiting[0]["reason"]
    stage.until(MONDAY + timedelta(hours=20))
    assert len(esp.took) == 5, "half as many more on the second day"
    stage.until(MONDAY + timedelta(hours=44))
    assert len(esp.took) == 8
    stage.close()


def test_what_is_more_than_the_days_most_goes_by_the_next_provider(store):
    first, second = Esp("first", daily=2), Esp("second")
    stage = staged(store, first, second)
    subscribe(stage, 5)
    stage.work()
    assert (len(first.took), len(second.took)) == (2, 3)
    stage.close()


def test_traffic_is_counted_by_provider_and_hour(store):
    with store.write() as tx:
        for hours, number in ((0, 2), (1, 3), (24, 4)):
            traffic.count(tx, "a", number, MONDAY + timedelta(hours=hours))
        traffic.count(tx, "b", 7, MONDAY)
    with store.read() as tx:
        known = traffic.today(tx, "a", MONDAY + timedelta(hours=1, minutes=5))
    assert (known.begun, known.hour, known.first) == (5, 3, MONDAY.replace(hour=0))


# --- pace


def test_a_gate_fills_at_its_rate_and_keeps_a_second_at_most():
    gate = Gate(10)
    assert gate.allows(100, MONDAY) == 1
    assert gate.allows(100, MONDAY + timedelta(seconds=0.5)) == 5
    assert gate.allows(100, MONDAY + timedelta(hours=1)) == 10
    gate.close(MONDAY + timedelta(hours=2), "a wrong key")
    assert gate.allows(100, MONDAY + timedelta(hours=1, minutes=30)) == 0


def test_who_waits_is_woken_once_enough_has_come_back():
    back, answer = Returns(), Outcome("m", 1, State.SENT)
    for _ in range(3):
        back.put(answer)
    back.wait(3, 3600)  # they are here already: nobody waits
    assert back.take() == [answer] * 3
    ringing = Thread(target=lambda: [back.put(answer) for _ in range(5)])
    ringing.start()
    back.wait(5, 3600)
    ringing.join()
    assert len(back.take()) == 5
    assert back.take() == []
    back.wait(1, 0.01)  # nobody answers: it is not waited for longer


def test_a_quick_provider_gets_more_ahead_than_a_slow_one():

    esp = Esp("first")
    for rate, took, depth in ((None, 0.001, 32), (None, 2.0, 2), (1000.0, 0.001, 32), (7.0, 0.001, 8), (0.5, 0.001, 2)):
        way = Way(esp.provider, esp.account, Gate(rate), Returns(), 2)
        for _ in range(200):
            way.came_back(Outcome("m", 1, State.SENT, took=took, way="first"), MONDAY)
        assert way.depth == depth
        way.close()


def test_a_mail_that_waited_too_long_for_a_sender_has_not_left_and_goes_later(store):
    esp = Esp("first")
    stage = staged(store, esp)
    subscribe(stage, 1)
    tick(store, stage.deployed, stage.now)
    stage.sender.turn(stage.deployed, stage.now)
    (way,) = stage.sender.ways
    start = way.start
    way.start = lambda ready, start_by: start(ready, start_by - 3600)  # as when every sender was busy
    stage.send()
    assert esp.asked == []
    (mail,) = stage.story("p0@example.com")["messages"]
    assert (mail["state"], mail["reason"]) == ("planned", LATE)
    way.start = start
    stage.after(minutes=1)
    assert esp.took == ["p0@example.com"]
    stage.close()


class Unreachable(Gate):
    """As one whose truth is in a database that is away."""

    def shut(self, now):
        raise StoreError("the database cannot be reached")


def test_what_a_failed_transaction_did_not_commit_is_still_to_be_done(tmp_path, migrated):
    import shutil
    import sqlite3

    from nurture.store.database import open_store

    shutil.copy(migrated, tmp_path / "nurture.db")
    store = open_store(f"sqlite:///{tmp_path}/nurture.db")
    esp = Esp("first")
    stage = staged(store, esp)
    subscribe(stage, 2)
    tick(store, stage.deployed, stage.now)
    stage.sender.turn(stage.deployed, stage.now)
    with store.write() as tx:
        tx.exec_driver_sql("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(tmp_path / "nurture.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # another process holds the file
    with pytest.raises(StoreError, match="another process holds"):
        stage.sender.turn(stage.deployed, stage.now)
    assert esp.asked == [], "nothing leaves that is not on record"
    other.execute("ROLLBACK")
    stage.sender.turn(stage.deployed, stage.now)
    stage.sender.wait(5)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another process holds"):
        stage.sender.turn(stage.deployed, stage.now)
    other.execute("ROLLBACK")
    other.close()
    gate, stage.sender.ways[0].gate = stage.sender.ways[0].gate, Unreachable(None)
    with pytest.raises(StoreError, match="cannot be reached"):
        stage.sender.turn(stage.deployed, stage.now)
    stage.sender.ways[0].gate = gate
    stage.send()
    assert sorted(esp.took) == ["p0@example.com", "p1@example.com"], "each once, and its answer was not lost"
    assert stage.states() == {"hello": "sent"}
    stage.close()
    store.close()


# --- many in one call


class Many(Esp):
    """Takes up to three in one call."""

    def __init__(self, *results, key_life=None):
        super().__init__("first", batch=True)
        self.calls: list[list[str]] = []
        self.results = iter(results)
        self.provider = Provider(
            "first", lambda account: self._send, abilities=Abilities(batch=3, key_life=key_life),
            connect_many=lambda account: self._send_many,
        )  # fmt: skip

    def _send_many(self, messages):
        self.calls.append([message.to for message in messages])
        result = next(self.results, None)
        if isinstance(result, Exception):
            raise result
        return result or [f"id-{message.to}" for message in messages]


def states_of(stage, count):
    return [stage.story(f"p{number}@example.com")["messages"][0]["state"] for number in range(count)]


def test_many_go_in_one_call_and_each_has_its_own_outcome(store):
    esp = Many(["id", Rejected("no such mailbox"), Unavailable("not now")])
    stage = staged(store, esp)
    subscribe(stage, 3)
    while not esp.calls:
        stage.work()
    assert [len(call) for call in esp.calls][:1] == [3]
    assert sorted(states_of(stage, 3)) == ["failed", "planned", "sent"]
    stage.after(minutes=1)
    assert sorted(states_of(stage, 3)) == ["failed", "sent", "sent"]
    stage.close()


def test_an_uncertain_call_makes_all_of_it_unknown_and_none_is_asked_again_as_if_it_had_a_key(store):
    esp = Many(Uncertain("no answer"), key_life=timedelta(hours=24))
    stage = staged(store, esp)
    subscribe(stage, 3)
    stage.after(hours=20)
    assert [len(call) for call in esp.calls] == [3]
    assert states_of(stage, 3) == ["unknown"] * 3
    assert esp.asked == []
    stage.close()


def test_a_call_that_is_refused_as_a_whole_is_one_mails_fault_so_each_is_asked_for_alone(store):
    esp = Many(Rejected("one of them has no address"))
    stage = staged(store, esp)
    subscribe(stage, 3)
    stage.work()
    assert len(esp.calls) == 1
    assert len(esp.took) == 3
    assert states_of(stage, 3) == ["sent"] * 3
    stage.close()


@pytest.mark.parametrize("name", ["postmark", "resend"])
def test_a_vendors_answer_to_many_is_read_for_each(name):
    import json

    import httpx

    from nurture.mail.message import Message
    from nurture.providers import PROVIDERS

    mails = [
        Message(f"m{n}", f"k{n}", "Ada <a@example.com>", f"p{n}@example.com", "Hi", "<p>hi</p>", "hi") for n in "ab"
    ]
    asked = []
    good = {"postmark": [{"ErrorCode": 0, "Message": "OK", "MessageID": "x"}, {"ErrorCode": 406, "Message": "inactive"}],
            "resend": {"data": [{"id": "x"}, {"id": "y"}]}}[name]  # fmt: skip

    def answer(request):
        asked.append(json.loads(request.content))
        return httpx.Response(200, json=good if len(asked) == 1 else [])

    send = PROVIDERS[name].connect_many(Account(name, key="k"), httpx.MockTransport(answer))
    first, second = send(mails)
    assert first == "x"
    assert second == "y" or (isinstance(second, Rejected) and "406" in str(second))
    assert len(asked[0]) == 2
    with pytest.raises(Uncertain):
        send(mails)
