"""A graph between axes: states as circles with their values, actions as dots, edges that bend where two would meet."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from tabular_rl.report.blocks import NOTHING, TERMINAL, Edge, Graph
from tabular_rl.report.render.ink import drawn, fitted, inks, scale

RADIUS = 0.36  # of a state
SMALL = 0.045  # of an action
INCH = 0.85  # of a unit, where nodes are few
MOST = 12.0  # inches
STRONG, WEAK = "#1a1a1a", "#9a9a9a"
BOX = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
LEAST = 4.0  # points of a text


def graph_size(block: Graph) -> tuple[float, float]:
    """How many inches wide and high a graph wants to be."""
    wide, high = np.ptp(block.places, axis=0) + 2.4
    shrunk = min(INCH, MOST / wide, MOST / high)
    return max(wide * shrunk, 3.5) + (1.1 if block.bar else 0.0), max(high * shrunk, 2.5) + 0.5


def draw_graph(axes: Any, block: Graph) -> None:
    """Draw a graph between axes."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Circle

    norm, colours = scale(block.values, block.down)
    faces = np.ones((len(block.values), 3))
    known = np.isfinite(block.values)
    faces[known] = colours(norm(block.values[known]))[:, :3]
    low, high = block.places.min(axis=0), block.places.max(axis=0)
    axes.set(xlim=(low[0] - 1.0, high[0] + 1.0), ylim=(high[1] + 1.0, low[1] - 1.0), aspect="equal")
    axes.axis("off")
    box = axes.get_window_extent().transformed(axes.figure.dpi_scale_trans.inverted())
    unit = 72 * min(
        box.width / (np.ptp(axes.get_xlim())), box.height / abs(np.ptp(axes.get_ylim()))
    )  # points
    links = _links(block)
    turn: Counter[tuple[int, int]] = Counter()
    for edge in sorted(block.edges, key=lambda edge: edge.strong):
        ends = (edge.tail, edge.head)
        bend = 0.18 * (links[ends] > 1 or ends[::-1] in links) + 0.22 * turn[ends]
        turn[ends] += 1
        _draw_edge(axes, block, edge, bend, unit, turn[ends])
    states = [i for i, kind in enumerate(block.kinds) if kind != NOTHING]
    circles = [Circle(tuple(block.places[i]), RADIUS) for i in states]
    axes.add_collection(
        PatchCollection(
            circles, facecolors=faces[states], edgecolors="0.25", linewidths=min(1.0, unit / 60), zorder=3
        )
    )
    rings = [Circle(tuple(block.places[i]), RADIUS * 0.86) for i in states if block.kinds[i] == TERMINAL]
    axes.add_collection(PatchCollection(rings, facecolors="none", edgecolors="0.4", linewidths=0.7, zorder=3))
    dots = [Circle(tuple(block.places[i]), SMALL) for i, kind in enumerate(block.kinds) if kind == NOTHING]
    axes.add_collection(PatchCollection(dots, facecolors=STRONG, linewidths=0.0, zorder=3))
    for i in states:
        lines = [text for text in (block.names[i], block.texts[i]) if text]
        size = min(
            9.0, unit * RADIUS * 1.75 / (0.62 * max(map(len, lines), default=1)), unit * RADIUS * 1.5 / 2.4
        )
        if size >= LEAST and lines:
            axes.text(
                *block.places[i], drawn("\n".join(lines)), ha="center", va="center", fontsize=size,
                color=inks(faces[i]), zorder=4, gid="node",
            )  # fmt: skip
    _name_dots(axes, block, unit)
    if block.bar:
        from matplotlib.cm import ScalarMappable

        bar = axes.figure.colorbar(ScalarMappable(norm, colours), ax=axes, shrink=0.7, pad=0.02, aspect=25)
        bar.set_label(drawn(block.bar))
        bar.outline.set_visible(False)
    axes.set_title(fitted(block.title, max(box.width, 3.0)), fontsize="medium")


def _links(block: Graph) -> Counter[tuple[int, int]]:
    """How many edges lead from a state to another, through dots too."""
    of = {edge.head: edge.tail for edge in block.edges if block.kinds[edge.head] == NOTHING}
    return Counter((of.get(e.tail, e.tail), e.head) for e in block.edges if block.kinds[e.head] != NOTHING)


def _name_dots(axes: Any, block: Graph, unit: float) -> None:
    """The names of actions beside their dots, away from the states that they are of."""
    size = min(8.0, unit * 0.14)
    if size < LEAST:
        return
    for edge in block.edges:
        if block.kinds[edge.head] == NOTHING and block.names[edge.head]:
            a, b = block.places[edge.tail], block.places[edge.head]
            way = (b - a) / np.linalg.norm(b - a)
            side = np.array([way[1], -way[0]]) if way[0] > 0 else np.array([-way[1], way[0]])
            place = b + 0.16 * side
            flush = {
                "ha": "left" if side[0] > 0.4 else "right" if side[0] < -0.4 else "center",
                "va": "center",
            }
            colour = STRONG if edge.strong else "#555555"
            weight = "bold" if edge.strong else "normal"
            name = drawn(block.names[edge.head])
            axes.text(
                *place,
                name,
                fontsize=size,
                color=colour,
                weight=weight,
                zorder=4,
                gid="dot",
                bbox=BOX,
                **flush,
            )


def _draw_edge(axes: Any, block: Graph, edge: Edge, bend: float, unit: float, loop: int) -> None:
    """A line with a head, and its text beside its middle; a loop above a state that leads to itself."""
    from matplotlib.patches import FancyArrowPatch

    a, b = block.places[edge.tail], block.places[edge.head]
    width = (0.6 + 1.2 * edge.weight) * (1.0 if edge.strong else 0.6) * min(1.0, unit / 50)
    colour = STRONG if edge.strong else WEAK
    gaps = [unit * (SMALL if block.kinds[i] == NOTHING else RADIUS) for i in (edge.tail, edge.head)]
    style: dict[str, Any] = {
        "arrowstyle": "-|>", "mutation_scale": max(4.0, 8 * min(1.0, unit / 60)), "linewidth": width,
        "color": colour, "zorder": 2 if edge.strong else 1, "shrinkA": gaps[0], "shrinkB": gaps[1] + 0.5,
    }  # fmt: skip
    if edge.tail == edge.head:
        reach = RADIUS + 0.16 + 0.14 * loop
        start, end = a + RADIUS * np.array([-0.6, -0.8]), a + RADIUS * np.array([0.6, -0.8])
        style |= {"shrinkA": 0.0, "shrinkB": 0.5}
        axes.add_patch(
            FancyArrowPatch(
                tuple(start), tuple(end), connectionstyle=f"arc3,rad={-1.1 - 0.5 * loop}", **style
            )
        )
        middle = a + [0.0, -reach - 0.1]
    else:
        axes.add_patch(FancyArrowPatch(tuple(a), tuple(b), connectionstyle=f"arc3,rad={bend}", **style))
        way = b - a
        middle = (a + b) / 2 + bend / 2 * np.array([way[1], -way[0]]) * -1.0
    size = min(7.5, unit * 0.14)
    if edge.text and size >= LEAST:
        axes.text(
            *middle, drawn(edge.text), ha="center", va="center", fontsize=size,
            color=STRONG if edge.strong else "#555555", bbox=BOX, zorder=2.5, gid="edge",
        )  # fmt: skip
