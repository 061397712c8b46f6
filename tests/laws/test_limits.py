"""What learners tend to: against the dense equations of a small model, written out, and against long recursions."""

from __future__ import annotations

import numpy as np
import pytest

from tabular_rl import MDP, NumericalError, OptionError, Policy
from tabular_rl.laws.expected import expected
from tabular_rl.laws.limits import asymptotic_covariance, limit

GAMMA = 0.75
# (s, outcomes (p, r, s')) under the uniform policy of `model`; state 2 is the end.
CHAIN = {
    0: [(1 / 8, 2, 0), (1 / 8, -1, 1), (1 / 4, 3, 1), (1 / 4, 1, 2), (1 / 8, 5, 2), (1 / 8, 0, 0)],
    1: [(1 / 3, 4, 0), (2 / 3, -2, 2)],
}
START = np.array([1 / 3, 2 / 3])


def model(sense="max"):
    outcomes = [
        ("a", "x", "a", "1/4", 2), ("a", "x", "b", "1/4", -1), ("a", "x", "b", "1/2", 3),
        ("a", "y", "end", "1/2", 1), ("a", "y", "end", "1/4", 5), ("a", "y", "a", "1/4", 0),
        ("b", "x", "a", "1/3", 4), ("b", "x", "end", "2/3", -2),
    ]  # fmt: skip
    return MDP.from_outcomes(outcomes, "3/4", terminal=["end"], start={"a": "1/3", "b": "2/3"}, sense=sense)


def chain():
    """P with restarts (2, 2), P to live states, r, its stationary distribution."""
    P, to, r = np.zeros((2, 2)), np.zeros((2, 2)), np.zeros(2)
    for s, outcomes in CHAIN.items():
        for p, reward, s2 in outcomes:
            r[s] += p * reward
            P[s] += p * START if s2 == 2 else 0
            if s2 < 2:
                P[s, s2] += p
                to[s, s2] += p
    d = np.linalg.lstsq(np.vstack([P.T - np.eye(2), np.ones(2)]), np.array([0, 0, 1.0]), rcond=None)[0]
    return P, to, r, d


def dense_limit(step_size, independent):
    """u and W of theory's equations, for the whole 2 × 2 and 2 × 2 × 2 of them, as one linear system each."""
    _, _, _, d = chain()
    mu = np.full(2, 0.5) if independent else d
    A, b = np.eye(4), np.zeros(4)
    moves = []
    for s, outcomes in CHAIN.items():
        for p, reward, s2 in outcomes:
            B = np.eye(2)
            B[s, s] -= step_size
            if s2 < 2:
                B[s, s2] += step_size * GAMMA
            c = step_size * reward * np.eye(2)[s]
            for t in range(2):
                K = mu[t] if independent else START[t] if s2 == 2 else float(s2 == t)
                moves.append((s, t, p * K, B, c))
    for s, t, p, B, c in moves:
        A[2 * t : 2 * t + 2, 2 * s : 2 * s + 2] -= p * B
        b[2 * t : 2 * t + 2] += p * mu[s] * c
    u = np.linalg.solve(A, b).reshape(2, 2)
    A, b = np.eye(8), np.zeros(8)
    for s, t, p, B, c in moves:
        A[4 * t : 4 * t + 4, 4 * s : 4 * s + 4] -= p * np.kron(B, B)
        cross = np.outer(B @ u[s], c)
        b[4 * t : 4 * t + 4] += p * (cross + cross.T + mu[s] * np.outer(c, c)).ravel()
    W = np.linalg.solve(A, b).reshape(2, 2, 2).sum(axis=0)
    m = u.sum(axis=0)
    return m, W - np.outer(m, m)


@pytest.mark.parametrize("source", ["independent", "trajectory"])
@pytest.mark.parametrize("step_size", [0.05, 0.6])
def test_limit_is_that_of_the_dense_equations(source, step_size):
    mean, covariance = dense_limit(step_size, source == "independent")
    for sense in ("max", "min"):
        found = limit("td0", model(sense), step_size=step_size, source=source)
        assert found.mean[:2] == pytest.approx(mean, rel=1e-9)
        assert found.covariance[:2, :2] == pytest.approx(covariance, rel=1e-8)
        assert found.mean[2] == found.sd[2] == 0


@pytest.mark.parametrize("method", ["td0", "sarsa-evaluation", "q-evaluation"])
@pytest.mark.parametrize(
    "options",
    [
        {"source": "trajectory"},
        {"source": "independent", "target": "average:0.1"},
        {"source": "trajectory", "target": "copy:6"},
        {"source": "sweeps"},
    ],
    ids=str,
)
def test_limit_is_where_the_recursion_ends(method, options):
    mdp = model()
    pi = Policy.of_probs(mdp, [0.25, 0.75, 1])
    off = {} if method == "sarsa-evaluation" else {"behavior": Policy.uniform(mdp)}
    law = expected(method, mdp, pi, points=[900], step_size=0.3, **off, **options)
    found = limit(method, mdp, pi, step_size=0.3, **off, **options)
    assert found.mean == pytest.approx(law.mean[0], rel=1e-8)
    assert found.covariance == pytest.approx(law.covariance[0], rel=1e-7, abs=1e-9)


def test_bias_is_nought_for_independent_pairs_and_grows_with_the_step_along_a_trajectory():
    mdp = model()
    independent = limit("td0", mdp, step_size=0.3, source="independent", covariance=False)
    assert np.abs(independent.bias).max() < 1e-12
    bias = [limit("td0", mdp, step_size=a, covariance=False).bias[0] for a in (0.01, 0.02, 0.04)]
    assert abs(bias[0]) > 1e-4
    assert bias[1] / bias[0] == pytest.approx(2, rel=0.02)
    assert bias[2] / bias[1] == pytest.approx(2, rel=0.04)


@pytest.mark.parametrize("source", ["independent", "trajectory"])
def test_asymptotic_covariance_is_that_of_polyak_and_juditsky(source):
    _, to, r, d = chain()
    d = np.full(2, 0.5) if source == "independent" else d
    v = np.append(np.linalg.solve(np.eye(2) - GAMMA * to, r), 0.0)
    variance = [sum(p * (x + GAMMA * v[s2] - v[s]) ** 2 for p, x, s2 in CHAIN[s]) for s in (0, 1)]
    inverse = np.linalg.inv(np.eye(2) - GAMMA * to)
    wanted = inverse @ np.diag(variance / d) @ inverse.T
    found = asymptotic_covariance("td0", model(), source=source)
    assert found[:2, :2] == pytest.approx(wanted, rel=1e-9)
    assert not found[2].any()


@pytest.mark.parametrize("method", ["td0", "sarsa-evaluation", "q-evaluation"])
def test_averages_approach_it(method):
    """The exact covariance after k steps, times k: within 25 % at 4000 steps, and much closer than at 500."""
    k = np.array([500, 4000])
    law = expected(method, model(), points=k.tolist(), average=True, step_size="n^-0.6", per="step")
    wanted = asymptotic_covariance(method, model())
    live = np.diagonal(wanted) > 0
    off = np.abs(law.sd[:, live] ** 2 * k[:, None] / np.diagonal(wanted)[live] - 1).max(axis=1)
    assert off[1] < 0.25
    assert off[1] < 0.4 * off[0]


def test_entries_that_are_left_behind_have_no_limit():
    mdp = MDP.from_outcomes([("a", "go", "b", 1, 1), ("b", "go", "b", 1, 1)], "1/2", start="a")
    found = limit("td0", mdp, step_size=0.5)
    assert np.isnan(found.mean[0])
    assert found.mean[1] == pytest.approx(2)
    assert np.isnan(asymptotic_covariance("td0", mdp)[0, 0])


def test_several_ends_are_refused():
    outcomes = [
        ("a", "go", "b", "1/2", 0),
        ("a", "go", "c", "1/2", 0),
        ("b", "go", "b", 1, 1),
        ("c", "go", "c", 1, 2),
    ]
    with pytest.raises(OptionError, match="in one of 2 sets of states, one of them around 'b': expected one"):
        limit("td0", MDP.from_outcomes(outcomes, "1/2", start="a"), step_size=0.5)


def test_divergence_is_said():
    # Off policy ρ = 10 in one case of ten: E[(1 - α ρ)²] = 0.9 + 0.1 (1 - 5)² = 2.5 > 1, while the mean is stable.
    mdp = MDP.from_outcomes([("s", "x", "end", 1, 1), ("s", "y", "end", 1, 0)], 1, terminal=["end"])
    options = {"behavior": Policy.of_probs(mdp, [0.1, 0.9]), "step_size": 0.5}
    pi = Policy.of_actions(mdp, {"s": "x"})
    assert limit("td0", mdp, pi, covariance=False, **options).mean[0] == pytest.approx(1)
    with pytest.raises(
        NumericalError, match=r"the covariance grows without end with step size 0\.5\. Up to 0\.1 is safe"
    ):
        limit("td0", mdp, pi, **options)


def test_steps_that_change_and_sweeps_are_refused():
    with pytest.raises(OptionError, match="expected a constant one"):
        limit("td0", model(), step_size="1/n", per="step")
    with pytest.raises(OptionError, match="found 'sweeps'"):
        asymptotic_covariance("td0", model(), source="sweeps")
