"""Where a policy spends its time: stationary distributions, discounted visits, occupancy."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import NoFiniteAnswer, NotAnswerable, NumericalError
from tabular_rl.methods.exact._integers import Row, Rows, chain_rows, over_one, solve_integers
from tabular_rl.methods.exact.linear_solve import solve_chain
from tabular_rl.model.calls import public
from tabular_rl.model.graph.search import Mask, components, edges, reachable, starts
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy, policy_of
from tabular_rl.model.rationals import RationalArray
from tabular_rl.solving.run import Run
from tabular_rl.solving.sweeps import Sweeper

GTH_STATES = 1000  # up to here a class is reduced state by state; beyond it by a sparse solve
MOST_STEPS = 1e9  # between two states: more cost too many digits of a sparse solve


@dataclass(frozen=True)
class Stationary:
    """What the chain of a policy settles to.

    `classes` are the recurrent classes, each an array of states; `distributions` (classes, S) the stationary
    distribution of each; `weights` (classes,) the probability to end up in each from the start distribution; `limit`
    (S,) = Σ weights · distributions, the share of time spent in each state in the long run.
    """

    classes: tuple[NDArray[Any], ...]
    distributions: NDArray[Any]
    weights: NDArray[Any]
    limit: NDArray[Any]


@public
def stationary_distribution(mdp: MDP, policy: Policy, *, exact: bool = False) -> Stationary:
    """Find the stationary distribution of each recurrent class of a policy's chain, and the limit from the start.

    μ = μ P_π on each class. The algorithm of Grassmann, Taksar & Heyman (1985) takes states out one by one,

        P(i,j) ← P(i,j) + P(i,n) P(n,j) / Σ_{k<n} P(n,k)

    adding, multiplying and dividing positive numbers alone: each entry is found to full relative precision, whatever
    the condition. Classes of more than 1000 states are solved sparse. A terminal state is absorbing, a class of its
    own. The discount plays no part.

    Parameters
    ----------
    exact : answer in Fractions (arrays of objects)

    Returns
    -------
    Stationary

    Raises
    ------
    OptionError : the policy does not fit the model, or depends on time
    NumericalError : a class of more than 1000 states, some of which hardly meet
    OptionError : `exact`, and a class that takes too much work

    Sources
    -------
    Grassmann, Taksar & Heyman (1985). Puterman (1994), appendix A.

    Examples
    --------
    Two states that are left with probability 1/10 and 1/5: twice as long in the first.

    >>> outcomes = [(s, "go", s2, p, 0) for s, s2, p in [(0, 0, "0.9"), (0, 1, "0.1"), (1, 0, "0.2"), (1, 1, "0.8")]]
    >>> mdp = MDP.from_outcomes(outcomes, 1)
    >>> found = stationary_distribution(mdp, Policy.uniform(mdp), exact=True)
    >>> found.limit.tolist()
    [Fraction(2, 3), Fraction(1, 3)]
    """
    policy = still(mdp, policy)
    classes, transient = _recurrent_classes(mdp, policy)
    kind: Any = object if exact else np.float64
    distributions = np.zeros((len(classes), mdp.S), dtype=kind)
    if exact:
        distributions += Fraction(0)
        rows = chain_rows(Rows(mdp), policy)
        for found, states in zip(distributions, classes, strict=True):
            found[states] = _exact_class(rows, states.tolist())
        visits = _exact_visits(mdp, rows, transient, Fraction(1))
        weights = np.array([Fraction(0)] * len(classes), dtype=object)
        start = exact_start(mdp)
        of_class = {s: k for k, states in enumerate(classes) for s in states.tolist()}
        for s in range(mdp.S):
            if s in of_class:
                weights[of_class[s]] += start[s]
            elif visits[s]:
                row = rows[s]
                assert row is not None
                for s2, n in row[0].items():
                    if s2 in of_class:
                        weights[of_class[s2]] += visits[s] * Fraction(n, row[1])
    else:
        P_pi, _ = Sweeper(mdp).policy_system(policy)
        for found, states in zip(distributions, classes, strict=True):
            found[states] = _float_class(P_pi[states][:, states])
        flow = mdp.start + P_pi.T @ _transient_visits(P_pi, mdp.start, 1.0, ~transient)
        weights = np.array([flow[states].sum() for states in classes])
    return Stationary(classes, distributions, weights, weights @ distributions)


@public
def visit_distribution(
    mdp: MDP, policy: Policy, *, normalized: bool = False, exact: bool = False
) -> NDArray[Any]:
    """Count the discounted visits of a policy to each state from the start distribution.

        d(s) = Σ_t γ^t Pr(s_t = s)    that is    d = start + γ P_πᵀ d    over non-terminal states

    so that Σ_s start(s) v_π(s) = Σ_s d(s) r_π(s). Without terminal states Σ d = 1 / (1 - γ).

    Parameters
    ----------
    normalized : divide by Σ d: a probability distribution
    exact : answer in Fractions (an array of objects)

    Returns
    -------
    array (S,), 0 at terminals

    Raises
    ------
    NoFiniteAnswer : γ = 1 and the policy may never leave some state that is not terminal
    NotAnswerable : the model has a finite horizon

    Sources
    -------
    Sutton & Barto (2018), section 9.2 and 13.2; Puterman (1994), 6.9.2.

    Examples
    --------
    A coin thrown until heads is thrown 1 + 1/2 + 1/4 + ... = 2 times.

    >>> mdp = MDP.from_outcomes([("s", "toss", "s", "1/2", 1), ("s", "toss", "end", "1/2", 1)], 1, terminal=["end"])
    >>> visit_distribution(mdp, Policy.uniform(mdp)).tolist()
    [2.0, 0.0]
    """
    if mdp.problem.timed:
        raise NotAnswerable("visits: found a model with a finite horizon, expected one without")
    policy = still(mdp, policy)
    outside = stays(mdp, policy) if mdp.problem.must_end else mdp.terminal
    if exact:
        rows = chain_rows(Rows(mdp), policy)
        d = _exact_visits(mdp, rows, ~outside, mdp.gamma_exact)
    else:
        d = _transient_visits(Sweeper(mdp).policy_system(policy)[0], mdp.start, mdp.gamma, outside)
    total = d.sum()
    return d / total if normalized and total else d


@public
def occupancy(mdp: MDP, policy: Policy, *, normalized: bool = False, exact: bool = False) -> NDArray[Any]:
    """Count the discounted number of times that a policy takes each action from the start distribution.

    x(s,a) = d(s) π(a|s), with d of `visit_distribution`, so that Σ_s start(s) v_π(s) = Σ x(s,a) r(s,a).

    Parameters
    ----------
    normalized, exact : as in visit_distribution

    Returns
    -------
    array (L,)

    Raises
    ------
    NoFiniteAnswer, NotAnswerable : as in visit_distribution

    Sources
    -------
    Puterman (1994), 6.9.2.

    Examples
    --------
    >>> mdp = MDP([[[1], [1]]], [[0, 1]], "1/2")
    >>> occupancy(mdp, Policy.uniform(mdp)).tolist()
    [1.0, 1.0]
    """
    d = visit_distribution(mdp, policy, normalized=normalized, exact=exact)
    policy = still(mdp, policy)
    weights = np.array(policy.rationals(), dtype=object) if exact else policy.weights
    return np.asarray(np.repeat(d, np.diff(mdp.pair_ptr)) * weights)


def still(mdp: MDP, policy: Policy) -> Policy:
    """The policy as one of this model that does not depend on time."""
    mdp.validate()
    return policy_of(mdp.replace(horizon=None) if mdp.problem.timed else mdp, policy)


def _recurrent_classes(mdp: MDP, policy: Policy) -> tuple[tuple[NDArray[Any], ...], Mask]:
    """The recurrent classes of a policy's chain, by their lowest state, and the mask (S,) of transient states."""
    used = policy.takes
    count, labels = components(mdp, used)
    row = mdp.outcome_row
    real = used[row] & (edges(mdp) > 0)
    before, after = labels[mdp.pair_state[row[real]]], labels[mdp.next_state[real]]
    closed = np.ones(count, dtype=bool)
    closed[before[before != after]] = False
    recurrent = np.flatnonzero(closed[labels])
    order = recurrent[np.argsort(labels[recurrent], kind="stable")]
    classes = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(order) else []
    return tuple(sorted(classes, key=lambda states: int(states[0]))), ~closed[labels]


def stays(mdp: MDP, policy: Policy) -> Mask:
    """The recurrent states (S,); NoFiniteAnswer where one that is not terminal is met from the start."""
    _, transient = _recurrent_classes(mdp, policy)
    met = reachable(mdp, starts(mdp), policy.takes) & ~transient & ~mdp.terminal
    if met.any():
        names = [mdp.states[s] for s in np.flatnonzero(met).tolist()]
        raise NoFiniteAnswer("the policy never terminates and visits forever", names)
    return ~transient


def gth(P: NDArray[np.float64]) -> NDArray[np.float64]:
    """The stationary distribution of an irreducible chain P (n, n), without subtraction.

    >>> gth(np.array([[0.9, 0.1], [0.2, 0.8]])).round(15).tolist()
    [0.666666666666667, 0.333333333333333]
    """
    P = np.array(P, dtype=np.float64)
    n = len(P)
    with np.errstate(divide="ignore", invalid="ignore"):
        for k in range(n - 1, 0, -1):
            P[:k, k] /= P[k, :k].sum()
            P[:k, :k] += np.outer(P[:k, k], P[k, :k])
        mu = np.zeros(n)
        mu[0] = 1.0
        for k in range(1, n):
            mu[k] = mu[:k] @ P[:k, k]
        mu /= mu.sum()
    if not np.isfinite(mu).all():  # states that are connected by probabilities that are 0 as floats
        raise NumericalError(
            f"the stationary distribution of {n} states that hardly meet cannot be found in floating point. "
            "Use exact=True."
        )
    return mu


def _float_class(P: Any) -> NDArray[np.float64]:
    """The stationary distribution of one recurrent class with transition matrix P (sparse)."""
    n = P.shape[0]
    if n <= GTH_STATES:
        inner = P.toarray()
        if n == 1 or not inner.any():
            return np.full(n, 1.0 / n)  # absorbing: terminal states have no row
        return gth(inner)
    # Visits to the others between two visits to one state: well conditioned where that is soon met from everywhere.
    mu = np.full(n, 1.0 / n)
    for _ in range(500):
        mu = 0.5 * (mu + P.T @ mu)
    hub = int(np.argmax(mu))
    others = np.delete(np.arange(n), hub)
    inner = P[others][:, others]
    steps = solve_chain(inner, np.ones(n - 1), 1.0)
    if not (steps.min() > 0 and steps.max() < MOST_STEPS):
        raise NumericalError(
            f"the stationary distribution of {n} states that hardly meet cannot be found in floating point. "
            "Use exact=True."
        )
    mu[hub] = 1.0
    mu[others] = np.maximum(solve_chain(inner.T.tocsr(), P[[hub]][:, others].toarray().ravel(), 1.0), 0.0)
    return np.asarray(mu / mu.sum())


def _transient_visits(P: Any, start: NDArray[np.float64], gamma: float, outside: Mask) -> NDArray[np.float64]:
    """d = start + γ Pᵀ d over the states not `outside`, 0 there."""
    return np.maximum(
        solve_chain(P.T.tocsr(), np.where(outside, 0.0, start), gamma, "auto", None, outside), 0.0
    )


def _exact_class(rows: list[Row | None], states: list[int]) -> list[Fraction]:
    first, others = states[0], states[1:]
    if not others:
        return [Fraction(1)]
    row = rows[first]
    assert row is not None
    between = _exact_system(rows, others, {s: Fraction(n, row[1]) for s, n in row[0].items()}, Fraction(1))
    total = 1 + sum(between)
    return [x / total for x in (Fraction(1), *between)]


def _exact_visits(mdp: MDP, rows: list[Row | None], inside: Mask, gamma: Fraction) -> NDArray[Any]:
    d = np.array([Fraction(0)] * mdp.S, dtype=object)
    states = np.flatnonzero(inside)
    if states.size:
        start = exact_start(mdp)
        d[states] = _exact_system(rows, states.tolist(), {s: start[s] for s in states.tolist()}, gamma)
    return d


def _exact_system(
    rows: list[Row | None], states: list[int], start: dict[int, Fraction], gamma: Fraction
) -> list[Fraction]:
    """Solve d(s') = start(s') + γ Σ_s P(s, s') d(s) over `states`.

    With y(s) = d(s) / (γd D(s)), D(s) the denominator of the row of s, all coefficients are integers.
    """
    place = {s: j for j, s in enumerate(states)}
    A: list[dict[int, int]] = [{} for _ in states]
    scale = []
    for j, s in enumerate(states):
        row = rows[s]
        assert row is not None
        scale.append(gamma.denominator * row[1])
        A[j][j] = A[j].get(j, 0) + scale[j]
        for s2, n in row[0].items():
            if s2 in place:
                k = place[s2]
                A[k][j] = A[k].get(j, 0) - gamma.numerator * n
    b, unit = over_one(RationalArray.of(start.get(s, Fraction(0)) for s in states))
    num, den = solve_integers(A, b, Run("", {}))
    return [Fraction(x * own, den * unit) for x, own in zip(num, scale, strict=True)]


def exact_start(mdp: MDP) -> list[Fraction]:
    """The start distribution as Fractions: uniform exactly where none was given, floats over their sum."""
    if mdp.exact is not None and mdp.exact.start is not None:
        return list(mdp.exact.start)
    if not mdp.start_given:
        count = int((mdp.start > 0).sum())
        return [Fraction(int(p > 0), count) for p in mdp.start.tolist()]
    n, _ = over_one(mdp.start)
    return [Fraction(x, sum(n)) for x in n]
