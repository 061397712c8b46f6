"""Where states stand when a model is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tabular_rl.model.rows import Ints

MOST_CELLS = 10_000_000  # of a map, or of a layout


@dataclass(frozen=True)
class Layout:
    """Where each state stands when it is drawn: `cell` (S,) is row * columns + column; None means state = cell.

    `elsewhere` are the cells that are no states and no walls: who enters them is taken to another cell. Only a map
    tells them.
    """

    rows: int
    columns: int
    cell: Ints | None = None
    elsewhere: tuple[int, ...] = field(default=(), repr=False)

    def cells(self, states: int) -> Ints:
        """The cell of each state, (S,)."""
        return np.arange(states, dtype=np.int64) if self.cell is None else self.cell

    def size_text(self, S: int) -> str:
        """Say how the number of cells does not fit S states; nothing where it does.

        >>> Layout(2, 3).size_text(6), Layout(2, 3).size_text(5)[:47]
        ('', 'layout: found 2 x 3 = 6 cells for 5 states, exp')
        """
        cells = self.rows * self.columns
        found = f"layout: found {self.rows} x {self.columns}"
        if cells > max(MOST_CELLS, 10 * S):
            return f"{found} cells, expected at most {MOST_CELLS:,}, or ten for each state"
        if self.cell is None and cells != S:
            found = f"{found} = {cells} cells for {S} states"
            return f"{found}, expected as many, or `cell`, which says where each state is drawn"
        if self.cell is not None and len(self.cell) != S:
            return f"layout: found {len(self.cell)} cells, expected one for each of {S} states"
        return ""

    def cell_text(self, S: int) -> str:
        """Say what is wrong with the cells of S states, which are as many; nothing where each has its own."""
        if self.cell is None:
            return ""
        if int(self.cell.max()) >= self.rows * self.columns or int(self.cell.min()) < 0:
            return f"layout: expected one cell of {self.rows} x {self.columns} for each state"
        if len(np.unique(self.cell)) != S:
            return "layout: found two states in one cell, expected a cell for each"
        return ""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Layout) or (self.rows, self.columns) != (other.rows, other.columns):
            return False
        size = len(self.cell) if self.cell is not None else len(other.cell) if other.cell is not None else 0
        return bool(np.array_equal(self.cells(size), other.cells(size)))

    __hash__ = None  # type: ignore[assignment]
