"""The kinds of ask, one table; and how what is written becomes an Ask. Steps and branches are not known here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from nurture.language import words
from nurture.language.sequence import Ask, AskKind
from nurture.language.values import allow, excused, known, line_of, name_of, parsed, text_of, whole_of
from nurture.language.yaml import Scalar, Table, key_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from nurture.language.faults import Faults
    from nurture.language.sequence import AnswerKey, People
    from nurture.language.yaml import Node


@dataclass(frozen=True, slots=True)
class AskForm:
    """What an ask of one kind is made of, beside the key that names it. `later` kinds are known but do not work yet."""

    size: int
    keys: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    later: bool = False


KINDS: Mapping[AskKind, AskForm] = MappingProxyType(
    {
        "click": AskForm(1, keys=("to",), required=("to",)),
        "poll": AskForm(1, keys=("answers", "save"), required=("answers",)),
        "download": AskForm(2, keys=("label",)),
        "watch": AskForm(2, later=True),
        "reply": AskForm(2, keys=("label",)),
        "form": AskForm(3, later=True),
        "event": AskForm(3, keys=("label", "to"), required=("to",)),
        "refer": AskForm(4, keys=("friends", "signup", "label"), required=("friends",)),
        "buy": AskForm(5, keys=("label", "price", "to", "code", "expires", "missed"), required=("to",)),
    }
)
BIGGEST = 5
MOST_FRIENDS = 1_000
PLACEHOLDER = Ask("click", "", 1)
"""Stands where an ask could not be read, so that the rest of the page can be."""

_EXPRESSION = re.compile(r"\{\{.*?\}\}")
_START_NAME = re.compile(r"\bstart\.(\w+)")


def read_ask(table: Table, people: People, start: Collection[str], faults: Faults) -> Ask:
    """One ask. `start` are the names that the start event carries, which a target may use."""
    named = [key for key in table.keys.values() if key.text in KINDS]
    if not named:
        _no_kind(table, faults)
        return PLACEHOLDER
    if len(named) > 1:
        what = f"a mail has one ask, and this one has two: {named[0].text} and {named[1].text}; make a step of each"
        faults.add("E103", named[1].mark, what)
        return PLACEHOLDER
    kind = cast("AskKind", named[0].text)
    form = KINDS[kind]
    if form.later:
        faults.add("E103", named[0].mark, f"the ask '{kind}' comes in a later version; ask for a click or a poll")
        return PLACEHOLDER
    keys = (kind, *form.keys, "size")
    allow(table, keys, faults)
    for key in form.required:
        if table.get(key) is None and not excused(table, key, keys):
            faults.add("E102", named[0].mark, missing(kind, key))
    return _ask(kind, table, people, start, faults)


def _no_kind(table: Table, faults: Faults) -> None:
    for key, _ in table:
        if hint := faults.hint(key.text, KINDS):
            faults.add("E101", key.mark, f"unknown key '{key.text}'{hint}")
            return
    known_kinds = ", ".join(kind for kind, form in KINDS.items() if not form.later)
    faults.add("E102", table.mark, f"this ask names no kind; begin it with one of {known_kinds}")


def missing(kind: AskKind, key: str) -> str:
    """What to say of an ask that lacks a key it needs."""
    if key == "answers":
        return "this poll has no answers; write answers: {yes_please: Yes please, not_now: Not now}"
    if key == "friends":
        return "say how many friends it takes, as in friends: 3"
    return f"this {kind} leads nowhere; write to: https://…"


def _ask(kind: AskKind, table: Table, people: People, start: Collection[str], faults: Faults) -> Ask:
    def line(key: str) -> str:
        node = table.get(key)
        return "" if node is None else line_of(node, faults, key)

    first = table.values[kind]
    form = KINDS[kind]
    answers = _answers(table.get("answers"), faults) if kind == "poll" else {}
    size = form.size
    if (node := table.get("size")) is not None:
        size = whole_of(node, faults, "size", 1, BIGGEST) or size
    words_, name = "", ""
    match kind:
        case "click" | "poll" | "reply" | "refer":
            words_ = line_of(first, faults, "the words of the ask")
        case "download":
            name = _file(first, faults)
        case "event":
            name = known(first, people.events, faults, "event")
        case _:
            name = known(first, people.products, faults, "product")
    label = line("label") or {"click": words_, "reply": "Reply", "refer": words_}.get(kind, "")
    expires = None
    if kind == "buy" and (node := table.get("expires")) is not None:
        expires = parsed(node, words.duration, faults, "expires")
    code, pool = _code(table.get("code"), faults) if kind == "buy" else ("", "")
    save = table.get("save") if kind == "poll" else None
    friends, signup = _friends(table, people, faults) if kind == "refer" else (0, "")
    return Ask(
        kind=kind,
        words=words_ or label or _default_words(kind, name),
        size=size,
        name=name,
        label=label or ("" if kind == "poll" else _default_words(kind, name)),
        to=read_target(table.get("to"), start, faults) if "to" in form.keys else "",
        answers=MappingProxyType(answers),
        save="" if save is None else _save(save, answers, people, faults),
        price=line("price") if kind == "buy" else "",
        code=code,
        pool=pool,
        expires=expires,
        missed=_missed(table.get("missed"), faults) if kind == "buy" else "",
        friends=friends,
        signup=signup,
    )


def _friends(table: Table, people: People, faults: Faults) -> tuple[int, str]:
    """How many friends it takes, and the form they come by: the first of people.yaml where none is named."""
    wanted = table.get("friends")
    many = None if wanted is None else whole_of(wanted, faults, "friends", 1, MOST_FRIENDS)
    if (node := table.get("signup")) is not None:
        return many or 1, known(node, people.signups, faults, "sign-up")
    if not people.signups and many is not None:
        what = (
            "friends need a form to come by; declare one in people.yaml, like signups: {news: {title: One mail a week}}"
        )
        faults.add("E205", table.keys["refer"].mark, what)
    return many or 1, next(iter(people.signups), "")


def _code(node: Node | None, faults: Faults) -> tuple[str, str]:
    """One code for all, or the pool that each person gets one of their own from."""
    if node is None:
        return "", ""
    if not isinstance(node, Table):
        return line_of(node, faults, "code"), ""
    allow(node, ("pool",), faults)
    pool = node.get("pool")
    if pool is None:
        if not excused(node, "pool", ("pool",)):
            faults.add("E103", node.mark, "a code is one word for all, or one of a pool for each: code: {pool: spring}")
        return "", ""
    if not isinstance(pool, Scalar):
        faults.add("E103", pool.mark, "the name of a pool is one word")
        return "", ""
    return "", name_of(pool, faults, "pool")


def _missed(node: Node | None, faults: Faults) -> str:
    """Where the link of an offer leads when it is over: the same address for everyone."""
    target = read_target(node, (), faults)
    if node is not None and "{{" in target:
        faults.add("E103", node.mark, "missed is one address for everyone; write it in full, without {{ }}")
        return ""
    return target


def _default_words(kind: AskKind, name: str) -> str:
    return {"download": f"Download {name.rpartition('/')[2]}", "buy": f"Get the {name.replace('_', ' ')}"}.get(
        kind, "Continue"
    )


def _answers(node: Node | None, faults: Faults) -> dict[AnswerKey, str]:
    found: dict[AnswerKey, str] = {}
    if node is None:
        return found
    if not isinstance(node, Table):
        faults.add("E103", node.mark, "answers are names with words, as in {home: A home loan, auto: An auto loan}")
        return found
    for key, value in node:
        name = key_of(key)
        if isinstance(name, str):
            name_of(key, faults, "answer")
        found[name] = line_of(value, faults, f"the words of '{name}'")
    if len(found) < 2 and not node.valueless:
        faults.add("E103", node.mark, "a poll has two answers or more; to ask for one thing, write click")
    return found


def _save(node: Node, answers: Mapping[AnswerKey, str], people: People, faults: Faults) -> str:
    name = known(node, people.attributes, faults, "attribute")
    kind = people.attributes.get(name, "text")
    if kind in ("date", "yearly", "yes_no"):
        faults.add("E103", node.mark, f"'{name}' is of the kind {kind}, which cannot hold an answer; make it a text")
    elif kind == "number":
        worded = [answer for answer in answers if isinstance(answer, str)]
        if worded:
            faults.add("E103", node.mark, f"'{name}' is a number, which cannot hold the answer '{worded[0]}'")
    elif isinstance(kind, tuple):
        for answer in answers:
            if str(answer) not in kind:
                what = f"'{name}' cannot be '{answer}'; add it to the words of {name} in people.yaml"
                faults.add("E103", node.mark, what)
                break
    return name


def _file(node: Node, faults: Faults) -> str:
    name = text_of(node, faults, "the file")
    if name.startswith("/") or "\\" in name or ".." in name.split("/"):
        faults.add("E103", node.mark, f"'{name}' is not in the folder files; write its name there, as in guide.pdf")
        return ""
    return name


def read_target(node: Node | None, start: Collection[str], faults: Faults) -> str:
    """A web address; it may hold `{{ start.NAME }}`."""
    if node is None:
        return ""
    written = text_of(node, faults, "to").strip()
    if not written:
        return ""
    for expression in _EXPRESSION.findall(written):
        for name in _START_NAME.findall(expression):
            if name not in start:
                hint = faults.hint(name, start) or "; people.yaml declares the data of events"
                faults.add("E205", node.mark, f"unknown name 'start.{name}'{hint}")
    if (complaint := _complaint(written)) is not None:
        faults.add("E103", node.mark, complaint)
        return ""
    return written


def _complaint(written: str) -> str | None:
    bare = _EXPRESSION.sub("x", written)
    if written.startswith("{{"):
        return None
    try:
        parts = urlsplit(bare)
        host = parts.hostname
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        return f"'{written}' is not a web address; write it in full, like https://example.com/page"
    if any(sign.isspace() or ord(sign) < 32 for sign in bare):
        return f"'{written}' has a space in it; write %20 instead"
    if parts.username or parts.password:
        return "a web address in a mail must not hold a user name or password; remove what stands before the @"
    return None
