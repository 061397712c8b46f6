"""Arrays by the names that people give them, as .mat, .npz and JSON files hold them.

P and R are found by usual names, or by those that `--arrays P=NAME` says. Nothing is guessed: the order of the axes
follows from the shape, or it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tabular_rl.errors import Fault, ModelError, OptionError, closest, kind_text, quoted
from tabular_rl.formats.fields import Asked
from tabular_rl.formats.importers.named_settings import (
    ends_of,
    first_of,
    names_of,
    number_of,
    start_of,
    text_of,
    whole_of,
)
from tabular_rl.model.blocks import ORDER, is_sparse_list, is_stack
from tabular_rl.model.mdp import MDP
from tabular_rl.model.tensors import SAME, TURNED, readings

NAMES = {
    "P": ("P", "T", "transitions", "transition", "transition_probabilities", "trans", "Pr", "Tr"),
    "R": ("R", "reward", "rewards", "Rew"),
    "gamma": ("gamma", "discount", "discount_factor", "beta"),
    "terminal": ("terminal", "terminals", "terminal_states"),
    "start": ("start", "initial", "initial_probs", "initial_distribution"),
    "states": ("states", "state_names"),
    "actions": ("actions", "action_names"),
    "axes": ("axes",),
    "reward_axes": ("reward_axes",),
    "terminal_rewards": ("terminal_rewards",),
    "unavailable": ("unavailable",),
    "first_index": ("first_index",),
    "sense": ("sense",),
    "horizon": ("horizon",),
    "name": ("name",),
    "source": ("source",),
}
TEXTS = (
    "axes",
    "reward_axes",
    "terminal_rewards",
    "unavailable",
    "first_index",
    "sense",
)  # roles that `--arrays` may give itself
ROLE = {name: role for role, names in NAMES.items() for name in names}


def asked_arrays(given: Any) -> dict[str, str]:
    """Return what `--arrays` says, as {key: value}.

    Parameters
    ----------
    given : "axes=ssa,P=Pr", several such texts, or a dictionary

    Returns
    -------
    {key: value}

    Raises
    ------
    OptionError : a key that there is not

    Examples
    --------
    >>> asked_arrays(["axes=ssa,P=Pr", "unavailable=-inf"])
    {'axes': 'ssa', 'P': 'Pr', 'unavailable': '-inf'}
    """
    if isinstance(given, Mapping):
        found = {str(key): str(value) for key, value in given.items()}
    else:
        parts = [
            part for text in ([given] if isinstance(given, str) else given) for part in str(text).split(",")
        ]
        found = {}
        for part in parts:
            key, equals, value = part.strip().partition("=")
            if not equals or not value.strip():
                raise OptionError(
                    f"--arrays: found {quoted(part)}, expected KEY=VALUE, such as axes=ssa or P=Pr"
                )
            found[key.strip()] = value.strip()
    for key in found:
        if key not in NAMES:
            raise OptionError(
                f"--arrays: found {quoted(key)}{closest(key, NAMES) or ', expected one of ' + ', '.join(NAMES)}"
            )
    return found


def are_arrays(names: Any) -> bool:
    """Return whether some names are those of rewards beside probabilities."""
    roles = {ROLE.get(name) for name in names}
    return {"P", "R"} <= roles


def model_of_arrays(
    found: Mapping[str, Any], asked: Asked, *, first: int = 0, column_major: bool = False
) -> MDP:
    """Return the model of arrays by name.

    Parameters
    ----------
    found : {name: array, list of matrices, number or text}
    asked : what the caller asks for in place of what the file says
    first : the index of the first state where the file does not say it
    column_major : whether rewards of two axes may be either R[s, a] or R[a, s], so that with S = A it is asked

    Returns
    -------
    MDP

    Raises
    ------
    ModelError : a name that is missing or stands twice, or what is wrong with P and R
    """
    said = asked_arrays(asked.arrays or {})
    given = _by_role(found, said, asked)
    for key in TEXTS:
        if key in said:
            given[key] = said[key]
    P, R = _matrices(given["P"], "P"), _matrices(given["R"], "R")
    axes, reward_axes = (text_of(given, key) for key in ("axes", "reward_axes"))
    P, axes = _three(P, axes)
    S, A = _sizes(P, axes)
    R, reward_axes = _rewards(R, reward_axes, S, A, column_major, axes is None)
    first = first_of(given, first)
    states = names_of(given, "states", S, first)
    options: dict[str, Any] = {
        "states": states,
        "actions": names_of(given, "actions", A, first),
        "sense": asked.sense or text_of(given, "sense") or "max",
        "horizon": asked.horizon if asked.horizon is not None else whole_of(given, "horizon"),
        "normalize": asked.normalize,
        "terminal_rewards": (text_of(given, "terminal_rewards") or "").replace("-", " ") or None,
        "unavailable": text_of(given, "unavailable"),
        "name": text_of(given, "name") or "",
        "source": text_of(given, "source") or "",
        "start": start_of(given, S),
    }
    gamma = asked.gamma if asked.gamma is not None else number_of(given, "gamma")
    if gamma is None:
        raise ModelError("gamma: found no gamma and no discount, expected one: say --gamma 0.9")
    ends = ends_of(given, asked.terminal, S, states, "first_index" in given or first == 1, first)
    if S and ends.any():
        P = _without_loops(P, R, axes, reward_axes, ends)
        if asked.terminal is not None:
            P = _ended(P, axes, ends, asked)
    try:
        return MDP.from_tensors(P, R, gamma, axes=axes, reward_axes=reward_axes, terminal=ends, **options)
    except ModelError as error:
        faults = [replace(fault, what=_as_typed(fault.what)) for fault in error.faults]
        raise ModelError(_read_as(faults, P, axes, S, A)) from None


def _as_typed(what: str) -> str:
    """Return a message with the option in place of the arguments of Python.

    >>> _as_typed('Say axes="sas" for P[s, a, s2], axes="ass" for P[a, s, s2]')
    'Say --arrays axes=sas for P[s, a, s2], --arrays axes=ass for P[a, s, s2]'
    """
    what = what.replace("terminal_rewards='on entry'", "--arrays terminal_rewards=on-entry")
    what = what.replace("or leave it out of terminal=.", "or name it with --terminal, which leaves them out.")
    return re.sub(r'\b(axes|unavailable)="([^"]*)"', r"--arrays \1=\2", what)


def _read_as(faults: Sequence[Fault], P: Any, axes: str | None, S: int, A: int) -> list[Fault]:
    """Return faults, of which the first that follows from the shapes of P and R says how P was read."""
    of_shapes = (" sum to ", "names: found")
    at = next((i for i, fault in enumerate(faults) if any(text in fault.what for text in of_shapes)), None)
    made = list(faults)
    if at is not None and axes is not None and not (is_stack(P) or is_sparse_list(P)):
        shape = " x ".join(map(str, P.shape))
        read = f"P of shape {shape} was read with axes={axes}: {S} states, {A} actions"
        made[at] = replace(made[at], what=f"{made[at].what.rstrip('.')}. {read}.")
    return made


def _by_role(found: Mapping[str, Any], said: Mapping[str, str], asked: Asked) -> dict[str, Any]:
    """Return what was found, by role; a remark names what has none.

    Parameters
    ----------
    found : {name: value}
    said : {role: name}, as the caller asks for
    asked : says the remark

    Returns
    -------
    {role: value}

    Raises
    ------
    ModelError : a name that is not there, or two for one role
    """
    named = {role: name for role, name in said.items() if role not in TEXTS}
    for role, name in named.items():
        if name not in found:
            raise ModelError(
                f"{role}: no such variable {quoted(name)}{closest(name, found) or _there(found)}"
            )
    source = dict(named)
    rest: list[str] = []
    for name in found:
        known = ROLE.get(name)
        if name in named.values() or known in named:
            continue
        if known is None:
            rest.append(name)
        elif known in source:
            both = f"{quoted(source[known])} and {quoted(name)}"
            raise ModelError(f"{known}: found {both}, expected one. Say which: --arrays {known}={name}")
        else:
            source[known] = name
    for role in ("P", "R"):
        if role not in source:
            what = f"{role}: found no {' or '.join(NAMES[role][:3])}"
            raise ModelError(f"{what}{_there(found)}: --arrays {role}=NAME")
    if rest:
        shown = ", ".join(quoted(name) for name in rest[:5]) + (", ..." if len(rest) > 5 else "")
        asked.say(f"not read: {shown}, which are no part of a model")
    return {role: found[name] for role, name in source.items()}


def _there(found: Mapping[str, Any]) -> str:
    names = ", ".join(quoted(name) for name in list(found)[:8])
    return f", expected one of {names}" if found else ", expected arrays"


def _matrices(x: Any, what: str) -> Any:
    """Return an array, one sparse matrix, or a list of matrices, one an action: those of a cell."""
    if isinstance(x, np.ndarray) and x.dtype == object:
        x = list(x.ravel())
    if isinstance(x, list):
        if not x:
            raise ModelError(f"{what}: found nothing in it, expected a matrix for each action")
        if any(is_stack(matrix) for matrix in x):
            from scipy.sparse import csr_array

            return [_plain(csr_array(matrix), what) for matrix in x]
        try:
            x = np.array([np.asarray(matrix) for matrix in x])
        except ValueError:
            raise ModelError(
                f"{what}: found matrices of different shapes, expected (S, S), one an action"
            ) from None
        return _Stacked(_plain(x, what))
    return _plain(x, what)


class _Stacked(np.ndarray):
    """Matrices of a cell, one an action: the first axis is the action."""

    def __new__(cls, x: Any) -> Any:
        return np.asarray(x).view(cls)


def _plain(x: Any, what: str) -> Any:
    """Return an array of numbers as it is; ModelError for another one."""
    kind = x.dtype.kind if hasattr(x, "dtype") else ""
    if kind == "b":
        return x.astype(np.float64)
    if not kind or kind not in "iuf":
        found = f"{x.dtype} entries" if kind else str(getattr(x, "kind", kind_text(x)))
        raise ModelError(f"{what}: found {found}, expected numbers")
    return x


def _three(P: Any, axes: str | None) -> tuple[Any, str | None]:
    """Return P as an array of three axes or a list of matrices, and the order of its axes where it is known."""
    if isinstance(P, _Stacked):
        if axes not in (None, "ass", "as's"):
            raise ModelError(f"axes: found {quoted(axes)} for a matrix an action, expected 'ass' or \"as's\"")
        P, axes = np.asarray(P), axes or "ass"
    if is_sparse_list(P):
        return P, axes or "ass"
    if is_stack(P):
        return ([P], axes or "ass") if P.shape[0] == P.shape[1] else (P, axes)
    if P.ndim == 2 and P.shape[0] == P.shape[1]:
        return P[None], "as's" if axes in TURNED else "ass"  # one action, whose axis MATLAB drops
    if P.ndim != 3:
        shape = " x ".join(map(str, P.shape))
        raise ModelError(f"P: found shape {shape}, expected three axes, or a matrix for each action")
    possible = readings(P.shape)
    if axes is None and len(possible) == 1:
        axes = possible[0]
    return P, axes


def _sizes(P: Any, axes: str | None) -> tuple[int, int]:
    """Return how many states and actions there are, 0 where P does not say it."""
    if is_sparse_list(P):
        return int(P[0].shape[0]), len(P)
    if is_stack(P):
        return int(P.shape[1]), int(P.shape[0]) // max(int(P.shape[1]), 1)
    if axes is None:
        return int(P.shape[0]), int(P.shape[1]) if readings(P.shape) else 0
    forward = SAME.get(axes, TURNED.get(axes, axes))
    if forward not in ORDER:
        return 0, 0
    s, a, _ = ORDER[forward]
    return int(P.shape[s]), int(P.shape[a])


def _rewards(
    R: Any, axes: str | None, S: int, A: int, column_major: bool, asks: bool
) -> tuple[Any, str | None]:
    """Return R and the order of its axes, as far as it is not that of P; `asks` where axes= must be said too."""
    if isinstance(R, _Stacked):
        R = np.asarray(R)
        return R, axes or ("ass" if R.ndim == 3 else None)
    if is_sparse_list(R):
        return R, axes
    if is_stack(R):
        R = R.toarray()
    if axes is not None or R.ndim != 2:
        return R, axes
    if R.shape in ((S, 1), (1, S)) and A != 1:
        return R.ravel(), "s"
    if R.shape == (A, S) and A != S:
        return R, "as"
    if R.shape == (S, S) and A == 1 and S != 1:
        return R[None], "ass"
    if column_major and S == A and R.shape == (S, S) and not np.array_equal(R, R.T):
        what = "reward_axes: found none, and with as many actions as states the shape of R cannot tell them"
        way_out = "Say --arrays reward_axes=sa for R[s, a], or --arrays reward_axes=as for R[a, s]"
        if asks:
            what = what.replace("reward_axes", "axes, reward_axes").replace("of R", "of P and R")
            way_out += ", and --arrays axes=sas for P[s, a, s2], --arrays axes=ass for P[a, s, s2]"
        raise ModelError(f"{what}. {way_out}")
    return R, None


def _ended(P: Any, axes: str | None, ends: Any, asked: Asked) -> Any:
    """Return P without what the terminal states do that the caller names, which is said."""
    forward = SAME.get(axes, TURNED.get(axes, axes)) if axes is not None else None
    before = made = P
    if is_stack(P):
        S = P.shape[1]
        kept = ~(np.tile(ends, P.shape[0] // S) if forward == "ass" else np.repeat(ends, P.shape[0] // S))
        made = _rows_kept(P, kept)
    elif is_sparse_list(P):
        turned = axes in TURNED
        made = [_rows_kept(sheet.T, ~ends).T.tocsr() if turned else _rows_kept(sheet, ~ends) for sheet in P]
    elif forward in ORDER:
        made = np.array(P)
        state = ORDER[forward][2 if axes in TURNED else 0]
        made[(slice(None),) * state + (ends,)] = 0
    if _entries_of(made) < _entries_of(before):
        asked.say("what the terminal states that were asked for do is left out", matters=False)
    return made


def _rows_kept(matrix: Any, kept: Any) -> Any:
    """Return a sparse matrix with the entries of the rows that are kept."""
    from scipy.sparse import csr_array, diags_array

    made = csr_array(diags_array(kept.astype(np.float64), format="csr") @ csr_array(matrix))
    made.eliminate_zeros()
    return made


def _entries_of(P: Any) -> int:
    """Return how many entries are not 0."""
    if is_sparse_list(P):
        return sum(_entries_of(sheet) for sheet in P)
    return int(P.count_nonzero()) if is_stack(P) else int(np.count_nonzero(P))


def _without_loops(P: Any, R: Any, axes: str | None, reward_axes: str | None, ends: Any) -> Any:
    """Return P without the rows of terminal states that only lead to themselves for nothing."""
    at = np.flatnonzero(ends)
    if is_stack(P) or is_sparse_list(R) or reward_axes not in (None, "s", "as") or R.ndim == 3:
        return P
    pays = R[at] if reward_axes != "as" else R.T[at]
    at = at[~(np.asarray(pays).reshape(len(at), -1) != 0).any(axis=1)]
    if is_sparse_list(P):
        sheets = []
        for sheet in P:
            made = sheet.tolil(copy=True)
            for s in at.tolist():
                if made.rows[s] == [s] and made.data[s] == [1]:
                    made[s, s] = 0
            sheets.append(made.tocsr())
        return sheets
    forward = SAME.get(axes, TURNED.get(axes, axes)) if axes is not None else None
    if forward not in ORDER or not len(at):
        return P
    P = np.array(P)
    table = P.transpose(ORDER[forward])
    if axes in TURNED:
        table = table.swapaxes(0, 2)
    for s in at.tolist():
        if (table[s, :, s] == 1).all() and (np.count_nonzero(table[s], axis=1) == 1).all():
            table[s] = 0
    return P
