"""What a given policy is sure to earn, and what nobody exceeds: intervals without a time to the end (γ = 1)."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from graphs import policy_values

from tabular_rl import MDP, Policy, evaluate
from tabular_rl.certificates.total import TotalCertifier

LIVE = 4


def slow_chain(rng, sense):
    """A model whose first actions make a slow chain to a goal, a trap or a state to stay in for 0; law, r, policy."""
    goal, trap, idle = LIVE, LIVE + 1, LIVE + 2
    law, rewards, moves, sign = [], [], [(idle, "a", idle, 1, 0)], 1 if sense == "max" else -1
    slips = rng.random() < 0.5
    for s in range(LIVE):
        p = Fraction(1, 10 ** rng.choice((1, 6, 12)))
        last = rng.choice((goal, trap, idle)) if slips and s == 0 else goal
        pays = Fraction(rng.choice((3,) * 11 + (2,)), 3) if last == goal else Fraction(0)
        toll = Fraction(-1, 4) if rng.random() < 0.05 else Fraction(0)
        near, far = rng.sample(range(LIVE), 2)
        law.append({last: p, near: (1 - p) / 2, far: (1 - p) / 2})
        rewards.append(p * pays + (1 - p) * toll)
        moves += [(s, "a", last, p, sign * pays)]
        moves += [(s, "a", s2, (1 - p) / 2, sign * toll) for s2 in (near, far)]
        if rng.random() < 0.1:
            moves.append((s, "b", goal, 1, sign * rng.choice((1, 2))))
    mdp = MDP.from_outcomes(moves, 1, states=range(LIVE + 3), terminal=[goal, trap], sense=sense)
    rows = np.where(mdp.terminal, -1, mdp.pair_ptr[:-1])
    return mdp, [*law, {}, {}, {idle: Fraction(1)}], [*rewards, *[Fraction(0)] * 3], Policy(mdp, rows=rows)


@pytest.mark.parametrize("sense", ["max", "min"])
def test_intervals_of_a_policy_that_is_sure_of_the_ceiling_hold(sense):
    rng, seen, partly = random.Random(f"sure {sense}"), 0, 0
    for _ in range(60):
        mdp, law, rewards, policy = slow_chain(rng, sense)
        values, certifier = policy_values(law, rewards), TotalCertifier(mdp, policy)
        ends, known = certifier.known()
        sure = ends[:LIVE]
        seen += sure.all()
        partly += sure.any() and not sure.all()
        for x, value in zip(known[ends], np.array(values)[ends], strict=True):
            assert value - Fraction(1, 10**11) <= Fraction(float(x)) <= value
        for noise in (0.0, 1e-9, 0.1):
            v = np.array([float(x) + noise * rng.uniform(-1, 1) for x in values])
            proven = certifier.certificate(v)
            for low, x, high in zip(proven.lower, values, proven.upper, strict=True):
                assert low == -np.inf or Fraction(float(low)) <= x
                assert high == np.inf or x <= Fraction(float(high))
            assert not sure.all() or proven.width <= 1e-11
    assert seen >= 5
    assert partly >= 1


def test_no_upper_bound_is_made_of_nothing_where_a_way_leads_to_the_goal():
    """A state that earns nothing itself, and leads to one that is sure of 1: with values that are no use it has 1."""
    p = Fraction(1, 10**15)
    moves = [("s", "go", "t", "1/2", 0), ("s", "go", "s", "1/2", 0)]
    moves += [("t", "go", "goal", p, 1), ("t", "go", "t", 1 - p, 0), ("u", "go", "s", "1/2", 0)]
    moves += [("u", "go", "trap", "1/2", 0)]
    mdp = MDP.from_outcomes(moves, 1, terminal=["goal", "trap"])
    certifier = TotalCertifier(mdp, Policy(mdp, rows=np.where(mdp.terminal, -1, mdp.pair_ptr[:-1])))
    truth = {"s": 1, "t": 1, "u": Fraction(1, 2), "goal": 0, "trap": 0}
    for sweeps, v in ((500, np.full(mdp.S, 1e300)), (500, np.full(mdp.S, -1e300)), (0, np.zeros(mdp.S))):
        certifier._chain, certifier.sweeps = None, sweeps
        proven = certifier.certificate(v)
        for s, low, high in zip(mdp.states, proven.lower, proven.upper, strict=True):
            assert low <= truth[s] <= high <= 1 + 1e-12


@pytest.mark.parametrize("solver", ["auto", "elimination", "dense", "sparse", "iterative"])
def test_what_is_known_is_not_solved_for(solver):
    """20 states go round and end at the goal once in 10**13 steps; 20 more lead there, or to a trap, by a coin."""
    p = Fraction(1, 10**13)
    moves = [(s, "on", (s + 1) % 20, 1 - p, 0) for s in range(20)]
    moves += [(s, "on", "goal", p, 1) for s in range(20)]
    moves += [(20 + s, "on", s, "1/2", 0) for s in range(20)]
    moves += [(20 + s, "on", "trap", "1/2", 0) for s in range(20)]
    mdp = MDP.from_outcomes(moves, 1, terminal=["goal", "trap"])
    policy = Policy(mdp, rows=np.where(mdp.terminal, -1, mdp.pair_ptr[:-1]))
    answer = evaluate(mdp, policy, "linear-solve", linear_solver=solver)
    for s in range(40):
        assert (
            answer.lower[mdp.states.index(s)]
            <= Fraction(1, 1 + (s >= 20))
            <= answer.upper[mdp.states.index(s)]
        )
    assert answer.bound <= 1e-12
