"""When soft bounces add up: a mailbox that refuses mail after mail for days is no mailbox any more."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from nurture.journey.events import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nurture.journey.events import Event

MAILS, OVER = 5, timedelta(days=7)
"""So many mails refused one after the other, over at least this time. A full mailbox is often emptied within a week."""

ARRIVED = frozenset({Kind.DELIVERED, Kind.CLICKED, Kind.ANSWERED, Kind.REPLIED, Kind.COMPLAINED, Kind.UNSUBSCRIBED})
"""What proves that a mail arrived. An image may be fetched by the machine that refused the mail, so opens prove nothing."""


def worn_out(reports: Iterable[Event]) -> str:
    """Why this address counts as dead, "" when it does not. The order of `reports` does not matter."""
    refused: dict[str, Event] = {}
    # at the same moment what arrived comes last: in doubt the mailbox lives
    for one in sorted(reports, key=lambda report: (report.at, report.kind in ARRIVED)):
        if one.kind in ARRIVED:
            refused.clear()
        elif one.kind is Kind.SOFT_BOUNCED:
            refused.setdefault(one.message, one)
    if len(refused) < MAILS:
        return ""
    times = [one.at for one in refused.values()]
    if max(times) - min(times) < OVER:
        return ""
    return f"{len(refused)} mails in a row were refused from {min(times):%Y-%m-%d} to {max(times):%Y-%m-%d}"
