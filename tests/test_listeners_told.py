"""What is posted to listeners: signed, small, to no address inside; and the commands of whoever runs it."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple

import httpcore
import httpx
import pytest
from stage import LINKS, MONDAY
from standardwebhooks import Webhook
from test_listening import FOLLOWS
from test_web import LOGIN, TOKEN, Visited

from nurture.cli.main import run
from nurture.engine.deploy import Current
from nurture.engine.doctor import listeners as looking
from nurture.engine.listening import TYPES, Listener
from nurture.engine.rules import Rules
from nurture.engine.run import Engine, working
from nurture.engine.telling import Teller
from nurture.errors import Rejected, Unavailable
from nurture.providers import PROVIDERS
from nurture.providers.base import Account
from nurture.providers.listener import complaint, connect, place
from nurture.store import deploys, notices
from nurture.store.database import open_store

ROOT = Path(__file__).parent.parent
SECRETS = ("whsec_" + "bmV3c2Vj" * 5, "whsec_" + "b2xkc2Vj" * 5)


LADDER = """\
title: Asks
start: joined
goal: {bought: review}
stop: replied
from: ada@brightline.example
within: 1 day
badges: {first: {title: The first}}
steps:
  question:
    subject: One question
    template: body.md
    send: now
    award: first
    ask: {poll: Home or auto?, answers: {home: Home, auto: Auto}}
    yes: offer
    no: end
  offer:
    subject: Offer
    template: body.md
    send: now
    ask: {buy: review, price: 99 GBP, to: https://brightline.example/buy, size: 3}
    no: end
"""


class Patient(NamedTuple):
    """As much of a doctor's patient as this look needs."""

    store: object
    deployed: object
    now: datetime


class Server(HTTPServer):
    def __init__(self, answer=b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"):
        self.came, self.answer = SimpleQueue(), answer
        super().__init__(("127.0.0.1", 0), Receiving)
        Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hook"


class Receiving(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.put((dict(self.headers), body))
        self.wfile.write(self.server.answer)
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def served():
    made = []

    def make(*answer):
        made.append(Server(*answer))
        return made[-1]

    yield make
    for one in made:
        one.shutdown()
        one.server_close()


@pytest.mark.parametrize("secret", SECRETS)
def test_every_secret_verifies_what_is_posted(served, secret):
    server = served()
    connect(server.url, SECRETS)("evt_1", '{"type":"kept"}', datetime.now(UTC))
    headers, body = server.came.get(timeout=5)
    assert Webhook(secret).verify(body, {name.lower(): value for name, value in headers.items()}) == {"type": "kept"}
    assert headers["webhook-id"] == "evt_1"


def test_the_engine_at_work_tells_what_waits_and_the_doctor_says_how_it_went(store, served):
    server = served()
    listener = Listener("own", server.url, secrets=SECRETS)
    with store.write() as tx:
        deploys.save(tx, {}, MONDAY)
    current = Current(store, Rules(listeners=(listener,)))
    engine = Engine(store, current, LINKS, PROVIDERS["outbox"], Account("outbox"), now=lambda: MONDAY)
    with store.write() as tx:
        notices.keep(tx, [notices.Notice("evt_1", name, "kept", 1, "{}", MONDAY) for name in ("own", "gone")], MONDAY)
    with working(engine) as works:
        works["tell"]()
    headers, body = server.came.get(timeout=5)
    assert (headers["webhook-id"], body) == ("evt_1", b"{}")
    with store.write() as tx:
        assert notices.standing(tx)["own"].told == 1
        notices.give_up(tx, "gone", MONDAY, "answered 500")
    patient = Patient(store, current(), MONDAY)
    found = [(one.level, one.says) for one in looking.check(patient)]
    assert found == [
        ("ok", "own has heard everything"),
        ("warning", "1 event is for gone, which the settings do not name"),
    ]
    with store.write() as tx:
        notices.replay(tx, MONDAY)
        assert notices.replay(tx, MONDAY, "own", ["evt_1"]) == 1
        notices.give_up(tx, "own", MONDAY, "answered 500")
    assert next(looking.check(patient)).says == "own did not hear 1 event: answered 500"


def test_whatever_people_do_is_heard_signed_and_begins_what_waits_for_it(store, served):
    """From their own doors, the page, the API, a provider's reports and the way out, to the listener's."""
    server = served()
    rules = Rules(postal_address="1 Example Street", listeners=(Listener("crm", server.url, secrets=SECRETS),))
    begins = {
        name: FOLLOWS.replace("{START}", what)
        for name, what in (("on", "{kept: asks.question}"), ("up", "{goal: asks}"))
    }
    stage = Visited(store, {"asks": LADDER, **begins}, rules=rules)
    stage.now = datetime.now(UTC) - timedelta(days=2)  # a signature is of the moment, and what is told has happened
    stage.subscribe("dan@example.com")
    stage.after(days=1, minutes=1)
    for who in ("ann", "bob", "cem", "eve", "fay"):
        stage.subscribe(f"{who}@example.com")
    stage.work()

    def mail(who):
        return stage.mail("One question", f"{who}@example.com")

    def link(who, way):
        return re.findall(rf"https://go\.example\.com(/{way}/[^\s?)>]+)", mail(who).text)[0]

    def hooked(who, **report):
        told = {"Email": f"{who}@example.com", "BouncedAt": f"{stage.now:%Y-%m-%dT%H:%M:%SZ}", "ID": 1, **report}
        told |= {"MessageID": f"p-{who}", "Metadata": {"nid": mail(who).id}}
        assert stage.web.post("/hooks/postmark", json=told, headers=LOGIN).status_code == 200

    stage.web.post(link("ann", "q"), data={"answer": "home"})
    stage.work()
    for who, name, data in (("ann", "bought", {"product": "review"}), ("eve", "replied", {})):
        told = {"name": name, "email": f"{who}@example.com", "data": data}
        assert stage.web.post("/api/events", json=told, headers=TOKEN).status_code == 202
    hooked("bob", RecordType="SpamComplaint", Type="SpamComplaint")
    hooked("cem", RecordType="Bounce", Type="HardBounce", TypeCode=1)
    assert stage.web.post(link("fay", "u")).status_code == 200
    stage.work()

    teller, now = Teller(store), datetime.now(UTC)
    while teller.turn(rules.listeners, now).more:
        pass
    heard = set()
    while not server.came.empty():
        headers, body = server.came.get()
        headers = {name.lower(): value for name, value in headers.items()}
        event, _ = (Webhook(secret).verify(body, headers) for secret in SECRETS)
        heard.add(
            (
                event["email"].partition("@")[0],
                event["type"],
                event.get("how") or event.get("answer") or event.get("badge"),
            )
        )
    assert heard == {
        ("ann", "kept", "home"), ("ann", "awarded", "first"), ("ann", "kept", "yes"), ("ann", "goal", "goal"),
        ("bob", "complained", None), ("bob", "ended", "complained"), ("cem", "bounced", None), ("cem", "ended", "bounced"),
        ("dan", "ended", "finished"), ("eve", "ended", "stopped"), ("fay", "unsubscribed", None), ("fay", "ended", "unsubscribed"),
    }  # fmt: skip
    assert {kind for _, kind, _ in heard} == set(TYPES)
    assert {place["sequence"] for place in stage.story("ann@example.com")["enrollments"]} == {"asks", "on", "up"}
    stage.close()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            "redirects are not followed",
        ),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", "answered 410"),
    ],
)
def test_a_redirect_or_a_refusal_is_not_heard(served, answer, error):
    with pytest.raises(Rejected, match=error):
        connect(served(answer).url, SECRETS)("evt_1", "{}", MONDAY)


def test_an_answer_without_end_is_not_read(served):
    server = served(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 100_000)
    connect(server.url, SECRETS)("evt_1", "{}", MONDAY)
    assert server.came.get(timeout=5)


def test_a_busy_listener_says_when_to_come_again():
    def busy(request):
        return httpx.Response(503, headers={"retry-after": "120"})

    with pytest.raises(Unavailable) as raised:
        connect("https://crm.example/", SECRETS, transport=httpx.MockTransport(busy))("evt_1", "{}", MONDAY)
    assert raised.value.retry_after == 120


@pytest.mark.parametrize(
    ("found", "private", "good"),
    [
        (["93.184.215.14"], False, True),
        (["2606:2800:21f:cb07:6820:80da:af6b:8b2c"], False, True),
        (["10.0.0.1"], False, False),
        (["10.0.0.1"], True, True),
        (["93.184.215.14", "192.168.1.1"], False, False),
        (["127.0.0.1"], False, False),
        (["::ffff:127.0.0.1"], False, False),
        (["64:ff9b::a00:1"], False, False),
        (["2002:a00:1::"], False, False),
        (["fd00::1"], False, False),
        (["100.64.0.1"], False, False),
        (["169.254.169.254"], True, False),
        (["fe80::1%eth0"], True, False),
        (["0.0.0.0"], True, False),
        (["224.0.0.1"], True, False),
        ([], False, False),
    ],
)  # fmt: skip
def test_an_address_is_judged_where_it_is_used(found, private, good):
    judged = place("https://crm.example/", private=private, lookup=lambda host, port: found)
    if good:
        assert judged("crm.example", 443) == found[0]
    else:
        with pytest.raises(httpcore.ConnectError):
            judged("crm.example", 443)


def test_without_encryption_only_inside_the_network():
    with pytest.raises(httpcore.ConnectError, match="only https"):
        place("http://crm.example/", private=True, lookup=lambda host, port: ["93.184.215.14"])("crm.example", 80)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://crm.example/", "is not encrypted"),
        ("ftp://crm.example/", "is no web address"),
        ("https://", "is no web address"),
        ("https://crm.example:port/", "is no web address"),
        ("https://me:secret@crm.example/", "holds a password"),
    ],
)
def test_an_address_that_cannot_be_a_listeners(url, words):
    assert words in complaint(url, private=False)


@pytest.mark.parametrize("url", ["https://crm.example/a?b=c", "http://127.0.0.1:8099/", "http://[::1]:80/"])
def test_an_address_that_can(url):
    assert complaint(url, private=False) == ""


# --- for whoever runs it


@pytest.fixture
def project(tmp_path):
    assert run(["init", str(tmp_path / "p")]) == 0
    return tmp_path / "p"


def settle(project, *lines):
    (project / ".env").write_text("NURTURE_SECRET_KEY=a-key-for-tests-only-long-enough\n" + "\n".join(lines) + "\n")


def test_the_receiver_of_the_docs_hears_what_is_tried(project, capfd):
    code = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/listening.md").read_text(), re.MULTILINE | re.DOTALL)[0]
    code = code.replace('HTTPServer(("127.0.0.1", 8099), Receiver).serve_forever()',
                        's = HTTPServer(("127.0.0.1", 0), Receiver); print(s.server_port, flush=True); s.serve_forever()')  # fmt: skip
    assert "server_port" in code
    receiver = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={"CRM_SECRET": SECRETS[1]},
    )
    try:
        port = receiver.stdout.readline().strip()
        settle(
            project,
            f"NURTURE_LISTENERS__CRM__URL=http://127.0.0.1:{port}/",
            f"NURTURE_LISTENERS__CRM__SECRET={','.join(SECRETS)}",
        )
        assert run(["-C", str(project), "listeners", "try", "crm"]) == 0
        assert receiver.stdout.readline() == "tried nobody@example.com\n"
        settle(
            project,
            f"NURTURE_LISTENERS__CRM__URL=http://127.0.0.1:{port}/",
            f"NURTURE_LISTENERS__CRM__SECRET=whsec_{'A' * 40}",
        )
        assert run(["-C", str(project), "listeners", "try", "crm"]) == 1
        assert "crm did not hear it: answered 401" in capfd.readouterr().err
    finally:
        receiver.kill()
        receiver.wait()
        receiver.stdout.close()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["URL=http://crm.example/", "SECRET=" + SECRETS[0]], "NURTURE_LISTENERS__CRM__URL is not encrypted"),
        (["URL=https://crm.example/"], "NURTURE_LISTENERS__CRM__SECRET is not set"),
        (["URL=https://crm.example/", "SECRET=no!base64"], "NURTURE_LISTENERS__CRM__SECRET cannot be read"),
        (["URL=https://crm.example/", "SECRET=" + SECRETS[0], "EVENTS=keept"], "there is no event 'keept', did you mean 'kept'?"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_one_line(project, capfd, lines, words):
    settle(project, *(f"NURTURE_LISTENERS__CRM__{line}" for line in lines))
    assert run(["-C", str(project), "listeners", "list"]) == 2
    _, err = capfd.readouterr()
    assert words in err
    assert err.count("\n") == 1
    assert SECRETS[0] not in err


def test_a_secret_in_the_toml_is_refused(project, capfd):
    with (project / "nurture.toml").open("a") as file:
        file.write('\n[listeners.crm]\nurl = "https://crm.example/"\nsecret = "whsec_AAAA"\n')
    assert run(["-C", str(project), "listeners", "list"]) == 2
    assert "NURTURE_LISTENERS__CRM__SECRET" in capfd.readouterr().err


def test_what_was_not_heard_is_listed_and_replayed(project, capfd):
    settle(
        project,
        "NURTURE_LISTENERS__CRM__URL=https://crm.example/secret",
        f"NURTURE_LISTENERS__CRM__SECRET={SECRETS[0]}",
    )
    assert run(["-C", str(project), "listeners", "list", "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["format"] == "nurture.listeners/1"
    assert shown["listeners"][0]["host"] == "crm.example"
    store = open_store(f"sqlite:///{project}/nurture.db")
    with store.write() as tx:
        notices.keep(tx, [notices.Notice("evt_1", "crm", "kept", 1, "{}", MONDAY)], MONDAY)
        notices.give_up(tx, "crm", MONDAY, "answered 500")
    assert run(["-C", str(project), "listeners", "list"]) == 1
    assert "1 failed  crm.example  answered 500" in capfd.readouterr().out
    assert run(["-C", str(project), "listeners", "replay", "crm"]) == 0
    assert capfd.readouterr().out == "1 event is told again.\n"
    with store.read() as tx:
        assert notices.standing(tx)["crm"].waiting == 1
    store.close()
