"""SARSA(λ): action values of the policy that acts, with eligibility traces."""

from __future__ import annotations

from typing import Any, Unpack

from tabular_rl.methods.learning._kept import add_traces
from tabular_rl.methods.learning._learning import Learning
from tabular_rl.methods.learning._walk import learn_by, walk_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import Method, method

KINDS = ("accumulating", "replacing", "true-online")


@method(
    equation="z ← γλ z + α e_(s,a),  q ← q + [ r + γ q(s',a') - q(s,a) ] z",
    source="Rummery & Niranjan (1994); Sutton & Barto (2018), 12.7",
    on_policy=True,
    samples_action=True,
)
def sarsa_lambda(
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
    """Learn action values of the exploring policy while it improves, each TD error shared by the pairs that led to it.

        δ = r + γ q(s',a') - q(s,a),    z ← γλ z + α e_(s,a),    q ← q + δ z,    a' the action that is taken next

    z is 0 at the start of each episode. That is `traces` "accumulating"; "replacing" sets z(s,a) = α in place of
    adding; "true-online", with what are called Dutch traces,

        z ← γλ z + α (1 - γλ z(s,a)) e_(s,a),    q ← q + δ z + (q(s,a) - w) (z - α e_(s,a))

    where w is what q(s,a) was before the last update, has after every step the values of the online λ-return. With a
    fixed exploration rate q goes near the values of the best policy that explores so, not to q*. λ = 0 is SARSA, with
    the same bits. A step takes four uniforms, as in sarsa; time and memory are as in td_lambda.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    behavior : a policy that chooses the actions, instead of `explore`; its values are then learned
    explore : how actions are chosen: "epsilon-greedy:0.1", "epsilon-visits:10", "boltzmann:1", "ucb:2", schedules too
    data : Transitions in the order of their episodes, in order, again and again, instead of samples of the model
    steps, runs, seed : transitions a run, independent runs, start of the random numbers
    trace, traces : λ, and the kind of traces
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
    Rummery & Niranjan (1994). Singh & Sutton (1996) for replacing traces. van Seijen & Sutton (2014) for true online
    ones. Sutton & Barto (2018), 12.7.

    Examples
    --------
    a, then b, then the end, rewards 0 and 1, γ = 1, λ = α = 1/2. The second step has δ = 1, z(b) = 1/2 and z(a) = 1/4.

    >>> P = [[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]]
    >>> mdp = MDP(P, [[0.0], [1.0], [0.0]], 1, states=["a", "b", "end"], terminal=["end"], start={"a": 1})
    >>> sarsa_lambda(mdp, trace=0.5, steps=2, step_size=0.5).q.tolist()
    [0.25, 0.5]
    """
    return _learn(sarsa_lambda, locals())  # the update: kernels/traces.py, sarsa_lambda


@method(
    equation="z ← γλ z + α e_(s,a),  q ← q + [ r + γ q(s',a') - q(s,a) ] z,  a' ~ π",
    source="Sutton & Barto (2018), 12.7",
    on_policy=True,
    samples_action=True,
)
def sarsa_lambda_evaluation(
    mdp: MDP,
    policy: Policy,
    *,
    data: Any = None,
    steps: o.Steps = 1_000_000,
    trace: o.Trace = 0.8,
    traces: o.Traces = "accumulating",
    step_size: o.StepSize = "n^-0.7",
    **shared: Unpack[o.RatedLearner],
) -> Learned:
    """Learn the action values of a policy from its own episodes, each TD error shared by the pairs that led to it.

        δ = r + γ q(s',a') - q(s,a),    z ← γλ z + α e_(s,a),    q ← q + δ z,    a' ~ π(·|s')

    The kinds of `traces` are those of sarsa_lambda. λ = 0 is sarsa_evaluation, with the same bits; λ = 1 with
    "true-online" traces is, at the end of an episode, constant-α Monte Carlo. A step takes four uniforms, as in sarsa.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    policy : π, whose action values are learned, and which acts
    data : Transitions in the order of their episodes, in order, again and again, instead of samples of the model
    steps, runs, seed : transitions a run, independent runs, start of the random numbers
    trace, traces : λ, and the kind of traces
    step_size, per : α, a number or a schedule such as "1/n", where n counts visits of the pair, or steps
    average : report the average of all estimates so far
    episode_steps : when an episode is cut off
    start_value, start_from : q at the start
    threads, time_limit, weights, reference, resume, checkpoint : as in td0; weights are (L,)

    Returns
    -------
    Learned: q (L,) of the mean over the runs, v = Σ_a π q, `estimates` (runs, L). No certificate.

    Raises
    ------
    OptionError : an option out of range
    NoFiniteAnswer : at γ = 1, where the policy collects reward forever
    NumericalError : the estimates diverge, as large steps and long accumulating traces may

    Sources
    -------
    As for sarsa_lambda.

    Examples
    --------
    One state that pays 1 a step, γ = 1/2, λ = 1, α = 1. First δ = 1, z = 1, q = 1; then δ = 1 + 1/2 - 1, z = 1/2 + 1.

    >>> mdp = MDP([[[1.0]]], [[1.0]], "1/2")
    >>> pi = Policy.uniform(mdp)
    >>> [sarsa_lambda_evaluation(mdp, pi, trace=1, steps=n, step_size=1).q.tolist() for n in (1, 2)]
    [[1.0], [1.75]]
    """
    return _learn(sarsa_lambda_evaluation, locals())  # the update: kernels/traces.py, sarsa_lambda


def _learn(method: Method[..., Learned], given: dict[str, Any]) -> Learned:
    from tabular_rl.kernels import traces as kernels

    run = Learning(method, given, table="pairs")
    walk, _ = walk_of(run, again=3)
    kind = KINDS.index(run.option["traces"])
    tables = add_traces(run, kind), run.visits, run.total, run.since, run.estimates
    return learn_by(run, kernels.sarsa_lambda, walk, *tables)
