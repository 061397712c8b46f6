"""What every method returns: one frozen Solution, whose status is the sentence that the user reads."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from enum import property as enum_property
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError, quoted, spoken
from tabular_rl.model import hooks
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import rounded_up
from tabular_rl.model.policy import Policy

Floats = NDArray[np.float64]


class Status(Enum):
    """Why a method stopped, as a sentence with a way out."""

    EXACT = "exact: solved in rational arithmetic"
    CERTIFIED = "certified: every interval is proven and no wider than the tolerance"
    BUDGET_SPENT = (
        "not converged: the budget is spent; raise --sweeps (or --improvements) or loosen --tolerance"
    )
    FLOATS_SPENT = (
        "not reached: this method cannot prove this tolerance in floating point; loosen --tolerance, take another "
        "--method, or use --exact where the model is small"
    )
    TIME_SPENT = "not reached: the time limit is over; raise --time-limit or loosen --tolerance"
    SAMPLED = "no certificate: the answer comes from samples; compare it with an exact method"
    INTERRUPTED = "interrupted: the best interval so far; run again to finish"

    @enum_property
    def value(self) -> str:
        """The sentence, for whoever reads it: it names options on the command line, and arguments in Python."""
        return spoken(self._value_)

    @property
    def reached(self) -> bool:
        """True where the answer is what was asked for."""
        return self in (Status.EXACT, Status.CERTIFIED, Status.SAMPLED)


@dataclass(frozen=True, eq=False, repr=False)
class Solution(Mapping[str, Any], hooks.Drawn, hooks.Framed):
    """The answer of a method, in the sign of the model: a mapping of states to values.

    v (S,), or (T + 1, S) for a finite horizon; `lower` ≤ v_true ≤ `upper` are proven, or None; `bound` is the largest
    half width in units of reward, inf where nothing is proven. `proven_optimal` (S,) marks the states from which the
    policy is proven optimal; `optimal_actions` (L,) every action not proven worse: ties are part of the answer.
    """

    mdp: MDP
    v: Floats
    policy: Policy | None
    status: Status
    method: str
    task: str
    lower: Floats | None = None
    upper: Floats | None = None
    bound: float = math.inf
    proven_optimal: NDArray[np.bool_] | None = None
    optimal_actions: NDArray[np.bool_] | None = None
    exact: tuple[Fraction, ...] | None = None
    work: Mapping[str, int] = field(default_factory=dict)
    history: tuple[tuple[int, float], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    seconds: float = 0.0
    seconds_of: Mapping[str, float] = field(default_factory=dict)  # each method, where two had a turn
    note: str = ""
    why: str = ""  # why `auto` took this method
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for array in (self.v, self.lower, self.upper, self.proven_optimal, self.optimal_actions):
            if array is not None:
                array.setflags(write=False)

    def but(self, **fields: Any) -> Solution:
        """Return this answer with other fields, as `dataclasses.replace`, which looks at all of them again."""
        made = object.__new__(Solution)
        made.__dict__.update(self.__dict__, **fields)
        return made

    @property
    def q(self) -> Floats:
        """q(s, a) = r(s, a) + γ Σ p v(s') for each row, (L,) or (T, L), computed from v."""
        if self.v.ndim == 1:
            return self.mdp.backup(self.v)
        return np.stack([self.mdp.backup(self.v[t + 1]) for t in range(len(self.v) - 1)])

    @property
    def q_table(self) -> Floats:
        """q as a table (S, A), -inf (inf for costs) where an action is not available."""
        fill = -math.inf * self.mdp.sign
        return self.mdp.table(self.q, fill)

    @property
    def action_gap(self) -> Floats:
        """How much better the best action of each state is than the next, by q; 0 at ties, inf where there is one.

        (S,), or (T, S) for a finite horizon.
        """
        mdp, q = self.mdp, np.atleast_2d(self.q) * self.mdp.sign
        gaps = np.full((len(q), mdp.S), math.inf)
        state = mdp.pair_state
        for gap, row in zip(gaps, q, strict=True):
            order = np.lexsort((-row, state))
            head = mdp.pair_ptr[:-1][np.diff(mdp.pair_ptr) > 1].astype(np.intp)
            gap[state[order[head]]] = row[order[head]] - row[order[head + 1]]
        return gaps if self.v.ndim == 2 else gaps[0]

    def __getitem__(self, state: Any) -> Any:
        """The value of a state by name or index: a float, or one a time step."""
        value = self.v[..., self.mdp.states.at(state, "state")]
        return float(value) if value.ndim == 0 else value

    def __iter__(self) -> Iterator[str]:
        return iter(self.mdp.states)

    def __len__(self) -> int:
        return self.mdp.S

    # A mapping would compare its values; two answers are the same only where they are one.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def save(self, path: str | os.PathLike[str], *, format: str | None = None) -> None:
        """Write the answer to a file: CSV (state, value, lower, upper, action), Parquet, JSON, or a folder of arrays.

        `verify` reads them; with `start_from`, or as a policy, they are read on the command line too.

        Parameters
        ----------
        path : where to
        format : "json", "csv", "parquet" (the extra `frames`) or "npy", a folder; by default what the suffix says:
            without one JSON

        Raises
        ------
        OptionError : another suffix, or another format
        MissingExtra : what the format needs is not installed
        OutputError : path and reason; what stood there before is intact
        """
        hooks.write(self, path, format)

    def value_of_start(self) -> float:
        """Σ start(s) v(s): the value before the first state is drawn."""
        v = self.v if self.v.ndim == 1 else self.v[0]
        return float(np.dot(self.mdp.start, v))

    def __repr__(self) -> str:
        name = f"{self.mdp.name!r}, " if self.mdp.name else ""
        bound = rounded_up(self.bound) if math.isfinite(self.bound) else "inf"
        return f"Solution({name}{self.method}, {self.status.name}, bound={bound}, states={self.mdp.S})"

    def __str__(self) -> str:
        return str(hooks.text_of(self))


ROUGH = 1e-3  # of the largest |v|: an interval no wider on each side is a truth to measure errors against


def good_enough(reference: Solution) -> bool:
    """Whether errors can be measured against an answer: its values are proven as near as was asked, or to 0.1%."""
    largest = float(np.max(np.abs(reference.v), initial=0.0))
    near = reference.status.reached or reference.bound <= ROUGH * largest
    return near and math.isfinite(reference.bound)


def why_not(reference: Solution) -> str:
    """Why an answer is not good enough."""
    if reference.status in (Status.TIME_SPENT, Status.INTERRUPTED):
        return "the exact answer was not found in time"
    if not math.isfinite(reference.bound):
        return "the exact answer is not proven"
    return f"the exact answer is proven only to within {math.nextafter(reference.bound, math.inf):.2g}"


def checked_values(mdp: MDP, values: Any, other: float = 0.0) -> Floats:
    """Return a starting point for an iteration as values (S,) in the sign of maximisation.

    Parameters
    ----------
    mdp : the model
    values : a Solution, an array (S,), or {state: value}
    other : the value of states that a mapping leaves out

    Returns
    -------
    (S,), 0 at terminal states.
    """
    if isinstance(values, Solution):
        values = values.v if values.v.ndim == 1 else values.v[0]
    elif isinstance(values, Mapping):
        named, values = values, np.full(mdp.S, other)
        for state, value in named.items():
            values[mdp.states.at(state, "start_from")] = value
    try:
        v = np.array(values, dtype=np.float64)
    except (ValueError, TypeError):
        raise OptionError(
            f"start_from: found {quoted(values)}, expected {mdp.S} values or a Solution"
        ) from None
    if v.shape != (mdp.S,) or not np.isfinite(v).all():
        raise OptionError(f"start_from: found shape {v.shape}, expected {mdp.S} finite values or a Solution")
    v *= mdp.sign
    v[mdp.terminal] = 0.0
    return v
