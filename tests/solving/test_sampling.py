"""Sampling: cumulative probabilities, streams, and how often a walk is where.

False alarms of the statistical tests: at most 2e-8 a run, by Hoeffding's inequality, which assumes nothing.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from learners import fresh_seed
from random_models import random_model, random_policy

from tabular_rl import MDP, Policy, q_learning, td0
from tabular_rl.kernels.walk import scan, search
from tabular_rl.model.families import garnet
from tabular_rl.solving.sampling import cumulative, in_lines, policy_cum, sampling_model, streams


@pytest.mark.small
@given(st.lists(st.lists(st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 1e-300, 0.7]), max_size=5), max_size=5))
def test_cumulative_equals_its_twin(groups):
    weights = np.array([x for group in groups for x in group])
    ptr = np.cumsum([0] + [len(group) for group in groups])
    expected = np.empty(len(weights))
    reference.accumulate(ptr, weights, expected)
    assert cumulative(weights, ptr).tobytes() == expected.tobytes()


@pytest.mark.small
@given(st.lists(st.integers(0, 5), min_size=1, max_size=40).filter(any), st.floats(0, 1, exclude_max=True))
def test_search_and_scan_find_the_same(weights, u):
    """Never an entry of weight 0, whatever the uniform."""
    cum = cumulative(np.array(weights) / sum(weights))
    found = [scan(cum, 0, len(cum), u, together) for together in (False, True)]
    assert found == [search(cum, u)] * 2 == [reference.search(cum, u)] * 2
    assert weights[search(cum, u)] > 0


@pytest.mark.small
def test_last_uniform_finds_an_outcome():
    """Ten times 0.1 adds up to less than 1; the largest uniform must not fall behind it."""
    cum = cumulative(np.array([0.1] * 10 + [0.0]))
    assert math.fsum([0.1] * 9) < 1
    u = np.nextafter(1, 0)
    assert scan(cum, 0, 11, u, False) == scan(cum, 0, 11, u, True) == 9 == search(cum, u)


def test_rewards_are_in_the_sign_of_maximisation():
    for by_pair in (True, False):
        mdp = random_model(1, sense="min", by_pair=by_pair)
        model = sampling_model(mdp)
        assert model.r.tolist() == (-mdp.r).tolist()
        assert model.reward.tolist() == ([] if by_pair else (-mdp.reward).tolist())


def test_streams_belong_to_runs():
    """Run e has the same numbers however many runs there are; other seeds and other runs have others."""
    few, many = streams(7, 2), streams(7, 5)
    first = [rng.random(100) for rng in few]
    assert [x.tobytes() for x in first] == [rng.random(100).tobytes() for rng in many[:2]]
    other = streams(8, 2)[0].random(100)
    assert len({x.tobytes() for x in [*first, other]}) == 3


def test_blocks_of_uniforms_join_up():
    whole = streams(3, 1)[0].random(100)
    rng = streams(3, 1)[0]
    assert np.concatenate([rng.random(n) for n in (1, 40, 59)]).tobytes() == whole.tobytes()


# -- how often a walk is where --------------------------------------------------------------------------------------


def expected_visits(mdp, policy, steps, cut=None):
    """The expected number of updates of each state (S,) in so many steps, by the chain of (state, clock)."""
    P = np.zeros((mdp.S, mdp.S))
    for i in range(mdp.L):
        for k in range(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1])):
            P[mdp.pair_state[i], mdp.next_state[k]] += policy.weights[i] * mdp.prob[k]
    clocks = cut or 1
    chance = np.zeros((clocks, mdp.S))
    chance[0] = mdp.start
    visits = np.zeros(mdp.S)
    for _ in range(steps):
        visits += chance.sum(axis=0)
        moved = chance @ P
        ended = moved[:, mdp.terminal].sum()
        moved[:, mdp.terminal] = 0.0
        if cut:
            ended += moved[-1].sum()
            moved = np.vstack([np.zeros(mdp.S), moved[:-1]])
        moved[0] += ended * mdp.start
        chance = moved
    return visits


@pytest.mark.parametrize("cut", [3, pytest.param(None, marks=pytest.mark.slow)])
def test_visits_are_as_frequent_as_they_should_be(cut):
    """Hoeffding over 20,000 runs of 12 steps: P(|mean - E| > 12 d) <= 2 exp(-2 n d²) = 1e-9 each: d = 0.023."""
    runs, steps = 20_000, 12
    mdp = random_model(4, "total-reward", exact=False, S=5, ends=1, gamma=0.9)
    mdp = mdp.replace(start=np.append(np.array([0.5, 0.2, 0.2, 0.1]), 0.0))
    policy = random_policy(mdp, 1)
    answer = td0(mdp, policy, steps=steps, runs=runs, seed=fresh_seed(), episode_steps=cut, reference=False)
    off = np.abs(answer.visits.mean(axis=0) - expected_visits(mdp, policy, steps, cut))
    print("off by", off)
    assert off.max() < steps * math.sqrt(math.log(2 / 1e-9) / 2 / runs)
    # Finer: one step at a time is a share of runs.
    share = td0(mdp, policy, steps=1, runs=runs, seed=fresh_seed(), reference=False).visits.mean(axis=0)
    assert np.abs(share - mdp.start).max() < math.sqrt(math.log(2 / 1e-9) / 2 / runs)


def test_independent_pairs_are_drawn_alike():
    """Every state alike, and in it the actions of the behaviour; each share of 40,000 within 0.0164 but once in 1e9."""
    mdp = random_model(4, "total-reward", exact=False, S=5, ends=1, gamma=0.9)
    policy = random_policy(mdp, 1)
    from tabular_rl import q_evaluation

    answer = q_evaluation(
        mdp, policy, steps=1, runs=40_000, seed=fresh_seed(), source="independent", reference=False
    )
    off = np.abs(answer.visits.mean(axis=0) - policy.weights / 4)
    print("off by", off)
    assert off.max() < math.sqrt(math.log(2 / 1e-9) / 2 / 40_000)


def test_sweeps_take_every_pair_in_turn():
    from tabular_rl import q_evaluation

    mdp = random_model(4, "total-reward", exact=False, S=5, ends=1, gamma=0.9)
    answer = q_evaluation(mdp, Policy.uniform(mdp), steps=3 * mdp.L + 2, source="sweeps", reference=False)
    assert answer.visits.tolist() == [[4, 4] + [3] * (mdp.L - 2)]


def test_policy_is_cumulative_within_states():
    mdp = MDP([[[1.0], [1.0], [1.0]]], [[0.0, 0.0, 0.0]], 0.5)
    assert policy_cum(Policy.of_probs(mdp, [0.25, 0.75, 0.0])).tolist() == [0.25, 2.0, 2.0]


def test_rows_are_laid_out_in_lines_that_a_line_of_the_cache_begins():
    model = sampling_model(garnet(states=30, actions=3, branching=7))
    made = in_lines(model)
    assert (made.width, made.lines.shape) == (7, (90, 16))
    assert made.lines.ctypes.data % 64 == 0
    assert np.shares_memory(made.lines, made.whole)
    assert made.lines[:, :6].tolist() == model.cum.reshape(90, 7)[:, :6].tolist()
    assert made.whole[:, 6:13].tolist() == model.next_state.reshape(90, 7).tolist()
    assert made.lines[:, 13].tolist() == model.r.tolist()


def test_long_rows_and_rows_of_uneven_length_stay_as_they_are():
    """Longer than what is compared at once; more than twice the room."""
    even = np.full((17, 17), 1 / 17)
    uneven = np.eye(9)
    uneven[0] = 1 / 9
    for P in even, uneven:
        assert in_lines(sampling_model(MDP(P[:, None], np.zeros((len(P), 1)), 0.5))).width == 0


def test_lines_change_no_number():
    """A call of few steps reads rows as they are stored, one of many steps reads lines."""
    mdp = garnet(states=40, actions=3, branching=4)
    few, many = (q_learning(mdp, steps=steps, runs=2, reference=False) for steps in (200, 5000))
    assert mdp.K == 480
    again = q_learning(mdp, steps=5000, runs=2, reference=False, resume=few)
    assert again.estimates.tobytes() == many.estimates.tobytes()
