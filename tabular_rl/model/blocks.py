"""From large tensors to rows, a block of states at a time, by kernels.

The arrays are those that tensors.py makes of the same tensors, to the bit, in two passes: one counts, one writes. A
tensor in which a kernel finds anything odd gives None, and tensors.py reads it in its own way, and speaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.model.rows import Floats, Ints, Room, build_kernels, readonly

# Where the state, the action and the next state stand among the axes of a tensor.
ORDER = {"sas": (0, 1, 2), "ass": (1, 0, 2), "ssa": (0, 2, 1)}
BLOCK = 1 << 16  # numbers that are looked at together, which the processor's cache holds
PIECE = 1 << 13  # entries of one matrix that are worth a call of a kernel
MOST = 2**31 - 1
INDEXED = ("csr", "csc", "coo", "lil", "dok")  # forms of scipy.sparse that become CSR, entry by entry


class Pairs(NamedTuple):
    """The rows of a model, and their outcomes."""

    S: int
    A: int
    pair_ptr: Ints
    pair_action: Ints
    row_ptr: Ints
    next_state: Ints
    prob: Floats

    @property
    def full(self) -> bool:
        """True where every action is available in every state."""
        return len(self.pair_action) == self.S * self.A

    def states(self, first: int, last: int) -> tuple[int, int, Ints, Ints]:
        """The rows of the states first ≤ s < last: the first, the last, the state of each, and its action."""
        i0, i1 = int(self.pair_ptr[first]), int(self.pair_ptr[last])
        lengths = np.diff(self.pair_ptr[first : last + 1])
        return i0, i1, np.repeat(np.arange(first, last, dtype=np.int32), lengths), self.pair_action[i0:i1]


def is_stack(x: Any) -> bool:
    """Whether something is one sparse matrix."""
    return hasattr(x, "tocoo") and hasattr(x, "nnz")


def is_sparse_list(x: Any) -> bool:
    """Whether something is a list of sparse matrices."""
    return isinstance(x, (list, tuple)) and len(x) > 0 and all(map(is_stack, x))


def pairs_of(P: Any, axes: str) -> Pairs | None:
    """Return the rows of a large tensor; None of a small one, and where anything is odd.

    Parameters
    ----------
    P : an array of three axes, a list of sparse matrices, or one sparse matrix of all rows
    axes : their order

    Returns
    -------
    Pairs, whose memory is its own; or None.
    """
    if is_stack(P) or is_sparse_list(P):
        return _pairs_of_matrices(P, axes) if build_kernels(entries_of(P)) else None
    table = P.transpose(ORDER[axes])
    S, _, n = table.shape
    usual = n == S <= MOST and table.dtype.kind in "iuf" and table.dtype.itemsize <= 8
    return _pairs_of_numbers(table) if usual and build_kernels(table.size) else None


def entries_of(P: Any) -> int:
    """Return how many entries one or more sparse matrices store."""
    return sum(int(x.nnz) for x in ([P] if is_stack(P) else P))


# -- sparse -----------------------------------------------------------------------------------------------------


class Sheets(NamedTuple):
    """Sparse matrices by rows: one an action, or one whose row s·A + a is that of a state and an action."""

    S: int
    A: int
    per_state: int  # rows that a state has in a matrix: 1 or A
    ptr: Sequence[Ints]
    indices: Sequence[Ints]
    data: Sequence[NDArray[Any]]

    @property
    def K(self) -> int:
        """Entries, those that are 0 included."""
        return sum(int(ptr[-1]) - int(ptr[0]) for ptr in self.ptr)

    def with_entries(self, states: Ints) -> Ints:
        """Return those of some states that have entries."""
        found = np.zeros(len(states), dtype=bool)
        for ptr in self.ptr:
            found |= ptr[(states + 1) * self.per_state] > ptr[states * self.per_state]
        return states[found]

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Cut the states into blocks whose entries are about BLOCK, and PIECE a matrix."""
        step = max(1, self.S * max(BLOCK, PIECE * len(self.ptr)) // max(self.K, 1))
        for first in range(0, self.S, step):
            yield first, min(first + step, self.S)

    def pieces(self, first: int, last: int) -> Iterator[tuple[int, tuple[Ints, Ints, Floats]] | None]:
        """Yield the first action of each matrix, and its rows of some states; None where these cannot be right."""
        for a, (ptr, index, data) in enumerate(zip(self.ptr, self.indices, self.data, strict=True)):
            own = ptr[first * self.per_state : last * self.per_state + 1]
            m0, m1 = int(own[0]), int(own[-1])
            if not 0 <= m0 <= m1 <= min(len(index), len(data)) or m1 - m0 > MOST:
                yield None
                return
            at, values = index[m0:m1], data[m0:m1]
            if at.dtype != np.int32:
                if at.size and not (at.min() >= 0 and at.max() < self.S):
                    yield None
                    return
                at = at.astype(np.int32)
            kept = np.ascontiguousarray(at), np.ascontiguousarray(values, dtype=np.float64)
            yield a, ((own - own[0]).astype(np.int32), *(readonly(x[:]) for x in kept))


def sheets_of(P: Any, axes: str, in_order: bool = True) -> Sheets | None:
    """Return sparse matrices by rows; None where they have a form, a shape or types that are not usual.

    Parameters
    ----------
    P : a list of (S, S) matrices, an action each, or one matrix of all rows
    axes : "ass"; of one matrix also "sas"
    in_order : take the entries of rows to be in order; otherwise put them there

    Returns
    -------
    Sheets, which share the memory of matrices in CSR; or None.
    """
    if is_stack(P):
        n, S = P.shape
        A = n // max(S, 1)
        found = _by_rows([P], in_order) if 0 < S * A == n <= MOST and axes != "ssa" else None
        if found is None or axes == "sas":
            return found and Sheets(S, A, A, *found)
        (ptr,), index, data = found
        return Sheets(S, A, 1, [ptr[a * S : (a + 1) * S + 1] for a in range(A)], [*index] * A, [*data] * A)
    A, S = len(P), P[0].shape[0]
    usual = axes == "ass" and 0 < S * A <= MOST and all(x.shape == (S, S) for x in P)
    found = _by_rows(P, in_order) if usual else None
    return found and Sheets(S, A, 1, *found)


def _by_rows(
    matrices: Sequence[Any], in_order: bool
) -> tuple[list[Ints], list[Ints], list[NDArray[Any]]] | None:
    """Return the pointers, indices and data of matrices in CSR; None where one has another form, or entries twice."""
    made = []
    for matrix in matrices:
        if getattr(matrix, "format", None) not in INDEXED:
            return None
        csr = matrix if matrix.format == "csr" else matrix.tocsr()
        if csr.nnz != matrix.nnz or csr.data.dtype.kind not in "iufb" or csr.data.dtype.itemsize > 8:
            return None
        if not in_order:
            if csr.nnz and not (csr.indices.min() >= 0 and csr.indices.max() < csr.shape[1]):
                return None
            csr = csr.tocsc().tocsr()  # what stands twice at a place stays, in its order
        made.append((csr.indptr, csr.indices, csr.data))
    ptr, index, data = map(list, zip(*made, strict=True))
    return ptr, index, data


def _pairs_of_matrices(P: Any, axes: str) -> Pairs | None:
    """Return the rows of sparse matrices; entries that are not in their order are put there."""
    for in_order in (True, False):
        sheets = sheets_of(P, axes, in_order)
        pairs = None if sheets is None else _counted(sheets)
        if sheets is None or pairs is None:
            return None
        if _written(sheets, pairs):
            return pairs
    return None


def _counted(sheets: Sheets) -> Pairs | None:
    """Return rows whose outcomes are yet to be written; None where their pointers are damaged."""
    S, A = sheets.S, sheets.A
    if S * A > 8 * sheets.K:
        return None  # hardly any action is available, and to count them all takes more room than the model
    counts, stride, kernels = _no_counts(S * A, sheets.K), A // sheets.per_state, build_kernels(sheets.K)
    for first, last in sheets.blocks():
        for piece in sheets.pieces(first, last):
            if piece is None:
                return None
            a, (ptr, _, data) = piece
            if not kernels.count_entries(ptr, data, stride, counts[first * A + a :]):
                return None
    return _laid_out(S, A, counts, kernels)


def _written(sheets: Sheets, pairs: Pairs) -> bool:
    """Write the outcomes of rows; False where a row is not in order, or leads nowhere."""
    write_entries = build_kernels(sheets.K).write_entries
    for first, last in sheets.blocks():
        at = pairs.pair_ptr[first:last].copy()
        for piece in sheets.pieces(first, last):
            arrays = pairs.row_ptr, at, pairs.next_state, pairs.prob
            if piece is None or not write_entries(piece[1], sheets.S, sheets.per_state, *arrays):
                return False
    return True


def _no_counts(pairs: int, most: int) -> Ints:
    """Return zeros, which become the pointers of at most `most` outcomes."""
    return np.zeros(pairs + 1, dtype=np.int32) if most <= MOST else np.zeros(pairs + 1, dtype=np.int64)


def _laid_out(S: int, A: int, counts: Ints, kernels: Any) -> Pairs:
    """Return rows whose outcomes are yet to be written, from how many each state and action has."""
    L, K = int(np.count_nonzero(counts)), int(counts.sum(dtype=np.int64))
    room = Room(4 * (S + 1 + L + K) + 8 * K)
    pair_ptr, pair_action = room.array(S + 1, np.int32), room.array(L, np.int32)
    kernels.lay_out(A, counts, pair_ptr, pair_action)
    row_ptr = counts if L == S * A else counts[: L + 1].copy()
    return Pairs(S, A, pair_ptr, pair_action, row_ptr, room.array(K, np.int32), room.array(K, np.float64))


# -- dense ------------------------------------------------------------------------------------------------------


def _blocks_of_numbers(table: NDArray[Any]) -> Iterator[tuple[int, int, Floats]]:
    """Cut a table (S, A, S) into blocks of states, each (states · A, S), in the order of rows."""
    S, A, _ = table.shape
    step = max(1, BLOCK // max(A * S, 1))
    for first in range(0, S, step):
        block = np.ascontiguousarray(table[first : first + step], dtype=np.float64)
        yield first, min(first + step, S), readonly(block.reshape(-1, S))


def _pairs_of_numbers(table: NDArray[Any]) -> Pairs:
    S, A, _ = table.shape
    counts, kernels = _no_counts(S * A, table.size), build_kernels(table.size)
    for first, last, block in _blocks_of_numbers(table):
        kernels.count_numbers(block, counts[first * A : last * A])
    pairs, row = _laid_out(S, A, counts, kernels), 0
    for _, _, block in _blocks_of_numbers(table):
        row = kernels.write_numbers(block, pairs.row_ptr, row, pairs.next_state, pairs.prob)
    return pairs


# -- rewards ----------------------------------------------------------------------------------------------------


def of_pairs(pairs: Pairs, table: NDArray[Any]) -> Floats:
    """Return the number of each row (L,) from a table (S, A)."""
    if pairs.full:
        return np.array(table, dtype=np.float64, order="C").ravel()
    made = np.empty(len(pairs.pair_action))
    for first in range(0, pairs.S, BLOCK):
        i0, i1, state, action = pairs.states(first, min(first + BLOCK, pairs.S))
        made[i0:i1] = table[state, action]
    return made


def of_outcomes(pairs: Pairs, table: NDArray[Any]) -> Floats:
    """Return the number of each outcome (K,) from a table (S, A, S)."""
    made, kernels = np.empty(len(pairs.next_state)), build_kernels(len(pairs.next_state))
    for first, last, block in _blocks_of_numbers(table):
        i0, i1, state, action = pairs.states(first, last)
        ptr = pairs.row_ptr[i0 : i1 + 1]
        kernels.pick_numbers(block, (state - first) * pairs.A + action, ptr, pairs.next_state, made)
    return made


def of_entries(pairs: Pairs, sheets: Sheets) -> Floats | None:
    """Return the number of each outcome (K,) from sparse matrices; None where their entries do not rise."""
    made, kernels = np.empty(len(pairs.next_state)), build_kernels(len(pairs.next_state))
    for first, last in sheets.blocks():
        ptr = pairs.pair_ptr[first : last + 1]
        at = ptr[:-1].copy()
        for piece in sheets.pieces(first, last):
            if piece is None:
                return None
            a, matrix = piece
            rows = ptr, pairs.pair_action, pairs.row_ptr, at, pairs.next_state
            if not kernels.match_entries(matrix, a, sheets.per_state, *rows, made):
                return None
    return made
