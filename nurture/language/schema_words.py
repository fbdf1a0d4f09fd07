"""The words in which a JSON Schema is written here: forms with a description, examples, and our own error messages.

Draft 7, because that is what editors know. `errorMessage`, `patternErrorMessage` and `markdownDescription` are read by
yaml-language-server, which the YAML extensions of the editors share; other programs pass over them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from nurture.language.values import RESERVED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Schema = dict[str, object]

NAME = rf"^(?!({'|'.join(RESERVED)})$)[a-z][a-z0-9_]*$"
DRAFT = "http://json-schema.org/draft-07/schema#"


def keyed(properties: Mapping[str, object], required: Mapping[str, str] | None = None) -> Schema:
    """A form with these keys and no others. `required` says of each key that must be there how to mend it."""
    form: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return (
        {**form, "allOf": [{"required": [key], "errorMessage": how} for key, how in required.items()]}
        if required
        else form
    )


def items(of: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": of}


def choose(*cases: tuple[Schema, Schema], otherwise: Schema) -> Schema:
    """The form of the first case that applies, so that one slip is one error."""
    chosen = otherwise
    for condition, form in reversed(cases):
        chosen = {"if": condition, "then": form, "else": chosen}
    return chosen


def is_a(kind: str) -> Schema:
    return {"type": kind}


def has(*keys: str) -> Schema:
    """An object with one of these keys."""
    if len(keys) == 1:
        return {"type": "object", "required": list(keys)}
    return {"type": "object", "anyOf": [{"required": [key]} for key in keys]}


def ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def say(form: Schema, description: str, *examples: object, default: object = None) -> Schema:
    """A form with words of its own. Draft 7 ignores what stands beside a `$ref`, so that goes inside, see `settled`."""
    said: Schema = {"description": description}
    if examples:
        said["examples"] = list(examples)
    if default is not None:
        said["default"] = default
    return {**said, "allOf": [form]} if "$ref" in form else {**form, **said}


def text(description: str, *examples: object, default: object = None) -> Schema:
    return say({"type": ["string", "number", "boolean"], "errorMessage": "write one text here"}, description, *examples,
               default=default)  # fmt: skip


def pattern(written: str, how: str, *examples: object) -> Schema:
    """A text of this pattern. `how` is what an editor says when it does not match."""
    form: Schema = {
        "type": "string",
        "pattern": written,
        "errorMessage": f"write {how}",
        "patternErrorMessage": f"write {how}",
    }
    return say(form, how, *examples)


def choice(words: Iterable[str], description: str) -> Schema:
    known = list(words)
    return {"description": description, "enum": known, "errorMessage": f"write one of {', '.join(known)}"}


def declared(names: Iterable[str], how: str) -> Schema:
    """Choices, where people.yaml declares some."""
    known = sorted(names)
    return choice(known, how) if known else pattern(r"^[a-z][a-z0-9_]*$", how)


def settled(form: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """The form with what `say` said of a reference put before what the reference says of itself.

    Editors show one description for a spot, and it must be that of the key, not only that of the kind of its value.
    """

    def walk(node: object) -> object:
        if isinstance(node, list):
            return [walk(one) for one in node]
        if not isinstance(node, dict):
            return node
        inner = node.get("allOf")
        if "description" in node and isinstance(inner, list) and len(inner) == 1 and "$ref" in inner[0]:
            meant = definitions[str(inner[0]["$ref"]).rpartition("/")[2]]
            own = {key: value for key, value in node.items() if key != "allOf"}
            if "properties" not in meant and "if" not in meant:
                how = meant.get("description")
                if how:
                    own["description"] = (
                        f"{own['description']} Write {how}." if "pattern" in meant else own["description"]
                    )
                return {**cast("Schema", walk(meant)), **own}
        return {key: walk(value) for key, value in node.items()}

    return cast("Schema", walk(form))
