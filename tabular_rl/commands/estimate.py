"""tabular-rl estimate"""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.analysis.estimation import estimate
from tabular_rl.commands._deliver import show
from tabular_rl.commands._program import COMMANDS
from tabular_rl.commands._shared import (
    SEVERAL,
    Command,
    Gamma,
    check_output,
    json_option,
    model_format,
    quiet_option,
)
from tabular_rl.errors import ModelError, path_text
from tabular_rl.formats.registry import MODELS
from tabular_rl.report.estimate import EstimateReport
from tabular_rl.report.screen import note


@click.command("estimate", cls=Command, short_help=COMMANDS["estimate"])
@click.argument("log", metavar="LOG")
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    help=f"Where the model goes: {MODELS.endings}. Its counts go beside it, as .counts.csv.",
)
@click.option("--to", type=click.Choice(MODELS.names), help="Format, where the name of FILE does not say it.")
@click.option(
    "--gamma", type=Gamma(), required=True, help="Discount of the model; 0.9, 9/10 and 1/1.02 are exact."
)
@click.option(
    "--terminal",
    multiple=True,
    metavar="STATE",
    help=f"States that are terminal, whatever the log says. {SEVERAL}",
)
@click.option("--minimize", is_flag=True, help="Rewards are costs.")
@json_option
@quiet_option
def command(**given: Any) -> int:  # fmt: skip
    """Estimate a model from a log of transitions, with its counts.

    LOG is CSV with the columns state, action, reward, next_state, done, or npz with the arrays s, a, r, s2, done.
    Probabilities are the shares of what was seen, as exact fractions, and rewards the means. A pair that was never
    tried is not available in the model; those are listed. How often each outcome was seen is written beside it.

    \b
    tabular-rl simulate example:recycling_robot --episodes 100 --log log.csv
    tabular-rl estimate log.csv --gamma 0.9 -o robot.toml
    tabular-rl solve robot.toml
    """
    from tabular_rl.formats import save
    from tabular_rl.formats.counts import counts_path, save_counts
    from tabular_rl.formats.logs import read_log
    from tabular_rl.formats.output import all_or_none

    output = given["output"]
    counts = None if output == "-" else counts_path(output)
    form = model_format(output, given["to"], given["log"])
    check_output(counts, given["log"])
    log = read_log(given["log"])
    try:
        found = estimate(
            log, given["gamma"], terminal=given["terminal"], sense="min" if given["minimize"] else "max"
        )
    except ModelError as error:
        raise error.at("<stdin>" if given["log"] == "-" else given["log"]) from None
    with all_or_none():
        save(found.mdp, output, format=form)
        if counts is not None:
            save_counts(found.mdp, found.counts, counts)
    if given["as_json"] or (output != "-" and not given["quiet"]):
        show(EstimateReport(found), {**given, "output": None})
    if not given["quiet"] and counts is not None:
        note(f"{path_text(output)}: written as {form}\n{path_text(counts)}: written\n")
    return 0
