"""From the tensors of the textbooks, dense or sparse, to rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError, kind_text, quoted
from tabular_rl.model.build import A_DICTIONARY
from tabular_rl.model.names import Names, state_at
from tabular_rl.model.rationals import UNDERFLOWS, nearest, spell
from tabular_rl.model.rows import LARGEST, Floats, Ints

# Where the state, the action and the next state stand among the axes of a tensor.
ORDER = {"sas": (0, 1, 2), "ass": (1, 0, 2), "ssa": (0, 2, 1)}
WAY_OUT = 'Say axes="sas" for P[s, a, s2], axes="ass" for P[a, s, s2] or axes="ssa" for P[s, s2, a].'
ON_ENTRY = "on entry"


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
    options: dict[str, Any],
) -> dict[str, Any]:
    """Return the keyword arguments of MDP.from_rows for the tensors P and R.

    Parameters
    ----------
    P : probabilities, a dense tensor or a list of sparse matrices; a row of zeros is an action that is not available
    R : rewards R[s], R[s, a] or along the axes of P, dense, or sparse as P
    gamma : the discount, of the rewards that are paid on entry
    axes : the order of the axes of P: "sas", "ass" or "ssa"; None where the shape tells it
    reward_axes : the order of the axes of R; None for (S,), (S, A) or that of P
    terminal : the terminal states, by name or index, or a mask (S,)
    terminal_rewards : "on entry", where a reward of a terminal state is paid by whoever enters it; None to refuse one
    options : names of `states` and `actions`; all others are handed on

    Returns
    -------
    {argument: value}, without `gamma`.

    Raises
    ------
    ModelError : axes that could be several, shapes that do not fit, or a reward of a terminal state
    """
    if axes is not None and axes not in ORDER:
        raise ModelError(f"axes: found {quoted(axes)}, expected 'sas', 'ass' or 'ssa'. {WAY_OUT}")
    if terminal_rewards not in (None, ON_ENTRY):
        raise ModelError(f"terminal_rewards: found {quoted(terminal_rewards)}, expected {ON_ENTRY!r} or None")
    entries = _entries(P, "P")
    rewards = R if _is_sparse_list(R) else _numbers(R, "R")
    if axes is None:
        axes = _axes(entries, rewards, reward_axes)
    rows = _rows(entries, rewards, axes, reward_axes)
    options = dict(options)
    names = Names(options.pop("states", None) or rows.S)
    action_names = Names(options.pop("actions", None) or rows.A)
    if len(names) != rows.S or len(action_names) != rows.A:
        raise ModelError(
            f"names: found {len(names)} states and {len(action_names)} actions, expected {rows.S} and {rows.A}"
        )
    ends = _mask(terminal, names)
    arrays = {field: x for field, x in rows._asdict().items() if field not in ("S", "A", "of_state")}
    paid = {}
    if not ((np.diff(rows.pair_ptr) > 0) & ends).any():  # what validation says of those comes first
        paid = terminal_reward(rows.of_state, np.flatnonzero(ends), names, terminal_rewards)
    if paid:
        own: Any = rows.reward if rows.r is None else np.repeat(rows.r, np.diff(rows.row_ptr))
        arrays |= {"reward": _with_entry(own, rows.next_state, paid, gamma), "r": None}
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
    first, *others = (_rows(entries, rewards, axes, reward_axes) for axes in possible)
    if not all(first.same(other) for other in others):
        raise ModelError(ambiguous_text(S, fits))
    return possible[0]


# -- rows -------------------------------------------------------------------------------------------------------


class _Rows(NamedTuple):
    """The arrays of a model, and `of_state`, which gives the rewards that stand at a state."""

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

    def same(self, other: _Rows) -> bool:
        return all(
            a is b is None or np.array_equal(a, b)  # type: ignore[arg-type]
            for a, b in zip(self[:-1], other[:-1], strict=True)
        )


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
    reward, r, of_state = _rewards(
        rewards, axes, reward_axes, (state, action, to), (row_state, row_action), S, A
    )
    row_ptr = np.append(first, len(prob)).astype(np.int64)
    return _Rows(S, A, pair_ptr, row_action, row_ptr, to, prob, reward, r, of_state)


def _mask(terminal: Any, names: Names) -> NDArray[np.bool_]:
    """Return which states are terminal: named by a list, an array, a set or a mask."""
    if terminal is None:
        terminal = ()
    if isinstance(terminal, (str, int, np.integer)) and not isinstance(terminal, bool):
        terminal = [terminal]
    try:
        listed = list(terminal)
    except TypeError:
        raise ModelError(f"terminal: found {kind_text(terminal)}, expected a list of states") from None
    ends = np.zeros(len(names), dtype=bool)
    if listed and all(isinstance(x, (bool, np.bool_)) for x in listed):
        if len(listed) != len(names):
            raise ModelError(f"terminal: found a mask of length {len(listed)}, expected {len(names)}")
        return np.array(listed, dtype=bool)
    for x in listed:
        ends[state_at(names, x, "terminal")] = True
    return ends


def _is_sparse(x: Any) -> bool:
    return hasattr(x, "tocoo") and hasattr(x, "nnz")


def _is_sparse_list(x: Any) -> bool:
    return isinstance(x, (list, tuple)) and len(x) > 0 and all(map(_is_sparse, x))


def _entries(P: Any, what: str) -> Entries:
    """Return the entries of a tensor, dense or a list of sparse matrices, that are not 0; NaN is kept."""
    if not _is_sparse_list(P):
        if _is_sparse(P):
            raise ModelError(
                f"{what}: found one sparse matrix, expected a list with one (S, S) matrix an action"
            )
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
    if isinstance(values, Mapping):
        raise ModelError(f"{what}: " + A_DICTIONARY.format("an array of numbers"))
    if isinstance(values, str):
        raise ModelError(f"{what}: found {kind_text(values)}, expected an array of numbers")
    try:
        array = np.asarray(values)
    except (ValueError, TypeError):
        raise ModelError(f"{what}: found lists of different lengths, expected a rectangular tensor") from None
    if array.dtype.kind not in "iuf" and array.size:
        found = f"{array.dtype} entries"
        if array.dtype == object:
            found = kind_text(values)
        raise ModelError(f"{what}: found {found}, expected numbers")
    return _float64(array, what)


def _float64(array: Any, what: str) -> Floats:
    made: Floats = array.astype(np.float64)
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
) -> tuple[Floats | None, Floats | None, Callable[[int], tuple[Floats, bool]]]:
    """Return (reward by outcome or None, r by row or None, the rewards that stand at a state)."""
    if _is_sparse_list(R):
        stored = _entries(R, "R")
        if stored.sizes(axes) != (S, A, S):
            raise ModelError(f"R: found {len(R)} matrices of shape {R[0].shape}, expected the shapes of P")

        def key(state: Ints, action: Ints, to: Ints) -> Ints:
            return (state * A + action) * S + to

        known, which = np.unique(key(*stored.along(axes)), return_inverse=True)
        sums = np.append(np.bincount(which, stored.values, minlength=len(known)), 0.0)
        wanted = key(*outcomes)
        at = np.searchsorted(known, wanted)
        at[np.append(known, -1)[at] != wanted] = len(known)
        return sums[at], None, lambda s: (stored.values[stored.along(axes)[0] == s], True)
    named = reward_axes or {1: "s", 2: "sa", 3: axes}.get(R.ndim)
    shapes = {"s": (S,), "sa": (S, A), "as": (A, S), "sas": (S, A, S), "ass": (A, S, S), "ssa": (S, S, A)}
    if named is None:
        raise ModelError(f"R: found {R.ndim} dimensions, expected 1, 2 or 3: R[s], R[s, a] or the axes of P")
    if named not in shapes:
        raise ModelError(f"reward_axes: found {quoted(named)}, expected one of {', '.join(shapes)}")
    if R.shape != shapes[named]:
        raise ModelError(f"R: found shape {R.shape}, expected {shapes[named]} under reward_axes={named!r}")
    if named == "s":
        return None, R[pairs[0]], lambda s: (R[s : s + 1], False)
    if len(named) == 2:
        table = R if named == "sa" else R.T
        return None, table[pairs], lambda s: (table[s], False)
    table = R.transpose(ORDER[named])
    return table[outcomes], None, lambda s: (table[s].ravel(), True)


# -- rewards of terminal states ---------------------------------------------------------------------------------


def terminal_reward(
    of_state: Callable[[int], tuple[Any, bool]],
    ends: Iterable[int],
    names: Names,
    option: str | None,
    *,
    spelled: str = "terminal_rewards='on entry'",
    report: Callable[[Fault, int], None] | None = None,
) -> dict[int, Any]:
    """Return the rewards R(g) of the terminal states g that have one, which are to be paid on entry.

    Without the option, a reward there is a fault, since a terminal state takes no actions and never collects it. With
    it, R(g) must be one number, whatever the action.

    Parameters
    ----------
    of_state : `of_state(g)` gives the rewards that stand at g, and whether they belong to transitions
    ends : indices of the terminal states
    names : those of the states
    option : "on entry", or None
    spelled : how a user gives the option, for messages
    report : takes each fault with its state; without it, the first is raised

    Returns
    -------
    {state index: R(g)}, without the states that have none or a fault.

    Raises
    ------
    ModelError : the first fault, without `report`
    """
    paid: dict[int, Any] = {}
    for g in map(int, ends):
        values, by_transition = of_state(g)
        given = [x for x in values if x != 0]  # NaN too
        if not given:
            continue
        what = f"terminal state {quoted(names[g])} has reward {_text(given[0])}"
        if option is None:
            what += ", which is never collected: put it on the transitions into it"
            what += "" if by_transition else f", or say {spelled}"
        elif by_transition:
            what += " on a transition of its own, which it never takes: put it on the transitions into it"
        elif not all(-LARGEST <= x <= LARGEST for x in values):
            what += f", expected a finite number up to {LARGEST:g}"
        elif any(x != given[0] for x in values):
            other = next(x for x in values if x != given[0])
            what += (
                f" for one action and {_text(other)} for another, expected one number: it is paid on entry"
            )
        else:
            paid[g] = given[0]
            continue
        fault = Fault(what)
        if report is None:
            raise ModelError(fault)
        report(fault, g)
    return paid


def _text(x: Any) -> str:
    return spell(x)[:40] if isinstance(x, Fraction) else f"{float(x):.12g}"


def entry_reward(own: Any, gamma: Any, paid: Any) -> Any:
    """Return r + γ R(g), the reward of a transition into a terminal state g that pays R(g) on entry.

    Rationals give a rational; floats are added exactly and rounded once.

    Parameters
    ----------
    own : r, the reward of the transition itself
    gamma : the discount, as a fraction
    paid : R(g)

    Returns
    -------
    A float where `own` is one, else a rational. What is not finite stays as it is.

    Examples
    --------
    >>> entry_reward(Fraction(-3), Fraction(9, 10), Fraction(100)), entry_reward(-3.0, Fraction(1, 2), 100.0)
    (Fraction(87, 1), 47.0)
    """
    if isinstance(own, float):
        if not -LARGEST <= own <= LARGEST:
            return own
        return nearest(Fraction(own) + Fraction(gamma) * Fraction(paid))
    return own + gamma * paid


def _with_entry(own: Floats, to: Ints, paid: dict[int, float], gamma: Fraction) -> Floats:
    """Add γ R(g) to the reward of each transition into g."""
    made = np.array(own, dtype=np.float64)
    for g, value in paid.items():
        into = np.flatnonzero(to == g)
        different, which = np.unique(made[into], return_inverse=True)
        made[into] = np.array([entry_reward(x, gamma, float(value)) for x in different.tolist()])[which]
    return made
