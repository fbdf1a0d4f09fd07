"""`nurture init`: a project that passes `check` and `test` at once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from nurture.cli import say
from nurture.errors import Refused
from nurture.language.problems import or_one_of

RECIPES = Path(__file__).with_name("recipes")
EVERY_PROJECT = "_project"
"""What each recipe has in common."""
HIDDEN = {"gitignore": ".gitignore", "vscode": ".vscode", "github": ".github"}
"""Names that begin with a dot, as they are kept here: packagers pass over such files."""
DEFAULT = "welcome"


def register(app: typer.Typer) -> None:
    app.command("init")(init)


def recipes() -> list[str]:
    return sorted(path.name for path in RECIPES.iterdir() if path.is_dir() and path.name != EVERY_PROJECT)


def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder that is empty or not there yet")],
    recipe: Annotated[str, typer.Option(help=f"what to begin with: {', '.join(recipes())}")] = DEFAULT,
) -> None:
    """Make a project that passes `check` and `test` at once: a ladder with its mails, stories, settings, CI."""
    if recipe not in recipes():
        raise Refused(f"there is no recipe '{recipe}'{or_one_of(recipe, recipes())}")
    target: Path = context.obj.folder / folder
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Refused(f"{target} is not empty; choose another folder, so that nothing is overwritten")
    for part in (EVERY_PROJECT, recipe):
        shutil.copytree(RECIPES / part, target, dirs_exist_ok=True)
    for name, hidden in HIDDEN.items():
        (target / name).rename(target / hidden)
    _write_schemas(target)
    _write_readme(target, recipe)
    say.say(
        f"Made {target}. Next:\n  nurture -C {target} check\n  nurture -C {target} test\n  nurture -C {target} demo"
    )


def _write_schemas(target: Path) -> None:
    """For editors, which the first line of each file tells where its schema is."""
    from nurture.language.schema_files import SCHEMAS, schema_file

    for kind in SCHEMAS:
        (target / f"{kind}.schema.json").write_text(schema_file(kind), encoding="utf-8")


def _write_readme(target: Path, name: str) -> None:
    from nurture.engine.deploy import read_folder
    from nurture.language.graph import mermaid
    from nurture.language.project import read_project

    sequence = read_project(read_folder(target)).sequences[name]
    page = target / "README.md"
    text = page.read_text(encoding="utf-8")
    commands = {
        "nurture check": "every fault in these files",
        "nurture test": "the stories at the end of the sequence",
        "nurture preview": "every mail as you save it, and the ladder to play",
        f"nurture render {name} {next(iter(sequence.steps))}": "one mail",
        f"nurture simulate {name}": "a thousand imagined people",
        "nurture demo": "a page with an inbox; nothing leaves this machine",
    }
    width = max(map(len, commands))
    listed = "\n".join(f"{command:<{width}}  # {what}" for command, what in commands.items())
    said = {"title": sequence.title, "name": name, "commands": listed, "graph": mermaid(sequence)}
    page.write_text(text.format(**said), encoding="utf-8")
