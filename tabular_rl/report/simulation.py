"""A simulation: the mean return with its interval, and the exact value below it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tabular_rl.analysis.simulation import Simulation
from tabular_rl.certificates.intervals import start_bounds
from tabular_rl.errors import escape, spoken
from tabular_rl.model.numbers import interval_text, plural, rounded_up, sampled_places, shown
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import spell_float
from tabular_rl.report.blocks import Block, Lines, Report
from tabular_rl.report.screen import signs
from tabular_rl.report.solution import start_value
from tabular_rl.report.words import heading, problem_text, start_where, stopped_text, title
from tabular_rl.solving.solution import Solution, good_enough

ROUGH = 30  # episodes below which the normal approximation is rough
NUMBERS = ("episodes", "mean", "deviation", "half_width", "cut", "level", "steps", "longest", "unended", "seed",
           "seconds", "stopped", "note", "lower", "upper")  # fmt: skip


@dataclass(frozen=True)
class SimulationReport(Report):
    """The mean return with its interval, and the exact value below it; `policy` is what the policy is called."""

    played: Simulation
    policy: str | None = None

    def blocks(self) -> list[Block]:
        played, mdp = self.played, self.played.mdp
        called = policy_name(played.policy) if self.policy is None else f"policy {escape(self.policy)}"
        longest = f", the longest {plural(played.longest, 'step')}" if played.episodes else ""
        stopped = f" (not reached: {spoken(stopped_text(played.stopped))})" if played.stopped else ""
        first = [
            f"{title(mdp)}: {problem_text(mdp)}; {called}, seed {played.seed}",
            f"start: {start_where(mdp)}",
            f"{plural(played.episodes, 'episode')}{longest}{stopped}",
        ]
        return [Lines(first), Lines(_estimate_lines(played)), Lines(_interval(played))]

    def entries(self) -> dict[str, Any]:
        played, mdp, exact = self.played, self.played.mdp, self.played.reference
        return {
            **heading("simulation", mdp),
            "policy": self.policy, **{name: getattr(played, name) for name in NUMBERS},
            "exact_value": None if exact is None or not good_enough(exact) else exact.value_of_start(),
            "exact_bound": None if exact is None else exact.bound,
            "exact_interval": None if exact is None else start_bounds(exact),
            "exact_status": None if exact is None else exact.status.name, "verdict": played.verdict,
        }  # fmt: skip


def _estimate_lines(played: Simulation) -> list[str]:
    """What was estimated, and what it should be."""
    lines = []
    if played.unended:
        lines.append(
            f"not reached: {plural(played.unended, 'episode')} had not ended after {played.longest} steps, and nothing "
            f"is known of the rest; raise {spoken('--steps')}"
        )
    elif math.isfinite(played.half_width):
        decimals = sampled_places(played.half_width, abs(played.mean)) if played.half_width > 0 else 6
        mean = shown(played.mean, decimals)
        lines.append(f"mean return  {mean} {signs().plus_minus} {rounded_up(played.half_width)}")
    elif played.episodes:
        lines.append(f"mean return  {played.mean:.6g}, no interval from {plural(played.episodes, 'episode')}")
    if played.reference is not None:
        where = f", {played.verdict}" if played.verdict else ""
        lines.append(f"exact value  {_exact_text(played.reference)}{where}")
    elif played.missing:
        lines.append(f"exact value  {played.missing}")
    return [*lines, played.note] if played.note else lines


def _interval(played: Simulation) -> list[str]:
    """What the interval rests on."""
    if not math.isfinite(played.half_width):
        return []
    level = spell_float(played.level)
    lines = [f"{level} confidence interval: mean {signs().plus_minus} z s / sqrt(n), normal approximation"]
    if played.episodes < ROUGH:
        lines.append(f"with fewer than {ROUGH} episodes that is rough")
    if played.cut > 0:
        after, added = plural(played.longest, "step"), rounded_up(played.cut)
        lines.append(f"episodes are cut off after {after}; {added} is added for the rest")
    return lines


def _exact_text(exact: Solution) -> str:
    """The exact value of the start; no number of it where that is not proven, but the interval that is."""
    if good_enough(exact):
        return start_value(exact)
    return f"not proven: {interval_text(*start_bounds(exact))}"


def policy_name(policy: Policy) -> str:
    """What a policy is called that came without a name.

    >>> from tabular_rl.model.mdp import MDP
    >>> policy_name(Policy.uniform(MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.9)))
    'policy uniform'
    """
    if policy == Policy.uniform(policy.mdp):
        return "policy uniform"
    return f"a {'deterministic' if policy.deterministic else 'stochastic'} policy"
