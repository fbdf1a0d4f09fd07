"""Amazon SES v2: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html

Its reports come by SNS: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import formataddr, parseaddr
from types import MappingProxyType
from typing import Any

import httpx

from nurture.errors import Rejected, Unavailable
from nurture.journey.events import Event, Kind
from nurture.mail.message import Message
from nurture.providers import ping, standing
from nurture.providers.base import Abilities, Account, Hook, Provider, Remark
from nurture.providers.http import LONGEST_WAIT, over_http, posted
from nurture.providers.sigv4 import authorization
from nurture.providers.sns import Sns

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "Send": Kind.SENT,
        "Delivery": Kind.DELIVERED,
        "DeliveryDelay": Kind.DEFERRED,
        "Bounce": Kind.SOFT_BOUNCED,
        "Complaint": Kind.COMPLAINED,
        "Open": Kind.OPENED,
        "Click": Kind.CLICKED,
        "Reject": Kind.REJECTED,
        "Rendering Failure": Kind.REJECTED,
    }
)
OBJECTS: Mapping[str, str] = MappingProxyType({"DeliveryDelay": "deliveryDelay", "Rendering Failure": "failure"})
"""Where a report keeps what it tells, when that is not its kind in lower case."""

SUPPRESSED = frozenset({"Suppressed", "OnAccountSuppressionList", "UnsubscribedRecipient"})
"""Sub-types of a bounce or a complaint of long ago: SES itself held this mail back."""

NO_COMPLAINT = frozenset({"not-spam", "auth-failure", "virus"})
"""Types of feedback (RFC 5965) by which no person called the mail spam."""

NOT_OURS = frozenset({"AccountSuspendedException", "SendingPausedException", "NotFoundException"})
"""Errors with a status of 400 or 404 that say nothing of this message: others would not go either."""


def request(message: Message, account: Account) -> httpx.Request:
    simple = {
        "Subject": _text(message.subject),
        "Body": {"Text": _text(message.text), "Html": _text(message.html)},
        "Headers": [{"Name": name, "Value": value} for name, value in message.headers],
    }
    body: dict[str, Any] = {
        "FromEmailAddress": _named(message.sender),
        "Destination": {"ToAddresses": [message.to]},
        "Content": {"Simple": simple},
        "EmailTags": [{"Name": "nid", "Value": message.id}],
        "ConfigurationOverrides": {"Tracking": {"OpenTrackingEnabled": "DISABLED", "ClickTrackingEnabled": "DISABLED"}},
    }
    if message.reply_to:
        body["ReplyToAddresses"] = [_named(message.reply_to)]
    asked = posted(f"{_host(account)}/v2/email/outbound-emails", body)
    asked.headers.update(authorization(asked, account.key, account.region, "ses", datetime.now(UTC)))
    return asked


def _host(account: Account) -> str:
    return account.url or f"https://email.{account.region}.amazonaws.com"


def _named(text: str) -> str:
    """A name beyond ASCII as an encoded word (RFC 2047), which SES asks for."""
    return formataddr(parseaddr(text))


def _text(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}


def receipt(response: httpx.Response) -> str:
    return str(response.json()["MessageId"] or "")


def judge(response: httpx.Response) -> None:
    """An error has a type of its own, in a header or the body; its status alone says little."""
    if not 400 <= response.status_code < 500:
        return
    try:
        answer = response.json()
        kind = response.headers.get("x-amzn-errortype") or str(answer["__type"])
        words = str(answer.get("message") or answer.get("Message"))
    except (ValueError, LookupError, TypeError, AttributeError):
        return
    kind = kind.partition(":")[0].rpartition("#")[2]
    if kind in NOT_OURS:
        raise Unavailable(f"{kind}: {words}", gate=True)
    if kind == "MailFromDomainNotVerifiedException" or (kind == "MessageRejected" and "not verified" in words):
        raise Unavailable(f"{kind}: {words}", sender=True)
    if kind in ("TooManyRequestsException", "ThrottlingException", "Throttling", "LimitExceededException"):
        today = "daily" in words.lower()  # else a second's rate was passed
        raise Unavailable(f"{kind}: {words}", retry_after=LONGEST_WAIT if today else 1.0)
    if response.status_code not in (401, 403, 408):
        raise Rejected(f"{kind}: {words}")


def event(item: Any, hook: Hook) -> Event | None:  # noqa: ANN401, ARG001 - what a vendor posts has no type
    if item["Type"] != "Notification" or item["Message"].startswith("Successfully validated SNS topic"):
        return None
    told = json.loads(item["Message"])
    word = told.get("eventType") or told["notificationType"]
    what = told.get(OBJECTS.get(word, word.lower())) or {}
    mail = told["mail"]
    tags, headers = mail.get("tags") or {}, {one["name"].lower(): one["value"] for one in mail.get("headers") or []}
    recipients = mail.get("destination") or []
    return Event(
        kind=_kind(word, what),
        at=datetime.fromisoformat(what.get("timestamp") or mail["timestamp"]).astimezone(UTC),
        id=item["MessageId"],
        # without a configuration set there are no tags, and headers where the identity is told to include them
        message=str(next(iter(tags.get("nid") or []), "") or headers.get("x-nurture-id", "")),
        provider_id=str(mail.get("messageId", "")),
        recipient=recipients[0] if len(recipients) == 1 else "",
        url=str(what.get("link") or ""),
        ip=str(what.get("ipAddress") or ""),
        agent=str(what.get("userAgent") or "") if word in ("Open", "Click") else "",
        reason=_reason(what),
    )


def _kind(word: str, what: Mapping[str, Any]) -> Kind:
    kind = KINDS.get(word, Kind.UNKNOWN)
    if what.get("bounceSubType") in SUPPRESSED or what.get("complaintSubType") in SUPPRESSED:
        return Kind.REJECTED
    if what.get("bounceType") == "Permanent":
        return Kind.BOUNCED
    return Kind.UNKNOWN if what.get("complaintFeedbackType") in NO_COMPLAINT else kind


def _reason(what: Mapping[str, Any]) -> str:
    whose: Mapping[str, Any] = next(iter(what.get("bouncedRecipients") or what.get("delayedRecipients") or []), {})
    said = [what.get(name) for name in ("bounceType", "bounceSubType", "delayType", "complaintFeedbackType",
            "complaintSubType", "reason", "errorMessage", "smtpResponse")]  # fmt: skip
    return " ".join(str(one) for one in (*said, whose.get("diagnosticCode")) if one)


def question(account: Account) -> httpx.Request:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html"""
    asked = httpx.Request("GET", f"{_host(account)}/v2/email/account")
    asked.headers.update(authorization(asked, account.key, account.region, "ses", datetime.now(UTC)))
    return asked


def may_send(response: httpx.Response) -> bool:
    """A user who may only `ses:SendEmail` is told so by name, which a wrong key is not."""
    if response.status_code == httpx.codes.FORBIDDEN:
        return "AccessDenied" in response.headers.get("x-amzn-errortype", "") + response.text
    return response.is_success and response.json().get("SendingEnabled") is not False


def identity(account: Account, domain: str) -> httpx.Request | None:
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetEmailIdentity.html; not there: it may be a parent's."""
    if not domain:
        return None
    asked = httpx.Request("GET", f"{_host(account)}/v2/email/identities/{domain}")
    asked.headers.update(authorization(asked, account.key, account.region, "ses", datetime.now(UTC)))
    return asked


def verified(found: Any, domain: str, account: Account) -> Iterable[Remark]:  # noqa: ANN401 - as above
    where = f"https://{account.region}.console.aws.amazon.com/ses/home#/identities"
    return standing.unverified(domain, [(domain, bool(found["VerifiedForSendingStatus"]))], where)


topic = Sns()
ses = Provider(
    "ses",
    over_http(request, receipt, judge),
    topic.verify,
    event=event,
    abilities=Abilities(largest=40_000_000, signs="SNS (RSA)", covers="the body and its time"),
    needs={"key": "ACCESS:SECRET", "region": "eu-west-1"},
    once=lambda hook: str(hook.json()["MessageId"]),
    greet=topic.greet,
    ping=ping.over_http(question, may_send),
    standing=standing.over_http((identity, verified)),
)
