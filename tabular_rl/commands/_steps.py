"""`--iterates` of solve and evaluate: the steps of a method one by one."""

from __future__ import annotations

from typing import Any

from tabular_rl.analysis.iterates import iterates
from tabular_rl.commands._deliver import deliver, note_written
from tabular_rl.commands._files import (
    check_answer_output,
    check_picture,
    named_states,
    policy_file,
    read_model,
    read_named,
    read_start,
    start_file,
)
from tabular_rl.commands._options import ANSWER_FOLDERS, flag
from tabular_rl.errors import OptionError, quoted
from tabular_rl.formats.named_policies import read_policy
from tabular_rl.methods.lookup import canonical
from tabular_rl.model.mdp import MDP
from tabular_rl.report.iterates import IteratesReport
from tabular_rl.solving.options import OPTIONS


def stepped(task: str, given: dict[str, Any]) -> int:
    """Show the steps of a method one by one, and return the exit code."""
    inputs = start_file(given["start_from"] or ()), policy_file(given.get("policy"))
    first = policy_file(given.get("start_policy"))
    check_answer_output(given, given["model"], *inputs, first)
    if given["to"] in ANSWER_FOLDERS:
        raise OptionError(f"--to {given['to']}: found with --iterates, which are no arrays; expected another")
    check_picture(given, given["model"], *inputs, first)
    for key in (key for key in OPTIONS if given.get(key) is not None and key != "in_place"):
        raise OptionError(f"{flag(key)}: found with --iterates, which has no such option")
    if given["show"] is not None:
        raise OptionError("--show: found with --iterates, which has no such option")
    mdp = read_model(given)
    only = named_states(mdp, given["state"])
    policy, start = given.get("policy"), given.get("start_policy")
    method = _method(task, given["method"], mdp)
    if start is not None and method != "policy-iteration":
        raise OptionError(f"--start-policy: found with {method}, expected --method policy-iteration")
    found = iterates(
        mdp,
        method,
        given["iterates"],
        policy=None if policy is None else read_policy(policy, mdp),
        start_from=None if given["start_from"] is None else read_start(given["start_from"], mdp),
        start_policy=None if start is None else read_named(start, mdp, "--start-policy"),
        in_place=bool(given["in_place"]),
        exact=given["exact"],
    )
    deliver(IteratesReport(found, given["everything"], only), given)
    note_written(given["quiet"], given["output"], given["plot"])
    return 0


def _method(task: str, name: str, mdp: MDP) -> str:
    """Return the method whose steps are shown: the one named, or that of the command and the model."""
    method = canonical(name)
    usual = "policy-evaluation" if task == "prediction" else "value-iteration"
    if method == "auto":
        return "backward-induction" if mdp.problem.timed and task == "control" else usual
    if (method == "policy-evaluation") != (task == "prediction"):
        raise OptionError(f"method {quoted(name)}: has no steps that this command shows. Take {usual}")
    return method
