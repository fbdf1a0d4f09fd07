"""What is theirs and handed to them by mail alone: a copy of all that is known of them, and its erasure."""

from __future__ import annotations

from nurture.language.signups import confirms

ASKED = "asked:"
"""How the sequence of the one mail is called that hands it over, before what it is. No file can have this name."""

THEIRS = ("copy", "erase")


def hands_over(sequence: str) -> bool:
    """Whether the one mail of this sequence hands a person what is theirs."""
    return sequence.startswith(ASKED)


def ours(sequence: str) -> bool:
    """Whether nobody wrote this sequence: its one mail asks whether it was them."""
    return confirms(sequence) or hands_over(sequence)
