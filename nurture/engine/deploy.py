"""From files to the running version: what is deployed is kept in the database, so that a worker needs no files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from nurture.engine.rules import Rules
from nurture.errors import Outdated, SequenceError, SettingsError
from nurture.language.project import DOWNLOADS, Project, read_project
from nurture.language.yaml import MAX_BYTES
from nurture.mail.checks import check
from nurture.mail.confirming import CONFIRM, CONFIRM_MAIL, confirmations
from nurture.mail.handing import HANDING, handing
from nurture.mail.page import Press
from nurture.mail.render import Writer
from nurture.mail.templates import Templates
from nurture.store import deploys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from nurture.language.problems import Problem
    from nurture.language.sequence import Sequence
    from nurture.store.database import Store

T = TypeVar("T")

FOLDERS = ("sequences", "templates", "files")
PEOPLE = "people.yaml"


@dataclass(frozen=True, slots=True)
class Deployed:
    """What runs: the sequences, what is known of people, the project's rules, the templates compiled once.

    `sequences` are those of the project, and those of one mail that we wrote: it confirms a sign-up, or hands a person
    what is theirs.
    """

    id: int
    project: Project
    rules: Rules
    writers: Mapping[str, Writer] = field(repr=False)
    sequences: Mapping[str, Sequence] = field(repr=False)

    @property
    def ladders(self) -> Mapping[str, Sequence]:
        """The sequences that somebody wrote, without those of one mail that we did: what is listed and begun."""
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
    return {name: _read(name, path) for name, path in found.items()}


def _read(name: str, path: Path) -> bytes:
    """Of a file of words only so much that one sees it is too large; what is handed out may have any size."""
    with path.open("rb") as file:
        return file.read() if name.startswith(DOWNLOADS) else file.read(MAX_BYTES + 1)


def problems_of(project: Project) -> list[Problem]:
    """All faults of a project: those of its files and those of its mails."""
    return sorted({*project.problems, *problems_of_mails(project, project.sequences)})


def problems_of_mails(project: Project, names: Iterable[str]) -> list[Problem]:
    """The faults of the mails of these sequences."""
    press = Press(Templates(project.templates))
    return [
        problem
        for name in names
        for problem in check(project.sequences[name], press, project.people, project.sequences)
    ]


def build(number: int, files: Mapping[str, bytes], rules: Rules) -> Deployed:
    """Read and compile a version. Raises SequenceError when the files have faults."""
    project = read_project(files)
    errors = tuple(problem for problem in problems_of(project) if problem.severity == "error")
    if errors:
        raise SequenceError(errors)
    return _compiled(number, project, rules)


def _compiled(number: int, project: Project, rules: Rules) -> Deployed:
    press = Press(Templates({CONFIRM: CONFIRM_MAIL, HANDING: CONFIRM_MAIL, **project.templates}))
    sequences = {
        **project.sequences, **confirmations(project.people, project.sequences), **handing(project.sequences),
    }  # fmt: skip
    writers = {name: Writer(sequence, press) for name, sequence in sequences.items()}
    return Deployed(number, project, rules, writers, sequences)


@contextmanager
def deciding(store: Store, deployed: Deployed) -> Iterator[Connection]:
    """A writing transaction in which this version is the running one until its end.

    Raises Outdated when another was deployed meanwhile: what was read with the old one must not be written over the
    new one's places.
    """
    with store.write() as tx:
        if deploys.hold(tx) != deployed.id:
            raise Outdated("another version was deployed in this moment; try again")
        yield tx


def afresh(current: Callable[[], Deployed], work: Callable[[Deployed], T]) -> T:
    """Do this with the running version, once more when another was deployed meanwhile."""
    try:
        return work(current())
    except Outdated:
        return work(current())


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
