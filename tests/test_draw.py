"""A prize draw: fixed before the seed is known, the same for whoever computes it again, and nobody is named."""

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from doors import LADDER
from stage import MONDAY, Stage

from nurture.cli.main import run
from nurture.engine.deploy import Current
from nurture.engine.drawing import close, draw
from nurture.engine.erasing import erase
from nurture.engine.rules import Rules
from nurture.errors import Refused
from nurture.journey.enrollment import Answer
from nurture.report.draw import drawn, log_hash
from nurture.store import audit, enrollments, people
from nurture.store.database import open_store


@pytest.fixture
def nurture(tmp_path, capfd):
    folder = tmp_path / "shop"
    assert run(["init", str(folder)]) == 0

    def command(*words):
        code = run(["-C", str(folder), *words])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out, err

    command.folder = folder
    return command


def test_winners_can_be_computed_by_anyone_from_what_is_published():
    entries = ["c", "a", "b", "a"]
    fixed = sha256(b"w.s\na\nb\nc").hexdigest()
    assert log_hash("w.s", entries) == fixed
    ranked = sorted("abc", key=lambda one: sha256(f"{fixed}\nseed\n{one}".encode()).hexdigest())
    assert drawn(entries, fixed, "seed", 2) == ranked[:2]
    assert drawn(entries, fixed, "seed", 9) == ranked


def test_every_entry_wins_as_often_as_any_other():
    entries = [f"e{number}" for number in range(5)]
    won = Counter(drawn(entries, log_hash("x", entries), str(seed), 1)[0] for seed in range(5_000))
    assert all(900 < won[entry] < 1_100 for entry in entries), won


def kept(store, emails):
    """These people kept the first ask of the recipe."""
    deployed = Current(store, Rules())()
    step = next(iter(deployed.sequences["welcome"].steps))
    with store.write() as tx:
        for email in emails:
            place = enrollments.every_pass(tx, people.by_email(tx, email).id)[0]
            enrollments.save(tx, [replace(place, answers={step: Answer("yes", MONDAY, step)})])
    return f"welcome.{step}", deployed


def test_a_log_is_closed_once_and_drawn_from_as_often_as_one_likes(nurture, tmp_path):
    file, log = tmp_path / "log.json", str(tmp_path / "log.json")
    for name in ("ann", "ben", "eve"):
        assert nurture("subscribe", f"{name}@example.com")[0] == 0
    store = open_store(f"sqlite:///{nurture.folder / 'nurture.db'}")
    of, deployed = kept(store, ["ann@example.com", "ben@example.com"])
    code, out, _ = nurture("draw", log, "--close", of)
    document = json.loads(file.read_text())
    assert code == 0
    assert document["hash"] in out
    assert len(document["entries"]) == 2
    assert "example.com" not in file.read_text()
    first = nurture("draw", log, "--seed", "4 11 17", "--winners", "2")
    assert first == nurture("draw", log, "--seed", "4 11 17", "--winners", "2")
    assert "ann@example.com" in first[1]
    assert "eve@example.com" not in first[1]
    published = json.loads(file.read_text())
    assert (published["seed"], published["entries"]) == ("4 11 17", document["entries"])
    assert published["winners"] == [line.split()[1] for line in first[1].splitlines()]
    assert "with the seed '4 11 17', and a log has one seed" in nurture("draw", log, "--seed", "something else")[2]
    assert json.loads(file.read_text()) == published
    assert "prize draws" in nurture("show", "ann@example.com")[1]
    ((mine,), (none,)) = (
        json.loads(nurture("export", "--email", f"{name}@example.com")[1])["draws"] or [None] for name in ("ann", "eve")
    )
    assert mine["entry"] in document["entries"]
    assert (mine["hash"], mine["seed"], mine["won"], none) == (document["hash"], "4 11 17", True, None)
    assert mine["entry"] in nurture("show", "ann@example.com")[1]
    again = nurture("draw", str(tmp_path / "again.json"), "--close", of)[1]
    assert again.endswith(f"{document['hash']}\n"), "the same entries are the same log"
    kept(store, ["eve@example.com"])
    assert "It is log 2 of this ask" in nurture("draw", str(tmp_path / "more.json"), "--close", of)[2]
    assert "there is no folder" in nurture("draw", str(tmp_path / "nowhere" / "log.json"), "--close", of)[2]
    assert "there already" in nurture("draw", log, "--close", of)[2]
    assert "say one of the two" in nurture("draw", log)[2]
    assert "there is no ask" in nurture("draw", str(tmp_path / "other.json"), "--close", "welcome.nothing")[2]
    erase(store, deployed, "ann@example.com", MONDAY, by="test")
    store.close()
    assert "(erased since)" in nurture("draw", log, "--seed", "4 11 17", "--winners", "2")[1]
    file.write_text(json.dumps({**document, "entries": [*document["entries"], "0" * 32]}))
    assert "not as it was closed" in nurture("draw", log, "--seed", "4 11 17")[2]
    forged = {**document, "entries": document["entries"][:1], "hash": log_hash(of, document["entries"][:1])}
    file.write_text(json.dumps(forged))
    assert "it was not closed here" in nurture("draw", log, "--seed", "4 11 17")[2]
    file.write_text("{}")
    assert "is no log" in nurture("draw", log, "--seed", "4 11 17")[2]


def test_a_log_has_one_seed_and_every_draw_is_on_the_audit_log(store):
    stage = Stage(store, {"ladder": LADDER})
    for name in ("ann", "ben", "eve"):
        stage.subscribe(f"{name}@example.com")
    stage.work()
    for name in ("ann", "ben"):
        stage.answer(stage.mail("Question", f"{name}@example.com"), "home")
    closed = close(store, stage.deployed, "ladder.question", MONDAY, by="ada@example.com")
    with pytest.raises(Refused, match="there is no ask"):
        close(store, stage.deployed, "asked:copy.hand_over", MONDAY, by="ada@example.com")
    assert [one["won"] for one in stage.story()["draws"]] == [None]

    def drawn_with(seed, winners):
        found = draw(
            store, "ladder.question", closed.entries, closed.hash, seed, winners, MONDAY + timedelta(days=winners),
            by="ada@example.com",
        )  # fmt: skip
        return [email for _, email in found.winners]

    (first,) = drawn_with("4 11 17", 1)
    assert drawn_with("4 11 17", 1) == [first]
    for seed in ("4 11 18", ""):
        with pytest.raises(Refused, match="it was drawn from on 02 Jun 2026 10:00 UTC with the seed '4 11 17'"):
            drawn_with(seed, 1)
    assert drawn_with("4 11 17", 2)[0] == first, "who does not answer is followed by the next"
    won = {name: stage.story(f"{name}@example.com")["draws"] for name in ("ann", "ben", "eve")}
    assert [bool(one and one[0]["won"]) for one in won.values()] == [True, True, False]
    with store.read() as tx:
        noted = [(one.who, one.action, one.target, dict(one.detail)) for one in reversed(audit.listing(tx, 9))]
    who, hash_ = "ada@example.com", closed.hash
    entries = [won[first.partition("@")[0]][0]["entry"]]
    assert noted[:2] == [
        (who, "draw closed", "ladder.question", {"hash": hash_, "entries": 2}),
        (who, "draw", "ladder.question", {"hash": hash_, "seed": "4 11 17", "winners": entries}),
    ]
    assert len(noted) == 3
    stage.close()
