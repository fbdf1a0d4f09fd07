"""The JSON Schema that editors use: it takes what `check` takes, and points at the slip where it is."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from nurture.language import asks, reading, steps, stories
from nurture.language.faults import Faults
from nurture.language.people import read_people
from nurture.language.schema import schema
from nurture.language.schema_files import SCHEMAS, schema_file
from nurture.language.sequence import People
from nurture.language.yaml import compose, plain

ROOT = Path(__file__).parents[1]
EXAMPLES = ("home-loan", "free-guide", "trial")
GENERAL = Draft7Validator(schema())

SMALL = """
start: joined
from: Ada Bright <ada@brightline.example>
within: 3 days
steps:
  question:
    subject: One question
    ask: {poll: Home or auto?, answers: {home: A home, auto: A car}}
    yes: {home: offer, auto: end}
    no: {after: 2 days, go: offer}
  offer:
    subject: Shall we?
    ask: {buy: review, to: https://brightline.example/checkout}
    no: end
tests:
  - name: a story
    given: {start: mon 10:00}
    does: [{question: home, after: 2 hours}]
    expect: {path: [question, offer]}
"""


def loaded(text):
    faults = Faults("sequences/small.yaml")
    root = compose(text, faults)
    assert not faults.in_order()
    return plain(root)


def places(validator, text):
    return {tuple(error.absolute_path) for error in validator.iter_errors(loaded(text))}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_valid_with_and_without_their_people(name):
    text = (ROOT / "sequences" / f"{name}.yaml").read_text(encoding="utf-8")
    people = read_people((ROOT / "people.yaml").read_bytes()).people
    assert places(GENERAL, text) == set()
    assert places(Draft7Validator(schema(people)), text) == set()


@pytest.mark.parametrize(
    ("right", "instead"),
    [
        ("start: joined", "start: [joined, {tag: vip}, manual]"),
        ("start: joined", "start: {when: {event: asked}, if: not bought.book, again: after 180 days, go: offer}"),
        ("start: joined", "start: {at: 3 days before renewal}"),
        ("start: joined", "start: bought\ngoal: [{bought: review}, replied]\nstop: {goal: trial}"),
        ("within: 3 days", "within: 36h\nsend: {between: 22:00-6:00, days: [mon, thu-sat], gap: 1 day}"),
        ("within: 3 days", "within: 3 days\ndates: {launch: 2026-11-24 18:00 Europe/London}\npriority: -3"),
        ("subject: One question", "subject: [One question, Another]\n    send: now"),
        ("subject: One question", "subject: 2026\n    until: tue 9:00"),
        ("subject: One question", "subject: One question\n    until: start.trial_ends"),
        ("yes: {home: offer, auto: end}", "yes: {home: {split: {offer: 5%, end: 95}}, auto: [{if: kept}, {go: end}]}"),
        ("yes: {home: offer, auto: end}", "yes: {at: 2 days before launch, go: {split: {offer: 50%, end: 50%}}}"),
        ("answers: {home: A home, auto: A car}", "answers: {1: Bad, 2: Good}, size: 2, save: mood"),
        ("ask: {buy: review, to: https", "ask: {buy: review, price: 9 GBP, code: x, expires: 72 hours, to: https"),
        ("ask: {buy: review, to: https://brightline.example/checkout}", "ask: question"),
        ("no: {after: 2 days, go: offer}", "no: unsubscribe"),
    ],
)  # fmt: skip
def test_what_the_language_allows_is_valid(right, instead):
    assert right in SMALL
    assert places(GENERAL, SMALL.replace(right, instead)) == set()


@pytest.mark.parametrize(
    ("right", "wrong", "place"),
    [
        ("start: joined", "begin: joined", ()),
        ("start: joined", "start: joind", ("start",)),
        ("start: joined", "start: {tagg: vip}", ("start",)),
        ("start: joined", "start: {when: joined, iff: kept > 1}", ("start",)),
        ("start: joined", "start: joined\ngoal: manual", ("goal",)),
        ("start: joined", "start: joined\nstop: [replied, {event: 7}]", ("stop", 1, "event")),
        ("Ada Bright <ada@brightline.example>", "Ada Bright", ("from",)),
        ("within: 3 days", "within: 3 dayz", ("within",)),
        ("within: 3 days", "within: 3", ("within",)),
        ("within: 3 days", "send: {between: 9-17}", ("send", "between")),
        ("within: 3 days", "send: soon", ("send",)),
        ("within: 3 days", "dates: {launch: soon}", ("dates", "launch")),
        ("  offer:\n", "  Offer:\n", ("steps",)),
        ("  offer:\n", "  next:\n", ("steps",)),
        ("    subject: One question\n", "", ("steps", "question")),
        ("    no: end\n", "", ("steps", "offer")),
        ("    no: end\n", "    no: end\n    wihtin: 2 days\n", ("steps", "offer")),
        ("    no: end\n", "    no: End it\n", ("steps", "offer", "no")),
        ("    no: end\n", "    no: end\n    principle: fear\n", ("steps", "offer", "principle")),
        ("    no: end\n", "    no: end\n    within: 1 day\n    until: 9:00\n", ("steps", "offer")),
        ("    no: end\n", "    no: end\n    yes: {home: end}\n", ("steps", "offer", "yes")),
        ("{after: 2 days, go: offer}", "{after: 2 dys, go: offer}", ("steps", "question", "no", "after")),
        ("{after: 2 days, go: offer}", "{after: 2 days, at: 9:00, go: offer}", ("steps", "question", "no")),
        ("{after: 2 days, go: offer}", "{home: offer}", ("steps", "question", "no")),
        ("{after: 2 days, go: offer}", "{if: kept > 1, go: offer}", ("steps", "question", "no")),
        ("{after: 2 days, go: offer}", "{at: some day, go: offer}", ("steps", "question", "no", "at")),
        ("{after: 2 days, go: offer}", "[{iff: kept > 1, go: offer}]", ("steps", "question", "no", 0)),
        ("yes: {home: offer, auto: end}", "yes: {home: offer, auto: {x: end}}", ("steps", "question", "yes", "auto")),
        ("yes: {home: offer, auto: end}", "yes: {home: {split: {offer: half, end: 50%}}, auto: end}",
         ("steps", "question", "yes", "home", "split", "offer")),
        ("answers: {home: A home, auto: A car}", "anwsers: {home: A home}", ("steps", "question", "ask")),
        ("answers: {home: A home, auto: A car}", "answers: {home: A home}", ("steps", "question", "ask", "answers")),
        ("{buy: review, ", "{bye: review, ", ("steps", "offer", "ask")),
        ("{buy: review, ", "{buy: review, answers: {a: A, b: B}, ", ("steps", "offer", "ask")),
        ("{buy: review, ", "{buy: review, size: 9, ", ("steps", "offer", "ask", "size")),
        ("{buy: review, ", "{buy: review, expires: soon, ", ("steps", "offer", "ask", "expires")),
        ("to: https://brightline.example/checkout", "to: the checkout", ("steps", "offer", "ask", "to")),
        ("given: {start: mon 10:00}", "given: {start: monday morning}", ("tests", 0, "given", "start")),
        ("expect: {path: [question, offer]}", "expect: {paths: [question]}", ("tests", 0, "expect")),
        ("after: 2 hours", "after: later", ("tests", 0, "does", 0, "after")),
    ],
)  # fmt: skip
def test_a_slip_is_found_where_it_is(right, wrong, place):
    assert right in SMALL
    assert place in places(GENERAL, SMALL.replace(right, wrong, 1))


def test_one_slip_in_a_value_with_many_forms_is_one_error():
    for right, wrong in (
        ("{after: 2 days, go: offer}", "{after: 2 dys, go: offer}"),
        ("start: joined", "start: joind"),
        ("{buy: review, ", "{buy: review, expires: soon, "),
        ("yes: {home: offer, auto: end}", "yes: {home: offer, auto: Nowhere}"),
    ):
        assert len(list(GENERAL.iter_errors(loaded(SMALL.replace(right, wrong))))) == 1


def test_declared_names_become_choices():
    people = People(products=("review",), tags=("vip",), events={"asked": {}}, attributes={"loan": "text"})
    known = Draft7Validator(schema(people))
    assert places(known, SMALL) == set()
    assert places(known, SMALL.replace("buy: review", "buy: reveiw")) == {("steps", "offer", "ask", "buy")}
    assert places(known, SMALL.replace("start: joined", "start: {tag: vpi}")) == {("start", "tag")}
    saved = SMALL.replace("auto: A car}", "auto: A car}, save: lone")
    assert places(known, saved) == {("steps", "question", "ask", "save")}


def test_it_knows_the_same_keys_as_the_reader():
    whole = schema()
    forms = whole["definitions"]
    assert set(whole["properties"]) == set(reading.KEYS)
    assert set(forms["step"]["properties"]) == set(steps.STEP_KEYS)
    assert set(forms["story"]["properties"]) == set(stories.STORY_KEYS)
    assert set(forms["story"]["properties"]["given"]["properties"]) == set(stories.GIVEN_KEYS)
    assert set(forms["story"]["properties"]["expect"]["properties"]) == set(stories.EXPECT_KEYS)
    text = json.dumps(forms["ask"])
    for kind, form in asks.KINDS.items():
        assert (f'"required": ["{kind}"' in text) is not form.later


def test_every_key_of_a_file_and_of_a_step_says_what_it_is_for():
    whole = schema()
    for table in (whole["properties"], whole["definitions"]["step"]["properties"]):
        assert [key for key, form in table.items() if not form.get("description")] == []


def test_each_example_names_the_schema_on_its_first_line():
    for name in EXAMPLES:
        first = (ROOT / "sequences" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
        assert first == "# yaml-language-server: $schema=../sequence.schema.json"


@pytest.mark.parametrize("kind", SCHEMAS)
def test_each_schema_is_committed_as_the_code_gives_it(kind):
    assert (ROOT / f"{kind}.schema.json").read_text(encoding="utf-8") == schema_file(kind)
    Draft7Validator.check_schema(SCHEMAS[kind]())


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_example_that_an_editor_shows_is_valid(kind):
    whole = SCHEMAS[kind]()
    found = list(examples(whole))
    assert len(found) >= 4
    for form, example in found:
        validator = Draft7Validator({**form, "definitions": whole["definitions"]})
        assert [error.message for error in validator.iter_errors(example)] == []


def examples(form):
    if isinstance(form, dict):
        for example in form.get("examples", ()) if isinstance(form.get("examples"), list) else ():
            yield form, example
        for one in form.values():
            yield from examples(one)
    elif isinstance(form, list):
        for one in form:
            yield from examples(one)


def test_the_language_file_of_an_example_and_the_people_are_valid():
    for kind, path in (("language", "sequences/free-guide.de.yaml"), ("people", "people.yaml")):
        assert places(Draft7Validator(SCHEMAS[kind]()), (ROOT / path).read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("kind", "text", "place"),
    [
        ("language", "steps: {one: {subject: A, to: https://example.de}}", ("steps", "one")),
        ("language", "steps: {one: {ask: {label: [A]}}}", ("steps", "one", "ask", "label")),
        ("language", "title: A", ()),
        ("people", "attributes: {seats: numbr}", ("attributes", "seats")),
        ("people", "atributes: {seats: number}", ()),
        ("people", "tags: [Vip]", ("tags", 0)),
        ("people", "events: {started: {ends: day}}", ("events", "started", "ends")),
    ],
)
def test_a_slip_beside_a_sequence_is_found_where_it_is(kind, text, place):
    assert places(Draft7Validator(SCHEMAS[kind]()), text) == {place}
