"""The real yaml-language-server with our schemas: what a marketer sees in an editor is what `check` says."""

import re
import shutil
from pathlib import Path

import pytest
from editor import SERVER, Editor

from nurture.cli.starting import RECIPES
from nurture.engine.deploy import problems_of
from nurture.language.project import read_project
from nurture.language.schema import schema

ROOT = Path(__file__).parents[1]
SHIPPED = sorted([*(ROOT / "sequences").glob("*.yaml"), ROOT / "people.yaml"])
RECIPE_FILES = sorted(RECIPES.glob("*/**/*.yaml"))
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOCS = [
    pytest.param(text, id=f"{page.stem}-{number}")
    for page in sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    for number, text in enumerate(BLOCK.findall(page.read_text("utf-8")))
]
HEADER = "# yaml-language-server: $schema=../sequence.schema.json\n"

LADDER = f"""\
{HEADER}title: A ladder with faults
start: joined
from: Ada Bright <ada@example.com>
within: 3 days
steps:
  question:
    subject: One question
    ask:
      poll: Home or auto?
      answers: {{home: A home, auto: A car}}
    yes: {{home: tour, auto: tour}}
    no: {{after: 2 days, go: tour}}
  tour:
    subject: The tour
    ask: {{click: Show me, to: https://example.com/tour}}
    yes: offer
    no: end
  offer:
    subject: Shall we?
    ask: {{buy: review, to: https://example.com/buy, expires: 3 days}}
    no: end
"""
SLIPS = (
    ("start: joined", "start: joind", "write joined, replied, bought, manual, or a happening with a name"),
    ("<ada@example.com>", "", "write an address: Ada Bright <ada@example.com>"),
    ("within: 3 days\n", "within: 3 dayz\n", "write a length of time: 20 minutes, 36 hours, 2 days, 1 week"),
    ("answers: {home", "anwsers: {home", "write answers:"),
    ("after: 2 days", "after: 2 dys", "write a length of time"),
    ("    subject: The tour\n", "    subjekt: The tour\n", "this step has no subject"),
    ("to: https://example.com/tour", "to: the tour", "write a web address"),
    ("expires: 3 days", "expires: soon", "write a length of time"),
)
"""Something right, how it is spoiled, and what the editor says."""


@pytest.fixture(scope="module")
def editor():
    node = shutil.which("node")
    if node is None or not SERVER.exists():
        pytest.fail("Node.js or yaml-language-server is missing; .ci/npm installs them")
    opened = Editor(node)
    yield opened
    opened.close()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_an_editor_finds_no_fault_in_what_is_shipped(editor, path):
    assert path.read_text("utf-8").startswith("# yaml-language-server: $schema=")
    assert editor.faults(path) == []


@pytest.mark.parametrize("path", RECIPE_FILES, ids=lambda path: f"{path.parent.parent.name}-{path.name}")
def test_an_editor_finds_no_fault_in_a_recipe(editor, path):
    """Opened where the schemas are, as `init` puts them beside it."""
    text = path.read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=")
    assert (
        editor.faults(ROOT / "people.yaml" if path.name == "people.yaml" else ROOT / "sequences" / path.name, text)
        == []
    )


@pytest.mark.parametrize("text", DOCS)
def test_an_editor_finds_no_fault_in_the_docs(editor, text):
    kind = "people" if "steps:" not in text else "sequence" if "start:" in text else "language"
    assert (
        editor.faults(
            ROOT / "sequences" / "shown.yaml", f"# yaml-language-server: $schema=../{kind}.schema.json\n{text}"
        )
        == []
    )


def test_many_faults_are_on_the_same_lines_as_check_says(editor):
    text = LADDER
    for right, wrong, _ in SLIPS:
        assert right in text
        text = text.replace(right, wrong, 1)
    project = read_project(
        {
            "people.yaml": b"products: [review]",
            "sequences/faulty.yaml": text.encode(),
            "templates/tour.md": b"{{ ask }}",
        }
    )
    checked = {one.line for one in problems_of(project) if one.file.endswith("faulty.yaml") and one.code < "E201"}
    seen = editor.faults(ROOT / "sequences" / "faulty.yaml", text)
    # a key that is misspelt is one fault to `check`, and to an editor a missing one as well, told above it
    told_at_the_step = {9, 14}
    assert {line for line, _, _ in seen} - told_at_the_step == checked
    assert len(checked) == len(SLIPS)
    for _, _, said in SLIPS:
        assert any(said in message for _, _, message in seen), said


@pytest.mark.parametrize(("right", "wrong", "said"), SLIPS)
def test_one_slip_is_told_in_our_words_at_its_place(editor, right, wrong, said):
    text = LADDER.replace(right, wrong, 1)
    seen = editor.faults(ROOT / "sequences" / "faulty.yaml", text)
    problems = read_project({"people.yaml": b"products: [review]", "sequences/faulty.yaml": text.encode()}).problems
    assert any(said in message for _, _, message in seen)
    places = {(line, column) for line, column, _ in seen}
    assert {(one.line, one.column) for one in problems if one.code < "E201"} <= places
    assert len(seen) <= 2


def test_completion_offers_the_keys_of_a_step_and_what_they_are(editor):
    path = ROOT / "sequences" / "typed.yaml"
    offered = editor.completion(path, LADDER.replace("    subject: The tour\n", "    subject: The tour\n    »\n"))
    forms = schema()["definitions"]["step"]["properties"]
    assert set(offered) == set(forms) - {"subject", "ask", "yes", "no"}
    assert all(forms[key]["description"].rstrip(".") in said for key, said in offered.items())


def test_completion_offers_the_kinds_of_ask_and_their_keys(editor):
    path = ROOT / "sequences" / "typed.yaml"
    empty = LADDER.replace("    ask: {click: Show me, to: https://example.com/tour}", "    ask:\n      »")
    offered = editor.completion(path, empty)
    assert set(offered) >= {"click", "poll", "download", "event", "buy"}
    assert "A click by a person" in offered["click"]
    offer = LADDER.replace("    ask: {buy: review, to: https", "    ask:\n      buy: review\n      »\n").replace(
        "://example.com/buy, expires: 3 days}\n", ""
    )
    assert {"to", "price", "code", "expires", "label"} <= set(editor.completion(path, offer))


@pytest.mark.parametrize(
    ("header", "text", "offers"),
    [
        ("sequence", "start: »", {"joined"}),
        ("sequence", "steps:\n  one:\n    principle: »", {"consistency", "reciprocity"}),
        ("sequence", "»", {"title", "start", "goal", "from", "steps", "tests"}),
        ("language", "steps:\n  one:\n    »", {"subject", "preheader", "ask"}),
        ("language", "steps:\n  one:\n    ask:\n      »", {"click", "poll", "answers", "label"}),
        ("people", "»", {"attributes", "events", "products", "tags"}),
        ("people", "attributes:\n  seats: »", {"text", "number", "date"}),
    ],
)
def test_completion_in_every_kind_of_file(editor, header, text, offers):
    typed = f"# yaml-language-server: $schema=../{header}.schema.json\n{text}\n"
    assert set(editor.completion(ROOT / "sequences" / "typed.yaml", typed)) >= offers


@pytest.mark.parametrize(
    ("right", "said"),
    [
        ("wit»hin: 3 days", "How long silence is before it is a no"),
        ("exp»ires: 3 days", "The deadline of the offer"),
        ("cli»ck: Show me", "A click by a person"),
        ("n»o: end", "Where silence leads"),
    ],
)
def test_hovering_says_what_a_key_is_for(editor, right, said):
    text = LADDER.replace(right.replace("»", ""), right, 1)
    assert said in editor.hover(ROOT / "sequences" / "typed.yaml", text)
