"""A map or a table between axes: colours that grey keeps in order, numbers, arrows and triangles that can be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.report.blocks import ELSEWHERE, TERMINAL, VALUE, WALL, Map
from tabular_rl.report.render.ink import drawn, fitted, inks, scale

LARGEST, SMALLEST = 11.0, 4.5  # points of a text; a smaller one is left out
WIDE = 0.62  # of the height of a letter
ROOM = 0.88  # of the width of a cell that a text may take
MANY = 2500  # cells from which on colours are dots in vector pictures
NAMED = 60  # rows or columns that are named
# The triangle of a side in a cell around (0, 0), y down, and where its text stands: above, right, below, left.
CORNERS = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
MIDDLES = ((0.0, -0.33), (0.29, 0.0), (0.0, 0.33), (-0.29, 0.0))
# An arrow to the right whose middle is (0, 0), 1 long.
ARROW = np.array(
    [[-0.5, -0.14], [0.0, -0.14], [0.0, -0.42], [0.5, 0.0], [0.0, 0.42], [0.0, 0.14], [-0.5, 0.14]]
)


def map_size(block: Map) -> tuple[float, float]:
    """How many inches wide and high a map wants to be, with what stands around it."""
    rows, columns = block.values.shape[:2]
    lines = max((text.count("\n") for row in block.texts for text in _flat(row)), default=0)
    longest = max((_length(text) for row in block.texts for text in _flat(row)), default=0)
    cell = 1.25 if block.values.ndim == 3 else max(0.75, 0.09 * longest if block.rows else 0.0)
    cell = min(cell, 2.0)
    names = 0.08 * max(map(len, block.rows), default=0)
    wide = min(max(cell * columns, 3.0), 12.0)
    shape = (0.28 + 0.18 * lines) * rows if block.rows else wide / columns * rows
    return wide + names + (1.2 if block.bar else 0.4), min(max(shape, 1.2), 10.0) + 1.0


def _flat(row: Any) -> Iterator[str]:
    """The texts of a row, of its triangles too."""
    for text in row:
        yield from [text] if isinstance(text, str) else text


def _length(text: str) -> int:
    """The letters of the longest line."""
    return max(map(len, text.split("\n")))


def draw_map(axes: Any, block: Map) -> None:
    """Draw a map between axes."""
    rows, columns = block.values.shape[:2]
    kinds = np.full((rows, columns), VALUE) if block.kinds is None else block.kinds
    norm, colours = scale(block.values, block.down)
    faces = _faces(block, kinds, norm, colours)
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    if not block.rows:
        axes.set_aspect("equal")
    box = axes.get_window_extent().transformed(axes.figure.dpi_scale_trans.inverted())
    cell = (box.width / columns, box.height / rows)
    if not block.rows:
        cell = (min(cell), min(cell))
    if block.values.ndim == 3:
        _draw_triangles(axes, block, faces, cell[0])
    else:
        _draw_cells(axes, block, kinds, faces, cell)
    _draw_kinds(axes, kinds)
    _draw_arrows(axes, block, faces)
    for (row, column), note in block.notes.items():
        size = min(7.0, 72 * cell[0] * 0.8 / (WIDE * len(note)))
        if size >= SMALLEST:
            place = {"va": "top", "ha": "left", "color": inks(faces[row, column]), "gid": "note"}
            axes.text(column - 0.46, row - 0.44, drawn(note), fontsize=size, **place)
    _name_sides(axes, block)
    if block.bar and np.isfinite(block.values).any():
        from matplotlib.cm import ScalarMappable

        bar = axes.figure.colorbar(ScalarMappable(norm, colours), ax=axes, shrink=0.8, pad=0.02, aspect=25)
        bar.set_label(drawn(block.bar))
        bar.outline.set_visible(False)
    axes.set_title(fitted(block.title, max(box.width, 3.0)), fontsize="medium")


def _faces(block: Map, kinds: NDArray[Any], norm: Any, colours: Any) -> NDArray[np.float64]:
    """The colour of each cell, or of each triangle: white where there is no value, grey for walls."""
    faces = np.asarray(colours(norm(np.ma.masked_invalid(block.values))))[..., :3].copy()
    faces[~np.isfinite(block.values)] = 1.0
    faces[kinds == WALL] = 0.25
    faces[(kinds == ELSEWHERE) | (kinds == TERMINAL)] = 1.0
    return faces


def _draw_cells(
    axes: Any, block: Map, kinds: NDArray[Any], faces: NDArray[Any], cell: tuple[float, float]
) -> None:
    """The cells in their colours, with their texts, and frames around the best."""
    rows, columns = block.values.shape
    grid = axes.pcolormesh(
        np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5, faces,
        edgecolor="white" if np.isfinite(block.values).any() else "0.8",
        linewidth=0.5 if min(cell) > 0.15 else 0.0, rasterized=rows * columns > MANY, zorder=0,
    )  # fmt: skip
    grid.set_gid("cells")
    if block.framed is not None and min(cell) > 0.12:
        for row, column in np.argwhere(block.framed):
            _frame(axes, row, column, inks(faces[row, column]))
    elif block.framed is not None and block.framed.any():  # too small for frames
        down, along = np.nonzero(block.framed)
        dots = {"s": (0.45 * 72 * min(cell)) ** 2, "c": [inks(face) for face in faces[down, along]]}
        axes.scatter(along, down, linewidths=0.0, gid="best", **dots)
    texts = [(i, j, text) for i, row in enumerate(block.texts) for j, text in enumerate(row) if text]
    size = _text_size((text for _, _, text in texts), cell, ROOM if block.rows or not block.arrows else 0.5)
    if size >= SMALLEST:
        for i, j, text in texts:
            bold = block.framed is not None and bool(block.framed[i, j])
            plain = kinds[i, j] in (WALL,)
            axes.text(
                j, i, drawn(text), ha="center", va="center", fontsize=size, gid="value",
                color="white" if plain else inks(faces[i, j]), weight="bold" if bold else "normal",
            )  # fmt: skip


def _text_size(texts: Any, cell: tuple[float, float], room: float) -> float:
    """The points of letters with which every text fits its cell."""
    listed = list(texts)
    longest = max(map(_length, listed), default=1)
    lines = max((text.count("\n") + 1 for text in listed), default=1)
    return min(LARGEST, 72 * cell[0] * room / (WIDE * longest), 72 * cell[1] * 0.8 / (1.2 * lines))


def _frame(axes: Any, row: int, column: int, ink: str) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((column - 0.44, row - 0.44), 0.88, 0.88, fill=False, edgecolor=ink, linewidth=1.2)
    )


def _draw_triangles(axes: Any, block: Map, faces: NDArray[Any], cell: float) -> None:
    """Each cell as four triangles; the best ones have a thick edge and a bold number."""
    from matplotlib.collections import PolyCollection

    known = np.argwhere(np.isfinite(block.values))
    size = _text_size((x for row in block.texts for x in _flat(row)), (cell * 0.36, cell * 0.4), 1.0)
    best = np.zeros(block.values.shape, bool) if block.framed is None else block.framed
    shapes = [_triangle(i, j, side) for i, j, side in known]
    axes.add_collection(
        PolyCollection(
            shapes, facecolors=[faces[tuple(p)] for p in known], edgecolors="white", linewidths=0.6
        )
    )
    framed = [p for p in known if best[tuple(p)]]
    inner = [_triangle(i, j, side, inside=0.8) for i, j, side in framed]
    edges = [inks(faces[tuple(p)]) for p in framed]
    axes.add_collection(PolyCollection(inner, facecolors="none", edgecolors=edges, linewidths=1.4))
    if size >= SMALLEST:
        for i, j, side in known:
            x, y = MIDDLES[side]
            weight = "bold" if best[i, j, side] else "normal"
            axes.text(
                j + x, i + y, drawn(block.texts[i][j][side]), ha="center", va="center", fontsize=size, gid="value",
                color=inks(faces[i, j, side]), weight=weight,
            )  # fmt: skip


def _triangle(row: int, column: int, side: int, inside: float = 1.0) -> NDArray[np.float64]:
    """The corners of a triangle, shrunk towards its middle."""
    corners = np.vstack([CORNERS[side], CORNERS[(side + 1) % 4], [[0.0, 0.0]]])
    middle = corners.mean(axis=0)
    return np.asarray(middle + inside * (corners - middle) + [column, row])


def _draw_kinds(axes: Any, kinds: NDArray[Any]) -> None:
    """Walls, frames of the ends, hatching of what leads elsewhere, and what walls and hatching mean."""
    from matplotlib.patches import Patch, Rectangle

    for row, column in np.argwhere(kinds == WALL):
        at = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(at, 1, 1, facecolor="0.25", linewidth=0.0, zorder=0.5, gid="wall"))
    for row, column in np.argwhere(kinds == TERMINAL):
        for size in (0.92, 0.8):
            at = (column - size / 2, row - size / 2)
            axes.add_patch(Rectangle(at, size, size, fill=False, edgecolor="0.35", linewidth=0.8))
    for row, column in np.argwhere(kinds == ELSEWHERE):
        shape = Rectangle(
            (column - 0.5, row - 0.5), 1, 1, fill=False, hatch="////", edgecolor="0.55", linewidth=0.0
        )
        axes.add_patch(shape)
    shown = []
    if (kinds == WALL).any():
        shown.append(Patch(facecolor="0.25", label="wall"))
    if (kinds == ELSEWHERE).any():
        shown.append(Patch(fill=False, hatch="////", edgecolor="0.55", label="leads to another cell at once"))
    if (kinds == TERMINAL).any():
        shown.append(Patch(facecolor="white", edgecolor="0.35", label="end"))
    if shown:
        axes.legend(
            handles=shown, loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=3, frameon=False, fontsize="small",
            borderaxespad=0.3,
        )  # fmt: skip


def _draw_arrows(axes: Any, block: Map, faces: NDArray[Any]) -> None:
    """Arrows near the edges of their cells where numbers stand in the middle, else from the middle; a dot to stay."""
    from matplotlib.collections import PolyCollection

    if not block.arrows:
        return
    texts = any(block.texts[a.row][a.column] for a in block.arrows)
    shapes, colours, stays = [], [], []
    for arrow in block.arrows:
        face = faces[arrow.row, arrow.column]
        way = np.array([arrow.dx, arrow.dy])
        middle = np.array([arrow.column, arrow.row], dtype=float)
        if not way.any():
            stays.append((*(middle + [0.0, 0.3 if texts else 0.0]), inks(face)))
            continue
        long = (0.17 if texts else 0.4) * (0.35 + 0.65 * arrow.weight)
        # Towards a corner an arrow stands as far out on both sides as one along a side does on one.
        at = middle + way * (0.4 if texts else 0.22)
        along = way / np.linalg.norm(way)
        turned = np.array([along, [-along[1], along[0]]])
        shapes.append(at + long * ARROW @ turned)
        colours.append(inks(face))
    axes.add_collection(PolyCollection(shapes, facecolors=colours, linewidths=0.0, gid="arrows"))
    if stays:
        x, y, ink = zip(*stays, strict=True)
        axes.scatter(x, y, s=12, c=ink, gid="stays")


def _name_sides(axes: Any, block: Map) -> None:
    """Names of rows and columns; the numbers of those of a map where they are few."""
    rows, columns = block.values.shape[:2]
    axes.tick_params(length=0, labelsize="small")
    axes.spines[:].set_visible(False)
    names = [block.rows or [str(i) for i in range(rows)], block.columns or [str(i) for i in range(columns)]]
    for axis, of in ((axes.yaxis, names[0]), (axes.xaxis, names[1])):
        every = max(1, -(-len(of) // NAMED)) if block.rows else max(1, -(-len(of) // 16))
        places = range(0, len(of), every)
        axis.set_ticks(list(places), [drawn(of[i]) for i in places])
    if block.columns:
        axes.xaxis.tick_top()
        if max(map(len, block.columns)) * columns > 70:
            axes.tick_params(axis="x", labelrotation=90)
