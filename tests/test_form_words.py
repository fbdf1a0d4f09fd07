"""What is wrong with a form or a video as it is written, its words in another language, and what an edit of it says."""

import pytest
from test_forms import LADDER, TEMPLATES

from nurture.engine.deploy import problems_of
from nurture.language.project import read_project
from nurture.language.step_changes import asks
from nurture.mail.ask import choices_of
from nurture.rehearsal.playing import Act, play
from nurture.rehearsal.retelling import retell

PEOPLE = b"attributes: {loan: [home, auto], many: number, name: text, ok: yes_no}\n"
SEQUENCE = "title: T\nstart: joined\nfrom: a@example.com\nwithin: 1 day\nsteps:\n  s:\n    subject: S\n    ask: {}\n    no: end\n"
FIELD = "{form: x, pages: [{fields: [%s]}]}"


def found(ask, **more):
    files = {"people.yaml": PEOPLE, "sequences/a.yaml": SEQUENCE.format(ask).encode(), "templates/s.md": b"{{ ask }}"}
    files |= {name: text.encode() for name, text in more.items()}
    return [f"{one.code} {one.message}" for one in problems_of(read_project(files)) if one.code != "W401"]


@pytest.mark.parametrize(
    ("ask", "complaint"),
    [
        ("{form: x}", "E102 this form has no pages"),
        ("{form: x, pages: []}", "E103 this form has no page"),
        ("{form: x, pages: [{fields: []}]}", "E103 a page has fields"),
        (FIELD % "{text: Q}", "E102 this field does not say where its answer is kept"),
        (FIELD % "{text: Q, save: many}", "E103 'many' is of the kind number, and this field takes a text"),
        (FIELD % "{text: Q, save: nobody}", "E205 people.yaml declares no attribute 'nobody'"),
        (FIELD % "{choice: Q, save: loan}", "E102 this choice has no answers"),
        (FIELD % "{choice: Q, answers: {home: H, boat: B}, save: loan}", "E103 'loan' cannot be 'boat'"),
        (FIELD % "{text: Q, save: name}, {text: R, save: name}", "E103 'name' keeps the answer to another question"),
        (FIELD % "{txt: Q, save: name}", "E103 a field begins with its kind"),
        (FIELD % "{text: Q, yes_no: R, save: name}", "E103 a field begins with its kind"),
        (FIELD % "{text: Q, save: name, optional: maybe}", "E103 'maybe' is not a way to say it is optional"),
        ("{form: x, pages: [{fields: [{text: Q, save: name}]}], expires: 2 days}", "E103 expires is how long the code"),
        ("{watch: W}", "E102 this watch leads nowhere"),
        ("{watch: W, to: ../x.mp4}", "E103 '../x.mp4' is not in the folder files"),
        ("{watch: W, to: tour.mp4}", "W411 files/tour.mp4 does not exist"),
        ("{watch: W, to: tour.mp4, at_least: 160%}", "E103 at_least is a whole percentage"),
        ("{poll: Q, answers: {a: A, b: B}, results: maybe}", "E103 'maybe' is not a way to treat results"),
    ],
)
def test_what_is_wrong_is_said_and_how_to_mend_it(ask, complaint):
    assert any(one.startswith(complaint) for one in found(ask)), found(ask)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("{label: L}", "E309 the ask of 's' has no pages"),
        ("{label: L, pages: [{fields: []}]}", "E309 this page of 's' has 2 fields"),
        ("{label: L, pages: [{fields: [{text: F}, {yes_no: G}]}]}", "E309 this field is a choice in the main file"),
        (
            "{label: L, pages: [{fields: [{choice: F, answers: {home: H}}, {yes_no: G}]}]}",
            "E309 the answer 'auto' has no",
        ),
        (
            "{label: L, pages: [{fields: [{choice: F, answers: {home: H, auto: A, car: C}}, {yes_no: G}]}]}",
            "E204 this choice",
        ),
        ("{label: L, save: name, pages: []}", "E101 'save' belongs in a.yaml"),
    ],
)
def test_a_language_file_has_the_words_of_every_field(words, complaint):
    form = FIELD % "{choice: Q, answers: {home: H, auto: A}, save: loan}, {yes_no: R, save: ok}"
    german = f"steps:\n  s: {{subject: S, ask: {words}}}\n"
    problems = found(form, **{"sequences/a.de.yaml": german, "templates/s.de.md": "{{ ask }}"})
    assert any(one.startswith(complaint) for one in problems), problems


def test_a_form_in_another_language_keeps_what_decides():
    german = "steps:\n  s: {subject: S, ask: {label: L, pages: [{fields: [{yes_no: Haben Sie eins?}]}]}}\n"
    files = {
        "people.yaml": PEOPLE, "sequences/a.yaml": SEQUENCE.format(FIELD % "{yes_no: Own one?, save: ok}").encode(),
        "sequences/a.de.yaml": german.encode(), "templates/s.md": b"{{ ask }}", "templates/s.de.md": b"{{ ask }}",
    }  # fmt: skip
    ask = read_project(files).sequences["a"].in_language("de").steps["s"].ask
    (field,) = ask.fields
    assert (field.words, field.save, ask.label) == ("Haben Sie eins?", "ok", "L")
    assert choices_of(ask, "de") == {"yes": "Ja", "no": "Nein"}
    assert choices_of(ask, "de", done=1) == {}


MJML = "<mjml><mj-body><mj-section><mj-column>{{ ask }}<mj-text>{}</mj-text></mj-column></mj-section></mj-body></mjml>"


@pytest.mark.parametrize(
    ("ending", "template"),
    [
        ("md", "{{ ask }}"),
        ("md", "[One]({{ ask.choices[0].url }}) [two]({{ ask.choices[1].url }})"),
        ("html", '<p><a href="{{ ask.url }}">{{ ask.label }}</a></p>'),
        ("mjml", MJML.replace("{}", "<a href='{{ unsubscribe_url }}'>Enough</a>")),
    ],
)
def test_the_links_of_a_form_are_one_ask_in_every_kind_of_template(ending, template):
    form = FIELD % "{choice: Q, answers: {home: H, auto: A}, save: loan}"
    assert found(form, **{f"templates/a/s.{ending}": template}) == []


def test_an_edit_of_a_form_says_what_is_asked_now():
    def ask_of(text):
        files = {**TEMPLATES, "sequences/survey.yaml": text.encode()}
        return read_project(files).sequences["survey"].steps["survey"].ask

    edited = LADDER.replace("{number: How many of you are there?, save: seats}", "{yes_no: Are you many?, save: vip}")
    files = TEMPLATES["people.yaml"].replace(b"may_call:", b"vip: yes_no, may_call:")
    new = read_project({"people.yaml": files, "sequences/survey.yaml": edited.encode()}).sequences["survey"]
    said = [one.words for one in asks(ask_of(LADDER), new.steps["survey"].ask)]
    assert said == [
        "no longer asks for seats; half-done forms keep what was typed",
        "asks for vip as well; half-done forms keep what was typed",
    ]


def test_a_tap_on_the_first_question_is_played_and_told_as_a_story():
    sequence = read_project({**TEMPLATES, "sequences/survey.yaml": LADDER.encode()}).sequences["survey"]
    walk = play(sequence, {"attributes": {"seats": 4}}, [Act("survey", "home")])
    assert [mail.step for mail in walk.mails] == ["survey", "big"]
    assert "{survey: {loan: home}, after:" in retell(walk)
    walk = play(sequence, {"attributes": {"seats": 4}}, [Act("survey", "yes")])
    assert [mail.step for mail in walk.mails] == ["survey", "small"]
