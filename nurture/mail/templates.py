"""The templates of a project, compiled once in a closed sandbox, and what they print for one person.

What a template may do is said in `sandbox`, how much it may make in `allowance`.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn
from unicodedata import category

from jinja2 import FunctionLoader, StrictUndefined, Template, TemplateError, TemplateNotFound, TemplateSyntaxError

from nurture.errors import RenderError
from nurture.mail.allowance import LONGEST, begin
from nurture.mail.sandbox import Sandbox
from nurture.mail.shapes import BLANKS, shaping
from nurture.mail.slots import KEY, Slots, finalize

if TYPE_CHECKING:
    from jinja2.environment import Environment


HINTS = tuple(
    (re.compile(pattern), hint)
    for pattern, hint in (
        ("unexpected char '[“”„‘’«»]'", 'write straight quotes, as in {{ first_name or "friend" }}'),
        ("unexpected char .[\"'].", "a text in quotes does not end"),
        ("unexpected end of template, expected 'end of print", "close the {{ with }}"),
        (
            "expected token 'end of print",
            'between {{ and }} stands one name, or more in the way of first_name or "friend"',
        ),
        ("got '='", "write == to compare"),
        ("Expected an expression, got 'end of print", "write a name between {{ and }}"),
        ("that needs to be closed is 'if'", "close the {% if %} with {% endif %}"),
        ("that needs to be closed is 'for'", "close the {% for %} with {% endfor %}"),
    )
)
"""How to mend what Jinja says in its own words."""

BREAKS = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Control characters, halves of a character, ends of lines. Not what joins emojis or the letters of a Persian name."""


class Missing(StrictUndefined):
    """A name that is not known of this person: false, equal to nothing, neither more nor less; printing it fails."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    def _never(self, _other: object) -> bool:
        return False

    def _always(self, _other: object) -> bool:
        return True

    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = _never  # type: ignore[assignment]
    __ne__ = _always  # type: ignore[assignment]
    __hash__ = object.__hash__  # type: ignore[assignment]


class Templates:
    """All templates of a project by their path in `templates/`, and single lines. Compiled when first used."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files
        self._pages = _environment(autoescape=True, files=files)
        self._pages.finalize = finalize
        shaped = shaping(self._pages)
        self._shaped = lru_cache(maxsize=10_000)(lambda name: shaped(files[name]))
        self._layout = lru_cache(maxsize=8)(_environment(autoescape=True, files=files).from_string)
        self._lines = _environment(autoescape=False, files={})

    def page(self, name: str, values: Mapping[str, object], slots: Slots) -> str:
        """What the template prints, its values as slots. Raises RenderError with the file and line."""
        given = {**values, KEY: slots}
        before = len(slots)
        begin()
        if name in self.files and (shared := self._shaped(name)) is not None:
            try:
                return _short(shared.render(given), name)
            except Exception:  # noqa: BLE001 - whatever it is, the template itself says it below, with its own line
                del slots[before:]
                begin()
        try:
            return _short(self._pages.get_template(name).render(given), name)
        except TemplateNotFound as error:
            raise RenderError(f"there is no template templates/{error.name}") from None
        except Exception as error:  # noqa: BLE001 - a template may raise anything that Python raises
            _fail(error, f"templates/{name}")

    def layout(self, source: str, values: Mapping[str, object], name: str) -> str:
        """A layout around a page; its values are markup already. Raises RenderError."""
        begin()
        try:
            return _short(self._layout(source).render(values), name)
        except Exception as error:  # noqa: BLE001 - as above
            _fail(error, name)

    def line(self, source: str, what: str) -> Callable[[Mapping[str, object]], str]:
        """A subject or preheader, compiled. What it gives is one line of plain text without control characters."""
        template = _compiled(self._lines, source, what)

        def print_line(values: Mapping[str, object]) -> str:
            begin()
            try:
                text = template.render(values) if template is not None else source
            except Exception as error:  # noqa: BLE001 - as above
                _fail(error, what)
            if not text.isprintable() and any(category(sign) in BREAKS for sign in text):
                # a line break in a value would start a header of its own (RFC 5322, 2.2)
                raise RenderError(f"{what} has a line break or control character in it: {text[:60]!r}")
            return _short(text.strip(), what)

        return print_line


def _environment(*, autoescape: bool, files: Mapping[str, str]) -> Environment:
    def load(name: str) -> tuple[str, str, Callable[[], bool]] | None:
        return (files[name], f"templates/{name}", lambda: True) if name in files else None

    return Sandbox(
        autoescape=autoescape, undefined=Missing, loader=FunctionLoader(load), cache_size=10_000, auto_reload=False,
        **BLANKS,
    )  # fmt: skip


def _compiled(environment: Environment, source: str, what: str) -> Template | None:
    if "{" not in source:
        return None
    try:
        return environment.from_string(source)
    except TemplateError as error:
        _fail(error, what)


def _short(text: str, what: str) -> str:
    if len(text) > LONGEST:
        raise RenderError(f"{what} comes to {len(text):,} characters; a mail has {LONGEST:,} at most")
    return text


def _fail(error: Exception, name: str) -> NoReturn:
    """The error as one line with the template's own line, for whoever wrote it."""
    if isinstance(error, RenderError):
        raise error
    where, line = name, 0
    if isinstance(error, TemplateSyntaxError):
        where, line = error.filename or name, error.lineno
    else:
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename.startswith("templates/") or frame.filename == "<template>":
                where, line = (frame.filename if frame.filename != "<template>" else name), frame.lineno or 0
    place = f"{where}:{line}" if line and where.startswith("templates/") else where
    said = str(error) or type(error).__name__
    said = said.removesuffix(" is undefined") + " is not known of this person" if " is undefined" in said else said
    hint = next((f"; {hint}" for pattern, hint in HINTS if pattern.search(said)), "")
    raise RenderError(f"{place}: {said.removesuffix('.') if hint else said}{hint}") from None
