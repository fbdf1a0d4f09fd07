"""Commands for whoever writes sequences: make a project, check it, look at mails and at the chart."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nurture.cli import say
from nurture.cli.cores import on_all_cores
from nurture.cli.project import At, moment
from nurture.errors import NurtureError, Refused
from nurture.language.problems import or_one_of
from nurture.language.sequence import language_code

if TYPE_CHECKING:
    from nurture.language.problems import Problem
    from nurture.language.project import Project
    from nurture.language.sequence import Sequence

Name = Annotated[str, typer.Argument(metavar="SEQUENCE", help="the name of a file in sequences/")]

MANY_SEQUENCES = 100


def register(app: typer.Typer) -> None:
    for name, command in (
        ("check", check), ("render", render), ("graph", graph),
        ("schema", schema),
    ):  # fmt: skip
        app.command(name)(command)


def check(
    context: typer.Context,
    paths: Annotated[list[Path] | None, typer.Argument(metavar="[PATH]...", help="only faults in these")] = None,
    form: Annotated[Literal["text", "json", "github"], typer.Option("--format", help="how to print")] = "text",
    *,
    strict: Annotated[bool, typer.Option(help="warnings are findings as well")] = False,
) -> int:
    """Find every fault before anyone is mailed."""
    from nurture.language.project import read_project
    from nurture.language.proof import worn

    at = _project_of(context.obj, paths or [])
    files = at.files()
    project = read_project(files)
    today = moment(None).date()
    old = [problem for sequence in project.sequences.values() for problem in worn(sequence, today)]
    known = [*_all_problems(project), *_done_with(at, project), *old]
    found = sorted(problem for problem in known if _within(at, problem, paths or []))
    errors = sum(problem.severity == "error" for problem in found)
    if form == "json":
        say.data(
            {
                "format": "nurture.check/1",
                "problems": [
                    {
                        "file": one.file, "line": one.line, "column": one.column, "severity": one.severity,
                        "code": one.code, "message": one.message,
                    }
                    for one in found
                ],
            }
        )  # fmt: skip
    elif form == "github":
        for one in found:
            print(
                f"::{one.severity} file={one.file},line={one.line},col={one.column},title={one.code}::{_escaped(one.message)}"
            )
    else:
        blamed = {one.file for one in found} & files.keys()
        say.problems(found, {path: files[path].decode("utf-8", "replace") for path in blamed})
        say.say(_summary(project, errors, len(found) - errors))
    return 1 if errors or (strict and found) else 0


def _all_problems(project: Project) -> list[Problem]:
    """Writing thousands of mails to look at them is work that can be shared; for few it is not worth it."""
    from nurture.engine.deploy import problems_of, problems_of_mails

    names = list(project.sequences)
    if len(names) < MANY_SEQUENCES:
        return problems_of(project)
    parts = [names[first : first + MANY_SEQUENCES // 4] for first in range(0, len(names), MANY_SEQUENCES // 4)]
    found = on_all_cores(lambda part: problems_of_mails(project, part), parts)
    return sorted({*project.problems, *(problem for some in found for problem in some)})


def _done_with(at: At, project: Project) -> list[Problem]:
    """W410, where a file has rules under `changes:` and the project's database is there to say which are done."""
    from nurture.engine.applying import done_with

    if not any(sequence.changes for sequence in project.sequences.values()):
        return []
    try:
        path = at.database.partition(":///")[2] if at.database.startswith("sqlite") else ""
        if path and not Path(path).is_file():
            return []
        with at.store(upgrade=False) as store:
            return done_with(store, project)
    except NurtureError:  # a check needs no database; what is wrong with it, others say
        return []


def _escaped(message: str) -> str:
    return message.replace("%", "%25").replace("\n", "%0A")


def _summary(project: Project, errors: int, warnings: int) -> str:
    steps = sum(len(sequence.steps) for sequence in project.sequences.values())
    read = f"{many(len(project.sequences), 'sequence')}, {many(steps, 'step')}"
    if not errors and not warnings:
        return f"{read}: no faults."
    return f"{read}: {many(errors, 'error')}, {many(warnings, 'warning')}."


def many(number: int, what: str, several: str = "") -> str:
    return f"{number:,} {what if number == 1 else several or f'{what}s'}"


def _project_of(at: At, paths: list[Path]) -> At:
    """The project that a path is in, where the command was not run in one."""
    for path in paths:
        start = at.find(path).absolute()
        for folder in (start, *start.parents):
            if (folder / "sequences").is_dir():
                return At(folder)
    return at


def _within(at: At, problem: Problem, paths: list[Path]) -> bool:
    place = (at.folder / problem.file).absolute()
    wanted = [at.find(path).absolute() for path in paths]
    return not wanted or any(place.is_relative_to(one) for one in wanted)


def sound(at: At, names: list[str]) -> list[Sequence]:
    """The sequences of these names (all when none), read without errors. Raises SequenceError or Refused."""
    from nurture.engine.deploy import build
    from nurture.engine.rules import Rules

    known = build(0, at.files(), Rules()).sequences
    for name in names:
        if name not in known:
            raise Refused(f"there is no sequence '{name}'{or_one_of(name, known)}")
    return [known[name] for name in names or known]


def render(
    context: typer.Context,
    sequence: Name,
    step: Annotated[str, typer.Argument(metavar="STEP")],
    email: Annotated[str | None, typer.Option(help="as this subscriber gets it; else an imagined one")] = None,
    part: Annotated[Literal["html", "text", "subject"], typer.Option(help="which part")] = "html",
    now: Annotated[str | None, typer.Option(help="as if it were this moment")] = None,
    language: Annotated[str, typer.Option(help="in the words for this language; else the person's own")] = "",
) -> None:
    """One mail on stdout."""
    from nurture.engine.deploy import build
    from nurture.engine.show import rendered

    at: At = context.obj
    deployed = build(0, at.files(), at.rules)
    chosen = sound(at, [sequence])[0]
    if step not in chosen.steps:
        raise Refused(f"{sequence} has no step '{step}'{or_one_of(step, chosen.steps)}")
    if language and language_code(chosen.in_language(language).language) not in _reads(language):
        has = [chosen.language, *(one.language for one in chosen.languages.values())]
        raise Refused(f"{sequence} has no words in '{language}'{or_one_of(language, has)}")
    if email is None:
        message = rendered(deployed, sequence, step, None, None, moment(now), language)
    else:
        with at.store() as store:
            message = rendered(deployed, sequence, step, store, email, moment(now), language)
    if message is None:
        raise Refused(f"nobody has the address {email}; leave --email out to see it as an imagined person")
    sys.stdout.write({"html": message.html, "text": message.text, "subject": message.subject + "\n"}[part])


def _reads(language: str) -> tuple[str, str]:
    """The languages that serve for this one: itself, and `de` for `de-AT`."""
    code = language_code(language)
    return code, code.partition("-")[0]


def graph(
    context: typer.Context,
    sequence: Name,
    form: Annotated[Literal["mermaid", "svg"], typer.Option("--format")] = "mermaid",
) -> None:
    """The state chart of a sequence, for a README or to look at."""
    from nurture.language.graph import mermaid, svg

    (chosen,) = sound(context.obj, [sequence])
    print(mermaid(chosen) if form == "mermaid" else svg(chosen))


def schema(
    kind: Annotated[
        Literal["sequence", "language", "people"],
        typer.Argument(help="of which file: a sequence, its words, people.yaml"),
    ] = "sequence",
    form: Annotated[
        Literal["json", "markdown"], typer.Option("--format", help="markdown: the reference to read")
    ] = "json",
) -> None:
    """The JSON Schema of a sequence's file, of a language file or of people.yaml, for editors; or the reference."""
    from nurture.language.reference import reference
    from nurture.language.schema_files import schema_file

    print(reference() if form == "markdown" else schema_file(kind), end="")
