"""Live counts in mails: how many chose an answer, and what share of all that is. Few are never told.

Below its floor a count is unknown, as a name is that we do not have of a person, so that a mail needs another way to
say it (E308). A number of few says who they are, and is no proof of anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from nurture.mail.templates import Missing

if TYPE_CHECKING:
    from nurture.language.sequence import Sequence

FLOOR = 20
"""People below whom nothing is told of them, unless the author sets another floor."""

LEAST = 5
"""The lowest floor that an author can set."""

Tallies = Callable[[str, str], Mapping[str, int]]
"""How many gave each answer to the ask of a sequence's step; "yes" where it has no answers to choose from."""


def uncounted(_sequence: str, _step: str) -> Mapping[str, int]:
    """Where a mail is only looked at: nobody is counted, so that it looks the same each time."""
    return {}


def counting(sequence: Sequence, tallies: Tallies) -> dict[str, object]:
    """`count("question", "sales")` and `share("question", "sales")` of a template; `other.step` is one elsewhere."""

    def tally(step: str) -> Mapping[str, int]:
        elsewhere, _, name = step.rpartition(".")
        root = sequence.steps[name].root if not elsewhere and name in sequence.steps else name
        return tallies(elsewhere or sequence.name, root)

    def count(step: str, answer: object = None, floor: int = FLOOR) -> object:
        found = tally(step)
        number = sum(found.values()) if answer is None else found.get(str(answer), 0)
        return number if number >= max(floor, LEAST) else Missing(name=_words("count", step, answer))

    def share(step: str, answer: object, floor: int = FLOOR) -> object:
        found = tally(step)
        everyone = sum(found.values())
        if everyone < max(floor, LEAST):
            return Missing(name=_words("share", step, answer))
        return round(100 * found.get(str(answer), 0) / everyone)

    return {"count": count, "share": share}


def _words(name: str, step: str, answer: object) -> str:
    return f"{name}({step!r})" if answer is None else f"{name}({step!r}, {str(answer)!r})"
