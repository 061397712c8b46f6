"""What must hold of a model, and what one pass over its numbers tells."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import Fault, ModelError
from tabular_rl.model.names import check_names
from tabular_rl.model.rows import (
    BLOCK,
    FEW,
    LARGEST,
    Floats,
    build_kernels,
    hidden_mass,
    largest_of_rows,
    mass_defects,
    readonly,
    row_blocks,
    row_sums,
)

if TYPE_CHECKING:
    from tabular_rl.model.mdp import MDP
    from tabular_rl.model.rationals import Exact

ENDED_WITH_ROWS = (
    "is declared terminal and has actions, expected one or the other. Its value is 0: remove its actions, "
    "or the state from `terminal`."
)

LEFT_OUT = ". If it marks an action that is unavailable, leave the action out."


Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Facts:
    """What one pass over the numbers of a model tells, and every certificate needs."""

    longest_row: int  # n: outcomes in the longest row
    mass_defect: float  # τ = max |1 - Σ p| over rows, rounded up; 0 where the probabilities are exact
    largest_reward: float  # Rmax = max |r(s, a, s')|
    common_reward: float  # max over states of the least R_i of their rows, R_i = max |r(s, a, s')| of row i
    r_relative: float  # bound on |computed r - true r| / R_i of a row, beyond the rounding of r itself
    correction: float  # largest change that `normalize` made to a probability

    @property
    def r_error(self) -> float:
        """Bound on |computed r - true r| in any row."""
        return math.nextafter(self.r_relative * self.largest_reward, math.inf) if self.r_relative else 0.0


def shape_faults(mdp: MDP, K: int, L: int) -> list[Fault]:
    """Check what can be checked from sizes and pointers alone.

    Parameters
    ----------
    mdp : the model, in the making
    K, L : lengths of `next_state` and of `pair_action`, which the other arrays must fit

    Returns
    -------
    The faults; an empty list where there are none.
    """
    faults = []
    S = mdp.S
    for field, ptr, count, last in (
        ("pair_ptr", mdp.pair_ptr, S + 1, L),
        ("row_ptr", mdp.row_ptr, L + 1, K),
    ):
        if len(ptr) != count:
            faults.append(Fault(f"{field}: found length {len(ptr)}, expected {count}"))
        elif ptr[0] != 0 or ptr[-1] != last:
            faults.append(Fault(f"{field}: found {ptr[0]} to {ptr[-1]}, expected 0 to {last}"))
    for field, array, count in (
        ("prob", mdp.prob, K),
        ("reward", mdp.reward, K),
        ("terminal", mdp.terminal, S),
        ("final_reward", mdp.final_reward, S),
    ):
        if array is not None and len(array) != count:
            faults.append(Fault(f"{field}: found length {len(array)}, expected {count}"))
    if not faults and mdp.layout is not None and (what := mdp.layout.size_text(S)):
        faults.append(Fault(what))
    return faults


def check_layout(mdp: MDP) -> None:
    """Check the layout of a model; ModelError where it does not fit the states."""
    if mdp.layout is not None and (what := mdp.layout.size_text(mdp.S) or mdp.layout.cell_text(mdp.S)):
        raise ModelError([Fault(what)], mdp.origin or None)


def check_exact(mdp: MDP, exact: Exact) -> None:
    """Check that the floats of a model are the nearest to its exact numbers."""
    for field, floats in (("prob", mdp.prob), ("reward", mdp.reward), ("r", mdp.r)):
        rationals = getattr(exact, field)
        if rationals is not None and (floats is None or not np.array_equal(rationals.floats(), floats)):
            raise ModelError(f"exact {field}: found numbers whose nearest floats are not {field}")


def check_order(mdp: MDP) -> None:
    """Check names, pointers, cells and final rewards; ModelError with what is wrong."""
    for what, names in (("state", mdp.states), ("action", mdp.actions)):
        check_names(what, names)
    what = "" if mdp.layout is None else mdp.layout.cell_text(mdp.S)
    faults = [Fault(what)] if what else []
    final = mdp.final_reward
    if final is not None and not np.isfinite(final).all():
        s = int(np.flatnonzero(~np.isfinite(final))[0])
        faults.append(Fault(f"final_reward: found {final[s]}, expected a finite number", state=mdp.states[s]))
    elif final is not None and len(final) == len(mdp.terminal) and final[mdp.terminal].any():
        s = int(np.flatnonzero(mdp.terminal & (final != 0))[0])
        faults.append(
            Fault(
                f"final_reward: found {final[s]} for a terminal state, whose value is 0 at all times. "
                "Put the reward on the transitions that lead there.",
                state=mdp.states[s],
            )
        )
    for field, ptr in (("pair_ptr", mdp.pair_ptr), ("row_ptr", mdp.row_ptr)):
        for first in range(0, len(ptr) - 1, BLOCK):
            falls = ptr[first + 1 : first + 1 + BLOCK] < ptr[first : min(first + BLOCK, len(ptr) - 1)]
            if falls.any():
                at = first + int(np.flatnonzero(falls)[0]) + 1
                faults.append(Fault(f"{field}: found it falling at position {at}, expected it to rise"))
                break
    if faults:
        raise ModelError(faults, mdp.origin or None)


class _Look:
    """One pass over the numbers of a model: what is wrong, each at its state and action, and what facts are made of."""

    def __init__(self, mdp: MDP) -> None:
        self.mdp = mdp
        self.faults: list[Fault] = []
        self.longest, self.defect, self.largest = 0, 0.0, 0.0
        self.kernels = build_kernels(mdp.K)
        self.pairs()
        self.least = np.full(mdp.S, math.inf)  # R_i of the row of each state where it is smallest
        kinds = mdp.kinds if self.kernels and mdp.K >= FEW else None
        # Rows whose sums are those of earlier rows.
        self.known = np.zeros(0, dtype=bool) if kinds is None else kinds.known

    def place(self, row: int) -> dict[str, Any]:
        mdp, a = self.mdp, int(self.mdp.pair_action[row])
        action = mdp.actions[a] if 0 <= a < mdp.A else str(a)
        return {"state": mdp.states[mdp.state_of_row(row)], "action": action}

    def of_states(self, bad: Mask, what: str) -> None:
        self.faults += [Fault(what, state=self.mdp.states[s]) for s in np.flatnonzero(bad)[:50].tolist()]

    def of_rows(self, bad: Mask, what: Callable[[int], str], first: int = 0, most: int = 20) -> None:
        """Add what is wrong with the marked ones of the rows from `first` on."""
        self.faults += [
            Fault(what(i), **self.place(i)) for i in (first + np.flatnonzero(bad)[:most]).tolist()
        ]

    def of_outcomes(self, bad: Mask, what: Callable[[int], str], first: int) -> bool:
        """Add what is wrong with the marked ones of the outcomes from `first` on; True where there is one."""
        mdp = self.mdp
        for k in (first + np.flatnonzero(bad)[:20]).tolist():
            s2 = int(mdp.next_state[k])
            row = int(np.searchsorted(mdp.row_ptr, k, side="right")) - 1
            near = mdp.states[s2] if 0 <= s2 < mdp.S else None
            self.faults.append(Fault(what(k), next_state=near, **self.place(row)))
        return bool(bad.any())

    def pairs(self) -> None:
        """Check which states have rows, and the actions of these."""
        mdp = self.mdp
        if self.kernels and self.kernels.pairs_rise(mdp.pair_ptr, mdp.pair_action, mdp.terminal, mdp.A):
            return
        counts, actions = np.diff(mdp.pair_ptr), mdp.pair_action
        what = "has no actions, expected some. Declare it terminal, or give it one."
        self.of_states((counts == 0) & ~mdp.terminal, what)
        self.of_states((counts > 0) & mdp.terminal, ENDED_WITH_ROWS)
        if mdp.A == 0 and not mdp.terminal.all():
            self.faults.append(Fault("no actions: found 0, expected at least 1"))
        self.of_rows(
            (actions < 0) | (actions >= mdp.A),
            lambda i: f"pair_action: found {actions[i]} at position {i}, expected 0 to {mdp.A - 1}",
            most=50,
        )
        if len(actions) > 1 and not self.faults:
            inside = np.ones(len(actions), dtype=bool)
            inside[mdp.pair_ptr[:-1][counts > 0]] = False
            what = "repeats or precedes the action before it, expected rising actions within a state"
            self.of_rows((np.diff(actions) <= 0) & inside[1:], lambda i: f"row {i} {what}", first=1, most=50)

    def block(self, first: int, last: int, k0: int, k1: int) -> None:
        """Look at the rows first ≤ i < last, whose outcomes are k0 ≤ k < k1."""
        mdp, reward = self.mdp, self.mdp.reward
        ptr = mdp.row_ptr[first : last + 1] - k0
        length = np.diff(ptr)
        self.longest = max(self.longest, int(length.max()))
        self.of_rows(length == 0, lambda _: "has no outcomes, expected probabilities that sum to 1", first)
        if self._out_of_range(k0, k1):
            return
        missing = mass_defects(mdp.prob[k0:k1], ptr)
        for j in np.flatnonzero((np.abs(missing) > length * 2.0**-52) & (length > 0))[:20].tolist():
            self.faults.append(Fault(sum_text(1.0 - float(missing[j])), **self.place(first + j)))
        off = np.abs(missing) + hidden_mass(mdp.prob[k0:k1], ptr)
        self.defect = max(self.defect, float(np.max(off, initial=0.0)))
        if self.faults:
            return
        of_rows = largest_of_rows(mdp, first, last, k0, k1)
        self._lower(first, last, of_rows)
        if reward is not None and k1 > k0:
            self.largest = max(self.largest, float(np.max(of_rows)))
            if mdp.exact is None:
                # In units of the row's own rewards: its E counts no others.
                scale = np.maximum.reduceat(np.abs(reward[k0:k1]), ptr[:-1].astype(np.intp))
                room = (2 * self.longest + 10) * 2.0**-52 * scale + self.longest * 2.0**-1074
                gap = np.abs(mdp.r[first:last] - row_sums(mdp.prob[k0:k1] * reward[k0:k1], ptr))
                self.of_rows(
                    ~(gap <= room),
                    lambda i: f"r: found {float(mdp.r[i])!r}, expected Σ p r(s,a,s') of its outcomes",
                    first,
                )

    def is_right(self, first: int, last: int, k0: int, k1: int) -> bool:
        """Whether a kernel is sure of all rows first ≤ i < last; what it finds is then what `block` would find."""
        mdp, to = self.mdp, self.mdp.next_state[k0:k1]
        reward = np.zeros(0) if mdp.reward is None else mdp.reward
        own = reward[k0:k1]
        above = to.view(f"u{to.itemsize}")  # where those below 0 are large
        if not (to.size and np.maximum.reduce(above) < mdp.S):
            return False
        if own.size and not (np.minimum.reduce(own) >= -LARGEST and np.maximum.reduce(own) <= LARGEST):
            return False
        facts = np.array([self.longest, self.defect, self.largest], dtype=np.float64)
        rows, s = (mdp.row_ptr, mdp.prob, readonly(reward), mdp.r), mdp.state_of_row(first) if first else 0
        look = self.kernels.look_at_rows
        if not look(mdp.pair_ptr, rows, self.known, first, last, s, mdp.exact is None, facts, self.least):
            return False
        self.longest, self.defect, self.largest = int(facts[0]), float(facts[1]), float(facts[2])
        return True

    def expected_rewards(self) -> None:
        """Check that the rewards of rows are in range."""
        r, sign = self.mdp.r, self.mdp.sign
        self.largest = max(
            self.largest, float(max(np.maximum.reduce(r, initial=0.0), -np.minimum.reduce(r, initial=0.0)))
        )
        if self.mdp.reward is None or not self.faults:  # otherwise it follows from a fault that is named
            what = f"expected a finite number up to {LARGEST:g}"
            self.of_rows(
                ~(np.abs(r) <= LARGEST),
                lambda i: f"found expected reward {float(r[i])!r}, {what}{left_out(sign * r[i])}",
            )

    def _out_of_range(self, k0: int, k1: int) -> bool:
        """Add the numbers of outcomes that are out of their range; True where there is one."""
        mdp, to, prob = self.mdp, self.mdp.next_state[k0:k1], self.mdp.prob[k0:k1]
        if self.of_outcomes(
            (to < 0) | (to >= mdp.S),
            lambda k: f"next_state: found {mdp.next_state[k]} at position {k}, expected 0 to {mdp.S - 1}",
            k0,
        ):
            return True
        wrong = self.of_outcomes(
            ~(prob >= 0) | (prob > 1 + 2.0**-40),
            lambda k: f"found probability {float(mdp.prob[k])!r}, expected a number from 0 to 1",
            k0,
        )
        reward, sign = mdp.reward, mdp.sign
        if reward is None:
            return wrong
        what = f"expected a finite number up to {LARGEST:g}"
        bad = ~(np.abs(reward[k0:k1]) <= LARGEST)
        odd = self.of_outcomes(
            bad, lambda k: f"found reward {float(reward[k])!r}, {what}{left_out(sign * reward[k])}", k0
        )
        return odd or wrong

    def _lower(self, first: int, last: int, of_rows: Floats) -> None:
        """least(s) ← min of least(s) and of the numbers of its rows among first ≤ i < last."""
        pair_ptr = self.mdp.pair_ptr
        a = int(np.searchsorted(pair_ptr, first, side="right")) - 1
        b = int(np.searchsorted(pair_ptr, last))
        ptr = np.clip(pair_ptr[a : b + 1], first, last).astype(np.intp) - first
        states = a + np.flatnonzero(np.diff(ptr))
        self.least[states] = np.minimum(self.least[states], np.minimum.reduceat(of_rows, ptr[states - a]))


def validate(mdp: MDP, correction: float) -> Facts:
    """Look at every number once, in blocks; ModelError with the first faults, else the facts of the model."""
    look = _Look(mdp)
    right = True
    for block in row_blocks(mdp.row_ptr):
        if len(look.faults) > 50:
            break
        if look.faults or not look.kernels or not look.is_right(*block):
            right = False
            look.block(*block)
    if not right:
        look.expected_rewards()
    if look.faults:
        raise ModelError(look.faults, mdp.origin or None)
    defect, r_relative = 0.0, 0.0
    if mdp.exact is None:
        defect = math.nextafter(look.defect * (1 + 2.0**-40), math.inf) if look.defect else 0.0
        if mdp.reward is not None:
            # r was summed in floats, by us (γ_{n+3} + τ, in units of the largest reward) or by whoever wrote the file.
            r_relative = ((5 * look.longest + 24) * 2.0**-53 * (1 + 2.0**-20) + defect) * (1 + 2.0**-50)
    common = float(np.maximum.reduce(look.least))
    if common == math.inf:  # of a terminal state
        common = float(np.max(look.least, initial=0.0, where=np.isfinite(look.least)))
    return Facts(look.longest, defect, look.largest, common, r_relative, correction)


def facts_of_part(part: MDP, whole: MDP) -> Facts:
    """Return the facts of a model made of rows of another, whose numbers have been looked at, and of rows of reward 0.

    Parameters
    ----------
    part : the model
    whole : the other one, whose rows are off by as much or more

    Returns
    -------
    Facts, in which the errors are those of the whole.
    """
    size, ptr = np.diff(part.row_ptr), part.pair_ptr
    rewards = largest_of_rows(part, 0, part.L, 0, part.K) if part.L else np.zeros(0)
    begin = ptr[:-1][ptr[:-1] < ptr[1:]].astype(np.intp)
    least = np.minimum.reduceat(rewards, begin) if part.L else rewards
    return replace(
        whole.facts,
        longest_row=int(np.max(size, initial=0)),
        largest_reward=float(np.max(rewards, initial=0.0)),
        common_reward=float(np.max(least, initial=0.0)),
    )


def left_out(reward: float) -> str:
    """Return the way out where the worst of all rewards stands for an action that is not there.

    >>> left_out(-math.inf), left_out(1e301)
    ('. If it marks an action that is unavailable, leave the action out.', '')
    """
    return LEFT_OUT if reward == -math.inf else ""


def sum_text(total: float) -> str:
    """Say what a row's probabilities sum to, what is missing, and the way out."""
    by = f"{abs(1 - total):.6g} {'missing' if total < 1 else 'too much'}"
    return f"probabilities sum to {total!r}, expected 1 ({by}). Fix the row, or load with --normalize to rescale it."
