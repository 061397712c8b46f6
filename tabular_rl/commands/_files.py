"""The files of a command: its model is read, and where its answer goes is checked before anything is solved."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, overload

from tabular_rl.commands._memory import check_states
from tabular_rl.commands._options import ANSWER_FOLDERS
from tabular_rl.errors import OptionError, OutputError, closest, path_text, quoted
from tabular_rl.formats import format_of, load
from tabular_rl.formats.answer_npy import is_answer
from tabular_rl.formats.answers import read_answer
from tabular_rl.formats.bundled import example_path
from tabular_rl.formats.log_roles import asked_columns
from tabular_rl.formats.logs import read_log
from tabular_rl.formats.named_policies import read_policy
from tabular_rl.formats.output import place_of, probe, reporting
from tabular_rl.formats.registry import ANSWERS, MODELS
from tabular_rl.formats.remarks import heard
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import few_text
from tabular_rl.model.numbers import rounded_up
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import fraction
from tabular_rl.model.transitions import Log, Transitions
from tabular_rl.report.render.picture import SUFFIXES, require_plot
from tabular_rl.report.screen import note
from tabular_rl.solving import run as running

SHORTEST = 1.0  # seconds that reading a model may always take


@contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """Raise Stop where reading takes longer than a time limit, or than a second if that is longer."""
    main = threading.current_thread() is threading.main_thread()
    if not seconds or not math.isfinite(seconds) or not main or not hasattr(signal, "setitimer"):
        yield
        return

    def over(_signum: int, _frame: Any) -> None:
        raise running.Stop("time")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, SHORTEST))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _note(text: str) -> None:
    note(f"{text}\n")


def _silent(_text: str) -> None:
    """Say nothing."""


def read_model(given: Mapping[str, Any]) -> MDP:
    """Load the model that a command was given, with what stands in place of the file's."""
    with limited(given.get("time_limit")), heard(_silent if given.get("quiet") else _note):
        mdp = load(
            given["model"],
            terminal=given["terminal"] or None,
            sense="min" if given["minimize"] else None,
            **{key: given[key] for key in ("format", "gamma", "horizon", "normalize", "reward", "arrays")},
        )
        check_states(mdp)
        mdp.validate()  # the contents of a mapped directory are looked at here, whatever the command does
    if given["normalize"] and not given.get("quiet"):
        largest = mdp.facts.correction
        changed = f"probabilities by {rounded_up(largest)} at most" if largest else "nothing"
        every = "" if largest else "every row sums to 1, "
        note(f"{path_text(mdp.origin)}: {every}--normalize changed {changed}\n")
    return mdp


@overload
def read_data(path: str, given: Mapping[str, Any], mdp: MDP) -> Transitions: ...
@overload
def read_data(path: str, given: Mapping[str, Any], mdp: None = None) -> Log: ...
def read_data(path: str, given: Mapping[str, Any], mdp: MDP | None = None) -> Transitions | Log:
    """Return the transitions of a log, whose columns are those that a command was given.

    Parameters
    ----------
    path : of the log
    given : the options, with `columns` and `episode_column`
    mdp : the model whose names the log uses, if there is one

    Returns
    -------
    Transitions of the model, or a Log
    """
    columns, episode = list(given["columns"]), given["episode_column"]
    if episode is not None:
        columns.append(f"episode={episode}")
    with heard(_silent if given.get("quiet") else _note):
        made: Transitions | Log = read_log(path, mdp, columns=asked_columns(columns))
    return made


def check_columns(given: Mapping[str, Any]) -> None:
    """Raise OptionError where columns are named of a log that is not there."""
    for name in ("columns", "episode_column"):
        if given[name] and given["data"] is None:
            raise OptionError(f"--{name.replace('_', '-')}: found no --data, expected a log")


def named_states(mdp: MDP, names: Sequence[str]) -> list[int] | None:
    """Return the states that --state names, in the order given; None where it names none."""
    found = []
    for name in names:
        found.append(named_state(mdp, name, "--state"))
    return found or None


def named_state(mdp: MDP, name: str, option: str) -> int:
    """Return the index of a state that an option names.

    Parameters
    ----------
    mdp : the model
    name : of the state
    option : which names it, for messages

    Returns
    -------
    index

    Raises
    ------
    OptionError : there is none, with the way out
    """
    at = mdp.states.find(name)
    if at is not None:
        return at
    if _is_wall(mdp, name):
        raise OptionError(f"{option}: found {quoted(name)}, which is a wall, expected a state")
    way_out = closest(name, mdp.states[:10_000]) or f", expected one such as {few_text(mdp.states)}"
    raise OptionError(f"{option}: no state {quoted(name)}{way_out}")


def _is_wall(mdp: MDP, name: str) -> bool:
    """Whether a text names a cell of the layout, "row,column", where no state is."""
    layout, parts = mdp.layout, name.split(",")
    if layout is None or len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        return False
    row, column = int(parts[0]), int(parts[1])
    cells = layout.cells(mdp.S).tolist()
    first = "{},{}".format(*divmod(cells[0], layout.columns))
    if (
        row >= layout.rows or column >= layout.columns or mdp.states[0] != first
    ):  # states have names of their own
        return False
    return row * layout.columns + column not in {*cells, *layout.elsewhere}


def start_file(texts: Sequence[str]) -> str | None:
    """Return the answer file that --start-from names; None where it names states, or nothing."""
    return texts[0] if len(texts) == 1 and ("=" not in texts[0] or os.path.exists(texts[0])) else None


def read_start(texts: Sequence[str], mdp: MDP) -> Any:
    """Return the values of --start-from: those of an answer file, or {state: value} of STATE=VALUE, as fractions.

    Raises
    ------
    OptionError : a file without values, no such state, or no number
    """
    path = start_file(texts)
    if path is not None:
        values = read_answer(path, mdp).values
        if values is None:
            raise OptionError(f"--start-from: {path_text(path)}: found no values, expected an answer file")
        return values
    found: dict[str, Fraction] = {}
    for text in texts:
        state, equals, value = text.rpartition("=")
        if not equals:
            raise OptionError(f"--start-from: found {quoted(text)}, expected STATE=VALUE, or one answer file")
        named_state(mdp, state, "--start-from")
        try:
            found[state] = fraction(value)
        except ValueError:
            raise OptionError(f"--start-from: found {quoted(value)}, expected a number for a state") from None
    return found


def read_behavior(text: str, mdp: MDP) -> Policy:
    """Return the policy that --behavior names."""
    return read_named(text, mdp, "--behavior")


def read_named(text: str, mdp: MDP, option: str) -> Policy:
    """Return the policy that an option names.

    Parameters
    ----------
    text : as `--policy` takes it
    mdp : the model
    option : which names it, for messages

    Returns
    -------
    Policy

    Raises
    ------
    OptionError : what is wrong, as a fault of this option
    """
    try:
        return read_policy(text, mdp)
    except OptionError as error:
        raise OptionError(str(error).replace("--policy:", f"{option}:")) from None


def policy_file(text: str | None) -> str | None:
    """Return the file that --policy may name: what stands behind greedy: or epsilon-greedy:0.1:, say."""
    return text and text.rpartition(":")[2]


def input_path(source: str | None) -> str | None:
    """Return the file that an input is read from, None where it is none."""
    if source is None or source == "-":
        return None
    return str(example_path(source.removeprefix("example:"))) if source.startswith("example:") else source


# -- where output goes ------------------------------------------------------------------------------------------


def _unwritable(output: str, why: str) -> OutputError:
    return OutputError(f"{path_text(output)}: cannot be written: {why}")


def _check_no_input(output: str, inputs: Sequence[str | None], expected: str) -> None:
    """Raise where the output is one of the inputs."""
    for path in map(input_path, inputs):
        there = path is not None and os.path.exists(output) and os.path.exists(path)
        if there and os.path.samefile(output, str(path)):
            raise OptionError(f"{path_text(output)}: is also the input, expected another {expected}")


def check_output(
    output: str | None, *inputs: str | None, suffixes: Sequence[str] = (), name: str = "--output"
) -> None:
    """Raise before anything is solved where the output cannot be written, is an input, or has no known suffix.

    Parameters
    ----------
    output : the file; None and "-" are always fine
    inputs : the files that are read
    suffixes : those that the file may have; any where there are none
    name : what messages call the option

    Raises
    ------
    OptionError, OutputError : the path and the reason
    """
    if output is None or output == "-":
        return
    if output == "":
        raise OptionError(f"{name}: found '', expected the name of a file")
    _check_no_input(output, inputs, "file")
    if os.path.isdir(output):
        way_out = "; --to npy writes arrays into one" if suffixes and ".parquet" in suffixes else ""
        raise _unwritable(output, f"is a directory{way_out}")
    folder = os.path.dirname(output)
    if folder and not os.path.exists(folder):
        raise _unwritable(output, f"no such folder {path_text(folder)}")
    if not os.path.basename(output):
        raise _unwritable(output, "ends like a folder, expected a file")
    suffix = os.path.splitext(output)[1].lower()
    if suffixes and suffix and suffix not in suffixes:
        rest = "; without one it is JSON" if ".json" in suffixes else ""
        raise OptionError(
            f"{name}: {path_text(output)}: found the suffix {quoted(suffix)}, expected {' or '.join(suffixes)}{rest}"
        )
    format = ANSWERS.of(output) if suffixes else None
    if format is not None and suffix in suffixes:
        format.check_needs(f"{name}: {path_text(output)}")
    probe(output)


def check_answer_output(given: dict[str, Any], *inputs: str | None) -> None:
    """Raise before anything is solved where the answer cannot be written; settle its format in `given`.

    Parameters
    ----------
    given : what the command line says; `to` becomes the format where --format names one that only answers have
    inputs : the files that are read

    Raises
    ------
    MissingExtra : what the format needs is not installed
    OptionError, OutputError : the option or the path, and the reason
    """
    if given["format"] in ANSWER_FOLDERS:
        if given["to"] not in (None, given["format"]):
            raise OptionError(
                f"--format {given['format']}: found --to {given['to']} too, expected one of them"
            )
        given["to"], given["format"] = given["format"], None
    output, to = given["output"], given["to"]
    if to is None:
        check_output(output, *inputs, suffixes=ANSWERS.suffixes)
        return
    if output is None or (output == "-" and to != "json"):
        found = "no -o" if output is None else "-o -, which is JSON"
        raise OptionError(f"--to {to}: found {found}, expected -o FILE: it says where to")
    format = ANSWERS.named(to)
    format.check_needs(f"--to {to}")
    if not format.folder:
        check_output(output, *inputs)
        return
    _check_new(output, inputs)
    if os.path.isdir(output) and os.listdir(output) and not is_answer(Path(output)):
        raise _unwritable(output, "something else stands there, expected an answer")


def check_picture(given: Mapping[str, Any], *inputs: str | None) -> None:
    """Raise before anything is solved where the picture of --plot cannot be drawn or written.

    Parameters
    ----------
    given : what the command line says: the file of --plot, what --draw names, and --output
    inputs : the files that are read

    Raises
    ------
    MissingExtra : matplotlib is not installed
    OptionError, OutputError : the option or the path, and the reason
    """
    picture, output = given["plot"], given.get("output")
    if picture is None:
        if given.get("draw") is not None:
            raise OptionError("--draw: found no --plot, expected one: it says where to")
        return
    if picture == "-":
        raise OptionError("--plot: found '-', expected the name of a file")
    check_output(picture, *inputs, suffixes=SUFFIXES, name="--plot")
    if output not in (None, "-") and os.path.abspath(output) == os.path.abspath(picture):
        raise OptionError(f"{path_text(picture)}: is also the output, expected another file")
    require_plot()


def model_format(output: str, to: str | None, *inputs: str | None) -> str:
    """Return the format of the model that is written; raise before anything is made where it cannot be written."""
    form = to or format_of(output)
    if MODELS.named(form).folder:
        _check_new(output, inputs)
    else:
        check_output(output, *inputs)
    return form


def _check_new(output: str, inputs: Sequence[str | None]) -> None:
    """Raise where a directory of arrays cannot be made at this place, or is the input."""
    _check_no_input(output, inputs, "directory")
    with reporting(output):
        place_of(output)
    parent = os.path.dirname(os.path.abspath(output))
    if not os.path.isdir(parent):
        raise _unwritable(output, f"no such folder {path_text(parent)}")
    if not os.access(parent, os.W_OK):
        raise _unwritable(output, "Permission denied")
    if os.path.exists(output) and not os.path.isdir(output):
        raise _unwritable(output, "is a file, expected a directory or nothing")
