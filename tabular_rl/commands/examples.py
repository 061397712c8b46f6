"""The command `tabular-rl examples`."""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import show
from tabular_rl.commands._help import Command
from tabular_rl.report.examples import ExamplesReport


@click.command("examples", cls=Command)
@o.json_option
@o.quiet_option
def command(**given: Any) -> int:
    """List the models that come with the program.

    \b
    tabular-rl examples
    tabular-rl solve example:gambler_40
    """
    show(ExamplesReport(), given)
    return 0
