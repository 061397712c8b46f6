"""A verdict on an answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tabular_rl.certificates.verdict import Verdict
from tabular_rl.model.numbers import rounded_up
from tabular_rl.model.rationals import spell_float
from tabular_rl.report.blocks import Block, Lines, Report
from tabular_rl.report.screen import coloured
from tabular_rl.report.words import header, heading

# What is said of an answer, in the words of a Verdict.
FINDINGS = ("proven", "tolerance", "error", "loss", "wrong", "reason", "action", "claims", "checked",
            "not_checked")  # fmt: skip
NAMED = 10_000  # states up to which JSON names them beside the intervals


@dataclass(frozen=True)
class VerdictReport(Report):
    """The verdict in a few lines: the values, the policy, and what else the file claims."""

    verdict: Verdict

    def blocks(self) -> list[Block]:
        verdict = self.verdict
        found = coloured("proven", "32") if verdict.proven else coloured("not proven", "31")
        lines = [header(verdict.mdp), f"{found} within the tolerance {spell_float(verdict.tolerance)}"]
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
            most = f"loses at most {rounded_up(verdict.loss)}"
            lines.append(f"policy: {most if math.isfinite(verdict.loss) else 'nothing is proven of it'}")
        lines += [f"false claim: {claim}" for claim in verdict.claims]
        if verdict.checked:
            rest = verdict.not_checked
            left_out = f"; not checked: {', '.join(rest)}" if rest else ""
            lines.append(f"checked: {', '.join(verdict.checked)}{left_out}")
        return [Lines(lines)]

    def entries(self) -> dict[str, Any]:
        verdict, mdp = self.verdict, self.verdict.mdp
        entries = heading("verdict", mdp) | {name: getattr(verdict, name) for name in FINDINGS}
        if verdict.lower is not None:
            names = list(mdp.states) if mdp.S <= NAMED else None
            entries |= {"states": names, "lower": verdict.lower, "upper": verdict.upper}
        return entries
