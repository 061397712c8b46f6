"""Watkins's Q(λ): the optimal action values, with eligibility traces."""

from __future__ import annotations

from typing import Any, Unpack

from tabular_rl.errors import OptionError
from tabular_rl.methods.learning._kept import add_traces
from tabular_rl.methods.learning._learning import Learning
from tabular_rl.methods.learning._walk import learn_by, walk_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import method

KINDS = ("accumulating", "replacing")


@method(
    equation="z ← γλ z + α e_(s,a),  q ← q + [ r + γ max_a' q(s',a') - q(s,a) ] z,  z ← 0 where a' is not a best one",
    source="Watkins (1989); Sutton & Barto (2018), 12.10",
)
def q_lambda(
    mdp: MDP,
    *,
    behavior: Policy | None = None,
    data: Any = None,
    steps: o.Steps = 1_000_000,
    trace: o.Trace = 0.8,
    traces: o.Traces = "accumulating",
    step_size: o.StepSize = "n^-0.7",
    explore: o.Explore = "epsilon-greedy:0.1",
    **shared: Unpack[o.RatedLearner],
) -> Learned:
    """Learn the optimal action values, each TD error shared by the pairs that led to it by best actions alone.

        δ = r + γ max_a' q(s',a') - q(s,a),    z ← γλ z + α e_(s,a),    q ← q + δ z

    Where the next action is not a best one by the table, as it is chosen, z ← 0: what follows it says nothing of the
    best policy. That is `traces` "accumulating"; "replacing" sets z(s,a) = α in place of adding. λ = 0 is Q-learning,
    with the same bits. A step takes three uniforms, as in q_learning; time and memory are as in td_lambda.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    behavior : a policy that chooses the actions, instead of `explore`
    explore : how actions are chosen: "epsilon-greedy:0.1", "epsilon-visits:10", "boltzmann:1", "ucb:2", schedules too
    data : Transitions in the order of their episodes, in order, again and again, instead of samples of the model
    steps, runs, seed : transitions a run, independent runs, start of the random numbers
    trace, traces : λ, and the kind of traces, "accumulating" or "replacing"
    step_size, per : α, a number or a schedule such as "1/n", where n counts visits of the pair, or steps
    average : report the average of all estimates so far
    episode_steps : when an episode is cut off
    start_value, start_from : q at the start; a high one is optimistic
    threads, time_limit, weights, reference, resume, checkpoint : as in td0; weights are (L,)

    Returns
    -------
    Learned: q (L,) of the mean over the runs, v = max_a q, the greedy policy, `estimates` (runs, L). No certificate.

    Raises
    ------
    OptionError : an option out of range
    NoFiniteAnswer : at γ = 1, where no finite answer exists
    NumericalError : the estimates diverge, as large steps and long accumulating traces may

    Sources
    -------
    Watkins (1989). Sutton & Barto (2018), 12.10.

    Examples
    --------
    a, then b, then the end, rewards 0 and 1, γ = 1, λ = α = 1/2. The second step has δ = 1, z(b) = 1/2 and z(a) = 1/4.

    >>> P = [[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]]
    >>> mdp = MDP(P, [[0.0], [1.0], [0.0]], 1, states=["a", "b", "end"], terminal=["end"], start={"a": 1})
    >>> q_lambda(mdp, trace=0.5, steps=2, step_size=0.5).q.tolist()
    [0.25, 0.5]
    """
    from tabular_rl.kernels import traces as kernels

    run = Learning(q_lambda, locals(), table="pairs")
    if traces not in KINDS:
        raise OptionError(
            f"--traces: found {traces!r}, expected one of {', '.join(KINDS)}: q-lambda has no true online"
        )
    walk, _ = walk_of(run)
    tables = add_traces(run, KINDS.index(traces)), run.visits, run.total, run.since, run.estimates
    return learn_by(run, kernels.q_lambda, walk, *tables)
