"""A prize draw: fixed before the seed is known, the same for whoever computes it again, and nobody is named."""

import json
from collections import Counter
from dataclasses import replace
from hashlib import sha256

import pytest
from stage import MONDAY

from nurture.cli.main import run
from nurture.engine.deploy import Current
from nurture.engine.erasing import erase
from nurture.engine.rules import Rules
from nurture.journey.enrollment import Answer
from nurture.report.draw import drawn, log_hash
from nurture.store import enrollments, people
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
    assert "there already" in nurture("draw", log, "--close", of)[2]
    assert "say one of the two" in nurture("draw", log)[2]
    assert "there is no ask" in nurture("draw", str(tmp_path / "other.json"), "--close", "welcome.nothing")[2]
    erase(store, deployed, "ann@example.com", MONDAY, by="test")
    store.close()
    assert "(erased since)" in nurture("draw", log, "--seed", "4 11 17", "--winners", "2")[1]
    file.write_text(json.dumps({**document, "entries": [*document["entries"], "0" * 32]}))
    assert "not as it was closed" in nurture("draw", log, "--seed", "4 11 17")[2]
    file.write_text("{}")
    assert "is no log" in nurture("draw", log, "--seed", "4 11 17")[2]
