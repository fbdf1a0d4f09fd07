"""Postmark's inbound stream: https://postmarkapp.com/developer/webhooks/inbound-webhook"""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from nurture.journey.events import Event
from nurture.providers.base import Abilities, Hook, Provider
from nurture.providers.inbound import LARGEST, Mail, addresses, headers_of, no_connection, reply, report_of
from nurture.providers.reports import PARTS
from nurture.providers.signatures import basic_auth


def event(item: Any, hook: Hook) -> Event:  # noqa: ANN401, ARG001 - what a vendor posts has no type
    written_to = [str(to["Email"]) for to in (*item["ToFull"], *(item.get("CcFull") or ()))]
    headers = headers_of((str(one["Name"]), str(one["Value"])) for one in item["Headers"])
    # Postmark keeps these three out of Headers
    for name, value in (("message-id", item.get("MessageID")), ("date", item.get("Date"))):
        if value:
            headers.setdefault(name, (str(value),))
    return reply(
        Mail(
            headers,
            sender=str(item["FromFull"]["Email"]),
            to=addresses(str(item.get("OriginalRecipient") or ""), *written_to),
            text=str(item.get("TextBody") or ""),
            stripped=str(item.get("StrippedTextReply") or ""),
            report=_report(item),
        )
    )


def _report(item: Any) -> str:  # noqa: ANN401 - as above
    files = [(str(one["ContentType"]).partition(";")[0].lower(), one) for one in item.get("Attachments") or ()]
    return report_of(
        (kind, b64decode(one["Content"]).decode("utf-8", "replace")) for kind, one in files if kind in PARTS
    )


postmark_inbound = Provider(
    "postmark-inbound", no_connection, basic_auth, event=event, most=LARGEST,
    abilities=Abilities(signs="basic auth", covers="a password"),
)  # fmt: skip
