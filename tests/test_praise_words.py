"""What others said, and the titles of badges, in another language."""

import re

import pytest
from test_web import Visited

from nurture.engine.deploy import problems_of
from nurture.language.project import read_project

LADDER = """\
start: manual
from: ada@brightline.example
within: 1 day
badges:
  keen: {title: Keen, if: kept >= 1}
steps:
  one:
    subject: One
    template: body.md
    ask: {poll: Yes or no?, answers: {a: Yes, b: No}}
    yes: two
    no: end
  two:
    subject: Two
    template: shown.md
    ask: {click: See it, to: https://brightline.example/2}
    no: end
proof:
  - {quote: It took ten minutes., name: "Lena Berg, teacher", for: {one: a}}
  - {quote: Three quotes in a day., name: Tom Reed, for: everyone}
"""
STEPS = """\
steps:
  one: {subject: Eins, ask: {poll: Ja oder nein?, answers: {a: Ja, b: Nein}}}
  two: {subject: Zwei, ask: {click: Ansehen}}
"""
PROOF = """\
proof:
  - {quote: Es waren zehn Minuten., name: "Lena Berg, Lehrerin"}
  - quote: Drei Angebote an einem Tag.
"""
BADGES = "badges:\n  keen: {title: Dabei}\n"
GERMAN = STEPS + PROOF + BADGES
BODY = b"Hello.\n\n{{ badges }}\n\n{{ proof }}\n\n{{ ask }}\n"
TEMPLATES = {
    "templates/shown.md": BODY, "templates/shown.de.md": BODY.replace(b"Hello", b"Hallo"),
    "templates/body.md": b"Hello.\n\n{{ ask }}\n", "templates/body.de.md": b"Hallo.\n\n{{ ask }}\n",
}  # fmt: skip


def faults(german):
    files = {"sequences/row.yaml": LADDER.encode(), "sequences/row.de.yaml": german.encode(), **TEMPLATES}
    return [(one.code, one.file, one.line, one.message) for one in problems_of(read_project(files))]


def test_the_words_of_others_and_badges_follow_the_person(store):
    stage = Visited(store, {"row": LADDER, "row.de": GERMAN}, TEMPLATES)
    for email, language in (("ann@example.com", "en"), ("eva@example.com", "de")):
        stage.subscribe(email, sequence="row", language=language)
    stage.work()
    stage.answer(stage.mail("One"), "a")
    stage.answer(stage.mail("Eins", "eva@example.com"), "a")
    stage.work()
    english, german = stage.mail("Two").text, stage.mail("Zwei", "eva@example.com").text
    assert [word in english for word in ("It took ten minutes.", "Lena Berg, teacher", "Keen")] == [True] * 3
    assert [word in german for word in ("Es waren zehn Minuten.", "Lena Berg, Lehrerin", "Dabei")] == [True] * 3
    (link,) = re.findall(r"https://go\.example\.com(/b/\S+)", german)
    shown = stage.web.get(link).text
    assert '<html lang="de">' in shown
    assert "Ihre Auszeichnungen" in shown
    assert "Dabei" in shown
    stage.close()


def test_words_that_are_all_there_are_no_fault():
    assert faults(GERMAN) == []


@pytest.mark.parametrize(
    ("german", "code", "words"),
    [
        (STEPS + BADGES, "E309", "write proof: with the quote: of each"),
        (STEPS + PROOF, "E309", "write badges: with the title: of each"),
        (GERMAN.replace("  - quote: Drei Angebote an einem Tag.\n", ""), "E309", "has 2 of these, and this has 1"),
        (GERMAN.replace("quote: Drei Angebote an einem Tag.", "name: Tom"), "E309", "what Tom Reed said has no words"),
        (GERMAN.replace("quote: Drei", "for: everyone\n    quote: Drei"), "E101", "belongs in row.yaml"),
        (GERMAN.replace("proof:\n", "proof: hallo\nx:\n").partition("x:")[0] + BADGES, "E103", "proof is a list"),
        (GERMAN.replace("keen:", "ken:"), "E205", "did you mean 'keen'?"),
        (GERMAN.replace("{title: Dabei}", "{title: Dabei, if: kept >= 2}"), "E101", "belongs in row.yaml"),
        (GERMAN.replace("{title: Dabei}", "Dabei"), "E103", "needs keys"),
    ],
)
def test_what_is_missing_or_wrong_is_said(german, code, words):
    found = faults(german)
    assert [(one, file) for one, file, _, _ in found] == [(code, "sequences/row.de.yaml")], found
    assert words in found[0][3]
