"""A comparison as text and as JSON: a line a method, the learning curves, the assertions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tabular_rl.analysis.assertion import Assertion
from tabular_rl.analysis.comparison import Compared, Comparison
from tabular_rl.errors import escape
from tabular_rl.model.numbers import rounded_up
from tabular_rl.report.layout import table
from tabular_rl.report.learned import curves_entry, curves_table
from tabular_rl.report.screen import coloured, signs
from tabular_rl.report.tables import plural, problem_text, seconds_text, title, work_text
from tabular_rl.solving.solution import good_enough, why_not


def comparison_text(
    found: Comparison, assertions: Sequence[Assertion] = (), verdicts: Sequence[bool] = ()
) -> str:
    """A line a method, the exact answer named above."""
    mdp, best = found.reference.mdp, found.reference
    exact = best.exact is not None
    control = best.task == "control"
    what = (
        "exact, in rational arithmetic"
        if exact
        else f"{best.method}, proven to within {rounded_up(best.bound)}"
        if math.isfinite(best.bound)
        else f"{best.method}, not proven"
    )
    headers = ["method", "error", "bound"] + ["policy"] * control + ["status", "work", "time"]
    rows = []
    for row in found.rows:
        solution = row.solution
        rows.append(
            [
                row.method,
                _error(row, exact),
                rounded_up(solution.bound) if math.isfinite(solution.bound) else "none",
            ]
            + [policy_cell(row, exact)] * control
            + [
                solution.status.name.lower().replace("_", " "),
                work_text(solution),
                seconds_text(solution.seconds),
            ]
        )
    lines = [f"{title(mdp)}: {problem_text(mdp)}, {plural(mdp.S, 'state')}", f"reference: {what}"]
    if not good_enough(best):
        lines.append(f"{why_not(best)}: errors are intervals, and those of learners are not known")
    if rows:
        lines += ["", table(headers, rows, left="method,policy,status,work", wrap="work", drop="work")]
    if found.curves:
        lines += ["", curves_table(found)]
    if assertions:
        lines.append("")
    for assertion, holds in zip(assertions, verdicts, strict=True):
        lines.append(
            f"{escape(assertion.text.strip())}: {coloured('yes', '32') if holds else coloured('no', '31')}"
        )
    return "\n".join(lines)


def _error(row: Compared, exact: bool) -> str:
    """The error, or what it is at most where the reference is an interval that reaches as far."""
    low, high = row.error
    if not math.isfinite(high):
        return "?"
    return rounded_up(high) if exact or low > 0.9 * high else f"{signs().at_most} {rounded_up(high)}"


def policy_cell(row: Compared, exact: bool) -> str:
    """What the policy is worth."""
    if row.loss is None:
        return "none"
    low, high = row.loss
    if not row.ends:
        return "never ends"
    if exact:
        return "optimal" if high == 0 else f"loses {rounded_up(high)}"
    if not math.isfinite(high):
        return "?"
    return f"loses {signs().at_most} {rounded_up(high)}" if low <= 0 else f"loses {rounded_up(high)}"


def comparison_document(
    found: Comparison, assertions: Sequence[Assertion] = (), verdicts: Sequence[bool] = ()
) -> dict[str, Any]:
    """A comparison as the entries of its JSON object."""
    best = found.reference
    entries = [
        {
            "method": row.method,
            "error": row.error[1],
            "error_at_least": row.error[0],
            "bound": row.solution.bound,
            "loss": None if row.loss is None else row.loss[1],
            "loss_at_least": None if row.loss is None else row.loss[0],
            "optimal": None if row.loss is None else row.ends and row.loss[1] == 0,
            "status": row.solution.status.name,
            "work": dict(row.solution.work),
            "seconds": row.solution.seconds,
        }
        for row in found.rows
    ]
    return {
        "schema": "tabular-rl comparison",
        "version": 1,
        "model": best.mdp.name,
        "digest": best.mdp.digest,
        "reference": {
            "method": best.method,
            "exact": best.exact is not None,
            "bound": best.bound,
            "status": best.status.name,
        },
        "methods": entries,
        "learners": [curves_entry(curves) for curves in found.curves],
        "assertions": [
            {"text": a.text, "holds": holds} for a, holds in zip(assertions, verdicts, strict=True)
        ],
    }
