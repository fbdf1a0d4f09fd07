"""Stories: played on the real decision, read strictly, and a failure says where the paths part and why."""

from xml.etree import ElementTree as ET

import pytest

from nurture.cli.main import run
from nurture.language.reading import read
from nurture.language.sequence import People
from nurture.rehearsal.stories import tell

PEOPLE = People(
    attributes={"loan": ("home", "auto"), "seats": "number", "renewal": "date", "vip": "yes_no"},
    events={"trial_started": {"trial_ends": "date"}, "trial_cancelled": {}},
    products=("review",),
    tags=("guide",),
)
STEPS = """
  question:
    subject: S
    ask: {poll: Which?, answers: {home: A home, auto: A car}, save: loan}
    yes: guide
    no: question_again
  question_again:
    subject: S
    ask: question
    no: end
  guide:
    subject: S
    ask: {click: Look, to: https://a.example}
    yes:
      - {if: kept >= 2 and loan == "home", go: offer}
      - {after: 1 day, go: tour}
    no: end
  tour:
    subject: S
    ask: {click: Look, to: https://a.example}
    yes: offer
    no: end
  offer:
    subject: S
    ask: {buy: review, to: https://a.example}
    no: end
"""


def written(story, head="start: joined\nstop: [replied, {event: trial_cancelled}]", steps=STEPS):
    return read(f"{head}\nfrom: a@b.example\nwithin: 3 days\nsteps:{steps}\ntests:\n{story}", "s.yaml", PEOPLE)


def differences(story, head="start: joined\nstop: [replied, {event: trial_cancelled}]", steps=STEPS):
    sequence, problems = written(story, head, steps)
    assert [str(problem) for problem in problems if problem.code.startswith("E")] == []
    (told,) = tell(sequence)
    return list(told.differences)


def test_where_two_paths_part_is_told_with_the_condition_and_what_it_saw():
    assert differences("""
  - does: [{question: auto, after: 1 hour}, {guide: yes, after: 1 hour}]
    expect: {path: [question, guide, offer]}
""") == [
        "path: expected question → guide → offer, was question → guide → tour",
        ('after `guide`: expected `offer`, was `tour`, because yes to guide, kept >= 2 and loan == "home" '
        '(kept is 2, loan is "auto") is false → tour'),
    ]  # fmt: skip


def test_more_or_fewer_mails_than_expected_are_told_with_their_reason():
    story = "  - does: [{question: home, after: 1 hour}]\n    expect: {path: [%s]}\n"
    assert differences(story % "question")[1] == (
        "after `question`: expected no more mail, was `guide`, because question was answered home → guide"
    )
    assert differences(story % "question, guide, tour")[1] == (
        "after `guide`: expected `tour`, no more was mailed, because no yes to guide in the time given; ended: finished"
    )


@pytest.mark.parametrize(
    ("expect", "difference"),
    [
        ("at: {guide: mon 12:00}", "at: guide: expected mon 12:00, was mon 11:00 (day 1, 01 Jun 2026), because"),
        ("at: {guide: day 2 11:00}", "at: guide: expected day 2 11:00, was mon 11:00 (day 1"),
        ("at: {guide: 2026-06-02 11:00}", "at: guide: expected 2026-06-02 11:00, was mon 11:00"),
        ("at: {tour: mon 12:00}", "at: tour: expected mon 12:00, was never mailed"),
        ("never: [guide]", "never: guide was mailed on Mon 01 Jun 11:00, because question was answered home → guide"),
        ("sent: 3", "sent: expected 3, was 2: question → guide"),
        ("answers: {question: auto}", "answers: question: expected auto, was home, in answer to question"),
        ("answers: {tour: yes}", "answers: tour: expected yes, was nothing: it was never mailed"),
        ("ends: goal", "ends: expected goal, was finished, because no yes to guide in the time given"),
    ],
)
def test_each_expectation_can_fail(expect, difference):
    (found,) = differences(f"  - does: [{{question: home, after: 1 hour}}]\n    expect: {{{expect}}}\n")
    assert found.startswith(difference)


@pytest.mark.parametrize("at", ["mon 11:00", "Monday 11:00", "day 1 11:00", "2026-06-01 11:00", "2026-06-01T11:00"])
def test_a_time_may_be_written_in_each_form(at):
    assert differences(f"  - does: [{{question: home, after: 1 hour}}]\n    expect: {{at: {{guide: {at}}}}}\n") == []


def test_what_the_window_or_the_gap_held_is_said():
    head = "start: joined\nsend: {between: 9:00-12:00, gap: 1 day}"
    (late,) = differences("  - does: [{question: home, after: 1 hour}]\n    expect: {at: {guide: mon 11:00}}\n", head)
    assert late.endswith("because question was answered home → guide (1 day after the last mail)")
    head = "start: joined\nsend: {between: 9:00-12:00}"
    (late,) = differences("  - does: [{question: home, after: 3 hours}]\n    expect: {at: {guide: mon 13:00}}\n", head)
    assert late.endswith("→ guide (the window opens Tue 02 Jun 09:00)")


def test_a_machines_click_changes_nothing_and_the_verdict_says_why():
    sequence, _ = written("""
  - does: [{question: home, after: 1 hour}, {guide: machine, after: 5 seconds}]
    expect: {path: [question, guide, offer]}
""")
    (told,) = tell(sequence)
    assert "no more was mailed" in told.differences[1]
    assert any("a machine clicked in guide, which counts for nothing: asked with HEAD" in line for line in told.trace)


def test_a_person_who_clicks_after_the_scanner_counts():
    assert differences("""
  - does: [{question: home, after: 1 hour}, {guide: machine, after: 5 seconds}, {guide: yes, after: 20 seconds}]
    expect: {path: [question, guide, offer], answers: {guide: yes}}
""") == []  # fmt: skip


def test_a_reply_or_an_event_from_outside_stops_it():
    for outside in ("replied: yes", "event: trial_cancelled"):
        story = f"  - does: [{{{outside}, at: day 2 9:00}}]\n    expect: {{path: [question], ends: stopped}}\n"
        assert differences(story) == []


def test_a_start_whose_condition_is_false_begins_nothing():
    head = "start: {when: joined, if: seats >= 5}"
    story = "  - given: {attributes: {seats: %d}}\n    expect: {path: [%s]}\n"
    small, large = story % (4, ""), story % (5, "question, question_again")
    assert differences(small, head) == []
    assert differences(large, head) == []
    (_, why) = differences(small.replace("[]", "[question]"), head)
    assert why == "first: expected `question`, no more was mailed, because no pass began: start asks for seats >= 5"


def test_what_begins_a_sequence_begins_it_again_where_it_may():
    story = """
  - does: [{event: trial_started, at: day 3 9:00}, {event: trial_started, at: day 90 9:00}]
    expect: {path: [question, question_again%s]}
"""
    head = "start: {when: {event: trial_started}, again: %s}"
    assert differences(story % "", "start: {event: trial_started}") == []
    assert differences(story % ", question, question_again", head % "after 60 days") == []
    assert differences(story % "", head % "after 120 days") == []


def test_a_start_at_a_date_of_the_person_waits_for_it():
    story = """
  - given: {start: 2026-03-01 10:00, attributes: {renewal: 2026-04-10}}
    expect: {path: [question, question_again], at: {question: 2026-03-31 9:00}}
"""
    head = "start: {at: 10 days before renewal}\nsend: {between: 9:00-17:00}"
    assert differences(story, head) == []
    (_, why) = differences(
        story.replace("attributes: {renewal: 2026-04-10}", "tags: [guide]").partition(", at:")[0] + "}", head
    )
    assert "no pass began: 10 days before renewal is unknown or over" in why


def test_the_start_event_brings_its_dates():
    steps = """
  one:
    subject: S
    ask: {click: Go, to: https://a.example}
    yes: [{at: 2 days before start.trial_ends, go: two}, {go: two}]
    no: end
  two: {subject: S, ask: {click: Go, to: https://a.example}, no: end}
"""
    story = """
  - given: {start: 2026-09-07 10:00, event: {trial_ends: %s}}
    does: [{one: yes, after: 1 hour}]
    expect: {path: [one, two], at: {two: %s}}
"""
    head = "start: {event: trial_started}"
    assert differences(story % ("2026-09-21", "2026-09-19 0:00"), head, steps) == []
    (late,) = differences(story % ("2026-09-08", "2026-09-19 0:00"), head, steps)
    assert late.endswith("because yes to one, 2 days before start.trial_ends is over → two")


def test_what_is_given_has_the_type_that_is_declared_for_it():
    head = "start: {when: joined, if: vip}"
    story = "  - given: {attributes: {vip: %s}}\n    expect: {path: [%s]}\n"
    assert differences(story % ("no", ""), head) == []
    assert differences(story % ("yes", "question, question_again"), head) == []


def test_the_trace_says_what_could_not_be_done():
    sequence, _ = written("  - does: [{tour: yes, after: 1 hour}]\n    expect: {ends: goal}\n")
    (told,) = tell(sequence)
    assert told.trace[-1].strip() == "nothing was done about tour: it was never mailed"
    assert (told.file, told.line) == ("s.yaml", 33)


@pytest.mark.parametrize(
    ("story", "code", "sentence"),
    [
        ("does: [{giude: yes}]", "E201", "there is no step 'giude', did you mean 'guide'?"),
        ("does: [{question: hom}]", "E103", "'hom' is nothing that can be done at 'question', did you mean 'home'?"),
        ("does: [{question: home, at: mon 10:00}]", "E103", "counts from that mail; say how long after it"),
        ("does: [{event: trial_cancelled, after: 2 days}]", "E103", "answers no mail; say when"),
        ("does: [{event: trial_canceled, at: day 2 9:00}]", "E205", "did you mean 'trial_cancelled'?"),
        ("does: [{bought: revue, at: day 2 9:00}]", "E205", "declares no product 'revue', did you mean 'review'?"),
        ("does: [{tag: giude, at: day 2 9:00}]", "E205", "declares no tag 'giude', did you mean 'guide'?"),
        ("does: [{replied: maybe, at: day 2 9:00}]", "E103", "a reply is told as {replied: yes, at: day 2 9:00}"),
        ("does: [{guide: yes, after: soon}]", "E103", "'soon' is not a length of time"),
        ("given: {start: 9:00}", "E103", "'9:00' is not a time; write it like mon 12:00"),
        ("given: {start: 3 days before renewal}", "E103", "is not a time; write it like mon 12:00"),
        ("given: {start: 2026-02-30}", "E103", "2026-02-30 is not a day of the calendar"),
        ("given: {timezone: Berlin}", "E103", "did you mean 'Europe/Berlin'?"),
        ("given: {tags: [giude]}", "E205", "declares no tag 'giude'"),
        ("given: {attributes: {lone: home}}", "E205", "declares no attribute 'lone', did you mean 'loan'?"),
        ("given: {attributes: {loan: hme}}", "E103", "loan: 'hme' is not one of the words declared"),
        ("given: {arms: [ofer]}", "E201", "did you mean 'offer'?"),
        ("expect: {path: [question, giude]}", "E201", "did you mean 'guide'?"),
        ("expect: {never: [giude]}", "E201", "did you mean 'guide'?"),
        ("expect: {at: {guide: day 0 9:00}}", "E103", "a story begins on day 1"),
        ("expect: {ends: finish}", "E103", "did you mean 'finished'?"),
        ("expect: {answers: {question: hom}}", "E103", "did you mean 'home'?"),
        ("exepct: {sent: 1}", "E101", "unknown key 'exepct', did you mean 'expect'?"),
    ],
)
def test_a_fault_in_a_story_is_found_where_it_stands(story, code, sentence):
    text = f"  - name: told\n    {story}\n"
    (problem,) = written(text).problems
    assert (problem.code, sentence in problem.message) == (code, True), problem
    line = written(text).sequence.marks[("tests", 0)].line + 1
    assert problem.line == line
    assert problem.column > 4


def test_a_junit_report_has_a_suite_for_each_sequence_and_tells_what_failed(tmp_path, capfd):
    folder = tmp_path / "list"
    assert run(["init", str(folder)]) == 0
    path = folder / "sequences/welcome.yaml"
    path.write_text(path.read_text().replace("path: [question, question_again]", "path: [question]"))
    assert run(["-C", str(folder), "test", "--junit", str(tmp_path / "report.xml")]) == 1
    root = ET.parse(tmp_path / "report.xml").getroot()
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "3", "1")
    (suite,) = root
    assert (suite.get("name"), suite.get("failures")) == ("welcome", "1")
    (failure,) = root.iter("failure")
    assert "after `question`: expected no more mail, was `question_again`" in failure.text
    assert "(sequences/welcome.yaml:" in capfd.readouterr().out
