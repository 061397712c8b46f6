"""A comparison: a line a method, the learning curves, the assertions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabular_rl.analysis.assertion import Assertion
from tabular_rl.analysis.comparison import Compared, Comparison, Curves
from tabular_rl.errors import OptionError, escape, quoted
from tabular_rl.model.numbers import rounded_up
from tabular_rl.report.blocks import Block, Lines, Report, Sheet, Table, runs_sheet, sheet_columns
from tabular_rl.report.curves import (
    curve_entry,
    curves_blocks,
    over_runs,
    regret_entries,
    runs_curves,
)
from tabular_rl.report.screen import coloured, signs
from tabular_rl.report.solution import proven_text, work_text
from tabular_rl.report.views import comparison_picture
from tabular_rl.report.words import header, heading, seconds_text
from tabular_rl.solving.solution import good_enough, why_not


@dataclass(frozen=True)
class ComparisonReport(Report):
    """A line a method, the exact answer named above; `verdicts` say which assertions hold."""

    found: Comparison
    assertions: Sequence[Assertion] = ()
    verdicts: Sequence[bool] = ()

    def blocks(self) -> list[Block]:
        best = self.found.reference
        exact, control = best.exact is not None, best.task == "control"
        what = proven_text(best) if exact else f"{best.method}, {proven_text(best)}"
        first = [header(best.mdp), f"reference: {what}"]
        if not good_enough(best):
            first.append(f"{why_not(best)}: errors are intervals, and those of learners are not known")
        blocks: list[Block] = [Lines(first)]
        if self.found.rows:
            headers = ["method", "error", "bound"] + ["policy"] * control + ["status", "work", "time"]
            rows = [_method_row(row, exact, control) for row in self.found.rows]
            blocks.append(Table(headers, rows, left="method,policy,status,work", wrap="work", drop="work"))
        if self.found.curves:
            blocks += curves_blocks(self.found)
        answers = {True: coloured("yes", "32"), False: coloured("no", "31")}
        judged = zip(self.assertions, self.verdicts, strict=True)
        return [*blocks, Lines([f"{escape(a.text.strip())}: {answers[holds]}" for a, holds in judged])]

    def entries(self) -> dict[str, Any]:
        best = self.found.reference
        return {
            **heading("comparison", best.mdp),
            "reference": {
                "method": best.method,
                "exact": best.exact is not None,
                "bound": best.bound,
                "status": best.status.name,
            },
            "methods": [_method_entry(row) for row in self.found.rows],
            "learners": [_learner_entry(curves) for curves in self.found.curves],
            "assertions": [
                {"text": a.text, "holds": holds}
                for a, holds in zip(self.assertions, self.verdicts, strict=True)
            ],
        }

    def sheet(self) -> Sheet:
        curves = runs_curves(self.found)
        return runs_sheet(["method", "run", "step", *curves], list(curves.values()))

    def columns(self, what: str = "") -> Mapping[str, Any]:
        if what == "curves":
            return sheet_columns(self.sheet())
        if what not in ("", "methods"):
            raise OptionError(f"what: found {quoted(what)}, expected 'methods' or 'curves'")
        rows = [
            (row.method, *row.error, row.solution.bound, (row.loss or (None, None))[1], row.solution.status.name,
             row.solution.seconds)
            for row in self.found.rows
        ] + [
            (each.label, None, each.of("error"), None, each.of("loss") if each.regret else None,
             each.learned.status.name, each.learned.seconds)
            for each in self.found.curves
        ]  # fmt: skip
        names = ("method", "error_at_least", "error", "bound", "loss", "status", "seconds")
        return {name: [row[i] for row in rows] for i, name in enumerate(names)}

    def picture(self, what: str = "") -> list[Block]:
        return comparison_picture(self.found, what)


def _method_row(row: Compared, exact: bool, control: bool) -> list[str]:
    """The cells of one method that plans."""
    solution = row.solution
    return [
        row.method,
        _error(row, exact),
        rounded_up(solution.bound) if math.isfinite(solution.bound) else "none",
        *[_policy_cell(row, exact)] * control,
        solution.status.name.lower().replace("_", " "),
        work_text(solution),
        seconds_text(solution.seconds),
    ]


def _error(row: Compared, exact: bool) -> str:
    """The error, or what it is at most where the reference is an interval that reaches as far."""
    low, high = row.error
    if not math.isfinite(high):
        return "?"
    return rounded_up(high) if exact or low > 0.9 * high else f"{signs().at_most} {rounded_up(high)}"


def _policy_cell(row: Compared, exact: bool) -> str:
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


def _method_entry(row: Compared) -> dict[str, Any]:
    """One method that plans as an entry of the JSON object."""
    low, high = row.loss or (None, None)
    return {
        "method": row.method,
        "error": row.error[1],
        "error_at_least": row.error[0],
        "bound": row.solution.bound,
        "loss": high,
        "loss_at_least": low,
        "optimal": None if row.loss is None else row.ends and high == 0,
        "status": row.solution.status.name,
        "work": dict(row.solution.work),
        "seconds": row.solution.seconds,
    }


def _learner_entry(curves: Curves) -> dict[str, Any]:
    """One learner of a comparison as an entry of its JSON object."""
    learned, curve = curves.learned, curves.learned.curve
    return {
        "method": curves.label,
        "name": learned.method,
        "options": dict(learned.options),
        "status": learned.status.name,
        "verdicts": list(learned.verdicts),
        "runs": learned.runs,
        "steps": learned.steps,
        "sup_error": over_runs(learned.sup_error),
        "rms_error": over_runs(learned.rms_error),
        **regret_entries(curves.regret),
        "seconds": learned.seconds,
        "steps_a_second": learned.steps_a_second,
        "curve": None if curve is None else curve_entry(curve),
        "expected": None
        if curves.law is None
        else {
            "steps": curves.law.steps.tolist(),
            "rms_error": curves.law.rms().tolist(),
            "start_value": curves.law.start_mean.tolist(),
            "start_sd": curves.law.start_sd.tolist(),
        },
    }
