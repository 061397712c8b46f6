"""Whether a learner sees what it has to learn of: actions that its behaviour takes, pairs that its log has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rows import over_rows

if TYPE_CHECKING:
    from tabular_rl.methods.learning._inputs import Inputs


def check_coverage(run: Inputs, behavior: Policy) -> None:
    """Raise OptionError where the behaviour never takes an action that has to be learned of.

    These are the actions of the policy, and in control all of them.
    """
    if run.policy is None and run.option.get("source") == "sweeps":
        return
    wanted = np.ones(run.mdp.L, dtype=bool) if run.policy is None else run.policy.takes
    lacking = wanted & ~(behavior.weights > 0)  # as floats: so are actions drawn, and ratios formed
    if lacking.any() and behavior is not run.policy:
        first = int(np.argmax(lacking))
        why = "as its value is to be learned" if run.policy is None else "as the policy takes it"
        small = " as a float" if behavior.takes[first] else ""
        raise OptionError(
            f"--behavior: {run.pair_text(first)}: found probability 0{small}, expected more, {why}. "
            "epsilon-greedy:0.1:POLICY takes every action."
        )


def check_log_coverage(run: Inputs) -> list[str]:
    """Look for the pairs that a run needs and its log lacks: OptionError for a policy, a sentence for control.

    Needed are the actions of the policy, for values of pairs in each state that the log is in or leads to, for values
    of states off policy in each that it leaves. A learner that follows the log itself (SARSA, or on policy) needs no
    more than there is.
    """
    assert run.data is not None
    mdp, log = run.mdp, run.data
    tried = np.bincount(log.row, minlength=mdp.L) > 0
    there = np.zeros(mdp.S, dtype=bool)
    there[mdp.pair_state[log.row]] = True
    if run.table_kind == "pairs":
        there[log.next_state[~log.done]] = True
    wanted = there[mdp.pair_state] & ~tried
    if run.policy is not None:
        follows = run.method.on_policy if run.table_kind == "pairs" else run.behavior is run.policy
        wanted &= run.policy.takes & (not follows)
    if run.policy is not None and run.table_kind == "states" and run.behavior is run.policy:
        _check_on_policy(run)
    if not wanted.any():
        return []
    # Ratios put the expectation right where the behaviour takes all that the policy takes: a log may lack it by chance.
    by_chance = (
        run.table_kind == "states" and run.behavior is not None and (run.behavior.weights[wanted] > 0).all()
    )
    i = int(np.flatnonzero(wanted)[0])
    place, n = run.pair_text(i), int(wanted.sum())
    more = f" (and {n - 1} more pairs)" if n > 1 else ""
    if by_chance:
        return [
            f"the log never has {place}{more}, which the policy takes: it is too short to say much of such states"
        ]
    if run.policy is not None:
        raise OptionError(
            f"--data: {place}: found no transition in the log{more}, expected one, as the policy takes it. Evaluate a "
            "policy that takes what was logged, or estimate a model and use that."
        )
    return [f"the log never has {place}{more}: such values stay at the start value, and may look best"]


def improbable(mdp: MDP, rows: NDArray[np.int64], p: NDArray[np.float64]) -> int | None:
    """Return a row that a log took though a policy never does, or lacks though the policy would hardly have done so.

    Parameters
    ----------
    mdp : the model
    rows : (N,) the rows of the log
    p : (L,) the probabilities of the policy

    Returns
    -------
    The first row that a log of the policy has, or lacks, but for a chance below 1e-9; None where there is none.
    """
    times = np.bincount(rows, minlength=mdp.L)
    visits = over_rows(np.add, times, mdp.pair_ptr)
    with np.errstate(divide="ignore", invalid="ignore"):  # never visited: 0 · log 0
        never = visits[mdp.pair_state] * np.log1p(-np.minimum(p, 1.0))
    wrong = ((times > 0) & (p == 0)) | ((times == 0) & (p > 0) & (never < np.log(1e-9)))
    return int(np.argmax(wrong)) if wrong.any() else None


def _check_on_policy(run: Inputs) -> None:
    """Raise OptionError where a log without --behavior cannot be one of the policy.

    It takes an action that the policy never takes, or lacks one that the policy would have taken, but for a chance
    below 1e-9.
    """
    assert run.data is not None and run.policy is not None
    mdp, p = run.mdp, run.policy.weights
    i = improbable(mdp, run.data.row, p)
    if i is not None:
        times = np.bincount(run.data.row, minlength=mdp.L)
        n = int(over_rows(np.add, times, mdp.pair_ptr)[mdp.pair_state[i]])
        raise OptionError(
            f"--data: {run.pair_text(i)}: taken {times[i]:,} times of {n:,} in the log, and the policy takes it with "
            f"probability {p[i]:.3g}, so the log is not one of the policy. Say with --behavior what made it; "
            "--behavior log estimates that."
        )
