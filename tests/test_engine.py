"""The whole engine on both databases: from a sign-up to the paid offer, or a polite end."""

import json
from datetime import timedelta

import pytest
from stage import MONDAY, Stage

from nurture.engine.rules import Rules
from nurture.errors import Refused, Rejected, Unavailable, Uncertain
from nurture.language.words import duration
from nurture.providers.base import Abilities, Provider
from nurture.store import attempts

LADDER = """\
title: A ladder
start: joined
goal: {bought: review}
from: Ada <ada@example.com>
within: 3 days
steps:
  question:
    subject: Question
    template: body.md
    ask:
      poll: Home or auto?
      answers: {home: A home loan, auto: An auto loan}
      save: loan
    yes: {home: tour, auto: end}
    no: again
  again:
    subject: Again
    template: body.md
    ask: question
    no: end
  tour:
    subject: Tour
    template: body.md
    ask: {click: Show me, to: https://example.com/tour}
    yes: offer
    no: end
  offer:
    subject: Offer
    template: body.md
    ask: {buy: review, price: 99 GBP, to: https://example.com/checkout, expires: 72 hours}
    within: 48 hours
    no: end
"""


@pytest.fixture
def stage(store):
    made = Stage(store, {"ladder": LADDER})
    yield made
    made.close()


def test_a_keen_person_reaches_the_offer_and_the_purchase_ends_it(stage):
    assert stage.subscribe().enrolled == ("ladder",)
    stage.work()
    assert stage.subjects() == ["Question"]
    stage.after(hours=2)
    stage.answer(stage.mail("Question"), "home")
    stage.work()
    assert stage.subjects() == ["Question", "Tour"]
    stage.after(hours=1)
    assert stage.click(stage.mail("Tour")) == "https://example.com/tour"
    stage.work()
    assert stage.subjects() == ["Question", "Tour"], "a click waits for its verdict"
    stage.after(seconds=31)
    assert stage.subjects() == ["Question", "Tour", "Offer"]
    stage.report("bought", product="review")
    stage.after(days=30)
    story = stage.story()
    assert stage.subjects() == ["Question", "Tour", "Offer"]
    assert stage.place("ladder")["ended"] == "goal"
    assert story["attributes"]["loan"] == "home"
    assert [(a["step"], a["answer"]) for a in story["answers"]] == [
        ("question", "home"), ("tour", "yes"), ("offer", "yes"),
    ]  # fmt: skip
    assert {row["state"] for row in story["messages"]} == {"sent"}


def test_the_silent_get_the_nudge_and_then_a_polite_end(stage):
    stage.subscribe()
    stage.after(days=3)
    assert stage.subjects() == ["Question", "Again"]
    stage.after(days=30)
    assert stage.subjects() == ["Question", "Again"]
    assert stage.place("ladder")["ended"] == "finished"


def test_a_late_yes_wakes_a_pass_that_a_no_ended(stage):
    stage.subscribe()
    stage.after(days=20)
    assert stage.place("ladder")["ended"] == "finished"
    stage.answer(stage.mail("Question"), "home")
    stage.work()
    assert stage.subjects() == ["Question", "Again", "Tour"]


def test_an_answer_whose_branch_has_mailed_is_fixed(stage):
    stage.subscribe()
    stage.work()
    stage.answer(stage.mail("Question"), "home")
    stage.work()
    stage.answer(stage.mail("Question"), "auto")
    stage.work()
    assert stage.story()["answers"][0]["answer"] == "home"
    assert stage.place("ladder")["step"] == "tour"


def test_an_answer_that_was_not_offered_is_refused(stage):
    stage.subscribe()
    stage.work()
    with pytest.raises(Refused, match="not an answer"):
        stage.answer(stage.mail("Question"), "boat")
    assert stage.story()["answers"] == []


def test_a_scanner_that_fetches_the_link_moves_nobody(stage):
    stage.subscribe()
    stage.work()
    stage.answer(stage.mail("Question"), "home")
    stage.work()
    stage.click(stage.mail("Tour"), method="HEAD")
    stage.after(hours=1)
    assert stage.subjects() == ["Question", "Tour"]
    clicks = [event for event in stage.story()["events"] if event["kind"] == "clicked"]
    assert [click["verdict"] for click in clicks] == ["machine"]
    assert clicks[0]["reason"]


def test_a_click_in_the_last_seconds_counts_though_it_is_judged_after_the_time_is_over(stage):
    stage.subscribe()
    stage.work()
    stage.answer(stage.mail("Question"), "home")
    stage.work()
    stage.until(stage.now + timedelta(days=3) - timedelta(seconds=5))
    stage.click(stage.mail("Tour"))
    stage.after(minutes=5)
    assert stage.subjects()[-1] == "Offer"


def test_nothing_leaves_after_an_unsubscribe_and_repeating_it_is_harmless(stage):
    stage.subscribe()
    stage.work()
    assert stage.unsubscribe(stage.mail("Question"))
    assert stage.unsubscribe(stage.mail("Question"))
    stage.after(days=10)
    assert stage.subjects() == ["Question"]
    assert stage.place("ladder")["ended"] == "unsubscribed"
    assert stage.subscribe().suppressed


def test_a_complaint_over_a_hook_ends_everything(stage):
    stage.subscribe()
    stage.work()
    mail = stage.mail("Question")
    body = '[{"event":"spamreport","email":"ann@example.com","timestamp":1780308000,"sg_event_id":"a","nid":"%s"}]'
    stage.hook("sendgrid", (body % mail.id).encode())
    stage.after(days=10)
    assert stage.subjects() == ["Question"]
    assert stage.place("ladder")["ended"] == "complained"
    assert stage.states()["question"] == "complained"


def test_a_report_three_times_is_a_report_once_and_one_broken_item_stops_no_other(stage):
    stage.subscribe()
    stage.work()
    nid = stage.mail("Question").id
    good = [
        {"event": "delivered", "email": "ann@example.com", "timestamp": 1780308000, "sg_event_id": name, "nid": nid}
        for name in "abc"
    ]
    body = json.dumps([*good, {"event": "open"}])
    received = stage.hook("sendgrid", body.encode())
    assert (received.recorded, received.repeated, received.quarantined) == (1, 2, 1)
    assert stage.hook("sendgrid", body.encode()).hooks == 0, "the same bytes are kept once"
    assert [event["kind"] for event in stage.story()["events"]].count("delivered") == 1
    assert stage.states()["question"] == "delivered"


def test_other_peoples_mail_on_the_same_account_is_dropped(stage):
    body = (
        b'[{"event":"click","email":"x@example.com","timestamp":1780308000,"sg_event_id":"a","url":"https://x.test"}]'
    )
    assert stage.hook("sendgrid", body).dropped == 1


def test_a_click_that_is_reported_before_our_own_record_of_the_sending_counts(store):
    """The provider has the mail, our transaction has not run yet: the click proves that the mail left."""
    held: list = []

    def slow(message):
        held.append(message)
        raise Uncertain("the answer was lost")

    stage = Stage(store, {"ladder": LADDER}, send=slow)
    stage.subscribe()
    stage.work()
    assert stage.states() == {"question": "unknown"}
    stage.answer(held[0], "home")
    stage.work()
    assert stage.states()["question"] == "sent"
    assert stage.place("ladder")["step"] == "tour"
    stage.close()


def test_an_uncertain_attempt_is_not_repeated_blindly_and_becomes_abandoned(store):
    attempts: list = []

    def uncertain(message):
        attempts.append(message.id)
        raise Uncertain("no answer")

    stage = Stage(store, {"ladder": LADDER}, send=uncertain)
    stage.subscribe()
    stage.after(hours=23)
    assert len(attempts) == 1
    assert stage.states() == {"question": "unknown"}
    stage.after(hours=2)
    assert stage.states() == {"question": "abandoned"}
    assert stage.place("ladder")["phase"] == "asked", "the person goes on as if the ask was not answered"
    stage.after(days=4)
    assert attempts[1:] and attempts[1] != attempts[0]
    stage.close()


def test_a_provider_with_a_key_is_asked_again_with_the_same_bytes_and_key(store):
    attempts: list = []

    def first_lost(message):
        attempts.append(message)
        if len(attempts) == 1:
            raise Uncertain("no answer")
        return "accepted"

    stage = Stage(store, {"ladder": LADDER}, send=first_lost)
    stage.provider = Provider("outbox", lambda account: first_lost, abilities=Abilities(key_life=timedelta(hours=24)))
    stage.sender.close()
    stage.sender = stage.start_sender()
    stage.subscribe()
    stage.after(minutes=1)
    assert len(attempts) == 2
    assert attempts[0] == attempts[1]
    assert stage.states() == {"question": "sent"}
    stage.close()


def test_a_refusal_for_good_stops_that_mail_only_and_one_for_now_is_tried_again(store):
    tried: list[str] = []

    def moody(message):
        tried.append(message.to)
        if message.to == "bad@example.com":
            raise Rejected("no such mailbox")
        if tried.count(message.to) < 3:
            raise Unavailable("try later")
        return "fine"

    stage = Stage(store, {"ladder": LADDER}, send=moody)
    stage.subscribe("bad@example.com")
    stage.subscribe("good@example.com")
    stage.after(minutes=5)
    assert tried.count("bad@example.com") == 1
    assert tried.count("good@example.com") == 3
    assert stage.story("bad@example.com")["messages"][0]["state"] == "failed"
    assert stage.story("good@example.com")["messages"][0]["state"] == "sent"
    stage.close()


def test_retry_after_is_honoured(store):
    tried: list = []

    def busy(message):
        tried.append(stage.now)
        if len(tried) == 1:
            raise Unavailable("slow down", retry_after=600)
        return "fine"

    stage = Stage(store, {"ladder": LADDER}, send=busy)
    stage.subscribe()
    stage.work()
    stage.after(minutes=9)
    assert len(tried) == 1
    stage.after(minutes=2)
    assert len(tried) == 2
    stage.close()


def test_a_template_that_fails_for_one_person_stops_that_mail_only(store):
    templates = {"templates/body.md": b"{% if seats and seats > 3 %}{{ first_name }}{% endif %}\n\n{{ ask }}\n"}
    stage = Stage(store, {"ladder": LADDER}, templates=templates)
    stage.subscribe("many@example.com", seats=5)
    stage.subscribe("few@example.com", seats=1)
    stage.work()
    assert stage.story("many@example.com")["messages"][0]["state"] == "failed"
    assert "body.md" in stage.story("many@example.com")["messages"][0]["reason"]
    assert stage.subjects("few@example.com") == ["Question"]
    stage.close()


def test_half_a_character_stops_that_mail_only(store):
    body = b'{% if seats and seats > 3 %}{{ "\\ud800" }}{% endif %}\n\n{{ ask }}\n'
    stage = Stage(store, {"ladder": LADDER}, templates={"templates/body.md": body})
    stage.subscribe("many@example.com", seats=5)
    stage.subscribe("few@example.com", seats=1)
    stage.work()
    assert stage.story("many@example.com")["messages"][0]["state"] == "failed"
    assert "half a character" in stage.story("many@example.com")["messages"][0]["reason"]
    assert stage.subjects("few@example.com") == ["Question"]
    stage.close()


def test_a_purchase_before_the_mail_leaves_stops_it(stage):
    stage.subscribe()
    stage.work()
    stage.answer(stage.mail("Question"), "home")
    from nurture.engine.tick import tick

    tick(stage.store, stage.deployed, stage.now)
    assert stage.states()["tour"] == "planned"
    stage.report("bought", product="review")
    stage.work()
    assert stage.subjects() == ["Question"]
    assert stage.states()["tour"] == "cancelled"


def test_what_was_in_flight_when_the_process_died_is_unknown_after_a_restart(stage):
    """kill -9 between the record and the answer: nothing is repeated blindly, nothing is hidden."""
    stage.subscribe()
    from nurture.engine.tick import tick

    tick(stage.store, stage.deployed, stage.now)
    with stage.store.write() as tx:
        (claimed,) = attempts.claim(
            tx, stage.now, lease=timedelta(seconds=60), owner="dead", limit=10, paused=frozenset()
        )
        begin = attempts.Begin(claimed.id, claimed.token, b"", "outbox", "key", "Question", "")
        assert attempts.begin(tx, [begin], stage.now, stage.now + timedelta(seconds=25)) == {claimed.id}
    stage.after(minutes=1)
    assert stage.subjects() == []
    assert stage.states() == {"question": "unknown"}


def test_one_gap_holds_all_sequences_and_priority_goes_first(store):
    one = "title: One\nstart: joined\nfrom: Ada <ada@example.com>\nwithin: 1 day\n{}steps:\n  {}:\n    subject: {}\n"
    one += "    template: body.md\n    ask: {{click: Go, to: https://example.com/}}\n    no: end\n"
    stage = Stage(
        store,
        {"low": one.format("", "a", "Low"), "high": one.format("priority: 5\n", "b", "High")},
        rules=Rules(postal_address="1 Example Street", gap=duration("1 day")),
    )
    stage.subscribe()
    stage.after(hours=1)
    assert stage.subjects() == ["High"]
    assert "between any two mails" in stage.place("low")["because"]
    stage.until(MONDAY + timedelta(days=1, minutes=1))
    assert stage.subjects() == ["High", "Low"]
    stage.close()


def test_an_import_enrolls_nobody_unless_asked(stage):
    from nurture.engine.enroll import Row, import_batch

    rows = [Row(2, "a@example.com"), Row(3, "b@example.com")]
    done = import_batch(stage.store, stage.deployed, rows, enroll=None, now=stage.now)
    assert (done.new, done.enrolled) == (2, 0)
    done = import_batch(stage.store, stage.deployed, rows, enroll="ladder", now=stage.now)
    assert (done.updated, done.enrolled) == (2, 2)
    stage.work()
    assert len(stage.delivered) == 2


def test_a_kept_ask_starts_another_sequence(store):
    other = """\
title: Other
start: {kept: ladder.question}
from: Ada <ada@example.com>
within: 1 day
steps:
  hello:
    subject: Hello from another
    template: body.md
    ask: {click: Go, to: https://example.com/}
    no: end
"""
    stage = Stage(store, {"ladder": LADDER, "other": other})
    stage.subscribe()
    stage.work()
    assert stage.subjects() == ["Question"]
    stage.answer(stage.mail("Question"), "auto")
    stage.work()
    assert "Hello from another" in stage.subjects()
    stage.close()


def test_a_sequence_that_starts_at_a_date_of_the_person_waits_for_it_and_follows_it_when_it_moves(store):
    renewal = """\
title: Renewal
start: {at: 14 days before renewal}
from: Ada <ada@example.com>
within: 1 day
steps:
  remind:
    subject: Renewal
    template: body.md
    ask: {click: Go, to: https://example.com/}
    no: end
"""
    stage = Stage(store, {"renewal": renewal})
    stage.subscribe(renewal="2026-07-01")
    stage.until(MONDAY + timedelta(days=10))
    stage.subscribe(renewal="2026-08-01")
    stage.until(MONDAY + timedelta(days=40))
    assert stage.subjects() == []
    stage.until(MONDAY + timedelta(days=60))
    assert stage.subjects() == ["Renewal"]
    stage.close()
