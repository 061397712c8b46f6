"""What the certifiers of all problems have in common. `certificates.CERTIFIERS` says which one proves which."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.certificates.certificate import Certificate
from tabular_rl.certificates.kept_rows import NearRows
from tabular_rl.errors import NumericalError
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import NO_ROWS, Beyond, LargeRewards, shared_error
from tabular_rl.solving.solution import Floats
from tabular_rl.solving.sweeps import Sweeper


def check_arithmetic() -> None:
    """Raise NumericalError where floats are flushed to zero or not rounded to nearest: no bound would hold."""
    tiny, one, half_ulp = float("5e-324"), float("1"), float("1.1102230246251565e-16")
    small = float("2.2250738585072014e-308")
    kept = tiny * one == tiny and tiny != 0 and (small / 2) * 2 == small
    nearest = one + half_ulp == one and -one - half_ulp == -one and one + half_ulp * 1.5 > one
    if not (kept and nearest):
        raise NumericalError(
            "floating-point arithmetic is not the standard's (flush-to-zero or a rounding mode set by another "
            "library): nothing can be proven. Use --exact."
        )


class Certifier:
    """Certificates of one model: for v* (policy None), or for v_π of a given policy.

    `rows` is, after a certificate for v*, the policy whose value the lower bound bounds; `last` what decisions are made
    from, None where a certificate has them already.

    Parameters
    ----------
    mdp, policy : the model, and the policy whose values are meant
    sweeper : that touches the rows of the model
    total : what is known of the graph at γ = 1, where anything is (see model/graph/reduction.py)
    """

    rows: NDArray[Any] | None = None
    last: Any = None
    # The rows that a search has kept, where they are known to be all that matters at values near to its own.
    kept: NearRows | None = None
    # Whether a sweep from values that are off shows which ones. If not, a verdict sweeps from values of its own too.
    apart = True
    # The width that is asked for. Where rounding alone makes an interval wider, a finer one may be worth more work.
    wanted = math.inf
    # Whether one that is just as wide as that will do, where to make it narrower takes more work.
    quick = False
    # Whether the search goes on, so that an interval that takes much work may be refused.
    early = False
    # Whether an interval that is wider than wanted is of no use. Then the work ends as soon as that is seen, and `wide`
    # says about how wide it would be. Of this nothing is claimed.
    hurried, wide = False, 0.0

    def __init__(
        self, mdp: MDP, policy: Policy | None = None, *, sweeper: Sweeper | None = None, total: Any = None
    ) -> None:
        check_arithmetic()
        mdp.validate()
        self.mdp, self.policy = mdp, policy
        self.sweeper = sweeper or Sweeper(mdp)
        self.ends = bool(mdp.terminal.any())
        self.large = LargeRewards(mdp)
        self._total = total
        self._noise: tuple[Any, float, float] = None, 0.0, 0.0

    def certificate(self, v: Floats, rows: NDArray[Any] | None = None, decide: bool = False) -> Certificate:
        """Return the proven interval from any values v, and for control from the policy `rows`, with decisions."""
        raise NotImplementedError

    def induction(self, v: Floats, rows: NDArray[Any]) -> Certificate:
        """Make values and rows backward from the last time, with their interval: for problems with a horizon."""
        raise NotImplementedError

    def begin(self, v: Floats, beside: Mapping[str, Floats]) -> Floats:  # noqa: ARG002  (as its base)
        """Return what a sweep begins from to judge an answer: its values v, or what the problem has beside them."""
        return v

    def decided(self, certificate: Certificate) -> Certificate:
        """Return the certificate made last with its decisions on actions."""
        return certificate

    def limits(self) -> tuple[Any, Any]:
        """Return what no value falls below or exceeds, without values to start from; ∓inf where nothing is known."""
        return -np.inf, np.inf

    def known(self) -> tuple[NDArray[np.bool_], Floats] | None:
        """Return states (S,) whose values under the policy need no solving, and these values (S,); None for nothing."""
        return None

    def worth_nothing(self) -> bool:
        """Return whether every reward is exactly 0, and so every value: sums of zeros are not rounded."""
        mdp, exact = self.mdp, self.mdp.exact
        if mdp.facts.largest_reward != 0 or mdp.r.any():
            return False
        # A fraction may be smaller than any float.
        small = () if exact is None else (exact.reward, exact.r, exact.final_reward)
        paid = [x.num for x in small if x is not None] + [x for x in (mdp.final_reward,) if x is not None]
        return not any(x.any() for x in paid)

    def use_what_is_known(self) -> None:
        """Make the next certificates quickly, without a clock: for a run that has been stopped."""

    def checked(self, v: Floats) -> Floats:
        """Return a copy of values (S,) that is finite, and 0 at terminals: a value there would prove itself."""
        v = np.array(v, dtype=np.float64)
        if self.ends:
            v[self.mdp.terminal] = 0.0
        self.sweeper.check_finite(v, "in the answer")
        return v

    def errors(self, v: Floats, vmax: float, policy: Policy) -> tuple[float, float, Beyond]:
        """E of the backups of a policy, E of the rows that share one, and the rows that have their own.

        Where the value of a policy is asked for the first is all there is.
        """
        mdp, own = self.mdp, self.large.error(policy, vmax)
        if self.policy is not None:
            return own, own, NO_ROWS
        return own, shared_error(mdp, vmax), self.large.backed_up(self.sweeper, v, vmax)

    def noise(self, mdp: MDP, vmax: float) -> float:
        """E of the sweeps of a method over the model, or over its quotient: smaller changes tell nothing."""
        if self._noise[0] is not mdp or self._noise[1] != vmax:  # else it is asked for after each sweep
            error = shared_error(mdp, vmax) if self.policy is None else self.large.error(self.policy, vmax)
            self._noise = mdp, vmax, error
        return self._noise[2]
