"""A policy evaluated as the only one of a model: its rows are a model of their own, which methods of planning solve.

They know of structure: groups of states that change alike, periods, an order in which value flows, one order of
elimination. Nothing of what they find is claimed: a sweep of policy evaluation over the model itself proves it. Where
the chain of the policy is eliminated in few steps, none of that is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tabular_rl.certificates import certifier
from tabular_rl.methods.exact.linear_solve import concluded, linear_solve
from tabular_rl.methods.planning.policy_evaluation import policy_evaluation
from tabular_rl.methods.planning.policy_iteration import SMALL
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rows import pointers
from tabular_rl.solving.cost import Facts
from tabular_rl.solving.elimination import THIN, chain_parts
from tabular_rl.solving.run import Run
from tabular_rl.solving.solution import Solution
from tabular_rl.solving.sweeps import Sweeper

LONG = 16  # outcomes of a row from which sweeps take less than to make a model of them
SHORT = 4  # outcomes of a row, on average, up to which a chain may be eliminated in few steps
MANY = 1_000_000  # steps in all that are few
LARGE = 20_000  # states up to which a linear solve takes less than to plan, but where moves lead anywhere
SWEEPS = 40  # that the values may need to be proven; where they need more, something else is quicker


def fits(mdp: MDP, policy: Policy, facts: Facts) -> bool:
    """Return whether a policy takes one action a state, in a discounted model without long rows or a quick solution.

    Parameters
    ----------
    mdp, policy : the model, and the policy whose values are meant
    facts : what `auto` knows of the model: a model that is not scattered is solved quickly

    Returns
    -------
    True where `by_little` and `by_chain` take the policy.
    """
    plain = policy.rows is not None and not policy.timed and not mdp.problem.timed
    if not plain or mdp.gamma == 1 or mdp.S <= SMALL or LONG * mdp.L < mdp.K:
        return False
    return mdp.S > LARGE or facts.scattered


def by_little(mdp: MDP, policy: Policy, given: dict[str, Any]) -> Solution | None:
    """The values of a policy that fits, by elimination in few steps; None where more would be needed.

    Parameters
    ----------
    mdp, policy : the model, and one action a state
    given : tolerance, relative and time_limit

    Returns
    -------
    Solution of a linear solve, or None.
    """
    assert policy.rows is not None
    live = policy.rows >= 0
    rows = policy.rows[live]
    if not len(rows) or int((mdp.row_ptr[rows + 1] - mdp.row_ptr[rows]).sum()) > SHORT * len(rows):
        return None
    run, judge, v = linear_solve.run({**given, "linear_solver": "auto"}), certifier(mdp, policy), None
    with run.until_stopped():
        r = judge.sweeper.rows[5] * judge.sweeper.rows[3][np.where(live, policy.rows, 0)]
        parts = chain_parts(judge.sweeper.flow, policy.rows, mdp.gamma, mdp.terminal, run)
        v = parts.solve(r, 0, max(THIN, MANY // mdp.S))
    if run.stopped is not None:
        return concluded(run, judge, np.zeros(mdp.S))
    if v is None:
        return None
    run.did("linear solves")
    why = "one linear solve is the answer: the chain of the policy is eliminated in few steps"
    return concluded(run, judge, v).but(why=why)


def side_by_side(mdp: MDP, policy: Policy) -> Sweeper:
    """Return a sweeper over the rows of a policy alone, copied one after the other."""
    assert policy.rows is not None
    return Sweeper(mdp).over(policy.rows[policy.rows >= 0])


def chain_model(mdp: MDP, policy: Policy, alone: Sweeper | None = None) -> MDP:
    """Return the model of the rows that a policy takes, one a state.

    Parameters
    ----------
    mdp, policy : the model, and one action a state
    alone : a sweeper over those rows, where there is one

    Returns
    -------
    MDP of one action, whose optimal values are those of the policy.
    """
    assert policy.rows is not None
    live = policy.rows >= 0
    row_ptr, to, prob, r, *_ = (alone or side_by_side(mdp, policy)).rows
    return MDP.from_rows(
        pair_ptr=pointers(live, mdp.pair_ptr.dtype), row_ptr=row_ptr,
        pair_action=np.zeros(len(r), dtype=mdp.pair_action.dtype),
        next_state=to.view(mdp.next_state.dtype), prob=prob, r=r, gamma=mdp.gamma, states=mdp.states, actions=1,
        terminal=mdp.terminal if mdp.terminal.any() else None, sense=mdp.sense, copy=False,
    )  # fmt: skip


def by_chain(
    mdp: MDP, policy: Policy, given: dict[str, Any], planned: Callable[[dict[str, Any]], Solution]
) -> Solution:
    """The values of a policy that fits, found by planning on its chain and proven by a few sweeps, as far as they are.

    Parameters
    ----------
    mdp, policy : the model, and one action a state
    given : tolerance, relative and time_limit
    planned : the answer of the method that fits the chain, for such options

    Returns
    -------
    Solution of policy evaluation, with all work.
    """
    run = Run("auto", given, given["time_limit"])
    options = {**given}
    if mdp.terminal.any():  # whose value is known: to be off alike everywhere else is a residual beside them
        options["tolerance"] *= 1 - mdp.gamma
    answer = planned(options)
    work = dict(answer.work)
    options = {**given}
    if given["time_limit"] is not None:
        options["time_limit"] = max(given["time_limit"] - run.seconds, 1e-3)
    proven = policy_evaluation(mdp, policy, sweeps=SWEEPS, start_from=answer, **options)
    for unit, count in proven.work.items():
        work[unit] = work.get(unit, 0) + count
    why = f"the rows of the policy are a model of their own, which {answer.method} solves: {answer.why}"
    asked = {key: given[key] for key in ("tolerance", "relative")}
    return proven.but(work=work, seconds=run.seconds, options=asked, why=why)
