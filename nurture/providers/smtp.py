"""Plain SMTP: RFC 5321 with STARTTLS or implicit TLS. It reports nothing back, so clicks come by our own links.

After the last line of a mail was sent and before the answer to it was read, nobody knows whether it was taken
(RFC 1047); everything before that is a proof that it was not.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from contextlib import ExitStack
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from time import monotonic
from types import MappingProxyType
from urllib.parse import unquote, urlsplit
from weakref import finalize

from nurture.errors import Rejected, SettingsError, Unavailable, Uncertain
from nurture.mail.message import Message
from nurture.providers.base import Account, Provider, Send
from nurture.providers.session import SecureSession, Session, Wall

TIMEOUT = 20.0
"""Seconds for one whole mail: connecting, logging in, handing over, and the last answer."""
IDLE = 30.0
"""Seconds after which a kept connection is opened anew: servers close idle ones without a word."""

# unfolded: a List-Unsubscribe that is folded anew on its way has broken signatures (nodemailer#1654)
POLICY = SMTP.clone(max_line_length=990)
CONFIGURATION = frozenset({421, 454, 530, 534, 535, 538})
"""Answers that speak of our login or the server, not of this mail."""

NO_SUCH_MAILBOX = re.compile(r"^5\d\d[ -]5\.1\.(1|2|3|6|10)\b")
"""RFC 3463 and RFC 7505: no such mailbox, no such host, no address at all, moved away, a domain that takes no mail."""

NOT_FROM_US = re.compile(
    r"sender address rejected|(sender|from) address .*(verified|owned)|verified sender|unconfigured sending domain|"
    r"(address|domain) is not verified|sender signature",
    re.IGNORECASE,
)
"""How servers refuse a sender only when they have seen the whole mail, or at its recipient: Postfix (`Sender address
rejected: not owned by user`), SES (`Email address is not verified`), SendGrid (`The from address does not match a verified
Sender Identity`), SparkPost (`Unconfigured Sending Domain`), Postmark (`Sender Signature`). To fail all its mails for
that would lose them.
"""

NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"})
"""How OpenSSL calls a greeting in plain text where a handshake should begin."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server is: `smtp://[user:password@]host:port`, `smtps://` for TLS from the first byte."""

    host: str
    port: int
    secure: bool
    user: str = ""
    password: str = field(default="", repr=False)


def place(url: str) -> Place:
    try:
        parts = urlsplit(url)
        port = parts.port
        readable = parts.scheme in ("smtp", "smtps") and bool(parts.hostname)
    except ValueError:
        readable = False
    if not readable or not parts.hostname:
        raise SettingsError("NURTURE_PROVIDERS__SMTP__URL must be smtp://[user:password@]host:port or smtps://…")
    secure = parts.scheme == "smtps"
    default = 465 if secure else 587
    return Place(parts.hostname, port or default, secure, unquote(parts.username or ""), unquote(parts.password or ""))


def mime(message: Message) -> EmailMessage:
    """The mail as it goes over the wire: text first, then HTML."""
    mail = EmailMessage(policy=POLICY.clone(utf8=True) if _beyond_ascii(message) else POLICY)
    name, sender = parseaddr(message.sender)
    mail["From"] = Address(name, addr_spec=sender)
    mail["To"] = message.to
    mail["Subject"] = message.subject
    mail["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
    if message.reply_to:
        mail["Reply-To"] = message.reply_to
    for header, value in message.headers:
        mail[header] = value
    mail.set_content(message.text, cte="quoted-printable")
    mail.add_alternative(message.html, subtype="html", cte="quoted-printable")
    return mail


def connect(account: Account, transport: Wall | None = None) -> Send:
    server, wall = place(account.url), transport or Wall(TIMEOUT)
    kept: list[tuple[smtplib.SMTP, float]] = []

    def send(message: Message) -> str:
        try:
            mail = mime(message).as_bytes()
        except (ValueError, MessageError) as error:
            raise Rejected(f"cannot be written as a mail: {error}") from error
        wall.start()
        session = _session(server, kept, wall)
        try:
            words = _hand_over(session, message, mail)
        except Rejected:  # that was about the mail; the session is as good as before
            kept.append((session, monotonic()))
            raise
        except BaseException:
            session.close()
            raise
        kept.append((session, monotonic()))
        return words

    finalize(send, _close, kept).atexit = False  # with its thread; never under a mail at the end of the program
    return send


def _close(kept: list[tuple[smtplib.SMTP, float]]) -> None:
    while kept:
        kept.pop()[0].close()


def _session(server: Place, kept: list[tuple[smtplib.SMTP, float]], wall: Wall) -> smtplib.SMTP:
    while kept:
        session, used = kept.pop()
        try:
            if monotonic() - used < IDLE and session.rset()[0] == 250:
                return session
        except (smtplib.SMTPException, OSError):
            pass
        session.close()
    return _opened(server, wall)


def _opened(server: Place, wall: Wall) -> smtplib.SMTP:
    trust = ssl.create_default_context()
    where = f"{server.host}:{server.port}"
    with ExitStack() as undo:
        try:
            session: smtplib.SMTP = (
                SecureSession(server.host, server.port, wall, trust)
                if server.secure
                else Session(server.host, server.port, wall)
            )
            undo.callback(session.close)
            _logged_in(session, server, trust)
        except smtplib.SMTPAuthenticationError as error:
            raise Unavailable(f"does not accept the login: {_words(error.smtp_error)}", gate=True) from error
        except UnicodeError:  # its own words would show the password
            raise Unavailable("the user or the password has letters beyond ASCII", gate=True) from None
        except ssl.SSLCertVerificationError as error:
            why = f"{where} shows a certificate that proves nothing: {error.verify_message}"
            raise Unavailable(why, gate=True) from error
        except ssl.SSLError as error:
            if error.reason in NO_TLS:
                raise Unavailable(f"{where} does not begin with TLS; smtp:// asks for it later", gate=True) from error
            raise Unavailable(f"{where} cannot be reached: {error}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise Unavailable(f"{where} cannot be reached: {error}") from error
        undo.pop_all()
    return session


def _logged_in(session: smtplib.SMTP, server: Place, trust: ssl.SSLContext) -> None:
    session.ehlo()
    if not server.secure and session.has_extn("starttls"):
        session.starttls(context=trust)
        session.ehlo()
    elif not server.secure and server.user and not _is_here(server.host):
        raise Unavailable(f"{server.host} offers no TLS, so the password is not sent", gate=True)
    if server.user:
        session.login(server.user, server.password)


def _is_here(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")


def _hand_over(session: smtplib.SMTP, message: Message, mail: bytes) -> str:
    """MAIL, RCPT, DATA, one by one, since only what comes after the mail's last line is in doubt."""
    try:
        options = _options(session, message)
        _wants(session.mail(parseaddr(message.sender)[1], options), 250, of_us=not options)
        _wants(session.rcpt(message.to), 250, 251)
        session.putcmd("data")
        _wants(session.getreply(), 354)
    except (smtplib.SMTPServerDisconnected, OSError) as error:
        raise Unavailable(f"the connection ended before the mail was sent: {error}") from error
    try:
        # dots at the start of a line are doubled, and a lone dot ends the mail (RFC 5321, 4.5.2)
        session.send(mail.replace(b"\r\n.", b"\r\n..").removesuffix(b"\r\n") + b"\r\n.\r\n")
        code, words = session.getreply()
    except (smtplib.SMTPException, OSError) as error:
        raise Uncertain(f"the connection ended after the mail was sent: {error}") from error
    if not 200 <= code < 600:  # no reply of SMTP at all
        raise Uncertain(f"the answer after the mail was sent cannot be read: {_words(words)}")
    _wants((code, words), 250)
    return _words(words)


def _options(session: smtplib.SMTP, message: Message) -> list[str]:
    if not _beyond_ascii(message):
        return []
    if not session.has_extn("smtputf8"):
        raise Rejected("this server takes no addresses beyond ASCII (it lacks SMTPUTF8)")
    return ["SMTPUTF8"]


def _beyond_ascii(message: Message) -> bool:
    """Whether an address is, which few servers take; a name or a subject is encoded and goes everywhere."""
    addresses = (parseaddr(message.sender)[1], message.to, parseaddr(message.reply_to)[1])
    return not all(address.isascii() for address in addresses)


def _wants(reply: tuple[int, bytes], *good: int, of_us: bool = False) -> None:
    """`of_us`: what is refused here is our sender, so that other mail of theirs would not go either."""
    code, words = reply
    if code in good:
        return
    said = f"{code} {_words(words)}"
    if code in CONFIGURATION:
        raise Unavailable(said, gate=code not in (421, 454))
    if not 500 <= code < 600:
        raise Unavailable(said)
    if of_us or NOT_FROM_US.search(said):
        raise Unavailable(f"does not take mail from this sender: {said}", sender=True)
    raise Rejected(f"the mailbox does not exist: {said}" if NO_SUCH_MAILBOX.match(said) else said)


def _words(reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return " ".join(text.split())[:300]


def ping(account: Account, transport: object = None) -> None:  # noqa: ARG001 - SMTP has no httpx transport
    """Opens a session, logs in, and leaves."""
    wall = Wall(TIMEOUT)
    wall.start()
    _opened(place(account.url), wall).close()


smtp = Provider("smtp", connect, needs=MappingProxyType({"url": "smtp://user:password@host:587"}), ping=ping)
