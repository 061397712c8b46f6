"""Actor-critic: updates by hand and by its twin, the exact mean of an update and its bias, and what it finds.

Statistical tests: the last two draw fresh seeds; their false alarms are rarer than 1e-11 each.
"""

from __future__ import annotations

import math
from pathlib import Path

import actors
import numpy as np
import pytest
import reference
import reference_actor as twins
from learners import fresh_seed, hand_model, listed, settings
from random_models import random_model

from tabular_rl import (
    MDP,
    NoFiniteAnswer,
    OptionError,
    Status,
    actor_critic,
    advantage_actor_critic,
    learn,
    load,
)
from tabular_rl.kernels import actor as kernels
from tabular_rl.kernels.actor import Running

MODELS = Path(__file__).resolve().parents[2] / "mdps"
METHODS = ("actor-critic", "advantage-actor-critic")
methods = pytest.mark.parametrize("method", METHODS)

# Start in a, left: to b for 0; b, left: to a for 0; a, right: to b for 1; b, left: the end for 4; start in a.
WALK = [0.0, 0.0, 0.7, 0.9, 0.9, 0.7, 0.9, 0.9, 0.9, 0.9, 0.9, 0.2, 0.0, 0.0]


def theta_of(answer):
    return answer.extra["preferences"]


def by_hand(monkeypatch, steps, function=actor_critic, sense="max", **options):
    listed(monkeypatch, WALK[: 2 + 3 * steps])
    options = {"step_size": 1, "critic_step_size": 0.5, "reference": False, **options}
    return function(hand_model(sense), steps=steps, **options)


# -- by hand ----------------------------------------------------------------------------------------------------------


def test_steps_by_hand(monkeypatch):
    """From v = 1, γ = β = 1/2: δ = 0 + 1/2 - 1, then in b 0 + 3/8 - 1, then in a 1 + 11/32 - 3/4 with π by θ = ∓1/4."""
    one = by_hand(monkeypatch, 1, start_value=1)
    assert one.v.tolist()[:1] == [0.75] and math.isnan(one.v[1]) and one.visits.tolist() == [[1, 0, 0]]
    assert theta_of(one).tolist() == [[-0.25, 0.25, 0]] and one.status is Status.SAMPLED
    two = by_hand(monkeypatch, 2, start_value=1)
    assert two.v.tolist() == [0.75, 0.6875, 0] and theta_of(two).tolist() == [[-0.25, 0.25, 0]]
    delta, left = 1 + 0.6875 / 2 - 0.75, 1 / (1 + math.exp(0.5))
    for undiscounted, weight in ((False, 0.25), (True, 1.0)):  # γ² at the third step
        three = by_hand(monkeypatch, 3, start_value=1, undiscounted=undiscounted)
        assert three.v.tolist() == [0.75 + delta / 2, 0.6875, 0]
        moved = theta_of(three)[0, 1] - 0.25
        assert moved == pytest.approx(weight * delta * left, rel=1e-14) and delta == 0.59375
    four = by_hand(monkeypatch, 4, start_value=1)
    assert four.v[1] == 0.6875 + (4 - 0.6875) / 2  # the end counts 0
    assert four.extra["critic"].tolist() == [four.v.tolist()]
    assert four.state["arrays"]["weight"].tolist() == [1.0]  # a new episode


def test_schedules_count_steps_and_visits(monkeypatch):
    """β = 1/n by visits: v(a) is the first target, then half the way; α = 1/n by steps: 1/3 in the third."""
    three = by_hand(monkeypatch, 3, start_value=1, step_size="1/n", critic_step_size="1/n", undiscounted=True)
    # v(a) = 1/2; v(b) = 1/4; δ = 1 + 1/8 - 1/2 = 5/8, v(a) = 1/2 + 5/16.
    assert three.v.tolist() == [0.8125, 0.25, 0]
    moved = theta_of(three)[0, 1] - 0.25
    assert moved == pytest.approx(0.625 / 3 / (1 + math.exp(0.5)), rel=1e-14)


def test_batch_by_hand(monkeypatch):
    """Three steps with θ = 0 and v = 1: δ = -1/2 in a (left), -1/2 in b, 1/2 in a (right, weight 1/4)."""
    a2c = {"function": advantage_actor_critic, "start_value": 1, "batch": 3}
    three = by_hand(monkeypatch, 3, step_size=0.75, **a2c)
    moved = 0.25 * (-0.5 / 2 - 0.25 * 0.5 / 2)  # α / 3 Σ w δ (1/2)
    assert theta_of(three).tolist() == [[moved, -moved, 0]]
    assert three.v.tolist() == [1.0, 0.75, 0]  # the mean δ of a is 0
    two = by_hand(monkeypatch, 2, **a2c)
    assert not theta_of(two).any() and np.isfinite(two.v).all() and two.v.tolist() == [1, 1, 0]
    plain = by_hand(monkeypatch, 3, step_size=0.75, undiscounted=True, **a2c)
    assert theta_of(plain).tolist() == [[0.25 * (-0.25 - 0.25), 0.25 * 0.5, 0]]


def test_entropy_by_hand(monkeypatch):
    """π = (3/4, 1/4): ∂H/∂θ(left) = -3/4 (log(3/4) + H) = -(3/16) log 3, as H = 2 log 2 - (3/4) log 3."""
    options = {"start_value": 1, "batch": 1, "start_preferences": [math.log(3), 0, 0]}
    plain, more = (
        theta_of(by_hand(monkeypatch, 1, advantage_actor_critic, entropy=tau, **options)) for tau in (0, 2.0)
    )
    gradient = 3 / 16 * math.log(3)
    assert (more - plain)[0] == pytest.approx([-2 * gradient, 2 * gradient, 0], rel=1e-13)
    batch = {**options, "batch": 3}
    plain, more = (
        theta_of(by_hand(monkeypatch, 3, advantage_actor_critic, entropy=tau, **batch)) for tau in (0, 2.0)
    )  # twice in a, at weights 1 and γ²; in b there is no choice, and no entropy
    mean = 2 * gradient * 1.25 / 3
    assert (more - plain)[0] == pytest.approx([-mean, mean, 0], rel=1e-13)


def test_batch_of_one_step_is_the_one_step_learner():
    mdp = hand_model()
    options = {"steps": 500, "runs": 3, "step_size": 0.1, "critic_step_size": 0.25, "reference": False}
    one, other = actor_critic(mdp, **options), advantage_actor_critic(mdp, batch=1, **options)
    assert theta_of(one).tobytes() == theta_of(other).tobytes() and one.v.tobytes() == other.v.tobytes()


def test_costs_by_hand(monkeypatch):
    one = by_hand(monkeypatch, 4, start_value=1)
    other = by_hand(monkeypatch, 4, sense="min", start_value=-1)
    assert theta_of(other).tobytes() == theta_of(one).tobytes() and theta_of(one).any()
    assert other.v.tolist() == (-one.v).tolist() and other.q.tolist() == (-one.q).tolist()


def test_cut_is_no_end():
    """One state that pays 1 forever, γ = 1/2: cut after each step, v still goes on to 2, and the weight stays 1."""
    loop = MDP([[[1.0], [1.0]]], [[1.0, 1.0]], "1/2")
    answer = actor_critic(loop, steps=60, episode_steps=1, critic_step_size=0.5, reference=False)
    assert answer["0"] == pytest.approx(2 * (1 - 0.75**60), rel=1e-12)
    assert answer.state["arrays"]["weight"].tolist() == [1.0]


# -- kernel = twin ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seed", [*range(6), *(pytest.param(k, marks=pytest.mark.slow) for k in range(6, 16))]
)
def test_walk_equals_its_twin(seed):
    """Random models, features one-hot and not, batches, entropy, weights, cuts; tables of terminal states are NaN."""
    mdp = random_model(seed, ("discounted", "total-reward")[seed % 2], exact=False, ends=1)
    batch, entropy, d = (1, 4)[seed // 2 % 2], (0.0, 0.3)[seed // 4 % 2], (None, 3)[seed // 8]
    given = actors.Tables(mdp, seed=seed, d=d)
    given.theta *= (1.0, 400.0)[seed % 5 == 4]  # some probabilities are 0
    how = actors.ascent(weighted=seed % 3 > 0, batch=batch, entropy=entropy, beta="0.9*n^-0.7")
    step_size = actors.code(("0.1", "0.5*n^-0.6")[seed % 2])
    walk = settings(episode_steps=(5, 1000)[seed // 3 % 2], step_size=step_size)
    start, left = given.rng.random((given.runs, 2)), []
    for module in (kernels, twins):
        critic, actor = given.begun(module, start)
        clock, row = given.counts(), given.row.copy()
        tables = clock, row, given.x, how, running(given), critic, actor
        uniforms = np.split(np.random.default_rng(seed).random((given.runs, 150, 3)), 2, axis=1)
        for part, u in enumerate(uniforms):
            module.actor_critic(given.model, None, walk, np.ascontiguousarray(u), 75 * part, *tables)
        left.append(actors.bits(clock, row, *tables[4:]))
    assert left[0] == left[1]
    assert np.isnan(critic.v).sum() == given.runs * given.whole.terminal.sum()


def running(given):
    """Nothing yet: every weight is 1, every sum 0."""
    return Running(np.ones(given.runs), np.zeros((given.runs, given.whole.S)), given.counts(given.whole.S))


# -- the exact mean of an update, and the bias of the critic ----------------------------------------------------------


def mean_update(mdp, critic, *, weighted=True, batch=2, alpha=1.0, beta=1e-300):
    """Σ p (θ' - θ) over all episodes from a critic (T + 1, S), by the kernel; NaN stands for the values at the end."""
    paths = actors.episodes(mdp, actors.THETA)
    given = actors.Tables(mdp, runs=len(paths))
    given.v[:] = np.where(given.whole.terminal, math.nan, np.ravel(critic))
    given.theta[:] = actors.THETA
    flat = np.array([actors.in_turn(path) for path in paths])
    critic, actor = given.begun(kernels, np.ascontiguousarray(flat[:, :2]))
    how = actors.ascent(weighted=weighted, batch=batch, beta=beta)
    walk = settings(episode_steps=99, step_size=actors.code(alpha))
    uniforms = flat[:, 2:].reshape(given.runs, -1, 3)
    tables = given.counts(), given.row, given.x, how, running(given), critic, actor
    kernels.actor_critic(given.model, None, walk, uniforms, 0, *tables)
    return np.array([p for p, *_ in paths]) @ (actor.theta - actors.THETA)


@pytest.mark.parametrize("sense", ["max", "min"])
def test_with_the_values_of_the_policy_the_mean_is_the_gradient(sense):
    mdp = actors.two_steps(sense)
    true, _ = actors.values(mdp, actors.THETA)
    exact = actors.gradient(mdp, actors.THETA)
    assert 2 * mean_update(mdp, true) == pytest.approx(exact, abs=1e-14) and np.abs(exact).max() > 0.3


def test_bias_of_a_wrong_critic():
    """Σ_t γ^t d_t π [ γ P (v - v_π), less its mean in the state ]: as is said, and a baseline alone does no harm."""
    mdp = actors.two_steps()
    true, _ = actors.values(mdp, actors.THETA)
    exact = actors.gradient(mdp, actors.THETA)
    wrong = true + [[5.0, -3.0], [2.0, -1.0], [0.0, 0.0]]
    mean = 2 * mean_update(mdp, wrong)
    assert mean == pytest.approx(actors.gradient(mdp, actors.THETA, critic=wrong), abs=1e-14)
    bias = mean - exact
    assert np.abs(bias[:4]).max() > 0.1 and bias[4:] == pytest.approx(np.zeros(4), abs=1e-14)
    # What stands in the documentation, term by term.
    pi, P = actors.policies(mdp, actors.THETA)[0], mdp.P.toarray()
    said = np.zeros(4)
    for s in range(2):
        for a in mdp.rows(s):
            score = np.array([(i == a) - pi[i] if i in mdp.rows(s) else 0.0 for i in range(4)])
            said += mdp.start[s] * pi[a] * score * 0.9 * (P[a] @ (wrong - true)[1])
    assert bias[:4] == pytest.approx(said, abs=1e-14)
    # Only values of the states to come are wrong: v of the first time is a baseline.
    first = true + [[5.0, -3.0], [0.0, 0.0], [0.0, 0.0]]
    assert 2 * mean_update(mdp, first) == pytest.approx(exact, abs=1e-14)


def test_without_the_weight_the_mean_is_no_gradient():
    """What handouts write: with exact values and γ < 1 it is neither the discounted gradient nor that of the sum."""
    mdp = actors.two_steps(gamma="1/2")
    true, _ = actors.values(mdp, actors.THETA)
    mean = 2 * mean_update(mdp, true, weighted=False)
    assert mean == pytest.approx(actors.gradient(mdp, actors.THETA, weighted=False), abs=1e-14)
    assert np.abs(mean - actors.gradient(mdp, actors.THETA)).max() > 0.2
    assert np.abs(mean - actors.gradient(actors.two_steps(gamma="1"), actors.THETA)).max() > 0.05


def test_one_step_learner_climbs_the_same_gradient():
    """θ moves within the episode: with small steps the mean is α ∇J + O(α²)."""
    mdp = actors.two_steps()
    true, _ = actors.values(mdp, actors.THETA)
    alpha = 1e-6
    mean = mean_update(mdp, true, batch=1, alpha=alpha) / alpha
    assert mean == pytest.approx(actors.gradient(mdp, actors.THETA), abs=1e-5)


# -- what it says of itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sense", ["min", pytest.param("max", marks=pytest.mark.slow)])
@pytest.mark.parametrize("method", ["reinforce", *METHODS])
def test_errors_are_the_regret_in_fractions(method, sense):
    """J* - J of the policy that is left, both in rational arithmetic, for every kind of model."""
    for problem in ("discounted", "total-reward", "finite-horizon"):
        gamma = "1" if problem == "total-reward" else "9/10"
        mdp = random_model(2, problem, S=4, ends=1, sense=sense, gamma=gamma)
        answer = learn(mdp, method, steps=400, episode_steps=20, step_size=0.001)
        timed = mdp.horizon is not None
        best, own = reference.exact_optimal_value(mdp), reference.exact_policy_value(mdp, answer.policy)
        J, most = (
            math.fsum(p * float(x) for p, x in zip(mdp.start, v[0] if timed else v, strict=True))
            for v in (own, best)
        )
        assert answer.curve.start[-1, 0] == pytest.approx(J, rel=1e-9), problem
        assert answer.earned == pytest.approx([J], rel=1e-9)
        assert answer.sup_error == pytest.approx([mdp.sign * (most - J)], rel=1e-6), problem
        assert answer.sup_error[0] > 0.01 and answer.rms_error.tolist() == answer.sup_error.tolist()
        assert answer.truth is None and answer.q.shape == answer.visits.shape[1:]


# -- what is said and refused -----------------------------------------------------------------------------------------


@methods
def test_what_is_told_and_refused(method):
    mdp, few = actors.two_steps(), {"steps": 10, "reference": False}
    assert learn(mdp, method, **few).verdicts == ()
    assert "gradient of no objective" in learn(mdp, method, undiscounted=True, **few).verdicts[0]
    with pytest.raises(OptionError, match=r"^critic_step_size: found '0', expected"):
        learn(mdp, method, critic_step_size=0)
    with pytest.raises(OptionError, match=r"^features: found 3 rows of 1, expected 8"):
        learn(mdp, method, features=[[1], [2], [3]])
    with pytest.raises(NoFiniteAnswer):
        learn(MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 1), method, reference=False)


def test_entropy_is_told():
    told = advantage_actor_critic(actors.two_steps(), entropy=0.1, steps=10, reference=False).verdicts
    assert len(told) == 1 and "goes on exploring" in told[0]


# -- what it finds ----------------------------------------------------------------------------------------------------

# Steps, and the regret that 30 of 40 runs are to be below; of 500 runs of each none was not, no more than 1% are,
# and a false alarm (11 of 40) is rarer than C(40, 11) 1e-22 < 1e-12.
GOALS = {
    "student": (20_000, 0.1),
    "short_corridor": (20_000, 0.2),
    "forest_horizon": (20_000, 0.2),
    "recycling_robot": (40_000, 1),
    "gridworld_4x4": (40_000, 0.3),
}


@methods
@pytest.mark.parametrize("name", GOALS)
def test_best_policy_is_found(name, method):
    steps, most = GOALS[name]
    answer = learn(load(MODELS / f"{name}.toml"), method, steps=steps, runs=40, seed=fresh_seed())
    assert (answer.sup_error < most).sum() >= 30
    assert answer.curve.sup[0].min() > most  # it had to be learned


def test_entropy_keeps_the_policy_from_the_best():
    """One choice between 1 and 0, then the end; J + τ H is best at π = 1 / (1 + exp(-1/τ)), 0.731 for τ = 1."""
    mdp = MDP([[[0, 1], [0, 1]], [[0, 0], [0, 0]]], [[1, 0], [0, 0]], 1, terminal=[1], start="0", axes="sas")
    answer = advantage_actor_critic(
        mdp, entropy=1.0, steps=100_000, step_size=0.05, runs=40, seed=fresh_seed()
    )
    assert answer.policy.probs[0] == pytest.approx(1 / (1 + math.exp(-1)), abs=0.02)
