"""What a report shows of an answer, as the tests read it: text, entries and sheets."""

from __future__ import annotations

from typing import Any

from tabular_rl.report import learned as of_learned
from tabular_rl.report.grid import grid_blocks
from tabular_rl.report.learned import LearnedReport
from tabular_rl.report.model import model_blocks
from tabular_rl.report.render.csv import csv_parts
from tabular_rl.report.render.text import report_text, text
from tabular_rl.report.solution import SolutionReport, values_blocks


def answer_text(solution: Any, **view: Any) -> str:
    return report_text(SolutionReport(solution, **view))


def values_table(solution: Any, *view: Any, **more: Any) -> str:
    return text(values_blocks(solution, *view, **more))


def grid_text(solution: Any) -> str | None:
    return text(grid_blocks(solution)) or None


def model_table(mdp: Any) -> str:
    return text(model_blocks(mdp)[1:])


def learned_text(learned: Any, **view: Any) -> str:
    return report_text(LearnedReport(learned, **view))


def learned_document(learned: Any, regret: Any = None) -> dict[str, Any]:
    return LearnedReport(learned, lambda: regret).entries()


def learned_csv(learned: Any) -> str:
    return "".join(csv_parts(LearnedReport(learned).sheet()))


def states_table(learned: Any) -> str:
    return text(of_learned.states_blocks(learned))


def never_text(learned: Any) -> str:
    return "\n".join(of_learned.never_lines(learned))
