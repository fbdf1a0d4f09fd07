"""Mails that differ in their words alone are compiled once: what stands around the code is put in afterwards.

Compiling is most of the cost of a template, and the code of many mails is the same: a name, the ask, perhaps an `if`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jinja2 import Environment
from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import TokenStream
from jinja2.parser import Parser

from nurture.mail.allowance import spend
from nurture.mail.slots import NONCE

if TYPE_CHECKING:
    from jinja2 import Template

Tokens = tuple[tuple[str, str], ...]

REMEMBERED = 1_000
BLANKS: MappingProxyType[str, Any] = MappingProxyType(
    {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
)
"""What becomes of white space around code, in all templates."""
TAGS = frozenset({"if", "elif", "else", "endif", "for", "endfor"})
"""The only tags that leave words as they are. A filter, a macro or a block may change or measure them."""

_LEXER = Environment(**BLANKS, autoescape=False).lexer  # noqa: S701 - nothing is rendered with it
_WORDS = re.compile(rf"{NONCE}w(\d+)z")
_LEFT_OUT = frozenset({"whitespace", "comment", "comment_begin", "comment_end", "raw_begin", "raw_end"})


@lru_cache(maxsize=200)
def tokens_of(source: str) -> Tokens:
    """Each token's kind and text. Raises TemplateSyntaxError."""
    return tuple((kind, value) for _, kind, value in _LEXER.tokeniter(source, None))


@dataclass(frozen=True, slots=True)
class Shaped:
    """A template that several mails may share, and the words of one of them."""

    shared: Template
    words: tuple[str, ...]

    def render(self, values: Mapping[str, object]) -> str:
        def put(match: re.Match[str]) -> str:
            word = self.words[int(match[1])]
            spend(len(word))
            return word

        return _WORDS.sub(put, self.shared.render(values))


def shaping(environment: Environment) -> Callable[[str], Shaped | None]:
    """Reads sources of this environment. None for one that has to be compiled as it is."""

    @lru_cache(maxsize=REMEMBERED)
    def compiled(tokens: Tokens) -> Template:
        parser = Parser(environment, "")
        parser.stream = TokenStream(environment.lexer.wrap((1, kind, value) for kind, value in tokens), None, None)
        code = environment.compile(parser.parse(), filename="<shape>")
        return environment.template_class.from_code(environment, code, environment.make_globals(None))

    def shaped(source: str) -> Shaped | None:
        words: list[str] = []
        tokens: list[tuple[str, str]] = []
        try:
            for kind, value in tokens_of(source):
                if kind == "data":
                    tokens.append((kind, f"{NONCE}w{len(words)}z"))
                    words.append(value)
                elif kind not in _LEFT_OUT:
                    if tokens and tokens[-1][0] == "block_begin" and value not in TAGS:
                        return None
                    tokens.append((kind, value))
            return Shaped(compiled(tuple(tokens)), tuple(words))
        except (TemplateSyntaxError, RecursionError):
            return None

    return shaped
