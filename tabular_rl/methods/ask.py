"""The questions: the best policy of a model, the value of a policy, what a learner learns; and the exact answer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from tabular_rl.errors import NotAnswerable, NumericalError
from tabular_rl.methods.exact._integers import solvable
from tabular_rl.methods.lookup import METHODS, exact_method, learner_of, planner_of
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import Method
from tabular_rl.solving.solution import Solution, Status

RATIONAL_STATES = 100  # states up to which rational arithmetic is the reference
LINEAR_STATES = 100_000  # and policy iteration
TIGHT = 1e-12  # tolerance of the reference beyond; what is reached is part of the error shown


@public
def solve(mdp: MDP, method: Any = "auto", tolerance: float = 1e-6, **options: Any) -> Solution:
    """Find the optimal values and a policy, with an interval around every value that is proven.

        v*(s) = max_a [ r(s,a) + γ Σ_s' p(s'|s,a) v*(s') ]

    Parameters
    ----------
    mdp : the model
    method : a name from `tabular-rl methods`, or its function; "auto" chooses by structure
    tolerance : largest width of the interval, in units of reward
    options : those of the method

    Returns
    -------
    Solution: v, policy, lower ≤ v* ≤ upper, and a status that says what was reached.

    Raises
    ------
    OptionError : an option that the method does not have, or out of range
    NoFiniteAnswer : at γ = 1, where the total reward is not finite

    Examples
    --------
    >>> from tabular_rl import MDP
    >>> answer = solve(MDP([[[1.0]]], [[1.0]], "1/2"))
    >>> answer["0"], answer.status.name
    (2.0, 'CERTIFIED')
    """
    return _answer(planner_of(method, "control"), mdp, None, tolerance, options)


@public
def evaluate(
    mdp: MDP, policy: Any, method: Any = "auto", tolerance: float = 1e-6, **options: Any
) -> Solution:
    """Find the values of a policy, with an interval around every value that is proven.

        v_π(s) = Σ_a π(a|s) [ r(s,a) + γ Σ_s' p(s'|s,a) v_π(s') ]

    Parameters
    ----------
    mdp, policy : the model, and a policy: a Policy, "uniform", an action a state, a table (S, A); see `Policy.of`
    method : a name from `tabular-rl methods`, or its function; "auto" chooses by structure
    tolerance : largest width of the interval, in units of reward
    options : those of the method

    Returns
    -------
    Solution: v, lower ≤ v_π ≤ upper, and a status that says what was reached.

    Examples
    --------
    >>> from tabular_rl import MDP
    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], "1/2")
    >>> evaluate(mdp, "uniform")["0"], evaluate(mdp, [1])["0"]           # v = 1/2 + v/2; v = 1 + v/2
    (1.0, 2.0)
    """
    return _answer(planner_of(method, "prediction"), mdp, policy, tolerance, options)


@public
def learn(mdp: MDP, method: Any, policy: Any = None, **options: Any) -> Learned:
    """Learn from sampled transitions, by any learner of the catalogue. The answer carries no certificate.

    Parameters
    ----------
    mdp : the model
    method : a learner from `tabular-rl methods`, such as "q-learning"
    policy : for a learner that evaluates a policy: which
    options : those of the method

    Returns
    -------
    Learned: v, q, policy of the mean over the runs; the table of each run; the errors against the exact answer.

    Raises
    ------
    OptionError : no such learner, an option that it does not have, or a policy missing or too many

    Examples
    --------
    >>> from tabular_rl import MDP
    >>> learn(MDP([[[1.0]]], [[1.0]], "1/2"), "q-learning", steps=2, step_size=1)["0"]
    1.5
    """
    learner = learner_of(method)
    if learner.task == "prediction" and policy is None:
        policy = Policy.uniform(mdp)
    answer: Learned = learner.ask(mdp, policy, **options)
    return answer


def _answer(
    planner: Method[..., Solution], mdp: MDP, policy: Any, tolerance: float, options: dict[str, Any]
) -> Solution:
    """The answer, with the method that would do in its note where this one fell short."""
    if "tolerance" in planner.defaults:  # an exact method has none
        options = {"tolerance": tolerance, **options}
    answer = planner.ask(mdp, policy, **options)
    if answer.status.reached:
        return answer
    return replace(answer, note="; ".join(filter(None, [answer.note, _exact_advice(answer)])))


def _exact_advice(answer: Solution) -> str:
    """That fractions would answer where floats fell short; "" where they would not, or did."""
    if answer.status not in (Status.FLOATS_SPENT, Status.BUDGET_SPENT) or METHODS[answer.method].exact:
        return ""
    name = exact_method(answer.task).name
    return f"method {name} (--exact) has the values in fractions" if solvable(answer.mdp) else ""


def reference(mdp: MDP, policy: Policy | None = None, **options: Any) -> Solution:
    """Return the exact answer: rational for small models, else policy iteration, whose every step is a linear solve.

    Beyond LINEAR_STATES the method that fits the model stands in; its name and its bound are printed.
    """
    ask = partial(solve, mdp) if policy is None else partial(evaluate, mdp, policy)
    tight = {"tolerance": TIGHT, **options}
    rational = exact_method("control" if policy is None else "prediction")
    try:
        if mdp.S <= RATIONAL_STATES and rational.refuses(mdp) is None:
            return ask(rational, **options)
        if policy is None and not mdp.problem.timed and mdp.S <= LINEAR_STATES:
            return ask("policy-iteration", **tight)
    except NotAnswerable:
        pass
    return ask(**tight)


def best_policy(mdp: MDP) -> Policy:
    """Return the policy that `--policy optimal` means: a best one, from the exact answer where the model is small.

    Elsewhere it is that of the method which fits the model.

    Raises
    ------
    NumericalError : where no policy could be proven to lose at most the default tolerance
    """
    best = reference(mdp) if mdp.S <= RATIONAL_STATES else solve(mdp)
    if not best.status.reached or best.policy is None:
        raise NumericalError(
            f"--policy optimal: none was proven to be within the tolerance 1e-06 of the best ({best.status.value}). "
            "Use solve MODEL -o FILE with options of your own, and --policy FILE"
        )
    return best.policy
