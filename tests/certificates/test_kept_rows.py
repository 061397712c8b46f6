"""A sweep over kept rows says what one over all rows says, and what is left out is worse: checked in fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import reference
from random_models import random_model
from sized_models import garnet

from tabular_rl import MDP, Status, solve
from tabular_rl.certificates import kept_rows
from tabular_rl.certificates.kept_rows import NearRows
from tabular_rl.methods.planning import _kept_rows
from tabular_rl.model.rounding import backup_error
from tabular_rl.solving.sweeps import Sweeper


def backed_up(mdp, v):
    """r + γ P v of each row in Fractions, in the sign of maximisation."""
    sign, v = int(mdp.sign), [Fraction(x) for x in v.tolist()]
    return [
        sign * r + mdp.gamma_exact * sum(p * v[t] for t, p in successors.items())
        for successors, r in reference.exact_rows(mdp)
    ]


def best_of(mdp, q):
    return [max((q[i] for i in mdp.rows(s)), default=Fraction(0)) for s in range(mdp.S)]


def check(mdp, found, v, off):
    """Left out is what is worse at v and wherever `spare` says; what is swept has the value of a sweep over all."""
    q = backed_up(mdp, v)
    best = best_of(mdp, q)
    error = Fraction(backup_error(mdp, float(abs(v).max())))
    out = np.flatnonzero(found.q == -math.inf).tolist()
    for s in range(mdp.S):
        assert abs(Fraction(float(found.best[s])) - best[s]) <= error
    share = Fraction(found.spare) / mdp.gamma_exact  # of the span that values may still move
    moved = v + np.where(mdp.terminal, 0.0, float(share) * (1 - 2.0**-40) * (off - off.min()) / np.ptp(off))
    moved = np.where(mdp.terminal, 0.0, moved)
    late = backed_up(mdp, moved)
    most = best_of(mdp, late)
    for i in out:
        assert q[i] < best[mdp.state_of_row(i)]
        assert late[i] < most[mdp.state_of_row(i)]
    return len(out)


@pytest.mark.parametrize("width", [4, 0])
@pytest.mark.parametrize("ends", [0, 2])
@pytest.mark.parametrize("sense", ["max", "min"])
def test_what_is_left_out_is_worse(width, ends, sense):
    """Ragged rows, terminals, costs, ties by whole rewards; after a move, after thinning, and after one more move."""
    left_out = whole = 0
    for seed in range(12):
        mdp = random_model(seed, exact=True, gamma="9/10", S=6, A=5, ends=ends, sense=sense)
        rng = np.random.default_rng(seed)
        u = np.where(mdp.terminal, 0.0, rng.integers(-2, 3, mdp.S) / 2)
        kept, out = NearRows(Sweeper(mdp), (0,) * width, mdp.L), np.empty(mdp.S)
        delta = float(rng.choice([0.5, 1.0, 2.0]))
        _, _, fits = kept.filtered(u, out, delta)
        assert fits
        v = np.where(mdp.terminal, 0.0, u + 0.3 * delta * rng.random(mdp.S))
        for _ in range(2):
            found, off = kept.backup(v), rng.random(mdp.S)
            if found is None:
                whole += 1
                break
            left_out += check(mdp, found, v, off)
            kept.improved(v, out, u)
            kept.thinned(0.4 * delta, least=0.01)
            v = np.where(mdp.terminal, 0.0, v + 0.05 * delta * rng.random(mdp.S))
    assert left_out > 50
    assert whole < 12


def star(rewards, gamma=0.5, ends=False):
    """One state that stays where it is, with these rewards, and a terminal one beside it."""
    n = len(rewards)
    return MDP.from_rows(
        pair_ptr=[0, n, n][: 2 + ends], pair_action=np.arange(n), row_ptr=np.arange(n + 1),
        next_state=np.zeros(n, dtype=int), prob=np.ones(n), r=rewards, gamma=gamma, terminal=[False, True][: 1 + ends],
    )  # fmt: skip


@pytest.mark.parametrize("width", [4, 0])
def test_a_gap_of_delta_is_kept_and_of_an_ulp_more_left_out(width):
    below, above = np.nextafter(1.0, 0.0), np.nextafter(1.0, 2.0)
    mdp = star([-above, -1.0, -below, 0.0])
    kept, v = NearRows(Sweeper(mdp), (0,) * width, mdp.L), np.zeros(1)
    kept.filtered(v, np.empty(1), 1.0)
    assert kept.backup(v).q.tolist() == [-math.inf, -1.0, -below, 0.0]
    kept.filtered(v, np.empty(1), below)
    assert kept.backup(v).q.tolist() == [-math.inf, -math.inf, -below, 0.0]
    kept.filtered(v, np.empty(1), 0.0)
    assert kept.backup(v) is None, "nothing is known of ties that were left out"


@pytest.mark.parametrize("short", [True, False])
def test_the_gaps_last_until_values_have_moved_as_far_terminal_ones_too(short):
    """A gap of 1 at γ = 1/2: the other row can become the best once values have moved by 2 against each other."""
    mdp = star([0.0, -1.5], ends=True)
    kept, v = NearRows(Sweeper(mdp), (0,) * 4, mdp.L), np.zeros(2)
    kept.filtered(v, np.empty(2), 1.0)
    error = backup_error(mdp, 0.0)
    assert 0 < error < 1e-13
    later = np.array([2 * (1 - 8 * error) if short else np.nextafter(2.0, 3.0), 0.0])
    found = kept.backup(later)
    assert (found is not None) == short
    if short:
        assert found.q.tolist() == [later[0] / 2, -math.inf]
        assert 0 <= found.spare < 8 * error
    assert kept.backup(np.array([3.0, 0.0])) is None


def test_rows_that_were_not_read_are_proven_worse_only_where_the_guess_was_right():
    """v = 0 and one row each that earns 1: that T v - v is 1 at least is true, and 1.5 is not."""
    mdp = MDP.from_rows(
        pair_ptr=[0, 9], pair_action=np.arange(9), row_ptr=np.arange(10), next_state=np.zeros(9, dtype=int),
        prob=np.ones(9), r=[1.0, *[-5.0] * 8], gamma=0.5,
    )  # fmt: skip
    kept, v, out = NearRows(Sweeper(mdp), (0,) * 4, mdp.L), np.zeros(1), np.empty(1)
    kept.filtered(v, out, 0.25, 1.0)
    assert kept.proof is not None
    kept.filtered(v, out, 0.25, 1.5)
    assert out[0] == 1.0, "where no row seems worth reading all are read"
    assert kept.proof is None
    assert kept.backup(v) is None


def test_rows_that_had_no_room_leave_nothing_proven():
    mdp = garnet(1, "9/10", S=6, actions=5, branching=3)
    kept = NearRows(Sweeper(mdp), (0,) * 4, 8)
    assert not kept.filtered(np.zeros(6), np.empty(6), 5.0)[2]
    assert kept.backup(np.zeros(6)) is None


@pytest.mark.parametrize("branching", [3, 20])
@pytest.mark.parametrize("ends", [0, 2])
def test_a_solve_proves_by_kept_rows_alone(monkeypatch, branching, ends):
    """The interval holds the values in fractions, and every best action is among those that are not proven worse."""
    proofs, backup = [], NearRows.backup
    monkeypatch.setattr(NearRows, "backup", lambda self, v: proofs.append(backup(self, v)) or proofs[-1])
    monkeypatch.setattr(_kept_rows, "SHARE", 1.0)
    fewer = 0
    for seed in range(6):
        mdp = garnet(
            seed, "9/10", S=12, actions=12, branching=branching, ends=ends, sense=("max", "min")[seed % 2]
        )
        answer, truth = solve(mdp, "action-elimination"), solve(mdp, "rational")
        assert answer.status is Status.CERTIFIED
        assert all(
            low <= x <= high for low, x, high in zip(answer.lower, truth.exact, answer.upper, strict=True)
        )
        assert (answer.optimal_actions | ~truth.optimal_actions).all()
        fewer += proofs[-1] is not None and (proofs[-1].q == -math.inf).any()
    assert fewer >= 3


def test_what_is_left_out_is_looked_at_again_where_the_interval_is_too_wide_to_decide(monkeypatch):
    """With nothing to spare, decisions are made from a sweep over all rows: they hold what that finds."""
    mdp = garnet(2, "9/10", S=40, actions=12, branching=3)
    answer = solve(mdp, "action-elimination")
    backup, made = NearRows.backup, []

    def poor(self, v):
        found = backup(self, v)
        made.append(found is not None)
        return found and found._replace(spare=0.0)

    monkeypatch.setattr(NearRows, "backup", poor)
    full, calls = Sweeper.backup, []

    def counted(self, v):
        calls.append(not self.knows(v))
        return full(self, v)

    monkeypatch.setattr(Sweeper, "backup", counted)
    again = solve(mdp, "action-elimination")
    assert any(made)
    assert sum(calls) == 1 + made.count(False)
    assert again.lower.tolist() == answer.lower.tolist()
    assert not (answer.optimal_actions & ~again.optimal_actions).any()


def test_the_span_is_rounded_up():
    x = np.array([0.1, -0.2, 0.3])
    assert kept_rows.span(x) > Fraction(0.3) + Fraction(0.2)
    assert kept_rows.span(np.zeros(0)) == 0.0
    assert 0 <= kept_rows.span(np.ones(3)) < 1e-15
