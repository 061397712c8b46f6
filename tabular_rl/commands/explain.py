"""The command `tabular-rl explain`."""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.analysis.explain import explain
from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import at_work, deliver, note_written
from tabular_rl.commands._files import check_output, policy_file, read_model, read_start, start_file
from tabular_rl.commands._help import Command
from tabular_rl.formats.named_policies import read_policy
from tabular_rl.formats.registry import ANSWERS
from tabular_rl.model.calls import Option
from tabular_rl.report.explain import ExplanationReport

SWEEP = Option("sweep", int, "which sweep", low=1, high=1_000_000)
TIME = Option("time", int, "which time step", low=0, high=2**31)


@click.command("explain", cls=Command)
@o.model_options
@click.option("--state", required=True, metavar="STATE", help="The state whose value is explained.")
@click.option("--action", metavar="ACTION", help="Explain q of this action alone.")
@o.value_option(SWEEP, "Explain V_k of this sweep, which arises from V_{k-1}; without, the solution.")
@o.value_option(TIME, "Explain V_t of this time step, where the model has a horizon. Without, t = 0.")
@click.option(
    "--policy", metavar="POLICY", help="Explain the value of this policy, as --policy of evaluate names it."
)
@click.option(
    "--method",
    metavar="METHOD",
    help="Whose sweep it is: value-iteration, policy-iteration or policy-evaluation (with --policy).",
)
@click.option("--in-place", is_flag=True, default=None, help="Sweeps use each new value at once.")
@o.start_from_option
@o.start_policy_option
@o.file_options("the explanation")
def command(**given: Any) -> int:
    """Show how the value of a state arises, with the numbers in Bellman's equation.

    Bellman's equation stands first, then the same with the numbers of the state: each outcome, each action, the action
    that wins, ties, and how much worse the next one is. Models of up to 100 states are reckoned in fractions.

    \b
    tabular-rl explain example:forest --state middle
    tabular-rl explain example:forest --state middle --sweep 2
    tabular-rl explain example:gridworld_4x4 --state 1,1 --policy uniform
    """
    start, first = given["start_from"], given["start_policy"]
    inputs = start_file(start or ()), policy_file(given["policy"]), policy_file(first)
    check_output(given["output"], given["model"], *inputs, suffixes=ANSWERS.suffixes)
    mdp = read_model(given)
    policy = given["policy"]
    with at_work(mdp, given["quiet"]):
        found = explain(
            mdp,
            given["state"],
            given["action"],
            sweep=given["sweep"],
            time=given["time"],
            policy=None if policy is None else read_policy(policy, mdp),
            method=given["method"],
            in_place=bool(given["in_place"]),
            start_from=None if start is None else read_start(start, mdp),
            start_policy=None if first is None else read_policy(first, mdp),
        )
    deliver(ExplanationReport(found), given)
    note_written(given["quiet"], given["output"])
    return 0
