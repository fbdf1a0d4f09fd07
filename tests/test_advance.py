"""The decision, rule by rule of the language reference: the clocks, and the late yes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from walking import BUY, CLICK, POLL, START, TWO, Walk, after, person, written

from nurture.journey.enrollment import Grant, Kept
from nurture.journey.events import Event, Kind
from nurture.language.sequence import Duration

# --- clocks


def test_the_first_mail_leaves_when_the_pass_begins():
    assert Walk(written(TWO)).mails == [("one", START)]


def test_within_runs_from_when_the_mail_left_and_not_from_when_it_was_planned():
    walk = Walk(written(TWO), leaves=False)
    assert walk.place.due_at is None
    walk.tell(Kind.SENT, after(hours=5), step="one")
    assert walk.place.due_at == after(days=3, hours=5)
    assert walk.until(after(days=3, hours=4)).place.ended is None
    assert walk.rest().place.ended_at == after(days=3, hours=5)


def test_a_mail_that_never_left_is_an_ask_that_was_not_answered():
    walk = Walk(written([f"one: {CLICK}, yes: end, no: two", f"two: {CLICK}, no: end"]), leaves=False)
    walk.tell(Kind.MISSED, after(hours=5), step="one")
    assert walk.place.due_at == after(days=3, hours=5)
    assert walk.place.asked == ()


def test_a_wait_in_a_no_runs_from_the_end_of_within():
    walk = Walk(written([f"one: {CLICK}, yes: end, no: {{after: 2 days, go: two}}", f"two: {CLICK}, no: end"])).rest()
    assert walk.mailed("two") == after(days=5)


def test_a_wait_in_a_no_runs_from_there_although_a_machine_click_put_it_off():
    steps = [f"one: {CLICK}, yes: end, no: {{after: 1 hour, go: two}}", f"two: {CLICK}, no: end"]
    walk = Walk(written(steps))
    walk.click("one", after(days=2, hours=23, minutes=59), human=None, judged=after(days=3, minutes=10))
    walk.until(after(days=3, minutes=9))
    assert walk.place.phase == "asked"
    walk.click("one", after(days=3, minutes=10), human=False).rest()
    assert walk.mailed("two") == after(days=3, hours=1)


def test_after_a_mail_that_never_left_an_old_verdict_does_not_shorten_the_wait():
    steps = [
        f"one: {CLICK}, no: end",
        f"two: {CLICK}, yes: end, no: {{after: 1 day, go: three}}",
        f"three: {CLICK}, no: end",
    ]
    walk = Walk(written(steps))
    walk.click("one", after(hours=1), human=None, judged=after(hours=1, seconds=30))
    walk.leaves = False
    walk.click("one", after(hours=1, seconds=30), done=after(hours=1)).until(after(hours=2))
    walk.tell(Kind.MISSED, after(days=1), step="two").rest()
    assert walk.mailed("three") == after(days=5)


def test_a_wait_in_a_yes_runs_from_when_it_was_done_and_not_from_when_it_was_judged():
    walk = Walk(written([f"one: {CLICK}, yes: {{after: 1 hour, go: two}}, no: end", f"two: {CLICK}, no: end"]))
    walk.click("one", after(hours=2), human=None, judged=after(hours=2, minutes=5))
    walk.click("one", after(hours=2, minutes=5), done=after(hours=2)).rest()
    assert walk.mailed("two") == after(hours=3)


def test_a_no_waits_for_an_act_that_is_being_judged_and_a_human_verdict_wins():
    walk = Walk(written(TWO))
    walk.click("one", after(days=2, hours=23, minutes=59), human=None, judged=after(days=3, minutes=1))
    walk.until(after(days=3))
    assert (walk.place.ended, walk.place.because) == (None, "a click is being judged")
    walk.now = after(days=3, minutes=1)
    walk.hears(Event(Kind.CLICKED, after(days=2, hours=23, minutes=59), step="one", human=True)).until(walk.now)
    assert walk.path == ["one", "two"]


def test_a_machine_click_changes_nothing():
    still = Walk(written(TWO)).rest()
    walk = Walk(written(TWO)).click("one", after(hours=1), human=False).rest()
    assert (walk.mails, walk.place) == (still.mails, still.place)


def test_a_click_in_a_mail_that_asks_something_else_is_no_answer():
    walk = Walk(written([f"one: {POLL}, yes: two, no: end", f"two: {CLICK}, no: end"])).click("one", after(hours=1))
    assert walk.place.answers == {}


def test_a_poll_is_not_answered_by_what_it_did_not_offer():
    walk = Walk(written([f"one: {POLL}, yes: {{home: two, auto: end}}, no: end", f"two: {CLICK}, no: end"]))
    before = walk.place
    assert walk.answer("one", "boat", after(hours=1)).place == before


def test_a_deadline_counts_from_when_the_mail_is_written_and_is_rounded_up_to_the_minute():
    walk = Walk(
        written(
            [
                f"one: {CLICK}, no: end",
                f"offer: {BUY}, within: 48 hours, yes: end, no: last",
                "last: ask: offer, no: end",
            ]
        )
    )
    walk.click("one", after(hours=1, seconds=20)).rest()
    grants = [effect for effect in walk.effects if isinstance(effect, Grant)]
    assert grants == [Grant("offer", "review", "", after(days=2, hours=1, minutes=1))]
    assert walk.path == ["one", "offer", "last"]


def test_expires_is_the_deadline_where_it_is_said_and_a_whole_minute_stays():
    offer = "ask: {buy: review, to: https://a.example, expires: 72 hours, code: spring}"
    walk = Walk(written([f"offer: {offer}, within: 48 hours, no: end"]))
    assert walk.effects[0] == Grant("offer", "review", "spring", after(days=3))
    assert walk.place.due_at == after(days=2)


def test_a_window_holds_a_mail_and_send_now_does_not():
    head = "start: joined\nsend: {between: 9:00-17:00, gap: 1 day}"
    steps = [f"one: {CLICK}, no: end", f"two: send: now, {CLICK}, no: end", f"three: {CLICK}, no: end"]
    walk = Walk(written(steps, head)).click("one", after(hours=10)).click("two", after(hours=11)).rest()
    assert walk.mails == [("one", START), ("two", after(hours=10)), ("three", after(days=2))]
    assert walk.place.ended == "finished"


def test_the_gap_of_the_project_holds_over_all_sequences():
    facts = replace(person(last_mail_at=after(hours=-1)), gap=Duration(days=1))
    walk = Walk(written(TWO), facts)
    assert walk.mails == []
    assert "1 day between any two mails to a person" in walk.place.because
    assert walk.until(after(hours=23)).mails == [("one", after(hours=23))]


def test_a_clock_time_holds_against_window_and_gap_and_a_bare_date_leaves_in_the_window():
    head = "start: joined\nsend: {between: 9:00-17:00, gap: 2 days}"
    at = [f"one: {CLICK}, yes: {{at: 20:00, go: two}}, no: end", f"two: {CLICK}, no: end"]
    assert Walk(written(at, head)).click("one", after(hours=1)).rest().mailed("two") == after(hours=11)
    day = [f"one: {CLICK}, yes: [{{at: 2026-03-10, go: two}}, {{go: end}}], no: end", f"two: {CLICK}, no: end"]
    assert Walk(written(day, head)).click("one", after(hours=1)).rest().mailed("two") == after(days=8)


def test_a_moment_that_is_over_or_unknown_is_skipped():
    arms = "yes: [{at: 2026-03-01, go: two}, {at: renewal, go: three}, {after: 1 day, go: four}]"
    steps = [
        f"one: {CLICK}, {arms}, no: end",
        *(f"{name}: {CLICK}, yes: end, no: end" for name in ("two", "three", "four")),
    ]
    assert Walk(written(steps)).click("one", after(hours=1)).rest().path == ["one", "four"]
    known = person(attributes={"renewal": "2026-03-20"})
    assert Walk(written(steps), known).click("one", after(hours=1)).rest().path == ["one", "three"]


def test_a_changed_date_moves_who_waits_for_it():
    steps = [
        f"one: {CLICK}, yes: [{{at: 2 days before renewal, go: two}}, {{go: end}}], no: end",
        f"two: {CLICK}, no: end",
    ]
    walk = Walk(written(steps), person(attributes={"renewal": "2026-03-20"})).click("one", after(hours=1))
    assert walk.place.due_at == datetime(2026, 3, 18, tzinfo=UTC)
    walk.facts = person(attributes={"renewal": "2026-04-20"})
    assert walk.tell(Kind.CHANGED, after(days=1)).rest().mailed("two") == datetime(2026, 4, 18, tzinfo=UTC)


def test_a_mail_whose_until_has_passed_is_not_sent_and_its_no_is_taken():
    steps = [
        f"one: {CLICK}, yes: {{after: 3 days, go: two}}, no: end",
        f"two: until: 2026-03-04 12:00, {CLICK}, yes: end, no: three",
        f"three: {CLICK}, no: end",
    ]
    late = Walk(written(steps)).click("one", after(hours=1)).rest()
    assert late.mails == [("one", START), ("three", after(days=3, hours=1))]
    assert late.place.asked == ("one", "three")


def test_until_is_the_end_of_patience():
    steps = [f"one: until: 2026-03-04 12:00, {CLICK}, yes: end, no: two", f"two: {CLICK}, no: end"]
    assert Walk(written(steps)).rest().mailed("two") == datetime(2026, 3, 4, 12, tzinfo=UTC)


# --- late yes


LADDER = [
    f"one: {CLICK}, yes: four, no: two",
    f"two: {CLICK}, yes: end, no: {{after: 5 days, go: three}}",
    f"three: {CLICK}, yes: end, no: {{after: 5 days, go: four}}",
    f"four: {CLICK}, yes: end, no: end",
]


def test_a_late_yes_pulls_forward_and_what_is_not_sent_is_never_sent():
    walk = Walk(written(LADDER)).click("one", after(days=4)).rest()
    assert walk.mails == [("one", START), ("two", after(days=3)), ("four", after(days=4))]


def test_a_late_yes_to_the_step_that_waits_takes_the_earlier_time():
    early = Walk(written(LADDER)).click("one", after(days=15)).rest()
    assert early.mailed("four") == after(days=15)
    slow = [LADDER[0].replace("yes: four", "yes: {after: 9 days, go: four}"), *LADDER[1:]]
    kept = Walk(written(slow)).click("one", after(days=15)).rest()
    assert kept.mailed("four") == after(days=19)


def test_a_late_yes_never_leads_back():
    steps = [f"one: {CLICK}, yes: two, no: three", f"two: {CLICK}, yes: end, no: end", f"three: {CLICK}, no: end"]
    walk = Walk(written(steps)).click("one", after(days=4))
    assert walk.place.phase == "asked"
    assert walk.place.due_at == after(days=6)
    assert walk.rest().path == ["one", "three"]
    assert list(walk.place.answers) == ["one"]


def test_a_late_yes_wakes_a_pass_that_a_no_ended():
    walk = Walk(written(TWO)).until(after(days=10))
    assert (walk.place.ended, walk.place.ended_by_no) == ("finished", True)
    walk.click("one", after(days=20)).rest()
    assert walk.mails == [("one", START), ("two", after(days=20))]


def test_a_late_yes_wakes_a_pass_whose_no_waited_before_the_end():
    walk = Walk(written([TWO[0].replace("no: end", "no: {after: 2 days, go: end}"), TWO[1]]))
    assert walk.until(after(days=10)).place.ended_at == after(days=5)
    assert walk.click("one", after(days=20)).rest().path == ["one", "two"]


@pytest.mark.parametrize(
    ("kind", "ended"),
    [(Kind.UNSUBSCRIBED, "unsubscribed"), (Kind.COMPLAINED, "complained"), (Kind.BOUNCED, "bounced")],
)
def test_a_late_yes_does_not_wake_a_pass_that_ended_otherwise(kind, ended):
    walk = Walk(written(TWO)).tell(kind, after(days=1)).click("one", after(days=2)).rest()
    assert (walk.path, walk.place.ended, list(walk.place.answers)) == (["one"], ended, ["one"])


def test_a_late_yes_does_not_wake_a_pass_that_a_yes_ended():
    steps = [f"one: {CLICK}, yes: three, no: two", f"two: {CLICK}, yes: end, no: end", f"three: {CLICK}, no: end"]
    walk = Walk(written(steps)).click("two", after(days=4)).click("one", after(days=5)).rest()
    assert walk.path == ["one", "two"]


def test_an_answer_may_change_until_its_branch_has_mailed():
    arms = "yes: {home: {after: 1 day, go: two}, auto: {after: 1 day, go: three}}"
    steps = [f"one: {POLL}, {arms}, no: end", f"two: {CLICK}, yes: end, no: end", f"three: {CLICK}, no: end"]
    walk = Walk(written(steps)).answer("one", "home", after(hours=1)).answer("one", "auto", after(hours=2))
    assert walk.place.answers["one"].value == "auto"
    assert walk.until(after(days=2)).answer("one", "home", after(days=2)).rest().path == ["one", "three"]
    assert walk.place.answers["one"].value == "auto"
    assert [effect for effect in walk.effects if isinstance(effect, Kept)] == [Kept("one", "home")]


def test_a_mail_that_had_left_when_a_late_yes_came_is_where_the_person_stands():
    steps = [f"one: {CLICK}, yes: two, no: three", f"two: {CLICK}, yes: three, no: three", f"three: {CLICK}, no: end"]
    walk = Walk(written(steps))
    walk.leaves = False
    walk.until(after(days=3)).click("one", after(days=3, seconds=1))
    assert walk.place.step == "two"
    walk.leaves = True
    walk.hears(Event(Kind.SENT, after(days=3, seconds=1), step="three"))
    assert (walk.place.phase, walk.place.step) == ("asked", "three")
    assert walk.rest().path.count("three") == 1
    assert walk.place.asked == ("one", "three")
