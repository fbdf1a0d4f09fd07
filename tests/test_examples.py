"""The repository is itself a project: its people, sequences, templates and files have no fault, its stories hold."""

from pathlib import Path

import pytest

from nurture.language.project import read_project
from nurture.rehearsal.stories import tell

ROOT = Path(__file__).parents[1]
FOLDERS = ("sequences", "templates", "files")
EXAMPLES = ("home-loan", "free-guide", "trial", "challenge", "first-evening")


def project():
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    return read_project(
        {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in [ROOT / "people.yaml", *paths]}
    )


def test_the_examples_have_no_problems():
    assert project().problems == ()


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_stories_of_each_example_go_as_they_are_told(name):
    told = tell(project().sequences[name], zone="Europe/London")
    assert len(told) >= 2
    assert [(story.name, story.differences) for story in told if story.differences] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_step_has_a_template_and_each_template_a_step(name):
    read = project()
    main = read.sequences[name]
    used = {step.template for one in (main, *main.languages.values()) for step in one.steps.values()}
    assert used == {path for path in read.templates if path.startswith(f"{name}/")}


def test_only_one_example_starts_when_someone_joins():
    starts = {name: [one.kind for one in sequence.start.when] for name, sequence in project().sequences.items()}
    assert starts == {
        "home-loan": ["joined"], "free-guide": ["tag"], "trial": ["event"], "challenge": ["manual"], "first-evening": ["goal"],
    }  # fmt: skip


def test_the_downloads_are_small():
    begins = {".pdf": b"%PDF-", ".webm": bytes.fromhex("1a45dfa3")}
    for path, body in project().downloads.items():
        assert body.startswith(begins[Path(path).suffix]) and len(body) < 60_000, path


def test_every_step_of_the_challenge_is_told_in_a_story():
    challenge = project().sequences["challenge"]
    assert {step for story in challenge.stories for step in story["expect"]["path"]} == set(challenge.steps)
