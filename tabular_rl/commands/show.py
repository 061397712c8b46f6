"""The command `tabular-rl show`."""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import deliver, note_written
from tabular_rl.commands._files import check_picture, named_states, read_model
from tabular_rl.commands._help import Command
from tabular_rl.report.model import ModelReport


@click.command("show", cls=Command)
@o.model_options
@o.state_option("state", "Show only this state.")
@click.option("--all", "everything", is_flag=True, help="Show every outcome, however many there are.")
@o.plot_options("Draw the model, as a map or a graph,")
@o.quiet_option
def command(**given: Any) -> int:
    """Show a model as tables of states, actions and outcomes.

    Numbers are shown as the file spells them. A reward that depends on the state and the action alone is shown beside
    each of its outcomes.

    \b
    tabular-rl show example:recycling_robot
    tabular-rl show example:taxi --state "0:0 R to G"
    tabular-rl show example:cliff_walking --plot cliff.svg
    """
    check_picture(given, given["model"])
    mdp = read_model(given)
    states = named_states(mdp, given["state"])
    deliver(ModelReport(mdp, states, given["everything"]), given)
    note_written(given["quiet"], given["plot"])
    return 0
