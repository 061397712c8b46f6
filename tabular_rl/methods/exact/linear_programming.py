"""The optimal values as a linear programme, whose dual counts how often each action is taken."""

from __future__ import annotations

import contextlib
import ctypes
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates import certifier
from tabular_rl.certificates.conclusion import conclude
from tabular_rl.errors import NumericalError
from tabular_rl.methods.exact.linear_solve import polish
from tabular_rl.model.graph.reduction import reduced
from tabular_rl.model.graph.search import repaired
from tabular_rl.model.graph.total import TotalReward
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rows import Floats
from tabular_rl.solving import options as o
from tabular_rl.solving.method import DISCOUNTED, TOTAL, method
from tabular_rl.solving.solution import Solution
from tabular_rl.solving.sweeps import Sweeper


@method(
    equation="min Σ c(s) v(s)  subject to  v(s) ≥ r(s,a) + γ Σ p(s'|s,a) v(s')",
    source="d'Epenoux (1963); Puterman (1994), 6.9",
    problems=(DISCOUNTED, TOTAL),
    largest=10_000,
)
def linear_programming(
    mdp: MDP,
    *,
    tolerance: o.Tolerance = 1e-6,
    relative: o.Relative = False,
    time_limit: o.TimeLimit = None,
) -> Solution:
    """Find the optimal values as the least that satisfy all of Bellman's inequalities.

    For any weights c > 0 the optimal values are the one solution of

        min Σ_s c(s) v(s)    subject to    v(s) ≥ r(s,a) + γ Σ_s' p(s'|s,a) v(s')    for all s, a

    Its dual maximises Σ x(s,a) r(s,a) over the visits x ≥ 0 that a policy can make from c:

        Σ_a x(s',a) = c(s') + γ Σ_{s,a} p(s'|s,a) x(s,a)

    An optimal vertex has one action with x > 0 in each state: that is an optimal policy, and x is its occupancy
    measure, the discounted number of times that it takes action a in state s. c is the start distribution where that
    covers all states, else the mean of it and the uniform one, so Σ c = 1 and, without terminal states,
    Σ x = 1 / (1 - γ). At γ = 1 zero-reward end components are merged first; then any policy that may not end is worth
    -∞ and the programme is bounded.

    HiGHS solves it to a tolerance of its own. The reported values are those of the policy of the dual by a linear
    solve, with policy improvement where greedy knows better than HiGHS, and are certified like all others. Where HiGHS
    fails, as it does for discounts close to 1, policy improvement starts from the first action of each state, and the
    note says so.

    Parameters
    ----------
    tolerance : largest width of the proven interval
    relative : the tolerance is a share of the largest |v|
    time_limit : seconds

    Returns
    -------
    Solution with v (S,), policy, and in `extra`: "occupancy" (L,), the x of the dual, 0 on rows that stay inside a
    merged component; "weights" (S,), the c; "objective", Σ c v by HiGHS. Without "occupancy" and "objective" where
    HiGHS failed

    Raises
    ------
    NoFiniteAnswer : γ = 1 and no finite answer exists
    NotAnswerable : a finite horizon, or more than 10,000 states

    Sources
    -------
    d'Epenoux (1963). Puterman (1994), 6.9.

    Examples
    --------
    Stay for 1 a step, or leave at once for 5: at γ = 9/10 staying is worth 10, and it is done 10 times, discounted.

    >>> from tabular_rl.model.mdp import MDP
    >>> mdp = MDP.from_outcomes([("s", "stay", "s", 1, 1), ("s", "leave", "end", 1, 5)], "0.9", terminal=["end"])
    >>> answer = linear_programming(mdp)
    >>> round(answer["s"], 9), answer.policy["s"], [round(float(x), 6) for x in answer.extra["occupancy"]]
    (10.0, 'stay', [10.0, 0.0])
    """
    run = linear_programming.run(locals())
    total = reduced(Sweeper(mdp))
    model, rows, sweeper = total.quotient, total.proper_rows, Sweeper(total.quotient, run)
    weights = start_weights(mdp)
    c = np.bincount(total.of_state, weights, minlength=model.S)
    v, failure = np.zeros(model.S), ""
    extra: dict[str, Any] = {"weights": weights}
    with run.until_stopped():
        if model.L:
            try:
                with _own_standard_output():
                    objective, x = run.call(programme, sweeper, c)
            except NumericalError as error:
                failure = str(error)
            else:
                rows, extra["occupancy"] = _primal(mdp, model, x, total)
                extra["objective"] = objective
                run.did("linear programmes")
        v, rows = polish(sweeper, run, rows, total.proper_rows)
    v, rows = total.lift_values(v), total.lift_rows(rows)
    certificate = certifier(mdp, total=total).certificate(v, rows, decide=True)
    policy = Policy(mdp, rows=rows)
    answer = conclude(run, mdp, certificate, task="control", policy=policy, v=v, extra=extra)
    return replace(answer, note="; ".join(filter(None, (failure, answer.note)))) if failure else answer


def _primal(mdp: MDP, model: MDP, x: Floats, total: TotalReward) -> tuple[NDArray[Any], Floats]:
    """The policy (S,) that takes the action with the most visits x, in `model`, and the visits by rows of `mdp`."""
    rows = Policy.greedy(model, model.sign * x).rows
    assert rows is not None
    if not mdp.problem.must_end:
        return rows, x
    rows, _ = repaired(model, rows, model.terminal, total.proper_rows)
    visits, real = np.zeros(mdp.L), total.row_of >= 0
    visits[total.row_of[real]] = x[real]
    return rows, visits


@contextlib.contextmanager
def _own_standard_output() -> Iterator[None]:
    """Drop the lines that HiGHS prints on standard output by itself where it fails; all others are passed on."""

    def flush() -> None:  # what C code has printed and not written yet
        with contextlib.suppress(OSError, AttributeError, TypeError):
            ctypes.CDLL(None).fflush(None)

    try:
        flush()
        before = os.dup(1)
    except OSError:  # standard output is closed
        yield
        return
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 1)
        try:
            yield
        finally:
            flush()
            os.dup2(before, 1)
            os.close(before)
            printed.seek(0)
            others = b"".join(line for line in printed if not line.startswith(b"Highs::"))
            if others:
                os.write(1, others)


def start_weights(mdp: MDP) -> Floats:
    """The start distribution where it is positive in every state with actions, else its mean with the uniform one."""
    live = ~mdp.terminal
    if not live.any() or (mdp.start[live] > 0).all():
        return np.where(live, mdp.start, 0.0)
    return 0.5 * mdp.start + np.where(live, 0.5 / int(live.sum()), 0.0)


def programme(sweeper: Sweeper, c: Floats) -> tuple[float, Floats]:
    """Solve the programme by HiGHS: Σ c v in the sign of the model, and the dual x (L,)."""
    from scipy.optimize import linprog

    mdp = sweeper.mdp
    live = np.flatnonzero(~mdp.terminal)
    A, r = sweeper.inequalities()
    scale = float(np.max(np.abs(r), initial=0.0)) or 1.0
    options: Any = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    # The interior point method with crossover ends at a vertex too, and was 20 times faster on 2000 scattered states.
    methods: tuple[Any, ...] = ("highs-ipm", "highs-ds")
    for how in methods:
        found = linprog(
            c[live], A_ub=A[:, live], b_ub=-r / scale, bounds=(None, None), method=how, options=options
        )
        if found.status == 0:
            break
    else:
        # Each of these programmes has a solution: the rewards are finite, and so are the values.
        calls = {2: "takes it for infeasible", 3: "takes it for unbounded"}.get(
            found.status, "has numerical difficulties"
        )
        raise NumericalError(
            f"HiGHS failed on this programme, it {calls}: solved by policy improvement alone"
        )
    x = np.maximum(-found.ineqlin.marginals, 0.0) + 0.0
    return float(found.fun) * scale * mdp.sign + 0.0, x
