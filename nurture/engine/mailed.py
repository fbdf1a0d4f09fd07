"""One mail as it was frozen before it left, for whoever runs the engine: its words, and what was reported of it.

The keys of its links are taken out: who looks at a mail must not be able to answer, or to leave, for its person.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nurture.engine import show
from nurture.mail.anatomy import anatomy
from nurture.mail.message import thaw
from nurture.store import events, messages, people

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.engine.rules import Rules
    from nurture.mail.message import Message
    from nurture.store.database import Store

_KEY = re.compile(r"(/o/)?[\w:%-]+\.[\w-]{43}(?![\w-])")
"""A token of ours: what it carries and its seal, 32 bytes in base64 (itsdangerous). A countdown's may stay: it is a picture."""

_REPLY = re.compile(r"\breply\+[\w-]+@")
TAKEN_OUT = "…"


def mailed(store: Store, rules: Rules, number: str, now: datetime) -> dict[str, Any] | None:
    """The mail with this id as `nurture.message/1`; None when there is none. `text` is null before it was written."""
    with store.read() as tx:
        row = messages.by_ids(tx, [number]).get(number)
        if row is None:
            return None
        whose = people.by_ids(tx, [row.subscriber]).get(row.subscriber)
        frozen = messages.payload(tx, number)
        reported = events.of_messages(tx, [number])
    written = None if frozen is None else without_keys(thaw(frozen))
    return {
        **show.message(row),
        "email": whose.email if whose else "",
        "person": row.subscriber,
        "settling": show.settling(row, rules, now),
        **_words(written),
        "events": [show.event(one) for one in reported],
    }


def without_keys(message: Message) -> Message:
    """The mail with nothing in it that acts for its person."""
    return replace(
        message, reply_to=hidden(message.reply_to), text=hidden(message.text), html=hidden(message.html),
        headers=tuple((name, hidden(value)) for name, value in message.headers),
    )  # fmt: skip


def _words(message: Message | None) -> dict[str, Any]:
    if message is None:
        return {"from": None, "reply_to": None, "headers": {}, "text": None, "html": None, "links": []}
    links = [{"words": link.words, "address": link.address} for link in anatomy(message).links]
    return {
        "from": message.sender, "reply_to": message.reply_to or None, "headers": dict(message.headers),
        "text": message.text, "html": message.html, "links": links,
    }  # fmt: skip


def hidden(words: str) -> str:
    """These words without the keys of links in them."""
    return _REPLY.sub(f"reply+{TAKEN_OUT}@", _KEY.sub(lambda found: found[0] if found[1] else TAKEN_OUT, words))
