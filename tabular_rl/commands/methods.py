"""The command `tabular-rl methods`."""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import show
from tabular_rl.commands._help import Command
from tabular_rl.methods.lookup import METHODS, canonical, unknown_method
from tabular_rl.report.methods import MethodsReport


@click.command("methods", cls=Command)
@click.argument("method", required=False)
@o.json_option
@o.quiet_option
def command(method: str | None, **given: Any) -> int:
    """List the methods, or describe one with its equation and options.

    \b
    tabular-rl methods
    tabular-rl methods value-iteration
    """
    method = None if method is None else canonical(method)
    if method is not None and method not in METHODS:
        raise unknown_method(method, METHODS, "`tabular-rl methods` lists them.")
    show(MethodsReport(method), given)
    return 0
