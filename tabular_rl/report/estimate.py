"""A model that was estimated from a log: what the log held, and what was never tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tabular_rl.analysis.estimation import Estimate
from tabular_rl.errors import escape
from tabular_rl.report.blocks import Block, Lines, Report
from tabular_rl.report.words import listed, pair_of, plural, some

SHOWN = 12  # pairs that are listed


@dataclass(frozen=True)
class EstimateReport(Report):
    """What the log held, and what was never tried."""

    found: Estimate

    def blocks(self) -> list[Block]:
        found, mdp, tries = self.found, self.found.mdp, self.found.tries
        ends = mdp.terminal.nonzero()[0]
        lines = [
            f"{plural(found.transitions, 'transition')}, {plural(found.episodes, 'episode')}",
            f"{plural(mdp.S, 'state')} ({len(ends)} terminal), {plural(mdp.L, 'pair')}, {plural(mdp.K, 'outcome')}",
        ]
        if len(ends):
            lines.append(f"terminal: {listed(mdp, ends)}")
        if found.added_end:
            lines.append(
                f"added: {escape(found.added_end)}, where episodes ended in states that others went on from"
            )
        few, most = int(tries.min()), int(tries.max())
        least = " ".join(pair_of(mdp, int(tries.argmin())))
        times = plural(most, "time") if few == most else f"{few} to {plural(most, 'time')}, least {least}"
        lines.append(f"each pair tried {times}")
        untried = [f"{escape(s)} {escape(a)}" for s, a in found.untried[:SHOWN]]
        lines.append(
            f"never tried, so not available in the model: {some(untried, SHOWN, len(found.untried))}"
            if untried
            else "each action was tried in each state"
        )
        return [Lines(lines)]

    def entries(self) -> dict[str, Any]:
        found, mdp = self.found, self.found.mdp
        return {
            "schema": "tabular-rl estimate", "version": 1, "digest": mdp.digest, "transitions": found.transitions,
            "episodes": found.episodes, "states": mdp.S, "actions": mdp.A,
            "terminal": [mdp.states[int(s)] for s in mdp.terminal.nonzero()[0]],
            "pairs": mdp.L, "outcomes": mdp.K, "added_end": found.added_end,
            "fewest_tries": int(found.tries.min()), "most_tries": int(found.tries.max()),
            "untried": [list(pair) for pair in found.untried],
        }  # fmt: skip
