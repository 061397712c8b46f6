"""The policy gradient and its estimators as text, JSON, CSV and a picture."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import escape, spoken
from tabular_rl.formats.json import json_parts
from tabular_rl.formats.output import write_atomically
from tabular_rl.methods.gradient.exact import Gradient
from tabular_rl.methods.gradient.moments import Moments
from tabular_rl.methods.gradient.sample import Sampled
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import general, share_text
from tabular_rl.report.layout import table
from tabular_rl.report.screen import spelled
from tabular_rl.report.tables import plural, problem_text, start_where, title

Floats = NDArray[np.float64]

LARGEST = 12  # entries of the gradient that are shown
NOTHING = 1e-10  # share of the largest that rounding may leave of 0
LEVEL = 0.95
FAR = 4.0  # widths of the largest ellipse up to which the gradient is drawn from its start
RADIUS = math.sqrt(-2.0 * math.log(1.0 - LEVEL))  # of the ellipse that holds so much of a normal distribution


@dataclass(frozen=True, eq=False)
class Estimate:
    """An estimator: its exact moments, and what was sampled of it."""

    moments: Moments
    sampled: Sampled | None = None

    @property
    def error(self) -> float:
        """How far the sampled mean is from the exact one, |ḡ - E g| / √(trace / n): its square is 1 on average."""
        if self.sampled is None or not self.sampled.episodes:
            return math.nan
        distance = float(np.linalg.norm(self.sampled.mean - self.moments.mean))
        if self.trace == 0.0:
            return 0.0 if distance <= NOTHING * float(np.linalg.norm(self.moments.mean)) else math.inf
        return distance / math.sqrt(self.trace / self.sampled.episodes)

    @property
    def trace(self) -> float:
        """The trace of the covariance; 0 where it is no more than rounding."""
        return settled(self.moments.trace, float(self.moments.mean @ self.moments.mean))


@dataclass(frozen=True, eq=False)
class GradientReport:
    """What `tabular-rl gradient` found.

    `kind` says how episodes end; `left_out` why there are no estimators; `total` whether the bias for the reward
    without discount is shown too.
    """

    policy: str
    found: Gradient
    estimates: tuple[Estimate, ...] = ()
    kind: str = ""
    left_out: str = ""
    total: bool = False

    @property
    def mdp(self) -> MDP:
        return self.found.policy.mdp

    @property
    def zero(self) -> bool:
        """Whether the gradient is 0 but for rounding."""
        return bool(np.abs(self.found.gradient).max(initial=0.0) <= self.rounding)

    @property
    def rounding(self) -> float:
        """What rounding may leave of an entry that is 0: a share of visits times the largest |q|."""
        return 1e-12 * float(np.abs(self.found.q).max(initial=0.0)) * float(self.found.visits.sum())

    def bias(self, of: Moments, total: bool = False) -> float:
        """The largest entry of a bias; 0 where it is no more than rounding, nan where there is no objective."""
        bias = of.total_bias if total else of.bias
        if bias is None:
            return math.nan
        spread = math.sqrt(max(of.covariance.diagonal().max(initial=0.0), 0.0))
        largest = float(np.abs(bias).max(initial=0.0))
        return 0.0 if largest <= self.rounding else settled(largest, max(self.found.norm, spread))


def settled(x: float, scale: float) -> float:
    """
    >>> settled(1e-17, 1.0), settled(0.25, 1.0)
    (0.0, 0.25)
    """
    return 0.0 if abs(x) <= NOTHING * abs(scale) else x


def gradient_text(report: GradientReport, everything: bool = False) -> str:
    """J, the largest entries of its gradient, and a line for each estimator."""
    found, mdp = report.found, report.mdp
    lines = [
        f"{title(mdp)}: {problem_text(mdp)}, {plural(mdp.S, 'state')}; policy {escape(report.policy)}",
        f"start: {start_where(mdp)}; J = {general(found.J)}",
        "",
        *entries_lines(report, everything),
    ]
    if report.zero:
        lines += ["", "the gradient is 0, but for rounding: there is no direction to see"]
    if report.left_out:
        lines += ["", report.left_out]
    if report.estimates:
        lines += ["", *estimators_lines(report)]
    return "\n".join(map(spelled, lines)) + "\n"


def entries_lines(report: GradientReport, everything: bool) -> list[str]:
    """The gradient by state and action: the largest entries first, or all in their order."""
    found, mdp = report.found, report.mdp
    g = np.zeros(len(found.gradient)) if report.zero else found.gradient
    rows = range(len(g)) if everything else shown_entries(g)
    cells = [
        [
            escape(mdp.states[mdp.state_of_row(i)]), escape(mdp.actions[int(mdp.pair_action[i])]),
            share_text(float(found.policy.pi[i]), 4), general(settled(float(g[i]), found.norm), 4),
        ]
        for i in rows
    ]  # fmt: skip
    left = len(g) - len(rows)
    lines = table(["state", "action", "probability", "dJ/dθ"], cells, left="state,action").split("\n")
    if left:
        lines.append(spoken(f"{left} smaller (--all shows them)"))
    return [*lines, f"|∇J| = {general(0.0 if report.zero else found.norm, 4)}"]


def shown_entries(g: Floats) -> list[int]:
    """The largest entries, in order of size; where two are alike, that of the first row."""
    size = np.abs(g)
    unit = float(size.max(initial=0.0)) * 1e-9 or 1.0  # rounding does not change the order
    return sorted(range(len(g)), key=lambda i: (-round(float(size[i]) / unit), i))[:LARGEST]


def estimators_lines(report: GradientReport) -> list[str]:
    """For each estimator its exact bias, trace and the episodes it needs; beside them what was sampled."""
    sampled = any(e.sampled is not None for e in report.estimates)
    gamma_one = ["bias, γ = 1"] * report.total
    headers = ["estimator", "bias", *gamma_one, "trace", "episodes", *["error", "sampled"] * sampled]
    rows = []
    for e in report.estimates:
        m = e.moments
        total = [number(report.bias(m, total=True))] * report.total
        found = [number(e.error, 2), number(math.nan if e.sampled is None else e.sampled.trace)] * sampled
        rows.append(
            [m.estimator, number(report.bias(m)), *total, number(e.trace)]
            + [whole(math.nan if report.zero else m.samples_needed), *found]
        )
    lines = [
        f"estimators, one episode each{report.kind}",
        "",
        *table(headers, rows, left="estimator", wrap="estimator", drop="error,sampled").split("\n"),
        "",
    ]
    lines += ["bias: the largest entry of E[g] - ∇J, exactly; 0 is no more than rounding"]
    if report.total:
        lines.append("bias, γ = 1: that for the reward without discount")
    lines.append("trace: of the covariance of g, exactly: its mean squared distance from E[g]")
    lines.append("episodes: 1.645² ∇Jᵀ Σ ∇J / (∇J·E[g])², whose mean points uphill with probability 95%")
    if sampled:
        first = next(e.sampled for e in report.estimates if e.sampled is not None)
        lines.append(
            f"error: of the mean of {plural(first.episodes, 'episode')}, seed {first.seed}, in standard errors "
            "√(trace / n); about 1, seldom above 3. sampled: trace"
        )
    return lines


def number(x: float, digits: int = 3) -> str:
    """
    >>> number(0.0), number(16.74321), number(math.nan)
    ('0', '16.7', 'none')
    """
    return "none" if math.isnan(x) else general(x, digits)


def whole(x: float) -> str:
    """A number of episodes, rounded up.

    >>> whole(38.2), whole(0.01), whole(1.2e7), whole(math.nan)
    ('39', '1', '1.2e+07', 'none')
    """
    if not math.isfinite(x):
        return "none"
    return str(max(1, math.ceil(x - 1e-9))) if x < 1e6 else general(x, 3)


# -- files ---------------------------------------------------------------------------------------------------------


def gradient_document(report: GradientReport) -> dict[str, Any]:
    """The entries of the JSON object."""
    found, mdp = report.found, report.mdp
    return {
        "schema": "tabular-rl gradient", "version": 1, "model": mdp.name, "digest": mdp.digest,
        "policy": report.policy, "problem": mdp.problem, "gamma": mdp.gamma, "horizon": mdp.horizon,
        "sense": mdp.sense, "J": found.J, "norm": found.norm,
        "gradient": entries(report, found.gradient), "natural": entries(report, found.natural),
        "left_out": report.left_out, "episodes_end": report.kind.strip("; ") or None,
        "weighted_by_discount": not report.total,
        "estimators": [estimate_entry(report, e) for e in report.estimates],
    }  # fmt: skip


def entries(report: GradientReport, g: Floats) -> list[dict[str, Any]]:
    mdp = report.mdp
    return [
        {
            "state": mdp.states[mdp.state_of_row(i)], "action": mdp.actions[int(mdp.pair_action[i])],
            "value": float(x),
        }
        for i, x in enumerate(g)
    ]  # fmt: skip


def estimate_entry(report: GradientReport, e: Estimate) -> dict[str, Any]:
    """One estimator as an entry of the JSON object: vectors in the order of "gradient"."""
    m, s = e.moments, e.sampled
    return {
        "estimator": m.estimator, "mean": m.mean.tolist(), "bias": float(np.abs(m.bias).max(initial=0.0)),
        "bias_without_discount": None if m.total_bias is None else float(np.abs(m.total_bias).max(initial=0.0)),
        "trace": m.trace, "variance": np.diag(m.covariance).tolist(),
        "covariance": m.covariance.tolist(),
        "episodes_needed": None if report.zero else m.samples_needed,
        "sampled": None if s is None else {
            "episodes": s.episodes, "steps": s.steps, "seed": s.seed, "mean": s.mean.tolist(),
            "standard_error": s.standard_error.tolist(), "trace": s.trace, "error": e.error, "stopped": s.stopped,
        },
    }  # fmt: skip


def gradient_json(report: GradientReport) -> str:
    return "".join(json_parts(gradient_document(report)))


def gradient_csv(report: GradientReport) -> Iterator[str]:
    """Yield state,action,probability,gradient,natural."""
    mdp, found = report.mdp, report.found
    natural = found.natural
    yield "state,action,probability,gradient,natural\n"
    for i, x in enumerate(found.gradient):
        text = io.StringIO()
        names = mdp.states[mdp.state_of_row(i)], mdp.actions[int(mdp.pair_action[i])]
        numbers = float(found.policy.pi[i]), float(x), float(natural[i])
        csv.writer(text, lineterminator="\n").writerow([*names, *map(repr, numbers)])
        yield text.getvalue()


# -- a picture -----------------------------------------------------------------------------------------------------


def plane_of(report: GradientReport, axes: Sequence[int] = ()) -> tuple[Floats, list[str]]:
    """Two directions (2, d), and what they are called.

    Two entries of θ; or the direction of the gradient and, at right angles to it, that in which the first estimator
    varies most.
    """
    mdp, d = report.mdp, len(report.found.gradient)
    if axes:
        names = [f"{mdp.states[mdp.state_of_row(i)]}, {mdp.actions[int(mdp.pair_action[i])]}" for i in axes]
        return np.eye(d)[list(axes)], [f"dJ/dθ({name})" for name in names]
    covariance = report.estimates[0].moments.covariance
    g = report.found.gradient
    along = np.linalg.eigh(covariance)[1][:, -1] if report.zero else g / np.linalg.norm(g)
    across = np.eye(d) - np.outer(along, along)
    main = np.linalg.eigh(across @ covariance @ across)[1][:, -1]
    main = across @ main
    size = float(np.linalg.norm(main))
    main = main / size if size > 1e-6 else _any_across(along)
    main = main * (1.0 if main[int(np.abs(main).argmax())] > 0 else -1.0)
    first = "main axis of the covariance" if report.zero else "along the gradient"
    return np.stack([along, main]), [first, "across it, where the first estimator varies most"]


def _any_across(along: Floats) -> Floats:
    """A unit vector at right angles to another; 0 where there is none."""
    i = int(np.abs(along).argmin())
    e = np.eye(len(along))[i] - along[i] * along
    size = float(np.linalg.norm(e))
    return e / size if size > 1e-12 else e * 0.0


def ellipse(covariance: Floats, plane: Floats, n: int, points: int = 200) -> Floats:
    """The ellipse (points, 2) that holds 95% of the means of n estimates, by the normal approximation.

    >>> half = ellipse(np.diag([4.0, 1.0]), np.eye(2), 1).max(axis=0) / RADIUS
    >>> half.round(3).tolist()
    [2.0, 1.0]
    """
    size, axes = np.linalg.eigh(plane @ covariance @ plane.T / n)
    t = np.linspace(0.0, 2.0 * math.pi, points)
    unit = np.stack([np.cos(t), np.sin(t)])
    return np.asarray((axes @ (RADIUS * np.sqrt(np.maximum(size, 0.0))[:, None] * unit)).T)


def plot_gradient(report: GradientReport, path: str | os.PathLike[str], axes: Sequence[int] = ()) -> None:
    """Draw the exact gradient, and for each estimator the ellipse of its means and the mean that was sampled."""
    from tabular_rl.report.plot import COLOURS, STYLES, _plain, require_plot

    require_plot()
    import matplotlib
    from matplotlib.figure import Figure

    suffix = os.path.splitext(os.fspath(path))[1].lower().removeprefix(".") or "png"
    plane, names = plane_of(report, axes)
    sampled = [e.sampled.episodes for e in report.estimates if e.sampled is not None and e.sampled.episodes]
    n = max(sampled, default=1)
    figure = Figure(figsize=(9, 6), layout="constrained")
    drawn = figure.subplots()
    figure.suptitle(_plain(f"{title(report.mdp)}: {problem_text(report.mdp)}; policy {report.policy}"))
    tip = plane @ report.found.gradient
    widest = 0.0
    for at, e in enumerate(report.estimates):
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

    def write(file: BinaryIO) -> None:
        fixed: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        with matplotlib.rc_context({"svg.hashsalt": "tabular-rl", "svg.fonttype": "none"}):
            figure.savefig(file, format=suffix, dpi=150, metadata=fixed.get(suffix))

    write_atomically(path, write)
