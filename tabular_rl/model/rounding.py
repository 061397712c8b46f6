"""How far a backup computed in floating point can be from the true one.

With u = 2**-53, γ_k = k u / (1 - k u), n the longest row, R_i the largest |r(s,a,s')| of row i and Vmax that of |v|,

    E_i = γ_{n+4} (R_i + γ Vmax) + n 2**-1074 + τ Vmax + (error of r_i)

covers every rounding of the backup of row i, in any order and with fused operations, and the rounding of the data. It
is a bound for each row and grows with R_i alone: a penalty that is never taken makes its own row uncertain, no other.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import NumericalError
from tabular_rl.model.rows import Floats, largest_of_rows, row_blocks

if TYPE_CHECKING:
    from tabular_rl.model.mdp import MDP
    from tabular_rl.model.policy import Policy
    from tabular_rl.model.validation import Facts
    from tabular_rl.solving.sweeps import Sweeper

U = 2.0**-53


STEP = U * (1 + 2 * U)  # of |x|: what rounds to the next float
TINY = 2.0**-1074
LONG = 500  # numbers from which arithmetic is quicker than np.nextafter, which takes 10 ns for each


def up(x: Any) -> Any:
    """The next float above: the result of one operation, rounded outward.

    Of long arrays x + (STEP |x| + TINY), which is the same but below 2**-1019, where it may be the one after that
    (Rump, Zimmermann, Boldo & Melquiond 2009, Computing predecessor and successor in rounding to nearest).
    """
    if isinstance(x, float):
        return math.nextafter(x, math.inf)
    return _next(x, STEP, math.inf) if np.size(x) >= LONG else np.nextafter(x, math.inf)


def down(x: Any) -> Any:
    """The next float below, as in `up`."""
    if isinstance(x, float):
        return math.nextafter(x, -math.inf)
    return _next(x, -STEP, -math.inf) if np.size(x) >= LONG else np.nextafter(x, -math.inf)


def _next(x: Floats, step: float, toward: float) -> Any:
    """The next floats toward ±inf, by arithmetic; by `np.nextafter` where an infinity turns back, which gives NaN."""
    moved = np.abs(x)
    with np.errstate(invalid="ignore", over="ignore"):
        moved *= step
        moved += math.copysign(TINY, step)
        moved += x
    return np.nextafter(x, toward) if np.isnan(moved).any() else moved


def roundings(k: int) -> float:
    """γ_k = k u / (1 - k u), rounded up: the relative error of k roundings."""
    ku = k * U
    if ku >= 0.5:
        raise NumericalError(f"a row of {k} outcomes is too long for a floating-point certificate")
    return float(up(up(ku) / down(1 - ku)))


def geometric(mdp: MDP, x: float, toward: float) -> float:
    """γ x / (1 - γ), rounded toward +inf or -inf; infinite where the discount rounds to 1.

    Parameters
    ----------
    mdp : the model, whose γ below 1 is meant
    x : the least or the largest change of a sweep, in units of reward
    toward : +inf or -inf

    Returns
    -------
    Number in units of reward. Where the discount rounds to 1 and the size is to be rounded up, it is `toward`.
    """
    if x == 0.0:
        return 0.0
    large, small = _factors(mdp.gamma, mdp.gamma_exact.numerator, mdp.gamma_exact.denominator)
    if (x > 0) == (toward > 0):  # the magnitude is rounded up
        if large == math.inf:
            return toward
        return math.copysign(float(up(abs(x) * large)), x) if large else 0.0
    return math.copysign(max(float(down(abs(x) * small)), 0.0), x)


@lru_cache(maxsize=64)
def _factors(gamma: float, numerator: int, denominator: int) -> tuple[float, float]:
    """γ / (1 - γ) of an exact discount, to which `gamma` is nearest: rounded up, inf where that is 1, and down."""
    exact = Fraction(gamma)
    true = Fraction(numerator, denominator)
    above = gamma if exact >= true else float(up(gamma))
    below = gamma if exact <= true else float(down(gamma))
    large = math.inf if above >= 1 else float(up(above / down(1 - above))) if above else 0.0
    return large, float(down(below / up(1 - below))) if below else 0.0


def backup_error(mdp: MDP, vmax: float, policy: Policy | None = None, reward: Any = None) -> Any:
    """E: how far one computed backup can be from the true one, for values up to vmax, rounded up.

    A stochastic policy's backup is a mixture: one product and one rounding of the data for each probability, and a sum
    over actions.

    Parameters
    ----------
    mdp : the model
    vmax : the largest |v(s)|, in units of reward
    policy : the policy that is backed up; None for single rows
    reward : the largest |r(s,a,s')| of the rows that are backed up, a number or an array of them; by default that of
        the model

    Returns
    -------
    E in units of reward, a number or an array as `reward` is; inf where vmax is too large for a bound.
    """
    facts, extra, loose = mdp.facts, 0, 0.0
    if policy is not None and policy.rows is None:
        most = int(np.max(np.diff(mdp.pair_ptr)))
        extra = most + 2
        if policy.exact is None:
            loose = most * 2.0**-52
    if reward is None or isinstance(reward, float):
        return _error(
            facts, mdp.gamma, vmax, facts.largest_reward if reward is None else reward, extra, loose
        )
    return _error.__wrapped__(facts, mdp.gamma, vmax, reward, extra, loose)


@lru_cache(maxsize=64)  # the same values are asked about several times
def _error(facts: Facts, gamma: float, vmax: float, reward: Any, extra: int, loose: float) -> Any:
    """E of rows whose largest rewards are given, a number or an array of them: see `backup_error`."""
    one = isinstance(reward, float)
    if not math.isfinite(up(vmax)):
        return math.inf if one else np.full(np.shape(reward), math.inf)
    n = facts.longest_row
    scale = up(reward + up(gamma * up(vmax)))
    error = up(roundings(n + 4 + extra) * scale)
    error = up(error + (n + extra) * 2.0**-1074 * 4)
    error = up(error + up(facts.mass_defect * up(vmax)))
    error = up(error + up(facts.r_relative * reward))
    error = up(error + up(loose * scale)) if loose else error
    return float(error) if one else error


def change_errors(facts: Facts, vmax: float, met: Floats, reward: Floats, relative: float) -> Floats:
    """How far a computed r + Σ p (v(s') - v(s)) of each row can be from the true one, at γ = 1: some ulps of its terms.

    Probabilities sum to 1, so that this is what a backup changes v(s) by. A difference of two floats is rounded by an
    ulp of itself, so that values of any size cost no digits where steps change them by little.

    Parameters
    ----------
    facts : of the model
    vmax : the largest |v(s)|
    met : Σ p |v(s') - v(s)| of each row, as computed
    reward : the largest |r(s,a,s')| of each of them
    relative : what its r can be off beyond rounding, as a part of that

    Returns
    -------
    A bound for each row, in units of reward.
    """
    tau, k = facts.mass_defect, roundings(facts.longest_row + 4)
    of_met = (k + tau) * (1 + 2.0**-30 + 2 * tau)  # which was rounded, and so are its probabilities
    # Probabilities and products below the normal floats.
    tiny = facts.longest_row * 2.0**-1072 * (1 + 2 * vmax)
    # All terms are positive: their sum is off by some ulps of itself.
    found: Floats = ((of_met * met + (k + relative) * reward) + tiny) * (1 + 2.0**-40)
    return found


def shared_reward(mdp: MDP, vmax: float) -> float:
    """R0: the rewards up to which all rows share one E, given values up to vmax.

    Every state has a row of rewards up to `facts.common_reward`, and rewards up to Vmax do not double E. Where the
    largest reward is of that size all rows share it.
    """
    return _shared_reward(mdp.facts, vmax)


def _shared_reward(facts: Facts, vmax: float) -> float:
    shared = max(facts.common_reward, min(vmax, facts.largest_reward))
    return facts.largest_reward if facts.largest_reward <= 4 * shared else shared


def shared_error(mdp: MDP, vmax: float) -> float:
    """E of the rows that share one, for values up to vmax."""
    return _shared_error(mdp.facts, mdp.gamma, vmax)


@lru_cache(maxsize=64)  # the same values are asked about several times
def _shared_error(facts: Facts, gamma: float, vmax: float) -> float:
    return float(_error(facts, gamma, vmax, float(_shared_reward(facts, vmax)), 0, 0.0))


class Beyond(NamedTuple):
    """Rows whose rewards stand out, each with an E of its own: `high` is q̂ + E, rounded up."""

    rows: NDArray[Any]
    states: NDArray[Any]
    high: Floats

    def rise(self, v: Floats) -> float:
        """The largest q̂ + E - v(s), rounded up; -inf where there are no rows."""
        if not self.rows.size:
            return -math.inf
        return float(np.max(up(self.high - v[self.states])))

    def lift(self, upper: Floats) -> float:
        """upper(s) ← max of upper(s) and q̂ + E of the rows of s; return the most that an entry rises."""
        if not self.rows.size:
            return 0.0
        rise = max(self.rise(upper), 0.0)
        np.maximum.at(upper, self.states, self.high)
        return rise

    def keep(self, keep: NDArray[np.bool_], least: Floats) -> NDArray[np.bool_]:
        """Mark of these rows those with q̂ + E ≥ least(s)."""
        if self.rows.size:
            keep[self.rows] = self.high >= least[self.states]
        return keep


NO_ROWS = Beyond(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))


class LargeRewards:
    """The rows of a model whose rewards stand out, the largest first: found when they are first asked for."""

    def __init__(self, mdp: MDP) -> None:
        self.mdp = mdp
        self._found: tuple[NDArray[Any], Floats, NDArray[Any]] | None = None

    def beyond(self, shared: float) -> tuple[NDArray[Any], Floats, NDArray[Any]]:
        """Return the rows i with R_i > shared ≥ common_reward, their R_i, and their states."""
        mdp = self.mdp
        if shared >= mdp.facts.largest_reward:
            none = np.zeros(0, dtype=mdp.pair_ptr.dtype)
            return none, np.zeros(0), none
        if self._found is None:
            rows, rewards = [], []
            for first, last, k0, k1 in row_blocks(mdp.row_ptr):
                largest = largest_of_rows(mdp, first, last, k0, k1)
                far = np.flatnonzero(largest > mdp.facts.common_reward)
                rows.append(far + first)
                rewards.append(largest[far])
            order = np.argsort(-np.concatenate(rewards), kind="stable")
            row = np.concatenate(rows)[order].astype(mdp.pair_ptr.dtype)
            state = np.searchsorted(mdp.pair_ptr, row, side="right") - 1
            self._found = row, np.concatenate(rewards)[order], state.astype(row.dtype)
        row, largest, state = self._found
        count = int(np.searchsorted(-largest, -shared))
        return row[:count], largest[:count], state[:count]

    def backed_up(self, sweeper: Sweeper, v: Floats, vmax: float) -> Beyond:
        """Return the rows that do not share the E of most, backed up from v (S,), |v| ≤ vmax, each with its own E."""
        rows, errors = self.own_errors(vmax)
        if not rows.size:
            return NO_ROWS
        states = self.beyond(shared_reward(self.mdp, vmax))[2]
        return Beyond(rows, states, up(sweeper.listed(rows, v) + errors))

    def own_errors(self, vmax: float) -> tuple[NDArray[Any], Floats]:
        """Return the rows that do not share the E of most, for values up to vmax, and the E of each."""
        rows, rewards, _ = self.beyond(shared_reward(self.mdp, vmax))
        return rows, backup_error(self.mdp, vmax, None, rewards) if rows.size else rewards

    def of_policy(self, policy: Policy, shared: float) -> float:
        """The largest Σ_a π(a|s) R(s,a) of a state, rounded up: what takes the place of R in the E of a policy.

        Rows up to `shared` count as that much. A probability too small for a float counts as 2**-1020.
        """
        rows, rewards, states = self.beyond(shared)
        if not rows.size:
            return shared
        if policy.rows is not None:
            taken = policy.rows[states] == rows
            return float(np.max(rewards, initial=shared, where=taken))
        most = int(np.max(np.diff(self.mdp.pair_ptr)))
        sums = np.bincount(states, (policy.weights[rows] + 2.0**-1020) * rewards)
        return float(up(up(shared + np.max(sums)) * up(1 + roundings(4 * most + 8))))

    def error(self, policy: Policy, vmax: float, given: Policy | None = None) -> float:
        """E of a policy's backups, for values up to vmax; `given` is the policy that it is a part of."""
        reward = self.of_policy(policy, shared_reward(self.mdp, vmax))
        return float(backup_error(self.mdp, vmax, given or policy, reward))
