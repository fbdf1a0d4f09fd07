"""Mail that people write back, as providers hand it on: whose mail it answers, what it says, and who did not write it.

Machines answer mail too: an out-of-office, a bounce, a list, our own mail coming back. RFC 3834 says how they are
known; none of them is a person's reply.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_string
from email.message import Message as Part
from email.parser import BytesParser
from email.policy import HTTP
from email.utils import getaddresses, parsedate_to_datetime
from urllib.parse import parse_qsl

from nurture.errors import Unavailable
from nurture.journey.events import Event, Kind
from nurture.mail.message import Message
from nurture.providers.base import Account, Hook, Send
from nurture.providers.reports import MACHINE_WRITTEN, PARTS, report

LARGEST = 30_000_000
"""Bytes of one mail as it is handed on: mail servers take about 25 MB."""

MOST_WORDS = 2_000
"""Characters of a reply that are kept as its answer."""

MOST_READ = 50_000
"""Characters of a mail that are looked through for where the quote begins."""

REPORT = " report"
"""No field of a form is called so."""

NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_RULE = re.compile(r"[-_\u2500]{20,}$|-{2,} ?\w[\w ]{2,40}-{2,}$")
_FIELD = re.compile(r"\*?(From|Von|De|Da|Van|Od|Fr\u00e5n|Fra):\*? .*@")
_ADDRESS = re.compile(r"[^\s<>@]{1,64}@[^\s<>@]{1,64}")
_CLOCK = re.compile(r"\b(20\d\d|\d{1,2}[:.h]\d\d)\b")
_OWN_ID = re.compile(r"[0-9a-f]{26}")


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail that came in. Header names are lower case; of a header that stands twice both values are there."""

    headers: Mapping[str, tuple[str, ...]]
    sender: str
    to: tuple[str, ...]
    text: str
    stripped: str = ""
    report: str = ""
    """The parts that a mail server wrote about mail of ours, "" when it is no such report."""

    def first(self, name: str) -> str:
        return self.headers.get(name, ("",))[0].strip()


def no_connection(account: Account, transport: object = None) -> Send:
    """For what is only listened to."""

    def send(message: Message) -> str:  # noqa: ARG001 - as every Send
        raise Unavailable(f"{account.provider} hands mail in and sends none", gate=True)

    del transport
    return send


def headers_of(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        found[name.lower()] = (*found.get(name.lower(), ()), value)
    return found


def whole(raw: str, *, sender: str, to: tuple[str, ...]) -> Mail:
    """A mail that is handed on as it came."""
    read = message_from_string(raw)
    headers = headers_of((name, str(value)) for name, value in read.items())
    written = next((part for part in read.walk() if part.get_content_type() == "text/plain"), None)
    return Mail(
        headers, sender, to, _decoded(written) if written is not None else "",
        report=raw if read.get_content_type() == "multipart/report" else "",
    )  # fmt: skip


def report_of(parts: Iterable[tuple[str, str]]) -> str:
    """What a report consists of, from the attachments of a mail: (content type, content)."""
    found = dict(parts)
    return "\n".join(found.values()) if MACHINE_WRITTEN & found.keys() else ""


def _fields(part: Part) -> str:
    """The fields of a report, or the head of the mail that came back; nothing is parsed that anyone may have written."""
    if not part.is_multipart():
        return _decoded(part)
    return "\n".join(f"{name}: {value}" for one in part.walk() for name, value in one.raw_items())


def _decoded(part: Part) -> str:
    payload = part.get_payload(decode=True)
    body = payload if isinstance(payload, bytes) else b""
    try:
        return body.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:  # a character set that nobody knows
        return body.decode("utf-8", "replace")


def form_of(hook: Hook) -> dict[str, str]:
    """The fields of a posted form, urlencoded or multipart. Raises ValueError for anything else.

    Files are left out but for the parts of a report, which are joined under `REPORT`.
    """
    kind = hook.headers.get("content-type", "")
    if kind.lower().startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(hook.body.decode(), keep_blank_values=True))
    if not kind.lower().startswith("multipart/form-data"):
        raise ValueError(f"a form is expected, not {kind[:60] or 'a body without a content type'}")
    posted = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + hook.body)
    found, files = {}, []
    for part in posted.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if part.get_content_type() in PARTS:
            files.append((part.get_content_type(), _fields(part)))
        elif isinstance(name, str) and part.get_filename() is None:
            found[name] = _decoded(part)
    if not found:
        raise ValueError("the form has no fields")
    return {**found, REPORT: report_of(files)}


def reply(mail: Mail) -> Event:
    """What this mail reports: a reply in a person's own words, or that a machine answered, with the reason; or what a
    mail server says of a mail of ours.

    `message` is our id where the mail names it; where it does not, `recipient` holds the addresses it was written to,
    one of which may be the signed one that our mail gave for replies.
    """
    of_a_server = mail.report or (
        mail.text if mail.first("content-type").lower().startswith("multipart/report") else ""
    )
    told = report(of_a_server, _written_at(mail), mail.first("message-id")) if of_a_server else None
    if told is not None:
        return told
    machine = not_a_person(mail)
    words = (mail.stripped or own_words(mail.text))[:MOST_WORDS].strip()
    named = " ".join((*mail.headers.get("in-reply-to", ()), *mail.headers.get("references", ())))
    own = _OWN_ID.search(named)
    return Event(
        Kind.AUTORESPONDED if machine else Kind.REPLIED,
        _written_at(mail),
        id=mail.first("message-id"),
        message=own[0] if own else "",
        recipient=" ".join(mail.to),
        answer=None if machine else words or "yes",
        reason=machine,
    )


def own_words(text: str) -> str:
    """The lines above the first sign of a quote, without the signature.

    Line by line and in one pass: the parsers that know more languages take minutes over ten thousand empty lines, and
    anyone may write to us.
    """
    kept: list[str] = []
    lines = [line.strip() for line in text[:MOST_READ].splitlines()]
    for place, line in enumerate(lines):
        if line.startswith(">") or line in ("--", "\u2014") or _RULE.match(line) or _FIELD.match(line):
            break
        # "On Mon, Ada <ada@…> wrote:" in any language: ends in a colon, has an address or a year, and may be wrapped
        if _introduces(line, lines[place + 1] if place + 1 < len(lines) else ""):
            break
        kept.append(line)
    return "\n".join(kept).strip()


def _introduces(line: str, after: str) -> bool:
    if not line or len(line) > 300:
        return False
    whole = line if line.endswith((":", "\uff1a")) else f"{line} {after}"
    if not whole.endswith((":", "\uff1a")) or len(whole) > 400:
        return False
    return bool(_ADDRESS.search(whole)) and bool(_CLOCK.search(whole))


def not_a_person(mail: Mail) -> str:
    """Why nobody wrote this mail by hand; "" when a person seems to have."""
    submitted = mail.first("auto-submitted").partition(";")[0].strip().lower()
    precedence = mail.first("precedence").lower()
    kind = mail.first("content-type").lower()
    listed = next((name for name in ("list-id", "list-post", "list-unsubscribe") if name in mail.headers), "")
    sender = mail.sender.partition("@")[0].lower()
    if mail.headers.get("x-nurture-id"):
        return "our own mail came back"
    if submitted and submitted != "no":
        return f"it says Auto-Submitted: {submitted} (RFC 3834)"
    if mail.first("return-path") == "<>" or sender in ("mailer-daemon", "postmaster"):
        return "a mail server wrote it, not a person"
    if kind.startswith(("multipart/report", "message/delivery-status", "message/disposition-notification")):
        return "it is a report of delivery"
    if precedence in ("bulk", "junk", "list", "auto_reply"):
        return f"it says Precedence: {precedence}"
    for name in ("x-autoreply", "x-autorespond", "x-auto-response-suppress"):
        said = mail.first(name).lower()
        if said and said != "no" and (name != "x-auto-response-suppress" or "all" in said):
            return f"it says {name}: {said[:40]}"
    return f"it came over a mailing list ({listed})" if listed else ""


def addresses(*fields: str) -> tuple[str, ...]:
    """The bare addresses that these fields hold, each once."""
    return tuple(dict.fromkeys(address for _, address in getaddresses(fields) if "@" in address))


def _written_at(mail: Mail) -> datetime:
    """By the writer's clock, which whoever receives the hook corrects by when it came."""
    try:
        said = parsedate_to_datetime(mail.first("date"))
    except (ValueError, TypeError):
        return NO_TIME
    return said.astimezone(UTC) if said.tzinfo else said.replace(tzinfo=UTC)
