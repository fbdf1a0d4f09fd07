"""The language reference as a page: prose that is kept beside this file, and tables that the schema fills in.

A line `<!-- keys: step -->` of the prose becomes the table of a step's keys: what the schema says of each, so that the
page, the editor and the reader of files cannot say three different things.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

from nurture.language import schema, schema_asks, schema_files
from nurture.language.kinds import KINDS
from nurture.language.schema_words import Schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROSE = Path(__file__).with_suffix(".md")
_PLACE = re.compile(r"^<!-- keys: (\w+) -->$", re.MULTILINE)

KINDS_OF_VALUE: Mapping[str, str] = {
    "duration": "[length of time](#lengths-of-time)",
    "moment": "[moment](#moments)",
    "story_time": "time of the story",
    "start": "[happening](#happenings), list, or long form",
    "happenings": "[happening](#happenings) or list",
    "address": "address",
    "rules": "[rules](#when-mail-may-leave)",
    "send": "`now` or [rules](#when-mail-may-leave)",
    "ask": "[ask](#the-ask)",
    "branch": "[branch](#branches)",
    "target_of_branch": "step, `next`, `end`, `unsubscribe` or split",
    "condition": "[condition](#conditions)",
    "name": "[name](#names)",
    "target": "web address",
    "film": "web address or file",
    "product": "product",
    "event": "event",
    "tag": "tag",
    "attribute": "attribute",
}
"""What a kind of value is called on the page, by its definition in the schema."""


BY_KEY: Mapping[str, str] = {
    "code": "text, or `{pool: NAME}`",
    "when": KINDS_OF_VALUE["happenings"],
    "days": "days, or a list",
    "events": "names with their data, or a list",
    "for": "answers and attributes, or `everyone`",
    "again": "`never`, `always` or a [length of time](#lengths-of-time)",
}
"""Where a key has several forms."""


def reference() -> str:
    """`docs/language.md`."""
    prose = PROSE.read_text(encoding="utf-8")
    return _PLACE.sub(lambda found: _TABLES[found[1]](), prose)


def keys_of(form: Schema) -> str:
    """A table of the keys of a form."""
    properties = cast("Mapping[str, Schema]", form["properties"])
    needed = [
        key for one in cast("list[Mapping[str, list[str]]]", form.get("allOf", [])) for key in one.get("required", ())
    ]
    rows = ["| key | what it is | written as | for example |", "|---|---|---|---|"]
    for key, said in properties.items():
        what = str(said.get("description", "")).strip()
        what = what[:1].upper() + what[1:] + ("" if what.endswith((".", ":")) else ".")
        if key in needed and "equired" not in what:
            what += " Required."
        if "default" in said:
            what += f" Left out: `{_written(said['default'])}`."
        examples = cast("list[object]", said.get("examples", []))
        shown = "<br>".join(f"`{_example(key, one)}`" for one in examples)
        rows.append(
            "| " + " | ".join(_cell(one) for one in (f"`{key}`", what, BY_KEY.get(key) or _kind(said), shown)) + " |"
        )
    return "\n".join(rows)


def _example(key: str, value: object) -> str:
    return f"{key}: {_written(value)}"


def _kinds_of_ask() -> str:
    rows = ["| ask | a yes is | other keys | size |", "|---|---|---|---|"]
    for kind, form in KINDS.items():
        if form.later:
            continue
        keys = ", ".join(f"`{key}`" + (" (required)" if key in form.required else "") for key in form.keys)
        rows.append(f"| `{kind}: {form.example}` | {form.says} | {keys} | {form.size} |")
    return "\n".join(rows)


def _kind(form: Schema) -> str:
    inner = form.get("allOf")
    if isinstance(inner, list) and len(inner) == 1 and "$ref" in inner[0]:
        return KINDS_OF_VALUE.get(str(inner[0]["$ref"]).rpartition("/")[2], "text")
    if "enum" in form:
        return "one of " + ", ".join(f"`{one}`" for one in cast("list[object]", form["enum"]))
    match form.get("type"):
        case "integer":
            least, most = form.get("minimum"), form.get("maximum")
            return "whole number" + (f", {least} to {most}" if most is not None else "")
        case "array":
            return "list"
        case "object":
            return "keys with values"
        case _:
            return "text" if "type" in form else "[branch](#branches)" if "if" not in form else "text or list"


def _written(value: object) -> str:
    """A value as it stands in YAML, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_written(one) for one in value) + "]"
    return str(value)


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def _inner(kind: str, *path: str) -> Callable[[], str]:
    def table() -> str:
        node = schema_files.SCHEMAS[kind]() if kind != "sequence" else {"definitions": schema.forms(), **schema.top()}
        for key in path:
            node = cast("Schema", node[key])
        return keys_of(node)

    return table


_TABLES: Mapping[str, Callable[[], str]] = {
    "sequence": _inner("sequence"),
    "start": lambda: keys_of(schema.long_start()),
    "happening": lambda: keys_of({"properties": schema.named_happenings()}),
    "rules": _inner("sequence", "definitions", "rules"),
    "step": _inner("sequence", "definitions", "step"),
    "kinds": _kinds_of_ask,
    "ask": lambda: keys_of({"properties": schema_asks.ask_details()}),
    "arm": _inner("sequence", "definitions", "conditional_arm"),
    "story": _inner("sequence", "definitions", "story"),
    "given": _inner("sequence", "definitions", "story", "properties", "given"),
    "expect": _inner("sequence", "definitions", "story", "properties", "expect"),
    "translation": _inner("language", "definitions", "step"),
    "translation_ask": _inner("language", "definitions", "ask"),
    "proof": _inner("sequence", "definitions", "proof"),
    "badge": _inner("sequence", "definitions", "badge"),
    "people": _inner("people"),
    "signup": _inner("people", "definitions", "signup"),
}
