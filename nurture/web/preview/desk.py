"""The project as its files say it now, read again at every save, and the last version of each sequence that had no fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from watchfiles import watch

from nurture.engine.deploy import FOLDERS, PEOPLE, read_folder
from nurture.errors import NurtureError, RenderError
from nurture.journey.timing import zone as zone_of
from nurture.language.paths import arrivals
from nurture.language.project import Project, read_project
from nurture.mail.checks import LINKS
from nurture.mail.page import Press
from nurture.mail.person import names
from nurture.mail.render import NOBODY, NONE_MADE, Letterhead, Writer, Written
from nurture.mail.templates import Templates
from nurture.rehearsal.cast import at_step
from nurture.web.preview.checking import Checking

if TYPE_CHECKING:
    from nurture.language.paths import Arrival
    from nurture.language.problems import Problem
    from nurture.language.sequence import Sequence, Step
    from nurture.mail.imagined import Person
    from nurture.mail.links import Links

STEP = 30
"""Milliseconds of quiet after which a save counts as whole."""


@dataclass(frozen=True)
class Version:
    """What the files said at one time, with all its faults."""

    files: Mapping[str, bytes] = field(repr=False)
    project: Project
    problems: tuple[Problem, ...]

    @cached_property
    def writers(self) -> Mapping[str, Writer]:
        press = Press(Templates(self.project.templates))
        return {name: Writer(sequence, press) for name, sequence in self.project.sequences.items()}

    @cached_property
    def arrived(self) -> Mapping[str, Mapping[str, Arrival]]:
        """What is known of those who come to each step, by sequence."""
        return {name: arrivals(one, self.project.people) for name, one in self.project.sequences.items()}

    def sound(self, sequence: Sequence) -> bool:
        """Whether nothing of what this sequence is made of has an error."""
        return not any(fault.severity == "error" and concerns(fault, sequence) for fault in self.problems)

    def planned(self, sequence: Sequence) -> bool:
        """Whether its plan can be followed: errors in mails are another matter."""
        plan = (sequence.file, PEOPLE)
        return not any(
            fault.severity == "error" and fault.file in plan and fault.code < "E3" for fault in self.problems
        )

    def source(self, file: str) -> list[str]:
        return self.files.get(file, b"").decode("utf-8", "replace").split("\n")


def concerns(fault: Problem, sequence: Sequence) -> bool:
    """Whether a fault is of this sequence: of its file, its words, a template it uses, or of people."""
    name = sequence.name
    own = {sequence.file, PEOPLE, *(one.file for one in sequence.languages.values())}
    mails = {step.template for one in (sequence, *sequence.languages.values()) for step in one.steps.values()}
    path = fault.file.removeprefix("templates/")
    return fault.file in own or path in mails or path.startswith((f"{name}/", "layout."))


def look(files: Mapping[str, bytes], checking: Checking) -> Version:
    """Read these files as a project and find all its faults."""
    project = read_project(files)
    return Version(files, project, checking.problems(project))


@dataclass(frozen=True, slots=True)
class Shown:
    """A sequence as it can be shown: as it is now, or as it last was without faults (`stale`)."""

    sequence: Sequence
    version: Version
    stale: bool


class Desk:
    """What lies on the author's desk. `heard` are called, in the thread that watches, when something was saved."""

    def __init__(self, folder: Path, letterhead: Letterhead) -> None:
        self.folder = folder
        self.letterhead = letterhead
        self._checking = Checking()
        self.version = look(read_folder(folder), self._checking)
        self.number = 1
        self.trouble = ""
        self.heard: set[Callable[[], None]] = set()
        self._good: dict[str, Version] = {}
        self._lock = Lock()
        self._keep_good()

    @property
    def zone(self) -> str:
        return self.letterhead.zone

    def names(self) -> list[str]:
        return sorted({*self.version.project.sequences, *self._good})

    def shown(self, name: str) -> Shown | None:
        now, good = self.version.project.sequences.get(name), self._good.get(name)
        if now is not None and (good is None or self.version.planned(now)):
            return Shown(now, self.version, stale=False)
        return None if good is None else Shown(good.project.sequences[name], good, stale=True)

    def write(self, shown: Shown, step: str, person: Person, links: Links) -> tuple[Written, str]:
        """A step's mail, and what is wrong when it is the last good one. Raises RenderError when there never was one."""
        subscriber, enrollment = person

        def written(version: Version) -> Written:
            return version.writers[shown.sequence.name].write(
                step, enrollment=enrollment, subscriber=subscriber, links=links, letterhead=self.letterhead,
                message_id="preview", key="",
            )  # fmt: skip

        try:
            return written(shown.version), ""
        except RenderError as error:
            good = self._good.get(shown.sequence.name)
            if good is None or good is shown.version or step not in good.project.sequences[shown.sequence.name].steps:
                raise
            return written(good), str(error)

    def person(self, shown: Shown, step: str, role: str) -> Person | None:
        """Who plays this role, as they stand when the step's mail leaves; None for who never gets it."""
        sequence, version = shown.sequence, shown.version
        people, arrived = version.project.people, version.arrived[sequence.name]
        return at_step(sequence, sequence.steps[step], people, role, arrived)

    def subject(self, shown: Shown, step: Step, person: Person | None) -> str:
        """A step's subject as this person reads it; as it is written where that cannot be."""
        if person is None:
            return step.subjects[0]
        subscriber, enrollment = person
        zone = zone_of(str(subscriber.attributes.get("timezone") or ""), self.zone)
        writer = shown.version.writers[shown.sequence.name]
        try:
            known = names(shown.sequence, step, enrollment, subscriber, zone, NONE_MADE, LINKS, NOBODY)
            return writer.subject(step, subscriber)(known)
        except RenderError:
            return step.subjects[0]

    # --- saves

    def reread(self) -> None:
        """Look at the files again and tell who listens. What cannot be read leaves all as it is, and is said."""
        with self._lock:
            try:
                files = read_folder(self.folder)
                if files == self.version.files and not self.trouble:
                    return
                self.version = look(files, self._checking)
                self.trouble = ""
            except (NurtureError, OSError) as error:
                self.trouble = str(error)
            self._keep_good()
            self.number += 1
        self.tell()

    def tell(self) -> None:
        for wake in tuple(self.heard):
            wake()

    def _keep_good(self) -> None:
        for name, sequence in self.version.project.sequences.items():
            if self.version.sound(sequence):
                self._good[name] = self.version

    def with_file(self, path: str, text: str) -> Version:
        """The project as it would be if this file said this."""
        return look({**self.version.files, path: text.encode()}, self._checking)


class Watching:
    """Two threads: one for the folders of the project, one for what comes and goes beside them. Leave it with `close`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._stop = Event()
        self._again = Event()
        self._threads = [Thread(target=one, name="watch", daemon=True) for one in (self._inside, self._beside)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stop.set()
        self._again.set()
        for thread in self._threads:
            thread.join(2)

    def _inside(self) -> None:
        while not self._stop.is_set():
            self._again.clear()
            folders = [folder for name in FOLDERS if (folder := self._desk.folder / name).is_dir()]
            if not folders:
                self._again.wait()
                continue
            for _ in watch(*folders, step=STEP, stop_event=self._again, raise_interrupt=False):
                self._desk.reread()

    def _beside(self) -> None:
        wanted = {PEOPLE, *FOLDERS}
        for changes in watch(
            self._desk.folder, step=STEP, recursive=False, stop_event=self._stop, raise_interrupt=False,
            watch_filter=lambda _, path: Path(path).name in wanted,
        ):  # fmt: skip
            self._desk.reread()
            if any(Path(path).name in FOLDERS for _, path in changes):
                self._again.set()
