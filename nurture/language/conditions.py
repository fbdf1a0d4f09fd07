"""Conditions: Jinja expressions of a closed list of forms, over declared names, compiled to closures.

Unknown is not an error: it equals nothing, is neither more nor less, and counts as false. Comparing a number with text
is just false. Nothing here knows a person; who asks brings a lookup.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.parser import Parser

from nurture.language.problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nurture.language.sequence import AnswerKey

Path = tuple[str, ...]
Lookup = Callable[[Path], object]
"""Finds the value of a name: `("kept",)`, `("plan",)`, `("answers", "question")`, `("tags", "vip")`, `("start", "total")`."""


class Unknown:
    """What is not known of a person. Its one value is UNKNOWN."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown()

LONGEST = 500
DEEPEST = 20
COUNTS = ("kept", "asked", "streak")
GROUPS = ("answers", "tags", "bought", "start")
RESERVED = frozenset({*COUNTS, *GROUPS, "true", "false", "none", "and", "or", "not", "in", "is", "if", "else"})
"""Words that an attribute cannot be called, because a condition would read them otherwise."""


class MisreadError(ValueError):
    """A condition that cannot be: `column` counts from 0 inside its text."""

    def __init__(self, message: str, column: int = 0, width: int = 1) -> None:
        super().__init__(message)
        self.column = column
        self.width = width


@dataclass(frozen=True, slots=True)
class Names:
    """The names that are declared. `answers` maps each step with an ask of its own to the answers of its poll."""

    answers: Mapping[str, tuple[AnswerKey, ...]] = field(default_factory=lambda: MappingProxyType({}))
    repeats: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    tags: tuple[str, ...] = ()
    bought: tuple[str, ...] = ()
    start: Mapping[str, str | tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    attributes: Mapping[str, str | tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as it was written, the names it uses, and its test. Two are equal when their texts are."""

    source: str
    names: tuple[Path, ...]
    test: Callable[[Lookup], bool] = field(compare=False, repr=False)

    def explain(self, lookup: Lookup) -> str:
        """The condition and what its names stand for now: `kept >= 2 (kept is 1)`."""
        seen = ", ".join(f"{'.'.join(path)} is {_shown(lookup(path))}" for path in self.names)
        return f"{self.source} ({seen})" if seen else self.source


UNREAD: Final = Condition("", (), lambda _: False)
"""Stands where a condition could not be read. Nobody can tell who goes on from there."""

Evaluate = Callable[[Lookup], object]
_JINJA = Environment(autoescape=False)  # noqa: S701 - it only parses; nothing is rendered here
_HOW = "use and, or, not, == != < <= > >=, numbers, text in quotes, true and false"


def parse(source: str, names: Names) -> Condition:
    """Compile a condition. Raises MisreadError, with the column inside `source`."""
    text = " ".join(source.splitlines()) if "\n" in source else source
    if len(text) > LONGEST:
        raise MisreadError(f"this condition is longer than {LONGEST} characters; make several entries of it")
    words = _Words(_refuse_signs(text))
    parser = Parser(_JINJA, text, state="variable")
    try:
        tree = parser.parse_expression()
        if not parser.stream.eos:
            raise MisreadError(_after(str(parser.stream.current.value)), *_find(text, str(parser.stream.current.value)))
    except TemplateSyntaxError as error:
        column = text.rindex(")") if error.message == "unexpected ')'" else max(len(text.rstrip()) - 1, 0)
        raise MisreadError(f"this condition cannot be read: {error.message}; {_HOW}", column) from None
    except RecursionError:
        raise MisreadError("this condition is nested too deep; make several entries of it") from None
    evaluate = _compile(tree, words, names)
    found = tuple(dict.fromkeys(words.paths))
    return Condition(text.strip(), found, lambda lookup: bool(evaluate(lookup)))


# --- signs


@dataclass(slots=True)
class _Words:
    """The names of the condition in the order of its text, each with its column. The tree has lost the columns."""

    places: list[tuple[str, int]]
    paths: list[Path] = field(default_factory=list)
    taken: int = 0

    def take(self, word: str) -> int:
        """The column of the next name, which the tree and the text meet in the same order."""
        while self.taken < len(self.places):
            found, column = self.places[self.taken]
            self.taken += 1
            if found == word:
                return column
        return 0

    def last(self) -> int:
        """The column of the name that was taken last."""
        return self.places[self.taken - 1][1] if self.taken else 0


_SIGNS = {"==", "!=", "<", "<=", ">", ">=", "(", ")", ".", "-"}
_REFUSED_WORDS = {
    "in": "write one `==` for each value, joined by `or`", "is": "write ==", "if": "a condition has no `if` of its own",
    "else": "a condition has no `else`", "none": "what is unknown counts as false; write `not NAME`",
}  # fmt: skip
_SPELLINGS = {
    "=": "write ==", "&&": "write and", "||": "write or", "!": "write not", "|": "filters are not allowed",
    "[": "lists are not allowed", "{": "mappings are not allowed", "&": "write and",
}  # fmt: skip


def _refuse_signs(text: str) -> list[tuple[str, int]]:
    """Refuse what is outside the closed list by its sign, where its column is known; return the names."""
    places: list[tuple[str, int]] = []
    column = depth = 0
    before, gap = "", False
    try:
        tokens = list(_JINJA.lexer.tokeniter(text, None, None, "variable"))
    except TemplateSyntaxError as error:
        raise _unreadable(text, error) from None
    signs = [(kind, value) for _, kind, value in tokens]
    for index, (kind, value) in enumerate(signs):
        if kind == "name":
            if value.lower() in _REFUSED_WORDS:
                raise MisreadError(f"'{value}' is not allowed: {_REFUSED_WORDS[value.lower()]}", column, len(value))
            if value.lower() not in ("and", "or", "not", "true", "false"):
                places.append((value, column))
        elif kind == "operator":
            after = signs[index + 1][0] if index + 1 < len(signs) else ""
            if value == "(" and before == "name" and signs[index - 1 - gap][1] not in ("and", "or", "not"):
                raise MisreadError("calls are not allowed; " + _HOW, column)
            if value == "|" and signs[index + 1 : index + 2] == [(kind, value)]:
                value = "||"  # noqa: PLW2901 - Jinja reads it as two filters
            if value not in _SIGNS or (value == "-" and (after not in ("integer", "float") or before in _VALUES)):
                raise MisreadError(_after(value), column, len(value))
            depth += {"(": 1, ")": -1}.get(value, 0)
            if depth > DEEPEST:
                raise MisreadError("this condition is nested too deep; make several entries of it", column)
        column += len(value)
        gap = kind == "whitespace"
        if not gap:
            before = "close" if value == ")" else kind
    return places


_VALUES = ("name", "integer", "float", "string", "close")


def _unreadable(text: str, error: TemplateSyntaxError) -> MisreadError:
    message = error.message or ""
    if message.startswith(("unexpected ')'", "unexpected ']'", "unexpected '}'")):
        return MisreadError(f"this condition cannot be read: {message}; {_HOW}", text.rindex(message[12]))
    for sign in ("&&", "||", "!", "&", "'", '"'):
        at = text.find(sign)
        if at >= 0 and not text.startswith("!=", at):
            return MisreadError(_after(sign) if sign in _SPELLINGS else "this text is not closed", at, len(sign))
    return MisreadError(f"this condition cannot be read: {error.message}; {_HOW}")


def _after(sign: str) -> str:
    return f"'{sign}' cannot stand here: {_SPELLINGS.get(sign, _HOW)}"


def _find(text: str, sign: str) -> tuple[int, int]:
    at = text.find(sign)
    return (at, len(sign)) if at >= 0 else (0, 1)


# --- the tree


def _compile(node: nodes.Node, words: _Words, names: Names) -> Evaluate:
    match node:
        case nodes.Const(value=bool() | int() | float() | str() as value):
            return lambda _: value
        case nodes.Neg(node=nodes.Const(value=int() | float() as value)) if not isinstance(value, bool):
            return lambda _: -value
        case nodes.Name() | nodes.Getattr():
            path = _path(node, words, names)
            words.paths.append(path)
            return lambda lookup: lookup(path)
        case nodes.And():
            left, right = _compile(node.left, words, names), _compile(node.right, words, names)
            return lambda lookup: bool(left(lookup)) and bool(right(lookup))
        case nodes.Or():
            left, right = _compile(node.left, words, names), _compile(node.right, words, names)
            return lambda lookup: bool(left(lookup)) or bool(right(lookup))
        case nodes.Not():
            inner = _compile(node.node, words, names)
            return lambda lookup: not inner(lookup)
        case nodes.Compare():
            return _comparison(node, words, names)
    raise MisreadError(f"{type(node).__name__.lower()} is not allowed in a condition; {_HOW}")


def _comparison(node: nodes.Compare, words: _Words, names: Names) -> Evaluate:
    left = _compile(node.expr, words, names)
    before = node.expr
    links: list[Evaluate] = []
    for operand in node.ops:
        if operand.op not in _COMPARE:
            raise MisreadError(f"'{operand.op}' is not allowed in a condition; {_HOW}")
        column = words.last()
        right = _compile(operand.expr, words, names)
        _check_answer(before, operand.expr, names, column)
        _check_answer(operand.expr, before, names, words.last())
        links.append(_link(left, _COMPARE[operand.op], right))
        left, before = right, operand.expr
    if len(links) == 1:
        return links[0]
    return lambda lookup: all(link(lookup) for link in links)


def _link(left: Evaluate, compare: Callable[[object, object], bool], right: Evaluate) -> Evaluate:
    return lambda lookup: compare(left(lookup), right(lookup))


def _equal(left: object, right: object) -> bool:
    if left is UNKNOWN or right is UNKNOWN or isinstance(left, bool) is not isinstance(right, bool):
        return False
    return left == right


def _ordered(compare: Callable[[object, object], bool]) -> Callable[[object, object], bool]:
    def test(left: object, right: object) -> bool:
        if isinstance(left, bool) or isinstance(right, bool):
            return False
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        return (numbers or (isinstance(left, str) and isinstance(right, str))) and compare(left, right)

    return test


_COMPARE: Mapping[str, Callable[[object, object], bool]] = {
    "eq": _equal,
    "ne": lambda left, right: not _equal(left, right),
    "lt": _ordered(lambda left, right: left < right),  # type: ignore[operator]
    "lteq": _ordered(lambda left, right: left <= right),  # type: ignore[operator]
    "gt": _ordered(lambda left, right: left > right),  # type: ignore[operator]
    "gteq": _ordered(lambda left, right: left >= right),  # type: ignore[operator]
}


# --- names


def _path(node: nodes.Name | nodes.Getattr, words: _Words, names: Names) -> Path:
    if isinstance(node, nodes.Name):
        column = words.take(node.name)
        if node.name in COUNTS or node.name in names.attributes:
            return (node.name,)
        raise _unknown_name(node.name, column, names)
    if not isinstance(node.node, nodes.Name):
        raise MisreadError(f"names have one dot at most; {_HOW}", words.take(node.attr), len(node.attr))
    group, name = node.node.name, node.attr
    column = words.take(group)
    column_of_name = words.take(name)
    known: Mapping[str, object] | tuple[str, ...]
    match group:
        case "answers":
            known = names.answers
        case "tags":
            known = names.tags
        case "bought":
            known = names.bought
        case "start":
            known = names.start
        case _:
            hint = did_you_mean(group, GROUPS) or f"; a name with a dot begins with {', '.join(GROUPS)}"
            raise MisreadError(f"unknown name '{group}.{name}'{hint}", column, len(group))
    if name in known:
        return (group, name)
    what = {"answers": "step", "tags": "tag", "bought": "product", "start": "data of the start event"}[group]
    if group == "answers" and name in names.repeats:
        message = f"'{name}' asks {names.repeats[name]} again; write answers.{names.repeats[name]}"
    else:
        message = f"unknown name '{group}.{name}': there is no {what} '{name}'{did_you_mean(name, known)}"
    raise MisreadError(message, column_of_name, len(name))


def _unknown_name(name: str, column: int, names: Names) -> MisreadError:
    if name in GROUPS:
        return MisreadError(f"'{name}' needs a name after it, as in {name}.NAME", column, len(name))
    values = {str(value) for allowed in names.answers.values() for value in allowed}
    values |= {word for kind in names.attributes.values() if isinstance(kind, tuple) for word in kind}
    for group, known in (("answers", names.answers), ("tags", names.tags), ("bought", names.bought)):
        if name in known:
            return MisreadError(f"unknown name '{name}', did you mean '{group}.{name}'?", column, len(name))
    if name in values:
        return MisreadError(f"unknown name '{name}': put quotes around text, as in \"{name}\"", column, len(name))
    hint = did_you_mean(name, [*names.attributes, *COUNTS, *GROUPS])
    return MisreadError(
        f"unknown name '{name}'{hint or '; people.yaml declares what we know of people'}", column, len(name)
    )


def _check_answer(name: nodes.Node, value: nodes.Node, names: Names, column: int) -> None:
    """Comparing an answer, or an attribute with a list of words, with a word that it cannot be is a misspelling."""
    if not isinstance(value, nodes.Const) or isinstance(value.value, bool):
        return
    allowed: tuple[AnswerKey, ...] = ()
    if isinstance(name, nodes.Getattr) and isinstance(name.node, nodes.Name) and name.node.name == "answers":
        allowed = names.answers.get(name.attr, ())
        called = f"answers.{name.attr}"
    elif isinstance(name, nodes.Name):
        kind = names.attributes.get(name.name)
        allowed = kind if isinstance(kind, tuple) else ()
        called = name.name
    if not allowed or value.value in allowed or not isinstance(value.value, str):
        return
    words = [str(word) for word in allowed]
    if value.value in words:
        raise MisreadError(f"{called} is a number; write {value.value} without quotes", column)
    hint = did_you_mean(value.value, words) or f"; it is one of {', '.join(words)}"
    raise MisreadError(f"{called} is never '{value.value}'{hint}", column)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
