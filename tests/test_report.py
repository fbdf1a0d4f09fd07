"""The report through the whole engine, on both databases: what people did is what it counts."""

import json
import re
from datetime import timedelta

import pytest
from stage import LINKS, MONDAY, PEOPLE, Stage
from test_signup import FORMS, sign_up

from nurture.cli.main import run
from nurture.engine.measuring import Period, report
from nurture.engine.receive import receive
from nurture.errors import Refused

LADDER = """\
title: A ladder
start: {when: joined, go: question}
goal: {bought: review}
from: Ada <ada@example.com>
within: 3 days
steps:
  question:
    subject: Question
    template: body.md
    ask: {poll: Home or auto?, answers: {home: A home loan, auto: An auto loan}}
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
    principle: consistency
    yes: offer
    no: offer
  offer:
    subject: Offer
    template: body.md
    ask: {buy: review, price: 99 GBP, to: https://example.com/checkout}
    principle: consistency
    no: end
"""
HOLDOUT = LADDER.replace("go: question}", "go: {split: {question: 50%, end: 50%}}}")
ANN, BEN, CEM, DIA = (f"{name}@example.com" for name in ("ann", "ben", "cem", "dia"))


@pytest.fixture
def stage(store):
    made = Stage(store, {"ladder": LADDER})
    yield made
    made.close()


def found(stage, **more):
    return report(stage.store, stage.deployed, "ladder", stage.now, **more)


def step(document, name):
    return next(one for one in document["steps"] if one["step"] == name)


def counts(document, name):
    one = step(document, name)
    return {key: one[key] for key in ("asked", "yes", "no", "waiting")}


def four_people(stage):
    """Ann goes all the way, Ben says auto, Cem answers the second mail and clicks, a machine clicks for him, Dia sleeps."""
    for email in (ANN, BEN, CEM, DIA):
        stage.subscribe(email, loan="home" if email in (ANN, BEN) else "auto", tags=["vip"] if email == ANN else [])
    stage.work()
    stage.after(hours=2)
    stage.answer(stage.mail("Question", ANN), "home")
    stage.answer(stage.mail("Question", BEN), "auto")
    stage.work()
    stage.after(hours=4)
    stage.click(stage.mail("Tour", ANN))
    receive(stage.store, stage.deployed, LINKS, stage.now)
    stage.after(hours=1)
    stage.report("bought", ANN, product="review", amount=120, currency="gbp")
    stage.after(days=4)
    stage.answer(stage.mail("Again", CEM), "home")
    stage.work()
    stage.click(stage.mail("Tour", CEM), agent="curl/8")
    receive(stage.store, stage.deployed, LINKS, stage.now)
    stage.after(minutes=5)


def test_each_ask_is_counted_once_however_many_mails_it_took_and_a_machine_says_no_yes(stage):
    four_people(stage)
    document = found(stage)
    assert document["format"] == "nurture.report/1"
    assert (document["enrolled"], document["goal"], document["inside"]) == (4, 1, 2)
    assert document["ended"] == {"goal": 1, "finished": 1}
    assert [one["step"] for one in document["steps"]] == ["question", "tour", "offer"]
    assert counts(document, "question") == {"asked": 4, "yes": 3, "no": 0, "waiting": 1}
    assert step(document, "question")["answers"] == {"home": 2, "auto": 1}
    assert step(document, "question")["mails"] == [
        {"step": "question", "sent": 4, "yes": 2},
        {"step": "again", "sent": 2, "yes": 1},
    ]
    tour = step(document, "tour")
    assert counts(document, "tour") == {"asked": 2, "yes": 1, "no": 0, "waiting": 1}
    assert (tour["human"], tour["machine"], tour["machine_share"]) == (1, 1, 0.5)
    assert counts(document, "offer") == {"asked": 1, "yes": 1, "no": 0, "waiting": 0}
    # the time to a yes counts from the mail that was answered: two hours, two hours, and Cem's after the second mail
    times = step(document, "question")["time_to_yes"]
    assert times["first"] == times["median"] == 2 * 3600
    assert 2 * 3600 < times["third"] < 2 * 86400
    assert tour["time_to_yes"]["median"] == 4 * 3600
    by_loan = {group["value"]: group["enrolled"] for group in found(stage, by="loan")["groups"]}
    assert by_loan == {"home": 2, "auto": 2}
    by_tag = {group["value"]: (group["enrolled"], group["goal"]) for group in found(stage, by="tag")["groups"]}
    assert by_tag == {"vip": (1, 1), None: (3, 0)}
    with pytest.raises(Refused, match="declares no attribute 'lone', did you mean 'loan'"):
        found(stage, by="lone")


def test_silence_is_waiting_until_the_time_given_is_over_then_a_no_and_after_a_late_yes_a_yes(stage):
    four_people(stage)
    stage.after(days=3)
    document = found(stage)
    assert counts(document, "question") == {"asked": 4, "yes": 3, "no": 1, "waiting": 0}
    assert step(document, "question")["left"] == {"finished": 2}
    assert document["dies_at"] == "question"
    stage.answer(stage.mail("Question", DIA), "auto")
    stage.work()
    assert counts(found(stage), "question") == {"asked": 4, "yes": 4, "no": 0, "waiting": 0}
    (only,) = found(stage)["consistency"]["principles"]  # who said yes before, against who did not
    assert only["principle"] == "consistency"
    assert (only["after_yes"], only["after_no"]) == ({"asked": 3, "yes": 2}, {"asked": 0, "yes": 0})
    stage.after(days=4)
    (only,) = found(stage)["consistency"]["principles"]
    assert (only["after_yes"], only["after_no"]) == ({"asked": 3, "yes": 2}, {"asked": 1, "yes": 0})
    assert only["low"] is None  # four people show nothing


def test_a_period_is_of_passes_that_began_in_it_and_is_compared_with_the_one_before(stage):
    four_people(stage)
    stage.now += timedelta(days=30)
    stage.subscribe("eve@example.com")
    stage.work()
    document = found(stage, period=Period(stage.now - timedelta(days=10)))
    assert (document["enrolled"], counts(document, "question")["asked"]) == (1, 1)
    assert document["before"]["enrolled"] == 0  # nobody began in the ten days before those ten
    wider = found(stage, period=Period(stage.now - timedelta(days=25)))
    assert (wider["before"]["enrolled"], wider["before"]["goal"]) == (4, 1)
    assert step(wider, "question")["before"] == {"asked": 4, "yes_rate": 0.75}


def test_people_are_grouped_by_the_source_of_the_first_form_they_sent(store):
    stage = Stage(store, {"ladder": LADDER, "welcome": LADDER}, templates={"people.yaml": PEOPLE + FORMS})
    sign_up(stage, ANN, "open")  # the link of a blog's post said so
    sign_up(stage, ANN, "news", campaign={"utm_source": "later"})
    sign_up(stage, BEN, "open", campaign={})  # no link said anything, but the page is known
    sign_up(stage, CEM, "open", campaign={}, page="https://[no address")
    sign_up(stage, DIA, "open", campaign={}, friend_of="0123456789")
    stage.subscribe("eve@example.com")
    stage.work()
    groups = {group["value"]: group["enrolled"] for group in found(stage, by="source")["groups"]}
    assert groups == {"blog": 1, "blog.example": 1, "form open": 1, "a friend": 1, None: 1}
    own = PEOPLE.replace(b"loan: [home, auto]", b"loan: [home, auto], source: text")
    stage.deploy({"ladder": LADDER}, {"people.yaml": own})
    stage.subscribe(ANN, source="a fair")
    groups = {group["value"]: group["enrolled"] for group in found(stage, by="source")["groups"]}
    assert groups == {"a fair": 1, None: 4}  # an attribute of that name is the author's own word
    stage.close()


def test_an_unknown_sequence_is_named_with_a_hint(stage):
    with pytest.raises(Refused, match="there is no sequence 'lader', did you mean 'ladder'"):
        report(stage.store, stage.deployed, "lader", MONDAY)


# --- lift


@pytest.fixture
def holdout(store):
    made = Stage(store, {"ladder": HOLDOUT})
    yield made
    made.close()


def arms(document):
    (one,) = document["lift"]
    return {arm["arm"]: (arm["people"], arm["goals"], arm["paid"]) for arm in one["arms"]}


def test_who_is_kept_out_of_the_ladder_has_goals_and_purchases_too(holdout):
    people = [f"p{number}@example.com" for number in range(12)]
    for email in people:
        holdout.subscribe(email)
    holdout.work()
    mailed = [email for email in people if holdout.subjects(email)]
    kept_out = [email for email in people if email not in mailed]
    assert mailed and kept_out
    assert arms(found(holdout, with_lift=True)) == {"question": (len(mailed), 0, 0), "end": (len(kept_out), 0, 0)}
    holdout.after(days=5)
    holdout.report("bought", kept_out[0], product="review")  # no amount: the price of the ask
    holdout.report("bought", kept_out[0], product="course", amount=10.5, currency="GBP")
    holdout.report("bought", mailed[0], product="review", amount=120, currency="GBP")
    holdout.report("bought", mailed[1], product="course", amount=5, currency="GBP")  # paid, but not the goal
    document = found(holdout, with_lift=True)
    assert arms(document) == {"question": (len(mailed), 1, 125.0), "end": (len(kept_out), 1, 109.5)}
    (one,) = document["lift"]
    assert (one["step"], one["way"], one["split"]) == ("", "start", "question 50%, end 50%")
    assert one["currency"] == "GBP"
    assert one["control"]
    assert one["against"][0]["says"].startswith("Nothing can be said yet")


def test_what_was_bought_before_the_lot_was_drawn_does_not_count(holdout):
    holdout.subscribe(ANN, sequence="ladder")
    holdout.report("bought", ANN, product="review")
    later = HOLDOUT.replace("joined", "{tag: vip}").replace("title: A ladder", "title: Later")
    holdout.deploy({"ladder": HOLDOUT, "later": later})
    holdout.after(days=1)
    holdout.subscribe(ANN, tags=["vip"])
    document = report(holdout.store, holdout.deployed, "later", holdout.now, with_lift=True)
    (one,) = document["lift"]
    assert sum(arm["people"] for arm in one["arms"]) == 1
    assert sum(arm["goals"] for arm in one["arms"]) == 0


def test_other_shares_are_another_lottery(holdout):
    holdout.subscribe(ANN)
    holdout.deploy({"ladder": HOLDOUT.replace("question: 50%, end: 50%", "question: 90%, end: 10%")})
    holdout.subscribe(BEN)
    document = found(holdout, with_lift=True)
    assert {one["split"]: sum(arm["people"] for arm in one["arms"]) for one in document["lift"]} == {
        "question 50%, end 50%": 1,
        "question 90%, end 10%": 1,
    }


def test_a_split_in_a_branch_compares_its_arms(store):
    split = LADDER.replace("    yes: offer\n    no: offer", "    yes: {split: {offer: 50%, end: 50%}}\n    no: offer")
    stage = Stage(store, {"ladder": split})
    for email in (ANN, BEN):
        stage.subscribe(email)
    stage.work()
    for email in (ANN, BEN):
        stage.answer(stage.mail("Question", email), "home")
    stage.work()
    for email in (ANN, BEN):
        stage.click(stage.mail("Tour", email))
    receive(stage.store, stage.deployed, LINKS, stage.now)
    stage.after(minutes=5)
    (one,) = found(stage, with_lift=True)["lift"]
    assert (one["step"], one["way"], one["split"]) == ("tour", "yes", "offer 50%, end 50%")
    assert sum(arm["people"] for arm in one["arms"]) == 2
    stage.close()


@pytest.mark.parametrize(
    ("goal", "reach"),
    [
        ("{event: cart_added}", lambda stage, who: stage.report("cart_added", who, total=3)),
        ("{tag: vip}", lambda stage, who: stage.subscribe(who, tags=["vip"])),
        ("replied", lambda stage, who: stage.report("replied", who)),
        ("[{tag: guide}, bought]", lambda stage, who: stage.report("bought", who, product="course")),
    ],
)
def test_whatever_the_goal_is_it_counts_for_those_outside_as_well(store, goal, reach):
    stage = Stage(store, {"ladder": HOLDOUT.replace("goal: {bought: review}", f"goal: {goal}")})
    people = [f"p{number}@example.com" for number in range(6)]
    for email in people:
        stage.subscribe(email)
    stage.after(days=1)
    for email in people:
        reach(stage, email)
    (one,) = found(stage, with_lift=True)["lift"]
    assert [(arm["people"], arm["goals"]) for arm in one["arms"]] == [(arm["people"],) * 2 for arm in one["arms"]]
    assert sum(arm["people"] for arm in one["arms"]) == 6
    stage.close()


# --- the command line


@pytest.fixture
def project(tmp_path, capfd):
    folder = tmp_path / "list"
    assert run(["init", str(folder)]) == 0
    assert run(["-C", str(folder), "subscribe", ANN]) == 0
    capfd.readouterr()
    return folder


def test_the_document_has_the_shape_of_the_contract(project, capfd):
    assert run(["-C", str(project), "report", "welcome", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["format"] == "nurture.report/1"
    assert {"sequence", "enrolled", "ended", "goal", "steps"} <= document.keys()
    for one in document["steps"]:
        assert {"step", "asked", "yes", "no", "waiting", "machine", "answers"} <= one.keys()
    assert document["enrolled"] == 1
    assert "lift" not in document


def test_as_text_it_is_a_ladder(project, capfd):
    assert run(["-C", str(project), "report", "welcome", "--lift", "--since", "30 days", "--by", "tag"]) == 0
    out = capfd.readouterr().out
    assert out.splitlines()[0].startswith("welcome  ")
    assert "1 began" in out
    (title,) = [line.split() for line in out.splitlines() if line.split()[:2] == ["ask", "asked"]]
    assert title == "ask asked yes rate before waiting went on ended here time to a yes".split()
    assert re.search(r"^  question +0 .* 0 +0 +0$", out, re.MULTILINE)  # none waits, went on, or ended: none was mailed
    assert "No split of welcome has been drawn yet" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["welcom"], "there is no sequence 'welcom', did you mean 'welcome'?"),
        (["welcome", "--since", "soon"], "--since: 'soon' is no date and no length of time; write 2026-06-01 or `30 days`"),
        (["welcome", "--since", "2026-06-02", "--until", "2026-06-01"], "--since must be before --until, and not in the future"),
        (["welcome", "--by", "shoes"], "people.yaml declares no attribute 'shoes'; declare it, or group by tag or source"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(project, capfd, words, sentence):
    assert run(["-C", str(project), "report", *words]) == 2
    assert capfd.readouterr().err == f"nurture: {sentence}\n"
