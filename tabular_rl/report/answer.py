"""The text and the file of an answer of any kind: what `print` shows, and what `save` writes."""

from __future__ import annotations

import os
from typing import Any

from tabular_rl.analysis.comparison import Comparison
from tabular_rl.analysis.simulation import Simulation
from tabular_rl.certificates.verdict import Verdict
from tabular_rl.formats.answers import check_suffix, write_answer, write_either
from tabular_rl.report.comparison import comparison_text
from tabular_rl.report.learned import learned_csv, learned_document, learned_text
from tabular_rl.report.simulation import simulation_text
from tabular_rl.report.tables import answer_text
from tabular_rl.report.verdict import verdict_text
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.solution import Solution


def text_of(answer: Any) -> str:
    """Return the text of an answer, as the command that finds it prints it."""
    if isinstance(answer, Comparison):
        return comparison_text(answer)
    if isinstance(answer, Simulation):
        return simulation_text(answer)
    if isinstance(answer, Verdict):
        return verdict_text(answer)
    if isinstance(answer, Learned):
        warnings = [f"{answer.method}: {verdict}" for verdict in answer.verdicts]
        return "\n".join([learned_text(answer, answer.regret), *([""] if warnings else []), *warnings])
    return answer_text(answer)


def write(answer: Solution, path: str | os.PathLike[str]) -> None:
    """Write an answer to a file, CSV where its name ends in .csv, else JSON.

    Raises
    ------
    OptionError : another suffix than .csv or .json
    OutputError : path and reason; what stood there before is intact
    """
    check_suffix(path)
    if not isinstance(answer, Learned):
        write_answer(answer, path)
    else:
        write_either(path, lambda: learned_document(answer, answer.regret), lambda: learned_csv(answer))
