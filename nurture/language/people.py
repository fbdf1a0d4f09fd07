"""`people.yaml`: what we know of people, and how a cell of a CSV file or a field of the API becomes such a value."""

from __future__ import annotations

import re
from datetime import date, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from nurture.language import conditions, words
from nurture.language.faults import Faults
from nurture.language.problems import did_you_mean
from nurture.language.sequence import People
from nurture.language.signups import read_signups
from nurture.language.values import allow, name_of, names_of, table_of
from nurture.language.yaml import Items, Scalar, Table, compose

if TYPE_CHECKING:
    from nurture.language.problems import Problem
    from nurture.language.yaml import Node

Kind = str | tuple[str, ...]

KINDS = ("text", "number", "date", "yearly", "yes_no")
TAKEN = conditions.RESERVED | {
    *words.KNOWN_MOMENTS,
    "email",
    "ask",
    "said",
    "offer",
    "friends",
    "leaderboard",
    "step_number",
}
"""Names that conditions, moments and templates already give a meaning."""

LONGEST_TEXT = 10_000
_NUMBER = re.compile(r"[-+]?\d{1,18}(\.\d{1,18})?")
_YEARLY = re.compile(r"(?:(\d{4})-|--)?(\d{1,2})-(\d{1,2})")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?\s?(Z|[+-]\d{2}:?\d{2})?")
_YES_NO = {
    "yes": True, "y": True, "true": True, "on": True, "1": True,
    "no": False, "n": False, "false": False, "off": False, "0": False,
}  # fmt: skip


class ReadPeople(NamedTuple):
    """What `people.yaml` declares, as far as it could be read, and its faults."""

    people: People
    problems: tuple[Problem, ...]


def read_people(text: bytes | str, file: str = "people.yaml") -> ReadPeople:
    faults = Faults(file)
    root = compose(text, faults)
    people = People()
    if root is not None:
        table = table_of(root, faults, "people.yaml")
        if table is not None:
            people = _people(table, faults)
    return ReadPeople(people, faults.in_order())


def _people(table: Table, faults: Faults) -> People:
    allow(table, ("attributes", "events", "products", "tags", "signups"), faults)
    attributes: dict[str, Kind] = {}
    events: dict[str, MappingProxyType[str, Kind]] = {}
    if (node := table.get("attributes")) is not None and (kinds := table_of(node, faults, "attributes")) is not None:
        attributes = _fields(kinds, faults, "attribute", TAKEN)
    if (node := table.get("events")) is not None:
        if isinstance(node, Items):
            events = dict.fromkeys(names_of(node, faults, "event"), MappingProxyType({}))
        elif (named := table_of(node, faults, "events")) is not None:
            for key, value in named:
                event = name_of(key, faults, "event")
                empty = isinstance(value, Scalar) and value.value is None
                data = None if empty else table_of(value, faults, f"the data of {event}")
                events[event] = MappingProxyType({} if data is None else _fields(data, faults, "field", frozenset()))
    signups = table.get("signups")
    return People(
        signups=MappingProxyType({} if signups is None else read_signups(signups, attributes, faults)),
        attributes=MappingProxyType(attributes),
        events=MappingProxyType(events),
        products=_listed(table.get("products"), faults, "product"),
        tags=_listed(table.get("tags"), faults, "tag"),
    )


def _listed(node: Node | None, faults: Faults, what: str) -> tuple[str, ...]:
    return () if node is None else tuple(dict.fromkeys(names_of(node, faults, what)))


def _fields(table: Table, faults: Faults, what: str, taken: frozenset[str]) -> dict[str, Kind]:
    found: dict[str, Kind] = {}
    for key, value in table:
        if key.text in taken:
            faults.add("E103", key.mark, f"'{key.text}' already has a meaning; give this {what} another name")
            continue
        kind = _kind(value, faults)
        found[name_of(key, faults, what, reserved=False)] = kind
    return found


def _kind(node: Node, faults: Faults) -> Kind:
    if isinstance(node, Items):
        allowed = []
        for item in node.items:
            if isinstance(item, Scalar) and item.text.strip():
                allowed.append(item.text)
            else:
                faults.add("E103", item.mark, "a list of words holds words only")
        if not allowed:
            faults.add("E103", node.mark, "this list of words is empty; name the words that are allowed, or write text")
        return tuple(allowed) or "text"
    if isinstance(node, Scalar) and node.text in KINDS:
        return node.text
    written = node.text if isinstance(node, Scalar) else ""
    hint = faults.hint(written, KINDS) or f"; write {', '.join(KINDS)}, or a list of words"
    faults.add("E103", node.mark, f"'{written}' is not a kind of value{hint}")
    return "text"


def convert(kind: Kind, text: str) -> object:
    """A cell as the value that `kind` declares. Raises ValueError with a sentence for whoever wrote the cell.

    A number is an int or a float, `yes_no` a bool. A date is ISO text: `2026-11-24`, or with a time
    `2026-11-24T18:00:00`, with its offset if one was given. A yearly day is `11-24`; a year before it is dropped.
    """
    cell = text.strip()
    if "\x00" in cell or any("\ud800" <= sign <= "\udfff" for sign in cell):
        raise ValueError("this has characters in it that are no text")
    if len(cell) > LONGEST_TEXT:
        raise ValueError(f"this is longer than {LONGEST_TEXT:,} characters")
    if kind == "text":
        return cell
    if not cell:
        raise ValueError("there is nothing here")
    if isinstance(kind, tuple):
        return _word(kind, cell)
    return {"number": _number, "date": _date, "yearly": _yearly, "yes_no": _yes_no}[kind](cell)


def _number(cell: str) -> int | float:
    if not _NUMBER.fullmatch(cell):
        raise ValueError(f"'{cell}' is not a number; write it like 1200 or 12.5")
    return float(cell) if "." in cell else int(cell)


def _date(cell: str) -> str:
    try:
        if _DATE.fullmatch(cell):
            return date.fromisoformat(cell).isoformat()
        if _INSTANT.fullmatch(cell):
            return datetime.fromisoformat(cell.replace(" ", "T", 1).replace(" ", "")).isoformat()
    except ValueError:
        raise ValueError(f"'{cell}' is not a day of the calendar") from None
    raise ValueError(f"'{cell}' is not a date; write it like 2026-11-24 or 2026-11-24T18:00")


def _yearly(cell: str) -> str:
    match = _YEARLY.fullmatch(cell)
    if match is None:
        raise ValueError(f"'{cell}' is not a day of the year; write month and day like 11-24")
    year, month, day = match.groups()
    try:
        return f"{date(int(year or 2000), int(month), int(day)):%m-%d}"
    except ValueError:
        raise ValueError(f"'{cell}' is not a day of the calendar; write month and day like 11-24") from None


def _yes_no(cell: str) -> bool:
    if cell.lower() not in _YES_NO:
        raise ValueError(f"'{cell}' is neither yes nor no")
    return _YES_NO[cell.lower()]


def _word(allowed: tuple[str, ...], cell: str) -> str:
    by_fold = {word.casefold(): word for word in allowed}
    if cell.casefold() in by_fold:
        return by_fold[cell.casefold()]
    hint = did_you_mean(cell, allowed) or f"; write {', '.join(allowed[:-1])} or {allowed[-1]}".replace(
        "write  or ", "write "
    )
    raise ValueError(f"'{cell}' is not one of the words declared{hint}")
