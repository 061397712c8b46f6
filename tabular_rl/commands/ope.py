"""The command `tabular-rl ope`."""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.analysis.off_policy.estimators import ESTIMATORS
from tabular_rl.analysis.ope import LEAST, LOGS, RESAMPLES, ope
from tabular_rl.analysis.simulation import LEVEL
from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import deliver, exit_code, note_written
from tabular_rl.commands._files import check_output, policy_file, read_data
from tabular_rl.commands._help import Command
from tabular_rl.commands._memory import check_memory, check_states
from tabular_rl.errors import ModelError, OptionError
from tabular_rl.formats import load
from tabular_rl.formats.input import source_of
from tabular_rl.formats.registry import ANSWERS
from tabular_rl.model.calls import Option
from tabular_rl.model.transitions import Log, Transitions
from tabular_rl.report.ope import OffPolicyReport
from tabular_rl.report.progress import Progress
from tabular_rl.report.screen import note, warn
from tabular_rl.report.words import seconds_text

ESTIMATOR = Option("estimator", str, "", choices=tuple(ESTIMATORS))
REWARD_RANGE = Option("reward_range", float, "", low=-1e300, high=1e300)


@click.command("ope", cls=Command)
@click.argument("log", metavar="LOG")
@click.option(
    "--policy",
    required=True,
    metavar="POLICY",
    help="Policy to evaluate: uniform, optimal, a policy or answer FILE, greedy:FILE, epsilon-greedy:0.1:POLICY or "
    "action:NAME.",
)
@click.option(
    "--behavior",
    metavar="POLICY",
    help="The policy that made LOG, if LOG has no propensities. `log` estimates it from LOG.",
)
@click.option(
    "--model",
    metavar="MODEL",
    help="The model that LOG comes from: its exact value, and bias and deviation of the estimators, are shown too.",
)
@o.value_option(o.GAMMA, "Discount. Needed without a model or a horizon; instead of the model's.")
@o.value_option(o.HORIZON, "Number of decisions that count; instead of the model's.")
@o.value_option(
    ESTIMATOR,
    f"Show only this estimator: {', '.join(ESTIMATORS)}. {o.REPEAT}",
    multiple=True,
    metavar="ESTIMATOR",
)
@o.value_option(LEVEL, "Level of each interval.", default=0.95)
@o.value_option(RESAMPLES, "Number of logs that the bootstrap draws; 0 for no bootstrap.", default=1000)
@click.option(
    "--reward-range",
    nargs=2,
    type=o.Value(REWARD_RANGE),
    metavar="LOW HIGH",
    help="Least and largest reward that there can be, for the bounds. A model says it itself.",
)
@o.value_option(
    LEAST,
    "The behavior takes each action that the policy takes with this probability or more, for the bounds.",
)
@o.value_option(
    LOGS, "Number of logs to simulate for bias and deviation, where they are not known exactly.", default=200
)
@o.seed_option
@o.log_options()
@o.file_options("the estimates")
def command(**given: Any) -> int:
    """Estimate what a policy is worth from a log that another policy made.

    Importance sampling weighs an episode by the product of π / b, its probability under the policy over that under the
    behavior; the direct method solves a model that is estimated from the log; doubly robust estimates join the two.
    Beside each estimate stand a bootstrap interval and, where what can happen is known well enough, a bound that holds
    for any number of episodes.

    \b
    tabular-rl simulate example:forest --horizon 5 --log log.csv
    tabular-rl ope log.csv --policy optimal --horizon 5
    tabular-rl ope log.csv --policy optimal --model example:forest --horizon 5
    """
    check_output(
        given["output"],
        given["log"],
        given["model"],
        *map(policy_file, (given["policy"], given["behavior"])),
        suffixes=ANSWERS.suffixes,
    )
    asked = {
        key: given[key] for key in ("behavior", "level", "resamples", "seed", "least", "logs", "reward_range")
    }
    asked["estimators"] = given["estimator"]
    log: Log | Transitions
    if given["model"] is None:
        if given["gamma"] is None and given["horizon"] is None:
            raise OptionError(
                "--gamma: found none, expected one (--gamma 1 for the plain sum of rewards), or --horizon, or a "
                "--model that has them"
            )
        log = read_data(given["log"], given)
        try:
            with Progress(given["quiet"]):
                found = ope(log, given["policy"], gamma=given["gamma"], horizon=given["horizon"], **asked)
        except ModelError as error:
            raise (error if error.source else error.at(source_of(given["log"]))) from None
    else:
        mdp = load(given["model"], gamma=given["gamma"], horizon=given["horizon"])
        check_states(mdp)
        mdp.validate()
        check_memory(mdp)
        log = read_data(given["log"], given, mdp)
        with Progress(given["quiet"]):
            found = ope(log, given["policy"], mdp=mdp, **asked)
    for text in found.warnings:
        warn(text)
    report = OffPolicyReport(found, given["policy"], given["behavior"] or "", source_of(given["log"]))
    deliver(report, given)
    if not given["quiet"]:
        note(f"{seconds_text(found.seconds)}\n")
    note_written(given["quiet"], given["output"])
    return exit_code(0)
