"""Policies evaluated by planning on their chains: values are right, proven, and what does not fit is left to others."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from random_models import random_model, random_policy
from sized_models import garnet

from tabular_rl import MDP, Policy, Status, evaluate
from tabular_rl.methods.planning import _chain
from tabular_rl.methods.planning._chain import by_little, chain_model, fits
from tabular_rl.solving.cost import Facts


@pytest.fixture
def small(monkeypatch):
    """Let small models be evaluated so."""
    monkeypatch.setattr(_chain, "SMALL", 0)
    monkeypatch.setattr(_chain, "LARGE", 0)
    monkeypatch.setattr(_chain, "SHORT", 0)  # none is eliminated first


def planned(answer):
    return answer.why.startswith("the rows of the policy are a model of their own")


def certified(mdp, policy):
    """The answer, which is certified and whose intervals hold the exact values."""
    answer = evaluate(mdp, policy)
    truth = [float(x) for x in reference.exact_policy_value(mdp, policy)]
    assert answer.status is Status.CERTIFIED
    assert np.all(answer.lower <= np.nextafter(truth, np.inf))
    assert np.all(answer.upper >= np.nextafter(truth, -np.inf))
    assert answer.v == pytest.approx(truth, abs=1e-6)
    return answer


def few_states(seed):
    """A model of a few states, and a policy of one action a state."""
    sense = ("max", "min")[seed % 3 == 0]
    mdp = random_model(seed, exact=seed % 2 == 0, sense=sense, S=2 + seed % 6)
    return mdp, random_policy(mdp, seed, stochastic=False)


def test_intervals_hold_the_exact_values(small):
    through = 0
    for seed in range(40):
        through += planned(certified(*few_states(seed)))
    assert through > 30


@pytest.mark.parametrize("thin", [True, False])
def test_a_chain_that_is_eliminated_in_few_steps_is_not_planned_on(small, monkeypatch, thin):
    monkeypatch.setattr(_chain, "SHORT", 100)
    monkeypatch.setattr(_chain, "THIN", 50 if thin else 0)
    monkeypatch.setattr(_chain, "MANY", 0)
    eliminated = 0
    for seed in range(30):
        eliminated += certified(*few_states(seed)).why.endswith("eliminated in few steps")
    assert eliminated >= 28 if thin else eliminated < 15, "without steps those without a cycle alone"


def test_a_model_that_has_ended_is_not_eliminated(small):
    mdp = MDP.from_rows(
        pair_ptr=[0, 0, 0],
        pair_action=[],
        row_ptr=[0],
        next_state=[],
        prob=[],
        reward=[],
        gamma=0.9,
        terminal=[True, True],
    )
    assert by_little(mdp, Policy(mdp, rows=np.array([-1, -1])), {"tolerance": 1e-6}) is None


def test_the_chain_has_the_rows_of_the_policy():
    mdp = random_model(5, S=6)
    policy = random_policy(mdp, 5, stochastic=False)
    chain = chain_model(mdp, policy)
    live = policy.rows >= 0
    assert chain.L == live.sum()
    assert (chain.P.toarray() == mdp.P.toarray()[policy.rows[live]]).all()
    assert (chain.r == mdp.r[policy.rows[live]]).all()
    assert (chain.terminal == mdp.terminal).all()
    assert (chain.gamma, chain.sense) == (mdp.gamma, mdp.sense)


def test_what_does_not_fit_is_left_to_other_methods(small):
    mdp = garnet(0, S=20)
    one = Policy(mdp, rows=mdp.pair_ptr[:-1])
    total, timed = mdp.replace(gamma=1), mdp.replace(horizon=3)
    assert fits(mdp, one, Facts(mdp))
    assert not fits(mdp, Policy.uniform(mdp), Facts(mdp)), "it mixes rows"
    assert not fits(total, one.replace_model(total), Facts(total)), "a total reward"
    assert not fits(timed, one.replace_model(timed), Facts(timed)), "a horizon"


def test_values_that_are_not_proven_soon_are_left_to_other_methods(small, monkeypatch):
    mdp = garnet(0, S=20)
    policy = Policy(mdp, rows=mdp.pair_ptr[:-1])
    right = evaluate(mdp, policy)
    assert planned(right)
    wrong = right.but(v=right.v + np.arange(mdp.S) * 1e3)
    monkeypatch.setattr(_chain, "SWEEPS", 4)
    monkeypatch.setattr("tabular_rl.methods.planning.auto.quickest", spoil(wrong))
    answer = evaluate(mdp, policy)
    assert answer.status is Status.CERTIFIED
    assert not planned(answer)
    assert (answer.lower <= right.upper).all()
    assert (right.lower <= answer.upper).all()


def test_where_nothing_proves_the_tolerance_the_narrower_interval_is_the_answer(small, monkeypatch):
    mdp = garnet(0, S=20)
    policy = Policy(mdp, rows=mdp.pair_ptr[:-1])
    poor = evaluate(mdp, policy, "policy-evaluation", sweeps=3)
    monkeypatch.setattr("tabular_rl.methods.planning.auto.quickest", instead(poor))
    monkeypatch.setattr("tabular_rl.methods.planning.auto.quick_states", lambda: 0)
    answer = evaluate(mdp, policy, tolerance=1e-18)
    assert planned(answer)
    assert answer.bound < 1e-9 < poor.bound
    assert answer.status is poor.status


def instead(poor):
    """The chooser of a method, of which the answers for a policy are replaced."""
    from tabular_rl.methods.planning.auto import quickest

    return lambda mdp, policy, *given: quickest(mdp, policy, *given) if policy is None else poor


def spoil(wrong):
    """The chooser of a method, of which the answers for best policies are replaced."""
    from tabular_rl.methods.planning.auto import quickest

    return lambda mdp, policy, *given: wrong if policy is None else quickest(mdp, policy, *given)


def test_a_time_limit_of_nothing_ends_it(small):
    mdp = garnet(1, S=20)
    answer = evaluate(mdp, Policy(mdp, rows=mdp.pair_ptr[:-1]), time_limit=1e-9)
    assert answer.status in (Status.TIME_SPENT, Status.CERTIFIED)
    assert (answer.lower <= answer.upper).all()
