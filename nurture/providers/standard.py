"""Standard Webhooks 1.0, for any service of one's own: https://github.com/standard-webhooks/standard-webhooks

It only reports. `{"type", "timestamp", "data"}`; what `data` holds depends on the type:

- `bought`, `replied`, `tag`, `unsubscribed` or an event of people.yaml tells of the person `data.email`; `data.product`
  is what was bought, `data.tag` the tag, anything else is the event's own data.
- `email.delivered`, `email.bounced`, … (a kind of event after `email.`) tells of the mail `data.message`, our own id:
  the X-Nurture-Id of that mail. For a mail server that has something to report.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from nurture.errors import Refused
from nurture.journey.events import Event, Kind
from nurture.providers.base import Abilities, Hook, Provider, Told, sends_nothing
from nurture.providers.signatures import standard_webhooks

OF_A_MAIL = "email."
PREFIXES = ("webhook-", "svix-")
"""How the headers begin: services that post through Svix have its own names for them."""


def event(item: Any, hook: Hook) -> Event | None:  # noqa: ANN401 - what a service posts has no type
    if not item["type"].startswith(OF_A_MAIL):
        return None
    data, kind = item["data"], item["type"].removeprefix(OF_A_MAIL)
    return Event(
        kind=Kind(kind) if kind in REPORTED else Kind.UNKNOWN,
        at=_time(item),
        id=_id(hook),
        message=str(data["message"]),
        recipient=str(data.get("email") or ""),
        url=str(data.get("url") or ""),
        ip=str(data.get("ip") or ""),
        agent=str(data.get("user_agent") or ""),
        reason=str(data.get("reason") or ""),
    )


REPORTED = frozenset(
    {
        Kind.SENT, Kind.DELIVERED, Kind.DEFERRED, Kind.BOUNCED, Kind.SOFT_BOUNCED, Kind.REJECTED, Kind.COMPLAINED,
        Kind.UNSUBSCRIBED, Kind.OPENED, Kind.CLICKED, Kind.AUTORESPONDED,
    }
)  # fmt: skip


def told(item: Any, hook: Hook) -> Told | None:  # noqa: ANN401 - what a service posts has no type
    if item["type"].startswith(OF_A_MAIL):
        return None
    data = dict(item["data"])
    email = data.pop("email", "")
    if not isinstance(email, str) or not email:
        raise Refused(f"'{item['type']}' names no person: its data needs an email")
    return Told(email, item["type"], _time(item), _id(hook), data)


def _id(hook: Hook) -> str:
    return next((hook.headers[f"{prefix}id"] for prefix in PREFIXES if f"{prefix}id" in hook.headers), "")


def _time(item: Any) -> datetime:  # noqa: ANN401 - as above
    at = datetime.fromisoformat(item["timestamp"])
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)


standard = Provider(
    "standard",
    sends_nothing,
    standard_webhooks(*PREFIXES),
    event=event,
    told=told,
    abilities=Abilities(signs="Standard Webhooks (HMAC)", covers="the body and its time"),
)
