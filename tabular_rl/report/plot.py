"""Learning curves as a picture: sampled runs, and behind them what is expected. It needs the extra `plot`."""

from __future__ import annotations

import importlib.util
import os
from typing import Any, BinaryIO

import numpy as np

from tabular_rl.analysis.comparison import Comparison, Curves
from tabular_rl.errors import MissingExtra, escape
from tabular_rl.formats.output import write_atomically
from tabular_rl.report.tables import problem_text, title

SUFFIXES = (".png", ".svg", ".pdf")
COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)  # Okabe & Ito: told apart by all eyes
STYLES = ("-", "--", "-.", ":")
THIN = 8  # runs that are drawn one by one


def require_plot() -> None:
    """Raise MissingExtra where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtra("--plot: found no matplotlib, expected the extra: pip install 'tabular-rl[plot]'")


def plot_curves(found: Comparison, path: str | os.PathLike[str]) -> None:
    """Draw the learners of a comparison and write the picture atomically; its suffix says the format.

    Left the largest error: the median of the runs, and from the least to the most. Right the value of the start: some
    runs, and behind them, where a law gives it, the exact mean ± 2 standard deviations.
    """
    require_plot()
    from matplotlib.figure import Figure

    if not found.curves:
        plot_residuals(found, path)
        return
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    mdp = found.reference.mdp
    figure.suptitle(_plain(f"{title(mdp)}: {problem_text(mdp)}"))
    for at, curves in enumerate(found.curves):
        _draw(left, right, curves, COLOURS[at % len(COLOURS)], STYLES[at // len(COLOURS) % len(STYLES)])
    left.set(
        xscale="log",
        yscale="log",
        xlabel="steps",
        ylabel="largest error",
        title="median, least and most of the runs",
    )
    exact = found.reference.value_of_start()
    right.axhline(exact, color="black", linewidth=1, linestyle=":", label="exact")
    expected = any(curves.law is not None for curves in found.curves)
    right.set(
        xscale="log",
        xlabel="steps",
        ylabel="value of the start",
        title="runs, and behind them what is expected" if expected else "runs",
    )
    for axes in (left, right):
        axes.legend(frameon=False, fontsize="small")
        axes.spines[["top", "right"]].set_visible(False)
    _write(figure, path)


def plot_residuals(found: Comparison, path: str | os.PathLike[str]) -> None:
    """Draw how the residual of each method that repeats backups falls, on a logarithmic scale."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    mdp = found.reference.mdp
    figure.suptitle(_plain(f"{title(mdp)}: {problem_text(mdp)}"))
    for at, row in enumerate(found.rows):
        points = [(k, x) for k, x in row.solution.history if x > 0]  # 0 has no place on a logarithmic scale
        label = _plain(row.method) + ("" if points else " (no residuals)")
        work, residuals = zip(*points, strict=True) if points else ((), ())
        axes.plot(
            work, residuals, label=label, color=COLOURS[at % len(COLOURS)],
            linestyle=STYLES[at // len(COLOURS) % len(STYLES)], marker="." if len(points) < 2 else "",
        )  # fmt: skip
    axes.set(yscale="log", xlabel="sweeps", ylabel="residual", title="largest change of a value in a sweep")
    axes.legend(frameon=False, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    _write(figure, path)


def _write(figure: Any, path: str | os.PathLike[str]) -> None:
    """Write a picture atomically, the same bytes on every run."""
    import matplotlib

    suffix = os.path.splitext(os.fspath(path))[1].lower().removeprefix(".") or "png"

    def write(file: BinaryIO) -> None:
        fixed: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        with matplotlib.rc_context({"svg.hashsalt": "tabular-rl", "svg.fonttype": "none"}):
            figure.savefig(file, format=suffix, dpi=150, metadata=fixed.get(suffix))

    write_atomically(path, write)


def _draw(left: Any, right: Any, curves: Curves, colour: str, style: str) -> None:
    """One learner on both sides."""
    curve, label = curves.learned.curve, _plain(curves.label)
    if curve is None:
        return
    positive = np.where(curve.sup > 0, curve.sup, np.nan)  # an error of 0 has no place on a logarithmic scale
    known = np.isfinite(positive).any(axis=1)
    steps, rows = curve.steps[known], positive[known]
    if len(steps):
        left.fill_between(
            steps, np.nanmin(rows, axis=1), np.nanmax(rows, axis=1), color=colour, alpha=0.2, linewidth=0
        )
        left.plot(steps, np.nanmedian(rows, axis=1), color=colour, linestyle=style, label=label)
    if curves.law is not None:
        mean, sd = curves.law.start_mean, curves.law.start_sd
        right.fill_between(
            curves.law.steps, mean - 2 * sd, mean + 2 * sd, color=colour, alpha=0.2, linewidth=0, zorder=1,
            label=f"{label}: expected ± 2 sd",
        )  # fmt: skip
        right.plot(curves.law.steps, mean, color=colour, linewidth=3, zorder=1)
    for e in range(min(THIN, curve.start.shape[1])):
        right.plot(curve.steps, curve.start[:, e], color=colour, linestyle=style, linewidth=0.6, zorder=2)


def _plain(text: str) -> str:
    """A text that is drawn as it stands: `$` would begin mathematics."""
    return escape(text).replace("$", r"\$")
