"""Rational arithmetic: values as fractions, ties exactly, optimality proven."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates import certifier
from tabular_rl.certificates.conclusion import conclude
from tabular_rl.certificates.intervals import exact_certificate
from tabular_rl.errors import OptionError
from tabular_rl.methods.exact._integers import Rows, Values, chain_rows, over_one, solve_blocks
from tabular_rl.methods.exact.linear_solve import polish
from tabular_rl.model.graph.reduction import reduced, zero_states
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rows import LARGEST, lowest_rows
from tabular_rl.solving import options as o
from tabular_rl.solving.method import method
from tabular_rl.solving.run import Run
from tabular_rl.solving.solution import Solution
from tabular_rl.solving.sweeps import Sweeper

Mask = NDArray[np.bool_]
EXACT_MEANS = 2000  # states up to which means that recur are decided in fractions
REFINED = 20  # policies whose gains are improved in floats
LARGEST_TABLE = 10_000_000  # values over all time steps of a finite horizon


@method(
    equation="v*(s) = max_a [ r(s,a) + γ Σ p(s'|s,a) v*(s') ], in fractions",
    source="Puterman (1994), 6.4; Dixon (1982); Bertsekas & Tsitsiklis (1991)",
    exact=True,
)
def rational(mdp: MDP, *, time_limit: o.TimeLimit = None) -> Solution:
    """Find the optimal values as fractions, with every tie and without any rounding.

    Policy iteration in floating point guesses a policy. Its values x solve (I - γ P_π) x = r_π in rational arithmetic,
    block by strongly connected block, and one rational sweep compares

        max_a [ r(s,a) + γ Σ p(s'|s,a) x(s') ]   with   x(s)

    Where they are equal everywhere, x = v*, and the rows that attain x are all the optimal actions. Elsewhere the
    better action is taken and the policy solved again: it is strictly better, so no policy returns.

    γ < 1: x is the one fixed point. γ = 1: zero-reward end components are merged first (staying is worth 0), and in
    what is left a policy that may never end is worth -∞ somewhere. A policy greedy to x = T_π x of one that ends also
    ends: otherwise 0 ≤ T_π' x - x, averaged over a class that it never leaves, would be its mean reward, which
    is negative. So policy iteration stays among policies that end, and its fixed point is v*: for any policy that ends
    x = T x ≥ T_π x ≥ ... → v_π. A finite horizon is solved by backward induction.

    A block is solved digit by digit in base p, along a sparse factorization modulo a prime p, and what is read off the
    digits is proven by substitution. Thousands of states are a matter of seconds where that fills in little and the
    numbers are short; work beyond some twenty minutes is refused. Long numbers take less time with python-flint,
    `pip install 'tabular-rl[exact]'`.

    Parameters
    ----------
    time_limit : seconds

    Returns
    -------
    Solution with `exact`, the values as Fractions in the order of states (time step by time step for a finite
    horizon); v (S,) the nearest floats; lower and upper (S,), neighbouring floats, equal where the value is a float;
    policy, the lowest optimal action; optimal_actions (L,), all of them

    Raises
    ------
    OptionError : a block takes too much work
    NoFiniteAnswer : γ = 1 and no finite answer exists

    Sources
    -------
    Puterman (1994), 6.4 and 7. Bertsekas & Tsitsiklis (1991), Proposition 2. Dixon (1982) for the linear solves.

    Examples
    --------
    Stay for 1 a step, or leave at once for 10: at γ = 9/10 both are worth 1 / (1 - γ) = 10, a tie.

    >>> from tabular_rl.model.mdp import MDP
    >>> mdp = MDP.from_outcomes([("s", "stay", "s", 1, 1), ("s", "leave", "end", 1, 10)], "0.9", terminal=["end"])
    >>> answer = rational(mdp)
    >>> answer.exact, answer.optimal_actions.tolist(), answer.status.name
    ((Fraction(10, 1), Fraction(0, 1)), [True, True], 'EXACT')
    """
    run = rational.run(locals())
    if mdp.problem.timed:
        return finite(mdp, None, run)
    sweeper = Sweeper(mdp, run)
    total = reduced(sweeper, exactly=mdp.S <= EXACT_MEANS)
    model, rows = total.quotient, total.proper_rows
    v, certificate = np.zeros(model.S), None
    with run.until_stopped():
        v, rows = polish(sweeper.of(model), run, rows, rows)
        x, rows, ties = _improve(model, rows, run)
        values = x.fractions(run)
        values, ties = [values[s] for s in total.of_state.tolist()], total.lift_keep(ties)
        certificate = exact_certificate(values, ties, (mdp.S,), np.ones(mdp.S, dtype=bool))
    v, rows = total.lift_values(v), total.lift_rows(rows)
    if certificate is None:
        certificate = certifier(mdp, total=total).certificate(v, rows, decide=True)
    return conclude(run, mdp, certificate, task="control", policy=Policy(mdp, rows=rows), v=v)


@method(
    equation="(I - γ P_π) v = r_π, in fractions",
    source="Puterman (1994), Theorem 6.1.1; Dixon (1982)",
    exact=True,
)
def rational_evaluation(mdp: MDP, policy: Policy, *, time_limit: o.TimeLimit = None) -> Solution:
    """Evaluate a policy in fractions, without any rounding.

    v = r_π + γ P_π v is solved block by strongly connected block; for a finite horizon by backward induction. A policy
    given in floats means its probabilities over their sum.

    Parameters
    ----------
    time_limit : seconds

    Returns
    -------
    Solution with `exact`, the values as Fractions in the order of states (time step by time step for a finite
    horizon); v (S,) the nearest floats; lower and upper (S,), neighbouring floats, equal where the value is a float

    Raises
    ------
    OptionError : a block takes too much work, or the policy does not fit the model
    NoFiniteAnswer : γ = 1 and the policy collects reward without end; the states are named

    Sources
    -------
    Puterman (1994), Theorem 6.1.1. Dixon (1982) for the linear solves.

    Examples
    --------
    A fair coin thrown until it falls heads: expected number of throws 2.

    >>> from tabular_rl.model.mdp import MDP
    >>> from tabular_rl.model.policy import Policy
    >>> mdp = MDP.from_outcomes([("s", "toss", "s", "1/2", 1), ("s", "toss", "end", "1/2", 1)], 1, terminal=["end"])
    >>> rational_evaluation(mdp, Policy.uniform(mdp)).exact
    (Fraction(2, 1), Fraction(0, 1))
    """
    run = rational_evaluation.run(locals())
    if mdp.problem.timed:
        return finite(mdp, policy, run)
    certificate, v = None, np.zeros(mdp.S)
    with run.until_stopped():
        certificate = exact_certificate(rational_values(mdp, policy, run), None, (mdp.S,))
    if certificate is None and mdp.problem.contracts:
        certificate = certifier(mdp, policy).certificate(v)
    return conclude(run, mdp, certificate, task="prediction", policy=policy, v=v)


def rational_values(mdp: MDP, policy: Policy, run: Run | None = None) -> list[Fraction]:
    """Return v_π (S,) as Fractions, in the sign of maximisation, of a policy that does not depend on time.

    Parameters
    ----------
    mdp, policy : the model, and π
    run : whose clock is looked at, and which counts the solves; None for none

    Returns
    -------
    The values (S,) in lowest terms, in the order of states.
    """
    run = run or Run("", {})
    return _chain_values(Rows(mdp), policy, zero_states(mdp, policy), run).fractions(run)


def _chain_values(rows: Rows, policy: Policy, zero: Mask, run: Run) -> Values:
    from tabular_rl.model.graph.search import components

    mdp = rows.mdp
    _, labels = components(mdp, policy.takes)
    x = solve_blocks(chain_rows(rows, policy), mdp.gamma_exact, zero, labels, run)
    run.did("rational solves")
    return x


def _improve(mdp: MDP, rows: NDArray[Any], run: Run) -> tuple[Values, NDArray[Any], Mask]:
    """Policy iteration in rationals from `rows` (S,): v*, the lowest optimal row of each state, and all ties (L,).

    Where rows are better by less than floats could see, there may be one after the other. So what they gain is
    improved in floats for its own sake, some times: the next policy is off by a part of that only. Where a policy on
    the way loses more than floats hold, it is not.
    """
    integers = Rows(mdp)
    gamma = mdp.gamma_exact
    gaps = np.zeros(mdp.L)
    for tried in count():
        x = _chain_values(integers, Policy(mdp, rows=rows), mdp.terminal, run)
        rows, changed = rows.copy(), False
        for s in range(mdp.S):
            run.check_stop()
            best = Fraction(0)
            for i in mdp.rows(s):
                above, below = difference(integers[i], gamma, x, (x.num[s], x.den[s]))
                gaps[i] = quotient(above, below)
                if above > 0 and (gap := Fraction(above, below)) > best:
                    best, changed, rows[s] = gap, True, i
        run.did("rational sweeps")
        if not changed:
            ties = gaps == 0
            return x, lowest_rows(mdp, ties), ties
        run.did("rational improvements")
        if tried < REFINED and np.abs(gaps).max() <= LARGEST:
            gains = mdp.replace(r=mdp.sign * gaps)
            _, rows = polish(Sweeper(gains, run), run, rows, rows)
    raise AssertionError


def quotient(above: int, below: int) -> float:
    """above / below, never 0 where `above` is not, and finite.

    >>> quotient(-1, 10**400), quotient(10**400, 1)
    (-5e-324, 1.7976931348623157e+308)
    """
    sign = (above > 0) - (above < 0)
    try:
        return above / below or sign * math.ulp(0.0)
    except OverflowError:
        return sign * sys.float_info.max


def difference(
    row: tuple[dict[int, int], int, Fraction], gamma: Fraction, x: Values, own: tuple[int, int]
) -> tuple[int, int]:
    """r + γ Σ p x(s') - x(s), exactly.

    Parameters
    ----------
    row : the row as integers: its successors {s': n} with p(s') = n / d, then d, and r in the sign of maximisation
    gamma : γ
    x : (S,) the values
    own : x(s), numerator and denominator

    Returns
    -------
    A numerator and a positive denominator, not in lowest terms.
    """
    successors, d, r = row
    num, den = x.expected(successors)
    value, below = own
    if den != below:
        common = math.lcm(den, below)
        num, value, den = num * (common // den), value * (common // below), common
    # over the denominator γd d rd den
    scale = gamma.denominator * d
    above = scale * r.numerator * den + r.denominator * (gamma.numerator * num - scale * value)
    return above, scale * r.denominator * den


def final_values(mdp: MDP) -> Values:
    """The final reward (S,), exact, in the sign of maximisation; 0 where there is none."""
    x = Values(mdp.S)
    if mdp.final_reward is not None:
        last = mdp.exact.final_reward if mdp.exact is not None else None
        num, den = over_one(mdp.final_reward if last is None else last)
        x.put(list(range(mdp.S)), num if mdp.sense == "max" else [-n for n in num], den)
    return x


def finite(mdp: MDP, policy: Policy | None, run: Run) -> Solution:
    """Backward induction from v_T, the final reward: v_t = max_a (or Σ_a π_t) [ r + γ Σ p v_{t+1} ].

    Parameters
    ----------
    mdp : a model with a horizon T
    policy : π, which may depend on time; None for the best one
    run : the call of the method

    Returns
    -------
    Solution with v (T + 1, S) and `exact`, the same values as Fractions, time step by time step; without `policy` also
    the best one, the lowest optimal rows (T, S), and optimal_actions (T, L).

    Raises
    ------
    OptionError : more than 10,000,000 values over all time steps
    """
    T, S = mdp.horizon or 0, mdp.S
    if (T + 1) * S > LARGEST_TABLE:
        raise OptionError(
            f"--exact: found {T + 1} time steps of {S} states, expected at most {LARGEST_TABLE} values"
        )
    integers, gamma = Rows(mdp), mdp.gamma_exact
    chosen = np.full((T, S), -1, dtype=mdp.pair_ptr.dtype)
    keep = np.zeros((T, mdp.L), dtype=bool)
    values: list[Fraction] = [Fraction(0)] * ((T + 1) * S)
    certificate, task = None, "control" if policy is None else "prediction"
    x = final_values(mdp)
    chain: list[Any] = []
    with run.until_stopped():
        values[T * S :] = x.fractions(run)
        for t in range(T - 1, -1, -1):
            run.check_stop()
            if policy is not None and (policy.timed or not chain):
                chain = chain_rows(integers, policy.at(t))
            x, new = Values(S), x
            x.bits = new.bits
            found = []
            for s in range(S):
                run.check_stop()
                best = (0, 1) if policy is None or chain[s] is None else backup(chain[s], gamma, new)
                for i in mdp.rows(s) if policy is None else ():
                    q = backup(integers[i], gamma, new)
                    above = q[0] * best[1] - best[0] * q[1]
                    if chosen[t, s] < 0 or above > 0:
                        keep[t, mdp.rows(s).start : i] = False
                        best, chosen[t, s] = q, i
                    keep[t, i] = chosen[t, s] == i or above == 0
                found.append(best)
            den = math.lcm(*{d for _, d in found})
            x.put(list(range(S)), [n * (den // d) for n, d in found], den)
            values[t * S : (t + 1) * S] = x.fractions(run)
            run.did("rational sweeps")
        proven = np.ones((T, S), dtype=bool) if policy is None else None
        certificate = exact_certificate(values, keep if policy is None else None, (T + 1, S), proven)
    if policy is None and certificate is not None:
        policy = Policy(mdp, rows=chosen)
    return conclude(run, mdp, certificate, task=task, policy=policy, v=np.zeros((T + 1, S)))


def backup(row: tuple[dict[int, int], int, Fraction], gamma: Fraction, x: Values) -> tuple[int, int]:
    """r + γ Σ p x(s') as an integer over a denominator.

    Parameters
    ----------
    row : the row as integers: its successors {s': n} with p(s') = n / d, then d, and r in the sign of maximisation
    gamma : γ
    x : (S,) the values of the next states

    Returns
    -------
    The numerator and a positive denominator, not in lowest terms.
    """
    successors, d, r = row
    num, den = x.expected(successors)
    scale = gamma.denominator * d * den
    return r.numerator * scale + gamma.numerator * num * r.denominator, r.denominator * scale
