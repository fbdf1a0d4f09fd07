"""A plan as the document `nurture.plan/1`: for programs, and to be kept until it is applied."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nurture.engine.becoming import GROUPS
from nurture.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from nurture.engine.applying import Agreed
    from nurture.engine.planning import Plan, SequencePlan
    from nurture.store.deploys import Row

FORMAT = "nurture.plan/1"


def document(found: Plan) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "deployed": found.deployed,
        "digest": found.digest,
        "ends": list(found.ends),
        "empty": found.empty,
        "sequences": [_sequence(one) for one in found.sequences],
        "files": list(found.other),
        "moves": [
            {"sequence": m.sequence, "from": m.source, "to": m.target or None, "what": m.what, "people": m.people}
            for m in found.moves
        ],
        "mails": {"now": found.mails_now, "within_a_day": found.mails_soon},
        "refused": [
            {"sequence": r.sequence, "step": r.step, "people": r.people, "message": r.words, "write": r.write}
            for r in found.refusals
        ],
        "problems": [
            {"file": p.file, "line": p.line, "column": p.column, "severity": p.severity, "code": p.code,
             "message": p.message}
            for p in found.done
        ],
    }  # fmt: skip


def _sequence(one: SequencePlan) -> dict[str, Any]:
    return {
        "name": one.diff.name,
        "change": "new" if one.diff.before is None else "gone" if one.diff.after is None else "changed",
        "inside": one.inside,
        "words": list(one.diff.words),
        "steps": [
            {
                "step": step.diff.name or None,
                "was": step.diff.was or None,
                "changes": [{"kind": d.kind, "words": d.words} for d in step.diff.differences],
                "people": {group: step.people.of(group) for group in GROUPS},
                "becomes": {group: list(words) for group, words in step.becomes.items()},
            }
            for step in one.steps
        ],
    }


def deploy_document(row: Row) -> dict[str, Any]:
    """A version on record, as one of `nurture.deploys/1`."""
    now, soon = row.plan.get("mails", (0, 0))
    return {
        "version": row.id,
        "at": row.at.isoformat().replace("+00:00", "Z"),
        "who": row.who,
        "why": row.why,
        "moves": [
            {"sequence": sequence, "from": source, "to": target or None, "what": what, "people": people}
            for sequence, source, target, what, people in row.plan.get("moves", ())
        ],
        "mails": {"now": now, "within_a_day": soon},
    }


def keep(found: Plan, path: Path) -> None:
    """Write a plan down. Raises Refused where that cannot be."""
    try:
        path.write_text(json.dumps(document(found), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise Refused(f"--out {path}: {error.strerror or error}") from None


def agreed_to(path: Path, named: Path) -> Agreed:
    """What a kept plan says yes to. Raises Refused for a file that is none."""
    from nurture.engine.applying import Agreed

    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if known["format"] == FORMAT:
            return Agreed(known["deployed"], known["digest"], tuple(known["ends"]))
    except (OSError, ValueError, LookupError, TypeError):
        pass
    raise Refused(f"{named} is no plan; `nurture plan --out FILE` makes one")
