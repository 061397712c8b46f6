"""`verify`: one rigorous sweep over a model judges an answer from anywhere, without trusting whoever made it."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from tabular_rl.certificates.discounted import RATIONAL_STATES, exact_certificate
from tabular_rl.certificates.discounted import verify as sweep
from tabular_rl.errors import (
    MissingExtra,
    NoFiniteAnswer,
    NotAnswerable,
    NumericalError,
    OptionError,
    escape,
    path_text,
)
from tabular_rl.formats.answer_entries import CLAIMS, Answer
from tabular_rl.formats.answers import answer_of, read_answer
from tabular_rl.methods.exact._truth import where_unsolved
from tabular_rl.model import hooks
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import fraction_text, general, interval_text, rounded_up
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import nearest, spell_float
from tabular_rl.solving.options import check
from tabular_rl.solving.solution import Certificate, Floats, Solution


@dataclass(frozen=True, eq=False, repr=False)
class Verdict:
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


@public
def verify(
    mdp: MDP,
    answer: Any,
    *,
    policy: Any = None,
    tolerance: float = 1e-6,
    relative: bool = False,
) -> Verdict:
    """Check an answer from anywhere, without trusting whoever made it.

    One rigorous sweep from the values proves how far they can be from the truth, and what the policy of the answer
    loses at most. Exact values are put into the equation in fractions, and up to 100 states fractions decide where
    floats are too coarse. Checked are values, policy, lower, upper, exact and bound, and no other claims of a file.

        max_s |v(s) - v*(s)| ≤ tolerance,    max_s v*(s) - v_π(s) ≤ tolerance

    Parameters
    ----------
    mdp : the model
    answer : a Solution, the path of an answer file (JSON or CSV), values by state {name: number}, or an array (S,),
        (T + 1, S) for a finite horizon
    policy : take the values as those of this policy, not as the best ones
    tolerance : how far a value may be from the truth, in units of reward
    relative : the tolerance is a share of the largest |value|

    Returns
    -------
    Verdict: true where everything is proven. `print` shows what the command `verify` shows.

    Raises
    ------
    OptionError, ModelError : an answer without values, to another model, or with states that the model does not have

    Examples
    --------
    One state that pays 1 a step, γ = 1/2: its value is 2.

    >>> mdp = MDP([[[1.0]]], [[1.0]], "1/2")
    >>> bool(verify(mdp, [2.0])), bool(verify(mdp, {"0": 2.1})), verify(mdp, [2.1]).wrong
    (True, False, ('0',))
    """
    tolerance, relative = check(tolerance=tolerance, relative=relative)
    found, source = _answer(mdp, answer)
    if found.values is None:
        raise OptionError(f"{source}: found no values, expected a value for each state")
    if found.digest is not None and found.digest != mdp.digest:
        raise OptionError(
            f"{source}: found an answer to another model: its digest is {escape(found.digest[:16])}, that of "
            f"{path_text(mdp.origin or 'the model')} is {mdp.digest[:16]}. Give the options it was solved with "
            "(--gamma ...)."
        )
    judged_policy, evaluation = found.policy, found.task == "prediction"
    if policy is not None:
        judged_policy, evaluation = policy, True
    elif evaluation and judged_policy is None:
        raise OptionError(f"{source}: found the values of a policy and no policy. Give it with --policy.")
    if relative:
        tolerance *= float(np.max(np.abs(found.values), initial=0.0))
    findings = _judged(mdp, found, judged_policy, evaluation, tolerance)
    lists = {name: tuple(x) for name, x in findings.items() if isinstance(x, list)}
    return Verdict(mdp, task="prediction" if evaluation else "control", **findings | lists)


def _answer(mdp: MDP, answer: Any) -> tuple[Answer, str]:
    """An answer in any form, and what messages call it."""
    if isinstance(answer, (str, os.PathLike)):
        path = os.fspath(answer)
        return read_answer(path, mdp), "<stdin>" if path == "-" else path_text(path)
    if isinstance(answer, Answer):
        return answer, "answer"
    if isinstance(answer, Solution):
        has = {"status": True, "start_value": True, "optimal_actions": answer.optimal_actions is not None,
               "proven_optimal": answer.proven_optimal is not None}  # fmt: skip
        found = Answer(
            answer.v, answer.lower, answer.upper, answer.policy, answer.task, answer.mdp.digest, answer.exact,
            answer.bound if math.isfinite(answer.bound) else None, tuple(name for name in CLAIMS if has[name]),
        )  # fmt: skip
        return found, "answer"
    if isinstance(answer, Mapping) or not callable(answer):
        return answer_of(mdp, answer), "answer"
    raise OptionError(
        f"answer: found {type(answer).__name__}, expected a Solution, the path of an answer file, or values"
    )


def _judged(
    mdp: MDP, answer: Answer, policy: Policy | None, evaluation: bool, tolerance: float
) -> dict[str, Any]:
    """What one rigorous sweep proves of an answer, by name."""
    values = answer.values
    assert values is not None
    findings: dict[str, Any] = {
        "proven": False, "tolerance": tolerance, "error": math.inf, "loss": None, "wrong": [], "reason": "",
        "action": "", "claims": [], "checked": [], "not_checked": [],
    }  # fmt: skip
    rows = np.atleast_2d(values)
    ends = np.argwhere((rows != 0) & mdp.terminal) if mdp.final_reward is None else np.zeros((0, 2))
    if len(ends):
        t, s = map(int, ends[0])
        findings["wrong"] = [mdp.states[s]]
        findings["reason"] = (
            f"state {escape(mdp.states[s])} is terminal: found the value {spell_float(rows[t, s])}, expected 0"
        )
        return findings
    own = not evaluation or policy is answer.policy  # the claims of the file are about these values
    sides = (_finite(answer.lower), _finite(answer.upper)) if own else (None, None)
    wanted = policy if evaluation else None
    certificate, error = sweep(
        mdp, values, policy=wanted, lower=sides[0], upper=sides[1], evaluation=evaluation
    )
    if mdp.problem == "finite-horizon" and not error <= tolerance:
        # A sweep from values of our own: then only the values that are off are found to be off.
        certificate, _ = sweep(mdp, _solved(mdp, wanted), policy=wanted, evaluation=evaluation)
    low, high = _ends(mdp, certificate)
    decided = error <= tolerance or bool((np.maximum(values - high, low - values) > tolerance).any())
    truth, unsolved = _in_fractions(mdp, answer.exact if own else None, wanted, decided)
    if truth is not None:
        certificate = exact_certificate([int(mdp.sign) * x for x in truth], None, values.shape)
        low, high = _ends(mdp, certificate)
    off = np.maximum(high - values, values - low)
    outside = np.maximum(values - high, low - values)
    if truth is not None:
        off = _distances(values, truth)
        if own and answer.exact is not None and unsolved is None:
            # The values of the answer are its fractions; beside them stand the nearest floats.
            off[values == np.array([nearest(x) for x in truth]).reshape(values.shape)] = 0.0
        outside = off
        error = float(np.max(off, initial=0.0))
    elif mdp.problem == "finite-horizon":
        error = float(np.nextafter(np.max(off), math.inf)) if off.any() else 0.0
    off = np.where(np.isnan(off), math.inf, off).reshape(-1, mdp.S)
    outside = outside.reshape(-1, mdp.S)
    findings["error"] = error
    findings["lower"], findings["upper"] = low, high
    wrong = np.flatnonzero((outside > tolerance).any(axis=0))
    findings["wrong"] = [mdp.states[int(s)] for s in wrong[:100]]
    findings["proven"] = error <= tolerance
    if not findings["proven"]:
        t, s = divmod(int(np.argmax(outside if len(wrong) else off)), mdp.S)
        v, a, b = (float(np.atleast_2d(x)[t, s]) for x in (values, low, high))
        span = f"found the value {spell_float(v)}, the truth is {interval_text(a, b)}"
        least = "" if len(wrong) else " is the least sure"
        findings["reason"] = f"{_where(mdp, values, t, s)}{least}: {span}" + (
            f"; {certificate.note}" if certificate.note and not len(wrong) else ""
        )
    if not evaluation and policy is not None:
        # What the policy earns is at least the lower end for the policy, what can be earned at most the upper one.
        loss = _loss(mdp, certificate, values, sides, policy, tolerance, truth)
        findings["loss"] = loss
        if not loss <= tolerance:
            findings["proven"] = False
            findings["action"] = _worst_action(mdp, values, policy)
    if own:
        findings["claims"] = _false_claims(mdp, answer, low, high, truth, unsolved)
        findings["proven"] = findings["proven"] and not findings["claims"]
        claimed = {"lower": answer.lower, "upper": answer.upper, "exact": answer.exact, "bound": answer.bound}
        findings["checked"] = ["values"] + ["policy"] * (policy is not None and not evaluation)
        findings["checked"] += [name for name, claim in claimed.items() if claim is not None]
        findings["not_checked"] = list(answer.claims)
    return findings


def _distances(values: Floats, truth: Sequence[Fraction]) -> Floats:
    """|v - x| of each value, the least float that is not below it, where the truth is known in fractions."""

    def distance(v: float, x: Fraction) -> float:
        if not math.isfinite(v):
            return math.inf
        gap = abs(Fraction(v) - x)
        try:
            near = gap.numerator / gap.denominator
        except OverflowError:
            return math.inf
        return near if Fraction(near) >= gap else math.nextafter(near, math.inf)

    found = [distance(v, x) for v, x in zip(values.ravel().tolist(), truth, strict=True)]
    return np.array(found).reshape(values.shape)


def _ends(mdp: MDP, certificate: Certificate) -> tuple[Floats, Floats]:
    """The interval of a certificate in the sign of the model."""
    return (
        (certificate.lower, certificate.upper) if mdp.sign > 0 else (-certificate.upper, -certificate.lower)
    )


def _where(mdp: MDP, values: Any, t: int, s: int) -> str:
    return f"state {escape(mdp.states[s])}" + (f" at time {t}" if values.ndim == 2 else "")


def _in_fractions(
    mdp: MDP, claimed: Sequence[Fraction] | None, policy: Policy | None, decided: bool
) -> tuple[Sequence[Fraction] | None, int | None]:
    """The exact truth (S,) or (T + 1) S, or None; and where the exact values of an answer do not solve the equation.

    Those that solve it are the truth. Otherwise rational arithmetic finds it, for small models, where floats decide
    nothing or the exact values are wrong.
    """
    at = None
    if claimed is not None:
        at = where_unsolved(mdp, claimed, policy)
        if at is None:
            return claimed, None
    steps = 1 if mdp.horizon is None else mdp.horizon + 1
    if mdp.S > RATIONAL_STATES or steps * mdp.S > 10_000 or (decided and at is None):
        return None, at
    from tabular_rl.methods.ask import evaluate, solve

    try:
        if policy is None:
            return solve(mdp, method="rational").exact, at
        return evaluate(mdp, policy, method="rational-evaluation").exact, at
    except (MissingExtra, OptionError, NumericalError):
        return None, at


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
        best = np.maximum.reduceat(mdp.sign * q, mdp.pair_ptr[live].astype(np.intp))
        short = best - mdp.sign * q[rows[live]]
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


def _solved(mdp: MDP, policy: Policy | None) -> Any:
    """Values from elsewhere than the answer."""
    from tabular_rl.methods.ask import evaluate, solve

    return (solve(mdp) if policy is None else evaluate(mdp, policy)).v


def _finite(side: Any) -> Any:
    return side if side is not None and np.isfinite(side).all() else None


def _loss(
    mdp: MDP,
    certificate: Any,
    values: Any,
    ends: tuple[Any, Any],
    policy: Policy,
    tolerance: float,
    truth: Sequence[Fraction] | None,
) -> float:
    """What the policy can lose at most, against the best: upper of v* minus lower of v_π."""
    if truth is not None:
        with contextlib.suppress(NoFiniteAnswer):
            if where_unsolved(mdp, truth, policy) is None:
                return 0.0

    def rounded(most: float) -> float:
        return math.nextafter(most, math.inf) if most > 0 else 0.0

    best = certificate.upper

    def loss(values: Any, evaluation: bool) -> float:
        nonlocal best
        lower, upper = (None, None) if evaluation else ends
        low = sweep(mdp, values, policy=policy, lower=lower, upper=upper, evaluation=evaluation)[0].lower
        with np.errstate(invalid="ignore"):
            coarse = (best - low).max() > tolerance >= (certificate.lower - low).max()
            if evaluation and truth is None and coarse:
                # It may be that the values of the answer are too coarse to tell, and not the policy.
                with contextlib.suppress(NumericalError):
                    best = np.minimum(best, sweep(mdp, _solved(mdp, None))[0].upper)
            most = float(np.max(best - low, initial=0.0))
        return math.inf if math.isnan(most) else rounded(most)

    # At γ = 1 and for finite horizons the sweep must follow the policy itself: it may never end, or depend on time.
    found = math.inf
    with contextlib.suppress(NotAnswerable, NoFiniteAnswer):
        found = loss(values, evaluation=policy.rows is None or mdp.problem != "discounted")
    if not found <= tolerance:
        with contextlib.suppress(NotAnswerable, NoFiniteAnswer):  # it never ends, or earns for ever
            found = min(found, loss(_solved(mdp, policy), evaluation=True))
            own = None if found <= tolerance else _in_fractions(mdp, None, policy, decided=False)[0]
            if own is not None:
                low = exact_certificate([int(mdp.sign) * x for x in own], None, values.shape).lower
                found = min(found, rounded(float(np.max(best - low, initial=0.0))))
    return found
