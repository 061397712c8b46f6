"""A curve between its axes, with its legend."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular_rl.report.blocks import Curve, Series
from tabular_rl.report.render.ink import drawn, fitted

# The colours of Okabe & Ito, which all eyes tell apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
THIN = 8  # runs that are drawn one by one
NAMED = 24  # names that fit an axis
# What a series looks like beside its colour and its style.
LOOKS: dict[str, dict[str, Any]] = {
    "runs": {"linewidth": 0.6, "label": None},
    "expected": {"linewidth": 3, "linestyle": "-", "zorder": 1, "label": None},
    "dot": {"marker": ".", "markersize": 8, "linestyle": "-"},
    "steps": {"markersize": 5},
    "cross": {"marker": "+", "markersize": 10, "linestyle": ""},
    "marks": {"linestyle": "", "markersize": 5},
    "hollow": {"linestyle": "", "markersize": 5, "markerfacecolor": "none", "markeredgewidth": 0.8},
}


def curve_size(curve: Curve) -> tuple[float, float]:
    """How many inches wide and high a curve wants to be, with its names."""
    if curve.aside:
        return 9.0, 6.0
    names = 0.07 * max(map(len, curve.y_names), default=0)
    return 4.5 + names, 4.2 if len(curve.y_names) <= 12 else min(2.0 + 0.22 * len(curve.y_names), 9.0)


def draw_curve(axes: Any, curve: Curve) -> None:
    """Draw a curve between axes."""
    for series in curve.series:
        _draw_series(axes, series, "y" in curve.logarithmic)
    axes.set(xlabel=drawn(curve.x), ylabel=drawn(curve.y))
    axes.set_title(fitted(curve.title, 4.2 if not curve.aside else 8.0), fontsize="medium")
    axes.set(**{f"{axis}scale": "log" for axis in curve.logarithmic})
    for axis, names in ((axes.xaxis, curve.x_names), (axes.yaxis, curve.y_names)):
        every = max(1, -(-len(names) // NAMED))
        if names:
            axis.set_ticks(list(range(0, len(names), every)), [drawn(name) for name in names[::every]])
    if curve.y_names:
        axes.set_ylim(-0.5, len(curve.y_names) - 0.5)
    if curve.x_names and sum(map(len, curve.x_names[:NAMED])) > 30:
        axes.tick_params(axis="x", labelrotation=90)
    place = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if curve.aside else {}
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize="small", **place)
    if not curve.x_names and "x" not in curve.logarithmic and any(s.look == "steps" for s in curve.series):
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_series(axes: Any, series: Series, positive: bool) -> None:
    """A series in its look; where that is said, what is above 0 alone."""
    at, look, label = series.number or 0, series.look, drawn(series.name) or None
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
    if look == "upright":
        for place, name in zip(x, [label, *[None] * len(x)], strict=False):
            axes.axvline(place, linewidth=0.8, **style | {"linestyle": ":", "label": name})
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
    for line in y.T[:THIN]:
        axes.plot(x, line, **style | _points(look, at, len(x)) | LOOKS.get(look, {}))


def _points(look: str, at: int, count: int) -> dict[str, Any]:
    """The marker of a series, and the style of a line of steps, by its number."""
    if look == "steps":
        return {"marker": MARKERS[at % len(MARKERS)], "linestyle": STYLES[at % len(STYLES)]}
    if look in ("marks", "hollow"):
        return {"marker": MARKERS[at % len(MARKERS)]}
    return {"marker": "." if look == "line" and count < 2 else ""}
