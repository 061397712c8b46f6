"""The exact expected behaviour of learners: for research, beside the samples in `compare`, and as the oracle of tests.

`expected` has means and covariances after k steps, `limit` what constant steps tend to, `asymptotic_covariance` that of
averages, `exact_moments` those of any one-step learner over a few steps, from all its paths in fractions;
`importance_law` the variance of importance sampling; `td_fixed_point` and `q_fixed_point` what linear features come to;
`harmonic_error` and `q_lower_bound` what is known of Q-learning.
"""

from __future__ import annotations

from tabular_rl.laws.expected import Expected, expected
from tabular_rl.laws.importance import importance_law
from tabular_rl.laws.limits import Limit, asymptotic_covariance, limit
from tabular_rl.laws.one_step import exact_moments
from tabular_rl.laws.paths import enumerate_paths
from tabular_rl.laws.q_learning import harmonic_error, q_lower_bound
from tabular_rl.methods.exact.projected import Projected, q_fixed_point, td_fixed_point

__all__ = [
    "Expected",
    "Limit",
    "Projected",
    "asymptotic_covariance",
    "enumerate_paths",
    "exact_moments",
    "expected",
    "harmonic_error",
    "importance_law",
    "limit",
    "q_fixed_point",
    "q_lower_bound",
    "td_fixed_point",
]
