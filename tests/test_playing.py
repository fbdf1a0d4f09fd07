"""A ladder played by hand: to the offer, to the polite end, through what goes wrong; and every walk is a story."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st

from nurture.engine.deploy import read_folder
from nurture.errors import Refused
from nurture.language.project import read_project
from nurture.rehearsal.cast import ALL, LITTLE, at_step, cast, given
from nurture.rehearsal.playing import LONGEST_WALK, WAIT, Act, play, read_act
from nurture.rehearsal.retelling import retell
from nurture.rehearsal.stories import tell

ROOT = Path(__file__).parent.parent
FILES = read_folder(ROOT)
PROJECT = read_project(FILES)
LOAN = PROJECT.sequences["home-loan"]
BERLIN = {"start": "mon 10:00", "timezone": "Europe/Berlin"}


def walk(*acts, sequence=LOAN, given=BERLIN):
    return play(sequence, given, map(read_act, acts))


def mailed(played):
    return [mail.step for mail in played.mails]


def test_yes_each_time_leads_to_the_offer_and_a_purchase_is_the_goal():
    played = walk("question:home", "guide:yes,5 hours", "offer:yes,1 hour")
    assert mailed(played) == ["question", "guide", "offer"]
    assert played.life.enrollment.ended == "goal"
    assert "kept is 2" in played.mails[2].because


def test_silence_is_asked_once_more_and_then_left_in_peace():
    played = walk(WAIT)
    assert mailed(played) == ["question", "question_again"]
    assert played.mails[1].at - played.mails[0].at == timedelta(days=3)
    assert walk(WAIT, WAIT).life.enrollment.ended == "finished"


def test_a_scanner_moves_nobody_and_time_stands():
    before, after = walk("question:home", WAIT), walk("question:home", WAIT, "tour:machine")
    assert mailed(after) == mailed(before) == ["question", "guide", "tour"]
    assert after.now - before.now == timedelta(minutes=1, seconds=30)
    assert any("a machine clicked in tour" in line.words for line in after.timeline)


def test_a_late_yes_to_an_earlier_mail_pulls_forward():
    played = walk(WAIT, "question:home")
    assert mailed(played) == ["question", "question_again", "guide"]
    played = walk("question:home", WAIT, "guide:yes")
    assert mailed(played)[-1] == "offer", "the checklist, taken after the tour had come, leads above it"


def test_a_day_is_a_day_and_an_act_can_stand_still():
    assert walk("~:1 day").now - walk().now == timedelta(days=1)
    played = walk("question:home", "guide:yes,1 minute,stay")
    assert mailed(played) == ["question", "guide"]
    assert played.life.enrollment.step == "offer"
    assert mailed(walk("question:home", "guide:yes,1 minute,stay", WAIT)) == ["question", "guide", "offer"]


def test_what_happens_outside_counts_in_a_walk():
    assert walk("question:home", "bought:review").life.enrollment.ended == "goal"
    assert walk("replied:yes").life.enrollment.ended == "stopped"
    assert walk("unsubscribed:yes").life.enrollment.ended == "unsubscribed"


@pytest.mark.parametrize(
    ("acts", "why"),
    [
        (["offer:yes"], "offer has not been mailed in this walk"),
        (["question:boat"], "'boat' is no answer to question"),
        (["qestion:home"], "neither a step nor something that can happen"),
        (["question:home,sometime"], "not a length of time"),
        (["~:no time"], "not a length of time"),
    ],
)
def test_an_act_that_cannot_be_stops_the_walk_there_and_says_why(acts, why):
    played = walk("~:1 day", *acts)
    assert why in played.stopped
    assert [str(act) for act, _ in played.acts] == ["~:1 day"]
    assert mailed(played) == ["question"]


def test_what_is_no_act_is_refused():
    for text in ("", "question home", "QUESTION:home", "a" * 500 + "!"):
        with pytest.raises(Refused):
            read_act(text)


def test_an_act_reads_as_it_is_written():
    for text in ("question:home", "offer:yes,5 hours", "bought:review,1 hour,stay", "tour:yes,stay", "~", "~:1 day"):
        assert str(read_act(text)) == text


def test_a_walk_ends_somewhere():
    played = walk(*["~:1 day"] * (LONGEST_WALK + 5))
    assert len(played.acts) == LONGEST_WALK
    assert "at most" in played.stopped


def test_an_unsubscribe_in_a_story_is_written_as_a_reply_is():
    body = FILES[LOAN.file].decode() + "  - {name: x, does: [{unsubscribed: maybe, at: day 2 9:00}]}\n"
    told = [problem.message for problem in read_project({**FILES, LOAN.file: body.encode()}).problems]
    assert told == ["the way out is told as {unsubscribed: yes, at: day 2 9:00}"]


# --- a walk as a story


def played_again(sequence, played):
    """The differences of the story that a walk was told as."""
    body = FILES[sequence.file].decode()
    head = body[: body.index("\ntests:")] if "\ntests:" in body else body
    told = read_project({**FILES, sequence.file: f"{head}\ntests:\n{retell(played)}".encode()})
    assert [str(problem) for problem in told.problems if problem.file == sequence.file] == []
    (story,) = tell(told.sequences[sequence.name])
    return story.differences


def test_a_walk_is_told_as_a_story_that_passes():
    played = walk("question:home", "guide:yes,5 hours", "~:1 day", "unsubscribed:yes")
    assert retell(played) == (
        '  - name: "question home, then guide yes, then unsubscribed yes; ends unsubscribed"\n'
        "    given: {start: mon 10:00, timezone: Europe/Berlin}\n"
        "    does:\n"
        "      - {question: home, after: 1 minute}\n"
        "      - {guide: yes, after: 5 hours}\n"
        "      - {unsubscribed: yes, at: day 3 15:02}\n"
        "    expect:\n"
        "      path: [question, guide, offer]\n"
        "      at: {question: mon 10:00, guide: mon 10:01, offer: tue 15:01}\n"
        "      answers: {question: home, guide: yes}\n"
        "      ends: unsubscribed\n"
    )
    assert played_again(LOAN, played) == ()


@st.composite
def walks(draw):
    """A person and what they do, whatever comes to mind: answers to any mail, the world outside, waiting."""
    sequence = draw(st.sampled_from(list(PROJECT.sequences.values())))
    start = f"{draw(st.sampled_from(['mon', 'wed', 'fri', 'sun']))} {draw(st.sampled_from(['0:05', '10:00', '22:30']))}"
    zone = draw(st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata"]))
    person = given(sequence, PROJECT.people, draw(st.sampled_from([ALL, LITTLE])), start, zone, [])
    acts = []
    for _ in range(draw(st.integers(0, 7))):
        played = play(sequence, person, acts)
        delay = draw(st.sampled_from(["1 minute", "30 seconds", "5 hours", "1 day", "4 days"]))
        stay = draw(st.booleans())
        happenings = [("bought", product) for product in PROJECT.people.products]
        happenings += [("event", event) for event in PROJECT.people.events]
        happenings += [("tag", tag) for tag in PROJECT.people.tags] + [("replied", "yes"), ("unsubscribed", "yes")]
        own = [(WAIT, ""), (WAIT, "1 day")]
        for mail in played.mails:
            answers = sequence.steps[mail.step].ask.answers or ["yes"]
            own += [(mail.step, str(answer)) for answer in answers] * 3 + [(mail.step, "machine")]
        what, value = draw(st.sampled_from(own if draw(st.integers(0, 4)) else happenings))
        acts.append(Act(what, value, delay, stay) if what != WAIT else Act(what, value))
    return sequence.name, person, [str(act) for act in acts]


@settings(max_examples=60, deadline=None)
@for_any(walks())
def test_any_walk_is_a_story_that_passes(case):
    name, person, acts = case
    sequence = PROJECT.sequences[name]
    played = walk(*acts, sequence=sequence, given=person)
    assert played.stopped == ""
    assert played_again(sequence, played) == ()


# --- who is shown a mail


def test_the_cast_has_a_role_for_each_answer():
    assert [role.key for role in cast(LOAN)] == ["all", "little", "question.home", "question.auto"]


def test_who_answered_otherwise_never_gets_the_mail():
    steps = LOAN.steps
    assert at_step(LOAN, steps["quotes"], PROJECT.people, "question.home") is None
    subscriber, enrollment = at_step(LOAN, steps["guide"], PROJECT.people, "question.home")
    assert enrollment.answers["question"].value == subscriber.attributes["loan"] == "home"


def test_one_knows_all_and_one_as_little_as_can_be():
    step = LOAN.steps["question"]
    assert at_step(LOAN, step, PROJECT.people, ALL)[0].attributes["first_name"] == "Ann"
    assert "first_name" not in at_step(LOAN, step, PROJECT.people, LITTLE)[0].attributes


def test_what_a_poll_will_save_is_not_known_at_the_start():
    attributes = given(LOAN, PROJECT.people, ALL, "mon 10:00", "", [])["attributes"]
    assert "loan" not in attributes
    assert attributes["first_name"] == "Ann"
