"""REINFORCE: a softmax policy from the returns of whole episodes."""

from __future__ import annotations

from typing import Any, Unpack

from tabular_rl.methods.gradient._actor import Actor, learn_by_climbing
from tabular_rl.methods.learning.monte_carlo import check_room, warn_of_cuts, with_episodes
from tabular_rl.model.mdp import MDP
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import method

ESTIMATORS = ("return", "return-mean", "reward-to-go", "reward-to-go-value")


@method(
    equation="θ ← θ + α Σ_t γ^t (G_t - b(s_t)) ∇log π(a_t|s_t)",
    source="Williams (1992); Sutton & Barto (2018), 13.3, 13.4",
)
def reinforce(
    mdp: MDP,
    *,
    features: o.Features = "one-hot",
    estimator: o.Estimator = "reward-to-go-value",
    batch: o.Batch = 1,
    steps: o.Steps = 1_000_000,
    step_size: o.StepSize = 0.02,
    critic_step_size: o.CriticStepSize = 0.1,
    undiscounted: o.Undiscounted = False,
    start_preferences: Any = None,
    **shared: Unpack[o.Learner],
) -> Learned:
    """Learn a softmax policy by stochastic gradient ascent on what whole episodes earn.

        θ ← θ + α Σ_t w_t Ψ_t ∇log π(a_t|s_t),    π(a|s) ∝ exp(x(s,a)·θ),    ∇log π(a|s) = x(s,a) - Σ_a' π(a'|s) x(s,a')

    With G_t = r_t + γ r_{t+1} + ... to the end of the episode, Ψ is by `estimator`

        return                G_0           w = 1
        return-mean           G_0 - b       w = 1      b the mean return of earlier episodes
        reward-to-go          G_t           w = γ^t
        reward-to-go-value    G_t - v(s_t)  w = γ^t    v(s) ← v(s) + β [ G_t - v(s) ] from earlier episodes

    and the mean of each update is α ∇J, where J is the discounted reward from the start: a baseline of earlier episodes
    leaves the mean as it is. θ stays as it is within an episode, or a batch of them, whose mean is then climbed.
    `undiscounted` sets w = 1 in the last two forms, as handouts do: for γ < 1 that is unbiased for no objective. An
    episode that is cut off after T steps makes it the gradient of the first T rewards; the rest is worth γ^T max|v| at
    most. A step takes three uniforms, whatever happens in it: the outcome; the start state of the next episode; the
    next action.

    Parameters
    ----------
    mdp : the model; with a horizon there are preferences for each time, unless features say otherwise
    features : X (L, d), a row a pair, in the order of the model's rows; "one-hot", "aggregate:N", or a file; with a
        horizon (T L, d), or (L, d) for a policy that is the same at all times
    estimator : "return", "return-mean", "reward-to-go" or "reward-to-go-value"
    batch : episodes an update
    steps, runs, seed : transitions a run, independent runs, start of the random numbers
    step_size : α, a number or a schedule, where n counts updates
    critic_step_size : β of the baseline, where n counts episodes, or visits of the state
    undiscounted : leave out γ^t
    episode_steps : when an episode is cut off (default: the horizon; when γ^T ≤ 0.0001, at most 10,000)
    start_value, start_from : the baseline at the start; by state only that of "reward-to-go-value"
    start_preferences : θ (d,) at the start (default 0: all actions equal)
    threads, time_limit, reference, resume, checkpoint : as in td0

    Returns
    -------
    Learned: `policy`, the softmax policy of the mean preferences over the runs; v (S,), the learned baseline, or else
    the exact values of that policy, NaN where no run has been; q = r + γ P v. `estimates` (runs, L) are the preferences
    x(s,a)·θ of each run, times -1 where rewards are costs. The errors of the curve, largest and root mean square alike,
    are the regret J* - J of the policy of each run, and `start` is J: both exact, by a linear solve. `extra` holds θ
    (`preferences`), `earned`, J at the end, and counts episodes, and those cut off. No certificate.

    Raises
    ------
    OptionError : an option out of range, or features that do not fit the model
    NoFiniteAnswer : at γ = 1, where a policy that takes all actions collects reward forever
    NumericalError : the preferences diverge

    Sources
    -------
    Williams (1992). Sutton & Barto (2018), 13.3 and 13.4, which move θ after each step; within an episode θ stays here.

    Examples
    --------
    One choice, reward 1 or 0. π = 1/2 each; the better one, when taken, moves θ by 1 · 1 · (1 - 1/2) and -1/2.

    >>> mdp = MDP([[[0, 1], [0, 1]], [[0, 0], [0, 0]]], [[1, 0], [0, 0]], 1, terminal=[1], start="0", axes="sas")
    >>> found = reinforce(mdp, estimator="return", step_size=1, steps=1)
    >>> found.visits.tolist(), found.extra["preferences"].tolist()
    ([[1, 0]], [[0.5, -0.5]])
    """
    from tabular_rl.kernels import actor as kernels

    run = Actor(reinforce, locals())
    option, longest = run.option, run.longest
    check_room(run, longest)
    warn_of_cuts(run, longest, longest - 1)
    form = ESTIMATORS.index(option["estimator"])
    place = run.add_walk(longest)
    number, cut = run.add_count("episode", -1), run.add_count("cut", -1)
    rows, returns = run.add_index("rows", run.mdp.L, longest), run.add("returns", 0.0, longest)
    seen = run.add_count("seen", run.mdp.S if form == 3 else 0)
    baseline = run.add("baseline", run.mdp.sign * option["start_value"], -1)
    grad, v = run.add("gradient", 0.0, run.features.d), run.critic(form == 3)
    tables = kernels.Episodes(rows, returns, number, cut, baseline), kernels.Critic(seen, v)
    answer = learn_by_climbing(run, kernels.reinforce, *tables, grad=grad, form=form, place=place)
    return run.learned(with_episodes(answer, number, cut, longest), form == 3)
