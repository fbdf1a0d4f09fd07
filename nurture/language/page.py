"""What every part of a sequence's file needs while the file is read: its steps in order, the names that are declared,
the faults so far. It lives as long as the reading.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nurture.language import words
from nurture.language.conditions import UNREAD, Condition, MisreadError, Names, parse
from nurture.language.sequence import ALWAYS_KNOWN, AtInstant, AtName, Exit, Goto, Mark
from nurture.language.values import parsed, text_of
from nurture.language.words import KNOWN_MOMENTS
from nurture.language.yaml import words_in

if TYPE_CHECKING:
    from nurture.language.faults import Faults
    from nurture.language.sequence import Moment, People
    from nurture.language.yaml import Node, Scalar

EXITS = ("end", "unsubscribe")


@dataclass(slots=True, eq=False)
class Page:
    """`guesses` are steps that a broken branch may well have meant, by the position it stands at (-1 is the start): they
    are not called unreachable. `named` are the steps that a written branch leads to. `fallen` are the steps whose `yes`
    is left out, `nexts` is what `next` stood for in a step's `yes`; `took_next` is set when a `next` was read.
    """

    people: People
    faults: Faults
    order: tuple[str, ...] = ()
    names: Names = field(default_factory=Names)
    dates: frozenset[str] = frozenset()
    badges: tuple[str, ...] = ()
    guesses: dict[int, set[int]] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    fallen: dict[str, Mark] = field(default_factory=dict)
    took_next: bool = False
    nexts: dict[str, Goto | Exit] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)

    def target(self, scalar: Scalar, here: int) -> Goto | Exit:
        """Where a written GO leads from position `here`; what cannot be is a fault and leads to the end."""
        written = scalar.text
        if written == "next":
            return self.take_next(here)
        if written == "end":
            return Exit("end")
        if written == "unsubscribe":
            return Exit("unsubscribe")
        if written not in self.positions:
            self.unknown_step(scalar, here)
            return Exit("end")
        if self.positions[written] <= here:
            me = self.order[here]
            what = "itself" if written == me else f"'{written}', which is above it"
            self.faults.add(
                "E202", scalar.mark,
                f"'{me}' leads to {what}; a branch leads to a later step, and to ask again is a step with `ask: {me}`",
            )  # fmt: skip
            return Exit("end")
        self.named.add(written)
        return Goto(written)

    def next_of(self, here: int) -> Goto | Exit:
        return Goto(self.order[here + 1]) if here + 1 < len(self.order) else Exit("end")

    def take_next(self, here: int) -> Goto | Exit:
        """Where a `next` leads that was written, or that stands for a `go` left out."""
        self.took_next = True
        go = self.next_of(here)
        if isinstance(go, Goto):
            self.named.add(go.step)
        return go

    def unknown_step(self, scalar: Scalar, here: int) -> None:
        """Report a step that is not there; the one that was meant, or the next, counts as reached."""
        hint = self.faults.hint(scalar.text, (*self.order, "next", *EXITS))
        meant = hint.partition("'")[2].partition("'")[0]
        self.guess(here, self.positions.get(meant, here + 1))
        instead = hint or "; write a step of this file, next, end or unsubscribe"
        self.faults.add("E201", scalar.mark, f"there is no step '{scalar.text}'{instead}")

    def guess(self, here: int, there: int | None = None) -> None:
        self.guesses.setdefault(here, set()).add(here + 1 if there is None else there)

    def is_guessed(self, here: int) -> bool:
        return here in self.guesses

    def guess_all(self, here: int, node: Node) -> None:
        """Every step that is mentioned in something broken may have been meant."""
        self.guess(here)
        for word in words_in(node):
            if word in self.positions:
                self.guess(here, self.positions[word])

    def condition(self, node: Node) -> Condition | None:
        source = text_of(node, self.faults, "the condition")
        if not source:
            return None
        try:
            return parse(source, self.names)
        except MisreadError as error:
            spot = node.mark
            if node.mark.width >= len(source):
                quote = 1 if getattr(node, "quoted", False) else 0
                spot = Mark(node.mark.line, node.mark.column + quote + error.column, error.width)
            self.faults.add("E205", spot, str(error))
            return UNREAD

    def moment(self, node: Node, *, of_start: bool = False) -> Moment | None:
        """A moment whose name is declared and is a date."""
        moment = parsed(node, words.moment, self.faults, "moment")
        if moment is None or not isinstance(moment.point, AtName):
            return moment
        name = moment.point.name
        kinds = {name: kind for name, kind in self.people.attributes.items() if name not in self.dates}
        kinds |= {f"start.{field}": kind for field, kind in self.names.start.items() if not of_start}
        if name in self.dates or name in KNOWN_MOMENTS or kinds.get(name) in ("date", "yearly"):
            return moment
        if name in kinds or name in ALWAYS_KNOWN:
            self.faults.add("E207", node.mark, f"'{name}' is not a date; declare it in people.yaml as date or yearly")
            return None
        dated = [name for name, kind in kinds.items() if kind in ("date", "yearly")]
        hint = self.faults.hint(name, (*self.dates, *dated, *KNOWN_MOMENTS))
        instead = hint or "; write it under `dates:` here, or declare a date in people.yaml"
        self.faults.add("E205", node.mark, f"there is no date '{name}'{instead}")
        return None

    def can_be_over(self, moment: Moment | None) -> bool:
        return moment is not None and isinstance(moment.point, AtInstant | AtName)
