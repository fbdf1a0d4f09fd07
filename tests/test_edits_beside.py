"""Edits beside all else that goes on: mails under way, pauses, other sequences, late clicks, splits."""

from collections import Counter

import pytest
from edited import BEFORE, HEAD, Edited, ladder, step

from nurture.engine.applying import Agreed, apply, preview
from nurture.engine.deploy import Current
from nurture.engine.tick import tick
from nurture.store import pauses


@pytest.fixture
def stage(store):
    made = Edited(store, {"ladder": BEFORE})
    yield made
    made.close()


def test_a_mail_of_a_removed_step_that_nobody_knows_of_is_never_sent_again(stage):
    stage.begin("ann")
    tick(stage.store, stage.deployed, stage.now)
    stage.sender.turn(stage.deployed, stage.now)  # claimed and written
    stage.sender.turn(stage.deployed, stage.now)  # handed over: it is on record as sending
    stage.edit(ladder(step("two", "three"), step("three", "end"), changes="one: {go: two}"))
    assert stage.at() == ("waiting", "two")
    stage.after(days=30)
    assert stage.got() == ["one", "two", "three"]


def test_people_of_a_paused_sequence_are_moved_and_their_mail_stays_held(stage):
    stage.begin("ann")
    with stage.store.write() as tx:
        pauses.pause(tx, "ladder", "a look first", stage.now)
    tick(stage.store, stage.deployed, stage.now)
    stage.edit(ladder(step("uno", "two"), step("two", "three"), step("three", "end"), changes="uno: {was: one}"))
    stage.work()
    assert (stage.at(), stage.got()) == (("asked", "uno"), [])
    with stage.store.write() as tx:
        pauses.resume(tx, "ladder")
    stage.after(days=30)
    assert stage.got() == ["uno", "two", "three"]


def test_an_edit_of_one_sequence_leaves_the_same_steps_of_another_alone(store):
    stage = Edited(store, {"ladder": BEFORE, "other": BEFORE})
    try:
        stage.begin("ann")
        stage.subscribe("ann@example.com", sequence="other")
        stage.work()
        stage.edit(ladder(step("uno", "two"), step("two", "three"), step("three", "end"), changes="uno: {was: one}"))
        assert stage.at() == ("asked", "uno")
        assert stage.place("other")["step"] == "one"
        stage.after(days=30)
        assert Counter(stage.got()) == {"one": 2, "two": 2, "three": 2}
    finally:
        stage.close()


def test_a_late_click_on_an_old_link_starts_what_starts_from_the_new_name(store):
    follow = "start: {kept: ladder.one}\n" + HEAD.partition("\n")[2] + step("thanks", "end")
    stage = Edited(store, {"ladder": BEFORE, "follow": follow})
    try:
        stage.begin("ann")
        stage.work()
        mail = stage.mail("one")
        files = stage.files(
            ladder(step("uno", "two"), step("two", "three"), step("three", "end"), changes="uno: {was: one}")
        )
        files["sequences/follow.yaml"] = follow.replace("ladder.one", "ladder.uno").encode()
        found = preview(stage.store, files, stage.rules, stage.now)
        apply(stage.store, files, stage.rules, stage.now, Agreed(found.deployed, found.digest))
        stage.deployed = Current(stage.store, stage.rules)()
        stage.after(days=1)
        stage.click(mail)
        stage.after(days=1)
        assert stage.got() == ["one", "thanks"]
    finally:
        stage.close()


def test_people_keep_their_arm_of_a_split_when_its_steps_are_renamed(store):
    text = ladder(step("one", "{split: {two: 50%, three: 50%}}"), step("two", "end"), step("three", "end"))
    stage = Edited(store, {"ladder": text})
    names = [f"p{number}" for number in range(8)]
    try:
        stage.begin(*names)
        stage.work()
        stage.edit(
            ladder(
                step("one", "{split: {zwei: 50%, drei: 50%}}"), step("zwei", "end"), step("drei", "end"),
                changes="zwei: {was: two}\n  drei: {was: three}",
            )
        )  # fmt: skip
        stage.after(days=30)
        got = Counter(mail for name in names for mail in stage.got(name))
        assert got["one"] == got["zwei"] + got["drei"] == 8
    finally:
        stage.close()
