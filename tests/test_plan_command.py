"""`nurture plan` and `nurture apply` as their user meets them: what they print, how they leave, what they ask."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from stage import BODY, PEOPLE, Stage
from waiting import until

from nurture.cli.main import run
from nurture.store.database import open_store

HEAD = "start: manual\nfrom: Ada <ada@example.com>\nwithin: 2 days\nsteps:\n"


def step(name, no, within="2 days", subject=""):
    ask = f"{{click: Look, to: https://example.com/{name}}}"
    return (
        f"  {name}:\n    subject: {subject or name}\n    template: body.md\n    ask: {ask}\n    within: {within}\n"
        f"    yes: end\n    no: {no}\n"
    )


BEFORE = HEAD + step("hello", "{after: 4 days, go: tips}") + step("tips", "tour") + step("tour", "end")
NEW = HEAD + step("hello", "{after: 2 hours, go: extra}", "1 hour") + step("extra", "tour") + step("tour", "end")
RULES = "changes:\n  tips: {go: tour}\n  hello: {waiting: retime}\n"

TEXT = """\
ladder  6 people inside

  ~ hello  gives 1 hour to answer, was 2 days
           its no leads to extra, was tips
      2 waiting for it  keep the time they were given; hello: {waiting: retime} counts it again
                        get it as it is now
      1 asked by it     keep the time they were given; hello: {waiting: retime} counts it again
                        go the new ways from here
      3 past it         nothing changes

  + extra  is new
      3 before it       may come to it
      3 past it         never get it

  - tips  is gone
      3 before it       never get it
      2 waiting for it  nobody says where they go
      1 asked by it     nobody says where they go

refused ladder: 'tips' is gone, and 3 people are there; say where they go

Write in sequences/ladder.yaml:

    changes:
      tips: {go: tour}
"""

MARKDOWN = """\
### What this edit does to the people inside

**ladder**: 6 people inside

| step | change | before | waiting | asked | past | what becomes of them |
|---|---|--:|--:|--:|--:|---|
| `hello` | gives 1 hour to answer, was 2 days; its no leads to extra, was tips | 0 | 2 | 1 | 3 | waiting: their time is counted again, and stays; \
get it as it is now<br>asked: their time is counted again: 1 sooner; go the new ways from here<br>past: nothing changes |
| `extra` | is new | 3 | 0 | 0 | 3 | before: may come to it<br>past: never get it |
| `tips` | is gone | 3 | 2 | 1 | 0 | before: never get it<br>waiting: wait for tour instead<br>asked: go to tour when their time to answer is over |

- ladder: 1 person at hello gets another time
- ladder: 3 people go from tips to tour
- Mails this causes: 0 now, 1 more within a day.
"""


@pytest.fixture(scope="module")
def inside(tmp_path_factory):
    """A project with six people in it: one asked and two waiting at each of two steps. With the moment it is at."""
    folder = tmp_path_factory.mktemp("inside") / "list"
    for name, body in (
        ("people.yaml", PEOPLE), ("templates/body.md", BODY), ("sequences/ladder.yaml", BEFORE.encode()),
    ):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    (folder / "nurture.toml").write_text('postal_address = "1 Example Street"\n')
    store = open_store(f"sqlite:///{folder}/nurture.db")
    stage = Stage(store, {"ladder": BEFORE})
    for days, names in ((6, "a"), (5, "bc"), (0, "d")):
        for name in names:
            stage.subscribe(f"{name}@example.com", sequence="ladder")
        stage.work()
        stage.after(days=1 if days == 6 else days)
    stage.after(minutes=30)
    for name in "ef":
        stage.subscribe(f"{name}@example.com", sequence="ladder")
    stage.close()
    store.close()
    return folder, stage.now


@pytest.fixture
def project(inside, tmp_path):
    return shutil.copytree(inside[0], tmp_path / "list")


@pytest.fixture
def nurture(project, inside, capfd):
    def command(*words):
        code = run(["-C", str(project), *words, "--now", inside[1].isoformat()])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return command


def edit(project, text):
    (project / "sequences/ladder.yaml").write_text(text)


def test_the_text_shows_every_group_and_what_to_write(nurture, project):
    edit(project, NEW)
    assert nurture("plan") == (1, TEXT, "")


def test_the_markdown_is_a_comment_for_a_pull_request(nurture, project):
    edit(project, NEW + RULES)
    assert nurture("plan", "--markdown") == (0, MARKDOWN, "")
    edit(project, NEW)
    _, out, _ = nurture("plan", "--markdown")
    assert out.endswith("```yaml\nchanges:\n  tips: {go: tour}\n```\n")


def test_the_document_has_the_same_counts(nurture, project):
    edit(project, NEW + RULES)
    code, out, _ = nurture("plan", "--json")
    plan = json.loads(out)
    assert (code, plan["format"], plan["deployed"], plan["mails"]) == (
        0, "nurture.plan/1", 1, {"now": 0, "within_a_day": 1},
    )  # fmt: skip
    tips = plan["sequences"][0]["steps"][-1]
    assert (tips["was"], tips["people"]) == ("tips", {"before": 3, "waiting": 2, "asked": 1, "past": 0})
    assert tips["becomes"]["waiting"] == ["wait for tour instead"]
    assert {"sequence": "ladder", "from": "tips", "to": "tour", "what": "moved", "people": 3} in plan["moves"]


def test_detailed_exit_codes_tell_nothing_faults_and_work_apart(nurture, project):
    assert nurture("plan", "--detailed-exitcode")[0] == 0
    edit(project, NEW)
    assert nurture("plan", "--detailed-exitcode")[0] == 1
    edit(project, NEW + RULES)
    assert nurture("plan", "--detailed-exitcode")[0] == 2
    assert nurture("plan")[0] == 0
    edit(project, NEW.replace("yes: end", "yes: nowhere"))
    assert nurture("plan", "--detailed-exitcode")[0] == 1


def test_an_apply_does_what_the_plan_said_and_then_warns_of_rules_that_are_done(nurture, project):
    edit(project, NEW + RULES)
    code, out, err = nurture("apply", "--yes")
    assert (code, err) == (0, "Version 2 runs; 4 people moved or retimed.\n")
    assert "Mails this causes: 0 now, 1 more within a day." in out
    code, out, err = nurture("plan", "--detailed-exitcode")
    assert (code, out) == (0, "Nothing to do: the files say what runs.\n")
    assert err.count("[W410]") == 2


def test_a_plan_that_is_stale_is_refused_in_words(nurture, project, tmp_path):
    edit(project, NEW + RULES)
    kept = str(tmp_path / "plan.json")
    assert nurture("plan", "--out", kept)[0] == 0
    edit(project, (NEW + RULES).replace("2 hours", "3 hours"))
    code, _, err = nurture("apply", kept)
    assert (code, "files are not those that the plan was made from" in err) == (1, True)
    assert nurture("apply", "--yes")[0] == 0
    code, _, err = nurture("apply", kept)
    assert (code, "made over version 1, and version 2 runs now" in err) == (1, True)


def test_what_is_no_plan_is_said_so(nurture, project, tmp_path):
    for text in ("", "[]", "{}", '{"format": "nurture.check/1"}', '"nurture.plan/1"'):
        (tmp_path / "plan.json").write_text(text)
        code, _, err = nurture("apply", str(tmp_path / "plan.json"))
        assert (code, "is no plan" in err) == (2, True)
    code, _, err = nurture("plan", "--out", str(tmp_path / "nowhere/plan.json"))
    assert (code, err.count("\n")) == (2, 1)


def test_without_a_terminal_nothing_is_applied_unless_it_is_said(nurture, project):
    edit(project, NEW + RULES)
    code, _, err = asked(project, [], nurture)
    assert (code, "say it with --yes" in err) == (2, True)
    assert nurture("plan", "--detailed-exitcode")[0] == 2


def asked(project, words, nurture):
    done = subprocess.run(
        [sys.executable, "-m", "nurture", "-C", str(project), "apply", *words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 1), (None, 130)])
def test_a_no_or_an_interrupted_answer_changes_nothing(nurture, project, answer, code):
    edit(project, NEW + RULES)
    mine, theirs = pty.openpty()
    command = [sys.executable, "-m", "nurture", "-C", str(project), "apply"]
    said = (project / "said").open("w+")
    process = subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.DEVNULL, stderr=said,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - tests in the background ignore it
    )  # fmt: skip
    try:
        until(lambda: "Apply this?" in (project / "said").read_text(), "it did not ask")
        os.write(mine, answer) if answer else process.send_signal(signal.SIGINT)
        assert process.wait(30) == code
    finally:
        process.kill()
        process.wait()
        for end in (mine, theirs):
            os.close(end)
        said.close()
    assert "Traceback" not in (project / "said").read_text()
    assert nurture("plan", "--detailed-exitcode")[0] == 2


def test_a_mail_that_time_alone_would_have_brought_is_not_counted(project, inside, capfd):
    edit(project, NEW + RULES)
    late = (inside[1] + timedelta(days=8)).isoformat()
    assert run(["-C", str(project), "plan", "--json", "--now", late]) == 0
    assert json.loads(capfd.readouterr().out)["mails"] == {"now": 0, "within_a_day": 0}


def test_check_warns_of_rules_that_are_done_where_the_database_can_say_so(nurture, project, capfd):
    def warned():
        assert run(["-C", str(project), "check", "--format", "json"]) == 0
        return [one["code"] for one in json.loads(capfd.readouterr().out)["problems"] if one["code"] == "W410"]

    edit(project, NEW + RULES)
    assert warned() == []
    assert nurture("apply", "--yes")[0] == 0
    assert warned() == ["W410", "W410"]
    for path in project.glob("nurture.db*"):
        path.unlink()
    assert warned() == []
    assert not (project / "nurture.db").exists()
    (project / "nurture.db").write_text("this is no database")
    assert warned() == []


def test_the_history_says_who_why_and_what_it_did(nurture, project, capfd):
    edit(project, NEW + RULES)
    assert nurture("apply", "--yes", "--because", "a shorter ladder")[0] == 0
    assert run(["-C", str(project), "deploys"]) == 0
    first, why, *did = capfd.readouterr().out.splitlines()[:4]
    assert first.startswith("   2  ")
    assert (why.strip(), did[-1].strip()) == ("a shorter ladder", "ladder: 3 people go from tips to tour")
    assert run(["-C", str(project), "deploys", "--json", "--limit", "1"]) == 0
    (latest,) = json.loads(capfd.readouterr().out)["deploys"]
    assert (latest["version"], latest["why"], latest["mails"]["within_a_day"]) == (2, "a shorter ladder", 1)
