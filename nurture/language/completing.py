"""What can stand at a place of a file that is being written: keys and words of the schema, and names of the project.

The text is broken while one types, so it is not parsed: indentation and the brackets of the line say where one is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Many
from dataclasses import dataclass

Schema = Mapping[str, object]
Names = Mapping[str, Many[str]]
"""Words by the key they may stand under. Those of `go` stand wherever a branch leads."""

MOST = 12
_KEY = re.compile(r"""^(\s*)((?:-\s+)*)["']?([\w.-]+)["']?:(\s|$)(.*)$""")
_FRAGMENT = re.compile(r"^(\s*)((?:-\s+)*)([\w.-]*)$")
_PRINT = re.compile(r"\{\{\s*([\w.]*)$")
_BRANCHES = ("yes", "no", "go", "split")
_NAMED_BY_STEPS = ("at", "answers", "does", "split", "changes")


@dataclass(frozen=True, slots=True)
class Completion:
    """A word, what it is for, what follows it, and how much of it is typed already."""

    word: str
    about: str
    then: str
    typed: int


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one types: the keys that lead there, whether a key is being written, and the letters so far."""

    path: tuple[str, ...]
    key: bool
    typed: str


def completions(text: str, at: int, schema: Schema, names: Names) -> list[Completion]:
    """What can stand at the character `at` of a YAML file of this schema."""
    spot = spot_of(text[:at])
    if spot is None:
        return []
    found = dict(_keys(spot, schema, names) if spot.key else _values(spot, schema, names))
    return _matching(found, spot.typed, ": " if spot.key else "")


def printed(text: str, at: int, names: Many[str]) -> list[Completion]:
    """What can be printed at the character `at` of a template, inside `{{`."""
    match = _PRINT.search(text[:at])
    return _matching(dict.fromkeys(names, ""), match[1], "") if match is not None else []


def _matching(found: Mapping[str, str], typed: str, then: str) -> list[Completion]:
    fitting = [word for word in found if word.startswith(typed) and word != typed]
    return [Completion(word, found[word], then, len(typed)) for word in fitting[:MOST]]


# --- where one is


def spot_of(before: str) -> Spot | None:
    """The spot at the end of a text; None in a comment, or where nothing can be said."""
    *above, line = before.split("\n")
    if line.lstrip().startswith("#"):
        return None
    stack: list[tuple[int, str]] = []
    for one in above:
        if (match := _KEY.match(one)) is not None and not one.lstrip().startswith("#"):
            _open(stack, len(match[1]) + len(match[2]), match[3])
    if (match := _FRAGMENT.match(line)) is not None:
        indent = len(match[1]) + len(match[2])
        return Spot(tuple(key for depth, key in stack if depth < indent), key=True, typed=match[3])
    if (match := _KEY.match(line)) is None or not match[4]:
        return _in_item(stack, line)
    _open(stack, len(match[1]) + len(match[2]), match[3])
    return _in_flow(tuple(key for _, key in stack), match[5])


def _open(stack: list[tuple[int, str]], indent: int, key: str) -> None:
    while stack and stack[-1][0] >= indent:
        stack.pop()
    stack.append((indent, key))


def _in_item(stack: list[tuple[int, str]], line: str) -> Spot | None:
    """`- {tour: yes, …` of a list: a value without a key of its own."""
    match = re.match(r"^(\s*)-\s+(.*)$", line)
    if match is None:
        return None
    return _in_flow(tuple(key for depth, key in stack if depth < len(match[1]) + 1), match[2])


def _in_flow(path: tuple[str, ...], rest: str) -> Spot | None:
    """Where the brackets of a value lead. A map's open key is its second entry, "" while it is being written."""
    stack: list[list[str]] = []
    word = quote = ""
    for place, sign in enumerate(rest):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'" and not word.strip():
            quote = sign
        elif sign in "{[":
            stack.append([sign, ""])
            word = ""
        elif sign in "}]":
            if stack:
                stack.pop()
            word = ""
        elif sign == "," and stack:
            stack[-1][1], word = "", ""
        elif sign == ":" and stack and stack[-1] == ["{", ""] and rest[place + 1 : place + 2] in ("", " "):
            stack[-1][1], word = word.strip(), ""
        elif sign == "#" and word.endswith(" "):
            return None
        else:
            word += sign
    if quote or rest.rstrip().endswith(("}", "]")):
        return None
    keys = tuple(key for _, key in stack if key)
    return Spot((*path, *keys), key=bool(stack) and stack[-1] == ["{", ""], typed=word.lstrip())


# --- what may stand there


def _keys(spot: Spot, schema: Schema, names: Names) -> Iterator[tuple[str, str]]:
    last = spot.path[-1] if spot.path else ""
    if last in _NAMED_BY_STEPS:
        yield from ((name, "") for name in names.get("step", ()))
    for form in _at(schema, spot.path):
        properties = form.get("properties")
        if isinstance(properties, Mapping):
            for key, value in properties.items():
                yield key, _about(value, schema)


def _values(spot: Spot, schema: Schema, names: Names) -> Iterator[tuple[str, str]]:
    last = spot.path[-1] if spot.path else ""
    branch = any(key in _BRANCHES for key in spot.path[-2:]) and last not in ("if", "after", "at")
    yield from ((name, "") for name in _reached(spot, names.get("go" if branch else last, ()), branch=branch))
    for form in _at(schema, spot.path):
        options = form.get("enum")
        yield from (
            (str(option), "") for option in (options if isinstance(options, list) else []) if option is not None
        )
        if isinstance(form.get("const"), str):
            yield str(form["const"]), ""


def _reached(spot: Spot, words: Many[str], *, branch: bool) -> Many[str]:
    """Of the steps: a branch leads to later ones, and an ask repeats an earlier one."""
    here = spot.path[1] if spot.path[:1] == ("steps",) and len(spot.path) > 1 else ""
    if here not in words or not (branch or spot.path[-1] == "ask"):
        return words
    place = list(words).index(here)
    return words[place + 1 :] if branch else words[:place]


def _at(schema: Schema, path: tuple[str, ...]) -> list[Schema]:
    """Every form that may stand at this path."""
    forms = list(_forms(schema, schema))
    for key in path:
        forms = [inner for form in forms for below in _below(form, key) for inner in _forms(below, schema)]
    return forms


def _below(form: Schema, key: str) -> Iterator[Schema]:
    properties, others = form.get("properties"), form.get("additionalProperties")
    if isinstance(properties, Mapping) and isinstance(properties.get(key), Mapping):
        yield properties[key]
    elif isinstance(others, Mapping):
        yield others


def _forms(form: Schema, whole: Schema, depth: int = 0) -> Iterator[Schema]:
    """A form and all it may be instead: alternatives, references, the items of a list."""
    if depth > 12:
        return
    yield form
    reference = form.get("$ref")
    if isinstance(reference, str):
        definitions = whole.get("definitions")
        if isinstance(definitions, Mapping):
            yield from _forms(definitions[reference.rpartition("/")[2]], whole, depth + 1)
    for name in ("allOf", "anyOf", "oneOf"):
        several = form.get(name)
        for one in several if isinstance(several, list) else []:
            yield from _forms(one, whole, depth + 1)
    for name in ("then", "else", "items"):
        one = form.get(name)
        if isinstance(one, Mapping):
            yield from _forms(one, whole, depth + 1)


def _about(form: object, whole: Schema) -> str:
    if not isinstance(form, Mapping):
        return ""
    words = next((str(one["description"]) for one in _forms(form, whole) if "description" in one), "")
    return words.partition(". ")[0][:90]
