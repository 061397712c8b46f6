"""The command `tabular-rl explain`."""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.analysis.explain import Explanation, explain
from tabular_rl.analysis.update import DECIDED, ONE_STEP
from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import at_work, deliver, note_written
from tabular_rl.commands._files import (
    check_output,
    named_state,
    policy_file,
    read_behavior,
    read_model,
    read_named,
    read_start,
    start_file,
)
from tabular_rl.commands._help import Command
from tabular_rl.formats.named_policies import read_policy
from tabular_rl.formats.registry import ANSWERS
from tabular_rl.methods.lookup import LEARNERS
from tabular_rl.model.calls import Option
from tabular_rl.report.explain import ExplanationReport
from tabular_rl.report.update import UpdateReport

SWEEP = Option("sweep", int, "which sweep", low=1, high=1_000_000)
TIME = Option("time", int, "which time step", low=0, high=2**31)
STEP = Option("step", int, "which step", low=1, high=1e9)


@click.command("explain", cls=Command)
@o.model_options
@click.option("--state", metavar="STATE", help="The state whose value is explained.")
@click.option("--action", metavar="ACTION", help="Explain q of this action alone.")
@o.value_option(SWEEP, "Explain V_k of this sweep, which arises from V_{k-1}; without, the solution.")
@o.value_option(TIME, "Explain V_t of this time step, where the model has a horizon. Without, t = 0.")
@click.option(
    "--policy", metavar="POLICY", help="Explain the value of this policy, as --policy of evaluate names it."
)
@click.option(
    "--method",
    metavar="METHOD",
    help="Whose sweep it is: value-iteration, policy-iteration or policy-evaluation (with --policy). With --step or "
    f"--transition the learner: {', '.join(ONE_STEP)}  [default: q-learning].",
)
@click.option(
    "--transition",
    metavar="S,A,R,S2",
    help="Explain the update that a learner makes of this transition, of SARSA with the next action: S,A,R,S2,A2. "
    'Names that hold commas stand in quotes, as in \'"1,1",up,-1,"1,0"\'.',
)
@o.value_option(STEP, "Explain update n of a run of a learner.")
@click.option("--behavior", metavar="POLICY", help="The learner chooses its actions by this policy.")
@o.together(*o.option_flags(list(ONE_STEP), but=DECIDED))
@click.option("--in-place", is_flag=True, default=None, help="Sweeps use each new value at once.")
@o.start_from_option
@o.start_policy_option
@o.file_options("the explanation")
def command(**given: Any) -> int:
    """Show how the value of a state arises, with the numbers in Bellman's equation.

    Bellman's equation stands first, then the same with the numbers of the state: each outcome, each action, the action
    that wins, ties, and how much worse the next one is. Models of up to 100 states are reckoned in fractions.

    With --transition, or with --step of a run, it is one update of a learner: the old value, what the next state is
    worth, the target, the TD error, the step size and the new value, as the learner itself made them.

    \b
    tabular-rl explain example:forest --state middle
    tabular-rl explain example:forest --state middle --sweep 2
    tabular-rl explain example:gridworld_4x4 --state 1,1 --policy uniform
    tabular-rl explain example:forest --transition middle,wait,0,old
    tabular-rl explain example:forest --method sarsa --step 12 --seed 3
    """
    start, first, behavior = given["start_from"], given["start_policy"], given["behavior"]
    inputs = start_file(start or ()), *map(policy_file, (given["policy"], first, behavior))
    check_output(given["output"], given["model"], *inputs, suffixes=ANSWERS.suffixes)
    mdp = read_model(given)
    policy = given["policy"]
    state = None if given["state"] is None else mdp.states[named_state(mdp, given["state"], "--state")]
    known = {key for name in ONE_STEP for key in LEARNERS[name].options}
    learner = {key: given[key] for key in known if given.get(key) is not None}
    if behavior is not None:
        learner["behavior"] = read_behavior(behavior, mdp)
    with at_work(mdp, given["quiet"]):
        found = explain(
            mdp,
            state,
            given["action"],
            sweep=given["sweep"],
            time=given["time"],
            policy=None if policy is None else read_policy(policy, mdp),
            method=given["method"],
            in_place=bool(given["in_place"]),
            start_from=None if start is None else read_start(start, mdp),
            start_policy=None if first is None else read_named(first, mdp, "--start-policy"),
            transition=given["transition"],
            step=given["step"],
            **learner,
        )
    deliver(ExplanationReport(found) if isinstance(found, Explanation) else UpdateReport(found), given)
    note_written(given["quiet"], given["output"])
    return 0
