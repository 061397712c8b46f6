"""The command `tabular-rl evaluate`."""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.commands import _options as o
from tabular_rl.commands._help import Command
from tabular_rl.commands.solve import answered


@click.command("evaluate", cls=Command)
@o.answer_model_options
@o.policy_option("Policy to evaluate")
@o.method_options("prediction")
@o.report_options("the answer")
def command(**given: Any) -> int:
    """Find the values of a policy, with a proven interval around each.

    POLICY is `uniform` (every action equally often), `optimal` (a best policy of the model), a policy or answer FILE,
    `greedy:FILE` (the best actions by the values of an answer), `epsilon-greedy:0.1:POLICY`, or `action:NAME` (always
    this action, and every action equally often where it is not available).

    \b
    tabular-rl evaluate example:gridworld_4x4 --policy uniform
    tabular-rl evaluate example:forest --policy epsilon-greedy:0.1:optimal
    """
    return answered("prediction", given)
