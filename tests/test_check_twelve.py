"""Twelve different faults in one project: twelve reports, each at its line and column, and no false one."""

import json
import re
from pathlib import Path

from nurture.cli.main import run
from nurture.cli.writing import MANY_SEQUENCES
from nurture.engine.deploy import problems_of
from nurture.language.project import read_project

PEOPLE = "attributes: {first_name: text}\nproducts: [course]\n"
# In each file, »CODE« stands before the spot that its fault is at.
FILES = {
    "people.yaml": PEOPLE,
    "sequences/plan.yaml": """\
»E101«titel: Twelve faults
start: joined
goal: {bought: »E205«corse}
from: Ada Bright <ada@example.com>
within: »E103«3 dais

steps:
  question:
    subject: One question
    »E104«subject: Another question
    ask: {poll: Which one?, answers: {home: A home loan, auto: An auto loan}}
    yes: »E204«{home: tour}
    no: »E201«tuor

  tour:
    subject: See how it works, »E308«{{ first_name }}
    ask: {click: Show me, to: https://example.com/tour}
    yes: »E202«question
    no: guide

  guide:
    subject: A guide
    ask: {click: Yes, »E106«please, to: https://example.com/guide}
    yes: end
    no: end
""",
    "templates/question.md": "Hello,\n\n{{ ask }}\n\nOr read [our blog](»E304«https://example.com/blog).\n",
    "templates/tour.md": 'Hello,\n\nyou said “{{ »E305«said("tour") }}”.\n\n{{ ask }}\n',
    "templates/guide.md": "Hello {{ »E302«frist_name }}.\n\n{{ ask }}\n",
}
SPOT = re.compile(r"»(\w{4})«(\{\{ )?")


def spots(path, text):
    """The text without its marks, and where they stood."""
    found = []
    while (match := SPOT.search(text)) is not None:
        before = text[: match.start()] + (match[2] or "")
        found.append((path, before.count("\n") + 1, len(before) - before.rfind("\n"), match[1]))
        text = before + text[match.end() :]
    return text, found


def test_twelve_faults_are_twelve_reports_at_their_spots(tmp_path, capfd):
    wanted = []
    for path, marked in FILES.items():
        text, found = spots(path, marked)
        wanted += found
        Path(tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    assert len(wanted) == len({code for *_, code in wanted}) == 12
    assert run(["-C", str(tmp_path), "check"]) == 1
    out, err = capfd.readouterr()
    reports = re.findall(r"^(\S+?):(\d+):(\d+) error .* \[(\w+)\]$", out, re.MULTILINE)
    assert [(path, int(line), int(column), code) for path, line, column, code in reports] == sorted(wanted)
    assert err.endswith("12 errors, 0 warnings.\n")
    told = ", ".join(code for *_, code in sorted(wanted))
    assert out.splitlines()[-1] == f"`nurture help CODE` explains each: {told}."


def test_a_caret_stands_under_the_whole_of_what_is_meant(tmp_path, capfd):
    for path, marked in FILES.items():
        Path(tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(spots(path, marked)[0], encoding="utf-8")
    run(["-C", str(tmp_path), "check"])
    lines = capfd.readouterr().out.splitlines()
    for number, line in enumerate(lines):
        if "no step 'tuor'" in line:
            assert lines[number + 2] == "  13 |     no: tuor"
            assert lines[number + 3] == "     |         ^^^^"


def test_many_sequences_are_checked_by_several_processes_with_the_same_findings(tmp_path, capfd):
    ladder = (
        "title: One\nstart: manual\nfrom: Ada <ada@example.com>\nwithin: 1 day\nsteps:\n  ask:\n    subject: Hello\n"
        "    template: {}\n    ask: {{click: Show me, to: https://example.com/a}}\n    yes: end\n    no: end\n"
    )
    files = {"templates/good.md": "{{ ask }}\n", "templates/bad.md": "[Two](https://example.com/b)\n\n{{ ask }}\n"}
    for number in range(MANY_SEQUENCES + 1):
        files[f"sequences/s{number:03}.yaml"] = ladder.format("bad.md" if number in (3, 77) else "good.md")
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert run(["-C", str(tmp_path), "check", "--format", "json"]) == 1
    found = json.loads(capfd.readouterr().out)["problems"]
    assert [(one["file"], one["code"]) for one in found] == [("templates/bad.md", "E304")]
    encoded = {name: text.encode() for name, text in files.items()}
    assert [one.code for one in problems_of(read_project(encoded))] == ["E304"]
