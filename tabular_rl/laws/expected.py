"""What a learner is expected to know after k steps, exactly: means and covariances of its table, and its error.

The update of TD(0), SARSA and expected SARSA of a fixed policy is linear in the table, so its moments obey closed
recursions: `_events` has them. They hold for every step size that is known before the run (a constant, or a schedule of
steps), for every source of transitions, with targets that are copied or averaged, and for the average of the table,
whose moments come from those of (table, sum of tables). Steps that count visits have none: they depend on the past.

With 50 states and 200 pairs a step of the covariance takes about 1 ms where rows are drawn apart or swept; along a
trajectory 1 ms for TD(0), 15 for expected SARSA, 80 for SARSA, whose nodes are pairs. Means alone take far less.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tabular_rl.errors import NumericalError, OptionError
from tabular_rl.laws._events import Law, deviations
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Expected:
    """The moments of a learner's table after some numbers of steps, in the sign of the model.

    `mean` (P, n) and `covariance` (P, n, n) of the n entries, in the order of `Learned.estimates` (flat, for a finite
    horizon), a row for each of the `steps` (P,); entries of terminal states are 0. `truth` (n,) is v_π or q_π;
    `fixed_point` (n,) is where the expected update of each entry is zero, its start value where it is never updated;
    both are NaN where γ = 1 and the policy need not end.
    `weights` (n,) are those of the mean square error; `start` (n,) those of the value of the start.
    """

    method: str
    steps: NDArray[np.int64]
    mean: Floats
    covariance: Floats | None
    truth: Floats
    fixed_point: Floats
    weights: Floats
    start: Floats

    @property
    def sd(self) -> Floats:
        """The standard deviation of each entry (P, n)."""
        return deviations(self.covariance)

    def rms(self, truth: ArrayLike | None = None, weights: ArrayLike | None = None) -> Floats:
        """The expected learning curve (P,): √E Σ w (x - truth)², root of the mean over runs of `Curve.rms`²."""
        against = self.truth if truth is None else np.asarray(truth, dtype=np.float64)
        w = self.weights if weights is None else np.asarray(weights, dtype=np.float64) / np.sum(weights)
        error = np.where(w > 0, self.mean - against, 0.0)
        return np.asarray(np.sqrt((np.square(error) + np.square(self.sd)) @ w))

    @property
    def start_mean(self) -> Floats:
        """The mean (P,) of Σ start(s) v(s), which `Curve.start` shows."""
        return np.asarray(self.mean @ self.start)

    @property
    def start_sd(self) -> Floats:
        """The standard deviation (P,) of Σ start(s) v(s)."""
        variance = None
        if self.covariance is not None:
            variance = np.einsum("pij,i,j->p", self.covariance, self.start, self.start)[:, None, None]
        return deviations(variance)[:, 0]


@public
def expected(
    method: str,
    mdp: MDP,
    policy: Policy | None = None,
    *,
    points: Iterable[int] | int,
    covariance: bool = True,
    **options: Any,
) -> Expected:
    """Find the mean and the covariance of a learner's table after given numbers of steps.

        m ← m + α (b - A m),    A = D (I - γ P_π),  b = D r_π        (independent pairs, each entry D of the time)

    and the like for second moments and for other sources: see `_events`. The expectation is over all runs that the
    learner could make; the answer is exact up to rounding.

    Parameters
    ----------
    method : "td0", "sarsa-evaluation" or "q-evaluation"
    mdp, policy : as for the learner; the policy is uniform by default
    points : numbers of steps, each at least 1
    covariance : False leaves the covariances out, and the memory that they take
    options : those of the learner, with its defaults: behavior, step_size, per, source, target, average, start_value,
        weights; those that only say how to sample (seed, runs, threads) change nothing

    Returns
    -------
    Expected: steps (P,), mean (P, n), covariance (P, n, n)

    Raises
    ------
    OptionError : an option out of range; steps that count visits; episodes that are cut; too much memory

    Sources
    -------
    Sutton & Barto (2018), 9.4, for the mean; second moments of the same linear recursion are derived in `_events`.

    Examples
    --------
    A coin that pays 1 or 0, then the end; α = 1/2: after one step 1/2 or 0, variance 1/16; after two, 1/4 of that more.

    >>> outcomes = [("s", "toss", "end", "1/2", 1), ("s", "toss", "end", "1/2", 0)]
    >>> law = expected("td0", MDP.from_outcomes(outcomes, 1, terminal=["end"]), points=[1, 2], step_size=0.5)
    >>> law.mean[:, 0].tolist(), law.covariance[:, 0, 0].tolist()
    ([0.25, 0.375], [0.0625, 0.078125])
    """
    wanted = np.unique(np.atleast_1d(np.asarray(points if np.ndim(points) == 0 else list(points))))  # type: ignore[arg-type]
    if wanted.dtype.kind not in "iu" or not len(wanted) or wanted[0] < 1:
        raise OptionError(f"points: found {points}, expected numbers of steps, from 1")
    policy = Policy.uniform(mdp) if policy is None else policy
    law = Law(method, mdp, policy, int(wanted[-1]), options)
    law.need(len(wanted) * float(law.entries) ** (2 if covariance else 1), covariance)
    n, sign = law.n, law.mdp.sign
    z = law.first()
    chance = law.start
    u = chance[:, None] * z
    W = chance[:, None, None] * np.outer(z, z) if covariance else None
    mean = np.empty((len(wanted), n))
    second = np.zeros((len(wanted), law.entries, law.entries)) if covariance else None
    shown = slice(law.N - n, law.N) if law.average else slice(0, n)
    at = 0
    for k in range(int(wanted[-1])):
        chance, u, W = law.advance(k, chance, u, W)
        if k + 1 < wanted[at]:
            continue
        share = 1.0 / (k + 1) if law.average else 1.0
        m = share * u[:, shown].sum(axis=0)
        mean[at] = law.shift + m
        if W is not None and second is not None:
            second[at] = law.full_square(share**2 * W[:, shown, shown].sum(axis=0) - np.outer(m, m))
        if not np.isfinite(m).all():
            raise NumericalError(f"{method}: the mean is not finite after {k + 1} steps: it diverges")
        at += 1
    return Expected(
        method=method,
        steps=wanted.astype(np.int64),
        mean=sign * law.full(mean),
        covariance=second,
        truth=sign * law.truth(),
        fixed_point=sign * law.full(law.centre),
        weights=law.learner.weights,
        start=law.start_weights(),
    )
