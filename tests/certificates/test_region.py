"""Bounds over a region of models: beside linear programs, and beside models that are drawn in the region."""

from __future__ import annotations

import numpy as np
import pytest
from random_models import random_model
from scipy.optimize import linprog

from tabular_rl import MDP
from tabular_rl.certificates.region import Region


def region_of(mdp, radius, width, rng):
    """A region with rows that differ in their radius, and rewards that are off by different widths."""
    low = mdp.r - width * rng.random(mdp.L)
    return Region(mdp, mdp.prob, radius * rng.random(mdp.L), low, low + width)


def rows_of(mdp):
    """Each row as probabilities of all states, (L, S)."""
    P = np.zeros((mdp.L, mdp.S))
    np.add.at(P, (mdp.outcome_row, mdp.next_state), mdp.prob)
    return P


def worst(p, radius, v):
    """min q v over |q - p|₁ ≤ radius, by a linear program in q and d ≥ |q - p|."""
    n = len(p)
    one = np.eye(n)
    found = linprog(
        np.append(v, np.zeros(n)),
        A_ub=np.block([[one, -one], [-one, -one], [np.zeros((1, n)), np.ones((1, n))]]),
        b_ub=np.concatenate([p, -p, [radius]]),
        A_eq=[np.append(np.ones(n), np.zeros(n))],
        b_eq=[1],
    )
    return found.fun


def robust(region, sign, best, pi=None):
    """Values of the worst model (sign 1: the least) by iteration, a linear program a row."""
    mdp, P, v = region.mdp, rows_of(region.mdp), np.zeros(region.mdp.S)
    rewards = region.low if sign == 1 else region.high
    for _ in range(60):  # γ = 1/2: what is left is 2^-60
        q = [
            r + mdp.gamma * sign * worst(p, e, sign * v)
            for r, p, e in zip(rewards, P, region.radius, strict=True)
        ]
        for s in range(mdp.S):
            rows = list(mdp.rows(s))
            v[s] = (
                0 if not rows else best(q[i] for i in rows) if pi is None else sum(pi[i] * q[i] for i in rows)
            )
    return v


@pytest.mark.parametrize("sense", ["max", "min"])
@pytest.mark.parametrize("given", [False, True])
def test_bounds_are_those_of_linear_programs(sense, given):
    rng = np.random.default_rng(7)
    mdp = random_model(3, S=3, A=2, sense=sense).replace(gamma="1/2")
    pi = None
    if given:
        pi = np.concatenate([np.full(n, 1 / n) for n in np.diff(mdp.pair_ptr) if n])
    region = region_of(mdp, 0.8, 0.5, rng)
    lower, upper = region.bounds(pi)
    best = max if sense == "max" else min
    scale = 1e-5 * (1 + np.abs(upper).max())
    for found, expected, way in (
        (lower, robust(region, 1, best, pi), -1),
        (upper, robust(region, -1, best, pi), 1),
    ):
        assert (way * (found - expected) >= -1e-9).all()
        assert np.abs(found - expected).max() < scale


def drawn(p, radius, rng):
    """A row within a radius of another: a step toward a random one."""
    q = rng.dirichlet(np.full(len(p), 0.3))
    far = np.abs(q - p).sum()
    return p + (q - p) * min(1, radius / far) if far else p


@pytest.mark.parametrize("seed", range(3))
def test_models_of_the_region_are_inside(seed):
    rng = np.random.default_rng(seed)
    mdp = random_model(seed, S=4, A=2).replace(gamma="9/10")
    region = region_of(mdp, 0.3, 1.0, rng)
    lower, upper = region.bounds()
    P, sign = rows_of(mdp), mdp.sign
    for _ in range(20):
        rows = np.array([drawn(p, e, rng) for p, e in zip(P, region.radius, strict=True)])
        r = region.low + rng.random(mdp.L) * (region.high - region.low)
        v = np.zeros(mdp.S)
        for _ in range(400):  # 0.9^400 < 1e-18
            q = sign * (r + 0.9 * rows @ v)
            v = np.array([sign * max((q[i] for i in mdp.rows(s)), default=0.0) for s in range(mdp.S)])
        assert (lower <= v + 1e-9).all()
        assert (v - 1e-9 <= upper).all()


def test_rewards_that_are_never_below_0_have_values_that_are_not():
    """Where nothing is known of the rows, and the least reward is 0, the bound is 0 and not a little less."""
    mdp = MDP([[[0.5, 0.5]], [[0.5, 0.5]]], [[1.0], [0.0]], "9/10")
    lower, _ = Region(mdp, mdp.prob, np.full(2, 2.0), np.zeros(2), np.ones(2)).bounds()
    assert lower.tolist() == [0, 0]
    assert not np.signbit(lower).any()


def test_by_hand():
    """From a, 1 a step and to the end with p̂ = 1/2, ε = 1/2, γ = 1/2: at worst 3/4 end, at best 1/4.

    v = 1 + v/2 (1 - p) is 8/7 for p = 3/4, and 8/5 for p = 1/4.
    """
    mdp = MDP([[[0.5, 0.5]], [[0, 0]]], [[1.0], [0.0]], "1/2", terminal=[1])
    one = np.ones(1)
    lower, upper = Region(mdp, mdp.prob, 0.5 * one, one, one).bounds()
    assert lower[0] == pytest.approx(8 / 7, abs=1e-5)
    assert upper[0] == pytest.approx(8 / 5, abs=1e-5)
    assert lower[0] <= 8 / 7
    assert upper[0] >= 8 / 5
    assert lower[1] == upper[1] == 0
