"""TD(0): sequences worked out by hand, its twin, its exact mean, its limit.

False alarms of the statistical tests: at most 2e-8 a run, by the normal approximation of means of 20,000 bounded runs.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import reference
from hand_walks import TD0, TD0_LOG
from learners import (
    SCHEDULES,
    Case,
    fresh_seed,
    hand_model,
    law,
    listed,
    same_bits,
    z_limit,
    z_of_means,
)
from random_models import random_model, random_policy

from tabular_rl import OptionError, Policy, td0
from tabular_rl.solving.schedules import Schedule


def walk(monkeypatch, steps=6, mdp=None, policy=None, **options):
    mdp = hand_model() if mdp is None else mdp
    policy = Policy.uniform(mdp) if policy is None else policy
    listed(monkeypatch, TD0[: 2 + 3 * steps])
    return td0(mdp, policy, steps=steps, **{"step_size": 0.5, **options})


def test_sequence_worked_out_by_hand(monkeypatch):
    """v(a) = 1/2; v(b) = 1/8 = 1/2 (1/2 · 1/2); v(a) = 1/2 (1/2 + 2 + 1/4); ..."""
    a = [0.5, 0.5, 1.375, 1.21875, 1.21875, 1.125]
    b = [0.0, 0.125, 0.125, 0.125, 2.0625, 2.0625]
    for n in range(1, 7):
        assert walk(monkeypatch, n).estimates.tolist() == [[a[n - 1], b[n - 1], 0.0]]
    answer = walk(monkeypatch)
    assert answer.visits.tolist() == [[4, 2, 0]]
    average = walk(monkeypatch, average=True)
    assert average.estimates.tolist() == [[sum(a) / 6, sum(b) / 6, 0.0]]
    # The same transitions, written down. No uniforms are taken at all.
    mdp = hand_model()
    listed(monkeypatch, [])
    given = td0(mdp, Policy.uniform(mdp), data=TD0_LOG, steps=6, step_size=0.5)
    assert given.estimates.tolist() == answer.estimates.tolist()


def test_costs_are_learned_in_their_own_sign(monkeypatch):
    mdp = hand_model("min")
    assert walk(monkeypatch, mdp=mdp).estimates.tolist() == [[-1.125, -2.0625, 0.0]]


def test_importance_ratio_by_hand(monkeypatch):
    """ρ = 1/2 for left in a, 3/2 for right: v(a) = 1/2 · 3/2 · 1 = 3/4, v(b) = 3/16, ..."""
    mdp = hand_model()
    pi = Policy.of_probs(mdp, [0.25, 0.75, 1.0])
    answer = walk(monkeypatch, mdp=mdp, policy=pi, behavior=Policy.uniform(mdp))
    assert answer.estimates.tolist() == [[1.09375, 2.09375, 0.0]]


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ({"target": "copy:2"}, [0.59375, 2.0, 0.0]),
        ({"target": "average:0.5"}, [0.8525390625, 2.03125, 0.0]),
        ({"step_size": "linear:1:0.5:2"}, [1.625, 3.125, 0.0]),  # 1, 3/4, 1/2, 1/2 at the visits of a state
        ({"step_size": "linear:1:0.5:2", "per": "step"}, [1.28125, 2.1875, 0.0]),
        ({"episode_steps": 3}, [1.1171875, 0.40625, 0.0]),  # cut off in a: restart in b
        ({"start_value": 1.0, "steps": 1}, [1.25, 1.0, 0.0]),  # 1 + 1/2 (1 + 1/2 - 1)
    ],
)
def test_options_by_hand(monkeypatch, options, values):
    assert walk(monkeypatch, **options).estimates.tolist() == [values]


def test_independent_pairs_by_hand(monkeypatch):
    """Pairs: (a, left) and (a, right) have 1/4 each, (b, left) 1/2; the second uniform chooses the next one."""
    mdp = hand_model()
    # (b, left): the end for 4. (a, right): 1 + 1/2 v(b) = 2. (a, left): to a for 2, 2 + 1/2 v(a).
    listed(monkeypatch, [0.5, 0.9, 0.1, 0.25, 0.9, 0.9, 0.2, 0.9, 0.3, 0.9, 0.9])
    answer = td0(mdp, Policy.uniform(mdp), source="independent", steps=3, step_size=0.5)
    assert answer.estimates.tolist() == [[0.5 + 0.5 * 1.75 + 0.375, 2.0, 0.0]]


def test_sweeps_weigh_actions_by_the_policy(monkeypatch):
    """Rows in turn, from a copy of the last sweep; ρ = π · 2 in a, as a sweep takes both actions alike."""
    mdp = hand_model()
    # ρ = 1/2, 3/2, 1: v(a) = 1/4 · 2 = 1/2, then 1/2 + 3/4 (1 - 1/2) = 7/8; v(b) = 2.
    listed(monkeypatch, [0.9, 0.9, 0.2, 0, 0, 0.9, 0, 0, 0.1, 0, 0])
    answer = td0(mdp, Policy.of_probs(mdp, [0.25, 0.75, 1.0]), source="sweeps", steps=3, step_size=0.5)
    assert answer.estimates.tolist() == [[0.875, 2.0, 0.0]]


@pytest.mark.small
def test_kernel_equals_its_twin():
    """Every combination of schedule, source, target, averaging, count and cut; terminal entries are NaN."""
    from tabular_rl.kernels.one_step import td0 as kernel

    options = itertools.product(
        range(len(SCHEDULES)), range(3), range(3), (False, True), (False, True), (0, 3)
    )
    for seed, (step_size, source, target, average, per_step, cut) in enumerate(options):
        case = Case(seed, states=True, step_size=step_size, source=source, target=target, average=average)
        how = {"per_step": per_step, "episode_steps": cut}
        made = case.left_by(kernel, pieces=(4, 25, 1), **how)
        assert same_bits(made, case.left_by(reference.td0, **how)), seed
        live = ~case.mdp.terminal
        assert np.isfinite(made["table"][:, live]).all() and np.isnan(made["table"][:, ~live]).all(), seed


@pytest.mark.small
def test_kernel_of_given_transitions_equals_its_twin():
    from tabular_rl.kernels.one_step import td0 as kernel

    for seed, (step_size, target, average, per_step) in enumerate(
        itertools.product(range(len(SCHEDULES)), range(3), (False, True), (False, True))
    ):
        case = Case(seed, states=True, step_size=step_size, target=target, average=average)
        how = {"log": case.given(), "per_step": per_step}
        made = case.left_by(kernel, pieces=(4, 25, 1), **how)
        assert same_bits(made, case.left_by(reference.td0, **how)), seed


# -- the exact mean -------------------------------------------------------------------------------------------------

RUNS, STEPS = 20_000, 25


@pytest.mark.parametrize("source", ["independent", "trajectory"])
def test_mean_over_runs_is_the_exact_one(source):
    """Mean and standard deviation from the closed recursion; |z| of 4 entries, false alarm 1e-8.

    The smallest difference in a mean that is found is 6.6 standard errors, 4.7% of the standard deviation of a run.
    """
    mdp = random_model(3, "total-reward", exact=False, S=4, ends=1, gamma=0.9, sense="min")
    policy, behavior = random_policy(mdp, 1), random_policy(mdp, 2)
    alphas = Schedule.of("0.6*n^-0.5")
    answer = td0(mdp, policy, behavior=behavior, runs=RUNS, steps=STEPS, seed=fresh_seed(), step_size=alphas,
                 per="step", source=source, start_value=2.0, reference=False)  # fmt: skip
    exact = law(mdp, "td0", policy, [alphas.at(n + 1) for n in range(STEPS)], behavior=behavior, source=source,
                start_value=2.0)  # fmt: skip
    z = z_of_means(answer.estimates, *exact)
    print("z", z)
    assert np.abs(z).max() < z_limit(1e-8, 4)


def test_the_wrong_discount_or_step_would_be_seen():
    """The test above has power: a step size 5% off, and γ = 1 for 0.9, give |z| beyond its limit."""
    mdp = random_model(3, "total-reward", exact=False, S=4, ends=1, gamma=0.9)
    policy = random_policy(mdp, 1)
    mean, covariance = law(mdp, "td0", policy, [0.3] * STEPS)
    sd = np.sqrt(np.diag(covariance))[~mdp.terminal]
    for other, alpha in ((mdp.replace(gamma="1"), 0.3), (mdp, 0.3 * 1.05)):
        wrong, _ = law(other, "td0", Policy(other, probs=policy.weights), [alpha] * STEPS)
        shift = np.abs(wrong - mean)[~mdp.terminal] / sd * RUNS**0.5
        print("z", shift)
        assert shift.max() > z_limit(1e-8, 4)


@pytest.mark.parametrize("source", ["trajectory", "independent", "sweeps"])
@pytest.mark.parametrize("off_policy", [False, True])
def test_estimates_go_to_the_exact_values(source, off_policy):
    """64 runs of 30,000 steps: their mean is within 7.5 of its standard errors and 0.01 of the exact values.

    Standard errors are those of the sample, 63 degrees of freedom; false alarm below 3e-10 for each of 12 entries.
    """
    mdp = hand_model()
    policy = Policy.of_probs(mdp, [0.25, 0.75, 1.0])
    exact = reference.exact_policy_value(mdp, policy)
    behavior = Policy.of_probs(mdp, [0.6, 0.4, 1.0]) if off_policy else None
    answer = td0(
        mdp, policy, behavior=behavior, steps=30_000, runs=64, seed=fresh_seed(), source=source, average=True
    )
    error = answer.estimates - [float(x) for x in exact]
    se = error.std(axis=0, ddof=1)[:2] / 8
    print("mean error", error.mean(axis=0), "standard error", se)
    assert (np.abs(error.mean(axis=0)[:2]) < 7.5 * se + 0.01).all() and error[:, 2].tolist() == [0.0] * 64


def test_coverage_is_demanded():
    mdp = hand_model()
    with pytest.raises(
        OptionError, match=r"^behavior: state 'a', action '1': found probability 0, expected more"
    ):
        td0(mdp, Policy.uniform(mdp), behavior=Policy.of_actions(mdp, [0, 0, -1]), steps=10)
