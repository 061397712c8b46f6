"""Actor-critic: a softmax policy from single transitions, with state values that are learned beside it."""

from __future__ import annotations

from typing import Any, Unpack

from tabular_rl.methods.gradient._actor import Actor, learn_by_climbing
from tabular_rl.model.mdp import MDP
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import Method, method


@method(
    equation="θ ← θ + α γ^t δ ∇log π(a|s),  δ = r + γ v(s') - v(s),  v(s) ← v(s) + β δ",
    source="Sutton & Barto (2018), 13.5",
)
def actor_critic(
    mdp: MDP,
    *,
    features: o.Features = "one-hot",
    steps: o.Steps = 1_000_000,
    step_size: o.StepSize = 0.02,
    critic_step_size: o.CriticStepSize = 0.1,
    undiscounted: o.Undiscounted = False,
    start_preferences: Any = None,
    **shared: Unpack[o.Learner],
) -> Learned:
    """Learn a softmax policy and the values of its states from single transitions.

        δ = r + γ v(s') - v(s),    v(s) ← v(s) + β δ,    θ ← θ + α γ^t δ ∇log π(a|s)

    t counts the steps of the episode, v of a terminal state counts 0, and π(a|s) ∝ exp(x(s,a)·θ). With v = v_π the
    mean of Σ_t γ^t δ_t ∇log π is the gradient of J, the discounted reward from the start. The critic v is not v_π while
    it learns, and what is missing is a bias: Σ_s d(s) Σ_a π(a|s) ∇log π(a|s) γ Σ_s' p(s'|s,a) [ v(s') - v_π(s') ], with
    d the discounted visits. `undiscounted` leaves out γ^t, as handouts do: for γ < 1 that is unbiased for no
    objective. An episode that is cut off is no end: δ takes v(s') there. A step takes three uniforms, as in reinforce.

    Parameters
    ----------
    mdp, features, steps, runs, seed : as in reinforce
    step_size : α, a number or a schedule, where n counts steps
    critic_step_size : β, where n counts visits of the state; above α, so that the critic keeps up with the policy
    undiscounted : leave out γ^t
    episode_steps : when an episode is cut off (default: the horizon; when γ^T ≤ 0.0001, at most 10,000)
    start_value, start_from : v at the start
    start_preferences, threads, time_limit, reference, resume, checkpoint : as in reinforce

    Returns
    -------
    Learned: as of reinforce; v is that of the critic, the mean over the runs, and `extra["critic"]` (runs, S) that of
    each run.

    Raises
    ------
    OptionError : an option out of range, or features that do not fit the model
    NoFiniteAnswer : at γ = 1, where a policy that takes all actions collects reward forever
    NumericalError : the preferences diverge

    Sources
    -------
    Barto, Sutton & Anderson (1983). Sutton & Barto (2018), 13.5.

    Examples
    --------
    One choice, reward 1 or 0, then the end. The better one: δ = 1, v = 1/2, θ = (0, 0) + 1 · (1/2, -1/2).

    >>> mdp = MDP([[[0, 1], [0, 1]], [[0, 0], [0, 0]]], [[1, 0], [0, 0]], 1, terminal=[1], start="0", axes="sas")
    >>> found = actor_critic(mdp, step_size=1, critic_step_size=0.5, steps=1)
    >>> found["0"], found.extra["preferences"].tolist()
    (0.5, [[0.5, -0.5]])
    """
    return _learn(actor_critic, locals())


@method(
    equation="θ ← θ + α mean γ^t (δ ∇log π(a|s) + τ ∇H(π(·|s))),  v(s) ← v(s) + β mean δ",
    source="Mnih et al. (2016)",
)
def advantage_actor_critic(
    mdp: MDP,
    *,
    features: o.Features = "one-hot",
    batch: o.Batch = 20,
    entropy: o.Entropy = 0.0,
    steps: o.Steps = 1_000_000,
    step_size: o.StepSize = 0.2,
    critic_step_size: o.CriticStepSize = 0.2,
    undiscounted: o.Undiscounted = False,
    start_preferences: Any = None,
    **shared: Unpack[o.Learner],
) -> Learned:
    """Learn a softmax policy and the values of its states from batches of transitions.

        θ ← θ + α mean_t γ^t [ δ_t ∇log π(a_t|s_t) + τ ∇H(π(·|s_t)) ],    δ_t = r_t + γ v(s_{t+1}) - v(s_t)

    The mean runs over `batch` steps, in which θ and v stay as they are, across the ends of episodes; then v(s) moves by
    β times the mean δ of its visits in the batch. τ is `entropy`, the weight of H(π) = -Σ_a π log π of the states
    visited, which keeps the policy from settling early, and from the best one in the end. δ is an estimate of the
    advantage, with the bias of the critic: see actor_critic, which this is with a batch of one step. A step takes three
    uniforms, as in reinforce.

    Parameters
    ----------
    mdp, features, steps, runs, seed : as in reinforce
    batch : steps an update
    entropy : τ
    step_size : α, a number or a schedule, where n counts updates
    critic_step_size : β, where n counts the batches in which the state was visited
    undiscounted, episode_steps, start_value : as in actor_critic
    start_preferences, threads, time_limit, reference, resume, checkpoint : as in reinforce

    Returns
    -------
    Learned: as of actor_critic.

    Raises
    ------
    OptionError : an option out of range, or features that do not fit the model
    NoFiniteAnswer : at γ = 1, where a policy that takes all actions collects reward forever
    NumericalError : the preferences diverge

    Sources
    -------
    Mnih et al. (2016), Asynchronous methods for deep reinforcement learning, whose advantage looks n steps ahead; here
    one, the TD(0) error.

    Examples
    --------
    One choice, reward 1 either way, then the end: δ = 1 in both steps of the batch, and v = 1/2 · 1.

    >>> mdp = MDP([[[0, 1], [0, 1]], [[0, 0], [0, 0]]], [[1, 1], [0, 0]], 1, terminal=[1], start="0", axes="sas")
    >>> advantage_actor_critic(mdp, batch=2, critic_step_size=0.5, steps=2)["0"]
    0.5
    """
    return _learn(advantage_actor_critic, locals())


def _learn(method: Method[..., Learned], given: dict[str, Any]) -> Learned:
    from tabular_rl.kernels import actor as kernels

    run = Actor(method, given)
    place = run.add_walk(run.longest)
    weight, seen = run.add("weight", 1.0, -1, within=(0.0, 1.0)), run.add_count("seen", run.mdp.S)
    S, d = (run.mdp.S, run.features.d) if run.option.get("batch", 1) > 1 else (0, 0)
    running = kernels.Running(weight, run.add("sums", 0.0, S), run.add_count("counts", S))
    grad, critic = run.add("gradient", 0.0, d), kernels.Critic(seen, run.critic(True))
    answer = learn_by_climbing(run, kernels.actor_critic, running, critic, grad=grad, place=place)
    return run.learned(answer, True)
