"""pymdptoolbox: P (A, S, S) as an array or a matrix an action, and R in its four shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabular_rl.errors import ModelError, kind_text

SHAPES = "R (S,), (S, A), (A, S, S), or a list of (S, S) matrices, one an action"


def read_toolbox(P: Any, R: Any) -> tuple[Any, Any, str | None]:
    """Return P and R of a model whose axes are "ass", and the axes of R.

    Parameters
    ----------
    P : an array (A, S, S), or a list or an array of objects with one (S, S) matrix an action, dense or sparse
    R : an array (S,), (S, A) or (A, S, S), or a list or an array of objects with one (S, S) matrix an action

    Returns
    -------
    (P, R, axes of R)

    Raises
    ------
    ModelError : a list that pymdptoolbox reads in another way than it looks
    """
    P = _matrices(P)
    A = len(P) if isinstance(P, list) or np.ndim(P) else 0
    if hasattr(R, "tocoo"):
        R = R.toarray()
    if (
        isinstance(R, (list, tuple))
        and len(R)
        and not hasattr(R[0], "tocoo")
        and np.ndim(R[0]) == 1
        and len(R) == A
    ):
        # It reads R[a] as the reward of each next state, where an array of the same numbers is R[s, a].
        raise ModelError(
            f"R: found a list of {A} lists, one for each of {A} actions. If it is R[s, a], give np.array(R). "
            f"If R[a] are rewards of next states, as pymdptoolbox reads it, give an (S, S) matrix an action"
        )
    R = _matrices(R)
    dimensions = 3 if isinstance(R, list) else np.ndim(R)
    if dimensions not in (1, 2, 3):
        raise ModelError(f"R: found {kind_text(R)}, expected {SHAPES}")
    return P, R, {1: "s", 2: "sa"}.get(dimensions)


def _matrices(x: Any) -> Any:
    """Return a list of sparse matrices, or an array: what is given as a list or an array of objects."""
    if isinstance(x, np.ndarray) and x.dtype == object and x.ndim == 1:
        x = list(x)
    if not isinstance(x, (list, tuple)):
        return x
    if any(hasattr(matrix, "tocoo") for matrix in x):
        from scipy.sparse import csr_array

        return [csr_array(matrix) for matrix in x]
    try:
        return np.array([np.asarray(matrix) for matrix in x])
    except ValueError:
        return x  # of different shapes, which is told later
