"""Brevo: https://developers.brevo.com/reference/send-transac-email, hooks …/docs/transactional-webhooks

Its lists of mails and of events cannot be searched by our id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx

from nurture.errors import Unavailable
from nurture.journey.events import Event, Kind
from nurture.mail.message import Message
from nurture.providers import ping, standing
from nurture.providers.base import Abilities, Account, Hook, Provider, Records, Remark, address, moment, one_or_many
from nurture.providers.http import over_http, posted
from nurture.providers.signatures import basic_auth

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "request": Kind.SENT,
        "delivered": Kind.DELIVERED,
        "deferred": Kind.DEFERRED,
        "soft_bounce": Kind.SOFT_BOUNCED,
        "hard_bounce": Kind.BOUNCED,
        "invalid_email": Kind.REJECTED,
        "blocked": Kind.REJECTED,
        "error": Kind.REJECTED,
        "unique_opened": Kind.OPENED,
        "opened": Kind.OPENED,
        "unique_proxy_open": Kind.OPENED,
        "proxy_open": Kind.OPENED,
        "click": Kind.CLICKED,
        "spam": Kind.COMPLAINED,
        "complaint": Kind.COMPLAINED,
        "unsubscribe": Kind.UNSUBSCRIBED,
        "unsubscribed": Kind.UNSUBSCRIBED,
    }
)
URL = "https://api.brevo.com"
REPEATED = ("duplicate_parameter", "duplicate_request")


def request(message: Message, account: Account) -> httpx.Request:
    body: dict[str, Any] = {
        "sender": address(message.sender),
        "to": [address(message.to)],
        "subject": message.subject,
        "htmlContent": message.html,
        "textContent": message.text,
        "headers": {
            **dict(message.headers),
            "X-Mailin-custom": message.id,
            # here, not among the headers of the request (getbrevo/brevo-node#94), and a UUID
            "idempotencyKey": str(uuid5(NAMESPACE_URL, message.key)),
        },
    }
    if message.reply_to:
        body["replyTo"] = address(message.reply_to)
    return posted(
        f"{account.url or URL}/v3/smtp/email",
        body,
        _login(account),
    )


def _login(account: Account) -> dict[str, str]:
    return {"api-key": account.key, "Accept": "application/json"}


def receipt(response: httpx.Response) -> str:
    return str(response.json()["messageId"] or "").strip("<>")


def judge(response: httpx.Response) -> str | None:
    """A repeat under the same key is an error here, and the proof that the first request was taken."""
    status = response.status_code
    if status == httpx.codes.PAYMENT_REQUIRED:
        raise Unavailable(f"has no credits left for us: {response.text[:200]}", gate=True)
    try:
        repeated = status in (400, 409) and response.json()["code"] in REPEATED
    except (ValueError, LookupError, TypeError):
        return None
    return "taken before" if repeated else None


def event(item: Any, hook: Hook) -> Event | None:  # noqa: ANN401, ARG001 - what a vendor posts has no type
    return Event(
        kind=KINDS.get(item["event"], Kind.UNKNOWN),
        at=_at(item),
        message=str(item.get("X-Mailin-custom") or ""),
        provider_id=str(item.get("message-id") or "").strip("<>"),
        recipient=str(item.get("email") or ""),
        url=str(item.get("link") or ""),
        ip=str(item.get("ip") or ""),
        agent=str(item.get("user_agent") or ""),
        reason=str(item.get("reason") or ""),
        machine_hint="proxy_open" if item["event"].endswith("proxy_open") else "",
    )


def _at(item: Mapping[str, Any]) -> datetime:
    """`ts_epoch` is UTC in milliseconds, in some samples in seconds; the other times follow the account's zone."""
    epoch = float(item.get("ts_epoch") or item["ts_event"])
    return moment(epoch / 1000 if epoch > 1e11 else epoch)


def question(account: Account) -> httpx.Request:
    """https://developers.brevo.com/reference/getaccount"""
    return httpx.Request("GET", f"{account.url or URL}/v3/account", headers=_login(account))


def domains(account: Account, domain: str) -> httpx.Request:  # noqa: ARG001 - it lists all
    """https://developers.brevo.com/reference/get-domains"""
    return httpx.Request("GET", f"{account.url or URL}/v3/senders/domains", headers=_login(account))


def verified(found: Any, domain: str, account: Account) -> Iterable[Remark]:  # noqa: ANN401, ARG001 - as above
    listed = [(one["domain_name"], bool(one["authenticated"])) for one in found["domains"]]
    whole = int(found.get("total_pages") or 1) == 1
    return standing.unverified(domain, listed, "https://app.brevo.com/senders/domain/list", whole=whole)


brevo = Provider(
    "brevo",
    over_http(request, receipt, judge),
    basic_auth,
    one_or_many,
    event,
    Abilities(
        key_life=timedelta(minutes=15),  # as its changelog says; its guide says thirty
        quiet=False,
        largest=20_000_000,
        signs="basic auth",
        covers="a password",
    ),
    ping=ping.over_http(question),
    standing=standing.over_http((domains, verified)),
    records=Records(("brevo1", "brevo2", "mail")),  # its envelope is of its own domain, so SPF is not ours to say
    busy=429,  # it gives a report up at every other answer that is not a good one
)
