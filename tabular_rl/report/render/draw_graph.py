"""A graph between axes: states as circles with their values, actions as dots, edges that bend where two would meet."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.report.blocks import NOTHING, TERMINAL, Edge, Graph
from tabular_rl.report.render.ink import drawn, fitted, inks, scale

RADIUS = 0.36  # of a state
SMALL = 0.045  # of an action
BEND = 0.34  # of a line where another leads back
INCH = 0.85  # of a unit, where nodes are few
MOST = 12.0  # inches
STRONG, WEAK, EVEN = "#1a1a1a", "#9a9a9a", "#555555"  # what is chosen, what is not, and all where nothing is
BOX = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
LEAST, SMALLEST = 4.0, 5.5  # points of a text, and of one in a circle


def graph_size(block: Graph) -> tuple[float, float]:
    """How many inches wide and high a graph wants to be."""
    wide, high = np.ptp(block.places, axis=0) + [2.2, 1.8]
    shrunk = min(INCH, MOST / wide, MOST / high)
    return max(wide * shrunk, 3.5) + (1.1 if block.bar else 0.0), max(high * shrunk, 1.9) + 0.5


def draw_graph(axes: Any, block: Graph) -> None:
    """Draw a graph between axes."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Circle

    norm, colours = scale(block.values, block.down)
    faces = np.ones((len(block.values), 3))
    known = np.isfinite(block.values)
    faces[known] = colours(norm(block.values[known]))[:, :3]
    low, high = block.places.min(axis=0), block.places.max(axis=0)
    axes.set(xlim=(low[0] - 1.0, high[0] + 1.0), ylim=(high[1] + 0.7, low[1] - 1.0), aspect="equal")
    axes.axis("off")
    box = axes.get_window_extent().transformed(axes.figure.dpi_scale_trans.inverted())
    unit = 72 * min(
        box.width / (np.ptp(axes.get_xlim())), box.height / abs(np.ptp(axes.get_ylim()))
    )  # points
    of = {edge.head: edge.tail for edge in block.edges if block.kinds[edge.head] == NOTHING}
    links = Counter((of.get(e.tail, e.tail), e.head) for e in block.edges if block.kinds[e.head] != NOTHING)
    turn: Counter[tuple[int, int]] = Counter()
    for edge in sorted(block.edges, key=lambda edge: edge.strong):
        ends = (edge.tail, edge.head)
        bend = BEND * (links[ends] > 1 or ends[::-1] in links) + 0.22 * turn[ends]
        if block.kinds[edge.tail] == NOTHING:  # of an action: straight on, but back to its own state
            bend = 0.0 if of[edge.tail] != edge.head else 0.7
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
        _name_state(axes, block, i, unit, inks(faces[i]))
    _name_dots(axes, block, unit)
    if block.bar:
        from matplotlib.cm import ScalarMappable

        bar = axes.figure.colorbar(ScalarMappable(norm, colours), ax=axes, shrink=0.7, pad=0.02, aspect=25)
        bar.set_label(drawn(block.bar))
        bar.outline.set_visible(False)
    axes.set_title(fitted(block.title, max(box.width, 3.0)), fontsize="medium")


def _name_state(axes: Any, block: Graph, i: int, unit: float, ink: str) -> None:
    """The name and the value in a circle; a name that is too long for it stands below."""
    inside = [text for text in (block.names[i], block.texts[i]) if text]
    size = _fitting(inside, unit)
    if size < SMALLEST and unit * 0.13 >= LEAST and block.names[i]:
        place = block.places[i] + [0.0, RADIUS + 0.13]
        name = drawn(block.names[i])
        axes.text(
            *place,
            name,
            ha="center",
            va="center",
            fontsize=min(7.0, unit * 0.13),
            zorder=4,
            gid="node",
            bbox=BOX,
        )
        inside = inside[1:]
        size = _fitting(inside, unit)
    if size >= LEAST and inside:
        text = drawn("\n".join(inside))
        axes.text(
            *block.places[i], text, ha="center", va="center", fontsize=size, color=ink, zorder=4, gid="node"
        )


def _fitting(lines: list[str], unit: float) -> float:
    """The points of letters with which lines fit a circle."""
    return min(
        9.0, unit * RADIUS * 1.75 / (0.62 * max(map(len, lines), default=1)), unit * RADIUS * 1.5 / 2.4
    )


def _name_dots(axes: Any, block: Graph, unit: float) -> None:
    """The names of actions beside their dots, on the side where no line leads back."""
    size = min(8.0, unit * 0.14)
    if size < LEAST:
        return
    for edge in block.edges:
        if block.kinds[edge.head] == NOTHING and block.names[edge.head]:
            a, b = block.places[edge.tail], block.places[edge.head]
            way = (b - a) / np.linalg.norm(b - a)
            side = np.array([-way[1], way[0]])
            place = b + 0.16 * side
            flush = {
                "ha": "left" if side[0] > 0.4 else "right" if side[0] < -0.4 else "center",
                "va": "center",
            }
            colour = STRONG if edge.strong else EVEN
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
    """A line with a head from rim to rim, and its text on it; a loop above a state that leads to itself."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    points = _loop(block.places[edge.tail], loop) if edge.tail == edge.head else _arc(block, edge, bend)
    path = Path(
        points, [Path.MOVETO] + [Path.CURVE3 if len(points) == 3 else Path.CURVE4] * (len(points) - 1)
    )
    colour = STRONG if edge.strong else WEAK if any(e.strong for e in block.edges) else EVEN
    axes.add_patch(
        FancyArrowPatch(
            path=path, arrowstyle="-|>", mutation_scale=max(4.0, 8 * min(1.0, unit / 60)), color=colour,
            linewidth=(0.6 + 1.2 * edge.weight) * (1.0 if edge.strong else 0.6) * min(1.0, unit / 50),
            zorder=2 if edge.strong else 1,
        )
    )  # fmt: skip
    size = min(7.5, unit * 0.14)
    if edge.text and size >= LEAST:
        far = (
            0.4 if block.kinds[edge.tail] == NOTHING else 0.5
        )  # of the way: probabilities stand near their dots
        axes.text(
            *_along(points, far), drawn(edge.text), ha="center", va="center", fontsize=size,
            color=STRONG if edge.strong else EVEN, bbox=BOX, zorder=2.5, gid="edge",
        )  # fmt: skip


def _arc(block: Graph, edge: Edge, bend: float) -> NDArray[np.float64]:
    """The three points of a bent line between the rims of two nodes."""
    a, b = block.places[edge.tail], block.places[edge.head]
    way = b - a
    middle = (a + b) / 2 + bend * np.array([-way[1], way[0]])
    rims = [SMALL if block.kinds[i] == NOTHING else RADIUS for i in (edge.tail, edge.head)]
    ends = [x + rim * (middle - x) / np.linalg.norm(middle - x) for x, rim in zip((a, b), rims, strict=True)]
    return np.array([ends[0], middle, ends[1]])


def _loop(place: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    """The four points of a loop above a node; the next one is higher."""
    high = 1.0 + 0.3 * number
    return np.asarray(
        place + RADIUS * np.array([[-0.6, -0.8], [-0.9, -2.4 * high], [0.9, -2.4 * high], [0.6, -0.8]])
    )


def _along(points: NDArray[np.float64], t: float) -> NDArray[np.float64]:
    """The point of a Bézier curve a part t of the way."""
    while len(points) > 1:
        points = (1 - t) * points[:-1] + t * points[1:]
    return np.asarray(points[0])
