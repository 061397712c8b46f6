"""QuantEcon's DiscreteDP solves the examples of its documentation. What is read of them has its answers."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from tabular_rl import MDP, solve

pytestmark = pytest.mark.peers("quantecon")
INF = np.inf


def check(*given, tolerance=1e-9):
    """Both have one answer, in the product form and as pairs."""
    from quantecon.markov import DiscreteDP

    found = DiscreteDP(*given).solve(method="policy_iteration")
    mdp = MDP.from_quantecon(*given)
    answer = solve(mdp, tolerance=tolerance)
    scale = max(1.0, float(np.abs(found.v).max()))
    assert answer.v == pytest.approx(found.v, abs=1e-8 * scale)
    assert mdp.backup(found.v)[rows_of(mdp, found.sigma)] == pytest.approx(answer.v, abs=1e-8 * scale), (
        "its policy"
    )
    for sparse in (False, True):
        back = mdp.to_quantecon(sparse=sparse)
        assert MDP.from_quantecon(*back) == mdp
        assert DiscreteDP(*back).solve(method="policy_iteration").v == pytest.approx(
            found.v, abs=1e-8 * scale
        )
    return mdp


def rows_of(mdp, sigma):
    """The row of each state that a policy takes."""
    return [mdp.row(s, int(a)) for s, a in enumerate(sigma)]


def test_the_first_example():
    check([[5, 10], [-1, -INF]], [[(0.5, 0.5), (0, 1)], [(0, 1), (0.5, 0.5)]], 0.95)
    check([5, 10, -1], [(0.5, 0.5), (0, 1), (0, 1)], 0.95, [0, 0, 1], [0, 1, 0])
    check(
        np.array([5, 10, -1]),
        csr_matrix([(0.5, 0.5), (0, 1), (0, 1)]),
        0.95,
        np.array([0, 0, 1]),
        np.array([0, 1, 0]),
    )


def growth(beta=0.9, B=10, M=5, alpha=0.5):
    """The simple growth model of its lecture: eat some of the stock, store up to M, get up to B more."""
    n, m = B + M + 1, M + 1
    R, Q = np.empty((n, m)), np.zeros((n, m, n))
    for s in range(n):
        for a in range(m):
            R[s, a] = (s - a) ** alpha if a <= s else -INF
            Q[s, a, a : a + B + 1] = 1.0 / (B + 1)
    return R, Q, beta


def test_optimal_growth():
    R, Q, beta = growth()
    mdp = check(R, Q, beta)
    assert mdp.L == int((R > -INF).sum())
    s, a = np.where(R > -INF)
    assert check(R[s, a], Q[s, a], beta, s, a) == mdp
    assert check(R[s, a], csr_matrix(Q[s, a]), beta, s, a) == mdp


def test_continuous_growth_on_a_grid():
    """Brock and Mirman: log utility, output k^.65, the next capital is chosen: k' = alpha beta k^alpha."""
    alpha, beta, n = 0.65, 0.95, 150
    grid = np.linspace(1e-6, 2, n)
    C = grid[:, None] ** alpha - grid[None, :]
    s, a = np.where(C > 0)
    Q = csr_matrix((np.ones(len(s)), (np.arange(len(s)), a)), shape=(len(s), n))
    mdp = check(np.log(C[s, a]), Q, beta, s, a, tolerance=1e-8)
    chosen = grid[solve(mdp).policy.actions]
    assert np.abs(chosen - alpha * beta * grid**alpha).max() < 3 * (grid[1] - grid[0])


def test_stochastic_growth():
    """Two shocks to output; the state is capital and shock."""
    alpha, beta, n = 0.4, 0.9, 25
    grid, shocks, chain = np.linspace(0.05, 0.5, n), np.array([0.9, 1.1]), np.array([[0.8, 0.2], [0.3, 0.7]])
    C = (shocks[:, None, None] * grid[None, :, None] ** alpha - grid[None, None, :]).reshape(2 * n, n)
    R = np.where(C > 0, np.log(np.where(C > 0, C, 1)), -INF)
    Q = np.zeros((2 * n, n, 2 * n))
    for z in range(2):
        for a in range(n):
            Q[z * n : (z + 1) * n, a, a::n] = chain[z]
    check(R, Q, beta)


def test_job_search():
    """McCall: an offer is taken for good, or unemployment pays c and a new offer comes. The last state is a job."""
    wages, beta, c = np.linspace(10, 20, 11), 0.96, 12.0
    n = len(wages)
    offer = np.full(n, 1 / n)
    R, Q = np.empty((2 * n, 2)), np.zeros((2 * n, 2, 2 * n))
    for i in range(n):
        R[i], R[n + i] = [wages[i], c], [wages[i], -INF]
        Q[i, 0, n + i] = Q[n + i, 0, n + i] = Q[n + i, 1, n + i] = 1
        Q[i, 1, :n] = offer
    check(R, Q, beta)


def test_asset_replacement():
    """Miranda and Fackler: keep a machine of age a, or replace it for 75; at age 5 one has to. sigma = 0 0 0 1 1."""
    ages, cost, beta = 5, 75.0, 0.9
    R, Q = np.empty((ages, 2)), np.zeros((ages, 2, ages))
    for i in range(ages):
        age = i + 1
        R[i] = 50 - 2.5 * age - 2.5 * age**2, 50 - cost
        Q[i, 0, min(i + 1, ages - 1)] = Q[i, 1, 0] = 1
    R[-1, 0] = -INF
    mdp = check(R, Q, beta)
    answer = solve(mdp)
    assert answer.v == pytest.approx([216.56004653, 190.62227392, 172.91363769, 169.90404187, 169.90404187])
    assert answer.policy.actions.tolist() == [0, 0, 0, 1, 1]
