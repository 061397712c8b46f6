"""The answer of a learner: its mean over the runs, in the shape of the model that was asked about."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import spoken
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rows import over_rows
from tabular_rl.model.settings import AVERAGED
from tabular_rl.solving.learned import Curve, Learned
from tabular_rl.solving.solution import Floats, Status

if TYPE_CHECKING:
    from tabular_rl.methods.learning._learning import Learning


def answer_of(run: Learning, stopped: str | None, state: dict[str, Any], rate: float) -> Learned:
    """The answer of a run that is over: the mean over its runs, in the sign of the model.

    Parameters
    ----------
    run : the call of the learner, over or stopped
    stopped : "time" or "signal" where it ended early, else None
    state : what a checkpoint holds
    rate : updates a second, of all runs together

    Returns
    -------
    Learned: v (S,), with a horizon (T + 1, S), NaN where no run has been; of action values also q (L,) or (T, L), and
    their greedy policy where none was given; `estimates` and `visits` (runs, ...), a table of v or q for each run.
    """
    mdp, whole, sign = run.mdp, run.whole, run.mdp.sign
    table = sign * run.current()
    visits: NDArray[Any] = run.visits.copy()
    seen = visits.sum(axis=0) > 0
    # The mean over the runs that were there; NaN where none was.
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = (visits > 0).astype(float)
        mean = np.where(seen, np.where(weight > 0, table, 0.0).sum(axis=0) / weight.sum(axis=0), math.nan)
    learned_q, policy = None, run.policy
    if run.table_kind == "states":
        v = np.where(mdp.terminal, 0.0, mean)
        table[:, mdp.terminal] = 0.0
    else:
        learned_q = mean
        v = mean_values(run, mean)
        if policy is None:
            policy = Policy.greedy(mdp, np.where(np.isnan(mean), -sign * math.inf, mean))
    truth = run.true_values
    truth = None if truth is None else sign * truth
    T = whole.horizon
    if T is not None:
        v = v.reshape(T + 1, whole.S).copy()
        if whole.final_reward is not None:
            v[T] = whole.final_reward
        if policy is not None:
            policy = folded(policy, whole)
        width = whole.S if run.table_kind == "states" else whole.L
        table, visits = (x.reshape(run.runs, -1, width) for x in (table, visits))
        truth = None if truth is None else truth.reshape(-1, width)
        learned_q = None if learned_q is None else learned_q.reshape(T, whole.L)
    curve = None
    if run.curve:
        steps, *columns = zip(*run.curve, strict=True)
        curve = Curve(np.array(steps), *(np.stack(column) for column in columns))
    status = {"time": Status.TIME_SPENT, "signal": Status.INTERRUPTED}.get(stopped or "", Status.SAMPLED)
    notes = [] if stopped is None else [f"what was learned in {run.done:,} of {run.steps:,} steps is kept"]
    notes += [AVERAGED] if whole.averaged else []
    return Learned(
        mdp=whole,
        v=v,
        policy=policy,
        status=status,
        method=run.method.name,
        task=run.method.task,
        work=dict(run.run.work),
        history=tuple(run.run.history),
        options=dict(run.run.options),
        seed=run.option["seed"],
        seconds=run.run.seconds,
        note="; ".join(notes),
        steps_a_second=rate,
        estimates=table,
        visits=visits,
        truth=truth,
        curve=curve,
        steps=run.done,
        runs=run.runs,
        verdicts=tuple(map(spoken, run.verdicts)),
        learned_q=learned_q,
        state=state,
        reference=run.reference,
        behavior=run.behavior if run.data is None and whole is run.mdp else None,
        start_from=(sign * run.start_values).reshape(v.shape) if run.starts_from else None,
    )


def mean_values(run: Learning, q: Floats) -> Floats:
    """Values of the states by the action values that were learned, NaN where the state was never visited."""
    mdp = run.mdp
    if run.policy is not None:
        used = np.where(run.policy.weights > 0, run.policy.weights * q, 0.0)
        return over_rows(np.add, used, mdp.pair_ptr)
    top = over_rows(np.maximum, np.where(np.isnan(q), -math.inf, mdp.sign * q), mdp.pair_ptr)
    return np.where(mdp.terminal, 0.0, mdp.sign * np.where(np.isfinite(top), top, math.nan))


def folded(policy: Policy, whole: MDP) -> Policy:
    """A policy of the unrolled model as one of the model with a horizon."""
    T = whole.horizon or 0
    if policy.rows is None:
        return Policy(whole, probs=policy.weights.reshape(T, whole.L))
    rows = policy.rows.reshape(T + 1, whole.S)[:T].astype(np.int64)
    rows = np.where(rows >= 0, rows - np.arange(T)[:, None] * whole.L, -1)
    return Policy(whole, rows=rows)
