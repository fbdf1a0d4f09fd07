"""Making files the running version: everyone inside is moved, and the deploy is on record, in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nurture.engine.deploy import build
from nurture.engine.planning import Plan, digest_of, finished, plan
from nurture.engine.rules import Rules
from nurture.errors import NurtureError, SequenceError
from nurture.language.problems import counted
from nurture.language.project import read_project
from nurture.store import deploys, enrollments, events, messages
from nurture.store.renaming import rename

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from nurture.journey.enrollment import Enrollment
    from nurture.journey.relocating import What
    from nurture.language.problems import Problem
    from nurture.language.project import Project
    from nurture.store.database import Store

BATCH = 2_000
AGAIN = "make a new one: nurture plan"


class Stale(NurtureError):
    """The plan that was agreed to is not what would be done now."""


class Impossible(NurtureError):
    """People stand where the files leave them nowhere to go. `plan` says who, and what to write."""

    def __init__(self, refused: Plan) -> None:
        super().__init__("; ".join(refusal.words for refusal in refused.refusals))
        self.plan = refused


@dataclass(frozen=True, slots=True)
class Agreed:
    """What someone said yes to: these files, over this version, ending these sequences. Counts may drift meanwhile."""

    deployed: int | None
    digest: str
    ends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done. `number` is the version that runs now."""

    number: int
    plan: Plan


def preview(
    store: Store, files: Mapping[str, bytes], rules: Rules, now: datetime, *, ends: Collection[str] = ()
) -> Plan:
    """What an apply of these files would do. Raises SequenceError when they have faults. Writes nothing."""
    project = sound(files)
    with store.read() as tx:
        return plan(tx, _running(tx), files, project, rules, now, ends=ends)


def apply(
    store: Store, files: Mapping[str, bytes], rules: Rules, now: datetime, agreed: Agreed, *, who: str = "",
    why: str = "",
) -> Applied:  # fmt: skip
    """Do what was agreed to, all of it or nothing. Raises Stale, Impossible, or SequenceError for faults in the files."""
    project = sound(files)
    with store.write() as tx:
        latest = deploys.hold(tx, alone=True)
        if latest != agreed.deployed:
            raise Stale(f"the plan was made over {_version(agreed.deployed)}, and {_version(latest)} runs now; {AGAIN}")
        if digest_of(files) != agreed.digest:
            raise Stale(f"the files are not those that the plan was made from; {AGAIN}")
        by = f"deploy {deploys.following(latest)}"
        found = plan(tx, _running(tx), files, project, rules, now, ends=agreed.ends, by=by)
        if found.refusals:
            raise Impossible(found)
        if found.empty:
            return Applied(latest or 0, found)
        return Applied(_carry_out(tx, found, files, now, who=who, why=why), found)


def done_with(store: Store, project: Project) -> list[Problem]:
    """Rules under `changes:` that the running version has behind it; none before the first."""
    with store.read() as tx:
        running = _running(tx)
    return [] if running is None else list(finished(running[2], project))


def deploy_if_safe(store: Store, files: Mapping[str, bytes], now: datetime, rules: Rules | None = None) -> str:
    """Deploy changed files when no one's place is touched.

    Returns "" when what the files say is what runs, else the sentence that says why not. Raises SequenceError when
    the files have faults and nothing runs yet; a broken file never stops a running version.
    """
    with store.read() as tx:
        latest = deploys.latest(tx)
    if latest is not None and latest[1] == files:
        return ""
    try:
        project = sound(files)
    except SequenceError as error:
        if latest is None:
            raise
        return f"the files have {counted(len(error.problems), 'fault')}, so the running version goes on; see `nurture check`"
    rules = rules or Rules()
    with store.write() as tx:
        by = f"deploy {deploys.following(deploys.hold(tx, alone=True))}"
        found = plan(tx, _running(tx), files, project, rules, now, by=by)
        if found.refusals and not found.touched:
            return f"{found.refusals[0].words}; the running version goes on; see `nurture plan`"
        if found.refusals or found.touched:
            return f"people stand where {', '.join(found.touched)} changed, so the running version goes on; see `nurture plan`"
        if not found.empty:
            _carry_out(tx, found, files, now, why="deployed by itself: no one's place was touched")
    return ""


def sound(files: Mapping[str, bytes]) -> Project:
    """These files as a project without faults. Raises SequenceError."""
    return build(0, files, Rules()).project


def _running(tx: Connection) -> tuple[int, Mapping[str, bytes], Project] | None:
    latest = deploys.latest(tx)
    return None if latest is None else (*latest, read_project(latest[1]))


def _version(number: int | None) -> str:
    return "no version" if number is None else f"version {number}"


def _carry_out(
    tx: Connection, found: Plan, files: Mapping[str, bytes], now: datetime, *, who: str = "", why: str = ""
) -> int:
    number = deploys.save(tx, files, now, who=who, why=why, plan=_on_record(found))
    for one in found.sequences:
        if one.diff.before is not None:
            rename(tx, one.diff.name, one.diff.renamed)
    for start in range(0, len(found.places), BATCH):
        _write(tx, found.places[start : start + BATCH], now)
    return number


def _write(tx: Connection, changed: Sequence[tuple[Enrollment, What]], now: datetime) -> None:
    enrollments.save(tx, [place for place, _ in changed])
    left = {place.id: "" for place, what in changed if what in ("moved", "ended")}
    if left:
        messages.cancel(tx, left, "an edit moved the person on")
    events.record(tx, [_note(place, what, now) for place, what in changed if what != "carried"])


def _note(place: Enrollment, what: What, now: datetime) -> events.Recorded:
    return events.Recorded(
        kind="ended" if what == "ended" else "edited",
        at=now,
        received_at=now,
        enrollment=place.id,
        subscriber=place.subscriber,
        sequence=place.sequence,
        step=place.step,
        reason=place.because,
    )


def _on_record(found: Plan) -> dict[str, object]:
    return {
        "digest": found.digest,
        "over": found.deployed,
        "ends": list(found.ends),
        "moves": [[m.sequence, m.source, m.target, m.what, m.people] for m in found.moves],
        "renamed": {one.diff.name: dict(one.diff.renamed) for one in found.sequences if one.diff.renamed},
        "mails": [found.mails_now, found.mails_soon],
    }
