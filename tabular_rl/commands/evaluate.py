"""tabular-rl evaluate"""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.commands._program import COMMANDS
from tabular_rl.commands._shared import Command, answer_options, method_options, model_options, policy_option
from tabular_rl.commands.solve import answered


@click.command("evaluate", cls=Command, short_help=COMMANDS["evaluate"])
@model_options
@policy_option
@method_options("prediction")
@answer_options
def command(**given: Any) -> int:
    """Find the values of a policy, with a proven interval around each.

    POLICY is `uniform` (every action equally often), `optimal` (a best one of the model), a policy or answer FILE,
    `greedy:FILE` (greedy by the values of an answer), `epsilon-greedy:0.1:POLICY`, or `action:NAME` (always the same,
    where it is available).

    \b
    tabular-rl evaluate example:gridworld_4x4 --policy uniform
    tabular-rl evaluate example:forest --policy epsilon-greedy:0.1:optimal
    """
    return answered("prediction", given)
