"""`proof:` of a sequence: what others said, each with the answers and attributes of those whom it is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nurture.language.problems import Problem, or_one_of
from nurture.language.sequence import Mark, Proof
from nurture.language.values import allow, line_of, parsed, table_of, text_of
from nurture.language.yaml import Items, Scalar, Table

if TYPE_CHECKING:
    from nurture.language.conditions import Path
    from nurture.language.page import Page
    from nurture.language.sequence import Sequence
    from nurture.language.yaml import Node

PROOF_KEYS = ("quote", "name", "picture", "date", "for")
EVERYONE = "everyone"
OLD = 2
"""Years after which words that others said are stale: nobody can tell whether they would still say them."""

Wanted = Mapping["Path", tuple[object, ...]]


def read_proof(node: Node | None, page: Page) -> tuple[Proof, ...]:
    if node is None:
        return ()
    if not isinstance(node, Items):
        page.faults.add("E103", node.mark, "proof is a list, each entry beginning with - quote:")
        return ()
    tables = [table_of(item, page.faults, "what someone said") for item in node.items]
    return tuple(_proof(table, page) for table in tables if table is not None)


def _proof(table: Table, page: Page) -> Proof:
    faults = page.faults
    allow(table, PROOF_KEYS, faults)
    quote, name = table.get("quote"), table.get("name")
    if quote is None and "quote" not in table.valueless:
        faults.add("E102", table.mark, "this proof quotes nobody; write quote: and the words")
    if name is None and "name" not in table.valueless:
        faults.add("E102", table.mark, "this proof does not say who said it; write name: as in Lena Berg, teacher")
    picture, said_on = table.get("picture"), table.get("date")
    return Proof(
        quote="" if quote is None else text_of(quote, faults, "quote").strip(),
        name="" if name is None else line_of(name, faults, "name"),
        picture="" if picture is None else parsed(picture, _picture, faults, "picture") or "",
        said_on=None if said_on is None else parsed(said_on, _day, faults, "date"),
        wanted=_wanted(table.get("for"), page),
        tagged="for" in table.keys or "for" in table.valueless,
    )


def _picture(written: str) -> str:
    """Mail programs fetch it from wherever the mail is read, so it has a whole address."""
    try:
        parts = urlsplit(written)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "https" or not parts.hostname or any(sign.isspace() for sign in written):
        raise ValueError(f"'{written}' is not where mail programs find it; write https://… to the end")
    return written


def _day(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise ValueError(f"'{written}' is not a day; write it like 2026-03-01") from None


def _wanted(node: Node | None, page: Page) -> Wanted:
    found: dict[Path, tuple[object, ...]] = {}
    if node is None or (isinstance(node, Scalar) and node.text == EVERYONE):
        return MappingProxyType(found)
    if not isinstance(node, Table):
        what = "say for whom this is by answer or attribute, as in {question: home}, or write everyone"
        page.faults.add("E103", node.mark, what)
        return MappingProxyType(found)
    names = page.names
    for key, value in node:
        root = names.repeats.get(key.text, key.text)
        if root in names.answers:
            allowed: tuple[object, ...] = names.answers[root] or ("yes",)
            found["answers", root] = _values(value, allowed, key.text, page)
        elif key.text in names.attributes:
            kind = names.attributes[key.text]
            found[(key.text,)] = _values(value, kind if isinstance(kind, tuple) else (), key.text, page)
        else:
            hint = or_one_of(key.text, (*names.answers, *names.attributes))
            page.faults.add("E205", key.mark, f"there is no step and no attribute '{key.text}'{hint}")
    return MappingProxyType(found)


def _values(node: Node, allowed: tuple[object, ...], name: str, page: Page) -> tuple[object, ...]:
    """One value or a list of them, any of which will do."""
    scalars = node.items if isinstance(node, Items) else [node]
    found: list[object] = []
    for one in scalars:
        if not isinstance(one, Scalar):
            page.faults.add("E103", one.mark, f"{name} is one word, or a list of words")
            continue
        value = one.value if one.value in allowed else one.text
        if allowed and value not in allowed:
            hint = or_one_of(one.text, [str(word) for word in allowed])
            page.faults.add("E103", one.mark, f"{name} is never '{one.text}'{hint}")
        found.append(value)
    return tuple(found)


def worn(sequence: Sequence, today: date) -> Iterator[Problem]:
    """Proof that says not for whom it is, or that is so old that nobody can stand for it."""
    for number, one in enumerate(sequence.proof):
        mark = sequence.marks.get(("proof", number)) or Mark(1, 1)
        if not one.tagged:
            what = "this proof does not say for whom it is; write for: {STEP: ANSWER}, or for: everyone"
            yield Problem(sequence.file, mark.line, mark.column, "W409", what, mark.width)
        if one.said_on is not None and _years(one.said_on, today) >= OLD:
            what = f"this was said on {one.said_on}, more than {OLD} years ago; ask them again, or remove it"
            yield Problem(sequence.file, mark.line, mark.column, "W409", what, mark.width)


def _years(since: date, today: date) -> int:
    return today.year - since.year - ((today.month, today.day) < (since.month, since.day))
