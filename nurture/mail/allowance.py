"""How much work one template may make: counted, not timed, so that it is the same for everyone and on every machine.

Jinja's sandbox bounds neither: three loops in each other run for hours, nine `replace` in a row fill the memory
(pallets/jinja#1691). What counts is what comes out, what is made on the way, and each part of a loop's body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import local
from typing import TypeVar

from jinja2.exceptions import SecurityError

T = TypeVar("T")

LONGEST = 512_000
"""Characters one template may come to. Gmail clips a mail at 102 KB."""

MOST = 4 * LONGEST
"""Characters made and parts worked through, for one template. A mail takes some thousand."""

PART = 20
"""What one turn of a loop, one thing in a list or one comparison costs: as much as so many characters, at least."""


class _Left(local):
    units = MOST


_left = _Left()


def begin() -> None:
    """One more template, with all that it may spend."""
    _left.units = MOST


@contextmanager
def apart() -> Iterator[None]:
    """What is worked out ahead, while a template is compiled, is paid for apart: the next mail does not do it again."""
    before = _left.units
    begin()
    try:
        yield
    finally:
        _left.units = before


def spend(units: int) -> None:
    """Raises SecurityError when it was too much."""
    _left.units -= units
    if _left.units < 0:
        raise SecurityError("this is more work than a mail can be: too many loops in each other, or too much text")


def made(value: T) -> T:
    """A value that a template made, its size paid for."""
    spend(_size(value))
    return value


def _size(value: object) -> int:
    """What it cost to make this. No more of it is looked at than may be spent."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if not isinstance(value, list | tuple | set | frozenset):
        return PART
    size = PART * len(value)
    for one in value:
        size += _size(one)
        if size > _left.units:
            break
    return size
