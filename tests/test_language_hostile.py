"""Files made to harm, and files saved wrongly: each ends in problems, never in an exception."""

import pytest

from nurture.language.people import read_people
from nurture.language.project import read_project
from nurture.language.reading import read
from nurture.language.sequence import People

GOOD = b"""\
start: joined
from: Ada <ada@example.com>
within: 1 day
steps:
  hello:
    subject: Hello
    ask: {click: Come and see, to: https://a.example/x}
    no: end
"""
LAUGHS = (
    b"a: &a [x, x, x, x, x, x, x, x, x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (sign, sign, b", ".join([b"*%c" % (sign - 1)] * 9)) for sign in b"bcdefghij")
)  # fmt: skip
HOSTILE = {
    "an alias bomb": LAUGHS,
    "an alias bomb below a good page": GOOD + LAUGHS,
    "an alias bomb among the stories": GOOD + b"tests:\n" + b"".join(b"  - " + line + b"\n" for line in LAUGHS.splitlines()),
    "an alias bomb as a list": b"- &a [x, x]\n" + b"".join(
        b"- &%c [*%c, *%c]\n" % (sign, sign - 1, sign - 1) for sign in b"bcdefghijklmnopqrstuvwxyz"
    ),
    "an alias bomb of mappings": b"a: &a {x: 1, y: 2}\n" + b"".join(
        b"%c: &%c {x: *%c, y: *%c}\n" % (sign, sign, sign - 1, sign - 1) for sign in b"bcdefghijklmnop"
    ),
    "an anchor in itself": b"steps: &a {one: *a}\n",
    "an anchor never named": b"steps: *nowhere\n",
    "a hundred deep": b"steps: " + b"[" * 100 + b"]" * 100,
    "deep in flow": b"steps: " + b"[" * 100_000,
    "deep in flow and closed": b"steps: " + b"[" * 50_000 + b"]" * 50_000,
    "deep in mappings": b"{a: " * 50_000,
    "deep in block": b"".join(b" " * depth + b"a:\n" for depth in range(1_200)),
    "deep in dashes": b"- " * 100_000 + b"x",
    "many keys": b"".join(b"k%d: 1\n" % number for number in range(50_000)),
    "the same key again": b"start: joined\n" * 30_000,
    "a NUL": GOOD.replace(b"Hello\n", b"Hel\x00lo\n"),
    "an escape character": GOOD.replace(b"Hello\n", b"Hel\x1blo\n"),
    "UTF-16": GOOD.decode().encode("utf-16"),
    "UTF-16 without its mark": GOOD.decode().encode("utf-16-le"),
    "UTF-16 the other way": GOOD.decode().encode("utf-16-be"),
    "UTF-32": GOOD.decode().encode("utf-32"),
    "Latin-1": GOOD.replace(b"Hello\n", "Grüße\n".encode("latin-1")),
    "half a character": GOOD + "# ü".encode()[:-1],
    "a lone surrogate": GOOD + b"# \xed\xa0\x80\n",
    "nothing": b"",
    "spaces": b"  \n \n",
    "a comment": b"# nothing here\n",
    "a mark alone": b"\xef\xbb\xbf",
    "a list at top": b"- start: joined\n- steps: []\n",
    "a word at top": b"joined\n",
    "null at top": b"~\n",
    "tabs": GOOD.replace(b"    subject", b"\tsubject"),
    "a tab before a key": b"start: joined\n\tfrom: me\n",
    "two documents": GOOD + b"---\n" + GOOD,
    "a Python tag": b"start: !!python/object/apply:os.system ['true']\n",
    "a binary tag": b"start: !!binary aGVsbG8=\n",
    "a merge key": GOOD + b"<<: {stop: replied}\n",
    "a key that is a mapping": GOOD + b"? {a: b}\n: c\n",
    "a key that is a list": GOOD + b"? [a, b]\n: c\n",
    "a null key": GOOD + b"~: c\n",
    "an empty key": GOOD + b"'': c\n",
    "a directive": b"%YAML 3.0\n---\nstart: joined\n",
    "a picture": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "a zip": b"PK\x03\x04\x14\x00\x00\x00\x08\x00",
    "steps as a list": GOOD.replace(b"  hello:\n    subject", b"  - subject"),
    "steps without steps": b"start: joined\nfrom: a@b.example\nsteps: {}\n",
    "a number of 100,000 digits": GOOD.replace(b"1 day", b"9" * 100_000),
    "a name of 100,000 letters": GOOD.replace(b"click", b"c" * 100_000),
    "a condition of 100,000 letters": GOOD + b"    yes: [{if: " + b"kept or " * 12_500 + b"kept, go: end}, {go: end}]\n",
    "nested parentheses": GOOD + b"    yes: [{if: " + b"(" * 10_000 + b", go: end}, {go: end}]\n",
}  # fmt: skip


def check_refused(problems):
    assert any(problem.severity == "error" for problem in problems)
    for problem in problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.width >= 1
        assert str(problem).isprintable()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_ends_in_problems(text):
    check_refused(read(text, "sequences/hostile.yaml", People()).problems)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_does_no_harm_as_people_yaml(text):
    people, problems = read_people(text)
    assert people == People() or problems
    assert all(str(problem).isprintable() for problem in problems)


def test_the_good_one_is_good():
    sequence, problems = read(GOOD, "sequences/good.yaml", People())
    assert problems == ()
    assert list(sequence.steps) == ["hello"]


def test_fifty_megabytes_are_refused_before_they_are_parsed():
    reading = read(GOOD + b"# " + b"x" * 50_000_000, "sequences/large.yaml", People())
    (problem,) = reading.problems
    assert (problem.code, problem.line, problem.column) == ("E105", 1, 1)
    assert "larger than 1 MB" in problem.message
    assert reading.sequence is None


def test_ten_thousand_steps_are_too_many_for_one_page():
    step = b"  s%d:\n    subject: Hello\n    ask: {click: Come, to: https://a.example/x}\n    no: next\n"
    text = GOOD.partition(b"steps:")[0] + b"steps:\n" + b"".join(step % number for number in range(10_000))
    (problem,) = read(text, "sequences/long.yaml", People()).problems
    assert problem.code == "E105"
    assert "more than 20,000 values; make several sequences of it" in problem.message


def test_a_thousand_steps_are_a_page():
    step = b"  s%d:\n    subject: Hello\n    ask: {click: Come, to: https://a.example/x}\n    yes: next\n    no: next\n"
    text = GOOD.partition(b"steps:")[0] + b"steps:\n" + b"".join(step % number for number in range(1_000))
    sequence, problems = read(text, "sequences/long.yaml", People())
    assert problems == ()
    assert len(sequence.steps) == 1_000


def test_what_aliases_unfold_to_is_counted():
    text = GOOD + b"tests: [%s]\n"
    story = b"&a {name: x, expect: {path: [%s]}}" % b", ".join([b"hello"] * 500)
    (problem,) = read(text % b", ".join([story, *[b"*a"] * 100]), "sequences/alias.yaml", People()).problems
    assert problem.code == "E105"
    assert "more than 20,000 values" in problem.message


@pytest.mark.parametrize(
    ("name", "line", "column", "piece"),
    [
        ("a NUL", 6, 17, "U+0000"),
        ("an escape character", 6, 17, "U+001B"),
        ("UTF-16", 1, 1, "UTF-16; save it as UTF-8"),
        ("UTF-16 without its mark", 1, 1, "UTF-16; save it as UTF-8"),
        ("UTF-16 the other way", 1, 1, "UTF-16; save it as UTF-8"),
        ("Latin-1", 6, 16, "not UTF-8; save it as UTF-8"),
        ("tabs", 6, 1, "indent with spaces, not tabs"),
        ("a list at top", 1, 1, "begins with its keys"),
        ("two documents", 9, 1, "a file holds one thing"),
        ("nothing", 1, 1, "this file is empty"),
        ("a tab before a key", 2, 1, "indent with spaces, not tabs"),
        ("a hundred deep", 1, 37, "nested more than 30 deep"),
        ("steps without steps", 3, 8, "steps is empty"),
    ],
)
def test_a_file_saved_wrongly_says_so_where_it_is(name, line, column, piece):
    problems = read(HOSTILE[name], "sequences/hostile.yaml", People()).problems
    assert [(problem.line, problem.column) for problem in problems] == [(line, column)]
    assert piece in problems[0].message


@pytest.mark.parametrize(
    "path", ["sequences/Home Loan.yaml", "sequences/a/b.yaml", "sequences/home.yml", "sequences/.yaml", "sequences/a.de.yaml",
             "sequences/\x00.yaml", "sequences/-a.yaml"],
)  # fmt: skip
def test_a_file_with_a_name_that_is_none_is_a_problem(path):
    project = read_project({path: GOOD})
    assert [(problem.code, problem.line, problem.column) for problem in project.problems] == [("E103", 1, 1)]
    assert not project.sequences


def test_every_hostile_file_at_once_leaves_the_good_sequence_as_it_is():
    files = {f"sequences/h{number}.yaml": text for number, text in enumerate(HOSTILE.values())}
    project = read_project({**files, "sequences/good.yaml": GOOD, "templates/x.md": b"\xff", "people.yaml": LAUGHS})
    wrong = {problem.file for problem in project.problems if problem.severity == "error"}
    assert wrong == {*files, "templates/x.md", "people.yaml"}
    assert project.sequences["good"].steps["hello"].ask.to == "https://a.example/x"
