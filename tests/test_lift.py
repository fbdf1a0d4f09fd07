"""The arithmetic of reports, without a database: lift under many looks, what a purchase is worth, ladders that add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as some
from walking import BUY, CLICK, POLL, written

from benchmarks.lift import World, experiment
from nurture.report.consistency import consistency
from nurture.report.ladder import Pass, Quartiles, ladder, quartiles
from nurture.report.lift import Person, lift, points, rounded
from nurture.report.money import Money, price, worth
from nurture.report.sequential import FEWEST, Difference, Group, difference

# --- the interval


@pytest.mark.parametrize(
    "world", [World(0.12, 0.06, 0.2, 2000), World(0.05, 0.05, 0.1, 2000), World(0.2, 0.1, 0.5, 1000, pays=True)]
)
def test_the_interval_holds_for_someone_who_looks_after_every_25_people(world):
    runs = [experiment(world, seed) for seed in range(100)]
    assert sum(run.covered for run in runs) >= 95
    assert sum(run.ordinary for run in runs) < 90  # an ordinary interval does not, which is why ours is another
    assert sum(run.wrong for run in runs) <= 5


def test_a_known_effect_is_found_and_none_is_found_where_there_is_none():
    assert sum(experiment(World(0.3, 0.1, 0.5, 1000), seed).shown_at is not None for seed in range(50)) == 50
    assert sum(experiment(World(0.1, 0.1, 0.5, 1000), seed).shown_at is not None for seed in range(50)) <= 3


def test_little_says_nothing():
    few = difference(Group.counted(FEWEST, 40), Group.counted(FEWEST - 1, 1))
    assert (few.low, few.high, few.shown) == (None, None, False)
    rare = difference(Group.counted(5000, 5), Group.counted(5000, 4))
    assert rare.low is None
    assert rare.needed == round(10_000 * 10 / 9) - 10_000  # ten goals, at the pace so far


def test_nobody_yet_is_no_fault():
    assert difference(Group(), Group()) == Difference(0.0)


def test_the_interval_is_around_the_difference_and_turns_with_it():
    one, other = Group.counted(900, 90), Group.counted(100, 4)
    found, turned = difference(one, other), difference(other, one)
    assert found.estimate == pytest.approx(0.06)
    assert found.low < found.estimate < found.high
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_so_many_more_people_are_enough_if_the_difference_stays():
    one, other = Group.counted(900, 60), Group.counted(900, 50)
    found = difference(one, other)
    assert not found.shown and found.needed is not None
    times = (1800 + found.needed) / 1800
    grown = [Group.counted(round(group.people * times), round(group.successes * times)) for group in (one, other)]
    assert difference(*grown).shown
    less = [
        Group.counted(round(group.people * times * 0.9), round(group.successes * times * 0.9)) for group in (one, other)
    ]
    assert not difference(*less).shown


def test_no_number_of_people_shows_what_is_not_there():
    assert difference(Group.counted(5000, 500), Group.counted(5000, 500)).needed is None


# --- lift


def crowd(arm, people, goals, paid=0.0):
    return [Person(arm, goal=number < goals, paid=paid if number < goals else 0.0) for number in range(people)]


def test_against_a_control_group_the_ladder_is_what_sells():
    found = lift(["question", "end"], [*crowd("question", 9000, 600, 99), *crowd("end", 1000, 20, 99)])
    (pair,) = found.against
    assert found.control
    assert (pair.arm, pair.other) == ("question", "end")
    low, high = points(pair.goals.low), points(pair.goals.high)
    assert pair.says == f"The ladder sells {low} to {high} points more than asking nothing; you can trust this."
    assert pair.revenue.shown
    assert pair.revenue.estimate == pytest.approx(600 * 99 / 9000 - 20 * 99 / 1000)


def test_a_ladder_that_harms_is_said_to():
    (pair,) = lift(["end", "question"], [*crowd("question", 5000, 100), *crowd("end", 5000, 400)]).against
    assert "points less than asking nothing" in pair.says


def test_between_two_ladders_the_first_is_what_others_are_compared_with():
    found = lift(["short", "long", "odd"], [*crowd("short", 500, 50), *crowd("long", 500, 58), *crowd("odd", 500, 200)])
    assert not found.control
    assert [(pair.arm, pair.other) for pair in found.against] == [("long", "short"), ("odd", "short")]
    assert found.against[0].says.startswith("Nothing is shown yet; about ")
    assert found.against[0].says.endswith(" more people are needed, if the difference stays as it is.")
    assert found.against[1].says.startswith("odd sells ")


def test_no_difference_is_said_as_a_limit():
    (pair,) = lift(["question", "end"], [*crowd("question", 50_000, 500), *crowd("end", 50_000, 500)]).against
    assert pair.says == f"Nothing is shown; a difference, if there is one, is below {points(pair.goals.high)} points."


@pytest.mark.parametrize(("number", "said"), [(0, 0), (7, 7), (99, 99), (101, 110), (2_341, 2_400), (12_000, 12_000)])
def test_a_number_of_people_does_not_claim_to_be_exact(number, said):
    assert rounded(number) == said


# --- money


@pytest.mark.parametrize(
    ("written_", "money"),
    [
        ("99 GBP", (99, "GBP")), ("$1,299.00", (1299, "$")), ("1.299,50 €", (1299.5, "€")), ("1'000 chf", (1000, "CHF")),
        ("1,299 USD", (1299, "USD")), ("9.5 EUR", (9.5, "EUR")), ("1.234.567 EUR", (1234567, "EUR")), ("free", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_price_as_people_write_it(written_, money):
    assert price(written_) == (None if money is None else Money(*money))


def test_what_was_paid_goes_before_the_price():
    prices = {"review": Money(99, "GBP")}
    assert worth("review", {}, prices) == Money(99, "GBP")
    assert worth("review", {"amount": 120, "currency": "eur"}, prices) == Money(120, "EUR")
    assert worth("review", {"amount": "79.50"}, prices) == Money(79.5, "GBP")
    assert worth("review", {"amount": "nothing"}, prices) == Money(99, "GBP")
    assert worth("course", {}, prices) is None


# --- ladders

SEQUENCE = written(
    [
        f"which: {POLL}, yes: {{home: look, auto: look}}, no: which_again",
        "which_again: ask: which, no: look",
        f"look: {CLICK}, yes: offer, no: end, principle: consistency",
        f"offer: {BUY}, no: end, principle: consistency",
    ],
    "start: joined\ngoal: {bought: review}",
)
ROOTS = {"which": "which", "which_again": "which", "look": "look", "offer": "offer"}


@some.composite
def passes(draw):
    asked = draw(
        some.lists(some.sampled_from(list(ROOTS)), unique=True).map(lambda steps: sorted(steps, key=list(ROOTS).index))
    )
    kept = draw(some.sets(some.sampled_from(asked))) if asked else set()
    answers = {ROOTS[step]: ("home" if ROOTS[step] == "which" else "yes", 7, step) for step in kept}
    ended = draw(some.sampled_from([None, "finished", "goal", "unsubscribed"]))
    step = asked[-1] if asked else "which"
    return Pass(draw(some.integers(1, 10**6)), 1, 0, "ended" if ended else "asked", step, ended, asked, answers)


@given(some.lists(passes(), max_size=30))
def test_every_ladder_adds_up(many):
    found = ladder(SEQUENCE, many, {}, {})
    assert found.enrolled == len(many) == found.inside + sum(found.ended.values())
    for rung in found.rungs:
        assert (
            rung.asked == rung.yes + rung.no + rung.waiting == rung.went_on + sum(rung.left.values()) + here(many, rung)
        )
        assert min(rung.no, rung.waiting) >= 0
        assert rung.yes == sum(mail.yes for mail in rung.mails)
        if rung.answers:
            assert rung.yes == sum(rung.answers.values())
    assert sum(rung.lost for rung in found.rungs) + sum(
        number for how, number in found.never_mailed.items() if how != "goal"
    ) == sum(number for how, number in found.ended.items() if how != "goal")
    for one in consistency(SEQUENCE, many):
        assert one.after_yes.successes <= one.after_yes.people


def here(many, rung):
    """Passes that are inside and got no further than this ask."""
    return sum(1 for one in many if one.ended is None and one.asked and ROOTS[one.asked[-1]] == rung.step)


def test_between_an_ask_and_the_mail_that_repeats_it_a_person_still_waits():
    waiting = Pass(1, 1, 0, "waiting", "which_again", None, ["which"], {})
    (rung, *_) = ladder(SEQUENCE, [waiting], {}, {}).rungs
    assert (rung.asked, rung.waiting, rung.no) == (1, 1, 0)


def test_steps_that_are_gone_are_left_out():
    old = Pass(1, 1, 0, "ended", "gone", "finished", ["gone", "which"], {"gone": ("yes", 1, "gone")})
    (rung, *_) = ladder(SEQUENCE, [old], {}, {}).rungs
    assert (rung.asked, rung.no) == (1, 1)


def test_quartiles_of_little():
    assert quartiles([]) is None
    assert quartiles([5.0]) == Quartiles(5.0, 5.0, 5.0)
    assert quartiles([1.0, 2.0, 3.0]) == Quartiles(1.5, 2.0, 2.5)
