"""What linear semi-gradient learners converge to, by linear algebra, and whether they do.

The mean update of w is b - A w, where D = diag(d) holds how often each state (or pair) is updated:

    A = Xᵀ D (X - γ P X),    b = Xᵀ D r,    fixed point A w = b

that is the projected Bellman equation X w = Π (r + γ P X w), Π the projection onto the features in the norm of d. Small
steps follow the mean: they converge where all eigenvalues of A have positive real parts, and diverge where one has
a negative real part. On policy A is positive definite (Tsitsiklis & Van Roy 1997); off policy it need not be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tabular_rl.errors import NumericalError, OptionError
from tabular_rl.model.calls import public
from tabular_rl.model.graph.search import unseen
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy, policy_of
from tabular_rl.solving.sampling import Floats
from tabular_rl.solving.sweeps import Sweeper

DENSE = 3000  # states or pairs up to which matrices are built


@dataclass(frozen=True, eq=False)
class Projected:
    """The mean update b - A w of a linear learner, in the sign of the model.

    `w` (d,) is its fixed point, `values` X w of every entry (0 at terminal states), `d` how often each is updated.
    `rates` are the real parts of the eigenvalues of A, the smallest first: where it is negative, small steps diverge.
    """

    A: Floats
    b: Floats
    d: Floats
    w: Floats
    values: Floats
    rates: Floats

    @property
    def stable(self) -> bool:
        """False where a direction grows: an eigenvalue of A with a real part below 0, beyond rounding."""
        return bool(self.rates[0] > -1e-12 * max(1.0, float(np.abs(self.A).max())))


def update_distribution(mdp: MDP, behavior: Policy, source: str = "trajectory") -> Floats:
    """How often each state is updated in the long run (S,): 0 at terminal states, sum 1.

    "independent" takes all states alike, "sweeps" all pairs, a state as often as it has actions. A trajectory, with
    restarts at terminal states, comes to the stationary distribution of the chain that restarts.

    Parameters
    ----------
    mdp : the model
    behavior : b, which chooses the actions
    source : where transitions come from: "trajectory", "independent" or "sweeps"

    Returns
    -------
    d (S,), the share of each state in all updates.

    Raises
    ------
    OptionError : a trajectory through more than 3,000 states
    NumericalError : a trajectory with a positive probability that is 0 as a float

    Examples
    --------
    >>> mdp = MDP([[[0.5, 0.5]], [[0, 0]]], [[1.0], [0.0]], 1, states=["a", "end"], terminal=["end"])
    >>> update_distribution(mdp, Policy.uniform(mdp)).tolist()
    [1.0, 0.0]
    """
    live = ~mdp.terminal
    if source == "sweeps":
        return np.asarray(np.diff(mdp.pair_ptr) / mdp.L)
    if source != "trajectory":
        return np.asarray(live / live.sum())
    from tabular_rl.methods.exact.stationary import stationary_distribution

    _small(mdp.S)
    behavior = policy_of(mdp, behavior)
    if unseen(mdp, behavior):
        raise NumericalError(
            "a trajectory: a probability is positive but 0 as a float; where it ends up may depend on it"
        )
    P_b, _ = Sweeper(mdp).policy_system(behavior)
    P = np.asarray(P_b.todense() if hasattr(P_b, "todense") else P_b, dtype=np.float64)
    P[mdp.terminal] = 0.0
    P = P + np.outer(P[:, mdp.terminal].sum(axis=1), mdp.start)
    P[:, mdp.terminal] = 0.0
    states = np.flatnonzero(live)
    P = P[np.ix_(states, states)]
    P /= P.sum(axis=1, keepdims=True)
    walk = MDP(P[:, None, :], np.zeros((len(states), 1)), "1/2", start=mdp.start[states], normalize=True)
    d = np.zeros(mdp.S)
    d[states] = stationary_distribution(walk, Policy.uniform(walk)).limit
    return d


@public
def td_fixed_point(
    mdp: MDP,
    policy: Policy,
    features: ArrayLike,
    *,
    behavior: Policy | None = None,
    source: str = "trajectory",
    d: ArrayLike | None = None,
) -> Projected:
    """Solve Xᵀ D (X - γ P_π X) w = Xᵀ D r_π, the fixed point of linear TD(0).

    Parameters
    ----------
    mdp, policy : the model (discounted or total-reward), and π
    features : X (S, d); rows of terminal states are not read
    behavior : b, which chooses the actions (default: π); importance ratios keep P_π and r_π, b changes d alone
    source : as in linear_td
    d : (S,) how often each state is updated, in place of what follows from behavior and source

    Returns
    -------
    Projected, in the sign of the model: A (d, d) and b (d,); the fixed point w (d,), where A is singular the shortest
    one; `values` X w (S,); `d` (S,); `rates` (d,).

    Raises
    ------
    OptionError : features of another shape, or more than 3,000 states
    NumericalError : the projected Bellman equation has no solution

    Sources
    -------
    Tsitsiklis & Van Roy (1997). Sutton & Barto (2018), (9.11) to (9.14).

    Examples
    --------
    One weight for two states that pay 1 and 0 and change places, γ = 1/2: w (1 - 1/2) = 1/2, so w = 1.

    >>> mdp = MDP([[[0, 1]], [[1, 0]]], [[1.0], [0.0]], "1/2")
    >>> td_fixed_point(mdp, Policy.uniform(mdp), [[1], [1]]).w.tolist()
    [1.0]
    """
    _small(mdp.S)
    policy = policy_of(mdp, policy)
    P_pi, r_pi = Sweeper(mdp).policy_system(policy)
    P = np.asarray(P_pi.todense() if hasattr(P_pi, "todense") else P_pi, dtype=np.float64)
    X = _matrix(features, mdp.S)
    weight = (
        update_distribution(mdp, policy if behavior is None else behavior, source)
        if d is None
        else np.asarray(d, dtype=np.float64)
    )
    X = np.where(mdp.terminal[:, None], 0.0, X)
    return _projection(mdp, X, P, mdp.sign * np.where(mdp.terminal, 0.0, np.asarray(r_pi)), weight)


@public
def q_fixed_point(
    mdp: MDP,
    policy: Policy,
    features: ArrayLike,
    *,
    behavior: Policy | None = None,
    source: str = "trajectory",
    d: ArrayLike | None = None,
) -> Projected:
    """Solve the same equation over pairs: the fixed point of linear expected SARSA, on or off policy.

    Xᵀ D (X - γ P Π X) w = Xᵀ D r with X (L, d), P (L, S) and Π (S, L) the policy: d(s,a) = d(s) b(a|s).

    Parameters
    ----------
    mdp, policy : the model (discounted or total-reward), and π
    features : X (L, d), a row a pair
    behavior : b, which chooses the actions (default: π); it changes d alone
    source : as in linear_td, for the states; their actions are weighed by b, in sweeps alike
    d : (L,) how often each pair is updated, in place of what follows from behavior and source

    Returns
    -------
    Projected, in the sign of the model: A (d, d) and b (d,); the fixed point w (d,), where A is singular the shortest
    one; `values` X w (L,); `d` (L,); `rates` (d,).

    Raises
    ------
    OptionError : features of another shape, or more than 3,000 pairs
    NumericalError : the projected Bellman equation has no solution

    Sources
    -------
    Sutton & Barto (2018), (9.11) to (9.14) over pairs, and section 11.1.

    Examples
    --------
    One weight for both pairs of two states that pay 1 and 0 and change places, γ = 1/2: w (1 - 1/2) = 1/2, so w = 1.

    >>> mdp = MDP([[[0, 1]], [[1, 0]]], [[1.0], [0.0]], "1/2")
    >>> q_fixed_point(mdp, Policy.uniform(mdp), [[1], [1]]).w.tolist()
    [1.0]
    """
    _small(mdp.L)
    policy = policy_of(mdp, policy)
    behavior = policy if behavior is None else policy_of(mdp, behavior)
    if source == "sweeps":  # which take every action of a state once
        behavior = Policy.uniform(mdp)
    X = _matrix(features, mdp.L)
    onto = np.zeros((mdp.S, mdp.L))
    onto[mdp.pair_state, np.arange(mdp.L)] = policy.weights
    P = np.asarray(mdp.P @ onto)
    weight = (
        update_distribution(mdp, behavior, source)[mdp.pair_state] * behavior.weights
        if d is None
        else np.asarray(d, dtype=np.float64)
    )
    return _projection(mdp, X, P, mdp.r, weight)


def _projection(mdp: MDP, X: Floats, P: Floats, r: Floats, d: Floats) -> Projected:
    A = X.T @ (d[:, None] * (X - mdp.gamma * (P @ X)))
    b = X.T @ (d * r)
    rates = np.sort(np.linalg.eigvals(A).real)
    # The smallest singular value that is not rounding: below it the fixed point is no point but a line.
    if np.linalg.matrix_rank(A) < len(b):
        w = np.linalg.lstsq(A, b, rcond=None)[0]
        if not np.allclose(A @ w, b, atol=1e-9 * max(1.0, float(np.abs(b).max()))):
            raise NumericalError(
                "fixed point: the projected Bellman equation has no solution for these features"
            )
    else:
        w = np.linalg.solve(A, b)
    return Projected(A, b, d, np.asarray(w, dtype=np.float64), X @ w, rates)


def _matrix(features: ArrayLike, entries: int) -> Floats:
    X = np.array(features, dtype=np.float64)
    if X.ndim != 2 or len(X) != entries or not np.isfinite(X).all():
        raise OptionError(f"features: found shape {X.shape}, expected {entries} rows of finite numbers")
    return X


def _small(n: int) -> None:
    if n > DENSE:
        raise OptionError(
            f"fixed point: found {n} entries, expected at most {DENSE}: it needs dense matrices"
        )
