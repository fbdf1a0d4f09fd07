"""How the command line speaks: data on stdout, talk on stderr, problems with their lines and a caret."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console

if TYPE_CHECKING:
    from nurture.language.problems import Problem

talk = Console(stderr=True, highlight=False, soft_wrap=True)
out = Console(highlight=False, soft_wrap=True)

SHOWN = 160
"""Signs of a line that are shown."""

TONES = {"error": "bold red", "warning": "bold yellow"}


def say(words: str) -> None:
    """To whoever runs the command, not to a program that reads its output."""
    print(words, file=sys.stderr)


def data(value: object) -> None:
    """A versioned JSON document on stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def problems(found: Sequence[Problem], sources: Mapping[str, str]) -> None:
    """Faults as the best compilers show them: place, sentence, the line before and the line, a caret; then who explains."""
    lines = {file: sources.get(file, "").split("\n") for file in {problem.file for problem in found}}
    for problem in found:
        out.print(f"{problem.file}:{problem.line}:{problem.column} ", style="bold", end="", markup=False)
        out.print(problem.severity, style=TONES[problem.severity], end="")
        out.print(f" {problem.message} [{problem.code}]", markup=False)
        if problem.line <= len(lines[problem.file]):
            _show(problem, lines[problem.file])
    codes = list(dict.fromkeys(problem.code for problem in found))
    if codes:
        told = (
            f"`nurture help {codes[0]}` explains."
            if len(codes) == 1
            else f"`nurture help CODE` explains each: {', '.join(codes)}."
        )
        out.print(told, style="dim", markup=False, soft_wrap=True)


def _show(problem: Problem, lines: Sequence[str]) -> None:
    """Two lines with their numbers, and a caret under all that is meant. Of a long line, the part around it."""
    width = len(str(problem.line))
    first = max(0, problem.column - SHOWN // 2) if problem.column > SHOWN // 2 else 0
    for number in (problem.line - 1, problem.line):
        if number >= 1:
            text = _flat(lines[number - 1][first : first + SHOWN]).rstrip()
            out.print(f"  {number:>{width}} | {text}", style="dim", markup=False)
    shown = _flat(lines[problem.line - 1][first : first + SHOWN])
    start = problem.column - 1 - first
    # one sign can be two columns wide, in Chinese for instance
    caret = cell_len(shown[start : start + problem.width]) or 1
    out.print(f"  {' ' * width} | {' ' * cell_len(shown[:start])}", style="dim", end="", markup=False)
    out.print("^" * caret, style=TONES[problem.severity])
    out.print()


def _flat(line: str) -> str:
    """As many signs as the line has, none of which moves the cursor."""
    return "".join(sign if sign.isprintable() else " " if sign == "\t" else "\ufffd" for sign in line)


def bar(share: float, wide: int) -> str:
    """A part of `wide` columns, to an eighth of one."""
    eighths = round(share * wide * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def clock(moment: object) -> str:
    """An ISO moment as one reads it."""
    if not moment:
        return ""
    return f"{datetime.fromisoformat(str(moment)):%a %d %b %Y %H:%M:%S} UTC"
