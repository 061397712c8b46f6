"""tabular-rl simulate"""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

import click

from tabular_rl import run as running
from tabular_rl.commands import COMMANDS, solving
from tabular_rl.commands._shared import (
    Command,
    Value,
    check_output,
    json_option,
    model_options,
    policy_option,
    quiet_option,
    read_model,
    solved,
)
from tabular_rl.errors import NotAnswerable, OptionError, closest, escape, path_text, quoted
from tabular_rl.model import MDP
from tabular_rl.options import OPTIONS
from tabular_rl.policy import Policy
from tabular_rl.report.numbers import rounded_up, shown
from tabular_rl.report.progress import Progress
from tabular_rl.report.screen import note, out, signs
from tabular_rl.report.tables import plural, problem_text, seconds_text, start_value, start_where, title
from tabular_rl.simulation import (
    EPISODES,
    LEVEL,
    SEED,
    STEPS,
    Simulation,
    episode_limit,
    sample_transitions,
    simulate,
)
from tabular_rl.solution import Solution

NOT_REACHED = 3
MOST_LOGGED = 10_000_000
FEW = 30  # episodes below which the normal approximation is rough


@click.command("simulate", cls=Command, short_help=COMMANDS["simulate"])
@model_options
@policy_option
@click.option("--start", metavar="STATE", help="Start here, in place of the file's start.")
@click.option("--episodes", type=Value(EPISODES), default=10_000, show_default=True, help="Episodes to play.")
@click.option(
    "--steps", type=Value(STEPS), help="Cut an episode off after so many steps (default: from the discount)."
)
@click.option("--seed", type=Value(SEED), default=0, show_default=True, help="Start of the random numbers.")
@click.option(
    "--level", type=Value(LEVEL), default=0.99, show_default=True, help="Level of the confidence interval."
)
@click.option(
    "--time-limit",
    type=Value(OPTIONS["time_limit"]),
    help="Seconds after which the episodes so far are the answer; the exact value has what is left of them.",
)
@click.option(
    "--log",
    metavar="FILE",
    help="Write the transitions of the episodes to FILE (.csv, .npz), and estimate nothing.",
)
@json_option
@quiet_option
def command(**given: Any) -> int:
    """Estimate what a policy earns by playing it, beside the exact value.

    Actions, outcomes and their rewards are drawn at random. The mean return is shown with its confidence interval,
    which includes what the steps cut off at the end of a discounted episode can be worth. The same seed gives
    the same episodes.

    \b
    tabular-rl simulate example:recycling_robot --policy uniform
    tabular-rl simulate example:forest --policy optimal --episodes 100000
    tabular-rl simulate example:forest --episodes 100 --steps 20 --log log.csv
    """
    from tabular_rl.policies import read_policy

    if given["log"] is not None:
        for key in ("as_json", "time_limit"):
            if given[key]:
                flag = "--json" if key == "as_json" else "--time-limit"
                raise OptionError(f"{flag}: found --log too, which estimates nothing, expected one of them")
        check_output(given["log"], given["model"])
    mdp = read_model(given)
    if given["start"] is not None:
        mdp = starting_at(mdp, given["start"])
    policy = read_policy(given["policy"], mdp)
    if given["log"] is not None:
        return write(mdp, policy, given)
    started = time.monotonic()
    with Progress(given["quiet"]), solving():
        played = simulate(
            mdp, policy, episodes=given["episodes"], steps=given["steps"], seed=given["seed"], level=given["level"],
            time_limit=given["time_limit"],
        )  # fmt: skip
    exact: Solution | None = None
    missing = ""
    left: dict[str, Any] = {}
    if given["time_limit"] is not None:
        left = {"time_limit": max(given["time_limit"] - (time.monotonic() - started), 0.0)}
    try:
        if played.stopped is None:
            exact = solved(mdp, "auto", left, given["quiet"], policy)
    except NotAnswerable:
        left = {}
    except running.Stop:
        pass
    if left and running.interrupt.signum is None and (exact is None or not exact.status.reached):
        missing, exact = "not computed: the time limit is over", None
    if given["as_json"]:
        out(json_text(mdp, given["policy"], played, exact))
    else:
        out(text(mdp, given["policy"], played, exact, missing))
    if not given["quiet"]:
        note(f"{plural(played.steps, 'step')} in {seconds_text(played.seconds)}\n")
    if running.interrupt.signum is not None:
        return 128 + (running.interrupt.signum or 2)
    return NOT_REACHED if played.stopped or played.unended else 0


def write(mdp: MDP, policy: Policy, given: dict[str, Any]) -> int:
    """Write the transitions of the episodes."""
    from tabular_rl.formats.transitions import write_log

    log = sample_transitions(
        mdp,
        policy,
        MOST_LOGGED,
        given["seed"],
        episodes=given["episodes"],
        episode_steps=episode_limit(mdp, given["steps"])[0],
    )
    if len(log) == MOST_LOGGED:
        raise OptionError(
            f"--log: found more than {MOST_LOGGED:,} transitions, expected fewer. "
            "Limit them with --episodes or --steps."
        )
    write_log(log, given["log"])
    if not given["quiet"] and given["log"] != "-":
        held = f"{plural(given['episodes'], 'episode')}, {plural(len(log), 'transition')}"
        note(f"{path_text(given['log'])}: written, {held}\n")
    return 0


def starting_at(mdp: MDP, name: str) -> MDP:
    """The model with another start."""
    at = mdp.states.find(name)
    if at is None:
        raise OptionError(f"--start: no state {quoted(name)}{closest(name, mdp.states[:10_000])}")
    if mdp.terminal[at]:
        raise OptionError(f"--start: state {quoted(name)}: found a terminal state, expected one with actions")
    start = [0.0] * mdp.S
    start[at] = 1.0
    return mdp.replace(start=start)


def verdict(played: Simulation, exact: Solution) -> str:
    """Where the exact value lies."""
    from tabular_rl.report.numbers import start_interval
    from tabular_rl.structure import starts

    if exact.lower is None or exact.upper is None or not math.isfinite(played.half_width):
        return ""
    lower, upper = (x if x.ndim == 1 else x[0] for x in (exact.lower, exact.upper))
    low, high = start_interval(exact.mdp.start, lower, upper, starts(exact.mdp))
    if played.lower <= low and high <= played.upper:
        return "inside the interval"
    if high < played.lower or low > played.upper:
        return f"outside the interval, as in {1 - played.level:.2g} of all runs"
    return "at the edge of the interval"


def text(mdp: MDP, policy: str, played: Simulation, exact: Solution | None, missing: str = "") -> str:
    """The mean return with its interval, and the exact value below it."""
    longest = f", the longest {plural(played.longest, 'step')}" if played.episodes else ""
    lines = [
        f"{title(mdp)}: {problem_text(mdp)}; policy {escape(policy)}, seed {played.seed}",
        f"start: {start_where(mdp)}",
        f"{plural(played.episodes, 'episode')}{longest}",
        "",
    ]
    if played.stopped:
        why = {"time": "the time limit is over; raise --time-limit", "signal": "interrupted"}[played.stopped]
        lines[2] += f" (not reached: {why})"
    rows = []
    if played.unended:
        lines.append(
            f"not reached: {plural(played.unended, 'episode')} had not ended after {played.longest} steps, and nothing "
            "is known of the rest; raise --steps"
        )
    elif math.isfinite(played.half_width):
        decimals = 1 - math.floor(math.log10(played.half_width)) if played.half_width > 0 else 6
        mean = shown(played.mean, min(max(decimals, 0), 12))
        rows.append(("mean return", f"{mean} {signs().plus_minus} {rounded_up(played.half_width)}"))
    elif played.episodes:
        lines.append(f"mean return  {played.mean:.6g}, no interval from {plural(played.episodes, 'episode')}")
    if exact is not None:
        where = verdict(played, exact)
        rows.append(("exact value", start_value(exact) + (f", {where}" if where else "")))
    elif missing:
        rows.append(("exact value", missing))
    lines += [f"{name}  {value}" for name, value in rows]
    if played.note:
        lines.append(played.note)
    if math.isfinite(played.half_width):
        lines.append("")
        lines.append(
            f"{played.level:.6g} confidence interval: mean {signs().plus_minus} z s / sqrt(n), normal approximation"
        )
        if played.episodes < FEW:
            lines.append(f"with fewer than {FEW} episodes that is rough")
        if played.cut > 0:
            added = rounded_up(played.cut)
            lines.append(
                f"episodes are cut off after {plural(played.longest, 'step')}; {added} is added for the rest"
            )
    return "\n".join(lines) + "\n"


def json_text(mdp: MDP, policy: str, played: Simulation, exact: Solution | None) -> str:
    from tabular_rl.answers import json_parts

    document = {
        "schema": "tabular-rl simulation", "version": 1, "model": mdp.name, "digest": mdp.digest, "policy": policy,
        **dataclasses.asdict(played), "lower": played.lower, "upper": played.upper,
        "exact_value": None if exact is None else exact.value_of_start(),
        "exact_bound": None if exact is None else exact.bound,
        "verdict": "" if exact is None else verdict(played, exact),
    }  # fmt: skip
    return "".join(json_parts(document))
