"""The variance of importance sampling: when it is finite, and what it is then.

A return of the behaviour b, weighted by ratios ρ = π(a|s) / b(a|s), has the mean that it has under π. Its second
moments follow

    M(s, s') = Σ_a π(a|s)² / b(a|s) p(s'|s, a)    over states that are not terminal

as P_π does for means; the row sums of M are E[ρ²] ≥ 1, so that its powers may grow however long the episodes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError, quoted
from tabular_rl.methods.exact.linear_solve import policy_values, policy_zero
from tabular_rl.model.calls import public
from tabular_rl.model.graph.search import can_reach, edges, reachable, starts
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy, policy_of
from tabular_rl.model.unroll import state_name, unroll, unroll_policy
from tabular_rl.solving.sampling import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Mask = NDArray[np.bool_]
SWEEPS = 2000  # of a power iteration; what is not decided by then is called undecided
WORK = 300_000_000  # entries that it looks at, likewise
CLOSE = 1e-12  # a radius nearer to 1 than this counts as 1: a solve would lose all its digits
TINY = 1e-250  # the least positive entry of M
NONE = 1e-24  # a variance below this share of the largest is a rounding error of 0


@dataclass(frozen=True)
class Importance:
    """Ordinary importance sampling of the returns from each state (S,), or (T+1, S) for a finite horizon.

    `mean` is v_π, the mean of both, in the sign of the model. `per_decision` is the variance of
    Σ_t γ^t ρ_0 ... ρ_t r_t, and `weight` E[W²] of the weight W = ρ_0 ρ_1 ... of a whole episode: both are inf exactly
    where they are infinite. `full` is the variance of W Σ_t γ^t r_t, NaN where E[W²] is infinite, which does not decide
    it. Both `weight` and `full` are NaN where the policy may never end. `radius` (lower, upper) bounds the spectral
    radius of M over all states.
    """

    mean: Floats
    per_decision: Floats
    weight: Floats
    full: Floats
    radius: tuple[float, float]


@public
def importance_law(mdp: MDP, policy: Policy, behavior: Policy) -> Importance:
    """Return the exact mean and variance of importance-sampled returns, per decision and of whole episodes.

        Var(s) = E_b[ (ρ (r + γ v_π(s')) - v_π(s))² ] + γ² Σ_s' M(s,s') Var(s')
        E[W²](s) = Σ_s' M(s,s') E[W²](s'),    1 at a terminal state
        E[W² G²](s) = Σ_s' M(s,s') ( r² E[W²] + 2 γ r E[W² G] + γ² E[W² G²] )(s'),    r that of the transition

    All terms of the first two are positive, so that they are finite exactly where the powers of γ² M, or M, that lead
    to something fade: where each strongly connected part of it on the way has a spectral radius below 1.

    Parameters
    ----------
    policy : π, whose values are wanted
    behavior : b, which acts; it takes every action that π takes

    Returns
    -------
    Importance

    Raises
    ------
    OptionError : the behaviour lacks an action of the policy
    NoFiniteAnswer : γ = 1, and the policy collects reward for ever

    Sources
    -------
    Precup, Sutton & Singh (2000). Sutton & Barto (2018), 5.5, 5.9 and example 5.5 (infinite variance).

    Examples
    --------
    One action of two leads back with probability 2/5, else ends with reward 1; b takes it half of the time: ρ = 2.
    E[W²] = 2 · 2/5 E[W²] + 2 · 3/5 = 6, and W has the mean 1.

    >>> mdp = MDP.from_outcomes([("s", "left", "s", "2/5", 0), ("s", "left", "end", "3/5", 1),
    ...                          ("s", "right", "end", 1, 0)], 1, terminal=["end"])
    >>> law = importance_law(mdp, Policy.of_actions(mdp, [0, -1]), Policy.uniform(mdp))
    >>> [part.round(12).tolist() for part in (law.weight, law.full, law.per_decision)]
    [[6.0, 1.0], [5.0, 0.0], [5.0, 0.0]]
    """
    pi, b = policy_of(mdp, policy), policy_of(mdp, behavior)
    flat = mdp
    if mdp.problem.timed:
        flat = unroll(mdp)
        pi, b = unroll_policy(pi, flat), unroll_policy(b, flat)
    wanted = pi.takes & ~(b.weights > 0)
    if wanted.any() and b is not pi:
        i = int(np.flatnonzero(wanted)[0])
        small = " as a float" if b.takes[i] else ""
        place = quoted(state_name(mdp, flat, flat.state_of_row(i)))
        raise OptionError(
            f"behavior: state {place}, action {quoted(flat.actions[int(flat.pair_action[i])])}: "
            f"found probability 0{small}, expected more, as the policy takes it"
        )
    v = policy_values(flat, pi, zero=policy_zero(flat, pi))
    M, ends = second_moment_kernel(flat, pi, b)
    rewards, to, of = _outcome_arrays(flat)
    ratio2 = _ratio_squared(pi, b) * b.weights  # π² / b
    each = ratio2[of] * flat.prob

    # Per decision: the variance of one step, carried on by γ² M.
    rho = np.divide(pi.weights, b.weights, out=np.zeros(flat.L), where=b.weights > 0)
    ahead = rewards + flat.gamma * np.where(flat.terminal, 0.0, v)[to]
    delta = rho[of] * ahead - v[flat.pair_state[of]]
    noise = _per_state(flat, (b.weights[of] * flat.prob) * delta * delta)
    scale = max(float(np.max(np.abs(ahead), initial=0.0)), float(np.max(np.abs(v), initial=0.0)))
    noise[noise <= NONE * scale * scale] = 0.0
    per_decision = _series(flat.gamma**2 * M, noise)

    # Whole episodes, where the policy is sure to end.
    use = pi.takes
    never = ~can_reach(flat, flat.terminal, use)
    endless = can_reach(flat, never, use) if never.any() else never
    inside = np.where(endless, 0.0, 1.0)
    weight = _series(_scaled(M, inside), np.where(endless, 0.0, ends))
    weight[flat.terminal] = 1.0
    good = np.isfinite(weight) & ~endless
    x = np.where(good, weight, 0.0)
    kept = _scaled(M, np.where(good & ~flat.terminal, 1.0, 0.0))
    once = _series(
        flat.gamma * kept, np.where(good, _per_state(flat, each * rewards * x[to]), 0.0), signed=True
    )
    twice = _per_state(flat, each * rewards * (rewards * x[to] + 2 * flat.gamma * once[to]))
    full = _series(flat.gamma**2 * kept, np.where(good, twice, 0.0), signed=True) - v * v
    full = np.where(good, np.maximum(full, 0.0), math.nan)
    full[flat.terminal] = 0.0
    weight[endless] = math.nan
    shape = mdp.problem.shape(mdp)
    mean = mdp.sign * v
    if mdp.final_reward is not None:
        mean[-mdp.S :] = mdp.final_reward
    mean, per_decision, weight, full = (np.reshape(x, shape) for x in (mean, per_decision, weight, full))
    return Importance(mean, per_decision, weight, full, spectral_radius(M))


def second_moment_kernel(mdp: MDP, policy: Policy, behavior: Policy) -> tuple[csr_array[Any], Floats]:
    """Return M (S, S), sparse, 0 in rows and columns of terminal states, and Σ_a π²/b p(terminal|s,a) (S,).

    An entry that is positive and below TINY is TINY: a variance may be infinite through it, however small it is.
    """
    from scipy.sparse import csr_array

    def chain(weights: Floats, prob: Floats) -> Any:
        P: Any = csr_array((prob, mdp.next_state, mdp.row_ptr), shape=(mdp.L, mdp.S))
        take: Any = csr_array(
            (weights, np.arange(mdp.L), mdp.pair_ptr.astype(np.int64)), shape=(mdp.S, mdp.L)
        )
        return csr_array(take @ P)

    ways = chain(policy.takes.astype(float), (edges(mdp) > 0).astype(float))
    ways.data[:] = np.where(ways.data > 0, TINY, 0.0)
    whole = csr_array(chain(_ratio_squared(policy, behavior) * behavior.weights, mdp.prob).maximum(ways))
    return csr_array(whole.multiply(np.where(mdp.terminal, 0.0, 1.0)[None, :])), whole @ mdp.terminal.astype(
        float
    )


def weights_are_finite(mdp: MDP, policy: Policy, behavior: Policy, decay: float = 1.0) -> bool | None:
    """Say whether Σ_t E[(decay^t ρ_0 ... ρ_t)²] is finite from the start states, None where it is undecided.

    It is where decay² times the spectral radius of M, over the states that π reaches from the start, is below 1. A
    decay of 1 is for weights of whole episodes, γ for those per decision, γ λ for traces.

    Examples
    --------
    ρ = 2 or 0, with equal probability, for ever: E[ρ²] = 2, and 2 γ² < 1 where γ < 0.707.

    >>> mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2")
    >>> [weights_are_finite(mdp, Policy.of_actions(mdp, [0]), Policy.uniform(mdp), decay) for decay in (0.7, 0.71)]
    [True, False]
    """
    M, _ = second_moment_kernel(mdp, policy, behavior)
    inside = np.where(reachable(mdp, starts(mdp), policy.takes), 1.0, 0.0)
    lower, upper = spectral_radius(decay**2 * _scaled(M, inside), around=1.0)
    return True if upper < 1 - CLOSE else False if lower >= 1 - CLOSE else None


def spectral_radius(M: csr_array[Any], around: float | None = None) -> tuple[float, float]:
    """Return lower and upper bounds of the spectral radius of a sparse matrix without negative entries.

        min_i (M x)(i) / x(i) ≤ radius ≤ max_i (M x)(i) / x(i)    for any x > 0, on each strongly connected part

    by powers of I + M, until the bounds agree, or are on one side of `around`.

    Sources
    -------
    Collatz (1942), Wielandt (1950).

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> lower, upper = spectral_radius(csr_array(np.array([[0.0, 4.0], [1.0, 0.0]])))      # √(4 · 1)
    >>> lower <= 2 <= upper, upper - lower < 1e-9
    (True, True)
    """
    _, lower, upper = _radii(M, around)
    return float(lower.max(initial=0.0)), float(upper.max(initial=0.0))


def _radii(M: csr_array[Any], around: float | None = None) -> tuple[NDArray[Any], Floats, Floats]:
    """The strongly connected part of each state, and the bounds of the spectral radius of each part."""
    from scipy.sparse import coo_array, csr_array
    from scipy.sparse.csgraph import connected_components

    n = M.shape[0]
    parts, label = connected_components(M, directed=True, connection="strong")
    edges = coo_array(M)
    row, col = edges.coords
    own = (label[row] == label[col]) & (edges.data > 0)
    inner = csr_array((edges.data[own], (row[own], col[own])), shape=(n, n))
    order = np.argsort(label, kind="stable")
    starts = np.searchsorted(label[order], np.arange(parts))
    x = np.ones(n)
    lower, upper = np.zeros(parts), np.full(parts, math.inf)
    for _ in range(max(10, min(SWEEPS, WORK // max(1, inner.nnz)))):
        y = inner @ x
        share = (y / x)[order]
        lower = np.maximum(lower, np.minimum.reduceat(share, starts))
        upper = np.minimum(upper, np.maximum.reduceat(share, starts))
        decided = upper - lower <= 1e-13 * upper
        if around is not None:
            decided |= (upper < around - CLOSE) | (lower >= around - CLOSE)
        if decided.all():
            break
        # With I the period of a part cannot keep the bounds apart; each part has a scale of its own.
        x = x + y
        largest = np.maximum.reduceat(x[order], starts)
        x = np.maximum(x / largest[label], 1e-290)
    return label, lower, upper


def _series(M: csr_array[Any], c: Floats, *, signed: bool = False) -> Floats:
    """Σ_k M^k c for M ≥ 0 and c ≥ 0: inf exactly where it is infinite, NaN where that is undecided.

    `signed` is for c of any sign where the sum is known to be finite.
    """
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import splu

    n = M.shape[0]
    out = np.zeros(n)
    active = _leads_to(M, c != 0)
    if not active.any():
        return out
    at = np.flatnonzero(active)
    part, right = M[at][:, at], c[at]
    found = np.zeros(len(at))
    endless = np.zeros(len(at), dtype=bool)
    unknown = endless.copy()
    if not signed:
        label, lower, upper = _radii(part, around=1.0)
        endless = _leads_to(part, (lower >= 1 - CLOSE)[label])
        unknown = _leads_to(part, (upper >= 1 - CLOSE)[label]) & ~endless
    fine = np.flatnonzero(~endless & ~unknown)
    if len(fine):
        system = (eye_array(len(fine)) - part[fine][:, fine]).tocsc()
        found[fine] = splu(system).solve(right[fine])
    found[endless], found[unknown] = math.inf, math.nan
    out[at] = found
    return out


def _leads_to(M: csr_array[Any], target: Mask) -> Mask:
    """The states from which the positive entries of M lead to the target, itself included."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order

    n = M.shape[0]
    found = np.array(target, dtype=bool)
    if not found.any():
        return found
    # One node more, with an edge to each target: a single search backward from there.
    back = csr_array(M.T)
    back.eliminate_zeros()
    aims = np.flatnonzero(found)
    indices = np.concatenate([back.indices, aims])
    indptr = np.append(back.indptr, len(indices))
    graph = csr_array((np.ones(len(indices)), indices, indptr), shape=(n + 1, n + 1))
    order = breadth_first_order(graph, n, directed=True, return_predecessors=False)
    found[order[order < n]] = True
    return found


def _scaled(M: csr_array[Any], inside: Floats) -> csr_array[Any]:
    """M with the rows and columns outside set to 0."""
    from scipy.sparse import csr_array

    return csr_array(M.multiply(inside[:, None]).multiply(inside[None, :]))


def _ratio_squared(policy: Policy, behavior: Policy) -> Floats:
    """(π/b)² (L,), 0 where π is 0."""
    b = behavior.weights
    ratio = np.divide(policy.weights, b, out=np.zeros(len(b)), where=(b > 0) & (policy.weights > 0))
    return ratio * ratio


def _outcome_arrays(mdp: MDP) -> tuple[Floats, NDArray[Any], NDArray[Any]]:
    """The reward in the sign of maximisation, the next state and the row of each outcome (K,)."""
    of = mdp.outcome_row
    rewards = mdp.r[of] if mdp.reward is None else mdp.reward
    return mdp.sign * rewards, mdp.next_state, of


def _per_state(mdp: MDP, values: Floats) -> Floats:
    """Sums (S,) of numbers over outcomes (K,)."""
    of = mdp.outcome_row
    sums: Floats = np.bincount(mdp.pair_state[of], weights=values, minlength=mdp.S).astype(np.float64)
    return sums
