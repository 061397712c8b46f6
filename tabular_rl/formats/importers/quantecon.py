"""QuantEcon's DiscreteDP: R[s, a] and Q[s, a, s2], or a list of state-action pairs. R = -inf: an unavailable action."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular_rl.errors import Fault, ModelError, kind_text

BOTH = "give both, one number for each row of Q"


def read_quantecon(R: Any, Q: Any, s_indices: Any, a_indices: Any) -> tuple[Any, Any]:
    """Return P and R of a model, whose axes are "sas".

    Parameters
    ----------
    R, Q : rewards (S, A) and probabilities (S, A, S); of state-action pairs (L,) and (L, S), dense or sparse
    s_indices, a_indices : the state and the action of each pair (L,), or None

    Returns
    -------
    (P, R): Q itself, or one sparse matrix (S·A, S) and R (S, A).

    Raises
    ------
    ModelError : shapes or indices that do not fit
    """
    if (s_indices is None) != (a_indices is None):
        missing = "s_indices" if s_indices is None else "a_indices"
        raise ModelError(f"{missing}: found none, expected the indices of state-action pairs: {BOTH}")
    rewards = _rewards(R)
    if s_indices is not None:
        return _of_pairs(rewards, Q, s_indices, a_indices)
    if rewards.ndim != 2:
        way_out = ". Of state-action pairs give s_indices and a_indices too" if rewards.ndim == 1 else ""
        raise ModelError(f"R: found {rewards.ndim} dimensions, expected 2: R[s, a]{way_out}")
    if getattr(Q, "ndim", 3) != 3:
        raise ModelError(f"Q: found {Q.ndim} dimensions, expected 3: Q[s, a, s2]")
    return Q, rewards


def _rewards(R: Any) -> Any:
    try:
        return np.asarray(R, dtype=np.float64)
    except (ValueError, TypeError):
        raise ModelError(f"R: found {kind_text(R)}, expected an array of numbers") from None


def _of_pairs(R: Any, Q: Any, s_indices: Any, a_indices: Any) -> tuple[Any, Any]:
    from scipy.sparse import coo_array, csr_array

    try:
        coo = coo_array(Q if hasattr(Q, "tocoo") else np.atleast_2d(np.asarray(Q, dtype=np.float64)))
    except (ValueError, TypeError):
        raise ModelError(f"Q: found {kind_text(Q)}, expected an array (L, S), dense or sparse") from None
    if coo.ndim != 2:
        raise ModelError(f"Q: found {coo.ndim} dimensions, expected 2: a row for each state-action pair")
    L, S = coo.shape
    if R.shape != (L,):
        raise ModelError(f"R: found shape {R.shape}, expected ({L},), a number for each row of Q")
    s, a = _indices(s_indices, "s_indices", L), _indices(a_indices, "a_indices", L)
    if L and s.max() >= S:
        raise ModelError(f"s_indices: found {s.max()}, expected states from 0 to {S - 1}, the columns of Q")
    A = int(a.max(initial=-1)) + 1
    row = s * A + a
    first, counts = np.unique(row, return_counts=True)
    if (counts > 1).any():
        twice = int(first[counts > 1][0])
        raise ModelError(Fault("found twice among the pairs, expected once", str(twice // A), str(twice % A)))
    empty = (np.bincount(coo.row, coo.data != 0, minlength=L) == 0) & (R != -np.inf)
    if empty.any():
        i = int(np.flatnonzero(empty)[0])
        raise ModelError(Fault("probabilities sum to 0, expected 1", str(s[i]), str(a[i])))
    table = np.zeros((S, A))
    table[s, a] = R
    return csr_array((coo.data, (row[coo.row], coo.col)), shape=(S * A, S)), table


def _indices(given: Any, what: str, L: int) -> Any:
    try:
        found = np.asarray(given)
    except ValueError:
        found = np.empty((0, 0))
    if found.shape != (L,) or (L and found.dtype.kind not in "iu"):
        raise ModelError(f"{what}: found {kind_text(given)}, expected {L} whole numbers: {BOTH}")
    if L and found.min() < 0:
        raise ModelError(f"{what}: found {found.min()}, expected numbers from 0 on")
    return found.astype(np.int64)
