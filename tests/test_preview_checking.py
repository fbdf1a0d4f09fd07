"""A save is checked for what it touched, and the faults are those of a project that is read for the first time."""

from nurture.engine.deploy import problems_of
from nurture.language.project import read_project
from nurture.web.preview.checking import Checking

TWO = {
    "people.yaml": b"attributes: {loan: text}",
    "sequences/one.yaml": b"""\
start: manual
from: ada@example.com
within: 1 day
steps:
  ask: {subject: Hello, template: ask.md, ask: {poll: Tea?, answers: {tea: Tea, milk: Milk}}, no: end}
""",
    "sequences/two.yaml": b"""\
start: manual
from: ada@example.com
within: 1 day
steps:
  read: {subject: Hello, template: read.md, ask: {click: Read, to: "https://example.com"}, no: end}
""",
    "templates/one/ask.md": b"{{ ask }}",
    "templates/two/read.md": b"{{ loan }}\n\n{{ count('one.ask', 'tea') or 'some' }} {{ ask }}",
    "templates/part.md": b"Hello",
}


def test_what_a_save_does_not_touch_keeps_its_faults_and_no_other():
    """Faults that are elsewhere than the save: words of another sequence, what is known of people, a shared template."""
    checking, files = Checking(), dict(TWO)
    for path, old, new in (
        ("people.yaml", b"loan", b"lend"),
        ("people.yaml", b"lend", b"loan"),
        ("sequences/one.yaml", b"tea: Tea", b"coffee: Coffee"),
        ("templates/one/ask.md", b"{{ ask }}", b"{% include 'part.md' %} {{ ask }}"),
        ("templates/part.md", b"Hello", b"{{ nothing }}"),
        ("templates/two/read.md", b"{{ ask }}", b""),
    ):
        assert old in files[path]
        before, files[path] = checking.problems(read_project(files)), files[path].replace(old, new)
        found = checking.problems(read_project(files))
        assert found == tuple(problems_of(read_project(files))), path
        assert found != before or b"include" in new, path
