"""Others listen: what is told of a decision, written in the decision's own transaction and told afterwards.

A step asks and does nothing else; whoever wants to act on a kept ask, a goal, an end, an award or a refusal names an
address. Without listeners nothing is written.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from pydantic_core import to_json

from nurture.store import notices, wakeups

if TYPE_CHECKING:
    from sqlalchemy import Connection

FORMAT = "nurture.event/1"
Shape = Literal["plain", "slack"]
TYPES: Mapping[str, str] = MappingProxyType(
    {
        "kept": "an ask was kept",
        "goal": "a sequence reached its goal",
        "ended": "a pass ended in any other way",
        "awarded": "a badge was given",
        "unsubscribed": "a person wants no more mail",
        "bounced": "an address takes no mail",
        "complained": "a person called a mail spam",
    }
)
TRIED = "tried"
"""The type of what `nurture listeners try` tells: nothing happened, someone looks whether it is heard."""


@dataclass(frozen=True, slots=True)
class Listener:
    """An address that hears of these types of events. Every secret signs; `private` lets it lie inside our network."""

    name: str
    url: str = field(repr=False)
    events: frozenset[str] = frozenset(TYPES)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    shape: Shape = "plain"
    private: bool = False


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that is told. `more` is what only its type has."""

    type: str
    at: datetime
    subscriber: int
    sequence: str = ""
    step: str = ""
    more: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


def tell(
    tx: Connection, listeners: Iterable[Listener], happened: Iterable[Happened], emails: Mapping[int, str],
    now: datetime,
) -> None:  # fmt: skip
    """Write down what these listeners are told, each event under one id for all of them."""
    if not listeners:
        return
    kept = [
        notices.Notice(event, listener.name, one.type, one.subscriber, body(listener, one, event, email), one.at)
        for one in happened
        for event, email in [(f"evt_{secrets.token_hex(12)}", emails[one.subscriber])]
        for listener in listeners
        if one.type in listener.events
    ]
    if kept:
        notices.keep(tx, kept, now)
        wakeups.want(tx, "tell")


def body(listener: Listener, one: Happened, event: str, email: str) -> str:
    """What is posted."""
    if listener.shape == "slack":
        return to_json({"text": _sentence(one, email)}).decode()
    document = {
        "format": FORMAT, "type": one.type, "id": event, "at": _iso(one.at), "email": email,
        "sequence": one.sequence or None, "step": one.step or None, **one.more,
    }  # fmt: skip
    return to_json(document).decode()


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _sentence(one: Happened, email: str) -> str:
    """For a channel of people. Only `&`, `<` and `>` mean something there (docs.slack.dev, "Formatting message text")."""
    more = {name: str(value) for name, value in one.more.items()}
    where = f"{one.sequence}.{one.step}" if one.step else one.sequence
    said = {
        "kept": f"{email} kept {where}{'' if more.get('answer') == 'yes' else ': ' + more.get('answer', '')}",
        "goal": f"{email} reached the goal of {where}",
        "ended": f"{email} is out of {where}: {more.get('how', '')}",
        "awarded": f"{email} got the badge {more.get('badge', '')} in {where}",
        "unsubscribed": f"{email} wants no more mail",
        "bounced": f"{email} takes no mail: {more.get('because', '')}".removesuffix(": "),
        "complained": f"{email} called a mail spam",
    }
    text = said.get(one.type, "Nurture can be heard here.")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
