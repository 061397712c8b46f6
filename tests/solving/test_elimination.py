"""Chains solved by elimination, against fractions: parts of one state, sparse ones, dense ones, and swept ones."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from graphs import solve_fractions
from mutants import plain
from scipy.sparse import csr_array

from tabular_rl.kernels import elimination as kernels
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import elimination
from tabular_rl.solving.elimination import Elimination, chain_parts, chain_solution
from tabular_rl.solving.sweeps import Sweeper


def drawn_chain(rng, n, rare):
    """P (n + 1, n + 1), whose last state ends it: the others step there with a probability of 1 / rare, or never."""
    P = np.zeros((n + 1, n + 1))
    for s in range(n):
        P[s, rng.integers(0, n, 3)] += rng.random(3)
        P[s, s] += rng.random() * rng.integers(0, 3)
        P[s, n if rng.random() < 0.3 else s - 1] += 1 / rare
    P[0, n] += 1 / rare
    P[:n] /= P[:n].sum(axis=1, keepdims=True)
    return P


def exact_solution(P, b, gamma):
    """x = b + γ P x in fractions, each row divided by its sum; 0 in the last state."""
    n = len(P) - 1
    rows = [[Fraction(float(p)) for p in row] for row in P[:n]]
    A = [
        [Fraction(s == t) - Fraction(gamma) * row[t] / sum(row) for t in range(n)]
        for s, row in enumerate(rows)
    ]
    return [float(x) for x in solve_fractions(A, [Fraction(float(y)) for y in b[:n]])] + [0.0]


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("rare", [1, 1e6, 1e15])
@pytest.mark.parametrize("seed", range(4))
def test_times_have_all_their_digits_however_rarely_a_chain_ends(seed, rare, dense, monkeypatch):
    if dense:
        monkeypatch.setattr(elimination, "STEPS", (0, 0))
    rng = np.random.default_rng(seed)
    P, n = drawn_chain(rng, 12, rare), 12
    b = rng.random(n + 1)
    for gamma in (1.0, 0.99):
        x = Elimination.of_chain(csr_array(P), gamma, np.arange(n + 1) == n).solve(b)
        assert np.allclose(x, exact_solution(P, b, gamma), rtol=1e-13)


@pytest.mark.parametrize("seed", range(3))
def test_a_chain_between_ways_in_and_ways_out_is_solved(seed):
    """Two circles with ways into them, between them and out of them, numbered at random, whatever order is known."""
    rng, n = np.random.default_rng(seed), 40
    name, P = rng.permutation(n + 2), np.zeros((n + 2, n + 2))

    def lead(s, *to):
        for t in to:
            P[name[s], name[t]] += 1 / len(to)

    for s in range(8):
        lead(s, s + 1, s)  # in
        lead(8 + s, 8 + (s + 1) % 8, 16 + s)  # a circle
        lead(16 + s, 17 + s if s < 7 else 24)  # between
        lead(24 + s, 24 + (s + 1) % 8, 32)  # another
        lead(32 + s, 33 + s if s < 7 else n, n + 1)  # out
    zero = np.isin(np.arange(n + 2), name[[n, n + 1]])
    b = rng.random(n + 2)
    A = csr_array(P)
    rows = A.indptr[:-1], A.indptr[1:], A.indices, A.data
    live = np.flatnonzero(~zero)
    expected = np.linalg.solve(np.eye(n) - P[np.ix_(live, live)], b[live])
    fits = name[np.arange(n + 2)[::-1]].astype(np.int32)
    for order in (None, fits, fits[::-1].copy(), rng.permutation(n + 2).astype(np.int32)):
        found = Elimination(rows, 1.0, zero, None, order)
        assert np.allclose(found.solve(b)[live], expected, rtol=1e-12)
        assert sorted(np.bincount(found.label[live]).tolist())[-3:] == [1, 8, 8]


def test_the_chain_of_the_same_policy_is_cut_once():
    S = 200
    walk = [(s, a, s + d, "1/2", -1) for s in range(1, S) for a in (0, 1) for d in (-1, 1)]
    mdp = MDP.from_outcomes(walk, 1, terminal=[0, S], states=range(S + 1))
    sweeper, first = Sweeper(mdp), np.where(mdp.terminal, -1, mdp.pair_ptr[:-1]).astype(np.int32)
    flow = sweeper.with_rewards(np.ones(mdp.L)).of(mdp).flow
    assert flow is sweeper.flow
    cut = chain_parts(flow, first, 1.0, mdp.terminal, None)
    assert chain_parts(flow, first.copy(), 1.0, mdp.terminal.copy(), None) is cut
    assert chain_parts(flow, first + 1, 1.0, mdp.terminal, None) is not cut
    assert chain_parts(flow, first, 0.5, mdp.terminal, None).chain.gamma == 0.5
    wider = mdp.terminal.copy()
    wider[7] = True
    assert chain_parts(flow, first, 0.5, wider, None).label[7] == -1


def test_a_part_that_fills_in_is_swept_where_it_is_large(monkeypatch):
    monkeypatch.setattr(elimination, "ENVELOPE", -1)
    monkeypatch.setattr(elimination, "STEPS", (0, 0))
    monkeypatch.setattr(elimination, "DENSE", 3)
    rng = np.random.default_rng(7)
    P, b = drawn_chain(rng, 12, 4), np.ones(13)
    chain = Elimination.of_chain(csr_array(P), 1.0, np.arange(13) == 12)
    x = chain.solve(b)
    assert np.abs(b + P @ x - x)[:12].max() <= 4 * elimination.NEAR
    assert chain.solve(b, sweeps=0) is None


def test_a_part_that_fills_in_is_factored_where_its_envelope_is_small(monkeypatch):
    monkeypatch.setattr(elimination, "STEPS", (0, 0))
    monkeypatch.setattr(elimination, "DENSE", 3)
    monkeypatch.setattr(Elimination, "_swept", None)
    P, b = drawn_chain(np.random.default_rng(7), 12, 4), np.random.default_rng(8).random(13)
    for gamma in (1.0, 0.9):
        x = Elimination.of_chain(csr_array(P), gamma, np.arange(13) == 12).solve(b)
        assert np.allclose(x, exact_solution(P, b, gamma), rtol=1e-12)


def test_slow_sweeps_are_given_up(monkeypatch):
    monkeypatch.setattr(elimination, "ENVELOPE", -1)
    monkeypatch.setattr(elimination, "STEPS", (0, 0))
    monkeypatch.setattr(elimination, "DENSE", 3)
    P = drawn_chain(np.random.default_rng(7), 12, 1e9)
    kernel, calls = Elimination._ranks, []
    monkeypatch.setattr(Elimination, "_ranks", lambda self: calls.append(0) or kernel(self))
    assert Elimination.of_chain(csr_array(P), 1.0, np.arange(13) == 12).solve(np.ones(13)) is None
    assert calls


@pytest.mark.parametrize("S", [30, 300])
def test_a_chain_that_never_ends_has_no_solution(S):
    ring = [(s, 0, (s + 1) % S, 1, -1) for s in range(S)]
    mdp = MDP.from_outcomes([*ring, (0, 1, "end", 1, 0)], 1, terminal=["end"])
    around = Policy(mdp, rows=np.where(mdp.terminal, -1, mdp.pair_ptr[:-1]).astype(np.int32))
    assert chain_solution(Sweeper(mdp), around, mdp.terminal) is None


@pytest.mark.parametrize("S", [30, 300])
def test_a_walk_takes_the_time_that_the_textbook_says(S):
    # From s, with ends at 0 and S, s (S - s) steps (Feller 1968, XIV.3).
    walk = [(s, 0, s + d, "1/2", -1) for s in range(1, S) for d in (-1, 1)]
    mdp = MDP.from_outcomes(walk, 1, terminal=[0, S], states=range(S + 1))
    s = np.arange(S + 1)
    assert np.allclose(
        chain_solution(Sweeper(mdp), Policy.uniform(mdp), mdp.terminal), -s * (S - s), rtol=1e-12
    )


def test_the_row_of_a_hub_is_changed_at_last():
    """A tree whose leaves lead back to the root: taken out from there on, its row would hold half of all."""
    n = 600
    to = np.stack([2 * np.arange(n) + 1, 2 * np.arange(n) + 2], axis=1)
    to[to >= n] = 0
    P = csr_array((np.full(2 * n, 0.5), (np.arange(n).repeat(2), to.reshape(-1))), shape=(n, n))
    solved = Elimination.of_chain(P, 0.9, np.zeros(n, dtype=bool))
    read, b = {}, np.random.default_rng(1).random(n)
    for crowd in (20, n * n):
        made, walked = plain("elimination"), []
        clear_row = made["clear_row"]

        def counted(entries, heads, taken, s, clear_row=clear_row, walked=walked):
            e = heads.row[s]
            while e >= 0:
                walked.append(s)
                e = entries.beside[e]
            return clear_row(entries, heads, taken, s)

        made["clear_row"], x = counted, b.copy()
        end = made["solve_parts"](
            solved.chain, solved.label, solved.states, solved.cuts, 0, 10**6, crowd, *solved._work(), x
        )
        assert end == 1
        assert np.allclose(x, b + 0.9 * (P @ x), rtol=1e-12)
        read[crowd] = len(walked)
    assert read[20] < 10 * n
    assert read[n * n] > n * n / 20


def filling_chain(n, seed):
    """Moves to anywhere, which fill in, with an end that one step in ten leads to: P (n + 1, n + 1)."""
    rng = np.random.default_rng(seed)
    P = np.zeros((n + 1, n + 1))
    P[np.arange(n)[:, None], rng.integers(0, n, (n, 3))] = rng.random((n, 3))
    P[:n] /= P[:n].sum(axis=1, keepdims=True)
    P[:n] *= 0.9
    P[:n, n] = 0.1
    return P


def sweep_what_is_left(monkeypatch, at_any_cost=True):
    """Have a part be given up early, and no other way be taken; returns the numbers of states in each sweep."""
    for way in ("_dense", "_factored", "_swept"):
        monkeypatch.setattr(Elimination, way, None)
    if at_any_cost:
        for limit, number in {"FIRST": 4, "CALL": 0, "FULL": 0}.items():
            monkeypatch.setattr(elimination, limit, number)
    sweeps, sweep = [], kernels.sweep_part
    monkeypatch.setattr(kernels, "sweep_part", lambda *given: sweeps.append(given[3]) or sweep(*given))
    return sweeps


@pytest.mark.parametrize("fine", [False, True])
def test_what_is_left_of_a_part_is_swept_over(fine, monkeypatch):
    sweeps = sweep_what_is_left(monkeypatch)
    n = 400
    P, b = filling_chain(n, 3), np.ones(n + 1)
    x = Elimination.of_chain(csr_array(P), 1.0, np.arange(n + 1) == n).solve(b, sweeps=0 if fine else 2000)
    assert sweeps
    assert 0 < sweeps[-1] < n
    expected = np.append(np.linalg.solve(np.eye(n) - P[:n, :n], b[:n]), 0.0)
    assert np.allclose(x, expected, rtol=1e-12 if fine else 0.05)


def test_states_are_taken_out_further_where_sweeps_over_the_rest_are_slow(monkeypatch):
    sweeps = sweep_what_is_left(monkeypatch)
    n = 120
    P, b = filling_chain(n, 5), np.ones(n + 1)
    P[:n, n] *= 1e-7
    chain = Elimination.of_chain(
        csr_array(P / P.sum(axis=1, keepdims=True).clip(0.5)), 1.0, np.arange(n + 1) == n
    )
    x = chain.solve(b)
    assert sweeps
    whole = Elimination.of_chain(
        csr_array(P / P.sum(axis=1, keepdims=True).clip(0.5)), 1.0, np.arange(n + 1) == n
    )
    monkeypatch.setattr(elimination, "FIRST", elimination.MOST_STEPS)
    assert np.allclose(x, whole.solve(b), rtol=1e-12)
    assert x.max() > 1e6


@pytest.mark.parametrize("n", [60, 150, 250])
def test_a_few_hundred_states_that_fill_in_are_not_swept_over(n, monkeypatch):
    """The calls of sweeps take longer than to take them all out."""
    sweeps = sweep_what_is_left(monkeypatch, at_any_cost=False)
    P, b = filling_chain(n, 7), np.ones(n + 1)
    x = Elimination.of_chain(csr_array(P), 1.0, np.arange(n + 1) == n).solve(b)
    assert not sweeps
    assert np.allclose(x[:n], 10.0, rtol=1e-12)  # it ends after 10 steps, on average
