"""`signups:` of people.yaml: the forms by which people put themselves on the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.language.problems import Problem, did_you_mean
from nurture.language.sending import read_address
from nurture.language.sequence import SignUp
from nurture.language.targets import read_target
from nurture.language.values import allow, check_known, line_of, name_of, one_of, table_of
from nurture.language.yaml import Items, Scalar, Table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from nurture.language.faults import Faults
    from nurture.language.sequence import Sequence
    from nurture.language.yaml import Node

SIGNUP = "signup:"
"""How the sequence of one mail is called that confirms a sign-up, before the form's name. No file can have this name."""

KEYS = ("title", "ask", "consent", "button", "start", "to", "confirm", "from", "roles", "disposable")


def confirms(sequence: str) -> bool:
    """Whether this is one of the sequences that only ask whether it was them who signed up."""
    return sequence.startswith(SIGNUP)


def read_signups(node: Node, attributes: Mapping[str, object], faults: Faults) -> dict[str, SignUp]:
    found: dict[str, SignUp] = {}
    named = table_of(node, faults, "signups")
    for key, value in named or ():
        name = name_of(key, faults, "sign-up")
        table = table_of(value, faults, f"the sign-up '{name}'")
        if table is not None:
            found[name] = _signup(name, table, attributes, faults, key)
    return found


def _signup(name: str, table: Table, attributes: Mapping[str, object], faults: Faults, key: Scalar) -> SignUp:
    allow(table, KEYS, faults)

    def line(word: str) -> str:
        node = table.get(word)
        return "" if node is None else line_of(node, faults, word)

    def chosen(word: str, allowed: tuple[str, str]) -> bool:
        """Whether the first of two words was chosen, which is also what is meant when nothing was written."""
        node = table.get(word)
        return node is None or one_of(node, allowed, faults, word) in (allowed[0], "")

    if table.get("title") is None and "title" not in table.valueless:
        what = f"the sign-up '{name}' has no title; write what one gets, as in title: One useful mail a week"
        faults.add("E102", key.mark, what)
    sender = table.get("from")
    return SignUp(
        name=name,
        title=line("title"),
        asks=tuple(_names(table.get("ask"), attributes, faults)),
        consent=line("consent"),
        button=line("button"),
        start=tuple(_words(table.get("start"), faults, "start")),
        to=read_target(table.get("to"), (), faults),
        confirms=chosen("confirm", ("yes", "no")),
        sender="" if sender is None else read_address(sender, faults, "from"),
        roles=chosen("roles", ("allow", "refuse")),
        disposable=not chosen("disposable", ("refuse", "allow")),
        mark=key.mark,
    )


def _names(node: Node | None, attributes: Mapping[str, object], faults: Faults) -> Iterator[str]:
    for item in _items(node, faults, "ask"):
        check_known(item.text, item.mark, attributes, faults, "attribute")
        if item.text in attributes:
            yield item.text


def _words(node: Node | None, faults: Faults, what: str) -> Iterator[str]:
    for item in _items(node, faults, what):
        yield item.text


def _items(node: Node | None, faults: Faults, what: str) -> Iterator[Scalar]:
    """A list of words, or one alone."""
    if node is None:
        return
    for item in node.items if isinstance(node, Items) else [node]:
        if isinstance(item, Scalar) and item.text.strip():
            yield item
        else:
            faults.add("E103", item.mark, f"{what} is a list of names, as in {what}: [one, two]")


def unknown_starts(
    signups: Mapping[str, SignUp], sequences: Mapping[str, Sequence], unread: Collection[str], file: str
) -> Iterator[Problem]:
    """Sign-ups that begin a sequence there is not, or that nobody would be the sender of.

    Of a file that could not be read (`unread`) only its own fault is told: it may well hold what is missed here.
    """
    for one in signups.values():
        for name in one.start:
            if name not in sequences and name not in unread:
                what = f"there is no sequence '{name}'{did_you_mean(name, sequences) or ''}"
                yield Problem(file, one.mark.line, one.mark.column, "E205", what, one.mark.width)
        if not one.sender and not sequences and not unread:
            what = f"nobody sends the mail that confirms '{one.name}'; write from: Ada Bright <ada@example.com>"
            yield Problem(file, one.mark.line, one.mark.column, "E102", what, one.mark.width)
