"""What the one-step learners of action values share: the policy that they learn of, and replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tabular_rl.methods.learning._learning import Learning
from tabular_rl.methods.learning._replay import learn_replayed
from tabular_rl.methods.learning._walk import learn_by, walk_of
from tabular_rl.model.transitions import behavior_of
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import Method

if TYPE_CHECKING:
    from tabular_rl.kernels.walk import Walk

SARSA, EXPECTED, MAX, OWN = range(4)
EPSILON_GREEDY = 1  # with ties at random, of kernels.walk.explore


def learn_pairs(method: Method[..., Learned], given: dict[str, Any], rule: int) -> Learned:
    """Learn action values (L,) by one of the rules, from samples of the model or from given transitions.

    Parameters
    ----------
    method, given : the learner, and the arguments of its call
    rule : what s' is worth. SARSA: the action that is taken next; EXPECTED: the mean over the policy; MAX: the best
        action; OWN: the mean over the policy that explores, or that made the log

    Returns
    -------
    Learned: q (L,) and `estimates` (runs, L).
    """
    from tabular_rl.kernels.one_step import expected_sarsa, q_learning, sarsa

    run = Learning(method, given, table="pairs")
    if run.data is not None and rule == OWN:
        # The policy that explored is the one that made the log.
        if given["behavior"] is None:
            run.behavior = behavior_of(run.data)
        rule = EXPECTED
    assert run.behavior is not None
    pi = None if rule == OWN else (run.policy or run.behavior).weights
    if run.option.get("replay", ("none",))[0] != "none":
        return learn_replayed(run, largest=rule == MAX, pi=pi)
    walk, bar = walk_of(run, again=3 if rule == SARSA else 2, pi=pi)
    if (
        run.option.get("ties") == "first"
    ):  # an action needs no more than half of its uniform: the rest is the restart's
        walk = walk._replace(act=1, again=walk.again - 1, restart=walk.again - 1)
    kernel = (sarsa, expected_sarsa, q_learning, expected_sarsa)[rule]
    mean: tuple[Any, Any] = run.total, run.since
    if rule == MAX and is_usual(run, walk):
        walk, mean = walk._replace(usual=True), (None, None)
    return learn_by(run, kernel, walk, run.visits, *mean, bar, run.estimates)


def is_usual(run: Learning, walk: Walk) -> bool:
    """Whether a walk is as most are: kernels.walk.Walk says how, and no average is kept."""
    other = walk.source or walk.target or run.total.shape[1] or run.data is not None
    return walk.explore == EPSILON_GREEDY and not other
