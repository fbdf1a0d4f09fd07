"""Resend: https://resend.com/docs/api-reference/emails/send-email, hooks …/docs/dashboard/webhooks/event-types"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import httpx

from nurture.errors import DeliveryError, Unavailable
from nurture.journey.events import Event, Kind
from nurture.mail.message import Message
from nurture.providers import ping, standing
from nurture.providers.base import Abilities, Account, Hook, Provider, Records, Remark
from nurture.providers.http import LONGEST_WAIT, key_in_use, many_over_http, over_http, posted
from nurture.providers.signatures import standard_webhooks

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "email.sent": Kind.SENT,
        "email.delivered": Kind.DELIVERED,
        "email.delivery_delayed": Kind.DEFERRED,
        "email.opened": Kind.OPENED,
        "email.clicked": Kind.CLICKED,
        "email.bounced": Kind.BOUNCED,
        "email.complained": Kind.COMPLAINED,
        "email.failed": Kind.REJECTED,
        "email.suppressed": Kind.REJECTED,
    }
)

URL = "https://api.resend.com"
SUPPRESSED = frozenset({"Suppressed", "OnAccountSuppressionList"})
"""Sub-types of a bounce of long ago, as SES under it names them: this mail was held back, no mailbox refused it."""


def request(message: Message, account: Account) -> httpx.Request:
    return posted(
        f"{account.url or URL}/emails",
        _body(message),
        {"Authorization": f"Bearer {account.key}", "Idempotency-Key": message.key},
    )


def request_many(messages: Sequence[Message], account: Account) -> httpx.Request:
    """https://resend.com/docs/api-reference/emails/send-batch-emails: all are taken or none, and answered in order."""
    return posted(
        f"{account.url or URL}/emails/batch",
        [_body(message) for message in messages],
        {"Authorization": f"Bearer {account.key}", "Idempotency-Key": _key_of(messages)},
    )


def _key_of(messages: Sequence[Message]) -> str:
    """One for the call (https://resend.com/changelog/batch-idempotency-keys): the same mails in their order, the same key."""
    return sha256("\n".join(message.key for message in messages).encode()).hexdigest()


def _body(message: Message) -> dict[str, Any]:
    body: dict[str, Any] = {
        "from": message.sender,
        "to": [message.to],
        "subject": message.subject,
        "html": message.html,
        "text": message.text,
        "headers": dict(message.headers),
        "tags": [{"name": "nid", "value": message.id}],
    }
    if message.reply_to:
        body["reply_to"] = message.reply_to
    return body


def receipt(response: httpx.Response) -> str:
    return str(response.json()["id"] or "")


def receipts(response: httpx.Response) -> list[str | DeliveryError]:
    return [str(one["id"]) for one in response.json()["data"]]


def judge(response: httpx.Response) -> None:
    """A 409 is about the key, a 403 may be about the sender, and a 429 about the day or the month (https://resend.com/docs/api-reference/errors)."""
    if response.status_code == httpx.codes.CONFLICT:
        raise key_in_use(response, at_work="concurrent" in response.text)
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS and "quota_exceeded" in response.text:
        raise Unavailable(f"has sent all that its plan allows: {response.text[:200]}", retry_after=LONGEST_WAIT)
    # https://resend.com/docs/knowledge-base/403-error-domain-mismatch; a key that is wrong is answered 403 as well
    if response.status_code == httpx.codes.FORBIDDEN and "domain is not verified" in response.text:
        raise Unavailable(f"does not know the sender's domain: {response.text[:200]}", sender=True)


def event(item: Any, hook: Hook) -> Event | None:  # noqa: ANN401 - what a vendor posts has no type
    data = item["data"]
    kind = KINDS.get(item["type"], Kind.UNKNOWN)
    bounce, click = data.get("bounce") or {}, data.get("click") or {}
    why = bounce or data.get("failed") or data.get("suppressed") or {}
    # only a bounce that is known to be for good ends a person's mail; older hooks had no type, and told only of those
    if kind is Kind.BOUNCED and bounce.get("type", "Permanent") != "Permanent":
        kind = Kind.SOFT_BOUNCED
    if bounce.get("subType") in SUPPRESSED:
        kind = Kind.REJECTED
    return Event(
        kind=kind,
        at=datetime.fromisoformat(item["created_at"]).astimezone(UTC),
        id=hook.headers.get("svix-id", ""),
        message=str(_tags(data.get("tags")).get("nid", "")),
        provider_id=str(data.get("email_id", "")),
        recipient=str(next(iter(data.get("to", [])), "")),
        url=str(click.get("link") or ""),
        ip=str(click.get("ipAddress") or ""),
        agent=str(click.get("userAgent") or ""),
        reason=str(why.get("message") or why.get("reason") or ""),
    )


def _tags(tags: Any) -> Mapping[str, str]:  # noqa: ANN401 - a mapping in hooks, a list in older ones
    if isinstance(tags, list):
        return {tag["name"]: tag["value"] for tag in tags}
    return tags or {}


def question(account: Account) -> httpx.Request:
    """https://resend.com/docs/api-reference/domains/list-domains"""
    return httpx.Request(
        "GET",
        f"{account.url or URL}/domains",
        headers={"Authorization": f"Bearer {account.key}", "User-Agent": "nurture"},
    )


def verified(found: Any, domain: str, account: Account) -> Iterable[Remark]:  # noqa: ANN401, ARG001 - as above
    """Each part of a domain is one of its own there. Other words than these may be about receiving, not sending."""
    listed = {one["name"].lower(): one for one in found["data"]}
    ours, where = listed.get(domain), "https://resend.com/domains"
    known = [(name, one["status"] not in ("not_started", "pending", "failed")) for name, one in listed.items()]
    yield from standing.unverified(domain, known, where, whole=not found.get("has_more"))
    if ours and ours.get("click_tracking"):
        yield Remark(f"leads the links of mail from {domain} through itself, so people and machines count twice",
                     f"turn click tracking off for it: {where}")  # fmt: skip
    if ours and ours.get("open_tracking"):
        yield Remark(
            f"adds a picture that counts who opens mail from {domain}", f"turn open tracking off for it: {where}"
        )


def known(response: httpx.Response) -> bool:
    """A key that may only send is told so, which a wrong one is not (https://resend.com/docs/api-reference/errors)."""
    return response.is_success or "restricted_api_key" in response.text


resend = Provider(
    "resend",
    over_http(request, receipt, judge),
    standard_webhooks("svix-"),
    event=event,
    abilities=Abilities(
        key_life=timedelta(hours=24),
        batch=100,
        quiet=False,
        largest=40_000_000,
        signs="Standard Webhooks (HMAC)",
        covers="the body and its time",
    ),
    connect_many=many_over_http(request_many, receipts, judge),
    ping=ping.over_http(question, known),
    standing=standing.over_http((lambda account, _: question(account), verified)),
    records=Records(("resend",), "amazonses.com"),
)
