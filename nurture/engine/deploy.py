"""From files to the running version: what is deployed is kept in the database, so that a worker needs no files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from nurture.engine.rules import Rules
from nurture.errors import SequenceError, SettingsError
from nurture.language.project import Project, read_project
from nurture.mail.checks import check
from nurture.mail.page import Press
from nurture.mail.render import Writer
from nurture.mail.templates import Templates
from nurture.store import deploys, enrollments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nurture.language.problems import Problem
    from nurture.language.sequence import Sequence, Step
    from nurture.store.database import Store

FOLDERS = ("sequences", "templates", "files")
PEOPLE = "people.yaml"


@dataclass(frozen=True, slots=True)
class Deployed:
    """What runs: the sequences, what is known of people, the project's rules, the templates compiled once."""

    id: int
    project: Project
    rules: Rules
    writers: Mapping[str, Writer] = field(repr=False)

    @property
    def sequences(self) -> Mapping[str, Sequence]:
        return self.project.sequences


def read_folder(folder: Path) -> dict[str, bytes]:
    """Every file of a project that is deployed, by its path in the project."""
    if not (folder / "sequences").is_dir():
        raise SettingsError(
            f"{folder} is no nurture project: it has no sequences/ folder; `nurture init DIR` makes one"
        )
    found = {PEOPLE: folder / PEOPLE} if (folder / PEOPLE).is_file() else {}
    for name in FOLDERS:
        for path in sorted((folder / name).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                found[path.relative_to(folder).as_posix()] = path
    return {name: path.read_bytes() for name, path in found.items()}


def problems_of(project: Project) -> list[Problem]:
    """All faults of a project: those of its files and those of its mails."""
    found = list(project.problems)
    press = Press(Templates(project.templates))
    for sequence in project.sequences.values():
        found += check(sequence, press, project.people)
    return sorted(set(found))


def build(number: int, files: Mapping[str, bytes], rules: Rules) -> Deployed:
    """Read and compile a version. Raises SequenceError when the files have faults."""
    project = read_project(files)
    errors = tuple(problem for problem in problems_of(project) if problem.severity == "error")
    if errors:
        raise SequenceError(errors)
    return _compiled(number, project, rules)


def _compiled(number: int, project: Project, rules: Rules) -> Deployed:
    press = Press(Templates(project.templates))
    writers = {name: Writer(sequence, press) for name, sequence in project.sequences.items()}
    return Deployed(number, project, rules, writers)


def deploy_if_safe(store: Store, files: Mapping[str, bytes], now: datetime) -> str:
    """Deploy changed files when no one's place is touched.

    Returns "" when what the files say is what runs, else the sentence that says why not. Raises SequenceError when
    the files have faults and nothing runs yet; a broken file never stops a running version.
    """
    with store.read() as tx:
        latest = deploys.latest(tx)
        if latest is not None and latest[1] == files:
            return ""
        inside = enrollments.inside(tx)
    try:
        new = build(0, files, Rules())
    except SequenceError as error:
        if latest is None:
            raise
        return f"the files have {len(error.problems)} fault(s), so the running version goes on; see `nurture check`"
    if latest is not None:
        touched = sorted(_touched(read_project(latest[1]), new.project, inside))
        if touched:
            return (
                f"people stand where {', '.join(touched)} changed, so the running version goes on; see `nurture plan`"
            )
    with store.write() as tx:
        deploys.save(tx, files, now)
    return ""


def _touched(old: Project, new: Project, inside: Mapping[str, Mapping[str, int]]) -> set[str]:
    touched = set()
    for name, places in inside.items():
        before, after = old.sequences.get(name), new.sequences.get(name)
        if after is None or before is None:
            touched.add(name)
            continue
        for step in places:
            if step in before.steps and (
                step not in after.steps or _shape(before.steps[step]) != _shape(after.steps[step])
            ):
                touched.add(f"{name}.{step}")
    return touched


def _shape(step: Step) -> Step:
    """A step without its words: what decides where people go and when."""
    ask = replace(step.ask, words="", label="", to="", price="", answers=dict.fromkeys(step.ask.answers, ""))
    return replace(
        step, position=0, subjects=("",) * len(step.subjects), preheader="", template="", extra={}, ask=ask,
        principle="",
    )  # fmt: skip


class Current:
    """The running version, read again when a newer one was deployed. Cheap to ask: one number from the database."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self._store = store
        self._rules = rules
        self._lock = Lock()
        self._deployed: Deployed | None = None

    def __call__(self) -> Deployed:
        with self._store.read() as tx:
            latest = deploys.latest_id(tx)
        with self._lock:
            if self._deployed is None or self._deployed.id != latest:
                self._deployed = self._load()
            return self._deployed

    def _load(self) -> Deployed:
        with self._store.read() as tx:
            latest = deploys.latest(tx)
        if latest is None:
            raise SettingsError("nothing is deployed yet; `nurture run` in the project's folder deploys it")
        return _compiled(latest[0], read_project(latest[1]), self._rules)
