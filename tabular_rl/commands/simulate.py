"""tabular-rl simulate"""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.analysis.simulation import (
    LEVEL,
    STEPS,
    episode_limit,
    sample_transitions,
    simulate,
)
from tabular_rl.commands._deliver import NOT_REACHED, at_work, exit_code, show
from tabular_rl.commands._program import COMMANDS
from tabular_rl.commands._shared import (
    Command,
    Value,
    check_output,
    json_option,
    model_options,
    policy_option,
    quiet_option,
    read_model,
)
from tabular_rl.errors import OptionError, path_text
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.report.screen import note
from tabular_rl.report.simulation import SimulationReport
from tabular_rl.report.words import plural, seconds_text
from tabular_rl.solving.options import EPISODES, OPTIONS, SEED

MOST_LOGGED = 10_000_000
ASKED = ("start", "episodes", "steps", "seed", "level", "time_limit")


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
    from tabular_rl.formats.named_policies import read_policy

    if given["log"] is not None:
        for key in ("as_json", "time_limit"):
            if given[key]:
                flag = "--json" if key == "as_json" else "--time-limit"
                raise OptionError(f"{flag}: found --log too, which estimates nothing, expected one of them")
        check_output(given["log"], given["model"])
    mdp = read_model(given)
    policy = read_policy(given["policy"], mdp)
    if given["log"] is not None:
        return write(mdp, policy, given)
    with at_work(mdp, given["quiet"]):
        played = simulate(mdp, policy, **{key: given[key] for key in ASKED})
    show(SimulationReport(played, given["policy"]), given)
    if not given["quiet"]:
        note(f"{plural(played.steps, 'step')} in {seconds_text(played.seconds)}\n")
    return exit_code(NOT_REACHED if played.stopped or played.unended else 0)


def write(mdp: MDP, policy: Policy, given: dict[str, Any]) -> int:
    """Write the transitions of the episodes."""
    from tabular_rl.formats.logs import write_log

    log = sample_transitions(
        mdp,
        policy,
        MOST_LOGGED,
        given["seed"],
        start=given["start"],
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
