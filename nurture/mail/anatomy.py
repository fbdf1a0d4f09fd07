"""What a mail is made of, as an inbox meets it: its links and where they lead, its images, its size, its text part."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nurture.mail.message import Message

_DARK = re.compile(r"prefers-color-scheme\s*:\s*dark")


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a mail: what one reads, and the address."""

    words: str
    address: str


@dataclass(frozen=True, slots=True)
class Image:
    """`alt` None where the mail does not say; "" where it says that there is nothing to say."""

    address: str
    alt: str | None


@dataclass(frozen=True, slots=True)
class Anatomy:
    """`size` is bytes of HTML, `words` those of the text part. `dark` tells whether it has colours for a dark inbox."""

    size: int
    words: int
    dark: bool
    links: tuple[Link, ...]
    images: tuple[Image, ...]


def anatomy(message: Message) -> Anatomy:
    reader = _Reader()
    reader.feed(message.html)
    reader.close()
    links = tuple(Link(" ".join("".join(words).split()), address) for address, words in reader.links)
    dark = _DARK.search(message.html) is not None
    return Anatomy(len(message.html.encode()), len(message.text.split()), dark, links, tuple(reader.images))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[tuple[str, list[str]]] = []
        self.images: list[Image] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "a" and known.get("href"):
            self.links.append((str(known["href"]), []))
            self._inside = True
        elif tag == "img":
            self.images.append(Image(known.get("src") or "", known["alt"] or "" if "alt" in known else None))
            if self._inside:
                self.links[-1][1].append(known.get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.links[-1][1].append(data)
