"""What happens to people when a running sequence is edited: each answer of docs/live-edits.md is a test here."""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from edited import BEFORE, Edited, ladder, step

from nurture.engine.applying import Agreed, Impossible, Stale, apply, deploy_if_safe, preview
from nurture.engine.deploy import Current
from nurture.engine.tick import tick
from nurture.errors import Outdated
from nurture.store import deploys


@pytest.fixture
def stage(store):
    made = Edited(store, {"ladder": BEFORE})
    yield made
    made.close()


def test_rename_carries_mails_answers_links_and_nobody_gets_it_twice(stage):
    stage.begin("ann")
    stage.work()
    mail = stage.mail("one")
    stage.edit(
        ladder(
            step("uno", "{after: 4 days, go: two}", "two"),
            step("two", "three"),
            step("three", "end"),
            changes="uno: {was: one}",
        )
    )
    assert stage.at() == ("asked", "uno")
    assert "moved from one to uno by deploy 2: renamed" in str(stage.story()["events"])
    stage.click(mail)  # the old link of the old mail
    stage.after(minutes=5)
    assert stage.got() == ["one", "two"]
    assert stage.story()["answers"][0]["step"] == "uno"
    stage.after(days=30)
    assert stage.got() == ["one", "two", "three"]


def test_two_steps_may_swap_their_names(stage):
    stage.begin("ann")
    stage.work()
    swapped = ladder(
        step("two", "{after: 4 days, go: one}"),
        step("one", "three"),
        step("three", "end"),
        changes="two: {was: one}\n  one: {was: two}",
    )
    stage.edit(swapped)
    assert stage.at() == ("asked", "two")
    assert set(stage.states()) == {"two"}
    assert [problem.code for problem in stage.plan(swapped).done] == ["W410", "W410"]
    stage.edit(swapped.replace("subject: three", "subject: last"))  # the rule is read once
    assert stage.at() == ("asked", "two")
    stage.after(days=30)
    assert stage.got() == ["one", "one", "last"]  # the second is the step that was two, under its new name


def test_remove_is_refused_with_counts_and_the_yaml_to_write(stage):
    stage.begin("ann", "bob")
    stage.work()
    gone = ladder(step("two", "three"), step("three", "end"))
    (refusal,) = stage.plan(gone).refusals
    assert (refusal.people, refusal.write) == (2, "changes:\n  one: {go: two}")
    with pytest.raises(Impossible, match="2 people are there"):
        stage.edit(gone)
    stage.edit(ladder(step("two", "three"), step("three", "end"), changes="one: {go: two}"))
    assert stage.at() == ("waiting", "two")
    assert "moved from one to two by deploy 2: removed" in str(stage.story()["events"])
    stage.after(days=30)
    assert stage.got() == stage.got("bob") == ["one", "two", "three"]


def test_remove_may_end_the_pass(stage):
    stage.begin("ann")
    stage.work()
    stage.edit(ladder(step("two", "three"), step("three", "end"), changes="one: {go: end}"))
    assert stage.place("ladder")["ended"] == "removed"
    stage.after(days=30)
    assert stage.got() == ["one"]


def test_insert_meets_who_is_before_it_and_never_who_is_past_it(stage):
    stage.begin("ann")
    stage.after(days=7)
    assert stage.got() == ["one", "two"]
    stage.begin("bob")
    stage.work()
    plan = stage.plan(new := ladder(step("one", "new"), step("new", "two"), step("two", "three"), step("three", "end")))
    inserted = next(one for one in plan.sequences[0].steps if one.diff.name == "new")
    assert (inserted.people.before, inserted.people.past) == (1, 1)
    stage.edit(new)
    stage.after(days=40)
    assert stage.got() == ["one", "two", "three"]
    assert stage.got("bob") == ["one", "new", "two", "three"]


def test_reorder_gives_nobody_a_mail_again(stage):
    stage.begin("ann")
    stage.after(days=7)
    stage.edit(ladder(step("two", "one"), step("one", "three"), step("three", "end")))
    stage.after(days=40)
    assert stage.got() == ["one", "two", "three"]


@pytest.mark.parametrize(("rule", "days"), [("keep", 4), ("retime", 1)])
def test_retime_keeps_the_time_that_was_given_unless_the_file_says_retime(stage, rule, days):
    stage.begin("ann")
    start = stage.now
    stage.after(days=2, hours=1)
    assert stage.at() == ("waiting", "two")
    stage.edit(
        ladder(
            step("one", "{after: 1 day, go: two}"),
            step("two", "three"),
            step("three", "end"),
            changes=f"two: {{waiting: {rule}}}",
        )
    )
    due = stage.place("ladder")["due_at"]
    assert due == (start + timedelta(days=2 + days)).isoformat().replace("+00:00", "Z")
    stage.after(days=30)
    assert stage.got() == ["one", "two", "three"]


@pytest.mark.parametrize(("rule", "got"), [("keep", []), ("retime", ["one"])])
def test_who_waits_for_an_hour_to_send_in_gets_another_with_other_hours_and_retime(stage, rule, got):
    stage.edit(BEFORE.replace("within", "send: {between: 2:00-3:00}\nwithin", 1))
    stage.begin("ann")
    stage.work()
    plan = stage.plan(text := BEFORE + f"changes:\n  one: {{waiting: {rule}}}\n")
    assert plan.sequences[0].steps[0].becomes["waiting"] == (
        ("keep the time they were given", "get it as it is now")
        if rule == "keep"
        else ("their time is counted again: 1 sooner", "get it as it is now")
    )
    assert plan.done == ()
    stage.edit(text)
    stage.work()
    assert stage.got() == got


def test_a_wait_among_several_to_the_same_step_is_told_only_when_it_changed(stage):
    two = "[{if: kept >= 5, after: 1 day, go: two}, {after: %s days, go: two}]"
    before, after = (
        ladder(step("one", "end", two % days), step("two", "three"), step("three", "end")) for days in (3, 2)
    )
    stage.edit(before)
    assert stage.plan(before.replace("subject: two", "subject: Two")).sequences[0].steps[0].diff.kinds == {"words"}
    said = [one.words for one in stage.plan(after).sequences[0].steps[0].diff.differences]
    assert said == ["comes 2 days after a yes to one, was 3 days"]


def test_words_reach_every_mail_that_is_not_written_yet(stage):
    stage.begin("ann")
    assert deploy_if_safe(stage.store, stage.files(BEFORE.replace("subject: two", "subject: Two")), stage.now) == ""
    stage.deployed = Current(stage.store, stage.rules)()
    stage.after(days=30)
    assert stage.got() == ["one", "Two", "three"]


def test_another_ask_counts_answers_of_the_new_question_only(stage):
    stage.begin("ann")
    stage.work()
    mail = stage.mail("one")
    poll = step("one", "two").replace(
        "{click: Look, to: https://example.com/one}", "{poll: Which?, answers: {a: A, b: B}}"
    )
    plan = stage.plan(text := ladder(poll, step("two", "three"), step("three", "end")))
    assert "asks" in plan.sequences[0].steps[0].diff.kinds
    assert "people stand where ladder.one changed" in deploy_if_safe(stage.store, stage.files(text), stage.now)
    stage.edit(text)
    stage.click(mail)
    stage.after(days=30)
    assert stage.story()["answers"] == []
    assert stage.got() == ["one", "two", "three"]


def test_delete_the_file_ends_passes_only_when_it_is_said(stage):
    stage.begin("ann")
    with pytest.raises(Impossible, match="is gone"):
        stage.edit("")
    stage.edit("", ends=["ladder"])
    assert stage.place("ladder")["ended"] == "removed"
    stage.work()
    assert stage.got() == []


def test_undo_is_the_older_file_and_a_step_that_comes_back_is_the_step_it_was(stage):
    stage.begin("ann")
    stage.after(days=7)
    stage.edit(ladder(step("one", "three"), step("three", "end"), changes="two: {go: three}"))
    stage.edit(BEFORE)
    assert stage.at() == ("waiting", "three")
    stage.after(days=30)
    assert stage.got() == ["one", "two", "three"]


def test_undoing_a_rename_needs_was_the_other_way_round(stage):
    stage.begin("ann")
    stage.work()
    stage.edit(ladder(step("uno", "two"), step("two", "three"), step("three", "end"), changes="uno: {was: one}"))
    assert stage.plan(BEFORE).refusals[0].step == "uno"
    stage.edit(BEFORE + "changes:\n  one: {was: uno}\n")
    assert stage.at() == ("asked", "one")
    stage.after(days=30)
    assert stage.got() == ["one", "two", "three"]


def test_a_name_that_people_got_mail_of_is_not_given_to_another_step(stage):
    stage.begin("ann")
    stage.after(days=7)
    stage.edit(ladder(step("one", "three"), step("three", "end"), changes="two: {go: three}"))
    plan = stage.plan(ladder(step("two", "three"), step("three", "end"), changes="two: {was: one}"))
    assert "choose a name that was never used" in plan.refusals[0].words


def test_a_plan_is_stale_when_files_or_version_changed_and_not_when_people_moved(stage):
    stage.begin("ann")
    text = BEFORE.replace("4 days", "5 days")
    found = stage.plan(text)
    agreed = Agreed(found.deployed, found.digest)
    with pytest.raises(Stale, match="files are not those"):
        apply(stage.store, stage.files(BEFORE.replace("4 days", "6 days")), stage.rules, stage.now, agreed)
    stage.work()
    stage.begin("bob")
    apply(stage.store, stage.files(text), stage.rules, stage.now, agreed, who="eve", why="slower")
    with stage.store.read() as tx:
        record = deploys.listing(tx, 1)[0]
    assert (record.who, record.why, record.plan["over"]) == ("eve", "slower", 1)
    with pytest.raises(Stale, match="2 runs now"):
        apply(stage.store, stage.files(BEFORE), stage.rules, stage.now, agreed)


def test_a_pass_that_began_with_the_old_version_keeps_nothing(stage):
    stage.begin("ann")
    old = stage.deployed
    stage.edit(ladder(step("uno", "two"), step("two", "three"), step("three", "end"), changes="uno: {was: one}"))
    with pytest.raises(Outdated):
        tick(stage.store, old, stage.now)
    assert stage.at() == ("waiting", "uno")
    stage.after(days=30)
    assert stage.got() == ["uno", "two", "three"]


def test_a_mail_in_flight_finds_its_step_under_the_new_name(stage):
    stage.begin("ann")
    tick(stage.store, stage.deployed, stage.now)
    stage.sender.turn(stage.deployed, stage.now)  # claimed and written
    stage.sender.turn(stage.deployed, stage.now)  # handed over
    stage.edit(ladder(step("uno", "two"), step("two", "three"), step("three", "end"), changes="uno: {was: one}"))
    stage.work()
    assert stage.states() == {"uno": "sent"}
    assert stage.at() == ("asked", "uno")
    stage.after(days=30)
    assert Counter(stage.got()) == {"one": 1, "two": 1, "three": 1}


def test_two_who_apply_at_once_are_one_apply_and_one_refusal(stage):
    stage.begin("ann", "bob")
    stage.work()
    text = ladder(step("uno", "two"), step("two", "three"), step("three", "end"), changes="uno: {was: one}")
    files = stage.files(text)
    found = stage.plan(text)
    agreed = Agreed(found.deployed, found.digest)

    def try_it(who):
        try:
            return apply(stage.store, files, stage.rules, stage.now, agreed, who=who).number
        except Stale as error:
            return str(error)

    with ThreadPoolExecutor(2) as shells:
        done = sorted(shells.map(try_it, ["eve", "dan"]), key=str)
    assert done[0] == 2
    assert "2 runs now" in done[1]
    stage.deployed = Current(stage.store, stage.rules)()
    stage.after(days=30)
    assert Counter(stage.got("bob")) == {"one": 1, "two": 1, "three": 1}


def test_a_refused_apply_leaves_everything_as_it_was(stage):
    stage.begin("ann")
    stage.work()
    before = stage.story()
    with pytest.raises(Impossible):
        stage.edit(ladder(step("two", "three"), step("three", "end")))
    assert stage.story() == before
    assert Current(stage.store, stage.rules)().id == 1


def test_shortened_silence_that_is_over_counts_as_a_mail_now(stage):
    stage.begin("ann", "bob")
    stage.after(hours=5)
    text = ladder(
        step("one", "two", more="    within: 2 hours\n"),
        step("two", "three"),
        step("three", "end"),
        changes="one: {waiting: retime}",
    )
    found = stage.plan(text)
    assert (found.mails_now, found.mails_soon) == (2, 0)
    stage.edit(text)
    stage.work()
    assert stage.got() == stage.got("bob") == ["one", "two"]


def test_words_in_another_language_are_an_edit_of_their_step(stage):
    german = "steps:\n" + "".join(
        f"  {n}: {{subject: {n} auf Deutsch, ask: {{click: Ansehen}}}}\n" for n in ("one", "two", "three")
    )
    more = {"sequences/ladder.de.yaml": german.encode(), "templates/body.de.md": b"Hallo.\n\n{{ ask }}\n"}
    assert deploy_if_safe(stage.store, stage.files(BEFORE) | more, stage.now) == ""
    edited = {**more, "sequences/ladder.de.yaml": german.replace("two auf", "Zwei auf").encode()}
    found = preview(stage.store, stage.files(BEFORE) | edited, stage.rules, stage.now)
    ((one,), other) = (found.sequences, found.other)
    assert [(s.diff.name, s.diff.differences[0].words) for s in one.steps] == [("two", "other words in 'de'")]
    assert (other, found.touched) == ((), ())
    edited = {**more, "templates/body.de.md": b"Guten Tag.\n\n{{ ask }}\n"}
    found = preview(stage.store, stage.files(BEFORE) | edited, stage.rules, stage.now)
    assert [s.diff.name for s in found.sequences[0].steps] == ["one", "two", "three"]
    assert found.other == ()


STORIES = {
    "rename a step?": [test_rename_carries_mails_answers_links_and_nobody_gets_it_twice,
                       test_a_name_that_people_got_mail_of_is_not_given_to_another_step],
    "remove a step?": [test_remove_is_refused_with_counts_and_the_yaml_to_write, test_remove_may_end_the_pass],
    "insert a step?": [test_insert_meets_who_is_before_it_and_never_who_is_past_it],
    "reorder steps?": [test_reorder_gives_nobody_a_mail_again],
    "change a wait, or the hours in which mail leaves?": [test_who_waits_for_an_hour_to_send_in_gets_another_with_other_hours_and_retime, test_retime_keeps_the_time_that_was_given_unless_the_file_says_retime,
                       test_shortened_silence_that_is_over_counts_as_a_mail_now],
    "change words, a subject, a template?": [test_words_reach_every_mail_that_is_not_written_yet,
                                             test_words_in_another_language_are_an_edit_of_their_step],
    "change what a step asks?": [test_another_ask_counts_answers_of_the_new_question_only],
    "delete the file?": [test_delete_the_file_ends_passes_only_when_it_is_said],
    "want to undo it?": [test_undo_is_the_older_file_and_a_step_that_comes_back_is_the_step_it_was,
                         test_undoing_a_rename_needs_was_the_other_way_round],
}  # fmt: skip
"""Each question of docs/live-edits.md, and the tests that are its answer."""


def test_every_question_of_the_page_has_a_story():
    page = (Path(__file__).parent.parent / "docs/live-edits.md").read_text()
    assert re.findall(r"^\*\*… (.+?)\*\*", page, re.MULTILINE) == list(STORIES)
