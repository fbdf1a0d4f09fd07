"""A mail as a page shows it: in a frame, in light or dark, its own links leading where the page wants them to."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from html import escape, unescape
from typing import TYPE_CHECKING

from nurture.mail.effort import LOOKS
from nurture.mail.links import Links, Signer
from nurture.web.medal import medal

if TYPE_CHECKING:
    from collections.abc import Callable

    from nurture.language.sequence import Ask

PLACE = "https://links.example"
ASK, UNSUBSCRIBE, BADGES = f"{PLACE}/ask", f"{PLACE}/unsubscribe", f"{PLACE}/badges"

_LINK = re.compile(rf'href=(["\'])({re.escape(PLACE)}/[^"\']*)\1')
_MEDAL = re.compile(rf"{re.escape(PLACE)}/b/(\d{{1,4}})\.png")
_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)
_SCHEME = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_META = re.compile(r'(<meta\s+name="(?:supported-)?color-schemes?"\s+content=")[^"]*(")', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Doors(Links):
    """The links of a mail that is only looked at: each says what it would do."""

    def ask(self, message: str, ask: Ask, target: str) -> str:  # noqa: ARG002 - the shape of Links
        return ASK

    def choice(self, message: str, key: str | int) -> str:  # noqa: ARG002
        return f"{ASK}/{key}"

    def unsubscribe(self, message: str) -> str:  # noqa: ARG002
        return UNSUBSCRIBE

    def badges(self, message: str) -> str:  # noqa: ARG002
        return BADGES


DOORS = Doors(PLACE, PLACE, Signer(["only for looking at mails, never sent"]))


def framed(html: str, leads: Callable[[str], str], *, dark: bool) -> str:
    """The mail for a frame. `leads` says where a door leads; other links open beside the page."""

    def door(match: re.Match[str]) -> str:
        return f'href="{escape(leads(unescape(match[2])))}" target="_top"'

    html = _HEAD.sub(r'\g<0><base target="_blank">', _LINK.sub(door, html), count=1)
    html = _MEDAL.sub(lambda match: f"data:image/png;base64,{b64encode(medal(int(match[1]) % LOOKS)).decode()}", html)
    return in_scheme(html, dark=dark)


def in_scheme(html: str, *, dark: bool) -> str:
    """The mail as an inbox in this scheme shows it, whatever the machine prefers that it is looked at on."""
    wanted = "dark" if dark else "light"
    html = _META.sub(rf"\g<1>{wanted}\g<2>", html)
    # a condition that always holds, and one that never does
    return _SCHEME.sub(lambda match: "(min-width: 0px)" if match[1].lower() == wanted else "(max-width: 0px)", html)
