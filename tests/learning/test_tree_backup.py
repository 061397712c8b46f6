"""n-step tree backup: hand calculations, the expected backup, and exact enumeration."""

from __future__ import annotations

import math
import secrets
from fractions import Fraction

import numpy as np
import pytest
import reference_traces as twins
from random_models import random_model, random_policy
from reference import exact_rows

from tabular_rl import MDP, Policy, q_evaluation, tree_backup
from tabular_rl.model.unroll import unroll, unroll_policy
from tabular_rl.solving.sampling import policy_cum, sampling_model


def test_two_steps_by_hand():
    """π = (3/4, 1/4), γ = 1/2, n = 2, α = 1/2, q = 8 at first; 0 -> 1 -> end by actions 0 and 1, rewards 4 and 16.

    G of the first: 4 + 1/2 (3/4 8 + 1/4 16) = 9, half way from 8: 8.5. Of the second: 16, half way 12.
    """
    P = [[[0, 1, 0], [0, 1, 0]], [[0, 0, 1], [0, 0, 1]], [[0, 0, 0], [0, 0, 0]]]
    mdp = MDP(P, [[4.0, 4.0], [16.0, 16.0], [0.0, 0.0]], "1/2", terminal=["2"])
    pi = Policy.of_probs(mdp, np.array([0.75, 0.25, 0.75, 0.25]))
    log = twins.as_log(mdp, [(0, 4, 1, False), (3, 16, 2, True)])
    learned = tree_backup(mdp, pi, data=log, n=2, steps=2, step_size=0.5, start_value=8, reference=False)
    assert learned.estimates[0].tolist() == [8.5, 8, 8, 12]


def test_a_cut_is_no_end():
    """As above, cut after one step: G = 4 + 1/2 (3/4 8 + 1/4 8) = 8, where an end would give 4."""
    P = [[[0, 1, 0], [0, 1, 0]], [[0, 0, 1], [0, 0, 1]], [[0, 0, 0], [0, 0, 0]]]
    mdp = MDP(P, [[4.0, 4.0], [16.0, 16.0], [0.0, 0.0]], "1/2", terminal=["2"], start={"0": 1})
    pi = Policy.of_probs(mdp, np.array([0.75, 0.25, 0.75, 0.25]))
    learned = tree_backup(
        mdp, pi, n=5, steps=3, episode_steps=1, step_size=0.5, start_value=8, reference=False
    )
    assert learned.estimates[0].tolist() == [8, 8, 8, 8]
    assert learned.visits[0].sum() == 3


@pytest.mark.parametrize("case", range(4))
def test_one_step_is_expected_sarsa_bit_for_bit(case):
    mdp, pi, b = twins.models()[case]
    for behavior in (None, b):
        same = {
            "behavior": behavior, "steps": 300, "runs": 3, "seed": 4, "average": True, "start_value": 1.5,
            "episode_steps": 5, "reference": False,
        }  # fmt: skip
        one = tree_backup(mdp, pi, n=1, **same)
        other = q_evaluation(mdp, pi, **same)
        assert one.estimates.tobytes() == other.estimates.tobytes()
        assert one.visits.tolist() == other.visits.tolist()


@pytest.mark.parametrize("case", range(4))
def test_kernel_is_its_twin(case):
    whole, policy, behavior = twins.models()[case]
    learned = tree_backup(
        whole, policy, behavior=behavior, n=3, steps=200, runs=3, seed=9, episode_steps=7, step_size="n^-0.6",
        start_value=2, reference=False,
    )  # fmt: skip
    mdp = whole if whole.horizon is None else unroll(whole)
    pi, b = (p if mdp is whole else unroll_policy(p, mdp) for p in (policy, behavior))
    model, cum = sampling_model(mdp), policy_cum(b)
    for e in range(3):
        start, uniforms = twins.numbers(9, 3, e, 200)
        q, visits = [mdp.sign * 2.0] * mdp.L, [0] * mdp.L
        steps = twins.trajectory(model, cum, 7, twins.first_row(model, cum, start), uniforms)
        pairs = model.gamma, model.pair_ptr, model.pair_state
        twins.n_step(steps, 2, pi.weights.tolist(), 3, *pairs, twins.step_sizes("n^-0.6"), visits, q)
        assert learned.estimates[e].ravel().tolist() == (mdp.sign * np.array(q)).tolist()
        assert learned.visits[e].ravel().tolist() == visits


def test_a_log_is_learned_as_its_twin_does():
    mdp = random_model(3)
    pi = random_policy(mdp, 1)
    log = twins.random_log(mdp, 6, 60)
    learned = tree_backup(mdp, pi, data=log, n=4, steps=150, step_size="1/n", reference=False)
    q, visits = [0.0] * mdp.L, [0] * mdp.L
    pairs = mdp.gamma, mdp.pair_ptr, mdp.pair_state
    twins.n_step(
        twins.steps_of(log, 150), 2, pi.weights.tolist(), 4, *pairs, twins.step_sizes("1/n"), visits, q
    )
    assert learned.estimates[0].tolist() == q
    assert learned.visits[0].tolist() == visits


def tree(mdp, pi, b, i, n, q):
    """E[G] from row i, by (7.16) in Fractions: Σ_s' p (r + γ Σ_a π(a|s') (b(a|s') E[G'] + (1 - b(a|s')) q(s',a)))."""
    outcomes, r = exact_rows(mdp)[i]
    total = r
    for s2, p in outcomes.items():
        for a in range(int(mdp.pair_ptr[s2]), int(mdp.pair_ptr[s2 + 1])):
            further = tree(mdp, pi, b, a, n - 1, q) if n > 1 else q[a]
            total += p * mdp.gamma_exact * pi[a] * (b[a] * further + (1 - b[a]) * q[a])
    return total


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_mean_of_the_first_update_is_the_expected_tree_backup(n):
    """Over all paths of n steps of the behaviour policy, from each action of the first state, exactly."""
    mdp = twins.layered_model(2)
    pi, b = twins.exact_policy(mdp, 3), twins.exact_policy(mdp, 4, least=1)
    policy = Policy.of_probs(mdp, np.array([float(x) for x in pi]))
    start = [Fraction(3)] * mdp.L
    mean, share = [0.0, 0.0], [Fraction(0), Fraction(0)]
    for p, path in twins.paths(mdp, b, n, 0):
        learned = tree_backup(
            mdp, policy, data=twins.as_log(mdp, path), n=n, steps=len(path), step_size=0.25, start_value=3,
            reference=False,
        )  # fmt: skip
        i = path[0][0]
        mean[i] += float(p / b[i]) * learned.estimates[0, i]
        share[i] += p / b[i]
    assert share == [1, 1]
    wanted = [float(3 + Fraction(1, 4) * (tree(mdp, pi, b, i, n, start) - 3)) for i in range(2)]
    assert mean == pytest.approx(wanted, abs=1e-12)


def test_sampled_mean_lies_on_the_exact_one():
    """The mean after 4 steps of a walk, by all of its paths in Fractions, against 20,000 runs.

    A fresh seed; each of the four pairs may miss by 6.3 standard errors: false alarms 1.2e-9 in all. The test finds a
    mean that is off by 8 standard errors (here .007 to .02) nearly always.
    """
    mdp, n, alpha = twins.small_exact_model(), 2, Fraction(1, 4)
    b, pi = [Fraction(1, 2)] * 4, [Fraction(3, 4), Fraction(1, 4), Fraction(1, 4), Fraction(3, 4)]
    exact = [Fraction(0)] * 4
    for s in range(2):
        for p, path in twins.paths(mdp, b, 4, s, [Fraction(1, 2), Fraction(1, 2), 0]):
            q = by_definition(path, pi, n, alpha, mdp)
            exact = [x + Fraction(1, 2) * p * y for x, y in zip(exact, q, strict=True)]
    seed = secrets.randbits(50)
    print("seed", seed)
    runs = 20_000
    learned = tree_backup(
        mdp, Policy.of_probs(mdp, np.array([float(x) for x in pi])), behavior=Policy.uniform(mdp), n=n, steps=4,
        runs=runs, seed=seed, step_size=0.25, reference=False,
    )  # fmt: skip
    found = learned.estimates
    z = (found.mean(axis=0) - np.array([float(x) for x in exact])) / (found.std(axis=0) / math.sqrt(runs))
    assert (np.abs(z) < 6.3).all(), z


def by_definition(path, pi, n, alpha, mdp):
    """Tree backups along a walk, straight from (7.16)."""
    q, gamma = [Fraction(0)] * 4, mdp.gamma_exact

    def G(t, h):
        _, r, s2, done = path[t]
        if done:
            return r
        rows = range(int(mdp.pair_ptr[s2]), int(mdp.pair_ptr[s2 + 1]))
        taken = path[t + 1][0] if t + 1 < h else None
        return r + gamma * sum(pi[a] * (G(t + 1, h) if a == taken else q[a]) for a in rows)

    begun = 0
    for t, (*_, done) in enumerate(path):
        for wait in range(max(begun, t - n + 1), t + 1) if done else [t - n + 1]:
            if wait >= begun:
                i = path[wait][0]
                q[i] += alpha * (G(wait, t + 1) - q[i])
        begun = t + 1 if done else begun
    return q


def test_resumed_in_the_middle_of_an_episode():
    mdp, pi, b = twins.models()[0]
    same = {"behavior": b, "n": 5, "runs": 2, "seed": 8, "average": True, "reference": False}
    half = tree_backup(mdp, pi, steps=37, **same)
    assert tree_backup(mdp, pi, steps=90, resume=half, **same).estimates.tobytes() == (
        tree_backup(mdp, pi, steps=90, **same).estimates.tobytes()
    )
