"""Answer files: JSON with everything, CSV or Parquet with a line a state, a folder of arrays.

Grammar and examples are in docs/command-line.md.

An answer from elsewhere needs no more than a value for each state: a CSV file with the columns `state` and `value`,
or a JSON object {"values": {"young": 26.2, ...}}.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tabular_rl.errors import ModelError, OptionError, kind_text, path_text, quoted
from tabular_rl.formats.answer_entries import A_MODEL, EMPTY, Answer, Table, state_of
from tabular_rl.formats.answer_lines import AnswerLines, answer_of_lines
from tabular_rl.formats.frames import columns_of, is_frame
from tabular_rl.formats.input import decode, plain_ends, read_all, reporting, source_of, standard_input
from tabular_rl.formats.registry import ANSWERS, MODELS, function
from tabular_rl.model.decisions import array_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy

NPY = b"\x93NUMPY"  # one array of values by itself


def read_answer(path: str, mdp: MDP, policy_only: bool = False) -> Answer:
    """Return what an answer or policy file says about a model.

    Parameters
    ----------
    path : a JSON, CSV or Parquet file, an array of values by np.save, which its first bytes say, or a folder of arrays;
        "-" is standard input
    mdp : the model that it answers
    policy_only : skip the values where the file names actions; they may be those of another horizon

    Returns
    -------
    Answer in the order of the model's states and in its sign; its values (S,), or (T + 1, S) for a finite horizon, or
    its policy may be None, not both.

    Raises
    ------
    ModelError : the file and line, and what was found and expected there
    OptionError : the file, where its actions or probabilities are no policy of the model
    """
    source = source_of(path)
    try:
        with reporting(source):
            answer = _answer_of(path, mdp, policy_only)
            if answer.values is None and answer.policy is None:
                raise ModelError("found neither values nor actions, expected some: a line for each state")
            return answer
    except OptionError as error:
        raise OptionError(f"{path_text(source)}: {error}") from None


def _answer_of(path: str, mdp: MDP, policy_only: bool) -> Answer:
    """Return the answer of a file by its first bytes, or of a folder of arrays."""
    found: Answer
    if os.path.isdir(path):
        folder = next(format for format in ANSWERS.formats if format.folder)
        found = function(folder.read)(Path(path), mdp, policy_only)
        return found
    data = _data_of(path)
    if data.startswith(NPY):
        try:
            array = np.load(io.BytesIO(data), allow_pickle=False)
        except (ValueError, EOFError, MemoryError):
            raise ModelError("found a damaged array, expected one of numbers that np.save wrote") from None
        return answer_of(mdp, array)
    format = ANSWERS.of_bytes(data[:8])
    if format is not None and format.needs is not None:
        format.check_needs(f"{path_text(source_of(path))}: {format.content}")
        found = function(format.read)(data, mdp, policy_only)
        return found
    text = plain_ends(_text_of(data, path))
    if not text.strip():
        raise ModelError(EMPTY)
    first = text.lstrip().partition("\n")[0]
    table = "state" in first.split(",")
    if not first.startswith("{") and _is_model(text, table, path):
        raise ModelError(A_MODEL)
    # A table with its columns is one whatever the file is called; of anything else the name decides.
    named = None if table else ANSWERS.of(path)
    named = None if named is not None and named.needs is not None else named
    format = ANSWERS.of_bytes(first[:8].encode()) or named or ANSWERS.named("csv")
    found = function(format.read)(text, mdp, policy_only)
    return found


def _text_of(data: bytes, path: str) -> str:
    """Return the text of a file; ModelError with what its name promises, where it holds none."""
    try:
        return decode(data)
    except ModelError:
        named = ANSWERS.of(path)
        if named is not None and named.magic and named.needs is not None:
            raise ModelError(
                f"found other bytes than {named.content} has, expected one, or JSON or CSV"
            ) from None
        if named is None and MODELS.of(path) is not None:
            raise ModelError(A_MODEL) from None
        raise


def _is_model(text: str, table: bool, path: str) -> bool:
    """Whether a text is a model, by its columns, or by the name of the file where it is no table of states."""
    if not table and ANSWERS.of(path) is None and MODELS.of(path) is not None:
        return True
    lines = (line for line in text[:100_000].splitlines() if not line.startswith("#"))
    return {"state", "next_state", "probability"} <= set(next(lines, "").split(","))


def _data_of(path: str) -> bytes:
    if path == "-":
        data = read_all(standard_input())
    else:
        with open(path, "rb") as file:
            data = read_all(file)
    if not data:
        raise ModelError(EMPTY)
    return data


def read_frame(frame: Any, mdp: MDP, policy_only: bool = False) -> Answer:
    """Return what a data frame says about a model: the columns of an answer file in CSV, in any order.

    Parameters
    ----------
    frame : of pandas, polars or pyarrow, or what turns into one
    mdp : the model that it answers
    policy_only : skip the values where the frame names actions

    Returns
    -------
    Answer, as of a file.

    Raises
    ------
    ModelError : the row or the state, and what was found and expected there
    OptionError : the actions or probabilities are no policy of the model
    """
    with reporting(type(frame).__name__):
        return answer_of_lines(AnswerLines.of_columns(columns_of(frame)), mdp, policy_only)


def policy_of_frame(mdp: MDP, frame: Any) -> Policy:
    """Return the policy of a data frame; OptionError where it is no frame, or names no actions."""
    if not is_frame(frame):
        raise OptionError(
            f"policy: found {kind_text(frame)}, expected a data frame; Policy.of takes other forms"
        )
    with reporting(type(frame).__name__):
        columns = columns_of(frame)
        others = set(columns) - {"state"}
        by_action = bool(others) and all(name in mdp.actions for name in others)
        if "action" not in columns and (by_action or not {"state", "value"} & set(columns)):
            return _policy_of_table(mdp, frame, columns)
        given = AnswerLines.of_columns(columns)
        lacks = "state" in given.column and "action" not in given.column
        policy = None if lacks else answer_of_lines(given, mdp, policy_only=True).policy
    if policy is None:
        raise OptionError("policy: found a data frame without actions, expected a column action")
    return policy


def _policy_of_table(mdp: MDP, frame: Any, columns: dict[str, list[Any]]) -> Policy:
    """The policy of a frame with a column of probabilities for each action, a row a state.

    The state is named by a column `state` or by the index; without either there is a row for each state, in order.
    """
    names = columns.pop("state", None)
    wrong = [quoted(name) for name in columns if name not in mdp.actions]
    if wrong:
        raise OptionError(
            f"policy: found a data frame with the columns {', '.join(wrong)}, expected state and action, or a column "
            f"for each action: {', '.join(map(quoted, mdp.actions[:9]))}"
        )
    rows = len(next(iter(columns.values())))
    index: Any = getattr(frame, "index", None)  # of pandas; elsewhere there is none, or it is a method
    if names is None and hasattr(index, "tolist") and index.tolist() != list(range(rows)):
        names = index.tolist()
    places = list(range(rows)) if names is None else [state_of(mdp, str(name)) for name in names]
    if len(set(places)) < rows or (names is None and rows != mdp.S):
        raise OptionError(
            f"policy: found a data frame of length {rows}, expected a row for each of {mdp.S} states"
        )
    table = np.zeros((mdp.S, mdp.A))
    for name, column in columns.items():
        table[places, mdp.actions.index(name)] = array_of([x or 0 for x in column], "policy", np.float64)
    return Policy.of_table(mdp, table)


def answer_of(mdp: MDP, values: Any) -> Answer:
    """Return values by state {name: number} or as an array (S,), (T + 1, S) for a horizon, as an answer without claims.

    >>> answer_of(MDP([[[1.0]]], [[1.0]], "1/2"), {"0": 2}).values.tolist()
    [2.0]
    """
    if isinstance(values, Mapping) and not mdp.problem.timed:
        table = Table(mdp)
        for name, x in values.items():
            table.array[0, state_of(mdp, name)] = _number(x, mdp.states[state_of(mdp, name)])
        return Answer(table.done("value"))
    shape = mdp.problem.shape(mdp)
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.zeros(())
    if array.shape != shape:
        found = f"shape {array.shape}" if array.ndim else type(values).__name__
        raise OptionError(f"answer: found {found}, expected values {shape}, a Solution or the path of a file")
    if not np.isfinite(array).all():
        s = int(np.argwhere(~np.isfinite(array))[0][-1])
        raise OptionError(f"answer: state {quoted(mdp.states[s])}: found no finite value, expected a number")
    return Answer(array)


def _number(x: Any, state: str) -> float:
    try:
        number = float(x)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise OptionError(f"answer: state {quoted(state)}: found {quoted(x)}, expected a finite number")
    return number
