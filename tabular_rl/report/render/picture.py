"""Curves as a picture. It needs the extra `plot`."""

from __future__ import annotations

import importlib.util
import os
from typing import Any, BinaryIO

import numpy as np

from tabular_rl.errors import MissingExtra, escape
from tabular_rl.formats.output import write_atomically
from tabular_rl.report.blocks import Curve, Lines, Report, Series

SUFFIXES = (".png", ".svg", ".pdf")
# The colours of Okabe & Ito, which all eyes tell apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
STYLES = ("-", "--", "-.", ":")
THIN = 8  # runs that are drawn one by one
# What a series looks like beside its colour and its style.
LOOKS: dict[str, dict[str, Any]] = {
    "runs": {"linewidth": 0.6, "label": None},
    "expected": {"linewidth": 3, "linestyle": "-", "zorder": 1, "label": None},
    "dot": {"marker": ".", "markersize": 8, "linestyle": "-", "label": None},
    "cross": {"marker": "+", "markersize": 10, "linestyle": ""},
}


def require_plot() -> None:
    """Raise MissingExtra where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtra("--plot: found no matplotlib, expected the extra: pip install 'tabular-rl[plot]'")


def write_picture(report: Report, path: str | os.PathLike[str]) -> None:
    """Draw the curves of a report side by side and write the picture atomically, the same bytes on every run.

    Parameters
    ----------
    report : whose picture
    path : its suffix says the format, PNG where it has none

    Raises
    ------
    MissingExtra : matplotlib is not installed
    OutputError : path and reason; what stood there before is intact
    """
    require_plot()
    import matplotlib
    from matplotlib.figure import Figure

    blocks = report.picture()
    curves = [block for block in blocks if isinstance(block, Curve)]
    size = (9.0, 6.0) if curves[0].aside else (3.0 + 4.0 * len(curves), 4.5)
    figure = Figure(figsize=size, layout="constrained")
    for axes, curve in zip(figure.subplots(1, len(curves), squeeze=False).flat, curves, strict=True):
        _draw(axes, curve)
    figure.suptitle("\n".join(_plain(x) for block in blocks if isinstance(block, Lines) for x in block.lines))
    suffix = os.path.splitext(os.fspath(path))[1].lower().removeprefix(".") or "png"

    def write(file: BinaryIO) -> None:
        fixed: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        with matplotlib.rc_context({"svg.hashsalt": "tabular-rl", "svg.fonttype": "none"}):
            figure.savefig(file, format=suffix, dpi=150, metadata=fixed.get(suffix))

    write_atomically(path, write)


def _draw(axes: Any, curve: Curve) -> None:
    """A curve between its axes, with its legend."""
    for series in curve.series:
        _draw_series(axes, series, "y" in curve.logarithmic)
    axes.set(xlabel=_plain(curve.x), ylabel=_plain(curve.y))
    axes.set_title(_plain(curve.title), fontsize="medium" if curve.aside else "large")
    axes.set(**{f"{axis}scale": "log" for axis in curve.logarithmic})
    place = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if curve.aside else {}
    axes.legend(frameon=False, fontsize="small", **place)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_series(axes: Any, series: Series, positive: bool) -> None:
    """A series in its look; where that is said, what is above 0 alone."""
    at, look, label = series.number or 0, series.look, _plain(series.name)
    colour = "black" if series.number is None else COLOURS[at % len(COLOURS)]
    style = {"color": colour, "linestyle": STYLES[at // len(COLOURS) % len(STYLES)], "label": label}
    x, y = series.x, series.y if series.y.ndim == 2 else series.y[:, None]
    if positive:
        y = np.where(y > 0, y, np.nan)
        known = np.isfinite(y).any(axis=1)
        x, y = x[known], y[known]
    if look == "level":
        axes.axhline(y[0, 0], linewidth=1, **style | {"linestyle": ":"})
        return
    if look == "arrow":
        ends = {"xytext": (x[0], y[0, 0]), "xy": (x[-1], y[-1, 0])}
        axes.annotate("", arrowprops={"arrowstyle": "->", "linewidth": 1.5}, **ends)
        axes.plot(x[0], y[0, 0], color=colour, marker="o", markersize=3)
        return
    if look in ("spread", "expected"):
        if not len(x):
            return
        band = {"color": colour, "alpha": 0.2, "linewidth": 0, "label": label if look == "expected" else None}
        axes.fill_between(x, np.nanmin(y, axis=1), np.nanmax(y, axis=1), **band)
        y = np.nanmedian(y, axis=1, keepdims=True)
    marker = {"marker": "." if look == "line" and len(x) < 2 else ""}
    for line in y.T[:THIN]:
        axes.plot(x, line, **style | marker | LOOKS.get(look, {}))


def _plain(text: str) -> str:
    """A text that is drawn as it stands: `$` would begin mathematics."""
    return escape(text).replace("$", r"\$")
