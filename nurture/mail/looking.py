"""Where a step's subject, preheader and template print what is not known of everybody who gets the mail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nurture.language.knowing import COUNT, NOTHING, OFFER, PROOF, Known, Values
from nurture.language.problems import Problem, did_you_mean, or_one_of
from nurture.language.sequence import ALWAYS_KNOWN, Mark
from nurture.mail.printed import SOME, Print, Printed, printed

if TYPE_CHECKING:
    from nurture.language.conditions import Path
    from nurture.language.sequence import People, Place, Sequence, Step

NAMES = (
    "answers", "ask", "asked", "badges", "bought", "count", "friends", "kept", "leaderboard", "offer", "postal_address",
    "preheader", "progress", "proof", "said", "sequence", "share", "start", "step_number", "streak", "tags",
    "unsubscribe_url",
)  # fmt: skip
"""What a template may use beside attributes and what its step gives it."""

JINJA = ("loop", "caller", "varargs", "kwargs", "self", "super")
"""What Jinja itself gives some places a meaning for."""


@dataclass(slots=True)
class Looked:
    """What a mail reads of a person, and what of it can fail."""

    sequence: Sequence
    step: Step
    people: People
    files: Mapping[str, str]
    others: Mapping[str, Sequence]
    printed: Printed = field(default_factory=Printed)
    lines: dict[str, tuple[str, Mark]] = field(default_factory=dict)

    def problems(self) -> Iterator[Problem]:
        """One for each print that can fail."""
        wrong = [(one, "E302", what) for one in self.printed.counted.values() if (what := self._uncountable(one))]
        wrong += [(one, "E302", what) for one, what in self._undeclared()]
        misread = {(one.file, one.at) for one, _, _ in wrong}
        unsure = (one for place, one in self.printed.unsure.items() if place not in misread)
        for one, code, what in (*wrong, *((one, *self._complaint(one)) for one in unsure)):
            if one.file in self.lines:
                text, mark = self.lines[one.file]
                spot = mark_in(mark, text, one.at, len(one.words))
                yield Problem(self.sequence.file, spot.line, spot.column, code, what, spot.width)
            else:
                before = self.files[one.file][: one.at]
                line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
                yield Problem(f"templates/{one.file}", line, column, code, what, len(one.words))

    def _undeclared(self) -> Iterator[tuple[Print, str]]:
        """Names that nothing has, so that a fallback would stand there for everybody."""
        # a template may serve several steps, of which one gives it what it does without in the others
        given = {
            str(name)
            for one in (self.sequence, *self.others.values())
            for step in one.steps.values()
            for name in step.extra
        }
        has = (*self.people.attributes, *ALWAYS_KNOWN, *sorted(given), *NAMES)
        for (file, at), name in self.printed.named.items():
            if name not in has and name not in JINJA and name not in self.printed.bound:
                hint = did_you_mean(name, has) or "; declare it there, or leave it out"
                yield Print(file, at, name, (name,)), f"people.yaml declares no attribute '{name}'{hint}"

    def _complaint(self, one: Print) -> tuple[str, str]:
        if one.path[0] != "answers":
            return "E308", self._unknown(one)
        name, steps = one.path[1], self.sequence.steps
        if name not in steps:
            return "E302", f"there is no step '{name}'{or_one_of(name, steps)}"
        if one.path[0] in one.words and steps[name].repeats:
            return "E302", f"'{name}' asks {steps[name].root} again; write answers.{steps[name].root}"
        return "E305", (
            f"{one.words} quotes an answer that some people who get '{self.step.name}' never gave; "
            f"put it into {{% if answers.{steps[name].root} %}}, or lead them elsewhere"
        )

    def _uncountable(self, one: Print) -> str:
        """What is wrong with a count of answers that nobody can give; "" where somebody can."""
        written, *answers = one.path[1:]
        elsewhere, _, name = written.rpartition(".")
        plan = self.others.get(elsewhere) if elsewhere else self.sequence
        if plan is None:
            return f"there is no sequence '{elsewhere}'{or_one_of(elsewhere, self.others)}"
        if name not in plan.steps:
            return f"there is no step '{name}'{or_one_of(name, plan.steps)}"
        root = plan.steps[plan.steps[name].root]
        given = [str(answer) for answer in root.ask.answers] or ["yes"]
        if answers and answers[0] not in given:
            return f"'{written}' is never answered '{answers[0]}'{or_one_of(answers[0], given)}"
        return ""

    def _unknown(self, one: Print) -> str:
        if one.path[0] == COUNT:
            return f'{one.words} is unknown while they are few; write {{{{ {one.words} or "…" }}}}'
        if one.path == OFFER:
            return f"{one.words} is printed, and some people who get '{self.step.name}' were never made an offer"
        if one.path == PROOF:
            return (
                f"{one.words} is printed, and some people who get '{self.step.name}' are like none of those who said something; "
                "add one with for: everyone, or write {% if proof %}"
            )
        return f'{one.words} can be unknown; write {{{{ {one.words} or "…" }}}} with what it says then'


def look(
    sequence: Sequence, step: Step, people: People, files: Mapping[str, str], known: Known,
    others: Mapping[str, Sequence],
) -> Looked:  # fmt: skip
    """Read what a step prints, for people of whom this is known. `others` are the project's sequences."""
    looked = Looked(sequence, step, people, files, others)
    knows = _own_names(sequence, step, known)
    places: list[tuple[str, Place]] = [(step.preheader, ("steps", step.name, "preheader"))]
    for number, text in enumerate(step.subjects):
        own: Place = ("steps", step.name, "subject")
        places.append((text, (*own, number) if len(step.subjects) > 1 else own))
    for text, place in places:
        key = "/".join(map(str, place))
        looked.lines[key] = (text, sequence.marks.get(place) or Mark(1, 1))
        printed(key, text, knows, {}, looked.printed)
    printed(step.template, files[step.template], knows, files, looked.printed)
    return looked


def _own_names(sequence: Sequence, step: Step, known: Known) -> Known:
    """What `with:` gives is known; an ask that is asked again has its answer under either name."""
    own: dict[Path, Values] = {(str(name),): SOME for name in step.extra}
    for one in sequence.steps.values():
        if one.repeats:
            own["answers", one.name] = known.of(("answers", one.root))
    if sequence.proof and PROOF not in own:
        own[PROOF] = SOME if any(not one.wanted for one in sequence.proof) else SOME | NOTHING
    if step.ask.kind == "buy":
        own[OFFER] = frozenset({True})
    if any(one.ask.kind == "refer" for one in sequence.steps.values()):
        own |= {("friends", name): SOME for name in ("confirmed", "left", "wanted", "link")}
    return known.also(own)


def mark_in(mark: Mark, text: str, at: int, width: int) -> Mark:
    """A spot inside a line of text in a YAML file; all of it where the file writes it otherwise than it reads."""
    quotes = (mark.width - len(text)) / 2
    if quotes not in (0, 1) or "\n" in text:
        return mark
    return Mark(mark.line, mark.column + int(quotes) + at, max(1, width))
