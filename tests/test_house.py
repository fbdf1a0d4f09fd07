"""The house keeps its shape: files one can read in one sitting, rooms with names, nothing of one machine."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
CODE = sorted(path for path in (ROOT / "nurture").rglob("*.py") if "versions" not in path.parts)
FORBIDDEN_NAMES = {"utils", "helpers", "common", "services", "models", "schemas", "misc", "core", "base_classes"}


def test_no_file_is_longer_than_one_sitting():
    for path in (*CODE, *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")):
        assert len(path.read_text().splitlines()) <= 450, path


def test_rooms_and_files_are_named_for_what_they_do():
    for path in CODE:
        assert path.stem not in FORBIDDEN_NAMES, path
        assert not FORBIDDEN_NAMES & set(path.relative_to(ROOT).parts[:-1]), path


def test_every_file_says_in_its_first_line_what_it_is():
    for path in CODE:
        text = path.read_text()
        assert not text or text.startswith('"""'), path


def test_no_test_replaces_what_it_tests_or_waits_by_the_clock():
    for path in (ROOT / "tests").rglob("*.py"):
        if path.name != "test_house.py":
            found = re.findall(
                r"unittest\.mock|monkeypatch|time\.sleep|asyncio\.sleep|mark\.skip|pytest\.skip", path.read_text()
            )
            assert not found, path


def test_the_recipes_and_pages_are_part_of_the_package():
    assert (ROOT / "nurture/cli/recipes/welcome/sequences/welcome.yaml").is_file()
    assert (ROOT / "nurture/web/pages/base.html").is_file()
    assert (ROOT / "nurture/mail/layout/layout.html").is_file()
