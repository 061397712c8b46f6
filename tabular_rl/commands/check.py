"""tabular-rl check"""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.commands._deliver import show
from tabular_rl.commands._program import COMMANDS
from tabular_rl.commands._shared import Command, json_option, model_options, quiet_option, read_model
from tabular_rl.report.model import CheckReport


@click.command("check", cls=Command, short_help=COMMANDS["check"])
@model_options
@json_option
@quiet_option
def command(**given: Any) -> int:
    """Check that a model file is valid, and count what is in it.

    Every fault of the file is told with its line, up to ten, and the exit code is 2. What is odd but allowed, such
    as states that are never reached, is told as a remark.

    \b
    tabular-rl check example:taxi
    """
    report = CheckReport(read_model(given))
    if given["as_json"] or not given["quiet"]:
        show(report, given)
    return 0
