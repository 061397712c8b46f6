"""The report of an answer of any kind, and where it goes: what `print` shows, and what `save` writes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from tabular_rl.analysis.comparison import Comparison
from tabular_rl.analysis.confidence import Confidence
from tabular_rl.analysis.estimation import Estimate
from tabular_rl.analysis.exercise import Exercise, Grade, Key
from tabular_rl.analysis.explain import Explanation
from tabular_rl.analysis.gradient import GradientStudy
from tabular_rl.analysis.iterates import Iterates
from tabular_rl.analysis.ope import OffPolicy
from tabular_rl.analysis.simulation import Simulation
from tabular_rl.analysis.update import Update
from tabular_rl.certificates.verdict import Verdict
from tabular_rl.errors import OptionError, path_text, quoted
from tabular_rl.formats.frames import library_of, make_frame
from tabular_rl.formats.log_arrays import frame_columns
from tabular_rl.formats.registry import ANSWERS, SHEETS
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.transitions import Log, Transitions
from tabular_rl.report.blocks import Report
from tabular_rl.report.comparison import ComparisonReport
from tabular_rl.report.estimate import ConfidenceReport, EstimateReport
from tabular_rl.report.exercise import GradeReport, SheetReport
from tabular_rl.report.explain import ExplanationReport
from tabular_rl.report.gradient import GradientReport
from tabular_rl.report.iterates import IteratesReport
from tabular_rl.report.learned import LearnedReport
from tabular_rl.report.model import ModelReport
from tabular_rl.report.ope import OffPolicyReport
from tabular_rl.report.policy_report import PolicyReport
from tabular_rl.report.render.files import rendered, write_report
from tabular_rl.report.render.html import report_html
from tabular_rl.report.render.picture import plot_report
from tabular_rl.report.render.text import report_text
from tabular_rl.report.simulation import SimulationReport
from tabular_rl.report.solution import SolutionReport
from tabular_rl.report.update import UpdateReport
from tabular_rl.report.verdict import VerdictReport
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.solution import Solution

# A kind of answer -> its report. A kind of its own stands before the one that it is made of.
REPORTS: dict[type, Callable[[Any], Report]] = {
    Learned: lambda learned: LearnedReport(learned, lambda: learned.regret, warned=True),
    Solution: SolutionReport,
    Comparison: ComparisonReport,
    Simulation: SimulationReport,
    Verdict: VerdictReport,
    Estimate: EstimateReport,
    Confidence: ConfidenceReport,
    OffPolicy: lambda found: OffPolicyReport(found, warned=True),
    Iterates: IteratesReport,
    Explanation: ExplanationReport,
    Update: UpdateReport,
    Exercise: SheetReport,
    Key: lambda key: SheetReport(key.exercise, solution=True, sheet_too=False),
    Grade: GradeReport,
    GradientStudy: GradientReport,
    MDP: ModelReport,
    Policy: PolicyReport,
}


def _report_of(answer: Any) -> Report:
    """Return the report of an answer."""
    return next(report for kind, report in REPORTS.items() if isinstance(answer, kind))(answer)


def text_of(answer: Any) -> str:
    """Return the text of an answer, as the command that finds it prints it."""
    return report_text(_report_of(answer))


def sheet_of(exercise: Exercise, form: str, solution: bool) -> str:
    """Return the sheet of an exercise in a form.

    Parameters
    ----------
    exercise : what is asked
    form : "text", "markdown" or "latex"
    solution : whether the way to the answers stands below

    Returns
    -------
    The text.

    Raises
    ------
    OptionError : there is no such form
    """
    return "".join(map(str, rendered(SheetReport(exercise, solution), SHEETS.named(form))))


def frame_of(answer: Any, library: str, what: str) -> Any:
    """Return an answer, a policy or a log as a data frame.

    Parameters
    ----------
    answer : what the frame holds
    library : "pandas", "polars" or "pyarrow"; "" for one that is installed
    what : which of its frames; the first by default

    Returns
    -------
    A DataFrame, or a Table of pyarrow.
    """
    chosen = library_of(library)
    if isinstance(answer, (Log, Transitions)):
        return make_frame(frame_columns(answer), chosen)
    return make_frame(_report_of(answer).columns(what), chosen)


def html_of(answer: Any) -> str:
    """Return what a notebook shows of an answer, a model or a policy."""
    return report_html(_report_of(answer))


def plot(answer: Any, ax: Any = None, what: str = "") -> Any:
    """Draw an answer, a model or a policy between axes of matplotlib, and return these.

    Parameters
    ----------
    answer : what is drawn
    ax : matplotlib's Axes; without, those of a new figure
    what : which of its pictures; the first by default

    Returns
    -------
    matplotlib's Axes.
    """
    return plot_report(_report_of(answer), ax, what)


def write(answer: Solution, path: str | os.PathLike[str], name: str | None = None) -> None:
    """Write an answer to a file or a folder.

    Parameters
    ----------
    answer : what is written
    path : where to
    name : a format of answers; by default that of the suffix, JSON without one

    Raises
    ------
    OptionError : another suffix than those of answers, or another format
    OutputError : path and reason; what stood there before is intact
    """
    suffix = os.path.splitext(os.fspath(path))[1]
    if suffix and name is None and ANSWERS.of(path) is None:
        known = " or ".join(ANSWERS.suffixes)
        raise OptionError(
            f"{path_text(os.fspath(path))}: found the suffix {quoted(suffix)}, expected {known}; without one it is JSON"
        )
    write_report(_report_of(answer), path, name)
