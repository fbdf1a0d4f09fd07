"""What shows only once a mail is written: each fault at its line, and what looks like a fault and is none."""

import pytest

from nurture.engine.deploy import problems_of
from nurture.language.project import read_project

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
        ("Hello,\n\n{{ nobody }}\n\n{{ ask }}\n", 3, 4, "'nobody' is not known of this person"),
        ("Hello,\n{% if kept %}\n{{ ask }}\n", 3, 1, "endif"),
        ("{{ ask }}\n\n{{ kept | frobnicate }}\n", 3, 1, "No filter named 'frobnicate'"),
        ("{{ ask }}\n{{ 1 // 0 }}\n", 2, 1, "zero"),
        ("{{ ask }}\n\n\n{{ 'a' * 9999999999 }}\n", 4, 1, "for numbers only"),
        ("{{ ask }}\n{{ kept.__class__.__mro__ }}\n", 2, 1, "unsafe"),
        ("{{ ask }}\n{{ said('tuor') }}\n", 2, 4, "there is no step 'tuor', did you mean 'tour'?"),
        ("{% include 'nowhere.md' %}\n{{ ask }}\n", 1, 1, "there is no template templates/nowhere.md"),
        ("{{ ask }}\n{{ lipsum() }}\n", 2, 4, "'lipsum' is not known"),
        ("{{ ask }\n", 1, 1, "unexpected '}'"),
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
    assert "'nobody' is not known of this person" in message


def test_of_several_subjects_the_one_that_fails_is_found():
    several = SEQUENCE.replace("subject: A tour", 'subject: [A tour, "A tour, {{ nobody }}"]')
    spot, _ = only(problems_in({**FILES, "sequences/sound.yaml": several}))
    assert spot == ("sequences/sound.yaml", 13, 35, "E302")


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


# --- E305 and E308: along every path

LADDER = """\
start: joined
from: Ada Bright <ada@example.com>
within: 3 days
steps:
  question:
    subject: One question
    ask: {poll: Which one?, answers: {home: A home loan, auto: An auto loan}, save: loan}
    yes: %s
    no: %s
  again:
    subject: Once more
    ask: question
    yes: tour
    no: %s
  tour:
    subject: A tour
    ask: {click: Show me, to: https://a.example/tour}
    no: end
"""
KNOWN = """\
attributes: {first_name: text, seats: number, loan: [home, auto], vip: yes_no}
events: {trial_started: {ends: date}}
products: [course]
tags: [vip]
"""


def along(tour, yes="tour", no="again", no_again="end", ladder=LADDER, **changed):
    """The codes and columns that come of this mail at the end of these paths."""
    text = ladder % (yes, no, no_again) if "%s" in ladder else ladder
    for old, new in changed.items():
        text = text.replace(f"{old}: ", f"{old}: {new} #", 1)
    files = {"people.yaml": KNOWN, "sequences/x.yaml": text, "templates/tour.md": f"{tour}\n\n{{{{ ask }}}}\n"}
    plain = {f"templates/{name}.md": "{{ ask }}\n" for name in ("question", "again", "other", "offer", "guide")}
    problems = problems_in({**plain, **files})
    return [(one.code, one.line, one.column, one.width) for one in problems if one.file == "templates/tour.md"]


SAID = '{{ said("question") }}'


def test_an_answer_that_every_path_collected_may_be_quoted():
    assert along(SAID) == []
    assert along("{{ answers.question }} {{ answers['question'] }} {{ said('again') }}") == []


def test_a_no_that_leads_here_has_collected_nothing():
    assert along(SAID, no_again="tour") == [("E305", 1, 4, 16)]
    assert along(SAID, no="tour", yes="again") == [("E305", 1, 4, 16)]
    assert along("You: {{ answers.question }}", no_again="tour") == [("E305", 1, 9, 16)]


@pytest.mark.parametrize(
    "text",
    [
        "{% if answers.question %}" + SAID + "{% endif %}",
        "{% if not answers.question %}Hello{% else %}" + SAID + "{% endif %}",
        '{% if answers.question == "home" %}' + SAID + "{% endif %}",
        '{% if said("question") == "A home loan" %}' + SAID + "{% endif %}",
        "{% if answers.question is defined %}" + SAID + "{% endif %}",
        '{{ said("question") or "nothing" }}',
        '{{ said("question") | default("nothing") }}',
        '{{ said("question") if answers.question else "nothing" }}',
        '{% set words = said("question") or "nothing" %}{{ words }}',
        '{% if loan == "home" and answers.question %}' + SAID + "{% endif %}",
        "{% if not (loan or answers.question) %}{% elif answers.question %}" + SAID + "{% endif %}",
    ],
)
def test_an_answer_may_be_quoted_where_it_is_known_or_has_a_fallback(text):
    assert along(text, no_again="tour") == []


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("{% if not answers.question %}" + SAID + "{% endif %}", 33),
        ('{% if answers.question != "home" %}' + SAID + "{% endif %}", 39),
        ("{% if answers.question %}" + SAID + "{% endif %} " + SAID, 63),
        ("{{ first_name or 'you' }} said {{ said('question') | upper }}", 35),
        ("{% if loan or answers.question %}" + SAID + "{% endif %}", 37),
        ("{% set words = said('question') %}{{ words }}", 38),
    ],
)
def test_a_guard_that_guards_nothing_is_seen_through(text, column):
    ((code, line, found, _),) = along(text, no_again="tour")
    assert (line, found) == (1, column)
    assert code in ("E305", "E308")


def test_a_saved_answer_is_known_of_those_who_gave_it():
    assert along("{{ loan }}") == []
    assert along("{{ loan }}", no_again="tour") == [("E308", 1, 4, 4)]


@pytest.mark.parametrize(
    "text",
    ["{{ first_name or 'friend' }}", "{% if first_name %}{{ first_name }}{% endif %}", "{{ first_name|default('you') }}",
     "{{ email }} {{ language }} {{ kept }} {{ step_number }}", "{% if seats > 3 %}{{ seats }}{% endif %}",
     "{% if vip %}{{ first_name or 'x' }}{% endif %}", "{% for key in [1] %}{{ key }}{% endfor %}",
     "{% macro hi(who) %}{% if who %}{{ who }}{% endif %}{% endmacro %}{{ hi(first_name) }}"],
)  # fmt: skip
def test_what_has_a_fallback_or_is_always_known_may_be_printed(text):
    assert along(text) == []


@pytest.mark.parametrize(
    ("text", "column", "width"),
    [
        ("Hello {{ first_name }}", 10, 10),
        ("{{ first_name or 'you' }} {{ first_name }}", 30, 10),
        ("{{ first_name | title }}", 4, 10),
        ("{{ 'x' ~ first_name }}", 10, 10),
        ("{% if not first_name %}{{ first_name }}{% endif %}", 27, 10),
        ("{{ first_name or loan or seats }}", 26, 5),
        ("{{ tags.vip }}", 4, 8),
        ("{{ offer.deadline }}", 4, 14),
        ("{% macro hi(who) %}{{ who }}{% endmacro %}{{ hi(first_name) }}", 49, 10),
    ],
)
def test_what_can_be_unknown_needs_a_fallback(text, column, width):
    (found,) = along(text, no="tour", yes="again")
    assert found == ("E308", 1, column, width)


def test_a_name_without_a_fallback_is_found_in_an_included_file_and_in_a_set_of_subjects():
    files = {
        **FILES,
        "templates/tour.md": "{% include 'foot.md' %}\n{{ ask }}\n",
        "templates/foot.md": "Yours,\n{{ first_name }}\n",
    }
    assert only(problems_in(files))[0] == ("templates/foot.md", 2, 4, "E308")
    several = SEQUENCE.replace(
        "subject: A tour", "subject: [A tour, 'For {{ first_name }}']\n    preheader: '{{ first_name }}'"
    )
    found = [(one.line, one.column, one.code) for one in problems_in({**FILES, "sequences/sound.yaml": several})]
    assert found == [(13, 31, "E308"), (14, 20, "E308")]


CONDITIONS = """\
start: %s
from: Ada Bright <ada@example.com>
within: 3 days
steps:
  question:
    subject: One question
    ask: {poll: Which one?, answers: {home: A home loan, auto: An auto loan}}
    yes: next
    no: next
  guide:
    subject: A guide
    ask: {click: Show me, to: https://a.example/guide}
    yes: %s
    no: %s
  tour:
    subject: A tour
    ask: {click: Show me, to: https://a.example/tour}
    yes: end
    no: end
"""


def test_a_condition_on_the_way_tells_what_is_known():
    only_home = '[{if: answers.question == "home", go: tour}, {go: end}]'
    assert along(SAID, "joined", only_home, "end", ladder=CONDITIONS) == []
    but_home = '[{if: answers.question == "home", go: end}, {go: tour}]'
    assert along(SAID, "joined", but_home, "end", ladder=CONDITIONS) == [("E305", 1, 4, 16)]
    assert along("{{ first_name }}", "{when: joined, if: first_name}", "tour", "tour", ladder=CONDITIONS) == []
    assert along("{{ start.ends }}", "{event: trial_started}", "tour", "tour", ladder=CONDITIONS) == []
    assert along("{{ start.ends }}", "[joined, {event: trial_started}]", "tour", "tour", ladder=CONDITIONS) == [
        ("E308", 1, 4, 10)
    ]


def test_a_mail_that_shows_its_ask_to_some_answers_only_is_found_for_the_answers_that_get_it():
    text = '{% if answers.question == "home" %}{{ ask }}{% endif %}'
    files = {"sequences/x.yaml": LADDER % ("{home: tour, auto: again}", "end", "end"), "people.yaml": KNOWN}
    mails = {"templates/question.md": "{{ ask }}", "templates/again.md": "{{ ask }}", "templates/tour.md": text}
    assert [one.code for one in problems_in({**files, **mails})] == ["E303"]
    alone = (LADDER % ("{home: tour, auto: again}", "end", "end")).replace("yes: tour", "yes: end")
    assert problems_in({**files, **mails, "sequences/x.yaml": alone}) == []


def test_five_hundred_steps_are_followed_without_following_every_path():
    step = "  s%d:\n    subject: Hello\n    ask: {click: Come, to: https://a.example/x}\n    yes: %s\n    no: %s\n"
    lines = [step % (n, f"s{n + 2}" if n < 498 else "end", f"s{n + 1}" if n < 499 else "end") for n in range(500)]
    text = "start: joined\nfrom: a@example.com\nwithin: 1 day\nsteps:\n" + "".join(lines)
    found = problems_in({"sequences/x.yaml": text, **{f"templates/s{n}.md": "{{ ask }}" for n in range(500)}})
    assert {one.code for one in found} <= {"W408"}


def test_a_condition_that_cannot_be_read_is_the_one_fault_and_leads_to_no_false_one():
    ladder = CONDITIONS % ("joined", '[{if: anwsers.question == "home", go: tour}, {go: end}]', "end")
    mails = {f"templates/{name}.md": "{{ ask }}" for name in ("question", "guide")}
    files = {"sequences/x.yaml": ladder, **mails, "templates/tour.md": SAID + "\n\n{{ ask }}"}
    assert [one.code for one in problems_in(files)] == ["E205"]
