"""Logs of transitions: CSV for people and databases, npz for programs.

    episode,state,action,reward,next_state,done
    1,high,search,5,low,0

One line a transition, in the order in which they happened. `done` says that the episode ended there, so that nothing
comes after `next_state`: an episode that was only cut off, by a limit of time say, is not done. `episode` may be left
out, and so may `step`, which is not looked at. An npz archive has the arrays s, a, r, s2, done, and perhaps episode and
step; s, a and s2 are names or indices.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, overload

from tabular_rl.errors import ModelError, OptionError, path_text, quoted
from tabular_rl.formats.frames import is_frame
from tabular_rl.formats.input import reporting, source_of
from tabular_rl.formats.log_roles import LogAsked, asked_columns
from tabular_rl.formats.registry import LOGS
from tabular_rl.formats.remarks import remark
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.transitions import Log, Transitions

A_LOG = (
    "expected the path of a log ({}), a data frame, a dictionary of arrays, a list of (state, action, "
    "reward, next state), or Transitions of a model"
)


@overload
def read_log(path: Any, mdp: MDP, *, columns: Any = None) -> Transitions: ...
@overload
def read_log(path: Any, mdp: None = None, *, columns: Any = None) -> Log: ...
@public
def read_log(path: Any, mdp: MDP | None = None, *, columns: Any = None) -> Transitions | Log:
    """Return the transitions of a log, as those of a model where one is given.

    Columns are known by their usual names, such as obs, act, rew, next_obs, terminated and truncated. One that has
    none of them is named by `columns`. Without next states these are the states of the next line of the episode, and
    the last line of an episode that was cut off is dropped. A warning says what is not used, moved or dropped.

    Parameters
    ----------
    path : a file .csv, .npz or .parquet, "-" for standard input; a data frame (pandas, polars, pyarrow), a dictionary
        of arrays (observations, actions, rewards, terminals, timeouts), a data set of Minari, or a list of
        (s, a, r, s') or (s, a, r, s', done), in which states and actions of a model are names or indices
    mdp : the model whose states and actions the log names; without it the log has its own
    columns : {"state": "patient_state"}: what the column of a role is called; the roles are state, action, reward,
        next_state, done, truncated, episode, step and propensity

    Returns
    -------
    Transitions of the model, or a Log. With a model, a transition into a terminal state is done, whatever the log says.

    Raises
    ------
    ModelError : path, line and reason of each fault
    OptionError : neither a path nor columns, or `columns` names no role

    Examples
    --------
    Two episodes; the first is cut off after b, so that nothing is known of what came after it.

    >>> import warnings
    >>> table = {"obs": ["a", "b", "a"], "act": ["go", "go", "go"], "rew": [0, 0, 1],
    ...          "terminated": [0, 0, 1], "truncated": [0, 1, 0]}
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     log = read_log(table)
    >>> [(log.states[s], log.states[s2], bool(d)) for s, s2, d in zip(log.s, log.s2, log.done)]
    [('a', 'b', False), ('a', 'end', True)]
    """
    if _is_list(path):
        if columns:
            raise OptionError(
                "columns: found with a list of transitions, which has none, expected a frame or a file"
            )
        if mdp is not None:
            return Transitions.of(mdp, path)
        from tabular_rl.formats.log_arrays import columns_of_list

        path = columns_of_list(path)
    named = is_arrays(path)
    if not named and not isinstance(path, (str, os.PathLike)):
        raise OptionError(f"log: found {type(path).__name__}, {_a_log()}")
    asked = LogAsked(mdp, asked_columns(columns or {}))
    source = type(path).__name__ if named else source_of(path)
    try:
        if named:
            from tabular_rl.formats.log_arrays import log_of_arrays

            with reporting(source):
                made, said = log_of_arrays(path, asked)
        else:
            made, said = LOGS.read(os.fspath(path), asked)
    except MemoryError:
        raise ModelError("needs more memory than there is. As .npz a log needs least.", source) from None
    if said:
        remark(path_text(source), said)
    return made


def _a_log() -> str:
    return A_LOG.format(", ".join(LOGS.suffixes))


def is_arrays(given: object) -> bool:
    """Whether this is a dictionary of arrays, a frame (pandas, polars, pyarrow), or a data set of episodes."""
    return is_frame(given) or isinstance(given, Mapping) or hasattr(given, "iterate_episodes")


def _is_list(given: object) -> bool:
    """Whether this can be a list of transitions (s, a, r, s')."""
    other = isinstance(given, (str, bytes, os.PathLike, Log, Transitions)) or is_arrays(given)
    return isinstance(given, Iterable) and not other


def log_of(given: Any, columns: Any = None) -> Log | Transitions:
    """Return a log, or what is read as one: the path of a file, a data frame, arrays, or a list of transitions."""
    if isinstance(given, (Log, Transitions)):
        _check_no_columns(given, columns)
        return given
    found: Log = read_log(given, columns=columns)
    return found


def given_transitions(given: Any, mdp: MDP, columns: Any = None) -> Transitions:
    """Return transitions of a model from a list of (s, a, r, s'[, done]), the path of a log, a frame, or arrays.

    Parameters
    ----------
    given : one of these, or Transitions, which are returned as they are
    mdp : the model
    columns : what the column of a role is called, as `read_log` takes them

    Returns
    -------
    Transitions
    """
    if isinstance(given, Log):
        raise OptionError(
            "data: found a Log, whose names are its own, expected Transitions: read_log(path, mdp)"
        )
    if isinstance(given, Transitions):
        _check_no_columns(given, columns)
        return given
    if not isinstance(given, (str, os.PathLike, Iterable)) and not is_arrays(given):
        raise OptionError(f"data: found {type(given).__name__}, {_a_log()}")
    found: Transitions = read_log(given, mdp, columns=columns)
    return found


def _check_no_columns(given: object, columns: Any) -> None:
    if columns:
        raise OptionError(
            f"columns: found with {type(given).__name__}, which have been read, expected read_log(log, columns=...)"
        )


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
        raise OptionError(f"--log: found suffix {suffix}, expected one of {LOGS.endings}")
    LOGS.write(transitions, path, format)
