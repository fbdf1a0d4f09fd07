"""The words of a form in another language: the same pages and fields in the same order, and nothing that decides."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.language.forms import FIELD_KINDS, FormPage
from nurture.language.values import allow, line_of
from nurture.language.yaml import Items, Table

if TYPE_CHECKING:
    from nurture.language.faults import Faults
    from nurture.language.forms import Field
    from nurture.language.sequence import Mark
    from nurture.language.yaml import Node


def pages_in_words(
    node: Node | None, at: Mark, pages: tuple[FormPage, ...], step: str, faults: Faults
) -> tuple[FormPage, ...]:
    """The pages with these words; what is missing stays as it is in the main file."""
    if node is None:
        faults.add("E309", at, f"the ask of '{step}' has no pages; write pages: with the words of each field, in order")
        return pages
    if not isinstance(node, Items) or len(node.items) != len(pages):
        faults.add("E309", node.mark, f"the form of '{step}' has {_count(len(pages), 'page')}; write as many, in order")
        return pages
    return tuple(_page(item, page, step, faults) for item, page in zip(node.items, pages, strict=True))


def _page(node: Node, page: FormPage, step: str, faults: Faults) -> FormPage:
    if not isinstance(node, Table):
        faults.add("E103", node.mark, "a page has a title and fields, as in {title: Über Sie, fields: [...]}")
        return page
    allow(node, ("title", "fields"), faults)
    title, fields = node.get("title"), node.get("fields")
    if page.title and title is None:
        faults.add("E309", node.mark, f"this page of '{step}' has no title; write title: and its words")
    if not isinstance(fields, Items) or len(fields.items) != len(page.fields):
        mark = node.mark if fields is None else fields.mark
        faults.add(
            "E309", mark, f"this page of '{step}' has {_count(len(page.fields), 'field')}; write as many, in order"
        )
        read = page.fields
    else:
        read = tuple(_field(one, field, faults) for one, field in zip(fields.items, page.fields, strict=True))
    return FormPage(page.title if title is None else line_of(title, faults, "the title of a page") or page.title, read)


def _field(node: Node, field: Field, faults: Faults) -> Field:
    if not isinstance(node, Table) or node.get(field.kind) is None:
        faults.add(
            "E309", node.mark, f"this field is a {field.kind} in the main file; write {field.kind}: and its words"
        )
        return field
    allow(node, (field.kind, *(("answers",) if field.answers else ())), faults, FIELD_KINDS)
    words = line_of(node.values[field.kind], faults, "the words of a field") or field.words
    answers = dict(field.answers)
    if field.answers:
        inside = node.get("answers")
        names = {str(name): name for name in field.answers}
        if not isinstance(inside, Table):
            faults.add("E309", node.mark, f"this choice has no answers; write the words of {', '.join(names)}")
        else:
            for key, _ in inside:
                if key.text not in names:
                    hint = faults.hint(key.text, names) or f"; its answers are {', '.join(names)}"
                    faults.add("E204", key.mark, f"this choice has no answer '{key.text}'{hint}")
            for text, name in names.items():
                said = inside.get(text)
                if said is None:
                    faults.add("E309", inside.mark, f"the answer '{text}' has no words")
                else:
                    answers[name] = line_of(said, faults, f"the words of '{text}'") or answers[name]
    return replace(field, words=words, answers=MappingProxyType(answers))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
