"""The three fuses: a person's daily budget, the rate fuse, the hold after a restored or cloned database."""

import shutil
from datetime import timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from stage import MONDAY, Stage
from typer.testing import CliRunner

from nurture.cli.main import app
from nurture.engine import guard
from nurture.engine.due import look
from nurture.engine.rules import Rules
from nurture.engine.show import held
from nurture.engine.tick import tick
from nurture.errors import Rejected, SettingsError
from nurture.journey.fuses import LAST, Fuse
from nurture.settings import read_settings
from nurture.store import allowances, epochs, fuse_tables, pauses
from nurture.store.database import open_store

ONE = """\
title: {name}
start: manual
from: Ada <ada@example.com>
within: 1 day
steps:
  {name}:
    subject: {name}
    template: body.md
    ask: {{click: Go, to: https://example.com/}}
    no: end
"""


def many(count):
    return {f"s{number}": ONE.format(name=f"s{number}") for number in range(count)}


def rules(**given):
    return Rules(postal_address="1 Example Street", **given)


def later(stage, **length):
    """Time goes by while mail is held: nothing that is due moves it on."""
    stage.now += timedelta(**length)
    stage.work()


# --- a person's daily budget


def test_a_person_gets_no_more_than_the_budget_on_one_day_of_theirs_and_the_rest_on_the_next(store):
    stage = Stage(store, many(4), rules=rules(budget=2))
    stage.now = MONDAY.replace(hour=3)  # Sunday evening in New York
    for name in many(4):
        stage.subscribe(sequence=name, timezone="America/New_York")
    stage.work()
    assert len(stage.delivered) == 2
    waiting = [mail for mail in stage.story()["messages"] if mail["state"] == "planned"]
    assert [mail["due_at"] for mail in waiting] == ["2026-06-01T04:00:00Z"] * 2, "midnight in New York"
    assert "2 mails a day" in waiting[0]["reason"]
    stage.until(MONDAY.replace(hour=4))
    assert len(stage.delivered) == 4
    stage.close()


def test_the_database_itself_refuses_a_mail_beyond_the_budget(store):
    with store.write() as tx:
        wanted = [allowances.Wanted(f"m{number}", 1, "2026-06-01") for number in range(4)]
        assert allowances.take(tx, wanted, 3) == {"m0", "m1", "m2"}
        assert allowances.take(tx, wanted, 3) == {"m0", "m1", "m2"}, "a mail that is tried again is counted once"
    row = {"day": "2026-06-01", "subscriber": 1, "budget": 3, "message": "m9"}
    for slot in (2, 3, -1):
        with pytest.raises(IntegrityError), store.write() as tx:
            tx.execute(insert(fuse_tables.allowance), [{**row, "slot": slot}])


def test_a_mail_that_is_tried_again_takes_no_second_place_of_the_day(store):
    tried = []

    def moody(message):
        tried.append(message.subject)
        if len(tried) < 3:
            from nurture.errors import Unavailable

            raise Unavailable("not now")
        return "fine"

    stage = Stage(store, many(2), rules=rules(budget=2), send=moody)
    for name in many(2):
        stage.subscribe(sequence=name)
    stage.after(minutes=2)
    assert {mail["state"] for mail in stage.story()["messages"]} == {"sent"}
    stage.close()


def test_days_that_are_over_are_forgotten(store):
    with store.write() as tx:
        allowances.take(tx, [allowances.Wanted("m", 1, "2026-06-01")], 1)
        allowances.forget(tx, "2026-06-02")
        assert allowances.take(tx, [allowances.Wanted("n", 1, "2026-06-01")], 1) == {"n"}


# --- the rate fuse


def test_a_pause_of_all_mail_holds_what_was_claimed_before_it(store):
    stage = Stage(store, many(1))
    stage.subscribe(sequence="s0")
    tick(store, stage.deployed, stage.now)
    stage.sender.turn(stage.deployed, stage.now)  # claimed and written, not begun
    with store.write() as tx:
        pauses.pause(tx, pauses.ALL, "", stage.now)
    stage.send()
    assert stage.delivered == []
    with store.write() as tx:
        assert pauses.resume(tx, pauses.ALL)
    stage.after(minutes=1)
    assert len(stage.delivered) == 1
    stage.close()


def test_what_is_held_is_not_late_and_nobody_is_woken_for_it(store):
    stage = Stage(store, many(2))
    for name in many(2):
        stage.subscribe(sequence=name)
    tick(store, stage.deployed, stage.now)

    def late():
        waiting = look(store, stage.now)
        return waiting.message is not None, "send" in waiting.works(stage.now)

    def after(change, name):
        with store.write() as tx:
            change(tx, name, *(["", stage.now] if change is pauses.pause else []))
        return late()

    assert late() == (True, True)
    assert after(pauses.pause, "s0") == (True, True), "the other one waits"
    assert after(pauses.pause, "s1") == (False, False)
    assert after(pauses.resume, "s0") == (True, True)
    assert after(pauses.pause, pauses.ALL) == (False, False)
    assert after(pauses.resume, pauses.ALL) == (True, True)
    stage.close()


def test_more_mail_within_an_hour_than_was_said_holds_all_until_someone_resumes(store):
    stage = Stage(store, many(1), rules=rules(fuse=Fuse(hourly=3)))
    for number in range(3):
        stage.subscribe(f"p{number}@example.com", sequence="s0")
    stage.work()
    stage.subscribe("p3@example.com", sequence="s0")
    stage.work()
    assert len(stage.delivered) == 3
    (why,) = held(store)
    assert why["sequence"] is None
    assert "more than 3 mails" in why["because"]
    assert "nurture resume" in why["because"]
    later(stage, hours=5)
    assert len(stage.delivered) == 3, "it does not mend itself"
    with store.write() as tx:
        pauses.resume(tx, pauses.ALL)
    stage.after(minutes=1)
    assert len(stage.delivered) == 4
    stage.close()


def test_what_the_fuse_forgave_does_not_blow_it_in_the_same_hour(store):
    stage = Stage(store, many(1), rules=rules(fuse=Fuse(hourly=2)))
    for number in range(3):
        stage.subscribe(f"p{number}@example.com", sequence="s0")
        stage.work()
    assert len(stage.delivered) == 2
    with store.write() as tx:
        pauses.resume(tx, pauses.ALL)
    stage.after(minutes=1)
    assert len(stage.delivered) == 3
    stage.close()


def test_a_large_share_that_fails_holds_the_rest(store):
    def refusing(message):
        raise Rejected("no such mailbox")

    stage = Stage(store, many(1), rules=rules(fuse=Fuse(failures=0.02)), send=refusing)
    from nurture.engine.enroll import Row, import_batch

    rows = [Row(number, f"p{number}@example.com") for number in range(LAST + 60)]
    import_batch(store, stage.deployed, rows, enroll="s0", now=stage.now)
    stage.work()
    (why,) = held(store)
    assert f"of the last {LAST} mails failed" in why["because"]
    with store.read() as tx:
        from nurture.store import messages

        states = messages.states(tx)
    assert states["failed"] < LAST + 60
    assert states["planned"] > 0
    stage.close()


@pytest.mark.parametrize(
    ("fuse", "recent", "blows"),
    [
        (Fuse(), [True] * LAST, False),
        (Fuse(failures=0.02), [True] * (LAST - 1), False),
        (Fuse(failures=0.02), [False] * (LAST - 4) + [True] * 4, False),
        (Fuse(failures=0.02), [False] * (LAST - 5) + [True] * 5, True),
    ],
)
def test_the_share_is_taken_of_two_hundred(fuse, recent, blows):
    assert bool(fuse.overheated(recent)) is blows


def test_a_share_is_written_in_percent(tmp_path):
    (tmp_path / "nurture.toml").write_text('fuse_failures = "2%"\nbudget = 3\n')
    assert read_settings(tmp_path).fuse_failures == 0.02
    (tmp_path / "nurture.toml").write_text('fuse_failures = "a few"\n')
    with pytest.raises(SettingsError, match=r"FUSE_FAILURES: 'a few' is no share; write it like 2%"):
        read_settings(tmp_path)


# --- a restored or cloned database


def test_a_database_that_merely_rested_sends_on(store, tmp_path):
    note = tmp_path / "note"
    for day in range(3):
        assert guard.started(store, note, MONDAY + timedelta(days=day))
        guard.look(store, note, MONDAY + timedelta(days=day))
    assert held(store) == []


def test_a_database_that_is_older_than_at_the_last_start_sends_nothing_until_someone_looked(store, tmp_path):
    note = tmp_path / "note"
    guard.started(store, note, MONDAY)
    with store.read() as tx:
        backup = epochs.read(tx)
    guard.started(store, note, MONDAY + timedelta(days=1))
    with store.write() as tx:
        epochs.write(tx, backup)  # as a restored backup has it
    stage = Stage(store, many(1))
    stage.subscribe(sequence="s0")
    assert not guard.started(store, note, MONDAY + timedelta(days=2))
    later(stage, days=1)
    assert stage.delivered == []
    (why,) = held(store)
    assert "a backup was restored" in why["because"]
    assert "nurture resume --after-restore" in why["because"]
    assert not guard.started(store, note, MONDAY + timedelta(days=3)), "another start changes nothing"
    assert guard.looked(store, note, MONDAY + timedelta(days=3))
    stage.after(hours=1)
    assert len(stage.delivered) == 1
    assert guard.started(store, note, MONDAY + timedelta(days=4))
    stage.close()


def test_a_backup_that_is_put_back_under_a_running_engine_is_held(store, tmp_path):
    note = tmp_path / "note"
    guard.started(store, note, MONDAY)
    with store.read() as tx:
        backup = epochs.read(tx)
    guard.started(store, note, MONDAY + timedelta(days=1))
    with store.write() as tx:
        epochs.write(tx, backup)
    guard.look(store, note, MONDAY + timedelta(days=1))
    assert len(held(store)) == 1


def test_another_engine_that_started_meanwhile_is_noted_and_held_by_nobody(store, tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    guard.started(store, ours, MONDAY)
    guard.started(store, theirs, MONDAY + timedelta(hours=1))
    guard.look(store, ours, MONDAY + timedelta(hours=2))
    assert held(store) == []
    with store.read() as tx:
        backup = epochs.read(tx)
    assert str(backup.number) in ours.read_text()


def test_a_new_container_without_a_note_is_no_clone(store, tmp_path):
    guard.started(store, tmp_path / "note", MONDAY)
    assert guard.started(store, tmp_path / "another", MONDAY + timedelta(hours=1))
    assert held(store) == []


def test_a_copy_of_a_file_is_held_even_with_its_note(tmp_path, migrated):
    shutil.copy(migrated, tmp_path / "nurture.db")
    store = open_store(f"sqlite:///{tmp_path}/nurture.db")
    guard.started(store, tmp_path / "nurture.db.epoch", MONDAY)
    store.close()
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("nurture.db", "nurture.db.epoch"):
        shutil.copy(tmp_path / name, clone / name)
    copied = open_store(f"sqlite:///{clone}/nurture.db")
    assert not guard.started(copied, clone / "nurture.db.epoch", MONDAY)
    assert "is a copy" in held(copied)[0]["because"]
    copied.close()


def test_a_copy_of_a_postgresql_database_is_held(server, tmp_path):
    from conftest import TEMPLATE, _make_database

    first = _make_database(server.format("postgres"), server, "guarded", TEMPLATE)
    store = open_store(first)
    guard.started(store, tmp_path / "note", MONDAY)
    store.close()
    copied = open_store(_make_database(server.format("postgres"), server, "copied", "guarded"))
    assert not guard.started(copied, tmp_path / "another", MONDAY)
    assert "is a copy" in held(copied)[0]["because"]
    copied.close()


def test_resume_says_that_a_restored_database_needs_a_look(tmp_path):
    run = CliRunner().invoke
    assert run(app, ["init", str(tmp_path / "p")]).exit_code == 0
    at = ["-C", str(tmp_path / "p")]
    run(app, [*at, "subscribe", "ann@example.com"])
    store = open_store(f"sqlite:///{tmp_path}/p/nurture.db")
    with store.write() as tx:
        pauses.pause(tx, pauses.RESTORED, "restored", MONDAY)
    told = run(app, [*at, "messages"])
    assert "All mail is held since Mon 01 Jun 2026" in told.stderr
    done = run(app, [*at, "resume"])
    assert "goes again" not in done.stdout
    assert "nurture resume --after-restore" in done.stderr
    assert held(store) != []
    assert run(app, [*at, "resume", "--after-restore"]).exit_code == 0
    assert held(store) == []
    store.close()
