"""An episode as a text and as a picture: the map of a model with where it stands, or its graph."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError, escape
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import general
from tabular_rl.report.blocks import ELSEWHERE, TERMINAL, VALUE, WALL, Graph, Map
from tabular_rl.report.maps import model_map
from tabular_rl.report.network import MOST_NODES, model_graph
from tabular_rl.report.render.draw_graph import RADIUS, draw_graph, graph_size
from tabular_rl.report.render.ink import face, fonts
from tabular_rl.report.render.picture import require_plot

Bytes = NDArray[np.uint8]
CELL, LARGEST = 48, 960  # pixels of a cell, and of a side
SIGNS = {VALUE: ".", WALL: "#", TERMINAL: "E", ELSEWHERE: "@"}  # of cells in a text
HERE = "A"
RED = (200, 30, 45)
DOTS = 100  # an inch


class Step(NamedTuple):
    """The last step: from which state, by which action, for which reward."""

    state: int
    action: int
    reward: float


NOTHING = Step(-1, -1, 0.0)


def text_of(mdp: MDP, s: int, t: int, last: Step) -> str:
    """Return an episode as it stands: the map where there is one, and the last step in words.

    Parameters
    ----------
    mdp : the model
    s : the state
    t : how many steps were taken
    last : the last of them

    Returns
    -------
    Lines, each with its end.
    """
    drawn = model_map(mdp)
    lines = [] if drawn is None or mdp.layout is None else _cells(drawn, int(mdp.layout.cells(mdp.S)[s]))
    here = escape(mdp.states[s]) if s >= 0 else "no episode"
    said = f"begins in {here}" if s >= 0 else here
    if last.state >= 0:
        way = f"from {escape(mdp.states[last.state])} by {escape(mdp.actions[last.action])} to {here}"
        said = f"{way}, reward {general(last.reward, 6)}"
    return "".join(f"{line}\n" for line in [*lines, f"t = {t}: {said}"])


def _cells(block: Map, cell: int) -> list[str]:
    """The map in signs: A is where it stands, E an end, # a wall, @ a cell that leads to another."""
    assert block.kinds is not None
    rows = [[SIGNS[int(kind)] for kind in row] for row in block.kinds]
    row, column = divmod(cell, len(rows[0]))
    rows[row][column] = HERE
    return ["".join(row) for row in rows]


class Picture:
    """The picture of a model, drawn once; each frame marks a state in it.

    A map is painted cell by cell. A graph has names, and takes matplotlib.

    Raises
    ------
    OptionError : no map, and too many states for a graph
    MissingExtra : a graph, and matplotlib is not installed
    """

    def __init__(self, mdp: MDP) -> None:
        block = model_map(mdp)
        if block is not None and mdp.layout is not None:
            self.ground, side = _painted(block)
            cells = mdp.layout.cells(mdp.S)
            row, column = cells // mdp.layout.columns, cells % mdp.layout.columns
            self.places = np.stack([column + 0.5, row + 0.5], axis=1) * side
            self.radius, self.hollow = 0.3 * side, False
        else:
            if mdp.S > MOST_NODES:
                raise OptionError(
                    f"render_mode: found {mdp.S} states without a layout, expected at most {MOST_NODES} for a graph. "
                    "'ansi' says the state in words"
                )
            require_plot()
            self.ground, self.places, self.radius = _plotted(model_graph(mdp), mdp.S)
            self.hollow = True

    def frame(self, s: int) -> Bytes:
        """Return the picture with a mark at a state, (height, width, 3); without one before the first episode."""
        picture = self.ground.copy()
        if s >= 0:
            _mark(picture, self.places[s], self.radius, self.hollow)
        return picture


def _painted(block: Map) -> tuple[Bytes, int]:
    """A map as cells in their colours, with lines between them; and how many pixels a cell has."""
    assert block.kinds is not None
    rows, columns = block.kinds.shape
    side = max(min(CELL, LARGEST // max(rows, columns)), 1)
    faces = np.ones((rows, columns, 3))
    known = np.isfinite(block.values)
    if known.any():
        low, high = float(block.values[known].min()), float(block.values[known].max())
        share = (block.values[known] - low) / (high - low) if high > low else np.full(int(known.sum()), 0.5)
        faces[known] = [face(1 - x if block.down else x) for x in share.tolist()]
    faces[block.kinds == WALL] = 0.25
    faces[block.kinds == ELSEWHERE] = 0.8
    picture = np.repeat(np.repeat((faces * 255).round().astype(np.uint8), side, axis=0), side, axis=1)
    if side > 3:
        picture[::side] = picture[:, ::side] = 150
        for row, column in np.argwhere(block.kinds == TERMINAL).tolist():
            _frame(picture, row * side, column * side, side)
    return picture, side


def _frame(picture: Bytes, top: int, left: int, side: int) -> None:
    """A second frame in the cell of an end."""
    inner = max(side // 8, 2)
    cell = picture[top + inner : top + side - inner + 1, left + inner : left + side - inner + 1]
    cell[0] = cell[-1] = cell[:, 0] = cell[:, -1] = 90


def _plotted(block: Graph, S: int) -> tuple[Bytes, NDArray[np.float64], float]:
    """A graph as matplotlib draws it: its pixels, where the states stand in them, and the radius of one."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"font.family": fonts()}):
        figure = Figure(figsize=graph_size(block), dpi=DOTS, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.subplots()
        draw_graph(axes, block)
        canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[..., :3].copy()
    places = axes.transData.transform(block.places[:S])
    unit = axes.transData.transform([[0.0, 0.0], [RADIUS, 0.0]])
    places[:, 1] = len(picture) - places[:, 1]  # matplotlib counts from below
    return picture, places, float(abs(unit[1, 0] - unit[0, 0]))


def _mark(picture: Bytes, place: NDArray[np.float64], radius: float, hollow: bool) -> None:
    """A red disc, or a red ring around what stands there."""
    height, width = picture.shape[:2]
    y, x = np.ogrid[:height, :width]
    distance = np.sqrt((x + 0.5 - place[0]) ** 2 + (y + 0.5 - place[1]) ** 2)
    if hollow:
        inside = (distance <= radius + 3.0) & (distance >= radius - 1.5)
    else:
        inside = distance <= max(radius, 0.5)
        picture[distance <= max(radius, 0.5) + 1.5] = 255
    picture[inside] = RED
