"""What a report is made of: blocks for a reader, entries and a sheet for a program. A renderer makes text of them.

A kind of answer has one class here above, a `Report`; a way to show it is one function over reports (`report/render/`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError, quoted

if TYPE_CHECKING:
    from tabular_rl.analysis.exercises.prose import Span

BLOCK = 1 << 14  # entries made together


@dataclass(frozen=True)
class Lines:
    """Sentences, each on a line of its own."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Heading:
    """What stands above a page, or above a part of it."""

    text: str
    part: bool = False


@dataclass(frozen=True)
class Prose:
    """A paragraph, or with `display` a formula that stands alone; its spans tell words from mathematics and names."""

    line: Sequence[Span]
    display: bool = False

    @property
    def text(self) -> str:
        """The paragraph without the marks."""
        return "".join(span.text for span in self.line)


@dataclass(frozen=True)
class Typed:
    """Lines to be typed as they stand."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Texts in columns.

    Where the columns do not fit, those in `wrap` are wrapped; those in `drop` are left out, the first one first, and
    that is said below; with `fold` what does not fit stands below, behind the first `fold` columns.

    Parameters
    ----------
    headers, rows : the texts; no line of headers where all are empty
    left : headers of columns that are flush left, comma-separated; others are flush right
    wrap, drop : headers, comma-separated
    fold : number of columns that stand in every part
    gaps : lines that stand before a row
    above, below : lines that belong to the table
    shades : header -> a number for each row, NaN for none: how bright its cells are where there are colours
    """

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: str = ""
    wrap: str = ""
    drop: str = ""
    fold: int = 0
    gaps: Mapping[int, str] = field(default_factory=dict)
    above: Sequence[str] = ()
    below: Sequence[str] = ()
    shades: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True)
class Grid:
    """Texts in the places of a map, a row of cells above the other."""

    cells: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Series:
    """Points of a curve: one line, or one for each run.

    Parameters
    ----------
    name : in the legend
    x, y : (n,) and (n,), or (n, runs)
    number : of the colour and the style of the line; black where it has none
    look : "line", "dot" or "cross"; "steps", a line with a style and a marker of its number over steps that are
        counted; "arrow" from the first point to the last; "level", a line through the whole
        picture, "upright", one at each x; "marks", points without a line, each number with a marker of its own,
        "hollow" the same unfilled; of runs "runs", thin lines without a name, "spread", the median in a band from the
        least to the most, or "expected", a thick line in a band that stands behind others
    """

    name: str
    x: NDArray[Any]
    y: NDArray[Any]
    number: int | None = None
    look: str = "line"


@dataclass(frozen=True)
class Curve:
    """Series between two axes; a screen of text leaves it out.

    Parameters
    ----------
    title, x, y : what is drawn, and what the axes are called
    series : drawn one over the other
    logarithmic : the axes that are, "x", "y" or "xy"; what is not above 0 has no place there
    aside : whether the legend stands beside the curve
    x_names, y_names : what stands at 0, 1, 2 ... of an axis instead of numbers
    """

    title: str
    x: str
    y: str
    series: Sequence[Series]
    logarithmic: str = ""
    aside: bool = False
    x_names: Sequence[str] = ()
    y_names: Sequence[str] = ()


VALUE, WALL, TERMINAL, ELSEWHERE, NOTHING = range(5)  # what a cell of a map is


@dataclass(frozen=True)
class Arrow:
    """A move that is drawn in a cell: to the right by `dx`, down by `dy`; (0, 0) is to stay. `weight` is its size."""

    row: int
    column: int
    dx: float
    dy: float
    weight: float = 1.0


@dataclass(frozen=True)
class Map:
    """Numbers in the cells of a map or of a table, as colours and as texts; a screen of text leaves it out.

    Parameters
    ----------
    title : what is drawn
    values : (m, n), or (m, n, 4) for the triangles above, right, below and left of each cell; NaN where there is none
    texts : of each cell, or of each of its triangles
    bar : what the colours mean; nothing where they mean nothing
    kinds : (m, n) what each cell is; values without
    arrows : drawn over the colours
    framed : (m, n) or (m, n, 4) what is best in its state
    notes : by (row, column), a short text in the corner of a cell
    rows, columns : names of the rows and columns of a table; a map has none
    down : whether less is better, so that bright still is good
    """

    title: str
    values: NDArray[np.float64]
    texts: Sequence[Sequence[Any]]
    bar: str = ""
    kinds: NDArray[np.int64] | None = None
    arrows: Sequence[Arrow] = ()
    framed: NDArray[np.bool_] | None = None
    notes: Mapping[tuple[int, int], str] = field(default_factory=dict)
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()
    down: bool = False


@dataclass(frozen=True)
class Edge:
    """A line of a graph from one node to another, or to itself.

    Parameters
    ----------
    tail, head : numbers of the nodes
    text : what stands beside it
    weight : its thickness, from 0 to 1
    strong : whether it belongs to what is chosen
    """

    tail: int
    head: int
    text: str = ""
    weight: float = 1.0
    strong: bool = False


@dataclass(frozen=True)
class Graph:
    """Nodes with lines between them; a screen of text leaves it out.

    Parameters
    ----------
    title : what is drawn
    places : (n, 2) where the nodes stand, in units of their size, x to the right and y down
    names, texts : of each node, and what stands below its name; that of a dot stands beside it
    values : (n,) colours; NaN for none
    kinds : (n,) TERMINAL, VALUE, or NOTHING for a small dot
    edges : the lines
    bar : what the colours mean
    down : whether less is better, so that bright still is good
    """

    title: str
    places: NDArray[np.float64]
    names: Sequence[str]
    texts: Sequence[str]
    values: NDArray[np.float64]
    kinds: NDArray[np.int64]
    edges: Sequence[Edge]
    bar: str = ""
    down: bool = False


Block = Lines | Heading | Prose | Typed | Table | Grid | Curve | Map | Graph


def under(block: Block, lines: Sequence[str]) -> Block:
    """A block with lines right below it."""
    if isinstance(block, Table):
        return replace(block, below=[*block.below, *lines])
    return Lines([*block.lines, *lines]) if isinstance(block, Lines) else block


@dataclass(frozen=True)
class Column:
    """An entry for each state, and for each time step where there are `steps`; made for some states at a time.

    `of` takes a time step and the first and last of some states, and returns their entries: numbers, texts, and None
    where there is none, as for an infinite number. After the last time step an entry is `after`.

    >>> Column.numbers(np.array([1.5, np.inf])).of(0, 0, 2)
    [1.5, None]
    """

    of: Callable[[int, int, int], list[Any]]
    size: int
    steps: int | None = None
    after: Any = None

    @classmethod
    def of_steps(
        cls,
        values: NDArray[Any],
        size: int,
        of: Callable[[NDArray[Any], int, int], list[Any]],
        after: Any = None,
    ) -> Column:
        """The column of an array of one time step, or of a row for each: `of` has the row instead of the time."""
        steps = np.atleast_2d(values)
        timed = len(values) if values.ndim == 2 else None
        return cls(lambda t, first, last: of(steps[t], first, last), size, timed, after)

    @classmethod
    def numbers(cls, values: NDArray[Any], after: Any = None) -> Column:
        """The column of an array (S,) or (T, S)."""
        return cls.of_steps(values, values.shape[-1], lambda row, first, last: plain(row[first:last]), after)

    def parts(self, t: int = 0) -> Iterator[list[Any]]:
        """The entries of a time step, in blocks."""
        return (self.of(t, *ends) for ends in ranges(self.size))

    def lines(self, t: int, first: int, last: int) -> list[Any]:
        """The entries of some states at any time."""
        known = self.steps is None or t < self.steps
        return self.of(t, first, last) if known else [self.after] * (last - first)


def plain(values: NDArray[Any]) -> list[Any]:
    """The numbers of an array (n,), infinities and NaN as None."""
    numbers: list[Any] = values.tolist()
    known = np.isfinite(values) if values.dtype.kind == "f" else None
    if known is None or known.all():
        return numbers
    return [x if ok else None for x, ok in zip(numbers, known.tolist(), strict=True)]


def ranges(size: int) -> Iterator[tuple[int, int]]:
    """Return the first and the last entry of each block of entries."""
    return ((first, min(first + BLOCK, size)) for first in range(0, size, BLOCK))


@dataclass(frozen=True)
class Sheet:
    """Lines of numbers and texts under headers; the lines come in blocks."""

    headers: Sequence[str]
    blocks: Iterable[Iterable[Sequence[Any]]]


def sheet_columns(sheet: Sheet) -> dict[str, list[Any]]:
    """Return the columns of a sheet by their headers.

    >>> sheet_columns(Sheet(["state", "value"], [[["a", 1.5], ["b", None]]]))
    {'state': ['a', 'b'], 'value': [1.5, None]}
    """
    columns: dict[str, list[Any]] = {name: [] for name in sheet.headers}
    for lines in sheet.blocks:
        for column, cells in zip(columns.values(), zip(*lines, strict=True), strict=False):
            column.extend(cells)
    return columns


def runs_sheet(headers: Sequence[str], curves: Sequence[Curve]) -> Sheet:
    """Return name,run,x,...: a line for each run and x of curves with the same names, runs and x; a column a curve."""

    def blocks() -> Iterator[Iterator[Sequence[Any]]]:
        for alike in zip(*(curve.series for curve in curves), strict=True):
            name, x = alike[0].name, alike[0].x.tolist()
            for run in range(alike[0].y.shape[1]):
                columns = (plain(series.y[:, run]) for series in alike)
                yield ((name, run, *line) for line in zip(x, *columns, strict=True))

    return Sheet(headers, blocks())


class Report:
    """What there is to show of an answer. Each part is made when a renderer asks for it."""

    mathematical = False  # whether signs are spelled out on a screen that cannot show them

    def blocks(self) -> list[Block]:
        """For a reader: rounded, named, in the width of the screen."""
        raise NotImplementedError

    def entries(self) -> Mapping[str, Any]:
        """For a program: every number as it is, by name."""
        raise NotImplementedError

    def sheet(self) -> Sheet:
        """For a spreadsheet: the numbers that are many, in columns."""
        raise NotImplementedError

    def columns(self, what: str = "") -> Mapping[str, Any]:
        """For a data frame: columns of one length, arrays or lists, None where an entry has nothing.

        `what` is one of several frames, by name; OptionError names them where there is none of this name.
        """
        if what:
            raise OptionError(f"what: found {quoted(what)}, expected nothing: there is one frame of this")
        return sheet_columns(self.sheet())

    def arrays(self) -> tuple[Mapping[str, NDArray[Any]], Mapping[str, Sequence[str] | None]]:
        """For a program that maps files: the arrays of an answer, and the names of its states and actions."""
        raise OptionError("format: found npy, expected another: there are no arrays by state of this")

    def shown(self) -> list[Block]:
        """For a notebook: blocks, and maps among them, as far as they are HTML."""
        return self.blocks()

    def picture(self, what: str = "") -> list[Block]:
        """For the eye: curves, maps and graphs side by side, under a line that says what they show.

        `what` is one of several pictures, by name; OptionError names them where there is none of this name.
        """
        raise NotImplementedError
