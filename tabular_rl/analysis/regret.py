"""What learned policies earn from the start, and what they lose against the best one."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from tabular_rl.certificates.intervals import start_loss
from tabular_rl.errors import NoFiniteAnswer, OptionError
from tabular_rl.methods.planning.auto import auto, auto_evaluation
from tabular_rl.model.graph.search import reachable, starts
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.run import Stop
from tabular_rl.solving.solution import Floats, Solution, good_enough

POLICIES = 200  # different policies that are evaluated for a regret
OUTCOMES = 20_000_000  # outcomes of a model times policies, at most


@dataclass(frozen=True)
class Regret:
    """What the greedy policies of the runs of a learner earn from the start, by the exact values of each.

    `earned` (runs,) is Σ start(s) v_π(s), `regret` (runs,) what the best policy earns more (costs less): 0 where that
    is not proven to be more, inf where the policy never ends, NaN where it was not evaluated (`left_out` runs), or
    where what the best one earns is not known.
    """

    earned: Floats
    regret: Floats
    policies: int

    @property
    def left_out(self) -> int:
        """How many runs have a policy that was not evaluated."""
        return int(np.isnan(self.regret).sum())


def greedy_of_runs(learned: Learned) -> list[Policy]:
    """The greedy policy of each run, by its table; an action that the run has never tried is taken last.

    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, -1.0]], "1/2")
    >>> from tabular_rl.methods.learning.q_learning import q_learning
    >>> greedy_of_runs(q_learning(mdp, steps=1, explore="greedy"))[0]["0"]
    '0'
    """
    mdp = learned.mdp
    if learned.learned_q is None:
        raise OptionError(f"regret: {learned.method} learns the values of states, expected action values")
    q = np.where(learned.visits > 0, learned.estimates, -mdp.sign * math.inf)
    if not mdp.problem.timed:
        return [Policy.greedy(mdp, row) for row in q]
    return [Policy(mdp, rows=np.stack([Policy.greedy(mdp, row).rows for row in run])) for run in q]  # type: ignore[misc]


def regret(learned: Learned, most: int | None = None, time_limit: float | None = None) -> Regret:
    """Evaluate the greedy policy of each run exactly, and compare what it earns from the start with the best.

        regret = Σ_s start(s) [ v*(s) - v_π(s) ],    π = greedy(q of the run)

    Parameters
    ----------
    learned : the answer of a learner that finds a policy
    most : different policies that are evaluated, each once (default: 200, fewer on large models)
    time_limit : seconds after which the others are left out

    Returns
    -------
    Regret: `earned` and `regret` (runs,), in the sign of the model and as a loss.

    Examples
    --------
    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], "1/2")
    >>> from tabular_rl.methods.learning.q_learning import q_learning
    >>> regret(q_learning(mdp, steps=100, explore="epsilon-greedy:1")).regret.tolist()
    [0.0]
    """
    mdp = learned.mdp
    best = learned.reference
    if best is None or best.task != "control":
        best = auto(mdp, tolerance=1e-9, relative=True)
    most_earned = best.value_of_start() if good_enough(best) else math.nan
    own = learned.earned
    if own is not None:  # of policies that are not greedy ones, and are known exactly already
        return Regret(own, mdp.sign * (most_earned - own), learned.runs)
    if most is None:
        most = max(1, min(POLICIES, OUTCOMES // max(1, mdp.K * (mdp.horizon or 1))))
    policies = greedy_of_runs(learned)
    deadline = math.inf if time_limit is None else time.monotonic() + time_limit
    earned, lost = np.full(learned.runs, math.nan), np.full(learned.runs, math.nan)
    known: dict[bytes, tuple[float, float]] = {}
    for e, policy in enumerate(policies):
        policy = _from_the_start(policy, best)
        key = np.ascontiguousarray(policy.rows).tobytes()
        if key not in known:
            left = deadline - time.monotonic()
            if len(known) >= most or left <= 0:
                continue
            limit = None if time_limit is None else left
            known[key] = _earned(mdp, best, policy, limit)
        earned[e], lost[e] = known[key]
    return Regret(earned, lost, len(known))


def _from_the_start(policy: Policy, best: Solution) -> Policy:
    """The policy, with the rows of the best one in states that it never comes to: those cost it nothing."""
    mdp = policy.mdp
    assert policy.rows is not None
    if mdp.problem.timed or best.policy is None or best.policy.rows is None:
        return policy
    used = np.zeros(mdp.L, dtype=bool)
    used[policy.rows[policy.rows >= 0]] = True
    return Policy(mdp, rows=np.where(reachable(mdp, starts(mdp), used), policy.rows, best.policy.rows))


def _earned(mdp: MDP, best: Solution, policy: Policy, time_limit: float | None) -> tuple[float, float]:
    """What a policy earns from the start, and what it loses there."""
    try:
        value = auto_evaluation(mdp, policy, tolerance=1e-9, relative=True, time_limit=time_limit)
    except NoFiniteAnswer:  # it collects cost forever
        return -mdp.sign * math.inf, math.inf
    except Stop:
        return math.nan, math.nan
    if not good_enough(value):
        return math.nan, math.nan
    return value.value_of_start(), start_loss(best, value) if good_enough(best) else math.nan


def middle(numbers: Floats) -> float:
    """The median of numbers that may be infinite, NaN left out; NaN where there are none.

    >>> middle(np.array([1.0, math.inf, math.inf, math.nan])), middle(np.array([1.0, 2.0]))
    (inf, 1.5)
    """
    ordered = np.sort(numbers[~np.isnan(numbers)])
    if not len(ordered):
        return math.nan
    low, high = float(ordered[(len(ordered) - 1) // 2]), float(ordered[len(ordered) // 2])
    return low if low == high else (low + high) / 2
