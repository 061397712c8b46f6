"""What the learners that look n rewards ahead share: how their kernel is called."""

from __future__ import annotations

from typing import Any

from tabular_rl.methods.learning._learning import Learning
from tabular_rl.methods.learning._walk import learn_by, walk_of
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import Method

KINDS = ("ordinary", "per-decision", "tree")  # of returns, as kernels/n_step.py counts them


def learn_n_step(method: Method[..., Learned], given: dict[str, Any], kind: str) -> Learned:
    """Learn the values of a policy from returns of n rewards, from one trajectory or from given transitions.

    Parameters
    ----------
    method, given : the learner, and the arguments of its call
    kind : of return, one of KINDS

    Returns
    -------
    Learned: v (S,) and `estimates` (runs, S); for "tree" q (L,) and `estimates` (runs, L).
    """
    from tabular_rl.kernels.n_step import Ahead, n_step

    tree = kind == "tree"
    run = Learning(method, given, table="pairs" if tree else "states")
    assert run.policy is not None
    walk, _ = walk_of(run, pi=run.policy.weights) if tree else walk_of(run, rho=run.rho())
    place = run.add_walk(0 if run.data is not None else walk.episode_steps)
    held, earned = run.add_index("held", run.mdp.L, run.option["n"]), run.add("earned", 0.0, run.option["n"])
    tables = Ahead(KINDS.index(kind), place[0], held, earned), run.visits, run.total, run.since, run.estimates
    return learn_by(run, n_step, walk, *tables, place=place)
