"""What learners tend to: the mean and covariance that constant steps leave forever, and those of averages.

With independent pairs the limit of the mean is where the expected update is zero: v_π exactly. Along a trajectory the
table and the next state hang together, and constant steps leave a bias, in proportion to the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import NumericalError, OptionError, quoted
from tabular_rl.laws._events import Law, deviations
from tabular_rl.model.calls import public
from tabular_rl.model.graph.search import unseen
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import outward
from tabular_rl.model.unroll import state_name

Floats = NDArray[np.float64]
ACCURACY = 1e-11  # of the residual of a limit, relative
POWERS = 500  # steps by which growth is measured


@dataclass(frozen=True, eq=False)
class Limit:
    """The moments that a learner tends to, in the sign of the model: `mean` (n,), `covariance` (n, n), `truth` (n,).

    Entries that are not updated forever are NaN: what they are left with depends on the start.
    """

    mean: Floats
    covariance: Floats | None
    truth: Floats

    @property
    def bias(self) -> Floats:
        """How far the mean stays from the truth (n,)."""
        return np.asarray(self.mean - self.truth)

    @property
    def sd(self) -> Floats:
        """The standard deviation of each entry (n,)."""
        return deviations(self.covariance)


@public
def limit(
    method: str, mdp: MDP, policy: Policy | None = None, *, covariance: bool = True, **options: Any
) -> Limit:
    """Find the mean and the covariance that a learner with constant steps tends to.

        u(t) = Σ_s→t p [ B u(s) + c μ(s) ],    μ the stationary distribution of the states;  mean = Σ u

    and the like for second moments, solved by an iterative method without forming the matrices. A target that is copied
    is looked at just after a copy, a sweep at its end. Where the chain of states is periodic the limit is that of means
    over time.

    Parameters
    ----------
    method, mdp, policy, options : as in expected; the step size is constant
    covariance : False for the mean alone

    Returns
    -------
    Limit: mean (n,), covariance (n, n)

    Raises
    ------
    OptionError : steps that change; too much memory; a trajectory that may end in several places forever
    NumericalError : no limit: the learner diverges

    Sources
    -------
    Huo, Chen & Xie (2023), on the bias of constant steps with Markovian data.

    Examples
    --------
    A coin that pays 1 or 0, α = 1/2: v ← v + α (r - v) has variance α / (2 - α) · 1/4 = 1/12 in the long run.

    >>> outcomes = [("s", "toss", "end", "1/2", 1), ("s", "toss", "end", "1/2", 0)]
    >>> found = limit("td0", MDP.from_outcomes(outcomes, 1, terminal=["end"]), step_size=0.5)
    >>> found.mean.round(9).tolist(), (12 * found.covariance[0, 0]).round(9).item()
    ([0.5, 0.0], 1.0)
    """
    law = _law(method, mdp, policy, {**options, "average": False})
    if law.step_size.kind != "constant":
        raise OptionError(f"--step-size: found {law.step_size}, expected a constant one")
    law.need(0.0, covariance)
    n, N, nodes = law.n, law.N, law.nodes
    chance, met = _stationary(law)
    period = int(law.by) if law.target == "copy" else 1
    size = n if law.target == "copy" else N  # just after a copy the target is the table
    doubled = np.tile(np.arange(size), N // size)

    def mean_after(x: Floats, mass: float) -> Floats:
        u = x.reshape(nodes, size)[:, doubled]
        at = chance * mass
        for k in range(period):
            at, u, _ = law.advance(k, at, u, None)
        return u[:, :size].ravel()

    entries = np.tile(met, size // n)  # what else there is never moves
    some = chance[:, None] * (entries * (1.0 + np.arange(size) / size))
    x = _fixed_point(mean_after, some.ravel(), law, "mean")
    m = x.reshape(nodes, size)[:, :n].sum(axis=0)
    mean = np.where(met, law.shift + m, np.nan)
    second = None
    if covariance:
        settled = x.reshape(nodes, size)

        def second_after(y: Floats, mass: float) -> Floats:
            W = y.reshape(nodes, size, size)[:, doubled][:, :, doubled]
            at, u = chance * mass, settled[:, doubled] * mass
            for k in range(period):
                at, u, W = law.advance(k, at, u, W)  # type: ignore[assignment]
            return W[:, :size, :size].ravel()

        all_alike = chance[:, None, None] * np.diag(entries.astype(float))
        y = _fixed_point(second_after, all_alike.ravel(), law, "covariance")
        second = y.reshape(nodes, size, size)[:, :n, :n].sum(axis=0) - np.outer(m, m)
        second[~met] = np.nan
        second[:, ~met] = np.nan
        if not (np.diagonal(second)[met] >= -1e-6 * np.abs(second[met][:, met]).max(initial=0.0)).all():
            raise NumericalError(
                f"{method}: the second moments grow without end with step size {law.step_size}"
            )
        second = law.full_square(second)
    sign = law.mdp.sign
    return Limit(sign * law.full(mean), second, sign * law.truth())


@public
def asymptotic_covariance(method: str, mdp: MDP, policy: Policy | None = None, **options: Any) -> Floats:
    """Find the covariance (n, n) that √k (average - v_π) tends to, where steps fall as n^-w with 1/2 < w < 1.

        (I - γ P_π)⁻¹ diag(σ² / d) (I - γ P_π)⁻ᵀ

    σ²(s) = E[(ρ δ)² | s] with δ = r + γ v_π(s') - v_π(s), and d(s) the share of the updates that fall on s: of
    independent pairs, or by the stationary distribution of the chain with restarts, as δ has mean 0 whatever came
    before. No steps do better in the long run. After few it is far off: `expected(average=True)` is exact.

    Parameters
    ----------
    method, mdp, policy, options : as in expected; targets and step sizes play no part

    Returns
    -------
    array (n, n) in the order of the estimates; 0 at terminal states, NaN at entries not updated forever

    Raises
    ------
    OptionError : sweeps, where updates are not drawn; a trajectory that may end in several places forever

    Sources
    -------
    Polyak & Juditsky (1992), theorem 1.

    Examples
    --------
    A coin that pays 1 or 0: the average of k tosses has variance 1/4 / k.

    >>> outcomes = [("s", "toss", "end", "1/2", 1), ("s", "toss", "end", "1/2", 0)]
    >>> asymptotic_covariance("td0", MDP.from_outcomes(outcomes, 1, terminal=["end"])).tolist()
    [[0.25, 0.0], [0.0, 0.0]]
    """
    law = _law(method, mdp, policy, {**options, "step_size": 0.5, "average": False, "target": "none"})
    if law.source == "sweeps":
        raise OptionError(
            "--source: found 'sweeps', expected trajectory or independent: updates that are drawn"
        )
    chance, met = _stationary(law)
    events, stage = law.by_step[0], law.stages[0]
    weight = chance[events.node] * events.prob
    n = law.n
    A = np.zeros((n, n))
    np.add.at(A, (events.entry, events.entry), weight * events.rho)
    look = events.look.tocoo()
    np.add.at(
        A, (events.entry[look.row], look.col), -law.mdp.gamma * (weight * events.rho)[look.row] * look.data
    )
    noise = np.bincount(events.entry, weight * stage.c**2, n)
    on = np.flatnonzero(met)
    inverse = np.linalg.inv(A[np.ix_(on, on)])
    found = np.full((n, n), np.nan)
    found[np.ix_(on, on)] = (inverse * noise[on]) @ inverse.T
    return law.full_square(found)


def _stationary(law: Law) -> tuple[Floats, NDArray[np.bool_]]:
    """The share of time in each node in the long run (nodes,), and the entries (n,) that are updated forever.

    OptionError where the trajectory may end in one of several sets of states that it never leaves.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, connected_components

    from tabular_rl.methods.exact.stationary import gth

    met = np.zeros(law.n, dtype=bool)
    if law.nodes == 1:
        for events in law.by_step:
            met[events.entry[events.prob * events.rho > 0]] = True
        return np.ones(1), met
    events, nodes = law.by_step[0], law.nodes
    first = np.flatnonzero(law.start)  # the restart is a node of its own, passed through in no time
    begin = np.concatenate([events.node, np.full(len(first), nodes)])
    P: Any = csr_array(
        (np.concatenate([events.prob, law.start[first]]), (begin, np.concatenate([events.to, first]))),
        shape=(nodes + 1, nodes + 1),
    )
    reached = np.zeros(nodes + 1, dtype=bool)
    reached[breadth_first_order(P, nodes, return_predecessors=False)] = True
    count, labels = connected_components(P, connection="strong")
    coo = P.tocoo()
    closed = np.ones(count, dtype=bool)
    closed[labels[coo.row[labels[coo.row] != labels[coo.col]]]] = False
    ends = np.unique(labels[reached & closed[labels]])
    if len(ends) > 1:
        one = int(np.flatnonzero(reached & closed[labels])[0])
        s = int(
            law.mdp.pair_state[one]
            if law.method == "sarsa-evaluation"
            else np.flatnonzero(~law.mdp.terminal)[one]
        )
        raise OptionError(
            f"the trajectory may stay forever in one of {len(ends)} sets of states, one of them around "
            f"{quoted(state_name(law.learner.whole, law.mdp, s))}: expected one. --source independent has no such sets."
        )
    inside = np.flatnonzero(labels == ends[0])
    share = np.zeros(nodes + 1)
    share[inside] = gth(P[inside][:, inside].toarray())
    share = share[:nodes] / share[:nodes].sum()
    met[events.entry[share[events.node] * events.prob * events.rho > 0]] = True
    return share, met


def _law(method: str, mdp: MDP, policy: Policy | None, options: dict[str, Any]) -> Law:
    law = Law(method, mdp, Policy.uniform(mdp) if policy is None else policy, 1, options)
    run = law.learner
    if unseen(mdp, *(p for p in (run.policy, run.behavior) if p is not None)):
        raise NumericalError(
            f"{method}: a probability is positive but 0 as a float; where the updates end up may depend on it"
        )
    if not np.isfinite(law.centre).all():
        raise NumericalError(f"{method}: the expected update is zero nowhere, or in many places")
    return law


def _fixed_point(after: Callable[[Floats, float], Floats], some: Floats, law: Law, what: str) -> Floats:
    """Return x = after(x), an affine map whose constant part carries the mass 1, by GMRES.

    NumericalError where the powers of its linear part make `some` grow: x is then no limit.
    """
    from scipy.sparse.linalg import LinearOperator, gmres

    largest = max(float(events.rho.max(initial=0.0)) for events in law.by_step)
    # Steps up to 1 make means of what there was: nothing can grow.
    if largest * law.step_size.a > 1.0 and _growth(after, some) >= 1.0:
        raise NumericalError(
            f"{law.method}: the {what} grows without end with step size {law.step_size}. "
            f"Up to {outward(1 / largest, upper=False, digits=3)} is safe."
        )
    size = len(some)
    constant = after(np.zeros(size), 1.0)
    if not constant.any():
        return constant
    operator = LinearOperator((size, size), matvec=lambda x: x - after(np.ravel(x), 0.0), dtype=float)
    x, _ = gmres(operator, constant, rtol=ACCURACY, atol=0.0, restart=min(size, 50), maxiter=1000)
    left = float(np.linalg.norm(constant - operator @ x) / np.linalg.norm(constant))
    if not left <= 100 * ACCURACY:
        raise NumericalError(
            f"{law.method}: the {what} was not found with step size {law.step_size} (residual {left:.1e})"
        )
    return np.asarray(x)


def _growth(after: Callable[[Floats, float], Floats], x: Floats) -> float:
    """The factor by which `after` makes what it is given grow in the long run, by powers; 0 where it dies out."""
    x, log, half = x / np.linalg.norm(x), 0.0, 0.0
    for k in range(2 * POWERS):
        x = after(x, 0.0)
        norm = float(np.linalg.norm(x))
        if norm == 0.0:
            return 0.0
        x, log = x / norm, log + math.log(norm)
        half = log if k + 1 == POWERS else half
    return math.exp((log - half) / POWERS)
