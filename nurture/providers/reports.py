"""What mail servers report by mail of mail of ours: bounces (RFC 3464) and complaints (RFC 5965).

They come to whoever the mail was from, and to us where that mailbox is handed in by an inbound hook. The id that our
mail carried, which only its recipient knows, proves that a report is of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from nurture.journey.events import Event, Kind

MACHINE_WRITTEN = frozenset({"message/delivery-status", "message/feedback-report"})
"""Parts by which a report is known. RFC 3464, 2 and RFC 5965, 2 want them unencoded, so they are read as they stand."""

PARTS = MACHINE_WRITTEN | {"message/rfc822", "text/rfc822-headers", "message/rfc822-headers"}
"""These, and those that give our mail or its head back (RFC 6522, 4)."""

MOST_READ = 200_000
"""Characters of a report: our mail begins well before, even where all of it comes back."""

NO_COMPLAINT = frozenset({"not-spam", "auth-failure", "virus"})
"""Types of feedback (RFC 5965) by which no person called the mail spam."""

ACTIONS: Mapping[str, Kind] = MappingProxyType(
    {"failed": Kind.SOFT_BOUNCED, "delayed": Kind.DEFERRED, "delivered": Kind.DELIVERED}
)
"""RFC 3464, 2.3.3. `relayed` and `expanded` say only that another server has it, which reports nothing."""

# RFC 3463 and RFC 7505; any other failure is about a full mailbox, the mail or us, and no proof of a dead address
DEAD = re.compile(r"\b5\.1\.(1|2|3|6|10)\b")
# our own header first: the report has a Message-ID as well
_NAMES = [
    re.compile(rf"^{field}([0-9a-f]{{26}})\b", re.IGNORECASE | re.MULTILINE)
    for field in (r"X-Nurture-Id:[ \t]*", r"Message-ID:[ \t]*<")
]


def report(text: str, written_at: datetime, number: str = "") -> Event | None:
    """The report that these parts hold, None when they hold none. `number` is the id of the mail that brought it."""
    text = text[:MOST_READ]
    kind, why = _complaint(text) or _delivery(text)
    named = next(filter(None, (name.search(text) for name in _NAMES)), None)
    if kind is None or named is None:
        return None
    return Event(kind, written_at.astimezone(UTC), id=number, message=named[1].lower(), reason=why)


def _complaint(text: str) -> tuple[Kind | None, str] | None:
    feedback = _field(text, "Feedback-Type")
    if not feedback:
        return None
    return (None if feedback.lower() in NO_COMPLAINT else Kind.COMPLAINED), f"feedback of type {feedback}"


def _delivery(text: str) -> tuple[Kind | None, str]:
    action, status, said = (_field(text, name) for name in ("Action", "Status", "Diagnostic-Code"))
    kind = ACTIONS.get(action.lower())
    if kind is Kind.SOFT_BOUNCED and DEAD.search(f"{status} {said}"):
        kind = Kind.BOUNCED
    return kind, " ".join(part for part in (status, said) if part)[:300]


def _field(text: str, name: str) -> str:
    """The value of a field, whose further lines begin with a space (RFC 5322, 2.2.3); "" when it is not there."""
    found = re.search(rf"^{name}:(.*(?:\r?\n[ \t].*)*)", text, re.IGNORECASE | re.MULTILINE)
    return " ".join(found[1].split()) if found else ""
