"""tabular-rl verify"""

from __future__ import annotations

import contextlib
import math
from fractions import Fraction
from typing import Any

import click
import numpy as np

from tabular_rl.answers import Answer, read_answer
from tabular_rl.commands import COMMANDS
from tabular_rl.commands._shared import Command, Value, json_option, model_options, quiet_option, read_model
from tabular_rl.errors import NoFiniteAnswer, NotAnswerable, OptionError, escape, path_text
from tabular_rl.model import MDP
from tabular_rl.options import OPTIONS
from tabular_rl.policy import Policy
from tabular_rl.report.numbers import fraction_text, general, rounded_up
from tabular_rl.report.screen import coloured, out
from tabular_rl.report.tables import plural, problem_text, title
from tabular_rl.solution import backed_up

NO = 1


@click.command("verify", cls=Command, short_help=COMMANDS["verify"])
@model_options
@click.argument("answer", metavar="ANSWER")
@click.option(
    "--tolerance",
    type=Value(OPTIONS["tolerance"]),
    default=1e-6,
    show_default=True,
    help="How far a value may be from the truth.",
)
@click.option("--relative", is_flag=True, help="The tolerance is a share of the largest |value|.")
@click.option(
    "--policy", metavar="POLICY", help="Take the values as those of this policy, not as the best ones."
)
@json_option
@quiet_option
def command(**given: Any) -> int:
    """Check an answer from anywhere, without trusting whoever made it.

    One rigorous sweep over MODEL from the values in ANSWER proves how far they can be from the truth, and what its
    policy loses at most. ANSWER is JSON or CSV; of a file from another program the columns state and value are
    enough. Checked are values, policy, lower, upper, exact and bound; the other claims of a file are not. The exit code
    is 0 where everything is proven to be within the tolerance and no claim is refuted, 1 where it is not.

    \b
    tabular-rl solve example:taxicab -o answer.json
    tabular-rl verify example:taxicab answer.json
    """  # fmt: skip
    if given["model"] == "-" and given["answer"] == "-":
        raise OptionError("found - twice, expected one of MODEL and ANSWER on standard input")
    mdp = read_model(given)
    answer = read_answer(given["answer"], mdp)
    source = "<stdin>" if given["answer"] == "-" else path_text(given["answer"])
    if answer.values is None:
        raise OptionError(f"{source}: found no values, expected a value for each state")
    if answer.digest is not None and answer.digest != mdp.digest:
        raise OptionError(
            f"{source}: found an answer to another model: its digest is {escape(answer.digest[:16])}, that of "
            f"{path_text(mdp.origin)} is {mdp.digest[:16]}. Give the options it was solved with (--gamma ...)."
        )
    policy, evaluation = answer.policy, answer.task == "prediction"
    if given["policy"] is not None:
        from tabular_rl.policies import read_policy

        policy, evaluation = read_policy(given["policy"], mdp), True
    elif evaluation and policy is None:
        raise OptionError(f"{source}: found the values of a policy and no policy. Give it with --policy.")
    tolerance = given["tolerance"]
    if given["relative"]:
        tolerance *= float(np.max(np.abs(answer.values), initial=0.0))
    findings = judged(mdp, answer, policy, evaluation, tolerance)
    if given["as_json"]:
        from tabular_rl.answers import json_parts

        out(
            "".join(
                json_parts(
                    {
                        "schema": "tabular-rl verdict",
                        "version": 1,
                        "model": mdp.name,
                        "digest": mdp.digest,
                        **findings,
                    }
                )
            )
        )
    elif not given["quiet"]:
        out(text(mdp, findings, evaluation))
    return 0 if findings["proven"] else NO


def judged(
    mdp: MDP, answer: Answer, policy: Policy | None, evaluation: bool, tolerance: float
) -> dict[str, Any]:
    """What one rigorous sweep proves of an answer, by name."""
    from tabular_rl.certificates import verify

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
            f"state {escape(mdp.states[s])} is terminal: found the value {general(float(rows[t, s]))}, expected 0"
        )
        return findings
    own = not evaluation or policy is answer.policy  # the claims of the file are about these values
    sides = (_finite(answer.lower), _finite(answer.upper)) if own else (None, None)
    wanted = policy if evaluation else None
    certificate, error = verify(
        mdp, values, policy=wanted, lower=sides[0], upper=sides[1], evaluation=evaluation
    )
    if mdp.problem == "finite-horizon" and not error <= tolerance:
        # A sweep from values of our own: then only the values that are off are found to be off.
        certificate, _ = verify(mdp, _solved(mdp, wanted), policy=wanted, evaluation=evaluation)
    low, high = mdp.sign * certificate.lower, mdp.sign * certificate.upper
    low, high = np.minimum(low, high), np.maximum(low, high)
    off = np.maximum(high - values, values - low)
    if mdp.problem == "finite-horizon":
        error = float(np.nextafter(np.max(off), math.inf)) if off.any() else 0.0
    off = np.where(np.isnan(off), math.inf, off).reshape(-1, mdp.S)
    findings["error"] = error
    findings["states"], findings["lower"], findings["upper"] = (
        list(mdp.states) if mdp.S <= 10_000 else None,
        low,
        high,
    )
    outside = np.maximum(values - high, low - values).reshape(-1, mdp.S)
    wrong = np.flatnonzero((outside > tolerance).any(axis=0))
    findings["wrong"] = [mdp.states[int(s)] for s in wrong[:100]]
    findings["proven"] = error <= tolerance
    if not findings["proven"]:
        t, s = divmod(int(np.argmax(outside if len(wrong) else off)), mdp.S)
        v, a, b = (float(np.atleast_2d(x)[t, s]) for x in (values, low, high))
        truth = f"found the value {general(v, 12)}, the truth is from {general(a, 12)} to {general(b, 12)}"
        least = "" if len(wrong) else " is the least sure"
        findings["reason"] = f"{_where(mdp, values, t, s)}{least}: {truth}" + (
            f"; {certificate.note}" if certificate.note and not len(wrong) else ""
        )
    if not evaluation and policy is not None:
        # What the policy earns is at least the lower end for the policy, what can be earned at most the upper one.
        loss = findings["loss"] = _loss(mdp, certificate, values, sides, policy, tolerance)
        if not loss <= tolerance:
            findings["proven"] = False
            findings["action"] = _worst_action(mdp, values, policy)
    if own:
        findings["claims"] = _false_claims(mdp, answer, low, high)
        findings["proven"] = findings["proven"] and not findings["claims"]
        claimed = {"lower": answer.lower, "upper": answer.upper, "exact": answer.exact, "bound": answer.bound}
        findings["checked"] = ["values"] + ["policy"] * (policy is not None and not evaluation)
        findings["checked"] += [name for name, claim in claimed.items() if claim is not None]
        findings["not_checked"] = list(answer.claims)
    return findings


def _where(mdp: MDP, values: Any, t: int, s: int) -> str:
    return f"state {escape(mdp.states[s])}" + (f" at time {t}" if values.ndim == 2 else "")


def _false_claims(mdp: MDP, answer: Answer, low: Any, high: Any) -> list[str]:
    """The claims of an answer beside its values that the proven intervals refute, one sentence each."""
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
            a, b = (general(float(np.atleast_2d(x)[t, s]), 12) for x in (below, above))
            false.append(f"{_where(mdp, values, t, s)}: {what}: found {a} to {b}")
            break
    for at, x in enumerate(answer.exact or ()):
        first, last = float(low.flat[at]), float(high.flat[at])
        if (math.isfinite(first) and x < Fraction(first)) or (math.isfinite(last) and x > Fraction(last)):
            where = _where(mdp, values, *divmod(at, mdp.S))
            truth = f"from {general(first, 12)} to {general(last, 12)}"
            false.append(f"{where}: exact: found {fraction_text(x)}, the truth is {truth}")
            break
    if answer.bound is not None:
        far = np.maximum(values - high, low - values)
        if answer.bound < 0 or float(np.nanmax(far, initial=0.0)) > answer.bound:
            false.append(f"bound: found {answer.bound:g}, a value is further from the truth")
    return false


def _worst_action(mdp: MDP, values: Any, policy: Policy) -> str:
    """The state where the policy's action is the worst by the values, in words; "" for a random policy."""
    worst, text = 0.0, ""
    steps = values[1:] if values.ndim == 2 else [values]
    for t, after in enumerate(steps):
        rows = policy.at(t).rows if policy.timed else policy.rows
        if rows is None:
            return ""
        q = backed_up(mdp, after)
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
    from tabular_rl.ask import evaluate, solve

    return (solve(mdp) if policy is None else evaluate(mdp, policy)).v


def _finite(side: Any) -> Any:
    return side if side is not None and np.isfinite(side).all() else None


def _loss(
    mdp: MDP, certificate: Any, values: Any, ends: tuple[Any, Any], policy: Policy, tolerance: float
) -> float:
    """What the policy can lose at most, against the best: upper of v* minus lower of v_π."""
    from tabular_rl.certificates import verify

    def loss(values: Any, evaluation: bool) -> float:
        lower, upper = (None, None) if evaluation else ends
        low = verify(mdp, values, policy=policy, lower=lower, upper=upper, evaluation=evaluation)[0].lower
        with np.errstate(invalid="ignore"):
            most = float(np.max(certificate.upper - low, initial=0.0))
        return math.inf if math.isnan(most) else math.nextafter(most, math.inf) if most > 0 else 0.0

    # At γ = 1 and for finite horizons the sweep must follow the policy itself: it may never end, or depend on time.
    found = math.inf
    with contextlib.suppress(NotAnswerable, NoFiniteAnswer):
        found = loss(values, evaluation=policy.rows is None or mdp.problem != "discounted")
    if not found <= tolerance:
        with contextlib.suppress(NotAnswerable, NoFiniteAnswer):  # it never ends, or earns for ever
            found = min(found, loss(_solved(mdp, policy), evaluation=True))
    return found


def text(mdp: MDP, findings: dict[str, Any], evaluation: bool) -> str:
    """The verdict in a few lines: the values, the policy, and what else the file claims."""
    tolerance = findings["tolerance"]
    verdict = coloured("proven", "32") if findings["proven"] else coloured("not proven", "31")
    lines = [
        f"{title(mdp)}: {problem_text(mdp)}, {plural(mdp.S, 'state')}",
        f"{verdict} within the tolerance {tolerance:g}",
    ]
    if findings["reason"]:
        lines.append(findings["reason"])
    values = "values of the given policy" if evaluation else "values"
    if math.isfinite(findings["error"]):
        lines.append(f"{values}: within {rounded_up(findings['error'])} of the truth")
    elif not findings["wrong"]:
        lines.append(f"{values}: nothing is proven of them")
    if findings["action"]:
        lines.append(findings["action"])
    if findings["loss"] is not None:
        known = math.isfinite(findings["loss"])
        lines.append(
            f"policy: loses at most {rounded_up(findings['loss'])}"
            if known
            else "policy: nothing is proven of it"
        )
    lines += [f"false claim: {claim}" for claim in findings["claims"]]
    if findings["checked"]:
        rest = findings["not_checked"]
        lines.append(
            f"checked: {', '.join(findings['checked'])}"
            + (f"; not checked: {', '.join(rest)}" if rest else "")
        )
    return "\n".join(lines) + "\n"
