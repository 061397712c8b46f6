"""Semi-gradient Q-learning and expected SARSA with linear features."""

from __future__ import annotations

from typing import Any, Unpack

from tabular_rl.methods.learning._linear import LinearLearning, times
from tabular_rl.methods.learning._walk import learn_by, walk_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import Method, method


@method(
    equation="w ← w + α [ r + γ max_a' w·x(s',a') - w·x(s,a) ] x(s,a)",
    source="Sutton & Barto (2018), 10.1, 11.1",
)
def linear_q_learning(
    mdp: MDP,
    *,
    features: o.Features = "one-hot",
    behavior: Policy | None = None,
    steps: o.Steps = 1_000_000,
    step_size: o.StepSize = 0.01,
    explore: o.Explore = "epsilon-greedy:0.1",
    source: o.Source = "trajectory",
    start_weights: Any = None,
    target: o.Target = "none",
    **shared: Unpack[o.RatedLearner],
) -> Learned:
    """Learn a linear approximation w·x(s,a) of the optimal action values, by semi-gradient Q-learning.

        w ← w + α [ r + γ max_a' w̄·x(s',a') - w·x(s,a) ] x(s,a)

    w̄ is w itself, or a copy of it (`target`), which slows the moving targets down. With features that are not
    one-hot it may diverge, and what it converges to need not be near q*. A step takes three uniforms, as in q_learning.

    Parameters
    ----------
    mdp : the model; with a horizon each time has its own rows of features
    features : X (L, d), a row a pair, in the order of the model's rows; "one-hot", "aggregate:N", or a file
    behavior : a policy that chooses the actions, instead of `explore`
    explore : how actions are chosen, as in q_learning
    steps, runs, seed, per, average, source, episode_steps : as in q_learning
    step_size : α; small enough for the features, or the weights diverge
    start_value, start_from, start_weights : the weights at the start: one number, by state (one-hot), or (d,)
    target : read s' by a copy of the weights: "copy:M" made every M steps, "average:T" moving
    threads, time_limit, weights, reference, resume, checkpoint : as in q_learning

    Returns
    -------
    Learned: q = X w of the mean over the runs, the greedy policy, `estimates` (runs, L); `extra["weights"]` (runs,
        d) are the weights of each run. No certificate.

    Raises
    ------
    OptionError : an option out of range, or features that do not fit the model
    NumericalError : the weights diverge
    NoFiniteAnswer : at γ = 1, where no finite answer exists

    Sources
    -------
    Baird (1995). Sutton & Barto (2018), sections 10.1 and 11.1.

    Examples
    --------
    One feature x = 2, reward 1, then the end; α = 1/4: w = 1/4 · 1 · 2 = 1/2, so q = 1.

    >>> mdp = MDP([[[0, 1]], [[0, 0]]], [[1.0], [0.0]], 1, states=["a", "end"], terminal=["end"])
    >>> linear_q_learning(mdp, features=[[2.0]], steps=1, step_size=0.25).q.tolist()
    [1.0]
    """
    return _learn(linear_q_learning, locals())


@method(
    equation="w ← w + α [ r + γ Σ_a' π(a'|s') w·x(s',a') - w·x(s,a) ] x(s,a)",
    source="Sutton & Barto (2018), 10.1, 11.1",
)
def linear_q_evaluation(
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
    """Learn a linear approximation w·x(s,a) of the action values of a policy, by semi-gradient expected SARSA.

        w ← w + α [ r + γ Σ_a' π(a'|s') w̄·x(s',a') - w·x(s,a) ] x(s,a)

    The update of the handouts for data D of any policy: on policy w comes to the projected fixed point, which
    `laws.projected.q_fixed_point` solves; off policy it may diverge. A step takes three uniforms, as in q_learning.

    Parameters
    ----------
    mdp : the model; with a horizon each time has its own rows of features
    policy : π, whose action values are learned
    features : X (L, d), a row a pair, in the order of the model's rows; "one-hot", "aggregate:N", or a file
    behavior : b, which chooses the actions (default: π); it must take every action that π takes
    steps, runs, seed, per, average, source, episode_steps : as in q_learning
    step_size : α; small enough for the features, or the weights diverge
    start_value, start_from, start_weights : the weights at the start: one number, by state (one-hot), or (d,)
    target : read s' by a copy of the weights: "copy:M" made every M steps, "average:T" moving
    threads, time_limit, weights, reference, resume, checkpoint : as in q_learning

    Returns
    -------
    Learned: q = X w of the mean over the runs, v = Σ_a π q, `estimates` (runs, L); `extra["weights"]` (runs, d) are
        the weights of each run. No certificate.

    Raises
    ------
    OptionError : an option out of range, or features that do not fit the model
    NumericalError : the weights diverge
    NoFiniteAnswer : at γ = 1, where no finite answer exists

    Sources
    -------
    Sutton & Barto (2018), section 11.1.

    Examples
    --------
    One feature x = 2, reward 1, then the end; α = 1/4: w = 1/4 · 1 · 2 = 1/2, so q = 1.

    >>> mdp = MDP([[[0, 1]], [[0, 0]]], [[1.0], [0.0]], 1, states=["a", "end"], terminal=["end"])
    >>> linear_q_evaluation(mdp, Policy.uniform(mdp), features=[[2.0]], steps=1, step_size=0.25).q.tolist()
    [1.0]
    """
    return _learn(linear_q_evaluation, locals())


def _learn(method: Method[..., Learned], given: dict[str, Any]) -> Learned:
    from tabular_rl.kernels.linear import Weights, linear_q

    run = LinearLearning(method, given, table="pairs")
    walk, bar = walk_of(run, pi=None if run.policy is None else run.policy.weights)
    run.estimates[:] = times(run.features, run.w)
    tables = run.visits, run.estimates, Weights(run.total, run.since, bar, run.w)
    return run.learned(learn_by(run, linear_q, walk, *tables, settings=(run.features,)))
