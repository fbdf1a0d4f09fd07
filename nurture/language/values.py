"""Reading one value from a node: a text, a name, a whole number, a list, a time. Each says what is wrong where it is,
and then gives something harmless, so that one fault does not bring forth others.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeVar

from nurture.language.words import NAME
from nurture.language.yaml import Items, Scalar, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from nurture.language.faults import Faults
    from nurture.language.sequence import Mark
    from nurture.language.yaml import Node

T = TypeVar("T")

RESERVED = ("yes", "no", "next", "end", "go", "at", "after", "if", "split", "start", "event", "unsubscribe")
"""Words of the language, which nothing may be called."""


def allow(table: Table, known: Collection[str], faults: Faults, offer: Collection[str] = ()) -> None:
    """Report every key that is not known here. `offer` are those to name, where they are fewer."""
    for key, _ in table:
        if key.text not in known:
            hint = faults.hint(key.text, offer or known) or f"; known here: {', '.join(offer or known)}"
            faults.add("E101", key.mark, f"unknown key '{key.text}'{hint}")


def excused(table: Table, wanted: str, known: Collection[str]) -> bool:
    """Whether a missing key is there without a value, or under a name that is close to it; one fault is enough then."""
    if wanted in table.valueless:
        return True
    unknown = [key.text for key, _ in table if key.text not in known]
    return bool(get_close_matches(wanted, unknown[:50], n=1, cutoff=0.6))


def table_of(node: Node, faults: Faults, what: str) -> Table | None:
    if isinstance(node, Table):
        return node
    faults.add("E103", node.mark, f"{what} needs keys, each with a value (KEY: VALUE)")
    return None


def text_of(node: Node, faults: Faults, what: str) -> str:
    """A text; a number that was written without quotes is taken as its text."""
    if isinstance(node, Scalar):
        if node.text.strip():
            return node.text
        faults.add("E103", node.mark, f"{what} is empty; write some text")
    else:
        faults.add("E103", node.mark, f"{what} is one text; put quotes around text that begins with {{, [ or -")
    return ""


def line_of(node: Node, faults: Faults, what: str) -> str:
    """A text that stands in a mail's header, so it is one line."""
    text = text_of(node, faults, what).strip()
    if "\n" in text or "\r" in text:
        faults.add("E103", node.mark, f"{what} is one line; remove the line break")
    return text


def name_of(key: Scalar, faults: Faults, what: str, *, reserved: bool = True) -> str:
    """A name that the marketer gives: `[a-z][a-z0-9_]*`, and no word of the language."""
    if not NAME.fullmatch(key.text):
        plain = "".join(sign if sign.isalnum() and sign.isascii() else "_" for sign in key.text.lower()).strip("_")
        such = f", such as {plain}" if NAME.fullmatch(plain) else ""
        faults.add("E103", key.mark, f"'{key.text}' cannot name a {what}: use small letters, digits and _{such}")
    elif reserved and key.text in RESERVED:
        faults.add("E103", key.mark, f"'{key.text}' is a word of the language; give this {what} another name")
    return key.text


def names_of(node: Node, faults: Faults, what: str) -> list[str]:
    """A list of names."""
    if not isinstance(node, Items):
        faults.add("E103", node.mark, f"this is a list of {what}s, as in [one, two]")
        return []
    names = []
    for item in node.items:
        if isinstance(item, Scalar):
            names.append(name_of(item, faults, what))
        else:
            faults.add("E103", item.mark, f"a {what} is one word")
    return names


def known(node: Node, names: Iterable[str], faults: Faults, what: str) -> str:
    """A name that people.yaml must declare; E205 when it does not."""
    written = text_of(node, faults, f"the {what}")
    if written and written not in names:
        check_known(written, node.mark, names, faults, what)
    return written


def check_known(written: str, mark: Mark, names: Iterable[str], faults: Faults, what: str) -> None:
    if written not in (declared := tuple(names)):
        hint = faults.hint(written, declared) or f"; add it to people.yaml{_written_there(written, what)}"
        faults.add("E205", mark, f"people.yaml declares no {what} '{written}'{hint}")


def _written_there(name: str, what: str) -> str:
    shown = {
        "tag": f"tags: [{name}]", "product": f"products: [{name}]", "event": f"events: {{{name}: {{}}}}",
        "attribute": f"attributes: {{{name}: text}}", "sign-up": f"signups: {{{name}: {{title: One mail a week}}}}",
    }  # fmt: skip
    return f", like {shown[what]}" if what in shown else ""


def whole_of(node: Node, faults: Faults, what: str, least: int, most: int) -> int | None:
    if isinstance(node, Scalar) and isinstance(node.value, int) and not isinstance(node.value, bool):
        if least <= node.value <= most:
            return node.value
        faults.add("E103", node.mark, f"{what} is a whole number from {least} to {most}, not {node.value}")
        return None
    faults.add("E103", node.mark, f"{what} is a whole number from {least} to {most}")
    return None


def one_of(node: Node, allowed: tuple[str, ...], faults: Faults, what: str) -> str:
    written = text_of(node, faults, what)
    if written and written not in allowed:
        hint = faults.hint(written, allowed) or f"; write {', '.join(allowed)}"
        faults.add("E103", node.mark, f"'{written}' is not a {what}{hint}")
        return ""
    return written


def parsed(node: Node, read: Callable[[str], T], faults: Faults, what: str) -> T | None:
    """A text that `read` understands; its ValueError is the fault."""
    written = text_of(node, faults, what)
    if not written:
        return None
    try:
        return read(written)
    except ValueError as error:
        faults.add("E103", node.mark, f"{what}: {error}")
        return None
