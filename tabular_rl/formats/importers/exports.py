"""What is common to those that write models for other tools: how numbers are spelled, and how a model is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from tabular_rl.errors import Fault, ModelError
from tabular_rl.formats.spelling import plain
from tabular_rl.model.layout import Layout
from tabular_rl.model.mdp import MDP

WAY_OUT = "Write it as .toml, .csv or .npz"


class Line(NamedTuple):
    """One outcome of a model: indices, and numbers that are exact where the model is."""

    s: int
    a: int
    to: int
    p: Any
    reward: Any


def lines_of(mdp: MDP) -> Iterator[Line]:
    """Yield the outcomes of a model in its order.

    >>> list(lines_of(MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)))[1]
    Line(s=0, a=0, to=1, p=0.5, reward=1.0)
    """
    exact = mdp.exact
    prob: Any = mdp.prob.tolist() if exact is None else exact.prob
    known = mdp if exact is None else exact
    reward: Any
    r: Any
    reward, r = (x.tolist() if isinstance(x, np.ndarray) else x for x in (known.reward, known.r))
    for s in range(mdp.S):
        for i in mdp.rows(s):
            a = int(mdp.pair_action[i])
            for k in range(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1])):
                own = reward[k] if reward is not None else r[i]
                yield Line(s, a, int(mdp.next_state[k]), prob[k], own)


def refused(format: str, what: str, *place: str) -> ModelError:
    """Return the error of a model that a format cannot hold.

    Parameters
    ----------
    format : what messages call it
    what : the reason
    place : state, action and next state, as far as it is about one

    Returns
    -------
    ModelError, which names the formats that hold every model.
    """
    named = dict(zip(("state", "action", "next_state"), place, strict=False))
    return ModelError(replace(Fault(f"{what}, which {format} cannot hold. {WAY_OUT}"), **named))  # type: ignore[arg-type]


def decimal(x: Any, fault: Callable[[str], ModelError]) -> str:
    """Return a number as a decimal with digits on both sides of its point.

    Parameters
    ----------
    x : a float or a fraction
    fault : text -> the error, where no decimal is the number

    Returns
    -------
    The decimal that reads back as the same number.

    Examples
    --------
    >>> decimal(1e-7, ModelError), decimal(Fraction(1, 4), ModelError), decimal(2.0, ModelError)
    ('1.0e-07', '0.25', '2.0')
    """
    text = plain(x) if isinstance(x, Fraction) else repr(float(x))
    if "/" in text:
        raise fault(f"found {text}, no decimal of finite length")
    head, e, exponent = text.partition("e")
    return (head if "." in head else head + ".0") + e + exponent


def by_pair(arrays: dict[str, Any]) -> dict[str, Any]:
    """Return arguments of MDP.from_rows with one reward a row in place of one an outcome: the first of the row.

    Parameters
    ----------
    arrays : as arrays_of_outcomes makes them

    Returns
    -------
    The same with `r`, and without `reward`.
    """
    if arrays.get("reward") is None:
        return arrays
    first = np.asarray(arrays["row_ptr"])[:-1]
    exact = arrays.get("exact")
    if exact is not None:
        exact = replace(exact, reward=None, r=exact.reward.take(first))
    return arrays | {"reward": None, "r": np.asarray(arrays["reward"])[first], "exact": exact}


def layout_json(layout: Layout) -> dict[str, Any]:
    """Return a layout as JSON holds it.

    >>> layout_json(Layout(2, 3))
    {'rows': 2, 'columns': 3}
    """
    cell = {} if layout.cell is None else {"cell": layout.cell.tolist()}
    return {"rows": layout.rows, "columns": layout.columns, **cell}


def layout_of(found: Any) -> Layout:
    """Return the layout that JSON holds; ModelError where it is none.

    >>> layout_of({"rows": "2", "columns": 3}) == Layout(2, 3)
    True
    """
    try:
        known = set(found) <= {"rows", "columns", "cell"}
        rows, columns = (int(found[key]) for key in ("rows", "columns"))
        cell = found.get("cell")
        cells = None if cell is None else np.array([int(x) for x in cell], dtype=np.int64)
        if known and rows > 0 and columns > 0 and not (cells is not None and cells.size and cells.min() < 0):
            return Layout(rows, columns, cells)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        pass
    raise ModelError("layout: expected rows, columns and cell, whole numbers")
