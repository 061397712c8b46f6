"""Exact values judged in fractions: do they solve the equation that has one solution?"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from tabular_rl.methods.exact._integers import Rows, Values, chain_rows
from tabular_rl.methods.exact.rational import difference, final_values
from tabular_rl.model.graph.reduction import reduced, zero_states
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.run import Run
from tabular_rl.solving.sweeps import Sweeper


def where_unsolved(mdp: MDP, values: Sequence[Fraction], policy: Policy | None = None) -> int | None:
    """Return where exact values do not solve Bellman's equation, as a place in `values`; None proves them.

    x(s) = max_a r(s,a) + γ Σ p x(s'), or Σ_a π(a|s) for a policy, has one solution with x = 0 at terminals where
    γ < 1 or time is finite. At γ = 1 it has one once the end components of reward 0 are merged, where every policy
    that never ends is worth -∞; and for a policy once the states that it leaves never, without reward, are set to 0.

    Parameters
    ----------
    mdp : the model
    values : (S,) or, for a finite horizon, (T + 1) S, time step by time step, in the sign of the model
    policy : π, whose values they should be; None where they should be the optimal ones

    Returns
    -------
    The place of a value that does not obey the equation, s or, for a finite horizon, t S + s; None where there is none.

    Raises
    ------
    NoFiniteAnswer : γ = 1 and no finite answer exists
    """
    sign, S = int(mdp.sign), mdp.S
    inner = [sign * x for x in values]
    if mdp.problem.timed:
        return _finite(mdp, inner, policy)
    if policy is not None:
        return _first(mdp, inner, inner, policy, zero_states(mdp, policy))
    total = reduced(Sweeper(mdp))
    merged: list[Fraction | None] = [None] * total.quotient.S
    for s, to in enumerate(total.of_state.tolist()):
        if merged[to] is None:
            merged[to] = inner[s]
        elif merged[to] != inner[s]:
            return s
    known = [Fraction(0) if x is None else x for x in merged]
    at = _first(total.quotient, known, known, None, total.quotient.terminal)
    return None if at is None else next(s for s in range(S) if total.of_state[s] == at)


def _first(
    mdp: MDP, x: list[Fraction], after: list[Fraction], policy: Policy | None, zero: np.ndarray
) -> int | None:
    """The first state where x is not the backup of `after`; it is 0 where `zero`."""
    known, run = Values(mdp.S), Run("", {})
    known.num, known.den = [y.numerator for y in after], [y.denominator for y in after]
    rows, gamma = Rows(mdp), mdp.gamma_exact
    chain = None if policy is None else chain_rows(rows, policy)
    for s in range(mdp.S):
        run.check_stop()
        if zero[s]:
            if x[s]:
                return s
            continue
        own = [rows[i] for i in mdp.rows(s)] if chain is None else [row for row in (chain[s],) if row]
        gaps = [difference(row, gamma, known, x[s].as_integer_ratio())[0] for row in own]
        if max(gaps, default=1) != 0:
            return s
    return None


def _finite(mdp: MDP, x: list[Fraction], policy: Policy | None) -> int | None:
    T, S = mdp.horizon or 0, mdp.S
    last = final_values(mdp).fractions(Run("", {}))
    wrong = next((s for s in range(S) if x[T * S + s] != last[s]), None)
    if wrong is not None:
        return T * S + wrong
    for t in range(T - 1, -1, -1):
        step, after = x[t * S : (t + 1) * S], x[(t + 1) * S : (t + 2) * S]
        at = _first(mdp, step, after, None if policy is None else policy.at(t), mdp.terminal)
        if at is not None:
            return t * S + at
    return None
