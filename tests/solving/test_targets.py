"""Target tables, and what learning from the same data over again goes to: exact facts, no chance anywhere.

A hard target whose inner problem is solved is one Bellman backup; a synchronous sweep with step 1 is one of value
iteration; replay in a cycle with a constant step is not certainty equivalence.
"""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from random_models import random_model

from tabular_rl import MDP, Policy, Transitions, learn, load

HALF = Fraction(1, 2)


def without_chance(seed, S=5, A=2):
    """A model without chance, rewards in quarters, γ = 1/2, one terminal state; all of its backups are dyadic."""
    rng = random.Random(seed)
    P, R = np.zeros((S, A, S)), np.zeros((S, A, S))
    for s in range(S - 1):
        for a in range(A):
            to = rng.randrange(S)
            P[s, a, to], R[s, a, to] = 1, rng.randint(-8, 8) / 4
    return MDP(P, R, "1/2", terminal=[str(S - 1)])


def backups(mdp, k, q, policy=None):
    """q after k Bellman backups, in Fractions: of the optimality equation, or of a policy's."""
    q = [Fraction(x) for x in q]
    for _ in range(k):
        v = []
        for s in range(mdp.S):
            mine = range(mdp.pair_ptr[s], mdp.pair_ptr[s + 1])
            if not mine:
                v.append(Fraction(0))
            elif policy is None:
                v.append(max(q[i] for i in mine))
            else:
                v.append(sum(Fraction(float(policy.weights[i])) * q[i] for i in mine))
        after = []
        for i in range(mdp.L):
            outs = range(mdp.row_ptr[i], mdp.row_ptr[i + 1])
            reward = (lambda o, i=i: mdp.r[i]) if mdp.reward is None else (lambda o: mdp.reward[o])
            after.append(
                sum(
                    Fraction(float(mdp.prob[o])) * (Fraction(float(reward(o))) + HALF * v[mdp.next_state[o]])
                    for o in outs
                )
            )
        q = after
    return [float(x) for x in q]


def log_of(mdp, order=None):
    """Each outcome of each pair once, in an order."""
    outs = list(range(mdp.K)) if order is None else order
    rows = [int(np.searchsorted(mdp.row_ptr, o, side="right")) - 1 for o in outs]
    return Transitions.of_arrays(
        mdp, rows, [mdp.r[i] if mdp.reward is None else mdp.reward[o] for i, o in zip(rows, outs, strict=True)],
        mdp.next_state[outs], [False] * len(outs),
    )  # fmt: skip


# -- hard targets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("method", ["q-learning", "q-evaluation"])
def test_a_hard_target_with_the_inner_problem_solved_is_one_backup(seed, method):
    """Step 1 solves the inner problem of a model without chance in one pass over its pairs, in any order. After k
    passes and copies the table is the k-th backup of the start, bit by bit."""
    mdp = without_chance(seed)
    order = random.Random(seed).sample(range(mdp.K), mdp.K)
    options = {"data": log_of(mdp, order), "step_size": 1, "start_value": 4.0, "target": f"copy:{mdp.K}"}
    policy = Policy.uniform(mdp) if method == "q-evaluation" else None
    for k in (1, 2, 3, 6):
        answer = learn(mdp, method, policy, steps=k * mdp.K, **options)
        assert answer.estimates[0].tolist() == backups(mdp, k, [4.0] * mdp.L, policy)


def test_a_hard_target_with_chance_is_one_backup():
    """Two outcomes of equal chance a pair, seen once each: with 1/n a pass ends at their mean, which is the backup."""
    mdp = MDP(
        [[[0.5, 0.5, 0], [0, 0.5, 0.5]], [[0.5, 0, 0.5], [0, 0.5, 0.5]], [[0] * 3] * 2],
        [[[1, 3, 0], [0, 2, 5]], [[4, 0, 1], [0, 8, 2]], [[0] * 3] * 2], "1/2", terminal=["2"],
    )  # fmt: skip
    options = {"data": log_of(mdp), "step_size": "1/n", "start_value": 4.0}
    answer = learn(mdp, "q-learning", steps=mdp.K, target=f"copy:{mdp.K}", **options)
    assert answer.estimates[0].tolist() == backups(mdp, 1, [4.0] * mdp.L)
    bare = learn(mdp, "q-learning", steps=mdp.K, **options)
    assert bare.estimates[0].tolist() != answer.estimates[0].tolist()


def test_the_copy_is_made_after_every_m_th_step():
    """One pair that pays 1 and stays, γ = 1/2, α = 1: q is 1 + 1/2 of what was copied."""
    mdp = MDP([[[1.0]]], [[1.0]], "1/2")
    found = [learn(mdp, "q-learning", steps=n, step_size=1, target="copy:3").q[0] for n in range(1, 8)]
    assert found == [1, 1, 1, 1.5, 1.5, 1.5, 1.75]


@pytest.mark.parametrize(
    "method", ["q-learning", "q-evaluation", "sarsa-evaluation", "td0", "expected-sarsa"]
)
def test_a_copy_at_every_step_is_no_target_at_all(method):
    mdp = random_model(3, "discounted", exact=False, ends=1)
    policy = Policy.uniform(mdp) if "evaluation" in method or method == "td0" else None
    options = {"steps": 500, "runs": 2, "seed": 1, "reference": False}
    bare, copied, moved = (
        learn(mdp, method, policy, target=x, **options) for x in ("none", "copy:1", "average:1")
    )
    assert np.array_equal(bare.estimates, copied.estimates)
    assert moved.estimates == pytest.approx(bare.estimates, rel=1e-9, abs=1e-9)  # bar + (q - bar) rounds


# -- sweeps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_synchronous_sweeps_with_step_one_are_value_iteration(seed):
    """Without chance, bit by bit: sweep k is backup k."""
    mdp = without_chance(seed)
    for k in (1, 2, 3, 7):
        answer = learn(mdp, "q-learning", source="sweeps", step_size=1, steps=k * mdp.L, start_value=2.0)
        assert answer.estimates[0].tolist() == backups(mdp, k, [2.0] * mdp.L)
        assert (answer.visits == k).all()


def test_synchronous_sweeps_of_td0_are_backups_of_the_policy():
    """One action a state: v after sweep k is P v + r of sweep k - 1, and no state reads what its sweep wrote."""
    mdp = without_chance(7, A=1)
    policy = Policy.uniform(mdp)
    for k in (1, 2, 3, 7):
        answer = learn(mdp, "td0", policy, source="sweeps", step_size=1, steps=k * mdp.L, start_value=2.0)
        assert answer.estimates[0, :-1].tolist() == backups(mdp, k, [2.0] * mdp.L)


# -- moving averages --------------------------------------------------------------------------------------------------


def test_a_moving_average_by_hand():
    """q̄ ← q̄ + τ (q - q̄) after q ← q + α (1 + γ q̄ - q): one pair that pays 1 and stays; α = γ = 1/2, τ = 1/4."""
    mdp = MDP([[[1.0]]], [[1.0]], "1/2")
    q = bar = Fraction(0)
    by_hand = []
    for _ in range(8):
        q += HALF * (1 + HALF * bar - q)
        bar += Fraction(1, 4) * (q - bar)
        by_hand.append(float(q))
    assert by_hand[:3] == [0.5, 0.78125, 0.962890625]  # 1/2; 1/2 + 1/2 (1 + 1/16 - 1/2); ...
    found = [
        learn(mdp, "q-learning", steps=n, step_size=0.5, target="average:0.25").q[0] for n in range(1, 9)
    ]
    assert found == by_hand


@pytest.mark.parametrize("target", ["copy:2", "average:0.25"])
def test_a_moving_or_copied_target_is_linear_in_two_tables(target):
    """The law of expected SARSA with a target: the mean of (q, q̄) over all sequences of four equally likely
    transitions is a linear recursion in twice the dimension. All 4^4 sequences, by dyadic numbers, without rounding."""
    mdp = MDP([[[0.5, 0.5], [1, 0]], [[0, 1], [0.5, 0.5]]], [[1, 2], [0, -4]], "1/2", axes="sas")
    pi = Policy.uniform(mdp)
    draws = [(0, 0, 1.0, 0), (0, 1, 2.0, 0), (1, 0, 0.5, 1), (1, 1, -4.0, 0)]
    kind, number = target.split(":")
    total, k = np.zeros(mdp.L), 4
    for code in range(4**k):
        log = [draws[(code >> 2 * j) & 3] for j in range(k)]  # what follows is coverage, and never reached
        answer = learn(
            mdp,
            "q-evaluation",
            pi,
            data=log + draws,
            steps=k,
            step_size=0.5,
            target=target,
            reference=False,
            start_value=1.0,
        )
        total += answer.estimates[0]
    m = bar = [Fraction(1)] * mdp.L
    for n in range(1, k + 1):
        v = [(bar[0] + bar[1]) / 2, (bar[2] + bar[3]) / 2]
        m = [
            x + Fraction(1, 4) * HALF * (Fraction(r) + HALF * v[s2] - x)
            for x, (_, _, r, s2) in zip(m, draws, strict=True)
        ]
        if kind == "average":
            bar = [b + Fraction(number) * (x - b) for b, x in zip(bar, m, strict=True)]
        elif n % int(number) == 0:
            bar = m
    assert (total / 4**k).tolist() == [float(x) for x in m]


# -- the same data over again -----------------------------------------------------------------------------------------


def certainty_equivalent(log, mdp):
    """v of the chain that a log of one policy shows: counts, mean rewards, one linear system."""
    n, r, P = np.zeros(mdp.S), np.zeros(mdp.S), np.zeros((mdp.S, mdp.S))
    for i, reward, s2, over in zip(log.row, log.reward, log.next_state, log.done, strict=True):
        s = mdp.state_of_row(int(i))
        n[s] += 1
        r[s] += reward
        P[s, s2] += not over
    seen = n > 0
    r[seen] /= n[seen]
    P[seen] /= n[seen, None]
    return np.where(seen, np.linalg.solve(np.eye(mdp.S) - mdp.gamma * P, r), 0.0)


def two_states():
    """Two states, and a log in which each pays now this, now that."""
    mdp = MDP([[[0.5, 0.5]], [[0.5, 0.5]]], [[0.0], [0.0]], "9/10")
    return mdp, Transitions.of(
        mdp, [(0, 0, 1.0, 1), (1, 0, 0.0, 0), (0, 0, 2.0, 0), (0, 0, -1.0, 1), (1, 0, 3.0, 1), (1, 0, 0.0, 0)]
    )


def cycle_error(step_size, steps):
    mdp, log = two_states()
    answer = learn(
        mdp, "td0", Policy.uniform(mdp), data=log, steps=steps, step_size=step_size, reference=False
    )
    return np.abs(answer.estimates[0] - certainty_equivalent(log, mdp)).max()


def test_a_cycle_with_a_constant_step_is_not_certainty_equivalence():
    """Where the cycle settles differs from the answer of the batch in proportion to the step; a step that goes to 0
    gets there. The limits of the cycles are solved for, as fixed points of one pass."""
    error = {a: cycle_error(a, steps=int(600 / a)) for a in (0.1, 0.01, 0.001)}
    assert error[0.1] > 0.05
    assert 9 < error[0.1] / error[0.01] < 11
    assert 9.9 < error[0.01] / error[0.001] < 10.1
    mdp, log = two_states()
    for a in error:
        M, c = np.eye(2), np.zeros(2)
        for i, r, s2 in zip(log.row, log.reward, log.next_state, strict=True):
            one, add = np.eye(2), np.zeros(2)
            one[i, i] -= a
            one[i, s2] += a * mdp.gamma
            add[i] = a * r
            M, c = one @ M, one @ c + add
        limit = np.linalg.solve(np.eye(2) - M, c)
        assert error[a] == pytest.approx(np.abs(limit - certainty_equivalent(log, mdp)).max(), rel=1e-6)


def test_a_cycle_with_a_decaying_step_goes_to_certainty_equivalence():
    assert cycle_error("n^-0.7", steps=600_000) < 0.002


def test_targets_reach_the_same_answer():
    """On the robot all targets lead to q*; what differs is the way."""
    mdp = load("example:recycling_robot")
    for target in ("none", "copy:50", "average:0.05"):
        answer = learn(mdp, "q-learning", steps=400_000, runs=4, seed=2, source="independent", target=target)
        assert answer.sup_error.max() < 0.03 * np.abs(answer.truth).max()
