"""From a SQLite file to PostgreSQL: nobody forgotten, nobody mailed twice, the file as it was."""

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text
from stage import MONDAY, Stage
from test_cluster import LADDER
from test_run import ROOT

from nurture.engine.guard import started
from nurture.errors import StoreError
from nurture.store import tables
from nurture.store.copying import copy
from nurture.store.database import open_store

PEOPLE = 60


@pytest.fixture
def file(tmp_path):
    """A list on SQLite in the middle of its work: some have answered, some wait, some mail is still planned."""
    path = tmp_path / "nurture.db"
    store = open_store(f"sqlite:///{path}")
    stage = Stage(store, {"ladder": LADDER.decode()})
    for number in range(PEOPLE):
        stage.subscribe(f"person{number}@example.com", sequence="ladder", first_name=f"Ann {number}")
    stage.work()
    for number in range(0, PEOPLE, 3):
        stage.answer(stage.mail("A question", f"person{number}@example.com"), "home")
    stage.hook("postmark", b"not json \xff")
    stage.close()
    store.close()
    return path


def quiet(*_):
    pass


def test_everything_arrives_and_goes_on_where_it_was(file, postgresql):
    before = file.read_bytes()
    counted = copy(file, postgresql, quiet, batch=7)
    assert file.read_bytes() == before
    assert {one.table for one in counted} == set(tables.metadata.tables) - {"worker"}
    assert all(one.source == one.target for one in counted)
    assert {one.table: one.target for one in counted}["subscriber"] == PEOPLE
    old, new = open_store(f"sqlite:///{file}"), open_store(postgresql)
    stages = [Stage(store, {"ladder": LADDER.decode()}) for store in (old, new)]
    for stage in stages:
        stage.now = MONDAY + timedelta(minutes=1)
        assert stage.subscribe("new@example.com", sequence="ladder").is_new, "numbers go on behind the copied ones"
        stage.after(days=1)
        stage.close()
    sent = [Counter((mail.to, mail.subject) for mail in stage.delivered) for stage in stages]
    assert sent[0] == sent[1]
    assert set(sent[1].values()) == {1}
    assert sum(1 for _, subject in sent[1] if subject == "The tour") == PEOPLE / 3
    for number in range(PEOPLE):
        stories = [stage.story(f"person{number}@example.com") for stage in stages]
        for story in stories:
            for message in story["messages"]:
                message.pop("id"), message.pop("provider_id")
        assert stories[0] == stories[1]
    for store in (old, new):
        store.close()


def test_a_copy_is_a_new_home_and_no_clone(file, postgresql, tmp_path):
    old = open_store(f"sqlite:///{file}")
    assert started(old, tmp_path / "old.epoch", MONDAY)
    old.close()
    copy(file, postgresql, quiet)
    new = open_store(postgresql)
    assert started(new, tmp_path / "new.epoch", MONDAY)
    new.close()


def test_a_copy_that_broke_off_goes_on_where_it_stopped_and_no_engine_starts_on_it(file, postgresql):
    def breaks(table, copied, total):
        if table == "enrollment" and copied >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(file, postgresql, breaks, batch=10)
    store = open_store(postgresql)
    with pytest.raises(StoreError, match="copy into this database was not finished"), store.own("an engine"):
        pass
    store.close()
    begun = {}
    counted = copy(file, postgresql, lambda table, copied, total: begun.setdefault(table, copied), batch=10)
    assert begun["subscriber"] == PEOPLE
    assert begun["enrollment"] == 20
    assert begun["message"] == 0
    assert all(one.source == one.target for one in counted)


def test_a_file_that_changed_since_the_copy_began_is_not_copied_on(file, postgresql):
    def breaks(table, copied, total):
        if copied:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(file, postgresql, breaks)
    store = open_store(f"sqlite:///{file}")
    with store.write() as tx:
        tx.execute(text("UPDATE subscriber SET status = 'unsubscribed' WHERE id = 1"))
    store.close()
    with pytest.raises(StoreError, match="older state of this one"):
        copy(file, postgresql, quiet)


def test_a_target_that_holds_something_is_refused(file, postgresql):
    copy(file, postgresql, quiet)
    with pytest.raises(StoreError, match="the target is not empty"):
        copy(file, postgresql, quiet)


def test_a_file_that_an_engine_works_on_is_refused(file, postgresql):
    store = open_store(f"sqlite:///{file}")
    with store.own("nurture run"), pytest.raises(StoreError, match="nurture run"):
        copy(file, postgresql, quiet)
    store.close()


def test_the_command_counts_table_by_table(file, postgresql, tmp_path):
    environment = {**os.environ, "NURTURE_SECRET_KEY": "a key for tests only, long enough"}
    command = [sys.executable, "-m", "nurture", "-C", str(tmp_path), "db", "copy", "--to", postgresql]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"subscriber {PEOPLE:>14} = {PEOPLE}" in done.stdout
    assert "start no engine on the file again" in done.stderr
    shown = ["messages", "--json"]
    read = [sys.executable, "-m", "nurture", "-C", str(tmp_path), *shown]
    environment |= {"NURTURE_DATABASE_URL": postgresql}
    listed = subprocess.run(read, env=environment, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert len(json.loads(listed)["messages"]) == PEOPLE
    again = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.returncode == 2, "the settings name PostgreSQL now"
    assert "only such a file is copied" in again.stderr
