"""What can stand at the cursor of a file that is being written."""

from pathlib import Path

import pytest

from nurture.language.completing import completions, printed
from nurture.language.schema import schema
from nurture.language.schema_files import people_schema

SCHEMA = schema()
STEPS = ["a", "b", "c"]
NAMES = {"go": [*STEPS, "end"], "step": STEPS, "ask": STEPS, "tag": ["guide"], "download": ["x.pdf"]}
ROOT = Path(__file__).parent.parent


def words(text, known=SCHEMA):
    return [one.word for one in completions(text, len(text), known, NAMES)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("ti", ["title"]),
        ("start: jo", ["joined"]),
        ("start: {when: {ta", ["tag"]),
        ("start: {when: {tag: ", ["guide"]),
        ("send: {between: 9:00-17:00, da", ["days"]),
        ("send:\n  ga", ["gap"]),
        ("steps:\n  a:\n    su", ["subject"]),
        ("steps:\n  a:\n    ask: {po", ["poll"]),
        ("steps:\n  a:\n    ask: {download: ", ["x.pdf"]),
        ("steps:\n  b:\n    ask: ", ["a"]),
        ("steps:\n  b:\n    no: ", ["c", "end"]),
        ("steps:\n  a:\n    yes: {after: 1 day, go: ", ["b", "c", "end"]),
        ("steps:\n  a:\n    yes:\n      home: ", ["b", "c", "end"]),
        ("steps:\n  a:\n    yes:\n      - {if: kept > 1, af", ["after"]),
        ("steps:\n  a:\n    principle: foo", ["foot_in_the_door"]),
        ("tests:\n  - name: x\n    expect: {ends: fi", ["finished"]),
        ("tests:\n  - name: x\n    expect: {at: {", STEPS),
    ],
)
def test_keys_words_and_names_that_fit(text, first):
    assert words(text) == first


@pytest.mark.parametrize(
    "text",
    [
        "# ti",
        "title: start: {",
        'title: "st',
        "title: A {",
        "steps:\n  a:\n    subject: Hello # no",
        "zzz",
        "title: x}",
    ],
)
def test_nothing_is_offered_where_nothing_can_be_said(text):
    assert words(text) == []


def test_what_is_typed_already_is_known_and_a_key_gets_its_colon():
    (one,) = completions("sta", 3, SCHEMA, NAMES)
    assert (one.typed, one.then) == (3, ": ")
    assert one.about.startswith("What begins a pass")
    assert words("start") == []


def test_people_have_keys_of_their_own():
    assert words("attr", people_schema()) == ["attributes"]


def test_a_template_prints_what_is_known():
    assert [one.word for one in printed("Hello {{ fi", 11, ["first_name", "ask"])] == ["first_name"]
    assert printed("Hello fi", 8, ["first_name"]) == []


def test_no_place_of_a_real_file_is_too_much():
    for path in (ROOT / "sequences").glob("*.yaml"):
        text = path.read_text()
        for at in range(0, len(text), 7):
            completions(text, at, SCHEMA, NAMES)
