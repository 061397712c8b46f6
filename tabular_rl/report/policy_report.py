"""A policy alone: an action, or probabilities, a line a state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tabular_rl.errors import escape
from tabular_rl.model.numbers import exact_or_decimal, plural
from tabular_rl.model.policy import Policy
from tabular_rl.report.blocks import Block, Lines, Report, Table
from tabular_rl.report.frames import policy_columns
from tabular_rl.report.layout import rows_shown
from tabular_rl.report.maps import value_map
from tabular_rl.report.subject import layout_of, subject_of_policy
from tabular_rl.report.views import MOST_CELLS, policy_picture
from tabular_rl.report.words import action_of, title


@dataclass(frozen=True)
class PolicyReport(Report):
    """What a policy does in each state, and when, where it has time steps."""

    policy: Policy

    def blocks(self) -> list[Block]:
        policy, mdp = self.policy, self.policy.mdp
        steps = [policy.at(t) for t in range(len(policy.weights))] if policy.timed else [policy]
        places = [(t, s) for t in range(len(steps)) for s in range(mdp.S) if not mdp.terminal[s]]
        chosen = rows_shown(len(places), what="lines")
        rows = [
            [str(t)] * policy.timed + [escape(mdp.states[s]), choice_text(steps[t], s)]
            for t, s in (places[i] for i in chosen.rows)
        ]
        kind = "" if policy.deterministic else "random "
        said = f"a {kind}policy of {title(mdp)}, {plural(mdp.S, 'state')}"
        headers = ["time"] * policy.timed + ["state", "action"]
        return [Lines([said]), Table(headers, rows, left="state,action", wrap="action", gaps=chosen.gaps)]

    def shown(self) -> list[Block]:
        first, table = self.blocks()
        layout = layout_of(self.policy.mdp)
        if self.policy.timed or layout is None or layout.rows * layout.columns > MOST_CELLS:
            return [first, table]
        drawn = value_map(subject_of_policy(self.policy), "the actions that are taken")
        return [first, table if drawn is None else drawn]

    def columns(self, what: str = "") -> Mapping[str, Any]:
        return policy_columns(self.policy, what)

    def picture(self, what: str = "") -> list[Block]:
        return policy_picture(self.policy, what)


def choice_text(policy: Policy, state: int) -> str:
    """The action of a state at a time step; where chance decides, each action with its probability."""
    mdp = policy.mdp
    if policy.rows is not None:
        return action_of(mdp, int(policy.rows[state]))
    parts = []
    for i in mdp.rows(state):
        if policy.takes[i]:
            exact = policy.exact[i] if policy.exact is not None else None
            parts.append(f"{action_of(mdp, i)} {exact_or_decimal(exact, float(policy.weights[i]))}")
    return ", ".join(parts)
