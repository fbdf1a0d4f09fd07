"""A provider that misbehaves in every way one has seen, over a real socket: what is known of the mail after each.

The server's own list of accepted mails is the judge: what may have been accepted is never called refused.
"""

import json
import shutil
import socket
import threading
from collections import Counter
from datetime import timedelta
from email.utils import formatdate
from time import monotonic, time

import pytest
from stage import LINKS, Stage

from benchmarks.machines import fake_esp
from nurture.engine.sending import Sender
from nurture.errors import Rejected, Unavailable, Uncertain
from nurture.mail.message import Message
from nurture.providers import PROVIDERS
from nurture.providers.base import Account
from nurture.providers.http import LONGEST_WAIT, Line
from nurture.store.database import open_store

MAIL = Message("m1", "k1", "Ada <ada@example.com>", "ann@example.com", "Hello", "<p>html</p>", "text")
GOOD = b'{"ErrorCode": 0, "Message": "OK", "MessageID": "its-id"}'
WALL = 0.4
"""Seconds for a whole call: what a test waits for is cut short by it."""


def answer(status, body=b"", *headers):
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Esp:
    """One call a connection: reads the request (or a part of it), accepts the mail or not, and answers as told."""

    def __init__(self, reply, *, accepts, reads=True, drips=False, stalls=False, fragment=False):
        self.reply, self.accepts, self.reads, self.drips, self.stalls = reply, accepts, reads, drips, stalls
        self.fragment = fragment
        self.accepted = 0
        self.done = threading.Event()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with self.listening.accept()[0] as call:
            call.settimeout(5)
            if self.fragment:
                call.recv(20)  # hung up in the middle of the request: what is unread resets the connection
                return
            if self.reads:
                self._read(call)
            if self.accepts:
                self.accepted += 1
            try:
                self._write(call)
            except OSError:
                return  # the caller had enough

    def _write(self, call):
        if self.stalls:
            self.done.wait(5)
        elif self.drips:
            for byte in self.reply:
                call.sendall(bytes([byte]))
                if self.done.wait(0.05):
                    return
        else:
            call.sendall(self.reply)

    def _read(self, call):
        found = b""
        while b"\r\n\r\n" not in found:
            found += call.recv(65536)
        head, _, body = found.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        while len(body) < length:
            body += call.recv(65536)

    def close(self):
        self.done.set()
        self.listening.close()
        self.thread.join(5)


def send(esp):
    port = esp.listening.getsockname()[1]
    account = Account("postmark", key="a key", url=f"http://127.0.0.1:{port}")
    line = Line(WALL)
    try:
        return PROVIDERS["postmark"].connect(account, line)(MAIL)
    finally:
        line.close()
        esp.close()


UNCERTAIN = {
    "500 after accepting": {"reply": answer(500, b"oops"), "accepts": True},
    "503 with Retry-After": {"reply": answer(503, b"", "Retry-After: 1"), "accepts": True},
    "408": {"reply": answer(408), "accepts": True},
    "html in a 200": {"reply": answer(200, b"<html>Sign in to the Wi-Fi</html>"), "accepts": False},
    "half JSON": {"reply": answer(200, b'{"ErrorCode": 0, "Mess'), "accepts": True},
    "200 empty": {"reply": answer(200), "accepts": True},
    "half an answer": {"reply": answer(200, GOOD)[:-20], "accepts": True},
    "dropped after the body": {"reply": b"", "accepts": True},
    "dropped in the middle of the request": {"reply": b"", "accepts": False, "fragment": True},
    "no HTTP at all": {"reply": b"220 smtp.example.com ESMTP\r\n", "accepts": False},
    "stalls": {"reply": b"", "accepts": True, "stalls": True},
    "drips": {"reply": answer(200, GOOD), "accepts": True, "drips": True},
}


@pytest.mark.parametrize("how", UNCERTAIN)
def test_what_may_have_been_accepted_is_never_called_refused(how):
    esp = Esp(**UNCERTAIN[how])
    began = monotonic()
    with pytest.raises(Uncertain):
        send(esp)
    assert monotonic() - began < WALL + 4, "one wall of time around the whole call"


@pytest.mark.parametrize("status", [301, 302, 307, 308, 401, 403])
def test_a_redirect_is_never_followed_and_closes_the_gate_like_a_wrong_key(status):
    with pytest.raises(Unavailable) as refused:
        send(Esp(answer(status, b"", "Location: http://127.0.0.1:9/"), accepts=False))
    assert refused.value.gate


@pytest.mark.parametrize("status", [400, 404, 413])
def test_a_refusal_of_the_mail_is_for_good(status):
    with pytest.raises(Rejected):
        send(Esp(answer(status, b'{"ErrorCode": 300, "Message": "no"}'), accepts=False))


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("30", 30, 30),
        ("-5", 0, 1),
        ("999999999999", LONGEST_WAIT, LONGEST_WAIT),
        ("a date in a minute", 40, 61),
        ("a date a minute ago", 0, 1),
        ("in a while", 1, 1),
        ("nan", 1, 1),
        ("inf", LONGEST_WAIT, LONGEST_WAIT),
        ("", 1, 1),
    ],
)
def test_an_odd_retry_after_is_a_wait_between_nothing_and_an_hour(said, least, most):
    dates = {"a date in a minute": 60, "a date a minute ago": -60}
    if said in dates:
        said = formatdate(time() + dates[said], usegmt=True)
    with pytest.raises(Unavailable) as refused:
        send(Esp(answer(429, b"{}", f"Retry-After: {said}"), accepts=False))
    assert least <= refused.value.retry_after <= most
    assert not refused.value.gate


def test_nobody_listens_is_a_refusal():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unavailable):
        PROVIDERS["postmark"].connect(Account("postmark", key="k", url=f"http://127.0.0.1:{port}"), Line(WALL))(MAIL)


def test_a_good_answer_is_the_providers_id():
    esp = Esp(answer(200, GOOD), accepts=True)
    assert send(esp) == "its-id"
    assert esp.accepted == 1


# --- the engine over such a provider

HELLO = """\
start: joined
from: Ada <ada@example.com>
within: 3 days
steps:
  hello:
    subject: Hello
    template: body.md
    ask: {click: Go, to: https://example.com/}
    no: end
"""
MAILS = 9


def test_what_is_sent_by_a_provider_that_drops_and_fails_now_and_then_goes_once_by_its_own_log(migrated, tmp_path):
    """It takes every third mail and drops the connection, and answers every fifth request with 503."""
    shutil.copy(migrated, tmp_path / "nurture.db")
    store = open_store(f"sqlite:///{tmp_path}/nurture.db")
    stage = Stage(store, {"hello": HELLO})
    with fake_esp(tmp_path / "log", key=True, more=("--drop-every", "3", "--fail-every", "5")) as port:
        for name in ("resend", "postmark"):
            stage.sender.close()
            stage.provider, account = PROVIDERS[name], Account(name, key="k", url=f"http://127.0.0.1:{port}")
            stage.sender = Sender(store, stage.provider, account, LINKS, senders=2)
            for number in range(MAILS):
                stage.subscribe(f"{name}{number}@example.com")
            for seconds in (0, 5, 10, 20, 40, 80):
                stage.now += timedelta(seconds=seconds)
                stage.work()
        stage.close()
    accepted = [json.loads(line)["to"] for line in (tmp_path / "log").read_text().splitlines()]
    assert max(Counter(accepted).values()) == 1, "no copy went twice"
    states = {
        f"{name}{number}@example.com": stage.story(f"{name}{number}@example.com")["messages"][0]["state"]
        for name in ("resend", "postmark")
        for number in range(MAILS)
    }
    with_a_key = [to for to in states if to.startswith("resend")]
    assert {states[to] for to in with_a_key} == {"sent"}
    assert set(with_a_key) <= set(accepted), "with a key each has gone, however its first answer was lost"
    unknown = {to for to, state in states.items() if state == "unknown"}
    assert unknown & set(accepted) and unknown - set(accepted), "some had gone, some had not: nobody knows which"
    assert {to for to, state in states.items() if state == "sent"} == set(accepted) - unknown
    store.close()
