"""SARSA: sequences worked out by hand, its twin, the exact mean of its evaluation of a policy.

False alarms of the statistical tests: at most 2e-8 a run, by the normal approximation of means of 20,000 bounded runs.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import reference
from hand_walks import SARSA, SARSA_TABLES, TD0_LOG
from learners import Case, fresh_seed, hand_model, law, listed, same_bits, z_limit, z_of_means
from random_models import random_model, random_policy

from tabular_rl import OptionError, Policy, sarsa, sarsa_evaluation
from tabular_rl.solving.schedules import Schedule


@pytest.mark.parametrize("sense", ["max", "min"])
def test_sequence_worked_out_by_hand(monkeypatch, sense):
    mdp, sign = hand_model(sense), 1 if sense == "max" else -1
    for n, q in enumerate(SARSA_TABLES, start=1):
        listed(monkeypatch, SARSA[: 2 + 4 * n])
        answer = sarsa(mdp, steps=n, step_size=0.5, explore="epsilon-greedy:0.5")
        assert (sign * answer.estimates).tolist() == [q]
    assert answer.visits.tolist() == [[2, 2, 2]]


def test_evaluation_by_hand(monkeypatch):
    """The same path under the uniform policy: other uniforms, the same table."""
    uniforms = [0.2, 0.6]
    for chance, again, action, fourth in [
        (0.3, 0.9, 0.1, 0.0), (0.7, 0.9, 0.2, 0.0), (0.2, 0.9, 0.5, 0.0), (0.99, 0.9, 0.1, 0.0), (0.49, 0.1, 0.9, 0.4),
        (0.5, 0.9, 0.9, 0.0),
    ]:  # fmt: skip
        uniforms += [chance, again, action, fourth]
    listed(monkeypatch, uniforms)
    mdp = hand_model()
    answer = sarsa_evaluation(mdp, Policy.uniform(mdp), steps=6, step_size=0.5)
    assert answer.estimates.tolist() == [SARSA_TABLES[-1]]
    assert answer.v.tolist() == [(1.0625 + 0.75) / 2, 2.0, 0.0]


def test_given_transitions_by_hand():
    """The last transition has no next action and is passed over; the end needs none."""
    mdp = hand_model()
    answer = sarsa_evaluation(mdp, Policy.uniform(mdp), data=TD0_LOG, steps=6, step_size=0.5)
    assert answer.estimates.tolist() == [SARSA_TABLES[-2]] and answer.visits.tolist() == [[1, 2, 2]]
    again = sarsa_evaluation(mdp, Policy.uniform(mdp), data=TD0_LOG, steps=7, step_size=0.5)
    assert again.estimates.tolist() == [[1.125, 0.5 * (0.75 + 1 + 1), 2.0]]


def test_copy_that_falls_on_a_transition_without_a_next_action_is_made():
    """A loop that pays 1, γ = 1/2, α = 1, one transition too few to know the last action: q = 1, 1 + 1/2, ..."""
    from tabular_rl import MDP

    mdp = MDP([[[1.0]]], [[1.0]], "1/2")
    for rounds, q in ((1, 1.0), (2, 1.5), (3, 1.75)):
        answer = sarsa_evaluation(
            mdp,
            Policy.uniform(mdp),
            data=[(0, 0, 1.0, 0)] * 4,
            steps=4 * rounds,
            step_size=1,
            target="copy:4",
        )
        assert answer.q.tolist() == [q]


def test_another_behavior_is_not_taken():
    from tabular_rl import learn

    mdp = hand_model()
    with pytest.raises(OptionError, match=r"^behavior: sarsa-evaluation has no such option"):
        learn(mdp, "sarsa-evaluation", Policy.uniform(mdp), behavior=Policy.uniform(mdp))


@pytest.mark.small
def test_kernel_equals_its_twin():
    from tabular_rl.kernels import one_step

    for seed, (kind, source, target, cut) in enumerate(
        itertools.product(range(4), range(3), range(3), (0, 3))
    ):
        case = Case(1000 + seed, step_size=seed % 5, kind=kind, source=source, target=target, sense="min")
        made = case.q(one_step, 0, episode_steps=cut, pieces=(1, 29))
        assert same_bits(made, case.q(reference, 0, episode_steps=cut)), seed


RUNS, STEPS = 20_000, 25


@pytest.mark.parametrize("source", ["independent", "trajectory"])
def test_mean_over_runs_is_the_exact_one(source):
    """Against the closed recursion; |z| of up to 8 entries, false alarm 1e-8."""
    mdp = random_model(5, "total-reward", exact=False, S=4, ends=1, gamma=0.9)
    policy = random_policy(mdp, 1)
    alphas = Schedule.of("0.6*n^-0.5")
    answer = sarsa_evaluation(mdp, policy, runs=RUNS, steps=STEPS, seed=fresh_seed(), step_size=alphas, per="step",
                              source=source, start_value=2.0, reference=False)  # fmt: skip
    exact = law(mdp, "sarsa-evaluation", policy, [alphas.at(n + 1) for n in range(STEPS)], source=source,
                start_value=2.0)  # fmt: skip
    z = z_of_means(answer.estimates, *exact)
    print("z", z)
    assert np.abs(z).max() < z_limit(1e-8, 8)


def test_fixed_exploration_learns_the_values_of_the_exploring_policy():
    """Not q*: with ε = 1/2 kept, q is that of the ε-greedy policy, which here prefers another action than the best.

    Cliff in small: right is worth 2 (safe); left leads to b, where a slip (the other action) costs 8.
    """
    from tabular_rl import MDP, evaluate

    # a: left -> b, right -> end for 2. b: left -> end for 4, right -> end for -8.
    P = [[[0, 1, 0], [0, 0, 1]], [[0, 0, 1], [0, 0, 1]], [[0, 0, 0], [0, 0, 0]]]
    mdp = MDP(P, [[0, 2], [4, -8], [0, 0]], 1, terminal=["2"], start="0")
    answer = sarsa(mdp, steps=20_000, runs=8, explore="epsilon-greedy:0.5", seed=fresh_seed(), average=True)
    assert answer.policy.actions.tolist() == [1, 0, -1]
    # v(b) = 3/4 · 4 - 1/4 · 8 = 1 = q(a, left), against q*(a, left) = 4.
    print(answer.estimates[:, 0])
    assert np.abs(answer.estimates[:, 0] - 1.0).max() < 0.8
    assert evaluate(mdp, answer.policy)["0"] == pytest.approx(2.0)
