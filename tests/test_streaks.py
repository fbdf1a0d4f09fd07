"""Streaks: asks kept in a row without a silence. And badges over several passes: each is a person's once, for good."""

from dataclasses import replace

import pytest
from stage import Stage

from nurture.engine.deploy import problems_of
from nurture.journey.branching import streak
from nurture.journey.enrollment import Answer, Enrollment
from nurture.language.project import read_project
from nurture.mail.imagined import NOW
from nurture.rehearsal.stories import tell as rehearse

LADDER = """\
start: {when: manual, again: always}
from: ada@brightline.example
within: 1 day
badges:
  steady: {title: Steady, if: streak >= 3}
steps:
  one: {subject: One, template: body.md, ask: {click: See it, to: https://brightline.example/1}, yes: two, no: one_again}
  one_again: {subject: One again, template: body.md, ask: one, yes: two, no: two}
  two: {subject: Two, template: body.md, ask: {click: See it, to: https://brightline.example/2}, yes: three, no: three}
  three: {subject: "Three, {{ streak }} so far", template: body.md, ask: {click: See it, to: https://brightline.example/3}, yes: four, no: four}
  four: {subject: Four, template: body.md, ask: {click: See it, to: https://brightline.example/4}, yes: end, no: end}
tests:
  - name: who keeps three in a row is steady
    does: [{one: yes}, {two: yes}, {three: yes}]
    expect: {awards: [steady]}
  - name: an ask that was asked again breaks the row
    does: [{one_again: yes}, {two: yes}]
    expect: {awards: []}
  - name: it begins anew where the ask was kept
    does: [{one_again: yes}, {two: yes}, {three: yes}]
    expect: {awards: [steady]}
  - name: a silence breaks it
    does: [{one: yes}, {two: yes}, {four: yes}]
    expect: {awards: []}
"""


def project(text=LADDER):
    return read_project({"sequences/row.yaml": text.encode(), "templates/body.md": b"Hello.\n\n{{ ask }}\n"})


def test_stories_know_streaks():
    made = project()
    assert [str(one) for one in problems_of(made)] == []
    assert [(one.name, one.differences) for one in rehearse(made.sequences["row"]) if one.differences] == []


@pytest.mark.parametrize(
    ("asked", "answered", "row"),
    [
        ("", {}, 0),
        ("one", {}, 0),
        ("one", {"one": "one"}, 1),
        ("one two three", {"one": "one", "two": "two"}, 2),  # three is open
        ("one one_again", {"one": "one_again"}, 1),
        ("one one_again two", {"one": "one", "two": "two"}, 2),  # a late yes to the first mail mends it
        ("one two three", {"one": "one", "three": "three"}, 1),
        ("one two three four", {"one": "one", "two": "two"}, 0),
        ("gone two", {"two": "two"}, 1),
    ],
)
def test_how_long_the_row_is(asked, answered, row):
    mails = tuple(asked.split())
    answers = {root: Answer("yes", NOW, step) for root, step in answered.items()}
    place = Enrollment(1, 1, "row", 1, NOW, "asked", mails[-1] if mails else "", asked=mails, answers=answers)
    sequence = project().sequences["row"]
    assert streak(sequence, place) == row
    closed = replace(place, phase="ended", ended="finished")
    assert streak(sequence, closed) == (row if not mails or mails[-1] in {*answered, *answered.values()} else 0)


def test_a_misspelt_streak_is_said():
    (found,) = problems_of(project(LADDER.replace("if: streak", "if: steak")))
    assert (found.code, "did you mean 'streak'?" in found.message) == ("E205", True)


def test_a_badge_is_given_once_over_all_passes(store):
    stage = Stage(store, {"row": LADDER}, templates={"templates/body.md": b"Hello.\n\n{{ badges }}\n\n{{ ask }}\n"})
    for number in (1, 2):
        stage.subscribe(sequence="row")
        stage.work()
        for subject in ("One", "Two", "Three, 2 so far", "Four"):
            mail = [one for one in stage.delivered if one.subject == subject][-1]
            assert ("Steady" in mail.text) is (number == 2 or subject == "Four")
            stage.click(mail)
            stage.after(minutes=2)
    assert stage.story()["awards"] == ["steady"]
    assert len(stage.story()["enrollments"]) == 2
    stage.close()
