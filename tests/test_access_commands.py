"""Access on the command line: accounts, tokens, the audit log, and what an address that others can reach needs."""

import io
import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from nurture.cli.main import run
from nurture.cli.operators import refuse_to_be_public
from nurture.cli.project import who
from nurture.errors import SettingsError
from nurture.settings import Settings
from nurture.store.database import open_store

ROOT = Path(__file__).parent.parent
PASSWORD = "a small promise is kept"


@pytest.fixture
def nurture(tmp_path, capfd):
    """Run a command in a new project, with what stands in a pipe before it."""
    folder = tmp_path / "list"
    assert run(["init", str(folder)]) == 0
    capfd.readouterr()

    def command(*words, piped=""):
        before, sys.stdin = sys.stdin, io.StringIO(piped)
        try:
            code = run(["-C", str(folder), *words])
        finally:
            sys.stdin = before
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out, err

    command.folder = folder
    return command


def test_accounts_are_made_listed_and_taken_away(nurture):
    added = nurture("user", "add", "Me@example.com", piped=f"{PASSWORD}\n")
    assert added[:2] == (0, "me@example.com may log in, with the role admin.\n")
    assert nurture("user", "add", "you@example.com", "--role", "view", piped="short\n")[0] == 2
    assert nurture("user", "add", "you@example.com", "--role", "view", piped=PASSWORD)[0] == 0
    listed = json.loads(nurture("user", "list", "--json")[1])
    assert [(one["email"], one["role"]) for one in listed["users"]] == [
        ("me@example.com", "admin"), ("you@example.com", "view"),
    ]  # fmt: skip
    assert nurture("user", "password", "you@example.com", piped="another small promise")[0] == 0
    code, _, said = nurture("user", "remove", "me@example.com")
    assert (code, said) == (2, "nurture: me@example.com is the last admin; make another first\n")
    assert nurture("user", "remove", "you@example.com")[0] == 0
    assert nurture("user", "remove", "you@example.com")[2] == (
        "nurture: you@example.com has no account; `nurture user list` shows them\n"
    )
    everything = nurture("audit")[1] + nurture("audit", "--json")[1]
    assert "password changed" in everything
    assert PASSWORD not in everything
    assert nurture("audit", "--verify")[:2] == (0, "The audit log is as it was written.\n")


def test_what_is_done_on_the_command_line_is_on_record_and_a_change_of_that_shows(nurture):
    nurture("subscribe", "ann@example.com")
    for words in (
        ("pause", "all", "--because", "the shop is closed"), ("resume", "all"), ("resume", "all"),
        ("suppress", "ann@example.com", "--because", "asked by phone"),
        ("unsuppress", "ann@example.com", "--because", "asked again"),
        ("suppress", "nobody@example.com", "--because", "a complaint"), ("export",), ("export", "--email", "ann@example.com"),
    ):  # fmt: skip
        nurture(*words)
    entries = json.loads(nurture("audit", "--json")[1])["entries"]
    assert [(one["action"], one["target"], one["reason"]) for one in reversed(entries)] == [
        ("mail held", "all", "the shop is closed"), ("mail resumed", "all", ""),
        ("address suppressed", "person 1", "asked by phone"), ("address unsuppressed", "person 1", "asked again"),
        ("address suppressed", "", "a complaint"), ("people exported", "", ""), ("person exported", "person 1", ""),
    ]  # fmt: skip
    assert {one["who"] for one in entries} == {who() or "command line"}
    assert "@" not in json.dumps(entries)
    files = list(nurture.folder.glob("nurture.db*"))
    assert {one.stat().st_mode & 0o777 for one in files} == {0o600}, "what is known of people is its owner's alone"
    with sqlite3.connect(nurture.folder / "nurture.db") as behind:
        behind.execute("DROP TRIGGER audit_no_update")
        behind.execute("UPDATE audit SET reason = 'asked by phona' WHERE id = 3")
    assert nurture("audit", "--verify")[:2] == (1, "Entry 3 was changed afterwards.\n")


CANARY = "canary-8f3kQz7LmW2xVb9RtY5uNc1PdG6hJs4A"
WHSEC = "whsec_Y2FuYXJ5LThmM2tRejdMbVcyeFZiOVJ0WTV1TmMxUGRHNmhKczRB"
SECRET = {
    "SECRET_KEY": CANARY, "ADMIN_TOKEN": CANARY[::-1], "PROVIDERS__POSTMARK__KEY": CANARY,
    "PROVIDERS__POSTMARK__HOOK_SECRET": f"user:{CANARY}", "PROVIDERS__RESEND__HOOK_SECRET": WHSEC,
    "LISTENERS__CRM__URL": f"https://crm.example/{CANARY}", "LISTENERS__CRM__SECRET": WHSEC,
    "CODES__SPRING__URL": "https://shop.example/", "CODES__SPRING__SECRET": WHSEC,
}  # fmt: skip


@pytest.mark.parametrize(
    "but",
    [
        {}, {"DATABASE_URL": f"postgresql://nurture:{CANARY}@127.0.0.1:1/x"}, {"CODES__SPRING__SECRET": CANARY},
        {"LISTENERS__CRM__URL": f"http://user:{CANARY}@crm.example/"}, {"PORT": CANARY}, {"PROVIDERS__POSTMARK__RATE": CANARY},
        {"LISTENERS__CRM__PRIVATE": CANARY}, {"SECRET_KEY": f'["{CANARY}"'},
    ],
)  # fmt: skip
def test_no_secret_is_said_whatever_is_asked_and_however_wrong_it_is(nurture, but):
    lines = (f"NURTURE_{name}={value}\n" for name, value in {**SECRET, **but}.items())
    (nurture.folder / ".env").write_text("".join(lines))
    (nurture.folder / ".env").chmod(0o600)
    for words in (("codes", "list"), ("listeners", "list"), *(() if but else (("config",), ("doctor", "--security")))):
        _, *said = nurture(*words)
        for secret in (CANARY, CANARY[::-1], WHSEC):
            assert secret not in "".join(said), (words, but)


def test_a_token_is_alone_on_stdout_and_shown_once(nurture):
    code, out, err = nurture("token", "add", "shop", "--scope", "write", "--days", "30")
    assert (code, re.fullmatch(r"nur_[\w-]{43}\n", out) is not None) == (0, True)
    assert "not shown again" in err
    assert out.strip() not in nurture("token", "list", "--json")[1]
    assert nurture("token", "remove", "shop")[0] == 0
    assert nurture("token", "remove", "shop")[0] == 2


def test_why_tells_the_reasons_as_text_and_as_a_document(nurture):
    saturday = "2026-11-28T12:00:00Z"
    nurture("subscribe", "ann@example.com", "--now", saturday)
    code, out, _ = nurture("why", "ann@example.com", "--now", saturday)
    assert code == 0
    assert "next: the mail question: " in out
    assert "not sooner: the wait ends 30 Nov 2026 09:00 UTC: the window opens Mon 30 Nov 09:00" in out
    found = json.loads(nurture("why", "ann@example.com", "--json")[1])
    assert found["format"] == "nurture.why/1"
    assert nurture("why", "nobody@example.com")[0] == 1


@pytest.fixture
def store(migrated, tmp_path):
    path = tmp_path / "nurture.db"
    path.write_bytes(migrated.read_bytes())
    opened = open_store(f"sqlite:///{path}")
    yield opened
    opened.close()


STRONG = "kV9-2mQx_7fLr0aWzB4tYn8sEuHc1dGp"
FIT = {"host": "0.0.0.0", "admin_token": "token", "base_url": "https://mail.example.com", "secret_key": STRONG}


@pytest.mark.parametrize(
    ("but", "named"),
    [
        ({"admin_token": ""}, "NURTURE_ADMIN_TOKEN"),
        ({"base_url": "http://mail.example.com"}, "NURTURE_BASE_URL"),
        ({"base_url": ""}, "NURTURE_BASE_URL"),
        ({"secret_key": "short"}, "NURTURE_SECRET_KEY"),
        ({"secret_key": "a" * 64}, "NURTURE_SECRET_KEY"),
        ({"secret_key": f"{STRONG},old"}, "NURTURE_SECRET_KEY"),
    ],
)
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "mail.example.com"])
def test_an_address_that_others_can_reach_is_refused_until_it_is_fit(store, host, but, named):
    with pytest.raises(SettingsError, match=named) as refused:
        refuse_to_be_public(Settings(**{**FIT, "host": host, **but}), store)
    missing = {"NURTURE_ADMIN_TOKEN", "NURTURE_BASE_URL", "NURTURE_SECRET_KEY"} - {named}
    assert not [name for name in missing if name in str(refused.value)]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_this_machine_alone_needs_nothing(store, host):
    refuse_to_be_public(Settings(host=host), store)
    refuse_to_be_public(Settings(**FIT), store)


def test_run_says_what_is_missing_and_does_not_listen(nurture):
    code, _, err = nurture("run", "--host", "0.0.0.0")
    assert code == 2
    assert "user add EMAIL" in err
    assert "NURTURE_BASE_URL with https" in err


def test_the_first_run_shows_a_link_that_makes_the_first_account(nurture):
    words = [sys.executable, "-m", "nurture", "-C", str(nurture.folder), "run", "--port", "0"]
    environment = {**os.environ, "NURTURE_SECRET_KEY": STRONG}
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    try:
        lines = iter(process.stderr.readline, "")
        link = next(
            found[0] for line in lines if (found := re.search(r"http://127\.0\.0\.1:\d+/setup/[\w-]{43}", line))
        )
        with httpx.Client() as browser:
            made = browser.post(link, data={"email": "me@example.com", "password": PASSWORD})
            assert made.status_code == 303
            settings = browser.get(httpx.URL(link).join("/settings")).text
        assert "NURTURE_DATABASE_URL" in settings
        assert nurture("user", "list")[1].startswith("me@example.com  admin")
    finally:
        process.terminate()
        process.wait(30)
        process.stderr.close()
