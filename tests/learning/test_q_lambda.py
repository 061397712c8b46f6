"""Watkins's Q(λ): hand calculations, its twin, Q-learning at λ = 0, and the optimal policy within a budget."""

from __future__ import annotations

import math
import secrets
from fractions import Fraction

import numpy as np
import pytest
import reference_traces as twins
from random_models import random_model
from reference import exact_optimal_rows, exact_optimal_value

from tabular_rl import MDP, Policy, load, q_lambda, q_learning
from tabular_rl.errors import OptionError
from tabular_rl.methods.learning.q_lambda import KINDS
from tabular_rl.model.unroll import unroll
from tabular_rl.solving.sampling import sampling_model

TWO_STEPS = [[[0, 1, 0], [0, 1, 0]], [[0, 0, 1], [0, 0, 1]], [[0, 0, 0], [0, 0, 0]]]


def test_an_action_that_is_not_best_ends_the_traces():
    """γ = 1, λ = 1/2, α = 1/2, q = 0. Two walks 0 -> 1 -> end by actions 0, 1 and 0, 0, rewards 0, 1 and 0, 4.

    First: δ = 0; action 1 is as good as any; δ = 1, so q(1,1) = 1/2 and q(0,0) = 1/4. Second: δ = 1/2 - 1/4, q(0,0) =
    3/8; action 0 is worth 0 and the best 1/2, so that δ = 4 is for q(1,0) = 2 alone.
    """
    mdp = MDP(TWO_STEPS, [[0.0, 0.0], [4.0, 1.0], [0.0, 0.0]], 1, terminal=["2"])
    log = [(0, 0, 0.0, 1), (1, 1, 1.0, 2), (0, 0, 0.0, 1), (1, 0, 4.0, 2)]
    same = {"data": log, "trace": 0.5, "step_size": 0.5, "reference": False}
    expected = {2: [0.25, 0, 0, 0.5], 3: [0.375, 0, 0, 0.5], 4: [0.375, 0, 2, 0.5]}
    for steps, q in expected.items():
        assert q_lambda(mdp, steps=steps, **same).estimates[0].tolist() == q


def test_a_walk_ends_its_traces_too_but_not_for_one_of_two_best():
    """γ = 1, λ = 1/2, α = 1/2, q = 0. Actions 0, then 1, rewards 0 and -4, twice.

    First: δ = 0; action 1 is as good as action 0; δ = -4, so q(1,1) = -2 and q(0,0) = -1. Second: δ = 0 - (-1),
    q(0,0) = -1/2; action 1 is worth -2 and the best 0, so that δ = -2 is for q(1,1) = -3 alone.
    """
    mdp = MDP(TWO_STEPS, [[0.0, 0.0], [0.0, -4.0], [0.0, 0.0]], 1, terminal=["2"], start={"0": 1})
    small = 1e-12  # what the behaviour nearly never does
    same = {
        "behavior": Policy.of_probs(mdp, np.array([1 - small, small, small, 1 - small])),
        "trace": 0.5,
        "step_size": 0.5,
        "reference": False,
    }
    for steps, q in {2: [-1, 0, 0, -2], 3: [-0.5, 0, 0, -2], 4: [-0.5, 0, 0, -3]}.items():
        assert q_lambda(mdp, steps=steps, **same).estimates[0].tolist() == q


@pytest.mark.parametrize(
    ("traces", "expected"),
    [({}, 13 / 8), ({"traces": "accumulating"}, 13 / 8), ({"traces": "replacing"}, 5 / 4)],
)
def test_a_second_visit_by_hand(traces, expected):
    """δ = 1 at first, z = 1/2, q = 1/2; then δ = 3/2, z = 1/4 + 1/2, as the printed equation has it, or 1/2."""
    mdp = MDP([[[0.5, 0.5]], [[0, 0]]], [[1.0], [0.0]], 1, terminal=["1"])
    log = [(0, 0, 1.0, 0), (0, 0, 2.0, 1)]
    learned = q_lambda(mdp, data=log, trace=0.5, steps=2, step_size=0.5, reference=False, **traces)
    assert learned.estimates[0].tolist() == [expected]


def test_one_episode_teaches_all_that_led_to_the_reward():
    """A corridor of five with 1 at its end: q = α λ^k, where Q-learning knows of the last step alone."""
    mdp = twins.corridor([0.0, 0.0, 0.0, 0.0, 1.0], 1)
    same = {"steps": 5, "step_size": 0.5, "reference": False}
    assert q_lambda(mdp, trace=0.5, **same).estimates[0].tolist() == [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2]
    assert q_learning(mdp, **same).estimates[0].tolist() == [0, 0, 0, 0, 1 / 2]


@pytest.mark.parametrize("case", range(4))
@pytest.mark.parametrize("explore", ["epsilon-greedy:0.3", "boltzmann:linear:5:1:200", "ucb:2", None])
def test_no_trace_is_q_learning_bit_for_bit(case, explore):
    mdp, _, b = twins.models()[case]
    same = {
        "steps": 300, "runs": 3, "seed": 4, "average": True, "start_value": 1.5, "episode_steps": 5, "reference": False,
        **({"behavior": b} if explore is None else {"explore": explore}),
    }  # fmt: skip
    for traces in KINDS:
        one = q_lambda(mdp, trace=0, traces=traces, **same)
        other = q_learning(mdp, **same)
        assert one.estimates.tobytes() == other.estimates.tobytes()
        assert one.visits.tolist() == other.visits.tolist()


@pytest.mark.parametrize("case", range(4))
@pytest.mark.parametrize("kind", range(2))
def test_kernel_is_its_twin(case, kind):
    whole = twins.models()[case][0]
    learned = q_lambda(
        whole, trace=0.9, traces=KINDS[kind], steps=200, runs=3, seed=9, episode_steps=7, step_size="n^-0.6",
        explore="epsilon-greedy:0.3", start_value=2, reference=False,
    )  # fmt: skip
    mdp = whole if whole.horizon is None else unroll(whole)
    model = sampling_model(mdp)
    for e in range(3):
        start, uniforms = twins.numbers(9, 3, e, 200)
        q, visits = [mdp.sign * 2.0] * mdp.L, [0] * mdp.L

        def choose(s, u, q=q):
            return twins.epsilon_greedy(q, int(mdp.pair_ptr[s]), int(mdp.pair_ptr[s + 1]), 0.3, u)

        row = choose(twins.first_above(model.start, 0, start[0]), start[1])
        steps = twins.trajectory(model, choose, 7, row, uniforms)
        pairs = model.gamma, model.pair_ptr, model.pair_state
        twins.q_lambda(steps, kind, mdp.gamma * 0.9, *pairs, twins.step_sizes("n^-0.6"), visits, q)
        assert learned.estimates[e].ravel().tolist() == (mdp.sign * np.array(q)).tolist()
        assert learned.visits[e].ravel().tolist() == visits


@pytest.mark.parametrize(("number", "apart"), [(float, 0), (Fraction, 1e-12)])
@pytest.mark.parametrize("kind", range(2))
def test_a_log_is_learned_as_its_twin_does(kind, number, apart):
    """With the bits of the twin in floats, and to 1e-12 in Fractions."""
    mdp = random_model(3, gamma="7/8")
    log = twins.random_log(mdp, 6, 60)
    learned = q_lambda(
        mdp, data=log, trace=0.75, traces=KINDS[kind], steps=150, step_size="1/n", reference=False
    )
    steps = [(i, number(r), *rest) for i, r, *rest in twins.steps_of(log, 150)]
    q, visits, gamma = [number(0)] * mdp.L, [0] * mdp.L, number(0.875)
    pairs = gamma, mdp.pair_ptr, mdp.pair_state
    twins.q_lambda(steps, kind, gamma * number(0.75), *pairs, lambda n: number(1) / n, visits, q)
    assert learned.estimates[0].tolist() == pytest.approx([float(x) for x in q], rel=apart, abs=apart)
    assert learned.visits[0].tolist() == visits


def by_definition(path, kind, decay, alpha, mdp):
    """q after each step of a path, in Fractions: q(p) ← q(p) + α δ_t Σ_u (γλ)^(t-u) over the visits u ≤ t of p.

    Visits count since the last one whose next action was not a best one, or the last end; where traces replace, only
    the latest of each pair counts. No traces are kept.
    """
    q, gamma, begun, after = [Fraction(0)] * mdp.L, mdp.gamma_exact, 0, []
    for t, (i, r, s2, done) in enumerate(path):
        rows = range(int(mdp.pair_ptr[s2]), int(mdp.pair_ptr[s2 + 1]))
        delta = r - q[i] + (0 if done else gamma * max(q[j] for j in rows))
        taken = [
            u
            for u in range(begun, t + 1)
            if not kind or path[u][0] not in [x[0] for x in path[u + 1 : t + 1]]
        ]
        for u in taken:
            q[path[u][0]] += alpha * decay ** (t - u) * delta
        if done or (t + 1 < len(path) and q[path[t + 1][0]] != max(q[j] for j in rows)):
            begun = t + 1
        after.append(list(q))
    return after


@pytest.mark.parametrize("kind", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_every_short_path_and_the_sampled_mean_are_exact(kind):
    """Each of the 1,873 paths of 4 steps of the uniform policy as data, against Fractions: equal, as all is dyadic.

    Their mean is that of 20,000 runs of a walk. A fresh seed; each of the four pairs may miss by 6.3 standard errors:
    false alarms 2.4e-9 for both kinds. The test finds a mean that is off by 8 standard errors nearly always.
    """
    mdp, trace, alpha = twins.small_exact_model(), Fraction(3, 4), Fraction(1, 4)
    half, decay = [Fraction(1, 2)] * 4, mdp.gamma_exact * trace
    mean, total, cut = [Fraction(0)] * 4, Fraction(0), 0
    same = {"trace": 0.75, "traces": KINDS[kind], "steps": 4, "step_size": 0.25, "reference": False}
    for s in range(2):
        for p, path in twins.paths(mdp, half, 4, s, [Fraction(1, 2), Fraction(1, 2), 0]):
            after = by_definition(path, kind, decay, alpha, mdp)
            mean = [x + p / 2 * y for x, y in zip(mean, after[-1], strict=True)]
            total += p / 2
            cut += any(
                not done and after[t][path[t + 1][0]] < max(after[t][j] for j in mdp.rows(s2))
                for t, (_, _, s2, done) in enumerate(path[:3])
            )
            learned = q_lambda(mdp, data=twins.as_log(mdp, path), **same)
            assert learned.estimates[0].tolist() == [float(x) for x in after[-1]]
    assert total == 1 and cut > 100
    seed, runs = secrets.randbits(50), 20_000
    print("seed", seed)
    found = q_lambda(mdp, behavior=Policy.uniform(mdp), runs=runs, seed=seed, **same).estimates
    z = (found.mean(axis=0) - np.array([float(x) for x in mean])) / (found.std(axis=0) / math.sqrt(runs))
    assert (np.abs(z) < 6.3).all(), z


@pytest.mark.parametrize(("name", "steps"), [("gridworld_4x4", 20_000), ("recycling_robot", 100_000)])
def test_every_run_reaches_the_optimal_policy(name, steps):
    mdp = load(f"example:{name}")
    if name == "gridworld_4x4":  # minus the number of moves to the nearer of two corners
        v = [Fraction(-min(x + y, 6 - x - y)) for y in range(4) for x in range(4)]
    else:
        v = exact_optimal_value(mdp)
    best = exact_optimal_rows(mdp, v)
    learned = q_lambda(
        mdp, steps=steps, runs=16, seed=1, trace=0.5, explore="epsilon-greedy:0.3", reference=False
    )
    for q in mdp.sign * learned.estimates:
        for a, b in zip(mdp.pair_ptr[:-1].tolist(), mdp.pair_ptr[1:].tolist(), strict=True):
            assert a == b or best[a + int(np.argmax(q[a:b]))]


def test_true_online_is_refused():
    mdp = twins.corridor([1.0], 1)
    with pytest.raises(OptionError, match="expected one of accumulating, replacing"):
        q_lambda(mdp, traces="true-online")


def test_resumed_in_the_middle_of_an_episode():
    mdp = twins.models()[0][0]
    same = {"runs": 2, "seed": 8, "average": True, "reference": False}
    half = q_lambda(mdp, steps=37, **same)
    assert q_lambda(mdp, steps=90, resume=half, **same).estimates.tobytes() == (
        q_lambda(mdp, steps=90, **same).estimates.tobytes()
    )
