"""Proof: what others said, shown to people like them, in Markdown, MJML and HTML; and what `check` says of it."""

from datetime import date

import pytest
from stage import Stage

from nurture.cli.main import run
from nurture.engine.deploy import problems_of
from nurture.journey.enrollment import Answer, Enrollment, Subscriber
from nurture.language.project import read_project
from nurture.language.proof import worn
from nurture.mail.imagined import NOW
from nurture.mail.proof import choose

PEOPLE = b"attributes: {first_name: text, plan: [free, pro], seats: number}\n"
LOANS = """\
start: manual
from: ada@brightline.example
within: 1 day
steps:
  which:
    subject: One question
    ask: {poll: Home or auto?, answers: {home: Home, auto: Auto}}
    yes: tour
    no: tour
  tour:
    subject: "{SUBJECT}"
    template: {TEMPLATE}
    ask: {click: See it, to: https://brightline.example/tour}
    no: end
proof:
"""
LENA = "  - {quote: It took ten minutes., name: Lena Berg, picture: https://brightline.example/lena.jpg, for: {which: home}}\n"
MIA = "  - {quote: We pay less., name: Mia, for: {which: home, plan: [pro, free]}}\n"
TOM = "  - {quote: Three quotes < one day., name: Tom & Co, for: everyone}\n"


def project(proof=LENA + TOM, template="tour.md", body="Hello.\n\n{{ proof }}\n\n{{ ask }}\n", subject="The tour"):
    text = LOANS.replace("{TEMPLATE}", template).replace("{SUBJECT}", subject) + proof
    files = {"people.yaml": PEOPLE, "sequences/loans.yaml": text.encode(), f"templates/{template}": body.encode()}
    return read_project({**files, "templates/which.md": b"Hello.\n\n{{ ask }}\n"})


def faults(made):
    return [(problem.code, problem.message) for problem in problems_of(made)]


def chosen(made, who=1, answer=None, **attributes):
    answers = {} if answer is None else {"which": Answer(answer, NOW, "which")}
    place = Enrollment(1, who, "loans", 1, NOW, answers=answers)
    found = choose(made.sequences["loans"], place, Subscriber(who, "ann@example.com", attributes=attributes))
    return None if found is None else found.name


@pytest.mark.parametrize(
    ("answer", "plan", "name"),
    [("home", None, "Lena Berg"), ("home", "pro", "Mia"), ("home", "free", "Mia"), ("auto", "pro", "Tom & Co"), (None, None, "Tom & Co")],
)  # fmt: skip
def test_of_what_fits_that_which_fits_in_most_things(answer, plan, name):
    assert chosen(project(LENA + MIA + TOM), answer=answer, **({"plan": plan} if plan else {})) == name


def test_of_several_that_fit_alike_each_person_always_gets_the_same():
    made = project("".join(f"  - {{quote: Good., name: N{number}, for: everyone}}\n" for number in range(4)))
    drawn = {who: chosen(made, who) for who in range(200)}
    assert drawn == {who: chosen(made, who) for who in range(200)}
    assert {name: 30 < list(drawn.values()).count(name) < 70 for name in ("N0", "N1", "N2", "N3")} == dict.fromkeys(
        ("N0", "N1", "N2", "N3"), True
    )


def test_a_number_of_people_yaml_can_be_wanted():
    assert chosen(project("  - {quote: Good., name: Ten, for: {seats: 10}}\n" + TOM), seats=10) == "Ten"


@pytest.mark.parametrize(
    ("template", "body"),
    [
        ("tour.md", "Hello.\n\n{{ proof }}\n\n{{ ask }}\n"),
        ("tour.html", "<p>Hello.</p>{{ proof }}{{ ask }}"),
        ("tour.mjml", "<mj-section><mj-column>{{ proof }}{{ ask }}</mj-column></mj-section>"),
    ],
)
def test_a_mail_shows_it_as_a_block_and_as_text(store, template, body):
    files = {f"templates/{template}": body.encode(), "templates/which.md": b"Hello.\n\n{{ ask }}\n"}
    text = LOANS.replace("{TEMPLATE}", template).replace("{SUBJECT}", "{{ proof.name }} said") + LENA + TOM
    stage = Stage(store, {"loans": text}, templates=files)
    for email in ("ann@example.com", "bob@example.com"):
        stage.subscribe(email, sequence="loans")
    stage.work()
    stage.answer(stage.mail("One question"), "home")
    stage.after(days=2)
    lena, tom = stage.mail("Lena Berg said"), stage.mail("Tom & Co said", "bob@example.com")
    assert "https://brightline.example/lena.jpg" in lena.html
    assert "It took ten minutes." in lena.text
    assert "\u2014 Lena Berg" in lena.text
    assert "Three quotes &lt; one day." in tom.html
    assert "Tom &amp; Co" in tom.html
    assert "<img" not in tom.html
    assert "Three quotes < one day." in tom.text
    stage.close()


def test_a_whole_project_with_proof_has_no_fault():
    assert faults(project()) == []


def test_without_one_for_everyone_it_can_be_missing_and_an_if_is_the_way():
    ((code, message),) = faults(project(LENA))
    assert code == "E308"
    assert "add one with for: everyone" in message
    assert faults(project(LENA, body="{% if proof %}{{ proof }}{% endif %}\n\n{{ ask }}\n")) == []


def test_proof_that_no_mail_shows_is_said():
    assert [code for code, _ in faults(project(body="Hello.\n\n{{ ask }}\n"))] == ["W409"]


@pytest.mark.parametrize(
    ("entry", "code", "words"),
    [
        ("{quote: Good., name: A, for: {witch: home}}", "E205", "did you mean 'which'?"),
        ("{quote: Good., name: A, for: {which: house}}", "E103", "which is never 'house'"),
        ("{quote: Good., name: A, for: {plan: gold}}", "E103", "plan is never 'gold'"),
        ("{quote: Good., name: A, for: friends}", "E103", "write everyone"),
        ("{quote: Good., for: everyone}", "E102", "who said it"),
        ("{name: A, for: everyone}", "E102", "quotes nobody"),
        ("{quote: Good., name: A, picture: lena.jpg, for: everyone}", "E103", "write https://"),
        ("{quote: Good., name: A, picture: 'http://x.example/a.jpg', for: everyone}", "E103", "write https://"),
        ("{quote: Good., name: A, date: 2026-13-01, for: everyone}", "E103", "is not a day"),
        ("{quote: Good., name: A, four: everyone}", "E101", "did you mean 'for'?"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said(entry, code, words):
    found = faults(project(f"  - {entry}\n"))
    assert [one for one, message in found if words in message] == [code]


def test_proof_is_stale_after_two_years_and_says_for_whom_it_is():
    made = project("  - {quote: Good., name: A, date: 2024-03-01}\n").sequences["loans"]
    assert [problem.code for problem in worn(made, date(2026, 3, 1))] == ["W409", "W409"]
    assert len(list(worn(made, date(2026, 2, 28)))) == 1


def test_check_says_so(tmp_path, capfd):
    assert run(["init", str(tmp_path / "p")]) == 0
    (name,) = (tmp_path / "p" / "sequences").glob("*.yaml")
    name.write_text(name.read_text() + "\nproof:\n  - {quote: Good., name: A, date: 2001-01-01, for: everyone}\n")
    assert run(["-C", str(tmp_path / "p"), "check"]) == 0
    assert "more than 2 years ago" in capfd.readouterr().out
