"""The command `tabular-rl solve`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import click

from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import NOT_REACHED, at_work, deliver, note_written
from tabular_rl.commands._files import (
    check_answer_output,
    check_picture,
    named_states,
    policy_file,
    read_model,
    read_start,
    start_file,
)
from tabular_rl.commands._help import Command
from tabular_rl.commands._steps import stepped
from tabular_rl.errors import OptionError
from tabular_rl.formats.named_policies import read_policy
from tabular_rl.methods.ask import evaluate, solve
from tabular_rl.methods.lookup import canonical, exact_method, planner_of
from tabular_rl.model.clock import profile
from tabular_rl.model.numbers import rounded_up
from tabular_rl.report.profile import ProfileReport, floor_seconds
from tabular_rl.report.render.text import report_text
from tabular_rl.report.screen import note, warn
from tabular_rl.report.solution import SolutionReport, interval_width, status_text, work_text
from tabular_rl.report.words import seconds_text
from tabular_rl.solving.run import interrupt
from tabular_rl.solving.solution import Solution, Status

LINEAR_PROGRAMMING = "linear-programming"


@click.command("solve", cls=Command)
@o.answer_model_options
@o.method_options("control")
@o.report_options("the answer", dual=True)
def command(**given: Any) -> int:
    """Find the best policy of a model, with a proven interval around every value.

    Each value is shown with no more digits than are proven, and with a ± that contains the truth. Actions joined by =
    are proven ties. Actions joined by ≈ are too close to tell apart. If the tolerance is not reached, the best interval
    so far is shown and the exit code is 3. If no finite answer exists, the exit code is 4.

    \b
    tabular-rl solve example:recycling_robot
    tabular-rl solve example:forest --gamma 99/100 --method VI -o answer.json
    """
    return answered("control", given)


def answered(task: str, given: dict[str, Any]) -> int:
    """Answer one of the two questions, solve or evaluate, and return the exit code."""
    if given["iterates"] is not None:
        return stepped(task, given)
    if given.get("start_policy") is not None:
        raise OptionError("--start-policy: found without --iterates, expected both")
    method, options = _chosen_method(given, task)
    policy, start = given.get("policy"), given["start_from"]
    inputs = given["model"], start_file(start or ()), policy_file(policy)
    check_answer_output(given, *inputs)
    check_picture(given, *inputs)
    with ExitStack() as counting:
        phases = counting.enter_context(profile()) if given["profile"] else {}
        mdp = read_model(given)
        only = named_states(mdp, given["state"])
        judged = None if policy is None else read_policy(policy, mdp)
        if start is not None:
            options["start_from"] = read_start(start, mdp)
        with at_work(mdp, given["quiet"]):
            if judged is None:
                solution = solve(mdp, method, **options)
            else:
                solution = evaluate(mdp, judged, method, **options)
    if solution.status is Status.INTERRUPTED and given["quiet"] < 2:  # at once: writing may take a while
        width = interval_width(solution)
        so_far = f"the best interval so far is {rounded_up(width)} wide"
        note(f"interrupted: {so_far if math.isfinite(width) else 'nothing is proven yet'}\n")
    profiled = ProfileReport(solution, phases, floor_seconds(mdp)) if given["profile"] else None
    show = given["show"]
    report = SolutionReport(solution, given["everything"], only, show == "q", profiled, show == "dual")
    deliver(report, given)
    _say_rest(solution, given)
    if profiled is not None and not given["as_json"]:
        note(report_text(profiled) + "\n")
    if solution.status is Status.INTERRUPTED:
        return 128 + (interrupt.signum or 2)
    return 0 if solution.status.reached else NOT_REACHED


def _chosen_method(given: Mapping[str, Any], task: str) -> tuple[str, dict[str, Any]]:
    """Return the method and the options that were given for it; OptionError where it does not have one of them."""
    method = canonical(given["method"])
    if given["exact"]:
        rational = exact_method(task).name
        if method not in ("auto", rational):
            raise OptionError(f"--exact: found --method {method} too, expected one of them")
        method = rational
    if given["show"] == "dual":
        if method not in ("auto", LINEAR_PROGRAMMING):
            raise OptionError(
                f"--show dual: found method {method}, expected {LINEAR_PROGRAMMING}, which has one"
            )
        method = LINEAR_PROGRAMMING
    return method, o.asked_options(given, method, planner_of(method, task), "start_from")


def _say_rest(solution: Solution, given: dict[str, Any]) -> None:
    """Say what standard output does not: that the answer falls short, what was done, where it was written."""
    output, quiet, status = given["output"], given["quiet"], solution.status
    unseen = output == "-" or given["as_json"] or (quiet and output is not None)
    if unseen and not status.reached and status is not Status.INTERRUPTED:
        warn(f"{solution.method}: {status_text(solution)}")
    if not quiet:
        did = work_text(solution)
        parts = [f"{name} {seconds_text(x)}" for name, x in solution.seconds_of.items()]
        spent = seconds_text(solution.seconds) + (f" ({', '.join(parts)})" if parts else "")
        note(f"{solution.method}: {f'{did} in ' if did else ''}{spent}\n")
    note_written(quiet, output, given["plot"])
