"""mdp.backup, mdp.bellman and mdp.greedy against the definition in fractions, and by hand."""

from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import pytest
from random_models import random_model
from reference import best_of, exact_optimal_value, exact_q

import tabular_rl as t

# a: stay for 1, go to b for 0; b: stay for 4, or end for 0.
OUTCOMES = [
    ("a", "stay", "a", 1, 1),
    ("a", "go", "b", 1, 0),
    ("b", "stay", "b", 1, 4),
    ("b", "end", "end", 1, 0),
]
MODEL = t.MDP.from_outcomes(OUTCOMES, "1/2", terminal=["end"])


@pytest.mark.parametrize("sense", ["max", "min"])
@pytest.mark.parametrize("problem", ["discounted", "total-reward", "finite-horizon"])
def test_backups_are_those_of_the_definition(problem, sense):
    for seed in range(4):
        mdp = random_model(seed, problem, sense=sense)
        v = np.random.default_rng(seed).normal(size=mdp.S)
        v[mdp.terminal] = 0
        q = exact_q(mdp, [Fraction(x) for x in v])
        assert mdp.backup(v) == pytest.approx([float(x) for x in q])
        assert mdp.bellman(v) == pytest.approx([float(x) for x in best_of(mdp, q)])
        chosen = [i for i in mdp.greedy(v).rows if i >= 0]
        assert [q[i] for i in chosen] == [
            x for x, end in zip(best_of(mdp, q), mdp.terminal, strict=True) if not end
        ]


def test_the_sign_is_that_of_the_model():
    costs = MODEL.replace(sense="min")
    for mdp, best, acts in ((MODEL, [4, 8, 0], ("go", "stay")), (costs, [2, 0, 0], ("stay", "end"))):
        assert mdp.backup([2, 8, 99]).tolist() == [2, 4, 8, 0], "a terminal state counts 0"
        assert mdp.bellman([2, 8, 99]).tolist() == best
        assert (mdp.greedy([2, 8, 99])["a"], mdp.greedy([2, 8, 99])["b"]) == acts


def test_optimal_values_are_the_fixed_point_and_an_answer_stands_for_its_values():
    answer = t.solve(MODEL, tolerance=1e-12)
    assert MODEL.bellman(answer) == pytest.approx(answer.v)
    assert MODEL.greedy(answer) == answer.policy
    assert MODEL.backup(answer).tolist() == answer.q.tolist()


def test_with_a_horizon_the_values_are_those_of_the_next_time():
    mdp = random_model(3, "finite-horizon")
    exact = [[float(x) for x in row] for row in exact_optimal_value(mdp)]
    v = np.zeros(mdp.S) if mdp.final_reward is None else mdp.final_reward
    for step in reversed(exact[:-1]):
        v = mdp.bellman(v)
        assert v == pytest.approx(step)


@pytest.mark.parametrize("given", [[1, 2], 3, "abc", None, [[1, 2, 3]], ["x", 1, 2]])
@pytest.mark.parametrize("name", ["backup", "bellman", "greedy"])
def test_what_is_not_one_number_a_state_is_refused(name, given):
    with pytest.raises(t.OptionError, match=r"^v: found "):
        getattr(MODEL, name)(given)


def test_a_model_without_actions_has_no_backups():
    empty = t.MDP.from_outcomes([], 1, terminal=["end"], states=["end"])
    assert empty.backup([7]).tolist() == []
    assert empty.bellman([7]).tolist() == [0]
    assert dict(empty.greedy([7])) == {"end": None}


def test_the_states_of_pairs_are_made_once():
    mdp = MODEL.replace(gamma=0)
    assert mdp.pair_state is mdp.pair_state
    assert mdp.pair_state.dtype == mdp.pair_ptr.dtype == np.int32
    assert mdp.replace(gamma=1).pair_state is mdp.pair_state
    assert not mdp.pair_state.flags.writeable
    again = pickle.loads(pickle.dumps(mdp))
    assert again.pair_state.tolist() == [0, 0, 1, 1]
    assert again == mdp
