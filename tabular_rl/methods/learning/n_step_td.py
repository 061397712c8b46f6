"""n-step TD: the values of a policy from returns of n rewards."""

from __future__ import annotations

from typing import Any, Unpack

from tabular_rl.errors import OptionError
from tabular_rl.methods.learning._n_step import learn_n_step
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import method


@method(
    equation="v(s) ← v(s) + α [ r_1 + γ r_2 + ... + γ^(n-1) r_n + γ^n v(s_n) - v(s) ]",
    source="Sutton & Barto (2018), 7.1, (7.2); off policy (7.9), (7.13)",
    samples_action=True,
)
def n_step_td(
    mdp: MDP,
    policy: Policy,
    *,
    behavior: Policy | None = None,
    data: Any = None,
    steps: o.Steps = 1_000_000,
    n: o.Lookahead = 4,
    importance: o.Importance = "per-decision",
    step_size: o.StepSize = "n^-0.7",
    **shared: Unpack[o.RatedLearner],
) -> Learned:
    """Learn the values of a policy from the next n rewards and the value of the state after them.

        v(s) ← v(s) + α [ G - v(s) ],    G = r_1 + γ r_2 + ... + γ^(n-1) r_n + γ^n v(s_n)

    A state is updated n - 1 steps after it was left; at the end of an episode all states that still wait are, the
    oldest first, by the rewards there were; at a cut likewise, with the value of the state where it was cut. n = 1 is
    TD(0), with the same bits. Off policy, with ρ = π(a|s) / b(a|s):

        ordinary        v(s) ← v(s) + α ρ_0 ρ_1 ... ρ_(n-1) [ G - v(s) ]
        per-decision    G_t = ρ_t (r_(t+1) + γ G_(t+1)) + (1 - ρ_t) v(s_t),  from G_n = v(s_n)

    Both aim at v_π on average; the second varies less. A step takes three uniforms, as in td0, and time and memory in
    proportion to n.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    policy : π, whose values are learned
    behavior : b, which chooses the actions (default: π); it must take every action that π takes
    data : Transitions in the order of their episodes, in order, again and again, instead of samples of the model
    steps, runs, seed : transitions a run, independent runs, start of the random numbers
    n : rewards in a return
    importance : "per-decision" or "ordinary", which differ off policy only
    step_size, per : α, a number or a schedule such as "1/n", where n counts updates of s, or steps
    average : report the average of all estimates so far
    episode_steps : when an episode is cut off
    start_value, start_from : v at the start
    threads, time_limit, weights, reference, resume, checkpoint : as in td0

    Returns
    -------
    Learned: v (S,) of the mean over the runs, `estimates` (runs, S), the curve of the errors. No certificate. The last
    n - 1 states of the run still wait for their update.

    Raises
    ------
    OptionError : an option out of range, or a behaviour that lacks an action of the policy
    NoFiniteAnswer : at γ = 1, where the policy collects reward forever
    NumericalError : the estimates diverge

    Sources
    -------
    Sutton & Barto (2018), (7.2), (7.9), (7.13). De Asis & Sutton (2018) for the ratios per decision.

    Examples
    --------
    a, then b, then the end, rewards 1 and 2, γ = 1/2, α = 1/2, n = 2: after two steps v(a) = 1/2 (1 + 1/2 · 2) and
    v(b) = 1/2 · 2.

    >>> P = [[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]]
    >>> mdp = MDP(P, [[1.0], [2.0], [0.0]], "1/2", states=["a", "b", "end"], terminal=["end"], start={"a": 1})
    >>> n_step_td(mdp, Policy.uniform(mdp), n=2, steps=2, step_size=0.5).v.tolist()
    [1.0, 1.0, 0.0]
    """
    given = locals()
    if importance == "weighted":
        raise OptionError(
            "--importance: found 'weighted', expected ordinary or per-decision; monte-carlo has weighted"
        )
    return learn_n_step(n_step_td, given, importance)
