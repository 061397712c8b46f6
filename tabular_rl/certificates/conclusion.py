"""From a certificate to the Solution: what may be claimed follows from the certificate alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tabular_rl.certificates.certificate import Certificate
from tabular_rl.model.clock import phase
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import nearest
from tabular_rl.model.rounding import up
from tabular_rl.solving.run import Run
from tabular_rl.solving.solution import Floats, Solution, Status


@phase("proof")
def conclude(
    run: Run,
    mdp: MDP,
    certificate: Certificate | None,
    *,
    task: str,
    policy: Policy | None,
    v: Floats | None = None,
    extra: dict[str, Any] | None = None,
) -> Solution:
    """Return the Solution: what may be claimed follows from the certificate alone.

    Parameters
    ----------
    run : its options say the tolerance, without one the interval must be a point; `stopped` why it ended early
    certificate : what is proven, or None
    v : (S,) or (T + 1, S), in the sign of maximisation: reported where nothing is proven; else the midpoint of the
        interval is

    Returns
    -------
    Solution in the sign of the model
    """
    lower = upper = exact = None
    sign, bound, moved = mdp.sign, math.inf, ""
    if certificate is not None:
        lower, upper, exact = certificate.lower, certificate.upper, certificate.exact
        v, bound, moved = _reported(certificate, v)
    assert v is not None
    status, note = _status(run, certificate, v)

    def signed(array: Floats | None) -> Floats | None:
        if array is None:
            return None
        # No -0.0 on the screen; in place where that is ours to do, since a copy of a large answer is felt.
        out = array if array.flags.writeable else None
        return np.add(0.0, array, out=out) if sign > 0 else np.subtract(0.0, array, out=out)

    if sign < 0:
        lower, upper = upper, lower
        exact = exact and tuple(-x for x in exact)
    if upper is lower and upper is not None:
        upper = upper.copy()
    shown = signed(np.array(v) if certificate is None else v)
    assert shown is not None
    return Solution(
        mdp=mdp,
        v=shown,
        policy=policy,
        status=status,
        method=run.method,
        task=task,
        lower=signed(lower),
        upper=signed(upper),
        bound=bound,
        proven_optimal=None if certificate is None else certificate.proven_optimal,
        optimal_actions=None if certificate is None else certificate.keep,
        exact=exact,
        work=dict(run.work),
        history=tuple(run.history),
        options=dict(run.options),
        seconds=run.seconds,
        note="; ".join(filter(None, (*run.remarks, note, moved))),
        extra=extra or {},
    )


def _reported(certificate: Certificate, v: Floats | None) -> tuple[Floats | None, float, str]:
    """The values of an answer, half the width of their widest interval, and a note where they are not those found."""
    lower, upper = certificate.lower, certificate.upper
    if certificate.exact is not None:
        v = np.array([nearest(x) for x in certificate.exact]).reshape(lower.shape)
        return v, float(np.max(np.maximum(upper - v, v - lower), initial=0.0)), ""
    if certificate.middles is not None:
        v, bound = certificate.middles
        return v, float(up(bound)) if bound else 0.0, ""
    if v is None:
        return None, math.inf, ""
    # Open on a side: the values are what the method found, and it may have found what is proven wrong.
    found, v = v, np.clip(v, lower, upper)
    outside = not np.array_equal(found, v)
    return v, math.inf, "values outside of their proven interval are moved to its end" * outside


def _status(run: Run, certificate: Certificate | None, v: Floats) -> tuple[Status, str]:
    """How a run ended, and what its certificate notes or the smallest tolerance that floats can prove."""
    if certificate is None:
        width, least, note = math.inf, 0.0, ""
    elif certificate.exact is not None:
        return Status.EXACT, certificate.note
    else:
        width, least, note = certificate.width, certificate.smallest, certificate.note
    wanted = run.options.get("tolerance", 0.0)
    if run.options.get("relative"):
        wanted *= float(np.max(np.abs(v), initial=0.0))
    if width <= wanted:
        return Status.CERTIFIED, note
    if run.stopped in ("signal", "time"):
        return Status.INTERRUPTED if run.stopped == "signal" else Status.TIME_SPENT, note
    if run.stopped == "budget" and least <= wanted:
        return Status.BUDGET_SPENT, note
    if run.stopped is None or certificate is None:
        least = width
    if math.isfinite(least) and not run.remarks:
        note = note or f"the smallest tolerance that can be proven here is about {1.05 * least:.1e}"
    return Status.FLOATS_SPENT, note
