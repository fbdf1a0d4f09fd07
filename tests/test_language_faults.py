"""Every fault by its code: a sound sequence, one thing spoiled in it, and the one problem that must come of it.

In what a case puts in, » stands before the spot the problem must point at.
"""

import pytest

from nurture.language.people import read_people
from nurture.language.reading import read

PEOPLE, _ = read_people("""\
attributes: {first_name: text, seats: number, renewal: date, plan: [free, pro], loan: [home, auto]}
events: {cart_added: {total: number}, trial_started: {trial_ends: date}}
products: [review, course]
tags: [vip, customer]
""")
BASE = """\
title: A sound one
start: joined
stop: replied
from: Ada Bright <ada@example.com>
send: {between: 9:00-17:00, days: weekdays, timezone: theirs, gap: 1 day}
within: 3 days

steps:
  question:
    subject: One question
    ask:
      poll: Which one?
      answers: {home: A home loan, auto: An auto loan}
      save: loan
    yes: {home: guide, auto: quotes}
    no: quotes

  quotes:
    subject: Three quotes
    ask: {download: quotes.pdf}
    yes: guide
    no: end

  guide:
    subject: Your checklist
    ask: {click: Show me, to: https://a.example/x}
    yes: offer
    no: {after: 4 days, go: offer}

  offer:
    subject: Shall we?
    ask: {buy: review, price: 99 GBP, to: https://a.example/pay}
    no: end
"""


def spoiled(*changes):
    """The sound sequence with each (old, new) replaced, and where » stands in it."""
    text = BASE
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the base"
        text = text.replace(old, new)
    assert text.count("»") == 1
    before = text.partition("»")[0]
    return text.replace("»", ""), (before.count("\n") + 1, len(before) - before.rfind("\n"))


def errors_in(text):
    problems = read(text.encode(), "sequences/sound.yaml", PEOPLE).problems
    return [problem for problem in problems if problem.severity == "error"]


def test_the_sound_one_has_no_fault():
    assert errors_in(BASE) == []


CASES = [
    # unknown key
    ("E101", "'titel', did you mean 'title'?", ("title: A", "»titel: A")),
    ("E101", "'subjekt', did you mean 'subject'?", ("subject: Three", "»subjekt: Three")),
    ("E101", "'too', did you mean 'to'?", ("{click: Show me, to:", "{click: Show me, »too:")),
    ("E101", "'clik', did you mean 'click'?", ("{click: Show me", "{»clik: Show me")),
    ("E101", "'hom' is not an answer of this poll, did you mean 'home'?", ("yes: {home:", "yes: {»hom:")),
    ("E101", "'aftr', did you mean 'after'?", ("{after: 4 days, go", "{»aftr: 4 days, go")),
    ("E101", "'hours'; known here: between, days, timezone, gap", ("{between: 9:00-17:00", "{»hours: 9:00-17:00")),
    # missing key
    ("E102", "no 'from'", ("title: A", "»title: A"), ("from: Ada Bright <ada@example.com>\n", "")),
    ("E102", "no 'start'", ("title: A", "»title: A"), ("start: joined\n", "")),
    ("E102", "'quotes' has no subject", ("  quotes:\n    subject: Three quotes\n", "  »quotes:\n")),
    ("E102", "teaches people not to answer", ("  quotes:", "  »quotes:"), ("    ask: {download: quotes.pdf}\n", "")),
    ("E102", "this click leads nowhere", ("{click: Show me, to: https://a.example/x}", "{»click: Show me}")),
    ("E102", "begin it with one of click, poll", ("{download: quotes.pdf}", "»{quotes: mine}")),
    (
        "E102",
        "'quotes' does not say when silence is a no",
        ("within: 3 days\n", ""),
        ("save: loan\n", "save: loan\n    within: 1 day\n"),
        ("a.example/x}\n", "a.example/x}\n    within: 1 day\n"),
        ("a.example/pay}\n", "a.example/pay}\n    within: 1 day\n"),
        ("  quotes:", "  »quotes:"),
    ),
    # wrong value
    ("E103", "'dais' is not a unit of time, did you mean 'days'?", ("within: 3 days", "within: »3 dais")),
    ("E103", "'joinde' is nothing that happens, did you mean 'joined'?", ("start: joined", "start: »joinde")),
    ("E103", "is not an address", ("from: Ada Bright <ada@example.com>", "from: »Ada Bright")),
    ("E103", "'mno' is not a day, did you mean", ("days: weekdays", "days: »mno")),
    ("E103", "there is no time zone 'Europe/Lodnon', did you mean 'Europe/London'?",
     ("timezone: theirs", "timezone: »Europe/Lodnon")),
    ("E103", "is not a web address", ("to: https://a.example/x", "to: »a.example/x")),
    ("E103", "a mail has one ask, not a list", ("ask: {download: quotes.pdf}", "ask: »[{download: quotes.pdf}]")),
    ("E103", "this one has two: click and buy", ("{click: Show me, to", "{click: Show me, »buy: review, to")),
    ("E103", "use small letters, digits and _, such as three_quotes",
     ("  quotes:", "  »Three-Quotes:"), ("auto: quotes", "auto: guide"), ("no: quotes", "no: Three-Quotes")),
    ("E103", "a branch is not nested deeper", ("yes: {home: guide,", "yes: {home: »{home: guide},")),
    ("E103", "only the yes of a poll leads by answer", ("yes: offer", "yes: »{home: offer, auto: end}")),
    ("E103", "'loan' cannot be 'boat'", ("auto: An auto loan}\n      save: loan", "boat: A boat}\n      save: »loan"),
     ("auto: quotes}", "boat: quotes}")),
    ("E102", "say how many friends it takes", ("{download: quotes.pdf}", "{»refer: Tell a friend}")),
    ("E205", "friends need a form to come by", ("{download: quotes.pdf}", "{»refer: Tell a friend, friends: 3}")),
    ("E103", "subject is empty", ("subject: Three quotes", 'subject: »""')),
    ("E103", "`within` and `until` exclude each other",
     ("{download: quotes.pdf}\n", "{download: quotes.pdf}\n    within: 1 day\n    »until: 9:00\n")),
    ("E103", "`after` and `at` exclude each other", ("{after: 4 days, go", "{after: 4 days, »at: 9:00, go")),
    # duplicate key
    ("E104", "'subject' is already written on line 19",
     ("Three quotes\n", "Three quotes\n    »subject: Again\n")),
    ("E104", "'title' is already written on line 1", ("start: joined", "»title: Twice\nstart: joined")),
    ("E104", "'home' is already written on line 13", ("home: A home loan,", "home: A home loan, »home: Mine,")),
    # not YAML
    ("E105", "close the { with a }", ("ask: {download: quotes.pdf}", "ask: »{download: quotes.pdf")),
    ("E105", "put quotes around text that has a colon", ("subject: Three quotes", "subject: Three»: four quotes")),
    ("E105", "'!now' is a YAML tag", ("subject: Three quotes", "subject: »!now Three quotes")),
    ("E105", "'*Three' repeats something that is not named above", ("subject: Three", "subject: »*Three")),
    ("E105", "a file holds one thing", ("start: joined", "»---\nstart: joined")),
    # key without a value
    ("E106", "'please' has no value; put quotes around text with a comma",
     ("{click: Show me, to", "{click: Yes, »please, to")),
    ("E106", "'sweet home' has no value", ("{home: A home loan,", "{home: Home, »sweet home,")),
    ("E106", "'to' has no value", ("to: https://a.example/x}", "»to: }")),
    # unknown step
    ("E201", "no step 'ofer', did you mean 'offer'?", ("yes: offer", "yes: »ofer")),
    ("E201", "no step 'gide', did you mean 'guide'?", ("yes: {home: guide", "yes: {home: »gide")),
    ("E201", "no step 'elsewhere'; write a step of this file, next, end", ("no: end\n\n", "no: »elsewhere\n\n")),
    ("E201", "no step 'qestion' above to ask again, did you mean 'question'?",
     ("ask: {download: quotes.pdf}", "ask: »qestion")),
    ("E201", "no step 'oofer', did you mean 'offer'?", ("go: offer}", "go: {split: {end: 50%, »oofer: 50%}}}")),
    # leads backwards
    ("E202", "leads to 'quotes', which is above it", ("yes: offer", "yes: »quotes")),
    ("E202", "leads to itself", ("no: {after: 4 days, go: offer}", "no: {after: 4 days, go: »guide}")),
    ("E202", "the yes of 'quotes' leads to 'guide', which is above 'offer'",
     ("  offer:", "  »offer:"), ("ask: {buy: review, price: 99 GBP, to: https://a.example/pay}", "ask: quotes")),
    # unreachable step
    ("E203", "nothing leads to 'quotes'",
     ("auto: quotes}\n    no: quotes", "auto: guide}\n    no: end"), ("  quotes:", "  »quotes:")),
    ("E203", "nothing leads to 'offer'",
     ("yes: offer\n    no: {after: 4 days, go: offer}", "yes: end\n    no: end"), ("  offer:", "  »offer:")),
    ("E203", "nothing leads to 'question'",
     ("start: joined", "start: {when: joined, go: quotes}"), ("  question:", "  »question:")),
    # an answer has no branch
    ("E204", "the answer 'auto' has no branch", ("yes: {home: guide, auto: quotes}", "yes: »{home: guide}")),
    ("E204", "the answer 'boat' has no branch",
     ("auto: An auto loan}\n      save: loan", "auto: A car, boat: A boat}"), ("yes: {home", "yes: »{home")),
    # bad condition or unknown name
    ("E205", "unknown name 'ketp', did you mean 'kept'?",
     ("yes: offer", "yes: [{if: asked > 1 and »ketp >= 2, go: offer}, {go: end}]")),
    ("E205", "there is no step 'qestion', did you mean 'question'?",
     ("yes: offer", 'yes: [{if: answers.»qestion == "home", go: offer}, {go: end}]')),
    ("E205", "answers.question is never 'boat'; it is one of home, auto",
     ("yes: offer", "yes: [{if: answers.»question == 'boat', go: offer}, {go: end}]")),
    ("E205", "answers.question is never 'atuo', did you mean 'auto'?",
     ("yes: offer", "yes: [{if: kept > 1 and 'atuo' == answers.»question, go: offer}, {go: end}]")),
    ("E205", "'=' cannot stand here: write ==", ("yes: offer", "yes: [{if: kept »= 2, go: offer}, {go: end}]")),
    ("E205", "people.yaml declares no product 'reviw', did you mean 'review'?", ("{buy: review", "{buy: »reviw")),
    ("E205", "people.yaml declares no tag 'vpi', did you mean 'vip'?", ("start: joined", "start: {tag: »vpi}")),
    ("E205", "there is no date 'renewel', did you mean 'renewal'?", ("after: 4 days", "at: »renewel")),
    ("E205", "unknown name 'start.total'", ("to: https://a.example/x", 'to: »"https://a.example/{{ start.total }}"')),
    # no `no`
    ("E206", "'guide' does not say what silence means", ("  guide:", "  »guide:"),
     ("    no: {after: 4 days, go: offer}\n", "")),
    ("E206", "'question' does not say what silence means", ("  question:", "  »question:"), ("    no: quotes\n", "")),
    # moments or splits that cannot hold
    ("E207", "add up to 100%, not 110%", ("go: offer}", "go: {split: »{offer: 60%, end: 50%}}}")),
    ("E207", "a split has two arms or more", ("go: offer}", "go: {split: »{offer: 100%}}}")),
    ("E207", "the last entry has no `if`", ("yes: offer", "yes: [{if: kept > 2, go: end}, {»if: kept > 1, go: offer}]")),
    ("E207", "the last entry has no date that can be over", ("yes: offer", "yes: [{if: kept > 2, go: end}, {at: »2026-11-24, go: offer}]")),
    ("E207", "this entry always holds", ("yes: offer", "yes: [»{after: 1 day, go: end}, {go: offer}]")),
    ("E207", "an `if` stands in a list", ("yes: offer", "yes: {»if: kept > 1, go: offer}")),
    ("E207", "'plan' is not a date", ("{after: 4 days, go: offer}", "{at: »plan, go: offer}")),
    # a left-out yes would be a guess
    ("E208", "say it: yes: offer", ("  guide:", "  »guide:"), ("    yes: offer\n", "")),
    ("E208", "say it: yes: guide", ("  quotes:", "  »quotes:"), ("    yes: guide\n", "")),
    # bad repeat
    ("E209", "'quotes' cannot ask 'guide', which comes later, again", ("{download: quotes.pdf}", "»guide")),
    ("E209", "'quotes' cannot ask itself again", ("{download: quotes.pdf}", "»quotes")),
    ("E209", "'quotes' asks question again itself; write ask: question",
     ("{download: quotes.pdf}", "question"), ("{click: Show me, to: https://a.example/x}", "»quotes")),
    # this yes can never happen
    ("E210", "`bought: review` ends the sequence first",
     ("stop: replied", "goal: {bought: review}"), ("pay}\n", "pay}\n    »yes: end\n")),
    ("E210", "`bought` ends the sequence first", ("stop: replied", "stop: [replied, bought]"), ("pay}\n", "pay}\n    »yes: end\n")),
    ("E210", "`event: cart_added` ends the sequence first",
     ("stop: replied", "stop: {event: cart_added}"), ("yes: offer", "»yes: offer"),
     ("{click: Show me, to", "{event: cart_added, to")),
]  # fmt: skip


@pytest.mark.parametrize(("code", "piece", "changes"), [(code, piece, rest) for code, piece, *rest in CASES])
def test_one_fault_is_one_problem_at_its_spot(code, piece, changes):
    text, spot = spoiled(*changes)
    found = errors_in(text)
    assert [(problem.code, problem.line, problem.column) for problem in found] == [(code, *spot)], found
    assert piece in found[0].message


def test_every_code_of_the_notation_and_the_page_has_two_cases_or_more():
    codes = [case[0] for case in CASES]
    wanted = [*(f"E{number}" for number in range(101, 107)), *(f"E{number}" for number in range(201, 211))]
    assert [code for code in wanted if codes.count(code) < 2] == []


TWELVE = """\
titel: Twelve faults in one page
start: joined
goal: {bought: reviw}
from: Ada Bright
send: {between: 9-17}
within: 3 days

steps:
  question:
    subject: One question
    subject: The same one
    ask: {poll: Which?, answers: {home: A home loan, auto: An auto loan}}
    yes: {home: guide}
    no: quots

  quotes:
    subject: Three quotes
    ask: {click: Yes, please, to: https://a.example/x}
    yes: [{if: ketp >= 2, go: guide}, {go: tour}]
    no: question

  guide:
    subject: A guide
    ask: {download: guide.pdf}
    yes: tour

  tour:
    subject: A tour
    ask: {click: Show me, to: https://a.example/tour}
    yes: offer
    no: {split: {offer: 50%, end: 40%}}

  offer:
    subject: An offer
    ask: {buy: course, to: https://a.example/pay}
    no: end
"""


def test_twelve_faults_in_one_page_are_twelve_problems_in_the_order_of_the_page():
    assert [(problem.line, problem.column, problem.code) for problem in errors_in(TWELVE)] == [
        (1, 1, "E101"),
        (3, 16, "E205"),
        (4, 7, "E103"),
        (5, 17, "E103"),
        (11, 5, "E104"),
        (13, 10, "E204"),
        (14, 9, "E201"),
        (18, 23, "E106"),
        (19, 16, "E205"),
        (20, 9, "E202"),
        (22, 3, "E206"),
        (31, 17, "E207"),
    ]


def test_a_problem_prints_as_path_line_column_severity_message_and_code():
    (problem,) = errors_in(BASE.replace("title: A", "titel: A"))
    assert str(problem) == "sequences/sound.yaml:1:1 error unknown key 'titel', did you mean 'title'? [E101]"
    assert problem.width == len("titel")
