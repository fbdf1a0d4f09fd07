"""`nurture test`: play the stories of a sequence, and say of each that fails where it went another way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli import say
from nurture.cli.writing import many, sound

if TYPE_CHECKING:
    from nurture.cli.project import At
    from nurture.rehearsal.stories import Told


def register(app: typer.Typer) -> None:
    app.command("test")(play_stories)


def play_stories(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[SEQUENCE]...", help="only these")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="a document instead of text")] = False,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="a JUnit report as well, for CI")] = None,
) -> int:
    """Play the stories under `tests:` on the real decision, with an imagined calendar."""
    from nurture.rehearsal.stories import tell

    at: At = context.obj
    told = [story for one in sound(at, names or []) for story in tell(one, zone=at.settings.timezone)]
    failed = sum(bool(story.differences) for story in told)
    if junit is not None:
        junit.write_bytes(_junit(told))
    if as_json:
        stories = [
            {"sequence": one.sequence, "name": one.name, "passed": not one.differences, "differences": one.differences,
             "trace": one.trace, "file": one.file, "line": one.line}
            for one in told
        ]  # fmt: skip
        say.data({"format": "nurture.test/1", "passed": len(told) - failed, "failed": failed, "stories": stories})
        return 1 if failed else 0
    for story in told:
        _print(story)
    say.say(f"{many(len(told) - failed, 'story', 'stories')} passed, {failed} failed.")
    return 1 if failed else 0


def _print(story: Told) -> None:
    mark, tone = ("FAILED", "bold red") if story.differences else ("passed", "green")
    say.out.print(mark, style=tone, end="")
    place = f"  ({story.file}:{story.line})" if story.differences else ""
    say.out.print(f"  {story.sequence}: {story.name}{place}", markup=False)
    for difference in story.differences:
        say.out.print(f"        {difference}", markup=False)
    if story.differences:
        say.out.print("        what happened:", style="dim")
        for line in story.trace:
            say.out.print(f"          {line}", style="dim", markup=False)


def _junit(told: list[Told]) -> bytes:
    """As CI systems read it: a suite for each sequence, a case for each story."""
    from xml.etree import ElementTree as ET

    whole = ET.Element("testsuites", name="nurture")
    for name in dict.fromkeys(story.sequence for story in told):
        suite = ET.SubElement(whole, "testsuite", name=name)
        stories = [story for story in told if story.sequence == name]
        for story in stories:
            case = ET.SubElement(
                suite, "testcase", classname=name, name=_clean(story.name), file=story.file, line=str(story.line)
            )
            if story.differences:
                failure = ET.SubElement(case, "failure", message=_clean(story.differences[0]))
                failure.text = _clean("\n".join([*story.differences, "", "what happened:", *story.trace]))
        suite.attrib |= _counts(stories)
    whole.attrib |= _counts(told)
    ET.indent(whole)
    written: bytes = ET.tostring(whole, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _counts(told: list[Told]) -> dict[str, str]:
    failures = sum(bool(story.differences) for story in told)
    return {"tests": str(len(told)), "failures": str(failures), "errors": "0", "skipped": "0"}


def _clean(text: str) -> str:
    """XML has no sign for most control characters."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in text)
