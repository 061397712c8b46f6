"""The command `tabular-rl check`."""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import show
from tabular_rl.commands._files import read_model
from tabular_rl.commands._help import Command
from tabular_rl.report.model import CheckReport


@click.command("check", cls=Command)
@o.model_options
@o.json_option
@o.quiet_option
def command(**given: Any) -> int:
    """Check that a model file is valid, and count what is in it.

    Up to ten faults of the file are listed, each with its line, and the exit code is 2. What is odd but allowed, such
    as a state that is never reached, is listed as a remark.

    \b
    tabular-rl check example:taxi
    """
    report = CheckReport(read_model(given))
    if given["as_json"] or not given["quiet"]:
        show(report, given)
    return 0
