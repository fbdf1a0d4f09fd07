"""A whole project, read from its files: people, sequences, and what they point at in each other and in `files/`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.language.faults import Faults
from nurture.language.people import ReadPeople, read_people
from nurture.language.problems import Problem, did_you_mean
from nurture.language.reading import Reading, read
from nurture.language.sequence import Mark, People, language_code
from nurture.language.signups import unknown_starts
from nurture.language.translation import LanguageFile, language_file, read_translation
from nurture.language.yaml import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nurture.language.sequence import Happening, Place, Sequence, Step

PEOPLE = "people.yaml"
SEQUENCES, TEMPLATES, DOWNLOADS = "sequences/", "templates/", "files/"
TEMPLATE_ENDINGS = (".md", ".mjml", ".html")


@dataclass(frozen=True, slots=True)
class Project:
    """What a folder says. `templates` and `downloads` are by their path inside `templates/` and `files/`.

    A sequence with errors is here as well, well-formed, so that it can be looked at; it must not run.
    """

    people: People = field(default_factory=People)
    sequences: Mapping[str, Sequence] = field(default_factory=lambda: MappingProxyType({}))
    templates: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    downloads: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    problems: tuple[Problem, ...] = ()


@lru_cache(16)
def _people(body: bytes | None) -> ReadPeople:
    return ReadPeople(People(), ()) if body is None else read_people(body)


@lru_cache(512)
def _sequence(body: bytes, path: str, people: bytes | None) -> Reading:
    """A file as it is read for these people; once, as a project is read again for every save of one file."""
    return read(body, path, _people(people)[0])


def read_project(files: Mapping[str, bytes]) -> Project:
    """Read all files of a project; keys are paths in it (`sequences/home-loan.yaml`). Never fails: see `problems`."""
    people, problems = _people(files.get(PEOPLE))
    found: list[Problem] = list(problems)
    templates = _templates(files, found)
    downloads = {path.removeprefix(DOWNLOADS): body for path, body in files.items() if path.startswith(DOWNLOADS)}
    sequences: dict[str, Sequence] = {}
    unread: list[str] = []
    translations: list[tuple[str, LanguageFile]] = []
    for path in sorted(files):
        if not path.startswith(SEQUENCES) or not path.endswith((".yaml", ".yml")):
            continue
        misplaced = _misplaced(path)
        if misplaced:
            found.append(Problem(path, 1, 1, "E103", misplaced))
            continue
        if (translation := language_file(path)) is not None:
            translations.append((path, translation))
            continue
        sequence, problems = _sequence(files[path], path, files.get(PEOPLE))
        found += problems
        if sequence is None:
            unread.append(PurePosixPath(path).stem)
        else:
            sequences[sequence.name] = _with_templates(sequence, templates)
    for path, translation in translations:
        found += _translate(path, translation, files, sequences, templates, downloads)
    for sequence in sequences.values():
        found += _neighbours(sequence, sequences, files)
        found += _missing_downloads(sequence, downloads)
    found += unknown_starts(people.signups, sequences, unread, PEOPLE)
    return Project(
        people=people,
        sequences=MappingProxyType(sequences),
        templates=MappingProxyType(templates),
        downloads=MappingProxyType(downloads),
        problems=tuple(sorted(set(found))),
    )


def _translate(
    path: str, translation: LanguageFile, files: Mapping[str, bytes], sequences: dict[str, Sequence],
    templates: Mapping[str, str], downloads: Mapping[str, bytes],
) -> tuple[Problem, ...]:  # fmt: skip
    """Give a sequence the words of one more language; what the file got wrong."""
    name, language = translation
    main, code = sequences.get(name), language_code(language)
    if main is None:
        if f"{SEQUENCES}{name}.yaml" in files:
            return ()
        hint = did_you_mean(name, sequences) or ""
        what = f"there is no {SEQUENCES}{name}.yaml, whose words in '{language}' this file would be{hint}"
        return (Problem(path, 1, 1, "E103", what),)
    if code == language_code(main.language):
        what = f"{name}.yaml itself is in '{main.language}'; write there which language it is in, as in language: fr"
        return (Problem(path, 1, 1, "E103", what),)
    if code in main.languages:
        what = f"these are the words of {name}.yaml in '{language}' once more; keep one of the two files"
        return (Problem(path, 1, 1, "E104", what),)
    read_, problems = read_translation(files[path], path, main, language)
    if read_ is None:
        return problems
    steps, missing = {}, []
    for step in read_.steps.values():
        twin = _twin(main, step, language, templates)
        if not twin and step.template in templates:
            missing.append(_no_twin(step, language, read_))
        file = f"{step.ask.name.rpartition('.')[0]}.{language}.{step.ask.name.rpartition('.')[2]}"
        ask = replace(step.ask, name=file) if step.ask.kind in FROM_FILES and file in downloads else step.ask
        steps[step.name] = replace(step, template=twin or step.template, ask=ask)
    read_ = replace(read_, steps=MappingProxyType(steps))
    sequences[name] = replace(main, languages=MappingProxyType({**main.languages, code: read_}))
    return (*problems, *missing)


def _twin(main: Sequence, step: Step, language: str, templates: Mapping[str, str]) -> str:
    """The template of a step in a language, `NAME.de.md` beside `NAME.md`; `de-AT` may read the one in `de`."""
    stem, _, ending = step.template.rpartition(".")
    stem = stem.removeprefix(f"{main.name}/")
    spellings = dict.fromkeys((language, language_code(language), language_code(language).partition("-")[0]))
    endings = dict.fromkeys((f".{ending}", *TEMPLATE_ENDINGS))
    names = [f"{stem}.{spelling}{ending}" for spelling in spellings for ending in endings]
    return next((name for name in [*(f"{main.name}/{name}" for name in names), *names] if name in templates), "")


def _no_twin(step: Step, language: str, words: Sequence) -> Problem:
    mark = words.marks.get(("steps", step.name)) or words.marks.get(("steps",)) or Mark(1, 1)
    stem, _, ending = step.template.rpartition(".")
    what = (
        f"the mail of '{step.name}' is not written in '{language}'; write it at {TEMPLATES}{stem}.{language}.{ending}"
    )
    return Problem(words.file, mark.line, mark.column, "E309", what, mark.width)


def _misplaced(path: str) -> str:
    name = path.removeprefix(SEQUENCES)
    if "/" in name:
        return (
            f"sequences stand directly in the folder sequences; move this file to {SEQUENCES}{name.rpartition('/')[2]}"
        )
    return f"a sequence's file ends in .yaml; call it {name.removesuffix('.yml')}.yaml" if path.endswith(".yml") else ""


def _templates(files: Mapping[str, bytes], found: list[Problem]) -> dict[str, str]:
    templates = {}
    for path in sorted(files):
        if path.startswith(TEMPLATES):
            body = files[path]
            if len(body) > MAX_BYTES and path.endswith(TEMPLATE_ENDINGS):
                what = f"this template is larger than {MAX_BYTES // 1_000_000} MB, and Gmail clips a mail at 102 KB"
                found.append(Problem(path, 1, 1, "E302", what))
                body = b""
            try:
                templates[path.removeprefix(TEMPLATES)] = body.decode("utf-8-sig").replace("\r\n", "\n")
            except UnicodeDecodeError as error:
                line = body.count(b"\n", 0, error.start) + 1
                if path.endswith(TEMPLATE_ENDINGS):
                    found.append(Problem(path, line, 1, "E302", "this template is not UTF-8; save it as UTF-8"))
    return templates


def _with_templates(sequence: Sequence, templates: Mapping[str, str]) -> Sequence:
    """Each step with its template's path: the sequence's own folder goes before the common one."""

    def found(step: Step) -> str:
        names = [step.template]
        if ("steps", step.name, "template") not in sequence.marks:
            names = [f"{step.name}{ending}" for ending in TEMPLATE_ENDINGS]
        for name in [f"{sequence.name}/{name}" for name in names] + names:
            if name in templates:
                return name
        return step.template

    steps = {name: replace(step, template=found(step)) for name, step in sequence.steps.items()}
    return replace(sequence, steps=MappingProxyType(steps))


def _neighbours(
    sequence: Sequence, sequences: Mapping[str, Sequence], files: Mapping[str, bytes]
) -> tuple[Problem, ...]:
    """`{kept: SEQUENCE.STEP}` and `{goal: SEQUENCE}` name what is there."""
    faults = Faults(sequence.file)
    places = (("start", sequence.start.when), ("goal", sequence.goal), ("stop", sequence.stop))
    for key, happenings in places:
        for happening in happenings:
            if happening.kind in ("kept", "goal") and happening.name:
                complaint = _complaint(happening, sequences, files)
                if complaint is not None:
                    faults.add(complaint[0], _mark_of(sequence, key, happening), complaint[1])
    return faults.in_order()


def _complaint(
    happening: Happening, sequences: Mapping[str, Sequence], files: Mapping[str, bytes]
) -> tuple[str, str] | None:
    name, _, step = happening.name.partition(".")
    if name not in sequences:
        if f"{SEQUENCES}{name}.yaml" in files:
            return None
        hint = did_you_mean(name, sequences) or f"; write the name of a file in {SEQUENCES}"
        return "E205", f"there is no sequence '{name}'{hint}"
    if happening.kind == "goal":
        return None if sequences[name].goal else ("E205", f"the sequence '{name}' has no goal that could be reached")
    steps = sequences[name].steps
    if step not in steps:
        return "E201", f"the sequence '{name}' has no step '{step}'{did_you_mean(step, steps) or ''}"
    if steps[step].repeats:
        return "E209", f"'{step}' asks {steps[step].root} again; write {name}.{steps[step].root}"
    return None


def _mark_of(sequence: Sequence, key: str, happening: Happening) -> Mark:
    """Where a happening stands: alone, in a list, or under `when`."""
    for base in ((key,), (key, "when")):
        single: Place = (*base, happening.kind)
        listed = [
            place
            for place in sequence.marks
            if place[: len(base)] == base and len(place) == len(base) + 2 and place[-1] == happening.kind
        ]
        happenings = sequence.start.when if key == "start" else getattr(sequence, key)
        same = [one for one in happenings if one.kind == happening.kind]
        if single in sequence.marks:
            return sequence.marks[single]
        if listed:
            return sequence.marks[listed[min(same.index(happening), len(listed) - 1)]]
    return sequence.marks.get((key,), Mark(1, 1))


FROM_FILES = ("download", "watch")
"""Kinds of ask whose `name` is a file in the folder files."""


def _missing_downloads(sequence: Sequence, downloads: Mapping[str, bytes]) -> list[Problem]:
    found = []
    for step in sequence.steps.values():
        ask = step.ask
        if ask.kind in FROM_FILES and ask.name and not step.repeats and ask.name not in downloads:
            mark = sequence.marks.get(
                ("steps", step.name, "ask", "download" if ask.kind == "download" else "to"), Mark(1, 1)
            )
            hint = did_you_mean(ask.name, downloads) or f"; put the file into the folder {DOWNLOADS.rstrip('/')}"
            message = f"{DOWNLOADS}{ask.name} does not exist{hint}"
            found.append(Problem(sequence.file, mark.line, mark.column, "W411", message, mark.width))
    return found
