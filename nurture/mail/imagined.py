"""Imagined people who get a step's mail: one of whom all is known that can be, then others who differ where it matters."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, product
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.journey.branching import lookup
from nurture.journey.enrollment import Answer, Enrollment, Facts, Subscriber
from nurture.language.conditions import UNKNOWN
from nurture.language.knowing import NOTHING, OFFER, Known, Sample
from nurture.language.paths import answers_of, arrivals, beginning

if TYPE_CHECKING:
    from nurture.language.conditions import Path
    from nurture.language.sequence import People, Sequence, Step

NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
MOST = 32
"""So many people are imagined for one mail at most; beyond, they differ from the first in one thing each."""

ALWAYS = MappingProxyType({"timezone": "Europe/London", "country": "GB"})

Person = tuple[Subscriber, Enrollment]
Case = dict["Path", object]


def someone(sequence: Sequence, step: Step, people: People) -> Person:
    """One person who gets this mail, of whom all is known that can be."""
    arrival = arrivals(sequence, people).get(step.name)
    known = arrival.known if arrival is not None else anybody(sequence, people)
    return next(imagined(sequence, step, people, known, (), ()))


def anybody(sequence: Sequence, people: People) -> Known:
    """Where no path is known that leads to a step: all that can be known is."""
    first = beginning(sequence, people)

    def start(path: Path) -> frozenset[object]:
        match path:
            case ("answers", name) if name in sequence.steps:
                return frozenset(answers_of(sequence.steps[name]))
            case ("offer",):
                return frozenset({True})
        return first.of(path) - NOTHING

    return Known(start)


def imagined(
    sequence: Sequence, step: Step, people: People, known: Known, asked: Collection[Path], pinned: Collection[Path]
) -> Iterator[Person]:
    """People who differ in what decides about the mail (`asked`), then one of whom as little as can be is known. What is `pinned` is known of all of them."""
    everything = [("answers", one.name) for one in sequence.steps.values() if not one.repeats]
    everything = [path for path in everything if sequence.steps[path[1]].position < step.position]
    paths: list[Path] = [*everything, *((name,) for name in people.attributes), *_data(sequence, people), OFFER]
    extra = [path for path in asked if path[0] in ("tags", "bought") and len(path) == 2]
    choices = {path: _values(path, sequence, people, known, path in pinned) for path in (*paths, *extra)}
    first: Case = {path: values[0] for path, values in choices.items()}
    for case in _cases(first, {path: values for path, values in choices.items() if path in asked and len(values) > 1}):
        yield _person(sequence, step, case)
    yield _person(sequence, step, {path: values[-1] for path, values in choices.items()})


def _cases(first: Case, varied: Mapping[Path, list[object]]) -> Iterator[Case]:
    if prod(len(values) for values in varied.values()) <= MOST:
        for chosen in product(*varied.values()):
            yield {**first, **dict(zip(varied, chosen, strict=True))}
        return
    yield first
    others = ({**first, path: value} for path, values in varied.items() for value in values[1:])
    yield from islice(others, MOST)


def _data(sequence: Sequence, people: People) -> list[Path]:
    names = (name for one in sequence.start.when if one.kind == "event" for name in people.events.get(one.name, {}))
    return [("start", name) for name in dict.fromkeys(names)]


def _values(path: Path, sequence: Sequence, people: People, known: Known, pinned: bool) -> list[object]:
    """What this may be, as it stands on the page, the unknown last."""
    found = known.of(path)
    if pinned:
        found = found - NOTHING or anybody(sequence, people).of(path)
    kind = people.attributes.get(path[0])
    order: tuple[object, ...] = kind if isinstance(kind, tuple) else ()
    if path[0] == "answers" and path[1] in sequence.steps:
        order = answers_of(sequence.steps[path[1]])
    values: list[object] = [value for value in order if value in found]
    values += sorted((value for value in found if value not in values and value is not UNKNOWN), key=repr, reverse=True)
    return [*values, *([UNKNOWN] if UNKNOWN in found else [])]


def _person(sequence: Sequence, step: Step, case: Case) -> Person:
    values = {path: one.value if isinstance(one, Sample) else one for path, one in case.items() if one is not UNKNOWN}

    def named(group: str) -> dict[str, object]:
        return {path[1]: value for path, value in values.items() if path[0] == group and len(path) == 2}

    attributes = {
        "language": sequence.language,
        **ALWAYS,
        **{path[0]: value for path, value in values.items() if len(path) == 1 and path != OFFER},
    }
    subscriber = Subscriber(
        1, "ann@example.com", attributes=attributes, tags=frozenset(named("tags")),
        bought=dict.fromkeys(named("bought"), NOW), joined_at=NOW,
    )  # fmt: skip
    answers = {name: Answer(value, NOW, name) for name, value in named("answers").items()}  # type: ignore[arg-type]
    before = [one for one in sequence.steps.values() if one.position < step.position and not one.repeats]
    offered = [one.root for one in before if one.ask.kind == "buy" or one.ask.grants] if OFFER in values else []
    offers = dict.fromkeys([*offered, *([step.root] if step.ask.kind == "buy" else [])], NOW + timedelta(days=2))
    place = Enrollment(
        1, 1, sequence.name, 1, NOW, "asked", step.name, data=named("start"),
        asked=tuple(one.name for one in before), answers=answers, offers=offers,
    )  # fmt: skip
    return subscriber, replace(place, awards=dict.fromkeys(_earned(sequence, subscriber, place), NOW))


def _earned(sequence: Sequence, subscriber: Subscriber, place: Enrollment) -> list[str]:
    """The badges of someone who came this far."""
    given = {sequence.steps[name].award for name in place.answers if name in sequence.steps}
    known = lookup(sequence, place, Facts(subscriber))
    badges = sequence.badges.values()
    return [one.name for one in badges if one.name in given or (one.condition and one.condition.test(known))]
