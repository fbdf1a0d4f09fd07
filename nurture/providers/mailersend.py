"""MailerSend: https://developers.mailersend.com/api/v1/email.html, hooks https://developers.mailersend.com/api/v1/webhooks.html"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import httpx

from nurture.errors import BadSignature, Rejected, Unavailable
from nurture.journey.events import Event, Kind
from nurture.mail.message import Message
from nurture.providers import ping, standing
from nurture.providers.base import Abilities, Account, Hook, Provider, Records, Remark, address
from nurture.providers.http import LONGEST_WAIT, over_http, posted, retry_after
from nurture.providers.signatures import secrets

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "sent": Kind.SENT,
        "delivered": Kind.DELIVERED,
        "deferred": Kind.DEFERRED,
        "soft_bounced": Kind.SOFT_BOUNCED,
        "hard_bounced": Kind.BOUNCED,
        "opened": Kind.OPENED,
        "opened_unique": Kind.OPENED,
        "clicked": Kind.CLICKED,
        "clicked_unique": Kind.CLICKED,
        "unsubscribed": Kind.UNSUBSCRIBED,
        "spam_complaint": Kind.COMPLAINED,
    }
)
URL = "https://api.mailersend.com"
TAG = "nid:"
"""How a tag that holds our id begins: MailerSend has no metadata, and hands tags back with every report."""
NOT_IN_NAMES = str.maketrans("", "", ",;")
"""Signs for which MailerSend refuses a sender's name."""


def request(message: Message, account: Account) -> httpx.Request:
    body: dict[str, Any] = {
        "from": address(message.sender.translate(NOT_IN_NAMES)),
        "to": [{"email": message.to}],
        "subject": message.subject,
        "html": message.html,
        "text": message.text,
        "tags": [f"{TAG}{message.id}"],
        "settings": {"track_clicks": False, "track_opens": False, "track_content": False},
    }
    # headers of one's own are refused on the smaller plans; this field is said to comply with RFC 8058, and nowhere
    # that a List-Unsubscribe-Post leaves with it
    if way_out := dict(message.headers).get("List-Unsubscribe"):
        body["list_unsubscribe"] = way_out
    if message.reply_to:
        body["reply_to"] = address(message.reply_to.translate(NOT_IN_NAMES))
    return posted(f"{account.url or URL}/v1/email", body, _login(account))


def _login(account: Account) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.key}"}


def receipt(response: httpx.Response) -> str:
    """The only mark of an accepted mail: the answer itself is an empty 202."""
    return response.headers["X-Message-Id"]


def judge(response: httpx.Response) -> None:
    """A good answer may say that our one recipient is on its list of the suppressed; a 421 is maintenance.

    Its errors have numbers (https://developers.mailersend.com/general.html#rate-limits and …#validation-errors): of those
    that are about the account, MS42901 is the day's quota, and MS42207 a sender's domain that is not verified.
    """
    words = response.text[:200]
    if response.status_code == httpx.codes.MISDIRECTED_REQUEST:
        raise Unavailable(f"is under maintenance: {words}", retry_after=60.0)
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS and "MS42901" in response.text:
        wait = retry_after(response, "x-apiquota-reset")
        raise Unavailable(f"has had the day's requests: {words}", retry_after=wait or LONGEST_WAIT)
    if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY and "MS42207" in response.text:
        raise Unavailable(f"does not count the sender's domain as verified: {words}", sender=True)
    if not response.is_success or not response.content:
        return
    try:
        warnings = [warning["type"] for warning in response.json().get("warnings", ())]
    except (ValueError, LookupError, TypeError, AttributeError):
        return
    if "ALL_SUPPRESSED" in warnings:
        raise Rejected(f"the address is suppressed at MailerSend: {words}")


def verify(hook: Hook, account: Account, now: datetime) -> None:  # noqa: ARG001 - as every check
    """HMAC-SHA256 of the raw body in hex. It covers no time: repeats are known by what they mean."""
    given = hook.headers.get("signature", "").encode()
    right = [
        hmac.compare_digest(hmac.digest(secret.encode(), hook.body, "sha256").hex().encode(), given)
        for secret in secrets(account)
    ]
    if not any(right):
        raise BadSignature


def event(item: Any, hook: Hook) -> Event | None:  # noqa: ANN401, ARG001 - what a vendor posts has no type
    area, _, kind = item["type"].partition(".")
    if area != "activity":
        return None  # the service's own news: maintenance, a finished batch, a test of the hook
    data = item["data"]
    email, morph = data["email"], data.get("morph") or {}
    return Event(
        kind=KINDS.get(kind, Kind.UNKNOWN),
        at=datetime.fromisoformat(data["created_at"]).astimezone(UTC),
        id=str(data.get("id", "")),
        message=next((tag.removeprefix(TAG) for tag in email.get("tags") or () if tag.startswith(TAG)), ""),
        provider_id=str((email.get("message") or {}).get("id", "")),
        recipient=str((email.get("recipient") or {}).get("email", "")),
        url=str(morph.get("url") or ""),
        ip=str(morph.get("ip") or ""),
        reason=str(morph.get("readable_reason") or morph.get("reason") or ""),
    )


def question(account: Account) -> httpx.Request:
    """https://developers.mailersend.com/api/v1/api-quota.html: what is left of today."""
    return httpx.Request("GET", f"{account.url or URL}/v1/api-quota", headers=_login(account))


def known(response: httpx.Response) -> bool:
    """A token without this permission is told so with a 403, which a wrong one is not."""
    return response.is_success or response.status_code == httpx.codes.FORBIDDEN


def domains(account: Account, domain: str) -> httpx.Request:  # noqa: ARG001 - it lists all
    """https://developers.mailersend.com/api/v1/domains.html#get-a-list-of-domains"""
    return httpx.Request(
        "GET", f"{account.url or URL}/v1/domains", headers=_login(account), params={"limit": "100"}
    )  # fmt: skip


def verified(found: Any, domain: str, account: Account) -> Iterable[Remark]:  # noqa: ANN401, ARG001 - as above
    listed = [(one["name"], bool(one["is_verified"])) for one in found["data"]]
    whole = not (found.get("links") or {}).get("next")
    return standing.unverified(domain, listed, "https://app.mailersend.com/domains", whole=whole)


mailersend = Provider(
    "mailersend",
    over_http(request, receipt, judge),
    verify,
    event=event,
    abilities=Abilities(one_click=False, largest=25_000_000, signs="HMAC-SHA256", covers="the body"),
    ping=ping.over_http(question, known),
    standing=standing.over_http((domains, verified)),
    records=Records(("mlsend", "mlsend2"), "_spf.mailersend.net"),
)
