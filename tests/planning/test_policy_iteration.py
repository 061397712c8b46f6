"""Policy iteration: exact evaluations, few improvements, and no circles among ties."""

from __future__ import annotations

import random
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import reference
from graphs import as_model, random_rows, truth
from random_models import random_model

from tabular_rl import MDP, Status, solve
from tabular_rl.formats import load
from tabular_rl.methods.planning.policy_iteration import policy_iteration

FILE = sys.modules["tabular_rl.methods.planning.policy_iteration"]
MODELS = Path(__file__).resolve().parents[2] / "mdps"
pytestmark = pytest.mark.small


def test_puterman_two_states():
    mdp = MDP([[[0.5, 0.5], [0, 1]], [[0, 1], [0, 0]]], [[5, 10], [-1, 0]], 0.95, axes="sas")
    answer = policy_iteration(mdp)
    assert answer.v == pytest.approx([-60 / 7, -20], abs=1e-9)
    assert answer.policy.actions.tolist() == [0, 0]
    assert answer.work["linear solves"] <= 3


@pytest.mark.parametrize("linear_solver", ["auto", "dense", "sparse", "elimination", "iterative"])
def test_howards_taxicab(linear_solver):
    """Howard (1960), Table 7.1: at γ = .9 the values are 121.6, 135.3, 122.8, and the stand is best everywhere."""
    answer = policy_iteration(load(MODELS / "taxicab.toml"), linear_solver=linear_solver)
    assert answer.v == pytest.approx([121.6, 135.3, 122.8], abs=0.06)
    assert len(set(answer.policy.actions.tolist())) == 1
    assert answer.work["improvements"] <= 4


def test_toymaker():
    """Howard (1960), chapter 7: the best policy at γ = .9 advertises and researches, v = 22.2, 12.2."""
    assert policy_iteration(load(MODELS / "toymaker.toml")).v == pytest.approx([22.2, 12.3], abs=0.1)


@pytest.mark.parametrize("sense", ["max", "min"])
def test_improvements_never_make_it_worse(sense):
    """With one improvement more the policy is at least as good in every state, exactly."""
    for seed in range(6):
        mdp = random_model(seed, sense=sense, gamma="9/10", S=6, ends=0, exact=False)
        before = None
        for improvements in range(1, 6):
            answer = policy_iteration(mdp, improvements=improvements, tolerance=1e-12)
            own = [int(mdp.sign) * x for x in reference.exact_policy_value(mdp, answer.policy)]
            assert before is None or all(a >= b for a, b in zip(own, before, strict=True)), mdp.name
            before = own


def tied(gamma, copies):
    """Every action is worth the same, but floats add them up in different orders: .1 + .2 is not .3."""
    prob = [0.1, 0.2, 0.3, 0.4]
    rows = []
    for s in range(4):
        for a in range(copies):
            turned = prob[a:] + prob[:a]
            rows += [(s, a, (s + a + k) % 4, turned[k], 0.3) for k in range(4)]
    return MDP.from_outcomes(rows, gamma, actions=range(copies))


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.999, 0.999999])
def test_ties_never_cycle(gamma):
    mdp = tied(gamma, 4)
    answer = policy_iteration(mdp, tolerance=1e-300)
    assert answer.work["improvements"] <= 3
    assert answer.optimal_actions.all(), "all of a tie is part of the answer"
    assert not answer.proven_optimal.any()


def test_ties_of_the_gambler_end():
    """Sutton & Barto (2018), Example 4.3: many stakes are equally good; v(25) = .4², v(50) = .4."""
    answer = policy_iteration(load(MODELS / "gambler_40.toml"))
    assert answer.status is Status.CERTIFIED
    assert answer.work["improvements"] <= 20
    assert answer["25"] == pytest.approx(0.16, abs=1e-9)
    assert answer["50"] == pytest.approx(0.4, abs=1e-9)


def test_total_reward_starts_from_a_policy_that_ends():
    """Action 0 goes round forever at a cost, so the greedy first policy has no value at all."""
    P = [[[0, 1, 0], [1, 0, 0]], [[1, 0, 0], [0, 0, 1]], [[0, 0, 0], [0, 0, 0]]]
    mdp = MDP(P, [[-1, -3], [-1, -5], [0, 0]], 1, terminal=[2])
    answer = policy_iteration(mdp)
    assert answer.v == pytest.approx([-6, -5, 0])
    assert answer.policy.actions.tolist() == [0, 1, -1]


def test_warm_start_from_the_answer_needs_one_improvement():
    mdp = random_model(3, gamma="99/100", S=8, ends=0, exact=False)
    first = policy_iteration(mdp)
    again = policy_iteration(mdp, start_from=first)
    assert again.work["improvements"] == 1
    assert np.array_equal(again.policy.rows, first.policy.rows)


def test_one_improvement_is_not_enough_and_says_so():
    """The reward that is near is not the one that lasts; one improvement after the greedy policy finds out."""
    P = np.zeros((4, 2, 4))
    for s in range(4):
        P[s, 0, s] = 1.0
        P[s, 1, min(s + 1, 3)] = 1.0
    R = [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [9.0, 9.0]]
    answer = policy_iteration(MDP(P, R, 0.9), improvements=1)
    assert answer.status is Status.BUDGET_SPENT
    assert answer.work["improvements"] == 1
    full = policy_iteration(MDP(P, R, 0.9))
    assert full.v == pytest.approx([90 * 0.9**3, 90 * 0.9**2, 90 * 0.9, 90], abs=1e-6)
    assert all(answer.lower <= full.upper)
    assert all(full.lower <= answer.upper)


def test_discount_close_to_one():
    """Two states that swap: v(0) = 1 / (1 - γ²), v(1) = γ v(0), at γ = 1 - 1e-6."""
    gamma = 1 - Fraction(1, 10**6)
    answer = policy_iteration(MDP([[[0, 1.0]], [[1.0, 0]]], [[1], [0]], gamma), tolerance=1e-3)
    assert answer.status is Status.CERTIFIED
    assert answer.v == pytest.approx([float(1 / (1 - gamma**2)), float(gamma / (1 - gamma**2))], abs=1e-3)


@pytest.mark.parametrize("name", ["gambler_40", "gridworld_4x4", "gridworld_5x5", "windy_gridworld", "ties"])
def test_of_tied_actions_the_lowest_is_taken_as_in_exact_arithmetic(name):
    import tabular_rl

    mdp = tabular_rl.load(f"example:{name}")
    answer = policy_iteration(mdp)
    assert answer.status.reached
    assert answer.policy == tabular_rl.rational(mdp).policy


# -- γ = 1 ------------------------------------------------------------------------------------------------------


def coins(K, phases=1):
    """Counters that a coin moves up or down between 0 and 2 K, one phase after the other; a toss costs 1, a wait 2."""
    outcomes = []
    for phase in range(phases):
        for s in range(1, 2 * K):
            for d in (-1, 1):
                to = (phase, s + d) if 0 < s + d < 2 * K else (phase + 1, K) if phase + 1 < phases else "end"
                outcomes += [((phase, s), "toss", to, "1/2", 1), ((phase, s), "wait", to, "1/2", 2)]
    return MDP.from_outcomes(outcomes, 1, terminal=["end"], sense="min")


def test_counters_take_the_time_that_the_textbook_says():
    """From the middle a phase takes K² tosses on average (Feller 1968, XIV.3)."""
    K, phases = 20, 30
    answer = solve(coins(K, phases))
    assert answer.method == "policy-iteration"
    assert answer[str((0, K))] == pytest.approx(phases * K * K, abs=1e-6)
    assert answer.status == Status.CERTIFIED


def test_looking_ahead_takes_few_improvements(monkeypatch):
    mdp = MDP.from_outcomes(jumps(12), 1, terminal=["end"], sense="min")
    improvements = {}
    for small in (0, 10**6):
        monkeypatch.setattr(FILE, "SMALL", small)
        answer = policy_iteration(mdp)
        assert answer["0"] == pytest.approx(12, abs=1e-9)
        improvements[small] = answer.work["improvements"]
    assert improvements[0] <= 3 < improvements[10**6]


def jumps(n):
    """n states in a row: a step costs 1, and a jump to the end half a unit more than all steps."""
    for s in range(n):
        yield s, "jump", "end", 1, n - s + Fraction(1, 2)
        yield s, "go", s + 1 if s + 1 < n else "end", 1, 1


@pytest.mark.parametrize("sense", ["max", "min"])
def test_looking_ahead_is_right(sense, monkeypatch):
    monkeypatch.setattr(FILE, "SMALL", 0)
    monkeypatch.setattr(FILE, "_elimination", lambda *_: None)
    rng = random.Random(f"ahead {sense}")
    models = 0
    while models < 60:
        rows = random_rows(rng, rng.choice((2, 3, 4)), signs=rng.choice(((-1, 0), (-1, -1, 0, 1), (1, 1, 0))))
        what, best = truth(rows)
        if what != "finite" or all(not own for own in rows):
            continue
        models += 1
        answer = policy_iteration(as_model(rows, sense))
        values = best if sense == "max" else [-x for x in best]
        assert all(lo <= x <= hi for lo, x, hi in zip(answer.lower, values, answer.upper, strict=True))
        assert answer.bound <= 1e-6


def cliff(width, height, leak):
    """Each step costs 1, beside the edge 100 to step off and back to the first cell; and it may be the last one."""
    cell, steps = {(x, y): f"{x} {y}" for y in range(height) for x in range(width)}, []
    goal = (width - 1, height - 1)
    for (x, y), name in cell.items():
        for action, (i, j) in enumerate(((1, 0), (-1, 0), (0, 1), (0, -1)) if (x, y) != goal else ()):
            to, cost = (min(max(x + i, 0), width - 1), min(max(y + j, 0), height - 1)), -1
            if to[1] == height - 1 and 0 < to[0] < width - 1:
                to, cost = (0, height - 1), -100
            steps += [(name, action, cell[to], 1 - leak, cost), (name, action, "end", leak, cost)]
    return MDP.from_outcomes(steps, 1, terminal=[cell[goal], "end"], states=[*cell.values(), "end"])


def test_where_all_policies_end_the_shortest_ways_are_tried_soon():
    """First rows lead away from the goal; to turn round would take some twenty improvements, a few columns each."""
    mdp = cliff(94, 31, Fraction(1, 301))
    answer = policy_iteration(mdp)
    assert answer.status is Status.CERTIFIED and answer.work["linear solves"] <= 4
    # One step down from the goal's own column is the last one: -1, however likely it was to end.
    above = int(mdp.states.find("93 29"))
    assert answer.lower[above] <= -1 <= answer.upper[above]
    # From there to the left each step more is taken if the one before was not the last.
    along = [-(1 - Fraction(300, 301) ** k) * 301 for k in range(1, 94)]
    own = [mdp.states.find(f"{94 - k} 29") for k in range(1, 94)]
    assert all(answer.lower[s] <= x <= answer.upper[s] for s, x in zip(own, along, strict=True))
