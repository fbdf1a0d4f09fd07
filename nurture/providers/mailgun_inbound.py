"""Mailgun's routes: https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/"""

from __future__ import annotations

import hmac
import json
from datetime import datetime
from typing import Any

from nurture.errors import BadSignature
from nurture.journey.events import Event
from nurture.providers.base import Abilities, Account, Hook, Provider
from nurture.providers.inbound import LARGEST, Mail, addresses, form_of, headers_of, no_connection, reply
from nurture.providers.signatures import secrets


def verify(hook: Hook, account: Account, now: datetime) -> None:  # noqa: ARG001 - as every check
    """HMAC-SHA256 over timestamp and token, which do not cover the mail: so each token counts once (`once`)."""
    try:
        form = form_of(hook)
        signed, given = form["timestamp"] + form["token"], form["signature"]
    except (ValueError, LookupError):
        raise BadSignature from None
    right = [hmac.new(key.encode(), signed.encode(), "sha256").hexdigest() for key in secrets(account)]
    if True not in [hmac.compare_digest(one.encode(), given.encode()) for one in right]:
        raise BadSignature


def once(hook: Hook) -> str:
    return form_of(hook)["token"]


def items(hook: Hook) -> list[dict[str, str]]:
    return [form_of(hook)]


def event(item: Any, hook: Hook) -> Event:  # noqa: ANN401, ARG001 - what a vendor posts has no type
    return reply(
        Mail(
            headers_of((str(name), str(value)) for name, value in json.loads(item["message-headers"])),
            sender=item["sender"],
            to=addresses(item["recipient"], item.get("To", "")),
            text=item.get("body-plain", ""),
            stripped=item.get("stripped-text", ""),
        )
    )


mailgun_inbound = Provider(
    "mailgun-inbound", no_connection, verify, items, event, once=once, most=LARGEST,
    abilities=Abilities(signs="HMAC", covers="a token"),
)  # fmt: skip
