"""The command `tabular-rl gradient`."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

from tabular_rl.analysis.gradient import gradient_study
from tabular_rl.analysis.simulation import STEPS
from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import NOT_REACHED, at_work, exit_code, is_file, note_written, show
from tabular_rl.commands._files import (
    check_columns,
    check_output,
    check_picture,
    policy_file,
    read_behavior,
    read_data,
    read_model,
)
from tabular_rl.commands._help import Command
from tabular_rl.commands._memory import check_memory
from tabular_rl.commands._signals import writing
from tabular_rl.errors import OptionError, closest, quoted
from tabular_rl.formats.named_policies import read_policy
from tabular_rl.formats.output import all_or_none
from tabular_rl.formats.registry import ANSWERS
from tabular_rl.methods.gradient.estimators import ESTIMATORS, checked_name
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import plural
from tabular_rl.report.gradient import GradientReport
from tabular_rl.report.render.files import write_report
from tabular_rl.report.render.picture import write_picture
from tabular_rl.report.screen import note, warn
from tabular_rl.report.words import seconds_text, stopped_text
from tabular_rl.solving.options import EPISODES, OPTIONS


@click.command("gradient", cls=Command)
@o.model_options
@o.policy_option("Policy whose gradient is found")
@click.option(
    "--estimator",
    "estimators",
    multiple=True,
    metavar="NAME",
    help=f"Show only this estimator: {', '.join(ESTIMATORS[:-1])} or gae:LAMBDA. {o.REPEAT}",
)
@click.option(
    "--undiscounted",
    is_flag=True,
    help="Leave out the weight γ^t, as many courses do. Episodes then do not end with probability 1 - γ.",
)
@o.value_option(
    STEPS, "Cut each episode off after this many steps, if there is no horizon. The bias of this is shown."
)
@o.value_option(EPISODES, "Number of episodes to sample  [default: 10000, or fewer where they are long]")
@o.seed_option
@o.value_option(OPTIONS["time_limit"], "Stop sampling after this many seconds.")
@click.option(
    "--data",
    metavar="LOG",
    help="Estimate from the episodes of a log (CSV, npz, Parquet) instead of sampled ones.",
)
@o.log_options("--data")
@click.option(
    "--behavior",
    metavar="POLICY",
    help="The policy that made --data, if that is another one. `log` estimates it from the log.",
)
@o.value_option(
    OPTIONS["importance"], "How ratios π / b weigh an episode of another policy  [default: per-decision]."
)
@click.option(
    "--plot",
    metavar="FILE",
    help="Draw gradient and covariances to FILE (.png, .svg or .pdf). Needs the extra plot.",
)
@click.option(
    "--axis",
    "axes",
    multiple=True,
    nargs=2,
    metavar="STATE ACTION",
    help="One of the two entries of the gradient that --plot draws, instead of the direction of the gradient.",
)
@o.output_option(
    "Also write the gradient to FILE, as CSV (.csv) or, with the estimators, as JSON (.json or no suffix)."
)
@o.json_option
@o.all_option
@o.quiet_option
def command(**given: Any) -> int:
    """Find the exact policy gradient, with bias and variance of its estimators.

    θ holds a preference for each state and action, π(a|s) ∝ exp(θ(s,a)), and J(θ) is the expected return from the
    start. Bias and covariance of each estimator are exact, and sampled episodes are shown beside them. Without a
    horizon and with γ < 1, an episode ends after each step with probability 1 - γ and its rewards are not discounted.
    That is unbiased.

    \b
    tabular-rl gradient example:recycling_robot
    tabular-rl gradient example:forest --policy epsilon-greedy:0.1:optimal
    tabular-rl gradient example:forest --horizon 5 --estimator q --plot q.png
    """
    _check_data(given)
    check_columns(given)
    for name in given["estimators"]:
        checked_name(name)
    if given["plot"] is not None:
        check_picture(given, given["model"], policy_file(given["policy"]))
    elif given["axes"]:
        raise OptionError("--axis: found no --plot, expected one: it says what is drawn")
    inputs = given["data"], *map(policy_file, (given["policy"], given["behavior"]))
    check_output(given["output"], given["model"], *inputs, suffixes=ANSWERS.suffixes)
    mdp = read_model(given)
    axes = _read_axes(mdp, given["axes"])
    if given["steps"] is not None and mdp.problem.timed:
        raise OptionError("--steps: found a horizon too, which ends episodes; expected one of them")
    policy = read_policy(given["policy"], mdp)
    check_memory(mdp)
    study = gradient_study(
        policy,
        given["estimators"],
        name=given["policy"],
        discounted=not given["undiscounted"],
        **{key: given[key] for key in ("steps", "episodes", "seed", "time_limit")},
        sampling=at_work(mdp, given["quiet"]),
        **_read_data(given, mdp),
    )
    report, output, picture = GradientReport(study, given["everything"], axes), given["output"], given["plot"]
    with all_or_none(), writing(output or picture):
        if picture is not None:
            if not study.estimators:
                raise OptionError("--plot: found a model of many pairs, expected an --estimator to draw")
            write_picture(report, picture)
        if is_file(output):
            write_report(report, output)
    show(report, given)
    sampled = study.sampled
    if sampled is not None and sampled.stopped:
        warn(f"not reached: {stopped_text(sampled.stopped)}")
    if sampled is not None and not given["quiet"]:
        did = f"{plural(sampled.episodes, 'episode')}, {plural(sampled.steps, 'step')}"
        note(f"{did} in {seconds_text(sampled.seconds)}\n")
    note_written(given["quiet"], output, picture)
    return exit_code(NOT_REACHED if sampled is not None and sampled.stopped else 0)


def _check_data(given: dict[str, Any]) -> None:
    """Raise OptionError for options that do not belong to a log, or that need one."""
    source = click.get_current_context().get_parameter_source("seed")
    sampling = {name: given[name] for name in ("steps", "episodes", "time_limit", "plot")}
    sampling["seed"] = None if source is ParameterSource.DEFAULT else given["seed"]
    for name, x in sampling.items():
        if given["data"] is not None and x is not None:
            raise OptionError(f"{o.flag(name)}: found with --data, expected one of them: nothing is sampled")
    for name in ("behavior", "importance"):
        if given["data"] is None and given[name] is not None:
            raise OptionError(f"--{name}: found without --data, expected both")


def _read_data(given: dict[str, Any], mdp: MDP) -> dict[str, Any]:
    """Return the log, the policy that made it, and how it is weighed, as far as they are given."""
    if given["data"] is None:
        return {}
    made = given["behavior"]
    found: dict[str, Any] = {"data": read_data(given["data"], given, mdp)}
    if made is not None:
        found["behavior"] = made if made == "log" else read_behavior(made, mdp)
    return found | ({} if given["importance"] is None else {"importance": given["importance"]})


def _read_axes(mdp: MDP, given: list[tuple[str, str]]) -> list[int]:
    """Return the rows that --axis names: two or none."""
    axes = [_row_of(mdp, state, action) for state, action in given]
    if len(axes) not in (0, 2) or len(set(axes)) != len(axes):
        raise OptionError(
            "--axis: expected two different entries, such as --axis STATE ACTION --axis STATE ACTION"
        )
    return axes


def _row_of(mdp: MDP, state: str, action: str) -> int:
    """Return the row of a state and an action by name."""
    s, a = mdp.states.find(state), mdp.actions.find(action)
    if s is None:
        raise OptionError(f"--axis: no state {quoted(state)}{closest(state, mdp.states[:10_000])}")
    names = [mdp.actions[int(mdp.pair_action[i])] for i in mdp.rows(s)]
    if a is None or action not in names:
        raise OptionError(
            f"--axis: state {quoted(state)}: no action {quoted(action)}{closest(action, names)}"
        )
    return mdp.rows(s)[names.index(action)]
