"""tabular-rl verify"""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.analysis.verify import verify
from tabular_rl.commands._deliver import NO, show
from tabular_rl.commands._program import COMMANDS
from tabular_rl.commands._shared import Command, Value, json_option, model_options, quiet_option, read_model
from tabular_rl.errors import OptionError
from tabular_rl.report.verdict import VerdictReport
from tabular_rl.solving.options import OPTIONS


@click.command("verify", cls=Command, short_help=COMMANDS["verify"])
@model_options
@click.argument("answer", metavar="ANSWER")
@click.option(
    "--tolerance",
    type=Value(OPTIONS["tolerance"]),
    default=1e-6,
    show_default=True,
    help="How far a value may be from the truth.",
)
@click.option("--relative", is_flag=True, help="The tolerance is a share of the largest |value|.")
@click.option(
    "--policy", metavar="POLICY", help="Take the values as those of this policy, not as the best ones."
)
@json_option
@quiet_option
def command(**given: Any) -> int:
    """Check an answer from anywhere, without trusting whoever made it.

    One rigorous sweep over MODEL from the values in ANSWER proves how far they can be from the truth, and what its
    policy loses at most; exact values are checked in fractions. ANSWER is JSON or CSV; of a file from another program
    the columns state and value are enough. Checked are values, policy, lower, upper, exact and bound; the other claims
    of a file are not. The exit code is 0 where everything is proven to be within the tolerance and no claim is refuted,
    1 where it is not.

    \b
    tabular-rl solve example:taxicab -o answer.json
    tabular-rl verify example:taxicab answer.json
    """  # fmt: skip
    from tabular_rl.formats.named_policies import read_policy

    if given["model"] == "-" and given["answer"] == "-":
        raise OptionError("found - twice, expected one of MODEL and ANSWER on standard input")
    mdp = read_model(given)
    policy = None if given["policy"] is None else read_policy(given["policy"], mdp)
    verdict = verify(
        mdp, given["answer"], policy=policy, tolerance=given["tolerance"], relative=given["relative"]
    )
    if given["as_json"] or not given["quiet"]:
        show(VerdictReport(verdict), given)
    return 0 if verdict else NO
