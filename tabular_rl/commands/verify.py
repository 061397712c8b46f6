"""tabular-rl verify"""

from __future__ import annotations

import math
from typing import Any

import click
import numpy as np

from tabular_rl.answers import Answer, read_answer
from tabular_rl.commands import COMMANDS
from tabular_rl.commands._shared import Command, Value, json_option, model_options, quiet_option, read_model
from tabular_rl.errors import OptionError, escape, path_text
from tabular_rl.model import MDP
from tabular_rl.options import OPTIONS
from tabular_rl.policy import Policy
from tabular_rl.report.numbers import general, rounded_up
from tabular_rl.report.screen import coloured, out
from tabular_rl.report.tables import plural, problem_text, title

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
    enough. The exit code is 0 where everything is proven to be within the tolerance, 1 where it is not.

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
        out(text(mdp, findings, tolerance))
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
    lower, upper = (
        (_finite(answer.lower), _finite(answer.upper))
        if not evaluation or policy is answer.policy
        else (None, None)
    )
    certificate, error = verify(mdp, values, policy=policy, lower=lower, upper=upper, evaluation=evaluation)
    low, high = mdp.sign * certificate.lower, mdp.sign * certificate.upper
    low, high = np.minimum(low, high), np.maximum(low, high)
    findings["error"] = error
    findings["states"], findings["lower"], findings["upper"] = (
        list(mdp.states) if mdp.S <= 10_000 else None,
        low,
        high,
    )
    wrong = np.flatnonzero(
        ((values > high + tolerance) | (values < low - tolerance)).reshape(-1, mdp.S).any(axis=0)
    )
    findings["wrong"] = [mdp.states[int(s)] for s in wrong[:100]]
    if not evaluation and policy is not None:
        # What the policy earns is at least the lower end for the policy, what can be earned at most the upper one.
        loss = _loss(mdp, certificate, values, policy)
        findings["loss"] = loss
        findings["proven"] = error <= tolerance and loss <= tolerance
    else:
        findings["proven"] = error <= tolerance
    if len(wrong):
        s = int(wrong[0])
        t = int(
            np.flatnonzero(
                ((values > high + tolerance) | (values < low - tolerance)).reshape(-1, mdp.S)[:, s]
            )[0]
        )
        v, a, b = (float(np.atleast_2d(x)[t, s]) for x in (values, low, high))
        when = f" at time {t}" if values.ndim == 2 else ""
        findings["reason"] = (
            f"state {escape(mdp.states[s])}{when}: found the value {general(v, 12)}, "
            f"the truth is from {general(a, 12)} to {general(b, 12)}"
        )
    elif not findings["proven"]:
        gap = np.max(np.maximum(high - values, values - low).reshape(-1, mdp.S), axis=0)
        s = int(np.argmax(np.where(np.isnan(gap), np.inf, gap)))
        findings["reason"] = f"state {escape(mdp.states[s])} is the least sure" + (
            f"; {certificate.note}" if certificate.note else ""
        )
    return findings


def _finite(side: Any) -> Any:
    return side if side is not None and np.isfinite(side).all() else None


def _loss(mdp: MDP, certificate: Any, values: Any, policy: Policy) -> float:
    """What the policy can lose at most, against the best: upper of v* minus lower of v_π."""
    low = certificate.lower
    if policy.rows is None or policy.timed:
        from tabular_rl.certificates import verify

        low = verify(mdp, values, policy=policy, evaluation=True)[0].lower
    with np.errstate(invalid="ignore"):
        loss = float(np.max(certificate.upper - low, initial=0.0))
    return math.inf if math.isnan(loss) else math.nextafter(loss, math.inf) if loss > 0 else 0.0


def text(mdp: MDP, findings: dict[str, Any], tolerance: float) -> str:
    """The verdict in a few lines."""
    proven = findings["proven"]
    verdict = coloured("proven", "32") if proven else coloured("not proven", "31")
    lines = [
        f"{title(mdp)}: {problem_text(mdp)}, {plural(mdp.S, 'state')}",
        f"{verdict} within the tolerance {tolerance:g}",
    ]
    if findings["reason"]:
        lines.append(findings["reason"])
    if math.isfinite(findings["error"]):
        lines.append(f"values: within {rounded_up(findings['error'])} of the truth")
    elif not findings["wrong"]:
        lines.append("values: nothing is proven of them")
    if findings["loss"] is not None and math.isfinite(findings["loss"]):
        lines.append(f"policy: loses at most {rounded_up(findings['loss'])}")
    return "\n".join(lines) + "\n"
