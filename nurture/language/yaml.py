"""YAML as nodes that remember where they stand. Scalars are read as YAML 1.2 does: `yes`, `no`, `on`, `9:00` are text.

PyYAML's C parser gives the events; the nodes are our own, because its composer hides tags and aliases and recurses on
the C stack. What a node means is for others: here are only the faults of the notation itself (E104, E105, E106).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from nurture.language.sequence import Mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nurture.language.faults import Faults
    from nurture.language.sequence import Place

MAX_BYTES = 1_000_000
MAX_DEPTH = 30
MAX_NODES = 20_000

Value = str | int | float | bool | None


@dataclass(slots=True, eq=False)
class Scalar:
    """One word, number or text. `text` is what was written, `value` what YAML 1.2 makes of it."""

    value: Value
    text: str
    mark: Mark
    quoted: bool = False
    size: int = 1
    height: int = 0


@dataclass(slots=True, eq=False)
class Items:
    """A list."""

    mark: Mark
    items: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 1


@dataclass(slots=True, eq=False)
class Table:
    """A mapping, by the text of its keys.

    A key that was written twice has its first value; the others are `dropped`, each with how many keys came before it.
    `valueless` are keys without a value inside `{ }`.
    """

    mark: Mark
    flow: bool = False
    keys: dict[str, Scalar] = field(default_factory=dict)
    values: dict[str, Node] = field(default_factory=dict)
    dropped: list[tuple[int, Node]] = field(default_factory=list)
    valueless: set[str] = field(default_factory=set)
    size: int = 1
    height: int = 1

    def __iter__(self) -> Iterator[tuple[Scalar, Node]]:
        for text, key in self.keys.items():
            yield key, self.values[text]

    def get(self, key: str) -> Node | None:
        return self.values.get(key)


Node = Scalar | Items | Table

_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})?(\.[0-9]+|\.)?([eE][-+]?[0-9]{1,3})?")
_WORDS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None, "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_HINTS = (
    ("mapping values are not allowed", "put quotes around text that has a colon and a space in it"),
    ("cannot start any token", "put quotes around text that begins with a sign such as @, % or `; indent with spaces"),
    ("expected ',' or '}'", "close the { with a }, and put quotes around text that has signs in it"),
    ("expected ',' or ']'", "close the [ with a ], and put quotes around text that has signs in it"),
    ("unexpected end of stream", "close the quotes"),
    ("alphabetic or numeric", "put quotes around text that begins with * or &"),
    ("expected key", "look at the indentation of this line and the one before"),
    ("block collection", "look at the indentation of this line and the one before"),
    ("block sequence entries", "begin the list on a line of its own"),
    ("'-' indicator", "look at the indentation of this line and the one before"),
)


def compose(source: bytes | str, faults: Faults) -> Node | None:
    """The file as a tree; None when it is empty or is not YAML, which is then among the faults."""
    text = _decoded(source, faults)
    if text is None:
        return None
    parser = yaml.CSafeLoader(text)
    try:
        return _Builder(text, faults).build(parser)
    except yaml.MarkedYAMLError as error:
        faults.add("E105", _spot(error, text), _complaint(error, text))
    except yaml.YAMLError as error:
        faults.add("E105", Mark(1, 1), f"this is not YAML: {error}".split("\n")[0])
    except _RefusedError as error:
        faults.add("E105", error.mark, error.args[0])
    finally:
        parser.dispose()
    return None


def plain(node: Node) -> object:
    """A node as plain values, for what is kept as it was written (`with:`, `tests:`)."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return {key_of(key): plain(value) for key, value in node}


def words_in(node: Node) -> Iterator[str]:
    """Every scalar in it, keys too."""
    if isinstance(node, Scalar):
        yield node.text
    for child in node.items if isinstance(node, Items) else ():
        yield from words_in(child)
    if isinstance(node, Table):
        for key, value in node:
            yield key.text
            yield from words_in(value)


def key_of(key: Scalar) -> str | int:
    """A key as a name, or as a whole number where one was written."""
    return key.value if isinstance(key.value, int) and not isinstance(key.value, bool) else key.text


def marks(root: Table) -> dict[Place, Mark]:
    """Where each value stands: its own spot when it begins on its key's line, else its key's."""
    found: dict[Place, Mark] = {}

    def walk(node: Node, place: Place) -> None:
        if isinstance(node, Table):
            for key, value in node:
                below = (*place, key_of(key))
                found[below] = value.mark if value.mark.line == key.mark.line else key.mark
                if not isinstance(value, Scalar):
                    walk(value, below)
        elif isinstance(node, Items):
            for index, item in enumerate(node.items):
                found[(*place, index)] = item.mark
                if not isinstance(item, Scalar):
                    walk(item, (*place, index))

    walk(root, ())
    return found


class _RefusedError(Exception):
    def __init__(self, message: str, mark: Mark) -> None:
        super().__init__(message)
        self.mark = mark


@dataclass(slots=True, eq=False)
class _Open:
    """A collection that is still being read."""

    node: Items | Table
    anchor: str | None
    key: Scalar | None = None
    has_key: bool = False
    valueless: bool = False


class _Builder:
    """Turns parser events into nodes, without recursion, and counts what aliases unfold to."""

    def __init__(self, text: str, faults: Faults) -> None:
        self.lines = text.split("\n")
        self.faults = faults
        self.anchors: dict[str, Node] = {}
        self.stack: list[_Open] = []
        self.count = 0

    def build(self, parser: yaml.CSafeLoader) -> Node | None:
        root: Node | None = None
        documents = 0
        next_event = parser.get_event
        while True:
            event = next_event()
            if isinstance(event, yaml.ScalarEvent):
                node: Node = self._scalar(event)
                self._anchor(event.anchor, node)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._open(event, isinstance(event, yaml.MappingStartEvent))
                continue
            elif isinstance(event, yaml.CollectionEndEvent):
                opened = self.stack.pop()
                node = opened.node
                self._anchor(opened.anchor, node)
            elif isinstance(event, yaml.AliasEvent):
                mark = self._mark(event)
                if event.anchor not in self.anchors:
                    raise _RefusedError(
                        f"'*{event.anchor}' repeats something that is not named above; put quotes around text that "
                        "begins with *", mark,
                    )  # fmt: skip
                node = self.anchors[event.anchor]
                self._counted(node.size, mark)
            elif isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _RefusedError(
                        "a file holds one thing; remove the line '---' and what is below", self._mark(event)
                    )
                continue
            elif isinstance(event, yaml.StreamEndEvent):
                return root
            else:
                continue
            if self.stack:
                self._add(self.stack[-1], node)
            else:
                root = node

    def _open(self, event: yaml.CollectionStartEvent, is_table: bool) -> None:
        self._refuse_tag(event)
        mark = self._mark(event)
        if len(self.stack) >= MAX_DEPTH:
            raise _RefusedError(f"this is nested more than {MAX_DEPTH} deep; nothing here needs that", mark)
        self._counted(1, mark)
        node = Table(mark, flow=bool(event.flow_style)) if is_table else Items(mark)
        self.stack.append(_Open(node, event.anchor))

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        self._refuse_tag(event)
        mark = self._mark(event)
        self._counted(1, mark)
        text = event.value
        if event.implicit[0]:
            return Scalar(resolve(text), text, mark)
        return Scalar(text, text, mark, quoted=True)

    def _add(self, opened: _Open, node: Node) -> None:
        parent = opened.node
        if node.size > 1 or node.height:
            if node.height + len(self.stack) > MAX_DEPTH:
                raise _RefusedError(f"this is nested more than {MAX_DEPTH} deep; nothing here needs that", node.mark)
            parent.height = max(parent.height, node.height + 1)
        parent.size += node.size
        if isinstance(parent, Items):
            parent.items.append(node)
        elif not opened.has_key:
            opened.key = self._key(node)
            opened.has_key = True
        else:
            key, opened.key, opened.has_key = opened.key, None, False
            if key is not None:
                self._entry(opened, parent, key, node)

    def _key(self, node: Node) -> Scalar | None:
        if isinstance(node, Scalar):
            return node
        self.faults.add("E103", node.mark, "a key is one word; put quotes around text that begins with { or [")
        return None

    def _entry(self, opened: _Open, table: Table, key: Scalar, value: Node) -> None:
        if isinstance(value, Scalar) and not value.text and not value.quoted:
            if table.flow:
                # One text with two commas is one fault, not two.
                if not opened.valueless:
                    self.faults.add("E106", key.mark, f"'{key.text}' has no value; put quotes around text with a comma")
                opened.valueless = True
                table.valueless.add(key.text)
                return
            value = Scalar(None, "", key.mark)
        opened.valueless = False
        first = table.keys.get(key.text)
        if first is not None:
            self.faults.add(
                "E104", key.mark, f"'{key.text}' is already written on line {first.mark.line}; keep one of the two"
            )
            table.dropped.append((len(table.keys), value))
            return
        table.keys[key.text] = key
        table.values[key.text] = value

    def _anchor(self, name: str | None, node: Node) -> None:
        if name is not None:
            self.anchors[name] = node

    def _counted(self, number: int, mark: Mark) -> None:
        self.count += number
        if self.count > MAX_NODES:
            raise _RefusedError(f"this file has more than {MAX_NODES:,} values; make several sequences of it", mark)

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise _RefusedError(
                f"'{tag}' is a YAML tag, and tags are not allowed; put quotes around text that begins with !",
                self._mark(event),
            )

    def _mark(self, event: yaml.Event) -> Mark:
        start, end = event.start_mark, event.end_mark
        assert start is not None
        assert end is not None
        if start.line == end.line:
            width = end.column - start.column
        else:
            line = self.lines[start.line] if start.line < len(self.lines) else ""
            width = len(line.rstrip()) - start.column
        return Mark(start.line + 1, start.column + 1, max(1, width))


def resolve(text: str) -> Value:
    """A plain scalar as YAML 1.2 reads it, except that a number with leading zeros is text, as people mean it."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first not in "0123456789+-.":
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and any(sign.isdigit() for sign in text):
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _decoded(source: bytes | str, faults: Faults) -> str | None:
    if len(source) > MAX_BYTES:
        faults.add("E105", Mark(1, 1), f"this file is larger than {MAX_BYTES // 1_000_000} MB; make several of it")
        return None
    if isinstance(source, str):
        text = source
    elif source.startswith((b"\xff\xfe", b"\xfe\xff")) or source[:2].count(0) == 1:
        faults.add("E105", Mark(1, 1), "this file is UTF-16; save it as UTF-8")
        return None
    else:
        try:
            text = source.decode("utf-8")
        except UnicodeDecodeError as error:
            mark = _at(source[: error.start].decode("utf-8"))
            faults.add("E105", mark, f"byte {error.start + 1} of this file is not UTF-8; save it as UTF-8")
            return None
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    bad = _REFUSED.search(text)
    if bad is not None:
        sign = f"U+{ord(bad.group()):04X}"
        faults.add("E105", _at(text[: bad.start()]), f"a character that cannot be seen ({sign}) stands here; remove it")
        return None
    return text


def _at(before: str) -> Mark:
    return Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _spot(error: yaml.MarkedYAMLError, text: str) -> Mark:
    """Where to look: the opening sign when it is the closing one that is missing."""
    mark, context = error.problem_mark, error.context or ""
    if error.context_mark is not None and ("flow" in context or "quoted" in context):
        opened = error.context_mark
        mark = opened if mark is None or mark.line != opened.line else mark
    if mark is None:
        return Mark(1, 1)
    last = text.count("\n") + 1
    return Mark(mark.line + 1, mark.column + 1) if mark.line < last else Mark(last, 1)


def _complaint(error: yaml.MarkedYAMLError, text: str) -> str:
    said = f"{error.problem or ''} {error.context or ''}".strip()
    hint = next((hint for sign, hint in _HINTS if sign in said), "")
    if (mark := error.problem_mark) is not None:
        line = "".join(text.split("\n")[mark.line : mark.line + 1])
        if "\t" in line[: len(line) - len(line.lstrip())]:
            hint = "indent with spaces, not tabs"
    return f"this is not YAML: {said}" + (f"; {hint}" if hint else "")
