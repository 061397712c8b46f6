"""Tree backup: action values from n steps, off policy without importance ratios."""

from __future__ import annotations

from typing import Any, Unpack

from tabular_rl.methods.learning._n_step import learn_n_step
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import method


@method(
    equation="G_t = r_(t+1) + γ Σ_(a≠a_(t+1)) π(a|s_(t+1)) q(s_(t+1), a) + γ π(a_(t+1)|s_(t+1)) G_(t+1)",
    source="Precup, Sutton & Singh (2000); Sutton & Barto (2018), 7.5, (7.16)",
)
def tree_backup(
    mdp: MDP,
    policy: Policy,
    *,
    behavior: Policy | None = None,
    data: Any = None,
    steps: o.Steps = 1_000_000,
    n: o.Lookahead = 4,
    step_size: o.StepSize = "n^-0.7",
    **shared: Unpack[o.RatedLearner],
) -> Learned:
    """Learn action values of a policy from n steps of any other, without importance ratios.

        q(s_t,a_t) ← q(s_t,a_t) + α [ G_t - q(s_t,a_t) ]
        G_t = r_(t+1) + γ Σ_(a ≠ a_(t+1)) π(a|s_(t+1)) q(s_(t+1), a) + γ π(a_(t+1)|s_(t+1)) G_(t+1)

    The last G, after n rewards, takes Σ_a π q over all actions. Actions not taken count by their estimates, the one
    taken by what followed. When a pair is updated, and the ends and cuts of episodes, are as in n_step_td; n = 1 is
    q_evaluation, with the same bits. A step takes three uniforms, as there.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    policy : π, whose action values are learned
    behavior : b, which chooses the actions (default: π); it must take every action that π takes
    data : Transitions in the order of their episodes, in order, again and again, instead of samples of the model
    steps, runs, seed : transitions a run, independent runs, start of the random numbers
    n : rewards in a return
    step_size, per : α, a number or a schedule such as "1/n", where n counts updates of the pair, or steps
    average : report the average of all estimates so far
    episode_steps : when an episode is cut off
    start_value, start_from : q at the start
    threads, time_limit, weights, reference, resume, checkpoint : as in td0; weights are (L,)

    Returns
    -------
    Learned: q (L,) of the mean over the runs, v = Σ_a π q, `estimates` (runs, L). No certificate.

    Raises
    ------
    OptionError : an option out of range, or a behaviour that lacks an action of the policy
    NoFiniteAnswer : at γ = 1, where the policy collects reward forever

    Sources
    -------
    Precup, Sutton & Singh (2000). Sutton & Barto (2018), (7.15), (7.16).

    Examples
    --------
    One state, two actions that pay 0 and 1, π takes either, γ = 1/2, n = 2, α = 1. Action 1, then action 0: the second
    has paid 0 and leads to q = 0, so G = 1 + 1/2 (1/2 · 0 + 1/2 · 0) = 1 for the first; then, at the end of the log,
    the second gets 0 + 1/2 (1/2 · 0 + 1/2 · 1).

    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], "1/2")
    >>> log = [(0, 1, 1.0, 0), (0, 0, 0.0, 0)]
    >>> tree_backup(mdp, Policy.uniform(mdp), data=log, n=2, steps=2, step_size=1).q.tolist()
    [0.25, 1.0]
    """
    return learn_n_step(tree_backup, locals(), "tree")
