"""The policy gradient and its estimators: the largest entries, and a line for each estimator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabular_rl.analysis.gradient import Estimator, GradientStudy, without_rounding
from tabular_rl.errors import OptionError, escape, quoted, spoken
from tabular_rl.methods.gradient.sampled import Sampled
from tabular_rl.model.numbers import general, plural, share_text
from tabular_rl.report.blocks import Block, Lines, Report, Sheet, Table
from tabular_rl.report.plane import gradient_curve
from tabular_rl.report.words import header, heading, names_of, pair_of, problem_text, start_where, title
from tabular_rl.solving.solution import Floats

LARGEST = 12  # entries of the gradient that are shown


@dataclass(frozen=True)
class GradientReport(Report):
    """J, the largest entries of its gradient, and a line for each estimator.

    `axes` are two entries of θ that the picture shows, instead of the gradient's own direction.
    """

    study: GradientStudy
    everything: bool = False
    axes: Sequence[int] = ()
    mathematical = True

    def blocks(self) -> list[Block]:
        study, mdp = self.study, self.study.mdp
        first = [
            f"{header(mdp)}; policy {escape(study.policy)}",
            f"start: {start_where(mdp)}; J = {general(study.found.J)}",
        ]
        zero = "the gradient is 0, but for rounding: there is no direction to see"
        return [
            Lines(first),
            _entries_table(study, self.everything),
            Lines([zero] if study.zero else []),
            Lines([study.left_out] if study.left_out else []),
            *(_estimators_blocks(study) if study.estimators else []),
            *(_log_blocks(study) if study.given else []),
        ]

    def entries(self) -> dict[str, Any]:
        study, found, mdp = self.study, self.study.found, self.study.mdp
        return {
            **heading("gradient", mdp),
            "policy": study.policy, "problem": mdp.problem, "gamma": mdp.gamma, "horizon": mdp.horizon,
            "sense": mdp.sense, "J": found.J, "norm": found.norm,
            "gradient": _pair_entries(study, found.gradient), "natural": _pair_entries(study, found.natural),
            "left_out": study.left_out, "episodes_end": _ends_text(study).strip("; ") or None,
            "weighted_by_discount": study.discounted,
            "estimators": [_estimator_entry(study, e) for e in study.estimators],
            "log": [_log_entry(study, s) for s in study.given],
        }  # fmt: skip

    def sheet(self) -> Sheet:
        found = self.study.found
        numbers = (x.tolist() for x in (found.policy.pi, found.gradient, found.natural))
        lines = ((*names_of(self.study.mdp, i), *line) for i, line in enumerate(zip(*numbers, strict=True)))
        return Sheet(["state", "action", "probability", "gradient", "natural"], [lines])

    def picture(self, what: str = "") -> list[Block]:
        if what:
            raise OptionError(f"--draw: found {quoted(what)}, expected none: a gradient has one picture")
        study, mdp = self.study, self.study.mdp
        what = f"{title(mdp)}: {problem_text(mdp)}; policy {study.policy}"
        return [Lines([what]), gradient_curve(study, self.axes)]


def _ends_text(study: GradientStudy) -> str:
    """How episodes end."""
    kind = ""
    if study.stopping:
        kind = "; it ends after each step with probability 1 - γ, undiscounted then"
    elif study.steps is not None:
        kind = f", cut off after {plural(study.steps, 'step')}"
    return kind if study.discounted else f"{kind}, without the weight γ^t"


def _entries_table(study: GradientStudy, everything: bool) -> Table:
    """The gradient by state and action: the largest entries first, or all in their order."""
    found = study.found
    g = np.zeros(len(found.gradient)) if study.zero else found.gradient
    rows = range(len(g)) if everything else shown_entries(g)
    cells = [
        [
            *pair_of(study.mdp, i),
            share_text(float(found.policy.pi[i]), 4),
            general(without_rounding(float(g[i]), found.norm), 4),
        ]
        for i in rows
    ]
    left = len(g) - len(rows)
    below = [spoken(f"{left} smaller (--all shows them)")] if left else []
    below.append(f"|∇J| = {general(0.0 if study.zero else found.norm, 4)}")
    headers = ["state", "action", "probability", "dJ/dθ"]
    return Table(headers, cells, left="state,action", below=below)


def shown_entries(g: Floats) -> list[int]:
    """The largest entries, in order of size; where two are alike, that of the first row."""
    size = np.abs(g)
    unit = float(size.max(initial=0.0)) * 1e-9 or 1.0  # rounding does not change the order
    return sorted(range(len(g)), key=lambda i: (-round(float(size[i]) / unit), i))[:LARGEST]


def _estimators_blocks(study: GradientStudy) -> list[Block]:
    """For each estimator its exact bias, trace and the episodes it needs; beside them what was sampled."""
    first, total = study.sampled, not study.discounted
    headers = ["estimator", "bias", *["bias, γ = 1"] * total, "trace", "episodes"]
    rows = []
    for e in study.estimators:
        m = e.moments
        row = [m.estimator, _number(study.bias(m)), *[_number(study.bias(m, total=True))] * total]
        row += [_number(e.trace), _whole(math.nan if study.zero else m.samples_needed)]
        if e.sampled is not None:
            row += [_number(e.error, 2), _number(e.sampled.trace)]
        rows.append(row)
    said = ["bias: the largest entry of E[g] - ∇J, exactly; 0 is no more than rounding"]
    if total:
        said.append("bias, γ = 1: that for the reward without discount")
    said.append("trace: of the covariance of g, exactly: its mean squared distance from E[g]")
    said.append("episodes: 1.645² ∇Jᵀ Σ ∇J / (∇J·E[g])², whose mean points uphill with probability 95%")
    if first is not None:
        headers += ["error", "sampled"]
        said.append(
            f"error: of the mean of {plural(first.episodes, 'episode')}, seed {first.seed}, in standard errors "
            "√(trace / n); about 1, seldom above 3. sampled: trace"
        )
    return [
        Lines([f"estimators, one episode each{_ends_text(study)}"]),
        Table(headers, rows, left="estimator", wrap="estimator", drop="error,sampled"),
        Lines(said),
    ]


def _log_blocks(study: GradientStudy) -> list[Block]:
    """What the episodes of a log say of each estimator, beside the exact gradient."""
    first = study.given[0]
    without = "" if study.discounted else ", without the weight γ^t"
    told = [f"estimators, the mean over {plural(first.episodes, 'episode', ',')} of the log{without}"]
    if first.left_out:
        told.append(
            f"left out: {plural(first.left_out, 'episode', ',')} cut off before the end; long ones are so more "
            "often, which the estimates do not know"
        )
    if first.importance is not None:
        told.append(
            f"another policy made the log: weights {first.importance}, worth "
            f"{_number(first.effective or 0.0)} episodes of the policy itself"
        )
    rows = [
        [s.estimator, *map(_number, (float(np.linalg.norm(s.mean)), study.cosine(s), s.trace)),
         _number(study.distance(s), 2)]
        for s in study.given
    ]  # fmt: skip
    said = [
        "length: |mean|. cosine: of the angle between the mean and ∇J",
        "trace: of the covariance of one episode, as the log has it: an estimate",
        "error: the distance of the mean from ∇J in standard errors √(trace / n); about 1, seldom above 3",
    ]
    return [
        Lines(told),
        Table(["estimator", "length", "cosine", "trace", "error"], rows, left="estimator", wrap="estimator"),
        Lines(said),
    ]


def _log_entry(study: GradientStudy, s: Sampled) -> dict[str, Any]:
    """What a log says of an estimator: vectors in the order of "gradient"."""
    return {
        "estimator": s.estimator, "episodes": s.episodes, "steps": s.steps, "left_out": s.left_out,
        "importance": s.importance, "effective_episodes": s.effective, "mean": s.mean.tolist(),
        "standard_error": s.standard_error.tolist(), "trace": s.trace, "cosine": study.cosine(s),
        "error": study.distance(s),
    }  # fmt: skip


def _number(x: float, digits: int = 3) -> str:
    """Return a number as text, "none" where it is not known.

    >>> _number(0.0), _number(16.74321), _number(math.nan)
    ('0', '16.7', 'none')
    """
    return "none" if math.isnan(x) else general(x, digits)


def _whole(x: float) -> str:
    """A number of episodes, rounded up.

    >>> _whole(38.2), _whole(0.01), _whole(1.2e7), _whole(math.nan)
    ('39', '1', '1.2e+07', 'none')
    """
    if not math.isfinite(x):
        return "none"
    return str(max(1, math.ceil(x - 1e-9))) if x < 1e6 else general(x, 3)


def _pair_entries(study: GradientStudy, g: Floats) -> list[dict[str, Any]]:
    return [
        dict(zip(("state", "action", "value"), (*names_of(study.mdp, i), x), strict=True))
        for i, x in enumerate(g.tolist())
    ]


def _estimator_entry(study: GradientStudy, e: Estimator) -> dict[str, Any]:
    """One estimator as an entry of the JSON object: vectors in the order of "gradient"."""
    m, s = e.moments, e.sampled
    return {
        "estimator": m.estimator, "mean": m.mean.tolist(), "bias": float(np.abs(m.bias).max(initial=0.0)),
        "bias_without_discount": None if m.total_bias is None else float(np.abs(m.total_bias).max(initial=0.0)),
        "trace": m.trace, "variance": np.diag(m.covariance).tolist(),
        "covariance": m.covariance.tolist(),
        "episodes_needed": None if study.zero else m.samples_needed,
        "sampled": None if s is None else {
            "episodes": s.episodes, "steps": s.steps, "seed": s.seed, "mean": s.mean.tolist(),
            "standard_error": s.standard_error.tolist(), "trace": s.trace, "error": e.error, "stopped": s.stopped,
        },
    }  # fmt: skip
