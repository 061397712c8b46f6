"""tabular-rl gradient"""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.analysis.simulation import EPISODES, SEED, STEPS
from tabular_rl.commands import COMMANDS, solving, writing
from tabular_rl.commands._memory import check_memory
from tabular_rl.commands._shared import (
    SEVERAL,
    Command,
    Value,
    all_option,
    check_output,
    json_option,
    model_options,
    policy_option,
    quiet_option,
    read_model,
)
from tabular_rl.errors import OptionError, closest, path_text, quoted
from tabular_rl.formats.registry import ANSWERS
from tabular_rl.methods.gradient.estimators import ESTIMATORS, checked_name
from tabular_rl.model.mdp import MDP
from tabular_rl.report.progress import Progress
from tabular_rl.report.screen import note, out, warn
from tabular_rl.report.tables import plural, seconds_text
from tabular_rl.solving import run as running
from tabular_rl.solving.options import OPTIONS

NOT_REACHED = 3
MOST_PAIRS = 600  # state-action pairs up to which all estimators are computed unasked
MOST_WORK = 4e8  # pairs² times steps of a horizon
MOST_EPISODES = 10_000  # played unasked
PLAYED = 1e9  # steps times pairs times estimators, and episodes times pairs² times estimators, played unasked
LONGEST = 20_000  # expected steps of an episode up to which episodes are played unasked


@click.command("gradient", cls=Command, short_help=COMMANDS["gradient"])
@model_options
@policy_option
@click.option(
    "--estimator",
    "estimators",
    multiple=True,
    metavar="NAME",
    help=f"An estimator, in place of all: {', '.join(ESTIMATORS[:-1])}, gae:LAMBDA. {SEVERAL}",
)
@click.option(
    "--undiscounted",
    is_flag=True,
    help="Leave out the weight γ^t, as handouts do; episodes are then not stopped with probability 1 - γ.",
)
@click.option(
    "--steps",
    type=Value(STEPS),
    help="Without a horizon: cut episodes off after so many steps, in place of stopping them; the bias is shown.",
)
@click.option(
    "--episodes",
    type=Value(EPISODES),
    help="Episodes to sample  [default: 10000, or fewer where they are long]",
)
@click.option("--seed", type=Value(SEED), default=0, show_default=True, help="Start of the random numbers.")
@click.option("--time-limit", type=Value(OPTIONS["time_limit"]), help="Seconds after which sampling stops.")
@click.option(
    "--plot",
    metavar="FILE",
    help="Draw gradient and covariances to FILE: .png, .svg or .pdf. Needs the extra plot.",
)
@click.option(
    "--axis",
    "axes",
    multiple=True,
    nargs=2,
    metavar="STATE ACTION",
    help="One of two entries of the gradient that --plot draws, in place of the gradient's own direction.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write the gradient to FILE: CSV where it ends in .csv; JSON, with the estimators, in .json or no suffix.",
)
@json_option
@all_option
@quiet_option
def command(**given: Any) -> int:
    """Find the exact policy gradient, with bias and variance of its estimators.

    θ holds a preference for each state and action, π(a|s) ∝ exp(θ(s,a)), and J(θ) is the expected return from the
    start. Bias and covariance of each estimator are exact, and sampled episodes stand beside them. Without a horizon,
    at γ < 1, an episode ends after each step with probability 1 - γ and is not discounted then, which is unbiased.

    \b
    tabular-rl gradient example:recycling_robot
    tabular-rl gradient example:forest --policy epsilon-greedy:0.1:optimal
    tabular-rl gradient example:forest --horizon 5 --estimator q --plot q.png
    """
    from tabular_rl.formats.answers import write_either
    from tabular_rl.formats.named_policies import read_policy
    from tabular_rl.formats.output import all_or_none
    from tabular_rl.report.gradient import (
        gradient_csv,
        gradient_document,
        gradient_json,
        gradient_text,
        plot_gradient,
    )

    for name in given["estimators"]:
        checked_name(name)
    if given["plot"] is not None:
        from tabular_rl.report.plot import SUFFIXES, require_plot

        require_plot()
        check_output(given["plot"], given["model"], suffixes=SUFFIXES, name="--plot")
    elif given["axes"]:
        raise OptionError("--axis: found no --plot, expected one: it says what is drawn")
    check_output(
        given["output"], given["model"], given["policy"].rpartition(":")[2], suffixes=ANSWERS.suffixes
    )
    mdp = read_model(given)
    axes = [pair_of(mdp, state, action) for state, action in given["axes"]]
    if len(axes) not in (0, 2) or len(set(axes)) != len(axes):
        raise OptionError(
            "--axis: expected two different entries, such as --axis STATE ACTION --axis STATE ACTION"
        )
    if given["steps"] is not None and mdp.problem.timed:
        raise OptionError("--steps: found a horizon too, which ends episodes; expected one of them")
    policy = read_policy(given["policy"], mdp)
    check_memory(mdp)
    report = found(mdp, policy, given)
    output, quiet = given["output"], given["quiet"]
    with all_or_none(), writing(output or given["plot"]):
        if given["plot"] is not None:
            if not report.estimates:
                raise OptionError("--plot: found a model of many pairs, expected an --estimator to draw")
            plot_gradient(report, given["plot"], axes)
        if output is not None and output != "-":
            write_either(output, lambda: gradient_document(report), lambda: gradient_csv(report))
    if given["as_json"] or output == "-":
        out(gradient_json(report))
    elif not (quiet and output is not None):
        out(gradient_text(report, given["everything"]))
    sampled = next((e.sampled for e in report.estimates if e.sampled is not None), None)
    if sampled is not None and sampled.stopped:
        why = {"time": "the time limit is over; raise --time-limit", "signal": "interrupted"}[sampled.stopped]
        warn(f"not reached: {why}")
    if not quiet:
        if sampled is not None:
            note(
                f"{plural(sampled.episodes, 'episode')}, {plural(sampled.steps, 'step')} in "
                f"{seconds_text(sampled.seconds)}\n"
            )
        for path in (output, given["plot"]):
            if path is not None and path != "-":
                note(f"{path_text(path)}: written\n")
    if running.interrupt.signum is not None:
        return 128 + running.interrupt.signum
    return NOT_REACHED if sampled is not None and sampled.stopped else 0


def found(mdp: MDP, policy: Any, given: dict[str, Any]) -> Any:
    """The gradient, and as many estimators as were asked for or take no long time."""
    from tabular_rl.methods.gradient._episodes import Episodes
    from tabular_rl.methods.gradient.exact import exact_gradient
    from tabular_rl.methods.gradient.moments import all_moments
    from tabular_rl.methods.gradient.sample import sample_gradient
    from tabular_rl.methods.gradient.softmax import SoftmaxPolicy
    from tabular_rl.report.gradient import Estimate, GradientReport

    softmax = SoftmaxPolicy.of(policy)
    gradient = exact_gradient(softmax)
    names = list(dict.fromkeys(given["estimators"])) or list(ESTIMATORS)
    discounted = not given["undiscounted"] or mdp.gamma_exact == 1
    if not given["estimators"] and (mdp.L > MOST_PAIRS or mdp.L**2 * (mdp.horizon or 1) > MOST_WORK):
        why = f"estimators left out: each covariance has {mdp.L} × {mdp.L} entries; name an --estimator to have it"
        return GradientReport(given["policy"], gradient, left_out=why)
    stopping = False if not discounted and not mdp.problem.timed and given["steps"] is None else None
    ends: dict[str, Any] = {"stopping": stopping, "steps": given["steps"], "discounted": discounted}
    moments = all_moments(softmax, names, **ends)
    walk = Episodes(softmax, stopping=stopping, steps=given["steps"])
    kind = ""
    if walk.stopping:
        kind = "; it ends after each step with probability 1 - γ, undiscounted then"
    elif given["steps"] is not None:
        kind = f", cut off after {plural(given['steps'], 'step')}"
    if not discounted:
        kind += ", without the weight γ^t"
    episodes, left_out = given["episodes"], ""
    if episodes is None:
        length = float(walk.forth(1.0, walk.begin).sum())
        work = mdp.L * len(names)
        episodes = int(min(MOST_EPISODES, max(PLAYED / (work * max(length, mdp.L, 1.0)), 1)))
        if length > LONGEST:
            episodes, left_out = (
                0,
                f"no episodes are sampled, as one takes {length:.3g} steps; --episodes asks for them",
            )
    sampled: list[Any] = [None] * len(names)
    if episodes:
        with Progress(given["quiet"]), solving():
            sampled = sample_gradient(
                softmax, names, episodes=episodes, seed=given["seed"], time_limit=given["time_limit"], **ends
            )
    estimates = tuple(Estimate(m, s) for m, s in zip(moments, sampled, strict=True))
    return GradientReport(given["policy"], gradient, estimates, kind, left_out, total=not discounted)


def pair_of(mdp: MDP, state: str, action: str) -> int:
    """The row of a state and action by name."""
    s, a = mdp.states.find(state), mdp.actions.find(action)
    if s is None:
        raise OptionError(f"--axis: no state {quoted(state)}{closest(state, mdp.states[:10_000])}")
    names = [mdp.actions[int(mdp.pair_action[i])] for i in mdp.rows(s)]
    if a is None or action not in names:
        raise OptionError(
            f"--axis: state {quoted(state)}: no action {quoted(action)}{closest(action, names)}"
        )
    return mdp.rows(s)[names.index(action)]
