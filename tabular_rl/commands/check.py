"""tabular-rl check"""

from __future__ import annotations

from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from tabular_rl.commands import COMMANDS
from tabular_rl.commands._shared import Command, json_option, model_options, quiet_option, read_model
from tabular_rl.model.mdp import MDP
from tabular_rl.report.screen import out
from tabular_rl.report.tables import listed, model_text, plural, title


@click.command("check", cls=Command, short_help=COMMANDS["check"])
@model_options
@json_option
@quiet_option
def command(**given: Any) -> int:
    """Check that a model file is valid, and count what is in it.

    Every fault of the file is told with its line, up to ten, and the exit code is 2. What is odd but allowed, such
    as states that are never reached, is told as a remark.

    \b
    tabular-rl check example:taxi
    """
    mdp = read_model(given)
    mdp.validate()  # the contents of a mapped directory are looked at here
    found = remarks(mdp)
    if given["as_json"]:
        from tabular_rl.formats.json import json_parts

        document = {
            "schema": "tabular-rl check", "version": 1, "valid": True, "model": mdp.name, "digest": mdp.digest,
            "problem": mdp.problem, "gamma": mdp.gamma, "horizon": mdp.horizon, "sense": mdp.sense,
            "states": mdp.S, "terminal": int(mdp.terminal.sum()), "actions": mdp.A, "pairs": mdp.L, "outcomes": mdp.K,
            "exact": mdp.exact is not None, "bytes": mdp.nbytes, "remarks": found,
        }  # fmt: skip
        out("".join(json_parts(document)))
    elif not given["quiet"]:
        lines = [f"{title(mdp)}: valid", *model_text(mdp)[1:], *(f"  remark: {x}" for x in found)]
        out("\n".join(lines) + "\n")
    return 0


def remarks(mdp: MDP) -> list[str]:
    """What is allowed, and worth a second look."""
    from tabular_rl.model.graph.search import edges, reachable, starts

    found = []
    if mdp.start_given:
        never = np.flatnonzero(~reachable(mdp, starts(mdp)))
        if len(never):
            found.append(
                f"{plural(len(never), 'state')} cannot be reached from the start: {listed(mdp, never)}"
            )
    used = np.bincount(mdp.pair_action, minlength=mdp.A) if mdp.L else np.zeros(mdp.A, dtype=int)
    idle = [mdp.actions[int(a)] for a in np.flatnonzero(used == 0)[:5]]
    if idle:
        from tabular_rl.errors import escape

        found.append(f"no state has the action {', '.join(map(escape, idle))}")
    never = edges(mdp) == 0
    if never.any():
        found.append(f"{plural(int(never.sum()), 'outcome')} with probability 0{_unpaid(mdp, never)}")
    if not mdp.start_given:
        entered = np.zeros(mdp.S, dtype=bool)
        entered[mdp.next_state[~never]] = True
        lost = np.flatnonzero(mdp.terminal & ~entered)
        if len(lost):
            found.append(f"no transition leads to {plural(len(lost), 'terminal state')}: {listed(mdp, lost)}")
    if mdp.problem == "total-reward" and not mdp.terminal.any():
        found.append("the discount is 1 and no state is terminal")
    return found


def _unpaid(mdp: MDP, never: NDArray[np.bool_]) -> str:
    """Name the first outcome that has a reward and no probability; nothing where there is none."""
    from tabular_rl.errors import Fault

    paid = np.flatnonzero(never & (mdp.reward != 0)) if mdp.reward is not None else np.empty(0, dtype=int)
    if mdp.reward is None or not len(paid):
        return ""
    k = int(paid[0])
    row = int(np.searchsorted(mdp.row_ptr, k, side="right")) - 1
    action = mdp.actions[int(mdp.pair_action[row])]
    what = f"reward {float(mdp.reward[k]):.12g}"
    first = Fault(what, mdp.states[mdp.state_of_row(row)], action, mdp.states[int(mdp.next_state[k])])
    return f"; rewards there are never collected: {first}"
