"""The closed room that templates run in: what they may call, and how much they may make of it.

A template is given names, the filters below, and Jinja's own `if`, `for`, `set`, `include` and `macro`. There are no
globals. Of what it is given it may call functions and the METHODS of texts and lists, and nothing else.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import BuiltinMethodType, FunctionType
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, Undefined, nodes, pass_context, pass_environment, pass_eval_context
from jinja2.exceptions import SecurityError
from jinja2.filters import do_join, do_replace, do_round, do_sum
from jinja2.runtime import BlockReference, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from nurture.mail.allowance import PART, apart, made, spend

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jinja2.nodes import EvalContext
    from jinja2.runtime import Context

FILTERS = frozenset(
    {
        "abs", "capitalize", "count", "d", "default", "first", "float", "int", "join", "last", "length", "list",
        "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse", "round", "select", "selectattr",
        "sort", "string", "sum", "title", "trim", "truncate", "unique", "upper", "wordcount",
    }
)  # fmt: skip
"""Not `safe` or `escape`: data is never markup. Not `format`, `center` or `indent`: they grow without bound."""

METHODS = frozenset(
    {
        "capitalize", "casefold", "count", "endswith", "find", "get", "index", "isdigit", "items", "keys", "lower",
        "lstrip", "removeprefix", "removesuffix", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip",
        "swapcase", "title", "upper", "values",
    }
)  # fmt: skip
"""Of texts, lists and mappings. Not `format`: it reaches attributes. Not `ljust` or `zfill`: they grow without bound."""

PLAIN = (str, bytes, int, float, list, tuple, dict)
DIGITS = 15
"""A number of more than these is exact nowhere (IEEE 754)."""
BITS = 1_000
STEP, MADE = "a step", "made"
"""Names of filters that only our own code can write: a template's have no space in them."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox, and nothing in it that makes something huge or endless out of something small."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - as Jinja takes them
        super().__init__(**options)
        self.globals.clear()
        own: dict[str, Callable[..., Any]] = {"join": _join, "replace": _replace, "round": _round, "sum": _sum}
        self.filters = {name: _paid(own.get(name, self.filters[name])) for name in FILTERS}
        self.filters |= {STEP: _step, f"{MADE} here": made}
        self.finalize = printed

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401 - of any kind
        if operator == "+":
            return made(super().call_binop(context, operator, left, right))
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "**" or not numbers:
            raise SecurityError(f"{operator} is for numbers only, and ** is not allowed")
        if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > BITS:
            raise SecurityError("this number is larger than any that a mail needs")
        return left * right if operator == "*" else left % right

    def wrap_str_format(self, value: Any) -> None:  # noqa: ANN401 - as above
        """Jinja's own `format` keeps to safe attributes, but pads as wide as it is asked to."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ANN401 - as above
        known = not callable(value) or not isinstance(obj, PLAIN) or attr in METHODS
        return known and super().is_safe_attribute(obj, attr, value)

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ANN401 - as above
        if isinstance(obj, BuiltinMethodType):
            return isinstance(obj.__self__, PLAIN) and obj.__name__ in METHODS
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str):  # markupsafe has its own `upper`
            return obj.__name__ in METHODS
        return isinstance(obj, Macro | BlockReference | FunctionType | LoopContext) or isinstance(owner, LoopContext)

    def call(self, context: Context, obj: Any, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - as above
        if isinstance(owner := getattr(obj, "__self__", None), str):
            spend(len(owner))
        if not isinstance(obj, Undefined) and not self.is_safe_callable(obj):
            raise SecurityError(f"{getattr(obj, '__name__', type(obj).__name__)} is nothing that a mail may call")
        return made(context.call(obj, *args, **named))

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:  # fmt: skip
        counting: nodes.Template = _Counting().visit(source)
        with apart():
            return super()._generate(counting, name, filename, defer_init)


@pass_context
def printed(_context: Context, value: object) -> object:
    """What is printed, paid for. With the context, so that constants are not settled beforehand."""
    spend(len(value) if isinstance(value, str) else PART)
    if callable(value) and not isinstance(value, Undefined) and not hasattr(value, "__html__"):
        raise SecurityError(f"{getattr(value, '__name__', 'this')} is to be called: write () after it")
    return value


# --- what is counted


class _Counting(NodeTransformer):
    """Puts the counting into a template: whatever can run more than once says so, and what is made is measured."""

    def generic_visit(self, node: nodes.Node, *args: Any, **named: Any) -> nodes.Node:  # noqa: ANN401 - Jinja's
        found = super().generic_visit(node, *args, **named)
        if isinstance(node, nodes.Template | nodes.For | nodes.Macro | nodes.CallBlock | nodes.Block):
            line = node.body[0].lineno if node.body else node.lineno
            step = nodes.Filter(nodes.Const(None), STEP, [nodes.Const(_weight(node.body))], [], None, None)
            node.body.insert(0, nodes.ExprStmt(step, lineno=line).set_lineno(line, override=False))
        elif isinstance(node, nodes.Concat) or _is_made(node):
            return nodes.Filter(node, f"{MADE} here", [], [], None, None).set_lineno(node.lineno)
        return found


def _is_made(node: nodes.Node) -> bool:
    """Whether this puts values together; a target of `for` or `set` looks alike."""
    if isinstance(node, nodes.Tuple) and node.ctx != "load":
        return False
    return isinstance(node, nodes.List | nodes.Tuple | nodes.Dict) and node.find(nodes.Name) is not None


def _weight(body: Iterable[nodes.Node]) -> int:
    """What it costs to go once through these."""
    total = PART
    for node in body:
        for one in (node, *node.find_all(nodes.Node)):
            if isinstance(one, nodes.TemplateData):
                total += len(one.data)
            total += PART if isinstance(one, nodes.Compare | nodes.Getitem | nodes.Test) else 1
    return total


@pass_context
def _step(_context: Context, _nothing: None, weight: int) -> None:
    spend(weight)


def _paid(act: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that pays for what it looks at and for what it makes. What it would make later, it makes at once."""
    first = 1 if hasattr(act, "jinja_pass_arg") else 0

    @functools.wraps(act)
    def paid(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the filter takes
        if isinstance(args[first], str | list | tuple):
            spend(len(args[first]))
        found = act(*args, **named)
        return made(list(found) if isinstance(found, Iterator) else found)

    return paid


# --- filters that could make much of little


@pass_eval_context
def _replace(context: EvalContext, text: str, old: str, new: str, count: int | None = None) -> str:
    """Checked before it is done: nine in a row make a gigabyte of one letter."""
    spend(str(text).count(str(old)) * len(str(new)))
    return do_replace(context, text, old, new, count)


@pass_eval_context
def _join(context: EvalContext, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    pieces = list(value)
    spend(len(pieces) * len(str(d)))
    joined: str = do_join(context, pieces, d, attribute)
    return joined


def _round(value: float, precision: int = 0, method: Any = "common") -> float:  # noqa: ANN401 - one of three words
    if not -DIGITS <= precision <= DIGITS:
        raise SecurityError(f"round takes {DIGITS} digits at most")
    return do_round(value, precision, method)


@pass_environment
def _sum(its: Environment, iterable: Iterable[Any], attribute: str | int | None = None, start: float = 0) -> Any:  # noqa: ANN401 - of numbers
    """Of numbers: lists would be put together."""
    if not isinstance(start, int | float):
        raise SecurityError("sum is for numbers only")
    return do_sum(its, iterable, attribute, start)
