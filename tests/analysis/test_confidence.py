"""Intervals from counts: they hold as often as they say, and follow from the region that is said.

The truth is known here: logs are drawn from a model, and its values are solved exactly.
"""

from __future__ import annotations

import math
import secrets
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import binom

from tabular_rl import (
    MDP,
    NotAnswerable,
    OptionError,
    Policy,
    Transitions,
    estimate,
    evaluate,
    policy_iteration,
    sample_transitions,
)
from tabular_rl.analysis.confidence import reward_radius, row_radius
from tabular_rl.formats.counts import load_counts, save_counts

FALSE_ALARM = 1e-9


@pytest.fixture
def model():
    """Two states, two actions, all pairs available, all rewards in 0 to 1."""
    P = [[[0.9, 0.1], [0.2, 0.8]], [[0.5, 0.5], [0.3, 0.7]]]
    return MDP(P, [[0.0, 1.0], [0.5, 0.2]], "7/10", axes="sas")


def log_of(model, n, seed):
    return sample_transitions(model, Policy.uniform(model), n, seed, episode_steps=20)


# -- coverage ----------------------------------------------------------------------------------------------------------


def test_the_region_and_the_values_hold_as_often_as_they_say(model):
    """Of 200 logs at most so many are missed that the chance of more is 1e-9, were each missed with probability 1/2."""
    logs, seed = 200, secrets.randbits(40)
    print(f"seed {seed}")
    truth, uniform = policy_iteration(model).v, evaluate(model, Policy.uniform(model)).v
    P = np.zeros((model.L, model.S))
    np.add.at(P, (model.outcome_row, model.next_state), model.prob)
    missed = np.zeros(3)
    for k in range(logs):
        found = estimate(log_of(model, 300, seed + k), "7/10")
        assert found.mdp.L == 4  # each pair was tried
        known = found.confidence(0.5)
        other = found.confidence(0.5, policy=Policy.uniform(found.mdp))
        share = np.zeros((model.L, model.S))
        np.add.at(share, (found.mdp.outcome_row, found.mdp.next_state), found.mdp.prob)
        missed += (
            (np.abs(share - P).sum(axis=1) > known.radius).any(),
            ((truth < known.lower) | (truth > known.upper)).any(),
            ((uniform < other.lower) | (uniform > other.upper)).any(),
        )
    assert missed.max() <= binom.isf(FALSE_ALARM / 3, logs, 0.5)


@pytest.mark.parametrize("n", [1, 5, 40])
def test_radii_hold_for_shares_of_a_fixed_number(n):
    """The exact probability of a share that is too far, by the binomial distribution, and 1 / n(n+1) of the risk."""
    for p in (0.5, 0.1):
        risk = 0.9
        heads = np.arange(n + 1)
        chance = binom.pmf(heads, n, p)
        off = np.abs(heads / n - p)
        share = risk / (n * (n + 1))
        assert chance[2 * off > row_radius(np.array([n]), 2, 1, risk)[0]].sum() <= share
        assert chance[off > reward_radius(np.array([n]), 1.0, 1, risk)[0]].sum() <= share


def test_intervals_shrink_as_the_root_of_the_number(model):
    widths = []
    for n in (2000, 32000):
        known = estimate(log_of(model, n, 5), "7/10").confidence(0.95)
        widths.append((known.upper - known.lower).max())
    assert 3 < widths[0] / widths[1] < 5  # a root of 16 is 4; logarithms of n change it a little
    assert widths[0] < 0.4 / 0.3  # what is known without a log is 1 / (1 - γ)


def test_what_is_asked_changes_the_interval(model):
    found = estimate(log_of(model, 2000, 1), "7/10")
    less, more = found.confidence(0.9), found.confidence(0.99)
    assert (more.lower < less.lower).all()
    assert (more.upper > less.upper).all()
    wide = found.confidence(0.9, reward_range=(-1, 2))
    assert (wide.upper > less.upper).all()
    assert less.reward_range == (0.0, 1.0)
    assert less.start[0] == pytest.approx(found.mdp.start @ less.lower, rel=1e-12)


def test_costs_are_those_of_rewards_with_the_other_sign(model):
    log = log_of(model, 500, 3)
    other = Transitions(
        model.replace(sense="min"),
        log.row,
        -log.reward,
        log.next_state,
        log.done,
        log.next_row,
        log.propensity,
    )
    one, two = estimate(log, "7/10").confidence(0.9), estimate(other, "7/10").confidence(0.9)
    assert two.lower == pytest.approx(-one.upper, rel=1e-12)
    assert two.upper == pytest.approx(-one.lower, rel=1e-12)


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"level": 1}, "confidence: found '1', expected a number from 0.5 to 0.999999"),
        (
            {"reward_range": (0.5, 2)},
            r"reward_range: found 0.5 to 2, expected a range with the rewards of the log, 0 to 1",
        ),
        ({"reward_range": 3}, "reward_range: found 3, expected two numbers, LOW and HIGH"),
        ({"reward_range": (0, math.nan)}, "reward_range: found 0 to nan"),
    ],
)
def test_what_cannot_be_asked(model, asked, what):
    with pytest.raises(OptionError, match=what):
        estimate(log_of(model, 200, 0), "7/10").confidence(**asked)


def test_without_a_discount_nothing_is_known(model):
    with pytest.raises(NotAnswerable, match="found γ = 1"):
        estimate(log_of(model, 200, 0), 1).confidence()


# -- priors ------------------------------------------------------------------------------------------------------------


def coin(prior):
    """From a: twice to b for 1 and 3, once to the end for 7; b goes back for nothing."""
    mdp = MDP.from_outcomes(
        [("a", "x", "b", "1/2", 0), ("a", "x", "z", "1/2", 0), ("b", "x", "a", 1, 0)], "1/2", terminal="z"
    )
    lines = [
        ("a", "x", 1, "b"),
        ("b", "x", 0, "a"),
        ("a", "x", 3, "b"),
        ("b", "x", 0, "a"),
        ("a", "x", 7, "z"),
    ]
    return estimate(Transitions.of(mdp, lines), "1/2", prior=prior)


@pytest.mark.parametrize("prior", ["1/2", Fraction(1, 2), 0.5])
def test_a_prior_by_hand(prior):
    """(n + 1/2) / (3 + 3/2) of a: 1/9, 5/9, 3/9; what was never seen has the mean reward 11/3 of the pair."""
    found = coin(prior)
    assert found.mdp.rational(0)[0] == [(0, Fraction(1, 9)), (1, Fraction(5, 9)), (2, Fraction(1, 3))]
    assert list(found.mdp.exact.reward)[:3] == [Fraction(11, 3), 2, 7]
    assert found.mdp.rational(1)[0] == [(0, Fraction(5, 7)), (1, Fraction(1, 7)), (2, Fraction(1, 7))]
    assert found.counts.tolist() == [0, 2, 1, 2, 0, 0]
    assert found.tries.tolist() == [3, 2]
    assert found.prior == Fraction(1, 2)


def test_a_prior_does_not_move_the_region():
    plain, prior = coin(0).confidence(0.9), coin(1).confidence(0.9)
    assert plain.lower == pytest.approx(prior.lower, abs=1e-9)
    assert plain.upper == pytest.approx(prior.upper, abs=1e-9)


def test_counts_of_a_prior_are_kept(tmp_path):
    found = coin("1/3")
    save_counts(found.mdp, found.counts, tmp_path / "counts.csv")
    assert load_counts(tmp_path / "counts.csv", found.mdp, found.prior).tolist() == found.counts.tolist()


@pytest.mark.parametrize("prior", ["x", -1, "nan", 1e7, "1/1000001", None])
def test_priors_that_are_none(prior):
    with pytest.raises(
        OptionError, match=r"prior: found '.*', expected a number such as 1, 0.5 or 1/3, from 0 to 1,0"
    ):
        coin(prior)
