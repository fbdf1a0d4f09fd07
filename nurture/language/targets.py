"""Where a link leads: a web address as it is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nurture.language.values import text_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from nurture.language.faults import Faults
    from nurture.language.yaml import Node

_EXPRESSION = re.compile(r"\{\{.*?\}\}")
_START_NAME = re.compile(r"\bstart\.(\w+)")


def read_target(node: Node | None, start: Collection[str], faults: Faults) -> str:
    """A web address; it may hold `{{ start.NAME }}`."""
    if node is None:
        return ""
    written = text_of(node, faults, "to").strip()
    if not written:
        return ""
    for expression in _EXPRESSION.findall(written):
        for name in _START_NAME.findall(expression):
            if name not in start:
                hint = faults.hint(name, start) or "; people.yaml declares the data of events"
                faults.add("E205", node.mark, f"unknown name 'start.{name}'{hint}")
    if (complaint := _complaint(written)) is not None:
        faults.add("E103", node.mark, complaint)
        return ""
    return written


def _complaint(written: str) -> str | None:
    if written.startswith("{{"):
        return None
    wrong = wrong_with(_EXPRESSION.sub("x", written))
    return f"'{written}' {wrong}" if wrong else None


def wrong_with(address: str) -> str:
    """Why this cannot be where a link leads, as the end of a sentence; "" when it can.

    A browser reads a backslash as a slash, and so another host than we would (WHATWG URL, 4.4).
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        return "is not a web address; write it in full, like https://example.com/page"
    if any(sign.isspace() or not sign.isprintable() for sign in address):
        return "has a space in it; write %20 instead"
    if "\\" in address:
        return "has a backslash in it; write / instead, or %5C"
    if "@" in parts.netloc:
        return "holds a user name or password; remove what stands before the @"
    return ""
