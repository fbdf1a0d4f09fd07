"""Faults that show only once a mail is written: each step's is, to an imagined person, and its links are counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.errors import RenderError
from nurture.journey.enrollment import Answer, Enrollment, Subscriber
from nurture.journey.timing import zone as zone_of
from nurture.language.problems import Problem, did_you_mean
from nurture.language.sequence import Mark
from nurture.mail.links import Links, Signer
from nurture.mail.person import names
from nurture.mail.render import UNSUBSCRIBE, Letterhead, Writer, format_of, leads
from nurture.mail.slots import Slots, fill_text

if TYPE_CHECKING:
    from nurture.language.sequence import Ask, People, Sequence, Step
    from nurture.mail.page import Page, Press

LINKS = Links("https://links.example", "https://links.example", Signer(["only for looking at mails, never sent"]))
LETTERHEAD = Letterhead(postal_address="1 Example Street", zone="UTC")
NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
MESSAGE = "checked"

MJML = (
    "mj-accordion mj-accordion-element mj-accordion-text mj-accordion-title mj-all mj-attributes mj-body mj-breakpoint "
    "mj-button mj-carousel mj-carousel-image mj-class mj-column mj-divider mj-font mj-group mj-head mj-hero "
    "mj-html-attributes mj-html-attribute mj-image mj-include mj-navbar mj-navbar-link mj-preview mj-raw mj-section "
    "mj-selector mj-social mj-social-element mj-spacer mj-style mj-table mj-text mj-title mj-wrapper"
)
_TAG = re.compile(r"<(mj-[\w-]*)")
_PLACE = re.compile(r"(templates/.+?):(\d+): (.*)", re.DOTALL)

SAMPLES: Mapping[str, object] = MappingProxyType(
    {"text": "Ann", "number": 12, "date": "2026-06-15", "yearly": "06-15", "yes_no": True}
)


def check(sequence: Sequence, press: Press, people: People) -> list[Problem]:
    """E301–E304, E306 and E307: templates that are missing or fail, asks that are missing or compete. In each language."""
    spoken = [problem for one in sequence.languages.values() for problem in check(one, press, people)]
    return [*_check(sequence, press, people), *(problem for problem in spoken if problem.code != "E301")]


def _check(sequence: Sequence, press: Press, people: People) -> list[Problem]:
    writer = Writer(sequence, press)
    found: list[Problem] = []
    for step in sequence.steps.values():
        if not step.template:
            continue
        source = press.templates.files.get(step.template)
        if source is None:
            found.append(_missing(sequence, step, press.templates.files))
            continue
        path = f"templates/{step.template}"
        if format_of(step.template) == "mjml":
            found += _unknown_tags(path, source)
        if step.ask.words or step.ask.label:
            found += _written(sequence, step, writer, people, source)
    return found


def _missing(sequence: Sequence, step: Step, files: Mapping[str, str]) -> Problem:
    place = ("steps", step.name, "template")
    mark = sequence.marks.get(place) or sequence.marks.get(("steps", step.name)) or Mark(1, 1)
    hint = did_you_mean(step.template, files) or f"; write it at templates/{sequence.name}/{step.template}"
    return Problem(
        sequence.file, mark.line, mark.column, "E301", f"there is no template '{step.template}'{hint}", mark.width
    )


def _unknown_tags(path: str, source: str) -> Iterator[Problem]:
    known = MJML.split()
    for number, line in enumerate(source.split("\n"), 1):
        for match in _TAG.finditer(line):
            if match[1] not in known:
                what = f"MJML has no tag <{match[1]}>, so it would be left out{did_you_mean(match[1], known)}"
                yield Problem(path, number, match.start() + 2, "E306", what, len(match[1]))


def _written(sequence: Sequence, step: Step, writer: Writer, people: People, source: str) -> list[Problem]:
    found: dict[tuple[str, int, str], Problem] = {}
    for subscriber, enrollment in imagined(sequence, step, people):
        values = names(sequence, step, enrollment, subscriber, zone_of("", LETTERHEAD.zone))
        for problem in (
            *_subjects(sequence, step, writer, values),
            *_mail(step, writer, values, source),
        ):
            found.setdefault((problem.code, problem.line, problem.message), problem)
    return list(found.values())


def _subjects(sequence: Sequence, step: Step, writer: Writer, values: Mapping[str, object]) -> Iterator[Problem]:
    for number in range(len(step.subjects)):
        try:
            writer.subject_at(step, number)(values)
        except RenderError as error:
            own = ("steps", step.name, "subject", number) if len(step.subjects) > 1 else ("steps", step.name, "subject")
            mark = sequence.marks.get(own) or Mark(1, 1)
            yield Problem(sequence.file, mark.line, mark.column, "E302", str(error), mark.width)


def _mail(step: Step, writer: Writer, values: Mapping[str, object], source: str) -> Iterator[Problem]:
    path = f"templates/{step.template}"
    slots = Slots([LINKS.unsubscribe(MESSAGE), "A preheader", LETTERHEAD.postal_address])
    url = LINKS.ask(MESSAGE, step.ask, "mailto:reply@links.example" if step.ask.kind == "reply" else step.ask.to)
    try:
        page = writer.page(step, values, slots, LINKS, MESSAGE, url)
    except RenderError as error:
        place = _PLACE.fullmatch(str(error))
        if place is None:
            yield Problem(path, 1, 1, "E302", str(error).removeprefix(f"{path}: "))
        else:
            yield Problem(place[1], int(place[2]), 1, "E302", place[3])
        return
    asks = {url, *(LINKS.choice(MESSAGE, key) for key in step.ask.answers)}
    if not leads(page, slots, asks):
        yield Problem(
            path, 1, 1, "E303", f"the ask of '{step.name}' is not in this mail; write {{{{ ask }}}} where it belongs"
        )
    if not leads(page, slots, {slots[UNSUBSCRIBE]}):
        yield Problem(path, 1, 1, "E307", "this mail has no way to unsubscribe; write a link to {{ unsubscribe_url }}")
    yield from _competing(page, slots, step.ask, asks, path, source)


def _competing(page: Page, slots: Slots, ask: Ask, asks: set[str], path: str, source: str) -> Iterator[Problem]:
    for link in dict.fromkeys(page.links):
        address = fill_text(link, slots)
        if address in asks or address == slots[UNSUBSCRIBE] or address.startswith(("plain:", "#")):
            continue
        line, column = _find(source, address)
        what = (
            f"a second ask competes with '{ask.words}': a link to {address[:80]}; "
            "make it a step of its own, or write plain: before the address if it asks for nothing"
        )
        yield Problem(path, line, column, "E304", what, len(address) if column > 1 else 1)


def _find(source: str, address: str) -> tuple[int, int]:
    for number, line in enumerate(source.split("\n"), 1):
        if address in line:
            return number, line.index(address) + 1
    return 1, 1


# --- imagined people


def imagined(sequence: Sequence, step: Step, people: People) -> Iterator[tuple[Subscriber, Enrollment]]:
    """People who reach a step: one of whom all is known, then one for each other answer to an earlier poll."""
    first, enrollment = _everyone(sequence, step, people)
    yield first, enrollment
    for earlier in _before(sequence, step):
        for value in list(earlier.ask.answers)[1:]:
            answers = {**enrollment.answers, earlier.name: Answer(value, NOW, earlier.name)}
            attributes = dict(first.attributes)
            if earlier.ask.save:
                attributes[earlier.ask.save] = value
            yield replace(first, attributes=attributes), replace(enrollment, answers=answers)


def _before(sequence: Sequence, step: Step) -> list[Step]:
    return [one for one in sequence.steps.values() if one.position < step.position and not one.repeats]


def _everyone(sequence: Sequence, step: Step, people: People) -> tuple[Subscriber, Enrollment]:
    sample = {name: _sample(kind) for name, kind in people.attributes.items()}
    attributes = {"language": sequence.language, "timezone": "Europe/London", "country": "GB", **sample}
    before = _before(sequence, step)
    answers = {one.name: Answer(next(iter(one.ask.answers), "yes"), NOW, one.name) for one in before}
    data: dict[str, object] = {}
    for happening in sequence.start.when:
        if happening.kind == "event":
            data |= {name: _sample(kind) for name, kind in people.events.get(happening.name, {}).items()}
    offers = {
        one.name: NOW + timedelta(days=2) for one in (*before, sequence.steps[step.root]) if one.ask.kind == "buy"
    }
    subscriber = Subscriber(1, "ann@example.com", attributes=attributes, joined_at=NOW)
    asked = tuple(one.name for one in before)
    enrollment = Enrollment(
        1, 1, sequence.name, 1, NOW, "asked", step.name, data=data, asked=asked, answers=answers, offers=offers
    )
    return subscriber, enrollment


def _sample(kind: str | tuple[str, ...]) -> object:
    return kind[0] if isinstance(kind, tuple) else SAMPLES[kind]
