"""The state chart of a sequence as plain values: what leads where, on which answer, after how long.

Pictures of it are drawn in `graph`; nothing here knows a colour or a coordinate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from nurture.language.kinds import OUTSIDE
from nurture.language.sequence import AtClock, AtInstant, Exit, Goto, Split, target_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nurture.language.sequence import Arm, Happening, Sequence, Step

NodeKind = Literal["start", "step", "goal", "end", "unsubscribe"]
Way = Literal["start", "yes", "no"]

GOAL = "goal-reached"
"""The goal's id. No step can be called so."""


@dataclass(frozen=True, slots=True)
class Node:
    """A place to stand. `id` is the step's name, `start`, `end`, `unsubscribe` or GOAL.

    `words` say what is asked there. `again` names the earlier step whose ask this one repeats.
    """

    id: str
    kind: NodeKind
    words: str = ""
    subject: str = ""
    ask: str | None = None
    size: int = 0
    price: str = ""
    again: str = ""

    @property
    def leaves(self) -> bool:
        """Whether this is a way out that is not the goal."""
        return self.kind in ("end", "unsubscribe")

    @property
    def offer(self) -> bool:
        return self.ask == "buy"


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from one place to another. `cases` are the answers, conditions, shares and delays that lead along it.

    `within` is how long silence lasts before it is a no.
    """

    source: str
    target: str
    way: Way
    cases: tuple[str, ...] = ()
    within: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A sequence as a graph. Nodes keep the order of the page, ends come last."""

    name: str
    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def chart(sequence: Sequence) -> Chart:
    """The state chart of a sequence."""
    begin = sequence.start
    starts = " or ".join(says(happening) for happening in begin.when)
    if begin.condition is not None:
        starts = f"{starts}, if {begin.condition.source}"
    edges = [Edge("start", target, "start", (share,) if share else ()) for target, share in _targets(begin.go)]
    for step in sequence.steps.values():
        edges += _merged([*_yes(sequence, step), *_no(step)])
    goal = " or ".join(says(happening) for happening in sequence.goal)
    ends = [Node(GOAL, "goal", goal), Node("end", "end"), Node("unsubscribe", "unsubscribe")]
    reached = {edge.target for edge in edges}
    nodes = [
        Node("start", "start", starts),
        *(_node(step) for step in sequence.steps.values()),
        *(end for end in ends if end.id in reached),
    ]
    return Chart(sequence.name, sequence.title, tuple(nodes), tuple(edges))


def says(happening: Happening) -> str:
    """A happening in a few words: `bought review`, `event trial_started`, `2 days before renewal`."""
    if happening.moment is not None:
        return happening.moment.text
    return f"{happening.kind} {happening.name}".strip()


def _node(step: Step) -> Node:
    ask = step.ask
    return Node(
        step.name,
        "step",
        words=ask.words or ask.label or ask.name,
        subject=step.subjects[0],
        ask=ask.kind,
        size=ask.size,
        price=ask.price,
        again=step.root if step.repeats else "",
    )


def _yes(sequence: Sequence, step: Step) -> Iterator[Edge]:
    if _is_goal(sequence, step):
        yield Edge(step.name, GOAL, "yes")
        return
    yield from _arms(step, "yes", step.yes.arms)
    answers: dict[tuple[Arm, ...], list[str]] = {}
    for answer, arms in step.yes.by_answer.items():
        answers.setdefault(arms, []).append(str(answer))
    for arms, same in answers.items():
        yield from _arms(step, "yes", arms, (" or ".join(same),))


def _no(step: Step) -> Iterator[Edge]:
    patience = str(step.within) if step.within is not None else f"until {step.until.text}" if step.until else ""
    for edge in _arms(step, "no", step.no.arms):
        yield replace(edge, within=patience)


def _is_goal(sequence: Sequence, step: Step) -> bool:
    """Whether the yes of this step is the goal itself, which ends the pass before any branch is looked at."""
    return any(
        happening.kind == OUTSIDE.get(step.ask.kind) and happening.name in ("", step.ask.name)
        for happening in sequence.goal
    )


def _arms(step: Step, way: Way, arms: tuple[Arm, ...], cause: tuple[str, ...] = ()) -> Iterator[Edge]:
    for position, arm in enumerate(arms):
        case = list(cause)
        if arm.condition is not None:
            case.append(f"if {arm.condition.source}")
        otherwise = "else " if position and arm.condition is None and arm.at is None else ""
        if arm.after is not None:
            case.append(f"{otherwise}{arm.after} later")
        elif arm.at is not None:
            case.append(f"at {arm.at.text}" if isinstance(arm.at.point, AtClock | AtInstant) else arm.at.text)
        elif otherwise:
            case.append("else at once")
        for target, share in _targets(arm.go):
            words = ", ".join([*case, share] if share else case)
            yield Edge(step.name, target, way, (words,) if words else ())


def _targets(go: Goto | Exit | Split) -> Iterator[tuple[str, str]]:
    match go:
        case Goto(step):
            yield step, ""
        case Exit(how):
            yield how, ""
        case Split(shares):
            for target, percent in shares:
                yield target_name(target), f"{percent}%"


def _merged(edges: list[Edge]) -> list[Edge]:
    """One edge for each way between two places, however many cases it has."""
    found: dict[tuple[str, str, Way], Edge] = {}
    for edge in edges:
        key = (edge.source, edge.target, edge.way)
        known = found.get(key)
        found[key] = edge if known is None else replace(known, cases=tuple(dict.fromkeys(known.cases + edge.cases)))
    return list(found.values())


def spread(whole: Chart) -> Chart:
    """The same chart with an end of its own for every way out: one shared end would pull lines all over the page.

    Such an end is called `end-STEP-yes`, and its words are those of the way that leads to it.
    """
    ends = {node.id: node for node in whole.nodes if node.leaves}
    edges, own = [], []
    for edge in whole.edges:
        if edge.target in ends:
            end = ends[edge.target]
            own.append(
                replace(end, id=f"{end.id}-{edge.source}-{edge.way}", words=f"{label(edge)} → {end.kind}".strip())
            )
            edges.append(replace(edge, target=own[-1].id))
        else:
            edges.append(edge)
    return replace(whole, nodes=(*(node for node in whole.nodes if not node.leaves), *own), edges=tuple(edges))


def label(edge: Edge) -> str:
    """What stands on an edge, a line for each case: `yes: home`, `no in 3 days: 4 days later`."""
    if edge.way == "start":
        return "\n".join(edge.cases)
    silence = edge.within if edge.within.startswith("until") else f"in {edge.within}" if edge.within else ""
    head = f"no {silence}".strip() if edge.way == "no" else "yes"
    return f"{head}: " + "\n".join(edge.cases) if edge.cases else head
