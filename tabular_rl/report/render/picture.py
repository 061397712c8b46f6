"""Curves, maps and graphs as a picture. It needs the extra `plot`."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Sequence
from typing import Any, BinaryIO

from tabular_rl.errors import MissingExtra, OptionError, path_text
from tabular_rl.formats.output import write_atomically
from tabular_rl.report.blocks import Block, Curve, Graph, Lines, Map, Report
from tabular_rl.report.render.draw_curve import curve_size, draw_curve
from tabular_rl.report.render.draw_graph import draw_graph, graph_size
from tabular_rl.report.render.draw_map import draw_map, map_size
from tabular_rl.report.render.ink import fitted, fonts
from tabular_rl.report.screen import warn

SUFFIXES = (".png", ".svg", ".pdf")
DOTS = 150  # an inch
# A block that is drawn -> how it is, and how many inches wide and high it wants to be.
DRAWN: dict[type, tuple[Any, Any]] = {
    Curve: (draw_curve, curve_size),
    Map: (draw_map, map_size),
    Graph: (draw_graph, graph_size),
}


def require_plot() -> None:
    """Raise MissingExtra where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtra("--plot: found no matplotlib, expected the extra: pip install 'tabular-rl[plot]'")


def write_picture(report: Report, path: str | os.PathLike[str], what: str = "") -> None:
    """Draw the picture of a report, its parts side by side, and write it atomically, the same bytes on every run.

    Parameters
    ----------
    report : whose picture
    path : its suffix says the format, PNG where it has none
    what : which picture, where there are several; the first by default

    Raises
    ------
    MissingExtra : matplotlib is not installed
    OptionError : there is no such picture
    OutputError : path and reason; what stood there before is intact
    """
    require_plot()
    import matplotlib

    blocks = report.picture(what)
    parts = _parts(blocks)
    with matplotlib.rc_context({"font.family": fonts()}):
        figure = _figure(blocks, parts)
    suffix = os.path.splitext(os.fspath(path))[1].lower().removeprefix(".") or "png"

    def write(file: BinaryIO) -> None:
        fixed: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        settings: dict[str, Any] = {"svg.hashsalt": "tabular-rl", "svg.fonttype": "none"}
        with matplotlib.rc_context(settings), warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            figure.savefig(file, format=suffix, dpi=DOTS, metadata=fixed.get(suffix))
        if any("missing from" in str(heard_one.message) for heard_one in heard) and suffix != "svg":
            where = path_text(os.fspath(path))
            warn(
                f"{where}: no font at hand has all letters of the names; boxes stand for them. As .svg they are texts"
            )

    write_atomically(path, write)


def plot_report(report: Report, axes: Any = None, what: str = "") -> Any:
    """Draw the first part of a picture between axes, and return these.

    Parameters
    ----------
    report : whose picture
    axes : matplotlib's Axes; without, those of a new figure of pyplot
    what : which picture, where there are several; the first by default

    Returns
    -------
    matplotlib's Axes.

    Raises
    ------
    MissingExtra : matplotlib is not installed
    OptionError : there is no such picture, or `axes` are none
    """
    require_plot()
    if axes is not None and not hasattr(axes, "get_window_extent"):
        raise OptionError(f"ax: found {type(axes).__name__}, expected matplotlib's Axes")
    part = _parts(report.picture(what))[0]
    if axes is None:
        from matplotlib import pyplot

        _, axes = pyplot.subplots(figsize=DRAWN[type(part)][1](part), layout="constrained")
    DRAWN[type(part)][0](axes, part)
    return axes


def _parts(blocks: Sequence[Block]) -> list[Block]:
    """The blocks that are drawn."""
    return [block for block in blocks if type(block) in DRAWN]


def _figure(blocks: Sequence[Block], parts: Sequence[Block]) -> Any:
    """Draw blocks side by side below the lines that say what they show."""
    from matplotlib.figure import Figure

    sizes = [DRAWN[type(part)][1](part) for part in parts]
    wide, high = sum(w for w, _ in sizes), max(h for _, h in sizes)
    figure = Figure(figsize=(wide, high + 0.4), dpi=DOTS, layout="constrained")
    places = figure.subplots(1, len(parts), squeeze=False, width_ratios=[w for w, _ in sizes])
    for axes, part in zip(places.flat, parts, strict=True):
        DRAWN[type(part)][0](axes, part)
    said = "\n".join(x for block in blocks if isinstance(block, Lines) for x in block.lines)
    figure.suptitle(fitted(said, wide - 0.3, 12.0), fontsize="large")
    return figure
