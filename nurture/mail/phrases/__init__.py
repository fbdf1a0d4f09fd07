"""The sentences that mails and pages have of their own, one data file per language; English where one has none."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.language.sequence import ENGLISH, language_code

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Phrases:
    """`mail` and `page` are sentences by name; `moment` is how days and months make a date."""

    days: tuple[str, ...]
    months: tuple[str, ...]
    moment: str
    mail: Mapping[str, str]
    page: Mapping[str, str]


def phrases(language: str) -> Phrases:
    """The sentences in this language; `de-AT` reads `de`."""
    base = language_code(language).partition("-")[0]
    return _read(base if base in languages() else ENGLISH)


@cache
def languages() -> tuple[str, ...]:
    """The languages there are sentences in."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def _read(language: str) -> Phrases:
    said = tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    english = said if language == ENGLISH else tomllib.loads((FOLDER / f"{ENGLISH}.toml").read_text(encoding="utf-8"))
    whole = {**english, **said}
    return Phrases(
        days=tuple(whole["days"]),
        months=tuple(whole["months"]),
        moment=whole["moment"],
        mail=MappingProxyType({**english["mail"], **said.get("mail", {})}),
        page=MappingProxyType({**english["page"], **said.get("page", {})}),
    )


def in_words(at: datetime, zone: ZoneInfo, language: str = ENGLISH) -> str:
    """A moment as people write it, on their own wall clock: `Thursday 26 November, 18:00`."""
    said = phrases(language)
    local = at.astimezone(zone)
    return said.moment.format(
        weekday=said.days[local.weekday()], day=local.day, month=said.months[local.month - 1], time=f"{local:%H:%M}"
    )
