"""Semi-gradient TD(0) with linear features."""

from __future__ import annotations

from typing import Any, Unpack

from tabular_rl.methods.learning._linear import LinearLearning
from tabular_rl.methods.learning._walk import learn_by, walk_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import method


@method(
    equation="w ← w + α ρ [ r + γ w·x(s') - w·x(s) ] x(s)",
    source="Sutton & Barto (2018), 9.3, 9.4; off policy 11.1, (11.2)",
    samples_action=True,
)
def linear_td(
    mdp: MDP,
    policy: Policy,
    *,
    features: o.Features = "one-hot",
    behavior: Policy | None = None,
    steps: o.Steps = 1_000_000,
    step_size: o.StepSize = 0.01,
    source: o.Source = "trajectory",
    start_weights: Any = None,
    target: o.Target = "none",
    **shared: Unpack[o.RatedLearner],
) -> Learned:
    """Learn a linear approximation w·x(s) of the values of a policy, by semi-gradient TD(0).

        w ← w + α ρ [ r + γ w·x(s') - w·x(s) ] x(s),    ρ = π(a|s) / b(a|s)

    No gradient goes through w·x(s'), so this descends no objective. On policy w comes to the fixed point of the
    projected Bellman equation, Xᵀ D (X - γ P X) w = Xᵀ D r, which `laws.projected.td_fixed_point` solves; off policy
    it may diverge (Baird's star does). One-hot features are the table. A step takes three uniforms, as in td0.

    Parameters
    ----------
    mdp : the model; with a horizon each time has its own rows of features
    policy : π, whose values are learned
    features : X (S, d), a row a state; "one-hot", "aggregate:N", or a file
    behavior : b, which chooses the actions (default: π); it must take every action that π takes
    steps, runs, seed, per, average, source, episode_steps : as in td0
    step_size : α; small enough for the features, or the weights diverge
    start_value, start_from, start_weights : the weights at the start: one number, by state (one-hot), or (d,)
    target : read s' by a copy of the weights: "copy:M" made every M steps, "average:T" moving
    threads, time_limit, weights, reference, resume, checkpoint : as in td0

    Returns
    -------
    Learned: v = X w of the mean over the runs, `estimates` (runs, S); `extra["weights"]` (runs, d) are the weights
        of each run. No certificate.

    Raises
    ------
    OptionError : an option out of range, or features that do not fit the model
    NumericalError : the weights diverge
    NoFiniteAnswer : at γ = 1, where no finite answer exists

    Sources
    -------
    Tsitsiklis & Van Roy (1997). Baird (1995). Sutton & Barto (2018), section 9.4.

    Examples
    --------
    One feature x = 2, reward 1, then the end; α = 1/4: w = 1/4 · 1 · 2 = 1/2, so v = 1.

    >>> mdp = MDP([[[0, 1]], [[0, 0]]], [[1.0], [0.0]], 1, states=["a", "end"], terminal=["end"])
    >>> linear_td(mdp, Policy.uniform(mdp), features=[[2.0], [7.0]], steps=1, step_size=0.25)["a"]
    1.0
    """
    from tabular_rl.kernels import linear

    run = LinearLearning(linear_td, locals(), table="states")
    walk, bar = walk_of(run, rho=run.rho())
    tables = run.visits, linear.Weights(run.total, run.since, bar, run.w)
    return run.learned(learn_by(run, linear.linear_td, walk, *tables, settings=(run.features,)))
