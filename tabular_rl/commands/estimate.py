"""The command `tabular-rl estimate`."""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.analysis.confidence import CONFIDENCE, Confidence
from tabular_rl.analysis.estimation import Estimate, estimate
from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import show
from tabular_rl.commands._files import check_output, model_format, read_data
from tabular_rl.commands._help import Command
from tabular_rl.errors import ModelError, OptionError, path_text
from tabular_rl.formats import save
from tabular_rl.formats.counts import counts_path, save_counts
from tabular_rl.formats.input import source_of
from tabular_rl.formats.named_policies import read_policy
from tabular_rl.formats.output import all_or_none
from tabular_rl.formats.registry import MODELS
from tabular_rl.report.estimate import EstimateReport
from tabular_rl.report.screen import note

GOES = f"Write the model to FILE: {MODELS.endings}. Its counts go to a file .counts.csv beside it."


@click.command("estimate", cls=Command)
@click.argument("log", metavar="LOG")
@o.output_option(GOES, required=True)
@o.to_option("FILE")
@o.value_option(o.GAMMA, "Discount of the model. 0.9, 9/10 and 1/1.02 are exact fractions.", required=True)
@o.state_option("terminal", "A terminal state, whatever the log says.")
@o.minimize_option
@o.log_options()
@click.option(
    "--prior",
    default="0",
    metavar="ALPHA",
    help="Add ALPHA to the count of each state as the next one: 1 is Laplace's rule, 1/2 Jeffreys' prior "
    " [default: 0].",
)
@o.value_option(
    CONFIDENCE,
    "Also find how far the values of the process itself can be, with this confidence, such as 0.95.",
)
@click.option(
    "--policy", metavar="POLICY", help="Whose values --confidence is about  [default: the best policy]."
)
@click.option(
    "--reward-range",
    nargs=2,
    type=float,
    metavar="LOW HIGH",
    help="The range in which all rewards of the process lie  [default: that of the log].",
)
@o.json_option
@o.quiet_option
def command(**given: Any) -> int:
    """Estimate a model from a log of transitions, with its counts.

    LOG is CSV, npz, Parquet or HDF5 with the columns state, action, reward, next_state, done, or by other usual names.
    Probabilities are the shares of what was seen, as exact fractions, and rewards are means. A pair that was never
    tried is not available in the model, and is listed. How often each outcome was seen is written beside the model.

    With --confidence each row of the true model is near the shares that were seen, but for the stated risk, and so
    are its values: the interval is wide where pairs were tried seldom.

    \b
    tabular-rl simulate example:recycling_robot --episodes 100 --log log.csv
    tabular-rl estimate log.csv --gamma 0.9 -o robot.toml
    tabular-rl solve robot.toml
    """
    for name in ("policy", "reward_range"):
        if given[name] is not None and given["confidence"] is None:
            raise OptionError(f"{o.flag(name)}: found no --confidence, expected both")
    output = given["output"]
    counts = None if output == "-" else counts_path(output)
    form = model_format(output, given["to"], given["log"])
    check_output(counts, given["log"])
    log = read_data(given["log"], given)
    try:
        found = estimate(
            log,
            given["gamma"],
            terminal=given["terminal"],
            sense="min" if given["minimize"] else "max",
            prior=given["prior"],
        )
    except ModelError as error:
        raise error.at(source_of(given["log"])) from None
    known = _confidence(found, given)
    with all_or_none():
        save(found.mdp, output, format=form)
        if counts is not None:
            save_counts(found.mdp, found.counts, counts)
    if given["as_json"] or (output != "-" and not given["quiet"]):
        report = EstimateReport(found, known, given["policy"] or "")
        show(report, {**given, "output": None})
    if not given["quiet"] and counts is not None:
        note(f"{path_text(output)}: written as {form}\n{path_text(counts)}: written\n")
    return 0


def _confidence(found: Estimate, given: dict[str, Any]) -> Confidence | None:
    """Return how far the values of the process can be, where that is asked for."""
    if given["confidence"] is None:
        return None
    policy = None if given["policy"] is None else read_policy(given["policy"], found.mdp)
    return found.confidence(given["confidence"], policy=policy, reward_range=given["reward_range"])
