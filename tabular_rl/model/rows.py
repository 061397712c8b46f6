"""The arrays of a model: read-only, and reckoned with over the outcomes of rows, block by block."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError
from tabular_rl.kernels._plain import interpreted, ready
from tabular_rl.model.rationals import UNDERFLOWS, Exact, RationalArray, exact_sum, nearest

if TYPE_CHECKING:
    from tabular_rl.model.mdp import MDP

Floats = NDArray[np.float64]
Ints = NDArray[np.integer[Any]]

TINY = 128  # outcomes up to which plain Python looks at a model more quickly than NumPy does
FEW = 20_000  # outcomes from which on kernels save more time than it takes to load them, where Numba is,
MANY = 100_000  # and where it is not
BLOCK = 1 << 18  # outcomes looked at together when a model is validated: the processor's cache holds them
LARGEST = 1e300  # rewards beyond it overflow in sums
PAGES, WHOLE = 1 << 22, 1 << 25  # bytes from which NumPy asks for large pages, and malloc gives memory back
BESIDE, ARRAYS = 64, 8  # bytes of a line of the cache, at which arrays begin; arrays of a model


def build_kernels(outcomes: int) -> Any:
    """Return the kernels that build a model of so many outcomes; None where NumPy is quicker than to load them."""
    found = ready("build")
    if found is None and (outcomes >= MANY or (outcomes >= FEW and "tabular_rl.kernels._jit" in sys.modules)):
        found = import_module("tabular_rl.kernels.build")
    return interpreted("build") if found is None and outcomes <= TINY else found


def readonly(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that may not be written to any more."""
    array.setflags(write=False)
    return array


class Room:
    """One piece of memory for several arrays, which the system then hands out in large pages.

    To get a page of 4 KB takes as long as to write to it several times, and NumPy asks for large ones from 4 MB on.
    What is larger than 32 MB goes back to the system whenever it is freed, and would be cleared again for the next
    model: arrays that add up to more are better off on their own.

    Parameters
    ----------
    size : bytes of all arrays
    """

    def __init__(self, size: int) -> None:
        size += BESIDE * ARRAYS
        self.free = np.empty(size if PAGES <= size < WHOLE else 0, dtype=np.uint8)

    def array(self, count: int, dtype: Any) -> NDArray[Any]:
        """Return an array whose numbers are yet to be written, in this memory where that has room for it."""
        size = count * np.dtype(dtype).itemsize
        if size > len(self.free):
            return np.empty(count, dtype=dtype)
        made: NDArray[Any] = self.free[:size].view(dtype)
        self.free = self.free[size + -size % BESIDE :]
        return made


def frozen(field: str, values: Any, dtype: Any, copy: bool, room: Room | None = None) -> NDArray[Any]:
    """Return values as a contiguous read-only array of the dtype; numbers that do not fit are an error.

    Parameters
    ----------
    field : what messages call it
    values : numbers along one axis, of a kind that fits the dtype
    dtype : integers, float64 or bool
    copy : make a copy; otherwise the memory is shared where the values are already as needed
    room : for a copy; None for memory of its own

    Returns
    -------
    Array of the same length.

    Raises
    ------
    ModelError : another number of dimensions, another kind of numbers, or one that the dtype cannot hold
    """
    given = np.asanyarray(values)
    if not copy and type(given) is np.ndarray and given.ndim == 1 and given.dtype == dtype:
        return readonly(np.ascontiguousarray(given)[:])
    kind = np.dtype(dtype).kind
    if given.ndim != 1:
        raise ModelError(f"{field}: found {given.ndim} dimensions, expected 1")
    if kind == "i" and given.size and given.dtype.kind not in "iu":
        raise ModelError(f"{field}: found dtype {given.dtype}, expected whole numbers")
    if kind == "f" and given.dtype.kind not in "iuf":
        raise ModelError(f"{field}: found dtype {given.dtype}, expected float64")
    if kind == "b" and given.dtype.kind != "b":
        raise ModelError(f"{field}: found dtype {given.dtype}, expected bool")
    if kind == "i" and given.size and given.dtype.itemsize > np.dtype(dtype).itemsize:
        limit = np.iinfo(dtype)
        if int(given.max()) > limit.max or int(given.min()) < limit.min:
            raise ModelError(f"{field}: found {int(given.max())}, expected at most {limit.max}")
    if copy and room is not None:
        made = room.array(len(given), dtype)
        made[...] = given
    else:
        made = np.array(given, dtype=dtype, order="C") if copy else np.ascontiguousarray(given, dtype)
    if kind == "f" and given.dtype.itemsize > 8 and ((made == 0) & (given != 0)).any():
        raise ModelError(f"{field}: found a number that {UNDERFLOWS}")
    return readonly(made.view())


def row_blocks(row_ptr: Ints) -> Iterable[tuple[int, int, int, int]]:
    """Cut rows into blocks of about BLOCK outcomes: (first row, last row, first outcome, last outcome)."""
    L, K = len(row_ptr) - 1, int(row_ptr[-1])
    first = 0
    while first < L:
        k0 = int(row_ptr[first])
        end = row_ptr.dtype.type(min(k0 + BLOCK, K))  # of another type, all of row_ptr would be converted
        last = max(first + 1, int(np.searchsorted(row_ptr, end, side="right")) - 1)
        last = min(last, L, first + BLOCK)
        yield first, last, k0, int(row_ptr[last])
        first = last


def places(first: NDArray[Any], size: NDArray[Any]) -> Ints:
    """Return first[0] and the places after it, size[0] in all, then those from first[1] on, and so on.

    >>> places(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    size = size.astype(np.int64)
    found: Ints = np.arange(int(size.sum())) + (first - np.cumsum(size) + size).repeat(size)
    return found


def pointers(size: NDArray[Any], dtype: Any = np.int64) -> NDArray[Any]:
    """Return where rows of these sizes begin that lie side by side, and where the last one ends.

    >>> pointers(np.array([2, 0, 3])).tolist()
    [0, 2, 2, 5]
    """
    ptr = np.zeros(len(size) + 1, dtype=dtype)
    np.cumsum(size, out=ptr[1:])
    return ptr


def row_sums(values: NDArray[Any], ptr: Ints) -> Floats:
    """Return the sums of values over rows, or over states; 0 for those without."""
    return over_rows(np.add, values, ptr)


def over_rows(reduce: np.ufunc, values: NDArray[Any], ptr: Ints, axis: int = 0) -> Floats:
    """Return np.add, np.maximum ... of the values of each row: (rows, ...), 0 for one that is empty.

    `reduceat` alone would give an empty row its neighbour's.

    Parameters
    ----------
    reduce : np.add, np.maximum, np.minimum
    values : of outcomes (K,), or of rows (L,), along `axis`; there may be other axes
    ptr : the `row_ptr` (L + 1,) of a model for its outcomes, or its `pair_ptr` (S + 1,) for what each state's rows hold
    axis : of the values, along which the rows lie

    Returns
    -------
    Array in the shape of the values, with L, or S, in place of K, or L, on the axis.

    Examples
    --------
    >>> over_rows(np.add, np.array([1.0, 2.0, 4.0]), np.array([0, 2, 2, 3])).tolist()
    [3.0, 0.0, 4.0]
    """
    full = np.diff(ptr) > 0
    out = np.zeros((*values.shape[:axis], len(ptr) - 1, *values.shape[axis + 1 :]))
    if values.size:
        out[(slice(None),) * axis + (full,)] = reduce.reduceat(
            values, ptr[:-1][full].astype(np.intp), axis=axis
        )
    return out


def lowest_rows(mdp: MDP, keep: NDArray[np.bool_]) -> Ints:
    """Return the lowest row of each state (S,) of those that are marked (L,), -1 where there is none."""
    rows = np.full(mdp.S, -1, dtype=mdp.pair_ptr.dtype)
    marked = np.flatnonzero(keep)[::-1]
    rows[mdp.pair_state[marked]] = marked
    return rows


def largest_of_rows(mdp: MDP, first: int, last: int, k0: int, k1: int) -> Floats:
    """The largest |r(s,a,s')| of each row first ≤ i < last, whose outcomes are k0 ≤ k < k1; no row is empty.

    Parameters
    ----------
    mdp : the model
    first, last, k0, k1 : a block of rows and its outcomes, as `row_blocks` gives them

    Returns
    -------
    (last - first,), in units of reward; of a model without rewards of outcomes, |r(s,a)|.
    """
    largest = np.abs(mdp.r[first:last])
    if mdp.reward is not None:
        starts = (mdp.row_ptr[first:last] - k0).astype(np.intp)
        np.maximum(largest, np.maximum.reduceat(np.abs(mdp.reward[k0:k1]), starts), out=largest)
    return largest


def mass_defects(prob: Floats, ptr: Ints) -> Floats:
    """1 - Σ p of each row to within `hidden_mass`: near 1, multiples of 2**-26, -52, -79, -106 add without rounding."""
    defects, rest = np.ones(len(ptr) - 1), prob
    for unit in (2.0**-26, 2.0**-52, 2.0**-79, 2.0**-106):
        part = np.rint(rest / unit) * unit
        rest = rest - part
        defects = defects - row_sums(part, ptr)
    return defects


def hidden_mass(prob: Floats, ptr: Ints) -> Floats:
    """What mass_defects may leave out of each row: n 2**-107 where one of n probabilities is below 2**-54, else 0."""
    tiny = (prob < 2.0**-54) & (prob != 0)
    some = row_sums(tiny, ptr) > 0 if tiny.any() else np.zeros(len(ptr) - 1, dtype=bool)
    return np.where(some, np.diff(ptr) * 2.0**-107, 0.0)


def rows_off(prob: RationalArray, row_ptr: Ints) -> Iterator[int]:
    """Yield the rows whose exact probabilities do not sum to 1."""
    for first, last, k0, k1 in row_blocks(row_ptr):
        ptr = np.asarray(row_ptr[first : last + 1], dtype=np.int64) - k0
        over = prob[k0:k1].common()
        length = np.diff(ptr)
        if over is not None and over[1] * max(int(length.max()), 1) < 2**62:
            sums = np.zeros(len(length), dtype=np.int64)
            sums[length > 0] = np.add.reduceat(over[0], ptr[:-1][length > 0])
            yield from (first + np.flatnonzero(sums != over[1])).tolist()
            continue
        for i in range(len(ptr) - 1):
            if exact_sum(prob[k0 + int(ptr[i]) : k0 + int(ptr[i + 1])]) != 1:
                yield first + i


def expected_reward(mdp: MDP) -> Floats:
    """r[i] = Σ_k prob[k] reward[k], correctly rounded where the numbers are exact."""
    exact = mdp.exact
    if exact is not None:
        if exact.r is not None:
            return exact.r.floats()
        return _expected_exact(mdp, exact)
    assert mdp.reward is not None
    out = np.zeros(mdp.L)
    for first, last, k0, k1 in row_blocks(mdp.row_ptr):
        with np.errstate(over="ignore", invalid="ignore"):
            products = mdp.prob[k0:k1] * mdp.reward[k0:k1]
            out[first:last] = row_sums(products, mdp.row_ptr[first : last + 1] - k0)
    return out


def _expected_exact(mdp: MDP, exact: Exact) -> Floats:
    """Σ_k prob[k] reward[k] as rationals, then rounded: in integers where these are small, which most are."""
    assert exact.reward is not None
    out = np.zeros(mdp.L)
    for first, last, k0, k1 in row_blocks(mdp.row_ptr):
        p, x = exact.prob[k0:k1].common(), exact.reward[k0:k1].common()
        if p is not None and x is not None and max(int(np.max(np.abs(x[0]))), x[1]) * p[1] <= 2**53:
            # Probabilities sum to 1, so that no sum is above the largest reward times both denominators.
            ptr = np.asarray(mdp.row_ptr[first : last + 1], dtype=np.int64) - k0
            full = np.diff(ptr) > 0
            out[first:last][full] = np.add.reduceat(p[0] * x[0], ptr[:-1][full]) / (p[1] * x[1])
            continue
        out[first:last] = [nearest(mdp.rational(i)[1]) for i in range(first, last)]
    return out


def check_r(mdp: MDP, r: Floats) -> None:
    """Check that r, which is given beside rewards of outcomes, is what follows from them, to rounding."""
    reward = mdp.reward
    assert reward is not None
    scale = np.maximum.reduceat(np.abs(reward), mdp.row_ptr[:-1].astype(np.intp)) if mdp.L else np.zeros(0)
    room = (2 * np.diff(mdp.row_ptr) + 10) * 2.0**-52 * scale
    wrong = np.flatnonzero(np.abs(r - mdp.r) > room)
    if wrong.size:
        i = int(wrong[0])
        what = (
            f"r: found {float(r[i])!r}, expected {float(mdp.r[i])!r}, the mean of the rewards of its outcomes"
        )
        raise ModelError(Fault(what, mdp.states[mdp.state_of_row(i)], mdp.actions[int(mdp.pair_action[i])]))


def normalised(mdp: MDP) -> tuple[Floats, float]:
    """Return prob with each row divided by its sum where that is a fault, and the largest change."""
    prob = np.array(mdp.prob)
    if not np.isfinite(prob).all() or (prob < 0).any():
        return mdp.prob, 0.0  # validation names the number
    largest = 0.0
    for first, last, k0, k1 in row_blocks(mdp.row_ptr):
        ptr = mdp.row_ptr[first : last + 1] - k0
        defect = mass_defects(prob[k0:k1], ptr)
        length = np.diff(ptr)
        total = np.where((np.abs(defect) > length * 2.0**-52) & (defect < 1.0), 1.0 - defect, 1.0)
        scaled = prob[k0:k1] / np.repeat(total, length)
        if ((scaled == 0) & (prob[k0:k1] > 0)).any():
            raise ModelError(
                f"normalize: found a probability that {UNDERFLOWS} when it is divided by the sum of its row"
            )
        if scaled.size:
            largest = max(largest, float(np.max(np.abs(scaled - prob[k0:k1]))))
        prob[k0:k1] = scaled
    return readonly(prob), largest
