"""A fault in what a marketer wrote: where it is, what it is called, how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Severity = Literal["error", "warning"]

MOST = 20
"""So many names are listed where one of them is to be chosen."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault. `line` and `column` count from 1, as editors do; `width` is how many characters the caret underlines."""

    file: str
    line: int
    column: int
    code: str
    message: str
    width: int = 1

    @property
    def severity(self) -> Severity:
        return "warning" if self.code.startswith("W") else "error"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column} {self.severity} {self.message} [{self.code}]"


def counted(number: int, noun: str) -> str:
    """`"1 mail"`, `"2,000 mails"`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`", did you mean 'subject'?"`, or nothing when no known word is close."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f", did you mean '{close[0]}'?" if close else ""


def or_one_of(word: str, known: Iterable[str]) -> str:
    """`", did you mean 'subject'?"`, or all there is to choose from."""
    names = list(known)
    more = f" and {len(names) - MOST:,} more" if len(names) > MOST else ""
    return did_you_mean(word, names) or f"; choose one of {', '.join(names[:MOST]) or 'none yet'}{more}"
