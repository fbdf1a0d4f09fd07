"""The faults of a project, again and again: a sequence of which a save touched nothing keeps those it had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.mail.checks import INCLUDE, check
from nurture.mail.page import Press
from nurture.mail.templates import Templates

if TYPE_CHECKING:
    from nurture.language.problems import Problem
    from nurture.language.project import Project
    from nurture.language.sequence import Sequence


class Checking:
    """What was found in the mails of each sequence, and of what it was found."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, list[Problem]]] = {}

    def problems(self, project: Project) -> tuple[Problem, ...]:
        """All faults, as `problems_of` finds them."""
        press = Press(Templates(project.templates))
        around = (project.people, frozenset(project.templates), _answers(project))
        found = set(project.problems)
        for name, sequence in project.sequences.items():
            given = (sequence, around, _templates(sequence, project))
            known = self._known.get(name)
            if known is None or known[0] != given:
                known = (given, check(sequence, press, project.people, project.sequences))
                self._known[name] = known
            found.update(known[1])
        return tuple(sorted(found))


def _answers(project: Project) -> object:
    """What a mail may count of another sequence."""
    return {
        name: [(step.name, step.root, tuple(step.ask.answers)) for step in sequence.steps.values()]
        for name, sequence in project.sequences.items()
    }


def _templates(sequence: Sequence, project: Project) -> object:
    """What its mails are made of: their own templates and the shared ones; all, where one takes in others."""
    spoken = (sequence, *sequence.languages.values())
    own = {step.template for one in spoken for step in one.steps.values()}
    every = project.templates
    if any(INCLUDE.search(every.get(name, "")) for name in own):
        return every
    return {name: text for name, text in every.items() if name in own or "/" not in name}
