"""What families are made with: the registry, and random rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl import MDP

Floats = NDArray[np.float64]
Ints = NDArray[Any]
BLOCK = 2**18  # rows that are made at a time


@dataclass(frozen=True)
class Family:
    """A family: how to make it, which sizes and discounts it is measured at, and a size for tests."""

    make: Callable[..., MDP]
    sizes: tuple[int, ...]
    gammas: tuple[float, ...]
    small: int
    unit: str  # what a size counts
    random: bool  # whether the seed matters
    about: str


FAMILIES: dict[str, Family] = {}


def family(
    name: str,
    sizes: tuple[int, ...],
    gammas: tuple[float, ...],
    small: int,
    unit: str = "states",
    random: bool = True,
) -> Callable[[Callable[..., MDP]], Callable[..., MDP]]:
    def enter(function: Callable[..., MDP]) -> Callable[..., MDP]:
        about = (function.__doc__ or "").partition("\n")[0]
        FAMILIES[name] = Family(function, sizes, gammas, small, unit, random, about)
        return function

    return enter


def parse(name: str) -> tuple[str, int]:
    """Return the family and the size that a name like "garnet-1e5" says."""
    which, _, size = name.rpartition("-")
    if name in FAMILIES:
        return name, FAMILIES[name].sizes[0]
    try:
        count = int(float(size))
    except ValueError:
        count = 0
    if which not in FAMILIES or count < 1:
        raise SystemExit(
            f"found the model {name!r}, expected FAMILY or FAMILY-SIZE, such as garnet-1e4; families: "
            + ", ".join(FAMILIES)
        )
    return which, count


def model(name: str, gamma: float | None = None, seed: int = 0) -> MDP:
    """Make the model of this name; without a discount the family's first."""
    which, size = parse(name)
    chosen = FAMILIES[which]
    return chosen.make(size=size, gamma=chosen.gammas[0] if gamma is None else gamma, seed=seed)


def size_text(size: int) -> str:
    """A size as names say it: 300, 1e5, 22500."""
    digits = len(str(size)) - 1
    return f"1e{digits}" if digits >= 4 and size == 10**digits else str(size)


def generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def pointers(lengths: Ints) -> Ints:
    ptr = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=ptr[1:])
    return ptr.astype(np.int32) if ptr[-1] < 2**31 else ptr


def full_model(to: Ints, prob: Floats, **more: Any) -> MDP:
    """Make a model from next states and probabilities (states, actions, outcomes); terminal states have no rows.

    Outcomes of probability 0 are left out; next states of a row need not be sorted nor distinct.
    """
    terminal = more.get("terminal")
    states, actions, width = to.shape
    live = np.ones(states, dtype=bool) if terminal is None else ~terminal
    if not live.all():
        to, prob = to[live], prob[live]
        for field in ("r", "reward"):
            if more.get(field) is not None:
                more[field] = more[field].reshape(states, actions, -1)[live]
    rows = len(to) * actions
    flat_to, flat_prob = merged(
        to.reshape(rows, width).astype(np.int32, copy=False), prob.reshape(rows, width)
    )
    keep = flat_prob > 0
    for field in ("r", "reward"):
        if more.get(field) is not None:
            more[field] = np.ascontiguousarray(more[field]).reshape(-1)
    return MDP.from_rows(
        pair_ptr=pointers(np.where(live, actions, 0)),
        pair_action=np.tile(np.arange(actions, dtype=np.int32), len(to)),
        row_ptr=pointers(keep.sum(axis=1)),
        next_state=flat_to[keep],
        prob=flat_prob[keep],
        copy=False,
        **more,
    )


def merged(to: Ints, prob: Floats) -> tuple[Ints, Floats]:
    """Sort each row by next state and add up what has the same one; what is merged keeps probability 0."""
    all_to, all_prob = np.empty_like(to), np.empty(prob.shape)
    for i in range(0, len(to), BLOCK):
        part = slice(i, i + BLOCK)
        order = np.argsort(to[part], axis=1, kind="stable")
        all_to[part] = np.take_along_axis(to[part], order, axis=1)
        all_prob[part] = np.take_along_axis(prob[part], order, axis=1)
    for k in range(to.shape[1] - 1):
        same = all_to[:, k] == all_to[:, k + 1]
        all_prob[same, k + 1] += all_prob[same, k]
        all_prob[same, k] = 0.0
    return all_to, all_prob


def cuts(rng: np.random.Generator, rows: int, lengths: Ints, widest: int) -> Floats:
    """Probabilities (rows, widest): the pieces into which uniform points cut [0, 1]. They sum to exactly 1."""
    points = np.zeros((rows, widest + 1))
    points[:, 1:] = rng.random((rows, widest))
    points[:, 1:][np.arange(1, widest + 1) >= lengths[:, None]] = 1.0
    points.sort(axis=1)
    return np.diff(points, axis=1)


def distinct(rows: int, draw: Callable[[int], Ints]) -> Ints:
    """Draw rows of states until no row holds a state twice."""
    to = draw(rows)
    wrong = np.arange(rows)
    while len(wrong):
        ordered = np.sort(to[wrong], axis=1)
        wrong = wrong[(ordered[:, 1:] == ordered[:, :-1]).any(axis=1)]
        if len(wrong):
            to[wrong] = draw(len(wrong))
    return to


def sparse_rows(
    rng: np.random.Generator, rows: int, low: int, high: int, draw: Callable[[int, int], Ints]
) -> tuple[Ints, Ints, Floats]:
    """Rows of `low` to `high` distinct next states, drawn by draw(first row, last row): pointers, states, chances."""
    lengths = rng.integers(low, high, size=rows, endpoint=True, dtype=np.int32)
    row_ptr = pointers(lengths)
    next_state, prob = np.empty(row_ptr[-1], dtype=np.int32), np.empty(row_ptr[-1])
    for i in range(0, rows, BLOCK):
        n = lengths[i : i + BLOCK]
        to = draw(i, i + len(n))
        keep = np.arange(high) < n[:, None]
        to[~keep] = np.iinfo(np.int32).max
        to.sort(axis=1)
        part = slice(row_ptr[i], row_ptr[i + len(n)])
        next_state[part] = to[keep]
        prob[part] = cuts(rng, len(n), n, high)[keep]
    return row_ptr, next_state, prob


def random_model(
    rng: np.random.Generator,
    states: int,
    actions: int,
    low: int,
    high: int,
    draw: Callable[[int, int], Ints],
    **more: Any,
) -> MDP:
    row_ptr, next_state, prob = sparse_rows(rng, states * actions, low, high, draw)
    more.setdefault("r", rng.random(states * actions))
    return MDP.from_rows(
        pair_ptr=np.arange(0, states * actions + 1, actions, dtype=np.int32),
        pair_action=np.tile(np.arange(actions, dtype=np.int32), states),
        row_ptr=row_ptr,
        next_state=next_state,
        prob=prob,
        copy=False,
        **more,
    )
