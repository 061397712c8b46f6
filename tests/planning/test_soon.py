"""Policies evaluated by sweeps that are foreseen to suffice: proven values, and little work where they do not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from random_models import random_model, random_policy
from sized_models import garnet

from tabular_rl import MDP, Policy, Status, evaluate, linear_solve, policy_evaluation
from tabular_rl.methods.planning import _soon, auto
from tabular_rl.methods.planning._chain import side_by_side
from tabular_rl.methods.planning._soon import (
    LOOK,
    PATIENT,
    by_sweeps,
    copied,
    counted_alone,
    first_look,
    missing,
    worth,
)
from tabular_rl.solving.cost import Facts
from tabular_rl.solving.sweeps import Sweeper

GIVEN = {"tolerance": 1e-6, "relative": False, "time_limit": None}


def first_rows(mdp):
    return Policy(mdp, rows=np.where(mdp.terminal, -1, mdp.pair_ptr[:-1]))


def steps_of(n, step, gamma):
    """States that lead on by `step` in a circle."""
    return MDP.from_rows(
        pair_ptr=np.arange(n + 1), pair_action=np.zeros(n, dtype=int), row_ptr=np.arange(n + 1),
        next_state=(np.arange(n) + step) % n, prob=np.ones(n), r=np.arange(n) % 7.0, gamma=gamma,
    )  # fmt: skip


@pytest.mark.small
def test_what_is_missing_follows_from_how_changes_shrink():
    assert missing([100.0, 10.0], 1.0) == pytest.approx(1.0)
    assert missing([512.0, 512.0, 16.0, 8.0, 4.0], 0.25) == pytest.approx(4.0), "by the last few"
    assert missing([4.0, 2.0], 3.0) == 0.0
    assert missing([4.0, 4.0], 1.0) == math.inf
    assert missing([4.0, 5.0], 1.0) == math.inf
    assert missing([4.0, 2.0], 0.0) == math.inf


@pytest.mark.parametrize("copied", [True, False])
def test_intervals_hold_the_exact_values(copied):
    found = 0
    for seed in range(24):
        sense = ("max", "min")[seed % 3 == 0]
        mdp = random_model(seed, exact=seed % 2 == 0, sense=sense, S=2 + seed % 6)
        policy = random_policy(mdp, seed, stochastic=seed % 4 == 0 and not copied)
        alone = side_by_side(mdp, policy) if copied else None
        answer, work = by_sweeps(mdp, policy, GIVEN, 1e9, alone)
        if answer is None:  # changes did not shrink for two sweeps
            continue
        found += 1
        truth = [float(x) for x in reference.exact_policy_value(mdp, policy)]
        assert answer.status is Status.CERTIFIED
        assert np.all(answer.lower <= np.nextafter(truth, np.inf))
        assert np.all(answer.upper >= np.nextafter(truth, -np.inf))
        assert answer.work == work
    assert found > 12


def test_a_model_that_mixes_takes_the_sweeps_of_policy_evaluation():
    mdp = garnet(0, S=600).replace(gamma=0.25)
    for policy in (first_rows(mdp), Policy.uniform(mdp)):
        answer, alone = evaluate(mdp, policy), policy_evaluation(mdp, policy)
        assert answer.status is Status.CERTIFIED
        assert answer.why.endswith("few sweeps suffice")
        assert answer.work == alone.work
        assert (answer.v == alone.v).all()


def test_where_changes_do_not_shrink_few_sweeps_are_lost():
    mdp = steps_of(1000, 500, 0.9999)
    answer = evaluate(mdp, Policy.uniform(mdp))
    assert answer.status is Status.CERTIFIED
    assert 1 < answer.work["sweeps"] <= LOOK
    assert set(answer.seconds_of) == {"policy-evaluation", answer.method}
    assert answer.seconds == pytest.approx(sum(answer.seconds_of.values()))
    assert first_look(mdp, first_rows(mdp)) > 1e5, "nor is anything swept for one action a state"
    assert worth(mdp, first_rows(mdp), Facts(mdp), True) == 0


def test_a_first_look_is_that_of_two_sweeps():
    mdp = garnet(0, S=600).replace(gamma=0.5)
    policy = first_rows(mdp)
    v = mdp.r[policy.rows]
    changes = 0.5 * (mdp.P.toarray()[policy.rows] @ v)
    shrunk = np.ptp(v) / np.ptp(changes)
    assert first_look(mdp, policy) == pytest.approx(math.log(1e9 / shrunk) / math.log(shrunk))
    assert first_look(mdp.replace(sense="min"), policy) == first_look(mdp, policy)


def test_states_that_end_and_a_discount_of_nothing_are_no_work():
    ended = MDP.from_rows(
        pair_ptr=np.zeros(601, dtype=int), pair_action=[], row_ptr=[0], next_state=[], prob=[], reward=[], gamma=0.9,
        terminal=np.ones(600, dtype=bool),
    )  # fmt: skip
    answer = evaluate(ended, Policy(ended, rows=np.full(600, -1)))
    assert not answer.v.any()
    assert answer.bound == 0
    mdp = garnet(0, S=600).replace(gamma=0)
    policy = first_rows(mdp)
    assert evaluate(mdp, policy).v == pytest.approx(mdp.r[policy.rows])
    answer, _ = by_sweeps(mdp, policy, GIVEN | {"tolerance": 1e-300}, math.inf)
    assert answer.status is Status.FLOATS_SPENT
    assert answer.bound < 1e-14


def test_more_sweeps_than_they_are_worth_are_not_made():
    mdp = garnet(0, S=600).replace(gamma=0.99)
    policy = first_rows(mdp)
    whole, work = by_sweeps(mdp, policy, GIVEN, math.inf)
    needed = work["sweeps"]
    assert whole.status is Status.CERTIFIED
    answer, work = by_sweeps(mdp, policy, GIVEN, needed / 3)
    assert answer is None
    assert 1 < work["sweeps"] < needed


def rare(S=1310, gamma=0.99, scale=1.0):
    """Two outcomes a row, drawn at random; one state in ten is paid."""
    rng = np.random.default_rng(1)
    first = rng.integers(1, 6, S) / 10
    to = rng.permuted(np.tile(np.arange(S), (2, 1)), axis=1).T
    return MDP.from_rows(
        pair_ptr=np.arange(S + 1), pair_action=np.zeros(S, dtype=int), row_ptr=2 * np.arange(S + 1),
        next_state=to.ravel(), prob=np.stack([first, 1 - first], axis=1).ravel(),
        r=scale * (rng.random(S) < 0.1), gamma=gamma,
    )  # fmt: skip


@pytest.mark.parametrize("gamma", [0.99, 0.999, 0.99999])
def test_rare_rewards_are_swept_though_the_first_spans_do_not_shrink(gamma):
    mdp = rare(gamma=gamma)
    policy = Policy.uniform(mdp)
    P, r = mdp.P.toarray(), mdp.r
    assert np.ptp(P @ r) == 1, "some state meets pay alone, and some none"
    answer = evaluate(mdp, policy)
    assert answer.status is Status.CERTIFIED
    assert "linear solves" not in answer.work
    assert answer.work == policy_evaluation(mdp, policy).work
    truth = np.linalg.solve(np.eye(mdp.S) - gamma * P, r)
    assert np.abs(answer.v - truth).max() <= answer.bound + 1e-9


def test_one_state_that_stays_costs_no_more_than_patience():
    """The usual change shrinks, as all others mix; the largest never does."""
    mdp = rare(S=4000, gamma=0.9999)
    prob, to, r = mdp.prob.copy(), mdp.next_state.copy(), mdp.r.copy()
    to[0], prob[:2], r[:] = 0, (1 - 1e-6, 1e-6), r * 0.5
    r[0] = 1.0
    slow = MDP.from_rows(
        pair_ptr=mdp.pair_ptr, pair_action=mdp.pair_action, row_ptr=mdp.row_ptr, next_state=to, prob=prob, r=r,
        gamma=mdp.gamma,
    )  # fmt: skip
    answer, work = by_sweeps(slow, Policy.uniform(slow), GIVEN, 300)
    assert answer is None
    assert LOOK < work["sweeps"] <= PATIENT


@pytest.mark.parametrize("kind", [first_rows, Policy.uniform])
def test_a_tolerance_beyond_floats_is_answered_by_the_sweeps(kind):
    mdp = garnet(0, S=600).replace(gamma=0.25)
    policy = kind(mdp)
    answer, other = evaluate(mdp, policy, tolerance=1e-18), linear_solve(mdp, policy, tolerance=1e-18)
    assert answer.status is other.status is Status.FLOATS_SPENT
    assert "linear solves" not in answer.work
    assert answer.work["sweeps"] > LOOK
    assert answer.bound <= 1.1 * other.bound
    assert (answer.lower <= other.upper).all()
    assert (other.lower <= answer.upper).all()


@pytest.mark.parametrize("gamma", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("ends", [0, 1])
def test_what_a_linear_solve_certifies_is_certified(gamma, relative, ends):
    """At tolerances just above and below the least width that rounding leaves."""
    mdp = garnet(3, S=520, ends=ends).replace(gamma=gamma)
    for policy in (first_rows(mdp), Policy.uniform(mdp)):
        asked = {"relative": relative}
        solved = linear_solve(mdp, policy, tolerance=1e-30, **asked)
        width = 2 * solved.bound / (np.abs(solved.v).max() if relative else 1.0)
        reached = 0
        for share in (0.8, 0.9, 0.95, 0.99, 1.0, 1.01, 1.05, 1.2):
            other = linear_solve(mdp, policy, tolerance=share * width, **asked)
            answer = evaluate(mdp, policy, tolerance=share * width, **asked)
            reached += other.status is Status.CERTIFIED
            assert answer.status is Status.CERTIFIED or other.status is not Status.CERTIFIED
        assert 1 <= reached < 8


def test_what_other_values_may_prove_is_left_to_other_methods():
    mdp = garnet(0, S=600).replace(gamma=0.25)
    policy = first_rows(mdp)
    answer, _ = by_sweeps(mdp, policy, GIVEN | {"tolerance": 1e-18}, math.inf)
    for share in np.arange(1.0, 0.9, -0.01):
        near, _ = by_sweeps(mdp, policy, GIVEN | {"tolerance": share * 2 * answer.bound}, math.inf)
        if near is None:
            break
        assert near.status is Status.CERTIFIED
    assert near is None, "at the first tolerance that is not proven"


def test_time_that_is_over_ends_it_with_what_is_proven():
    mdp = garnet(0, S=600)
    answer, _ = by_sweeps(mdp, first_rows(mdp), GIVEN | {"time_limit": 1e-9}, math.inf)
    assert answer.status is Status.TIME_SPENT
    assert (answer.lower <= answer.upper).all()


def test_what_comes_after_has_the_time_that_is_left(monkeypatch):
    monkeypatch.setattr(auto.time, "monotonic", lambda: 107.0)
    assert auto._in_time({"time_limit": 10.0, "tolerance": 1.0}, 100.0) == {
        "time_limit": 3.0,
        "tolerance": 1.0,
    }
    assert 0 < auto._in_time({"time_limit": 5.0}, 100.0)["time_limit"] < 0.01
    assert auto._in_time({"time_limit": None}, 100.0) == {"time_limit": None}


def test_how_many_sweeps_are_worth_it_follows_the_structure():
    def of(mdp, policy=first_rows, planned=True):
        return worth(mdp, policy(mdp), Facts(mdp), planned)

    mixing = garnet(0, S=600)
    assert of(mixing, Policy.uniform, planned=False) > of(mixing) > 32
    assert of(garnet(0, S=400)) == 0, "a dense solve is quicker"
    assert of(mixing.replace(gamma=1)) == of(mixing.replace(horizon=4)) == 0
    assert of(steps_of(30_000, 1, 0.99)) == 0, "nothing mixes"
    assert of(steps_of(30_000, 1, 0.5)) > 16
    assert of(steps_of(10_000, 1, 0.5)) == 0, "a linear solve is quicker"


def test_rows_side_by_side_are_those_of_the_policy(monkeypatch):
    mdp = random_model(5, S=6)
    policy = random_policy(mdp, 5, stochastic=False)
    v, out, other = np.arange(6.0), np.zeros(6), np.zeros(6)
    span = Sweeper(mdp).policy(policy, v, out)
    assert copied(mdp, policy) is None, "all of it is near"
    monkeypatch.setattr(_soon, "CACHE", 0)
    monkeypatch.setattr(_soon, "SHORT", 0)
    alone = copied(mdp, policy)
    assert alone.policy(counted_alone(policy), v, other) == span
    assert (out == other).all()
    assert len(alone.rows[3]) == (policy.rows >= 0).sum() < mdp.L
