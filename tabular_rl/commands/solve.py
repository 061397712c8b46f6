"""tabular-rl solve"""

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
    read_model,
    solved,
)
from tabular_rl.errors import OptionError, path_text
from tabular_rl.formats.registry import ANSWERS


@click.command("solve", cls=Command, short_help=COMMANDS["solve"])
@model_options
@method_options("control")
@answer_options
def command(**given: Any) -> int:
    """Find the best policy of a model, with a proven interval around every value.

    Each value is shown with no more digits than are proven, and with a ± that contains the truth. Actions joined by =
    are proven ties, by ≈ too close to tell apart. Where the tolerance is not reached, the interval so far is shown
    and the exit code is 3; where no finite answer exists it is 4.

    \b
    tabular-rl solve example:recycling_robot
    tabular-rl solve example:forest --gamma 99/100 --method VI -o answer.json
    """
    method, options = chosen_method(given, "control")
    check_output(given["output"], given["model"], given["start_from"], suffixes=ANSWERS.suffixes)
    mdp = read_model(given)
    named_states(mdp, given["only"])
    if given["start_from"] is not None:
        options["start_from"] = starting_values(given["start_from"], mdp)
    return deliver(solved(mdp, method, options, given["quiet"]), given)


def starting_values(path: str, mdp: Any) -> Any:
    """The values of an answer file, to begin with."""
    from tabular_rl.formats.answers import read_answer

    answer = read_answer(path, mdp)
    if answer.values is None:
        raise OptionError(f"--start-from: {path_text(path)}: found no values, expected an answer file")
    return answer.values
