"""The matrix of the second moments of importance ratios, by hand and against eigenvalues."""

from __future__ import annotations

import numpy as np
import pytest

from tabular_rl import MDP, Policy
from tabular_rl.methods.exact.ratio_moments import second_moment_kernel, spectral_radius, weights_are_finite


def test_kernel_by_hand():
    # π = (1/4, 3/4), b = (1/2, 1/2): π²/b = 1/8 and 9/8.
    mdp = MDP(
        [[[0.5, 0.5, 0], [0, 1, 0]], [[0, 0, 1], [1, 0, 0]], [[0] * 3] * 2],
        np.zeros((3, 2)),
        1,
        terminal=["2"],
    )
    pi = Policy.of_probs(mdp, [0.25, 0.75, 0.25, 0.75])
    M, ends = second_moment_kernel(mdp, pi, Policy.uniform(mdp))
    assert M.toarray().tolist() == [[1 / 16, 1 / 16 + 9 / 8, 0], [9 / 8, 0, 0], [0, 0, 0]]
    assert ends.tolist() == [0, 1 / 8, 0]


@pytest.mark.parametrize("seed", range(8))
def test_spectral_radius_is_the_largest_eigenvalue(seed):
    from scipy.sparse import csr_array

    rng = np.random.default_rng(seed)
    M = rng.random((6, 6)) * (rng.random((6, 6)) < 0.4)
    expected = np.abs(np.linalg.eigvals(M)).max()
    lower, upper = spectral_radius(csr_array(M))
    assert lower - 1e-9 <= expected <= upper + 1e-9
    # Parts without a cycle are of radius 0, and the eigenvalues of such a block are not found to more than 1e-3.
    assert upper - lower < 1e-6


def test_spectral_radius_of_a_cycle_and_of_nothing():
    from scipy.sparse import csr_array

    ring = csr_array(np.array([[0.0, 8, 0], [0, 0, 1], [1, 0, 0]]))
    lower, upper = spectral_radius(ring)
    assert lower <= 2 * (1 + 1e-12)
    assert upper >= 2 * (1 - 1e-12)
    assert upper - lower < 1e-9
    assert spectral_radius(csr_array((3, 3))) == (0.0, 0.0)


def test_weights_from_the_start_alone_are_judged():
    # The loop of infinite variance cannot be reached from u.
    mdp = MDP.from_outcomes(
        [("s", "left", "s", "9/10", 0), ("s", "left", "end", "1/10", 1), ("s", "right", "end", 1, 0),
         ("u", "go", "end", 1, 0)],
        1, terminal=["end"], start="u",
    )  # fmt: skip
    pi, b = Policy.of_probs(mdp, [1, 0, 1]), Policy.uniform(mdp)
    assert weights_are_finite(mdp, pi, b) is True
    assert weights_are_finite(mdp.replace(start={"s": 1}), pi, b) is False
