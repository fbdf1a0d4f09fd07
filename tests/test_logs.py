"""What is logged: lines for people or a JSON object a line for programs, and nobody's address in either."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError
from waiting import until

from nurture.cli.logs import TEXT, Lines, WithoutAddresses
from nurture.cli.main import run
from nurture.store import tables
from nurture.store.database import open_store


def record(message, *values, level=logging.WARNING, fault=None, **known):
    exc_info = None if fault is None else (type(fault), fault, fault.__traceback__)
    made = logging.LogRecord("nurture.sending", level, __file__, 1, message, values, exc_info)
    vars(made).update(known)
    return made


def test_a_line_is_an_object_with_what_is_known_and_nothing_else():
    line = json.loads(Lines().format(record("%s had %d", "postmark", 9, provider="postmark", count=9, email="x@y.org")))
    at = datetime.fromisoformat(line.pop("time"))
    assert abs((datetime.now(UTC) - at).total_seconds()) < 60
    assert line == {
        "level": "warning", "logger": "nurture.sending", "message": "postmark had 9", "provider": "postmark", "count": 9,
    }  # fmt: skip


@pytest.mark.parametrize("form", [Lines(), WithoutAddresses(TEXT)])
@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("550 no such user <ann.lee+x@example.com>", "<…@example.com>"),
        ("GET https://api.example.com/v3/ann%40example.com failed", "/…@example.com failed"),
        ("postgresql://nurture:hunter2@db.example.com/x", "nurture:…@db.example.com"),
        ("Key (email)=(zoë@bücher.example) exists", "(…@bücher.example)"),
        ("two\nlines @ noon", "lines @ noon"),
    ],
)
def test_no_address_and_no_password_is_logged_wherever_it_comes_from(form, said, left):
    line = form.format(record("%s", said, fault=ValueError(said)))
    assert line.count(left) == 2
    assert not [word for word in ("ann", "zoë", "hunter2") if word in line]


def test_a_line_stays_short_work_however_long_a_word_in_it_is():
    assert Lines().format(record("%s", "a" * 100_000)).count("a" * 100_000) == 1


def test_the_databases_own_faults_do_not_say_what_a_statement_was_given(url):
    store = open_store(url)
    ann = {"email": "ann", "attributes": {"first_name": "Annabel"}}
    try:
        with pytest.raises(SQLAlchemyError) as caught, store.write() as tx:
            tx.execute(insert(tables.subscriber), ann)
        line = json.loads(Lines().format(record("a fault", fault=caught.value)))
        assert "INSERT INTO subscriber" in line["traceback"]
        assert "Annabel" not in line["traceback"]
    finally:
        store.close()


def test_a_running_engine_says_nothing_but_objects(tmp_path):
    folder = tmp_path / "list"
    assert run(["init", str(folder)]) == 0
    words = [sys.executable, "-m", "nurture", "-C", str(folder), "run", "--port", "0"]
    environment = {**os.environ, "NURTURE_SECRET_KEY": "a key for tests only", "NURTURE_LOG": "json"}
    process = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True)
    said = []
    reader = threading.Thread(target=lambda: said.extend(process.stderr))
    reader.start()
    try:
        until(lambda: any("Nurture runs" in line for line in said) or process.poll() is not None, said)
        started = next(json.loads(line) for line in said if "Nurture runs" in line)
        refused = httpx.post(f"{started['address']}/hooks/postmark", content=b"[]")
        assert refused.status_code == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stderr.close()
    lines = [json.loads(line) for line in said]
    assert started["provider"] == "outbox"
    assert "/setup/" not in "".join(said)
    assert [line["level"] for line in lines if "user add" in line["message"]] == ["warning"]
    assert [line["provider"] for line in lines if line["logger"] == "nurture.hooks"] == ["postmark"]
    assert lines[-1]["message"].startswith("stopping")
