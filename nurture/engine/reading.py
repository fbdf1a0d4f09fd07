"""What a kept hook says: its reports as events, and those of them that nobody can read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from nurture.engine.inbox import OWN
from nurture.errors import BadToken
from nurture.journey.events import Event, Kind
from nurture.providers import HOOKS, INBOUND
from nurture.providers.base import Hook
from nurture.store.hooks import ITEM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nurture.mail.links import Links
    from nurture.store import hooks

UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError)
"""What reading something of another shape than the vendor's raises."""

OLDEST_REPLY = timedelta(days=3)
"""How far a writer's clock may be behind before we go by our own."""


def read_hook(hook: hooks.Row, links: Links) -> tuple[list[Event], list[tuple[str, str]]]:
    """The events of one stored hook, and the reports in it that cannot be read, each with the reason.

    A report that was put aside alone is read alone; its text is "" in the result, since it has a row already.
    """
    if hook.provider == OWN:
        return [_own_click(json.loads(hook.body))], []
    provider = HOOKS[hook.provider]
    raw = Hook(hook.headers, hook.body)
    alone = ITEM in hook.headers
    try:
        items = [json.loads(hook.body)] if alone else list(provider.items(raw))
    except UNREADABLE as error:
        return [], [("", f"not readable as {hook.provider} writes: {type(error).__name__}: {error}")]
    readable, faults = [], []
    for item in items:
        try:
            event = provider.event(item, raw) if provider.event else None
        except UNREADABLE as error:
            # the only report of a hook stands for the whole: written anew, it may be the bytes that are kept already
            text = "" if alone or len(items) == 1 else json.dumps(item, default=str)
            faults.append((text, f"{type(error).__name__}: {error}"))
            continue
        if event is not None:
            named = _of_a_mail(event, links, hook.received_at) if hook.provider in INBOUND else _addressed(event, links)
            readable.append(named)
    return readable, faults


def _of_a_mail(event: Event, links: Links, received_at: datetime) -> Event:
    """The signed address that a mail was written to names its message; its writer's clock may say anything."""
    named = next(filter(None, map(links.read_reply, event.recipient.split())), event.message)
    believed = received_at - OLDEST_REPLY <= event.at <= received_at
    return replace(event, message=named, at=event.at if believed else received_at)


def _addressed(event: Event, links: Links) -> Event:
    """A click on a link of ours names its message, where no id was carried."""
    if event.message or "/c/" not in event.url:
        return event
    try:
        return replace(event, message=links.read_click(event.url.rpartition("/c/")[2].partition("?")[0]))
    except BadToken:
        return event


def _own_click(report: Mapping[str, str]) -> Event:
    return Event(
        Kind.CLICKED,
        datetime.fromisoformat(report["at"]),
        message=report["message"],
        method=report["method"],
        ip=report["ip"],
        agent=report["agent"],
        machine_hint=report["hint"],
        url=report.get("url", ""),
    )


# --- an event as plain data, for one that is looked at again later

WORDS = ("id", "message", "provider_id", "recipient", "url", "ip", "agent", "method", "reason", "machine_hint")


def stored(event: Event) -> dict[str, str]:
    given = {name: getattr(event, name) for name in WORDS}
    return {"kind": event.kind.value, "at": event.at.isoformat(), **{name: it for name, it in given.items() if it}}


def thawed(kept: Mapping[str, str]) -> Event:
    given = {name: kept[name] for name in WORDS if name in kept}
    return Event(Kind(kept["kind"]), datetime.fromisoformat(kept["at"]), **given)  # type: ignore[arg-type]
