"""What can happen to a message or a person, in one vocabulary for every provider, page, clock and program.

The words are those of the field (django-anymail's event types, widened by what a ladder needs). An event is a value:
it knows no database and no provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Literal


class Kind(StrEnum):
    """Something that happened, each with one line of meaning."""

    # time, and what the engine itself reports to the decision
    STARTED = "started"  # a pass begins
    DUE = "due"  # the time we said we would look again has come
    SENT = "sent"  # the mail has left: the provider accepted it
    MISSED = "missed"  # the mail will never leave: refused for good, or given up after an uncertain attempt
    CHANGED = "changed"  # something we know of the person changed: dates may have moved

    # what providers report of a message
    DELIVERED = "delivered"  # the receiving server took it
    DEFERRED = "deferred"  # the receiving server asked to try later; the provider does
    BOUNCED = "bounced"  # refused for good by the receiving server (hard)
    SOFT_BOUNCED = "soft_bounced"  # refused this time (mailbox full, blocked)
    REJECTED = "rejected"  # the provider itself dropped it (suppressed, invalid, content)
    COMPLAINED = "complained"  # the person called it spam
    UNSUBSCRIBED = "unsubscribed"  # the person wants no more mail
    OPENED = "opened"  # images were fetched: by a person or a machine, never a trigger
    CLICKED = "clicked"  # a link of the mail was fetched
    REPLIED = "replied"  # the person wrote back
    AUTORESPONDED = "autoresponded"  # an out-of-office or other machine reply

    # what people and programs report
    ANSWERED = "answered"  # the ask was answered on a page that confirms it
    HAPPENED = "happened"  # the product, a purchase, a tag, another sequence: see `happening`

    UNKNOWN = "unknown"  # the provider reported something we have no word for; kept raw


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, `at` (UTC) by the clock of whoever saw it.

    `message` is our own id of the mail, `provider_id` the provider's, `id` the provider's id of this event; a
    receiver fills in `step`. `happening` and `name` belong to Kind.HAPPENED: `("event", "cart_added")`,
    `("bought", "review")`, `("tag", "vip")`, `("kept", "home-loan.tour")`, `("goal", "home-loan")`, `("joined", "")`.
    `human` is the verdict on a click: None while it is being judged (until `judged_at`).
    """

    kind: Kind
    at: datetime
    id: str = ""
    message: str = ""
    provider_id: str = ""
    recipient: str = ""
    step: str = ""
    answer: str | int | None = None
    happening: str = ""
    name: str = ""
    data: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    url: str = ""
    ip: str = ""
    agent: str = ""
    method: str = ""
    reason: str = ""
    machine_hint: str = ""
    human: bool | None = None
    judged_at: datetime | None = None


ENDS_EVERYTHING: Mapping[Kind, Literal["unsubscribed", "complained", "bounced"]] = MappingProxyType(
    {Kind.UNSUBSCRIBED: "unsubscribed", Kind.COMPLAINED: "complained", Kind.BOUNCED: "bounced"}
)
"""Events that end all of a person's enrollments, and the word for how they ended."""
