"""From a certificate to the Solution: what may be claimed follows from the certificate alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tabular_rl.certificates.certificate import Certificate
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rounding import up
from tabular_rl.solving.run import Run
from tabular_rl.solving.solution import Floats, Solution, Status


def conclude(
    run: Run,
    mdp: MDP,
    certificate: Certificate | None,
    *,
    task: str,
    policy: Policy | None,
    v: Floats | None = None,
    stopped: str | None = None,
    extra: dict[str, Any] | None = None,
) -> Solution:
    """Return the Solution: what may be claimed follows from the certificate alone.

    Parameters
    ----------
    run : its options say the tolerance; without one the interval must be a point
    certificate : what is proven, or None
    v : (S,) or (T + 1, S), in the sign of maximisation: reported where nothing is proven; else the midpoint of the
        interval is
    stopped : why the run ended early: "time", "signal" or "budget"

    Returns
    -------
    Solution in the sign of the model
    """
    sign = mdp.sign
    lower = upper = None
    bound, note, moved, exact = math.inf, "", "", None
    if certificate is not None:
        note = certificate.note
        if np.isfinite(certificate.lower).all() and np.isfinite(certificate.upper).all():
            v = certificate.lower + (certificate.upper - certificate.lower) / 2
            if certificate.middle is not None:
                # Outward rounding moves the midpoint by a few last places: 2.0000000000000004 for 2.
                near = np.abs(certificate.middle - v) <= 4 * np.spacing(np.abs(v))
                v = np.where(near, certificate.middle, v)
            v = np.clip(v, certificate.lower, certificate.upper)
            half = np.maximum(certificate.upper - v, v - certificate.lower)
            bound = float(np.max(half, initial=0.0))
            bound = float(up(bound)) if bound else 0.0
        elif v is not None and certificate.exact is None:
            # Open on a side: the values are what the method found, and it may have found what is proven wrong.
            found, v = v, np.clip(v, certificate.lower, certificate.upper)
            moved = (
                ""
                if np.array_equal(found, v)
                else "values outside of their proven interval are moved to its end"
            )
        lower, upper = certificate.lower, certificate.upper
        if certificate.exact is not None:
            exact = tuple(x if sign > 0 else -x for x in certificate.exact)
            v = np.array([x.numerator / x.denominator for x in certificate.exact]).reshape(lower.shape)
            half = np.maximum(certificate.upper - v, v - certificate.lower)
            bound = float(np.max(half, initial=0.0))
    assert v is not None
    width, least = (math.inf, 0.0) if certificate is None else (certificate.width, certificate.smallest)
    wanted = run.options.get("tolerance", 0.0)
    if run.options.get("relative"):
        wanted *= float(np.max(np.abs(v), initial=0.0))
    if exact is not None:
        status = Status.EXACT
    elif width <= wanted:
        status = Status.CERTIFIED
    elif stopped == "signal":
        status = Status.INTERRUPTED
    elif stopped == "time":
        status = Status.TIME_SPENT
    elif stopped == "budget" and least <= wanted:
        status = Status.BUDGET_SPENT
    else:
        status = Status.FLOATS_SPENT
        least = width if stopped is None or certificate is None else least
        if math.isfinite(least) and not run.remarks:
            note = note or f"the smallest tolerance that can be proven here is about {1.05 * least:.1e}"

    note = "; ".join(filter(None, [*run.remarks, note]))

    def signed(array: Floats | None) -> Floats | None:
        if array is None:
            return None
        array = array if sign > 0 else -array
        # No -0.0 on the screen; in place where that is ours to do, since a copy of a large answer is felt.
        return np.add(array, 0.0, out=array if array.flags.writeable else None)

    if sign < 0:
        lower, upper = upper, lower
    shown = signed(np.array(v))
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
        note="; ".join(filter(None, (note, moved))),
        extra=extra or {},
    )
