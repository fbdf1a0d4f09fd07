"""The imagined people of a preview: one of whom all is known, one of whom nothing is, one for each answer to a poll."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from nurture.language.knowing import NOTHING, Known, Sample
from nurture.language.paths import answers_of, arrivals, beginning, samples
from nurture.mail.imagined import ALWAYS, anybody, imagined
from nurture.rehearsal.stories import FIXED_MONDAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nurture.language.paths import Arrival
    from nurture.language.sequence import People, Sequence, Step
    from nurture.mail.imagined import Person

ALL, LITTLE = "all", "little"
AHEAD = timedelta(days=14)
"""How far ahead a date lies that begins a sequence, such as the end of a trial."""


@dataclass(frozen=True, slots=True)
class Role:
    """`key` names the role in a link: `all`, `little`, or `STEP.ANSWER`."""

    key: str
    words: str


def cast(sequence: Sequence) -> list[Role]:
    """Who can be shown a mail of this sequence."""
    polls = [step for step in sequence.steps.values() if step.ask.answers and not step.repeats]
    return [
        Role(ALL, "all is known"),
        Role(LITTLE, "as little as can be"),
        *(
            Role(f"{step.name}.{key}", f"answered “{words or key}”")
            for step in polls
            for key, words in step.ask.answers.items()
        ),
    ]


def at_step(
    sequence: Sequence, step: Step, people: People, role: str, arrived: Mapping[str, Arrival] | None = None
) -> Person | None:
    """The person who plays this role, as they stand when the step's mail leaves; None for who never gets it.

    `arrived` is what `arrivals` says of the sequence, where that is known already.
    """
    arrival = (arrivals(sequence, people) if arrived is None else arrived).get(step.name)
    known: Known | None = arrival.known if arrival is not None else anybody(sequence, people)
    name, _, answer = role.partition(".")
    if answer and name in sequence.steps and known is not None and sequence.steps[name].position < step.position:
        wanted = frozenset(value for value in answers_of(sequence.steps[name]) if str(value) == answer)
        known = known.only(("answers", name), wanted)
        save = sequence.steps[name].ask.save
        known = known.only((save,), wanted) or known if known is not None and save else known
    if known is None:
        return None
    everyone = list(imagined(sequence, step, people, known, (), ()))
    return everyone[-1] if role == LITTLE else everyone[0]


def given(sequence: Sequence, people: People, role: str, start: str, zone: str, arms: list[str]) -> dict[str, object]:
    """What a story gives of this person, whose pass begins at `start`. What a poll will save is not known yet."""
    data = {
        name: _value(kind)
        for happening in sequence.start.when
        if happening.kind == "event"
        for name, kind in people.events.get(happening.name, {}).items()
    }
    tags = [happening.name for happening in sequence.start.when if happening.kind == "tag"]
    attributes: dict[str, object] = {}
    if role != LITTLE:
        saved = {step.ask.save for step in sequence.steps.values()}
        saved |= {field.save for step in sequence.steps.values() for field in step.ask.fields}
        known = beginning(sequence, people)
        attributes = {
            name: _value(kind)
            for name, kind in people.attributes.items()
            if name not in saved and known.of((name,)) != NOTHING
        }
    return {
        "start": start, "timezone": zone or str(ALWAYS["timezone"]), "event": data, "attributes": attributes,
        "tags": tags[:1], "arms": arms,
    }  # fmt: skip


def _value(kind: str | tuple[str, ...]) -> object:
    if isinstance(kind, tuple):
        return kind[0]
    if kind == "date":
        return (FIXED_MONDAY + AHEAD).isoformat()
    if kind == "yes_no":
        return True
    (found,) = samples(kind)
    return found.value if isinstance(found, Sample) else found
