"""Mandrill (Mailchimp Transactional): https://mailchimp.com/developer/transactional/api/messages/send-new-message/

Its hooks: https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from email.utils import parseaddr
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

import httpx

from nurture.errors import BadSignature, Rejected, Unavailable, Uncertain
from nurture.journey.events import Event, Kind
from nurture.mail.message import Message
from nurture.providers import ping, standing
from nurture.providers.base import Abilities, Account, Hook, Provider, Records, Remark, moment
from nurture.providers.http import over_http, posted
from nurture.providers.signatures import secrets

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "send": Kind.SENT,
        "delivered": Kind.DELIVERED,
        "deferral": Kind.DEFERRED,
        "hard_bounce": Kind.BOUNCED,
        "soft_bounce": Kind.SOFT_BOUNCED,
        "open": Kind.OPENED,
        "click": Kind.CLICKED,
        "spam": Kind.COMPLAINED,
        "unsub": Kind.UNSUBSCRIBED,
        "reject": Kind.REJECTED,
    }
)
URL = "https://mandrillapp.com"
# by name: nearly every error is a 500, whether the mail is at fault or the account
OF_THE_MAIL = ("ValidationError", "Unknown_Template", "Invalid_Reply", "Invalid_Template")
OF_THE_ACCOUNT = ("Invalid_Key", "PaymentRequired", "Unknown_Subaccount", "ServiceUnavailable")
OF_THE_PERSON = ("hard-bounce", "soft-bounce", "spam", "unsub", "custom", "invalid", "rule", "recipient")
"""Reasons for a rejection that stay with this message; the others (a test key's limit) hit every mail."""
OF_THE_SENDER = ("unsigned", "invalid-sender")
"""Reasons that hold for one sender: a domain without DKIM and SPF there, an address it does not take."""


def request(message: Message, account: Account) -> httpx.Request:
    name, sender = parseaddr(message.sender)
    headers = dict(message.headers)
    if message.reply_to:
        headers["Reply-To"] = message.reply_to
    mail: dict[str, Any] = {
        "from_email": sender,
        "to": [{"email": message.to, "type": "to"}],
        "subject": message.subject,
        "html": message.html,
        "text": message.text,
        "headers": headers,
        "metadata": {"nid": message.id},
        "track_opens": False,
        "track_clicks": False,
        "auto_text": False,
        "merge": False,  # else |* and *| in a mail are read as merge tags
        "preserve_recipients": False,
    }
    if name:
        mail["from_name"] = name
    return posted(
        f"{account.url or URL}/api/1.0/messages/send",
        {"key": account.key, "message": mail, "async": False},
    )


def receipt(response: httpx.Response) -> str:
    (of_one,) = response.json()
    return str(of_one["_id"] or "")


def judge(response: httpx.Response) -> None:
    """What an answer means by its own words: errors by name, a refusal in a good answer by its reason."""
    try:
        answer = response.json()
        if not response.is_success:
            name, words = str(answer["name"]), str(answer["message"])
        else:
            (of_one,) = answer
            name, words = "", str(of_one.get("reject_reason") or of_one["status"])
            if of_one["status"] not in ("rejected", "invalid"):
                return
    except (ValueError, LookupError, TypeError, AttributeError):
        return
    if not name and words in OF_THE_SENDER:
        raise Unavailable(f"does not know the sender: {words}", sender=True)
    if not name and words not in OF_THE_PERSON:
        raise Unavailable(f"rejects mail of ours: {words}", gate=True)
    if not name or name in OF_THE_MAIL:
        raise Rejected(f"refused: {words[:200]}")
    if name in OF_THE_ACCOUNT:
        raise Unavailable(f"takes nothing ({name}): {words[:200]}", gate=name != "ServiceUnavailable")
    raise Uncertain(f"answered {name}: {words[:200]}")


def verify(hook: Hook, account: Account, now: datetime) -> None:  # noqa: ARG001 - as every check
    """HMAC-SHA1 over the hook's address, exactly as it stands in Mandrill, and each field and value, sorted by field.

    https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests
    It covers no time: repeats are known by what they mean.
    """
    given = hook.headers.get("x-mandrill-signature", "").encode()
    known = secrets(account)
    try:
        fields = parse_qsl(hook.body.decode(), keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise BadSignature from None
    signed = (hook.url + "".join(name + value for name, value in sorted(fields))).encode()
    right = [
        hmac.compare_digest(base64.b64encode(hmac.digest(secret.encode(), signed, "sha1")), given) for secret in known
    ]
    if not any(right):
        raise BadSignature


def items(hook: Hook) -> list[Any]:
    """The events: a JSON list in one field of a form."""
    found = json.loads(dict(parse_qsl(hook.body.decode(), keep_blank_values=True))["mandrill_events"])
    if not isinstance(found, list):
        raise TypeError("Mandrill posts a list of events")
    return found


def event(item: Any, hook: Hook) -> Event | None:  # noqa: ANN401, ARG001 - what a vendor posts has no type
    if "event" not in item:
        return None  # a change of its own lists of the suppressed
    message = item.get("msg") or {}
    return Event(
        kind=KINDS.get(item["event"], Kind.UNKNOWN),
        at=moment(item["ts"]),
        message=str((message.get("metadata") or {}).get("nid", "")),
        provider_id=str(item.get("_id") or message.get("_id") or ""),
        recipient=str(message.get("email", "")),
        url=str(item.get("url") or ""),
        ip=str(item.get("ip") or ""),
        agent=str(item.get("user_agent") or ""),
        reason=str(message.get("diag") or message.get("bounce_description") or ""),
        machine_hint="robot" if (item.get("user_agent_parsed") or {}).get("type") == "Robot" else "",
    )


def question(account: Account) -> httpx.Request:
    """https://mailchimp.com/developer/transactional/api/users/ping/"""
    return posted(f"{account.url or URL}/api/1.0/users/ping2", {"key": account.key})


def known(response: httpx.Response) -> bool:
    return response.is_success and "PONG" in response.text


def domains(account: Account, domain: str) -> httpx.Request:  # noqa: ARG001 - it lists all
    """https://mailchimp.com/developer/transactional/api/senders/list-sender-domains/"""
    return posted(f"{account.url or URL}/api/1.0/senders/domains", {"key": account.key})


def verified(found: Any, domain: str, account: Account) -> Iterable[Remark]:  # noqa: ANN401, ARG001 - as above
    listed = [(one["domain"], bool(one["valid_signing"])) for one in found]
    return standing.unverified(domain, listed, "https://mandrillapp.com/settings/sending-domains")


mandrill = Provider(
    "mandrill",
    over_http(request, receipt, judge),
    verify,
    items,
    event,
    Abilities(largest=25_000_000, signs="HMAC-SHA1 over the address and the form", covers="the body"),
    ping=ping.over_http(question, known),
    standing=standing.over_http((domains, verified)),
    records=Records(("mte1", "mte2", "mandrill"), "spf.mandrillapp.com"),
)
