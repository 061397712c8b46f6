"""Sampled estimates: the bits of slow twins, all episodes of small problems, and the exact moments by chance.

False alarms: one statistical test, 3e-8 a run in all.
"""

from __future__ import annotations

import numpy as np
import pytest
import reference
import reference_gradient as twins
from learners import fresh_seed, z_limit
from random_models import random_model

from tabular_rl.errors import NoFiniteAnswer, OptionError
from tabular_rl.formats import load
from tabular_rl.kernels.episodes import Decisions, play
from tabular_rl.kernels.gradient import episode_estimates
from tabular_rl.methods.gradient import sample
from tabular_rl.methods.gradient._episodes import Episodes
from tabular_rl.methods.gradient.enumeration import enumerate_episodes
from tabular_rl.methods.gradient.estimators import ESTIMATORS, make_form
from tabular_rl.methods.gradient.moments import estimator_moments
from tabular_rl.methods.gradient.sample import sample_gradient
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving.sampling import cumulative, sampling_model


def random_softmax(mdp, seed, d=None):
    rng = np.random.default_rng(seed)
    x = None if d is None else rng.normal(size=(mdp.L, d))
    return SoftmaxPolicy(mdp, rng.normal(size=mdp.L if d is None else d), x)


# -- kernels and their twins ------------------------------------------------------------------------------------------


def played(kernel, walk, uniforms, pieces):
    model = sampling_model(walk.mdp)._replace(start=cumulative(walk.begin), terminal=walk.end)
    pi = cumulative(np.ascontiguousarray(walk.policy.pi), walk.mdp.pair_ptr)
    policy, nothing = Decisions(np.full((1, walk.mdp.S), -1), pi[None]), np.zeros(0)
    n = len(uniforms)
    rows, outcomes, last = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.bool_)
    state, clock = np.array([int(np.argmax(walk.begin))]), np.zeros(1, np.int64)
    at = 0
    for size in pieces:
        part = slice(at, at + size)
        made = (x[None, part] for x in (rows, outcomes, last))
        kernel(model, policy, walk.steps or 0, uniforms[None, part], state, clock, nothing, nothing, *made)
        at += size
    return rows, outcomes, last, state, clock


@pytest.mark.parametrize("problem", ["discounted", "finite-horizon", "total-reward"])
def test_episodes_have_the_bits_of_their_twin(problem):
    for seed in range(3):
        walk = Episodes(random_softmax(random_model(seed, problem), seed))
        uniforms = np.random.default_rng(seed).random((200, 3))
        uniforms[:3] = 1 - 2.0**-53
        ours = played(play, walk, uniforms, [200])
        theirs = played(reference.play, walk, uniforms, [200])
        in_pieces = played(play, walk, uniforms, [1, 99, 100])
        for a, b, c in zip(ours, theirs, in_pieces, strict=True):
            assert a.tolist() == b.tolist() == c.tolist()
        assert ours[2].any()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimates_have_the_bits_of_their_twin(name):
    for seed, problem in enumerate(("discounted", "finite-horizon", "total-reward")):
        walk = Episodes(random_softmax(random_model(seed, problem), seed, 3))
        rows, outcomes, last, *_ = played(play, walk, np.random.default_rng(seed).random((200, 3)), [200])
        numbers = sample._numbers(make_form(walk, name))
        made = []
        for kernel in (episode_estimates, twins.episode_estimates):
            out = np.full((int(last.sum()), 3), np.nan)
            n = kernel(walk.mdp.pair_state, np.ascontiguousarray(walk.policy.scores), *numbers, rows, outcomes, last,
                       np.zeros(200), out)  # fmt: skip
            assert n == len(out)
            made.append(out)
        assert made[0].tobytes() == made[1].tobytes()


# -- all episodes, without chance -------------------------------------------------------------------------------------


def all_estimates(policy, name, horizon, discounted=True):
    """The estimate of every episode by the kernel, and their probabilities."""
    walk = Episodes(policy, horizon=horizon)
    episodes = [e for e in enumerate_episodes(policy, horizon=horizon) if e.rows]
    rows = np.concatenate([e.rows for e in episodes]).astype(np.int64)
    outcomes = np.concatenate([e.outcomes for e in episodes]).astype(np.int64)
    last = np.concatenate([[False] * (len(e.rows) - 1) + [True] for e in episodes])
    out = np.zeros((len(episodes), policy.d))
    numbers = sample._numbers(make_form(walk, name, discounted=discounted))
    scores = np.ascontiguousarray(policy.scores)
    episode_estimates(walk.mdp.pair_state, scores, *numbers, rows, outcomes, last, np.zeros(len(rows)), out)
    return np.array([float(e.probability) for e in episodes]), out


@pytest.mark.parametrize("name", ESTIMATORS)
def test_all_episodes_together_have_the_exact_moments(name):
    for seed in range(4):
        mdp = random_model(seed, "finite-horizon", S=4, N=2, A=2, gamma="9/10")
        policy, T = random_softmax(mdp, seed), min(mdp.horizon, 3)
        for discounted in (True, False):
            p, g = all_estimates(policy, name, T, discounted)
            exact = estimator_moments(policy, name, horizon=T, discounted=discounted)
            assert p @ g == pytest.approx(exact.mean, abs=1e-11)
            second = (g * p[:, None]).T @ g - np.outer(p @ g, p @ g)
            assert second == pytest.approx(exact.covariance, abs=1e-10 * (1 + exact.trace))


# -- by chance --------------------------------------------------------------------------------------------------------

EPISODES = 100_000


def test_sampled_moments_are_the_exact_ones():
    """|z| of each mean and of each trace, standard errors exact by enumeration (fourth moments too); 3e-8 in all.

    10 estimators with 6 means and a trace each: the smallest difference found is 6.3 standard errors, 2% of the
    standard deviation of an episode's estimate, and of its |g - E g|².
    """
    mdp = random_model(6, "finite-horizon", S=4, N=2, A=2, gamma="9/10")
    policy, T = random_softmax(mdp, 1), 3
    found = sample_gradient(policy, ESTIMATORS, episodes=EPISODES, seed=fresh_seed(), horizon=T)
    limit = z_limit(3e-8, len(ESTIMATORS) * (policy.d + 1))
    for one in found:
        p, g = all_estimates(policy, one.estimator, T)
        mean = p @ g
        square = ((g - mean) ** 2).sum(axis=1)
        trace = p @ square
        sd = np.sqrt(p @ (g - mean) ** 2)
        z = (one.mean - mean) / np.maximum(sd, 1e-9) * EPISODES**0.5
        z_trace = (one.trace - trace) / max(np.sqrt(p @ (square - trace) ** 2), 1e-9) * EPISODES**0.5
        print(one.estimator, np.abs(z).max(), z_trace)
        assert np.abs(z).max() < limit
        assert abs(z_trace) < limit
    # The test has power: γ = 1 for 9/10, or no weight, is seen in the means.
    for other in (dict(discounted=False), dict()):
        model = mdp if other else mdp.replace(gamma=1)
        wrong = estimator_moments(SoftmaxPolicy(model, policy.theta), "reward-to-go", horizon=T, **other)
        right = estimator_moments(policy, "reward-to-go", horizon=T)
        sd = np.sqrt(np.maximum(np.diag(right.covariance), 1e-18))
        assert (np.abs(wrong.mean - right.mean) / sd * EPISODES**0.5).max() > limit


def test_a_given_seed_samples_near_the_exact_moments_of_a_textbook_model():
    """The recycling robot, stopped with probability 1 - γ, of a fixed seed: the mean within 5 standard errors."""
    mdp = load("example:recycling_robot")
    policy = random_softmax(mdp, 3)
    for one in sample_gradient(policy, ESTIMATORS, episodes=20_000, seed=5):
        exact = estimator_moments(policy, one.estimator)
        error = np.sqrt(np.diag(exact.covariance) / one.episodes)
        assert (np.abs(one.mean - exact.mean) < 5 * error + 1e-12).all()
        assert one.trace == pytest.approx(exact.trace, rel=0.2)


# -- how it is drawn --------------------------------------------------------------------------------------------------


def test_results_do_not_depend_on_how_many_steps_are_played_at_once(monkeypatch):
    policy = random_softmax(random_model(3, gamma="9/10"), 3)
    one = sample_gradient(policy, ["reward-to-go"], episodes=500, seed=1)[0]
    monkeypatch.setattr(sample, "ROOM", 0)  # 256 steps
    other = sample_gradient(policy, ["reward-to-go"], episodes=500, seed=1)[0]
    assert (one.steps, one.episodes) == (other.steps, other.episodes)
    assert one.mean == pytest.approx(other.mean, rel=1e-12, abs=1e-13)
    assert one.covariance == pytest.approx(other.covariance, rel=1e-11, abs=1e-12)


def test_a_start_where_nothing_happens_is_an_episode_of_nothing():
    """Half of the episodes start in a loop without reward: the estimate is 0 there, the gradient half of what it is."""
    outcomes = [("s", "a", "end", 1, 1), ("s", "b", "end", 1, 0), ("loop", "a", "loop", 1, 0)]
    mdp = MDP.from_outcomes(outcomes, 1, terminal=["end"], start={"s": "1/2", "loop": "1/2"})
    policy = Policy.uniform(mdp)
    exact = estimator_moments(policy)
    i = mdp.row("s", "a")
    assert exact.mean[i : i + 2] == pytest.approx([1 / 8, -1 / 8], abs=1e-15)
    # g = (1/2, -1/2) with probability 1/4, else 0
    assert exact.covariance[i, i : i + 2] == pytest.approx([3 / 64, -3 / 64], abs=1e-15)
    found = sample_gradient(policy, episodes=20_000, seed=2)[0]
    assert found.steps < 11_000
    assert found.mean == pytest.approx(exact.mean, abs=0.01)
    assert found.covariance == pytest.approx(exact.covariance, rel=0.1)


def test_covariance_of_a_few_episodes_by_hand():
    """π = 1/2, rewards 1 and 0: the estimates are ±1/2 or 0. With the mean m of 7 the variance is 7/6 m (1/2 - m)."""
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 1, horizon=1)
    found = sample_gradient(Policy.uniform(mdp), episodes=7, seed=1)[0]
    m = found.mean[0]
    assert 0 < m < 0.5
    assert found.covariance[0] == pytest.approx([7 / 6 * m * (0.5 - m), -7 / 6 * m * (0.5 - m)], abs=1e-15)
    assert found.standard_error[0] == pytest.approx((m * (0.5 - m) / 6) ** 0.5, abs=1e-15)


def test_costs_stay_costs():
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 3.0]], "1/2", sense="min")
    policy = Policy.uniform(mdp)
    found, exact = sample_gradient(policy, episodes=5000, seed=1)[0], estimator_moments(policy)
    assert exact.mean == pytest.approx([-1.0, 1.0], abs=1e-12)
    assert found.mean == pytest.approx(exact.mean, abs=0.3)


def test_what_cannot_be_sampled_is_refused():
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2")
    with pytest.raises(NoFiniteAnswer, match="never end"):
        sample_gradient(Policy.uniform(mdp), ["q"], stopping=False)
    with pytest.raises(OptionError, match="episodes"):
        sample_gradient(Policy.uniform(mdp), episodes=0)
    assert sample_gradient(Policy.uniform(mdp), ["q"], steps=3, episodes=10)[0].steps == 30


def test_an_episode_that_hardly_ever_ends_is_refused(monkeypatch):
    monkeypatch.setattr(sample, "LONGEST", 1000)
    mdp = MDP.from_outcomes([("s", "a", "s", 1 - 1e-9, 1), ("s", "a", "end", 1e-9, 1)], 1, terminal=["end"])
    with pytest.raises(OptionError, match="more than 1,000 steps"):
        sample_gradient(Policy.uniform(mdp), episodes=2)
