"""Q-learning: the optimal action values from single transitions."""

from __future__ import annotations

from typing import Any, Unpack

from tabular_rl.methods.learning._pairs import MAX, learn_pairs
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import method


@method(
    equation="q(s,a) ← q(s,a) + α [ r + γ max_a' q(s',a') - q(s,a) ]",
    source="Watkins & Dayan (1992); Sutton & Barto (2018), 6.5, (6.8)",
    one_step=True,
)
def q_learning(
    mdp: MDP,
    *,
    behavior: Policy | None = None,
    data: Any = None,
    steps: o.Steps = 1_000_000,
    step_size: o.StepSize = "n^-0.7",
    explore: o.Explore = "epsilon-greedy:0.1",
    ties: o.Ties = "random",
    source: o.Source = "trajectory",
    target: o.Target = "none",
    replay: o.Replay = "none",
    capacity: o.Capacity = 10_000,
    batch: o.Batch = 32,
    **shared: Unpack[o.RatedLearner],
) -> Learned:
    """Learn the optimal action values from transitions of any policy that tries everything.

        q(s,a) ← q(s,a) + α [ r + γ max_a' q(s',a') - q(s,a) ]

    The maximum counts 0 at a terminal s'. With step sizes of infinite sum and finite sum of squares, and every pair
    tried again and again, q converges to q* with probability 1. A step takes three uniforms, whatever happens in
    it: the outcome; the restart, or the next independent pair; the next action. Ties are broken at random
    while it explores.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    behavior : a policy that chooses the actions, instead of `explore`
    explore : how actions are chosen: "epsilon-greedy:0.1", "epsilon-visits:10", "boltzmann:1", "ucb:2", schedules too
    ties : which of several best actions is taken: any of them ("random"), or the "first". Then a step takes one uniform
        less (not with replay): what a restart leaves of its own takes the first action
    data : Transitions to learn from, in order, again and again, instead of samples of the model
    steps, runs, seed : transitions a run, independent runs, start of the random numbers
    step_size, per : α, a number or a schedule such as "1/n", where n counts updates of the pair, or steps
    average : report the average of all estimates so far
    source, episode_steps : where transitions come from; when an episode is cut off
    start_value, start_from : q at the start; a high one is optimistic
    target : read q(s', ·) from a copy: "copy:M" made every M steps, "average:T" moving
    replay, capacity, batch : learn from a buffer of the last `capacity` transitions instead: each step stores one, then
        makes `batch` updates, by transitions drawn "uniform" or "prioritized"; with `data` the buffer is all of them,
        and a step is one update
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
    Watkins & Dayan (1992). Sutton & Barto (2018), (6.8).

    Examples
    --------
    Two actions, both end the episode, worth 0 and 1: with α = 1 each is known once it was tried.

    >>> mdp = MDP([[[0, 1], [0, 1]], [[0, 0], [0, 0]]], [[0, 1], [0, 0]], 1, axes="sas", states=["a", "end"],
    ...           terminal=["end"])
    >>> answer = q_learning(mdp, steps=100, step_size=1, explore="epsilon-greedy:0.5")
    >>> answer.q.tolist(), answer.policy.actions.tolist()
    ([0.0, 1.0], [1, -1])
    """
    return learn_pairs(q_learning, locals(), MAX)  # the update: kernels/one_step.py, q_learning
