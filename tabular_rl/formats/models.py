"""Reading and writing a model, whatever its format."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tabular_rl.errors import ModelError, OptionError, closest_word, kind_text, path_text, quoted
from tabular_rl.formats.bundled import ALIASES, example_path, examples
from tabular_rl.formats.fields import Asked
from tabular_rl.formats.input import reporting, source_of
from tabular_rl.formats.registry import MODELS, Format
from tabular_rl.model.calls import public
from tabular_rl.model.clock import phase
from tabular_rl.model.mdp import MDP
from tabular_rl.model.settings import Sense, checked_gamma, checked_horizon

EXAMPLE = "example:"
GYMNASIUM = "gymnasium:"
# Such as FrozenLake-v1, gym:FrozenLake-v1?is_slippery=no, ALE/Pong-v5.
ENVIRONMENT = re.compile(
    r"(?:(?i:gym|gymnasium):)?((?:[\w.]+:)?(?:[\w-]+/)?[A-Za-z]\w*(?:-\w+)*-v\d+(?:\?.*)?)", re.DOTALL
)


@public
@phase("reading")
def load(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    gamma: Any = None,
    horizon: int | None = None,
    terminal: Iterable[str] | None = None,
    sense: Sense | None = None,
    normalize: bool = False,
    reward: str | None = None,
    arrays: Any = None,
) -> MDP:
    """Return the model of a file.

    Parameters
    ----------
    path : a file, a directory of arrays, "-" for standard input, "example:NAME" for a model of the package, or
        "gymnasium:ID?argument=value&..." for a Gymnasium environment with known transitions
    format : the name of one, "toml", "csv", "npz", "directory", "json", "mdp", "mat"; by default what the suffix says
    gamma, horizon, terminal, sense : take the place of what the file says; gamma as a text is an exact rational; what
        the terminal states of P and R, of .MDP files and of model checkers do is left out
    normalize : rescale rows that do not sum to 1
    reward : the name of a reward model, where the file of a model checker has several; "label:NAME" pays 1 for reaching
        a state with this label, where the episode then ends
    arrays : how P and R of a .mat, .npz or .json file are read: {"axes": "ssa", "P": "name of the variable"} or
        "axes=ssa,P=NAME"; further keys are R, gamma, reward_axes, unavailable, first_index, terminal, start,
        terminal_rewards

    Returns
    -------
    MDP. Arrays of a directory are mapped, not read; their contents are validated when they are first needed.

    Raises
    ------
    ModelError : path, line and reason of each fault

    Examples
    --------
    >>> load("example:recycling_robot").states[0]
    'high'
    """
    chosen = None if format is None else MODELS.named(format)
    if sense not in (None, "max", "min"):
        raise OptionError(f"sense: found {quoted(sense)}, expected 'max' or 'min'")
    asked = Asked(
        gamma=None if gamma is None else checked_gamma(gamma),
        horizon=checked_horizon(horizon),
        terminal=_named(terminal),
        sense=sense,
        normalize=normalize,
        reward=reward,
        source=source_of(path),
        arrays=_asked_arrays(arrays) if arrays else None,
    )
    name = os.fspath(path)
    if reward is not None:
        _check_reward(name, chosen)
    if name.startswith(GYMNASIUM):
        return _of_gymnasium(name, format, asked)
    if name.startswith(EXAMPLE):
        name = str(example_path(name.removeprefix(EXAMPLE)))
    try:
        mdp: MDP = MODELS.read(name, asked, format=chosen, hint=_example_of)
        return mdp.replace(origin=source_of(name))
    except MemoryError as error:
        what = str(error).partition(" for an array")[0].rstrip(".")
        found = f" ({what})" if what else ""
        raise ModelError(
            f"needs more memory than there is{found}. A directory of arrays needs least.", source_of(name)
        ) from None


def _check_reward(name: str, chosen: Format | None) -> None:
    """Raise where a file that has only one reward is asked for one of several."""
    format = chosen or MODELS.of(name)
    if format is None or not format.checker:
        having = ", ".join(suffix for known in MODELS.formats if known.checker for suffix in known.suffixes)
        raise OptionError(
            f"--reward: {path_text(name)} has no reward models to choose from, only {having} have"
        )


def _of_gymnasium(name: str, format: str | None, asked: Asked) -> MDP:
    """Return the model of an environment that is named by its ID."""
    if format is not None:
        raise OptionError(f"format: found {quoted(format)}, expected none: {path_text(name)} is no file")
    if asked.arrays:
        raise OptionError("--arrays: an environment has none")
    if asked.terminal is not None:
        raise OptionError("terminal: an environment says itself where it ends. Convert it to a file first")
    from tabular_rl.formats.importers.gymnasium import read_gymnasium

    given = {"horizon": asked.horizon, "sense": asked.sense, "gamma": asked.gamma}
    with reporting(name.rstrip(":")):
        mdp = read_gymnasium(
            name, **{key: x for key, x in given.items() if x is not None}, normalize=asked.normalize
        )
    return mdp.replace(origin=name)


def _example_of(name: str) -> str:
    """Return a suggestion for a file that is not there, where its name is that of a model or of an environment."""
    if found := ENVIRONMENT.fullmatch(name):
        return f"; did you mean {quoted(GYMNASIUM + found[1])}?"
    bare = name == Path(name).stem  # a word alone was hardly meant to be a file of one's own
    stem = ALIASES.get(Path(name).stem, Path(name).stem)
    meant = stem if stem in examples() else closest_word(stem, examples()) if bare else None
    if meant is not None:
        return f"; did you mean 'example:{meant}'?"
    return ". `tabular-rl examples` lists the models that come along" if bare else ""


def _asked_arrays(arrays: Any) -> dict[str, str]:
    from tabular_rl.formats.importers.named_arrays import asked_arrays

    return asked_arrays(arrays)


def _named(terminal: Any) -> tuple[str, ...] | None:
    """Return the names of terminal states that the caller asks for: several, or one text."""
    if terminal is None or isinstance(terminal, str):
        return None if terminal is None else (terminal,)
    if not isinstance(terminal, Iterable):
        raise OptionError(f"terminal: found {kind_text(terminal)}, expected a list of names of states")
    return tuple(map(str, terminal))


@public
def save(what: Any, path: str | os.PathLike[str], *, format: str | None = None) -> None:
    """Write a model to a file, or to a directory of arrays; an answer by its own `save`.

    What stood there is replaced when the new file is complete, and is intact if that fails.

    Parameters
    ----------
    what : the model; or an answer, whose formats are "json", "csv", "parquet" and "npy"
    path : a file, a directory, or "-" for standard output
    format : "toml", "csv", "npz", "directory" or another that is written; by default what the suffix says: without
        one, a directory

    Raises
    ------
    OutputError : path and reason
    """
    if not isinstance(what, MDP):
        if hasattr(what, "save"):
            what.save(path) if format is None else what.save(path, format=format)
            return
        hint = "; write_log writes transitions" if hasattr(what, "next_row") else ""
        if hasattr(what, "mdp") and hasattr(what, "tries"):
            hint = "; save its model: save(estimate.mdp, path)"
        raise OptionError(f"save: found {type(what).__name__}, expected a model or an answer{hint}")
    chosen = format_of(path) if format is None else format
    what.validate()  # a mapped model, before anything is written
    MODELS.write(what, path, MODELS.named(chosen))


def format_of(path: str | os.PathLike[str]) -> str:
    """Return the format that a name to write to says.

    >>> format_of("robot.toml"), format_of("big")
    ('toml', 'directory')
    """
    if os.fspath(path) == "-":
        return MODELS.names[0]
    suffix = Path(path).suffix
    if os.path.isdir(path) or not suffix:
        return next(format.name for format in MODELS.formats if format.folder)
    format = MODELS.of(path)
    if format is None or format not in MODELS.written:
        suffixes = [suffix for known in MODELS.written for suffix in known.suffixes]
        expected = f"expected one of {', '.join(suffixes)}, or none for a directory"
        raise OptionError(f"{path_text(path)}: found suffix {quoted(suffix)}, {expected}")
    return format.name
