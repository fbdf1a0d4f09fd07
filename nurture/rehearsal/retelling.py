"""A walk told as a story: the YAML for `tests:` that plays it again and expects what came of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from nurture.language.stories import PLAIN
from nurture.language.words import SHORT_DAYS
from nurture.rehearsal.playing import WAIT, lived_on, tapped

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.rehearsal.calendar import Life
    from nurture.rehearsal.playing import Walk

WIDEST = 110
GIVEN = ("start", "timezone", "event", "attributes", "tags", "arms")
_BARE = re.compile(r"([A-Za-z_]|\d+ [a-z])[\w./@-]*( [\w.:/@-]+)*")
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def retell(walk: Walk, *, zone: str = "UTC") -> str:
    """One entry for `tests:`, as it stands in a file. After the last act there is silence, to the end."""
    life = lived_on(walk, zone=zone)
    lines = [f"  - name: {_scalar(_name(walk, life))}", *_entry("given", _given(walk))]
    if deeds := list(_deeds(walk)):
        lines += ["    does:", *(f"      - {_flow(deed)}" for deed in deeds)]
    return "\n".join([*lines, *_entry("expect", _expect(walk, life))]) + "\n"


def _name(walk: Walk, life: Life) -> str:
    did = [f"{act.what} {act.value}".strip() for act, _ in walk.acts if act.what != WAIT]
    return f"{', then '.join(did) or 'silence'}; ends {life.enrollment.ended or 'nowhere yet'}"


def _given(walk: Walk) -> dict[str, object]:
    return {name: walk.given[name] for name in GIVEN if walk.given.get(name)}


def _deeds(walk: Walk) -> Iterator[dict[str, object]]:
    for act, at in walk.acts:
        if act.what in walk.sequence.steps:
            left = next(mail.at for mail in walk.mails if mail.step == act.what)
            typed = tapped(walk.sequence.steps[act.what], act.value)
            yield {act.what: typed or act.value or "yes", "after": _length(at - left)}
        elif act.what != WAIT:
            yield {act.what: "yes" if act.what in PLAIN else act.value, "at": _day(walk, at)}


def _expect(walk: Walk, life: Life) -> dict[str, object]:
    """What is sure: every mail, when each left, what was kept, how it ended."""
    first = {mail.step: mail.at for mail in reversed(life.mails)}
    steps = [mail.step for mail in life.mails]
    found: dict[str, object] = {"path": steps}
    if steps:
        found["at"] = {step: _time(walk, first[step]) for step in dict.fromkeys(steps)}
    if life.enrollment.answers:
        found["answers"] = {step: answer.value for step, answer in life.enrollment.answers.items()}
    if life.enrollment.ended:
        found["ends"] = life.enrollment.ended
    return found


def _time(walk: Walk, at: datetime) -> str:
    """By the weekday in the first week, as people say it, then by the day."""
    local = at.astimezone(walk.wall)
    if at - walk.start >= timedelta(days=6):
        return _day(walk, at)
    return f"{SHORT_DAYS[local.weekday()]} {local.hour}:{local:%M}"


def _day(walk: Walk, at: datetime) -> str:
    local = at.astimezone(walk.wall)
    number = (local.date() - walk.start.astimezone(walk.wall).date()).days + 1
    return f"day {number} {local.hour}:{local:%M}"


def _length(length: timedelta) -> str:
    """In the largest unit that tells it whole. Elapsed time, as a story counts it."""
    seconds = max(1, round(length.total_seconds()))
    unit, size = next((unit, size) for unit, size in _UNITS if seconds % size == 0)
    number = seconds // size
    return f"{number} {unit}{'' if number == 1 else 's'}"


# --- YAML


def _entry(key: str, values: Mapping[str, object]) -> list[str]:
    """On one line where that is not too wide, else a line for each key."""
    line = f"    {key}: {_flow(values)}"
    if len(line) <= WIDEST:
        return [line]
    return [f"    {key}:", *(f"      {name}: {_flow(value)}" for name, value in values.items())]


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_scalar(key)}: {_flow(one)}' for key, one in value.items())}}}"
    if isinstance(value, list | tuple | frozenset):
        return f"[{', '.join(map(_flow, value))}]"
    return _scalar(value)


def _scalar(value: object) -> str:
    """Bare where YAML reads it as it is meant, else in quotes."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    return text if _BARE.fullmatch(text) and ": " not in text else json.dumps(text, ensure_ascii=False)
