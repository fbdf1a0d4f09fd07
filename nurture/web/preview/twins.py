"""What the pages of the preview say, as plain data: the same address with `.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nurture.mail.message import Message
    from nurture.web.preview.player import Choice, Played
    from nurture.web.preview.seeing import Fault, Seen


def seen_as_data(seen: Seen) -> dict[str, Any]:
    return {
        "format": "nurture.seen/1",
        "sequence": seen.shown.sequence.name,
        "step": seen.step.name,
        "person": seen.role,
        "language": seen.language or seen.languages[0],
        "stale": seen.shown.stale,
        "failure": seen.failure or None,
        "mail": _mail(seen.message),
        "checks": [{"name": one.name, "words": one.words, "tone": one.tone, "rows": one.rows} for one in seen.checks],
        "faults": _faults(seen.faults),
        "steps": [
            {"step": one.step.name, "ask": one.step.ask.kind, "subject": one.subject, "faults": one.faults,
             "reached": one.reached} for one in seen.steps
        ],
    }  # fmt: skip


def played_as_data(played: Played) -> dict[str, Any]:
    return {
        "format": "nurture.walk/1",
        "sequence": played.shown.sequence.name,
        "stale": played.shown.stale,
        "trouble": played.trouble or None,
        "now": played.now,
        "next": played.next,
        "step": played.step.name if played.step is not None else None,
        "because": played.because,
        "failure": played.failure or None,
        "mail": _mail(played.message),
        "timeline": [{"kind": one.kind, "when": one.when, "words": one.words} for one in played.lines],
        "can": _choices((*played.answers, *played.others)),
        "story": played.story,
    }


def _mail(message: Message | None) -> dict[str, str] | None:
    if message is None:
        return None
    return {
        "from": message.sender, "to": message.to, "subject": message.subject, "text": message.text, "html": message.html,
    }  # fmt: skip


def _faults(faults: Iterable[Fault]) -> list[dict[str, object]]:
    return [
        {
            "code": one.problem.code, "severity": one.problem.severity, "message": one.problem.message,
            "file": one.problem.file, "line": one.problem.line, "column": one.problem.column, "mine": one.mine,
        }
        for one in faults
    ]  # fmt: skip


def _choices(choices: Iterable[Choice]) -> list[dict[str, str]]:
    """What can be done next, each with the address of the walk in which it was done."""
    return [{"words": one.words, "link": one.link} for one in choices]
