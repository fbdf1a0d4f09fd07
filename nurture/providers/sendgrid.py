"""SendGrid: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send, hooks …/tracking-events/event"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import httpx

from nurture.errors import Unavailable
from nurture.journey.events import Event, Kind
from nurture.mail.message import Message
from nurture.providers import ping, standing
from nurture.providers.base import Abilities, Account, Hook, Provider, Records, Remark, address, moment
from nurture.providers.http import over_http, posted
from nurture.providers.signatures import ecdsa

log = logging.getLogger("nurture.hooks")

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "processed": Kind.SENT,
        "deferred": Kind.DEFERRED,
        "delivered": Kind.DELIVERED,
        "bounce": Kind.BOUNCED,
        "dropped": Kind.REJECTED,
        "open": Kind.OPENED,
        "click": Kind.CLICKED,
        "spamreport": Kind.COMPLAINED,
        "unsubscribe": Kind.UNSUBSCRIBED,
        "group_unsubscribe": Kind.UNSUBSCRIBED,
    }
)
URL = "https://api.sendgrid.com"


def request(message: Message, account: Account) -> httpx.Request:
    body: dict[str, Any] = {
        "personalizations": [
            {
                "to": [{"email": message.to}],
                "subject": message.subject,
                "headers": dict(message.headers),
                # inside the personalization: the specification types the outer one as text
                "custom_args": {"nid": message.id},
            }
        ],
        "from": address(message.sender),
        "content": [
            {"type": "text/plain", "value": message.text},
            {"type": "text/html", "value": message.html},
        ],
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
        },
    }
    if message.reply_to:
        body["reply_to"] = address(message.reply_to)
    return posted(f"{account.url or URL}/v3/mail/send", body, _login(account))


def _login(account: Account) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.key}"}


def receipt(response: httpx.Response) -> str:
    """The only mark of an accepted mail: the answer itself is an empty 202."""
    return response.headers["X-Message-Id"]


def judge(response: httpx.Response) -> None:
    """A 403 about `from` is about the sender's identity (https://www.twilio.com/docs/sendgrid/for-developers/sending-email/sender-identity),
    any other about the key.
    """
    if response.status_code != httpx.codes.FORBIDDEN:
        return
    try:
        errors = response.json()["errors"]
        of_sender = [str(one["message"]) for one in errors if one.get("field") == "from"]
    except (ValueError, LookupError, TypeError, AttributeError):
        return
    if of_sender:
        raise Unavailable(f"does not know the sender: {of_sender[0][:300]}", sender=True)


def event(item: Any, hook: Hook) -> Event | None:  # noqa: ANN401, ARG001 - what a vendor posts has no type
    if item["event"] == "account_status_change":  # of nobody's mail: a suspended account hears of it here first
        log.warning("SendGrid reports of the account: %s", str(item.get("type"))[:100], extra={"provider": "sendgrid"})
        return None
    kind = KINDS.get(item["event"], Kind.UNKNOWN)
    if item["event"] == "bounce" and item.get("type") == "blocked":
        kind = Kind.SOFT_BOUNCED
    return Event(
        kind=kind,
        at=moment(item["timestamp"]),
        id=str(item.get("sg_event_id", "")),
        message=str(item.get("nid", "")),
        provider_id=str(item.get("sg_message_id", "")).partition(".")[0],
        recipient=str(item.get("email", "")),
        url=str(item.get("url", "")),
        ip=str(item.get("ip", "")),
        agent=str(item.get("useragent", "")),
        reason=str(item.get("reason") or item.get("response") or ""),
        machine_hint="mpp" if item.get("sg_machine_open") else "",
    )


def items(hook: Hook) -> list[Any]:
    found = hook.json()
    if not isinstance(found, list):
        raise TypeError("SendGrid posts a list of events")
    return found


def may_send(response: httpx.Response) -> bool:
    return response.is_success and "mail.send" in response.text


def question(account: Account) -> httpx.Request:
    """https://www.twilio.com/docs/sendgrid/api-reference/api-key-permissions: what this key may do."""
    return httpx.Request("GET", f"{account.url or URL}/v3/scopes", headers=_login(account))


def domains(account: Account, domain: str) -> httpx.Request:  # noqa: ARG001 - its search finds no parent of a domain
    """https://www.twilio.com/docs/sendgrid/api-reference/domain-authentication/list-all-authenticated-domains"""
    asked = {"limit": str(MOST_LISTED)}
    return httpx.Request("GET", f"{account.url or URL}/v3/whitelabel/domains", headers=_login(account), params=asked)


def verified(found: Any, domain: str, account: Account) -> Iterable[Remark]:  # noqa: ANN401, ARG001 - as above
    listed = [(one["domain"], bool(one["valid"])) for one in found]
    whole = len(listed) < MOST_LISTED
    return standing.unverified(domain, listed, "https://app.sendgrid.com/settings/sender_auth", whole=whole)


MOST_LISTED = 50
sendgrid = Provider(
    "sendgrid",
    over_http(request, receipt, judge),
    ecdsa("x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp"),
    items,
    event,
    Abilities(largest=30_000_000, signs="ECDSA", covers="the body and its time"),
    ping=ping.over_http(question, may_send),
    standing=standing.over_http((domains, verified)),
    records=Records(("s1", "s2"), "sendgrid.net"),
)
