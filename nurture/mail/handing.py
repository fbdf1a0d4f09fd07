"""The mail that hands a person what is theirs: a sequence of one step, written by us, as is the one that confirms a sign-up.

It goes to their own address, since whoever was forwarded a mail has its preference page too.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nurture.language.kinds import HAND_OVER
from nurture.language.sequence import Ask, Duration, Sequence
from nurture.language.theirs import ASKED, THEIRS
from nurture.mail.confirming import WORDS, of_one_mail, only_step
from nurture.mail.phrases import languages, phrases

STEP = "hand_over"
HANDING = "privacy/hand_over.md"
"""Where a project may write these mails in its own words."""

LIVES = Duration(days=1)
"""How long the button works, from when the mail left."""


def handing(sequences: Mapping[str, Sequence]) -> dict[str, Sequence]:
    """The sequence of each thing that is theirs, sent by whoever sends the first ladder; none where nobody sends mail."""
    first = next(iter(sequences.values()), None)
    if first is None:
        return {}
    found = {}
    for what in THEIRS:
        spoken = {code: _sequence(what, first.sender, code) for code in languages()}
        found[ASKED + what] = _sequence(what, first.sender, first.language, spoken)
    return found


def _sequence(
    what: str, sender: str, language: str, others: Mapping[str, Sequence] = MappingProxyType({})
) -> Sequence:  # fmt: skip
    said = phrases(language).mail
    words = {name: said[f"{what}_{name}"] for name in WORDS}
    step = only_step(STEP, HANDING, Ask(HAND_OVER, words["label"], 1, name=what, label=words["label"]), LIVES, words)
    return of_one_mail(ASKED + what, words["subject"], sender, step, language, others)
