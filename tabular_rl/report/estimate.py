"""A model that was estimated from a log: what the log held, and what was never tried."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabular_rl.analysis.confidence import Confidence
from tabular_rl.analysis.estimation import Estimate
from tabular_rl.errors import escape
from tabular_rl.model.numbers import plural
from tabular_rl.report.blocks import Block, Lines, Report, Sheet, Table
from tabular_rl.report.words import listed, pair_of, some

SHOWN = 12  # pairs that are listed


@dataclass(frozen=True)
class EstimateReport(Report):
    """What the log held, and what was never tried."""

    found: Estimate
    known: Confidence | None = None  # how far the values of the process can be
    policy: str = ""  # whose values these are; none for the best one

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
        if found.prior:
            lines.append(f"prior: {found.prior} added to the count of each next state")
        return [
            Lines(lines),
            *([] if self.known is None else intervals(self.known, self.policy, "--json has")),
        ]

    def sheet(self) -> Sheet:
        found, mdp = self.found, self.found.mdp
        pair = mdp.outcome_row
        states, actions = (np.array(list(names), dtype=object) for names in (mdp.states, mdp.actions))
        columns = {
            "state": states[mdp.pair_state[pair]], "action": actions[mdp.pair_action[pair]],
            "next_state": states[mdp.next_state], "probability": mdp.prob, "reward": mdp.outcome_reward,
            "count": found.counts,
        }  # fmt: skip
        return Sheet(list(columns), [zip(*(column.tolist() for column in columns.values()), strict=True)])

    def entries(self) -> dict[str, Any]:
        found, mdp = self.found, self.found.mdp
        return {
            "schema": "tabular-rl estimate", "version": 1, "digest": mdp.digest, "transitions": found.transitions,
            "episodes": found.episodes, "states": mdp.S, "actions": mdp.A,
            "terminal": [mdp.states[int(s)] for s in mdp.terminal.nonzero()[0]],
            "pairs": mdp.L, "outcomes": mdp.K, "added_end": found.added_end,
            "fewest_tries": int(found.tries.min()), "most_tries": int(found.tries.max()),
            "untried": [list(pair) for pair in found.untried], "prior": str(found.prior),
            "confidence": None if self.known is None else self._known(self.known),
        }  # fmt: skip

    def _known(self, known: Confidence) -> dict[str, Any]:
        mdp = known.mdp
        return {
            "level": known.level, "policy": self.policy or None, "reward_range": list(known.reward_range),
            "start": list(known.start), "states": list(mdp.states), "lower": known.lower, "upper": known.upper,
            "pairs": [list(pair_of(mdp, i)) for i in range(mdp.L)], "tries": self.found.tries,
            "radius": known.radius, "reward_lower": known.reward_low, "reward_upper": known.reward_high,
        }  # fmt: skip


def intervals(known: Confidence, policy: str = "", all_in: str = "`lower` and `upper` have") -> list[Block]:
    """Return the intervals of the values of a process, and what they rest on.

    Parameters
    ----------
    known : the intervals
    policy : what the policy is called
    all_in : where all of them are, with its verb

    Returns
    -------
    Blocks of a report.
    """
    mdp = known.mdp
    called = f"the policy {escape(policy)}" if policy else "the given policy"
    whose = called if known.given else "the best policy"
    low, high = known.reward_range
    seen = " (those of the log)" if known.reward_range == known.seen else ""
    lines = [
        f"with {100 * known.level:.10g}% confidence, values of {whose} in the process itself:",
        f"from the start states of the log: {_between(*known.start)}",
    ]
    states = (~mdp.terminal).nonzero()[0].tolist()
    rows = [
        [escape(mdp.states[s]), _down(float(known.lower[s])), _up(float(known.upper[s]))]
        for s in states[:SHOWN]
    ]
    left = len(states) - SHOWN
    more = [f"... and {left:,} more states; {all_in} all"] if left > 0 else []
    holds = [
        f"This holds if rewards lie in {low:g} to {high:g}{seen}, and there are no states or pairs but these."
    ]
    return [
        Lines(lines),
        Table(["state", "at least", "at most"], rows, left="state", below=more),
        Lines(holds),
    ]


@dataclass(frozen=True)
class ConfidenceReport(Report):
    """How far the values of the process can be from those of its estimate."""

    known: Confidence

    def blocks(self) -> list[Block]:
        return intervals(self.known)


def _down(x: float) -> str:
    return f"{math.floor(x * 1e4) / 1e4:.4f}" if abs(x) < 1e9 else f"{x:.6e}"


def _up(x: float) -> str:
    return f"{math.ceil(x * 1e4) / 1e4:.4f}" if abs(x) < 1e9 else f"{x:.6e}"


def _between(low: float, high: float) -> str:
    return f"{_down(low)} to {_up(high)}"
