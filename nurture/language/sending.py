"""Reading when mail may leave (`send:`), and the addresses it comes from."""

from __future__ import annotations

import re
from dataclasses import replace
from email.utils import parseaddr
from typing import TYPE_CHECKING

from nurture.language import words
from nurture.language.sequence import SendRules
from nurture.language.values import allow, line_of, parsed
from nurture.language.yaml import Items, Scalar, Table

if TYPE_CHECKING:
    from nurture.language.faults import Faults
    from nurture.language.yaml import Node

SEND_KEYS = ("between", "days", "timezone", "gap")
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+\.[^\s@<>,;:\"()\[\]\\.]+")


def read_send(node: Node, base: SendRules, faults: Faults) -> SendRules:
    """The rules of `base`, overridden key by key. `now` keeps them and sets them aside."""
    if isinstance(node, Scalar) and node.text == "now":
        return replace(base, now=True)
    if not isinstance(node, Table):
        faults.add("E103", node.mark, "send is `now`, or rules such as {between: 9:00-17:00, days: weekdays}")
        return base
    allow(node, SEND_KEYS, faults)
    rules = replace(base, now=False)
    if (value := node.get("between")) is not None:
        rules = replace(rules, between=parsed(value, words.between, faults, "between") or rules.between)
    if (value := node.get("days")) is not None:
        rules = replace(rules, days=_days(value, faults) or rules.days)
    if (value := node.get("timezone")) is not None:
        rules = replace(rules, timezone=parsed(value, _timezone, faults, "timezone") or rules.timezone)
    if (value := node.get("gap")) is not None:
        rules = replace(rules, gap=parsed(value, words.duration, faults, "gap") or rules.gap)
    return rules


def read_address(node: Node, faults: Faults, what: str) -> str:
    """`Ada Bright <ada@brightline.example>`, or the bare address."""
    written = line_of(node, faults, what)
    if not written:
        return ""
    _, address = parseaddr(written)
    if not _ADDRESS.fullmatch(address) or (address != written and not written.endswith(f"<{address}>")):
        faults.add("E103", node.mark, f"'{written}' is not an address; write Ada Bright <ada@example.com>")
    return written


def _days(node: Node, faults: Faults) -> frozenset[int]:
    found: set[int] = set()
    for item in node.items if isinstance(node, Items) else [node]:
        found |= parsed(item, words.days, faults, "days") or frozenset()
    if isinstance(node, Items) and not node.items:
        faults.add("E103", node.mark, "this list of days is empty; leave it out to send every day")
    return frozenset(found)


def _timezone(text: str) -> str:
    return text if text == "theirs" else words.zone(text)
