"""Mailgun's routes: https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from nurture.errors import BadSignature
from nurture.journey.events import Event
from nurture.providers.base import Abilities, Account, Hook, Provider
from nurture.providers.inbound import LARGEST, REPORT, Mail, addresses, form_of, headers_of, no_connection, reply, whole
from nurture.providers.signatures import mailgun_token


def verify(hook: Hook, account: Account, now: datetime) -> None:
    """As Mailgun's other hooks, in the fields of a form."""
    try:
        form = form_of(hook)
    except (ValueError, LookupError):
        raise BadSignature from None
    mailgun_token(form, account, now)


def once(hook: Hook) -> str:
    return form_of(hook)["token"]


def items(hook: Hook) -> list[dict[str, str]]:
    return [form_of(hook)]


def event(item: Any, hook: Hook) -> Event:  # noqa: ANN401, ARG001 - what a vendor posts has no type
    to = addresses(item["recipient"], item.get("To", ""))
    if "body-mime" in item:  # a route whose address ends in "mime" hands mail on whole
        return reply(whole(item["body-mime"], sender=item["sender"], to=to))
    return reply(
        Mail(
            headers_of((str(name), str(value)) for name, value in json.loads(item["message-headers"])),
            sender=item["sender"],
            to=to,
            text=item.get("body-plain", ""),
            stripped=item.get("stripped-text", ""),
            report=item.get(REPORT, ""),
        )
    )


mailgun_inbound = Provider(
    "mailgun-inbound", no_connection, verify, items, event, once=once, most=LARGEST,
    abilities=Abilities(signs="HMAC", covers="a token"),
)  # fmt: skip
