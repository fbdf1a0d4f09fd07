"""How what is written becomes an Ask. Steps and branches are not known here."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.language import words
from nurture.language.forms import read_answers, read_pages, saved_answer
from nurture.language.kinds import KINDS
from nurture.language.sequence import Ask
from nurture.language.targets import read_target
from nurture.language.values import allow, excused, known, line_of, name_of, one_of, parsed, text_of, whole_of
from nurture.language.yaml import Scalar, Table

if TYPE_CHECKING:
    from collections.abc import Collection

    from nurture.language.faults import Faults
    from nurture.language.sequence import People
    from nurture.language.yaml import Node


BIGGEST = 5
MOST_FRIENDS = 1_000
PLACEHOLDER = Ask("click", "", 1)
"""Stands where an ask could not be read, so that the rest of the page can be."""

ENOUGH = 60
"""How much of a video has to be played where nothing else is written, in percent."""

_PERCENT = re.compile(r"(\d{1,3})\s*%")


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
    kind = named[0].text
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


def missing(kind: str, key: str) -> str:
    """What to say of an ask that lacks a key it needs."""
    if key == "answers":
        return "this poll has no answers; write answers: {yes_please: Yes please, not_now: Not now}"
    if key == "friends":
        return "say how many friends it takes, as in friends: 3"
    if key == "pages":
        return "this form has no pages; write pages: and a list, each with fields: [{text: What do you sell?, save: trade}]"
    return f"this {kind} leads nowhere; write to: https://…"


def _ask(kind: str, table: Table, people: People, start: Collection[str], faults: Faults) -> Ask:
    def line(key: str) -> str:
        node = table.get(key)
        return "" if node is None else line_of(node, faults, key)

    first = table.values[kind]
    form = KINDS[kind]
    answers = read_answers(table.get("answers"), faults) if kind == "poll" else {}
    size = form.size
    if (node := table.get("size")) is not None:
        size = whole_of(node, faults, "size", 1, BIGGEST) or size
    words_, name = "", ""
    match form.carries:
        case "words":
            words_ = line_of(first, faults, "the words of the ask")
        case "file":
            name = _file(first, faults)
        case "name":
            name = name_of(first, faults, kind) if isinstance(first, Scalar) else line_of(first, faults, kind)
        case "event":
            name = known(first, people.events, faults, "event")
        case "product":
            name = known(first, people.products, faults, "product")
    label = line("label") or (form.label if kind == "reply" else "" if kind == "poll" else words_)
    expires = None
    if "expires" in form.keys and (node := table.get("expires")) is not None:
        # what cannot be read is an end all the same, so that no mail that prints it is faulted as well
        expires = parsed(node, words.duration, faults, "expires") or words.duration("2 days")
    code, pool = _code(table.get("code"), faults) if "code" in form.keys else ("", "")
    if kind == "form" and expires is not None and not (code or pool) and not excused(table, "code", form.keys):
        what = "expires is how long the code of a form is good, and this form has none; write code: {pool: NAME}"
        faults.add("E103", table.keys["expires"].mark, what)
    save = table.get("save") if kind == "poll" else None
    to, shown = "", table.get("to") if "to" in form.keys else None
    if kind == "watch" and isinstance(shown, Scalar) and "//" not in shown.text and not shown.text.startswith("{{"):
        name = _file(shown, faults)
    else:
        to = read_target(shown, start, faults)
    friends, signup = _friends(table, people, faults) if kind == "refer" else (0, "")
    return Ask(
        kind=kind,
        words=words_ or label or _default_words(kind, name),
        size=size,
        name=name,
        label=label or ("" if kind == "poll" else _default_words(kind, name)),
        to=to,
        answers=MappingProxyType(answers),
        save="" if save is None else saved_answer(save, answers, people, faults),
        price=line("price") if kind == "buy" else "",
        code=code,
        pool=pool,
        expires=expires,
        missed=_missed(table.get("missed"), faults) if kind == "buy" else "",
        friends=friends,
        signup=signup,
        pages=read_pages(table.get("pages"), people, faults) if kind == "form" else (),
        at_least=_share(table.get("at_least"), faults) if kind == "watch" else 0,
        results=_results(table.get("results"), faults) if kind == "poll" else False,
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


def _share(node: Node | None, faults: Faults) -> int:
    """How much of a video has to be played, in percent."""
    if node is None:
        return ENOUGH
    match = _PERCENT.fullmatch(node.text.strip()) if isinstance(node, Scalar) else None
    if match is None or not 1 <= int(match[1]) <= 100:
        faults.add("E103", node.mark, "at_least is a whole percentage from 1% to 100%, such as 60%")
        return ENOUGH
    return int(match[1])


def _results(node: Node | None, faults: Faults) -> bool:
    return node is not None and one_of(node, ("shown", "hidden"), faults, "way to treat results") == "shown"


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


def _default_words(kind: str, name: str) -> str:
    form = KINDS[kind]
    match form.carries:
        case "file":
            return f"Download {name.rpartition('/')[2]}"
        case "product":
            return f"Get the {name.replace('_', ' ')}"
    return form.label


def _file(node: Node, faults: Faults) -> str:
    name = text_of(node, faults, "the file")
    if name.startswith("/") or "\\" in name or ".." in name.split("/"):
        faults.add("E103", node.mark, f"'{name}' is not in the folder files; write its name there, as in guide.pdf")
        return ""
    return name
