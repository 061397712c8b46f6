"""Learning curves, residuals and gradients as pictures. They need the extra `plot`."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from tabular_rl.analysis.comparison import Comparison, Curves
from tabular_rl.analysis.gradient import GradientStudy
from tabular_rl.errors import MissingExtra, escape
from tabular_rl.formats.output import write_atomically
from tabular_rl.report.words import plural, problem_text, title
from tabular_rl.solving.solution import Floats

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
LEVEL = 0.95
FAR = 4.0  # widths of the largest ellipse up to which the gradient is drawn from its start
RADIUS = math.sqrt(-2.0 * math.log(1.0 - LEVEL))  # of the ellipse that holds so much of a normal distribution
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


def plane_of(study: GradientStudy, axes: Sequence[int] = ()) -> tuple[Floats, list[str]]:
    """Two directions (2, d), and what they are called.

    Two entries of θ; or the direction of the gradient and, at right angles to it, that in which the first estimator
    varies most.
    """
    mdp, d = study.mdp, len(study.found.gradient)
    if axes:
        names = [f"{mdp.states[mdp.state_of_row(i)]}, {mdp.actions[int(mdp.pair_action[i])]}" for i in axes]
        return np.eye(d)[list(axes)], [f"dJ/dθ({name})" for name in names]
    covariance = study.estimators[0].moments.covariance
    g = study.found.gradient
    along = np.linalg.eigh(covariance)[1][:, -1] if study.zero else g / np.linalg.norm(g)
    across = np.eye(d) - np.outer(along, along)
    main = np.linalg.eigh(across @ covariance @ across)[1][:, -1]
    main = across @ main
    size = float(np.linalg.norm(main))
    main = main / size if size > 1e-6 else _any_across(along)
    main = main * (1.0 if main[int(np.abs(main).argmax())] > 0 else -1.0)
    first = "main axis of the covariance" if study.zero else "along the gradient"
    return np.stack([along, main]), [first, "across it, where the first estimator varies most"]


def _any_across(along: Floats) -> Floats:
    """A unit vector at right angles to another; 0 where there is none."""
    i = int(np.abs(along).argmin())
    e = np.eye(len(along))[i] - along[i] * along
    size = float(np.linalg.norm(e))
    return e / size if size > 1e-12 else e * 0.0


def ellipse(covariance: Floats, plane: Floats, n: int, points: int = 200) -> Floats:
    """The ellipse (points, 2) that holds 95% of the means of n estimators, by the normal approximation.

    >>> half = ellipse(np.diag([4.0, 1.0]), np.eye(2), 1).max(axis=0) / RADIUS
    >>> half.round(3).tolist()
    [2.0, 1.0]
    """
    size, axes = np.linalg.eigh(plane @ covariance @ plane.T / n)
    t = np.linspace(0.0, 2.0 * math.pi, points)
    unit = np.stack([np.cos(t), np.sin(t)])
    return np.asarray((axes @ (RADIUS * np.sqrt(np.maximum(size, 0.0))[:, None] * unit)).T)


def plot_gradient(study: GradientStudy, path: str | os.PathLike[str], axes: Sequence[int] = ()) -> None:
    """Draw the exact gradient, and for each estimator the ellipse of its means and the mean that was sampled."""
    require_plot()
    from matplotlib.figure import Figure

    plane, names = plane_of(study, axes)
    sampled = [e.sampled.episodes for e in study.estimators if e.sampled is not None and e.sampled.episodes]
    n = max(sampled, default=1)
    figure = Figure(figsize=(9, 6), layout="constrained")
    drawn = figure.subplots()
    figure.suptitle(_plain(f"{title(study.mdp)}: {problem_text(study.mdp)}; policy {study.policy}"))
    tip = plane @ study.found.gradient
    widest = 0.0
    for at, e in enumerate(study.estimators):
        colour, style = COLOURS[at % len(COLOURS)], STYLES[at // len(COLOURS) % len(STYLES)]
        x, y = (ellipse(e.moments.covariance, plane, n) + plane @ e.moments.mean).T
        drawn.plot(x, y, color=colour, linestyle=style, label=_plain(e.moments.estimator))
        widest = max(widest, float(np.ptp(x)), float(np.ptp(y)))
        if e.sampled is not None and e.sampled.episodes:
            drawn.plot(*(plane @ e.sampled.mean), marker=".", color=colour, markersize=8)
    if np.linalg.norm(tip) < FAR * widest:  # else the ellipses would be dots, and the start is left out
        drawn.annotate(
            "", xy=tuple(tip), xytext=(0.0, 0.0), arrowprops={"arrowstyle": "->", "linewidth": 1.5}
        )
        drawn.plot(0.0, 0.0, color="black", marker="o", markersize=3)
    drawn.plot(*tip, marker="+", color="black", markersize=10, linestyle="", label="exact gradient")
    of = plural(n, "episode") if n == 1 else f"means of {plural(n, 'episode')}"
    drawn.set(xlabel=_plain(names[0]), ylabel=_plain(names[1]))
    drawn.set_title(
        f"where 95% of the {of} lie" + ("; points: sampled" if sampled else ""), fontsize="medium"
    )
    drawn.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    drawn.spines[["top", "right"]].set_visible(False)
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
