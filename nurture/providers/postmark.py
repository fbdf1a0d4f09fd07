"""Postmark: https://postmarkapp.com/developer/api/email-api, hooks https://postmarkapp.com/developer/webhooks/webhooks-overview"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import httpx

from nurture.errors import DeliveryError, Rejected, Unavailable, Uncertain
from nurture.journey.events import Event, Kind
from nurture.mail.message import Message
from nurture.providers import ping, standing
from nurture.providers.base import Abilities, Account, Hook, Provider, Records, Remark
from nurture.providers.http import by_search, many_over_http, over_http, posted
from nurture.providers.signatures import basic_auth

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "Delivery": Kind.DELIVERED,
        "SpamComplaint": Kind.COMPLAINED,
        "Open": Kind.OPENED,
        "Click": Kind.CLICKED,
    }
)
# matched by name: the published numbers of types contradict each other
BOUNCES: Mapping[str, Kind] = MappingProxyType(
    {
        "HardBounce": Kind.BOUNCED,
        "BadEmailAddress": Kind.BOUNCED,
        "Transient": Kind.DEFERRED,
        "DnsError": Kind.DEFERRED,
        "OpenRelayTest": Kind.DEFERRED,
        "SoftBounce": Kind.SOFT_BOUNCED,
        "Blocked": Kind.SOFT_BOUNCED,
        "DMARCPolicy": Kind.SOFT_BOUNCED,
        "SpamNotification": Kind.SOFT_BOUNCED,  # the receiving server's opinion, no person's
        "VirusNotification": Kind.SOFT_BOUNCED,
        "ManuallyDeactivated": Kind.REJECTED,
        "Unconfirmed": Kind.REJECTED,
        "ManualSuppression": Kind.REJECTED,
        "SMTPApiError": Kind.REJECTED,
        "TemplateRenderingFailed": Kind.REJECTED,
        "SpamComplaint": Kind.COMPLAINED,
        "AutoResponder": Kind.AUTORESPONDED,
        "AddressChange": Kind.AUTORESPONDED,
        "ChallengeVerification": Kind.AUTORESPONDED,
        "Unsubscribe": Kind.UNSUBSCRIBED,
    }
)
URL = "https://api.postmarkapp.com"
TIMES = ("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")
NOT_OURS = {10: "a bad token", 100: "maintenance", 400: "the sender's address or domain is not known there",
            401: "the sender's address or domain is not confirmed there", 405: "no credits", 411: "a closed account",
            412: "a held account", 413: "an account under review", 429: "too many requests",
            1235: "no such message stream", 1236: "this message stream sends nothing"}  # fmt: skip
"""Error codes that say nothing of the message: it was not taken, and others would not be either; of these, those that
go by themselves, and those that hold for the one sender.

https://postmarkapp.com/developer/api/overview#error-codes
"""
PASSING, STRANGER = (100, 429), (400, 401)


def request(message: Message, account: Account) -> httpx.Request:
    return posted(f"{account.url or URL}/email", _body(message, account), _login(account))


def request_many(messages: Sequence[Message], account: Account) -> httpx.Request:
    """https://postmarkapp.com/developer/api/email-api#send-batch-emails: each of the answers is of one mail, in order."""
    bodies = [_body(message, account) for message in messages]
    return posted(f"{account.url or URL}/email/batch", bodies, _login(account))


def _body(message: Message, account: Account) -> dict[str, Any]:
    body: dict[str, Any] = {
        "From": message.sender,
        "To": message.to,
        "Subject": message.subject,
        "HtmlBody": message.html,
        "TextBody": message.text,
        "Headers": [{"Name": name, "Value": value} for name, value in message.headers],
        "Metadata": {"nid": message.id},
        "TrackOpens": False,
        "TrackLinks": "None",
    }
    if message.reply_to:
        body["ReplyTo"] = message.reply_to
    if account.stream:  # else the server's default transactional stream
        body["MessageStream"] = account.stream
    return body


def search(message: str, since: datetime, account: Account) -> httpx.Request:  # noqa: ARG001 - its log is short enough
    """https://postmarkapp.com/developer/api/messages-api#outbound-message-search"""
    asked = {"count": "1", "offset": "0", "metadata_nid": message}
    return httpx.Request("GET", f"{account.url or URL}/messages/outbound", headers=_login(account), params=asked)


def found(response: httpx.Response) -> str:
    return next((str(one["MessageID"]) for one in response.json()["Messages"]), "")


def _login(account: Account) -> dict[str, str]:
    return {"X-Postmark-Server-Token": account.key, "Accept": "application/json"}


def receipt(response: httpx.Response) -> str:
    answer = response.json()
    return str(answer["MessageID"] or "") if answer["ErrorCode"] == 0 else ""


def receipts(response: httpx.Response) -> list[str | DeliveryError]:
    """A batch is answered with 200 whatever became of each: its own code says it."""
    return [_of_many(answer) for answer in response.json()]


def _of_many(answer: Mapping[str, Any]) -> str | DeliveryError:
    code = int(answer["ErrorCode"])
    if code:
        return _refusal(code, str(answer["Message"]))
    return str(answer["MessageID"] or "") or Uncertain("answered without the id of the mail")


def judge(response: httpx.Response) -> None:
    """A 422 carries Postmark's own code, which proves that the message was not taken."""
    if response.status_code != httpx.codes.UNPROCESSABLE_ENTITY:
        return
    try:
        answer = response.json()
        code, words = int(answer["ErrorCode"]), str(answer["Message"])
    except (ValueError, LookupError, TypeError):
        return
    raise _refusal(code, words)


def _refusal(code: int, words: str) -> DeliveryError:
    if code in NOT_OURS:
        of_sender = code in STRANGER
        return Unavailable(f"{NOT_OURS[code]}: {words}", gate=not of_sender and code not in PASSING, sender=of_sender)
    return Rejected(f"{words} (code {code})")


def event(item: Any, hook: Hook) -> Event | None:  # noqa: ANN401, ARG001 - what a vendor posts has no type
    kind = item["RecordType"]
    at = next((item[name] for name in TIMES if name in item), "no time")  # which is no time: a ValueError
    return Event(
        kind=_kind(item),
        at=datetime.fromisoformat(at).astimezone(UTC),
        id=str(item.get("ID", "")),
        message=str((item.get("Metadata") or {}).get("nid", "")),
        provider_id=str(item.get("MessageID", "")),
        recipient=str(item.get("Recipient") or item.get("Email") or ""),
        url=str(item.get("OriginalLink") or ""),
        ip=str((item.get("Geo") or {}).get("IP") or ""),
        agent=str(item.get("UserAgent") or ""),
        reason=str(item.get("Description") or item.get("Details") or item.get("SuppressionReason") or kind),
    )


def _kind(item: Mapping[str, Any]) -> Kind:
    match item["RecordType"]:
        case "Bounce":
            return BOUNCES.get(item["Type"], Kind.UNKNOWN)
        case "SubscriptionChange":
            if not item["SuppressSending"]:
                return Kind.UNKNOWN  # a subscription taken up again: only the person's own sign-up counts
            reasons = {"HardBounce": Kind.BOUNCED, "SpamComplaint": Kind.COMPLAINED}
            return reasons.get(item.get("SuppressionReason") or "", Kind.UNSUBSCRIBED)
        case other:
            return KINDS.get(other, Kind.UNKNOWN)


def question(account: Account) -> httpx.Request:
    """https://postmarkapp.com/developer/api/server-api: the server whose token this is."""
    return httpx.Request(
        "GET",
        f"{account.url or URL}/server",
        headers=_login(account),
    )


def opens(found: Any, domain: str, account: Account) -> Iterable[Remark]:  # noqa: ANN401, ARG001 - as above
    if found["TrackOpens"]:  # links need no look: what a mail says of them goes before the server's setting
        where = "https://account.postmarkapp.com, the server's settings"
        yield Remark("adds a picture to every mail, whatever a mail asks for", f"turn open tracking off: {where}")


def stream(account: Account, domain: str) -> httpx.Request | None:  # noqa: ARG001 - it is the server's
    """https://postmarkapp.com/developer/api/message-streams-api#list-message-streams"""
    if not account.stream:
        return None
    return httpx.Request("GET", f"{account.url or URL}/message-streams", headers=_login(account))


def streams(found: Any, domain: str, account: Account) -> Iterable[Remark]:  # noqa: ANN401, ARG001 - as above
    ours = next((one for one in found["MessageStreams"] if one["ID"] == account.stream), None)
    if ours is None:
        known = ", ".join(str(one["ID"]) for one in found["MessageStreams"])
        yield Remark(
            f"has no message stream {account.stream} on this server",
            f"set NURTURE_PROVIDERS__POSTMARK__STREAM to one of {known}",
        )
    elif (ours.get("SubscriptionManagementConfiguration") or {}).get("UnsubscribeHandlingType") == "Postmark":
        mend = "https://postmarkapp.com/support/article/managing-your-own-unsubscribe-process"
        yield Remark(
            f"adds a way out of its own to mail of the stream {account.stream}, beside ours",
            f"let its support change that: {mend}",
        )


postmark = Provider(
    "postmark",
    over_http(request, receipt, judge),
    basic_auth,
    event=event,
    abilities=Abilities(batch=500, largest=10_000_000, signs="basic auth", covers="a password"),
    find=by_search(search, found),
    connect_many=many_over_http(request_many, receipts, judge),
    takes=("stream",),
    ping=ping.over_http(question),
    standing=standing.over_http((lambda account, _: question(account), opens), (stream, streams)),
    records=Records(spf="spf.mtasv.net"),  # its DKIM keys are named after the day they were made
)
