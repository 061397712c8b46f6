"""SARSA(λ): hand calculations, its twin, SARSA at λ = 0, all short paths in Fractions, and the optimal policy."""

from __future__ import annotations

import math
import secrets
from fractions import Fraction

import numpy as np
import pytest
import reference_traces as twins
from random_models import random_model
from reference import exact_optimal_rows, exact_optimal_value

from tabular_rl import MDP, Policy, load, sarsa, sarsa_evaluation, sarsa_lambda, sarsa_lambda_evaluation
from tabular_rl.methods.learning.sarsa_lambda import KINDS
from tabular_rl.model.unroll import unroll
from tabular_rl.solving.sampling import sampling_model

TWO_STEPS = [[[0, 1, 0], [0, 1, 0]], [[0, 0, 1], [0, 0, 1]], [[0, 0, 0], [0, 0, 0]]]


@pytest.mark.parametrize(
    ("traces", "expected"),
    # δ = 1 + 0 - 0 at first, z = 1/2, q = 1/2; then δ = 2 - 1/2 and z = 1/4 + 1/2, or 1/2, or 1/4 + 1/2 (1 - 1/4) with,
    # as q has changed by 1/2 since it was aimed at, 1/2 (5/8 - 1/2) more.
    [("accumulating", 13 / 8), ("replacing", 5 / 4), ("true-online", 3 / 2)],
)
def test_a_second_visit_by_hand(traces, expected):
    mdp = MDP([[[0.5, 0.5]], [[0, 0]]], [[1.0], [0.0]], 1, terminal=["1"])
    log = [(0, 0, 1.0, 0), (0, 0, 2.0, 1)]
    same = {"data": log, "trace": 0.5, "traces": traces, "steps": 2, "step_size": 0.5, "reference": False}
    assert sarsa_lambda(mdp, **same).estimates[0].tolist() == [expected]
    assert sarsa_lambda_evaluation(mdp, Policy.uniform(mdp), **same).estimates[0].tolist() == [expected]


def test_an_action_that_is_not_best_is_learned_of_as_any_other():
    """γ = 1, λ = 1/2, α = 1/2, q = 0. Two walks 0 -> 1 -> end by actions 0, 1 and 0, 0, rewards 0, 1 and 0, 4.

    First: δ = 0; δ = 1, so q(1,1) = 1/2 and q(0,0) = 1/4. Second: δ = q(1,0) - 1/4 = -1/4, q(0,0) = 1/8; then δ = 4,
    q(1,0) = 2 and q(0,0) = 1/8 + 1. Watkins's Q(λ) has other numbers: it cuts there.
    """
    mdp = MDP(TWO_STEPS, [[0.0, 0.0], [4.0, 1.0], [0.0, 0.0]], 1, terminal=["2"])
    log = [(0, 0, 0.0, 1), (1, 1, 1.0, 2), (0, 0, 0.0, 1), (1, 0, 4.0, 2)]
    same = {"data": log, "trace": 0.5, "step_size": 0.5, "reference": False}
    expected = {2: [0.25, 0, 0, 0.5], 3: [0.125, 0, 0, 0.5], 4: [1.125, 0, 2, 0.5]}
    for steps, q in expected.items():
        assert sarsa_lambda(mdp, steps=steps, **same).estimates[0].tolist() == q


def test_a_cut_ends_the_traces_and_is_no_end():
    """δ = 4 + 16/2 - 16 = -4: q(0) = 14. δ = 8 + 8 - 16 = 0. Cut; δ = 4 + 8 - 14 = -2, for q(0) alone: α = 1/2."""
    mdp = twins.corridor([4.0, 8.0, 2.0], "1/2")
    same = {"episode_steps": 2, "step_size": 0.5, "start_value": 16, "trace": 1, "reference": False}
    for traces in KINDS:
        assert sarsa_lambda(mdp, steps=3, traces=traces, **same).estimates[0].tolist() == [13, 16, 16]


def test_a_break_in_a_log_teaches_nothing_and_ends_the_traces():
    """From 0 to 1, where nobody knows what was done; then a step from 2: δ = 2 - 16 for q(2) alone."""
    mdp = twins.corridor([4.0, 8.0, 2.0], "1/2")
    log = [(0, 0, 4.0, 1), (2, 0, 2.0, 3)]
    learned = sarsa_lambda(mdp, data=log, trace=1, steps=2, step_size=0.5, start_value=16, reference=False)
    assert learned.estimates[0].tolist() == [16, 16, 9] and learned.visits[0].tolist() == [0, 0, 1]


@pytest.mark.parametrize("case", range(4))
@pytest.mark.parametrize("explore", ["epsilon-greedy:0.3", "boltzmann:linear:5:1:200", "ucb:2", None])
def test_no_trace_is_sarsa_bit_for_bit(case, explore):
    mdp, pi, b = twins.models()[case]
    same = {
        "steps": 300, "runs": 3, "seed": 4, "average": True, "start_value": 1.5, "episode_steps": 5, "reference": False,
    }  # fmt: skip
    own = {"behavior": b} if explore is None else {"explore": explore}
    for traces in KINDS:
        one = sarsa_lambda(mdp, trace=0, traces=traces, **same, **own)
        other = sarsa(mdp, **same, **own)
        assert one.estimates.tobytes() == other.estimates.tobytes()
        assert one.visits.tolist() == other.visits.tolist()
        one = sarsa_lambda_evaluation(mdp, pi, trace=0, traces=traces, **same)
        assert one.estimates.tobytes() == sarsa_evaluation(mdp, pi, **same).estimates.tobytes()


@pytest.mark.parametrize("case", range(4))
@pytest.mark.parametrize("kind", range(3))
def test_kernel_is_its_twin(case, kind):
    whole = twins.models()[case][0]
    learned = sarsa_lambda(
        whole, trace=0.9, traces=KINDS[kind], steps=200, runs=2, seed=9, episode_steps=7, step_size="n^-0.6",
        explore="epsilon-greedy:0.3", start_value=2, reference=False,
    )  # fmt: skip
    mdp = whole if whole.horizon is None else unroll(whole)
    model = sampling_model(mdp)
    for e in range(2):
        rng = twins.streams(9, 2)[e]
        start, uniforms = rng.random(2), rng.random((200, 4))
        q, visits = [mdp.sign * 2.0] * mdp.L, [0] * mdp.L

        def choose(s, u, q=q):
            return twins.epsilon_greedy(q, int(mdp.pair_ptr[s]), int(mdp.pair_ptr[s + 1]), 0.3, u)

        row = choose(twins.first_above(model.start, 0, start[0]), start[1])
        steps = twins.walk_ahead(model, choose, 7, row, uniforms)
        twins.sarsa_lambda(steps, kind, mdp.gamma * 0.9, model.gamma, twins.step_sizes("n^-0.6"), visits, q)
        assert learned.estimates[e].ravel().tolist() == (mdp.sign * np.array(q)).tolist()
        assert learned.visits[e].ravel().tolist() == visits


@pytest.mark.parametrize(("number", "apart"), [(float, 0), (Fraction, 1e-12)])
@pytest.mark.parametrize("kind", range(3))
def test_a_log_is_learned_as_its_twin_does(kind, number, apart):
    """With the bits of the twin in floats, and to 1e-12 in Fractions."""
    mdp = random_model(3, gamma="7/8")
    log = twins.random_log(mdp, 6, 60)
    learned = sarsa_lambda(
        mdp, data=log, trace=0.75, traces=KINDS[kind], steps=150, step_size="1/n", reference=False
    )
    steps = [
        (i, number(r), *rest, int(log.next_row[k % len(log)]))
        for k, (i, r, *rest) in enumerate(twins.steps_of(log, 150))
    ]
    q, visits, gamma = [number(0)] * mdp.L, [0] * mdp.L, number(0.875)
    twins.sarsa_lambda(steps, kind, gamma * number(0.75), gamma, lambda n: number(1) / n, visits, q)
    assert learned.estimates[0].tolist() == pytest.approx([float(x) for x in q], rel=apart, abs=apart)
    assert learned.visits[0].tolist() == visits


def by_definition(path, replace, decay, alpha, mdp):
    """q after a path [(row, r, s', done)], in Fractions: q(p) ← q(p) + α δ_t Σ_u (γλ)^(t-u) over visits u ≤ t of p.

    δ_t has the row of step t + 1; the last step of a path that does not end is not learned from. Visits count since the
    last end; where traces replace, only the latest of each pair counts.
    """
    q, gamma, begun = [Fraction(0)] * mdp.L, mdp.gamma_exact, 0
    for t, (i, r, _, done) in enumerate(path):
        if not done and t + 1 == len(path):
            break
        delta = r - q[i] + (0 if done else gamma * q[path[t + 1][0]])
        for u in range(begun, t + 1):
            if not replace or path[u][0] not in [x[0] for x in path[u + 1 : t + 1]]:
                q[path[u][0]] += alpha * decay ** (t - u) * delta
        if done:
            begun = t + 1
    return q


def test_every_short_path_and_the_sampled_mean_are_exact():
    """Each path of 4 steps of the uniform policy as data, against Fractions: equal, as all is dyadic.

    Their mean is that of 20,000 runs of three updates of a walk. A fresh seed; each of the four pairs may miss by 6.3
    standard errors: false alarms 1.2e-9. The test finds a mean that is off by 8 standard errors nearly always.
    """
    mdp, alpha = twins.small_exact_model(), Fraction(1, 4)
    half, decay = [Fraction(1, 2)] * 4, mdp.gamma_exact * Fraction(3, 4)
    mean, total = [Fraction(0)] * 4, Fraction(0)
    same = {"trace": 0.75, "step_size": 0.25, "reference": False}
    for s in range(2):
        for p, path in twins.paths(mdp, half, 4, s, [Fraction(1, 2), Fraction(1, 2), 0]):
            q = by_definition([*path[:3], (*path[3][:3], False)], False, decay, alpha, mdp)  # three updates
            mean = [x + p / 2 * y for x, y in zip(mean, q, strict=True)]
            total += p / 2
            if path[0][0] == 1 and not any(
                x[3] for x in path
            ):  # some of them as data, with both kinds of traces
                for kind in range(2):
                    q = by_definition(path, kind, decay, alpha, mdp)
                    log = twins.as_log(mdp, path)
                    learned = sarsa_lambda(mdp, data=log, steps=3, traces=KINDS[kind], **same)
                    assert learned.estimates[0].tolist() == [float(x) for x in q]
    assert total == 1
    seed, runs = secrets.randbits(50), 20_000
    print("seed", seed)
    found = sarsa_lambda(mdp, behavior=Policy.uniform(mdp), runs=runs, steps=3, seed=seed, **same).estimates
    z = (found.mean(axis=0) - np.array([float(x) for x in mean])) / (found.std(axis=0) / math.sqrt(runs))
    assert (np.abs(z) < 6.3).all(), z


def test_whole_traces_are_constant_step_monte_carlo():
    """True online, λ = 1: at the end of an episode each pair has moved by α, visit by visit, to the return after it.

    γ = 1/2, α = 1/2: rewards 4, 8, 16 after the pairs 0, 1, 0. G = 12, 16, 16: q(0) = 6, then 6 + 1/2 (16 - 6) = 11.
    """
    mdp = MDP([[[0, 1, 0]], [[0.5, 0, 0.5]], [[0, 0, 0]]], [[1.0], [0.0], [0.0]], "1/2", terminal=["2"])
    log = [(0, 0, 4.0, 1), (1, 0, 8.0, 0), (0, 0, 16.0, 2)]
    learned = sarsa_lambda_evaluation(
        mdp,
        Policy.uniform(mdp),
        data=log,
        trace=1,
        traces="true-online",
        steps=3,
        step_size=0.5,
        reference=False,
    )
    assert learned.estimates[0].tolist() == [11, 8]


@pytest.mark.parametrize(("name", "steps"), [("gridworld_4x4", 20_000), ("recycling_robot", 100_000)])
def test_every_run_reaches_the_optimal_policy(name, steps):
    """Exploration falls to 0, so that the values of the policy that explores become those of the best one."""
    mdp = load(f"example:{name}")
    if name == "gridworld_4x4":  # minus the number of moves to the nearer of two corners
        v = [Fraction(-min(x + y, 6 - x - y)) for y in range(4) for x in range(4)]
    else:
        v = exact_optimal_value(mdp)
    best = exact_optimal_rows(mdp, v)
    learned = sarsa_lambda(
        mdp,
        steps=steps,
        runs=8,
        seed=1,
        trace=0.5,
        explore="epsilon-greedy:linear:0.5:0.01:15000",
        reference=False,
    )
    for q in mdp.sign * learned.estimates:
        for a, b in zip(mdp.pair_ptr[:-1].tolist(), mdp.pair_ptr[1:].tolist(), strict=True):
            assert a == b or best[a + int(np.argmax(q[a:b]))]


@pytest.mark.parametrize("traces", KINDS)
def test_resumed_in_the_middle_of_an_episode(traces):
    mdp = twins.models()[0][0]
    same = {"traces": traces, "runs": 2, "seed": 8, "average": True, "reference": False}
    half = sarsa_lambda(mdp, steps=37, **same)
    assert sarsa_lambda(mdp, steps=90, resume=half, **same).estimates.tobytes() == (
        sarsa_lambda(mdp, steps=90, **same).estimates.tobytes()
    )
