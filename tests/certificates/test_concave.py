"""Bounds from concave functions of the values: verified, mended where they do not do, and asked for in time."""

from __future__ import annotations

import random
from fractions import Fraction as F

import numpy as np
import pytest
from graphs import as_model, chain_of, policy_values, random_rows, truth

from tabular_rl import MDP, Policy, Status, solve
from tabular_rl.certificates import closed, concave
from tabular_rl.certificates.chain import PolicyChain
from tabular_rl.certificates.concave import ConcaveBounds
from tabular_rl.certificates.total import TotalCertifier
from tabular_rl.model.rounding import shared_error
from tabular_rl.solving.sweeps import Sweeper

ERROR = 1e-9


def inside(lower, values, upper):
    return all(
        (lo == -np.inf or F(float(lo)) <= x) and (hi == np.inf or x <= F(float(hi)))
        for lo, x, hi in zip(lower, values, upper, strict=True)
    )


def fallen_short(mdp, v, d, rows, side):
    """The most by which side * (T_i (v + side d) - (v + side d)) of some rows exceeds 0, in rationals."""
    x = [F(float(a)) + side * F(float(b)) for a, b in zip(v, d, strict=True)]
    short = []
    for i in rows:
        outcomes, r = mdp.rational(i)
        short.append(side * (mdp.sign * r + sum(p * x[s2] for s2, p in outcomes) - x[mdp.pair_state[i]]))
    return max(short)


def short_by_floats(mdp, v, error, rows, side):
    """What marks the states where v + side d is on the wrong side of a backup, or within E of it."""

    def short(d):
        x, found = v + side * d, np.zeros(mdp.S, dtype=bool)
        for i in rows:
            outcomes, r = mdp.rational(i)
            q = float(mdp.sign * r) + sum(float(p) * x[s2] for s2, p in outcomes)
            found[mdp.pair_state[i]] |= side * (q - x[mdp.pair_state[i]]) > -error
        return found

    return short


def above(mdp, v, away, error=ERROR, bounds=None):
    """d of all rows above v."""
    bounds = bounds or ConcaveBounds(Sweeper(mdp))
    return bounds.above(v, mdp.terminal, away, error, short_by_floats(mdp, v, error, range(mdp.L), 1))


@pytest.fixture
def every_state_may_be_mended(monkeypatch):
    monkeypatch.setattr(concave, "FEW", 0)
    monkeypatch.setattr(concave, "MOST", 1)


def corridor(n):
    """A walk to either side, or to wait for a step toward the first end: both ends earn 1."""
    steps = []
    for s in range(1, n):
        near, far = (str(s - 1), str(s + 1)) if s + 1 < n else (str(s - 1), "end")
        steps += [
            (str(s), "walk", near, "1/2", 1 if near == "0" else 0),
            (str(s), "walk", far, "1/2", int(far == "end")),
        ]
        steps += [(str(s), "wait", str(s), "1/2", 0), (str(s), "wait", near, "1/2", 1 if near == "0" else 0)]
    return MDP.from_outcomes(steps, 1, terminal=["0", "end"])


@pytest.mark.parametrize("kind", ["exact", "float64", "costs"])
def test_intervals_from_concave_functions_hold(kind, every_state_may_be_mended):
    rng = random.Random(f"concave {kind}")
    narrow = models = 0
    while models < 25:
        signs = rng.choice(((-1, 0), (-1,), (-1, -1, 0, 1), (1, 0), (1, 1, 0)))
        rows = random_rows(rng, rng.choice((3, 4)), ends=0.8, signs=signs, float64=kind == "float64")
        what, best = truth(rows)
        if what != "finite" or all(not own for own in rows):
            continue
        models += 1
        mdp = as_model(rows, "min" if kind == "costs" else "max")
        certifier = TotalCertifier(mdp)
        for noise in (0.0, 1e-12, 1e-9, 1e-5):
            v = np.array([float(x) for x in best]) + noise * np.array([rng.uniform(-1, 1) for _ in best])
            certifier.quick, certifier.wanted = True, 1e-6
            given = None
            if rng.random() < 0.5:
                given = np.array([-1 if not own else rng.choice(mdp.rows(s)) for s, own in enumerate(rows)])
            proven = certifier.control(v, given)
            assert inside(proven.lower, best, proven.upper)
            if proven.keep is not None:
                choice = [
                    None if i < 0 else int(i) - int(mdp.pair_ptr[s]) for s, i in enumerate(certifier.rows)
                ]
                assert inside(proven.lower, policy_values(*chain_of(rows, choice)), np.full(mdp.S, np.inf))
                narrow += proven.width <= 1e-6
    assert narrow > 10


def test_no_row_falls_short_once_states_are_mended(every_state_may_be_mended):
    """In a corridor all is worth 1, wherever one goes: no move is a gamble, and d is made of steps to the ends."""
    mdp = corridor(12)
    v = np.where(mdp.terminal, 0.0, 1.0)
    d = above(mdp, v, 1e-7)
    assert fallen_short(mdp, v, d, range(mdp.L), 1) <= F(-ERROR)
    # Between the ends a walk takes s (12 - s) steps, each of which costs 2 E, but for a fifth.
    steps = np.array([0 if x == "end" else int(x) * (12 - int(x)) for x in mdp.states])
    assert (d >= 1.6 * ERROR * steps).all()
    rows = np.where(mdp.terminal, -1, mdp.pair_ptr[:-1]).astype(mdp.pair_ptr.dtype)
    short = short_by_floats(mdp, v, ERROR, rows[~mdp.terminal], -1)
    d = ConcaveBounds(Sweeper(mdp)).below(v, mdp.terminal, 1e-7, ERROR, short, Policy.partial(mdp, rows=rows))
    assert fallen_short(mdp, v, d, rows[~mdp.terminal], -1) <= F(-ERROR)


def test_gambles_and_costs_need_no_mending(monkeypatch):
    """Each double or nothing: v = 2^-k. And each step costs 1 and is tried twice: v = -2 k."""
    monkeypatch.setattr(concave._Part, "solution", None)
    bets = [(str(k), "bet", str(k - 1), "1/2", 0) for k in range(2, 9)] + [("1", "bet", "won", "1/2", 1)]
    bets += [(str(k), "bet", "lost", "1/2", 0) for k in range(1, 9)]
    tries = [(str(k), "try", str(k - 1), "1/2", -1) for k in range(1, 9)]
    tries += [(str(k), "try", str(k), "1/2", -1) for k in range(1, 9)]
    for steps, ends, value in ((bets, ["won", "lost"], lambda k: 0.5**k), (tries, ["0"], lambda k: -2.0 * k)):
        mdp = MDP.from_outcomes(steps, 1, terminal=ends)
        v = np.array([0.0 if x in ends else value(int(x)) for x in mdp.states])
        d = above(mdp, v, 1e-3)
        assert fallen_short(mdp, v, d, range(mdp.L), 1) <= F(-ERROR)
        assert d.max() == pytest.approx(1e-3)


def test_values_that_are_far_off_are_given_up_at_once():
    """Two of three states rise: of twelve only one may be mended at first, and they are eight times too many."""
    steps = [(a, "go", b, 1, 1 if b == "end" else 0) for a, b in (("a", "b"), ("b", "c"), ("c", "end"))]
    mdp = MDP.from_outcomes(steps, 1, terminal=["end"])
    v = np.array([{"a": 0.25, "b": 0.5, "c": 1.0}.get(x, 0.0) for x in mdp.states])
    bounds = ConcaveBounds(Sweeper(mdp))
    assert above(mdp, v, 1e-3, bounds=bounds) is None
    assert bounds.excess == 2 * concave.FEW / mdp.S
    mixed = MDP.from_outcomes(
        [*steps[:-1], ("c", "go", "end", 1, -1), ("a", "end", "end", 1, 1)], 1, terminal=["end"]
    )
    assert above(mdp, v, 0.0, bounds=bounds) is None
    bounds = ConcaveBounds(Sweeper(mixed))
    assert above(mixed, v, 1e-3, bounds=bounds) is None and bounds.excess == 0


def test_few_states_are_mended_where_their_neighbours_lead_to_too_many():
    """One step before a gamble all is worth the same. Most of the states are where the gamble leads."""
    bets = [(str(k), "bet", "won", f"{k}/10", 1) for k in range(1, 9)]
    bets += [(str(k), "bet", "lost", f"{10 - k}/10", 0) for k in range(1, 9)]
    draws = [("draw", "go", str(k), "1/8", 0) for k in range(1, 9)]
    mdp = MDP.from_outcomes([("first", "go", "draw", 1, 0), *draws, *bets], 1, terminal=["won", "lost"])
    chance = {str(k): k / 10 for k in range(1, 9)} | {"draw": 0.45, "first": 0.45}
    v = np.array([chance.get(x, 0.0) for x in mdp.states])
    assert (len(chance) - 1) * concave.MOST > mdp.S
    d = above(mdp, v, 1e-3)
    assert fallen_short(mdp, v, d, range(mdp.L), 1) <= F(-ERROR)


def test_a_policy_that_never_ends_is_not_trusted():
    """To turn round and round costs 1 a step: no bound of it is below the truth, which is -∞."""
    steps = [(a, "turn", b, 1, -1) for a, b in (("a", "b"), ("b", "a"))] + [("a", "leave", "end", 1, -5)]
    mdp = MDP.from_outcomes(steps, 1, terminal=["end"])
    turning = np.array([-1 if x == "end" else mdp.pair_ptr[s] for s, x in enumerate(mdp.states)])
    assert mdp.actions[mdp.pair_action[0]] == "turn"
    certifier = TotalCertifier(mdp)
    certifier.quick, certifier.wanted = True, 1e-6
    proven = certifier.control(np.array([{"a": -5.0, "b": -6.0}.get(x, 0.0) for x in mdp.states]), turning)
    assert not np.array_equal(certifier.rows, turning) or not np.isfinite(proven.lower[:2]).any()
    assert inside(proven.lower, [{"a": F(-5), "b": F(-6)}.get(x, F(0)) for x in mdp.states], proven.upper)


def lake(size, seed):
    """Cells with holes; a move goes a third of the time to either side, and to arrive at the last one earns 1."""
    rng = np.random.default_rng(seed)
    hole = rng.random((size, size)) < 0.25
    hole[-1, -1] = True
    cell, row, column = np.arange(size**2), *np.divmod(np.arange(size**2), size)
    there = [
        np.clip(row + i, 0, size - 1) * size + np.clip(column + j, 0, size - 1)
        for i, j in ((0, -1), (1, 0), (0, 1), (-1, 0))
    ]
    live = cell[~hole.ravel()]
    to = np.stack([[there[(a + b) % 4][live] for b in (-1, 0, 1)] for a in range(4)]).transpose(2, 0, 1)
    L = 4 * len(live)
    return MDP.from_rows(
        pair_ptr=np.concatenate([[0], np.cumsum(np.where(hole.ravel(), 0, 4))]),
        pair_action=np.tile(np.arange(4), len(live)),
        row_ptr=np.arange(0, 3 * L + 1, 3),
        next_state=to.ravel(),
        prob=np.full(3 * L, 1 / 3),
        r=(to == size**2 - 1).sum(axis=2).ravel() / 3,
        gamma=1,
        terminal=hole.ravel(),
    )


def test_lakes_are_proven_without_a_chain(monkeypatch):
    mdp = lake(62, 1)
    assert mdp.L > 10_000
    other = solve(mdp, method="policy-iteration", tolerance=1e-9)

    def chain(*_args, **_options):
        raise AssertionError("a chain was asked for")

    monkeypatch.setattr(PolicyChain, "bounds", chain)
    answer = solve(mdp, method="ordered-gauss-seidel")
    assert answer.status is Status.CERTIFIED and other.status is Status.CERTIFIED
    assert (answer.lower <= other.upper).all() and (other.lower <= answer.upper).all()
    assert answer.bound <= 5e-7


@pytest.fixture
def swept(monkeypatch):
    """The sweeps that carry back what closed bounds lack, each with what it raised."""
    sweeps = []
    lift = Sweeper.lift
    monkeypatch.setattr(Sweeper, "lift", lambda *args: sweeps.append(lift(*args)) or sweeps[-1])
    return sweeps


def test_closed_bounds_that_rise_slowly_give_way(swept):
    """Where as many states rise sweep for sweep, a few are mended instead: forty sweeps were too many."""
    answer = solve(lake(62, 1), method="ordered-gauss-seidel")
    assert answer.status is Status.CERTIFIED and 0 < len(swept) <= 30
    swept.clear()
    answer = solve(lake(30, 5), method="ordered-gauss-seidel")
    assert answer.status is Status.CERTIFIED and 0 < len(swept) <= 30


def test_closed_bounds_are_waited_for_where_concave_functions_do_not_do(swept, monkeypatch):
    def chain(*_args, **_options):
        raise AssertionError("a chain was asked for")

    monkeypatch.setattr(PolicyChain, "bounds", chain)
    answer = solve(lake(40, 3), method="ordered-gauss-seidel")
    assert answer.status is Status.CERTIFIED and closed.SOON < 20 < len(swept) <= 80


def test_no_row_of_a_lake_falls_short(every_state_may_be_mended):
    """d may fall short of 2 E by a fifth of it, and so never of E; sums of floats are off by less."""
    mdp = lake(9, 7)
    v = solve(mdp, tolerance=1e-12).v
    d = above(mdp, v, 1e-6, shared_error(mdp, 1.0))
    assert fallen_short(mdp, v, d, range(mdp.L), 1) <= F(-shared_error(mdp, 1.0)) / 2
