"""The command `tabular-rl convert`."""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.commands import _options as o
from tabular_rl.commands._files import model_format, read_model
from tabular_rl.commands._help import Command
from tabular_rl.errors import OptionError, path_text
from tabular_rl.formats import save
from tabular_rl.formats.registry import MODELS
from tabular_rl.report.screen import note

HELP = f"""Write a model in another format.

The format follows from the name of OUTPUT: {MODELS.endings} if it has no suffix.
Nothing is lost on the way: fractions stay fractions, and the digest of the model stays the same. What a format of
another tool cannot hold is refused.

\b
tabular-rl convert example:taxi taxi.npz
tabular-rl convert example:taxi -o taxi.csv
tabular-rl convert taxi.npz taxi   # a directory, opened by memory mapping
"""


@click.command("convert", cls=Command, help=HELP)
@o.model_options
@click.argument("output", metavar="OUTPUT", required=False)
@click.option("-o", "--output", "file", metavar="FILE", help="The same as OUTPUT.")
@o.to_option("OUTPUT")
@o.quiet_option
def command(**given: Any) -> int:
    """Write a model in another format."""
    output = _one(given["output"], given["file"])
    form = model_format(output, given["to"], given["model"])
    mdp = read_model(given)
    save(mdp, output, format=form)
    if not given["quiet"] and output != "-":
        note(f"{path_text(output)}: written as {form}, {mdp.S} states, {mdp.K} outcomes\n")
    return 0


def _one(output: str | None, file: str | None) -> str:
    """Return where to write to: OUTPUT, or what -o names."""
    if output is None and file is None:
        raise OptionError("found no OUTPUT, expected one: tabular-rl convert MODEL OUTPUT, or -o OUTPUT")
    if output is not None and file is not None:
        raise OptionError(
            f"--output: found {path_text(file)} beside OUTPUT {path_text(output)}, expected one"
        )
    return str(file if output is None else output)
