"""SARSA: action values from (s, a, r, s', a')."""

from __future__ import annotations

from typing import Any, Unpack

from tabular_rl.methods.learning._pairs import SARSA, learn_pairs
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import method


@method(
    equation="q(s,a) ← q(s,a) + α [ r + γ q(s',a') - q(s,a) ]",
    source="Rummery & Niranjan (1994); Sutton & Barto (2018), 6.4, (6.7)",
    on_policy=True,
    one_step=True,
    samples_action=True,
)
def sarsa(
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
    **shared: Unpack[o.RatedLearner],
) -> Learned:
    """Learn action values of the exploring policy itself while it improves.

        q(s,a) ← q(s,a) + α [ r + γ q(s',a') - q(s,a) ],    a' the action that is taken next

    With a fixed exploration rate q goes to the values of the best policy that explores so, not to q*; with a rate that
    goes to 0 slowly enough, to q*. A step takes four uniforms, whatever happens in it: the outcome; the restart, or
    the next independent pair; the next action, which is chosen before the update; the action after a restart.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    behavior : a policy that chooses the actions, instead of `explore`
    explore : how actions are chosen: "epsilon-greedy:0.1", "epsilon-visits:10", "boltzmann:1", "ucb:2", schedules too
    ties : "random" or "first", as in q_learning; with the first a step takes one uniform less
    data : Transitions to learn from, in order, again and again, instead of samples of the model
    steps, runs, seed : transitions a run, independent runs, start of the random numbers
    step_size, per : α, a number or a schedule such as "1/n", where n counts updates of the pair, or steps
    average : report the average of all estimates so far
    source, episode_steps : where transitions come from; when an episode is cut off
    start_value, start_from : q at the start; a high one is optimistic
    target : read q(s', ·) from a copy: "copy:M" made every M steps, "average:T" moving
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
    Rummery & Niranjan (1994). Singh et al. (2000). Sutton & Barto (2018), (6.7).

    Examples
    --------
    One action, reward 1, then the end; α = 1/2: q = 1/2, then 3/4.

    >>> mdp = MDP([[[0, 1]], [[0, 0]]], [[1], [0]], 1, states=["a", "end"], terminal=["end"])
    >>> [sarsa(mdp, steps=n, step_size=0.5).q.tolist() for n in (1, 2)]
    [[0.5], [0.75]]
    """
    return learn_pairs(sarsa, locals(), SARSA)  # the update: kernels/one_step.py, sarsa


@method(
    equation="q(s,a) ← q(s,a) + α [ r + γ q(s',a') - q(s,a) ],  a' ~ π",
    source="Sutton & Barto (2018), 6.4, (6.7)",
    on_policy=True,
    one_step=True,
    samples_action=True,
)
def sarsa_evaluation(
    mdp: MDP,
    policy: Policy,
    *,
    data: Any = None,
    steps: o.Steps = 1_000_000,
    step_size: o.StepSize = "n^-0.7",
    source: o.Source = "trajectory",
    target: o.Target = "none",
    **shared: Unpack[o.RatedLearner],
) -> Learned:
    """Learn the action values of a policy from its own transitions.

        q(s,a) ← q(s,a) + α [ r + γ q(s',a') - q(s,a) ],    a' ~ π(·|s')

    On policy: what is learned are the values of the policy that chooses the actions; q_evaluation takes another
    behaviour. A step takes four uniforms, as in sarsa.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    policy : π, whose action values are learned
    data : Transitions to learn from, in order, again and again, instead of samples of the model
    steps, runs, seed : transitions a run, independent runs, start of the random numbers
    step_size, per : α, a number or a schedule such as "1/n", where n counts updates of the pair, or steps
    average : report the average of all estimates so far
    source, episode_steps : where transitions come from; when an episode is cut off
    start_value, start_from : q at the start; a high one is optimistic
    target : read q(s', ·) from a copy: "copy:M" made every M steps, "average:T" moving
    threads, time_limit, weights, reference, resume, checkpoint : as in td0; weights are (L,)

    Returns
    -------
    Learned: q (L,) of the mean over the runs, v = Σ_a π q, `estimates` (runs, L). No certificate.

    Raises
    ------
    OptionError : an option out of range
    NoFiniteAnswer : at γ = 1, where the policy collects reward forever

    Sources
    -------
    Sutton & Barto (2018), (6.7).

    Examples
    --------
    One state that pays 1 a step, γ = 1/2, α = 1: q = 1, then 1 + 1/2.

    >>> mdp = MDP([[[1.0]]], [[1.0]], "1/2")
    >>> [sarsa_evaluation(mdp, Policy.uniform(mdp), steps=n, step_size=1).q.tolist() for n in (1, 2)]
    [[1.0], [1.5]]
    """
    return learn_pairs(sarsa_evaluation, locals(), SARSA)  # the update: kernels/one_step.py, sarsa
