"""What `nurture init` makes: each recipe is whole, passes everything at once, and says what it is."""

import json
import re
import tomllib

import pytest
import yaml
from walking import START

from nurture.cli.main import app, run
from nurture.cli.starting import RECIPES, recipes
from nurture.engine.deploy import build, read_folder
from nurture.engine.rules import Rules
from nurture.engine.show import rendered
from nurture.language.graph import mermaid
from nurture.language.schema_files import SCHEMAS, schema_file
from nurture.settings import Settings

NAMES = ("lead-magnet", "qualify", "trial", "welcome", "win-back")


@pytest.fixture(params=NAMES)
def recipe(request, tmp_path, capfd):
    assert run(["init", str(tmp_path / "new"), "--recipe", request.param]) == 0
    capfd.readouterr()
    return request.param, tmp_path / "new"


def test_these_are_the_recipes():
    assert tuple(recipes()) == NAMES


def test_each_passes_check_and_its_stories_at_once(recipe, capfd):
    _, folder = recipe
    assert run(["-C", str(folder), "check", "--strict"]) == 0
    assert capfd.readouterr().err.endswith(": no faults.\n")
    assert run(["-C", str(folder), "test"]) == 0
    passed = capfd.readouterr().err
    assert int(passed.split()[0]) >= 3
    assert passed.endswith(" passed, 0 failed.\n")


def test_every_mail_can_be_written_and_asks_its_one_thing(recipe):
    name, folder = recipe
    deployed = build(0, read_folder(folder), Rules())
    for step in deployed.sequences[name].steps.values():
        message = rendered(deployed, name, step.name, None, None, START)
        assert len(message.text.split()) > 30
        assert "{{" not in message.html + message.subject
        words = step.ask.label or next(iter(step.ask.answers.values()), step.ask.words)
        assert words in message.text.replace("’", "'"), step.name


def test_each_template_belongs_to_a_step_and_each_declared_name_is_used(recipe):
    name, folder = recipe
    project = build(0, read_folder(folder), Rules()).project
    assert set(project.templates) == {step.template for step in project.sequences[name].steps.values()}
    text = (folder / f"sequences/{name}.yaml").read_text()
    for declared in (*project.people.events, *project.people.products):
        assert declared in text


def test_the_readme_shows_the_chart_and_commands_that_are_there(recipe):
    name, folder = recipe
    text = (folder / "README.md").read_text()
    sequence = build(0, read_folder(folder), Rules()).sequences[name]
    assert f"```mermaid\n{mermaid(sequence)}```" in text
    known = {command.name for command in app.registered_commands}
    assert set(re.findall(r"^nurture (\w+)", text, re.MULTILINE)) <= known
    assert len({line.index("  # ") for line in text.splitlines() if line.startswith("nurture ")}) == 1


def test_an_editor_finds_the_schema(recipe):
    name, folder = recipe
    for kind in SCHEMAS:
        assert (folder / f"{kind}.schema.json").read_text() == schema_file(kind)
    first = (folder / f"sequences/{name}.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=../sequence.schema.json"
    assert json.loads((folder / ".vscode/settings.json").read_text())["yaml.schemas"]
    assert json.loads((folder / ".vscode/extensions.json").read_text())["recommendations"] == ["redhat.vscode-yaml"]


def test_every_setting_in_the_toml_exists_and_shows_its_default(recipe):
    _, folder = recipe
    text = (folder / "nurture.toml").read_text()
    said = re.sub(r"^# (\w+ = .*)$", r"\1", text, flags=re.MULTILINE)
    settings = Settings(**tomllib.loads(said))
    active = tomllib.loads(text)
    for name in tomllib.loads(said).keys() - active.keys():
        default = Settings.model_fields[name].default
        assert getattr(settings, name) == default, name
    for name in re.findall(r"NURTURE_([A-Z_]+?)(?:__\w+)?=", text):
        assert name.lower() in Settings.model_fields


def test_the_workflow_checks_tests_and_comments(recipe):
    _, folder = recipe
    workflow = yaml.safe_load((folder / ".github/workflows/nurture.yml").read_text())
    commands = "\n".join(step.get("run", "") for step in workflow["jobs"]["nurture"]["steps"])
    assert "nurture check --format github --strict" in commands
    assert "nurture test --junit" in commands
    assert "nurture plan --markdown" in commands


def test_nothing_of_the_kitchen_is_left_in_a_project(recipe):
    _, folder = recipe
    assert not [path for path in folder.iterdir() if path.name in ("gitignore", "vscode", "github")]
    assert ".env" in (folder / ".gitignore").read_text()


def test_an_unknown_recipe_and_a_full_folder_are_refused(tmp_path, capfd):
    assert run(["init", str(tmp_path / "new"), "--recipe", "qualifi"]) == 2
    assert "there is no recipe 'qualifi', did you mean 'qualify'?" in capfd.readouterr().err
    (tmp_path / "mine.txt").write_text("mine")
    assert run(["init", str(tmp_path)]) == 2
    assert "is not empty" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_recipes_are_packed():
    assert not list(RECIPES.rglob(".*"))
