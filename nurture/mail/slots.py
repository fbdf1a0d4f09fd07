"""Keeping what we know of people out of the markup until the very end.

While a template is rendered, every value it prints is replaced by a slot: letters and digits that nothing can guess.
So data is never read as Markdown, MJML or HTML; and two people who take the same way through a template give the same
text, which is turned into mail once. At the end the slots are filled: escaped in HTML, as they are in plain text.
"""

from __future__ import annotations

import re
from html import escape
from secrets import token_hex

from jinja2 import Undefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from nurture.mail.sandbox import printed

NONCE = f"nv{token_hex(6)}x"
"""Made anew for each process. Letters and digits only: Markdown would encode anything else inside an address."""

SLOT = re.compile(rf"{NONCE}(\d{{4}})z")
_IN_ATTRIBUTE = re.compile(rf'=\s*["\']?\s*{NONCE}(\d{{4}})z')
MOST = 5_000
KEY = "_slots"


def slot(number: int) -> str:
    """What stands for the value of this number."""
    return f"{NONCE}{number:04d}z"


class Slots(list[str]):
    """The values that were taken out, by their number."""

    def keep(self, value: object) -> str:
        """Put a value aside; returns the slot that stands for it."""
        if len(self) >= MOST:
            raise ValueError(f"this template prints more than {MOST} values")
        self.append(str(value))
        return slot(len(self) - 1)


@pass_context
def finalize(context: Context, value: object) -> object:
    """What Jinja prints instead of a value. With the context, so that constants are not settled beforehand."""
    printed(context, value)
    if isinstance(value, Markup | Undefined) or hasattr(value, "__html__"):
        return value
    slots = context.parent[KEY]
    return Markup(slots.keep(value))  # noqa: S704 - a slot is letters and digits


def fill_html(text: str, slots: Slots) -> str:
    """The slots filled, escaped so that they are safe in text and in quoted attributes."""
    return SLOT.sub(lambda match: escape(slots[int(match[1])]), text)


def fill_text(text: str, slots: Slots) -> str:
    """The slots filled as they are, for plain text."""
    return SLOT.sub(lambda match: slots[int(match[1])], text)


def addresses(html: str) -> frozenset[int]:
    """Which slots stand at the start of an address: those must be web or mail addresses."""
    return frozenset(
        int(match[1])
        for match in _IN_ATTRIBUTE.finditer(html)
        if html[max(0, match.start() - 20) : match.start()].rstrip().lower().endswith(("href", "src", "action"))
    )
