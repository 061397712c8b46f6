"""From the tensors of the textbooks, dense or sparse, to rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import ModelError, kind_text, quoted
from tabular_rl.model.blocks import (
    ORDER,
    Pairs,
    is_sparse_list,
    is_stack,
    of_entries,
    of_outcomes,
    of_pairs,
    pairs_of,
    sheets_of,
)
from tabular_rl.model.build import Row, arrays_of_rows
from tabular_rl.model.names import Names, state_at
from tabular_rl.model.on_entry import ON_ENTRY, terminal_reward, with_entry
from tabular_rl.model.outcomes import A_DICTIONARY
from tabular_rl.model.rationals import UNDERFLOWS
from tabular_rl.model.rows import Floats, Ints, row_sums
from tabular_rl.model.spelled import Spelled, has_texts, spelled
from tabular_rl.model.unavailable import mark_of, unmarked, without_unavailable

WAY_OUT = 'Say axes="sas" for P[s, a, s2], axes="ass" for P[a, s, s2] or axes="ssa" for P[s, s2, a].'
# The next state is the second s. Where it comes first it has a prime: P[s2, a, s] is "s'as".
SAME = {"sas'": "sas", "ass'": "ass", "ss'a": "ssa"}
TURNED = {"s'as": "sas", "as's": "ass", "s'sa": "ssa"}
SHEETS = (
    "a list with one (S, S) matrix an action, or one (S*A, S) matrix, row s*A + a for state s and action a"
)


class _Texts(ModelError):
    """There are texts or fractions among the entries of a tensor."""


class Entries(NamedTuple):
    """The entries of a tensor that are not 0: their places along its three axes, and their values."""

    places: tuple[Ints, Ints, Ints]
    values: Floats
    shape: tuple[int, ...]

    def along(self, axes: str) -> tuple[Ints, Ints, Ints]:
        """State, action and next state of each entry."""
        s, a, to = ORDER[axes]
        return self.places[s], self.places[a], self.places[to]

    def sizes(self, axes: str) -> tuple[int, int, int]:
        """The numbers of states, actions and next states, if the axes are in this order."""
        s, a, to = ORDER[axes]
        return self.shape[s], self.shape[a], self.shape[to]


def arrays_of_tensors(
    P: Any,
    R: Any,
    gamma: Fraction,
    axes: str | None,
    reward_axes: str | None,
    terminal: Iterable[Any] | None,
    terminal_rewards: str | None,
    unavailable: Any,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Return the keyword arguments of MDP.from_rows for the tensors P and R.

    Parameters
    ----------
    P : probabilities, a dense tensor, a list of sparse matrices, or one of all rows; zeros are an unavailable action
    R : rewards R[s], R[s, a] or along the axes of P, dense, or sparse as P
    gamma : the discount, of the rewards that are paid on entry
    axes : the order of the axes of P: "sas", "ass" or "ssa", or "s'as", "as's", "s'sa" where the next state comes
        before the state; None where the shape tells it
    reward_axes : the order of the axes of R; None for (S,), (S, A) or that of P
    terminal : the terminal states, by name or index, or a mask (S,)
    terminal_rewards : "on entry", where a reward of a terminal state is paid by whoever enters it; None to refuse one
    unavailable : "-inf" or "inf", where a reward of this marks an action that is unavailable
    options : names of `states` and `actions`; all others are handed on

    Returns
    -------
    {argument: value}, without `gamma`.

    Raises
    ------
    ModelError : axes that could be several, shapes that do not fit, or a reward of a terminal state
    """
    given = terminal, terminal_rewards, unavailable, options
    try:
        return _arrays(P, R, gamma, axes, reward_axes, *given)
    except _Texts:
        p, r = spelled(P, "P"), spelled(R, "R")
    arrays = _arrays(p.floats, r.floats, gamma, axes, reward_axes, *given)
    if p.exact is None or r.exact is None:
        return arrays
    exact = arrays_of_rows(
        _exact_rows(p, r, axes, reward_axes, arrays),
        gamma,
        arrays["states"],
        arrays["actions"],
        terminal=np.flatnonzero(arrays["terminal"]).tolist(),
        normalize=bool(options.get("normalize")),
    )
    others = ("gamma", "start", "final_reward", "copy")
    return arrays | {"normalize": False} | {key: x for key, x in exact.items() if key not in others}


def _exact_rows(
    p: Spelled, r: Spelled, axes: str | None, reward_axes: str | None, arrays: dict[str, Any]
) -> list[Row]:
    """Return the rows of P and R, all of whose entries are rationals; `arrays` are those of their floats."""
    if arrays["on_entry"]:
        raise ModelError(
            f"terminal_rewards: found {ON_ENTRY!r} with texts or fractions in P and R, expected floats. Without it, "
            "add gamma times the reward to that of each transition that leads there"
        )
    order, P, R, own = _state_first(axes, p.floats, r.floats, reward_axes)
    order = order or _axes(_entries(P, "P", None), R, own)
    _, P, R, own = _state_first(axes, p.places, r.places, reward_axes)
    found = _all_rows(P, R, order, own)
    of_state = np.repeat(np.arange(found.S), np.diff(found.pair_ptr)).tolist()
    ends, to, prob = found.row_ptr.tolist(), found.next_state.tolist(), p.at(found.prob)
    reward = [None] * len(to) if found.reward is None else r.at(found.reward)
    own_r = [None] * len(of_state) if found.r is None else r.at(found.r)
    return [
        Row(state, action, list(zip(to[a:b], prob[a:b], reward[a:b], strict=True)), x)
        for state, action, a, b, x in zip(
            of_state, found.pair_action.tolist(), ends[:-1], ends[1:], own_r, strict=True
        )
    ]


def _arrays(
    P: Any, R: Any, gamma: Fraction, axes: str | None, reward_axes: str | None, *given: Any
) -> dict[str, Any]:
    """Return what arrays_of_tensors does, of tensors of numbers; `given` are its last four arguments."""
    terminal, terminal_rewards, unavailable, options = given
    axes, P, R, reward_axes = _state_first(axes, P, R, reward_axes)
    if axes is not None and axes not in ORDER:
        turned = 'For P[s2, a, s] say "s\'as".'
        raise ModelError(f"axes: found {quoted(axes)}, expected 'sas', 'ass' or 'ssa'. {WAY_OUT} {turned}")
    if terminal_rewards not in (None, ON_ENTRY):
        raise ModelError(f"terminal_rewards: found {quoted(terminal_rewards)}, expected {ON_ENTRY!r} or None")
    mark = mark_of(unavailable)
    rows = _all_rows(P, R, axes, reward_axes)
    options = dict(options)
    names = Names(options.pop("states", None) or rows.S)
    action_names = Names(options.pop("actions", None) or rows.A)
    if len(names) != rows.S or len(action_names) != rows.A:
        raise ModelError(
            f"names: found {len(names)} states and {len(action_names)} actions, expected {rows.S} and {rows.A}"
        )
    ends = state_mask(terminal, names)
    own_rewards = ("of_state", "may_pay")
    arrays = {field: x for field, x in rows._asdict().items() if field not in ("S", "A", *own_rewards)}
    of_state, may_pay = rows.of_state, rows.may_pay
    if mark is not None:
        arrays = without_unavailable(arrays | {"states": names, "actions": action_names}, mark)
        of_state, may_pay = unmarked(of_state, may_pay, mark)
    pair_ptr = arrays["pair_ptr"]
    paid = {}
    at = np.flatnonzero(ends)
    if at.size and not (pair_ptr[at + 1] > pair_ptr[at]).any():  # of those validation tells first
        paid = terminal_reward(of_state, may_pay(at), names, terminal_rewards)
    if paid:
        r = arrays["r"]
        own: Any = arrays["reward"] if r is None else np.repeat(r, np.diff(arrays["row_ptr"]))
        arrays |= {"reward": with_entry(own, arrays["next_state"], paid, gamma), "r": None}
    return arrays | {
        "terminal": ends,
        "states": names,
        "actions": action_names,
        "on_entry": bool(paid),
        **options,
    }


# -- which axis is which ----------------------------------------------------------------------------------------


def readings(shape: Sequence[int]) -> list[str]:
    """Return the orders of axes that a shape allows: one of three where S and A differ, all where S = A.

    >>> readings((3, 2, 3)), readings((2, 3, 3)), readings((3, 3, 2)), readings((2, 2, 2)), readings((2, 3, 4))
    (['sas'], ['ass'], ['ssa'], ['sas', 'ass', 'ssa'], [])
    """
    return [axes for axes, (s, _, to) in ORDER.items() if shape[s] == shape[to]]


def ambiguous_text(S: int, fits: Sequence[str]) -> str:
    """Say that nothing tells the order of the axes, and the only one under which rows sum to 1, if there is one.

    >>> ambiguous_text(2, ["ass"]).partition(". ")[2].partition(". ")[2]
    'Rows sum to 1 under "ass" only.'
    """
    text = f"axes: found none, and with as many actions as states ({S}) the shape of P cannot tell them. {WAY_OUT}"
    if len(fits) > 1 and all(axes in TURNED for axes in fits):
        return text + f" Rows sum to 1 with the next state first: {' or '.join(map(repr, fits))}."
    return text + (f' Rows sum to 1 under "{fits[0]}" only.' if len(fits) == 1 else "")


def _axes(entries: Entries, rewards: Any, reward_axes: str | None) -> str:
    """Return the order of the axes where it cannot matter or the shape tells it; ModelError otherwise."""
    possible = readings(entries.shape)
    if not possible:
        shape = " x ".join(map(str, entries.shape))
        raise ModelError(f"P: found shape {shape}, expected as many next states as states. {WAY_OUT}")
    if len(possible) == 1 or max(entries.shape) == 1:
        return possible[0]
    S = entries.shape[0]
    fits = []
    for axes in possible:
        state, action, _ = entries.along(axes)
        sums = np.bincount(state * S + action, entries.values, minlength=S * S)
        if np.all((sums == 0) | (np.abs(sums - 1) < 1e-9)):
            fits.append(axes)
    for turned, axes in TURNED.items() if not fits else ():
        _, action, to = entries.along(axes)
        sums = np.bincount(to * S + action, entries.values, minlength=S * S)
        if np.all((sums == 0) | (np.abs(sums - 1) < 1e-9)):
            fits.append(turned)
    first, *others = (_rows(entries, rewards, axes, reward_axes) for axes in possible)
    if not all(first.same(other) for other in others):
        raise ModelError(ambiguous_text(S, fits))
    return possible[0]


def _state_first(axes: Any, P: Any, R: Any, reward_axes: Any) -> tuple[Any, Any, Any, Any]:
    """Return tensors whose state comes before the next state, and the orders of their axes."""
    axes, reward_axes = (SAME.get(x, x) if isinstance(x, str) else x for x in (axes, reward_axes))
    if isinstance(axes, str) and axes in TURNED:
        if reward_axes is None and _depth(R) == 3:
            reward_axes = axes
        P, axes = _turned(P, axes, "P"), TURNED[axes]
    if isinstance(reward_axes, str) and reward_axes in TURNED:
        R, reward_axes = _turned(R, reward_axes, "R"), TURNED[reward_axes]
    return axes, P, R, reward_axes


def _depth(x: Any) -> int:
    """Return how many axes rewards have."""
    return 3 if is_sparse_list(x) else 0 if is_stack(x) else np.ndim(x)


def _turned(x: Any, axes: str, what: str) -> Any:
    """Return a tensor with the state and the next state in each other's place."""
    if is_stack(x):
        raise ModelError(
            f"axes: found {quoted(axes)} for one sparse matrix, expected an array or a list of matrices"
        )
    if is_sparse_list(x):
        if axes != "as's":
            raise ModelError(
                f'axes: found {quoted(axes)} for a list of matrices, one an action, expected "as\'s"'
            )
        return [matrix.T.tocsr() for matrix in x]
    array = _array(x, what)
    if array.ndim != 3:
        raise ModelError(f"{what}: found {array.ndim} dimensions, expected 3. {WAY_OUT}")
    s, _, to = ORDER[TURNED[axes]]
    return np.swapaxes(array, s, to)


def turned_text(P: Any, axes: str | None) -> str:
    """Say that rows sum to 1 where the state and the next state change places, if they do so there and not here.

    Otherwise it says how P was read, where its shape alone told that and there are more actions than states.

    >>> turned_text([[[0.5, 1.0]], [[0.5, 0.0]]], "sas")
    'They sum to 1 with the next state first: say axes="s\\'as".'
    """
    if is_stack(P) or is_sparse_list(P):
        return ""
    try:
        table = np.asarray(P, dtype=np.float64)
    except (ValueError, TypeError):
        return ""
    possible = [axes] if axes in ORDER else readings(table.shape) if table.ndim == 3 else []
    if table.ndim != 3 or len(possible) != 1 or possible[0] is None:
        return ""
    s, a, to = ORDER[possible[0]]
    if table.shape[s] != table.shape[to] or not _stochastic(table, s) or _stochastic(table, to):
        shape, S, A = " x ".join(map(str, table.shape)), table.shape[s], table.shape[a]
        read = f"P of shape {shape} was read with axes={possible[0]!r}: {S} states, {A} actions."
        return read if axes is None and S < A else ""
    turned = next(name for name, forward in TURNED.items() if forward == possible[0])
    return f'They sum to 1 with the next state first: say axes="{turned}".'


def are_singles(P: Any, prob: Floats, row_ptr: Ints) -> bool:
    """Return whether P are float32 numbers whose rows sum to 1 as such do, and one of them no better.

    Parameters
    ----------
    P : as arrays_of_tensors takes it
    prob, row_ptr : its rows as float64

    Returns
    -------
    True where each row is off by n 2^-24 at most, n its length, and one by more than float64 numbers are.

    Examples
    --------
    >>> third = np.full((1, 1, 3), 1 / 3, dtype=np.float32)
    >>> are_singles(third, third.ravel().astype(float), np.array([0, 3]))
    True
    """
    kinds = [getattr(sheet, "dtype", "") for sheet in (P if isinstance(P, (list, tuple)) and len(P) else [P])]
    # The name of a dtype takes a tenth of the time to build a small model; other libraries have dtypes of their own.
    if not all(x == np.float32 if isinstance(x, np.dtype) else str(x).endswith("float32") for x in kinds):
        return False
    length = np.diff(row_ptr)
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.abs(1 - row_sums(prob, row_ptr))
    return bool((gap > length * 2.0**-52).any() and (gap <= length * 2.0**-24).all())


def _stochastic(table: Floats, axis: int) -> bool:
    with np.errstate(invalid="ignore", over="ignore"):
        sums = table.sum(axis=axis)
    return bool(np.all((sums == 0) | (np.abs(sums - 1) < 1e-9)) and sums.any())


# -- rows -------------------------------------------------------------------------------------------------------


class _Rewards(NamedTuple):
    """Rewards of outcomes or of rows; those that stand at a state, and which of some states may have any but 0."""

    reward: Floats | None
    r: Floats | None
    of_state: Callable[[int], tuple[Floats, bool]]
    may_pay: Callable[[Ints], Ints]


class _Rows(NamedTuple):
    """The arrays of a model, and what its rewards say of a state."""

    S: int
    A: int
    pair_ptr: Ints
    pair_action: Ints
    row_ptr: Ints
    next_state: Ints
    prob: Floats
    reward: Floats | None
    r: Floats | None
    of_state: Callable[[int], tuple[Floats, bool]]
    may_pay: Callable[[Ints], Ints]

    def same(self, other: _Rows) -> bool:
        return all(
            a is b is None or np.array_equal(a, b)  # type: ignore[arg-type]
            for a, b in zip(self[:-2], other[:-2], strict=True)
        )


def _all_rows(P: Any, R: Any, axes: str | None, reward_axes: str | None) -> _Rows:
    """Return the arrays of a model from its tensors: by blocks where they are large and plain."""
    if is_stack(P):
        axes = _axes_of_stack(P, axes)
    elif not is_sparse_list(P):
        P = _array(P, "P")
    rewards = R if is_sparse_list(R) or (is_stack(R) and is_stack(P)) else None
    shape = (len(P), *P[0].shape) if is_sparse_list(P) else P.shape
    possible = readings(shape) if len(shape) == 3 else []
    known = possible[0] if axes is None and len(possible) == 1 else axes
    pairs = None if known is None or (known not in possible and not is_stack(P)) else pairs_of(P, known)
    if pairs is not None and known is not None:
        rewards = _numbers(R, "R") if rewards is None else rewards
        found = _rewards_of_pairs(pairs, rewards, known, reward_axes)
        if found is not None:
            return _Rows(*pairs, *found)
    entries = _entries(P, "P", axes)
    rewards = _numbers(R, "R") if rewards is None else rewards
    if axes is None:
        axes = _axes(entries, rewards, reward_axes)
    return _rows(entries, rewards, axes, reward_axes)


def _axes_of_stack(P: Any, axes: str | None) -> str:
    """Return the order of the axes of one sparse matrix of all rows; ModelError where it cannot be one."""
    n, S = P.shape
    if n == 0 or S == 0:
        raise ModelError("no states: found 0, expected at least 1")
    if n % S:
        raise ModelError(f"P: found one sparse matrix of shape {n} x {S}, expected {SHEETS}")
    if axes == "ssa":
        raise ModelError(
            "axes: found 'ssa' for one sparse matrix, expected 'sas' (row s*A + a) or 'ass' (row a*S + s)"
        )
    return axes or "sas"


def _rows(entries: Entries, rewards: Any, axes: str, reward_axes: str | None) -> _Rows:
    S, A, n_to = entries.sizes(axes)
    if S == 0 or n_to == 0:
        raise ModelError("no states: found 0, expected at least 1")
    if n_to != S:
        raise ModelError(
            f"P: found {n_to} next states for {S} states under axes={axes!r}, expected as many. {WAY_OUT}"
        )
    state, action, to = entries.along(axes)
    order = np.lexsort((to, action, state))
    state, action, to, prob = state[order], action[order], to[order], entries.values[order]
    first = np.flatnonzero(np.diff(state * A + action, prepend=-1))
    row_state, row_action = state[first], action[first]
    pair_ptr = np.zeros(S + 1, dtype=np.int64)
    np.cumsum(np.bincount(row_state, minlength=S), out=pair_ptr[1:])
    found = _rewards(rewards, axes, reward_axes, (state, action, to), (row_state, row_action), S, A)
    row_ptr = np.append(first, len(prob)).astype(np.int64)
    return _Rows(S, A, pair_ptr, row_action, row_ptr, to, prob, *found)


def state_mask(terminal: Any, names: Names, what: str = "terminal") -> NDArray[np.bool_]:
    """Return which states are meant: named by a list, an array, a set or a mask.

    Parameters
    ----------
    terminal : the states, by name or index, or a mask (S,); None for none
    names : of all states
    what : what messages call it

    Returns
    -------
    Mask (S,).

    Raises
    ------
    ModelError : no such state, or a mask of another length
    """
    if terminal is None:
        return np.zeros(len(names), dtype=bool)
    if isinstance(terminal, np.ndarray) and terminal.dtype == bool and terminal.shape == (len(names),):
        return terminal.copy()
    if isinstance(terminal, (str, int, np.integer)) and not isinstance(terminal, bool):
        terminal = [terminal]
    try:
        listed = list(terminal)
    except TypeError:
        raise ModelError(f"{what}: found {kind_text(terminal)}, expected a list of states") from None
    ends = np.zeros(len(names), dtype=bool)
    if listed and all(isinstance(x, (bool, np.bool_)) for x in listed):
        if len(listed) != len(names):
            raise ModelError(f"{what}: found a mask of length {len(listed)}, expected {len(names)}")
        return np.array(listed, dtype=bool)
    for x in listed:
        ends[state_at(names, x, what)] = True
    return ends


def _entries(P: Any, what: str, axes: str | None) -> Entries:
    """Return the entries of a tensor, dense or of sparse matrices, that are not 0; NaN is kept."""
    if is_stack(P):
        coo = P.tocoo()
        n, S = P.shape
        per = S if axes == "ass" else n // S
        row, values = coo.row.astype(np.int64), _float64(coo.data, what)
        keep = values != 0
        row, last = row[keep], coo.col.astype(np.int64)[keep]
        return Entries((row // per, row % per, last), values[keep], (n // per, per, S))
    if not is_sparse_list(P):
        dense = _numbers(P, what)
        if dense.ndim != 3:
            raise ModelError(f"{what}: found {dense.ndim} dimensions, expected 3. {WAY_OUT}")
        i, j, k = np.nonzero(dense)
        return Entries((i, j, k), dense[i, j, k], dense.shape)
    parts = []
    for at, matrix in enumerate(P):
        if matrix.shape != P[0].shape:
            raise ModelError(f"{what}[{at}]: found shape {matrix.shape}, expected {P[0].shape}")
        coo = matrix.tocoo()
        places = np.full(coo.nnz, at, dtype=np.int64), coo.row.astype(np.int64), coo.col.astype(np.int64)
        parts.append((*places, _float64(coo.data, what)))
    outer, inner, last, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    keep = values != 0
    return Entries((outer[keep], inner[keep], last[keep]), values[keep], (len(P), *P[0].shape))


def _numbers(values: Any, what: str) -> Floats:
    """Return an array of floats; ModelError where it is none."""
    return _float64(_array(values, what), what)


def _array(values: Any, what: str) -> NDArray[Any]:
    """Return an array of numbers, as they are; ModelError where it is none."""
    if is_stack(values):
        raise ModelError(f"{what}: found one sparse matrix, expected an array, or the form that P has")
    if isinstance(values, Mapping):
        raise ModelError(f"{what}: " + A_DICTIONARY.format("an array of numbers"))
    if isinstance(values, str):
        raise ModelError(f"{what}: found {kind_text(values)}, expected an array of numbers")
    try:
        array = np.asarray(values)
    except (ValueError, TypeError):
        raise ModelError(f"{what}: found lists of different lengths, expected a rectangular tensor") from None
    if array.dtype.kind not in "iuf" and array.size:
        found = kind_text(values) if array.dtype == object else f"{array.dtype} entries"
        raise (_Texts if has_texts(array) else ModelError)(f"{what}: found {found}, expected numbers")
    return array


def _float64(array: Any, what: str) -> Floats:
    made: Floats = array.astype(np.float64, copy=False)
    if array.dtype.itemsize > 8 and ((made == 0) & (array != 0)).any():
        raise ModelError(f"{what}: found a number that {UNDERFLOWS}")
    return made


def _rewards(
    R: Any,
    axes: str,
    reward_axes: str | None,
    outcomes: tuple[Ints, Ints, Ints],
    pairs: tuple[Ints, Ints],
    S: int,
    A: int,
) -> _Rewards:
    """Return the rewards of the outcomes and pairs of a model, each with its state, action and next state."""
    if is_stack(R) or is_sparse_list(R):
        stored = _entries(R, "R", axes)
        if stored.sizes(axes) != (S, A, S):
            raise ModelError(_other_shapes(R))

        def key(state: Ints, action: Ints, to: Ints) -> Ints:
            return (state * A + action) * S + to

        known, which = np.unique(key(*stored.along(axes)), return_inverse=True)
        sums = np.append(np.bincount(which, stored.values, minlength=len(known)), 0.0)
        wanted = key(*outcomes)
        at = np.searchsorted(known, wanted)
        at[np.append(known, -1)[at] != wanted] = len(known)
        return _Rewards(sums[at], None, *_of_states(R, axes))
    table, named = _table(R, axes, reward_axes, S, A)
    if named == "s":
        return _Rewards(None, R[pairs[0]], *_of_table(table, named))
    if len(named) == 2:
        return _Rewards(None, table[pairs], *_of_table(table, named))
    return _Rewards(table[outcomes], None, *_of_table(table, named))


def _rewards_of_pairs(pairs: Pairs, R: Any, axes: str, reward_axes: str | None) -> _Rewards | None:
    """Return the rewards of the rows of a large model; None where their sparse matrices are no usual ones."""
    S, A = pairs.S, pairs.A
    if is_stack(R) or is_sparse_list(R):
        sheets, of_state = sheets_of(R, axes), _of_states(R, axes)[0]
        same = sheets is not None and (sheets.S, sheets.A) == (S, A)
        reward = of_entries(pairs, sheets) if same and sheets is not None else None
        return (
            None
            if reward is None or sheets is None
            else _Rewards(reward, None, of_state, sheets.with_entries)
        )
    table, named = _table(R, axes, reward_axes, S, A)
    if named == "s":
        return _Rewards(None, np.repeat(R, np.diff(pairs.pair_ptr)), *_of_table(table, named))
    if len(named) == 2:
        return _Rewards(None, of_pairs(pairs, table), *_of_table(table, named))
    return _Rewards(of_outcomes(pairs, table), None, *_of_table(table, named))


def _table(R: Floats, axes: str, reward_axes: str | None, S: int, A: int) -> tuple[Floats, str]:
    """Return dense rewards as R[s], R[s, a] or R[s, a, s2], and the order that their axes had."""
    named = reward_axes or {1: "s", 2: "as" if R.shape == (A, S) != (S, A) else "sa", 3: axes}.get(R.ndim)
    shapes = {"s": (S,), "sa": (S, A), "as": (A, S), "sas": (S, A, S), "ass": (A, S, S), "ssa": (S, S, A)}
    if named is None:
        raise ModelError(f"R: found {R.ndim} dimensions, expected 1, 2 or 3: R[s], R[s, a] or the axes of P")
    if named not in shapes:
        raise ModelError(f"reward_axes: found {quoted(named)}, expected one of {', '.join(shapes)}")
    if R.shape != shapes[named]:
        raise ModelError(
            f"R: found shape {R.shape}, expected {shapes[named]} under reward_axes={named!r}: "
            f"P was read with axes={axes!r}, {S} states and {A} actions"
        )
    return R if named in ("s", "sa") else R.T if named == "as" else R.transpose(ORDER[named]), named


def _of_table(
    table: Floats, named: str
) -> tuple[Callable[[int], tuple[Floats, bool]], Callable[[Ints], Ints]]:
    """Return what gives the rewards at a state, and what tells which of some states have any but 0."""

    def may_pay(states: Ints) -> Ints:
        if len(named) == 3:
            rich = np.array([table[s].any() for s in states.tolist()], dtype=bool)
        else:
            rich = (table[states] != 0).reshape(len(states), table[:1].size).any(axis=1)
        paying: Ints = states[rich]
        return paying

    return lambda s: (table[s : s + 1].ravel(), len(named) == 3), may_pay


def _of_states(R: Any, axes: str) -> tuple[Callable[[int], tuple[Floats, bool]], Callable[[Ints], Ints]]:
    """The same for sparse matrices, which are read again where there are states to look at: few models pay there."""

    def of_state(s: int) -> tuple[Floats, bool]:
        stored = _entries(R, "R", axes)
        return stored.values[stored.along(axes)[0] == s], True

    def may_pay(states: Ints) -> Ints:
        return np.intersect1d(states, _entries(R, "R", axes).along(axes)[0]) if len(states) else states

    return of_state, may_pay


def _other_shapes(R: Any) -> str:
    if is_stack(R):
        return f"R: found one sparse matrix of shape {R.shape}, expected the shape of P"
    return f"R: found {len(R)} matrices of shape {R[0].shape}, expected the shapes of P"
