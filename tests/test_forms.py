"""A form, from the mail to the last page: kept as it is typed, judged at the field, granted once. On both databases."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from stage import PEOPLE
from test_offers import fill
from test_web import TOKEN, Visited

from nurture.engine.show import person
from nurture.language.project import read_project
from nurture.rehearsal.stories import tell
from nurture.store import answers

LADDER = """\
title: A survey
start: joined
from: Ada <ada@example.com>
within: 3 days
steps:
  survey:
    subject: Two minutes?
    template: form.md
    send: now
    ask:
      form: about_you
      label: Begin
      code: {pool: spring}
      expires: 2 days
      pages:
        - title: What for?
          fields:
            - choice: What do you want to finance?
              answers: {home: A home, auto: "A <b>car</b>"}
              save: loan
        - title: About you
          fields:
            - {number: How many of you are there?, save: seats}
            - {text: What is your name?, save: first_name, optional: yes}
        - fields:
            - {date: When does it renew?, save: renewal}
            - {consent: You may call me about this., save: may_call}
    yes:
      - {if: loan == "home" and seats > 2, go: big}
      - {go: small}
    no: nudge
  nudge:
    subject: Still there?
    template: form.md
    send: now
    ask: survey
    no: end
  big:
    subject: A big one, {{ offer.code }}
    template: body.md
    send: now
    ask: {click: Look, to: https://example.com/big}
    yes: end
    no: end
  small:
    subject: A small one
    template: body.md
    send: now
    ask: {click: Look, to: https://example.com/small}
    no: end
tests:
  - name: what is typed decides
    given: {start: mon 10:00}
    does: [{survey: {loan: home, seats: 4, renewal: 2026-12-24, may_call: yes}}]
    expect: {path: [survey, big], answers: {survey: yes}}
  - name: few people, a small one
    given: {start: mon 10:00}
    does: [{survey: {loan: home, seats: 2}}]
    expect: {path: [survey, small]}
"""
TEMPLATES = {
    "templates/form.md": b"Hello.\n\n{{ ask }}\n\n{{ ask.left }} pages left.\n",
    "people.yaml": PEOPLE.replace(b"seats: number,", b"seats: number, may_call: yes_no,"),
}


@pytest.fixture
def asked(store):
    fill(store, "A-1", "A-2")
    made = Visited(store, {"survey": LADDER}, TEMPLATES)
    made.subscribe()
    made.work()
    yield made
    made.close()


def pages(stage, number=0):
    """The form's addresses in a mail: one for each answer to its first question."""
    return re.findall(r"https://go\.example\.com(/q/[^\s\"<)]+)", stage.delivered[number].text)


def send(stage, path, page, go="on", **fields):
    return stage.web.post(
        path, data={"page": page, "go": go, **{f"f.{name}": value for name, value in fields.items()}},
        follow_redirects=True,
    )  # fmt: skip


def fill_in(stage, path, **more):
    send(stage, path, 1, loan="home")
    send(stage, path, 2, seats="4")
    return send(stage, path, 3, renewal="2026-12-24", may_call="yes", **more)


def test_stories_say_what_is_typed():
    files = {
        **TEMPLATES, "sequences/survey.yaml": LADDER.encode(), "templates/body.md": b"Hello.\n\n{{ ask }}\n",
    }  # fmt: skip
    project = read_project(files)
    assert [one.code for one in project.problems] == ["W401"]  # it comes first and is a big ask, which is said
    assert [story.differences for story in tell(project.sequences["survey"])] == [(), ()]


def test_the_first_question_is_answered_from_the_mail_and_the_rest_on_pages(asked):
    home, auto = pages(asked)
    assert "What do you want to finance?" in asked.delivered[0].text
    assert "3 pages left" in asked.delivered[0].text
    shown = asked.web.get(auto).text
    assert re.search(r'value="auto" checked', shown)
    assert "A &lt;b&gt;car&lt;/b&gt;" in shown
    assert person(asked.store, "ann@example.com")["answers"] == [], "a look answers nothing"
    assert "Page 2 of 3" in send(asked, home, 1, loan="home").text
    wrong = send(asked, home, 2, seats="a lot", first_name="Ann")
    assert wrong.status_code == 422
    assert "Please write a number" in wrong.text
    assert "a lot" in wrong.text
    assert ">\nAnn</textarea>" in wrong.text
    assert "Page 3 of 3" in send(asked, home, 2, seats="4", first_name="Ann").text
    back = send(asked, home, 3, go="back", renewal="2026-12-24").text
    assert "Page 2 of 3" in back
    assert 'value="4"' in back
    assert "Please tick this box" in send(asked, home, 3, renewal="2026-12-24").text
    done = send(asked, home, 3, renewal="2026-12-24", may_call="yes")
    assert done.status_code == 200
    assert "A-1" in done.text
    assert "Wednesday 3 June, 10:00" in done.text
    known = person(asked.store, "ann@example.com")
    assert {name: known["attributes"][name] for name in ("loan", "seats", "first_name", "renewal", "may_call")} == {
        "loan": "home", "seats": 4, "first_name": "Ann", "renewal": "2026-12-24", "may_call": True,
    }  # fmt: skip
    asked.work()
    assert asked.delivered[-1].subject == "A big one, A-1"
    assert "A-1" in asked.web.get(auto).text, "the page goes on showing the code"


def test_the_code_of_a_survey_holds_until_its_second_and_for_one_use(asked):
    asked.subscribe("bob@example.com")
    asked.work()
    fill_in(asked, pages(asked, 0)[0])
    fill_in(asked, pages(asked, 1)[0])
    ends = asked.now + timedelta(days=2)

    def of(code, act=""):
        return (asked.web.post if act else asked.web.get)(f"/api/offers/{code}{act}", headers=TOKEN)

    told = of("A-1").json()
    assert (told["valid"], told["product"], told["deadline"]) == (True, "about_you", f"{ends:%Y-%m-%dT%H:%M:%SZ}")
    asked.now = ends - timedelta(seconds=1)
    assert of("A-2").json()["valid"] is True
    assert [of("A-1", "/redeem").status_code for _ in "12"] == [200, 409]
    asked.now = ends
    assert (of("A-2").json()["valid"], of("A-2", "/redeem").status_code) == (False, 410)


def test_a_form_half_done_is_nudged_where_it_stopped_and_goes_on_from_any_link(asked):
    send(asked, pages(asked)[0], 1, loan="auto")
    send(asked, pages(asked)[0], 2, go="back", seats="7")
    asked.after(days=3)
    nudge = asked.delivered[-1]
    assert "2 pages left" in nudge.text
    assert "What do you want to finance?" not in nudge.text
    (link,) = pages(asked, -1)
    there = asked.web.get(link).text
    assert "Page 2 of 3" in there
    assert 'value="7"' in there, "what was typed before Back was pressed"


def test_an_edit_of_a_form_keeps_what_was_typed(asked):
    (path, _) = pages(asked)
    send(asked, path, 1, loan="auto")
    send(asked, path, 2, seats="7")
    cut = LADDER.replace(
        "        - title: What for?\n          fields:\n", "        - title: All of it\n          fields:\n", 1
    )
    cut = cut.replace("        - title: About you\n          fields:\n", "")
    asked.deploy({"survey": cut}, TEMPLATES)
    assert "Page 2 of 2" in asked.web.get(path).text
    first = asked.web.get(f"{path}?page=1").text
    assert re.search(r'value="auto" checked', first)
    assert 'value="7"' in first


@pytest.mark.parametrize(
    "typed",
    ["<script>alert(1)</script>", '=HYPERLINK("x")', "\U0001f600" * 900, "a\x00b", "{{ 7 * 7 }}", "'\"><img src=x>"],
)
def test_what_is_typed_is_shown_as_it_is_and_harms_nobody(asked, typed):
    (path, _) = pages(asked)
    send(asked, path, 1, loan="home")
    send(asked, path, 2, seats="x", first_name=typed)
    shown = asked.web.get(f"{path}?page=2").text
    assert "<script>alert" not in shown
    assert "<img" not in shown
    send(asked, path, 2, seats="4", first_name=typed)
    send(asked, path, 3, renewal="2026-12-24", may_call="yes")
    kept = person(asked.store, "ann@example.com")["attributes"]["first_name"]
    assert kept == typed.replace("\x00", "")


def test_what_is_too_much_or_from_elsewhere_is_refused_and_nothing_is_lost(asked):
    (path, _) = pages(asked)
    send(asked, path, 1, loan="home")
    assert asked.web.post(path, data={"f.first_name": "x" * 1_000_000, "page": 2}).status_code == 413
    assert "too long" in send(asked, path, 2, seats="4", first_name="x" * 3000).text
    evil = asked.web.post(path, data={"page": 1, "f.loan": "auto"}, headers={"Origin": "https://evil.example"})
    assert evil.status_code == 403
    forged = path[:-9] + ("a" if path[-9] != "a" else "b") + path[-8:]  # the last sign has bits that say nothing
    assert asked.web.post(forged, data={"page": 1}).status_code == 404
    assert re.search(r'value="home" checked', asked.web.get(f"{path}?page=1").text)
    for page in ("-1", "99999", "0", "x", "²"):
        assert asked.web.get(path, params={"page": page}).status_code == 200
        assert asked.web.post(path, data={"page": page}).status_code in (200, 303, 422)


def test_sent_many_times_at_once_it_is_kept_and_granted_once(asked):
    path, other = pages(asked)
    send(asked, path, 1, loan="home")
    send(asked, path, 2, seats="4")
    with ThreadPoolExecutor(8) as many:
        sent = list(
            many.map(lambda _: send(asked, path, 3, renewal="2026-12-24", may_call="yes").status_code, range(24))
        )
    assert set(sent) <= {200, 303, 503}
    assert 200 in sent
    fill_in(asked, other)
    known = person(asked.store, "ann@example.com")
    assert [offer["code"] for offer in known["offers"]] == ["A-1"]
    assert len([event for event in known["events"] if event["kind"] == "kept"]) == 1
    assert len([one for one in known["said"] if one["field"] == ""]) == 1


def test_every_answer_is_kept_with_the_words_that_were_read(asked):
    fill_in(asked, pages(asked)[0])
    said = {one["field"]: one for one in person(asked.store, "ann@example.com")["said"]}
    assert said["loan"] == {
        "sequence": "survey", "step": "survey", "field": "loan", "value": "home", "words": "A home",
        "question": "What do you want to finance?", "language": "en", "consent": None, "at": "2026-06-01T10:00:00Z",
    }  # fmt: skip
    assert (said["may_call"]["question"], said["may_call"]["consent"]) == ("You may call me about this.", True)


def test_an_empty_pool_loses_nothing_and_the_next_mail_waits_for_its_code(store):
    made = Visited(store, {"survey": LADDER}, TEMPLATES)
    made.subscribe()
    made.work()
    assert "on its way" in fill_in(made, pages(made)[0]).text
    made.work()
    assert len(made.delivered) == 1
    fill(store, "LATE-1")
    made.after(minutes=2)
    assert made.delivered[-1].subject == "A big one, LATE-1"
    assert "LATE-1" in made.web.get(pages(made)[0]).text
    made.close()


POLL = """\
title: A poll
start: joined
from: Ada <ada@example.com>
within: 3 days
steps:
  question:
    subject: One question
    template: body.md
    send: now
    ask: {poll: Home or auto?, answers: {home: A home, auto: A car}, results: shown}
    yes: {after: 1 day, go: end}
    no: end
"""


def test_how_others_answered_is_shown_from_twenty_answers_on(store):
    made = Visited(store, {"poll": POLL})
    for number in range(21):
        made.subscribe(f"{number}@example.com")
    made.work()
    links = [re.findall(r"https://go\.example\.com(/q/[^\s\"<)]+)", mail.text) for mail in made.delivered]
    for number in range(19):
        shown = made.web.post(links[number][0 if number < 13 else 1]).text
        assert "%" not in shown
    assert "68% of the others who answered said" in made.web.post(links[19][0]).text  # 13 of 19
    made.now += timedelta(minutes=1)
    assert "32% of the others who answered said" in made.web.post(links[19][0], data={"answer": "auto"}).text  # 6 of 19
    with store.read() as tx:
        assert answers.shares(tx, "poll", "question") == {"home": 13, "auto": 7}
    made.close()
