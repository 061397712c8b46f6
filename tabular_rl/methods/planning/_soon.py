"""Sweeps of one policy for as long as it is foreseen that they are the quickest way to its values.

By how much changes shrink from sweep to sweep says how many sweeps are missing. Where a model mixes well some twenty
suffice, and anything else would take longer; where it does not, that is seen after three or four. How far apart the
largest and the least change are shrinks late where rewards are rare, as some state has met nothing else yet: there the
usual change is looked at for a few sweeps more.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from tabular_rl.methods.planning._chain import LARGE, SHORT, side_by_side
from tabular_rl.methods.planning._goal import Goal
from tabular_rl.methods.planning.policy_evaluation import MOST_SWEEPS, policy_evaluation
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rows import Floats, Ints
from tabular_rl.solving.cost import SMALL, Facts
from tabular_rl.solving.solution import Solution
from tabular_rl.solving.sweeps import Sweeper

LOOK = 4  # sweeps until it is foreseen well how many are missing; before them, too many are a multiple
PATIENT = 6  # sweeps up to which they go on where the usual change shrinks, though the largest does not yet
USUAL = 0.5  # of the sweeps that are worth it: more may not be missing by the usual change
PLAN = 48, 2_000_000  # sweeps, and outcomes of sweeps, that together take as long as to plan on a chain
SOLVE = 16, 500_000  # that take as long as elimination where rows or moves are short
CENTRED = 0.9  # of the least width of an interval: values that are off by a constant may leave a little less
LATEST = 3  # sweeps that say how quickly changes shrink
CALL = 5000  # outcomes that take as long as it takes to call a sweep
CACHE = 100_000  # outcomes of a model that take no time to be fetched
SAMPLE = 2000  # states whose first two changes are looked at before anything is swept


def worth(mdp: MDP, policy: Policy, facts: Facts, planned: bool) -> float:
    """How many sweeps of a policy are no more work than what else would be done; 0 where none should be tried.

    Parameters
    ----------
    mdp, policy : the model, and the policy
    facts : of the model
    planned : whether its chain would be planned on instead

    Returns
    -------
    A number of sweeps.
    """
    if mdp.problem.timed or policy.timed or mdp.gamma == 1 or mdp.S <= SMALL or not mdp.L:
        return 0
    if not planned and facts.scattered:
        return MOST_SWEEPS
    read = mdp.K if policy.rows is None else mdp.K * mdp.S // mdp.L
    few, outcomes = SOLVE if mdp.K <= SHORT * mdp.L or not facts.scattered else PLAN
    most = few + outcomes / (read + CALL)
    # Where moves are short, nothing mixes: old values fade by the discount alone.
    if mdp.S > LARGE and mdp.gamma**most < policy_evaluation.defaults["tolerance"]:
        return most
    # The look costs less than to see where moves lead.
    mixes = policy.rows is None or first_look(mdp, policy) <= most * 2.0 ** (LOOK - 2)
    mixes = mixes and facts.scattered
    return most if mixes else 0


def first_look(mdp: MDP, policy: Policy) -> float:
    """How many sweeps are missing to a change of 1e-9, by the first two changes of some states.

    Parameters
    ----------
    mdp : the model
    policy : of one action a state

    Returns
    -------
    A number, as of `missing`.
    """
    assert policy.rows is not None
    r = np.where(policy.rows >= 0, mdp.r[policy.rows], 0.0)
    states = np.arange(0, mdp.S, mdp.S // SAMPLE + 1)
    states = states[policy.rows[states] >= 0]
    if not len(states):
        return 0.0
    sweeper = Sweeper(mdp)
    changes = sweeper.listed(policy.rows[states], sweeper.rows[5] * r) - sweeper.rows[5] * r[states]
    first, then = float(np.ptp(r[states])), float(np.ptp(changes))
    return missing([first, then], 1e-9 * first)


def copied(mdp: MDP, policy: Policy) -> Sweeper | None:
    """A sweeper over the rows of a policy of one action a state, side by side, where these are far apart in memory."""
    return side_by_side(mdp, policy) if mdp.K > max(CACHE, SHORT * mdp.L) else None


def by_sweeps(
    mdp: MDP, policy: Policy, given: dict[str, Any], most: float, alone: Sweeper | None = None
) -> tuple[Solution | None, dict[str, int]]:
    """The values of a policy by sweeps, while no more than `most` are foreseen; None where more are, and the work.

    Parameters
    ----------
    mdp, policy : a discounted model, and the policy
    given : tolerance, relative and time_limit
    most : sweeps that are missing, from which on something else is quicker
    alone : over the rows of the policy, where these are side by side

    Returns
    -------
    Solution of policy evaluation, or None; what was done.
    """
    run = policy_evaluation.run(policy_evaluation.defaults | given)
    goal = Goal(run, mdp, 1, policy)
    v, rows, outlook = goal.start(), goal.rows(), Outlook(goal, most)
    sweeper, own = (goal.sweeper, policy) if alone is None else (alone, counted_alone(policy))
    spare = np.empty_like(v)
    with run.until_stopped():
        for sweep in itertools.count(1):
            low, high = sweeper.policy(own, v, spare)
            v, spare = spare, v
            run.did("sweeps")
            if goal.met(low, high, v, rows, sweep):
                break
            run.check_stop()
            if not outlook.good(goal.spread(low, high), v, spare):
                return None, run.work
    return swept_answer(goal, v, rows), run.work


def swept_answer(goal: Goal, v: Floats, rows: Ints) -> Solution | None:
    """The answer of sweeps that are over; None where other values may be proven to the tolerance, and these are not.

    The rounding of one sweep from values as large makes an interval as wide as `smallest`, whichever method finds them.
    Where that is wider than the tolerance, nothing else would be nearer.

    Parameters
    ----------
    goal : of the sweeps
    v, rows : the last values, and the rows that go with them

    Returns
    -------
    Solution, or None.
    """
    least = 0.0 if goal.best is None else goal.best[0].smallest
    answer = goal.solution(v, rows)
    if goal.run.stopped is not None or answer.status.reached:
        return answer.but(why="the interval shrinks as the model mixes: few sweeps suffice")
    wanted = goal.tolerance * (float(np.max(np.abs(answer.v))) if goal.relative else 1.0)
    if CENTRED * least > wanted:
        return answer.but(why="the interval shrinks until sweeps change rounding errors alone")
    return None


class Outlook:
    """What the changes of the sweeps so far say of those that are missing.

    Their spread is what the tolerance asks about, and decides. Where it foresees too many in one of the first sweeps,
    the usual change of a state is asked as well, and the spread again after each sweep up to `PATIENT`.

    Parameters
    ----------
    goal : of the sweeps
    most : how many missing sweeps are worth it
    """

    def __init__(self, goal: Goal, most: float) -> None:
        self.goal, self.most = goal, most
        self.spreads: list[float] = []
        self.usual: list[float] = []  # of the last sweeps, while too many are missing by the spread

    def good(self, spread: float, v: Floats, before: Floats) -> bool:
        """Whether to go on, after one more sweep.

        Parameters
        ----------
        spread : of its changes
        v, before : (S,) the values after and before it
        """
        self.spreads.append(spread)
        sweep, goal = len(self.spreads), self.goal
        if sweep == 1:
            return True
        noise = goal.certifier.noise(goal.model, goal.vmax)  # where sweeps stop, whatever is wanted
        enough = max(goal.wanted / goal.factor if goal.factor else math.inf, noise)
        few = self.most * max(2.0 ** (LOOK - sweep), 1.0)
        # Where they have just begun to shrink, the last sweep alone says how quickly.
        late = self.spreads[-2:] if self.usual else self.spreads
        soon = missing(late, enough) <= few and sweep <= 2 * self.most
        if soon and not self.usual:
            return True
        if not soon and (sweep >= PATIENT or (sweep >= LOOK and not self.usual)):
            return False
        share = usual_share(v, before, spread, goal.ends)
        self.usual.append(share * spread)
        if len(self.usual) > 1 and missing(self.usual, share * enough) > USUAL * self.most:
            return False
        if soon:
            self.usual.clear()
        return True


def usual_share(v: Floats, before: Floats, spread: float, ends: bool) -> float:
    """How large the change of a state usually is, in the square mean, as a share of their spread.

    Parameters
    ----------
    v, before : (S,) values after and before the sweep
    spread : of the changes
    ends : whether a state ends; if none does, it does not count what all states change by alike

    Returns
    -------
    A share, from 0 to 1.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what is no number then is no share that shrinks
        change = v - before
        if not ends:
            change -= change.mean()
        change /= spread
        return math.sqrt(float(np.mean(change * change)))


def counted_alone(policy: Policy) -> Policy:
    """The same policy over its own rows alone, in a model where there are no others."""
    assert policy.rows is not None
    live = policy.rows >= 0
    own = np.where(live, np.cumsum(live) - 1, -1).astype(policy.rows.dtype)
    return Policy.partial(policy.mdp, rows=own)


def missing(spreads: list[float], wanted: float) -> float:
    """How many sweeps more bring the changes to what is wanted, if they go on to shrink as in the last few sweeps.

    Parameters
    ----------
    spreads : of the changes of each sweep so far, two or more
    wanted : the spread at which the work is done

    Returns
    -------
    A number, 0 where they are that small, infinite where they do not shrink.

    Examples
    --------
    >>> missing([8.0, 4.0, 2.0, 1.0], 0.25)
    2.0
    """
    back = min(len(spreads) // 2, LATEST)
    now, before = spreads[-1], spreads[-1 - back]
    if now <= wanted:
        return 0.0
    if not 0.0 < wanted < now < before:
        return math.inf
    return math.log(now / wanted) / math.log(before / now) * back
