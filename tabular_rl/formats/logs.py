"""Logs of transitions: CSV for people and databases, npz for programs.

    episode,state,action,reward,next_state,done
    1,high,search,5,low,0

One line a transition, in the order in which they happened. `done` says that the episode ended there, so that nothing
comes after `next_state`: an episode that was only cut off, by a limit of time say, is not done. `episode` may be left
out, and so may `step`, which is not looked at. An npz archive has the arrays s, a, r, s2, done, and perhaps episode and
step; s, a and s2 are names or indices.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, overload

from tabular_rl.errors import ModelError, OptionError, quoted
from tabular_rl.formats.input import reporting, source_of
from tabular_rl.formats.log_csv import read_log_csv
from tabular_rl.formats.registry import LOGS
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.transitions import Log, Transitions

A_LOG = "expected the path of a log (.csv, .npz), a data frame with its columns, or Transitions of a model"


@overload
def read_log(path: Any, mdp: MDP) -> Transitions: ...
@overload
def read_log(path: Any, mdp: None = None) -> Log: ...
@public
def read_log(path: Any, mdp: MDP | None = None) -> Transitions | Log:
    """Return the transitions of a log, as those of a model where one is given.

    Parameters
    ----------
    path : a file .csv or .npz, "-" for standard input, or a data frame (pandas) with the columns of a file
    mdp : the model whose states and actions the log names; without it the log has its own

    Returns
    -------
    Transitions of the model, or a Log. With a model, a transition into a terminal state is done, whatever the log says.

    Raises
    ------
    ModelError : path, line and reason of each fault
    OptionError : neither a path nor a data frame
    """
    try:
        if _is_frame(path):
            with reporting("DataFrame"):
                return read_log_csv(io.BytesIO(path.to_csv(index=False).encode()), mdp)
        if isinstance(path, (str, os.PathLike)):
            found: Transitions | Log = LOGS.read(os.fspath(path), mdp)
            return found
    except MemoryError:
        source = "DataFrame" if _is_frame(path) else source_of(path)
        raise ModelError("needs more memory than there is. As .npz a log needs least.", source) from None
    raise OptionError(f"log: found {type(path).__name__}, {A_LOG}")


def _is_frame(given: object) -> bool:
    """Whether this is a data frame that can write itself as CSV."""
    return hasattr(given, "to_csv") and hasattr(given, "columns")


def log_of(given: Any) -> Log | Transitions:
    """Return a log, or what is read as one: the path of a file, or a data frame."""
    if isinstance(given, (Log, Transitions)):
        return given
    found: Log = read_log(given)
    return found


def given_transitions(given: Any, mdp: MDP) -> Transitions:
    """Return transitions of a model from a list of (s, a, r, s'[, done]), the path of a log, or a data frame."""
    if isinstance(given, Log):
        raise OptionError(
            "data: found a Log, whose names are its own, expected Transitions: read_log(path, mdp)"
        )
    if isinstance(given, (str, os.PathLike)) or _is_frame(given):
        found: Transitions = read_log(given, mdp)
        return found
    if not isinstance(given, Iterable):
        raise OptionError(f"data: found {type(given).__name__}, {A_LOG}")
    return Transitions.of(mdp, given)


@public
def write_log(transitions: Transitions, path: str | os.PathLike[str]) -> None:
    """Write transitions as CSV or npz, by the suffix; "-" is CSV on standard output.

    `episode` counts up where the next action is not known, so that reading the file gives the same transitions.

    Parameters
    ----------
    transitions : of a model, as `read_log(path, mdp)` returns them
    path : a file .csv or .npz, which is replaced when the new one is complete

    Raises
    ------
    OptionError : another suffix, or a Log, which has no model
    OutputError : path and reason
    """
    if not isinstance(transitions, Transitions):
        raise OptionError(f"write_log: found {type(transitions).__name__}, expected Transitions of a model")
    format = LOGS.formats[0] if os.fspath(path) == "-" else LOGS.of(path)
    if format is None:
        suffix = quoted(Path(path).suffix)
        raise OptionError(f"log: found suffix {suffix}, expected one of {', '.join(LOGS.suffixes)}")
    LOGS.write(transitions, path, format)
