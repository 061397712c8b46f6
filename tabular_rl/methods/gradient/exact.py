"""The policy gradient without samples: dJ/dθ(s,a) = d(s) π(a|s) A(s,a); the natural gradient; ascent along either."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tabular_rl.errors import NoFiniteAnswer, NumericalError, OptionError
from tabular_rl.methods.gradient._episodes import Episodes
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy, as_softmax, check_size
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rows import over_rows
from tabular_rl.solving.solution import good_enough

Floats = NDArray[np.float64]

ARMIJO = 1e-4  # share of the promised gain that a step must bring
ROUNDING = 1e-13  # relative change of J that says nothing
SHORTEST = 1e-18  # step size at which a line search gives up


@dataclass(frozen=True, eq=False)
class Gradient:
    """The gradient of J at a softmax policy, exactly, in the sign of the model.

    `J` is the objective, `gradient` (d,) its gradient in the coordinates of θ; `v` (1, S) and `q`, `advantage` (1, L)
    the values of the policy, `visits` (1, S) the expected discounted visits d(s) from the start; with a horizon T there
    is a row a step: v (T + 1, S), q (T, L), visits (T, S) with the weight γ^t.
    """

    policy: SoftmaxPolicy
    J: float
    gradient: Floats
    v: Floats
    q: Floats
    advantage: Floats
    visits: Floats

    @property
    def norm(self) -> float:
        """|∇J|, Euclidean, also where its square is no float."""
        largest = float(np.abs(self.gradient).max(initial=0.0))
        return largest * float(np.linalg.norm(self.gradient / largest)) if largest else 0.0

    @property
    def fisher(self) -> Floats:
        """F = Σ_s d(s) Σ_a π(a|s) ∇log π(a|s) ∇log π(a|s)ᵀ, (d, d)."""
        d = self.policy.d
        check_size(d * d, f"natural gradient: {d} parameters take a matrix of", "features")
        x = self.policy.scores
        return np.asarray(x.T @ (self._weights[:, None] * x))

    @property
    def _weights(self) -> Floats:
        """d(s) π(a|s), (L,)."""
        mdp = self.policy.mdp
        return np.asarray(self.visits.sum(axis=0)[mdp.pair_state] * self.policy.pi)

    @property
    def natural(self) -> Floats:
        """F⁺ ∇J (d,): the direction that does not depend on how the policy is parametrised.

        Without features and horizon it is, where a state is visited, the advantage less its plain mean over actions,
        the smallest solution of F w = ∇J. The advantage is another (Kakade 2001).
        """
        if self.policy.features is not None:
            return np.asarray(np.linalg.pinv(self.fisher, hermitian=True) @ self.gradient)
        weights = self._weights
        seen = weights > 0
        w = np.divide(self.gradient, weights, out=np.zeros(len(weights)), where=seen)
        of = self.policy.mdp.pair_state
        mean = over_rows(np.add, w, self.policy.mdp.pair_ptr) / np.maximum(
            np.diff(self.policy.mdp.pair_ptr), 1
        )
        return np.where(self.visits.sum(axis=0)[of] > 0, w - mean[of], 0.0)


@public
def objective(policy: SoftmaxPolicy | Policy, *, horizon: int | None = None) -> float:
    """Return J = E Σ_t γ^t r_t (+ γ^T final reward) from the start distribution, in the sign of the model.

    >>> mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2")
    >>> objective(SoftmaxPolicy(mdp)), objective(SoftmaxPolicy(mdp), horizon=2)
    (1.0, 0.75)
    """
    episodes = Episodes(as_softmax(policy), horizon=horizon, stopping=False)
    return float(episodes.start @ episodes.v[0])


@public
def exact_gradient(policy: SoftmaxPolicy | Policy, *, horizon: int | None = None) -> Gradient:
    """Return the gradient of J(θ) by linear algebra.

        J = Σ_s start(s) v(s),        dJ/dθ(s,a) = d(s) π(a|s) A(s,a),        d = start + γ P_πᵀ d,    A = q - v

    one factorisation of I - γ P_π for both v and d. With a horizon T, q and d belong to steps: one pass back for v_t,
    one forth for d_t, and the sum over t. With features X: ∇J = Xᵀ (d π A).

    Parameters
    ----------
    policy : a SoftmaxPolicy, or a Policy with positive probabilities; or mdp, policy: any policy of a model
    horizon : number of steps T; default that of the model. The policy is the same at all steps.

    Returns
    -------
    Gradient

    Raises
    ------
    NoFiniteAnswer : γ = 1, no horizon, and the policy may meet rewards forever
    NumericalError : values or a gradient beyond the range of floats
    OptionError : a policy with a probability 0, or that depends on time

    Sources
    -------
    Sutton, McAllester, Singh & Mansour (2000), theorem 1; Sutton & Barto (2018), section 13.2. Kakade (2001), natural.

    Examples
    --------
    A bandit with π = (.9, .1) and rewards (1, 0): J = .9, ∇J = π (r - J) = (.09, -.09); the advantage is (.1, -.9).

    >>> bandit = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], 1, horizon=1)
    >>> found = exact_gradient(SoftmaxPolicy(bandit, np.log([9.0, 1.0])))
    >>> found.gradient.round(12).tolist(), found.natural.round(12).tolist()
    ([0.09, -0.09], [0.5, -0.5])
    """
    softmax = as_softmax(policy)
    episodes = Episodes(softmax, horizon=horizon, stopping=False)
    of = softmax.mdp.pair_state
    v, q, visits = episodes.v, episodes.q, episodes.there
    advantage = q - v[: len(q), of]
    by_row = np.einsum("tl,tl->l", visits[:, of], advantage) * episodes.pi
    along = by_row if softmax.features is None else softmax.features.T @ by_row
    if not (np.isfinite(along).all() and np.isfinite(v[0]).all()):
        raise NumericalError(
            "overflow: a value or the gradient is larger than any float64. Scale the rewards."
        )
    return Gradient(softmax, float(episodes.start @ v[0]), along, v, q, advantage, visits)


@dataclass(frozen=True, eq=False)
class Ascent:
    """Where gradient ascent came to, and how far that is from the best.

    `J_optimal` is that of the best policy, which with a horizon may depend on time; `regret` ≥ 0 what the policy found
    loses against it, both NaN where the best is not proven; `curve` (steps + 1,) is J after each step. `stationary`
    says whether every entry of the gradient is at most the tolerance: a softmax policy without features then is near
    the best only if it has no probability that is nearly 0.
    """

    policy: SoftmaxPolicy
    J: float
    J_optimal: float
    regret: float
    gradient: Gradient
    steps: int
    stationary: bool
    curve: tuple[float, ...]


@public
def gradient_ascent(
    mdp: MDP,
    *,
    policy: SoftmaxPolicy | Policy | None = None,
    features: ArrayLike | None = None,
    horizon: int | None = None,
    natural: bool = False,
    steps: int = 1000,
    tolerance: float = 1e-8,
) -> Ascent:
    """Climb J along its exact gradient to a stationary point; descend where the model has costs.

        θ ← θ + α ∇J        or        θ + α F⁺ ∇J

    with α found by a line search: twice that of the step before, but so that no preference moves by more than 1, halved
    until J gains at least 10⁻⁴ α |∇J|² (Armijo); where J changes by its rounding alone, until the gradient is smaller.

    Parameters
    ----------
    mdp : the model
    policy, features : where to begin (default θ = 0), and the features of θ = 0
    horizon : number of steps T; default that of the model
    natural : along the natural gradient
    steps : at most this many
    tolerance : largest |dJ/dθ| of a stationary point

    Returns
    -------
    Ascent

    Raises
    ------
    NoFiniteAnswer : the first policy, or the best one, has no finite J
    OptionError : `steps` or `tolerance` out of range

    Sources
    -------
    Agarwal, Kakade, Lee & Mahajan (2021): ascent comes to the best policy where every state can be the start.

    Examples
    --------
    >>> mdp = MDP([[[1.0], [1.0]]], [[1.0, 0.0]], "1/2")
    >>> found = gradient_ascent(mdp, natural=True)
    >>> found.stationary, round(found.J, 6), found.J_optimal
    (True, 2.0, 2.0)
    """
    numbers = all(isinstance(x, (int, float, np.number)) for x in (steps, tolerance))
    if not numbers or steps < 0 or not tolerance >= 0:
        raise OptionError(f"steps, tolerance: found {steps}, {tolerance}; expected 0 or more")
    here = SoftmaxPolicy(mdp, features=features) if policy is None else as_softmax(policy)
    found = exact_gradient(here, horizon=horizon)
    sign, alpha, curve = mdp.sign, 1.0, [found.J]
    for _ in range(steps):
        if np.abs(found.gradient).max(initial=0.0) <= tolerance:
            break
        direction = sign * (found.natural if natural else found.gradient)
        promise = sign * float(found.gradient @ direction)
        # No preference moves by more than 1 at once: a long step can end on a plateau, where nothing is to be gained.
        alpha = min(2.0 * alpha, 1.0 / float(np.abs(direction).max()))
        better: Gradient | None = None
        while better is None and alpha > SHORTEST:
            better = _gradient_after(here, alpha * direction, horizon)
            if better is None or not _gains(found, better, sign, ARMIJO * alpha * promise):
                better, alpha = None, alpha / 2
        if better is None:
            break  # floats cannot show the gain any more
        here, found = better.policy, better
        curve.append(found.J)
    best = _best_objective(mdp if horizon is None else mdp.replace(horizon=horizon))
    stationary = bool(np.abs(found.gradient).max(initial=0.0) <= tolerance)
    regret = sign * (best - found.J)
    regret = max(0.0, regret) if math.isfinite(regret) else regret
    return Ascent(here, found.J, best, regret, found, len(curve) - 1, stationary, tuple(curve))


def _gains(found: Gradient, better: Gradient, sign: float, promise: float) -> bool:
    """Whether a step gains enough; within the rounding of J, whether it makes the gradient smaller."""
    gain = sign * (better.J - found.J)
    return gain >= promise or (abs(gain) <= ROUNDING * abs(found.J) and better.norm < found.norm)


def _gradient_after(here: SoftmaxPolicy, change: Floats, horizon: int | None) -> Gradient | None:
    """The gradient after a step, or None where it leads out of the range of floats."""
    try:
        found = exact_gradient(here.moved(change), horizon=horizon)
    except (NoFiniteAnswer, NumericalError, OptionError):
        return None
    return found if math.isfinite(found.J) else None


def _best_objective(mdp: MDP) -> float:
    """The largest J of any policy (the smallest, of costs); NaN where it is not proven."""
    from tabular_rl.methods.planning.auto import auto

    solution = auto(mdp, tolerance=1e-10, relative=True)
    if not good_enough(solution):
        return math.nan
    v = solution.v[0] if mdp.problem.timed else solution.v
    return float(mdp.start @ np.where(mdp.start > 0, v, 0.0))
