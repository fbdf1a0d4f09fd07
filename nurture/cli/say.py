"""How the command line speaks: data on stdout, talk on stderr, problems with their lines and a caret."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from nurture.language.problems import Problem

talk = Console(stderr=True, highlight=False, soft_wrap=True)
out = Console(highlight=False, soft_wrap=True)

TONES = {"error": "bold red", "warning": "bold yellow"}


def say(words: str) -> None:
    """To whoever runs the command, not to a program that reads its output."""
    print(words, file=sys.stderr)


def data(value: object) -> None:
    """A versioned JSON document on stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def problems(found: Iterable[Problem], sources: Mapping[str, str]) -> None:
    """Faults as the best compilers show them: place, sentence, the line before and the line, a caret."""
    for problem in found:
        tone = TONES[problem.severity]
        out.print(f"{problem.file}:{problem.line}:{problem.column} ", style="bold", end="", markup=False)
        out.print(problem.severity, style=tone, end="")
        out.print(f" {problem.message} [{problem.code}]", markup=False)
        lines = sources.get(problem.file, "").split("\n")
        if problem.line > len(lines):
            continue
        width = len(str(problem.line))
        for number in (problem.line - 1, problem.line):
            if number >= 1:
                out.print(f"  {number:>{width}} | {_flat(lines[number - 1])}", style="dim", markup=False)
        room = max(1, len(lines[problem.line - 1]) - problem.column + 2)
        caret = "^" * max(1, min(problem.width, room))
        out.print(f"  {' ' * width} | {' ' * (problem.column - 1)}", style="dim", end="", markup=False)
        out.print(caret, style=tone)
        out.print()


def _flat(line: str) -> str:
    """One column a character, as the caret counts."""
    shown = line.replace("\t", " ")[:200]
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in shown)


def clock(moment: object) -> str:
    """An ISO moment as one reads it."""
    if not moment:
        return ""
    return f"{datetime.fromisoformat(str(moment)):%a %d %b %Y %H:%M:%S} UTC"
