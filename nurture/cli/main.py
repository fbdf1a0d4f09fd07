"""The command line. Exit codes: 0 fine, 1 findings, 2 wrong usage, 3 could not, 130 interrupted."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated

import typer
from typer.main import get_command

import nurture
from nurture.cli import (
    codes,
    deploying,
    doctoring,
    drawing,
    explaining,
    listeners,
    measuring,
    operating,
    operators,
    people,
    previewing,
    privacy,
    rehearsing,
    reports,
    running,
    signups,
    simulating,
    starting,
    writing,
)
from nurture.cli.project import At
from nurture.cli.say import say
from nurture.errors import NurtureError, Refused, SequenceError, SettingsError

app = typer.Typer(
    name="nurture", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    rich_markup_mode="markdown", context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
for room in (
    starting,
    writing,
    previewing,
    explaining,
    rehearsing,
    simulating,
    deploying,
    people,
    privacy,
    measuring,
    running,
    operating,
    operators,
    codes,
    signups,
    listeners,
    drawing,
    doctoring,
    reports,
):
    room.register(app)

PANELS = {
    "Write a ladder": ("init", "check", "preview", "render", "graph", "help", "schema"),
    "Rehearse it": ("test", "simulate", "demo"),
    "Run it": ("plan", "apply", "deploys", "run", "worker", "doctor", "config", "db"),
    "People": (
        "subscribe", "import", "event", "show", "why", "signup", "export", "erase", "suppress", "unsuppress",
        "suppressed",
    ),
    "Mail": ("messages", "resolve", "pause", "resume"),
    "Results": ("report", "draw"),
    "Access and other systems": ("hooks", "replay", "listeners", "codes", "user", "token", "audit"),
}  # fmt: skip
"""How `nurture --help` groups the commands: in the order in which one comes to need them."""


def _grouped() -> None:
    panel = {name: title for title, names in PANELS.items() for name in names}
    order = list(panel)
    for command in app.registered_commands:
        command.rich_help_panel = panel[str(command.name)]
    for group in app.registered_groups:
        group.rich_help_panel = panel[str(group.name)]
    app.registered_commands.sort(key=lambda one: order.index(str(one.name)))


_grouped()


def _say_version(wanted: bool) -> None:
    if wanted:
        print(nurture.__version__)
        raise typer.Exit


@app.callback(help="Email sequences built on micro-commitments: one small ask a mail, two ways out, no mail twice.")
def nurture_command(
    context: typer.Context,
    folder: Annotated[Path, typer.Option("-C", help="the project's folder", metavar="DIR")] = Path(),
    *,
    version: Annotated[  # noqa: ARG001 - eager, since no command need follow
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="say the version and leave")
    ] = False,
) -> None:
    context.obj = At(folder)


def main(words: list[str] | None = None) -> None:
    """Run one command and leave with its exit code."""
    sys.exit(run(sys.argv[1:] if words is None else words))


def run(words: list[str]) -> int:
    """One command; returns its exit code. A user's mistake is one line on stderr, never a traceback."""
    try:
        code = _command()(_folder_first(words), "nurture", standalone_mode=False)
    except SequenceError as error:
        say(str(error))
        return 1
    except (SettingsError, Refused) as error:
        say(f"nurture: {error}")
        return 2
    except NurtureError as error:
        say(f"nurture: {error}")
        return 3
    except typer.TyperException as error:  # wrong usage, which typer shows best itself
        show = getattr(error, "show", None)
        show() if show is not None else say(str(error))
        return 2
    except typer.Abort:
        return 130
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `nurture show … | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        say(f"nurture: {error.filename or ''}{': ' if error.filename else ''}{(error.strerror or str(error)).lower()}")
        return 3
    return code if isinstance(code, int) else 0


@cache
def _command() -> Callable[..., object]:
    """All commands, put together once for a program that runs several."""
    return get_command(app)


def _folder_first(words: list[str]) -> list[str]:
    """`-C DIR` may stand anywhere, as people write it behind the command as well."""
    words = list(words)
    if "-C" in words and (place := words.index("-C")) + 1 < len(words):
        return ["-C", words[place + 1], *words[:place], *words[place + 2 :]]
    return words
