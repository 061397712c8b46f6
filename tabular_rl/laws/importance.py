"""The variance of importance sampling: when it is finite, and what it is then.

The second moments of returns follow the matrix M of `methods/exact/ratio_moments.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tabular_rl.errors import OptionError, quoted
from tabular_rl.methods.exact.linear_solve import policy_values, policy_zero
from tabular_rl.methods.exact.ratio_moments import (
    power_series,
    ratios_squared,
    second_moment_kernel,
    spectral_radius,
    within,
)
from tabular_rl.model.calls import public
from tabular_rl.model.graph.search import can_reach
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy, policy_of
from tabular_rl.model.unroll import state_name, unroll, unroll_policy
from tabular_rl.solving.sampling import Floats

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
    NoFiniteAnswer : γ = 1, and the policy collects reward forever

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
    of, to = flat.outcome_row, flat.next_state
    rewards = flat.sign * flat.outcome_reward
    ratio2 = ratios_squared(pi, b) * b.weights  # π² / b
    each = ratio2[of] * flat.prob

    # Per decision: the variance of one step, carried on by γ² M.
    rho = np.divide(pi.weights, b.weights, out=np.zeros(flat.L), where=b.weights > 0)
    ahead = rewards + flat.gamma * np.where(flat.terminal, 0.0, v)[to]
    delta = rho[of] * ahead - v[flat.pair_state[of]]
    noise = _per_state(flat, (b.weights[of] * flat.prob) * delta * delta)
    scale = max(float(np.max(np.abs(ahead), initial=0.0)), float(np.max(np.abs(v), initial=0.0)))
    noise[noise <= NONE * scale * scale] = 0.0
    per_decision = power_series(flat.gamma**2 * M, noise)

    # Whole episodes, where the policy is sure to end.
    use = pi.takes
    never = ~can_reach(flat, flat.terminal, use)
    endless = can_reach(flat, never, use) if never.any() else never
    inside = np.where(endless, 0.0, 1.0)
    weight = power_series(within(M, inside), np.where(endless, 0.0, ends))
    weight[flat.terminal] = 1.0
    good = np.isfinite(weight) & ~endless
    x = np.where(good, weight, 0.0)
    kept = within(M, np.where(good & ~flat.terminal, 1.0, 0.0))
    once = power_series(
        flat.gamma * kept, np.where(good, _per_state(flat, each * rewards * x[to]), 0.0), signed=True
    )
    twice = _per_state(flat, each * rewards * (rewards * x[to] + 2 * flat.gamma * once[to]))
    full = power_series(flat.gamma**2 * kept, np.where(good, twice, 0.0), signed=True) - v * v
    full = np.where(good, np.maximum(full, 0.0), math.nan)
    full[flat.terminal] = 0.0
    weight[endless] = math.nan
    shape = mdp.problem.shape(mdp)
    mean = mdp.sign * v
    if mdp.final_reward is not None:
        mean[-mdp.S :] = mdp.final_reward
    mean, per_decision, weight, full = (np.reshape(x, shape) for x in (mean, per_decision, weight, full))
    return Importance(mean, per_decision, weight, full, spectral_radius(M))


def _per_state(mdp: MDP, values: Floats) -> Floats:
    """Sums (S,) of numbers over outcomes (K,)."""
    of = mdp.outcome_row
    sums: Floats = np.bincount(mdp.pair_state[of], weights=values, minlength=mdp.S).astype(np.float64)
    return sums
