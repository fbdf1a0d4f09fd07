"""The mail that asks whoever was signed up whether it was them: a sequence of one step, written by us.

What was typed into the form is not in it. Whoever types a stranger's address into a form could else send them words of
their own choosing.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nurture.language.sequence import (
    ENGLISH,
    Arm,
    Ask,
    Branch,
    Duration,
    Exit,
    Goto,
    Happening,
    People,
    SendRules,
    Sequence,
    SignUp,
    Start,
    Step,
)
from nurture.language.signups import SIGNUP
from nurture.mail.phrases import languages, phrases

STEP = "confirm"
CONFIRM = "signup/confirm.md"
"""Where a project may write this mail in its own words."""

CONFIRM_MAIL = """# {{ confirm.hello }}

{{ confirm.why }} {{ confirm.how }}

{{ ask }}

{{ confirm.not }}
"""
KEPT = Duration(days=7)
"""How long a form waits for its confirmation before it is forgotten."""

_END = Branch((Arm(go=Exit("end")),))


def confirmations(people: People, sequences: Mapping[str, Sequence]) -> dict[str, Sequence]:
    """The sequence of each sign-up, under its name."""
    found = {}
    for one in people.signups.values():
        first = [sequences[name] for name in one.start if name in sequences] or list(sequences.values())
        main = first[0].language if first else ENGLISH
        sender = one.sender or (first[0].sender if first else "")
        spoken = {code: _confirmation(one, sender, code) for code in languages()}
        found[SIGNUP + one.name] = _confirmation(one, sender, main, spoken)
    return found


def _confirmation(
    one: SignUp, sender: str, language: str, others: Mapping[str, Sequence] = MappingProxyType({})
) -> Sequence:
    said = phrases(language).mail
    words = {name: said[f"confirm_{name}"].format(title=one.title) for name in WORDS}
    step = only_step(STEP, CONFIRM, Ask("confirm", words["label"], 1, name=one.name, label=words["label"]), KEPT, words)
    return of_one_mail(SIGNUP + one.name, one.title, sender, step, language, others)


WORDS = ("subject", "hello", "why", "how", "label", "not")
"""What the mail says, by the names that a template of one's own may use: `{{ confirm.hello }}`."""


def only_step(name: str, template: str, ask: Ask, within: Duration, words: Mapping[str, str]) -> Step:
    """The one step of a sequence that we wrote: it leaves at once, and leads nowhere."""
    return Step(
        name=name, position=0, subjects=(_plain(words["subject"]),), template=template, ask=ask, root=name, yes=_END,
        no=_END, within=within, send=SendRules(now=True), extra=MappingProxyType({"confirm": words}),
    )  # fmt: skip


def of_one_mail(
    name: str, title: str, sender: str, step: Step, language: str, others: Mapping[str, Sequence]
) -> Sequence:  # fmt: skip
    return Sequence(
        name=name, title=title, start=Start((Happening("manual"),), Goto(step.name)), sender=sender,
        steps=MappingProxyType({step.name: step}), language=language, languages=others, priority=HIGHEST,
    )  # fmt: skip


HIGHEST = 1_000
"""Somebody waits in front of their inbox."""


def _plain(line: str) -> str:
    """A title is words, not a template."""
    return line.replace("{", "").replace("}", "")
