"""The method that chooses a method, from structure and counts, never from a clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from tabular_rl.errors import NumericalError, OptionError
from tabular_rl.methods.exact._integers import quick_states
from tabular_rl.methods.exact.rational import rational, rational_evaluation
from tabular_rl.methods.planning._chain import by_chain, by_little, chain_model, fits
from tabular_rl.methods.planning._soon import by_sweeps, copied, worth
from tabular_rl.methods.planning.policy_evaluation import policy_evaluation
from tabular_rl.model import hooks
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.cost import Cost, Facts
from tabular_rl.solving.method import Method, method
from tabular_rl.solving.solution import Solution, Status
from tabular_rl.solving.sweeps import Sweeper


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


def quickest(mdp: MDP, policy: Policy | None, given: dict[str, Any], facts: Facts | None = None) -> Solution:
    """The answer of the method whose estimate is the least; options that it lacks are left out.

    An estimate may be capped: where its work is spent without an answer, the next method goes on from its values.

    Parameters
    ----------
    mdp : the model
    policy : π, whose values are asked for; None for the best policy
    given : the options of the call, by name
    facts : what is known of the model already

    Returns
    -------
    Solution, whose `why` says what the estimate rests on.
    """
    answer: Solution | None = None
    for cost, planner in _in_turn(facts or Facts(mdp), mdp, "control" if policy is None else "prediction"):
        options = {key: value for key, value in given.items() if key in planner.defaults} | dict(cost.options)
        if answer is not None:
            options |= _carried(answer, planner.defaults, given)
        found: Solution = planner.ask(mdp, policy, **options).but(why=cost.why)
        answer = found if answer is None else _followed(answer, found)
        if not (cost.capped and _spent(answer, cost)):
            break
    assert answer is not None
    return answer


def _evaluated(mdp: MDP, policy: Policy, given: dict[str, Any]) -> Solution:
    """The values of a policy: by few sweeps where these suffice, else as other methods find them."""
    started, facts = time.monotonic(), Facts(mdp)
    planned = fits(mdp, policy, facts)
    most = worth(mdp, policy, facts, planned)
    if most == 0:
        return _otherwise(mdp, policy, given, facts, started, planned)
    alone = copied(mdp, policy) if planned else None
    soon, work = by_sweeps(mdp, policy, given, most, alone)
    if soon is not None:
        return soon
    facts.slow, spent = True, time.monotonic() - started
    answer = _otherwise(mdp, policy, given, facts, started, planned, alone)
    seconds, swept = answer.seconds_of or {answer.method: answer.seconds}, policy_evaluation.name
    both = {swept: spent, **seconds} if swept not in seconds else answer.seconds_of
    return answer.but(work=_added(work, answer.work), seconds=spent + answer.seconds, seconds_of=both)


def _otherwise(
    mdp: MDP,
    policy: Policy,
    given: dict[str, Any],
    facts: Facts,
    started: float,
    planned: bool,
    alone: Sweeper | None = None,
) -> Solution:
    """The values of a policy by little elimination or by planning on its chain, or by the least estimate."""
    found = None
    if planned:
        found = by_little(mdp, policy, _in_time(given, started))
        if found is not None:  # of elimination up to rounding: nothing else would be nearer
            return found
        chain = chain_model(mdp, policy, alone)
        found = by_chain(mdp, policy, _in_time(given, started), partial(quickest, chain, None))
        if found.status.reached or found.status in (Status.TIME_SPENT, Status.INTERRUPTED):
            return found
    answer = quickest(mdp, policy, _in_time(given, started), facts)
    if found is not None and not answer.status.reached and found.bound < answer.bound:
        return found.but(status=answer.status, note=answer.note)
    return answer


def _in_time(given: dict[str, Any], started: float) -> dict[str, Any]:
    """The options of a call, with the time that is left of its limit."""
    if given["time_limit"] is None:
        return given
    return {**given, "time_limit": max(given["time_limit"] - (time.monotonic() - started), 1e-3)}


def _in_turn(facts: Facts, mdp: MDP, task: str) -> Iterator[tuple[Cost, Method[..., Any]]]:
    """Yield the planners that fit, with their estimates, the least first; a final one before others are asked."""
    estimates = []
    for planner in hooks.planners():
        if planner.task != task or planner.refuses(mdp) or (cost := planner.cost(facts)) is None:
            continue
        if cost.final:
            yield cost, planner
        else:
            estimates.append((cost, planner))
    yield from sorted(estimates, key=lambda found: found[0].sweeps)


def _spent(answer: Solution, cost: Cost) -> bool:
    """Whether all that a method may take is spent. What floats can prove from there may not be all that they can."""
    if answer.status is Status.FLOATS_SPENT:
        swept = sum(n for unit, n in answer.work.items() if "sweep" in unit)
        return bool(swept >= cost.options.get("sweeps", math.inf))
    return answer.status is Status.BUDGET_SPENT


def _carried(answer: Solution, defaults: Mapping[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What the method that goes on gets from an answer that fell short: its values, and the time that is left."""
    carried: dict[str, Any] = {"start_from": answer} if "start_from" in defaults else {}
    if given.get("time_limit") is not None:
        carried["time_limit"] = max(given["time_limit"] - answer.seconds, 1e-3)
    return carried


def _followed(first: Solution, then: Solution) -> Solution:
    """The answer of a method that went on where another fell short: the narrower interval, all work and all time."""
    best = first if not then.status.reached and first.bound < then.bound else then
    return replace(
        best,
        status=then.status,
        method=then.method,
        work=_added(first.work, then.work),
        seconds=first.seconds + then.seconds,
        seconds_of={**(first.seconds_of or {first.method: first.seconds}), then.method: then.seconds},
        why=f"{first.why}; that was not enough, and then {then.why}",
    )


def _added(work: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {unit: work.get(unit, 0) + more.get(unit, 0) for unit in {**work, **more}}


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
    except OptionError:  # numbers of too many digits
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
    name = "floats" if floats is None else floats.method
    why = "floats could not solve it" if floats is None else f"{name} in floats could not prove the tolerance"
    return replace(
        answer,
        work=_added({} if floats is None else floats.work, answer.work),
        seconds=seconds + answer.seconds,
        seconds_of={**((floats and floats.seconds_of) or {name: seconds}), answer.method: answer.seconds},
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

    A finite horizon is evaluated backward. A discounted model whose moves lead anywhere is evaluated by sweeps, as long
    as it is foreseen that few of them suffice. Else, where the policy takes one action a state, its rows are a model of
    their own, which is solved as `auto` does, and proven by a sweep; and anything else is a linear solve. Up to
    100 states (150 with python-flint) rational arithmetic takes over where floats cannot prove the tolerance.

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
        lambda: _evaluated(mdp, policy, given),
        lambda: rational_evaluation(mdp, policy, time_limit=time_limit),
    )
