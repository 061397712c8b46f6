"""The command `tabular-rl simulate`."""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.analysis.simulation import LEVEL, STEPS, episode_limit, sample_transitions, simulate
from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import NOT_REACHED, at_work, exit_code, show
from tabular_rl.commands._files import check_output, read_model
from tabular_rl.commands._help import Command
from tabular_rl.errors import OptionError, path_text
from tabular_rl.formats.logs import write_log
from tabular_rl.formats.named_policies import read_policy
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import plural
from tabular_rl.model.policy import Policy
from tabular_rl.report.screen import note
from tabular_rl.report.simulation import SimulationReport
from tabular_rl.report.words import seconds_text
from tabular_rl.solving.options import EPISODES, OPTIONS

MOST_LOGGED = 10_000_000
ASKED = ("start", "episodes", "steps", "seed", "level", "time_limit")


@click.command("simulate", cls=Command)
@o.model_options
@o.policy_option("Policy to play")
@click.option("--start", metavar="STATE", help="Start in this state, not where the file says.")
@o.value_option(EPISODES, "Number of episodes to play.", default=10_000)
@o.value_option(STEPS, "Cut each episode off after this many steps (default: chosen by the discount).")
@o.seed_option
@o.value_option(LEVEL, "Level of the confidence interval.", default=0.99)
@o.value_option(
    OPTIONS["time_limit"],
    "Stop after this many seconds and answer with the episodes so far. Time that is left goes to the exact value.",
)
@click.option(
    "--log",
    metavar="FILE",
    help="Write the transitions of the episodes to FILE (.csv or .npz), and estimate nothing.",
)
@o.json_option
@o.quiet_option
def command(**given: Any) -> int:
    """Estimate what a policy earns by playing it, beside the exact value.

    Actions, outcomes and their rewards are drawn at random. The mean return is shown with its confidence interval,
    which includes the largest worth of the steps that are cut off at the end of a discounted episode. The same seed
    gives the same episodes.

    \b
    tabular-rl simulate example:recycling_robot --policy uniform
    tabular-rl simulate example:forest --policy optimal --episodes 100000
    tabular-rl simulate example:forest --episodes 100 --steps 20 --log log.csv
    """
    if given["log"] is not None:
        for key in ("as_json", "time_limit"):
            if given[key]:
                found = o.flag(key.removeprefix("as_"))
                raise OptionError(f"{found}: found --log too, which estimates nothing, expected one of them")
        check_output(given["log"], given["model"])
    mdp = read_model(given)
    policy = read_policy(given["policy"], mdp)
    if given["log"] is not None:
        return _write(mdp, policy, given)
    with at_work(mdp, given["quiet"]):
        played = simulate(mdp, policy, **{key: given[key] for key in ASKED})
    show(SimulationReport(played, given["policy"]), given)
    if not given["quiet"]:
        note(f"{plural(played.steps, 'step')} in {seconds_text(played.seconds)}\n")
    return exit_code(NOT_REACHED if played.stopped or played.unended else 0)


def _write(mdp: MDP, policy: Policy, given: dict[str, Any]) -> int:
    """Write the transitions of the episodes."""
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
