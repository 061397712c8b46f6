"""tabular-rl convert"""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.commands import COMMANDS
from tabular_rl.commands._shared import (
    FORMATS,
    Command,
    check_new,
    check_output,
    model_options,
    quiet_option,
    read_model,
)
from tabular_rl.errors import path_text
from tabular_rl.report.screen import note


@click.command("convert", cls=Command, short_help=COMMANDS["convert"])
@model_options
@click.argument("output", metavar="OUTPUT")
@click.option("--to", type=click.Choice(FORMATS), help="Format of OUTPUT, where its name does not say it.")
@quiet_option
def command(**given: Any) -> int:
    """Write a model in another format.

    The format follows from the name of OUTPUT: .toml, .csv, .npz, or a directory of arrays where it has no suffix.
    Nothing is lost on the way: fractions stay fractions, and the model's digest is the same.

    \b
    tabular-rl convert example:taxi taxi.npz
    tabular-rl convert taxi.npz taxi   # a directory, opened by memory mapping
    """
    from tabular_rl.formats import format_of, save

    form = given["to"] or format_of(given["output"])
    if form == "directory":
        check_new(given["output"], given["model"])
    else:
        check_output(given["output"], given["model"])
    mdp = read_model(given)
    save(mdp, given["output"], format=form)
    if not given["quiet"] and given["output"] != "-":
        note(f"{path_text(given['output'])}: written as {form}, {mdp.S} states, {mdp.K} outcomes\n")
    return 0
