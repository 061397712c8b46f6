"""From a model, values and a policy to a proven interval: the only place where a bound is formed."""

from __future__ import annotations

from typing import Any

from tabular_rl.certificates.base import Certifier
from tabular_rl.certificates.discounted import DiscountedCertifier
from tabular_rl.certificates.finite import FiniteCertifier
from tabular_rl.certificates.total import TotalCertifier
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.problem import DISCOUNTED, FINITE, TOTAL

# Which class proves the answers of which problem: a new problem adds its line.
CERTIFIERS: dict[str, type[Certifier]] = {
    DISCOUNTED: DiscountedCertifier,
    FINITE: FiniteCertifier,
    TOTAL: TotalCertifier,
}


def certifier(mdp: MDP, policy: Policy | None = None, **known: Any) -> Certifier:
    """Return the certifier of a model's problem: for v* (policy None), or for v_π.

    >>> mdp = MDP([[[1.0]]], [[1.0]], "1/2")
    >>> proven = certifier(mdp).certificate([2.0])                     # v = 1 + v / 2
    >>> bool(proven.lower[0] <= 2 <= proven.upper[0]), proven.width < 1e-14
    (True, True)
    """
    return CERTIFIERS[mdp.problem](mdp, policy, **known)
