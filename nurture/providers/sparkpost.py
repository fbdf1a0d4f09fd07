"""SparkPost (Bird): https://developers.sparkpost.com/api/transmissions, hooks https://developers.sparkpost.com/api/webhooks"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import httpx

from nurture.errors import Unavailable
from nurture.journey.events import Event, Kind
from nurture.mail.message import Message
from nurture.providers import ping, standing
from nurture.providers.base import Abilities, Account, Hook, Provider, Records, Remark, address, moment
from nurture.providers.http import key_in_use, over_http, posted, reset
from nurture.providers.signatures import basic_auth

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "injection": Kind.SENT,
        "delivery": Kind.DELIVERED,
        "delay": Kind.DEFERRED,
        "policy_rejection": Kind.REJECTED,
        "generation_failure": Kind.REJECTED,
        "generation_rejection": Kind.REJECTED,
        "spam_complaint": Kind.COMPLAINED,
        "open": Kind.OPENED,
        "initial_open": Kind.OPENED,
        "click": Kind.CLICKED,
        "list_unsubscribe": Kind.UNSUBSCRIBED,
        "link_unsubscribe": Kind.UNSUBSCRIBED,
    }
)
# https://support.sparkpost.com/docs/deliverability/bounce-classification-codes; any other class is no proof of a dead address
BOUNCES: Mapping[str, Kind] = MappingProxyType(
    {
        "10": Kind.BOUNCED,
        "30": Kind.BOUNCED,
        "60": Kind.AUTORESPONDED,
        "80": Kind.UNKNOWN,  # a wish to subscribe: only the person's own sign-up counts
        "90": Kind.UNSUBSCRIBED,
        "100": Kind.AUTORESPONDED,
    }
)
SENDING_LIMIT = 420
URL = "https://api.sparkpost.com"


def request(message: Message, account: Account) -> httpx.Request:
    content: dict[str, Any] = {
        "from": address(message.sender),
        "subject": message.subject,
        "html": message.html,
        "text": message.text,
        "headers": dict(message.headers),
    }
    if message.reply_to:
        content["reply_to"] = message.reply_to
    body = {
        "options": {
            "open_tracking": False,
            "click_tracking": False,
            # it ignores a List-Unsubscribe of ours and, for transactional mail, writes none: its own is the only one
            "transactional": False,
            "perform_substitutions": False,  # else braces in a mail are read as SparkPost's own templates
        },
        "recipients": [{"address": {"email": message.to}, "metadata": {"nid": message.id}}],
        "content": content,
    }
    return posted(
        f"{account.url or URL}/api/v1/transmissions",
        body,
        {"Authorization": account.key, "Idempotency-Key": message.key},  # the bare key: it has no scheme
    )


def receipt(response: httpx.Response) -> str:
    results = response.json()["results"]
    return str(results["id"] or "") if results["total_accepted_recipients"] == 1 else ""


def judge(response: httpx.Response) -> None:
    """A 420 is the account's own sending limit; a 409 is about the idempotency key, as its codes say.

    A 400 may be about the sender's domain (code 7001: https://github.com/SparkPost/python-sparkpost/commit/2527735).
    https://github.com/SparkPost/developers.sparkpost.com/pull/590: 1601 the first request is still at work, 1600 its
    bytes were others.
    """
    if response.status_code == httpx.codes.CONFLICT:
        raise key_in_use(response, at_work="1601" in response.text)
    if response.status_code == httpx.codes.BAD_REQUEST and "Unconfigured Sending Domain" in response.text:
        raise Unavailable(f"does not know the sender's domain: {response.text[:200]}", sender=True)
    if response.status_code == SENDING_LIMIT:
        raise Unavailable(
            f"the account's sending limit is reached: {response.text[:200]}", retry_after=reset(response) or 60.0
        )


def items(hook: Hook) -> list[Any]:
    """The events of a batch. A ping is an empty one."""
    found = hook.json()
    if not isinstance(found, list):
        raise TypeError("SparkPost posts a list of events")
    return [item for item in found if item != {"msys": {}}]


def event(item: Any, hook: Hook) -> Event | None:  # noqa: ANN401, ARG001 - what a vendor posts has no type
    (told,) = item["msys"].values()
    return Event(
        kind=_kind(told),
        at=_time(told["timestamp"]),
        id=str(told.get("event_id", "")),
        message=str((told.get("rcpt_meta") or {}).get("nid", "")),
        provider_id=str(told.get("transmission_id", "")),
        recipient=str(told.get("raw_rcpt_to") or told.get("rcpt_to") or ""),
        url=str(told.get("target_link_url") or ""),
        ip=str(told.get("ip_address") or "") if told["type"] in ("open", "initial_open", "click") else "",
        agent=str(told.get("user_agent") or ""),
        reason=str(told.get("raw_reason") or told.get("reason") or told.get("fbtype") or ""),
    )


def _kind(told: Mapping[str, Any]) -> Kind:
    if told["type"] in ("bounce", "out_of_band"):
        return BOUNCES.get(str(told.get("bounce_class")), Kind.SOFT_BOUNCED)
    return KINDS.get(told["type"], Kind.UNKNOWN)


def _time(text: str | int) -> datetime:
    """Seconds as text, or ISO 8601: both are seen."""
    try:
        return moment(text)
    except ValueError:
        return datetime.fromisoformat(str(text)).astimezone(UTC)


def question(account: Account) -> httpx.Request:
    """https://developers.sparkpost.com/api/account/"""
    return httpx.Request("GET", f"{account.url or URL}/api/v1/account", headers={"Authorization": account.key})


def known(response: httpx.Response) -> bool:
    """A key without this permission is told so with a 403, which a wrong one is not."""
    return response.is_success or response.status_code == httpx.codes.FORBIDDEN


def domains(account: Account, domain: str) -> httpx.Request:  # noqa: ARG001 - it lists all
    """https://developers.sparkpost.com/api/sending-domains/#sending-domains-get-list-all-sending-domains"""
    return httpx.Request("GET", f"{account.url or URL}/api/v1/sending-domains", headers={"Authorization": account.key})


def verified(found: Any, domain: str, account: Account) -> Iterable[Remark]:  # noqa: ANN401, ARG001 - as above
    known = [(one["domain"], one["status"]) for one in found["results"]]
    listed = [(name, status["ownership_verified"] and status["dkim_status"] == "valid") for name, status in known]
    return standing.unverified(domain, listed, "https://app.sparkpost.com/domains/list/sending")


sparkpost = Provider(
    "sparkpost",
    over_http(request, receipt, judge),
    basic_auth,
    items,
    event,
    Abilities(
        key_life=timedelta(hours=24),
        own_way_out=True,
        largest=20_000_000,
        signs="basic auth",
        covers="a password",
    ),
    ping=ping.over_http(question, known),
    standing=standing.over_http((domains, verified)),
    records=Records(spf="sparkpostmail.com"),
)
