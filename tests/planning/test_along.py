"""Policies that hardly ever turn back are solved for along their way, in place of sweeps."""

from __future__ import annotations

import numpy as np
import pytest

from tabular_rl import MDP, policy_iteration
from tabular_rl.methods.planning import _along
from tabular_rl.methods.planning._along import leads_one_way
from tabular_rl.methods.planning.action_elimination import action_elimination


def hill(heights, lanes, gamma, back=0.0, seed=0):
    """A way up in short steps that drift aside; at the top all lanes lead in a circle.

    Below height 12 it slips back now and then, so that these states lead back to each other. It costs less to be
    higher. States are numbered at random.
    """
    S, rng = heights * lanes, np.random.default_rng(seed)
    name = rng.permutation(S).reshape(heights, lanes)
    P, R = np.zeros((S, 2, S)), np.empty((S, 2))
    for height in range(heights):
        for lane in range(lanes):
            s, below = name[height, lane], max(height - 2, 0) if height < 12 else height
            for a in range(2):
                aside = (lane + 1 + a) % lanes
                P[s, a, name[min(height + 1 + a, heights - 1), aside]] += 0.75 - back
                P[s, a, name[min(height + 1, heights - 1), lane]] += 0.25
                P[s, a, name[below, lane]] += back
                R[s, a] = height - heights - a * (0.5 + lane % 4)
    return MDP(P, R, gamma, axes="sas")


def test_a_chain_that_rises_leads_one_way_and_one_that_returns_does_not():
    begin, v = np.arange(4), np.array([4.0, 3.0, 2.0, 2.0])
    down, around = np.array([1, 2, 3, 3]), np.array([1, 0, 3, 2])
    ones = np.ones(4)
    assert leads_one_way((begin, begin + 1, down, ones), v, v)
    assert leads_one_way((begin, begin + 1, down, ones), -v, -v)
    assert leads_one_way((begin[:1], begin[:1] + 1, around, ones), v[:1], v), "from one state"
    assert not leads_one_way((begin, begin + 1, around, ones), v, v)
    assert not leads_one_way((begin, begin + 1, begin, ones), v, v), "nowhere do values change"
    assert not leads_one_way((begin, begin, down, ones), v, v), "nothing leads anywhere"


@pytest.fixture(autouse=True)
def _small_models_too(monkeypatch):
    monkeypatch.setattr(_along, "FEWEST", 2)


@pytest.mark.parametrize("back", [0.0, 0.0625])
def test_it_is_solved_for_and_proven(back):
    mdp = hill(80, 8, 1 - 2**-10, back)
    answer, other = action_elimination(mdp), policy_iteration(mdp, tolerance=1e-9)
    assert answer.work["solves along the way"] > 0
    assert answer.bound <= 5e-7
    assert (answer.lower <= other.upper).all()
    assert (other.lower <= answer.upper).all()


def test_what_turns_back_too_much_is_swept_over_as_before(monkeypatch):
    mdp = hill(80, 8, 1 - 2**-10, 0.0625)
    solved = action_elimination(mdp)
    monkeypatch.setattr(_along, "PART", 1)
    monkeypatch.setattr(_along, "SWEEPS", 0)
    swept = action_elimination(mdp)
    assert "solves along the way" not in swept.work
    np.testing.assert_allclose(swept.v, solved.v, atol=1e-6)
    assert solved.work["evaluation sweeps"] < swept.work["evaluation sweeps"] / 3
