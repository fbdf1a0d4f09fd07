"""`nurture help CODE`: what a fault means, why it matters, a wrong and a right example; and the same as a page."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from nurture.cli import say
from nurture.errors import Refused
from nurture.language.codes import CODES
from nurture.language.problems import did_you_mean

if TYPE_CHECKING:
    from nurture.language.codes import Code, Example

KINDS = {
    "E1": "The notation", "E2": "The plan", "E3": "The mails", "W4": "The ladder: warnings",
}  # fmt: skip
WIDE = 100
HEAD = """\
# Errors and warnings

Every fault that `nurture check` finds. `nurture help E304` says the same on the command line. Errors end in exit code 1;
warnings do so with `--strict`. This page is generated: `nurture help --markdown > docs/errors.md`.
"""


def register(app: typer.Typer) -> None:
    app.command("help")(explain)


def explain(
    code: Annotated[str | None, typer.Argument(metavar="[CODE]", help="such as E304; without it, all codes")] = None,
    *,
    markdown: Annotated[bool, typer.Option(help="all of them as a page in Markdown")] = False,
) -> None:
    """What an error code means, with a wrong and a right example."""
    if markdown:
        print(page(), end="")
    elif code is None:
        for one in CODES.values():
            say.out.print(Text.assemble((one.code, _tone(one)), f"  {one.title}"))
    else:
        found = CODES.get(code.upper())
        if found is None:
            raise Refused(
                f"there is no code '{code}'{did_you_mean(code.upper(), CODES) or '; `nurture help` lists them all'}"
            )
        _print(found)


def _tone(code: Code) -> str:
    return say.TONES["warning" if code.code.startswith("W") else "error"]


def _print(code: Code) -> None:
    width = min(say.out.width, WIDE)
    say.out.print(Text.assemble((code.code, _tone(code)), "  ", (code.title, "bold")))
    for words in (code.means, code.why):
        say.out.print()
        print(textwrap.fill(words, width))
    for title, tone, example in (("Wrong", "red", code.wrong), ("Right", "green", code.right)):
        say.out.print()
        say.out.print(Text.assemble((f"{title}:", tone), "  ", (example.path, "dim")))
        say.out.print()
        print(textwrap.indent(example.shown, "    "), end="")


def page() -> str:
    """The reference of all codes, as it stands in docs/errors.md."""
    parts = [HEAD]
    for prefix, title in KINDS.items():
        parts.append(f"\n## {title}\n")
        parts += [_section(code) for code in CODES.values() if code.code.startswith(prefix)]
    return "".join(parts)


def _section(code: Code) -> str:
    examples = _block("Wrong", code.wrong) + _block("Right", code.right)
    return f"\n### {code.code}: {code.title}\n\n{code.means} {code.why}\n{examples}"


def _block(title: str, example: Example) -> str:
    return f"\n{title}, `{example.path}`:\n\n```text\n{example.shown.rstrip()}\n```\n"
