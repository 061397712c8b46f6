"""Bounds that no backup moves outward: found near values, verified by one pass, and true."""

from __future__ import annotations

import random
from fractions import Fraction as F

import numpy as np
import pytest
from graphs import as_model, chain_of, policy_values, random_rows, truth

from tabular_rl import MDP, Status, solve
from tabular_rl.certificates.chain import PolicyChain
from tabular_rl.certificates.closed import ClosedBounds
from tabular_rl.certificates.total import TotalCertifier
from tabular_rl.model.graph import total
from tabular_rl.model.graph.total import reward_signs
from tabular_rl.solving.sweeps import Sweeper


def bounds_of(mdp):
    return ClosedBounds(Sweeper(mdp), reward_signs(mdp))


def inside(lower, values, upper):
    return all(F(float(lo)) <= x <= F(float(hi)) for lo, x, hi in zip(lower, values, upper, strict=True))


@pytest.mark.parametrize("kind", ["exact", "float64", "costs"])
def test_intervals_hold(kind):
    rng = random.Random(f"closed {kind}")
    closed = models = 0
    while models < 15:
        signs = rng.choice(((-1, 0), (-1,), (-1, -1, 0, 1), (1, 0), (1, 1, 0)))
        rows = random_rows(rng, rng.choice((3, 4)), ends=0.8, signs=signs, float64=kind == "float64")
        what, best = truth(rows)
        if what != "finite" or all(not own for own in rows):
            continue
        models += 1
        mdp = as_model(rows, "min" if kind == "costs" else "max")
        certifier = TotalCertifier(mdp)
        if certifier.total.merged:
            continue
        for noise in (0.0, 1e-12, 1e-9, 1e-5):
            v = np.array([float(x) for x in best]) + noise * np.array([rng.uniform(-1, 1) for _ in best])
            certifier.quick, certifier.wanted = True, 1e-6
            greedy = np.array(mdp.greedy(mdp.sign * v).rows)
            given = np.array([-1 if not own else rng.choice(mdp.rows(s)) for s, own in enumerate(rows)])
            for policy in (greedy, given):
                certifier.control(v)  # so that what it needs is there
                proven = certifier._closed(v, policy)
                if proven is None:
                    continue
                closed += 1
                assert proven.width <= 1e-6 and inside(proven.lower, best, proven.upper)
                choice = [None if i < 0 else int(i) - int(mdp.pair_ptr[s]) for s, i in enumerate(policy)]
                own = policy_values(*chain_of(rows, choice))
                assert all(F(float(lo)) <= x for lo, x in zip(proven.lower, own, strict=True))
                assert proven.keep[policy[policy >= 0]].all()
    assert closed > 15


def line(reward, steps=5):
    """One way to the end, of moves that are sure; the last one earns the reward."""
    moves = [
        (str(s), "go", str(s + 1) if s + 1 < steps else "end", 1, reward * (s + 1 == steps))
        for s in range(steps)
    ]
    return MDP.from_outcomes(moves, 1, terminal=["end"])


def test_sure_moves_need_nothing_to_spare():
    """A third is no float, and yet all states before the last one have its very bounds."""
    mdp = line(F(1, 3))
    last, live = mdp.states.find("4"), ~mdp.terminal
    upper, of_rows = bounds_of(mdp).above(np.full(mdp.S, 1 / 3 + 1e-12), np.inf, mdp.terminal)
    rows = np.where(mdp.terminal, -1, mdp.pair_ptr[:-1]).astype(mdp.pair_ptr.dtype)
    lower = bounds_of(mdp).below(np.full(mdp.S, 1 / 3 - 1e-12), rows)
    assert F(1, 3) < F(float(upper[last])) < F(1, 3) + F(1, 10**11)
    assert F(1, 3) - F(1, 10**11) < F(float(lower[last])) < F(1, 3)
    others = live & (np.arange(mdp.S) != last)
    assert (upper[others] == 1 / 3 + 1e-12).all() and (lower[others] == 1 / 3 - 1e-12).all()
    assert (of_rows <= upper[mdp.pair_state]).all() and not upper[mdp.terminal].any()


@pytest.mark.parametrize("side", [1, -1])
def test_what_earns_or_costs_is_no_less_than_that_away_from_what_it_leads_to(side):
    """From too near to 0 the bound rises to the reward, or falls to the cost, and on to all that lead there."""
    mdp = line(side)
    rows = np.where(mdp.terminal, -1, mdp.pair_ptr[:-1]).astype(mdp.pair_ptr.dtype)
    for begin, least in ((0.9995, 1.0), (0.9, None)):  # it may grow by a thousandth
        x = np.full(mdp.S, side * begin)
        if side > 0:
            found = bounds_of(mdp).above(x, np.inf, mdp.terminal)
            found = found and found[0]
        else:
            found = bounds_of(mdp).below(x, rows)
        assert (found is None) == (least is None)
        assert found is None or (side * found[~mdp.terminal] > least).all()
    assert bounds_of(mdp).above(np.full(mdp.S, np.inf), np.inf, mdp.terminal) is None
    assert bounds_of(mdp).below(np.full(mdp.S, np.nan), rows) is None


def corridors(n):
    """Corridors of nine cells, in which one may rest: to leave at the far end earns 1, at the near one nothing."""
    S = 9 * n + 2
    cell = np.tile(np.arange(1, 10), n)
    state = np.arange(9 * n)
    near, far = np.where(cell == 1, S - 2, state - 1), np.where(cell == 9, S - 1, state + 1)
    return MDP.from_rows(
        pair_ptr=np.append(np.arange(0, 18 * n + 1, 2), [18 * n] * 2),
        pair_action=np.tile([0, 1], 9 * n),
        row_ptr=np.append(0, np.cumsum(np.tile([2, 1], 9 * n))),
        next_state=np.stack([near, far, state], axis=1).ravel(),
        prob=np.tile([0.5, 0.5, 1.0], 9 * n),
        reward=np.stack([0.0 * cell, 1.0 * (cell == 9), 0.0 * cell], axis=1).ravel(),
        gamma=1,
        terminal=np.append(np.zeros(9 * n, dtype=bool), [True, True]),
    ), np.append(cell / 10, [0.0, 0.0])


def test_a_small_model_that_takes_very_long_to_end_is_proven():
    """Heads sixty times in a row are sure to come, after some 2^61 throws: no time to the end proves that."""
    throws = [(s, "throw", 0, "1/2", 0) for s in range(60)]
    throws += [(s, "throw", s + 1, "1/2", int(s == 59)) for s in range(60)]
    mdp = MDP.from_outcomes([*throws, ("better", "take", 60, 1, 2)], 1, terminal=[60])
    answer = solve(mdp, method="policy-iteration")
    assert answer.status is Status.CERTIFIED
    values = np.where(mdp.terminal, 0.0, 1.0)
    values[mdp.states.find("better")] = 2.0
    assert (answer.lower <= values).all() and (values <= answer.upper).all()


@pytest.mark.parametrize("large", [0, 10**9])
def test_models_with_idle_loops_are_proven_without_a_chain(monkeypatch, large):
    """A fair walk leaves at the far end with a chance of cell / 10, whatever order the states are put in."""
    mdp, values = corridors(130)
    monkeypatch.setattr(total, "LARGE", large)

    def chain(*_args, **_options):
        raise AssertionError("a chain was asked for")

    monkeypatch.setattr(PolicyChain, "bounds", chain)
    answer = solve(mdp, method="policy-iteration")
    assert answer.status is Status.CERTIFIED and answer.bound < 1e-8
    assert (answer.lower <= values).all() and (values <= answer.upper).all()
    assert answer.policy.rows[0] == 0 and answer.policy.rows[9 * 130] == -1
    # To walk is better than to rest; and it is not proven worse to rest for a step.
    assert answer.proven_optimal.all() and answer.optimal_actions.all()


def test_the_order_of_a_quotient_changes_nothing(monkeypatch):
    rng = random.Random("quotients")
    merged = 0
    while merged < 10:
        rows = random_rows(rng, 4, ends=0.5, signs=rng.choice(((-1, 0, 0), (1, 0, 0))))
        what, best = truth(rows)
        if what != "finite" or all(not own for own in rows):
            continue
        mdp = as_model(rows, "max")
        answers = []
        for large in (0, 10**9):
            monkeypatch.setattr(total, "LARGE", large)
            answers.append(solve(mdp, method="policy-iteration"))
            assert inside(answers[-1].lower, best, answers[-1].upper)
        assert np.array_equal(answers[0].optimal_actions, answers[1].optimal_actions)
        merged += TotalCertifier(mdp).total.merged
