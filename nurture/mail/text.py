"""The plain text of a mail, from its HTML: paragraphs, lists, and links as "label: address"."""

from __future__ import annotations

import re
from html.parser import HTMLParser

BLOCKS = frozenset(
    {
        "p", "div", "section", "article", "table", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li",
        "blockquote", "pre", "hr", "header", "footer", "main",
    }
)  # fmt: skip
SILENT = frozenset({"style", "script", "head", "title"})
_SPACE = re.compile(r"[ \t\r\n\f]+")
_LINES = re.compile(r"\n{3,}")


def plain_text(html: str) -> str:
    """What a reader without HTML sees. What is marked `data-only="html"` is left out."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = (line.strip() for line in "".join(reader.out).split("\n"))
    return _LINES.sub("\n\n", "\n".join(lines)).strip() + "\n"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._silent = 0
        self._hidden: list[str] = []
        self._link: tuple[str, int] | None = None
        self._lists: list[int | None] = []
        self._verbatim = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if self._hidden:
            if tag == self._hidden[0]:
                self._hidden.append(tag)
            return
        if known.get("data-only") == "html":
            self._hidden.append(tag)
        elif tag in SILENT:
            self._silent += 1
        elif tag == "br":
            self.out.append("\n")
        elif tag == "hr":
            self.out.append("\n\n--\n\n")
        elif tag == "a" and known.get("href"):
            self._link = (str(known["href"]), len(self.out))
        elif tag == "img" and known.get("alt"):
            self._say(str(known["alt"]))
        elif tag in ("ul", "ol"):
            self._lists.append(0 if tag == "ol" else None)
            self.out.append("\n")
        elif tag == "li":
            self.out.append("\n" + self._bullet())
        elif tag in BLOCKS:
            self._verbatim = tag == "pre"
            self.out.append("\n" if tag in ("tr", "div") else "\n\n")

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag == self._hidden[0]:
                self._hidden.pop()
            return
        if tag in SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag == "a" and self._link is not None:
            address, start = self._link
            label = "".join(self.out[start:]).strip()
            if address.removeprefix("mailto:") != label:
                self.out.append(f": {address}" if label else address)
            self._link = None
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
            self.out.append("\n")
        elif tag in BLOCKS:
            self._verbatim = False
            self.out.append("\n" if tag in ("tr", "div", "li") else "\n\n")

    def handle_data(self, data: str) -> None:
        if not self._silent and not self._hidden:
            self._say(data if self._verbatim else _SPACE.sub(" ", data))

    def _say(self, words: str) -> None:
        if words.isspace() and (not self.out or self.out[-1].endswith(("\n", " "))):
            return
        self.out.append(words)

    def _bullet(self) -> str:
        if self._lists and self._lists[-1] is not None:
            self._lists[-1] += 1
            return f"{self._lists[-1]}. "
        return "- "
