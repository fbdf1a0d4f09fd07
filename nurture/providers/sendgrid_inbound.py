"""SendGrid's Inbound Parse: https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook"""

from __future__ import annotations

import json
from email.parser import HeaderParser
from typing import Any

from nurture.journey.events import Event
from nurture.providers.base import Abilities, Hook, Provider
from nurture.providers.inbound import LARGEST, REPORT, Mail, addresses, form_of, headers_of, no_connection, reply, whole
from nurture.providers.signatures import basic_auth


def items(hook: Hook) -> list[dict[str, str]]:
    return [form_of(hook)]


def event(item: Any, hook: Hook) -> Event:  # noqa: ANN401, ARG001 - what a vendor posts has no type
    envelope = json.loads(item["envelope"])
    to = addresses(*map(str, envelope["to"]), item.get("to", ""))
    if "email" in item:  # "POST the raw, full MIME message" is on
        return reply(whole(item["email"], sender=str(envelope.get("from") or ""), to=to))
    read = HeaderParser().parsestr(item["headers"])
    return reply(
        Mail(
            headers_of((name, str(value)) for name, value in read.items()),
            sender=str(envelope.get("from") or next(iter(addresses(item.get("from", ""))), "")),
            to=to,
            text=item.get("text", ""),
            report=item.get(REPORT, ""),
        )
    )


# its parse hook is not signed, so the address that SendGrid posts to carries a user and a password
sendgrid_inbound = Provider(
    "sendgrid-inbound", no_connection, basic_auth, items, event, most=LARGEST,
    abilities=Abilities(signs="basic auth", covers="a password"),
)  # fmt: skip
