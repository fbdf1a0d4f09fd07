"""How a life compares with what was expected of it: each difference in a sentence, with the reason from its turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nurture.language.stories import story_time
from nurture.language.words import SHORT_DAYS

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from nurture.rehearsal.calendar import Life, Mailed


def compare(life: Life, expect: Mapping[str, object], start: datetime, wall: ZoneInfo) -> list[str]:
    """The differences, none when all is as expected. `start` (UTC) is day 1 of the story, on this wall's clock."""
    path = [mail.step for mail in life.mails]
    found: list[str] = []
    if "path" in expect:
        found += _path(life, [str(step) for step in as_list(expect["path"])], path)
    for step in as_list(expect.get("never")):
        if step in path:
            place = path.index(str(step))
            found.append(f"never: {step} was mailed on {when(life.mails[place].at, wall)}, {_because(life, place)}")
    if "sent" in expect and expect["sent"] != len(path):
        found.append(f"sent: expected {expect['sent']}, was {len(path)}: {_arrow(path)}")
    for step, wanted in as_mapping(expect.get("at")).items():
        found += _time(life, step, str(wanted), start, wall)
    for step, answer in as_mapping(expect.get("answers")).items():
        found += _answer(life, step, answer)
    if "awards" in expect:
        wanted, got = {str(name) for name in as_list(expect["awards"])}, {*life.enrollment.awards}
        if wanted != got:
            found.append(
                f"awards: expected {', '.join(sorted(wanted)) or 'none'}, was {', '.join(sorted(got)) or 'none'}"
            )
    ended = life.enrollment.ended or "not at all"
    if "ends" in expect and expect["ends"] != ended:
        found.append(f"ends: expected {expect['ends']}, was {ended}, {_because(life, len(path))}")
    return found


def _path(life: Life, wanted: list[str], path: list[str]) -> list[str]:
    """Both paths whole, and where they part and why."""
    if path == wanted:
        return []
    place = next((place for place, pair in enumerate(zip(wanted, path, strict=False)) if pair[0] != pair[1]), None)
    if place is None:
        place = min(len(wanted), len(path))
    expected = f"`{wanted[place]}`" if place < len(wanted) else "no more mail"
    real = f"was `{path[place]}`" if place < len(path) else "no more was mailed"
    where = f"after `{path[place - 1]}`" if place else "first"
    return [
        f"path: expected {_arrow(wanted)}, was {_arrow(path)}",
        f"{where}: expected {expected}, {real}, {_because(life, place)}",
    ]


def _because(life: Life, place: int) -> str:
    """Why the mail at this place of the path was sent, or why none was, from the turns since the mail before it."""
    first = life.mails[place - 1].turn if place else 0
    last = life.mails[place].turn if place < len(life.mails) else len(life.turns)
    left = f"{life.mails[place - 1].step} left" if place else ""
    reasons = dict.fromkeys(because for _, because in life.turns[first:last] if because != left)
    return f"because {'; '.join(reasons) or 'nothing happened'}"


def _time(life: Life, step: str, wanted: str, start: datetime, wall: ZoneInfo) -> list[str]:
    place = next((place for place, mail in enumerate(life.mails) if mail.step == step), None)
    if place is None:
        return [f"at: {step}: expected {wanted}, was never mailed"]
    mail = life.mails[place]
    told, local = story_time(wanted), mail.at.astimezone(wall)
    number = _day(mail, start, wall)
    same_day = (
        told.date == local.date() if told.date is not None
        else told.weekday == local.weekday() if told.weekday is not None
        else told.day == number
    )  # fmt: skip
    if same_day and told.clock == local.time().replace(second=0, microsecond=0):
        return []
    weekday = SHORT_DAYS[local.weekday()]
    was = f"{weekday} {local.hour}:{local:%M} (day {number}, {local:%d %b %Y})"
    return [f"at: {step}: expected {wanted}, was {was}, {_because(life, place)}"]


def _day(mail: Mailed, start: datetime, wall: ZoneInfo) -> int:
    return (mail.at.astimezone(wall).date() - start.astimezone(wall).date()).days + 1


def _answer(life: Life, step: str, wanted: object) -> list[str]:
    kept = life.enrollment.answers.get(step)
    if kept is not None and str(kept.value) == str(wanted):
        return []
    if kept is not None:
        return [f"answers: {step}: expected {wanted}, was {kept.value}, in answer to {kept.step}"]
    mailed = any(mail.step == step for mail in life.mails)
    return [f"answers: {step}: expected {wanted}, was nothing{'' if mailed else ': it was never mailed'}"]


def when(at: datetime, wall: ZoneInfo) -> str:
    return f"{at.astimezone(wall):%a %d %b %H:%M}"


def as_mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def as_list(value: object) -> list[object]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _arrow(steps: list[str]) -> str:
    return " → ".join(steps) or "no mail"
