"""What the docs say is true: every ladder in them passes, every command runs, every setting exists."""

import re
from pathlib import Path

import pytest
import typer.main
import yaml
from told import Reader

from nurture.cli.main import app
from nurture.engine.deploy import problems_of
from nurture.language.people import read_people
from nurture.language.project import read_project
from nurture.language.reference import reference
from nurture.providers import PROVIDERS
from nurture.providers.table import table
from nurture.rehearsal.stories import tell
from nurture.settings import PREFIX, ListenerSettings, ProviderSettings, Settings, ShopSettings

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
TUTORIAL = ROOT / "docs" / "tutorial.md"
TOLD = sorted((ROOT / "docs" / "how-to").glob("*.md"))
"""Pages that are done from top to bottom, in one folder: their files written, their commands run."""

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(kind):
    return [
        pytest.param(text, id=f"{page.name}-{number}")
        for page in PAGES
        if page != TUTORIAL and not (kind == "sh" and page in TOLD)
        for number, (found, text) in enumerate(BLOCK.findall(page.read_text()))
        if found == kind
    ]


def sequences():
    """Every YAML block that is a sequence, each with the words in another language that stand right below it."""
    for page in PAGES:
        if page == TUTORIAL:  # its files are checked by its own commands
            continue
        shown = [text for kind, text in BLOCK.findall(page.read_text()) if kind == "yaml"]
        for number, text in enumerate(shown):
            if "steps:" in text and "start:" in text:
                below = shown[number + 1 : number + 2]
                words = below[0] if below and "steps:" in below[0] and "start:" not in below[0] else None
                yield pytest.param(text, words, id=f"{page.name}-{number}")


@pytest.mark.parametrize(("text", "words"), list(sequences()))
def test_every_ladder_in_the_docs_passes_check_and_its_stories(text, words):
    files = {
        # its form begins a ladder that does not stand beside the one shown
        "people.yaml": (ROOT / "people.yaml").read_bytes().replace(b"    start: challenge\n", b""),
        "sequences/shown.yaml": text.encode(),
        "files/checklist.pdf": b"",
    }
    steps = read_project(files).sequences["shown"].steps
    files |= {f"templates/shown/{step}.md": b"Hello.\n\n{{ ask }}\n" for step in steps}
    if words is not None:
        files["sequences/shown.de.yaml"] = words.encode()
        files |= {f"templates/shown/{step}.de.md": b"Guten Tag.\n\n{{ ask }}\n" for step in steps}
    project = read_project(files)
    assert [str(problem) for problem in problems_of(project) if problem.severity == "error"] == []
    assert [story.differences for story in tell(project.sequences["shown"]) if story.differences] == []


def test_every_yaml_block_in_the_docs_is_one_that_is_tested():
    whole = [param.values for param in sequences()]
    tested = {text for pair in whole for text in pair if text is not None}
    for param in blocks("yaml"):
        (text,) = param.values
        assert text in tested or read_people(text).problems == (), text


def test_the_language_reference_is_what_the_code_gives():
    assert (ROOT / "docs" / "language.md").read_text("utf-8") == reference()


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """Somebody with a new project and one person in it. All pages share it."""
    reader = Reader(tmp_path_factory.mktemp("docs"))
    for line in ("nurture init project", "cd project", "nurture subscribe ann@example.com"):
        reader.do(line)
    return reader


@pytest.mark.parametrize("text", blocks("sh"))
def test_every_command_in_the_docs_runs(text, reader, tmp_path):
    if "nurture init" in text:
        reader = Reader(tmp_path)
    for line in text.splitlines():
        if line.startswith(("nurture", "cd ", "export NURTURE_")):
            reader.do(line)


@pytest.mark.parametrize("page", TOLD, ids=lambda page: page.stem)
def test_every_how_to_can_be_done(page, reader):
    reader.read(page.read_text())


def test_the_tutorial_can_be_done_from_top_to_bottom(tmp_path):
    Reader(tmp_path).read(TUTORIAL.read_text())


def test_every_page_is_on_the_map():
    linked = set(re.findall(r"\]\(([\w/-]+\.md)\)", (ROOT / "docs/README.md").read_text()))
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert pages - linked == {"README.md"}


@pytest.mark.parametrize("page", [*PAGES, *(ROOT / "deploy").iterdir()], ids=lambda page: page.name)
def test_every_setting_and_command_that_is_named_exists(page):
    text = page.read_text()
    for name in re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", text):
        first, *nested = name.removeprefix(PREFIX).lower().split("__")
        assert first in Settings.model_fields, name
        inner = {"listeners": ListenerSettings, "codes": ShopSettings}.get(first, ProviderSettings)
        assert not nested or nested[-1] in inner.model_fields, name
    commands = typer.main.get_command(app).commands
    for name in re.findall(r"`nurture ([a-z]+)", text):
        assert name in commands, name


def test_every_provider_has_its_line_and_its_paragraph():
    text = (ROOT / "docs/providers.md").read_text()
    assert table() in text, "docs/providers.md is old: put what `python -m nurture.providers.table` prints into it"
    assert sorted(re.findall(r"^## (\w+)$", text, re.MULTILINE)) == sorted(PROVIDERS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_linked_is_there(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_picture_is_taken_by_the_script_and_shown_and_the_demo_comes_first():
    taken = set(re.findall(r'"(\w+\.png)"', (ROOT / "docs" / "screenshots.py").read_text()))
    shown = {Path(path).name for page in PAGES for path in re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text())}
    assert {file.name for file in (ROOT / "docs").rglob("*.png")} == taken == shown
    assert re.search(r"!\[[^]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())[1] == "docs/demo.png"


def test_every_test_that_the_promises_name_is_there():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/delivery.md").read_text()))
    known = {
        name
        for path in ROOT.glob("tests/test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert named
    assert named <= known, named - known


def test_the_containers_run_commands_that_exist():
    services = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    known = typer.main.get_command(app).commands
    assert {name: service["command"][:3] for name, service in services.items() if name != "database"} == {
        "web": ["run", "--only", "web"], "clock": ["run", "--only", "clock"], "worker": ["worker"],
    }  # fmt: skip
    assert {"run", "worker"} <= set(known)
    assert "/nurture run --only %i" in (ROOT / "deploy/nurture@.service").read_text()
