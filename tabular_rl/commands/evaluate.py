"""tabular-rl evaluate"""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.commands import COMMANDS
from tabular_rl.commands._shared import (
    Command,
    answer_options,
    check_output,
    chosen_method,
    deliver,
    method_options,
    model_options,
    named_states,
    policy_option,
    read_model,
    solved,
)
from tabular_rl.commands.solve import starting_values
from tabular_rl.formats.registry import ANSWERS


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
    from tabular_rl.formats.named_policies import read_policy

    method, options = chosen_method(given, "prediction")
    inputs = given["model"], given["start_from"], given["policy"].rpartition(":")[2]
    check_output(given["output"], *inputs, suffixes=ANSWERS.suffixes)
    mdp = read_model(given)
    named_states(mdp, given["only"])
    policy = read_policy(given["policy"], mdp)
    if given["start_from"] is not None:
        options["start_from"] = starting_values(given["start_from"], mdp)
    return deliver(solved(mdp, method, options, given["quiet"], policy), given)
