"""UMB, the binary files that PRISM, Storm and others share, read with the package umbi."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tabular_rl.errors import MissingExtra, ModelError, escape
from tabular_rl.formats.fields import Asked, Reader
from tabular_rl.formats.importers.columns import Column
from tabular_rl.formats.importers.explicit import Explicit, Rewards, head_of, model_of
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rows import LARGEST, Ints

EXTRA = "found no umbi, expected the extra: pip install 'tabular-rl[umb]'"
MARK = "Exported by tabular-rl"
LONGEST = 300  # characters of a message of another program


def read_umb(file: BinaryIO, asked: Asked) -> MDP:
    """Return the model of a UMB file.

    Parameters
    ----------
    file : open binary file
    asked : what the caller asks for; gamma, which these files do not have

    Returns
    -------
    MDP

    Raises
    ------
    ModelError : what is wrong; a kind of model that is none of DTMC and MDP
    MissingExtra : umbi is not installed
    """
    found = _opened(file)
    reader = Reader(asked)
    comment = str(getattr(found.index.model_data, "comment", None) or "")
    own = comment.startswith(MARK)
    head = head_of(reader, comment.split("\n")[1:] if own else [], "UMB")
    _check_kind(found.index.transition_system)
    if not own:
        numbers = [found.branch_to_probability or [], *(x for _, _, x in _rewards(found))]
        reader.exact = not any(isinstance(x, float) for values in numbers for x in values)
    if reader.faults:
        raise ModelError(reader.faults)
    made = _explicit(found, reader.exact)
    made.own = own
    return model_of(made, reader, head)


def _opened(file: BinaryIO) -> Any:
    """Return what umbi reads; it takes the name of a file."""
    try:
        from umbi import umb  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise MissingExtra(EXTRA) from None
    name = getattr(file, "name", None)
    try:
        if isinstance(name, str) and Path(name).is_file():
            return umb.read(name)
        with tempfile.NamedTemporaryFile(suffix=".umb") as copy:
            shutil.copyfileobj(file, copy)
            copy.flush()
            return umb.read(copy.name)
    except MemoryError:
        raise
    except Exception as error:  # whatever it raises of damaged bytes
        reason = escape(str(error).splitlines()[0] if str(error) else type(error).__name__, LONGEST)
        raise ModelError(
            f"umbi cannot read it: {reason.rstrip(' .:')}. Is the file cut off or damaged?"
        ) from None


def _check_kind(kind: Any) -> None:
    refused = {
        "a model in continuous time": kind.time != "discrete",
        "a game": kind.num_players > 1,
        "a partially observable model": bool(kind.num_observations),
    }
    for what, is_so in refused.items():
        if is_so:
            raise ModelError(f"found {what}, expected a DTMC or an MDP")


def _explicit(found: Any, exact: bool) -> Explicit:
    """Return the model; ModelError where its arrays do not fit together."""
    kind = found.index.transition_system
    S, C, K = kind.num_states, kind.num_choices, kind.num_branches
    if not S:
        raise ModelError("no states: found 0, expected at least 1")
    by_state = list(range(S + 1)) if found.state_to_choices is None else found.state_to_choices
    choice_ptr = _pointers(by_state, S, C, "choices of states")
    row_ptr = _pointers(found.choice_to_branches or [0], C, K, "branches of choices")
    to = np.asarray(found.branch_to_target or [], dtype=np.int64)
    if len(to) != K or (K and not (0 <= int(to.min()) and int(to.max()) < S)):
        raise ModelError(f"targets of branches: found {len(to)}, expected {K} from 0 to {S - 1}")
    prob = found.branch_to_probability
    labels = _labels(found, C)
    owner = np.arange(S).repeat(np.diff(choice_ptr))
    made = Explicit(
        S, owner, labels, row_ptr, to, _column([1] * K if prob is None else prob, K, exact, "probability")
    )
    sizes = {"states": S, "choices": C, "branches": K}
    fields = {"states": "state", "choices": "choice", "branches": "transition"}
    for name, place, values in _rewards(found):
        if place not in sizes:
            raise ModelError(
                f"reward {escape(name)}: found it on {escape(place)}, expected {', '.join(sizes)}"
            )
        column = _column(values, sizes[place], exact, f"reward {escape(name)}")
        setattr(made.rewards.setdefault(name, Rewards()), fields[place], column)
    made.marks = _marks(found, S)
    made.states = _names(found, S)
    return made


def _pointers(given: Sequence[int], n: int, last: int, what: str) -> Ints:
    ptr = np.asarray(given, dtype=np.int64)
    if len(ptr) != n + 1 or ptr[0] != 0 or ptr[-1] != last or (np.diff(ptr) < 0).any():
        raise ModelError(f"{what}: found {len(ptr)} numbers, expected {n + 1} that rise from 0 to {last}")
    return ptr


def _rewards(found: Any) -> list[tuple[str, str, list[Any]]]:
    """Return the rewards: (name, "states", "choices" or "branches", values)."""
    models = (found.annotations or {}).get("rewards", {})
    return [(str(name), place, values) for name, places in models.items() for place, values in places.items()]


def _column(values: Sequence[Any], n: int, exact: bool, what: str) -> Column:
    if len(values) != n:
        raise ModelError(f"{what}: found {len(values)} numbers, expected {n}")
    if exact:
        code: dict[Fraction, int] = {}
        try:
            index = [code.setdefault(Fraction(x), len(code)) for x in values]
        except (TypeError, ValueError):
            raise ModelError(f"{what}: found something else than numbers, expected numbers") from None
        return Column(np.array(index, dtype=np.int64), list(code))
    try:
        floats, at = np.unique(np.array([float(x) for x in values], dtype=np.float64), return_inverse=True)
    except (TypeError, ValueError, OverflowError):
        raise ModelError(
            f"{what}: found something else than numbers, such as intervals, expected numbers"
        ) from None
    if not np.all(np.abs(floats) <= LARGEST):
        raise ModelError(f"{what}: found {float(floats[-1])}, expected finite numbers up to {LARGEST:g}")
    return Column(at.reshape(-1), floats.tolist())


def _labels(found: Any, C: int) -> list[str | None]:
    """Return the action of each choice, None where it has none."""
    action, names = found.choice_to_choice_action, found.choice_action_to_string
    if action is None or not names:
        return [None] * C
    if len(action) != C or any(not 0 <= a < len(names) for a in action):
        raise ModelError(f"actions of choices: found {len(action)}, expected {C}, from 0 to {len(names) - 1}")
    return [str(names[a]) or None for a in action]


def _marks(found: Any, S: int) -> dict[str, list[int]]:
    marks = {
        str(name): [s for s, holds in enumerate(places.get("states", ())) if holds and s < S]
        for name, places in (found.annotations or {}).get("aps", {}).items()
    }
    marks["init"] = [s for s, first in enumerate(found.state_is_initial or ()) if first and s < S]
    return marks


def _names(found: Any, S: int) -> list[str] | None:
    """Return the values of the variables of each state; None where there are none, or of several kinds."""
    values = (found.valuations or {}).get("states")
    about = (found.index.valuations or {}).get("states")
    if not values or len(values) != S or about is None or len(about.classes) != 1:
        return None
    offsets = {part.name: part.offset or 0 for part in about.classes[0].fields if hasattr(part, "name")}

    def text(name: str, x: Any) -> str:
        if isinstance(x, bool):
            return f"{name}={str(x).lower()}"
        return f"{name}={x + offsets.get(name, 0)}" if isinstance(x, int) else f"{name}={x}"

    return [",".join(text(name, x) for name, x in row.items()) for row in values]
