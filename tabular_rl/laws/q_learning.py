"""What can be said exactly of Q-learning over any number of steps, for which no closed law exists."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tabular_rl.errors import OptionError, quoted
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy, policy_of
from tabular_rl.model.rationals import as_fraction
from tabular_rl.model.rows import over_rows
from tabular_rl.model.unroll import check_untimed
from tabular_rl.solving.options import check
from tabular_rl.solving.sampling import Floats

EXACT = 1000  # updates that are multiplied out; beyond them the asymptotic series is right to 1e-13


@public
def q_lower_bound(
    mdp: MDP,
    steps: int,
    *,
    step_size: Any,
    source: str = "independent",
    behavior: Policy | None = None,
    start_value: float = 0.0,
) -> Floats:
    """Return a bound below the expected action values of Q-learning: those of the recursion without its noise.

        m(s,a) ← m(s,a) + α_k d(s,a) [ r(s,a) + γ Σ_s' p(s'|s,a) max_a' m(s',a') - m(s,a) ]    ≤    E[ q_k(s,a) ]

    because E[max q] ≥ max E[q], and the recursion is monotone in m as α_k d ≤ 1. It holds with equality where no state
    has a choice. It needs step sizes that do not depend on what happens: those that count steps, and in sweeps also
    those that count visits, as all pairs are then updated equally often.

    Parameters
    ----------
    steps : updates of one pair each; in sweeps a multiple of L ends a sweep
    step_size : α, a number or a schedule, over the steps (independent pairs) or the sweeps
    source : "independent" pairs, d(s,a) = b(a|s) / number of live states, or "sweeps", d = 1 for each pair in turn,
        with targets from before the sweep
    behavior : b of independent pairs (default: uniform)
    start_value : q at the start

    Returns
    -------
    array (L,), in the sign of the model; for costs it is a bound above

    Raises
    ------
    OptionError : a trajectory, for which this does not hold
    NotAnswerable : the model has a finite horizon

    Sources
    -------
    Jensen's inequality. van Hasselt (2010), 2, for the bias that it shows.

    Examples
    --------
    One state and action that pays 1 a step, γ = 1/2, α = 1: 1, then 1 + 1/2.

    >>> mdp = MDP([[[1.0]]], [[1.0]], "1/2")
    >>> [q_lower_bound(mdp, n, step_size=1).tolist() for n in (1, 2)]
    [[1.0], [1.5]]
    """
    step_size, source, steps = check(step_size=step_size, source=source, steps=steps)
    if source == "trajectory":
        raise OptionError(
            "--source: found trajectory, expected independent or sweeps: the bound holds for no other"
        )
    check_untimed(mdp, "bound")
    m = np.full(mdp.L, mdp.sign * float(start_value))

    def aim() -> Floats:
        return mdp.sign * mdp.backup(mdp.sign * over_rows(np.maximum, m, mdp.pair_ptr))

    if source == "independent":
        b = Policy.uniform(mdp) if behavior is None else policy_of(mdp, behavior)
        d = b.weights / int((~mdp.terminal).sum())
        for k in range(1, steps + 1):
            m += step_size.at(k) * d * (aim() - m)
    else:
        sweeps, rest = divmod(steps, mdp.L)
        for k in range(1, sweeps + 1):
            m += step_size.at(k) * (aim() - m)
        if rest:
            m[:rest] += step_size.at(sweeps + 1) * (aim() - m)[:rest]
    return mdp.sign * m


@public
def harmonic_error(gamma: Any, n: int) -> float:
    """Return the share of the first error that is left after n updates with the step size 1/n.

    One state that leads to itself without reward, q_0 = 1, true value 0:

        q_n = q_{n-1} + (γ q_{n-1} - q_{n-1}) / n = Π_{i=1}^n (1 - (1-γ)/i) = Γ(n+γ) / (Γ(n+1) Γ(γ))

    which falls like n^-(1-γ): with γ near 1, a step size 1/n takes forever.

    Parameters
    ----------
    gamma : the discount, from 0 to 1
    n : updates

    Returns
    -------
    q_n, to about 13 digits

    Raises
    ------
    OptionError : a number out of range

    Sources
    -------
    Even-Dar & Mansour (2003), section 4. Tricomi & Erdélyi (1951) for the ratio of gamma functions.

    Examples
    --------
    γ = 1/2: 1/2 after one update, 1/2 · 3/4 after two; γ = 0.99: 81% after a thousand million.

    >>> harmonic_error("1/2", 1), harmonic_error("1/2", 2), round(harmonic_error("0.99", 10**9), 2)
    (0.5, 0.375, 0.81)
    """
    try:
        g = float(as_fraction(gamma))
    except (ValueError, OverflowError):
        g = math.nan
    if not 0 <= g <= 1:
        raise OptionError(f"gamma: found {quoted(gamma)}, expected a number from 0 to 1")
    if n != int(n) or n < 0:
        raise OptionError(f"n: found {quoted(n)}, expected a whole number from 0")
    q = 1.0
    for i in range(1, min(int(n), EXACT) + 1):
        q *= 1.0 - (1.0 - g) / i
    if n <= EXACT:
        return q
    log = math.log(n + g / 2) - math.log(EXACT + g / 2)
    return q * math.exp((g - 1) * log) * _series(n, g) / _series(EXACT, g)


def _series(n: int, g: float) -> float:
    """Γ(n+g) / Γ(n+1) over (n + g/2)^(g-1), up to O(n^-4)."""
    return 1.0 - g * (g - 1) * (g - 2) / 24 * (1 / (n + g / 2)) ** 2
