"""The method that chooses a method, from structure and counts, never from a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tabular_rl.errors import MissingExtra, NumericalError, OptionError
from tabular_rl.methods.exact._integers import quick_states
from tabular_rl.methods.exact.rational import rational, rational_evaluation
from tabular_rl.model import hooks
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.cost import Facts
from tabular_rl.solving.method import method
from tabular_rl.solving.solution import Solution, Status


@method(
    equation="v*(s) = max_a [ r(s,a) + γ Σ_s' p(s'|s,a) v*(s') ]",
    source="docs/choosing-a-method.md",
    chooses=True,
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
    Solution; its `method` names the method that was used, its `why` the reason.

    Examples
    --------
    >>> from tabular_rl import MDP
    >>> auto(MDP([[[1.0]]], [[1.0]], 0.5)).method
    'policy-iteration'
    """
    given = {
        "tolerance": tolerance, "relative": relative, "threads": threads, "time_limit": time_limit,
        "start_from": start_from,
    }  # fmt: skip
    return _first_answer(
        mdp, lambda: quickest(mdp, None, given), lambda: rational(mdp, time_limit=time_limit)
    )


def quickest(mdp: MDP, policy: Policy | None, given: dict[str, Any]) -> Solution:
    """The answer of the method whose estimate is the least; options that it lacks are left out.

    Parameters
    ----------
    mdp : the model
    policy : π, whose values are asked for; None for the best policy
    given : the options of the call, by name

    Returns
    -------
    Solution, whose `why` says what the estimate rests on.
    """
    task, facts = "control" if policy is None else "prediction", Facts(mdp)
    estimates = [
        (cost, method)
        for method in hooks.planners()
        if method.task == task and method.refuses(mdp) is None and (cost := method.cost(facts)) is not None
    ]
    cost, method = min(estimates, key=lambda found: found[0].sweeps)
    options = {key: value for key, value in given.items() if key in method.defaults}
    answer: Solution = method.ask(mdp, policy, **{**options, **cost.options})
    return replace(answer, why=cost.why)


def _first_answer(mdp: MDP, floats: Callable[[], Solution], exactly: Callable[[], Solution]) -> Solution:
    """The answer of floats; of a small model that of rationals, where floats cannot reach it."""
    started, answer = time.monotonic(), None
    try:
        answer = floats()
    except NumericalError:
        if mdp.S > quick_states():
            raise
    spent = (Status.FLOATS_SPENT, Status.BUDGET_SPENT)
    if answer is not None and (answer.status not in spent or mdp.S > quick_states()):
        return answer
    taken = time.monotonic() - started
    try:
        return after(answer, taken, exactly())
    except (MissingExtra, OptionError):  # numbers of too many digits
        if answer is None:
            raise
        return answer


def after(floats: Solution | None, seconds: float, answer: Solution) -> Solution:
    """The answer of rationals, with the work and the time of floats before it (None: they failed).

    Parameters
    ----------
    floats : the answer of floats
    seconds : what floats took
    answer : the answer of rationals

    Returns
    -------
    Solution; its `why` says what floats could not do.
    """
    before = {} if floats is None else floats.work
    name = "floats" if floats is None else floats.method
    why = "floats could not solve it" if floats is None else f"{name} in floats could not prove the tolerance"
    return replace(
        answer,
        work={unit: before.get(unit, 0) + answer.work.get(unit, 0) for unit in {**before, **answer.work}},
        seconds=seconds + answer.seconds,
        seconds_of={name: seconds, answer.method: answer.seconds},
        note=answer.note or why,
        why=why,
    )


@method(
    equation="v(s) = Σ_a π(a|s) [ r(s,a) + γ Σ_s' p(s'|s,a) v(s') ]",
    source="docs/choosing-a-method.md",
    chooses=True,
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
    Solution; its `method` names the method that was used, its `why` the reason.

    Examples
    --------
    >>> from tabular_rl import MDP, Policy
    >>> mdp = MDP([[[1.0]]], [[1.0]], 0.5)
    >>> auto_evaluation(mdp, Policy.uniform(mdp))["0"]
    2.0
    """
    given = {"tolerance": tolerance, "relative": relative, "time_limit": time_limit}
    return _first_answer(
        mdp,
        lambda: quickest(mdp, policy, given),
        lambda: rational_evaluation(mdp, policy, time_limit=time_limit),
    )
