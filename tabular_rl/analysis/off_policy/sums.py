"""The sums over a log that all estimators are made of, for many weightings of its episodes at once.

An estimator is a function of c (n,), how often each episode counts: 1 for the log itself, a draw with replacement for
the bootstrap, how often each path occurs for an enumeration. Each sum is linear in c, so that (B, n) weightings take a
product with a sparse matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.analysis.off_policy.episodes import NOWHERE, Episodes, Ints
from tabular_rl.model.policy import Policy
from tabular_rl.solving.sampling import Floats


@dataclass(frozen=True, eq=False)
class Cells:
    """Different keys of transitions, and a sparse matrix (n, cells): what each episode adds to each of them.

    `keys` are the parts of a key, an array (cells,) each: a time, a state ...
    """

    keys: tuple[Ints, ...]
    adds: Any

    @classmethod
    def of(cls, n: int, of: Ints, values: Floats, *parts: Ints) -> Cells:
        """The sums of values (N,) over episodes `of` (N,) and keys."""
        from scipy.sparse import coo_array

        code = np.zeros(len(of), dtype=np.int64)
        for part in parts:
            code = code * (int(part.max(initial=0)) + 2) + part + 1
        _, first, cell = np.unique(code, return_index=True, return_inverse=True)
        adds = coo_array((values, (of, cell)), shape=(n, len(first))).tocsr()
        return cls(tuple(part[first] for part in parts), adds)

    def __call__(self, c: Floats) -> Floats:
        """The sums (B, cells) under the weightings (B, n)."""
        found: Floats = (self.adds.T @ c.T).T
        return found


@dataclass(frozen=True, eq=False)
class Sums:
    """A log under a policy, ready to be summed. States and rows are those that it has, as `states` and `rows` list.

    `whole` (n,) is the weight ρ_0 ... ρ_{l-1} of each episode, `G` (n,) its return, and `per_decision` (n,) its
    Σ γ^t ρ_{0:t} r. `pi` (L',) or (T, L') is the policy, `unknown` (S',) or (T, S') the probability that it takes an
    action of which the log knows nothing; `met` (S',) says where it can come to; `met_as` (L',) is 1 for the row that
    the log has first, 2 for the second. Sums over keys:

    `rewards` (t) γ^t ρ_{0:t} r; `alive` (t) ρ_{0:t}; `ended` (t) the weight of episodes that end after t steps;
    `at_rows` (t, row) γ^t ρ_{0:t}; `at_states` (t, state) γ^t ρ_{0:t-1}; `visits` (t, state) how often; `moves`
    (t, state, next state) ρ_t; `gains` (t, state) ρ_t r; `outcomes` (row, next state) how often; `row_rewards` (row) r;
    `begins` (state) how often; `stays`, `earned` (state) γ^t and γ^t ρ_t r.
    """

    n: int
    T: int
    gamma: float
    horizon: int | None
    states: Ints
    rows: Ints
    row_state: Ints
    pi: Floats
    whole: Floats
    G: Floats
    per_decision: Floats
    rewards: Cells
    alive: Cells
    ended: Cells
    at_rows: Cells
    at_states: Cells
    visits: Cells
    moves: Cells
    gains: Cells
    outcomes: Cells
    row_rewards: Cells
    begins: Cells
    stays: Cells
    earned: Cells
    unknown: Floats
    met: NDArray[np.bool_]
    met_as: Ints

    @property
    def S(self) -> int:
        """How many states the log has."""
        return len(self.states)


def sums_of(episodes: Episodes, policy: Policy, rho: Floats, weight: Floats, gamma: float) -> Sums:
    """Return the sums of a log under a policy.

    Parameters
    ----------
    episodes : the log
    policy : π
    rho, weight : ρ_t and ρ_0 ... ρ_t (N,)
    gamma : discount

    Returns
    -------
    Sums
    """
    e, n, T = episodes, len(episodes), episodes.longest
    of, t = e.of, e.t
    states = np.unique(np.concatenate([e.s, e.s2[e.s2 != NOWHERE]]))
    rows, firsts = np.unique(e.row, return_index=True)
    s, row = np.searchsorted(states, e.s), np.searchsorted(rows, e.row)
    to = np.where(e.s2 == NOWHERE, NOWHERE, np.searchsorted(states, np.maximum(e.s2, 0)))
    with np.errstate(under="ignore"):
        decay = gamma ** np.arange(T + 1, dtype=np.float64)
    scaled = decay[t] * weight
    before = np.where(t == 0, 1.0, weight[np.maximum(np.arange(len(t)) - 1, 0)])
    first, last = e.first, e.last
    # What follows a cut counts by its estimated value.
    after = np.flatnonzero(e.cut)
    at_of, at_t = np.concatenate([of, after]), np.concatenate([t, e.length[after]])
    at_s = np.concatenate([s, to[last[after]]])
    at = np.concatenate([decay[t] * before, decay[e.length[after]] * weight[last[after]]])
    short = np.flatnonzero(e.length < T)
    pi = policy.weights[..., rows]
    taken = np.asarray((pi > 0).reshape(-1, len(rows)).any(axis=0))
    go = (to != NOWHERE) & taken[row]
    add = Cells.of
    return Sums(
        n=n,
        T=T,
        gamma=gamma,
        horizon=e.horizon,
        states=states,
        rows=rows,
        row_state=np.searchsorted(states, e.mdp.pair_state[rows]),
        pi=pi,
        whole=weight[last],
        G=_sums(of, decay[t] * e.reward, n),
        per_decision=_sums(of, scaled * e.reward, n),
        rewards=add(n, of, scaled * e.reward, t),
        alive=add(n, of, weight, t),
        ended=add(n, short, weight[last[short]], e.length[short]),
        at_rows=add(n, of, scaled, t, row),
        at_states=add(n, at_of, at, at_t, at_s),
        visits=add(n, of, np.ones(len(t)), t, s),
        moves=add(n, of, rho, t, s, to),
        gains=add(n, of, rho * e.reward, t, s),
        outcomes=add(n, of, np.ones(len(t)), row, to),
        row_rewards=add(n, of, e.reward, row),
        begins=add(n, np.arange(n), np.ones(n), s[first]),
        stays=add(n, of, decay[t], s),
        earned=add(n, of, decay[t] * rho * e.reward, s),
        unknown=_unknown(episodes, policy, states, rows),
        met=_met(len(states), s[first], s[go], to[go]),
        met_as=np.argsort(np.argsort(firsts)) + 1,
    )


def _sums(of: Ints, values: Floats, n: int) -> Floats:
    """Sums (n,) of values (N,) over episodes."""
    return np.bincount(of, weights=values, minlength=n).astype(np.float64)


def _met(S: int, begins: Ints, s: Ints, to: Ints) -> NDArray[np.bool_]:
    """Which states (S,) are reached from the first ones along edges s -> to."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order

    # One node more, with an edge to each first state: a single search from there.
    begins = np.unique(begins)
    edges = np.concatenate([s, np.full(len(begins), S)]), np.concatenate([to, begins])
    graph = csr_array((np.ones(len(edges[0])), edges), shape=(S + 1, S + 1))
    found = np.zeros(S + 1, dtype=bool)
    found[breadth_first_order(graph, S, return_predecessors=False)] = True
    return found[:S]


def _unknown(e: Episodes, policy: Policy, states: Ints, rows: Ints) -> Floats:
    """The probability that π takes an action of which the log knows nothing, by state (S',) or (T, S')."""
    weights, S = policy.weights, e.mdp.S
    tried = np.zeros(e.mdp.L, dtype=bool)
    tried[rows] = True
    known = np.where(tried, weights, 0.0)
    of = e.mdp.pair_state
    flat = known.reshape(-1, e.mdp.L)
    total = np.stack([np.bincount(of, weights=one, minlength=S) for one in flat])[:, states]
    # A sum of floats that should be 1 misses it by its rounding.
    rest = np.where(total > 1 - 1e-9, 0.0, 1 - total)
    rest[:, e.mdp.terminal[states] & ~e.open[states]] = 0.0
    return rest if weights.ndim == 2 else rest[0]
