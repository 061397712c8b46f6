"""Double Q-learning: no maximum over its own noise."""

from __future__ import annotations

from typing import Any, Unpack

from tabular_rl.methods.learning._learning import Learning
from tabular_rl.methods.learning._walk import learn_by, walk_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import method


@method(
    equation="q₁(s,a) ← q₁(s,a) + α [ r + γ q₂(s', argmax_a' q₁(s',a')) - q₁(s,a) ], or with q₁ and q₂ exchanged",
    source="van Hasselt (2010); Sutton & Barto (2018), 6.7, (6.10)",
    one_step=True,
)
def double_q_learning(
    mdp: MDP,
    *,
    behavior: Policy | None = None,
    data: Any = None,
    steps: o.Steps = 1_000_000,
    step_size: o.StepSize = "n^-0.7",
    explore: o.Explore = "epsilon-greedy:0.1",
    source: o.Source = "trajectory",
    **shared: Unpack[o.RatedLearner],
) -> Learned:
    """Learn the optimal action values by two tables, of which one chooses the action and the other values it.

        q₁(s,a) ← q₁(s,a) + α [ r + γ q₂(s', argmax_a' q₁(s',a')) - q₁(s,a) ]

    A coin says at each step which table learns. The largest of many noisy estimates is too high on average; the other
    table's estimate of the same action is not. What is reported is q = (q₁ + q₂) / 2, by which actions are chosen. A
    step takes four uniforms: the outcome; the restart, or the next independent pair; the next action; the coin. Ties
    are broken at random in what it does, and go to the lowest action in what it learns.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    behavior : a policy that chooses the actions, instead of `explore`
    explore : how actions are chosen: "epsilon-greedy:0.1", "epsilon-visits:10", "boltzmann:1", "ucb:2", schedules too
    data : Transitions to learn from, in order, again and again, instead of samples of the model
    steps, runs, seed : transitions a run, independent runs, start of the random numbers
    step_size, per : α, a number or a schedule such as "1/n", where n counts updates of the pair in its table, or steps
    average : report the average of all estimates so far
    source, episode_steps : where transitions come from ("sweeps": all pairs in turn, each update used at once); when
        an episode is cut off
    start_value, start_from : q₁ and q₂ at the start; a high one is optimistic
    threads, time_limit, weights, reference, resume, checkpoint : as in td0; weights are (L,)

    Returns
    -------
    Learned: q (L,) of the mean over the runs, v = max_a q, the greedy policy, `estimates` (runs, L). No certificate.

    Raises
    ------
    OptionError : an option out of range
    NoFiniteAnswer : at γ = 1, where no finite answer exists

    Sources
    -------
    van Hasselt (2010), Algorithm 1. Sutton & Barto (2018), (6.10).

    Examples
    --------
    One action, reward 1, then the end; α = 1: after one step one of the tables knows it, and the mean is 1/2.

    >>> mdp = MDP([[[0, 1]], [[0, 0]]], [[1], [0]], 1, states=["a", "end"], terminal=["end"])
    >>> [double_q_learning(mdp, steps=n, step_size=1).q.tolist() for n in (1, 50)]
    [[0.5], [1.0]]
    """
    from tabular_rl.kernels.double_q import Halves, double_q

    run = Learning(double_q_learning, locals(), table="pairs")
    heads = run.add_count("heads")
    run.add_condition(
        lambda: "array 'heads': found more than in array 'visits'" if (heads > run.visits).any() else None
    )
    halves = Halves(heads, run.add("qa", 0.0), run.add("qb", 0.0))
    halves.qa[:] = halves.qb[:] = run.estimates
    walk, _ = walk_of(run)
    return learn_by(run, double_q, walk, run.visits, run.total, run.since, halves, run.estimates, extra=1)
