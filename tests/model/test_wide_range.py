"""Rewards near the ends of the range of floats: a number that is right, or one line and exit 3, from every command."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from program import inside, one_line

from tabular_rl import (
    MDP,
    NumericalError,
    Policy,
    SoftmaxPolicy,
    estimator_moments,
    exact_gradient,
    learn,
    sample_gradient,
    save,
    simulate,
)


def model(reward):
    """Stay and get a third, or go to b half of the time, from where it costs as much to come back."""
    outcomes = [
        ("a", "go", "b", 0.5, reward), ("a", "go", "a", 0.5, 0.0), ("a", "stay", "a", 1, reward / 4),
        ("b", "back", "a", 1, -reward),
    ]  # fmt: skip
    return MDP.from_outcomes(outcomes, "9/10", states=["a", "b"], actions=["go", "stay", "back"])


COMMANDS = [
    "solve", "solve --method value-iteration", "solve --method linear-programming", "solve --horizon 3",
    "evaluate --method policy-evaluation", "simulate --episodes 20", "simulate --episodes 20 --json", "check", "show",
    "gradient", "gradient --horizon 3", "gradient --episodes 20", "compare q-learning --steps 50",
    "compare td0 --policy uniform --steps 50", "compare value-iteration", "learn --steps 50",
    "learn --method sarsa --steps 50 --runs 2 --json", "learn --method reinforce --steps 50",
]  # fmt: skip


@pytest.mark.parametrize("reward", [1e300, 1e200, 1e-300])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_prints_what_is_no_number(capsys, tmp_path, command, reward):
    save(model(reward), tmp_path / "m.npz")
    verb, *options = command.split()
    done = inside(capsys, verb, tmp_path / "m.npz", *options, *(["-q"] if verb != "check" else []))
    if done.code == 3 and not done.out:
        assert re.match("overflow|underflow", one_line(done.err))
        return
    assert done.code in (0, 3), done.err
    assert done.out
    assert "Warning" not in done.err, done.err
    assert not re.search(r"\b(inf|nan)\b", done.out)
    if "learn" in command and "--json" in command:
        found = json.loads(done.out)
        assert all(0 < x < 10 * reward for x in (*found["rms_error"]["runs"], *found["sup_error"]["runs"]))


@pytest.mark.parametrize("power", [700, -700])
def test_results_grow_as_the_rewards_do(power):
    """A factor of a power of two rounds nothing, so that all but the work has the same bits, times it."""
    factor = 2.0**power
    one, large = model(1.0), model(factor)
    a, b = (simulate(m, Policy.uniform(m), episodes=40, steps=60) for m in (one, large))
    for name in ("mean", "deviation", "half_width"):
        assert getattr(b, name) == factor * getattr(a, name) != 0, name
    a, b = (learn(m, "q-learning", steps=60, runs=2) for m in (one, large))
    assert np.array_equal(b.curve.rms, factor * a.curve.rms)
    assert (b.curve.rms > 0).all()


def bandit(reward):
    return MDP([[[1.0], [1.0]]], [[reward, 0.0]], 1, horizon=1)


@pytest.mark.parametrize("reward", [1e300, 1e200, 1e-300])
def test_the_gradient_is_a_number_and_the_variance_is_refused(reward):
    """π = (1/2, 1/2): ∇J = π (r - J) = (1/4, -1/4) r. The variance is of the size of r², which is no float."""
    policy = SoftmaxPolicy(bandit(reward))
    found = exact_gradient(policy)
    assert found.gradient.tolist() == [reward / 4, -reward / 4]
    assert found.norm == pytest.approx(math.sqrt(2) / 4 * reward, rel=1e-15)
    for refused in (estimator_moments, lambda p, name: sample_gradient(p, [name], episodes=5)):
        with pytest.raises(
            NumericalError, match="flow: the variance of estimates is made of squares of rewards"
        ):
            refused(policy, "return")


def test_values_beyond_the_range_are_refused():
    """v = 1e300 / (1 - γ) = 1e310."""
    mdp = MDP([[[1.0], [1.0]]], [[1e300, 1e300]], "0.9999999999")
    with pytest.raises(NumericalError, match=r"overflow|larger than any float|floating point"):
        exact_gradient(SoftmaxPolicy(mdp))
