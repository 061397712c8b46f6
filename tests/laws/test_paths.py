"""All sample paths of a learner, weighed exactly: against hand calculation, the compiled kernels, and samples."""

from __future__ import annotations

import math
import secrets
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from random_models import random_model

from tabular_rl import MDP, OptionError, Policy, learn
from tabular_rl.errors import NotAnswerable
from tabular_rl.laws.one_step import Table, epsilon_greedy, exact_moments, one_step_rule
from tabular_rl.laws.paths import (
    PathStep,
    enumerate_paths,
    expected_by_paths,
    fixed,
    outcome_law,
    transitions_of,
)
from tabular_rl.model.unroll import unroll

F = Fraction
HALF = F(1, 2)


def small(sense="max"):
    """Two live states and an end, two actions in the first; all numbers are dyadic, so that floats are exact."""
    return MDP.from_outcomes(
        [
            ("a", "left", "a", "1/2", 1), ("a", "left", "b", "1/2", -3), ("a", "right", "end", 1, 2),
            ("b", "go", "a", "3/4", 4), ("b", "go", "end", "1/4", "-1/2"),
        ],
        "1/2", terminal=["end"], start={"a": "1/2", "b": "1/2"}, sense=sense,
    )  # fmt: skip


def policies(mdp):
    """π and b with dyadic ratios: 1/4 and 3/4 over 1/2 each."""
    return Policy.of_probs(mdp, [0.25, 0.75, 1.0]), Policy.of_probs(mdp, [0.5, 0.5, 1.0])


def by_hand(mdp, weights, start, steps):
    """Every path as a product over all outcomes and choices at once, by brute force."""
    rows = range(mdp.L)
    found = {}
    for path in product(rows, repeat=steps):
        for ends in product(range(2), repeat=steps):
            p, now = start[mdp.state_of_row(path[0])] * weights[path[0]], []
            for k, (i, e) in enumerate(zip(path, ends, strict=True)):
                outcomes, _ = mdp.rational(i)
                if e >= len(outcomes):
                    p = F(0)
                    break
                s2, q = outcomes[e]
                p *= q
                now.append((i, s2))
                if k + 1 < steps:
                    s3 = mdp.state_of_row(path[k + 1])
                    p *= weights[path[k + 1]] * (start[s3] if mdp.terminal[s2] else s2 == s3)
            if p:
                found[tuple(now)] = found.get(tuple(now), 0) + p
    return found


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_paths_are_those_of_brute_force(steps):
    mdp = small()
    pi, _ = policies(mdp)
    found = {}
    for p, path in enumerate_paths(mdp, pi, steps):
        key = tuple((x.row, x.next_state) for x in path)
        found[key] = found.get(key, 0) + p
    expected = by_hand(mdp, [F(1, 4), F(3, 4), F(1)], [HALF, HALF, F(0)], steps)
    assert found == expected
    assert sum(found.values()) == 1


@pytest.mark.parametrize("source", ["trajectory", "independent", "sweeps"])
@pytest.mark.parametrize("seed", range(3))
def test_probabilities_sum_to_one(seed, source):
    mdp = random_model(seed, S=3, A=2, N=2, ends=1)
    paths = list(enumerate_paths(mdp, Policy.uniform(mdp), 3, source=source))
    assert sum(p for p, _ in paths) == 1
    for _, path in paths:
        for x, y in pairwise(path):
            if source == "trajectory" and not x.done:
                assert y.row == x.next_row
                assert mdp.state_of_row(y.row) == x.next_state
            if source == "sweeps":
                assert y.row == (x.row + 1) % mdp.L
            assert x.done == bool(mdp.terminal[x.next_state]) == (x.next_row < 0)


def test_rewards_of_costs_are_in_the_sign_of_maximisation():
    mdp = MDP([[[1.0]]], [[3.0]], "1/2", sense="min")
    ((_, (x,)),) = enumerate_paths(mdp, Policy.uniform(mdp), 1)
    assert x.reward == -3


def test_an_episode_is_cut_after_so_many_steps():
    # From a to b to c to c ...; cut after two steps, the third begins in a again.
    chain = MDP([[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 1]]], [[0], [0], [0]], "1/2", start={"0": 1})
    for cut, expected in ((None, [0, 1, 2, 2, 2]), (2, [0, 1, 0, 1, 0]), (3, [0, 1, 2, 0, 1])):
        ((p, path),) = enumerate_paths(chain, Policy.uniform(chain), 5, episode_steps=cut)
        assert p == 1
        assert [x.row for x in path] == expected


# -- the kernels on every path ----------------------------------------------------------------------------------------

# 1, 1/2, 1/4, ... by visits of the entry: exact in floats, and it tells counts of visits from counts of steps.
STEPS = {
    "constant": (0.5, "visit"),
    "visits": ("exponential:1:0.5", "visit"),
    "steps": ("exponential:1:0.5", "step"),
}


def log_of(mdp, path):
    """The path, and behind what is learned from a transition of each pair, which a log is asked for."""
    return transitions_of(mdp, path + [PathStep(i, F(0), mdp.S - 1, True) for i in range(mdp.L)])


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("method", ["td0", "q-learning", "sarsa-evaluation", "q-evaluation"])
@pytest.mark.parametrize("sense", ["max", "min"])
def test_kernels_on_every_path_equal_the_rule_in_fractions(method, kind, sense):
    mdp = small(sense)
    pi, b = policies(mdp)
    step_size, per = STEPS[kind]
    off = method in ("td0", "q-evaluation")
    policy = None if method == "q-learning" else pi
    acts = b if off or policy is None else pi
    options = {"step_size": step_size, "per": per} | ({"behavior": b} if off else {})
    rule = one_step_rule(method, mdp, policy, **options)
    n = mdp.S if method == "td0" else mdp.L
    first = tuple(F(0) if method == "td0" and mdp.terminal[j] else int(mdp.sign) * HALF for j in range(n))
    mean, paths = np.zeros(n), 0
    for p, path in enumerate_paths(mdp, acts, 3):
        learned = learn(mdp, method, policy, data=log_of(mdp, path), steps=3, start_value=0.5,
                        reference=False, **options)  # fmt: skip
        table = Table(first, (0,) * n, first)
        for k, x in enumerate(path):
            table = rule(table, x, k + 1)
        assert [int(mdp.sign) * F(x) for x in learned.estimates[0]] == list(table.values)
        assert learned.visits[0].tolist() == list(table.visits)
        mean += float(p) * learned.estimates[0]
        paths += 1
    assert paths > 20
    if method != "sarsa-evaluation":  # whose last a' the path does not hold where an episode goes on
        found = exact_moments(method, mdp, policy, steps=3, start_value=0.5, step_size=step_size, per=per,
                              behavior=acts)  # fmt: skip
        assert mean.tolist() == pytest.approx([float(x) for x in found.mean], abs=1e-15)


@pytest.mark.parametrize("target", ["copy:2", "average:0.5"])
def test_kernels_on_every_path_equal_the_rule_with_a_target_table(target):
    mdp = small()
    options = {"step_size": 0.5, "target": target}
    rule = one_step_rule("q-learning", mdp, **options)
    for _, path in enumerate_paths(mdp, Policy.uniform(mdp), 3):
        learned = learn(mdp, "q-learning", data=log_of(mdp, path), steps=3, reference=False, **options)
        table = Table((F(0),) * 3, (0,) * 3, (F(0),) * 3)
        for k, x in enumerate(path):
            table = rule(table, x, k + 1)
        assert [F(x) for x in learned.estimates[0]] == list(table.values)


def test_kernels_on_every_path_of_one_over_n():
    # 1/n is exact in floats for n = 1 and 2: as far as two visits of a pair go, else to one rounding.
    mdp = small()
    rule = one_step_rule("q-learning", mdp, step_size="1/n")
    for _, path in enumerate_paths(mdp, Policy.uniform(mdp), 3):
        learned = learn(mdp, "q-learning", data=log_of(mdp, path), steps=3, step_size="1/n", reference=False)
        table = Table((F(0),) * 3, (0,) * 3, (F(0),) * 3)
        for k, x in enumerate(path):
            table = rule(table, x, k + 1)
        got, exact = learned.estimates[0].tolist(), [float(x) for x in table.values]
        assert got == exact if max(table.visits) < 3 else got == pytest.approx(exact, rel=1e-15)


def test_sarsa_passes_over_a_transition_without_a_next_action():
    mdp = small()
    rule = one_step_rule("sarsa-evaluation", mdp, policies(mdp)[0], step_size=1)
    table = Table((F(1), F(2), F(3)), (0, 0, 0), (F(1), F(2), F(3)))
    assert rule(table, PathStep(0, F(1), 1, False, -1), 1) == table
    assert rule(table, PathStep(0, F(1), 1, False, 2), 1).values[0] == 1 + HALF * 3


# -- actions that depend on what was learned, and coins ---------------------------------------------------------------


def test_epsilon_greedy_bandit_by_hand():
    # Two arms worth 0 and 1, ε = 1/2, α = 1, q = 0 at first: a tie until arm 1 was tried, each with probability 1/2.
    # One step: arm 1 with probability 1/2. Two: tried by then with 3/4.
    bandit = MDP.from_outcomes([("s", "0", "end", 1, 0), ("s", "1", "end", 1, 1)], 1, terminal=["end"])
    options = {"step_size": 1, "explore": "epsilon-greedy:0.5"}
    assert exact_moments("q-learning", bandit, steps=1, **options).mean == (0, HALF)
    assert exact_moments("q-learning", bandit, steps=2, **options).mean == (0, F(3, 4))
    # Step size 1/2 by visits of the pair: q = 1/2 after one pull, 3/4 after two. Pulled twice: 1/2 and then, as the
    # best, 3/4; once: first 1/2 · 1/4, or second 1/2 · 1/2.
    found = exact_moments("q-learning", bandit, steps=2, step_size=0.5, explore="epsilon-greedy:0.5")
    assert found.mean[1] == F(3, 8) * F(3, 4) + F(3, 8) * HALF
    assert found.second[1][1] == F(3, 8) * F(9, 16) + F(3, 8) * F(1, 4)
    assert found.covariance[1][1] == found.second[1][1] - found.mean[1] ** 2


def test_rate_of_exploration_follows_its_schedule():
    # Two actions are chosen at ε = 1, at the start and in update 1, the next at 1/2. Until arm 1 is tried arm 0 is the
    # best, after a tie: arm 1 by 1/2, 1/2, 1/4.
    bandit = MDP.from_outcomes([("s", "0", "end", 1, 1), ("s", "1", "end", 1, 1)], 1, terminal=["end"])
    found = [
        exact_moments("q-learning", bandit, steps=n, step_size=1, explore="epsilon-greedy:1/n").mean[1]
        for n in (1, 2, 3)
    ]
    assert found == [HALF, 1 - HALF * HALF, 1 - HALF * HALF * F(3, 4)]


def test_rate_of_exploration_falls_with_the_visits_of_the_state():
    # Arms worth 1 and 2, α = 1, N = 1: ε = 1, then 1/2 after one visit, 1/3 after two. While arm 1 is untried arm 0 is
    # the best, so that arm 1 is tried by 1/2, 1/4, 1/6.
    bandit = MDP.from_outcomes([("s", "0", "end", 1, 1), ("s", "1", "end", 1, 2)], 1, terminal=["end"])
    options = {"step_size": 1, "explore": "epsilon-visits:1"}
    found = [exact_moments("q-learning", bandit, steps=n, **options).mean[1] for n in (1, 2, 3)]
    assert found == [1, 2 - 2 * HALF * F(3, 4), 2 - 2 * HALF * F(3, 4) * F(5, 6)]


def test_expected_sarsa_counts_its_own_exploration():
    # From s to t, whose arms are at 0 and 8: with ε = 1/2 the value of t is 3/4 · 8 + 1/4 · 0 = 6.
    mdp = MDP.from_outcomes(
        [("s", "0", "t", 1, 0), ("t", "0", "end", 1, 0), ("t", "1", "end", 1, 8)],
        1,
        terminal=["end"],
        start="s",
    )
    rule = one_step_rule("expected-sarsa", mdp, step_size=1, explore="epsilon-greedy:0.5")
    table = Table((F(0), F(0), F(8)), (0, 0, 0), (F(0), F(0), F(8)))
    assert rule(table, PathStep(0, F(0), 1, False), 1).values[0] == 6
    fixed_rule = one_step_rule(
        "expected-sarsa", mdp, step_size=1, behavior=Policy.of_probs(mdp, [1, 0.5, 0.5])
    )
    assert fixed_rule(table, PathStep(0, F(0), 1, False), 1).values[0] == 4


def test_coin_of_double_q_learning():
    # Each step a fair coin chooses the table to update: with α = 1 the first is right after n steps with 1 - 2^-n.
    one = MDP.from_outcomes([("s", "go", "end", 1, 1)], 1, terminal=["end"])

    def double(table, x, k):
        return [(HALF, (x.reward, table[1])), (HALF, (table[0], x.reward))]

    found = expected_by_paths(double, (F(0), F(0)), one, Policy.uniform(one), 3)
    assert found.mean == (F(7, 8), F(7, 8))
    assert found.second[0][1] == 1 - 2 * F(1, 8)  # both: not always the one, nor always the other


def test_double_q_learning_is_less_biased_than_q_learning():
    # b has two arms of ±1, worth 0. The maximum of two noisy estimates is above 0; that of one table by the other not.
    mdp = MDP.from_outcomes(
        [("a", "go", "b", 1, 0)]
        + [("b", arm, "end", "1/2", r) for arm in "xy" for r in (1, -1)], 1, terminal=["end"], start="a",
    )  # fmt: skip

    def double(table, x, k):
        def updated(one, other):
            best = max((1, 2), key=lambda i: (one[i], -i))
            aim = x.reward + (0 if x.done else other[best])
            return (*one[: x.row], one[x.row] + HALF * (aim - one[x.row]), *one[x.row + 1 :])

        q1, q2 = table
        return [(HALF, (updated(q1, q2), q2)), (HALF, (q1, updated(q2, q1)))]

    acting = fixed(Policy.uniform(mdp))
    zero = (F(0),) * 3
    law = outcome_law(mdp, acting, double, (zero, zero), 5)
    bias = sum(p * (q1[0] + q2[0]) / 2 for (q1, q2), p in law.items())
    single = exact_moments("q-learning", mdp, steps=5, step_size=0.5, behavior=Policy.uniform(mdp)).mean[0]
    assert bias == 0 < single


# -- against samples of the real learners -----------------------------------------------------------------------------

RUNS = 40_000
FALSE_ALARM = 2e-9  # of each estimate that is compared; 6 learners of 3 estimates: 3.6e-8 for this file


def bernstein(sd, largest):
    """The distance of a mean of RUNS from its expectation that is reached with no more than that probability."""
    # 2 exp(-n t² / (2 sd² + 2 c t / 3)) = p
    log = math.log(2 / FALSE_ALARM) / RUNS
    c = largest / 3
    return c * log + math.sqrt((c * log) ** 2 + 2 * sd * sd * log)


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("q-learning", {"explore": "epsilon-greedy:0.5"}),
        pytest.param("sarsa", {"explore": "epsilon-greedy:0.5", "episode_steps": 2}, marks=pytest.mark.slow),
        pytest.param("expected-sarsa", {"explore": "epsilon-greedy:1/n"}, marks=pytest.mark.slow),
        ("expected-sarsa", {"explore": "epsilon-visits:2"}),
        pytest.param("sarsa", {"explore": "epsilon-visits:2"}, marks=pytest.mark.slow),
        pytest.param(
            "sarsa", {"explore": "epsilon-greedy:0.5", "source": "independent"}, marks=pytest.mark.slow
        ),
    ],
)
def test_sampled_mean_is_the_exact_mean(method, more):
    mdp, seed = small(), secrets.randbits(50)
    options = {"step_size": "1/n", "steps": 4} | more
    exact = exact_moments(method, mdp, **options)
    sampled = learn(mdp, method, runs=RUNS, seed=seed, reference=False, **options).estimates
    # Rewards are within 4 and γ = 1/2, so that estimates stay within 8, and within 16 of their mean.
    sd = [math.sqrt(exact.covariance[i][i]) for i in range(mdp.L)]
    bounds = [bernstein(x, 16.0) for x in sd]
    print(f"seed {seed}: a discrepancy of {max(bounds):.3f} is found; false alarm {FALSE_ALARM * mdp.L:.0e}")
    assert max(bounds) < 0.1
    for i in range(mdp.L):
        assert abs(sampled[:, i].mean() - float(exact.mean[i])) <= bounds[i]


# -- limits -----------------------------------------------------------------------------------------------------------


def test_too_many_situations_are_refused(monkeypatch):
    monkeypatch.setattr("tabular_rl.laws.paths.MOST", 10)
    with pytest.raises(OptionError, match="more than 10 situations at step 1"):
        list(enumerate_paths(small(), Policy.uniform(small()), 5))


def test_a_finite_horizon_is_unrolled_by_the_caller():
    mdp = small().replace(horizon=2)
    with pytest.raises(NotAnswerable, match="unroll"):
        list(enumerate_paths(mdp, Policy.uniform(small()), 1))
    flat = unroll(mdp)
    assert sum(p for p, _ in enumerate_paths(flat, Policy.uniform(flat), 3)) == 1


def test_what_has_no_exact_law_is_refused():
    mdp = small()
    with pytest.raises(OptionError, match="no rational probabilities"):
        exact_moments("q-learning", mdp, steps=1, explore="boltzmann:1")
    with pytest.raises(OptionError, match="no exact rule"):
        one_step_rule("dyna", mdp)
    with pytest.raises(OptionError, match="evaluates a policy"):
        one_step_rule("td0", mdp)


def test_epsilon_greedy_splits_the_rest_over_all_actions():
    mdp = small()
    acting = epsilon_greedy(mdp, "1/4")
    assert acting(Table((F(0), F(1), F(0)), (), ()), 0, 1) == {0: F(1, 8), 1: F(7, 8)}
    assert acting(Table((F(1), F(1), F(0)), (), ()), 0, 1) == {0: HALF, 1: HALF}  # a tie
