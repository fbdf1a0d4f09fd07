"""The decision, rule by rule: the same ask again, what is done already, goals, splits, conditions and beginnings."""

from collections import Counter
from dataclasses import replace

import pytest
from walking import BUY, CART, CLICK, POLL, START, Walk, after, person, written

from nurture.journey.enrollment import Award, End, Enrollment, Kept, Save
from nurture.journey.events import Event, Kind
from nurture.journey.starting import may_start, start_moment, starts


def kinds(walk, kind):
    return [effect for effect in walk.effects if isinstance(effect, kind)]


# --- the same ask again


AGAIN = [
    f"question: {POLL}, yes: {{home: guide, auto: quotes}}, no: again",
    "again: ask: question, no: once_more",
    "once_more: ask: question, no: end",
    f"quotes: {CLICK}, yes: end, no: end",
    f"guide: {CLICK}, yes: end, no: end",
]


def test_the_answer_to_a_repeat_belongs_to_the_first_step_and_is_kept_once():
    walk = Walk(written(AGAIN)).answer("again", "home", after(days=4)).rest()
    assert walk.path == ["question", "again", "guide"]
    assert {name: (answer.value, answer.step) for name, answer in walk.place.answers.items()} == {
        "question": ("home", "again")
    }
    assert kinds(walk, Kept) == [Kept("question", "home")]


def test_an_answer_in_the_old_mail_stops_the_repeats_as_well():
    walk = Walk(written(AGAIN)).answer("question", "auto", after(days=4)).rest()
    assert walk.path == ["question", "again", "quotes"]


BACK = [
    f"one: {CLICK}, yes: two, no: again",
    f"two: {CLICK}, yes: end, no: end",
    "again: ask: one, yes: four, no: three",
    f"three: {CLICK}, yes: end, no: end",
    f"four: {CLICK}, yes: end, no: end",
]


def test_a_repeat_that_is_planned_and_has_not_left_is_not_mailed_once_the_ask_is_kept():
    back = [BACK[0].replace("no: again", "no: two"), BACK[1].replace("no: end", "no: again"), *BACK[2:]]
    walk = Walk(written(back)).until(after(days=5))
    walk.leaves = False
    walk.until(after(days=6))
    assert (walk.place.step, walk.place.due_at) == ("again", None)
    walk.leaves = True
    walk.click("one", after(days=6, hours=1)).rest()
    assert walk.place.asked == ("one", "two", "four")


def test_a_repeat_that_waits_is_not_mailed_once_the_ask_is_kept():
    back = [
        BACK[0].replace("no: again", "no: two"),
        BACK[1].replace("no: end", "no: {after: 2 days, go: again}"),
        *BACK[2:],
    ]
    walk = Walk(written(back)).click("one", after(days=7)).rest()
    assert walk.path == ["one", "two", "four"]
    assert walk.mailed("four") == after(days=8)


def test_an_answer_in_the_old_mail_is_no_silence_to_the_repeat():
    walk = Walk(written(BACK)).click("one", after(days=4)).rest()
    assert walk.path == ["one", "again", "four"]


def test_a_repeat_keeps_the_deadline_of_the_offer():
    steps = [f"offer: {BUY}, within: 48 hours, yes: end, no: last", "last: ask: offer, no: end"]
    walk = Walk(written(steps)).rest()
    assert walk.place.offers == {"offer": after(days=2)}
    assert walk.mailed("last") == after(days=2)


# --- never ask for what is done


DONE = [
    f"one: {CLICK}, yes: cart, no: cart",
    f"cart: {CART}, yes: offer, no: three",
    f"three: {CLICK}, yes: end, no: end",
    f"offer: {BUY}, yes: five, no: end",
    f"five: {CLICK}, no: end",
]


def test_what_is_done_is_not_asked_for_and_counts_neither_as_asked_nor_as_kept():
    walk = Walk(written(DONE)).happens("event", "cart_added", after(hours=1)).click("one", after(hours=2))
    assert walk.path == ["one", "offer"]
    assert walk.place.asked == ("one", "offer")
    assert list(walk.place.answers) == ["one"]
    assert kinds(walk, Kept) == [Kept("one", "yes")]


def test_the_trace_says_that_it_is_done():
    walk = Walk(written([DONE[0], DONE[1].replace("yes: offer", "yes: {after: 1 day, go: offer}"), *DONE[2:]]))
    walk.happens("event", "cart_added", after(hours=1)).click("one", after(hours=2))
    assert walk.place.because == "cart asks for what is done already, so it is not mailed → offer"


def test_two_asks_that_are_done_are_passed_in_one_go():
    walk = (
        Walk(written(DONE)).happens("event", "cart_added", after(hours=1)).happens("bought", "review", after(hours=1))
    )
    assert walk.click("one", after(hours=2)).mails == [("one", START), ("five", after(hours=2))]


def test_a_planned_mail_that_asks_for_what_was_just_done_is_not_mailed():
    walk = Walk(written(DONE)).until(after(days=1))
    walk.leaves = False
    walk.click("one", after(days=1)).until(after(days=1))
    assert walk.place.step == "cart"
    walk.leaves = True
    walk.happens("event", "cart_added", after(days=1, hours=1)).rest()
    assert walk.place.asked == ("one", "offer")


def test_what_happened_to_another_product_or_event_is_not_done():
    walk = (
        Walk(written(DONE)).happens("bought", "book", after(hours=1)).happens("event", "trial_started", after(hours=1))
    )
    assert walk.place.done == {}
    assert walk.click("one", after(hours=2)).path == ["one", "cart"]


def test_an_event_after_its_mail_is_a_yes():
    walk = Walk(written(DONE)).click("one", after(hours=1)).happens("event", "cart_added", after(hours=5)).rest()
    assert walk.path == ["one", "cart", "offer"]
    assert list(walk.place.answers) == ["one", "cart"]


# --- goal and stop


GOAL = "start: joined\ngoal: {bought: review}\nstop: [{tag: vip}, replied]"
LADDER = [f"one: {CLICK}, yes: end, no: offer", f"offer: {BUY}, no: three", f"three: {CLICK}, no: end"]


def test_the_goal_ends_the_pass_from_anywhere():
    for days in (0, 3, 6):
        walk = Walk(written(LADDER, GOAL)).happens("bought", "review", after(days=days, hours=1))
        assert (walk.place.ended, walk.place.due_at) == ("goal", None)
        assert kinds(walk, End) == [End("goal")]
        assert len(walk.rest().path) == days // 3 + 1


def test_the_goal_goes_before_the_yes_and_the_ask_is_kept_all_the_same():
    walk = Walk(written(LADDER, GOAL)).happens("bought", "review", after(days=4)).rest()
    assert (walk.path, walk.place.ended, list(walk.place.answers)) == (["one", "offer"], "goal", ["offer"])
    assert walk.effects[-2:] == [Kept("offer", "yes"), End("goal")]


def test_a_purchase_of_something_else_is_not_the_goal():
    assert Walk(written(LADDER, GOAL)).happens("bought", "book", after(days=1)).place.ended is None


@pytest.mark.parametrize(("kind", "name"), [("tag", "vip"), ("replied", "")])
def test_stop_ends_the_pass_without_success(kind, name):
    walk = Walk(written(LADDER, GOAL)).happens(kind, name, after(days=1)).rest()
    assert (walk.place.ended, walk.path) == ("stopped", ["one"])


def test_a_goal_without_a_name_means_any():
    walk = Walk(written(LADDER, "start: joined\ngoal: bought")).happens("bought", "book", after(days=1))
    assert walk.place.ended == "goal"


def test_nothing_is_woken_once_the_goal_was_reached():
    walk = Walk(written(LADDER, GOAL)).happens("bought", "review", after(days=1)).click("one", after(days=2)).rest()
    assert (walk.place.ended, walk.path, list(walk.place.answers)) == ("goal", ["one"], ["one"])


def test_a_branch_to_unsubscribe_takes_the_person_off_the_list():
    walk = Walk(written([f"one: {CLICK}, yes: end, no: unsubscribe"])).rest()
    assert (walk.place.ended, kinds(walk, End)) == ("unsubscribed", [End("unsubscribed")])
    walk = Walk(written([f"one: {CLICK}, yes: end, no: {{after: 2 days, go: unsubscribe}}"])).rest()
    assert (walk.place.ended, walk.place.ended_at) == ("unsubscribed", after(days=5))


# --- splits


TWO_ARMS = [f"two: {CLICK}, yes: end, no: end", f"three: {CLICK}, yes: end, no: end"]
SPLIT = [f"one: {CLICK}, yes: {{split: {{two: 20%, three: 50%, end: 30%}}}}, no: end", *TWO_ARMS]


def test_a_split_is_about_as_fair_as_it_says():
    sequence = written(SPLIT)
    found = Counter(Walk(sequence, person(n)).click("one", after(hours=1)).path[-1] for n in range(10_000))
    assert abs(found["two"] - 2000) < 160
    assert abs(found["three"] - 5000) < 200
    assert abs(found["one"] - 3000) < 180


def test_a_split_is_sticky_whenever_the_yes_comes():
    sequence = written([SPLIT[0].replace("no: end", "no: {after: 9 days, go: two}"), *TWO_ARMS])
    for number in range(60):
        early = Walk(sequence, person(number)).click("one", after(hours=1))
        late = Walk(sequence, person(number)).click("one", after(days=8))
        assert early.path[1:] == late.path[1:]


def test_an_answer_that_changes_within_a_split_draws_no_second_ticket():
    arms = "{after: 1 day, go: {split: {two: 50%, three: 50%}}}"
    sequence = written([f"one: {POLL}, yes: {{home: {arms}, auto: {arms}}}, no: end", *TWO_ARMS])
    for number in range(60):
        once = Walk(sequence, person(number)).answer("one", "home", after(hours=1)).rest()
        twice = (
            Walk(sequence, person(number)).answer("one", "home", after(hours=1)).answer("one", "auto", after(hours=2))
        )
        assert once.path == twice.rest().path


def test_stories_may_choose_the_arm():
    for arm in ("two", "three"):
        facts = replace(person(), arms=frozenset({arm}))
        assert Walk(written(SPLIT), facts).click("one", after(hours=1)).path == ["one", arm]


# --- conditions and what is kept


def test_arms_are_tried_in_order_and_see_what_was_just_answered():
    poll = "ask: {poll: Which?, answers: {home: A, auto: B}, save: loan}, award: curious"
    arms = "yes: [{if: loan == 'home' and kept == 1, go: two}, {if: tags.vip, go: three}, {go: end}]"
    head = "start: joined\nbadges: {curious: {title: Curious}}"
    sequence = written([f"one: {poll}, {arms}, no: end", *TWO_ARMS], head)
    walk = Walk(sequence).answer("one", "home", after(hours=1))
    assert walk.path == ["one", "two"]
    assert walk.effects[1:4] == [Save("loan", "home"), Kept("one", "home"), Award("curious", "one")]
    assert Walk(sequence, person(tags=frozenset({"vip"}))).answer("one", "auto", after(hours=1)).path == [
        "one",
        "three",
    ]
    assert Walk(sequence).answer("one", "auto", after(hours=1)).place.ended == "finished"


def test_the_same_report_twice_changes_nothing_the_second_time():
    walk = Walk(written(AGAIN)).answer("question", "home", after(hours=1))
    place, effects = walk.place, list(walk.effects)
    walk.hears(Event(Kind.ANSWERED, after(hours=1), step="question", answer="home"))
    walk.hears(Event(Kind.SENT, START, step="question"))
    walk.hears(Event(Kind.STARTED, START))
    assert (walk.place, walk.effects) == (place, effects)


# --- beginnings


LATER = [f"two: {CLICK}, yes: end, no: three", f"three: {CLICK}, yes: end, no: end"]


def joined(at=START):
    return Event(Kind.HAPPENED, at, happening="joined")


def ended(at):
    return Enrollment(1, 1, "ladder", 1, START, phase="ended", ended="finished", ended_at=at)


def test_a_pass_starts_from_what_start_names_and_from_nothing_else():
    sequence = written(LATER, "start: [joined, {tag: vip}]")
    assert starts(sequence, joined(), person(), None, START)
    assert starts(sequence, Event(Kind.HAPPENED, START, happening="tag", name="vip"), person(), None, START)
    assert not starts(sequence, Event(Kind.HAPPENED, START, happening="tag", name="other"), person(), None, START)
    assert not starts(sequence, Event(Kind.CLICKED, START), person(), None, START)


def test_the_condition_of_a_start_is_about_the_person_and_the_event():
    sequence = written(LATER, "start: {when: {event: trial_started}, if: start.trial_ends and not tags.vip}")
    event = Event(Kind.HAPPENED, START, happening="event", name="trial_started", data={"trial_ends": "2026-04-01"})
    assert starts(sequence, event, person(), None, START)
    assert not starts(sequence, replace(event, data={}), person(), None, START)
    assert not starts(sequence, event, person(tags=frozenset({"vip"})), None, START)


@pytest.mark.parametrize(
    ("again", "days", "may"),
    [("never", 4000, False), ("always", 0, True), ("after 180 days", 179, False), ("after 180 days", 180, True)],
)
def test_again_counts_from_the_end_of_the_last_pass(again, days, may):
    sequence = written(LATER, f"start: {{when: joined, again: {again}}}")
    assert may_start(sequence, {}, person(), ended(after(days=10)), after(days=10 + days)) is may
    assert may_start(sequence, {}, person(), None, START)


def test_there_are_never_two_passes_at_once():
    sequence = written(LATER, "start: {when: joined, again: always}")
    assert not starts(sequence, joined(), person(), Enrollment(1, 1, "ladder", 1, START), after(days=900))


def test_a_start_may_be_a_split_or_a_step_further_down():
    assert Walk(written(LATER[1:], "start: {when: joined, go: three}")).path == ["three"]
    split = written(LATER, "start: {when: joined, go: {split: {two: 50%, three: 50%}}}")
    assert {Walk(split, person(number)).path[0] for number in range(20)} == {"two", "three"}


def test_a_start_at_a_moment_comes_when_the_person_has_that_date():
    sequence = written(LATER, "start: {when: {at: 30 days before renewal}, if: not tags.vip}")
    facts = person(attributes={"renewal": "2026-04-30"})
    text, at = start_moment(sequence, facts, START)
    assert (text, at) == ("30 days before renewal", after(days=29, hours=-9))
    assert start_moment(sequence, person(), START) is None
    assert start_moment(sequence, facts, after(days=60)) is None


def test_a_pass_that_waited_for_its_moment_looks_at_its_condition_then():
    sequence = written(LATER, "start: {when: {at: 30 days before renewal}, if: not tags.vip}")
    waiting = Enrollment(1, 1, "ladder", 1, START, due_at=after(days=1), waits_for="30 days before renewal")
    walk = Walk(sequence)
    walk.mails, walk.place = [], waiting
    assert walk.until(after(days=2)).path == ["two"]
    walk.facts, walk.place = person(tags=frozenset({"vip"})), waiting
    assert walk.until(after(days=2)).place.ended == "removed"
