"""The method that chooses a method, from structure and counts, never from a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tabular_rl.errors import MissingExtra, NumericalError, OptionError
from tabular_rl.methods.exact._integers import quick_states, solvable
from tabular_rl.methods.exact.linear_solve import linear_solve
from tabular_rl.methods.exact.rational import rational, rational_evaluation
from tabular_rl.methods.planning.backward_induction import backward_induction
from tabular_rl.methods.planning.modified_policy_iteration import modified_policy_iteration
from tabular_rl.methods.planning.policy_evaluation import policy_evaluation
from tabular_rl.methods.planning.policy_iteration import policy_iteration
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.method import DISCOUNTED, FINITE, TOTAL, method
from tabular_rl.solving.solution import Solution, Status

SMALL = 500  # states up to which policy iteration with dense linear solves is quickest
NARROW = 8  # moves up to which a linear solve is a narrow band


@method(
    "auto",
    task="control",
    family="planning",
    equation="v*(s) = max_a [ r(s,a) + γ Σ_s' p(s'|s,a) v*(s') ]",
    source="docs/choosing-a-method.md",
    problems=(DISCOUNTED, TOTAL, FINITE),
)
def auto(
    mdp: MDP,
    *,
    tolerance: o.Tolerance = 1e-6,
    relative: o.Relative = False,
    threads: o.Threads = 1,
    time_limit: o.TimeLimit = None,
    start_from: Any = None,
) -> Solution:
    """Find the optimal values with the method that fits the model.

    A finite horizon is solved by backward induction; small models by policy iteration; large ones by modified policy
    iteration, with Gauss-Seidel inner sweeps where states are reached by short moves. Up to 100 states (150 with
    python-flint), where floats cannot prove the tolerance, rational arithmetic does.

    Parameters
    ----------
    mdp : any model
    tolerance, relative, threads, time_limit, start_from : as in value_iteration

    Returns
    -------
    Solution; its `method` names the method that was used.

    Examples
    --------
    >>> from tabular_rl import MDP
    >>> auto(MDP([[[1.0]]], [[1.0]], 0.5)).method
    'policy-iteration'
    """
    shared: dict[str, Any] = {"tolerance": tolerance, "relative": relative, "time_limit": time_limit}

    def floats() -> Solution:
        if mdp.problem.timed:
            return backward_induction(mdp, threads=threads, **shared)
        more: dict[str, Any] = {"threads": threads, "start_from": start_from, **shared}
        moves = longest_moves(mdp)
        if mdp.S <= SMALL or moves <= NARROW:
            return policy_iteration(mdp, **more)
        return modified_policy_iteration(mdp, in_place=moves <= 4 * mdp.S**0.5, **more)

    def exactly() -> Solution:
        return rational(mdp, time_limit=time_limit)

    return first_that_answers(mdp, floats, exactly)


def first_that_answers(mdp: MDP, floats: Callable[[], Solution], exactly: Callable[[], Solution]) -> Solution:
    """The answer of floats; of a small model that of rationals, where floats cannot reach it."""
    small, started, answer = mdp.S <= quick_states(), time.monotonic(), None
    try:
        answer = floats()
    except NumericalError:
        if not small:
            raise
    if answer is not None and not (small and answer.status in (Status.FLOATS_SPENT, Status.BUDGET_SPENT)):
        return answer
    taken = time.monotonic() - started
    try:
        return after(answer, taken, exactly())
    except (MissingExtra, OptionError):  # numbers of too many digits
        if answer is None:
            raise
        return answer


def after(floats: Solution | None, seconds: float, answer: Solution) -> Solution:
    """The answer of rationals, with the work and the time of floats before it (None: they failed)."""
    before = {} if floats is None else floats.work
    name = "floats" if floats is None else floats.method
    why = "floats could not solve it" if floats is None else f"{name} in floats could not prove the tolerance"
    return replace(
        answer,
        work={unit: before.get(unit, 0) + answer.work.get(unit, 0) for unit in {**before, **answer.work}},
        seconds=seconds + answer.seconds,
        note=answer.note or why,
        extra={**answer.extra, "seconds": {name: seconds, answer.method: answer.seconds}},
    )


def other_method(answer: Solution) -> str:
    """Say which method would do where the one that was named fell short; "" where none is known."""
    name, mdp = answer.method, answer.mdp
    short = answer.status in (Status.FLOATS_SPENT, Status.BUDGET_SPENT)
    if not short or "rational" in name or not solvable(mdp):
        return ""
    exact = "rational" if answer.task == "control" else "rational-evaluation"
    return f"method {exact} (--exact) has the values in fractions"


@method(
    "auto-evaluation",
    task="prediction",
    family="planning",
    equation="v(s) = Σ_a π(a|s) [ r(s,a) + γ Σ_s' p(s'|s,a) v(s') ]",
    source="docs/choosing-a-method.md",
    problems=(DISCOUNTED, TOTAL, FINITE),
)
def auto_evaluation(
    mdp: MDP,
    policy: Policy,
    *,
    tolerance: o.Tolerance = 1e-6,
    relative: o.Relative = False,
    time_limit: o.TimeLimit = None,
) -> Solution:
    """Find the values of a policy with the method that fits the model.

    A finite horizon is evaluated backward, anything else by a linear solve; up to 100 states (150 with python-flint)
    rational arithmetic takes over where floats cannot prove the tolerance.

    Parameters
    ----------
    mdp, policy : any model, and a policy for it
    tolerance, relative, time_limit : as in value_iteration

    Returns
    -------
    Solution; its `method` names the method that was used.

    Examples
    --------
    >>> from tabular_rl import MDP, Policy
    >>> mdp = MDP([[[1.0]]], [[1.0]], 0.5)
    >>> auto_evaluation(mdp, Policy.uniform(mdp))["0"]
    2.0
    """
    shared: dict[str, Any] = {"tolerance": tolerance, "relative": relative, "time_limit": time_limit}

    def floats() -> Solution:
        if mdp.problem.timed:
            return policy_evaluation(mdp, policy, **shared)
        return linear_solve(mdp, policy, **shared)

    def exactly() -> Solution:
        return rational_evaluation(mdp, policy, time_limit=time_limit)

    return first_that_answers(mdp, floats, exactly)


def longest_moves(mdp: MDP) -> int:
    """How far apart in storage a state and its successors are, at the 90th percentile of up to 4096 rows."""
    if mdp.L == 0:
        return 0
    rows = np.linspace(0, mdp.L - 1, min(mdp.L, 4096)).astype(np.int64)
    states = np.searchsorted(mdp.pair_ptr, rows, side="right") - 1
    ends = np.stack([mdp.row_ptr[rows], mdp.row_ptr[rows + 1] - 1]).astype(np.int64)
    moves = np.abs(mdp.next_state[ends].astype(np.int64) - states).max(axis=0)
    return int(np.quantile(moves, 0.9, method="lower"))
