"""Modified policy iteration that leaves actions out: while it says so, kept rows are all that matter."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import reference
from random_models import random_model
from sized_models import garnet

from benchmarks.families import model
from tabular_rl import MDP, Status, policy_iteration, solve
from tabular_rl.certificates import kept_rows
from tabular_rl.methods.exact import linear_solve
from tabular_rl.methods.planning import _aggregation, _kept_rows
from tabular_rl.methods.planning._goal import Goal
from tabular_rl.methods.planning._kept_rows import KeptRows
from tabular_rl.methods.planning.action_elimination import Search, action_elimination
from tabular_rl.model.rounding import backup_error
from tabular_rl.solving.cost import Facts
from tabular_rl.solving.sweeps import Sweeper


def twice(mdp):
    """Each action under two names: rows tie exactly."""
    rows = [i for s in range(mdp.S) for _ in range(2) for i in mdp.rows(s)]
    lengths = np.diff(mdp.row_ptr)[rows]
    outcomes = np.concatenate([np.arange(mdp.row_ptr[i], mdp.row_ptr[i + 1]) for i in rows])
    counts = np.diff(mdp.pair_ptr)
    return MDP.from_rows(
        pair_ptr=2 * mdp.pair_ptr, pair_action=np.concatenate([np.arange(2 * n) for n in counts]),
        row_ptr=np.concatenate([[0], np.cumsum(lengths)]), next_state=mdp.next_state[outcomes],
        prob=mdp.prob[outcomes], r=mdp.r[rows], gamma=mdp.gamma, terminal=mdp.terminal, sense=mdp.sense,
    )  # fmt: skip


def spied(monkeypatch):
    """What Search says of its sweeps over kept rows: (v, T v, kept rows, exact), a sweep each."""
    seen, round_, improved = [], Search._round, KeptRows.improved

    def spy(self, v, out, origin):
        answer = improved(self, v, out, origin)
        seen.append([v.copy(), out.copy(), self.kept[1][: self.count].tolist(), None])
        return answer

    def after(self, whole):
        answer = round_(self, whole)
        seen[-1][3] = self.exact
        return answer

    monkeypatch.setattr(KeptRows, "improved", spy)
    monkeypatch.setattr(Search, "_round", after)
    return seen


def backed_up(mdp, v):
    """r + γ P v of each row in Fractions, in the sign of maximisation."""
    sign, v = int(mdp.sign), [Fraction(x) for x in v.tolist()]
    return [
        sign * r + mdp.gamma_exact * sum(p * v[t] for t, p in successors.items())
        for successors, r in reference.exact_rows(mdp)
    ]


@pytest.mark.parametrize("sense", ["max", "min"])
@pytest.mark.parametrize("ends", [0, 2])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("branching", [3, 17])
def test_sweeps_over_kept_rows_are_sweeps_over_all(monkeypatch, sense, ends, ties, branching):
    """They have the value of one in Fractions, and all rows that are maximal there are among those that are kept."""
    monkeypatch.setattr(sys.modules[Search.__module__], "SHARE", 0.8)  # such small models keep most rows
    monkeypatch.setattr(_kept_rows, "SHARE", 1.0)
    seen, exact = spied(monkeypatch), 0
    for seed in range(4 if branching == 3 else 2):
        mdp = garnet(
            seed, ["9/10", "99/100"][seed % 2], S=8, actions=9, branching=branching, ends=ends, sense=sense
        )
        mdp = twice(mdp) if ties else mdp
        seen.clear()
        answer = action_elimination(mdp, tolerance=1e-9)
        assert answer.status is Status.CERTIFIED
        for v, out, kept, _ in [sweep for sweep in seen if sweep[3]][:5]:
            exact += 1
            q, error = backed_up(mdp, v), Fraction(backup_error(mdp, float(abs(v).max())))
            for s in range(mdp.S):
                own = mdp.rows(s)
                best = max((q[i] for i in own), default=Fraction(0))
                assert abs(Fraction(float(out[s])) - best) <= error
                assert {i for i in own if q[i] == best} <= set(kept)
    assert exact >= 3


def star(rewards, gamma=0.5):
    """One state that stays where it is, with these rewards."""
    n = len(rewards)
    return MDP.from_rows(
        pair_ptr=[0, n], pair_action=np.arange(n), row_ptr=np.arange(n + 1), next_state=np.zeros(n, dtype=int),
        prob=np.ones(n), r=rewards, gamma=gamma,
    )  # fmt: skip


def test_a_row_is_kept_up_to_a_gap_of_delta_itself():
    below, above = np.nextafter(1.0, 0.0), np.nextafter(1.0, 2.0)
    kept = KeptRows(Sweeper(star([-above, -1.0, -below, 0.0, 0.0])))
    v = np.zeros(1)
    kept.filtered(v, v.copy(), 1.0)
    assert kept.kept[1][: kept.count].tolist() == [1, 2, 3, 4]
    kept.filtered(v, v.copy(), below)
    assert kept.kept[1][: kept.count].tolist() == [2, 3, 4]
    kept.filtered(v, v.copy(), 0.0)
    assert kept.kept[1][: kept.count].tolist() == [3]
    assert kept.chosen.tolist() == [0]


@pytest.mark.parametrize(("moved", "kept"), [(0.0, True), (1.0, False)])
def test_rows_are_all_that_matter_while_the_gaps_last(moved, kept):
    """With a gap of exactly γ span + 4 E, and one ulp less."""
    run = action_elimination.run(
        {"mdp": star([0.0]), **{k: v for k, v in action_elimination.defaults.items()}}
    )
    search = Search(Goal(run, star([0.0])), np.zeros(1), 0.0, 100)
    lost = search._lost(2.0)
    assert lost > 1.0
    search.slack = lost if not moved else math.nextafter(lost, 0.0)
    assert (lost <= search.slack) is kept


@pytest.mark.parametrize(("ends", "moved"), [(0, 0.0), (1, 5.0)])
def test_terminal_states_do_not_move_and_count_in_the_span(ends, moved):
    mdp = garnet(1, "9/10", S=5, ends=ends)
    kept, v = KeptRows(Sweeper(mdp)), np.zeros(mdp.S)
    kept.filtered(v, v.copy(), 100.0)
    later = np.where(mdp.terminal, 0.0, 5.0)
    assert kept.improved(later, v.copy(), v)[2] == moved


@pytest.mark.parametrize(("low", "read"), [(3.0, True), (4.0, False)])
def test_rows_are_chosen_for_reading_where_enough_need_not_be_read(monkeypatch, low, read):
    """Rewards 0 to 9, v = 9, γ P v at most 4.5: two of ten r + 4.5 are not below 9 + 4 - .5, three not 9 + 3 - .5."""
    mdp = MDP(np.full((4, 10, 4), 0.25), np.tile(np.arange(10.0), (4, 1)), 0.5, axes="sas")
    kept, found = KeptRows(Sweeper(mdp)), []
    plain = kept.near_kernels.filtered_backup
    monkeypatch.setattr(kept_rows, "READ", 0.25)
    kept.near_kernels = SimpleNamespace(filtered_backup=lambda *a: found.append(a[6][2]) or plain(*a))
    v = np.full(4, 9.0)
    span = kept.filtered(v, np.empty(4), 0.5, low)
    assert span == (4.5, 4.5, True)
    assert (found[0] == -math.inf) == read
    assert kept.count == 4


def test_rows_that_are_not_read_could_not_be_kept(monkeypatch):
    """With bounds on γ P v and on the change, the same values and the same rows come out."""
    monkeypatch.setattr(kept_rows, "READ", 1.0)
    for seed in range(6):
        mdp = random_model(seed, gamma="9/10", S=9, A=6, exact=False)
        rng = np.random.default_rng(seed)
        u = np.where(mdp.terminal, 0.0, rng.normal(size=mdp.S))
        sweeper, v, rows = Sweeper(mdp), u.copy(), np.zeros(mdp.S, dtype=mdp.pair_ptr.dtype)
        low, _ = sweeper.optimal(u, v, rows)
        low = min(low, 0.0) if mdp.terminal.any() else low
        for delta in (0.0, 1.0):
            first, second = KeptRows(sweeper), KeptRows(sweeper)
            out, other = np.zeros(mdp.S), np.zeros(mdp.S)
            span = first.filtered(v, out, delta)
            assert second.filtered(v, other, delta, mdp.gamma * low - 1e-9) == span
            assert np.array_equal(out, other)
            assert first.kept[1][: first.count].tolist() == second.kept[1][: second.count].tolist()


def test_thinned_out_rows_keep_the_best():
    mdp = garnet(3, "9/10", S=12, actions=9)
    kept, v, out = KeptRows(Sweeper(mdp)), np.zeros(mdp.S), np.empty(mdp.S)
    assert kept.filtered(v, v.copy(), 3.0)[2]
    kept.improved(v, out, v)
    before, best = kept.count, [int(kept.kept[1][j]) for j in kept.chosen]
    assert not kept.thinned(3.0)
    assert kept.thinned(1.0)
    assert mdp.S <= kept.count < before
    assert [int(kept.kept[1][j]) for j in kept.chosen] == best
    again = np.empty(mdp.S)
    kept.evaluated(v, again)
    assert again == pytest.approx(out, rel=1e-14)


@pytest.mark.parametrize("limit", [None, -(1 << 30)])
def test_copies_and_lists_give_the_same_answer(monkeypatch, limit):
    """Where copies would take too much memory, rows are listed."""
    mdp = garnet(5, "99/100", S=60, actions=6)
    if limit is not None:
        monkeypatch.setattr(_kept_rows, "SPARE_BYTES", limit)
        assert KeptRows(Sweeper(mdp)).width == ()
    else:
        assert len(KeptRows(Sweeper(mdp)).width) == _kept_rows.WIDTHS[0] > 3  # outcomes of a row
    answer, exact = action_elimination(mdp), solve(mdp, "rational")
    assert answer.status is Status.CERTIFIED
    assert (answer.lower <= exact.upper).all()
    assert (exact.lower <= answer.upper).all()
    assert (answer.optimal_actions | ~exact.optimal_actions).all()


def blocks(n=60, count=6, gamma="999/1000"):
    """Blocks that one step in 1,000 leaves, each with rewards of its own level: it mixes slowly."""
    rng, outcomes = np.random.default_rng(0), []
    for s in range(n * count):
        for a in range(3):
            near = (s // n * n + rng.integers(n, size=3)).tolist()
            far = int(rng.integers(n * count))
            reward = int(s // n * 7 % 5 + rng.integers(3))
            outcomes += [(s, a, t, Fraction(333, 1000), reward) for t in near]
            outcomes.append((s, a, far, Fraction(1, 1000), reward))
    return MDP.from_outcomes(outcomes, gamma)


def test_corrections_by_groups_spare_sweeps_where_mixing_is_slow(monkeypatch):
    mdp = blocks()
    answer = action_elimination(mdp)
    assert answer.status is Status.CERTIFIED
    assert sum(answer.work.values()) < 500
    monkeypatch.setattr(_aggregation, "SLOW", 2.0)
    without = action_elimination(mdp)
    assert without.status is Status.CERTIFIED
    assert sum(without.work.values()) > 3 * sum(answer.work.values())
    assert answer.v == pytest.approx(without.v, abs=1e-6)


def test_corrections_that_do_not_pay_are_taken_back(monkeypatch):
    """The groups are made to mislead: the answer stays right, and ever fewer trials are made."""
    trials = []

    def misled(self, v, spare):
        trials.append(self.done)
        self.kept.evaluated(v, spare)
        self.done += 2
        return spare + 10.0 * np.arange(len(v)) * (self.kept.chosen >= 0), v

    mdp = blocks(n=10, count=3, gamma="99/100")
    monkeypatch.setattr(_aggregation.Evaluation, "_corrected", misled)
    answer = action_elimination(mdp)
    assert answer.status is Status.CERTIFIED
    assert trials
    assert answer.v == pytest.approx(solve(mdp, "policy-iteration").v, abs=1e-6)


def test_a_policy_that_has_settled_is_solved_for_where_mixing_is_slow(monkeypatch):
    """Two queues of 30: few solves in place of sweeps, later where moves lead far. A singular one is left alone."""
    mdp, module = model("two-queues-30"), sys.modules[Search.__module__]
    swept = action_elimination(mdp).work
    assert 1 <= swept["linear solves"] <= 3
    monkeypatch.setattr(module, "NEAR", 0)
    later = action_elimination(mdp).work
    assert later["linear solves"] == 1
    assert later["evaluation sweeps"] >= module.LATEST > 1.2 * swept["evaluation sweeps"]
    monkeypatch.setattr(module, "LATEST", math.inf)
    without = action_elimination(mdp)
    assert "linear solves" not in without.work
    assert without.work["evaluation sweeps"] > 1.2 * later["evaluation sweeps"]
    monkeypatch.setattr(module, "NEAR", math.inf)
    monkeypatch.setattr(module, "EARLIEST", 1)
    truth = policy_iteration(mdp, tolerance=1e-8)
    assert np.abs(action_elimination(mdp).v - truth.v).max() < 1e-6

    def singular(*_):
        raise RuntimeError("Factor is exactly singular")

    monkeypatch.setattr(linear_solve, "sparse_solve", singular)
    answer = action_elimination(mdp)
    assert answer.status.reached
    assert "linear solves" not in answer.work


def test_well_mixed_models_take_few_sweeps_over_all_rows():
    mdp = garnet(2, "99/100", S=300, actions=10, branching=6)
    answer = action_elimination(mdp)
    assert answer.status is Status.CERTIFIED
    assert answer.work["sweeps"] <= 4
    again = action_elimination(mdp, start_from=answer)
    assert sum(again.work.values()) <= 3


def test_the_first_sweep_keeps_two_rows_a_state_where_that_is_few(monkeypatch):
    """They are improved over before the next sweep over all rows, so that there are fewer of those."""
    mdp, module = model("layered-2000", 0.99, 0), sys.modules[Search.__module__]
    counts, filtered = [], KeptRows.filtered

    def counted(self, *given):
        answer = filtered(self, *given)
        counts.append(self.count)
        return answer

    monkeypatch.setattr(KeptRows, "filtered", counted)
    two = action_elimination(mdp)
    assert 1.5 * mdp.S < counts[0] < 2.5 * mdp.S
    monkeypatch.setattr(module, "FIRST_SHARE", 0.0)
    counts.clear()
    best = action_elimination(mdp)
    assert counts[0] == mdp.S
    assert two.work["sweeps"] < best.work["sweeps"]


@pytest.mark.parametrize(
    ("sure", "slow", "spread", "stalls"),
    [
        (False, False, 0.5, False),
        (False, False, 0.6, True),
        (False, True, 0.5, True),
        (True, True, 0.6, False),
    ],
)
def test_rounds_over_some_of_the_rows_end_where_they_do_not_halve_the_span(sure, slow, spread, stalls):
    search = SimpleNamespace(sure=sure, spread=spread, evaluation=SimpleNamespace(slow=slow))
    assert Search._stalls(search, 1.0) == stalls


def test_what_auto_is_told_of_it():
    near = MDP.from_outcomes([(s, "go", min(s + 1, 999), 1.0, 1.0) for s in range(1000)], 0.9)
    far = action_elimination.cost(Facts(garnet(1, S=300))).sweeps
    assert 0 < far < action_elimination.cost(Facts(near)).sweeps
    assert action_elimination.refuses(near.replace(gamma=1)) is not None


def test_a_model_without_rows_is_solved():
    answer = action_elimination(MDP.from_outcomes([], 0.5, states=["end"], actions=["go"], terminal=["end"]))
    assert answer.v.tolist() == [0.0]


@pytest.mark.parametrize(("ends", "delta"), [(0, 0.0), (0, 3.0), (2, 0.0), (2, 3.0)])
def test_a_policy_is_swept_alike_where_its_rows_lie_side_by_side(monkeypatch, ends, delta):
    """One row a state is so at once; else they are copied behind those that are kept, until others are chosen."""
    monkeypatch.setattr(_kept_rows, "SHARE", 1.0)
    monkeypatch.setattr(_kept_rows, "BEFORE_PACKING", 1)
    mdp = random_model(3, S=30, A=6, ends=ends)
    rng, packed = np.random.default_rng(0), Sweeper(mdp)
    v = rng.normal(size=mdp.S) * ~mdp.terminal
    kept = KeptRows(packed)
    out, again, slow = np.empty(mdp.S), np.empty(mdp.S), np.empty(mdp.S)
    kept.filtered(v, out, delta)
    if delta:
        assert mdp.S < kept.count <= kept.room - mdp.S, "there is room"
    span = kept.evaluated(out, slow)
    assert kept.packed is None
    other = kept.evaluated(out, again)
    assert kept.packed is not None
    assert (kept.packed[1].base is kept.kept[4]) == bool(delta or ends), "behind what is kept, or that itself"
    assert again == pytest.approx(slow, abs=1e-12)
    if not ends:  # else terminals count, whose change is 0
        assert other == pytest.approx(span, abs=1e-12)
    before = [x[: kept.count * 4].copy() for x in kept.kept[3:5]]
    kept.improved(out, again, v)
    assert kept.packed is None
    assert all(np.array_equal(x, y[: kept.count * 4]) for x, y in zip(before, kept.kept[3:5], strict=True))


def test_rows_stay_where_they_are_without_room_to_copy_them(monkeypatch):
    monkeypatch.setattr(_kept_rows, "BEFORE_PACKING", 0)
    monkeypatch.setattr(_kept_rows, "SHARE", 1.0)
    mdp = random_model(3, S=30, A=6, ends=0)
    kept, v = KeptRows(Sweeper(mdp)), np.random.default_rng(0).normal(size=mdp.S)
    kept.filtered(v, np.empty(mdp.S), 0.0)
    kept.kept[0][-1] += 1  # one more row than states
    kept.room = kept.count + mdp.S - 1
    kept.evaluated(v, np.empty(mdp.S))
    assert kept.packed is None
    kept.room += 1
    kept.evaluated(v, np.empty(mdp.S))
    assert kept.packed is not None
    assert len(kept.packed[2]) == len(kept.kept[5]) - mdp.S - 1


@pytest.mark.parametrize("ends", [0, 3])
def test_sweeps_of_codes_are_off_by_half_a_step_at_most(monkeypatch, ends):
    """Of values in 65,536 steps, from which the best rows are found, and of changes in 256 under their policy."""
    monkeypatch.setattr(_kept_rows, "COARSE", 0)
    mdp = random_model(5, S=70, A=4, N=4, gamma="9/10", ends=ends)
    kept, v, out = KeptRows(Sweeper(mdp)), np.linspace(-1.0, 2.0, mdp.S), np.empty(mdp.S)
    v[mdp.terminal] = 0.0
    assert len(kept.sample(v, 0).gaps) and kept.sampled > 3.0 / 65535 / _kept_rows.FINE
    best, chosen = np.empty(mdp.S), np.empty(mdp.S, dtype=mdp.pair_ptr.dtype)
    Sweeper(mdp).optimal(v, best, chosen)
    low, high, fits = kept.filtered(v, out, 0.0)
    off = 0.9 * 3.0 / 65535 / 2 + 1e-12
    assert fits and 0 < np.abs(out - best).max() <= off
    live = ~mdp.terminal
    assert [low, high] == pytest.approx([f((best - v)[live]) for f in (min, max)], abs=off)
    rows = np.where(live, kept.kept[1][kept.chosen], -1)
    np.testing.assert_array_equal(rows, np.where(live, chosen, -1))

    change, start = out - v, v.copy()
    least, most = min(change.min(), 0.0), max(change.max(), 0.0)
    P_pi = np.zeros((mdp.S, mdp.S))
    for s in np.flatnonzero(live):
        for k in range(mdp.row_ptr[rows[s]], mdp.row_ptr[rows[s] + 1]):
            P_pi[s, mdp.next_state[k]] += mdp.prob[k]
    expected = 0.9 * P_pi @ change
    low, high = kept.swept_coarsely(v, change, least, most)
    assert 0 < np.abs(change - expected).max() <= 0.9 * (most - least) / 255 / 2 + 1e-12
    np.testing.assert_array_equal(v, start + change)
    assert (low, high) == (change[live].min(), change[live].max())


@pytest.mark.parametrize(("sense", "ends"), [("max", 0), ("min", 0), ("max", 2)])
def test_what_is_proven_after_sweeps_of_codes_is_true(monkeypatch, sense, ends):
    """Rational values lie in the interval; sweeps of codes take the place of sweeps of values."""
    monkeypatch.setattr(_kept_rows, "COARSE", 0)
    calls = []
    coarsely = KeptRows.swept_coarsely
    monkeypatch.setattr(KeptRows, "swept_coarsely", lambda *given: calls.append(1) or coarsely(*given))
    for seed in range(3):
        mdp = random_model(seed, S=40, A=3, N=5, gamma="9/10", ends=ends, sense=sense)
        answer, exact = solve(mdp, "action-elimination"), solve(mdp, "rational").exact
        assert answer.status == Status.CERTIFIED
        assert all(
            Fraction(a) <= x <= Fraction(b) for a, x, b in zip(answer.lower, exact, answer.upper, strict=True)
        )
    assert 3 < len(calls) <= answer.work["evaluation sweeps"] * 3
