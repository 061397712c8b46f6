"""What follows from proven intervals, against fractions and by hand."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from tabular_rl import MDP, NumericalError, evaluate, solve
from tabular_rl.certificates.discounted import proven_states
from tabular_rl.certificates.intervals import (
    enclosing,
    exact_certificate,
    loss_between,
    start_bounds,
    start_interval,
    start_loss,
)
from tabular_rl.model.graph.search import row_mask_of
from tabular_rl.solving.sweeps import Sweeper


def test_exact_values_lie_between_neighbouring_floats():
    values = [Fraction(1, 3), Fraction(-2, 7), Fraction(5, 8), Fraction(0)]
    found = exact_certificate(values, None, (2, 2))
    lower, upper = found.lower.ravel().tolist(), found.upper.ravel().tolist()
    for x, a, b in zip(values, lower, upper, strict=True):
        assert Fraction(a) <= x <= Fraction(b)
        assert b in (a, math.nextafter(a, math.inf))
    assert lower[2:] == upper[2:] == [0.625, 0.0]  # dyadic numbers are their own floats
    assert found.exact == tuple(values)
    assert found.lower.shape == (2, 2)


def test_an_exact_value_beyond_floats_is_refused():
    with pytest.raises(NumericalError, match="larger than any float64"):
        exact_certificate([Fraction(10**400)], None, (1,))


def chain():
    """Three states in a row, then the end; each has two actions that lead on, and the second pays less."""
    P = np.zeros((4, 2, 4))
    for s in range(3):
        P[s, :, s + 1] = 1
    rewards = np.array([[1.0, 0.5]] * 3 + [[0.0, 0.0]])
    return MDP(P, rewards, 0.5, axes="sas", terminal=["3"])


def test_a_state_is_proven_only_if_all_that_it_meets_is():
    mdp = chain()
    chosen = np.array([0, 2, 4, -1])
    keep = np.array([True, False, True, False, True, False])  # the second action is proven worse everywhere
    assert proven_states(mdp, Sweeper(mdp).sole(keep, chosen), chosen).tolist() == [True, True, True, True]
    keep[3] = True  # now not in state 1: it and what leads there are in doubt, what comes after is not
    assert proven_states(mdp, Sweeper(mdp).sole(keep, chosen), chosen).tolist() == [False, False, True, True]
    keep[:] = True
    assert proven_states(mdp, Sweeper(mdp).sole(keep, chosen), chosen).tolist() == [False, False, False, True]
    keep[:] = [False, True, True, False, True, False]  # the action that is kept is not the one that is chosen
    assert proven_states(mdp, Sweeper(mdp).sole(keep, chosen), chosen).tolist() == [False, True, True, True]
    assert row_mask_of(mdp, chosen).tolist() == [True, False, True, False, True, False]


@pytest.mark.parametrize("seed", range(20))
def test_the_interval_of_the_start_holds_the_sum_in_fractions(seed):
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 100, size=7)
    start = [Fraction(int(w), int(weights.sum())) for w in weights]
    lower = rng.normal(size=7) * 10.0 ** rng.integers(-8, 8, size=7)
    upper = lower + rng.random(7)
    used = np.ones(7, dtype=bool)
    low, high = start_interval(np.array([float(p) for p in start]), lower, upper, used)
    exact_low = sum(p * Fraction(x) for p, x in zip(start, lower.tolist(), strict=True))
    exact_high = sum(p * Fraction(x) for p, x in zip(start, upper.tolist(), strict=True))
    assert Fraction(low) <= exact_low
    assert exact_high <= Fraction(high)
    scale = max(abs(lower).max(), abs(upper).max())
    assert exact_low - Fraction(low) <= Fraction(1e-14) * Fraction(scale)  # and is tight


def test_states_that_are_no_start_do_not_widen_the_interval():
    start, used = np.array([1.0, 0.0]), np.array([True, False])
    low, high = start_interval(start, np.array([2.0, -math.inf]), np.array([2.0, math.inf]), used)
    assert low < 2 < high
    assert high - low < 1e-14
    assert start_interval(start, np.array([-math.inf, 0.0]), np.array([2.0, 0.0]), used) == (
        -math.inf,
        math.inf,
    )


def two_actions(**more):
    return MDP([[[1.0], [1.0]]], [[0.0, 1.0]], "1/2", **more)  # v* = 2, the other action is worth 0


def test_losses_by_hand():
    mdp = two_actions()
    best, worst = solve(mdp, method="rational"), evaluate(mdp, [0], method="rational-evaluation")
    assert loss_between(best, worst) == (2.0, 2.0)
    assert start_loss(best, worst) == 2.0
    near = solve(mdp)  # by floats: an interval around 2
    low, high = loss_between(near, evaluate(mdp, [0]))
    assert low <= 2 <= high <= 2 + 1e-5
    assert start_loss(near, evaluate(mdp, [1])) == 0.0  # not proven to be more than 0
    low, high = start_bounds(near)
    assert low <= 2 <= high <= 2 + 1e-5


def test_a_loss_of_costs_is_a_loss():
    mdp = two_actions(sense="min")  # the best costs 0, the other 2
    best, other = solve(mdp, method="rational"), evaluate(mdp, [1], method="rational-evaluation")
    assert loss_between(best, other) == (2.0, 2.0)
    assert start_loss(best, other) == 2.0


@pytest.mark.parametrize("x", [Fraction(1, 3), Fraction(-1, 3), Fraction(5, 8), Fraction(10**40 + 1, 10**60)])
def test_a_fraction_lies_between_neighbouring_floats(x):
    low, high = enclosing(x)
    assert Fraction(low) <= x <= Fraction(high)
    assert high == (low if Fraction(low) == x else math.nextafter(low, math.inf))
    with pytest.raises(OverflowError):
        enclosing(x * 10**400)
