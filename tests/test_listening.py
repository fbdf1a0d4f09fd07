"""Others listen: what is told of a decision, to whom, how it is signed, and what becomes of it when nobody hears."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from stage import MONDAY, Stage

from nurture.engine.listening import Listener
from nurture.engine.rules import Rules
from nurture.engine.telling import BATCH, GIVE_UP, Teller
from nurture.errors import Rejected, Unavailable
from nurture.store import notices

ROOT = Path(__file__).parent.parent
ADA = "ada@example.com"
SECRETS = ("whsec_" + "bmV3c2Vj" * 5, "whsec_" + "b2xkc2Vj" * 5)
ASKS = """\
title: Asks
start: manual
goal: {bought: review}
from: ada@brightline.example
within: 1 day
steps:
  question:
    subject: One question
    template: body.md
    ask: {poll: Home or auto?, answers: {home: Home, auto: Auto}}
    yes: {home: tour, auto: end}
    no: end
  tour:
    subject: The tour
    template: body.md
    send: now
    ask: {click: See it, to: https://brightline.example/tour}
    no: end
"""
FOLLOWS = """\
title: Follows
start: {START}
from: ada@brightline.example
within: 1 day
steps:
  hello:
    subject: Hello
    template: body.md
    ask: {click: See it, to: https://brightline.example/}
    no: end
"""


class Heard:
    """Listeners that are told through the seam of the teller; `away` says which of them are not there."""

    def __init__(self):
        self.told, self.away, self.refuses, self.tried = [], set(), set(), []

    def connect(self, listener):
        def post(event, body, now):
            self.tried.append(listener.name)
            if listener.name in self.away:
                raise Unavailable("cannot be reached: nobody is there")
            if event in self.refuses or "all" in self.refuses:
                raise Rejected("answered 404")
            self.told.append((listener.name, event, json.loads(body)))

        return post

    def of(self, kind):
        return [body for _, _, body in self.told if body.get("type") == kind]


def listeners(*names, **more):
    return tuple(Listener(name, f"https://{name}.example/", secrets=SECRETS, **more) for name in names)


@pytest.fixture
def stage(store):
    staged = Stage(
        store, {"asks": ASKS, "kept": FOLLOWS.replace("{START}", "{kept: asks.question}"),
                "goal": FOLLOWS.replace("{START}", "{goal: asks}")},
        rules=Rules(postal_address="1 Example Street", listeners=listeners("crm", "own")),
    )  # fmt: skip
    yield staged
    staged.close()


def begin(stage, email=ADA):
    stage.subscribe(email, sequence="asks")
    stage.work()


def answers(stage, value, email=ADA):
    stage.answer(stage.mail("One question", email), value)
    stage.work()


def tell(stage, heard, teller=None):
    teller = teller or Teller(stage.store, heard.connect)
    while teller.turn(stage.rules.listeners, stage.now).more:
        pass
    return teller


def test_a_kept_ask_is_told_to_everyone_under_one_id_and_starts_another_sequence(stage):
    heard = Heard()
    begin(stage)
    answers(stage, "home")
    tell(stage, heard)
    (crm, own) = [(name, event, body) for name, event, body in heard.told if body["type"] == "kept"]
    assert {crm[0], own[0]} == {"crm", "own"}
    assert crm[1:] == own[1:]
    assert crm[2] == {
        "format": "nurture.event/1", "type": "kept", "id": crm[1], "at": crm[2]["at"], "email": ADA,
        "sequence": "asks", "step": "question", "answer": "home",
    }  # fmt: skip
    assert [place["sequence"] for place in stage.story(ADA)["enrollments"]] == ["asks", "kept"]


def test_a_click_that_is_reported_ten_times_is_one_event(stage):
    heard = Heard()
    begin(stage)
    answers(stage, "home")
    for _ in range(10):
        stage.click(stage.mail("The tour", ADA))
        stage.after(minutes=2)
    tell(stage, heard)
    assert [(body["step"], body["answer"]) for name, _, body in heard.told if body["type"] == "kept" and name == "own"] == [
        ("question", "home"), ("tour", "yes"),
    ]  # fmt: skip


def test_a_goal_is_told_and_starts_another_sequence(stage):
    heard = Heard()
    begin(stage)
    stage.report("bought", ADA, product="review")
    stage.work()
    tell(stage, heard)
    assert [(body["sequence"], body["how"]) for body in heard.of("goal")] == [("asks", "goal")] * 2
    assert heard.of("ended") == []
    assert [place["sequence"] for place in stage.story(ADA)["enrollments"]] == ["asks", "goal"]


def test_who_unsubscribes_is_told_once_with_every_pass_that_ends(stage):
    heard = Heard()
    begin(stage)
    for _ in range(2):
        stage.unsubscribe(stage.mail("One question", ADA))
        stage.work()
    tell(stage, heard)
    told = [(body["type"], body["sequence"], body.get("how")) for name, _, body in heard.told if name == "crm"]
    assert sorted(told, key=str) == [("ended", "asks", "unsubscribed"), ("unsubscribed", None, None)]


def test_only_the_types_that_a_listener_wants(store):
    rules = Rules(postal_address="1 Example Street", listeners=listeners("crm", events=frozenset({"goal"})))
    stage, heard = Stage(store, {"asks": ASKS}, rules=rules), Heard()
    begin(stage)
    answers(stage, "home")
    stage.report("bought", ADA, product="review")
    stage.work()
    tell(stage, heard)
    assert [body["type"] for _, _, body in heard.told] == ["goal"]
    stage.close()


def test_a_chat_gets_a_sentence_in_which_nothing_is_markup(store):
    rules = Rules(postal_address="1 Example Street", listeners=listeners("chat", shape="slack"))
    stage, heard = Stage(store, {"asks": ASKS}, rules=rules), Heard()
    begin(stage, "a&b@example.com")
    answers(stage, "home", "a&b@example.com")
    tell(stage, heard)
    assert heard.told[0][2] == {"text": "a&amp;b@example.com kept asks.question: home"}
    stage.close()


def test_without_listeners_no_row_is_written(store):
    stage = Stage(store, {"asks": ASKS})
    begin(stage)
    answers(stage, "auto")
    with store.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM notice")).scalar() == 0
    stage.close()


def test_what_a_transaction_undoes_is_not_told(stage):
    begin(stage)
    with pytest.raises(ZeroDivisionError), stage.store.write() as tx:
        notices.keep(tx, [notices.Notice("evt_1", "crm", "kept", 1, "{}", MONDAY)], MONDAY)
        1 / 0  # noqa: B018
    heard = Heard()
    tell(stage, heard)
    assert heard.told == []


# --- when nobody hears


def keep(stage, number, listener="crm"):
    with stage.store.write() as tx:
        notices.keep(
            tx, [notices.Notice(f"evt_{one}", listener, "kept", 1, "{}", stage.now) for one in range(number)], stage.now
        )


def standing(stage, listener="crm"):
    with stage.store.read() as tx:
        found = notices.standing(tx)[listener]
    return found.waiting, found.told, found.failed


def test_a_listener_that_is_away_is_asked_once_a_turn_and_holds_nobody_up(stage):
    heard = Heard()
    heard.away = {"crm"}
    keep(stage, 30, "crm")
    keep(stage, 30, "own")
    teller = tell(stage, heard)
    assert heard.tried.count("crm") == 1
    assert len(heard.told) == 30
    tell(stage, heard, teller)  # it rests
    assert heard.tried.count("crm") == 1
    heard.away = set()
    stage.now += timedelta(minutes=1)
    tell(stage, heard, teller)
    assert standing(stage) == (0, 30, 0)
    assert len({event for name, event, _ in heard.told if name == "crm"}) == 30


def test_after_two_days_it_is_kept_and_can_be_replayed_under_its_id(stage):
    heard = Heard()
    heard.away = {"crm"}
    keep(stage, BATCH + 20)
    teller = tell(stage, heard)
    tries = 0
    while stage.now < MONDAY + GIVE_UP + timedelta(hours=11):
        stage.now += timedelta(minutes=30)
        tell(stage, heard, teller)
        tries += 1
    assert standing(stage) == (0, 0, BATCH + 20)
    heard.away = set()
    with stage.store.write() as tx:
        assert notices.replay(tx, stage.now, "crm") == BATCH + 20
    tell(stage, heard, Teller(stage.store, heard.connect))
    assert standing(stage) == (0, BATCH + 20, 0)


def test_one_event_that_is_refused_waits_alone(stage):
    heard = Heard()
    heard.refuses = {"evt_3"}
    keep(stage, 5)
    teller = tell(stage, heard)
    assert standing(stage) == (1, 4, 0)
    heard.refuses = set()
    stage.now += timedelta(seconds=4)
    tell(stage, heard, teller)
    assert standing(stage) == (1, 4, 0)
    stage.now += timedelta(seconds=1)
    tell(stage, heard, teller)
    assert standing(stage) == (0, 5, 0)


def test_what_a_teller_took_and_did_not_bring_back_is_told_after_its_lease(stage):
    keep(stage, 3)
    with stage.store.write() as tx:
        assert len(notices.claim(tx, "crm", stage.now, stage.now + timedelta(minutes=2), 10)) == 3
    heard = Heard()
    tell(stage, heard)
    assert heard.told == []
    stage.now += timedelta(minutes=2)
    tell(stage, heard)
    assert len(heard.told) == 3


def test_two_tellers_share_the_work(stage):
    keep(stage, 40)
    with stage.store.write() as tx:
        taken = notices.claim(tx, "crm", stage.now, stage.now + timedelta(minutes=2), 15)
        if stage.store.dialect == "postgresql":
            with stage.store.write() as other:
                others = notices.claim(other, "crm", stage.now, stage.now + timedelta(minutes=2), 40)
            assert len(others) == 25
            assert not {one.id for one in taken} & {one.id for one in others}


def test_events_of_a_listener_that_is_no_longer_named_keep_for_later(stage):
    heard = Heard()
    keep(stage, 2, "gone")
    tell(stage, heard)
    assert heard.tried == []
    assert standing(stage, "gone") == (2, 0, 0)
    with stage.store.read() as tx:
        assert notices.next_due(tx) > stage.now  # and wake nobody every second


def test_nothing_is_kept_of_a_person_that_is_forgotten(stage):
    keep(stage, 3)
    with stage.store.write() as tx:
        assert notices.forget_person(tx, 1) == 3
