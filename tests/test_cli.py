"""The command line: the contract's words and shapes, and one line for every mistake."""

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nurture import __version__
from nurture.cli.main import PANELS, app, run
from nurture.engine.deploy import Current
from nurture.engine.rules import Rules
from nurture.engine.tick import tick
from nurture.store.database import open_store

ROOT = Path(__file__).parent.parent


@pytest.fixture
def project(tmp_path, capfd):
    folder = tmp_path / "list"
    assert run(["init", str(folder)]) == 0
    capfd.readouterr()
    return folder


@pytest.fixture
def nurture(project, capfd):
    """Run a command in the project; gives its exit code, stdout and stderr. A traceback fails the test."""

    def command(*words):
        code = run(["-C", str(project), *words])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return command


def edit(project, old, new):
    path = project / "sequences/welcome.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


# --- a new project


def test_a_new_project_passes_check_and_test_at_once(nurture):
    assert nurture("check") == (0, "", "1 sequence, 4 steps: no faults.\n")
    code, out, err = nurture("test")
    assert (code, err) == (0, "3 stories passed, 0 failed.\n")
    assert out.splitlines()[0] == "passed  welcome: someone keen reaches the offer"


def test_init_overwrites_nothing(nurture, project):
    code, _, err = nurture("init", str(project))
    assert code == 2
    assert "is not empty" in err


def test_check_prints_the_line_and_a_caret(nurture, project):
    edit(project, "    yes: guide\n", "    yes: giude\n")
    code, out, err = nurture("check")
    assert code == 1
    assert out.splitlines()[0] == (
        "sequences/welcome.yaml:18:10 error there is no step 'giude', did you mean 'guide'? [E201]"
    )
    assert out.splitlines()[2:4] == ["  18 |     yes: giude", "     |          ^^^^^"]
    assert err == "1 sequence, 4 steps: 1 error, 0 warnings.\n"


def test_check_as_json_and_for_github(nurture, project):
    edit(project, "    yes: guide\n", "    yes: giude\n")
    code, out, _ = nurture("check", "--format", "json")
    assert code == 1
    assert json.loads(out) == {
        "format": "nurture.check/1",
        "problems": [
            {
                "file": "sequences/welcome.yaml", "line": 18, "column": 10, "severity": "error", "code": "E201",
                "message": "there is no step 'giude', did you mean 'guide'?",
            }
        ],
    }  # fmt: skip
    code, out, _ = nurture("check", "--format", "github")
    assert out.startswith("::error file=sequences/welcome.yaml,line=18,col=10,title=E201::there is no step")


def test_a_story_that_fails_says_what_was_expected_and_why_it_went_otherwise(nurture, project):
    edit(project, "path: [question, question_again]", "path: [question]")
    code, out, _ = nurture("test", "--json")
    assert code == 1
    (failed,) = [story for story in json.loads(out)["stories"] if not story["passed"]]
    assert "question → question_again" in failed["differences"][0]


def test_render_graph_and_schema(nurture, project):
    assert nurture("render", "welcome", "question", "--part", "subject")[1] == "One quick question, Ann\n"
    assert "One tap is enough." in nurture("render", "welcome", "question", "--part", "text")[1]
    assert nurture("render", "welcome", "question")[1].startswith("<!DOCTYPE html>")
    assert "flowchart" in nurture("graph", "welcome")[1]
    assert nurture("graph", "welcome", "--format", "svg")[1].startswith("<svg")
    assert json.loads(nurture("schema")[1])["$schema"].startswith("http://json-schema.org/")
    code, _, err = nurture("render", "welcome", "offr")
    assert (code, err) == (2, "nurture: welcome has no step 'offr', did you mean 'offer'?\n")


# --- people


def test_subscribe_show_and_event(nurture):
    code, out, _ = nurture("subscribe", "Ann@Example.com", "--attr", "first_name=Ann", "--now", "2026-06-01T10:00:00Z")
    assert (code, out) == (0, "ann@example.com is new; began welcome.\n")
    code, out, _ = nurture("show", "ann@example.com", "--json")
    found = json.loads(out)
    assert found["format"] == "nurture.subscriber/1"
    assert found["attributes"] == {"first_name": "Ann"}
    (place,) = found["enrollments"]
    assert (place["sequence"], place["step"], place["phase"], place["ended"]) == (
        "welcome",
        "question",
        "waiting",
        None,
    )
    code, out, _ = nurture("event", "bought", "--email", "ann@example.com", "--data", '{"product": "course"}')
    assert (code, out) == (0, "bought of ann@example.com is kept; it moved welcome.\n")
    assert json.loads(nurture("show", "ann@example.com", "--json")[1])["enrollments"][0]["ended"] == "goal"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("subscribe", "ann@"), 2, "'ann@' is not an email address"),
        (
            ("subscribe", "a@example.com", "--attr", "frist_name=Ann"),
            2,
            "declares no attribute 'frist_name', did you mean 'first_name'?",
        ),
        (("subscribe", "a@example.com", "--attr", "Ann"), 2, "--attr 'Ann': write it as name=value"),
        (("subscribe", "a@example.com", "--attr", "wants=money"), 2, "wants: 'money' is not one of the words declared"),
        (("subscribe", "a@example.com", "--tag", "custmer"), 2, "declares no tag 'custmer', did you mean 'customer'?"),
        (("subscribe", "a@example.com", "--sequence", "welcom"), 2, "no sequence 'welcom', did you mean 'welcome'?"),
        (("subscribe", "a@example.com", "--now", "soon"), 2, "--now: 'soon' is no moment"),
        (("event", "bougt", "--email", "a@example.com"), 2, "declares no event 'bougt', did you mean 'bought'?"),
        (("event", "bought", "--email", "a@example.com", "--data", "{"), 2, "--data is not JSON"),
        (("event", "bought", "--email", "a@example.com"), 2, "say what was bought"),
        (("event", "replied", "--email", "a@example.com"), 1, "Nobody has the address a@example.com"),
        (("show", "a@example.com"), 1, "Nobody has the address"),
        (("import", "nowhere.csv"), 2, "there is no file or folder nowhere.csv"),
        (("graph", "nothing"), 2, "there is no sequence 'nothing'"),
        (("resolve", "x", "--as", "sent"), 1, "x is not unknown"),
        (("replay", "7"), 1, "There is no webhook 7"),
        (("pause", "nothing"), 2, "there is no sequence 'nothing'"),
        (("-C", "nowhere", "check"), 2, "nowhere"),
        (("shwo", "a@example.com"), 2, "No such command"),
    ],
)
def test_a_mistake_is_one_line_and_the_right_exit_code(nurture, words, code, sentence):
    found, _, err = nurture(*words)
    assert sentence in err
    assert found == code


def test_a_csv_with_every_kind_of_broken_row(nurture, project):
    rows = [
        "email;first_name;wants;shoe_size",
        "ann@example.com;Ann;sales;38",
        "bob;Bob;sales;40",
        "cyd@example.com;Cyd;money;41",
        "ann@example.com;Ann again;time;38",
        "dan@example.com;Dan",
        '"eve@example.com;Eve;sales;1',
    ]
    (project / "people.csv").write_bytes("\n".join(rows).encode("utf-8-sig"))
    code, out, err = nurture("import", "people.csv")
    assert code == 1
    assert out == "1 new, 0 known, 0 suppressed, 5 refused.\n"
    assert "column 'shoe_size' is left out" in err
    for line, reason in (
        (3, "'bob' is not an email address"),
        (4, "wants: 'money' is not one of the words declared"),
        (5, "ann@example.com stands in line 2 already"),
        (6, "this row has 2 cells, and the first line names 4 columns"),
        (7, "this row cannot be read"),
    ):
        assert f"people.csv:{line}: {reason}" in err
    assert json.loads(nurture("show", "ann@example.com", "--json")[1])["enrollments"] == []


def test_a_csv_that_is_not_utf_8_or_has_no_email_column(nurture, project):
    (project / "latin.csv").write_bytes("email,first_name\nann@example.com,Zo\xeb\n".encode("latin-1"))
    code, out, err = nurture("import", "latin.csv")
    assert (code, out) == (1, "0 new, 0 known, 0 suppressed, 1 refused.\n")
    assert "latin.csv:2: this row is not UTF-8; save the file as UTF-8" in err
    (project / "none.csv").write_text("name\nAnn\n")
    code, _, err = nurture("import", "none.csv")
    assert code == 2
    assert "has no column 'email'" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("messages",), "No mail yet; `nurture why EMAIL` says what comes next."),
        (("messages", "--state", "failed"), "No mail is failed."),
        (("hooks",), "No report of a provider has come yet."),
        (("hooks", "--failed"), "Every report could be read."),
        (("token", "list"), "There are no tokens; `nurture token add NAME` makes one."),
        (("deploys",), "Nothing is deployed yet; `nurture apply` makes the files the running version."),
    ],
)
def test_where_there_is_nothing_yet_the_next_step_is_said(nurture, words, said):
    code, out, err = nurture(*words)
    assert (code, out) == (0, "")
    assert said in err


def test_help_puts_every_command_where_one_looks_for_it(capfd):
    names = {str(one.name) for one in (*app.registered_commands, *app.registered_groups)}
    assert sorted(names) == sorted(name for panel in PANELS.values() for name in panel)
    assert run(["--help"]) == 0
    shown = re.findall(r"^╭─ ([^─]+) ─", capfd.readouterr().out, re.MULTILINE)
    assert shown == ["Options", *PANELS]


def test_an_import_never_revives_a_suppressed_address(nurture, project):
    nurture("subscribe", "ann@example.com")
    with sqlite3.connect(project / "nurture.db") as database:
        database.execute("update subscriber set status = 'unsubscribed'")
    (project / "people.csv").write_text("email\nann@example.com\n")
    code, out, _ = nurture("import", "people.csv", "--enroll", "welcome")
    assert (code, out) == (0, "0 new, 0 known, 1 suppressed, 0 refused.\n0 began welcome.\n")
    code, _, err = nurture("subscribe", "ann@example.com")
    assert (code, err) == (1, "ann@example.com gets no mail (unsubscribed), so nothing began.\n")


def test_the_outbox_as_a_document_hides_nothing(nurture, project):
    (project / "people.csv").write_text("email\n" + "".join(f"person{n}@example.com\n" for n in range(203)))
    assert nurture("import", "people.csv", "--enroll", "welcome", "--now", "2026-06-01T09:00:00Z")[0] == 0
    store = open_store(f"sqlite:///{project}/nurture.db")
    tick(store, Current(store, Rules())(), datetime(2026, 6, 1, 10, tzinfo=UTC))
    store.close()
    assert len(json.loads(nurture("messages", "--json")[1])["messages"]) == 203
    assert len(json.loads(nurture("messages", "--json", "--limit", "7")[1])["messages"]) == 7
    _, out, err = nurture("messages", "--state", "planned")
    assert (len(out.splitlines()), err) == (200, "These are the newest 200; --limit shows more, --json all.\n")
    _, out, err = nurture("messages", "--limit", "203")
    assert (len(out.splitlines()), err) == (203, "")


# --- settings and the database


def start(project, *words, **environment):
    """`nurture run` in a process of its own, for what must fail at once."""
    done = subprocess.run(
        [sys.executable, "-m", "nurture", "-C", str(project), "run", *words],
        env={**os.environ, "NURTURE_SECRET_KEY": "a key for tests only", **environment},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"NURTURE_SECRET_KEY": ""}, "NURTURE_SECRET_KEY is not set"),
        ({"NURTURE_PROVIDER": "postmrk"}, "there is no provider 'postmrk', did you mean 'postmark'?"),
        ({"NURTURE_PROVIDER": "postmark"}, "postmark needs NURTURE_PROVIDERS__POSTMARK__KEY"),
        (
            {"NURTURE_PROVIDER": "mailgun", "NURTURE_PROVIDERS__MAILGUN__KEY": "k"},
            "mailgun needs NURTURE_PROVIDERS__MAILGUN__DOMAIN, like mg.example.com",
        ),
        (
            {"NURTURE_PROVIDER": "postmark", "NURTURE_PROVIDERS__POSTMARK__REGION": "eu"},
            "NURTURE_PROVIDERS__POSTMARK__REGION: postmark has no region",
        ),
        ({"NURTURE_PROVIDERS__RESEND__STREAM": "nurture"}, "NURTURE_PROVIDERS__RESEND__STREAM: resend has no stream"),
        (
            {"NURTURE_PROVIDERS__BREVO__BATCH": "true"},
            "NURTURE_PROVIDERS__BREVO__BATCH: brevo is not sent many mails in one call",
        ),
        ({"NURTURE_PROVIDER": "smtp"}, "smtp needs NURTURE_PROVIDERS__SMTP__URL"),
        ({"NURTURE_PROVIDERS__POSTMARC__KEY": "x"}, "there is no provider 'postmarc', did you mean 'postmark'?"),
        ({"NURTURE_PROVIDERS__POSTMARK__KEE": "x"}, "there is no setting NURTURE_PROVIDERS__POSTMARK__KEE"),
        ({"NURTURE_TIK": "1 second"}, "did you mean NURTURE_TICK?"),
        ({"NURTURE_TICK": "often"}, "NURTURE_TICK: 'often' is no duration"),
        ({"NURTURE_GAP": "a day"}, "NURTURE_GAP: 'a day' is not a length of time"),
        ({"NURTURE_BASE_URL": "mail.example.com"}, "NURTURE_BASE_URL: 'mail.example.com' is no web address"),
    ],
)
def test_a_wrong_setting_is_named(nurture, project, environment, sentence):
    settings = {"NURTURE_SECRET_KEY": "a key for tests only", **environment}
    (project / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    code, _, err = nurture("run", "--port", "0")
    assert sentence in err.splitlines()[-1]
    assert code == 2


def test_the_version_is_said_without_a_command(nurture):
    assert nurture("--version") == (0, f"{__version__}\n", "")


def test_a_process_without_a_key_leaves_at_once(project):
    code, said = start(project, "--port", "0", NURTURE_SECRET_KEY="")
    assert (code, "NURTURE_SECRET_KEY is not set" in said) == (2, True)


def test_a_secret_in_the_toml_is_refused(nurture, project):
    (project / "nurture.toml").write_text('secret_key = "oops"\n')
    code, _, err = nurture("config")
    assert code == 2
    assert "nurture.toml holds a secret (secret_key)" in err


def test_config_shows_no_secret(nurture, project):
    (project / ".env").write_text("NURTURE_SECRET_KEY=very-secret\nNURTURE_PROVIDERS__POSTMARK__KEY=hidden-too\n")
    code, out, _ = nurture("config")
    assert code == 0
    assert "NURTURE_SECRET_KEY = 1 set  (.env)" in out
    assert "NURTURE_SETTLE = 30 seconds  (default)" in out
    assert "NURTURE_FUSE_HOURLY = not set  (default)" in out
    assert "NURTURE_ONE_CORE = yes  (default)\n    whether the threads" in out
    assert "very-secret" not in out
    assert "hidden-too" not in out


def test_a_port_in_use_is_said_before_anything_begins(project):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, said = start(project, "--port", str(port))
    assert code == 2
    assert said == (
        f"nurture: 127.0.0.1:{port} cannot be listened at (address already in use); "
        "choose another with --port or NURTURE_PORT"
    )


def test_a_second_engine_on_one_file_is_told_who_holds_it(project):
    from nurture.store.database import open_store

    store = open_store(f"sqlite:///{project}/nurture.db")
    with store.own("nurture run", "today"):
        code, said = start(project, "--port", "0")
    store.close()
    assert code == 3
    assert f"another engine (process {os.getpid()}, nurture run, since today) works on" in said


def test_a_database_of_a_newer_version_is_left_alone(nurture, project):
    nurture("subscribe", "ann@example.com")
    with sqlite3.connect(project / "nurture.db") as database:
        database.execute("update alembic_version set version_num = '9999'")
    code, _, err = nurture("show", "ann@example.com")
    assert code == 3
    assert "the database is of a newer version (9999) than this program" in err


def test_a_file_that_is_no_database(nurture, project):
    (project / "nurture.db").write_text("This is a shopping list. " * 100)
    code, _, err = nurture("show", "ann@example.com")
    assert code == 3
    assert "is not a database of ours" in err


def test_a_broken_file_does_not_stop_the_running_version(nurture, project):
    nurture("subscribe", "ann@example.com")
    edit(project, "    yes: guide\n", "    yes: giude\n")
    code, out, err = nurture("subscribe", "bob@example.com")
    assert (code, out) == (0, "bob@example.com is new; began welcome.\n")
    assert "so the running version goes on; see `nurture check`" in err


def test_an_edit_where_people_stand_is_not_deployed_by_the_way(nurture, project):
    nurture("subscribe", "ann@example.com")
    edit(project, "within: 3 days", "within: 2 days")
    _, _, err = nurture("subscribe", "bob@example.com")
    assert "people stand where welcome.question changed" in err


def test_a_project_without_sequences_is_named(tmp_path, capfd):
    assert run(["-C", str(tmp_path), "check"]) == 2
    assert "is no nurture project" in capfd.readouterr().err
