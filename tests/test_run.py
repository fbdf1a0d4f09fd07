"""`nurture run` as an operator runs it: a process of its own, a mail server of its own, a list from a CSV, real HTTP."""

import base64
import json
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from waiting import until

from benchmarks.machines import ROOT, fake_esp, fake_smtp

LADDER = """\
title: A ladder
start: manual
goal: {bought: review}
from: Ada Bright <ada@example.com>
within: 8 seconds
steps:
  question:
    subject: One question, {{ first_name or "friend" }}
    ask:
      poll: Home or auto?
      answers: {home: A home loan, auto: An auto loan}
      save: loan
    yes: tour
    no: again
  again:
    subject: Once more
    ask: question
    within: 1 second
    no: end
  tour:
    subject: The tour
    ask: {click: Show me, to: https://shop.example.com/tour}
    within: 1 hour
    yes: offer
    no: end
  offer:
    subject: The offer
    ask: {buy: review, price: 99 GBP, to: https://shop.example.com/buy, expires: 48 hours}
    within: 1 hour
    no: end
"""
PEOPLE = "attributes: {first_name: text, loan: [home, auto]}\nproducts: [review]\n"
MANY = 200
KEY = ec.generate_private_key(ec.SECP256R1())


class Project:
    """A folder, its settings, and the commands one runs in it."""

    def __init__(self, folder, settings, command):
        self.folder = folder
        self._command = command
        (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        (folder / "sequences").mkdir()
        (folder / "templates/ladder").mkdir(parents=True)
        (folder / "people.yaml").write_text(PEOPLE)
        (folder / "nurture.toml").write_text('postal_address = "1 Example Street"\n')
        (folder / "sequences/ladder.yaml").write_text(LADDER)
        for step in ("question", "again", "tour", "offer"):
            (folder / f"templates/ladder/{step}.md").write_text("Hello {{ first_name or 'you' }}.\n\n{{ ask }}\n")
        rows = "".join(f"person{n}@example.com,Ann {n}\n" for n in range(MANY))
        broken = "no-address,Bob\nperson7@example.com,Twice\ntoo,many,cells\n"
        (folder / "people.csv").write_text("email,first_name\n" + rows + broken)

    def run(self, *words, code=0):
        """What a command says on stdout and on stderr. It runs in this process: to start takes it longer than to work."""
        done, out, err = self._command(self.folder, *words)
        assert done == code, err
        return out, err

    def show(self, number):
        return json.loads(self.run("show", f"person{number}@example.com", "--json")[0])

    @contextmanager
    def engine(self, *words):
        command = [sys.executable, "-m", "nurture", "-C", str(self.folder), "run", *words]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        said = []
        reader = threading.Thread(target=lambda: said.extend(process.stderr))
        reader.start()
        try:
            until(lambda: any("Nurture runs" in line for line in said) or process.poll() is not None, said)
            yield re.search(r"http://[\d.]+:\d+", "".join(said))[0]
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, said
        finally:
            process.kill()
            process.wait()
            reader.join()
            process.stderr.close()


def accepted(log):
    """The mails in a provider's log. A line it is still writing has no end yet, and is not accepted yet either."""
    whole = log.read_bytes().rpartition(b"\n")[0] if log.exists() else b""
    return [json.loads(line) for line in whole.splitlines()]


def how_many(log):
    return log.read_bytes().count(b"\n") if log.exists() else 0


def signed(events):
    """A batch as SendGrid posts and signs it (Twilio SendGrid, Event Webhook Security Features)."""
    body, stamp = json.dumps(events).encode(), str(int(time.time()))
    signature = KEY.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return body, {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
    }


def settings(provider, port, url):
    public = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    name = provider.upper()
    address = f"smtp://127.0.0.1:{port}" if provider == "smtp" else f"http://127.0.0.1:{port}"
    return {
        "NURTURE_PROVIDER": provider,
        "NURTURE_DATABASE_URL": url,
        "NURTURE_SECRET_KEY": "a key for tests only, long enough",
        "NURTURE_ADMIN_TOKEN": "a token for tests",
        "NURTURE_TICK": "0.2 seconds",
        "NURTURE_SETTLE": "1 second",
        f"NURTURE_PROVIDERS__{name}__URL": address,
        f"NURTURE_PROVIDERS__{name}__KEY": "a key",
        "NURTURE_PROVIDERS__SENDGRID__HOOK_SECRET": base64.b64encode(public).decode(),
    }


@pytest.mark.parametrize(
    ("provider", "url"),
    [("smtp", "sqlite"), ("postmark", "sqlite"), ("sendgrid", "postgresql")],
    indirect=["url"],
)
def test_two_hundred_people_from_a_csv_to_the_offer_or_a_polite_end(provider, url, tmp_path, nurture_in):
    log = tmp_path / "accepted.jsonl"
    contracts = ("--contracts", str(ROOT / "tests/contracts"))
    machine = fake_smtp(log) if provider == "smtp" else fake_esp(log, more=contracts)
    (tmp_path / "project").mkdir()
    with machine as port:
        project = Project(tmp_path / "project", settings(provider, port, url), nurture_in)
        counted, refused = project.run("import", "people.csv", "--enroll", "ladder", code=1)
        assert "200 new, 0 known, 0 suppressed, 3 refused." in counted
        assert "people.csv:202: 'no-address' is not an email address" in refused
        assert "people.csv:203: person7@example.com stands in line 9 already" in refused
        assert "people.csv:204: this row has 3 cells" in refused
        with project.engine("--port", "0") as address:
            until(lambda: how_many(log) >= MANY)
            _answers(log, address)
            until(lambda: _mails(log, 1) == ["One question, Ann 1", "The tour"])
            _clicks(log, address)
            until(lambda: _mails(log, 1) == ["One question, Ann 1", "The tour", "The offer"])
            project.run("event", "bought", "--email", "person1@example.com", "--data", '{"product": "review"}')
            until(lambda: how_many(log) == MANY + 2 + MANY - 1)
            until(lambda: _of_api(address, 2)["enrollments"][0]["ended"] == "finished")
    _everyone_has_their_story(project, log)


def _of_api(address, number):
    """Asked again and again, while the engine serves."""
    path = f"{address}/api/subscribers/person{number}@example.com"
    return httpx.get(path, headers={"Authorization": "Bearer a token for tests"}).json()


def _mails(log, number):
    mine = f'"person{number}@example.com"'.encode()  # the others are not read: it is asked again and again
    lines = log.read_bytes().rpartition(b"\n")[0].splitlines()
    mails = [json.loads(line) for line in lines if mine in line]
    return [mail["subject"] for mail in mails if mail["to"] == f"person{number}@example.com"]


def _mail(log, number, subject):
    return next(m for m in accepted(log) if m["to"] == f"person{number}@example.com" and m["subject"] == subject)


def _answers(log, address):
    """Person 1 answers the poll over HTTP; looking at its page alone answers nothing."""
    mail = _mail(log, 1, "One question, Ann 1")
    assert mail["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    (home, _auto) = re.findall(rf"{address}/q/\S+", mail["text"])
    shown = httpx.get(home)
    assert "Home or auto?" in shown.text
    assert re.search(r'value="home"[^>]*checked', shown.text)
    assert "Thank you" not in httpx.get(home).text, "a GET answers nothing"
    assert "Thank you" in httpx.post(home, data={"answer": "home"}).text


def _clicks(log, address):
    """Person 1 clicks, as the provider reports it; a report that nobody signed is refused."""
    mail = _mail(log, 1, "The tour")
    click = {
        "event": "click", "email": mail["to"], "timestamp": int(time.time()), "sg_event_id": "one", "nid": mail["nid"],
        "url": "https://shop.example.com/tour", "ip": "203.0.113.5", "useragent": "Mozilla/5.0 (Macintosh)",
    }  # fmt: skip
    body, headers = signed([click])
    assert httpx.post(f"{address}/hooks/sendgrid", content=body).status_code == 401
    assert httpx.post(f"{address}/hooks/sendgrid", content=body + b" ", headers=headers).status_code == 401
    for _ in range(3):
        assert httpx.post(f"{address}/hooks/sendgrid", content=body, headers=headers).status_code == 200


def _everyone_has_their_story(project, log):
    keen, silent = project.show(1), project.show(2)
    assert keen["format"] == "nurture.subscriber/1"
    assert [place["ended"] for place in keen["enrollments"]] == ["goal"]
    assert {answer["step"]: answer["answer"] for answer in keen["answers"]} == {
        "question": "home", "tour": "yes", "offer": "yes",
    }  # fmt: skip
    assert keen["attributes"]["loan"] == "home"
    (click,) = [event for event in keen["events"] if event["kind"] == "clicked"]
    assert click["verdict"] == "human"
    assert [place["ended"] for place in silent["enrollments"]] == ["finished"]
    assert [mail["step"] for mail in silent["messages"]] == ["question", "again"]
    copies = [(mail["to"], mail["subject"]) for mail in accepted(log)]
    assert len(copies) == len(set(copies)), "nobody got a mail twice"
    assert "ended: goal" in project.run("show", "person1@example.com")[0]
    unknown = json.loads(project.run("messages", "--state", "unknown", "--json")[0])
    assert unknown == {"format": "nurture.messages/1", "messages": []}
