"""Policy iteration by elimination: proven on models that force each order, few solves, and misfits."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import reference
from chain_models import model, queue, ring, shuffled, tree
from random_models import random_model, random_models
from sized_models import garnet, gridworld

from benchmarks.families import model as family_model
from tabular_rl import (
    Policy,
    Status,
    modified_policy_iteration,
    ordered_gauss_seidel,
    policy_iteration,
    solve,
)
from tabular_rl.methods.planning import _elimination
from tabular_rl.methods.planning._elimination import Elimination
from tabular_rl.methods.planning.policy_iteration import SMALL
from tabular_rl.solving import ordering
from tabular_rl.solving.cost import Facts
from tabular_rl.solving.ordering import elimination_patterns
from tabular_rl.solving.sweeps import Sweeper


@pytest.fixture(params=["natural", "bordered", "least degree"])
def order(request, monkeypatch):
    """Force an order: the natural one, with many hubs, or that of least degree."""
    if request.param == "least degree":
        monkeypatch.setattr(ordering, "_natural", lambda _: [])
    if request.param == "bordered":
        monkeypatch.setattr(ordering, "NARROW", 1)
        monkeypatch.setattr(ordering, "WIDE", 1)
        monkeypatch.setattr(ordering, "HUBS", 20)
    ordering._forget(None)
    yield request.param
    ordering._forget(None)


def by_elimination(mdp, **options):
    return policy_iteration(mdp, linear_solver="elimination", **options)


def test_intervals_hold_the_exact_answer(order):
    for mdp in random_models():
        if mdp.horizon is not None:
            continue
        answer = by_elimination(mdp)
        truth = reference.exact_optimal_value(mdp)
        for low, x, high in zip(answer.lower, truth, answer.upper, strict=True):
            assert low <= x <= high, (order, mdp.name)


@pytest.mark.parametrize("gamma", ["9/10", "1048575/1048576"])
def test_values_are_those_of_the_policy(order, gamma):
    """To a few units in the last place of the largest, however near γ is to 1: nothing cancels."""
    for seed in range(8):
        mdp = random_model(seed, gamma=gamma, S=12, ends=seed % 3)
        rows = np.where(mdp.terminal, -1, mdp.pair_ptr[1:] - 1)
        truth = [int(mdp.sign) * x for x in reference.exact_policy_value(mdp, Policy(mdp, rows=rows))]
        for made in elimination_patterns(mdp, 10**6):
            v = np.zeros(mdp.S)
            assert Elimination(Sweeper(mdp), [made]).solve(rows.copy(), v) == 0
            most = max(map(abs, truth))
            worst = max(abs(Fraction(float(a)) - b) for a, b in zip(v, truth, strict=True))
            assert worst <= Fraction(2) ** -46 * most, (order, mdp.name)


def test_a_walk_to_either_end_is_right_at_gamma_one():
    """A fair walk from s ends after s (n - s) steps on average, each of which costs 1."""
    n = 700
    to = [[] if s in (0, n) else [s - 1, s + 1] for s in range(n + 1)]
    pairs = 2 * (n - 1)
    answer = by_elimination(model(to, 1, prob=np.full(2 * pairs, 0.5), r=-np.ones(pairs)), tolerance=1e-3)
    s = np.arange(n + 1)
    assert answer.status is Status.CERTIFIED
    assert answer.v == pytest.approx(-s * (n - s), rel=1e-12)


def test_states_that_stay_are_left_by_what_leaves_them():
    """Stay with 1 - 2**-20 for a cost of 1, at γ = 1: a state takes 2**20 steps, and s of them s times as many."""
    n, p = 600, 2.0**-20
    to, pairs = [[] if s == 0 else [s - 1, s] for s in range(n)], 2 * (n - 1)
    mdp = model(to, 1, prob=np.tile([p, 1 - p], pairs), r=-np.ones(pairs))
    answer = by_elimination(mdp, relative=True, tolerance=1e-5)
    assert answer.status.reached
    assert answer.v == pytest.approx(-np.arange(n) * 2.0**20, rel=1e-12)


@pytest.mark.parametrize("make", [queue, ring, tree])
def test_a_constant_off_the_values_keeps_their_digits_near_gamma_one(make):
    """Values of 1e9 that differ by little: the interval is a thousandth of what their rounding makes of it."""
    gamma = 1 - Fraction(1, 2**30)
    mdp = make(SMALL + 100, gamma)
    answer = by_elimination(mdp)
    assert answer.v.min() > 1e8
    rounding = 2.0**-53 * float(answer.v.max()) / float(1 - gamma)
    assert answer.bound < 1e-3 * rounding


@pytest.mark.parametrize(
    "mdp",
    [
        queue(1000, 0.999), queue(1000, 0.999, hub=500), queue(1000, 0.999, shortcuts=5), ring(1000, 0.999),
        tree(1023, 0.999), shuffled(tree(1023, 0.999)),
    ],
)  # fmt: skip
def test_auto_takes_it_and_solves_few_systems(mdp):
    answer = solve(mdp)
    assert answer.method == "policy-iteration"
    assert "elimination" in answer.why
    assert answer.status is Status.CERTIFIED
    assert answer.work["linear solves"] <= 20
    sweeps = solve(mdp, "value-iteration", tolerance=1e-4)
    assert (answer.lower <= sweeps.upper).all()
    assert (sweeps.lower <= answer.upper).all()


@pytest.mark.parametrize("mdp", [garnet(0, S=600), gridworld(40)])
def test_auto_leaves_what_fills_in(mdp):
    assert Facts(mdp).elimination == []
    last = policy_iteration.cost(Facts(mdp))  # at γ = 1 it takes dense solves, after all else
    assert last is None if mdp.gamma < 1 else last.sweeps > modified_policy_iteration.cost(Facts(mdp)).sweeps


def test_auto_leaves_mazes_to_sweeps_from_their_ends():
    """The corridors of a maze are a tree, of which one state ends: a policy gets better by a state each time."""
    S = 1000
    parent = np.maximum(np.arange(S) - np.random.default_rng(0).integers(1, 13, S), 0).tolist()
    to = [[parent[s]] if s else [] for s in range(S)]
    for s in range(1, S):
        if parent[s]:
            to[parent[s]].append(s)
    mdp = model([sorted(row) for row in to], 0.999, r=-np.ones(2 * (S - 1)))
    assert len(Facts(mdp).elimination) == 1
    assert policy_iteration.cost(Facts(mdp)).sweeps > ordered_gauss_seidel.cost(Facts(mdp)).sweeps
    assert solve(mdp).method == "ordered-gauss-seidel"
    stay = mdp.replace(
        r=np.ones(mdp.L)
    )  # it does not pay to end: sweeps are many, and elimination comes next
    assert policy_iteration.cost(Facts(stay)).sweeps < modified_policy_iteration.cost(Facts(stay)).sweeps


def far_reward(n, gamma=0.999):
    """Go left or right along a line, nine times in ten as meant; every state pays a little, the ends pay most."""
    rng = np.random.default_rng(0)
    return queue(n, gamma, prob=np.tile([0.9, 0.1, 0.1, 0.9], n), r=rng.random(2 * n))


def test_news_travels_through_the_whole_model_in_one_solve(monkeypatch):
    """Policy iteration moves a front by one state each time; chosen while states are eliminated, by all of them."""
    mdp = far_reward(3000)
    quick = by_elimination(mdp)
    assert quick.status is Status.CERTIFIED
    monkeypatch.setattr(_elimination, "CHEAP", 0)
    slow = by_elimination(mdp)
    assert 2 * quick.work["linear solves"] < slow.work["linear solves"]
    assert (quick.lower <= slow.upper).all()
    assert (slow.lower <= quick.upper).all()


def test_rows_whose_gap_is_wide_are_not_looked_at():
    """With gaps that are wider than what moved, a row that would be better is left; without, it is taken."""
    mdp = queue(50)
    for gap, expected in ((1e9, 0), (-1e9, 1)):
        solver = Elimination(Sweeper(mdp), elimination_patterns(mdp), centred=False)
        rows, v = mdp.pair_ptr[:-1].copy(), np.zeros(mdp.S)
        solver.solve(rows, v)
        solver.seen = v.copy()
        solver.gap[:] = gap
        count, low, high = solver._exchange(v, rows)
        assert (count > 0) == expected
        assert low == pytest.approx(0, abs=1e-9)
        assert (high > 1e-3) == expected


@pytest.mark.parametrize(
    ("mdp", "changes"), [(queue(60), [(40, 20), (59, 1), (None, 0)]), (tree(127), [(100, 16), (3, 16)])]
)
def test_only_what_a_change_reaches_is_eliminated_again(mdp, changes):
    """In a queue these are the states behind it, in a tree a few of those above; other rewards are in all rows."""
    solver = Elimination(Sweeper(mdp), elimination_patterns(mdp), centred=False)
    rows, v, new = mdp.pair_ptr[:-1].copy(), np.zeros(mdp.S), solver.factors[3]
    solver.solve(rows, v)
    assert new.all()
    for s, most in changes:
        if s is not None:
            rows[s] += 1
        solver.solve(rows, v)
        anew = np.zeros(mdp.S)
        Elimination(Sweeper(mdp), elimination_patterns(mdp), centred=False).solve(rows, anew)
        assert np.array_equal(v, anew)
        assert (s is not None) <= new.sum() <= most
    solver.solve(rows, v, shift=0.5)
    assert new.all()
    assert v == pytest.approx(anew - 0.5 / (1 - mdp.gamma), rel=1e-9)


def test_ties_do_not_go_round():
    """Both actions are the same."""
    tied = ring(800, 0.9999, r=np.ones(1600))
    answer = by_elimination(tied, tolerance=1e-9)
    assert answer.work["improvements"] <= 2
    assert answer.optimal_actions.all()
    assert answer.v == pytest.approx(1 / (1 - tied.gamma), rel=1e-12)


def test_the_look_that_ends_it_is_the_sweep_of_the_proof(monkeypatch):
    """Where the first policy is the best, all rows are read once: to look, to prove, and to decide on actions."""
    swept, look = [], Sweeper.each
    monkeypatch.setattr(Sweeper, "each", lambda self, *a: swept.append(self.mdp.L) or look(self, *a))
    mdp = queue(2000, r=np.tile([1.0, 0.0], 2000))
    answer = by_elimination(mdp)
    assert answer.work == {"linear solves": 1, "improvements": 1}
    assert swept == [mdp.L]
    assert answer.status is Status.CERTIFIED
    assert answer.proven_optimal.all()


def test_what_some_states_do_not_show_is_seen_by_the_look_at_all(monkeypatch):
    """Up pays more everywhere but in one state, where it is better all the same: values rise upward."""
    for s in (0, 33, 1500):
        r = np.repeat(np.arange(2000) / 10, 2)
        r[1::2] += 1.0
        r[2 * s : 2 * s + 2] = s / 10 + 0.1, s / 10
        mdp = queue(2000, r=r)
        found = by_elimination(mdp)
        with monkeypatch.context() as patch:
            patch.setattr(_elimination, "SAMPLE", 2000)
            assert found.policy == by_elimination(mdp).policy
        assert found.work["improvements"] > 1


def test_a_warm_start_needs_one_solve():
    mdp = far_reward(1000)
    first = by_elimination(mdp)
    again = by_elimination(mdp, start_from=first)
    assert again.work["linear solves"] == 1
    assert np.array_equal(again.policy.rows, first.policy.rows)


def test_a_relative_tolerance_is_one_of_the_values_themselves():
    """A tenth of a percent of values of 1e5, which differ by little."""
    answer = by_elimination(queue(700, 1 - Fraction(1, 10**5)), tolerance=1e-3, relative=True)
    assert answer.status is Status.CERTIFIED
    assert answer.options["tolerance"] == 1e-3


def test_factors_that_do_not_fit_leave_sweeps(monkeypatch):
    monkeypatch.setattr(_elimination, "most_entries", lambda: 5)
    answer = by_elimination(garnet(0, S=20))
    assert answer.status is Status.CERTIFIED
    assert "linear solves" not in answer.work
    assert answer.work["sweeps"] > 0
    assert "would not fit into memory" in answer.note


def test_a_stopped_run_returns_what_is_proven():
    answer = by_elimination(far_reward(2000), time_limit=0)
    assert answer.status is Status.TIME_SPENT
    assert np.isfinite(answer.lower).all()
    assert answer.lower.max() <= answer.upper.max()


@pytest.mark.parametrize("name", ["queue-600", "ring-600", "tree-600"])
def test_factors_that_went_before_a_proof_are_made_again(name, monkeypatch):
    """Where a proof finds no room beside them; no bit of the answer is another, nor is there more work."""
    mdp, answers = family_model(name, 0.999, 0), []
    for crowded in (False, True):
        monkeypatch.setattr(_elimination, "crowded", lambda *_, answer=crowded: answer)
        answers.append(policy_iteration(mdp))
    one, other = ((x.v.tolist(), x.lower.tolist(), x.policy.rows.tolist(), x.work) for x in answers)
    assert one == other and answers[0].status is Status.CERTIFIED


def test_factors_go_before_a_proof_where_there_is_no_room(monkeypatch):
    monkeypatch.setattr(_elimination, "crowded", lambda *_: True)
    mdp = family_model("ring-600", 0.999, 0)
    used = Elimination(Sweeper(mdp), elimination_patterns(mdp))
    v, rows = np.zeros(mdp.S), mdp.pair_ptr[:-1].copy()
    used.solve(rows, v)
    used.make_room()
    assert not any(array.size for array in (*used.factors, used.work, used.x))
    again = np.zeros(mdp.S)
    used.solve(rows, again)
    assert again.tolist() == v.tolist()
