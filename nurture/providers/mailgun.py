"""Mailgun: https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages, hooks …/docs/mailgun/user-manual/webhooks

It has no search by our id that is documented: its events can be searched by tag or by its own id only, and a tag for
every mail would use up the account's tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import httpx

from nurture.errors import BadSignature, Unavailable
from nurture.journey.events import Event, Kind
from nurture.mail.message import Message
from nurture.providers import ping, standing
from nurture.providers.base import Abilities, Account, Hook, Provider, Records, Remark, moment
from nurture.providers.http import basic, over_http, wait_of
from nurture.providers.signatures import mailgun_token

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "accepted": Kind.SENT,
        "delivered": Kind.DELIVERED,
        "rejected": Kind.REJECTED,
        "opened": Kind.OPENED,
        "clicked": Kind.CLICKED,
        "complained": Kind.COMPLAINED,
        "unsubscribed": Kind.UNSUBSCRIBED,
    }
)
URL = "https://api.mailgun.net"
BOTS: Mapping[str, str] = MappingProxyType({"apple": "mpp", "gmail": "proxy_open", "generic": "bot"})


def request(message: Message, account: Account) -> httpx.Request:
    fields = {
        "from": message.sender,
        "to": message.to,
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "o:tracking": "no",
        "o:tracking-clicks": "no",
        "o:tracking-opens": "no",
        "v:nid": message.id,
        # else our id stands in the mail once more; X-Mailgun-Sid stays, by which complaints find their way back
        "o:suppress-headers": "X-Mailgun-Variables",
        **{f"h:{name}": value for name, value in message.headers},
    }
    if message.reply_to:
        fields["h:Reply-To"] = message.reply_to
    return httpx.Request(
        "POST",
        f"{account.url or URL}/v3/{account.domain}/messages",
        headers=_login(account),
        # its specification knows multipart only, also where there is no file
        files=[(name, (None, value)) for name, value in fields.items()],
    )


def _login(account: Account) -> dict[str, str]:
    return {"Authorization": basic("api", account.key)}


def receipt(response: httpx.Response) -> str:
    return str(response.json()["id"] or "").strip("<>")


def judge(response: httpx.Response) -> None:
    words = response.text[:300]
    if response.status_code == httpx.codes.OK and "Mailgun Magnificent API" in words:
        raise Unavailable("only greets us: the url leads nowhere", gate=True)
    if response.status_code == httpx.codes.NOT_FOUND and "domain" in words.lower():
        raise Unavailable(f"does not know the domain: {words}", gate=True)
    again = re.search(r"try again after (\d+(?= sec)|[^\"]+)", words)
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS and again and (wait := wait_of(again[1])):
        raise Unavailable(f"asks to slow down: {words}", retry_after=wait)


def verify(hook: Hook, account: Account, now: datetime) -> None:
    try:
        given = hook.json()["signature"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise BadSignature from None
    mailgun_token(given, account, now)


def event(item: Any, hook: Hook) -> Event | None:  # noqa: ANN401, ARG001 - what a vendor posts has no type
    told = item["event-data"]
    client, status = told.get("client-info") or {}, told.get("delivery-status") or {}
    return Event(
        kind=_kind(told, status),
        at=moment(told["timestamp"]),
        id=str(told.get("id", "")),
        message=str((told.get("user-variables") or {}).get("nid", "")),
        provider_id=str(((told.get("message") or {}).get("headers") or {}).get("message-id", "")).strip("<>"),
        recipient=str(told.get("recipient") or ""),
        url=str(told.get("url") or ""),
        ip=str(told.get("ip") or ""),
        agent=str(client.get("user-agent") or ""),
        reason=" ".join(str(one) for one in (
            told.get("reason"), status.get("code"), status.get("message") or status.get("description"),
            (told.get("reject") or {}).get("reason")) if one),
        machine_hint=BOTS.get(client.get("bot") or "", client.get("bot") or ""),
    )  # fmt: skip


def _kind(told: Mapping[str, Any], status: Mapping[str, Any]) -> Kind:
    if told["event"] != "failed":
        return KINDS.get(told["event"], Kind.UNKNOWN)
    if told.get("severity") != "permanent":
        return Kind.DEFERRED
    reason = str(told.get("reason") or "")
    if reason.startswith("suppress-"):
        return Kind.REJECTED
    # `old` gave up after days of trying, `espblock` is about us: neither is about the mailbox
    hard = reason == "bounce" and status.get("bounce-type", "hard") == "hard"
    return Kind.BOUNCED if hard else Kind.SOFT_BOUNCED


def question(account: Account) -> httpx.Request:
    """A mail without any field: refused with 400 once the key and the domain are known, and nothing is sent.

    A domain's sending key may ask for nothing else.
    """
    return httpx.Request(
        "POST",
        f"{account.url or URL}/v3/{account.domain}/messages",
        headers=_login(account),
        files=[("o:testmode", (None, "yes"))],
    )


def known(response: httpx.Response) -> bool:
    return response.status_code == httpx.codes.BAD_REQUEST


def its_domain(account: Account, domain: str) -> httpx.Request:  # noqa: ARG001 - it sends by the domain of the account
    """https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/domains: not for a domain's sending key."""
    return httpx.Request("GET", f"{account.url or URL}/v4/domains/{account.domain}", headers=_login(account))


def verified(found: Any, domain: str, account: Account) -> Iterable[Remark]:  # noqa: ANN401, ARG001 - as above
    state = found["domain"]["state"]
    return standing.unverified(
        account.domain, [(account.domain, state == "active")], "https://app.mailgun.com/mg/sending/domains"
    )


mailgun = Provider(
    "mailgun",
    over_http(request, receipt, judge),
    verify,
    event=event,
    abilities=Abilities(largest=25_000_000, signs="HMAC of a token", covers="a token"),
    needs={"key": "the sending key", "domain": "mg.example.com"},
    once=lambda hook: str(hook.json()["signature"]["token"]),
    ping=ping.over_http(question, known),
    standing=standing.over_http((its_domain, verified)),
    records=Records(spf="mailgun.org"),  # its DKIM keys are named as the account chose
)
