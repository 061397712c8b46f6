"""From the tensors of the textbooks, dense or sparse, to rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import ModelError, quoted
from tabular_rl.names import Names

WAY_OUT = 'Say axes="sas" for P[s, a, s2] or axes="ass" for P[a, s, s2].'


def rows_of_tensors(
    P: Any,
    R: Any,
    axes: str,
    reward_axes: str | None,
    terminal: Iterable[Any] | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Return the keyword arguments of MDP.from_rows for the tensors P and R."""
    if axes not in ("sas", "ass"):
        raise ModelError(f"axes: found {quoted(axes)}, expected 'sas' or 'ass'. {WAY_OUT}")
    state, action, to, prob, S, A = _triples(P, axes)
    keep = prob != 0  # NaN stays, and is named by validation
    state, action, to, prob = state[keep], action[keep], to[keep], prob[keep]
    order = np.lexsort((to, action, state))
    state, action, to, prob = state[order], action[order], to[order], prob[order]
    pair = state * A + action
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    row_ptr = np.append(first, len(pair)).astype(np.int64)
    row_state, row_action = state[first], action[first]
    pair_ptr = np.zeros(S + 1, dtype=np.int64)
    np.cumsum(np.bincount(row_state, minlength=S), out=pair_ptr[1:])
    options = dict(options)
    names = Names(options.pop("states", None) or S)
    action_names = Names(options.pop("actions", None) or A)
    if len(names) != S or len(action_names) != A:
        raise ModelError(
            f"names: found {len(names)} states and {len(action_names)} actions, expected {S} and {A}"
        )
    reward, r = _rewards(R, axes, reward_axes, state, action, to, row_state, row_action, S, A)
    return {
        "pair_ptr": pair_ptr,
        "pair_action": row_action,
        "row_ptr": row_ptr,
        "next_state": to,
        "prob": prob,
        "reward": reward,
        "r": r,
        "terminal": _mask(terminal, names),
        "states": names,
        "actions": action_names,
        **options,
    }


def _mask(terminal: Iterable[Any] | None, names: Names) -> NDArray[np.bool_]:
    listed = [] if terminal is None else list(terminal)
    ends = np.zeros(len(names), dtype=bool)
    if listed and all(isinstance(x, (bool, np.bool_)) for x in listed):
        if len(listed) != len(names):
            raise ModelError(f"terminal: found a mask of length {len(listed)}, expected {len(names)}")
        return np.array(listed, dtype=bool)
    for x in listed:
        at = names.find(str(x))
        if at is None and isinstance(x, (int, np.integer)) and 0 <= x < len(names):
            at = int(x)
        if at is None:
            raise ModelError(f"terminal: found {quoted(x)}, expected the name or index of a state")
        ends[at] = True
    return ends


def _is_sparse(x: Any) -> bool:
    return hasattr(x, "tocoo") and hasattr(x, "nnz")


def _triples(P: Any, axes: str) -> tuple[Any, ...]:
    """Return state, action, next state, probability of each stored entry, and S, A."""
    if isinstance(P, (list, tuple)) and P and all(_is_sparse(x) for x in P):
        parts = []
        for i, matrix in enumerate(P):
            if matrix.shape != P[0].shape:
                raise ModelError(f"P[{i}]: found shape {matrix.shape}, expected {P[0].shape}")
            coo = matrix.tocoo()
            outer = np.full(coo.nnz, i, dtype=np.int64)
            inner = coo.row.astype(np.int64)
            parts.append((outer, inner, coo.col.astype(np.int64), coo.data.astype(np.float64)))
        outer, inner, to, prob = (np.concatenate(p) for p in zip(*parts, strict=True))
        n_outer, (n_inner, n_to) = len(P), P[0].shape
    else:
        if _is_sparse(P):
            raise ModelError("P: found one sparse matrix, expected a list with one (S, S) matrix an action")
        dense = _numbers(P, "P")
        if dense.ndim != 3:
            raise ModelError(f"P: found {dense.ndim} dimensions, expected 3. {WAY_OUT}")
        outer, inner, to = np.nonzero(dense)
        prob = dense[outer, inner, to]
        n_outer, n_inner, n_to = dense.shape
    S, A = (n_outer, n_inner) if axes == "sas" else (n_inner, n_outer)
    if S == 0 or n_to == 0:
        raise ModelError("no states: found 0, expected at least 1")
    if n_to != S:
        raise ModelError(
            f"P: found {n_to} next states for {S} states under axes={axes!r}, expected as many. {WAY_OUT}"
        )
    state, action = (outer, inner) if axes == "sas" else (inner, outer)
    return state, action, to, prob, S, A


def _numbers(values: Any, what: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(values)
    except ValueError:
        raise ModelError(f"{what}: found lists of different lengths, expected a rectangular tensor") from None
    if array.dtype.kind not in "iuf" and array.size:
        raise ModelError(f"{what}: found {array.dtype} entries, expected numbers")
    return array.astype(np.float64)


def _rewards(
    R: Any,
    axes: str,
    reward_axes: str | None,
    state: Any,
    action: Any,
    to: Any,
    row_state: Any,
    row_action: Any,
    S: int,
    A: int,
) -> tuple[Any, Any]:
    """Return (reward by outcome or None, r by row or None)."""
    if isinstance(R, (list, tuple)) and R and all(_is_sparse(x) for x in R):
        outer, inner = (state, action) if axes == "sas" else (action, state)
        reward = np.zeros(len(to))
        for i, matrix in enumerate(R):
            of = np.flatnonzero(outer == i)
            reward[of] = np.asarray(matrix.tocsr()[inner[of], to[of]], dtype=np.float64).ravel()
        return reward, None
    values = _numbers(R, "R")
    named = reward_axes or {1: "s", 2: "sa", 3: axes}.get(values.ndim)
    shapes = {"s": (S,), "sa": (S, A), "as": (A, S), "sas": (S, A, S), "ass": (A, S, S)}
    if named not in shapes:
        raise ModelError(f"reward_axes: found {quoted(named)}, expected one of {', '.join(shapes)}")
    if values.shape != shapes[named]:
        raise ModelError(
            f"R: found shape {values.shape}, expected {shapes[named]} under reward_axes={named!r}"
        )
    if named == "s":
        return None, values[row_state]
    if named == "sa":
        return None, values[row_state, row_action]
    if named == "as":
        return None, values[row_action, row_state]
    return (values[state, action, to] if named == "sas" else values[action, state, to]), None
