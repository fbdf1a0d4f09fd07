"""The table of codes: each wrong example has exactly that fault, each right one has none, and both can be read."""

import re
from pathlib import Path

import pytest

from nurture.cli.explaining import page
from nurture.cli.main import run
from nurture.engine.deploy import problems_of
from nurture.engine.planning import finished
from nurture.language.codes import CODES
from nurture.language.project import read_project

ROOT = Path(__file__).parent.parent
SOURCES = [path.read_text() for path in (ROOT / "nurture").rglob("*.py") if path.name != "codes.py"]
USED = {code for source in SOURCES for code in re.findall(r'"([EW]\d{3})"', source)}


def codes_in(example, *, deployed=False):
    project = read_project({path: text.encode() for path, text in example.files.items()})
    found = [*problems_of(project), *(finished(project, project) if deployed else ())]
    return [problem.code for problem in found]


@pytest.mark.parametrize("code", CODES)
def test_the_wrong_example_of_a_code_has_that_fault_and_no_other(code):
    assert codes_in(CODES[code].wrong, deployed=CODES[code].once_deployed) == [code]


@pytest.mark.parametrize("code", CODES)
def test_the_right_example_of_a_code_has_no_fault(code):
    assert codes_in(CODES[code].right, deployed=True) == []


@pytest.mark.parametrize("code", CODES)
def test_what_is_shown_of_an_example_is_what_is_checked(code):
    for example in (CODES[code].wrong, CODES[code].right):
        for line in example.shown.splitlines():
            assert line.removesuffix(" …").removesuffix("…") in example.files[example.path]


def test_every_code_that_the_program_uses_is_in_the_table():
    assert CODES.keys() == USED


@pytest.mark.parametrize("code", ["E304", "e304"])
def test_help_explains_a_code(code, capfd):
    assert run(["help", code]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert out.startswith("E304  a second ask competes with the one\n")
    assert "Wrong:  templates/tour.md\n" in out
    assert "    Or read [our blog](https://example.com/blog).\n" in out
    assert "Right:" in out


def test_help_without_a_code_lists_all_of_them_a_line_each(capfd):
    assert run(["help"]) == 0
    out, _ = capfd.readouterr()
    assert [line[:4] for line in out.splitlines()] == list(CODES)


def test_help_for_what_is_no_code_is_one_line(capfd):
    assert run(["help", "X304"]) == 2
    assert capfd.readouterr() == ("", "nurture: there is no code 'X304', did you mean 'E304'?\n")
    assert run(["help", "nothing"]) == 2
    assert capfd.readouterr() == ("", "nurture: there is no code 'nothing'; `nurture help` lists them all\n")


def test_the_page_of_errors_in_the_docs_is_current():
    assert (ROOT / "docs/errors.md").read_text() == page(), "run: nurture help --markdown > docs/errors.md"
