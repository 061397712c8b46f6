"""The command `tabular-rl lesson`."""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import at_work, note_written
from tabular_rl.commands._files import check_output, policy_file, read_model
from tabular_rl.commands._help import Command
from tabular_rl.commands._signals import writing
from tabular_rl.formats.named_policies import read_policy
from tabular_rl.report.page.lesson import lesson

SUFFIXES = (".html", ".htm")


@click.command("lesson", cls=Command)
@o.model_options
@click.option(
    "--policy",
    metavar="POLICY",
    help="A policy that the page can evaluate too, as --policy of evaluate names it.",
)
@o.output_option("Write the page to FILE (.html), or - for standard output.", required=True)
@o.quiet_option
def command(**given: Any) -> int:
    """Make a page for the browser that shows how the values of a model arise.

    The page is one file that needs no network. It shows the sweeps of value iteration, policy evaluation, policy
    iteration and backward induction one by one, and of each state the Bellman equation with its numbers.

    \b
    tabular-rl lesson example:gridworld_4x4 -o page.html
    tabular-rl lesson example:recycling_robot --gamma 0.5 -o page.html
    """
    output, policy = given["output"], given["policy"]
    check_output(output, given["model"], policy_file(policy), suffixes=SUFFIXES)
    mdp = read_model(given)
    with at_work(mdp, given["quiet"]):
        made = lesson(mdp, policy=None if policy is None else read_policy(policy, mdp))
    with writing(output):
        made.save(output)
    note_written(given["quiet"], output)
    return 0
