"""Softmax policies: one preference a state-action pair, or linear features."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tabular_rl.errors import OptionError, quoted
from tabular_rl.model.calls import check_model
from tabular_rl.model.decisions import array_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import size_text
from tabular_rl.model.policy import Policy
from tabular_rl.model.rows import over_rows

Floats = NDArray[np.float64]
MOST = 2**27  # entries of an array of scores or of covariances: 1 GB


def check_size(entries: int, what: str, way_out: str) -> None:
    """Raise OptionError where an array of this many numbers is too large: "WHAT take SIZE".

    Parameters
    ----------
    entries : how many numbers, of 8 bytes each
    what : the subject and the verb of the error
    way_out : what to use instead

    Raises
    ------
    OptionError : more than 1 GB
    """
    if entries > MOST:
        raise OptionError(f"{what} {size_text(8 * entries)}, more than is allowed; use {way_out}")


class SoftmaxPolicy:
    """A policy given by preferences θ, which the gradient is taken with respect to.

        π(a|s) = exp(x(s,a)·θ) / Σ_b exp(x(s,b)·θ),        ∇ log π(a|s) = x(s,a) - Σ_b π(b|s) x(s,b)

    Without features x(s,a) is the unit vector of the pair, and θ has one entry a row of the model.

    Parameters
    ----------
    mdp : the model
    theta : θ (L,), or (d,) with features; default 0, the uniform policy
    features : X (L, d)

    Raises
    ------
    OptionError : a wrong shape, or a number that is not finite

    Sources
    -------
    Sutton & Barto (2018), section 13.1; Williams (1992).

    Examples
    --------
    Nine against one: θ = (ln 9, 0).

    >>> from tabular_rl.model.mdp import MDP
    >>> bandit = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 1, horizon=1)
    >>> policy = SoftmaxPolicy(bandit, np.log([9.0, 1.0]))
    >>> policy.pi.round(12).tolist(), policy.score(0).round(12).tolist()
    ([0.9, 0.1], [0.1, -0.1])
    """

    def __init__(self, mdp: MDP, theta: ArrayLike | None = None, features: ArrayLike | None = None) -> None:
        check_model(mdp)
        self.mdp = mdp
        self.features: Floats | None = None
        if features is not None:
            x = np.array(array_of(features, "features", np.float64))
            if x.ndim != 2 or len(x) != mdp.L or not x.shape[1] or not np.isfinite(x).all():
                raise OptionError(
                    f"features: found shape {x.shape}, expected ({mdp.L}, d) finite numbers: one row a pair"
                )
            self.features = x
        d = mdp.L if self.features is None else self.features.shape[1]
        self.theta: Floats = np.zeros(d) if theta is None else np.array(array_of(theta, "theta", np.float64))
        if self.theta.shape != (d,) or not np.isfinite(self.theta).all():
            raise OptionError(f"theta: found shape {self.theta.shape}, expected ({d},) finite numbers")
        if not np.isfinite(self.preferences).all():
            raise OptionError("theta: found preferences x·θ that leave the range of floats")
        self.policy = Policy.softmax(mdp, self.preferences)

    @classmethod
    def of(cls, policy: Policy) -> SoftmaxPolicy:
        """Return a policy with positive probabilities as a softmax one: θ = log π. The probabilities stay as they are.

        >>> mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 0.5)
        >>> SoftmaxPolicy.of(Policy.uniform(mdp)).policy.rationals()
        [Fraction(1, 2), Fraction(1, 2)]
        """
        mdp = policy.mdp
        if policy.timed:
            raise OptionError("policy: found one that depends on time, expected one that does not")
        none = np.flatnonzero(policy.weights <= 0)
        if none.size:
            i = int(none[0])
            s, a = mdp.states[mdp.state_of_row(i)], mdp.actions[int(mdp.pair_action[i])]
            small = " as a float" if policy.takes[i] else ""
            raise OptionError(
                f"policy: state {quoted(s)}, action {quoted(a)}: found probability 0{small}, "
                "which a softmax policy never has; expected positive ones. Mix in the others: epsilon-greedy."
            )
        made = cls(mdp, np.log(policy.weights))
        made.policy = policy
        return made

    @property
    def d(self) -> int:
        """The length of θ."""
        return len(self.theta)

    @property
    def preferences(self) -> Floats:
        """x·θ of each row (L,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.theta if self.features is None else self.features @ self.theta

    @property
    def pi(self) -> Floats:
        """The probability of each row (L,)."""
        return self.policy.weights

    def score(self, i: int) -> Floats:
        """∇ log π of row i, (d,)."""
        rows = self.mdp.rows(self.mdp.state_of_row(i))
        if self.features is not None:
            mean = self.pi[rows.start : rows.stop] @ self.features[rows.start : rows.stop]
            return np.asarray(self.features[i] - mean)
        out = np.zeros(self.d)
        out[rows.start : rows.stop] = -self.pi[rows.start : rows.stop]
        out[i] += 1.0
        return out

    @cached_property
    def scores(self) -> Floats:
        """∇ log π of each row, (L, d)."""
        L = self.mdp.L
        check_size(L * self.d, f"gradient: {L} pairs with {self.d} parameters each take", "features")
        if self.features is None:
            out = np.where(self.mdp.pair_state[:, None] == self.mdp.pair_state, -self.pi, 0.0)
            out[np.arange(L), np.arange(L)] += 1.0
            return out
        mean = over_rows(np.add, self.pi[:, None] * self.features, self.mdp.pair_ptr)
        return np.asarray(self.features - mean[self.mdp.pair_state])

    def moved(self, direction: Floats) -> SoftmaxPolicy:
        """The policy of θ + direction."""
        return SoftmaxPolicy(self.mdp, self.theta + direction, self.features)

    def __repr__(self) -> str:
        return f"SoftmaxPolicy({self.mdp.S} states, {self.d} parameters)"


def as_softmax(policy: SoftmaxPolicy | Policy) -> SoftmaxPolicy:
    """Return either kind as a softmax policy, and the policy of a Solution."""
    if isinstance(policy, SoftmaxPolicy):
        return policy
    given = getattr(policy, "policy", policy)
    if isinstance(given, Policy):
        return SoftmaxPolicy.of(given)
    raise OptionError(
        f"policy: found {type(policy).__name__}, expected a SoftmaxPolicy or a Policy, or (mdp, policy)"
    )
