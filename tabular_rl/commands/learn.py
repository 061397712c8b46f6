"""The command `tabular-rl learn`."""

from __future__ import annotations

import os
from typing import Any

import click

from tabular_rl.analysis.regret import Regret, regret
from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import NOT_REACHED, at_work, deliver, exit_code, note_written
from tabular_rl.commands._files import (
    check_answer_output,
    check_columns,
    check_output,
    check_picture,
    named_states,
    policy_file,
    read_behavior,
    read_data,
    read_model,
    read_start,
    start_file,
)
from tabular_rl.commands._help import OfMethods
from tabular_rl.errors import OptionError, OutputError, path_text
from tabular_rl.formats.checkpoint import checkpoint_to, read_checkpoint
from tabular_rl.formats.named_policies import read_policy
from tabular_rl.methods.lookup import LEARNERS, canonical, learner_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.transitions import behavior_of
from tabular_rl.report.learned import LearnedReport, work_line
from tabular_rl.report.screen import note, warn
from tabular_rl.report.words import cut_short
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.solution import Status

DEFAULT = "q-learning"
LATER = 0.1  # of the time limit goes to the evaluation of the policies, once the learning is over


learner_options = o.option_flags(
    list(LEARNERS),
    {
        "threads": "number of threads that share the runs. The answer has the same bits with any number",
        "time_limit": "stop after this many seconds and answer with what was learned so far",
    },
    last=("sweeps", "threads", "time_limit"),
)


@click.command("learn", cls=OfMethods)
@o.answer_model_options
@click.option("--method", metavar="METHOD", help=f"One of the methods above  [default: {DEFAULT}]")
@click.option(
    "--policy",
    metavar="POLICY",
    help="Policy whose values are learned, by methods that evaluate one: as in evaluate  [default: uniform].",
)
@click.option(
    "--behavior",
    metavar="POLICY",
    help="Choose the actions by this policy while learning (off policy). `log` is the policy that made --data, "
    "estimated from it.",
)
@click.option(
    "--data", metavar="LOG", help="Learn from the transitions of a log (CSV, npz, Parquet), again and again."
)
@o.log_options("--data")
@o.together(*learner_options)
@o.start_option("that does not start with --start-value")
@click.option(
    "--no-reference",
    is_flag=True,
    help="Do not solve the model. No exact values, errors and regret are shown.",
)
@click.option(
    "--checkpoint", metavar="FILE", help="Write the run to FILE from time to time, and when it ends."
)
@click.option(
    "--resume",
    metavar="FILE",
    help="Continue from a checkpoint, with its method and options. The bits are those of a run without a stop.",
)
@o.report_options("what was learned")
def command(**given: Any) -> int:
    """Learn from sampled transitions, beside the exact answer.

    The tables show the mean of the learned values over the runs beside the exact values, how often each state was
    visited, the errors, and what the greedy policy of each run truly earns. Values that are learned from samples have
    no certificate. The same seed gives the same answer, and run 3 of 8 is the same as run 3 of 100.

    A warning before the run says if theory knows that it will not converge. Ctrl-C keeps what was learned.

    \b
    tabular-rl learn example:recycling_robot --steps 1e5 --runs 8
    tabular-rl learn example:random_walk_5 --method td0 --runs 20
    """
    state = None if given["resume"] is None else read_checkpoint(given["resume"])
    method = canonical(given["method"] or "") or (DEFAULT if state is None else state["method"])
    learner = learner_of(method)
    options = o.asked_options(given, method, learner, "behavior", "data", "start_from")
    if state is not None:
        kept = {**state["options"], "steps": state["steps"]}
        options = {k: x for k, x in kept.items() if k in learner.defaults and x is not None} | options
        options["resume"] = state
    _check_files(given)
    check_columns(given)
    mdp = read_model(given)
    only = named_states(mdp, given["state"])
    policy = None
    if learner.task == "prediction":
        policy = read_policy(given["policy"] or "uniform", mdp)
    elif given["policy"] is not None:
        raise OptionError(
            f"--policy: {method} finds its own policy, expected a method that evaluates one. See methods."
        )
    options |= _read_inputs(given, mdp)
    if given["no_reference"]:
        options["reference"] = False
    saver = None
    if given["checkpoint"] is not None:
        saver = options["checkpoint"] = _Saver(given["checkpoint"])
    with at_work(mdp, given["quiet"]):
        learned = learner.ask(mdp, policy, **options)
        lost = _regret_of(learned, options.get("time_limit"))
    if learned.status is Status.INTERRUPTED and given["quiet"] < 2:
        note(cut_short(learned) + "\n")
    called, show_q = given["policy"] or "uniform", given["show"] == "q"
    deliver(LearnedReport(learned, lambda: lost, given["everything"], only, show_q, called), given)
    if learned.status not in (Status.SAMPLED, Status.INTERRUPTED):
        warn(f"{learned.method}: {cut_short(learned)}")
    if not given["quiet"]:
        note(work_line(learned) + "\n")
    failed = None if saver is None else saver.failed
    note_written(
        given["quiet"], given["checkpoint"] if failed is None else None, given["output"], given["plot"]
    )
    if failed is not None:
        note(f"{failed}\n")
        return failed.exit_code
    return exit_code(0 if learned.status is Status.SAMPLED else NOT_REACHED)


def _read_inputs(given: dict[str, Any], mdp: MDP) -> dict[str, Any]:
    """Return the log, the behavior and the values to start from that were given, as options of a learner."""
    options: dict[str, Any] = {}
    if given["start_from"] is not None:
        options["start_from"] = read_start(given["start_from"], mdp)
    if given["data"] is not None:
        options["data"] = read_data(given["data"], given, mdp)
    if given["behavior"] == "log" and given["data"] is not None:
        options["behavior"] = behavior_of(options["data"])
    elif given["behavior"] is not None:
        options["behavior"] = read_behavior(given["behavior"], mdp)
    return options


class _Saver:
    """Writes checkpoints. One that cannot be written does not end the run: what is learned is worth more."""

    def __init__(self, path: str) -> None:
        self.write = checkpoint_to(path)
        self.failed: OutputError | None = None

    def __call__(self, state: dict[str, Any]) -> None:
        before, self.failed = self.failed, None
        try:
            self.write(state)
        except OutputError as error:
            self.failed = error
            if before is None:
                warn(f"{error}. The run goes on.")


def _check_files(given: dict[str, Any]) -> None:
    """Raise before anything is learned where a file cannot be written, or is one that is read."""
    inputs = [given["model"], given["data"], given["resume"], start_file(given["start_from"] or ())]
    inputs += map(policy_file, (given["policy"], given["behavior"]))
    check_answer_output(given, *inputs)
    check_picture(given, *inputs)
    checkpoint = given["checkpoint"]
    if checkpoint is None:
        return
    if checkpoint in ("-", ""):
        raise OptionError(f"--checkpoint: found {checkpoint!r}, expected the name of a file")
    check_output(checkpoint, *(path for path in inputs if path != given["resume"]), name="--checkpoint")
    if given["output"] is not None and os.path.abspath(given["output"]) == os.path.abspath(checkpoint):
        raise OptionError(f"{path_text(checkpoint)}: is also the output, expected another file")


def _regret_of(learned: Learned, time_limit: float | None) -> Regret | None:
    """Return what the greedy policies lose, where there are any and there is a best one to compare with."""
    if learned.task != "control" or learned.reference is None or learned.status is Status.INTERRUPTED:
        return None
    limit = None if time_limit is None else max(LATER * time_limit, 0.1)
    return regret(learned, time_limit=limit)
