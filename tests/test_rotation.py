"""`nurture run` over two providers with hooks of three, whose keys and secrets are rotated while it runs."""

import base64
import hmac
import json
import os
import re
import signal
import time
from collections import Counter
from datetime import timedelta

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from stage import LINKS, Stage
from test_run import MANY, Project, accepted, how_many, until

from benchmarks.machines import ROOT, fake_esp
from nurture.engine.sending import Sender
from nurture.engine.tick import tick
from nurture.errors import Unavailable
from nurture.providers.base import Account, Provider
from nurture.store import messages

SECRETS = """\
NURTURE_SECRET_KEY="a key for tests only, long enough"
NURTURE_PROVIDERS__POSTMARK__HOOK_SECRET={postmark}
NURTURE_PROVIDERS__RESEND__HOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
NURTURE_PROVIDERS__SENDGRID_INBOUND__HOOK_SECRET={inbound}
"""
DELIVERY = {"RecordType": "Delivery", "MessageID": "a", "DeliveredAt": "2026-06-01T10:00:00Z", "Recipient": "a@x.org"}


def test_secrets_are_rotated_while_reports_come(tmp_path, nurture_in):
    project = Project(tmp_path, {}, nurture_in)
    secrets = tmp_path / ".env"
    secrets.write_text(SECRETS.format(postmark="a:old", inbound="b:old"))
    with project.engine("--port", "0") as address:
        process = int(re.search(r"process (\d+)", (tmp_path / "nurture.db.lock").read_text())[1])

        def post(provider, login, **body):
            return httpx.post(f"{address}/hooks/{provider}", auth=tuple(login.split(":")), **body).status_code

        assert post("postmark", "a:old", json=DELIVERY) == 200
        assert post("sendgrid-inbound", "b:old", data={"text": "x"}) == 200
        assert post("resend", "a:old", json={}) == 401
        # both are good for as long as the vendor needs, then only the new one
        secrets.write_text(SECRETS.format(postmark='["a:new", "a:old"]', inbound="b:new"))
        os.kill(process, signal.SIGHUP)
        until(lambda: post("postmark", "a:new", json=DELIVERY) == 200)
        assert post("postmark", "a:old", json=DELIVERY) == 200
        assert post("sendgrid-inbound", "b:new", data={"text": "x"}) == 200
        assert post("sendgrid-inbound", "b:old", data={"text": "x"}) == 401
        secrets.write_text("NURTURE_PROVIDERS__NOBODY__KEY=x\n")
        os.kill(process, signal.SIGHUP)
        secrets_after = SECRETS.format(postmark="a:newest", inbound="b:new")
        assert post("postmark", "a:new", json=DELIVERY) == 200, "faulty settings change nothing"
        secrets.write_text(secrets_after)
        os.kill(process, signal.SIGHUP)
        until(lambda: post("postmark", "a:newest", json=DELIVERY) == 200)
        assert post("postmark", "a:old", json=DELIVERY) == 401
    kept = project.run("hooks", "--json")[0]
    assert '"postmark"' in kept


# --- two that send, three that report

SETTINGS = """\
NURTURE_SECRET_KEY="a key for tests only, long enough"
NURTURE_TICK="0.1 seconds"
NURTURE_PROVIDER="postmark, sendgrid"
NURTURE_PROVIDERS__POSTMARK__URL={url}
NURTURE_PROVIDERS__POSTMARK__KEY={word}-postmark
NURTURE_PROVIDERS__POSTMARK__RATE=5
NURTURE_PROVIDERS__POSTMARK__DAILY=40
NURTURE_PROVIDERS__POSTMARK__HOOK_SECRET='{postmark}'
NURTURE_PROVIDERS__SENDGRID__URL={url}
NURTURE_PROVIDERS__SENDGRID__KEY={word}-sendgrid
NURTURE_PROVIDERS__SENDGRID__RATE=80
NURTURE_PROVIDERS__SENDGRID__HOOK_SECRET='{sendgrid}'
NURTURE_PROVIDERS__MAILGUN__HOOK_SECRET='{mailgun}'
"""
HELLO = """\
start: manual
from: Ada <ada@example.com>
within: 1 day
steps:
  question:
    subject: Hello
    ask: {click: Go on, to: https://example.com/}
    no: end
"""
BEFORE, AFTER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


def public(key):
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


class Vendors:
    """The three as they post reports of a mail, each with its own proof."""

    def __init__(self, address):
        self.client = httpx.Client(base_url=address)

    def _post(self, name, body, **more):
        return self.client.post(f"/hooks/{name}", content=json.dumps(body).encode(), **more).status_code

    def postmark(self, mail, secret):
        told = {**DELIVERY, "MessageID": mail["id"], "Recipient": mail["to"], "Metadata": {"nid": mail["nid"]}}
        return self._post("postmark", told, auth=("a", secret))

    def sendgrid(self, mail, key):
        told = [{"event": "delivered", "timestamp": int(time.time()), "sg_event_id": mail["nid"], "nid": mail["nid"],
                 "email": mail["to"]}]  # fmt: skip
        at = str(int(time.time()))
        signature = key.sign(at.encode() + json.dumps(told).encode(), ec.ECDSA(hashes.SHA256()))
        return self._post("sendgrid", told, headers={
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": at,
        })  # fmt: skip

    def mailgun(self, mail, secret):
        at, token = str(int(time.time())), f"{mail['nid']}{secret}"
        signature = hmac.digest(secret.encode(), f"{at}{token}".encode(), "sha256").hex()
        told = {"event": "delivered", "timestamp": time.time(), "id": mail["nid"], "recipient": mail["to"],
                "user-variables": {"nid": mail["nid"]}}  # fmt: skip
        proof = {"timestamp": at, "token": token, "signature": signature}
        return self._post("mailgun", {"signature": proof, "event-data": told})


def test_two_send_and_three_report_while_every_key_and_secret_is_rotated(tmp_path, nurture_in):
    log, known = tmp_path / "accepted.jsonl", tmp_path / "known"
    known.write_text("old-postmark old-sendgrid")
    (tmp_path / "project").mkdir()
    contracts = ("--contracts", str(ROOT / "tests/contracts"), "--known", str(known))
    with fake_esp(log, more=contracts) as port:
        project = Project(tmp_path / "project", {}, nurture_in)
        (project.folder / "sequences/ladder.yaml").write_text(HELLO)
        old = {"url": f"http://127.0.0.1:{port}", "word": "old", "postmark": "a:old", "sendgrid": public(BEFORE),
               "mailgun": "old"}  # fmt: skip
        new = {**old, "word": "new", "postmark": "a:new", "sendgrid": public(AFTER), "mailgun": "new"}
        both = {**new, **{name: json.dumps([new[name], old[name]]) for name in ("postmark", "sendgrid", "mailgun")}}

        def write(settings):
            (project.folder / ".env").write_text(SETTINGS.format(**settings))

        write(old)
        project.run("import", "people.csv", "--enroll", "ladder", code=1)  # some rows are broken
        with project.engine("--port", "0") as address:
            process = int(re.search(r"process (\d+)", (project.folder / "nurture.db.lock").read_text())[1])
            say = Vendors(address)
            posts = [(say.postmark, "old", "new"), (say.sendgrid, BEFORE, AFTER), (say.mailgun, "old", "new")]
            until(lambda: len(accepted(log)) > 3)
            first, second, third = accepted(log)[:3]
            assert [[post(first, word) for word in words] for post, *words in posts] == [[200, 401]] * 3
            known.write_text("old-postmark old-sendgrid new-postmark new-sendgrid")
            write(both)
            os.kill(process, signal.SIGHUP)
            until(lambda: any(mail["login"] == "new-postmark" for mail in accepted(log)))
            known.write_text("new-postmark new-sendgrid")
            assert [[post(second, word) for word in words] for post, *words in posts] == [[200, 200]] * 3
            write(new)
            os.kill(process, signal.SIGHUP)
            until(lambda: say.postmark(third, "old") == 401)
            assert [[post(third, word) for word in words] for post, *words in posts] == [[401, 200]] * 3
            until(lambda: how_many(log) == MANY)
            for mail in accepted(log):
                vendor = say.postmark if mail["vendor"] == "/email" else say.sendgrid
                assert vendor(mail, "new" if vendor == say.postmark else AFTER) == 200
            until(lambda: _standing(project) == {"delivered": MANY})
            say.client.close()
    mails = accepted(log)
    assert len({mail["to"] for mail in mails}) == MANY, "nobody is missing and nobody is mailed twice"
    by = Counter((mail["vendor"], mail["login"]) for mail in mails)
    assert set(by) == {("/email", "old-postmark"), ("/email", "new-postmark"), ("/v3/mail/send", "new-sendgrid")}
    assert by["/v3/mail/send", "new-sendgrid"] == MANY - 40, "it took over what was more than the first one's most"
    kept = json.loads(project.run("hooks", "--json")[0])["kept"]
    assert set(kept) == {"postmark", "sendgrid", "mailgun"}


def _standing(project):
    return Counter(row["state"] for row in json.loads(project.run("messages", "--json")[0])["messages"])


def test_a_new_key_opens_the_way_that_the_old_one_had_shut(store):
    asked = []

    def connect(account, transport=None):
        def send(message):
            asked.append(account.key)
            if account.key == "old":
                raise Unavailable("no such key", gate=True)
            return f"theirs-{message.id}"

        return send

    stage = Stage(store, {"ladder": HELLO.replace("manual", "joined").replace("Hello", "Hello\n    template: body.md")})
    stage.sender.close()
    stage.sender = Sender(store, Provider("outbox", connect), Account("outbox", "old"), LINKS, senders=1)
    for number in range(4):
        stage.subscribe(f"p{number}@example.com")
    stage.work()
    stage.now += timedelta(seconds=10)
    stage.work()
    assert len(asked) <= 2, "refused, it is left alone"
    waiting = [stage.story(f"p{number}@example.com")["messages"][0] for number in range(4)]
    late = [mail["reason"] for mail in waiting if mail["due_at"] == "2026-06-01T10:05:00Z"]
    assert late == ["outbox is left alone: no such key"] * len(late) and len(late) >= 2
    stage.subscribe("away@example.com")
    tick(store, stage.deployed, stage.now)
    with store.write() as tx:
        messages.put_off(tx, 5, stage.now + timedelta(days=9), "they asked for a pause")
    stage.sender.renew({"outbox": Account("outbox", "new"), "postmark": Account("postmark", "other")})
    stage.work()
    assert asked[-4:] == ["new"] * 4, "all that waited for it goes at once"
    assert [stage.story(f"p{number}@example.com")["messages"][0]["state"] for number in range(4)] == ["sent"] * 4
    assert stage.story("away@example.com")["messages"][0]["state"] == "planned"
    stage.sender.renew({})
    assert [way.account.key for way in stage.sender.ways] == ["new"], "who is not named keeps its key"
    stage.close()
