"""What a template prints that some people's mail could not print, found in its syntax tree, `{% if %}` by `{% if %}`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import TokenStream
from jinja2.parser import Parser

from nurture.language.knowing import COUNT, NOTHING, Known, Sample, assume, path_of
from nurture.mail.shapes import Tokens, tokens_of

if TYPE_CHECKING:
    from nurture.language.conditions import Path

DEEPEST = 10
"""How many templates may include one another."""

SOME = frozenset({Sample("")})
_JINJA = Environment(autoescape=False)  # noqa: S701 - it only parses; nothing is rendered here
_SHOWN = re.compile(
    r"""(said|count|share)\s*\(\s*("[^"\n]*"|'[^'\n]*')[^()\n]*\)|\w+(\s*(\.\s*\w+|\[\s*["']\w+["']\s*\]))*"""
)


@dataclass(frozen=True, slots=True)
class Print:
    """A name that is printed without a fallback where it can be unknown. `at` counts from 0 in the file's text."""

    file: str
    at: int
    words: str
    path: Path


@dataclass(slots=True)
class Printed:
    """`unsure` prints can fail. `asked` are the names that decide what a mail says, in an `{% if %}` for instance.

    `counted` are the numbers of others that are told, with or without a fallback. `named` are all names that are used,
    also where a fallback hides that nothing has them; `bound` are those that a template gives a meaning itself.
    """

    unsure: dict[tuple[str, int], Print] = field(default_factory=dict)
    asked: set[Path] = field(default_factory=set)
    counted: dict[tuple[str, int], Print] = field(default_factory=dict)
    named: dict[tuple[str, int], str] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)


@lru_cache(maxsize=200)
def _parsed(source: str) -> tuple[nodes.Template, tuple[int, ...]] | None:
    """The tree, and where each of its tokens begins in the text; None when it cannot be read."""
    if "{" not in source:
        return None
    try:
        placed = tuple(_placed(source))
        tree = _tree(tuple((kind, "" if kind == "data" else value) for _, kind, value in placed))
    except (TemplateSyntaxError, RecursionError):
        return None
    return tree, tuple(at for at, _, _ in placed)


@lru_cache(maxsize=1_000)
def _tree(tokens: Tokens) -> nodes.Template:
    """One tree for all mails whose code is the same. Each node's `lineno` is the number of its token."""
    parser = Parser(_JINJA, "")
    numbered = ((number, kind, value) for number, (kind, value) in enumerate(tokens))
    parser.stream = TokenStream(_JINJA.lexer.wrap(numbered), None, None)
    return parser.parse()


def _placed(source: str) -> Iterator[tuple[int, str, str]]:
    at = 0
    for kind, value in tokens_of(source):
        # the lexer drops white space beside `-%}`; what it keeps stands in the text as it is
        at = max(source.find(value, at), at)
        yield at, kind, value
        at += len(value)


def printed(file: str, source: str, known: Known, files: Mapping[str, str], found: Printed) -> None:
    """Add what this template and those it includes print, for people of whom this is known."""
    if (parsed := _parsed(source)) is not None:
        tree, places = parsed
        walk = _Walk(file, source, places, files, found)
        walk.names(tree)
        walk.counts(tree)
        walk.body(tree.body, known)


@dataclass(frozen=True, slots=True)
class _Walk:
    file: str
    source: str
    places: tuple[int, ...]
    files: Mapping[str, str]
    found: Printed
    depth: int = 0

    def names(self, tree: nodes.Template) -> None:
        for one in tree.find_all((nodes.Name, nodes.Macro, nodes.Import, nodes.FromImport)):
            match one:
                case nodes.Name(ctx="load"):
                    self.found.named.setdefault((self.file, self.places[one.lineno]), one.name)
                case nodes.Name() | nodes.Macro():
                    self.found.bound.add(one.name)
                case nodes.Import():
                    self.found.bound.add(one.target)
                case nodes.FromImport():
                    self.found.bound |= {name if isinstance(name, str) else name[1] for name in one.names}

    def counts(self, tree: nodes.Template) -> None:
        for call in tree.find_all(nodes.Call):
            path = path_of(call)
            if path is not None and path[0] == COUNT:
                self._note(call, path, self.found.counted)

    def body(self, body: list[nodes.Node], known: Known | None) -> Known | None:
        """Returns what is known below; None when nobody gets there."""
        for node in body:
            if known is None:
                return None
            known = self._statement(node, known)
        return known

    def _statement(self, node: nodes.Node, known: Known) -> Known | None:
        match node:
            case nodes.Output():
                for one in node.nodes:
                    self._prints(one, known)
            case nodes.If():
                return self._if(node, known)
            case nodes.For():
                self._prints(node.iter, known)
                inner = _local(node.target, known)
                self.body(node.body, inner if node.test is None else self._given(node.test, inner, holds=True))
                self.body(node.else_, known)
            case nodes.Assign():
                return self._assign(node, known)
            case nodes.AssignBlock():
                self.body(node.body, known)
                return _local(node.target, known)
            case nodes.With():
                inner = known
                for target, value in zip(node.targets, node.values, strict=True):
                    self._prints(value, known)
                    inner = _local(target, inner)
                self.body(node.body, inner)
            case nodes.Macro():
                inner = known.having(("caller",), SOME)
                for name in node.args:
                    inner = _local(name, inner)
                self.body(node.body, inner)
                return known.having((node.name,), SOME)
            case nodes.Include(template=nodes.Const(value=str() as name)):
                self._include(name, known)
            case nodes.CallBlock() | nodes.FilterBlock() | nodes.Block() | nodes.Scope():
                self.body(node.body, known)
        return known

    def _if(self, node: nodes.If, known: Known) -> Known | None:
        below: list[Known] = []
        left: Known | None = known
        for branch in (node, *node.elif_):
            if left is None:
                break
            then = self._given(branch.test, left, holds=True)
            if then is not None and (end := self.body(branch.body, then)) is not None:
                below.append(end)
            left = assume(branch.test, left, holds=False)
        if left is not None and (end := self.body(node.else_, left)) is not None:
            below.append(end)
        if not below:
            return None
        merged = below[0]
        for one in below[1:]:
            merged = merged.either(one)
        return merged

    def _assign(self, node: nodes.Assign, known: Known) -> Known:
        inner = Printed()
        _Walk(self.file, self.source, self.places, self.files, inner, self.depth)._prints(node.node, known)
        self.found.asked |= inner.asked
        return _local(node.target, known, SOME | NOTHING if inner.unsure else SOME)

    def _include(self, name: str, known: Known) -> None:
        source = self.files.get(name)
        if source is None or self.depth >= DEEPEST or (parsed := _parsed(source)) is None:
            return
        tree, places = parsed
        walk = _Walk(name, source, places, self.files, self.found, self.depth + 1)
        walk.names(tree)
        walk.counts(tree)
        walk.body(tree.body, known)

    def _given(self, test: nodes.Node, known: Known, *, holds: bool) -> Known | None:
        self._asks(test)
        return assume(test, known, holds=holds)

    def _prints(self, node: nodes.Node, known: Known | None) -> None:
        """Note what fails when this expression is printed, or handed to a filter."""
        if known is None:
            return
        path = path_of(node)
        if path is not None:
            if not known.sure(path):
                self._note(node, path)
            return
        match node:
            case nodes.Or():
                self._prints(node.right, assume(node.left, known, holds=False))
            case nodes.And():
                self._prints(node.left, known)
                self._prints(node.right, assume(node.left, known, holds=True))
            case nodes.CondExpr():
                self._prints(node.expr1, self._given(node.test, known, holds=True))
                if node.expr2 is not None:
                    self._prints(node.expr2, assume(node.test, known, holds=False))
            case nodes.Filter(name="default" | "d"):
                for argument in node.args:
                    self._prints(argument, known)
            case nodes.Compare() | nodes.Not() | nodes.Test() | nodes.Call():
                # what a macro does with what it is given shows when the mail is rendered
                self._asks(node)
            case _:
                for child in node.iter_child_nodes():
                    self._prints(child, known)

    def _asks(self, node: nodes.Node) -> None:
        for one in (node, *node.find_all((nodes.Name, nodes.Call, nodes.Getattr, nodes.Getitem))):
            if (path := path_of(one)) is not None:
                self.found.asked.add(path)

    def _note(self, node: nodes.Node, path: Path, among: dict[tuple[str, int], Print] | None = None) -> None:
        name = node if isinstance(node, nodes.Name) else next(node.find_all(nodes.Name))
        at = self.places[name.lineno]
        match = _SHOWN.match(self.source, at)
        words = match.group() if match else ".".join(path)
        among = self.found.unsure if among is None else among
        among.setdefault((self.file, at), Print(self.file, at, words, path))


def _local(target: nodes.Node, known: Known, values: frozenset[object] = SOME) -> Known:
    for name in (target, *target.find_all(nodes.Name)):
        if isinstance(name, nodes.Name):
            known = known.having((name.name,), values)
    return known
