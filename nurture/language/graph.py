"""Pictures of a sequence: Mermaid text, which GitHub draws, and an SVG that a page can light up and count on.

In the SVG each step is `<g class="step" data-step="NAME">` and holds `<g class="badge none">` with the empty
`<text data-count="NAME">`; each way is `<g class="way yes" data-from="NAME" data-to="NAME">`. A page writes counts,
takes `none` away, adds the classes `here` and `walked`, and draws nothing itself. Colours are in `graph.css`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from collections.abc import Sequence as Many
from html import escape
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from nurture.language import placing
from nurture.language.chart import Chart, Edge, Node, chart, label, spread
from nurture.language.kinds import ICONS
from nurture.language.placing import PILL, ROW, Line, Spot, place

if TYPE_CHECKING:
    from nurture.language.sequence import Sequence

STYLE = Path(__file__).with_name("graph.css").read_text(encoding="utf-8")

# --- Mermaid

SHAPES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {"step": ("[", "]"), "start": ("([", "])"), "goal": ("([", "])"), "end": ("((", "))"), "unsubscribe": ("((", "))")}
)


def mermaid(sequence: Sequence) -> str:
    """The state chart as Mermaid text. A yes is a solid arrow, a no is dotted."""
    drawn = spread(chart(sequence))
    lines = ["flowchart TD"]
    for node in drawn.nodes:
        before, after = SHAPES[node.kind]
        lines.append(f'  {_mermaid_id(node.id)}{before}"{_mermaid_words(node)}"{after}')
    for edge in drawn.edges:
        words = "<br/>".join(_plain(line) for line in label(edge).splitlines())
        arrow = ("-.->" if edge.way == "no" else "-->") + (f'|"{words}"|' if words else "")
        lines.append(f"  {_mermaid_id(edge.source)} {arrow} {_mermaid_id(edge.target)}")
    lines += _mermaid_class(drawn, "offer", "stroke:#d99a1b,stroke-width:3px")
    lines += _mermaid_class(drawn, "goal", "stroke:#0f7a5a,stroke-width:3px")
    return "\n".join(lines) + "\n"


def _mermaid_class(drawn: Chart, name: str, look: str) -> list[str]:
    members = [_mermaid_id(node.id) for node in drawn.nodes if name in _classes(node)]
    return [f"  classDef {name} {look}", f"  class {','.join(members)} {name}"] if members else []


def _mermaid_id(name: str) -> str:
    """A name that no word of Mermaid's own can be: a node called `end` breaks a chart."""
    return ("end_" if "-" in name else "step_") + name.replace("-", "_")


def _mermaid_words(node: Node) -> str:
    if node.leaves:
        return node.kind
    if node.kind != "step":
        return _plain(node.words)
    words = f"{node.again}, asked again" if node.again else node.words
    return f"<b>{node.id}</b><br/>{_plain(words)}<br/>{_plain(_kind(node))} {'●' * node.size}{'○' * (5 - node.size)}"


def _plain(text: str) -> str:
    """Text that Mermaid shows as it is: its own entities instead of what it would read as markup."""
    return "".join(f"#{ord(letter)};" if letter in '#&<>"`;*_' else letter for letter in " ".join(text.split()))


# --- SVG

WIDTHS = 4
"""Widths of a line beyond the thinnest, in `graph.css`: our pages allow no style inside."""


def svg(
    sequence: Sequence,
    *,
    counts: Mapping[str, int] | None = None,
    flows: Mapping[tuple[str, str, str], int] | None = None,
    here: Collection[str] = (),
    path: Many[str] = (),
) -> str:
    """The state chart as one self-contained SVG.

    `counts` are people by step (and by `goal-reached`), `flows` passes by the way they took (from, to, and `start`,
    `yes` or `no`): a number at the tip of each, whose line is as wide as its share of the busiest. `here` the steps to
    light up, `path` the steps mailed so far, in order.
    """
    drawn = spread(chart(sequence))
    placed = place(drawn)
    walked = {("start", path[0]), *pairwise(path)} if path else set()
    exits = {node.id for node in drawn.nodes if node.leaves}
    busiest = max((flows or {}).values(), default=0)
    box = f'width="{placed.width}" height="{placed.height}"'
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ladder" role="img" data-sequence="{escape(drawn.name)}" '
        f'viewBox="0 0 {placed.width} {placed.height}" {box}>'
    )
    parts = [
        opening,
        f"<title>{escape(drawn.title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" {box} rx="16"/>',
    ]
    for edge, way in zip(drawn.edges, placed.ways, strict=True):
        target = edge.target.partition("-")[0] if edge.target in exits else edge.target
        taken = None if flows is None else flows.get((edge.source, target, edge.way), 0)
        parts.append(_way(edge, way.lines, taken, busiest, lit=(edge.source, edge.target) in walked))
    for edge, way in zip(drawn.edges, placed.ways, strict=True):
        if edge.target not in exits:
            parts.append(_label(edge, way.label))
    for node in drawn.nodes:
        classes = [*_classes(node), *(["here"] if node.id in here else []), *(["walked"] if node.id in path else [])]
        parts.append(_node(node, placed.middles[node.id], " ".join(classes), (counts or {}).get(node.id)))
    return "\n".join(filter(None, [*parts, "</svg>"])) + "\n"


def _classes(node: Node) -> list[str]:
    way = [node.id.rpartition("-")[2]] if node.leaves else []
    return [node.kind, *way, *(["offer"] if node.offer else [])]


def _node(node: Node, at: Spot, classes: str, count: int | None) -> str:
    width, height = placing.size(node)
    mark = "step" if node.kind == "step" else "end"
    move = f'transform="translate({at[0] - width / 2:g} {at[1] - height / 2:g})"'
    return (
        f'<g class="{classes}" data-{mark}="{escape(node.id)}" {move}>'
        f"{_card(node, count) if node.kind == 'step' else _exit(node) if node.leaves else _pill(node, count)}</g>"
    )


def _card(node: Node, count: int | None) -> str:
    width, height = placing.size(node)
    words = "".join(
        f'<text class="words" x="14" y="{46 + 16 * row}">{escape(line)}</text>'
        for row, line in enumerate(placing.card_rows(node))
    )
    dots = "".join(
        f'<circle class="dot{" on" if number < node.size else ""}" cx="{width - 58 + 11 * number:g}" '
        f'cy="{height - 16:g}" r="3.4"/>'
        for number in range(5)
    )
    return (
        f"<title>{escape(f'{node.id}: {node.subject}')}</title>"
        f'<rect class="box" width="{width:g}" height="{height:g}" rx="12"/>'
        f'<g class="icon" transform="translate(14 12)">{ICONS[str(node.ask)]}</g>'
        f'<text class="name" x="38" y="26">{escape(placing.cut(node.id, 124, 15))}</text>{words}'
        f'<text class="kind" x="14" y="{height - 12:g}">{escape(_kind(node))}</text>{dots}'
        f"{_badge(node, (width - 32, 21), count)}"
    )


def _kind(node: Node) -> str:
    return f"{node.ask}, {node.price}" if node.price else str(node.ask)


def _pill(node: Node, count: int | None) -> str:
    """Where a pass begins, or its goal."""
    width, _ = placing.size(node)
    return (
        f'<rect class="box" width="{width:g}" height="{PILL}" rx="{PILL / 2:g}"/>'
        f'<text class="name" x="{width / 2:g}" y="18.5" text-anchor="middle">{escape(placing.pill_words(node))}</text>'
        f"{_badge(node, (width / 2, PILL + 11), count) if node.kind == 'goal' else ''}"
    )


def _exit(node: Node) -> str:
    width, height = placing.size(node)
    return (
        f'<rect class="box" width="{width:g}" height="{height:g}" rx="12"/>'
        f"{_rows(placing.exit_rows(node), (width / 2, height / 2))}"
    )


def _badge(node: Node, at: Spot, count: int | None) -> str:
    """How many stand here. Hidden while there is nobody."""
    return (
        f'<g class="badge{"" if count else " none"}" transform="translate({at[0]:g} {at[1]:g})">'
        f'<rect x="-20" y="-10" width="40" height="20" rx="10"/>'
        f'<text class="count" data-count="{escape(node.id)}" y="4" text-anchor="middle">{count or ""}</text></g>'
    )


def _way(edge: Edge, lines: tuple[Line, ...], taken: int | None, busiest: int, *, lit: bool) -> str:
    x, y = lines[-1][-1]
    broad = f" broad-{round(WIDTHS * taken / busiest)}" if taken else ""
    number = "" if taken is None else f'<text class="taken" x="{x + 7:g}" y="{y - 9:g}">{taken:,}</text>'
    return (
        f'<g class="way {edge.way}{" walked" if lit else ""}" '
        f'data-from="{escape(edge.source)}" data-to="{escape(edge.target)}">'
        f'<path class="line{broad}" d="{"".join(_rounded(line) for line in lines)}"/>'
        f'<path class="tip" d="M{x - 4.5:g} {y - 8:g}L{x:g} {y:g}L{x + 4.5:g} {y - 8:g}Z"/>{number}</g>'
    )


def _rounded(line: Line) -> str:
    """A line with round corners."""
    drawn = [f"M{line[0][0]:g} {line[0][1]:g}"]
    for before, corner, after in zip(line, line[1:], line[2:], strict=False):
        near, far = _towards(corner, before), _towards(corner, after)
        drawn.append(f"L{near[0]:g} {near[1]:g}Q{corner[0]:g} {corner[1]:g} {far[0]:g} {far[1]:g}")
    return "".join([*drawn, f"L{line[-1][0]:g} {line[-1][1]:g}"])


def _towards(start: Spot, end: Spot, distance: float = 10) -> Spot:
    """A point on the way to `end`, at most half way."""
    across, down = end[0] - start[0], end[1] - start[1]
    part = min(distance / (abs(across) + abs(down) or 1), 0.5)
    return round(start[0] + across * part, 1), round(start[1] + down * part, 1)


def _label(edge: Edge, at: Spot) -> str:
    rows = placing.label_rows(edge)
    if not rows:
        return ""
    width, height = placing.label_size(rows)
    return (
        f'<g class="label {edge.way}"><rect x="{at[0] - width / 2:g}" y="{at[1] - height / 2:g}" '
        f'width="{width:g}" height="{height:g}" rx="9"/>{_rows(rows, at)}</g>'
    )


def _rows(rows: list[str], middle: Spot) -> str:
    top = middle[1] - ROW * len(rows) / 2 + 11.5
    lines = "".join(
        f'<tspan x="{middle[0]:g}" y="{top + ROW * row:g}">{escape(line)}</tspan>' for row, line in enumerate(rows)
    )
    return f'<text text-anchor="middle">{lines}</text>'
