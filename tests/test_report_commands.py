"""The commands about reports and about who gets no more mail, as an operator types them."""

import json

import pytest
from stage import BODY, MONDAY, Stage

from nurture.cli.main import run
from nurture.store import events
from nurture.store.database import open_store

LADDER = """\
start: joined
from: Ada <ada@example.com>
steps:
  tour:
    subject: Tour
    template: body.md
    ask: {click: Show me, to: https://example.com/tour}
    within: 3 days
    no: end
"""


@pytest.fixture
def type_(tmp_path, capsys):
    (tmp_path / "sequences").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "sequences/ladder.yaml").write_text(LADDER)
    (tmp_path / "templates/body.md").write_bytes(BODY)
    (tmp_path / "people.yaml").write_text("attributes: {first_name: text}")

    def typed(*words):
        code = run(["-C", str(tmp_path), *words])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return typed


def test_a_suppression_is_made_shown_listed_and_lifted(type_):
    type_("subscribe", "ann@example.com")
    assert type_("suppress", "ann@example.com", "--because", "she called")[:2] == (
        0, "ann@example.com gets no more mail.\n",
    )  # fmt: skip
    assert type_("suppress", "bob@example.com", "--because", "spam trap")[0] == 0
    assert "gets no mail: manual (she called), since" in type_("show", "ann@example.com")[1]
    code, _, err = type_("show", "bob@example.com")
    assert code == 1
    assert "Nobody has the address bob@example.com. It gets no mail: manual (spam trap), since" in err
    assert type_("subscribe", "ann@example.com")[0] == 1
    listed = json.loads(type_("suppressed", "--json")[1])
    assert listed["format"] == "nurture.suppressed/1"
    assert {one["email"] for one in listed["suppressed"]} == {"ann@example.com", None}
    assert "(digest " in type_("suppressed")[1]
    code, out, _ = type_("unsuppress", "ann@example.com", "--because", "she wrote")
    assert (code, out) == (0, "ann@example.com may have mail again (it was barred: manual).\n")
    assert type_("unsuppress", "ann@example.com", "--because", "again")[0] == 1
    assert type_("subscribe", "ann@example.com")[0] == 0
    assert "unsuppressed: she wrote (it was barred: manual)" in type_("show", "ann@example.com")[1]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("suppress", "ann@example.com"), 2, ""),
        (("suppress", "no address", "--because", "x"), 2, "no address"),
        (("replay",), 2, "say what to replay"),
        (("replay", "1", "--failed"), 2, "say what to replay"),
        (("replay", "1", "--apply"), 2, "go with --verdicts"),
        (("replay", "--verdicts", "--since", "yesterday"), 2, "yesterday"),
        (("replay", "7"), 1, "There is no webhook 7"),
    ],
)
def test_a_mistake_is_one_line(type_, words, code, said):
    given, _, err = type_(*words)
    assert given == code
    assert said in err


def test_nothing_to_replay_is_said(type_):
    type_("subscribe", "ann@example.com")
    assert type_("replay", "--failed")[:2] == (0, "0 are read again by the engine's next turn.\n")
    assert type_("replay", "--verdicts")[:2] == (0, "0 clicks judged again; no verdict changes.\n")
    document = json.loads(type_("hooks", "--json")[1])
    assert document == {
        "format": "nurture.hooks/1", "hooks": [], "kept": {}, "awaiting_their_mail": {}, "dropped": {},
        "clicks": {"human": 0, "machine": 0},
    }  # fmt: skip
    assert type_("suppressed")[1:] == ("", "No address is suppressed.\n")


def test_verdicts_are_given_again_and_each_that_changes_is_a_line(type_, tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/nurture.db")
    stage = Stage(store, {"ladder": LADDER})
    for name, method in (("ann", "GET"), ("bob", "HEAD")):
        stage.subscribe(f"{name}@example.com")
        stage.work()
        stage.click(stage.mail("Tour", f"{name}@example.com"), method=method)
    stage.after(minutes=1)
    with store.write() as tx:  # what older rules had found: both the other way
        rows = events.clicks(tx, 0, MONDAY, 10)
        events.judge(tx, [(row.id, not row.human, "by older rules") for row in rows])
    stage.close()
    store.close()
    told = [
        "ladder.tour  a machine -> a person: no machine's signs; less than 2 seconds after the mail left",
        "ladder.tour  a person -> a machine: asked with HEAD, as no reader does",
    ]
    for words, done in (
        ((), "Nothing is recorded; --apply does that."), (("--apply",), "Recorded; 1 were decided on as a late yes."),
    ):  # fmt: skip
        code, out, _ = type_("replay", "--verdicts", *words)
        *lines, summary = out.splitlines()
        assert (code, [line.partition("  ")[2] for line in lines]) == (0, told)
        assert summary == f"2 clicks judged again: 1 turn human, 1 turn machine. {done}"
    assert type_("replay", "--verdicts", "--apply")[1] == "2 clicks judged again; no verdict changes.\n"
    assert "clicks: 1 by people, 1 by machines (50%)" in type_("hooks")[2]
