"""TD(0): the values of a policy from single transitions."""

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
    equation="v(s) ← v(s) + α ρ [ r + γ v(s') - v(s) ],  ρ = π(a|s) / b(a|s)",
    source="Sutton & Barto (2018), 6.1, (6.2); off policy 7.3",
    one_step=True,
    samples_action=True,
)
def td0(
    mdp: MDP,
    policy: Policy,
    *,
    behavior: Policy | None = None,
    data: Any = None,
    steps: o.Steps = 1_000_000,
    step_size: o.StepSize = "n^-0.7",
    source: o.Source = "trajectory",
    target: o.Target = "none",
    **shared: Unpack[o.RatedLearner],
) -> Learned:
    """Learn the values of a policy from single transitions (s, a, r, s').

        v(s) ← v(s) + α ρ [ r + γ v(s') - v(s) ],    ρ = π(a|s) / b(a|s)

    On policy ρ = 1. Off policy (b ≠ π) the importance ratio ρ puts the expectation over the first action right;
    v(s') of a terminal s' counts 0. A step takes three uniforms, whatever happens in it: the outcome; the restart,
    or the next independent pair; the next action.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    policy : π, whose values are learned
    behavior : b, which chooses the actions (default: π); it must take every action that π takes
    data : Transitions to learn from, in order, again and again, instead of samples of the model
    steps, runs, seed : transitions a run, independent runs, start of the random numbers
    step_size, per : α, a number or a schedule such as "1/n", where n counts visits of s, or steps
    average : report the average of all estimates so far
    source, episode_steps : where transitions come from; when an episode is cut off
    start_value, start_from : v at the start: one number; by state, values (S,), {state: value} or an earlier answer
    target : read v(s') from a copy: "copy:M" made every M steps, "average:T" moving
    threads, time_limit : as in value_iteration; the answer has the same bits for any number of threads
    weights : (S,) of the states in the mean square error (default: equal)
    reference : the exact Solution to measure errors against (default: computed), False for none
    resume : a Learned, to go on from where it stopped, with the same random stream
    checkpoint : called with the state now and then

    Returns
    -------
    Learned: v (S,) of the mean over the runs, `estimates` (runs, S), the curve of the errors. No certificate.

    Raises
    ------
    OptionError : an option out of range, or a behaviour that lacks an action of the policy
    NoFiniteAnswer : at γ = 1, where the policy collects reward forever
    NumericalError : the estimates diverge

    Sources
    -------
    Sutton (1988). Sutton & Barto (2018), (6.2).

    Examples
    --------
    One transition with reward 1 into a terminal state, α = 1/2: v = 0 + 1/2 (1 - 0), then 1/2 + 1/2 (1 - 1/2).

    >>> mdp = MDP([[[0, 1]], [[0, 0]]], [[1.0], [0.0]], 1, states=["a", "end"], terminal=["end"])
    >>> [td0(mdp, Policy.uniform(mdp), steps=n, step_size=0.5)["a"] for n in (1, 2)]
    [0.5, 0.75]
    """
    from tabular_rl.kernels import one_step

    run = Learning(td0, locals(), table="states")
    walk, bar = walk_of(run, rho=run.rho())
    return learn_by(run, one_step.td0, walk, run.visits, run.total, run.since, bar, run.estimates)
