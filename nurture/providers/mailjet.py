"""Mailjet: https://dev.mailjet.com/email/guides/send-api-v31/, hooks https://dev.mailjet.com/email/guides/webhooks/"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import httpx

from nurture.errors import Rejected, Unavailable
from nurture.journey.events import Event, Kind
from nurture.mail.message import Message
from nurture.providers import ping
from nurture.providers.base import Abilities, Account, Hook, Provider, Records, address, moment, one_or_many
from nurture.providers.http import basic, by_search, over_http, posted
from nurture.providers.signatures import basic_auth

URL = "https://api.mailjet.com"
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "sent": Kind.DELIVERED,  # which it says once the receiving server took the mail
        "open": Kind.OPENED,
        "click": Kind.CLICKED,
        "bounce": Kind.SOFT_BOUNCED,
        "blocked": Kind.REJECTED,
        "spam": Kind.COMPLAINED,
        "unsub": Kind.UNSUBSCRIBED,
    }
)
NOT_OURS = frozenset({"mj-0001", "mj-0015", "send-0006", "send-0007"})
"""A suspended or unknown key: others would not go either."""

STRANGER = "send-0008"
"""The sender is not validated there."""


def request(message: Message, account: Account) -> httpx.Request:
    mail: dict[str, Any] = {
        "From": address(message.sender, "Email", "Name"),
        "To": [address(message.to, "Email", "Name")],
        "Subject": message.subject,
        "TextPart": message.text,
        "HTMLPart": message.html,
        "Headers": dict(message.headers),
        "CustomID": message.id,
        "TrackOpens": "disabled",
        "TrackClicks": "disabled",
    }
    if message.reply_to:
        mail["ReplyTo"] = address(message.reply_to, "Email", "Name")
    return posted(f"{account.url or URL}/v3.1/send", {"Messages": [mail]}, _login(account))  # fmt: skip


def search(message: str, since: datetime, account: Account) -> httpx.Request:
    """https://dev.mailjet.com/reference/email/messages/#v3_get_message"""
    asked = {"CustomID": message, "FromTS": str(int(since.timestamp()) - 3600)}  # whoever's clock is wrong
    return httpx.Request("GET", f"{account.url or URL}/v3/REST/message", headers=_login(account), params=asked)


def found(response: httpx.Response) -> str:
    return next((str(one["ID"]) for one in response.json()["Data"]), "")


def _login(account: Account) -> dict[str, str]:
    return {"Authorization": basic(*account.key.partition(":")[::2])}


def receipt(response: httpx.Response) -> str:
    (mail,) = response.json()["Messages"]
    return str(mail["To"][0]["MessageID"] or "") if mail["Status"] == "success" else ""


def judge(response: httpx.Response) -> None:
    """What became of a mail stands in the body, whatever the status."""
    if response.status_code >= 500:
        return
    try:
        answer = response.json()
        mails = answer.get("Messages") or [{"Status": "error", "Errors": [answer]}]
        errors = {one["ErrorCode"]: one["ErrorMessage"] for one in mails[0]["Errors"]}
    except (ValueError, LookupError, TypeError, AttributeError):
        return
    words = "; ".join(f"{text} ({code})" for code, text in errors.items())
    if NOT_OURS & errors.keys():
        raise Unavailable(words, gate=True)
    if STRANGER in errors:
        raise Unavailable(words, sender=True)
    if errors and mails[0]["Status"] == "error" and response.status_code not in (401, 403, 408, 429):
        raise Rejected(words)


def event(item: Any, hook: Hook) -> Event | None:  # noqa: ANN401, ARG001 - what a vendor posts has no type
    return Event(
        kind=_kind(item),
        at=moment(item["time"]),
        message=str(item.get("CustomID") or ""),
        provider_id=str(item.get("MessageID") or item.get("mj_message_id") or ""),
        recipient=str(item.get("email") or ""),
        url=str(item.get("url") or ""),
        ip=str(item.get("ip") or ""),
        agent=str(item.get("agent") or ""),
        reason=" ".join(str(item[name]) for name in ("error", "comment", "smtp_reply", "source") if item.get(name)),
    )


def _kind(item: Mapping[str, Any]) -> Kind:
    kind = KINDS.get(item["event"], Kind.UNKNOWN)
    if kind is Kind.SOFT_BOUNCED and item.get("hard_bounce"):
        return Kind.BOUNCED
    return Kind.DEFERRED if kind is Kind.SOFT_BOUNCED and item.get("error") == "greylisted" else kind


def question(account: Account) -> httpx.Request:
    """https://dev.mailjet.com/email/reference/sender-addresses-and-domains/sender/"""
    return httpx.Request(
        "GET", f"{account.url or URL}/v3/REST/sender", headers=_login(account), params={"Limit": "1"}
    )  # fmt: skip


mailjet = Provider(
    "mailjet",
    over_http(request, receipt, judge),
    basic_auth,
    one_or_many,
    event,
    Abilities(largest=15_000_000, signs="basic auth", covers="a password"),
    find=by_search(search, found),
    needs={"key": "PUBLIC:SECRET"},
    ping=ping.over_http(question),
    records=Records(("mailjet",), "spf.mailjet.com"),
)
