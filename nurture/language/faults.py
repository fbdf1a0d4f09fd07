"""The list of faults that grows while a file is read. What is a fault, others decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.language.problems import Problem, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nurture.language.sequence import Mark

MOST_HINTS = 20
"""A file with more misspelt names than this is broken otherwise, and searching for each would take seconds."""


class Faults:
    """All faults of one file, in the order they were found."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Problem] = []
        self._hints = 0

    def add(self, code: str, mark: Mark, message: str) -> None:
        self.found.append(Problem(self.file, mark.line, mark.column, code, message, mark.width))

    def hint(self, word: str, known: Iterable[str]) -> str:
        """`, did you mean 'x'?`, or nothing."""
        self._hints += 1
        return did_you_mean(word, known) if self._hints <= MOST_HINTS else ""

    def in_order(self) -> tuple[Problem, ...]:
        """As one reads the page, each once."""
        return tuple(sorted(set(self.found)))
