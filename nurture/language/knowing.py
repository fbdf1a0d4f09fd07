"""What can be known of a person at one place: for each name the values it may have, UNKNOWN among them or not.

Conditions narrow it, in the branches of a sequence and in the `{% if %}` of a template alike: both are Jinja.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.parser import Parser

from nurture.language.conditions import UNKNOWN, Path

if TYPE_CHECKING:
    from nurture.language.conditions import Condition

Values = frozenset[object]
NOTHING: Final[Values] = frozenset({UNKNOWN})
OFFER: Final[Path] = ("offer",)
"""Whether an offer was made: `offer.deadline` and `offer.code` are known from then on."""

PROOF: Final[Path] = ("proof",)
"""Whether something that others said is for them."""

COUNT: Final = "count"
"""How the path of `count("question", "sales")` begins, and of `share`: a number that is unknown while they are few."""

_JINJA = Environment(autoescape=False)  # noqa: S701 - it only parses; nothing is rendered here
_FLIPPED = {"eq": "ne", "ne": "eq"}


@dataclass(frozen=True, slots=True)
class Known:
    """The values each name may have. What is not in `values` has those that `start` gives it."""

    start: Callable[[Path], Values]
    values: Mapping[Path, Values] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, path: Path) -> Values:
        found = self.values.get(path)
        return self.start(path) if found is None else found

    def sure(self, path: Path) -> bool:
        """Whether this is known of everybody who gets here."""
        return UNKNOWN not in self.of(path)

    def having(self, path: Path, values: Values) -> Known:
        return Known(self.start, MappingProxyType({**self.values, path: values}))

    def also(self, more: Mapping[Path, Values]) -> Known:
        return Known(self.start, MappingProxyType({**self.values, **more}))

    def either(self, other: Known) -> Known:
        """Of people who come by one way or the other."""
        paths = {**self.values, **other.values}
        return Known(self.start, MappingProxyType({path: self.of(path) | other.of(path) for path in paths}))

    def without(self, path: Path, values: Values) -> Known | None:
        """None when nobody is left."""
        return self.only(path, self.of(path) - values)

    def only(self, path: Path, values: Values) -> Known | None:
        left = self.of(path) & values
        return self.having(path, left) if left else None


def path_of(node: nodes.Node) -> Path | None:
    """The name that an expression reads: `plan`, `answers.question`, `said("question")` (which is the answer)."""
    match node:
        case nodes.Name(name=name):
            return (name,)
        case nodes.Call(node=nodes.Name(name="said"), args=[nodes.Const(value=str() as step)]):
            return ("answers", step)
        case nodes.Call(node=nodes.Name(name="count" | "share"), args=[nodes.Const(value=str() as step), *rest]):
            return (COUNT, step, *(str(one.value) for one in rest if isinstance(one, nodes.Const)))
        case nodes.Getattr(node=nodes.Name(name="offer")):
            return OFFER
        case nodes.Getattr(node=nodes.Name(name="proof")):
            return PROOF
        case nodes.Getattr(node=nodes.Name(name=group), attr=name):
            return (group, name)
        case nodes.Getitem(node=nodes.Name(name=group), arg=nodes.Const(value=str() as name)):
            return (group, name)
    return None


def after(condition: Condition | None, known: Known, *, holds: bool) -> Known | None:
    """Of whom the condition holds, or does not; None when that is nobody."""
    if condition is None:
        return known if holds else None
    tree = _tree(condition.source)
    return known if tree is None else assume(tree, known, holds=holds)


@lru_cache(maxsize=10_000)
def _tree(source: str) -> nodes.Expr | None:
    try:
        return Parser(_JINJA, source, state="variable").parse_expression()
    except TemplateSyntaxError:
        return None


def assume(node: nodes.Node, known: Known, *, holds: bool) -> Known | None:
    """Of whom this expression counts as true, or as false; None when that is nobody. What it cannot tell, it leaves."""
    match node:
        case nodes.Not():
            return assume(node.node, known, holds=not holds)
        case nodes.And() | nodes.Or():
            both = isinstance(node, nodes.And) is holds
            left = assume(node.left, known, holds=holds)
            if both:
                return None if left is None else assume(node.right, left, holds=holds)
            other = assume(node.left, known, holds=not holds)
            right = None if other is None else assume(node.right, other, holds=holds)
            return left.either(right) if left is not None and right is not None else left or right
        case nodes.Const():
            return known if bool(node.value) is holds else None
        case nodes.Test(name="defined" | "undefined") if (path := path_of(node.node)) is not None:
            found = (node.name == "defined") is holds
            return known.without(path, NOTHING) if found else known.only(path, NOTHING)
        case nodes.Compare(ops=[nodes.Operand()]):
            return _compared(node, known, holds=holds)
    path = path_of(node)
    if path is None:
        return known
    values = known.of(path)
    return known.only(path, frozenset(value for value in values if bool(value) is holds or _vague(value, holds=holds)))


def _vague(value: object, *, holds: bool) -> bool:
    """A sample stands for every other value of its kind, 0 and no among them."""
    return not holds and isinstance(value, Sample)


@dataclass(frozen=True, slots=True)
class Sample:
    """Some value that is known; which, one cannot say."""

    value: object


def _compared(node: nodes.Compare, known: Known, *, holds: bool) -> Known | None:
    operand = node.ops[0]
    how = operand.op if holds else _FLIPPED.get(operand.op, "")
    for name, other in ((node.expr, operand.expr), (operand.expr, node.expr)):
        path = path_of(name)
        if path is None or not isinstance(other, nodes.Const):
            continue
        values = known.of(path)
        if isinstance(name, nodes.Call) and path[0] != COUNT:  # said() gives the words of an answer, not its name
            return known.without(path, NOTHING) if how == "eq" else known
        if how == "eq":
            return known.only(path, frozenset(one for one in values if one == other.value or isinstance(one, Sample)))
        if how == "ne":
            return known.only(path, frozenset(one for one in values if one != other.value))
        if holds:  # what is unknown is neither more nor less
            return known.without(path, NOTHING)
    return known
