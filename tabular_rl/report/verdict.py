"""A verdict on an answer, as text and as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tabular_rl.model.numbers import rounded_up
from tabular_rl.model.rationals import spell_float
from tabular_rl.report.screen import coloured
from tabular_rl.report.tables import plural, problem_text, title

if TYPE_CHECKING:
    from tabular_rl.certificates.verdict import Verdict

NAMED = 10_000  # states up to which JSON names them beside the intervals


def verdict_text(verdict: Verdict) -> str:
    """The verdict in a few lines: the values, the policy, and what else the file claims."""
    mdp, tolerance = verdict.mdp, verdict.tolerance
    found = coloured("proven", "32") if verdict.proven else coloured("not proven", "31")
    lines = [
        f"{title(mdp)}: {problem_text(mdp)}, {plural(mdp.S, 'state')}",
        f"{found} within the tolerance {spell_float(tolerance)}",
    ]
    if verdict.reason:
        lines.append(verdict.reason)
    values = "values of the given policy" if verdict.task == "prediction" else "values"
    if math.isfinite(verdict.error):
        lines.append(f"{values}: within {rounded_up(verdict.error)} of the truth")
    elif not verdict.wrong:
        lines.append(f"{values}: nothing is proven of them")
    if verdict.action:
        lines.append(verdict.action)
    if verdict.loss is not None:
        known = math.isfinite(verdict.loss)
        lines.append(
            f"policy: loses at most {rounded_up(verdict.loss)}"
            if known
            else "policy: nothing is proven of it"
        )
    lines += [f"false claim: {claim}" for claim in verdict.claims]
    if verdict.checked:
        rest = verdict.not_checked
        lines.append(
            f"checked: {', '.join(verdict.checked)}" + (f"; not checked: {', '.join(rest)}" if rest else "")
        )
    return "\n".join(lines)


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """A verdict as the entries of its JSON object."""
    mdp = verdict.mdp
    names = (
        "proven",
        "tolerance",
        "error",
        "loss",
        "wrong",
        "reason",
        "action",
        "claims",
        "checked",
        "not_checked",
    )
    document = {"schema": "tabular-rl verdict", "version": 1, "model": mdp.name, "digest": mdp.digest}
    document |= {name: getattr(verdict, name) for name in names}
    if verdict.lower is not None:
        document |= {
            "states": list(mdp.states) if mdp.S <= NAMED else None,
            "lower": verdict.lower,
            "upper": verdict.upper,
        }
    return document
