"""Answers as CSV, a line a state. The columns are in docs/command-line.md."""

from __future__ import annotations

import io

from tabular_rl.errors import Fault, ModelError, quoted
from tabular_rl.formats.answer_entries import EMPTY, Answer
from tabular_rl.formats.answer_lines import AnswerLines, answer_of_lines
from tabular_rl.formats.sheet import Sheet, cells_of
from tabular_rl.model.mdp import MDP


def read_answer_csv(text: str, mdp: MDP, policy_only: bool = False) -> Answer:
    """Return the answer of a CSV file, as `answer_of_lines` has it.

    Parameters
    ----------
    text : the whole file
    mdp : the model that it answers
    policy_only : skip the values where there is a column action

    Returns
    -------
    Answer in the order of the model's states and in its sign.

    Raises
    ------
    ModelError : the line, and what was found and expected there
    """
    sheet = Sheet.of(iter(io.StringIO(text, newline="")))
    if not sheet.names:
        raise ModelError(EMPTY)
    header = cells_of(sheet.header, sheet.line)[: sheet.width]
    if len(header) > 1 and not header[0].strip():
        column = {name: at - 1 for name, at in sheet.column.items() if at}
        lines = [(line, _without_index(fields, i, line)) for i, (line, fields) in enumerate(sheet.records())]
        return answer_of_lines(AnswerLines(column, header[1:], lines, sheet.line), mdp, policy_only)
    return answer_of_lines(AnswerLines(sheet.column, header, sheet.records(), sheet.line), mdp, policy_only)


def _without_index(fields: list[str], row: int, line: int) -> list[str]:
    """Return the fields of a row behind its number, which frames of pandas write into a column without a name.

    >>> _without_index(["0", "high", "1.5"], 0, 2)
    ['high', '1.5']
    """
    if fields[0] != str(row):
        what = f"found {quoted(fields[0])} in a column without a name, expected the number {row} of the row"
        raise ModelError(Fault(what, line=line))
    return fields[1:]
