"""What is known of people along every path to a step: what may be quoted or printed there, and what may not."""

import pytest
from test_mail_checks import FILES, SEQUENCE, only, problems_in

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
