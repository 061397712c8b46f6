"""The command `tabular-rl show`."""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.commands import _options as o
from tabular_rl.commands._files import named_states, read_model
from tabular_rl.commands._help import Command
from tabular_rl.report.model import model_blocks
from tabular_rl.report.render.text import text
from tabular_rl.report.screen import out


@click.command("show", cls=Command)
@o.model_options
@o.state_option("state", "Show only this state.")
@click.option("--all", "everything", is_flag=True, help="Show every outcome, however many there are.")
@o.quiet_option
def command(**given: Any) -> int:
    """Show a model as tables of states, actions and outcomes.

    Numbers are shown as the file spells them. A reward that depends on the state and the action alone is shown beside
    each of its outcomes.

    \b
    tabular-rl show example:recycling_robot
    tabular-rl show example:taxi --state "0:0 R to G"
    """
    mdp = read_model(given)
    states = named_states(mdp, given["state"])
    out(text(model_blocks(mdp, states, given["everything"])) + "\n")
    return 0
