"""The pages of a form: their fields, what each takes, and how what a person typed becomes a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.language.people import convert
from nurture.language.values import allow, known, line_of, name_of, one_of
from nurture.language.yaml import Items, Table, key_of

if TYPE_CHECKING:
    from nurture.language.faults import Faults
    from nurture.language.sequence import AnswerKey, People
    from nurture.language.yaml import Node, Scalar

FIELD_KINDS = ("text", "number", "date", "yes_no", "choice", "consent")
SAVED_AS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "text": ("text",), "number": ("number",), "date": ("date", "yearly"), "yes_no": ("yes_no",),
        "consent": ("yes_no",),
    }
)  # fmt: skip
"""Which kinds of attribute can hold what a field of each kind takes. A choice is held by a text or a list of words."""

MOST_PAGES, MOST_FIELDS = 20, 20
LONGEST = 2_000
"""Characters a person may type into one field."""


@dataclass(frozen=True, slots=True)
class Field:
    """One question of a form. `answers` are those of a choice. `saved` is the kind of the attribute that keeps it."""

    kind: str
    words: str
    save: str
    answers: Mapping[AnswerKey, str] = field(default_factory=lambda: MappingProxyType({}))
    optional: bool = False
    saved: str | tuple[str, ...] = "text"

    def value(self, typed: str) -> object:
        """What was typed, as the attribute keeps it; None for nothing. Raises ValueError with the name of a complaint
        or a sentence.
        """
        cell = typed.strip()
        if self.kind == "consent":
            if cell == "yes":
                return True
            if self.optional:
                return False
            raise ValueError("consent")
        if not cell:
            if self.optional:
                return None
            raise ValueError("choose" if self.kind in ("choice", "yes_no") else "needed")
        if len(cell) > LONGEST:
            raise ValueError("too_long")
        if self.kind == "choice":
            chosen = next((key for key in self.answers if str(key) == cell), None)
            if chosen is None:
                raise ValueError("choose")
            return chosen if self.saved == "number" else str(chosen)
        try:
            return convert(self.saved, cell)
        except ValueError:
            raise ValueError(
                {"number": "no_number", "date": "no_date", "yes_no": "choose"}.get(self.kind, "no_text")
            ) from None

    def choices(self) -> tuple[AnswerKey, ...]:
        """What can be tapped: the answers of a choice, or yes and no."""
        return ("yes", "no") if self.kind == "yes_no" else tuple(self.answers)


@dataclass(frozen=True, slots=True)
class FormPage:
    """One page of a form. Its title is "" where none is written."""

    title: str
    fields: tuple[Field, ...]


def read_pages(node: Node | None, people: People, faults: Faults) -> tuple[FormPage, ...]:
    if node is None:
        return ()
    if not isinstance(node, Items):
        faults.add("E103", node.mark, "pages is a list of pages, each like - {title: About you, fields: [...]}")
        return ()
    saved: dict[str, Scalar] = {}
    found = []
    for item in node.items[:MOST_PAGES]:
        if not isinstance(item, Table):
            faults.add("E103", item.mark, "a page has a title and fields, as in {title: About you, fields: [...]}")
            continue
        allow(item, ("title", "fields"), faults)
        title = item.get("title")
        fields = item.get("fields")
        if not isinstance(fields, Items) or not fields.items:
            at = item.mark if fields is None else fields.mark
            faults.add("E103", at, "a page has fields, each like {text: What do you sell?, save: trade}")
            continue
        read = [_field(one, people, saved, faults) for one in fields.items[:MOST_FIELDS]]
        if len(fields.items) > MOST_FIELDS:
            faults.add("E103", fields.items[MOST_FIELDS].mark, f"a page has {MOST_FIELDS} fields at most; add a page")
        there = tuple(one for one in read if one is not None)
        found.append(FormPage("" if title is None else line_of(title, faults, "the title of a page"), there))
    if len(node.items) > MOST_PAGES:
        faults.add("E103", node.items[MOST_PAGES].mark, f"a form has {MOST_PAGES} pages at most; ask for less")
    if not node.items:
        faults.add("E103", node.mark, "this form has no page; ask one thing at least")
    return tuple(page for page in found if page.fields)


def _field(node: Node, people: People, saved: dict[str, Scalar], faults: Faults) -> Field | None:
    if not isinstance(node, Table):
        faults.add("E103", node.mark, "a field begins with its kind, as in {text: What do you sell?, save: trade}")
        return None
    named = [key for key in node.keys.values() if key.text in FIELD_KINDS]
    if len(named) != 1:
        mark = named[1].mark if named else node.mark
        faults.add("E103", mark, f"a field begins with its kind, one of {', '.join(FIELD_KINDS)}, and has one question")
        return None
    kind = named[0].text
    allow(node, (kind, "save", "optional", *(("answers",) if kind == "choice" else ())), faults)
    words = line_of(node.values[kind], faults, "the words of a field")
    answers = read_answers(node.get("answers"), faults) if kind == "choice" else {}
    if kind == "choice" and node.get("answers") is None:
        faults.add("E102", named[0].mark, "this choice has no answers; write answers: {home: A home, auto: A car}")
    optional = False
    if (written := node.get("optional")) is not None:
        optional = one_of(written, ("yes", "no"), faults, "way to say it is optional") == "yes"
    save = node.get("save")
    if save is None:
        faults.add(
            "E102", named[0].mark, "this field does not say where its answer is kept; write save: and an attribute"
        )
        return Field(kind, words, "", MappingProxyType(answers), optional)
    if kind == "choice":
        name = saved_answer(save, answers, people, faults)
    else:
        name = known(save, people.attributes, faults, "attribute")
        has = people.attributes.get(name, SAVED_AS[kind][0])
        if has not in SAVED_AS[kind]:
            has_words = has if isinstance(has, str) else "list of words"
            faults.add(
                "E103", save.mark,
                f"'{name}' is of the kind {has_words}, and this field takes a {kind}; save it as a {SAVED_AS[kind][0]}",
            )  # fmt: skip
    if name in saved:
        faults.add("E103", save.mark, f"'{name}' keeps the answer to another question of this form; save one elsewhere")
    saved[name] = node.keys["save"]
    return Field(kind, words, name, MappingProxyType(answers), optional, people.attributes.get(name, "text"))


def read_answers(node: Node | None, faults: Faults) -> dict[AnswerKey, str]:
    """The answers of a poll, or of a choice in a form."""
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


def saved_answer(node: Node, answers: Mapping[AnswerKey, str], people: People, faults: Faults) -> str:
    """The attribute that keeps one of these answers."""
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
