"""The command `tabular-rl compare`."""

from __future__ import annotations

from typing import Any

import click

from tabular_rl.analysis.assertion import Assertion
from tabular_rl.analysis.comparison import ALWAYS, asked_method, compare, fitting_methods
from tabular_rl.commands import _options as o
from tabular_rl.commands._deliver import NO, at_work, exit_code, is_file, note_written, show
from tabular_rl.commands._files import (
    check_columns,
    check_output,
    check_picture,
    read_behavior,
    read_data,
    read_model,
)
from tabular_rl.commands._help import OfMethods
from tabular_rl.commands._signals import writing
from tabular_rl.errors import OptionError, escape, quoted
from tabular_rl.formats.named_policies import read_policy
from tabular_rl.formats.output import all_or_none
from tabular_rl.methods.lookup import LEARNERS, METHODS, PLANNERS, canonical, unknown_method
from tabular_rl.report.comparison import ComparisonReport
from tabular_rl.report.render.files import write_report
from tabular_rl.report.render.picture import write_picture
from tabular_rl.solving.options import OPTIONS


@click.command("compare", cls=OfMethods)
@o.model_options
@click.argument("names", metavar="[METHOD...]", nargs=-1)
@click.option(
    "--method", "methods", multiple=True, metavar="METHOD", help=f"Run this method only. {o.REPEAT}"
)
@click.option(
    "--policy", metavar="POLICY", help="Compare the values of this policy, not those of the best policy."
)
@click.option("--behavior", metavar="POLICY", help="Learners act by this policy while learning (off policy).")
@click.option("--data", metavar="LOG", help="Learners learn from the transitions of this log.")
@o.log_options("--data")
@o.together(*o.option_flags(list(LEARNERS), but=ALWAYS))
@click.option(
    "--assert",
    "asserted",
    multiple=True,
    metavar="TEXT",
    help=f"Exit with 1 unless this is proven, such as 'value-iteration < 1e-6'. {o.REPEAT}",
)
@o.value_option(OPTIONS["tolerance"], "Tolerance of each method  [default: 1e-06].")
@o.value_option(OPTIONS["threads"], "Number of threads of each method that has this option.")
@o.value_option(OPTIONS["time_limit"], "Stop each method after this many seconds.")
@click.option(
    "--csv", "as_csv", metavar="FILE", help="Write the learning curves to FILE: method, run, step, errors."
)
@o.plot_options("Draw the learning curves, or the residuals of methods that do not learn,")
@o.output_option("Also write the comparison to FILE, as JSON.")
@o.json_option
@o.quiet_option
def command(**given: Any) -> int:
    """Compare methods on a model with the exact answer.

    Every method that fits the model is run, or those that are named. The table shows for each method the largest error
    of its values, the bound that it has proven itself, how much its policy loses, its work and its time (without
    compiling, which happens once on a machine). Up to 100 states the exact answer is in fractions.

    Methods that learn are run if they are named. The table shows their largest error during and at the end of the run,
    over all runs, and how much their greedy policies lose from the start (regret). METHOD may have options of its own:
    q-learning,step-size=1/n,explore=boltzmann:1.

    An assertion is METHOD < NUMBER for the error, or METHOD.loss, METHOD.seconds, METHOD.bound (of a learner
    METHOD.rms) with <, <=, > or >=. For a learner, it is about the median over the runs.

    \b
    tabular-rl compare example:forest
    tabular-rl compare example:forest VI PI --assert "VI < 0.05"
    tabular-rl compare example:forest q-learning sarsa --steps 1e5 --runs 20
    """
    assertions = [Assertion.of(text) for text in given["asserted"]]
    named = [canonical(text) for text in (*given["names"], *given["methods"])]
    options = _asked_options(given, named)
    check_columns(given)
    check_output(given["output"], given["model"], suffixes=(".json",))
    check_output(given["as_csv"], given["model"], suffixes=(".csv",), name="--csv")
    check_picture(given, given["model"])
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
        options["behavior"] = read_behavior(given["behavior"], mdp)
    if given["data"] is not None:
        options["data"] = read_data(given["data"], given, mdp)
    with at_work(mdp, given["quiet"]):
        found = compare(mdp, named or None, policy, **options)
    verdicts = [assertion.holds(found) for assertion in assertions]
    report = ComparisonReport(found, assertions, verdicts)
    output, sheet, picture = given["output"], given["as_csv"], given["plot"]
    with all_or_none(), writing(output or sheet or picture):
        if is_file(output):
            write_report(report, output)
        if sheet is not None:
            write_report(report, sheet, "csv")
        if picture is not None:
            write_picture(report, picture, given["draw"] or "")
    show(report, given)
    note_written(given["quiet"], output, sheet, picture)
    return exit_code(0 if all(verdicts) else NO)


def _asked_options(given: dict[str, Any], named: list[str]) -> dict[str, Any]:
    """Return the options for all methods; OptionError where none of those that are named has one."""
    options = {key: given[key] for key in OPTIONS if given.get(key) is not None}
    names = [asked_method(text)[0] for text in named]
    for name in names:
        if name not in METHODS:
            task = "control" if given["policy"] is None else "prediction"
            planners = ", ".join(known for known, method in PLANNERS.items() if method.task == task)
            raise unknown_method(name, METHODS, f"Methods: {planners}, and learners, which `methods` lists.")
    methods = [METHODS[name] for name in names]
    for key in [*options, *(key for key in ("behavior", "data") if given[key] is not None)]:
        if key not in ALWAYS and not any(key in method.defaults for method in methods):
            raise OptionError(
                f"{o.flag(key)}: found no method that has this option. `methods METHOD` lists those it has."
            )
    if given["as_csv"] is not None and not any(method.learns for method in methods):
        raise OptionError("--csv: found no method that learns, expected one, such as q-learning")
    return options
