"""Second moments of importance ratios: the matrix that carries them on, and whether the sum of its powers is finite.

A return of the behaviour b, weighted by ratios ρ = π(a|s) / b(a|s), has the mean that it has under π. Its second
moments follow

    M(s, s') = Σ_a π(a|s)² / b(a|s) p(s'|s, a)    over states that are not terminal

as P_π does for means; the row sums of M are E[ρ²] ≥ 1, so that its powers may grow however long the episodes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.model.graph.search import edges, reachable, starts
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.sampling import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Mask = NDArray[np.bool_]
SWEEPS = 2000  # of a power iteration; what is not decided by then is called undecided
WORK = 300_000_000  # entries that it looks at, likewise
CLOSE = 1e-12  # a radius nearer to 1 than this counts as 1: a solve would lose all its digits
TINY = 1e-250  # the least positive entry of M


def weights_are_finite(mdp: MDP, policy: Policy, behavior: Policy, decay: float = 1.0) -> bool | None:
    """Say whether Σ_t E[(decay^t ρ_0 ... ρ_t)²] is finite from the start states, None where it is undecided.

    It is where decay² times the spectral radius of M, over the states that π reaches from the start, is below 1.

    Parameters
    ----------
    mdp : the model
    policy, behavior : π and b, which do not depend on time
    decay : 1 for weights of whole episodes, γ for those per decision, γ λ for traces

    Returns
    -------
    True or False; None where bounds of the radius have not come to one side of 1.

    Examples
    --------
    ρ = 2 or 0, with equal probability, forever: E[ρ²] = 2, and 2 γ² < 1 where γ < 0.707.

    >>> mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2")
    >>> [weights_are_finite(mdp, Policy.of_actions(mdp, [0]), Policy.uniform(mdp), decay) for decay in (0.7, 0.71)]
    [True, False]
    """
    M, _ = second_moment_kernel(mdp, policy, behavior)
    inside = np.where(reachable(mdp, starts(mdp), policy.takes), 1.0, 0.0)
    lower, upper = spectral_radius(decay**2 * within(M, inside), around=1.0)
    return True if upper < 1 - CLOSE else False if lower >= 1 - CLOSE else None


def second_moment_kernel(mdp: MDP, policy: Policy, behavior: Policy) -> tuple[csr_array[Any], Floats]:
    """Return M (S, S), sparse, 0 in rows and columns of terminal states, and Σ_a π²/b p(terminal|s,a) (S,).

    An entry that is positive and below TINY is TINY: a variance may be infinite through it, however small it is.

    Parameters
    ----------
    mdp : the model
    policy, behavior : π and b, which do not depend on time; b takes every action that π takes

    Returns
    -------
    M (S, S), and what is carried to terminal states (S,).
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
    whole = csr_array(chain(ratios_squared(policy, behavior) * behavior.weights, mdp.prob).maximum(ways))
    return csr_array(whole.multiply(np.where(mdp.terminal, 0.0, 1.0)[None, :])), whole @ mdp.terminal.astype(
        float
    )


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


def power_series(M: csr_array[Any], c: Floats, *, signed: bool = False) -> Floats:
    """Σ_k M^k c for M ≥ 0 and c ≥ 0: inf exactly where it is infinite, NaN where that is undecided.

    Parameters
    ----------
    M : (n, n) sparse, without negative entries
    c : (n,)
    signed : c may have any sign, as the sum is known to be finite

    Returns
    -------
    The sum (n,).
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


def within(M: csr_array[Any], inside: Floats) -> csr_array[Any]:
    """M with the rows and columns outside set to 0."""
    from scipy.sparse import csr_array

    return csr_array(M.multiply(inside[:, None]).multiply(inside[None, :]))


def ratios_squared(policy: Policy, behavior: Policy) -> Floats:
    """(π/b)² (L,), 0 where π is 0."""
    b = behavior.weights
    ratio = np.divide(policy.weights, b, out=np.zeros(len(b)), where=(b > 0) & (policy.weights > 0))
    return ratio * ratio
