"""The command `tabular-rl lesson`."""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import at_work, note_written
from tabular_rl.commands._files import check_output, read_model
from tabular_rl.commands._help import Command
from tabular_rl.commands._signals import writing
from tabular_rl.report.page.lesson import lesson

SUFFIXES = (".html", ".htm")


@click.command("lesson", cls=Command)
@o.model_options
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
    output = given["output"]
    check_output(output, given["model"], suffixes=SUFFIXES)
    mdp = read_model(given)
    with at_work(mdp, given["quiet"]):
        made = lesson(mdp)
    with writing(output):
        made.save(output)
    note_written(given["quiet"], output)
    return 0
