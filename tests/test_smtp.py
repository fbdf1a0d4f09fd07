"""Sending over SMTP: what arrives at a real server, what each of its answers proves, and what it cannot do to us."""

import ssl
import threading
from contextlib import suppress
from dataclasses import replace
from email import message_from_bytes
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from amazon import certificate, key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from test_providers import GATE, LATER, MESSAGE, REFUSED, STRANGER, UNKNOWN, outcome, serving, sorted_as

from nurture.errors import Rejected, SettingsError
from nurture.providers import PROVIDERS
from nurture.providers.base import Account
from nurture.providers.session import Wall
from nurture.providers.smtp import place


class Post(Controller):
    """A mail server on a port of its own that answers as it is told and keeps what it takes."""

    def __init__(self, tls=None, later=None, **answers):
        super().__init__(self, "127.0.0.1", 0, ssl_context=tls)
        self.later, self.answers, self.mails, self.sessions = later, answers, [], set()

    def factory(self):
        return SMTP(
            self, enable_SMTPUTF8=True, authenticator=self.knows, auth_require_tls=False, tls_context=self.later
        )  # fmt: skip

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    def knows(self, server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login, data.password) == (b"mia", b"right"), handled=False)

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's name
        envelope.mail_from = address
        return self.answers.get("mail", "250 OK")

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's name
        envelope.rcpt_tos.append(address)
        return self.answers.get("rcpt", "250 OK")

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        self.mails.append((envelope, message_from_bytes(envelope.content, policy=default)))
        self.sessions.add(session.peer)
        if self.answers.get("data") == "hang up":
            server.transport.abort()
        return self.answers.get("data", "250 queued as 4711")

    def gets(self, *messages, where="127.0.0.1", way="smtp"):
        self.start()
        try:
            send = PROVIDERS["smtp"].connect(Account("smtp", url=f"{way}://{where}:{self.port}"))
            return [outcome(send, message) for message in messages]
        finally:
            self.stop()


def test_a_mail_arrives_over_smtp_as_it_was_written():
    post = Post()
    assert post.gets(MESSAGE, MESSAGE, MESSAGE) == ["queued as 4711"] * 3
    assert len(post.sessions) == 1
    envelope, mail = post.mails[0]
    assert (envelope.mail_from, envelope.rcpt_tos) == ("mia@shop.example.com", [MESSAGE.to])
    assert (mail["From"], mail["To"], mail["Reply-To"]) == (MESSAGE.sender, MESSAGE.to, MESSAGE.reply_to)
    assert mail["Subject"] == MESSAGE.subject
    assert mail.get_all("Message-ID") == [f"<{MESSAGE.id}@shop.example.com>"]
    assert [(name, value) for name, value in mail.items() if name in dict(MESSAGE.headers)] == list(MESSAGE.headers)
    assert f"\r\nList-Unsubscribe: {MESSAGE.headers[0][1]}\r\n".encode() in envelope.content  # folded, signatures break
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    parts = [part.get_content().replace("\r\n", "\n") for part in mail.iter_parts()]
    assert parts == [MESSAGE.text + "\n", MESSAGE.html + "\n"]


def test_an_address_beyond_ascii_arrives_where_the_server_takes_it():
    post = Post()
    assert post.gets(replace(MESSAGE, to="žofie@example.net"), MESSAGE) == ["queued as 4711"] * 2
    (envelope, mail), _ = post.mails
    assert envelope.rcpt_tos == ["žofie@example.net"]
    assert mail["To"] == "žofie@example.net"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"rcpt": "550 5.1.1 no such mailbox"}, REFUSED), ({"data": "554 5.7.1 spam"}, REFUSED),
        ({"mail": "553 5.7.1 not your address"}, STRANGER), ({"data": "nonsense"}, UNKNOWN),
        ({"rcpt": "451 4.7.1 greylisted"}, LATER), ({"rcpt": "421 4.3.2 going down"}, LATER),
        ({"data": "452 4.3.1 disk full"}, LATER), ({"rcpt": "530 5.7.0 log in first"}, GATE),
        ({"data": "hang up"}, UNKNOWN), ({"rcpt": "553 5.7.1 <a@b.c>: Sender address rejected: not owned by user"}, STRANGER),
        ({"data": "550 The from address does not match a verified Sender Identity."}, STRANGER),
        ({"data": "554 Message rejected: Email address is not verified. The following …"}, STRANGER),
        ({"data": "550 5.7.1 Unconfigured Sending Domain <b.c>"}, STRANGER),
    ],
)  # fmt: skip
def test_an_answer_over_smtp_is_sorted_by_what_it_proves(answers, expected):
    post = Post(**answers)
    assert [sorted_as(error) for error in post.gets(MESSAGE, MESSAGE)] == [expected] * 2
    assert len(post.mails) == 2 * ("data" in answers)


def test_a_mailbox_that_does_not_exist_is_said_in_words():
    gone, full = (Post(rcpt=reply).gets(MESSAGE)[0] for reply in ("550 5.1.1 who?", "552 5.2.2 full"))
    assert (str(gone), str(full)) == ("the mailbox does not exist: 550 5.1.1 who?", "552 5.2.2 full")


SAYS = {"": b"220 hello\r\n", "data": b"354 go on\r\n"}


@pytest.mark.parametrize(("at", "expected"), [("", LATER), ("ehlo", LATER), ("rcpt", LATER), (".", UNKNOWN)])
def test_a_mail_server_that_drips_cannot_outlive_the_deadline(at, expected):
    enough = threading.Event()

    def talk(line):
        word = ""
        while word != at:
            line.wfile.write(SAYS.get(word, b"250 OK\r\n"))
            while (said := line.rfile.readline().strip()) != b"." and word == "data":
                pass
            word = said.decode().lower()[:4]
        with suppress(OSError):
            while not enough.wait(0.02):  # each line in time, the last one never
                line.wfile.write(b"250-and more\r\n")

    with serving(talk) as port:
        error = outcome(PROVIDERS["smtp"].connect(Account("smtp", url=f"smtp://127.0.0.1:{port}"), Wall(0.2)))
        enough.set()
    assert sorted_as(error) == expected
    assert "too long" in str(error) or "timed out" in str(error)


@pytest.mark.parametrize("way", ["smtps", "smtp"])
def test_a_certificate_that_proves_nothing_closes_the_gate(tmp_path, way):
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    private = key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "own.pem").write_bytes(certificate() + private)
    server.load_cert_chain(tmp_path / "own.pem")
    post = Post(**{"tls" if way == "smtps" else "later": server})
    (error,) = post.gets(MESSAGE, way=way)
    assert sorted_as(error) == GATE
    assert "a certificate that proves nothing: self-signed" in str(error)
    assert post.mails == []


def test_a_server_that_does_not_begin_with_tls_is_told_apart_from_one_that_is_away():
    (error,) = Post().gets(MESSAGE, way="smtps")
    assert sorted_as(error) == GATE
    assert "does not begin with TLS" in str(error)


@pytest.mark.parametrize(
    ("where", "arrives"),
    [("mia:right@127.0.0.1", True), ("mia:wrong@127.0.0.1", False), ("mia:%C3%BC@127.0.0.1", False),
     ("mia:right@127.1", False)],
)  # fmt: skip
def test_a_password_must_be_right_and_is_never_sent_in_the_clear_to_another_machine(where, arrives):
    post = Post()
    (found,) = post.gets(MESSAGE, where=where)
    assert len(post.mails) == arrives
    assert arrives or sorted_as(found) == GATE


def test_a_mail_that_cannot_be_written_is_refused_and_its_neighbours_go():
    smuggled = replace(MESSAGE, to="rosa@example.net\r\nRCPT TO:<eve@example.net>")
    found = Post().gets(replace(MESSAGE, subject="two\nlines"), smuggled, MESSAGE)
    assert [type(one) for one in found] == [Rejected, Rejected, str]


@pytest.mark.parametrize("url", ["", "http://mail", "smtp://", "smtp://mail:99999", "mail:25"])
def test_an_address_of_a_mail_server_is_checked(url):
    with pytest.raises(SettingsError, match="NURTURE_PROVIDERS__SMTP__URL"):
        place(url)
