"""Where the parts of a drawn chart stand: sizes, middles, lines, and how wide text is. Nothing here writes SVG.

graphlay does the hard part. It is young, so it is called in one place, its version is pinned and its answer for the
examples is a snapshot in the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import graphlay

from nurture.language.chart import Chart, Edge, Node, label

CARD_WIDTH = 216
CARD_INSIDE = CARD_WIDTH - 28
CARD_BASE = 66
ROW = 15
PILL = 28
BADGE = 22
MARGIN = 20
WIDEST_LABEL = 160
BOLD = 1.08
LAYOUT = {"spacing": {"node_gap": 22, "layer_gap": 26, "stub": 8}}

Spot = tuple[float, float]
Line = tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """Where an edge runs: to its label and on from there, or in one line; and the middle of the label."""

    lines: tuple[Line, ...]
    label: Spot = (0, 0)


@dataclass(frozen=True, slots=True)
class Placed:
    """The middle of each node, a way for each edge in the order of the chart, and the size of the whole."""

    middles: Mapping[str, Spot]
    ways: tuple[Way, ...]
    width: int
    height: int


@lru_cache(maxsize=64)  # a ladder is drawn again and again, with other numbers on it
def place(drawn: Chart) -> Placed:
    """Lay out a chart from top to bottom. A label is laid out as a node on its edge, so that nothing can cross it."""
    graph = graphlay.Graph()
    for node in drawn.nodes:
        width, height = size(node)
        graph.node(node.id, width=width, height=height)
    exits = {node.id for node in drawn.nodes if node.leaves}
    for edge in drawn.edges:
        weight = 3 if edge.way == "yes" else 1
        rows = label_rows(edge)
        if rows and edge.target not in exits:
            width, height = label_size(rows)
            stop = graph.node(edge, width=width, height=height)
            graph.edge(edge.source, stop, weight=weight)
            graph.edge(stop, edge.target, weight=weight)
        else:
            graph.edge(edge.source, edge.target, weight=weight)
    layout = graphlay.layout(graph, preset="process_map", options=LAYOUT)
    least, most = layout.bounds["min"], layout.bounds["max"]

    def spot(at: Mapping[str, float]) -> Spot:
        return round(at["x"] - least["x"] + MARGIN, 1), round(at["y"] - least["y"] + MARGIN, 1)

    middles = {name: spot(found["center"]) for name, found in zip(graph.ids, layout.nodes, strict=True)}
    lines = iter([tuple(spot(point) for point in found["points"]) for found in layout.edges])
    ways = tuple(
        Way((next(lines), next(lines)), middles[edge]) if edge in middles else Way((next(lines),))
        for edge in drawn.edges
    )
    width, height = most["x"] - least["x"] + 2 * MARGIN, most["y"] - least["y"] + 2 * MARGIN
    return Placed(middles, ways, round(width), round(height))


def size(node: Node) -> Spot:
    if node.kind == "step":
        return CARD_WIDTH, CARD_BASE + 16 * len(card_rows(node))
    if node.leaves:
        width, height = label_size(exit_rows(node))
        return width + 12, height + 6
    return round(text_width(pill_words(node), 13) * BOLD + 34), PILL + (BADGE if node.kind == "goal" else 0)


def label_size(rows: list[str]) -> Spot:
    return round(max(text_width(row, 11) for row in rows) + 14), ROW * len(rows) + 4


# --- words, wrapped


def card_rows(node: Node) -> list[str]:
    """What a step asks, on at most two lines."""
    words = f"{node.again}, asked again" if node.again else node.words
    first, *rest = _wrapped(words, CARD_INSIDE, 12)
    return [first, cut(" ".join(rest), CARD_INSIDE, 12)] if rest else [first]


def label_rows(edge: Edge) -> list[str]:
    return [row for case in label(edge).splitlines() for row in _wrapped(case, WIDEST_LABEL, 11)]


def exit_rows(node: Node) -> list[str]:
    return [row for case in node.words.splitlines() for row in _wrapped(case, WIDEST_LABEL, 11)]


def pill_words(node: Node) -> str:
    return cut(node.words, 280, 13)


def _wrapped(text: str, width: float, points: float) -> list[str]:
    """Lines no wider than this; a line rather ends at a comma."""
    for pieces in (text.replace(", ", ",\n").split("\n"), text.split()):
        rows = [""]
        for piece in pieces:
            longer = f"{rows[-1]} {piece}".strip()
            if rows[-1] and text_width(longer, points) > width:
                rows.append(piece)
            else:
                rows[-1] = longer
        if all(text_width(row, points) <= width for row in rows):
            return rows
    return [cut(row, width, points) for row in rows]


def cut(text: str, width: float, points: float) -> str:
    """Text that fits, with … where it did not."""
    if text_width(text, points) <= width:
        return text
    while text and text_width(text + "…", points) > width:
        text = text[:-1]
    return text.rstrip() + "…"


@lru_cache(maxsize=4096)
def text_width(text: str, points: float) -> float:
    """A generous guess for any system font; nobody can measure text without one."""
    return points * sum(_letter_width(letter) for letter in text)


def _letter_width(letter: str) -> float:
    if letter in "iljtfrI.,:;'|! ()":
        return 0.34
    return 0.95 if letter in "mwMW@%" or ord(letter) > 0x2E80 else 0.6
