"""The command `tabular-rl verify`."""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.analysis.verify import verify
from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import NO, show
from tabular_rl.commands._files import read_model
from tabular_rl.commands._help import Command
from tabular_rl.errors import OptionError
from tabular_rl.formats.named_policies import read_policy
from tabular_rl.report.verdict import VerdictReport
from tabular_rl.solving.options import OPTIONS


@click.command("verify", cls=Command)
@o.model_options
@click.argument("answer", metavar="ANSWER")
@o.value_option(
    OPTIONS["tolerance"], "Largest distance of a value from the truth that is accepted.", default=1e-6
)
@click.option("--relative", is_flag=True, help="Take the tolerance as a share of the largest |value|.")
@click.option(
    "--policy", metavar="POLICY", help="Check the values as those of this policy, not as the best ones."
)
@o.json_option
@o.quiet_option
def command(**given: Any) -> int:
    """Check an answer from anywhere, without trusting whoever made it.

    One rigorous sweep over MODEL from the values in ANSWER proves how far they can be from the truth, and how much its
    policy can lose. Exact values are checked in fractions. ANSWER is JSON or CSV. A file from another program needs
    only the columns state and value. The values, policy, lower, upper, exact and bound of a file are checked, and no
    other claim in it. The exit code is 0 if everything is proven to be within the tolerance and no claim is refuted,
    and 1 if not.

    \b
    tabular-rl solve example:taxicab -o answer.json
    tabular-rl verify example:taxicab answer.json
    """
    if given["model"] == "-" and given["answer"] == "-":
        raise OptionError("found - twice, expected one of MODEL and ANSWER on standard input")
    mdp = read_model(given)
    policy = None if given["policy"] is None else read_policy(given["policy"], mdp)
    asked = {key: given[key] for key in ("tolerance", "relative")}
    verdict = verify(mdp, given["answer"], policy=policy, **asked)
    if given["as_json"] or not given["quiet"]:
        show(VerdictReport(verdict), given)
    return 0 if verdict else NO
