"""tabular-rl compare"""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.analysis.assertion import Assertion
from tabular_rl.analysis.comparison import ALWAYS, asked_method, compare, fitting_methods
from tabular_rl.commands._deliver import NO, at_work, exit_code, is_file, note_written, show
from tabular_rl.commands._help import OfMethods
from tabular_rl.commands._program import COMMANDS
from tabular_rl.commands._shared import (
    SEVERAL,
    Value,
    check_output,
    flag,
    json_option,
    model_options,
    option_flags,
    quiet_option,
    read_model,
    together,
)
from tabular_rl.commands._signals import writing
from tabular_rl.commands.learn import behavior, read_data
from tabular_rl.errors import OptionError, escape, quoted
from tabular_rl.methods.lookup import LEARNERS, METHODS, canonical, unknown_method
from tabular_rl.report.comparison import ComparisonReport
from tabular_rl.report.render.files import write_report
from tabular_rl.report.render.picture import SUFFIXES, require_plot, write_picture
from tabular_rl.solving.options import OPTIONS

OF_LEARNERS = option_flags(list(LEARNERS), but=ALWAYS)


@click.command("compare", cls=OfMethods, short_help=COMMANDS["compare"])
@model_options
@click.argument(
    "names",
    metavar="[METHOD...]",
    nargs=-1,
)
@click.option("--method", "methods", multiple=True, metavar="METHOD", help=f"Only this method. {SEVERAL}")
@click.option(
    "--policy", metavar="POLICY", help="Compare evaluations of this policy, not searches for the best one."
)
@together(
    click.option(
        "--behavior", metavar="POLICY", help="Learners choose their actions by this policy: off policy."
    ),
    click.option("--data", metavar="LOG", help="Learners learn from the transitions of a log."),
    *OF_LEARNERS,
)
@click.option(
    "--assert",
    "asserted",
    multiple=True,
    metavar="TEXT",
    help=f"Exit with 1 unless this is proven, such as 'value-iteration < 1e-6'. {SEVERAL}",
)
@click.option(
    "--tolerance", type=Value(OPTIONS["tolerance"]), help="Tolerance of each method  [default: 1e-06]."
)
@click.option("--threads", type=Value(OPTIONS["threads"]), help="Threads of each method that has them.")
@click.option("--time-limit", type=Value(OPTIONS["time_limit"]), help="Seconds for each method.")
@click.option(
    "--csv", "as_csv", metavar="FILE", help="Write the learning curves to FILE: method, run, step, errors."
)
@click.option(
    "--plot",
    metavar="FILE",
    help="Draw the learning curves, or the residuals of methods that do not learn, as FILE, "
    "png, svg or pdf (needs the extra plot).",
)
@click.option("-o", "--output", metavar="FILE", help="Write the comparison to FILE too, as JSON.")
@json_option
@quiet_option
def command(**given: Any) -> int:
    """Compare methods on a model with the exact answer.

    Every method that fits the model is run, or those named. Shown are the largest error of its values, what it has
    proven itself (bound), what its policy loses, its work and its time. Up to 100 states the exact answer is rational.

    Methods that learn are compared where they are named: their largest error on the way and at the end, over the runs,
    and what their greedy policies lose from the start (regret). METHOD may carry options of its own:
    q-learning,step-size=1/n,explore=boltzmann:1.

    An assertion is METHOD < NUMBER for the error, or METHOD.loss, METHOD.seconds, METHOD.bound (of a learner
    METHOD.rms) with <, <=, > or >=; of a learner the median over the runs is meant.

    \b
    tabular-rl compare example:forest
    tabular-rl compare example:forest VI PI --assert "VI < 0.05"
    tabular-rl compare example:forest q-learning sarsa --steps 1e5 --runs 20
    """
    from tabular_rl.formats.named_policies import read_policy
    from tabular_rl.formats.output import all_or_none

    assertions = [Assertion.of(text) for text in given["asserted"]]
    named = [canonical(text) for text in (*given["names"], *given["methods"])]
    options = asked_options(given, named)
    check_output(given["output"], given["model"], suffixes=(".json",))
    check_output(given["as_csv"], given["model"], suffixes=(".csv",), name="--csv")
    if given["plot"] is not None:
        check_output(given["plot"], given["model"], suffixes=SUFFIXES, name="--plot")
        require_plot()
    mdp = read_model(given)
    policy = read_policy(given["policy"], mdp) if given["policy"] is not None else None
    known = named or fitting_methods(mdp, "control" if policy is None else "prediction")
    for assertion in assertions:
        if assertion.method not in known:
            raise OptionError(
                f"--assert: method {quoted(assertion.method)} is not compared, "
                f"expected one of {', '.join(map(escape, known))}"
            )
    if given["behavior"] is not None:
        options["behavior"] = behavior(given["behavior"], mdp)
    if given["data"] is not None:
        options["data"] = read_data(given["data"], mdp)
    with at_work(mdp, given["quiet"]):
        found = compare(mdp, named or None, policy, **options)
    verdicts = [assertion.holds(found) for assertion in assertions]
    report = ComparisonReport(found, assertions, verdicts)
    output, sheet, picture = given["output"], given["as_csv"], given["plot"]
    with all_or_none(), writing(output or sheet or picture):
        if is_file(output):
            write_report(report, output)
        if sheet is not None:
            write_report(report, sheet, ".csv")
        if picture is not None:
            write_picture(report, picture)
    show(report, given)
    note_written(given["quiet"], output, sheet, picture)
    return exit_code(0 if all(verdicts) else NO)


def asked_options(given: dict[str, Any], named: list[str]) -> dict[str, Any]:
    """The options for all methods; OptionError where none of those that are named has one."""
    options = {key: given[key] for key in OPTIONS if given.get(key) is not None}
    for text in named:
        name = asked_method(text)[0]
        if name not in METHODS:
            raise unknown_method(name, METHODS)
    methods = [METHODS[asked_method(text)[0]] for text in named]
    for key in [*options, *(k for k in ("behavior", "data", "as_csv", "plot") if given[k] is not None)]:
        shown = "csv" if key == "as_csv" else key
        if key == "plot":
            continue
        if key == "as_csv":
            if not any(m.learns for m in methods):
                raise OptionError(f"--{shown}: found no method that learns, expected one, such as q-learning")
        elif key not in ALWAYS and not any(key in m.defaults for m in methods):
            raise OptionError(
                f"{flag(shown)}: found no method that has this option. `methods METHOD` lists those it has."
            )
    return options
