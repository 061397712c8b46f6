"""TD(λ): the values of a policy from all that follows, with eligibility traces."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from tabular_rl.errors import OptionError
from tabular_rl.methods.learning._kept import add_traces
from tabular_rl.methods.learning._learning import Learning
from tabular_rl.methods.learning._walk import learn_by, walk_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import method

KINDS = ("accumulating", "replacing", "true-online")


@method(
    equation="z ← ρ (γλ z + α e_s),  v ← v + [ r + γ v(s') - v(s) ] z",
    source="Sutton & Barto (2018), 12.2, (12.5) to (12.7), off policy (12.25); true online 12.5",
    samples_action=True,
)
def td_lambda(
    mdp: MDP,
    policy: Policy,
    *,
    behavior: Policy | None = None,
    data: Any = None,
    steps: o.Steps = 1_000_000,
    trace: o.Trace = 0.8,
    traces: o.Traces = "accumulating",
    step_size: o.StepSize = "n^-0.7",
    **shared: Unpack[o.RatedLearner],
) -> Learned:
    """Learn the values of a policy, each TD error shared by the states that led to it.

        δ = r + γ v(s') - v(s),    z ← ρ (γλ z + α e_s),    v ← v + δ z

    z is 0 at the start of each episode; ρ = π(a|s) / b(a|s) is 1 on policy. α stands in the trace, so that each visit
    counts with its own step size. That is `traces` "accumulating": in an episode that meets no state twice, each
    state moves by α towards its λ-return; else it does so to first order in α. "replacing" sets z(s) = ρ α in place of
    adding. "true-online", on policy,

        z ← γλ z + α (1 - γλ z(s)) e_s,    v ← v + δ z + (v(s) - w) (z - α e_s)

    where w is what v(s) was before the last update, has after every step exactly the values of the online λ-return:
    what v would be if all updates of the episode, in turn from its start, aimed at the λ-returns as far as they are
    known. With λ = 1 that is, at the end of an episode, constant-α Monte Carlo, and with α = 1/n the mean of the
    returns of every visit. λ = 0 is TD(0), with the same bits, whatever the traces.

    A step takes three uniforms, as in td0, and time in proportion to the states with a trace: those of the episode so
    far, of which each fades after 691 / -ln γλ steps (traces below 1e-300 are 0). Memory is two more numbers a state.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    policy : π, whose values are learned
    behavior : b, which chooses the actions (default: π); it must take every action that π takes
    data : Transitions in the order of their episodes, in order, again and again, instead of samples of the model
    steps, runs, seed : transitions a run, independent runs, start of the random numbers
    trace, traces : λ, and the kind of traces
    step_size, per : α, a number or a schedule such as "1/n", where n counts visits of s, or steps
    average : report the average of all estimates so far
    episode_steps : when an episode is cut off
    start_value, start_from : v at the start
    threads, time_limit, weights, reference, resume, checkpoint : as in td0

    Returns
    -------
    Learned: v (S,) of the mean over the runs, `estimates` (runs, S), the curve of the errors. No certificate.

    Raises
    ------
    OptionError : an option out of range, a behaviour that lacks an action of the policy, true online off policy
    NoFiniteAnswer : at γ = 1, where the policy collects reward forever
    NumericalError : the estimates diverge, as large steps and long accumulating traces may

    Sources
    -------
    Sutton (1988). Singh & Sutton (1996) for replacing traces. van Seijen & Sutton (2014); van Seijen et al. (2016) for
    true online ones. Sutton & Barto (2018), chapter 12.

    Examples
    --------
    a, then b, then the end, rewards 0 and 1, γ = 1, λ = α = 1/2. The second step has δ = 1, z(b) = 1/2 and z(a) = 1/4.

    >>> P = [[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]]
    >>> mdp = MDP(P, [[0.0], [1.0], [0.0]], 1, states=["a", "b", "end"], terminal=["end"], start={"a": 1})
    >>> td_lambda(mdp, Policy.uniform(mdp), trace=0.5, steps=2, step_size=0.5).v.tolist()
    [0.25, 0.5, 0.0]
    """
    from tabular_rl.kernels import traces as kernels

    run = Learning(td_lambda, locals(), table="states")
    assert run.policy is not None and run.behavior is not None
    if traces == "true-online" and not np.array_equal(run.policy.weights, run.behavior.weights):
        raise OptionError(
            "--traces: found 'true-online' with --behavior, expected accumulating or replacing off policy"
        )
    walk, _ = walk_of(run, rho=run.rho())
    tables = add_traces(run, KINDS.index(traces)), run.visits, run.total, run.since, run.estimates
    return learn_by(run, kernels.td_lambda, walk, *tables)
