"""Periodic classes of a policy: found where there are any, and corrected in place of thousands of sweeps."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tabular_rl import MDP, policy_iteration
from tabular_rl.kernels import search_groups
from tabular_rl.methods.planning import _aggregation
from tabular_rl.methods.planning._goal import Goal
from tabular_rl.methods.planning._periods import periodic_classes
from tabular_rl.methods.planning.action_elimination import Search, action_elimination


def cycles(layout, transient=0, seed=0):
    """Next states and probabilities of each state: chains of (period, width), and states that lead to earlier ones."""
    rng, rows, first = np.random.default_rng(seed), [], 0
    for period, width in layout:
        for s in range(period * width):
            after = first + (s // width + 1) % period * width
            to = np.unique([after + (s + 1) % width, *(after + rng.integers(width, size=2))])
            rows.append((to, rng.dirichlet(np.ones(len(to)))))
        first += period * width
    for s in range(first, first + transient):
        rows.append((np.unique([s - 1, int(rng.integers(s))]), None))
    return [(to, np.full(len(to), 1 / len(to)) if p is None else p) for to, p in rows]


def renamed(rows, order):
    """The same rows where state s is called order[s]."""
    new = [None] * len(rows)
    for s, (to, p) in enumerate(rows):
        new[order[s]] = (order[to], p)
    return new


def arrays(rows):
    """What periodic_classes takes."""
    ptr = np.concatenate([[0], np.cumsum([len(to) for to, _ in rows])])
    to, prob = (np.concatenate(x) for x in zip(*rows, strict=True))
    return ptr[:-1], ptr[1:], to.astype(np.uint32), prob


def recurrent_classes(rows):
    """The periodic class of each recurrent state: where it leads to in many steps, a multiple of all periods."""
    A = np.zeros((len(rows), len(rows)), dtype=bool)
    for s, (to, _) in enumerate(rows):
        A[s, to] = True
    ever, n = A.copy(), 1
    while n < len(rows):
        ever, n = ever | (ever @ ever), 2 * n
    recurrent = [s for s in range(len(rows)) if all(ever[t, s] for t in np.flatnonzero(ever[s]))]
    far = _power(A, 27720)  # 1, 2 ... 12 divide it
    return {s: set(np.flatnonzero(far[s]).tolist()) for s in recurrent}


def _power(A, n):
    """Where n steps lead."""
    out = np.eye(len(A), dtype=bool)
    while n:
        out, A, n = (out @ A if n % 2 else out), A @ A, n // 2
    return out


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("transient", [0, 5])
@pytest.mark.parametrize("layout", [[(4, 3)], [(2, 3), (3, 2), (4, 1)], [(6, 2), (1, 3)], [(12, 1)]])
def test_classes_are_those_of_the_definition(layout, transient, seed):
    rows = cycles(layout, transient, seed)
    if (1, 3) not in layout:  # a chain without a period that is found first ends the search
        rows = renamed(rows, np.random.default_rng(seed).permutation(len(rows)))
    group = np.zeros(len(rows), dtype=np.int32)
    m = periodic_classes(arrays(rows), group)
    expected = recurrent_classes(rows)
    assert m == 2 * sum(period for period, _ in layout)
    assert len(expected) == len(rows) - transient
    for s, states in expected.items():
        assert set(np.flatnonzero(group == group[s]).tolist()) == states
    assert group.min() >= 0
    assert group.max() < m


def test_a_circle_is_found_behind_a_chain_that_is_none():
    group = np.zeros(9, dtype=np.int32)
    assert periodic_classes(arrays(cycles([(1, 3), (3, 2)])), group) == 8
    assert [len(set(group[at].tolist())) for at in (slice(0, 3), slice(3, 9))] == [1, 3]


@pytest.mark.parametrize("layout", [[(1, 20)], [(1, 5), (1, 5)], [(600, 1)]])
def test_no_classes_are_found_where_there_is_no_period_or_too_long_a_one(layout):
    rows = cycles(layout)
    group = np.full(len(rows), 7, dtype=np.int32)
    assert periodic_classes(arrays(rows), group) == 0
    assert not group.any()


@pytest.mark.parametrize(("chains", "found"), [(40, 160), (80, 0)])
def test_a_model_in_many_pieces_has_no_classes(chains, found):
    """Each piece is a circle of two states: its classes, and those of states that would lead there."""
    rows = cycles([(2, 1)] * chains)
    group = np.zeros(len(rows), dtype=np.int32)
    assert periodic_classes(arrays(rows), group) == found
    assert bool(group.any()) == bool(found)


def test_a_policy_that_ends_has_no_classes():
    rows = [(np.array([1]), np.ones(1)), (np.array([2]), np.ones(1)), (np.zeros(0, dtype=int), np.zeros(0))]
    assert periodic_classes(arrays(rows), np.zeros(3, dtype=np.int32)) == 0


def test_outcomes_that_are_not_likely_hide_no_period_and_those_that_cannot_happen_count_for_none():
    """Of three states in a circle one stays with probability .1, or 0: what rows are filled up with."""
    for stays in (0.1, 0.0):
        rows = [
            (np.array([1]), np.ones(1)),
            (np.array([1, 2]), np.array([stays, 1 - stays])),
            (np.array([0]), np.ones(1)),
        ]
        group = np.zeros(3, dtype=np.int32)
        assert periodic_classes(arrays(rows), group) == 6
        assert len(set(group.tolist())) == 3


def seasonal(months, stocks, gamma, leak=0.0, transient=0, also=()):
    """What is in store, and the month: three orders, random demand. A month goes on with probability `leak`.

    `also` are further such chains of other numbers of months; states of `transient` lead to all of them.
    """
    rng, rows, r = np.random.default_rng(months), [], []
    first = 0
    for n in (months, *also):
        for s in range(n * stocks):
            month, stock = divmod(s, stocks)
            after = first + (month + 1) % n * stocks
            for order in range(3):
                sold = rng.integers(0, 4, size=3)
                to = np.unique(after + np.clip(stock + 2 * order - sold, 0, stocks - 1))
                p = rng.dirichlet(np.ones(len(to))) * (1 - leak)
                if leak:
                    to, p = np.append(to, first + s), np.append(p, leak)
                rows.append((to, p / p.sum()))
                r.append(np.cos(2 * np.pi * month / n) * min(stock, 5) - 0.3 * order)
        first += n * stocks
    for s in range(first, first + transient):
        for _ in range(3):
            to = np.unique([s - 1, int(rng.integers(s)), int(rng.integers(first))])
            rows.append((to, np.full(len(to), 1 / len(to))))
            r.append(rng.random())
    begin, _, to, prob = arrays(rows)
    return MDP.from_rows(
        pair_ptr=np.arange(0, len(rows) + 1, 3), pair_action=np.tile(np.arange(3), len(rows) // 3),
        row_ptr=np.append(begin, len(to)), next_state=to.astype(np.int32), prob=prob, r=r, gamma=gamma,
    )  # fmt: skip


MODELS = {
    "4 months": lambda: seasonal(4, 70, 0.999),
    "7 days": lambda: seasonal(7, 40, 0.999),
    "12 months": lambda: seasonal(12, 25, 0.999),
    "12 months, near 1": lambda: seasonal(12, 25, 0.9999),
    "52 weeks": lambda: seasonal(52, 6, 0.999),
    "a month that may last": lambda: seasonal(12, 25, 0.999, leak=1e-3),
    "a month that lasts often": lambda: seasonal(12, 25, 0.999, leak=0.05),
    "before the first month": lambda: seasonal(12, 25, 0.999, transient=60),
    "several circles": lambda: seasonal(12, 15, 0.999, transient=60, also=(7, 4)),
}


@pytest.mark.parametrize("name", MODELS)
def test_seasons_take_few_sweeps(name):
    """Without their classes 2,000 to 30,000: all that differs from month to month is left to the discount."""
    mdp = MODELS[name]()
    answer, exact = action_elimination(mdp), policy_iteration(mdp)
    assert answer.status.reached
    assert answer.work["evaluation sweeps"] < 600
    assert answer.work.get("partial sweeps", 0) < 50
    assert "linear solves" not in answer.work
    assert np.all(answer.lower <= exact.upper)
    assert np.all(exact.lower <= answer.upper)


def test_a_policy_may_lose_its_period():
    """To stay in the circle pays at once; to leave it leads to gold, so that the best policy has no period."""
    rng, months, width = np.random.default_rng(1), 12, 25
    S, rows, r = months * width, [], []
    for s in range(S):
        after = (s // width + 1) % months * width
        gold = 20.0 * (s < 10)
        rows.append((np.sort(after + rng.choice(width, 3, replace=False)), np.full(3, 1 / 3)))
        rows.append((np.array([s % 5, 5 + s % 4, 10 + s % 200]), np.array([0.25, 0.25, 0.5])))
        r += [gold + 1 + rng.random(), gold]
    begin, _, to, prob = arrays(rows)
    mdp = MDP.from_rows(
        pair_ptr=np.arange(0, 2 * S + 1, 2), pair_action=np.tile(np.arange(2), S),
        row_ptr=np.append(begin, len(to)), next_state=to.astype(np.int32), prob=prob, r=r, gamma=0.999,
    )  # fmt: skip
    answer, exact = action_elimination(mdp), policy_iteration(mdp)
    group = np.zeros(S, dtype=np.int32)
    assert periodic_classes(arrays(rows[::2]), group) == 2 * months
    assert periodic_classes(arrays([rows[i] for i in answer.policy.rows]), group) == 0
    assert answer.status.reached
    assert answer.work["evaluation sweeps"] < 200
    assert np.all(answer.lower <= exact.upper)
    assert np.all(exact.lower <= answer.upper)


def test_classes_are_looked_for_more_and_more_rarely_where_there_are_none(monkeypatch):
    """Two queues mix slowly and have no period."""
    looks, calls = [], []
    monkeypatch.setattr(
        _aggregation,
        "periodic_classes",
        lambda outcomes, group: looks.append(len(calls)) or periodic_classes(outcomes, group),
    )
    sweep = _aggregation.Evaluation.sweep
    monkeypatch.setattr(
        _aggregation.Evaluation, "sweep", lambda self, *args: calls.append(self) or sweep(self, *args)
    )
    from benchmarks.families import model

    assert action_elimination(model("two-queues-20", 0.999, 0)).status.reached
    assert looks
    assert all(later > 2 * sooner for sooner, later in pairwise(looks))


def test_a_walk_takes_all_likely_outcomes_in_turn():
    to, prob = np.arange(4, dtype=np.uint32), np.array([0.3, 0.3, 0.1, 0.3])
    everywhere = (np.zeros(4, dtype=int), np.full(4, 4), to, prob)
    met = {int(search_groups.settled(*everywhere, 0.5, 0, n)) for n in range(1, 40)}
    assert met == {0, 1, 3}


@pytest.mark.parametrize("slow", [True, False])
def test_one_row_a_state_is_corrected_too_where_sweeps_have_been_slow(slow):
    """Sweeps over the rows that are kept are sweeps of that policy, and leave its period what it is."""
    mdp = seasonal(12, 25, 0.999)
    run = action_elimination.run({"mdp": mdp, **action_elimination.defaults})
    search = Search(Goal(run, mdp), np.zeros(mdp.S), 0.0, 10**6)
    search.kept.filtered(search.v, search.origin, 0.0)
    search.evaluation.slow, search.spread, search.patience = slow, 1e-6, 100
    search._round(1.0)
    assert search.spread < 0.05 if slow else search.spread > 0.5
