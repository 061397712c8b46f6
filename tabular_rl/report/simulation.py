"""A simulation as text and as JSON: the mean return with its interval, and the exact value below it."""

from __future__ import annotations

import math
from typing import Any

from tabular_rl.analysis.simulation import Simulation
from tabular_rl.certificates.intervals import start_bounds
from tabular_rl.errors import escape, spoken
from tabular_rl.model.numbers import interval_text, rounded_up, sampled_places, shown
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import spell_float
from tabular_rl.report.screen import signs
from tabular_rl.report.tables import plural, problem_text, start_value, start_where, title
from tabular_rl.solving.solution import Solution, good_enough

FEW = 30  # episodes below which the normal approximation is rough


def exact_text(exact: Solution) -> str:
    """The exact value of the start; no number of it where that is not proven, but the interval that is."""
    if good_enough(exact):
        return start_value(exact)
    return f"not proven: {interval_text(*start_bounds(exact))}"


def simulation_text(played: Simulation, policy: str | None = None) -> str:
    """The mean return with its interval, and the exact value below it; `policy` is what it is called."""
    mdp, exact = played.mdp, played.reference
    called = policy_name(played.policy) if policy is None else f"policy {escape(policy)}"
    longest = f", the longest {plural(played.longest, 'step')}" if played.episodes else ""
    lines = [
        f"{title(mdp)}: {problem_text(mdp)}; {called}, seed {played.seed}",
        f"start: {start_where(mdp)}",
        f"{plural(played.episodes, 'episode')}{longest}",
        "",
    ]
    if played.stopped:
        why = {"time": "the time limit is over; raise --time-limit", "signal": "interrupted"}[played.stopped]
        lines[2] += f" (not reached: {spoken(why)})"
    rows = []
    if played.unended:
        lines.append(
            f"not reached: {plural(played.unended, 'episode')} had not ended after {played.longest} steps, and nothing "
            f"is known of the rest; raise {spoken('--steps')}"
        )
    elif math.isfinite(played.half_width):
        decimals = sampled_places(played.half_width, abs(played.mean)) if played.half_width > 0 else 6
        mean = shown(played.mean, decimals)
        rows.append(("mean return", f"{mean} {signs().plus_minus} {rounded_up(played.half_width)}"))
    elif played.episodes:
        lines.append(f"mean return  {played.mean:.6g}, no interval from {plural(played.episodes, 'episode')}")
    if exact is not None:
        where = played.verdict
        rows.append(("exact value", exact_text(exact) + (f", {where}" if where else "")))
    elif played.missing:
        rows.append(("exact value", played.missing))
    lines += [f"{name}  {value}" for name, value in rows]
    if played.note:
        lines.append(played.note)
    if math.isfinite(played.half_width):
        lines.append("")
        lines.append(
            f"{spell_float(played.level)} confidence interval: mean {signs().plus_minus} z s / sqrt(n), "
            "normal approximation"
        )
        if played.episodes < FEW:
            lines.append(f"with fewer than {FEW} episodes that is rough")
        if played.cut > 0:
            added = rounded_up(played.cut)
            lines.append(
                f"episodes are cut off after {plural(played.longest, 'step')}; {added} is added for the rest"
            )
    return "\n".join(lines)


def policy_name(policy: Policy) -> str:
    """What a policy is called that came without a name.

    >>> from tabular_rl.model.mdp import MDP
    >>> policy_name(Policy.uniform(MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.9)))
    'policy uniform'
    """
    if policy == Policy.uniform(policy.mdp):
        return "policy uniform"
    return f"a {'deterministic' if policy.deterministic else 'stochastic'} policy"


def simulation_document(played: Simulation, policy: str) -> dict[str, Any]:
    """A simulation as the entries of its JSON object."""
    mdp, exact = played.mdp, played.reference
    names = ("episodes", "mean", "deviation", "half_width", "cut", "level", "steps", "longest", "unended", "seed",
             "seconds", "stopped", "note")  # fmt: skip
    return {
        "schema": "tabular-rl simulation", "version": 1, "model": mdp.name, "digest": mdp.digest, "policy": policy,
        **{name: getattr(played, name) for name in names}, "lower": played.lower, "upper": played.upper,
        "exact_value": None if exact is None or not good_enough(exact) else exact.value_of_start(),
        "exact_bound": None if exact is None else exact.bound,
        "exact_interval": None if exact is None else start_bounds(exact),
        "exact_status": None if exact is None else exact.status.name, "verdict": played.verdict,
    }  # fmt: skip
