"""One step's mail on a page: the mail itself, what is to be checked of it, the faults of the project beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from nurture.errors import RenderError
from nurture.language.graph import svg
from nurture.mail.anatomy import Anatomy, anatomy
from nurture.mail.checks import LARGEST, LONGEST_SUBJECT
from nurture.rehearsal.cast import ALL, Role, cast
from nurture.web.preview.desk import concerns
from nurture.web.preview.mails import ASK, BADGES, DOORS, PLACE, UNSUBSCRIBE

if TYPE_CHECKING:
    from nurture.language.problems import Problem
    from nurture.language.sequence import Sequence, Step
    from nurture.mail.message import Message
    from nurture.web.preview.desk import Desk, Shown, Version

Tone = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Check:
    """One tile of the toolbar. `rows` are what is behind it: a label and its words."""

    name: str
    words: str
    tone: Tone
    rows: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault with the line it stands in, cut where the caret begins and ends. `mine`: it is of the mail shown."""

    problem: Problem
    mine: bool
    before: str
    marked: str
    after: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A step in the list: how many faults it has, and whether the chosen person ever gets its mail."""

    step: Step
    subject: str
    faults: int
    reached: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """All that the page of a mail says. `message` None: it cannot be written, and `failure` says why.

    With a message, `failure` says why it is the last good one.
    """

    shown: Shown
    step: Step
    role: str
    roles: tuple[Role, ...]
    language: str
    languages: tuple[str, ...]
    steps: tuple[Entry, ...]
    message: Message | None
    target: str
    failure: str
    preheader: str
    checks: tuple[Check, ...]
    faults: tuple[Fault, ...]
    ladder: str


def see(desk: Desk, shown: Shown, step_name: str, role: str = ALL, language: str = "") -> Seen:
    """A step's mail to the person who plays this role, in a language of theirs."""
    sequence = shown.sequence
    spoken = sequence.in_language(language) if language else sequence
    step = spoken.steps[step_name]
    faults = tuple(faults_of(desk.version, sequence, step))
    message, target, failure = None, "", ""
    person = desk.person(shown, step_name, role)
    if person is None:
        failure = "This person never gets this mail: no path leads them here."
    else:
        if language:
            known = {**person[0].attributes, "language": language}
            person = (replace(person[0], attributes=known), person[1])
        try:
            written, failure = desk.write(shown, step_name, person, DOORS)
            message, target = written.message, written.target
        except RenderError as error:
            failure = str(error)
    entries = tuple(_entry(desk, shown, one, role) for one in spoken.steps.values())
    return Seen(
        shown, step, role, tuple(cast(sequence)), language,
        (sequence.language, *(one.language for one in sequence.languages.values())), entries, message,
        target, failure, step.preheader, tuple(checks(step, message, target, faults)) if message is not None else (), faults,
        svg(spoken, here=[step_name]),
    )  # fmt: skip


def _entry(desk: Desk, shown: Shown, step: Step, role: str) -> Entry:
    person = desk.person(shown, step.name, role)
    faults = sum(_mine(fault, desk.version, shown.sequence, step) for fault in desk.version.problems)
    return Entry(step, desk.subject(shown, step, person), faults, person is not None)


# --- faults


def faults_of(version: Version, sequence: Sequence, step: Step) -> Iterator[Fault]:
    """Every fault of the project, those of this mail first, then those of this sequence."""

    def order(problem: Problem) -> tuple[bool, bool, bool]:
        mine = _mine(problem, version, sequence, step)
        return not mine, not concerns(problem, sequence), problem.severity == "warning"

    for problem in sorted(version.problems, key=order):
        yield _cut(problem, version, mine=_mine(problem, version, sequence, step))


def faults_in(version: Version, path: str = "") -> Iterator[Fault]:
    """Every fault of the project, those of this file first."""
    for problem in sorted(version.problems, key=lambda one: one.file != path):
        yield _cut(problem, version, mine=problem.file == path)


def _cut(problem: Problem, version: Version, *, mine: bool) -> Fault:
    lines = version.source(problem.file)
    line = lines[problem.line - 1].replace("\t", " ") if problem.line <= len(lines) else ""
    start = max(0, problem.column - 1)
    end = start + max(1, problem.width)
    return Fault(problem, mine, line[:start], line[start:end] or " ", line[end:])


def _mine(problem: Problem, version: Version, sequence: Sequence, step: Step) -> bool:
    """Whether a fault is of this step: in its template, or in its lines of the sequence's file."""
    if problem.file == f"templates/{step.template}":
        return True
    now = version.project.sequences.get(sequence.name, sequence)
    spoken = next((one for one in (now, *now.languages.values()) if one.file == problem.file), None)
    if spoken is None:
        return False
    begins = sorted(
        (mark.line, str(place[1]))
        for place, mark in spoken.marks.items()
        if place[:1] == ("steps",) and len(place) == 2
    )
    before = [name for line, name in begins if line <= problem.line]
    below = min((mark.line for place, mark in spoken.marks.items() if place == ("tests",)), default=None)
    return bool(before) and before[-1] == step.name and (below is None or problem.line < below)


# --- the toolbar


def checks(step: Step, message: Message, target: str, faults: tuple[Fault, ...]) -> Iterator[Check]:
    """Every tile, in the order of the docs."""
    made = anatomy(message)
    yield _one_ask(faults)
    yield _links(step, made, target)
    length = len(message.subject)
    yield Check(
        "Subject", f"{length} of {LONGEST_SUBJECT} characters", "ok" if length <= LONGEST_SUBJECT else "warn",
        tuple(("as written", subject) for subject in step.subjects),
    )  # fmt: skip
    yield Check(
        "Size", f"{made.size / 1024:.1f} of {LARGEST // 1024} KB", "ok" if made.size <= LARGEST else "bad",
        (("Gmail", f"clips a mail after {LARGEST:,} bytes of HTML; this one has {made.size:,}"),),
    )  # fmt: skip
    yield Check("Text part", f"{made.words} words", "ok" if made.words >= 10 else "warn")
    yield _images(made)
    yield Check("Dark inbox", "its own colours" if made.dark else "no colours for it", "ok" if made.dark else "warn")


def _one_ask(faults: tuple[Fault, ...]) -> Check:
    mine = [fault.problem for fault in faults if fault.mine and fault.problem.code in ("E303", "E304")]
    rows = tuple((problem.code, problem.message) for problem in mine)
    if any(problem.code == "E303" for problem in mine):
        return Check("One ask", "it is missing", "bad", rows)
    return Check("One ask", f"{len(mine)} beside it" if mine else "and only one", "bad" if mine else "ok", rows)


def _links(step: Step, made: Anatomy, target: str) -> Check:
    def leads(address: str) -> str:
        if address == UNSUBSCRIBE:
            return "the way out"
        if address == BADGES:
            return "the page of their badges"
        if address.startswith(f"{ASK}/"):
            return f"answers {address.removeprefix(f'{ASK}/')}, after a confirmation"
        if address == ASK:
            return {
                "poll": "the page of the question", "download": f"the page of {step.ask.name}",
                "form": f"the pages of {step.ask.name}", "watch": "the page of the video",
            }.get(step.ask.kind, target)  # fmt: skip
        return address

    if not made.links:
        return Check("Links", "none, not even a way out", "bad")
    rows = tuple((link.words or "(no words)", leads(link.address)) for link in made.links)
    silent = [link for link in made.links if not link.words]
    local = [link for link in made.links if not link.address.startswith(PLACE)]
    words = f"{len(made.links)}, {len(local)} not ours" if local else str(len(made.links))
    return Check("Links", words, "warn" if silent else "ok", rows)


def _images(made: Anatomy) -> Check:
    missing = [image for image in made.images if image.alt is None]
    if not made.images:
        return Check("Images", "none", "ok")
    rows = tuple((image.address, "no alt" if image.alt is None else image.alt or "decoration") for image in made.images)
    return Check("Images", f"{len(made.images)}, {len(missing)} without alt", "bad" if missing else "ok", rows)
