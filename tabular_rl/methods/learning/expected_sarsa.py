"""Expected SARSA: action values from the expectation over the next action."""

from __future__ import annotations

from typing import Any, Unpack

from tabular_rl.methods.learning._pairs import EXPECTED, OWN, learn_pairs
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import method


@method(
    equation="q(s,a) ← q(s,a) + α [ r + γ Σ_a' b(a'|s') q(s',a') - q(s,a) ]",
    source="van Seijen et al. (2009); Sutton & Barto (2018), 6.6, (6.9)",
    on_policy=True,
    one_step=True,
)
def expected_sarsa(
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
    """Learn action values of the exploring policy, by the expectation over its next action.

        q(s,a) ← q(s,a) + α [ r + γ Σ_a' b(a'|s') q(s',a') - q(s,a) ],    b the policy that explores

    As SARSA, without the noise of the next action. With ε-greedy b the sum is (1 - ε) max q + ε mean q. A step takes
    three uniforms, as in q_learning.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    behavior : a policy that chooses the actions, instead of `explore`
    explore : how actions are chosen: "epsilon-greedy:0.1", "epsilon-visits:10", "boltzmann:1", "ucb:2", schedules too
    ties : "random" or "first", as in q_learning; with the first a step takes one uniform less
    data : Transitions to learn from, in order, again and again, instead of samples of the model; b is then `behavior`,
        or the policy that they were most likely made by (`behavior_of`)
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
    van Seijen, van Hasselt, Whiteson & Wiering (2009). Sutton & Barto (2018), (6.9).

    Examples
    --------
    One action, reward 1, then the end; α = 1/2: q = 1/2, then 3/4.

    >>> mdp = MDP([[[0, 1]], [[0, 0]]], [[1], [0]], 1, states=["a", "end"], terminal=["end"])
    >>> [expected_sarsa(mdp, steps=n, step_size=0.5).q.tolist() for n in (1, 2)]
    [[0.5], [0.75]]
    """
    return learn_pairs(expected_sarsa, locals(), OWN)  # the update: kernels/one_step.py, expected_sarsa


@method(
    equation="q(s,a) ← q(s,a) + α [ r + γ Σ_a' π(a'|s') q(s',a') - q(s,a) ]",
    source="Sutton & Barto (2018), 6.6, (6.9)",
    one_step=True,
)
def q_evaluation(
    mdp: MDP,
    policy: Policy,
    *,
    behavior: Policy | None = None,
    data: Any = None,
    steps: o.Steps = 1_000_000,
    step_size: o.StepSize = "n^-0.7",
    source: o.Source = "trajectory",
    target: o.Target = "none",
    replay: o.Replay = "none",
    capacity: o.Capacity = 10_000,
    batch: o.Batch = 32,
    **shared: Unpack[o.RatedLearner],
) -> Learned:
    """Learn the action values of a policy, on or off policy, by expected SARSA.

        q(s,a) ← q(s,a) + α [ r + γ Σ_a' π(a'|s') q(s',a') - q(s,a) ]

    Only what comes after s' depends on π, so the actions may come from any policy b that tries them all: no importance
    ratio is needed. The sum counts 0 at a terminal s'. A step takes three uniforms, as in q_learning.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    policy : π, whose action values are learned
    behavior : b, which chooses the actions (default: π); it must take every action that π takes
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
    Learned: q (L,) of the mean over the runs, v = Σ_a π q, `estimates` (runs, L). No certificate.

    Raises
    ------
    OptionError : an option out of range, or a behaviour that lacks an action of the policy
    NoFiniteAnswer : at γ = 1, where the policy collects reward forever

    Sources
    -------
    van Seijen, van Hasselt, Whiteson & Wiering (2009). Sutton & Barto (2018), (6.9).

    Examples
    --------
    One state, two actions that pay 0 and 1; the policy always takes the second; γ = 1/2, one transition each, α = 1:
    q(0) = 0 + 1/2 · 0, then q(1) = 1 + 1/2 · 0, then q(0) = 0 + 1/2 · 1.

    >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], "1/2")
    >>> log = [(0, 0, 0.0, 0), (0, 1, 1.0, 0), (0, 0, 0.0, 0)]
    >>> q_evaluation(mdp, Policy.of_actions(mdp, [1]), data=log, steps=3, step_size=1).q.tolist()
    [0.5, 1.0]
    """
    return learn_pairs(q_evaluation, locals(), EXPECTED)  # the update: kernels/one_step.py, expected_sarsa
