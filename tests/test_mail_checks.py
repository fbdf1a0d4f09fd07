"""What shows only once a mail is written: each fault at its line, and what looks like a fault and is none."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from stage import LINKS, MONDAY

from nurture.engine.deploy import problems_of, read_folder
from nurture.journey.enrollment import Enrollment, Invited, Subscriber
from nurture.language.project import read_project
from nurture.language.sequence import ALWAYS_KNOWN
from nurture.mail.looking import NAMES
from nurture.mail.person import names

ROOT = Path(__file__).parent.parent
UTC = ZoneInfo("UTC")

SEQUENCE = """\
title: A sound one
start: joined
from: Ada Bright <ada@example.com>
within: 3 days
steps:
  question:
    subject: One question, {{ first_name or "friend" }}
    template: question.md
    ask: {poll: Which one?, answers: {home: A home loan, auto: An auto loan}}
    yes: tour
    no: end
  tour:
    subject: A tour
    template: tour.md
    ask: {click: Show me, to: https://a.example/tour}
    no: end
"""
FILES = {
    "people.yaml": "attributes: {first_name: text}",
    "sequences/sound.yaml": SEQUENCE,
    "templates/question.md": "Hello {{ first_name or 'friend' }},\n\n{{ ask }}\n",
    "templates/tour.md": 'You said "{{ said("question") }}".\n\n{{ ask }}\n',
}


def problems_with(**changed):
    """The problems of the sound project with these templates or files changed; `tour_md` is templates/tour.md."""
    files = {**FILES, **{f"templates/{name.replace('_', '.')}": text for name, text in changed.items()}}
    return problems_in(files)


def problems_in(files):
    return problems_of(read_project({path: text.encode() for path, text in files.items() if text is not None}))


def only(problems):
    (problem,) = problems
    return (problem.file, problem.line, problem.column, problem.code), problem.message


def as_template(name, text):
    """The sound project, whose tour is written in a template of another name."""
    files = {**FILES, "sequences/sound.yaml": SEQUENCE.replace("tour.md", name), f"templates/{name}": text}
    return problems_in(files)


def test_the_sound_one_has_no_problem():
    assert problems_with() == []


# --- E301


def test_a_missing_template_is_found_where_it_is_named():
    spot, message = only(problems_in({**FILES, "templates/tour.md": None, "templates/tours.md": "{{ ask }}"}))
    assert spot == ("sequences/sound.yaml", 14, 15, "E301")
    assert message == "there is no template 'tour.md', did you mean 'tours.md'?"


def test_a_missing_template_like_no_other_says_where_to_write_it():
    files = {**FILES, "sequences/sound.yaml": SEQUENCE.replace("tour.md", "walkabout.html")}
    spot, message = only(problems_in(files))
    assert spot == ("sequences/sound.yaml", 14, 15, "E301")
    assert message.endswith("write it at templates/sound/walkabout.html")


def test_a_template_that_is_not_named_is_missed_at_its_step():
    files = {
        **FILES,
        "sequences/sound.yaml": SEQUENCE.replace("    template: tour.md\n", ""),
        "templates/tour.md": None,
    }
    spot, message = only(problems_in(files))
    assert spot == ("sequences/sound.yaml", 12, 3, "E301")
    assert "there is no template 'tour.md'" in message


def test_the_folder_of_the_sequence_goes_before_the_common_one():
    assert problems_with(tour_md="no ask here") != []
    files = {**FILES, "templates/tour.md": "no ask here", "templates/sound/tour.md": "{{ ask }}"}
    assert problems_in(files) == []


# --- E302


@pytest.mark.parametrize(
    ("text", "line", "column", "piece"),
    [
        ("Hello,\n\n{{ nobody }}\n\n{{ ask }}\n", 3, 4, "people.yaml declares no attribute 'nobody'; declare it there"),
        ("Hello,\n{% if kept %}\n{{ ask }}\n", 3, 1, "; close the {% if %} with {% endif %}"),
        ("{{ ask }}\n\n{{ kept | frobnicate }}\n", 3, 1, "No filter named 'frobnicate'"),
        ("{{ ask }}\n{{ 1 // 0 }}\n", 2, 1, "zero"),
        ("{{ ask }}\n\n\n{{ 'a' * 9999999999 }}\n", 4, 1, "for numbers only"),
        ("{{ ask }}\n{{ kept.__class__.__mro__ }}\n", 2, 1, "unsafe"),
        ("{{ ask }}\n{{ said('tuor') }}\n", 2, 4, "there is no step 'tuor', did you mean 'tour'?"),
        ("{% include 'nowhere.md' %}\n{{ ask }}\n", 1, 1, "there is no template templates/nowhere.md"),
        ("{{ ask }}\n{{ lipsum() }}\n", 2, 4, "no attribute 'lipsum'"),
        ("{{ ask }\n", 1, 1, "unexpected '}'"),
        ("{{ ask }}\n{{ first name }}\n", 2, 1, "; between {{ and }} stands one name, or more in the way of"),
        (
            "{{ ask }}\n{{ first_name or “friend” }}\n",
            2,
            1,
            '; write straight quotes, as in {{ first_name or "friend" }}',
        ),
        ('{{ ask }}\n{{ first_name or "friend }}\n', 2, 1, "; a text in quotes does not end"),
        ("{{ ask }}\n{{ first_name\n", 2, 1, "; close the {{ with }}"),
        ("{{ ask }}\n{% if kept = 2 %}x{% endif %}\n", 2, 1, "; write == to compare"),
        ("{{ ask }}\n{{ }}\n", 2, 1, "; write a name between {{ and }}"),
        ("{% for one in [1] %}\n{{ ask }}\n", 2, 1, "; close the {% for %} with {% endfor %}"),
    ],
)
def test_a_template_that_fails_says_its_line(text, line, column, piece):
    spot, message = only(problems_with(tour_md=text))
    assert spot == ("templates/tour.md", line, column, "E302")
    assert piece in message
    assert "templates/tour.md" not in message


def test_a_fault_in_what_a_template_includes_is_told_of_that_file():
    files = {
        **FILES,
        "templates/tour.md": "{{ ask }}\n\n{% include 'foot.md' %}\n",
        "templates/foot.md": "A\n{{ nobody }}\n",
    }
    spot, _ = only(problems_in(files))
    assert spot == ("templates/foot.md", 2, 4, "E302")


def test_a_template_that_fails_for_one_answer_only_is_found():
    text = '{% if answers.question == "auto" %}\n{{ nobody }}\n{% endif %}\n{{ ask }}\n'
    spot, _ = only(problems_with(tour_md=text))
    assert spot == ("templates/tour.md", 2, 4, "E302")


def test_a_subject_that_fails_is_found_in_the_sequence():
    files = {**FILES, "sequences/sound.yaml": SEQUENCE.replace("subject: A tour", "subject: A tour, {{ nobody }}")}
    spot, message = only(problems_in(files))
    assert spot == ("sequences/sound.yaml", 13, 25, "E302")
    assert "no attribute 'nobody'" in message


@pytest.mark.parametrize(
    ("text", "line", "column", "hint"),
    [
        ('{{ frist_name or "friend" }}\n{{ ask }}\n', 1, 4, "did you mean 'first_name'?"),
        ("{{ frist_name | default('friend') }}\n{{ ask }}\n", 1, 4, "did you mean 'first_name'?"),
        ("{{ ask }}\n{% if frist_name %}x{% endif %}\n", 2, 7, "did you mean 'first_name'?"),
        ("{{ ask }}\n{% if kept and astonishing %}x{% endif %}\n", 2, 16, "declare it there, or leave it out"),
    ],
)
def test_a_misspelt_name_is_found_behind_a_fallback_as_well(text, line, column, hint):
    spot, message = only(problems_with(tour_md=text))
    assert spot == ("templates/tour.md", line, column, "E302")
    assert message.startswith("people.yaml declares no attribute '")
    assert message.endswith(hint)


def test_a_misspelt_name_in_a_subject_is_found_behind_a_fallback():
    misspelt = SEQUENCE.replace('{{ first_name or "friend" }}', '{{ frist_name or "friend" }}')
    spot, message = only(problems_in({**FILES, "sequences/sound.yaml": misspelt}))
    assert spot == ("sequences/sound.yaml", 7, 31, "E302")
    assert message == "people.yaml declares no attribute 'frist_name', did you mean 'first_name'?"


def test_names_that_a_template_makes_itself_are_no_attributes():
    text = (
        "{% set who = first_name or 'you' %}{% macro twice(word) %}{{ word }}{{ word }}{{ caller is defined }}{% endmacro %}"
        "{{ twice(who) }}{% for one in [1, 2] %}{{ one }}{{ loop.index }}{% endfor %}"
        "{% with near = 1 %}{{ near }}{% endwith %}{% include 'foot.md' %}\n{{ ask }}\n"
    )
    files = {**FILES, "templates/tour.md": text, "templates/foot.md": "{{ who }} {{ email }} {{ sequence.title }}"}
    assert problems_in(files) == []


def test_every_name_that_a_mail_is_given_is_known_to_the_check():
    given = set()
    for sequence in read_project(read_folder(ROOT)).sequences.values():
        place = Enrollment(1, 1, sequence.name, 1, MONDAY)
        for step in sequence.steps.values():
            known = names(sequence, step, place, Subscriber(1, "a@example.com"), UTC, {}, LINKS, Invited("link", 2))
            given |= set(known) - set(step.extra)
    assert {"friends", "offer", "proof", "badges"} <= given, "the examples print them all"
    assert given <= {*NAMES, *ALWAYS_KNOWN}, "one that is not in NAMES would be called undeclared"


def test_what_one_step_gives_a_template_another_may_do_without():
    both = SEQUENCE.replace("template: question.md", "template: tour.md\n    with: {ps: Until tomorrow}")
    files = {**FILES, "sequences/sound.yaml": both, "templates/tour.md": "{{ ask }}\n\n{{ ps or '' }}\n"}
    assert problems_in(files) == []


def test_of_several_subjects_the_one_that_fails_is_found():
    several = SEQUENCE.replace("subject: A tour", 'subject: [A tour, "A tour, {{ nobody }}"]')
    spot, _ = only(problems_in({**FILES, "sequences/sound.yaml": several}))
    assert spot == ("sequences/sound.yaml", 13, 35, "E302")


def test_a_deadline_that_cannot_be_read_is_no_fault_of_the_mail_that_prints_it():
    asked = "ask: {buy: tour, to: https://a.example/tour, expires: tomorrow}"
    sequence = SEQUENCE.replace("ask: {click: Show me, to: https://a.example/tour}", asked)
    people = "attributes: {first_name: text}\nproducts: [tour]\n"
    files = {**FILES, "people.yaml": people, "sequences/sound.yaml": sequence}
    files["templates/tour.md"] = "Until {{ offer.deadline }}.\n\n{{ ask }}\n"
    found = [(one.file, one.code) for one in problems_in(files) if one.severity == "error"]
    assert found == [("sequences/sound.yaml", "E103")]


def test_a_template_that_is_not_utf_8_is_found_at_its_line():
    files = {path: text.encode() for path, text in FILES.items()}
    files["templates/tour.md"] = b"Hello\n\n{{ ask }} Gr\xfc\xdfe\n"
    found = {(problem.file, problem.line, problem.code) for problem in problems_of(read_project(files))}
    assert ("templates/tour.md", 3, "E302") in found


def test_broken_mjml_is_a_template_that_fails():
    spot, message = only(as_template("tour.mjml", "<mj-section><mj-column>\n{{ ask }}\n</mj-section>\n"))
    assert (spot[0], spot[3]) == ("templates/tour.mjml", "E302")
    assert "this is no MJML" in message


# --- E303


@pytest.mark.parametrize("text", ["Hello.\n", "{{ ask.url }}\n", "{{ ask.label }}\n", "{# {{ ask }} #}\n"])
def test_a_mail_without_its_ask_is_found(text):
    spot, message = only(problems_with(tour_md=text))
    assert spot == ("templates/tour.md", 1, 1, "E303")
    assert "the ask of 'tour' is not in this mail; write {{ ask }} where it belongs" in message


def test_an_ask_that_is_missing_for_one_answer_only_is_found():
    spot, _ = only(problems_with(tour_md='{% if answers.question == "home" %}\n{{ ask }}\n{% endif %}\n'))
    assert spot == ("templates/tour.md", 1, 1, "E303")


@pytest.mark.parametrize(
    "text",
    [
        "[Show me]({{ ask.url }})\n",
        '<a href="{{ ask.url }}">Show me</a>\n',
        "[One]({{ ask.url }}) and [two]({{ ask.url }})\n\n{{ ask }}\n",
    ],
)
def test_any_number_of_links_to_the_ask_is_one_ask(text):
    assert problems_with(tour_md=text) == []


def test_the_answers_of_a_poll_may_be_set_by_hand():
    text = "{% for choice in ask.choices %}\n- [{{ choice.label }}]({{ choice.url }})\n{% endfor %}\n"
    assert problems_with(question_md=text) == []


# --- E304


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("{{ ask }}\n\nOr [read on](https://blog.example/post).\n", 3, 14),
        ("{{ ask }}\nOr [read on](https://blog.example/post).\n", 2, 14),
        ('{{ ask }}\n\n<a href="https://blog.example/post">Read on</a>\n', 3, 10),
        ("{{ ask }}\n\n<https://blog.example/post>\n", 3, 2),
        ("{{ ask }}\n\n<a class=\"x\" HREF='https://blog.example/post'>on</a>\n", 3, 20),
        ("{{ ask }}\n\n[read on][1]\n\n[1]: https://blog.example/post\n", 5, 6),
    ],
)
def test_a_second_link_competes_with_the_ask(text, line, column):
    spot, message = only(problems_with(tour_md=text))
    assert spot == ("templates/tour.md", line, column, "E304")
    assert message.startswith("a second ask competes with 'Show me': a link to https://blog.example/post")
    assert "write plain: before the address" in message


def test_the_target_of_the_ask_written_by_hand_would_not_be_counted_and_competes():
    spot, _ = only(problems_with(tour_md="{{ ask }}\n\n[Show me](https://a.example/tour)\n"))
    assert spot == ("templates/tour.md", 3, 11, "E304")


def test_each_other_address_competes_once():
    text = "{{ ask }}\n\n[a](https://a.example/1) [a](https://a.example/1) [b](https://a.example/2)\n"
    assert [problem.code for problem in problems_with(tour_md=text)] == ["E304", "E304"]


@pytest.mark.parametrize(
    "text",
    [
        "{{ ask }}\n\nBy the way: [our prices](plain:https://a.example/prices).\n",
        '{{ ask }}\n\n<a href="plain:https://a.example/prices">our prices</a>\n',
        '{{ ask }}\n\n[down](#below)\n\n<a id="below"></a>\n',
        "{{ ask }}\n\n[no more]({{ unsubscribe_url }})\n",
        '{{ ask }}\n\n<img src="https://a.example/cat.png" alt="A cat">\n',
        "{{ ask }}\n\nhttps://a.example/not-a-link\n",
    ],
)
def test_what_is_no_ask_does_not_compete(text):
    assert problems_with(tour_md=text) == []


def test_a_second_link_competes_in_mjml_and_html_as_well():
    column = '<mj-section><mj-column>\n{{ ask }}\n<mj-text><a href="%shttps://b.example/">b</a></mj-text>\n</mj-column></mj-section>'
    spot, _ = only(as_template("tour.mjml", column % ""))
    assert spot == ("templates/tour.mjml", 3, 19, "E304")
    assert as_template("tour.mjml", column % "plain:") == []
    spot, _ = only(as_template("tour.html", '<p>{{ ask }}</p>\n<a href="https://b.example/">b</a>\n'))
    assert spot == ("templates/tour.html", 2, 10, "E304")
    assert as_template("tour.html", '<p>{{ ask }}</p>\n<a href="plain:https://b.example/">b</a>\n') == []


def test_a_button_of_mjml_that_leads_elsewhere_competes():
    text = '<mj-section><mj-column>\n{{ ask }}\n<mj-button href="https://b.example/">b</mj-button>\n</mj-column></mj-section>'
    spot, _ = only(as_template("tour.mjml", text))
    assert spot == ("templates/tour.mjml", 3, 18, "E304")


# --- E306 and E307


def test_a_tag_that_mjml_does_not_have_is_found_where_it_stands():
    text = "<mj-section>\n  <mj-column>\n    <mj-txt>Hello</mj-txt>\n    {{ ask }}\n  </mj-column>\n</mj-section>\n"
    spot, message = only([problem for problem in as_template("tour.mjml", text) if problem.code == "E306"])
    assert spot == ("templates/tour.mjml", 3, 6, "E306")
    assert "MJML has no tag <mj-txt>, so it would be left out, did you mean 'mj-text'?" in message


def test_a_page_of_its_own_needs_a_way_to_unsubscribe():
    page = "<!doctype html>\n<html><body>\n{{ ask }}\n%s</body></html>\n"
    spot, message = only(as_template("tour.html", page % ""))
    assert spot == ("templates/tour.html", 1, 1, "E307")
    assert "write a link to {{ unsubscribe_url }}" in message
    assert as_template("tour.html", page % '<a href="{{ unsubscribe_url }}">No more</a>') == []


def test_a_layout_of_the_project_needs_a_way_to_unsubscribe():
    layout = "<html><body>{{ body }}%s {{ postal_address }}</body></html>"
    found = problems_in({**FILES, "templates/layout.html": layout % ""})
    assert [(problem.file, problem.code) for problem in found] == [
        ("templates/question.md", "E307"),
        ("templates/tour.md", "E307"),
    ]
    files = {**FILES, "templates/layout.html": layout % '<a href="{{ unsubscribe_url }}">No more</a>'}
    assert problems_in(files) == []


def test_faults_of_the_mails_and_of_the_page_come_together():
    files = {
        **FILES,
        "sequences/sound.yaml": SEQUENCE.replace("yes: tour", "yes: tuor"),
        "templates/tour.md": "No ask.\n",
    }
    assert [(problem.file, problem.code) for problem in problems_in(files)] == [
        ("sequences/sound.yaml", "E201"),
        ("templates/tour.md", "E303"),
    ]
