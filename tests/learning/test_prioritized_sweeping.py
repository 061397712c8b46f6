"""Prioritized sweeping: by hand, as its twin, its queue as a dict; exact for the model that was seen."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from random_models import random_model
from reference import exact_optimal_value, exact_q
from reference_control import check_bits_of_twin, same_bits

from tabular_rl import MDP, OptionError, dyna_q, load, prioritized_sweeping
from tabular_rl.kernels.dyna import learned_backup, pop, push
from tabular_rl.solving.sampling import sampling_model

CORRIDOR = MDP(
    [[[0, 1, 0, 0]], [[0, 0, 1, 0]], [[0, 0, 0, 1]], [[0, 0, 0, 0]]], [[0], [0], [8], [0]], "1/2",
    start=[1, 0, 0, 0], terminal=["3"],
)  # fmt: skip


def test_by_hand():
    """A corridor that pays 8 at its end, γ = 1/2: step 3 sees it, and carries it back one state an update."""
    for planning, q in ((0, [0, 0, 8]), (1, [0, 4, 8]), (2, [2, 4, 8]), (9, [2, 4, 8])):
        answer = prioritized_sweeping(CORRIDOR, steps=3, planning=planning)
        assert answer.q.tolist() == q
        assert answer.visits.sum() == 3 + min(planning, 2)


def test_a_threshold_keeps_small_changes_out():
    """The change of row 1 is 4, that of row 0 is 2."""
    for threshold, q in ((1.9, [2, 4, 8]), (2.0, [0, 4, 8]), (4.0, [0, 0, 8])):
        assert prioritized_sweeping(CORRIDOR, steps=3, planning=9, threshold=threshold).q.tolist() == q


def test_the_queue_is_a_dict_from_which_the_largest_is_taken():
    L = 40
    for seed in range(20):
        rng = random.Random(seed)
        heap, place = np.zeros((1, L), dtype=np.int64), np.full((1, L), -1)
        priority, size, queue = np.zeros((1, L)), np.zeros(1, dtype=np.int64), {}
        for _ in range(300):
            if queue and rng.random() < 0.4:
                expected = max(queue, key=lambda i: (queue[i], -i))
                assert pop(heap, place, priority, size, 0) == expected
                del queue[expected]
            else:
                i, new = rng.randrange(L), float(rng.choice([rng.randrange(6), rng.random(), np.inf]))
                push(heap, place, priority, size, 0, i, new, 0.5)
                if i in queue or new > 0.5:
                    queue[i] = new
            assert size[0] == len(queue)
            assert {int(i) for i in heap[0, : size[0]]} == set(queue)
            assert all((place[0, i] >= 0) == (i in queue) for i in range(L))


CASES = [
    {}, {"planning": 0, "explore": "ucb:1"}, {"planning": 50, "explore": "boltzmann:0.5", "threshold": 0},
    {"explore": "greedy", "episode_steps": 4, "threshold": 0.5},
]  # fmt: skip


@pytest.mark.parametrize("options", CASES)
def test_same_bits_as_the_twin(monkeypatch, options):
    check_bits_of_twin(
        monkeypatch,
        prioritized_sweeping,
        "dyna",
        "sweeping",
        {"steps": 80, **options},
        but=("heap", "place", "priority", "size"),
    )


def seen_model(answer):
    """The model of run 0's counts, in Fractions; None where a pair was never tried."""
    mdp, counts = answer.mdp, answer.state["arrays"]["counts"][0]
    n = np.add.reduceat(counts, mdp.row_ptr[:-1])
    if (n == 0).any():
        return None
    prob = [Fraction(int(c), int(m)) for c, m in zip(counts, np.repeat(n, np.diff(mdp.row_ptr)), strict=True)]
    rows = []
    for i in range(mdp.L):
        p, r = {}, Fraction(0)
        for k in range(mdp.row_ptr[i], mdp.row_ptr[i + 1]):
            s2 = int(mdp.next_state[k])
            p[s2] = p.get(s2, 0) + prob[k]
            r += prob[k] * Fraction(float(mdp.r[i] if mdp.reward is None else mdp.reward[k]))
        rows.append((p, r))
    return rows


@pytest.mark.parametrize(("seed", "sense"), [(1, "max"), (2, "min"), (3, "max"), (4, "min")])
def test_it_solves_the_model_that_was_seen(seed, sense):
    """With enough planning the queue runs empty, and q is the fixed point of the optimality equation of the counts, in
    Fractions: the certainty-equivalent answer, of which no step size is left."""
    mdp = random_model(seed, "discounted", S=5, A=3, N=3, exact=False, sense=sense, ends=1, gamma=0.75)
    answer = prioritized_sweeping(
        mdp,
        steps=300,
        planning=2000,
        threshold=0,
        explore="epsilon-greedy:1",
        episode_steps=5,
        seed=seed,
        reference=False,
    )
    rows = seen_model(answer)
    assert rows is not None, "every pair is tried in 300 steps of this seed"
    v = [Fraction(0)] * mdp.S
    pick = max if sense == "max" else min
    for _ in range(200):  # 0.75^200 < 1e-24
        q = [
            r + mdp.gamma_exact * sum(x * v[s2] for s2, x in p.items() if not mdp.terminal[s2])
            for p, r in rows
        ]
        q = [Fraction(round(x * 2**80), 2**80) for x in q]  # denominators stay short
        v = [
            pick(q[a:b]) if a < b else Fraction(0)
            for a, b in zip(mdp.pair_ptr[:-1], mdp.pair_ptr[1:], strict=True)
        ]
    assert answer.estimates[0] == pytest.approx([float(x) for x in q], rel=1e-12, abs=1e-12)


def test_a_model_without_chance_is_solved_exactly():
    mdp = load("example:dyna_maze")
    answer = prioritized_sweeping(mdp, steps=20_000, planning=100, explore="epsilon-greedy:1", seed=1)
    exact = exact_q(mdp, exact_optimal_value(mdp))
    tried = answer.visits[0] > 0
    assert tried.all()
    assert answer.estimates[0] == pytest.approx([float(x) for x in exact], abs=1e-8)


def test_it_learns_more_from_fewer_updates_than_dyna():
    """On the maze, walked at random, with one update of planning a step: the error is a fifth of Dyna's at most, and no
    run makes more updates (Sutton & Barto 2018, Example 8.4, has a factor of 5 to 10)."""
    mdp = load("example:dyna_maze")
    options = {"explore": "epsilon-greedy:1", "runs": 10, "seed": 3, "steps": 6000, "planning": 1}
    swept, dyna = prioritized_sweeping(mdp, **options), dyna_q(mdp, step_size=0.5, **options)
    assert np.median(swept.rms_error) < 0.2 * np.median(dyna.rms_error)
    assert (swept.visits.sum(axis=1) <= dyna.visits.sum(axis=1)).all()


def test_an_update_by_counts():
    """Seen 3 times to state 0 with reward 4 and once to the end with 8: (3 (4 + γ v) + 8) / 4, γ = 1/2, v = 2."""
    mdp = MDP([[[0.5, 0.5]], [[0, 0]]], [[1], [0]], "1/2", terminal=["1"])
    model = sampling_model(mdp)._replace(
        row_ptr=np.array([0, 3]), next_state=np.array([0, 1, 1]), reward=np.array([4.0, 8.0, 99.0])
    )
    value = learned_backup(model, np.array([[4]]), np.array([[3, 1, 0]]), 0, 0, np.array([[2.0, np.nan]]))
    assert value == 23 / 4


def test_resumes_with_the_same_bits():
    mdp = load("example:frozen_lake_4x4")
    options = {"runs": 3, "planning": 4, "seed": 9, "reference": False}
    whole = prioritized_sweeping(mdp, steps=800, **options)
    same_bits(whole, prioritized_sweeping(mdp, steps=800, threads=2, **options))
    same_bits(
        whole,
        prioritized_sweeping(
            mdp, steps=800, resume=prioritized_sweeping(mdp, steps=301, **options), **options
        ),
    )


def test_options_out_of_range_are_named():
    with pytest.raises(OptionError, match="threshold: found '-1', expected a number from 0"):
        prioritized_sweeping(CORRIDOR, threshold=-1)
