"""Badges and progress: given once for kept asks, shown in mails, told to those who listen, expected by stories."""

import re

import pytest
from stage import Stage
from test_listening import Heard, listeners, tell

from nurture.engine.deploy import problems_of
from nurture.engine.rules import Rules
from nurture.language.project import read_project
from nurture.rehearsal.stories import tell as rehearse

LADDER = """\
start: manual
from: ada@brightline.example
within: 1 day
badges:
  curious: {title: Curious <1>}
  keen: {title: Keen, if: kept >= 2}
  home: {title: At home, if: answers.which == "home"}
steps:
  which:
    subject: Which?
    template: body.md
    ask: {poll: Home or auto?, answers: {home: Home, auto: Auto}}
    award: curious
    no: end
  tour:
    subject: "You are {{ badges }}, {{ progress }}"
    template: TEMPLATE
    ask: {click: See it, to: https://brightline.example/tour}
    no: end
  sample:
    subject: Sample
    template: TEMPLATE
    ask: {click: Read it, to: https://brightline.example/sample}
    no: end
"""
BODY = "Hello.\n\n{{ badges }}\n\n{{ progress }}\n\n{{ ask }}\n"
MJML = "<mj-section><mj-column>{{ badges }}{{ progress }}{{ ask }}</mj-column></mj-section>"


def project(ladder=LADDER, body=BODY):
    files = {"sequences/loans.yaml": ladder.replace("TEMPLATE", "shown.md").encode(), "people.yaml": b"tags: [vip]\n"}
    return read_project({**files, "templates/shown.md": body.encode(), "templates/body.md": b"Hello.\n\n{{ ask }}\n"})


@pytest.mark.parametrize(("template", "body"), [("shown.md", BODY), ("shown.mjml", MJML)])
def test_badges_are_given_once_and_shown_with_how_far_one_has_come(store, template, body):
    rules = Rules(postal_address="1 Example Street", listeners=listeners("crm"))
    text = LADDER.replace("TEMPLATE", template)
    stage = Stage(store, {"loans": text}, rules=rules, templates={f"templates/{template}": body.encode()})
    stage.subscribe(sequence="loans")
    stage.work()
    for _ in range(2):
        stage.answer(stage.mail("Which?"), "home")
        stage.work()
    mail = stage.mail("You are Curious <1>, At home, 1 / 3")
    assert "Curious &lt;1&gt;" in mail.html
    assert "Curious <1>" in mail.text
    assert "1 / 3" in mail.text
    assert len(re.findall(r"background: ?#0f7a5a; ?border-radius: ?4px", mail.html)) == 1
    for _ in range(3):
        stage.click(mail)
        stage.after(minutes=2)
    assert stage.story()["awards"] == ["curious", "home", "keen"]
    assert "\u2605 Keen" in stage.mail("Sample").text
    heard = Heard()
    tell(stage, heard)
    assert [(one["step"], one["badge"], one["title"]) for one in heard.of("awarded")] == [
        ("which", "curious", "Curious <1>"), ("which", "home", "At home"), ("tour", "keen", "Keen"),
    ]  # fmt: skip
    stage.close()


def test_who_has_none_sees_nothing_of_badges(store):
    text = (
        LADDER.replace("TEMPLATE", "shown.md")
        .replace("    award: curious\n", "")
        .replace("  curious: {title: Curious <1>}\n", "")
    )
    stage = Stage(store, {"loans": text}, templates={"templates/shown.md": BODY.encode()})
    stage.subscribe(sequence="loans")
    stage.work()
    stage.answer(stage.mail("Which?"), "auto")
    stage.work()
    mail = stage.mail("You are , 1 / 3")
    assert "\u2605" not in mail.text
    assert 'class="badges"' not in mail.html
    stage.close()


STORY = """\
tests:
  - name: three badges
    does: [{which: home}, {tour: yes}]
    expect: {awards: [AWARDS]}
"""


def test_a_story_expects_badges():
    told = rehearse(project(LADDER + STORY.replace("AWARDS", "keen, curious, home")).sequences["loans"])
    assert [one.differences for one in told] == [()]
    told = rehearse(project(LADDER + STORY.replace("AWARDS", "keen")).sequences["loans"])
    assert told[0].differences == ("awards: expected keen, was curious, home, keen",)


def test_a_whole_project_with_badges_has_no_fault():
    assert [str(one) for one in problems_of(project())] == []


@pytest.mark.parametrize(
    ("was", "becomes", "code", "words"),
    [
        ("award: curious", "award: curios", "E205", "did you mean 'curious'?"),
        ("{title: Keen, if: kept >= 2}", "{title: Keen}", "E102", "nobody ever gets the badge 'keen'"),
        ("{title: Keen, if: kept >= 2}", "{if: kept >= 2}", "E102", "has no title"),
        ("{title: Keen, if: kept >= 2}", "{title: Keen, if: kpt >= 2}", "E205", "did you mean 'kept'?"),
        ("{title: Keen, if: kept >= 2}", "Keen", "E103", "needs keys"),
    ],
)
def test_what_is_wrong_with_a_badge_is_said(was, becomes, code, words):
    found = [(one.code, one.message) for one in problems_of(project(LADDER.replace(was, becomes)))]
    assert [one for one, message in found if words in message] == [code]


def test_a_story_that_expects_a_badge_that_is_not_there():
    found = problems_of(project(LADDER + STORY.replace("AWARDS", "ken")))
    assert [(one.code, "did you mean 'keen'?" in one.message) for one in found] == [("E205", True)]
