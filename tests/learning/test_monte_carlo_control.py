"""Monte Carlo control: episodes by hand, all short paths in Fractions, exploring starts, the optimal policy."""

from __future__ import annotations

import itertools
import math
import secrets
from fractions import Fraction

import numpy as np
import pytest
from random_models import random_model
from reference import exact_optimal_rows, exact_optimal_value
from shown import never_text

from tabular_rl import MDP, Policy, Transitions, load, monte_carlo, monte_carlo_control
from tabular_rl.laws.paths import enumerate_paths

HALF = Fraction(1, 2)

# A and B lead to each other, or to the end; two actions in each, γ = 1/2.
TWO = MDP(
    [[[0.25, 0.25, 0.5], [0, 0.5, 0.5]], [[0.5, 0, 0.5], [0.5, 0.25, 0.25]], [[0, 0, 0], [0, 0, 0]]],
    [[1, -2], [4, 0.5], [0, 0]],
    "1/2",
    states=["A", "B", "end"],
    terminal=["end"],
    start="A",
)
LOG = [("A", 0, 1, "A"), ("A", 0, 2, "B"), ("B", 0, 3, "end"), ("B", 1, 4, "A"), ("A", 0, 1, "end")]


def by_log(log=LOG, mdp=TWO, **options):
    return monte_carlo_control(mdp, data=log, reference=False, **{"steps": len(log), **options})


# -- by hand --------------------------------------------------------------------------------------------------------


def test_returns_by_hand():
    """Episode 1: G = 3 at (B,0), 2 + 3/2 = 7/2 and 1 + 7/4 = 11/4 at (A,0). Episode 2: 1 at (A,0), 4 + 1/2 at (B,1)."""
    first, every = (by_log(visit=visit) for visit in ("first", "every"))
    assert first.estimates[0].tolist() == [(2.75 + 1) / 2, 0, 3, 4.5]
    assert first.visits[0].tolist() == [2, 0, 1, 1]
    second = 3.5 + (2.75 - 3.5) / 2
    assert every.estimates[0].tolist() == [second + (1 - second) * (1 / 3), 0, 3, 4.5]
    assert every.visits[0].tolist() == [3, 0, 1, 1]
    assert first.extra["episodes"] == 2
    constant = by_log(step_size=0.5, start_value=8, visit="every")
    assert constant.estimates[0].tolist() == [((((8 + 3.5) / 2) + 2.75) / 2 + 1) / 2, 8, 5.5, 6.25]


def test_what_was_met_in_episodes_without_an_end_is_not_called_never_visited():
    cut = by_log([("A", 0, 1, "B"), ("B", 1, 1, "B")], TWO.replace(gamma=1))
    assert "visited in episodes without an end only: 2 states (A, B)" in never_text(cut)
    corridor = MDP.from_outcomes(
        [("a", "go", "b", 1, 1), ("b", "go", "end", 1, 1)], 1, terminal=["end"], start="a"
    )
    walked = monte_carlo_control(corridor, steps=1)
    assert "visited in episodes without an end only: 1 state (a)" in never_text(walked)


# -- the walk -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behavior", [None, [0.25, 0.75, 0.5, 0.5]])
def test_of_one_action_or_a_fixed_policy_it_is_monte_carlo_of_pairs(behavior):
    """Where each state has one action, the bits of monte_carlo, on every kind of model."""
    for problem in ("discounted", "total-reward", "finite-horizon"):
        mdp = random_model(3, problem, A=1, S=4, ends=1, exact=False)
        same = {"steps": 300, "runs": 2, "seed": 5, "average": True, "episode_steps": 9, "reference": False}
        for visit in ("first", "every"):
            one = monte_carlo_control(mdp, visit=visit, **same)
            other = monte_carlo(mdp, Policy.uniform(mdp), visit=visit, **same)
            live = ~np.tile(mdp.terminal, other.estimates.size // mdp.S // 2)
            states = other.estimates.reshape(2, -1)[:, live]
            assert one.estimates.reshape(2, -1).tobytes() == states[:, : one.estimates[0].size].tobytes()


@pytest.mark.parametrize("visit", ["first", "every"])
def test_every_path_and_the_sampled_mean_are_exact(visit):
    """All paths of 4 steps of the uniform policy as data, in floats against Fractions; their mean against 20,000 runs.

    A fresh seed; each of the four pairs may miss by 6.3 standard errors: false alarms 2.4e-9 for both.
    """
    uniform = Policy.uniform(TWO)
    mean = [Fraction(0)] * 4
    for at, (p, path) in enumerate(enumerate_paths(TWO, uniform, 4)):
        q, n, begun = [Fraction(0)] * 4, [0] * 4, 0
        for t, x in enumerate(path):
            if not x.done:
                continue
            G = Fraction(0)
            for k in reversed(range(begun, t + 1)):
                G = path[k].reward + HALF * G
                i = path[k].row
                if visit == "every" or i not in [y.row for y in path[begun:k]]:
                    n[i] += 1
                    q[i] += (G - q[i]) / n[i]
            begun = t + 1
        mean = [a + p * b for a, b in zip(mean, q, strict=True)]
        if at % 97 == 0:
            lines = zip(*((x.row, float(x.reward), x.next_state, x.done) for x in path), strict=True)
            learned = by_log(Transitions.of_arrays(TWO, *lines), visit=visit)
            assert learned.estimates[0].tolist() == pytest.approx([float(x) for x in q], abs=1e-14)
    seed, runs = secrets.randbits(50), 20_000
    print("seed", seed)
    found = monte_carlo_control(
        TWO, behavior=uniform, visit=visit, steps=4, runs=runs, seed=seed, reference=False
    ).estimates
    z = (found.mean(axis=0) - np.array([float(x) for x in mean])) / (found.std(axis=0) / math.sqrt(runs))
    assert (np.abs(z) < 6.3).all(), z


def test_exploring_starts_begin_with_any_pair():
    """Each step is an episode: 4 pairs, each taken by 1/4 of 40,000 starts; 8 standard errors, seed fixed."""
    mdp = MDP.from_outcomes(
        [(s, a, "end", 1, r) for r, (s, a) in enumerate(itertools.product("xy", "01"))],
        1,
        terminal=["end"],
        start="x",
    )
    learned = monte_carlo_control(mdp, explore="greedy", exploring_starts=True, steps=10_000, runs=4, seed=1)
    assert learned.q.tolist() == [0, 1, 2, 3] and not learned.verdicts
    assert np.abs(learned.visits.sum(axis=0) - 10_000).max() < 8 * math.sqrt(40_000 * 3 / 16)
    without = monte_carlo_control(mdp, explore="greedy", steps=100)
    assert without.visits[0].tolist() == [*without.visits[0, :2], 0, 0] and without.verdicts


@pytest.mark.parametrize(
    "options", [{"explore": "greedy", "exploring_starts": True}, {"explore": "epsilon-visits:200"}]
)
def test_every_run_finds_the_optimal_policy(options):
    """Of a model whose episodes are short, and of a grid by minus one a step; seed fixed."""
    short, grid = random_model(4, "total-reward", S=4, ends=1), load("example:gridworld_4x4")
    moves = [Fraction(-min(x + y, 6 - x - y)) for y in range(4) for x in range(4)]
    for mdp, v in ((short, exact_optimal_value(short)), (grid, moves)):
        best = exact_optimal_rows(mdp, v)
        learned = monte_carlo_control(
            mdp, steps=60_000, runs=4, seed=1, reference=False, episode_steps=200, **options
        )
        for q in mdp.sign * learned.estimates:
            for a, b in zip(mdp.pair_ptr[:-1].tolist(), mdp.pair_ptr[1:].tolist(), strict=True):
                assert a == b or best[a + int(np.argmax(q[a:b]))]


def test_exploration_by_epsilon_learns_the_values_of_the_policy_that_explores():
    """One state: stay for 1 or end for 0, γ = 1/2, ε = 1/2: stay by 3/4, so q(stay) = 1 + 1/2 · 3/4 q(stay) = 8/5."""
    mdp = MDP.from_outcomes([("s", "stay", "s", 1, 1), ("s", "end", "end", 1, 0)], "1/2", terminal=["end"])
    learned = monte_carlo_control(mdp, explore="epsilon-greedy:0.5", visit="every", steps=200_000, seed=2)
    assert learned.q.tolist() == pytest.approx([1.6, 0], abs=0.02)
    assert "learns the values of a policy that explores so" in learned.verdicts[0]


# -- the rest -------------------------------------------------------------------------------------------------------


def test_resumed_in_the_middle_of_an_episode():
    mdp = random_model(3, S=5, ends=1)
    same = {"runs": 2, "seed": 8, "average": True, "reference": False}
    half = monte_carlo_control(mdp, steps=37, **same)
    assert monte_carlo_control(mdp, steps=90, resume=half, **same).estimates.tobytes() == (
        monte_carlo_control(mdp, steps=90, **same).estimates.tobytes()
    )


def test_endless_episodes_are_cut_off_and_said():
    learned = monte_carlo_control(load("example:recycling_robot"), steps=5000)
    assert learned.extra["cut"] > 0 and "were cut off" in learned.note
    assert any("episodes never end" in verdict for verdict in learned.verdicts)
