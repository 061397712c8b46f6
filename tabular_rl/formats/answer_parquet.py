"""Answers as Parquet files, with the columns of CSV."""

from __future__ import annotations

import io
from importlib import import_module

from tabular_rl.errors import ModelError
from tabular_rl.formats.answer_entries import Answer
from tabular_rl.formats.answer_lines import AnswerLines, answer_of_lines
from tabular_rl.formats.frames import columns_of
from tabular_rl.model.mdp import MDP


def read_answer_parquet(data: bytes, mdp: MDP, policy_only: bool = False) -> Answer:
    """Return the answer of a Parquet file, as `answer_of_lines` has it; pyarrow reads it.

    Parameters
    ----------
    data : the whole file
    mdp : the model that it answers
    policy_only : skip the values where there is a column action

    Returns
    -------
    Answer in the order of the model's states and in its sign.

    Raises
    ------
    ModelError : it cannot be read, or what was found and expected in which state
    """
    parquet = import_module("pyarrow.parquet")
    try:
        columns = columns_of(parquet.read_table(io.BytesIO(data)))
    except ModelError:
        raise
    except Exception:  # pyarrow raises many kinds on damaged bytes
        raise ModelError("found damaged bytes, expected a Parquet file that pyarrow reads") from None
    return answer_of_lines(AnswerLines.of_columns(columns), mdp, policy_only)
