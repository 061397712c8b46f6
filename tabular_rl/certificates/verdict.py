"""The verdict on an answer from anywhere: one rigorous sweep judges it, without trusting whoever made it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from tabular_rl.certificates import CERTIFIERS, certifier
from tabular_rl.certificates.certificate import Certificate
from tabular_rl.certificates.intervals import enclosing, exact_certificate
from tabular_rl.errors import NoFiniteAnswer, NotAnswerable, NumericalError, escape
from tabular_rl.formats.answer_entries import Answer
from tabular_rl.model import hooks
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import fraction_text, general, interval_text, rounded_up
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import nearest, spell_float
from tabular_rl.model.rounding import up
from tabular_rl.solving.solution import Floats


class Elsewhere(NamedTuple):
    """What a sweep from the values of an answer does not say. Each is asked for only where it is needed.

    `values` of the best policy (None) or of a given one, by another solve; the same as `fractions`, None where that is
    too much work; and where fractions do not solve Bellman's equation (`unsolved`), None where they do.
    """

    values: Callable[[Policy | None], Floats]
    fractions: Callable[[Policy | None], Sequence[Fraction] | None]
    unsolved: Callable[[Sequence[Fraction], Policy | None], int | None]


@dataclass(frozen=True, eq=False, repr=False)
class Verdict(hooks.Shown):
    """What one rigorous sweep proves of an answer. True where everything is proven and no claim is refuted.

    `error` is how far a value can be from the truth, inf where nothing is proven, and 0 where the answer has the exact
    value and its nearest float; `loss` what the policy loses at most against the best one, None where there is none to
    judge; both are to be within `tolerance`. `lower` and `upper` (S,), or (T + 1, S), are what the sweep proves.
    `wrong` names the states (up to 100) whose value is proven to be off by more than the tolerance, and `reason`
    says where the answer falls short, `action` where its policy does. `claims` are the false claims of the answer
    beside its values, `checked` and `not_checked` what else it says.
    """

    mdp: MDP
    proven: bool
    tolerance: float
    error: float = math.inf
    loss: float | None = None
    wrong: tuple[str, ...] = ()
    reason: str = ""
    action: str = ""
    claims: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()
    lower: Floats | None = None
    upper: Floats | None = None
    task: str = "control"

    def __bool__(self) -> bool:
        return self.proven

    def __repr__(self) -> str:
        found = "proven" if self.proven else "not proven"
        return f"Verdict({found}, error={rounded_up(self.error)}, tolerance={spell_float(self.tolerance)})"

    def __str__(self) -> str:
        return str(hooks.text_of(self))


def verdict_on(  # noqa: C901  (a list of claims, each judged in turn)
    mdp: MDP, answer: Answer, policy: Policy | None, evaluation: bool, tolerance: float, elsewhere: Elsewhere
) -> Verdict:
    """Return what one rigorous sweep proves of an answer.

    Parameters
    ----------
    mdp : the model
    answer : the values, and what else is claimed of them, in the sign of the model
    policy : whose values they are, where `evaluation`; otherwise the policy that is judged against the best one
    evaluation : the values are meant as those of the policy, not as optimal ones
    tolerance : how far a value may be from the truth, in units of reward
    elsewhere : what a sweep does not say

    Returns
    -------
    Verdict in the sign of the model.
    """
    task = "prediction" if evaluation else "control"
    values = answer.values
    assert values is not None
    rows = np.atleast_2d(values)
    ends = np.argwhere((rows != 0) & mdp.terminal) if mdp.final_reward is None else np.zeros((0, 2))
    if len(ends):
        t, s = map(int, ends[0])
        reason = f"state {escape(mdp.states[s])} is terminal: found the value {spell_float(rows[t, s])}, expected 0"
        return Verdict(mdp, False, tolerance, wrong=(mdp.states[s],), reason=reason, task=task)
    own = not evaluation or policy is answer.policy  # the claims of the file are about these values
    sides = (_finite(answer.lower), _finite(answer.upper)) if own else (None, None)
    wanted = policy if evaluation else None
    certificate, error = proven_by_sweep(
        mdp,
        values,
        policy=wanted,
        lower=sides[0],
        upper=sides[1],
        evaluation=evaluation,
        beside=answer.beside,
        tolerance=tolerance,
    )
    apart = CERTIFIERS[mdp.problem].apart
    if not apart and not error <= tolerance:
        # A sweep from values of our own: then only the values that are off are found to be off.
        with contextlib.suppress(NotAnswerable):
            own_values = elsewhere.values(wanted)
            certificate, _ = proven_by_sweep(mdp, own_values, policy=wanted, evaluation=evaluation)
    low, high = _ends(mdp, certificate)
    decided = error <= tolerance or bool((np.maximum(values - high, low - values) > tolerance).any())
    claimed: Sequence[Fraction] | None = answer.exact if own else None
    unsolved = None if claimed is None else elsewhere.unsolved(claimed, wanted)
    truth = claimed if unsolved is None else None
    if truth is None and (unsolved is not None or not decided):
        # Where floats decide nothing or the exact values are wrong.
        truth = elsewhere.fractions(wanted)
    if truth is not None:
        certificate = exact_certificate([int(mdp.sign) * x for x in truth], None, values.shape)
        low, high = _ends(mdp, certificate)
    off = np.maximum(high - values, values - low)
    outside = np.maximum(values - high, low - values)
    if truth is not None:
        off = _distances(values, truth)
        if truth is claimed:
            # The values of the answer are its fractions; beside them stand the nearest floats.
            off[values == np.array([nearest(x) for x in truth]).reshape(values.shape)] = 0.0
        outside = off
        error = float(np.max(off, initial=0.0))
    elif not apart:
        error = float(up(np.max(off))) if off.any() else 0.0
    off = np.where(np.isnan(off), math.inf, off).reshape(-1, mdp.S)
    outside = outside.reshape(-1, mdp.S)
    wrong = np.flatnonzero((outside > tolerance).any(axis=0))
    proven, reason = error <= tolerance, ""
    if not proven:
        t, s = divmod(int(np.argmax(outside if len(wrong) else off)), mdp.S)
        reason = _reason(mdp, values, (low, high), t, s, None if len(wrong) else certificate.note)
    loss, action = None, ""
    if not evaluation and policy is not None:
        # What the policy earns is at least the lower end for the policy, what can be earned at most the upper one.
        loss = _loss(mdp, certificate, answer, sides, policy, tolerance, truth, elsewhere)
        if not loss <= tolerance:
            proven, action = False, _worst_action(mdp, certifier(mdp).begin(values, answer.beside), policy)
    claims = _false_claims(mdp, answer, low, high, truth, unsolved) if own else []
    beside = {"lower": answer.lower, "upper": answer.upper, "exact": answer.exact, "bound": answer.bound}
    checked = ["values", *["policy"] * (loss is not None), *(k for k, x in beside.items() if x is not None)]
    return Verdict(
        mdp,
        proven and not claims,
        tolerance,
        error,
        loss,
        tuple(mdp.states[int(s)] for s in wrong[:100]),
        reason,
        action,
        tuple(claims),
        tuple(checked) if own else (),
        tuple(answer.claims) if own else (),
        low,
        high,
        task,
    )


def _reason(mdp: MDP, values: Floats, ends: tuple[Floats, Floats], t: int, s: int, unsure: str | None) -> str:
    """Where an answer falls short; `unsure` is the note of what is proven where no value is proven to be wrong."""
    v, low, high = (float(np.atleast_2d(x)[t, s]) for x in (values, *ends))
    least = "" if unsure is None else " is the least sure"
    span = f"found the value {spell_float(v)}, the truth is {interval_text(low, high)}"
    return "; ".join(filter(None, (f"{_where(mdp, values, t, s)}{least}: {span}", unsure)))


def proven_by_sweep(
    mdp: MDP,
    values: Any,
    *,
    policy: Policy | None = None,
    lower: Any = None,
    upper: Any = None,
    evaluation: bool = False,
    beside: Mapping[str, Floats] | None = None,
    tolerance: float = math.inf,
) -> tuple[Certificate, float]:
    """Return what one rigorous sweep proves of an answer from anywhere, and how far its values can be from the truth.

    `lower` and `upper` of the answer are not believed but tried as further starting points of the sweep: they prove
    themselves or not.

    Parameters
    ----------
    mdp : the model
    values : (S,), or (T + 1, S) for a finite horizon, in the sign of the model
    policy : the policy of the answer, if there is one
    lower, upper : the claimed ends, in the shape and the sign of the values; None for none
    evaluation : the values are meant as the policy's own, not as optimal ones
    beside : the numbers (S,) that the answers of the problem have beside their values, in the sign of the model
    tolerance : how far a value may be from the truth; where rounding alone hides that, more work is done

    Returns
    -------
    Certificate in the sign of maximisation, and the largest distance of a value from the truth, rounded up; inf where
    nothing is proven.
    """
    sign = mdp.sign
    judge = certifier(mdp, policy if evaluation else None)
    judge.wanted = tolerance
    rows = policy.rows if policy is not None and not evaluation and not policy.timed else None
    claimed = sign * np.asarray(values, dtype=np.float64)
    begin = judge.begin(claimed, {name: sign * x for name, x in (beside or {}).items()})
    if not judge.apart:
        certificate = judge.certificate(begin)
    else:
        certificate = judge.certificate(begin, rows=rows, decide=True)
        low, high = certificate.lower, certificate.upper
        for side, start in enumerate((lower, upper) if sign > 0 else (upper, lower)):
            if _finite(start) is None:
                continue
            other = judge.certificate(sign * np.asarray(start, dtype=np.float64), rows=rows)
            low = np.maximum(low, other.lower) if side == 0 else low
            high = np.minimum(high, other.upper) if side == 1 else high
        certificate = replace(certificate, lower=low, upper=high, middle=None)
    with np.errstate(invalid="ignore"):
        off = np.maximum(certificate.upper - claimed, claimed - certificate.lower)
    worst = float(np.max(off, initial=0.0))
    return certificate, math.inf if math.isnan(worst) else float(up(worst)) if worst else 0.0


def _distances(values: Floats, truth: Sequence[Fraction]) -> Floats:
    """|v - x| of each value, the least float that is not below it, where the truth is known in fractions."""

    def distance(v: float, x: Fraction) -> float:
        try:
            return enclosing(abs(Fraction(v) - x))[1]
        except (OverflowError, ValueError):  # too large for a float, or v is none
            return math.inf

    found = [distance(v, x) for v, x in zip(values.ravel().tolist(), truth, strict=True)]
    return np.array(found).reshape(values.shape)


def _finite(side: Any) -> Any:
    return side if side is not None and np.isfinite(side).all() else None


def _ends(mdp: MDP, certificate: Certificate) -> tuple[Floats, Floats]:
    """The interval of a certificate in the sign of the model."""
    lower, upper = certificate.lower, certificate.upper
    return (lower, upper) if mdp.sign > 0 else (-upper, -lower)


def _where(mdp: MDP, values: Any, t: int, s: int) -> str:
    return f"state {escape(mdp.states[s])}" + (f" at time {t}" if values.ndim == 2 else "")


def _false_claims(
    mdp: MDP, answer: Answer, low: Any, high: Any, truth: Sequence[Fraction] | None, unsolved: int | None
) -> list[str]:
    """The claims of an answer beside its values that are refuted, one sentence each."""
    values, false = answer.values, []
    assert values is not None
    below = answer.lower if answer.lower is not None else np.full_like(low, -math.inf)
    above = answer.upper if answer.upper is not None else np.full_like(low, math.inf)
    for what, bad in (
        ("lower is above upper", below > above),
        ("the claimed interval does not contain the truth", (below > high) | (above < low)),
    ):
        if bad.any():
            t, s = divmod(int(np.argmax(bad)), mdp.S)
            a, b = (spell_float(np.atleast_2d(x)[t, s]) for x in (below, above))
            false.append(f"{_where(mdp, values, t, s)}: {what}: found {a} to {b}")
            break
    if answer.exact is not None and unsolved is not None:
        if truth is not None:
            unsolved = next(i for i, x in enumerate(answer.exact) if x != truth[i])
            rest = f"the truth is {fraction_text(truth[unsolved])}"
        else:
            rest = "which does not solve Bellman's equation"
        where = _where(mdp, values, *divmod(unsolved, mdp.S))
        false.append(f"{where}: exact: found {fraction_text(answer.exact[unsolved])}, {rest}")
    if answer.bound is not None:
        far = np.maximum(values - high, low - values)
        if answer.bound < 0 or float(np.nanmax(far, initial=0.0)) > answer.bound:
            false.append(f"bound: found {spell_float(answer.bound)}, a value is further from the truth")
    return false


def _worst_action(mdp: MDP, values: Any, policy: Policy) -> str:
    """The state where the policy's action is the worst by the values, in words; "" for a random policy."""
    worst, text = 0.0, ""
    steps = values[1:] if values.ndim == 2 else [values]
    for t, after in enumerate(steps):
        rows = policy.at(t).rows if policy.timed else policy.rows
        if rows is None:
            return ""
        q = mdp.backup(after)
        live = np.flatnonzero(~mdp.terminal)
        short = mdp.sign * (mdp.bellman(after)[live] - q[rows[live]])
        at = int(np.argmax(short))
        if short[at] > worst:
            worst, s = float(short[at]), int(live[at])
            better = max(mdp.rows(s), key=lambda i: mdp.sign * q[i])
            mine, other = (escape(mdp.actions[int(mdp.pair_action[i])]) for i in (rows[s], better))
            text = (
                f"{_where(mdp, values, t, s)}: by the values, action {mine} is worth "
                f"{general(worst, 4)} less than {other}"
            )
    return text


def _loss(
    mdp: MDP,
    certificate: Certificate,
    answer: Answer,
    ends: tuple[Any, Any],
    policy: Policy,
    tolerance: float,
    truth: Sequence[Fraction] | None,
    elsewhere: Elsewhere,
) -> float:
    """What the policy can lose at most, against the best: upper of v* minus lower of v_π."""
    assert answer.values is not None
    if truth is not None:
        with contextlib.suppress(NoFiniteAnswer):
            if elsewhere.unsolved(truth, policy) is None:
                return 0.0

    def rounded(most: float) -> float:
        return float(up(most)) if most > 0 else 0.0

    best = certificate.upper

    def loss(values: Any, evaluation: bool, beside: Mapping[str, Floats] | None = None) -> float:
        nonlocal best
        lower, upper = (None, None) if evaluation else ends
        swept, _ = proven_by_sweep(
            mdp,
            values,
            policy=policy,
            lower=lower,
            upper=upper,
            evaluation=evaluation,
            beside=beside,
            tolerance=tolerance,
        )
        low = swept.lower
        with np.errstate(invalid="ignore"):
            coarse = (best - low).max() > tolerance >= (certificate.lower - low).max()
            if evaluation and truth is None and coarse:
                # It may be that the values of the answer are too coarse to tell, and not the policy.
                with contextlib.suppress(NumericalError):
                    best = np.minimum(best, proven_by_sweep(mdp, elsewhere.values(None))[0].upper)
            most = float(np.max(best - low, initial=0.0))
        return math.inf if math.isnan(most) else rounded(most)

    # At γ = 1 and for finite horizons the sweep must follow the policy itself: it may never end, or depend on time.
    found = math.inf
    with contextlib.suppress(NotAnswerable, NoFiniteAnswer):
        evaluation = policy.rows is None or not mdp.problem.contracts
        found = loss(answer.values, evaluation, answer.beside)
    if not found <= tolerance:
        with contextlib.suppress(NotAnswerable, NoFiniteAnswer):  # it never ends, or earns without end
            found = min(found, loss(elsewhere.values(policy), evaluation=True))
            own = None if found <= tolerance else elsewhere.fractions(policy)
            if own is not None:
                low = exact_certificate([int(mdp.sign) * x for x in own], None, answer.values.shape).lower
                found = min(found, rounded(float(np.max(best - low, initial=0.0))))
    return found
