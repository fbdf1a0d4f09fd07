"""From what a template printed to a mail's HTML and text: Markdown or MJML, the layout, CSS inlined, the text part.

All of it happens on text whose values are slots, so it is done once for everyone who takes the same way through a
template, and remembered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

from css_inline import CSSInliner
from markdown_it import MarkdownIt
from markupsafe import Markup
from mjml import mjml2html

from nurture.errors import RenderError
from nurture.mail.phrases import phrases
from nurture.mail.slots import NONCE, SLOT, addresses, slot
from nurture.mail.text import plain_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nurture.mail.ask import Format
    from nurture.mail.templates import Templates

LAYOUTS = Path(__file__).with_name("layout")
REMEMBERED = 2_000
WHOLE = ("<!doctype", "<html", "<mjml")
"""A template that begins like this is a whole page of its own and gets no layout."""

_MARKDOWN = MarkdownIt("commonmark", {"html": True, "typographer": False}).enable(["table", "strikethrough"])
# remote style sheets are never fetched; a mail must not depend on the network of the machine that writes it
_INLINER = CSSInliner(load_remote_stylesheets=False, keep_style_tags=True, keep_at_rules=True)
# each begins with what is rare in a mail: ignoring the case of a whole pattern makes it look at every letter
_PLAIN = re.compile(r'(=(?:(?<=(?i:href)=)|(?<=(?i:src)=))["\']?)(?i:plain):')
# what we print is a block of HTML, and in Markdown that lasts to the next blank line (CommonMark 0.31, 4.6)
_RIGHT_BELOW = re.compile(r'^(<table role="presentation" class=".*>)[ \t]*\n(?=[^\s<])', re.MULTILINE)
_HREF = re.compile(r'<[aA]\b[^>]*?\s(?i:href)=(["\'])(.*?)\1', re.DOTALL)


@dataclass(frozen=True)
class Page:
    """A mail with slots for values. `links` are the addresses in it, those marked `plain:` with that mark.

    `in_addresses` are the slots that stand at the start of an address.
    """

    html: str
    links: tuple[str, ...]
    in_addresses: frozenset[int]

    @cached_property
    def text(self) -> str:
        """The same as plain text, made when it is first wanted."""
        return plain_text(self.html)


class Press:
    """Makes pages of one project: its own layouts (`templates/layout.html`, `layout.mjml`) or ours."""

    def __init__(self, templates: Templates) -> None:
        self.templates = templates
        self.page = lru_cache(maxsize=REMEMBERED)(self._page)

    def _page(
        self, body: str, format_: Format, language: str, title: str, preheader: str, postal: str, *,
        why: str = "",
    ) -> Page:  # fmt: skip
        """`preheader` and `postal` are slots, or "" where there is nothing to say. `why` is the phrase that says why they
        get this, where it is not a mail like others: then it offers no pause either.
        """
        kind = "mjml" if format_ == "mjml" else "html"
        if format_ == "md":
            body = _MARKDOWN.render(_RIGHT_BELOW.sub(r"\1\n\n", body))
        whole = body.lstrip()[:200].lower()
        if not whole.startswith(WHOLE):
            words = phrases(language).mail
            if why:
                words = {**words, "why": words[why].format(title=title), "not_now": ""}
            html = self._in_layout(kind, body, language, title, preheader, postal, words)
        else:
            html = body
        if kind == "mjml":
            html = _from_mjml(html)
        html = _INLINER.inline(html)
        found = [unescape(match[2]) for match in _HREF.finditer(html)]
        html = _PLAIN.sub(r"\1", html)
        if html.lower().count(NONCE) != len(SLOT.findall(html)):
            raise RenderError("a filter changed a block of the mail that holds values; use it on each value instead")
        return Page(html, tuple(found), addresses(html))

    def _in_layout(
        self, kind: str, body: str, language: str, title: str, preheader: str, postal: str, words: Mapping[str, str]
    ) -> str:
        source = _layout(self.templates, kind, language)
        values = {
            "words": words,
            "body": Markup(body),  # noqa: S704 - what the author's own template printed
            "language": language,
            "sequence": {"title": title},
            "preheader": Markup(preheader),  # noqa: S704 - a slot
            "postal_address": Markup(postal),  # noqa: S704 - a slot
            "unsubscribe_url": Markup(slot(0)),  # noqa: S704 - a slot
        }
        return self.templates.layout(source, values, f"templates/layout.{kind}")


def _layout(templates: Templates, kind: str, language: str) -> str:
    """The project's own layout, in this language where it has one (`layout.de.html`), else ours."""
    own = (templates.files.get(f"layout.{spoken}{kind}") for spoken in (f"{language}.", ""))
    return next((layout for layout in own if layout is not None), None) or _ours(kind)


@cache
def _ours(kind: str) -> str:
    return (LAYOUTS / f"layout.{kind}").read_text(encoding="utf-8")


def _from_mjml(text: str) -> str:
    try:
        # without `fonts={}` a link to a web font is added to every mail
        return mjml2html(text, fonts={})
    except Exception as error:  # noqa: BLE001 - the Rust library raises its own kinds, ValueError among them
        raise RenderError(f"this is no MJML: {error}") from None
