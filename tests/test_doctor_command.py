"""What `nurture doctor` prints and how it leaves, and what it says of an installation's safety."""

import json
from dataclasses import replace

import pytest

from nurture.cli.main import run
from nurture.engine.doctor import security
from nurture.providers.base import Account

# --- security

LONG = "8f3kQz7LmW2xVb9RtY5uNc1PdG6hJs4A"
SAFE = security.Exposure("https://mail.shop.dev", "127.0.0.1", {}, (LONG,), LONG[::-1])


def test_a_sound_installation_has_no_findings(tmp_path):
    path = tmp_path / ".env"
    path.touch(mode=0o600)
    accounts = {
        "resend": Account("resend", "key", hook_secrets=("whsec_x",)),
        "postmark": Account("postmark", "key", hook_secrets=(f"user:{LONG}",)),
    }
    found = list(security.check(replace(SAFE, accounts=accounts, files=(path, tmp_path / "gone"))))
    assert [one.level for one in found] == ["ok"] * len(found)


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        ({"base_url": "http://mail.shop.dev"}, "fault", "plain http"),
        ({"base_url": ""}, "warning", "no base URL"),
        ({"host": "0.0.0.0"}, "warning", "for every machine"),
        ({"secret_keys": ("short",)}, "fault", "can be guessed"),
        ({"secret_keys": ("a" * 64,)}, "fault", "can be guessed"),
        ({"admin_token": "short"}, "fault", "can be guessed"),
        ({"admin_token": LONG}, "fault", "who has one has both"),
        ({"accounts": {"postmark": Account("postmark", "k", hook_secrets=("user:short",))}}, "warning", "is short"),
        ({"accounts": {"postmark": Account("postmark", "k")}}, "warning", "no hook secret"),
        ({"accounts": {"mailgun-inbound": Account("mailgun-inbound")}}, "warning", "NURTURE_PROVIDERS__MAILGUN_INBOUND__HOOK_SECRET"),
        ({"accounts": {"smtp": Account("smtp"), "resend": Account("resend", "k", "http://esp.shop.dev", ("w",))}}, "fault",
         "plain http"),
    ],
)  # fmt: skip
def test_what_an_attacker_would_try_first_is_found(changed, level, words):
    found = [one for one in security.check(replace(SAFE, **changed)) if one.level != "ok"]
    assert [(one.level, words in f"{one.says}: {one.mend}", bool(one.mend)) for one in found] == [(level, True, True)]
    assert LONG not in str(found)


def test_a_file_with_secrets_that_others_can_read_is_a_fault(tmp_path):
    path = tmp_path / ".env"
    path.touch(mode=0o644)
    found = [one for one in security.check(replace(SAFE, files=(path,))) if one.level != "ok"]
    assert [(one.level, one.mend) for one in found] == [("fault", f"chmod 600 {path}")]


# --- the command


@pytest.fixture
def doctor(tmp_path, capfd):
    folder = tmp_path / "list"
    run(["init", str(folder)])
    capfd.readouterr()

    def command(*words, env=f"NURTURE_SECRET_KEY={LONG}\n"):
        (folder / ".env").write_text(env)
        (folder / ".env").chmod(0o600)
        code = run(["-C", str(folder), "doctor", *words])
        out, err = capfd.readouterr()
        return code, out, err

    return command


def test_a_new_project_has_warnings_and_no_faults(doctor):
    code, out, _ = doctor("--json")
    found = json.loads(out)
    assert (code, found["format"]) == (0, "nurture.doctor/1")
    assert {tuple(one) for one in found["findings"]} == {("check", "level", "says", "mend")}
    assert {one["level"] for one in found["findings"]} == {"ok", "warning"}
    assert "there is no database" in out
    assert doctor("--strict")[0] == 1


def test_a_fault_leaves_with_1_and_says_what_mends_it(doctor):
    code, out, err = doctor("--security", env="")
    assert code == 1
    assert "✗ secret key" in out
    assert "token_urlsafe(32)" in out
    assert "1 fault," in err


def test_the_doctor_deploys_nothing_and_makes_no_database(doctor, tmp_path, capfd):
    doctor()
    assert not (tmp_path / "list/nurture.db").exists()
    run(["-C", str(tmp_path / "list"), "db", "upgrade"])
    capfd.readouterr()
    code, out, _ = doctor("--security", "--json")
    assert code == 0
    assert {"database", "clock", "queues", "address", "API"} <= {one["check"] for one in json.loads(out)["findings"]}


def test_a_name_that_only_reports_cannot_send(doctor):
    code, _, err = doctor(env="NURTURE_PROVIDER=stripe\n")
    assert (code, "stripe sends no mail" in err) == (2, True)
