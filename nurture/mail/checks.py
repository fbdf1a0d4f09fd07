"""Faults that show only once a mail is written: each step's is, to an imagined person, and its links are counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.errors import RenderError
from nurture.journey.timing import zone as zone_of
from nurture.language.paths import arrivals
from nurture.language.problems import Problem, did_you_mean
from nurture.language.sequence import ALWAYS_KNOWN, Mark
from nurture.mail.ask import choices_of
from nurture.mail.imagined import anybody, imagined
from nurture.mail.links import Links, Signer
from nurture.mail.looking import look, mark_in
from nurture.mail.person import names
from nurture.mail.pressing import pressing, scarce
from nurture.mail.render import NOBODY, NONE_MADE, UNSUBSCRIBE, Letterhead, Writer, format_of, leads
from nurture.mail.slots import Slots, fill_html, fill_text

if TYPE_CHECKING:
    from nurture.language.knowing import Known
    from nurture.language.sequence import Ask, People, Sequence, Step
    from nurture.mail.page import Page, Press

LINKS = Links("https://links.example", "https://links.example", Signer(["only for looking at mails, never sent"]))
LETTERHEAD = Letterhead(postal_address="1 Example Street", zone="UTC")
MESSAGE = "checked"
NO_OTHERS: Mapping[str, Sequence] = MappingProxyType({})

MJML = (
    "mj-accordion mj-accordion-element mj-accordion-text mj-accordion-title mj-all mj-attributes mj-body mj-breakpoint "
    "mj-button mj-carousel mj-carousel-image mj-class mj-column mj-divider mj-font mj-group mj-head mj-hero "
    "mj-html-attributes mj-html-attribute mj-image mj-include mj-navbar mj-navbar-link mj-preview mj-raw mj-section "
    "mj-selector mj-social mj-social-element mj-spacer mj-style mj-table mj-text mj-title mj-wrapper"
)
_TAG = re.compile(r"<(mj-[\w-]*)")
_PLACE = re.compile(r"(templates/.+?):(\d+): (.*)", re.DOTALL)

_TAGS = re.compile(r"<style.*?</style>|<[^>]*>", re.DOTALL)
_UNKNOWN = re.compile(r"'(\w+)' is not known of this person")
_PROOF = re.compile(r"\{[{%][^}]*\bproof\b")
INCLUDE = re.compile(r"\{%-?\s*(include|import|from|extends)\b")
LONGEST_SUBJECT = 60
LARGEST = 102 * 1024
"""Bytes of HTML, after which Gmail clips a mail."""


def check(
    sequence: Sequence, press: Press, people: People, others: Mapping[str, Sequence] = NO_OTHERS
) -> list[Problem]:
    """All E3xx but E309, and what is to be said of a mail's words and size (W404 to W406). In each language.

    `others` are the project's sequences, whose answers a mail may count.
    """
    spoken = [problem for one in sequence.languages.values() for problem in check(one, press, people, others)]
    return [*_check(sequence, press, people, others), *(problem for problem in spoken if problem.code != "E301")]


def _check(sequence: Sequence, press: Press, people: People, others: Mapping[str, Sequence]) -> list[Problem]:
    writer = Writer(sequence, press)
    arrived = arrivals(sequence, people)
    found: list[Problem] = list(_unshown(sequence, press.templates.files))
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
            known = arrived[step.name].known if step.name in arrived else anybody(sequence, people)
            found += _written(sequence, step, writer, people, source, known, press.templates.files, others)
    return found


def _unshown(sequence: Sequence, files: Mapping[str, str]) -> Iterator[Problem]:
    """Proof that no mail of this sequence shows, itself or by a template that it includes."""
    own = {step.template for step in sequence.steps.values()}
    if any(INCLUDE.search(files.get(name, "")) for name in own):
        own |= files.keys()
    if sequence.proof and not any(_PROOF.search(files.get(name, "")) for name in own):
        mark = sequence.marks.get(("proof",)) or Mark(1, 1)
        what = "no mail of this sequence shows its proof; write {{ proof }} where it belongs"
        yield Problem(sequence.file, mark.line, mark.column, "W409", what, mark.width)


def _missing(sequence: Sequence, step: Step, files: Mapping[str, str]) -> Problem:
    place = ("steps", step.name, "template")
    mark = sequence.marks.get(place) or sequence.marks.get(("steps", step.name)) or Mark(1, 1)
    near = [name for name in files if "/" not in name or name.startswith(f"{sequence.name}/")]
    hint = did_you_mean(step.template, near) or f"; write it at templates/{sequence.name}/{step.template}"
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


def _written(
    sequence: Sequence, step: Step, writer: Writer, people: People, source: str, known: Known, files: Mapping[str, str],
    others: Mapping[str, Sequence],
) -> list[Problem]:  # fmt: skip
    looked = look(sequence, step, people, files, known, others)
    found = {(one.code, one.line, one.message): one for one in looked.problems()}
    looked_at = {(one.file, one.line) for one in found.values()}
    hidden = {one.path for one in looked.printed.unsure.values()}
    seen: set[Page] = set()
    for number, (subscriber, enrollment) in enumerate(
        imagined(sequence, step, people, known, looked.printed.asked, hidden)
    ):
        values = names(sequence, step, enrollment, subscriber, zone_of("", LETTERHEAD.zone), NONE_MADE, LINKS, NOBODY)
        for problem in (
            *_lines(sequence, step, writer, values, with_length=number == 0),
            *_mail(step, writer, values, source, seen, sequence.language),
        ):
            told = _named(problem, people, files)
            if problem.code != "E302" or (problem.file, problem.line) not in looked_at:
                found.setdefault((told.code, told.line, told.message), told)
    return list(found.values())


def _named(problem: Problem, people: People, files: Mapping[str, str]) -> Problem:
    """A name that is not known of an imagined person: declared, it needs a fallback; else it may be misspelt."""
    match = _UNKNOWN.search(problem.message) if problem.code == "E302" else None
    if match is None:
        return problem
    name = match[1]
    line = "".join(files.get(problem.file.removeprefix("templates/"), "").split("\n")[problem.line - 1 : problem.line])
    if (found := re.search(rf"\b{name}\b", line)) is not None:
        problem = replace(problem, column=found.start() + 1, width=len(name))
    if name in people.attributes:
        return replace(problem, code="E308", message=f'{name} can be unknown; write {{{{ {name} or "…" }}}}')
    return replace(problem, message=problem.message + did_you_mean(name, (*people.attributes, *ALWAYS_KNOWN)))


def _lines(
    sequence: Sequence, step: Step, writer: Writer, values: Mapping[str, object], *, with_length: bool
) -> Iterator[Problem]:
    for text, place, compiled in writer.lines(step):
        mark = sequence.marks.get(place) or Mark(1, 1)
        try:
            line = compiled()(values)
        except RenderError as error:
            match = _UNKNOWN.search(str(error))
            at = text.find(match[1]) if match else -1
            spot = mark_in(mark, text, at, len(match[1])) if match and at >= 0 else mark
            yield Problem(sequence.file, spot.line, spot.column, "E302", str(error), spot.width)
            continue
        if with_length and place[2] == "subject" and len(line) > LONGEST_SUBJECT:
            what = f"this subject has {len(line)} characters, and most inboxes show {LONGEST_SUBJECT}; say less"
            yield Problem(sequence.file, mark.line, mark.column, "W404", what, mark.width)
        if (words := scarce(line, step)) is not None:
            at = text.find(words)
            spot = mark_in(mark, text, at, len(words)) if at >= 0 else mark
            yield Problem(sequence.file, spot.line, spot.column, "W406", pressing(words, step), spot.width)


def _mail(
    step: Step, writer: Writer, values: Mapping[str, object], source: str, seen: set[Page], language: str
) -> Iterator[Problem]:
    """What is wrong with the mail to one person. `seen` are those that were looked at already."""
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
    if page in seen:
        return
    seen.add(page)
    asks = {url, *(LINKS.choice(MESSAGE, key) for key in choices_of(step.ask, language))}
    if not leads(page, slots, asks):
        yield Problem(
            path, 1, 1, "E303", f"the ask of '{step.name}' is not in this mail; write {{{{ ask }}}} where it belongs"
        )
    if not leads(page, slots, {slots[UNSUBSCRIBE]}):
        yield Problem(path, 1, 1, "E307", "this mail has no way to unsubscribe; write a link to {{ unsubscribe_url }}")
    yield from _competing(page, slots, step.ask, asks, path, source)
    size = len(fill_html(page.html, slots).encode())
    if size > LARGEST:
        what = (
            f"this mail has more than {LARGEST // 1024} KB of HTML, so Gmail clips it before its end; make it shorter"
        )
        yield Problem(path, 1, 1, "W405", what)
    if (words := scarce(" ".join(_TAGS.sub(" ", page.html).split()), step)) is not None:
        line, column = _find(source, words)
        yield Problem(path, line, column, "W406", pressing(words, step), len(words) if words in source else 1)


def _competing(page: Page, slots: Slots, ask: Ask, asks: set[str], path: str, source: str) -> Iterator[Problem]:
    for link in dict.fromkeys(page.links):
        address = fill_text(link, slots)
        own = address == LINKS.badges(MESSAGE) or address.partition("?")[0] == slots[UNSUBSCRIBE]
        if address in asks or own or address.startswith(("plain:", "#")):
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
