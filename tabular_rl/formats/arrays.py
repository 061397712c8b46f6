"""The arrays of a model, as npz archives and directories hold them."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError, closest, quoted
from tabular_rl.formats.fields import Asked
from tabular_rl.formats.header import ARRAYS, EXACT, WHOLE, Header, parse_json
from tabular_rl.model.layout import Layout
from tabular_rl.model.mdp import MDP
from tabular_rl.model.names import Names
from tabular_rl.model.rationals import DIGITS, Exact, RationalArray, exact_sum
from tabular_rl.model.rows import expected_reward, rows_off

HEXADECIMAL = re.compile(r"(-?[0-9a-f]+)/([0-9a-f]+)")
LONGEST_TEXT = 4 * DIGITS  # characters of a fraction in hexadecimal


# -- the arrays -------------------------------------------------------------------------------------------------


def arrays_of(mdp: MDP, *, start: bool) -> dict[str, NDArray[Any]]:
    """Return the members that hold a model; `start` keeps the start distribution even where it is the default."""
    found: dict[str, NDArray[Any]] = {}
    exact = mdp.exact
    for field in ARRAYS:
        if field == "cell":
            array: Any = None if mdp.layout is None else mdp.layout.cell
            if array is not None and array.dtype.name not in WHOLE:
                array = np.asarray(array, dtype=np.int64)
        else:
            array = getattr(mdp, field)
        if array is None or (field == "start" and not (start or mdp.start_given)):
            continue
        found[field] = array
        rationals: RationalArray | None = getattr(exact, field, None)
        if rationals is None:
            continue
        if rationals.num.dtype == np.int64:
            found[f"{field}_num"], found[f"{field}_den"] = rationals.num, rationals.den
        else:
            text = json.dumps([f"{n:x}/{d:x}" for n, d in zip(rationals.num, rationals.den, strict=True)])
            found[f"{field}_text"] = np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    return found


def _exact_of(header: Header, arrays: dict[str, NDArray[Any]]) -> Exact | None:
    """Return the exact numbers among the members."""
    found: dict[str, RationalArray] = {}
    for field in EXACT:
        if f"{field}_num" in arrays:
            found[field] = RationalArray(arrays[f"{field}_num"], arrays[f"{field}_den"])
        elif f"{field}_text" in arrays:
            found[field] = _rationals(
                arrays[f"{field}_text"], f"{field}_text", header.lengths()[field][0] or 0
            )
    return Exact(**found) if found else None


def _rationals(array: NDArray[Any], member: str, length: int) -> RationalArray:
    listed = parse_json(array.tobytes(), member)
    if not isinstance(listed, list) or len(listed) != length:
        raise ModelError(f"{member}: expected a list of {length} fractions")
    made = []
    for i, text in enumerate(listed):
        pair = HEXADECIMAL.fullmatch(text) if isinstance(text, str) else None
        if pair is None or len(text) > LONGEST_TEXT:
            size = f" of {len(text)} characters" if pair else ""
            raise ModelError(
                f"{member}: found {quoted(text)}{size} at position {i}, expected a fraction in hexadecimal "
                f"of at most {LONGEST_TEXT:,} characters"
            )
        made.append((int(pair[1], 16), int(pair[2], 16)))
    return RationalArray(*np.array(made, dtype=object).reshape(-1, 2).T)


def model_of(header: Header, arrays: dict[str, NDArray[Any]], asked: Asked, **options: Any) -> MDP:
    """Return the model of a header and its arrays.

    Parameters
    ----------
    header : what the model is besides its arrays
    arrays : the members by name, the exact ones among them
    asked : what the caller asks for in place of what the file says
    options : further ones of `MDP.from_rows`

    Returns
    -------
    MDP, which takes over the arrays without a copy.

    Raises
    ------
    ModelError : a terminal state that the caller asks for is none of the model
    """
    cell = arrays.get("cell")
    terminal: Any = arrays["terminal"]
    states = Names(header.S if header.states is None else header.states)
    if asked.terminal is not None:
        terminal = np.zeros(header.S, dtype=bool)
        for name in asked.terminal:
            at = states.find(name)
            if at is None:
                raise ModelError(f"terminal: no such state {quoted(name)}{closest(name, states)}")
            terminal[at] = True
    plain = {field: arrays.get(field) for field in ARRAYS if field not in ("terminal", "cell")}
    return MDP.from_rows(
        **plain,  # type: ignore[arg-type]
        terminal=terminal,
        gamma=header.gamma if asked.gamma is None else asked.gamma,
        horizon=header.horizon if asked.horizon is None else asked.horizon,
        sense=asked.sense or header.sense,  # type: ignore[arg-type]
        states=states,
        actions=Names(header.A if header.actions is None else header.actions),
        layout=None if header.layout is None else Layout(header.layout[0], header.layout[1], cell),
        exact=_exact_of(header, arrays),
        name=header.name,
        source=header.source,
        copy=False,
        **options,
    )


# -- exact numbers ----------------------------------------------------------------------------------------------


def check_exact(mdp: MDP) -> None:
    """Check that exact numbers are in lowest terms, that rows sum to 1, and that the floats are the nearest."""
    exact = mdp.exact
    if exact is None:
        return
    for field in EXACT:
        rationals: RationalArray | None = getattr(exact, field)
        if rationals is not None:
            _check_field(field, rationals, getattr(mdp, field))
    for i in rows_off(exact.prob, mdp.row_ptr):
        state, action = mdp.states[mdp.state_of_row(i)], mdp.actions[int(mdp.pair_action[i])]
        raise ModelError(Fault("exact probabilities do not sum to 1", state, action))
    if exact.start is not None and exact_sum(exact.start) != 1:
        raise ModelError("start: exact probabilities do not sum to 1")
    if exact.reward is not None:
        wrong = np.flatnonzero(expected_reward(mdp) != mdp.r)
        if wrong.size:
            i = int(wrong[0])
            raise ModelError(
                f"r: found {float(mdp.r[i])!r} at position {i}, expected Σ p r(s,a,s') of its outcomes"
            )


def _pair(num: Any, den: Any) -> str:
    """Return a numerator and a denominator for a message, whatever they are."""
    n, d = int(num), int(den)
    short = max(abs(n), abs(d)) < 2**64
    return f"{n}/{d}" if short else f"a fraction of {n.bit_length() + d.bit_length()} bits"


def _check_field(field: str, rationals: RationalArray, floats: NDArray[Any]) -> None:
    step = 1 << 20
    for at in range(0, len(rationals), step):
        num, den = rationals.num[at : at + step], rationals.den[at : at + step]
        wrong, lowest = den <= 0, True
        if not wrong.any():
            wrong = np.gcd(num, den) != 1
            lowest = not wrong.any()
        if lowest and not wrong.any():
            try:
                wrong = RationalArray(num, den).floats() != floats[at : at + step]
            except OverflowError:
                wrong = np.ones(len(num), dtype=bool)
        if wrong.any():
            i = int(np.argmax(wrong))
            nearest = f"the fraction nearest to {float(floats[at + i])!r}"
            found = f"{field}: found {_pair(num[i], den[i])} at position {at + i}"
            raise ModelError(f"{found}, expected {nearest if lowest else 'lowest terms'}")
