"""The variance of importance sampling, against hand calculation and all paths in rationals."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from random_models import random_model, random_policy

from tabular_rl import MDP, OptionError, Policy
from tabular_rl.errors import NoFiniteAnswer
from tabular_rl.laws.importance import importance_law
from tabular_rl.laws.paths import enumerate_paths
from tabular_rl.methods.exact.ratio_moments import weights_are_finite
from tabular_rl.model.unroll import unroll, unroll_policy


def loop(again, gamma=1, sense="max"):
    """Left leads back with a probability, else ends with reward 1; right ends. π is left, b either: ρ = 2."""
    mdp = MDP.from_outcomes(
        [("s", "left", "s", again, 0), ("s", "left", "end", 1 - Fraction(again), 1), ("s", "right", "end", 1, 0)],
        gamma, terminal=["end"], sense=sense,
    )  # fmt: skip
    return mdp, Policy.of_actions(mdp, [0, -1]), Policy.uniform(mdp)


def test_finite_variance_by_hand():
    # M = 2 · 1/4: E[W²] = (1/2) E[W²] + 2 · 3/4 = 3. The return is 1, so that both variances are 3 - 1.
    law = importance_law(*loop("1/4"))
    assert law.mean.tolist() == pytest.approx([1, 0])
    assert law.weight.tolist() == pytest.approx([3, 1])
    assert law.full.tolist() == pytest.approx([2, 0])
    assert law.per_decision.tolist() == pytest.approx([2, 0])
    assert law.radius == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize("again", ["1/2", "9/10"])
def test_infinite_variance_of_sutton_and_barto_example_5_5(again):
    # The book's again is 9/10: M = 9/5. At 1/2 the radius is 1 and each length of episode adds the same.
    law = importance_law(*loop(again))
    assert law.mean[0] == pytest.approx(1)
    assert law.per_decision[0] == math.inf
    assert law.weight[0] == math.inf
    assert math.isnan(law.full[0])
    assert weights_are_finite(*loop(again)) is False


def test_discount_makes_the_variance_per_decision_finite():
    # again = 3/5, γ = 4/5: M = 6/5, γ² M = 96/125. v = 2/5 / (1 - 12/25) = 10/13. E[W² γ^2T] x = 96/125 x + 4/5.
    law = importance_law(*loop("3/5", "4/5"))
    assert law.mean[0] == pytest.approx(10 / 13)
    assert law.per_decision[0] == pytest.approx(0.8 / (29 / 125) - (10 / 13) ** 2)
    assert law.weight[0] == math.inf
    assert math.isnan(law.full[0])
    assert weights_are_finite(*loop("3/5", "4/5"), 0.8) is True
    assert weights_are_finite(*loop("3/5", "4/5")) is False


def test_on_policy_weights_are_one():
    mdp, pi, _ = loop("9/10")
    law = importance_law(mdp, pi, pi)
    assert law.weight.tolist() == pytest.approx([1, 1])
    assert law.full.tolist() == pytest.approx([0, 0], abs=1e-12)
    assert weights_are_finite(mdp, pi, pi) is True


def test_variance_is_infinite_only_where_something_is_at_stake():
    # The loop pays nothing: its weights have no bound, and returns of 0 no variance.
    mdp = MDP.from_outcomes(
        [("s", "left", "s", 1, 0), ("s", "right", "s", 1, 0), ("t", "go", "s", "1/2", 2), ("t", "go", "end", "1/2", 0)],
        1, terminal=["end"],
    )  # fmt: skip
    pi = Policy.of_actions(mdp, [0, 2, -1])
    law = importance_law(mdp, pi, Policy.uniform(mdp))
    assert law.per_decision.tolist() == pytest.approx([0, 1, 0])  # t: 0 or 2, once
    assert np.isnan(law.weight[:2]).all()
    assert np.isnan(law.full[:2]).all()


def test_costs_have_the_variance_of_rewards():
    law = importance_law(*loop("1/4", sense="min"))
    assert law.mean[0] == pytest.approx(1)
    assert law.per_decision[0] == pytest.approx(2)
    assert law.full[0] == pytest.approx(2)


def moments_by_paths(mdp, pi, b):
    """E and E[x²] of both importance-sampled returns from each (time, state), by all paths in rationals."""
    flat = unroll(mdp)
    pi, b = (unroll_policy(policy.replace_model(mdp), flat) for policy in (pi, b))
    p, q = pi.rationals(), b.rationals()
    out = {}
    for s in range(mdp.S):
        if mdp.terminal[s]:
            continue
        at = flat.replace(start=np.eye(flat.S)[s])
        sums = [Fraction(0)] * 4
        for chance, path in enumerate_paths(at, b.replace_model(at), mdp.horizon):
            weight, g, per, whole = Fraction(1), Fraction(1), Fraction(0), Fraction(0)
            for x in path:
                weight *= p[x.row] / q[x.row]
                per, whole = per + g * weight * x.reward, whole + g * x.reward
                g *= mdp.gamma_exact
                if x.done:
                    break
            for j, y in enumerate((per, per * per, weight * whole, (weight * whole) ** 2)):
                sums[j] += chance * y
        out[s] = sums
    return out


@pytest.mark.parametrize("seed", range(6))
def test_variances_equal_those_of_all_paths(seed):
    sense = "min" if seed % 2 else "max"
    mdp = random_model(seed, S=3, A=2, N=2, ends=1, sense=sense).replace(horizon=3)
    if seed == 2:
        mdp = mdp.replace(final_reward=[2.0, -1.0, 0.0])
    still = mdp.replace(horizon=None)
    pi, b = (random_policy(still, 10 * seed + k) for k in (1, 2))
    law = importance_law(mdp, pi, b)
    for s, (m, m2, w, w2) in moments_by_paths(mdp, pi, b).items():
        assert float(mdp.sign * m) == pytest.approx(law.mean[0, s], abs=1e-11)
        assert m == pytest.approx(w, abs=1e-11)  # unbiased, both
        assert float(m2 - m * m) == pytest.approx(law.per_decision[0, s], rel=1e-9, abs=1e-9)
        assert float(w2 - w * w) == pytest.approx(law.full[0, s], rel=1e-9, abs=1e-9)


def test_lacking_coverage_names_the_pair():
    mdp, _, b = loop("1/4")
    with pytest.raises(OptionError, match="state 's', action 'right': found probability 0"):
        importance_law(mdp, b, Policy.of_actions(mdp, [0, -1]))


def test_reward_for_ever_has_no_answer():
    ring = MDP([[[1.0]]], [[1.0]], 1)
    with pytest.raises(NoFiniteAnswer):
        importance_law(ring, Policy.uniform(ring), Policy.uniform(ring))


def test_discounted_return_without_an_end():
    # One state, two actions worth 1 and 0, π the first, b either, γ = 1/2: M = 2, γ² M = 1/2. v = 2, and the
    # noise of a step is 1/2 (2 (1 + 1) - 2)² + 1/2 (0 - 2)² = 4: variance 4 / (1 - 1/2).
    mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2")
    law = importance_law(mdp, Policy.of_actions(mdp, [0]), Policy.uniform(mdp))
    assert law.per_decision[0] == pytest.approx(8)
    assert math.isnan(law.weight[0])
    assert math.isnan(law.full[0])
