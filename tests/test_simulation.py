"""The forecast: seeded, made by the same decision, and its numbers add up."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from walking import BUY, CLICK, POLL, written

from nurture.cli.main import run
from nurture.cli.simulating import FEW_PARTS, PART
from nurture.journey.enrollment import Answer, Enrollment
from nurture.rehearsal.simulation import Outside, Tally, World, busiest, habits_of, simulate
from nurture.store import enrollments, messages, people, tables
from nurture.store.database import open_store

MONDAY = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
LADDER = [
    f"which: {POLL}, yes: {{home: look, auto: end}}, no: which_again",
    "which_again: ask: which, no: end",
    f"look: {CLICK}, yes: {{after: 1 day, go: offer}}, no: end",
    f"offer: {BUY}, no: end",
]
HEAD = "start: joined\ngoal: {bought: review}\nstop: replied"


@pytest.fixture(scope="module")
def ladder():
    return written(LADDER, HEAD)


def world(ladder, yes=None, answers=None, **rest):
    return World(7, MONDAY, habits_of(ladder, yes or {}, answers or {}), **rest)


ALL = dict.fromkeys(("which", "look", "offer"), 1.0)


def test_who_always_says_yes_buys(ladder):
    tally = simulate(ladder, world(ladder, ALL, {("which", "home"): 1.0}), range(50))
    assert tally.mailed == {"which": 50, "which_again": 5, "look": 50, "offer": 50}
    assert (tally.yes["which"], tally.yes["look"], tally.offered) == (50, 50, 50)
    assert tally.ended == {"goal": 46, "finished": 4}  # those four bought when the offer was over


def test_who_never_says_yes_is_asked_twice(ladder):
    tally = simulate(ladder, world(ladder, dict.fromkeys(ladder.steps, 0.0)), range(20))
    assert tally.mailed == {"which": 20, "which_again": 20}
    assert tally.ended == {"finished": 20}
    assert (sum(tally.hours.values()), tally.most_in_a_week, tally.offered) == (40, 2, 0)
    assert busiest(tally, MONDAY) == (MONDAY, 20)


def test_rates_and_shares_of_answers_come_out_as_they_went_in(ladder):
    tally = simulate(ladder, world(ladder, {"which": 0.4}, {("which", "home"): 0.75}), range(4000))
    assert tally.yes["which"] / 4000 == pytest.approx(0.4, abs=0.03)
    assert tally.answers["which", "home"] / tally.yes["which"] == pytest.approx(0.75, abs=0.05)
    assert tally.answers["which_again", "home"] / tally.yes["which_again"] == pytest.approx(0.75, abs=0.07)
    assert sum(tally.ended.values()) == tally.people == 4000


def test_a_seed_gives_the_same_people_in_any_parts_and_another_seed_others(ladder):
    whole = simulate(ladder, world(ladder, joining=timedelta(days=30)), range(300))
    parts = Tally()
    for first in (200, 0, 100):
        parts.add(simulate(ladder, world(ladder, joining=timedelta(days=30)), range(first, first + 100)))
    assert parts == whole
    other = World(8, MONDAY, habits_of(ladder, {}, {}), joining=timedelta(days=30))
    assert simulate(ladder, other, range(300)) != whole


def test_another_rate_for_a_later_step_leaves_the_earlier_ones_alone(ladder):
    one, other = (simulate(ladder, world(ladder, {"offer": rate}), range(500)) for rate in (0.0, 1.0))
    assert one.mailed == other.mailed
    assert (one.ended["goal"], other.ended["goal"] > 0) == (0, True)


def test_a_split_shares_out_the_people():
    split = written([f"one: {CLICK}, yes: end, no: {{split: {{two: 75%, end: 25%}}}}", f"two: {CLICK}, no: end"])
    tally = simulate(split, World(1, MONDAY, habits_of(split, {"one": 0.0}, {})), range(2000))
    assert tally.mailed["two"] / 2000 == pytest.approx(0.75, abs=0.04)


def test_what_happens_outside_ends_the_pass(ladder):
    outside = (Outside("replied", "", 0.5), Outside("bought", "review", 0.2))
    silent = dict.fromkeys(ladder.steps, 0.0)
    tally = simulate(ladder, world(ladder, silent, outside=outside), range(1000))
    assert 40 < tally.ended["stopped"] < 150
    assert 10 < tally.ended["goal"] < 80


def test_a_forecast_may_stop_on_a_day_and_then_some_are_still_inside(ladder):
    tally = simulate(ladder, world(ladder, until=MONDAY + timedelta(days=2)), range(100))
    assert tally.ended["inside"] > 0
    assert tally.mailed["which_again"] == 0


def test_a_start_with_a_condition_or_a_date_is_taken_as_met():
    for start in ("start: {when: joined, if: tags.vip}", "start: {at: renewal}"):
        sequence = written([f"one: {CLICK}, no: end"], start)
        assert simulate(sequence, World(1, MONDAY, habits_of(sequence, {}, {})), range(5)).mailed["one"] == 5


# --- the command


@pytest.fixture
def nurture(tmp_path, capfd):
    assert run(["init", str(tmp_path / "list")]) == 0
    capfd.readouterr()

    def command(*words):
        code = run(["-C", str(tmp_path / "list"), *words])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return command


def test_simulate_as_text_and_as_json(nurture):
    words = ("simulate", "welcome", "--people", "400", "--seed", "3")
    code, out, _ = nurture(*words)
    assert code == 0
    assert "400 imagined people, beginning over 30 days, seed 3" in out
    assert "mails a day" in out or "mails a week" in out
    found = json.loads(nurture(*words, "--json")[1])
    assert found["format"] == "nurture.simulation/1"
    assert found["mails"] == sum(day["mails"] for day in found["mails_by_day"])
    assert found["mails"] == sum(step["asked"] for step in found["steps"])
    assert sum(found["ended"].values()) + found["inside"] == 400
    assert nurture(*words)[1] == out
    assert nurture("simulate", "asked:copy", "--people", "3")[0] == 0, "what we wrote can be rehearsed as well"


def test_many_people_live_in_several_processes_and_come_out_the_same(nurture):
    words = ("simulate", "welcome", "--people", str(PART * FEW_PARTS + 300), "--json")
    spread = json.loads(nurture(*words)[1])
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # as on a machine with one
    try:
        assert json.loads(nurture(*words)[1]) == spread
    finally:
        os.sched_setaffinity(0, cores)


def test_rates_may_come_from_the_database(nurture, tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/list/nurture.db")
    for number, answers in enumerate(({"question": Answer("sales", MONDAY, "question")}, {}, {}, {})):
        with store.write() as tx:
            (who,) = people.save(tx, [people.Newcomer(f"p{number}@example.com", {}, frozenset())], MONDAY)
            fresh = Enrollment(0, who.id, "welcome", 1, MONDAY, answers=answers)
            (place,) = enrollments.add(tx, [fresh])
            messages.plan(tx, [messages.Plan(f"m{number}", place.id, who.id, "welcome", "question", MONDAY)], MONDAY)
            tx.execute(update(tables.message).values(sent_at=MONDAY))
    store.close()
    code, out, err = nurture("simulate", "welcome", "--people", "50", "--observed", "--yes", "offer=1%", "--json")
    assert code == 0
    assert "guide has not been mailed yet, so its rate is a guess" in err
    question, _, guide, offer = json.loads(out)["steps"]
    assert (question["rate"], question["answers"]["time"]) == (0.25, 0)
    assert (guide["rate"], offer["rate"]) == (0.22, 0.01)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--yes", "questoin=40%"), "welcome has no step 'questoin', did you mean 'question'?"),
        (("--yes", "question"), "--yes 'question': write it as NAME=40%"),
        (("--yes", "question=140%"), "write it as NAME=40%"),
        (("--answer", "question.sale=40%"), "question has no answer 'sale', did you mean 'sales'?"),
        (("--answer", "question.sales=60%", "--answer", "question.time=60%"), "are more than 100%"),
        (("--happens", "bought.corse=4%"), "people.yaml declares no 'bought.corse', did you mean 'bought.course'?"),
        (("--joining", "a while"), "--joining: 'a while' is not a length of time"),
        (("--data", "[1]"), "--data is not JSON with names and values"),
    ],
)
def test_a_mistake_is_one_line(nurture, words, sentence):
    code, _, err = nurture("simulate", "welcome", *words)
    assert code == 2
    assert sentence in err
