"""Whether a total reward (γ = 1) is finite, and the model in a form that can be iterated.

Everything here is decided from the graph and from signs of rewards that are known exactly, before any iteration starts.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import NoFiniteAnswer, NumericalError, quoted
from tabular_rl.kernels._plain import kernels
from tabular_rl.model.clock import phase
from tabular_rl.model.fields import put, put_start
from tabular_rl.model.graph.mean import largest_mean_sign
from tabular_rl.model.graph.search import (
    Mask,
    almost_surely_reaching,
    edges,
    end_components,
    flow_places,
    recurring,
)
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import Exact, RationalArray
from tabular_rl.model.rows import Floats, Ints, lowest_rows, places, pointers, row_blocks
from tabular_rl.model.validation import facts_of_part

if TYPE_CHECKING:
    from tabular_rl.solving.sweeps import Sweeper

LARGE = 10_000  # states from which a sweep in another order than that of storage waits for what it reads


@dataclass(frozen=True, eq=False)
class TotalReward:
    """A model at γ = 1 whose optimal total reward is finite, with its zero-reward end components merged.

    In `quotient` each of them is one state: it keeps the rows that are not part of the component, and a row of reward 0
    to a terminal state stands for never leaving it (a component without other rows is itself terminal). Every policy of
    the quotient that may fail to end is worth -∞ somewhere (+∞ in costs), and `proper_rows` ends surely: the conditions
    under which Bellman's equation has one solution, value iteration converges to it from anywhere and policy iteration
    from a proper policy (Bertsekas & Tsitsiklis 1991). S' and L' below are the quotient's; where nothing is merged
    it is the model itself.

    of_state (S,) the quotient's state of each state; row_of (L',) the row of each of its rows, -1 for staying;
    internal (L,) the rows inside of merged components; `must_end` says that every policy of the quotient ends surely,
    as far as is known: no end component is left. `signs` (L,) are those of the rewards, as `reward_signs` gives them.
    `ordered` says that the states of the quotient stand in the order in which value flows.
    """

    mdp: MDP
    quotient: MDP
    of_state: Ints
    row_of: Ints
    internal: Mask
    must_end: bool = False
    signs: NDArray[np.int8] | None = None
    ordered: bool = False

    @cached_property
    def proper_rows(self) -> Ints:
        """Rows (S',) of a policy that ends surely: the first where all do, else `nearest_rows`.

        Raises
        ------
        NoFiniteAnswer : as there
        """
        quotient = self.quotient
        if self.must_end:
            first = np.where(quotient.terminal, -1, quotient.pair_ptr[:-1])
            return first.astype(quotient.pair_ptr.dtype)
        return self.nearest_rows

    @cached_property
    def nearest_rows(self) -> Ints:
        """Rows (S',) of the policy that ends surely by the shortest ways there are.

        Raises
        ------
        NoFiniteAnswer : with the states from which none does, and every policy pays without end
        """
        mdp, quotient = self.mdp, self.quotient
        with phase("graph"):
            sure, proper = almost_surely_reaching(quotient, quotient.terminal)
        if sure.all():
            return proper
        what = (
            "every policy collects negative reward forever and the total diverges to -inf, from"
            if mdp.sense == "max"
            else "every policy pays forever and the total cost diverges to +inf, from"
        )
        raise NoFiniteAnswer(what, _names(mdp, ~sure[self.of_state]))

    @property
    def merged(self) -> bool:
        """True where the quotient is not the model itself."""
        return self.quotient is not self.mdp

    def of_quotient(self) -> TotalReward:
        """Return the same of the quotient, in which nothing is to be merged any more."""
        if not self.merged:
            return self
        mdp, small = self.quotient, self.quotient.pair_ptr.dtype
        states, rows = (np.arange(n, dtype=small) for n in (mdp.S, mdp.L))
        none = np.zeros(mdp.L, dtype=bool)
        signs = None if self.signs is None else np.append(self.signs, np.int8(0))[self.row_of]
        made = TotalReward(mdp, mdp, states, rows, none, self.must_end, signs)
        if "proper_rows" in self.__dict__:
            made.__dict__["proper_rows"] = self.proper_rows
        return made

    def lift_values(self, v: NDArray[Any]) -> NDArray[Any]:
        """Return values of the quotient (S',) for each state of the model (S,)."""
        return v[self.of_state] if self.merged else v

    def lower_values(self, v: Floats) -> Floats:
        """Return values (S,) for each state of the quotient (S',): the largest of a component, 0 at terminals."""
        if not self.merged:
            return v
        out = np.full(self.quotient.S, -math.inf)
        np.maximum.at(out, self.of_state, v)
        out[self.quotient.terminal] = 0.0
        return out

    def lift_rows(self, rows: Ints) -> Ints:
        """Return rows of the model (S,) for those of a policy of the quotient (S',).

        In a merged component: zero-reward rows that lead surely to the state whose row was chosen, or any that stay.
        """
        if not self.merged:
            return rows
        mdp = self.mdp
        chosen = np.full(len(rows), -1, dtype=mdp.pair_ptr.dtype)
        chosen[rows >= 0] = self.row_of[rows[rows >= 0]]
        leaves = chosen[chosen >= 0]
        at = mdp.pair_state[leaves]
        target = np.zeros(mdp.S, dtype=bool)
        target[at] = True
        out = lowest_rows(mdp, self.internal)
        if ((out >= 0) & ~target & (chosen >= 0)[self.of_state]).any():  # ways to where a component is left
            _, inside = almost_surely_reaching(mdp, target, self.internal)
            out = np.where(inside >= 0, inside, out)
        out[at] = leaves
        return out.astype(mdp.pair_ptr.dtype)

    def lift_keep(self, keep: Mask) -> Mask:
        """Return the mask (L,) of actions not proven worse, from the quotient's (L').

        A row inside of a merged component keeps q*(s, a) = 0 + v*(component) = v*(s): it is never worse, as one step.
        """
        if not self.merged:
            return keep
        out = self.internal.copy()
        real = self.row_of >= 0
        out[self.row_of[real]] = keep[real]
        return out


def total_reward(sweeper: Sweeper, exactly: bool = False, later: bool = False) -> TotalReward:
    """Decide whether the optimal total reward (γ = 1) is finite, and return the model in a form that can be iterated.

    Rewards that recur are rewards of an end component. One of reward 0 is worth 0 to stay in, and is merged. After
    that the optimal value is finite exactly if every end component has a negative largest mean reward and from every
    state some policy ends surely. With `exactly` means are decided in rationals, however many states share one.

    Parameters
    ----------
    sweeper : of the model: for backups where rewards of both signs recur, and for its clock
    exactly : slow, for components of many states
    later : where every row pays, leave it to `proper_rows`, when that is asked for, to raise

    Returns
    -------
    TotalReward, whose `quotient` is that model.

    Raises
    ------
    NoFiniteAnswer : with the states of a component whose largest mean reward is positive (+∞), or exactly 0 with
        rewards that are not (the sum does not settle); or with those from which every policy may collect negative
        reward without end (-∞)
    NumericalError : where a mean reward is too near to 0 to know its sign

    Sources: Puterman (1994), 7.2 and 9.5; Bertsekas & Tsitsiklis (1991); Baier et al. (2018), "Stochastic shortest
    paths and weight-bounded properties", for merging.

    Examples
    --------
    Stay for 0, or leave for -1: staying is worth 0.

    >>> mdp = MDP.from_outcomes([("s", "stay", "s", 1, 0), ("s", "leave", "t", 1, -1)], 1, terminal=["t"])
    >>> from tabular_rl.solving.sweeps import Sweeper
    >>> total = total_reward(Sweeper(mdp))
    >>> total.quotient
    MDP(states=3, actions=2, pairs=2, outcomes=2, gamma=1)
    >>> total.row_of.tolist(), total.lift_rows(total.proper_rows).tolist()
    ([1, -1], [1, -1])
    """
    mdp = sweeper.mdp
    signs = reward_signs(mdp)
    zero, internal, ends = _idle_components(mdp, signs)
    total = replace(_merge(mdp, zero, internal), must_end=ends, signs=signs)
    if total.merged:
        signs = np.append(signs, np.int8(0))[total.row_of]  # staying, -1, earns 0
    if not ends and (signs > 0).any():
        _refuse_recurring(total, signs, sweeper, exactly)
    if not (ends or (later and (signs < 0).all())):
        total.proper_rows  # noqa: B018  (it raises where there are none)
    if total.ordered:
        quotient = total.quotient
        sweeper.of(quotient).flow.know(np.arange(quotient.S, dtype=quotient.pair_ptr.dtype))
    return total


def _idle_components(mdp: MDP, signs: NDArray[np.int8]) -> tuple[Ints, Mask, bool]:
    """The end components of rows of reward 0, as `end_components` gives them, and whether there are no others.

    Most often there are no others, or none at all: then one search says both. Where every row pays and rows are long it
    would most often be idle, and take long.
    """
    free = signs == 0
    if not free.any() and mdp.K > 2 * mdp.L:
        return (*end_components(mdp, free), False)
    label, inside = end_components(mdp)
    if free[inside].all():
        return label, inside, True
    return (*end_components(mdp, free & inside), False)


def _refuse_recurring(total: TotalReward, signs: NDArray[np.int8], sweeper: Sweeper, exactly: bool) -> None:
    """Raise unless every end component of the quotient has a negative largest mean reward."""
    mdp, quotient = total.mdp, total.quotient
    labels, inside = end_components(quotient)
    of_row = labels[quotient.pair_state]
    count = int(labels.max(initial=-1)) + 1
    positive = np.bincount(of_row[inside & (signs > 0)], minlength=count) > 0
    negative = np.bincount(of_row[inside & (signs < 0)], minlength=count) > 0
    for component in np.flatnonzero(positive).tolist():
        states = np.flatnonzero(labels == component)
        if negative[component]:
            rows = np.flatnonzero(inside & (of_row == component))
            sign, found = largest_mean_sign(sweeper.of(_part(quotient, states, rows)), exactly)
            states = states[found]
        else:
            sign = 1
        if sign == -1:
            continue
        mask = np.zeros(quotient.S, dtype=bool)
        mask[states] = True
        cost = total.mdp.sense == "min"
        if sign == 1:
            what = (
                "a negative cost recurs and the total cost diverges to -inf, in the cycle through"
                if cost
                else "reward recurs and the total diverges to +inf, in the cycle through"
            )
        elif sign == 0:
            what = "rewards of both signs recur with mean 0, so that the total does not settle, in the cycle through"
        else:
            raise NumericalError(
                "not settled: rewards of both signs recur, and their mean could not be told from 0, so that it is not "
                f"known whether the total is finite, in the cycles through {_few(mdp, mask[total.of_state])}. Use "
                "--exact, which decides it in fractions up to 2,000 states."
            )
        raise NoFiniteAnswer(what, _names(total.mdp, mask[total.of_state]))


def _few(mdp: MDP, mask: Mask) -> str:
    names = _names(mdp, mask)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(quoted, names[:3])) + more


def _names(mdp: MDP, mask: Mask) -> list[str]:
    return [mdp.states[s] for s in np.flatnonzero(mask).tolist()]


def _merge(mdp: MDP, label: Ints, internal: Mask) -> TotalReward:
    """Merge each component into one state; `internal` (L,) are its rows that go.

    States keep their order. Those of a large model stand in the order in which value flows, so that a sweep in that
    order reads what lies side by side.
    """
    small = mdp.pair_ptr.dtype
    if not internal.any():
        every = np.arange(mdp.S, dtype=small)
        return TotalReward(mdp, mdp, every, np.arange(mdp.L, dtype=small), internal)
    ordered = mdp.S > LARGE
    place = flow_places(mdp) if ordered else np.arange(mdp.S, dtype=small)
    member = np.flatnonzero(label >= 0)
    first = np.full(int(label.max()) + 1, -1 if ordered else mdp.S, dtype=small)
    (np.maximum if ordered else np.minimum).at(first, label[member], place[member])
    at = place.copy()
    at[member] = first[label[member]]
    heads = np.zeros(mdp.S, dtype=bool)
    heads[at] = True
    of_state = (np.cumsum(heads, dtype=small) - 1)[at].astype(small)
    states = int(of_state.max()) + 1

    left = np.zeros(states + 1, dtype=small)
    search = kernels("graph", mdp.K, mdp.L)
    search.count_rows(mdp.pair_ptr, internal, of_state, left)
    component, terminal = np.zeros(states, dtype=bool), np.zeros(states, dtype=bool)
    component[of_state[member]] = True
    terminal[of_state[mdp.terminal]] = True
    terminal |= component & (left[:-1] == 0)
    stays = np.flatnonzero(component & (left[:-1] > 0))
    left[stays] += 1
    if stays.size:  # to one more state, that stands for staying
        left, terminal = np.append(left, left[-1:]), np.append(terminal, True)
    pair_ptr = pointers(left[:-1], small)
    row_of = np.full(int(pair_ptr[-1]), -1, dtype=small)
    search.list_rows(mdp.pair_ptr, internal, of_state, pair_ptr[:-1].copy(), row_of)
    names = None
    if mdp.states.given and mdp.S <= 100_000:
        names = [""] * states
        for s in range(mdp.S - 1, -1, -1):  # a component has the name of its first state
            names[of_state[s]] = mdp.states[s]
        if stays.size:
            names.append(next(n for n in ("stay" + "'" * i for i in range(mdp.S + 1)) if n not in mdp.states))
    quotient = _made_of(mdp, row_of, pair_ptr, of_state, terminal, names)
    return TotalReward(mdp, quotient, of_state, row_of, internal, ordered=ordered)


def _part(mdp: MDP, states: Ints, rows: Ints) -> MDP:
    """The states of an end component and its rows as a model of its own."""
    of_state = np.full(mdp.S, -1, dtype=mdp.pair_ptr.dtype)
    of_state[states] = np.arange(len(states))
    pair_ptr = pointers(
        np.bincount(of_state[mdp.pair_state[rows]], minlength=len(states)), mdp.pair_ptr.dtype
    )
    rows = rows.astype(mdp.pair_ptr.dtype)
    return _made_of(mdp, rows, pair_ptr, of_state, np.zeros(len(states), dtype=bool), None)


def _made_of(
    mdp: MDP, rows: Ints, pair_ptr: Ints, of_state: Ints, terminal: Mask, names: list[str] | None
) -> MDP:
    """The model of some rows (-1: reward 0 to the last state), those of each state side by side.

    Next states are renamed. An impossible outcome to a state that is not kept goes to state 0.
    """
    S, real, exact = len(terminal), rows >= 0, mdp.exact
    size = np.where(real, (mdp.row_ptr[1:] - mdp.row_ptr[:-1])[rows], 1)
    row_ptr = pointers(size, mdp.row_ptr.dtype)
    new, prob = np.empty(int(row_ptr[-1]), dtype=mdp.pair_ptr.dtype), np.empty(int(row_ptr[-1]))
    paid = mdp.reward is not None
    reward = np.empty(len(new) if paid else 0)
    given = mdp.row_ptr, mdp.next_state, mdp.prob, mdp.reward if paid else mdp.r[:0]
    kernels("graph", mdp.K, mdp.L).take_rows(rows, given, of_state, S - 1, row_ptr, new, prob, reward)
    if exact is not None:
        at = np.where(real, mdp.row_ptr[:-1][rows], mdp.K).astype(np.int64)
        source = places(at, size)  # outcome mdp.K stands for the one of staying
        old = source < mdp.K
        exact = Exact(
            prob=_taken(exact.prob, source, old, 1),
            reward=_taken(exact.reward, source, old, 0),
            r=_taken(exact.r, rows, real, 0),
        )
    made = MDP.from_rows(
        pair_ptr=pair_ptr,
        pair_action=np.arange(len(rows), dtype=pair_ptr.dtype) - pair_ptr[:-1].repeat(np.diff(pair_ptr)),
        row_ptr=row_ptr,
        next_state=new,
        prob=prob,
        reward=reward if paid else None,
        r=np.where(real, mdp.r[rows], 0.0),
        gamma=mdp.gamma_exact,
        terminal=terminal,
        states=names,
        exact=exact,
        sense=mdp.sense,
        name=mdp.name,
        origin=mdp.origin,
        copy=False,
        lazy=lambda _: nullcontext(),
    )
    put_start(made, None)
    put(made, _facts=facts_of_part(made, mdp))
    return made


def _taken(array: Any, index: Ints, real: Mask, other: int) -> Any:
    """The rationals at places that are real, and another number at those that are not."""
    if array is None:
        return None
    num, den = (np.full(len(index), x, dtype=part.dtype) for x, part in ((other, array.num), (1, array.den)))
    num[real], den[real] = array.num[index[real]], array.den[index[real]]
    return RationalArray(num, den)


# -- a given policy ---------------------------------------------------------------------------------------------


def zero_of_policy(mdp: MDP, policy: Policy) -> Mask:
    """Return the states (S,) whose total reward (γ = 1) under a stationary policy is exactly 0, if all are finite.

    These are the terminals, and the states that recur and collect nothing; from all others the policy gets there
    surely. All are finite exactly if in every state that recurs the expected reward r_π(s) = Σ_a π(a|s) r(s, a) is 0.

    Raises
    ------
    NoFiniteAnswer : with the states that recur and collect reward without end

    Examples
    --------
    >>> ring = MDP([[[0, 1]], [[1, 0]]], [[1], [1]], 1)
    >>> zero_of_policy(ring, Policy.uniform(ring))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    tabular_rl.errors.NoFiniteAnswer: no finite answer: the policy never terminates ...: '0', '1'. A discount ...
    """
    zero, collects = idle_and_collecting(mdp, policy.takes, policy)
    if collects.any():
        word = "pays" if mdp.sense == "min" else "collects reward"
        raise NoFiniteAnswer(f"the policy never terminates and {word} forever, in", _names(mdp, collects))
    return zero


def idle_and_collecting(
    mdp: MDP, use: Mask, policy: Policy | None = None, signs: NDArray[np.int8] | None = None
) -> tuple[Mask, Mask]:
    """Return the states (S,) that recur under a policy and collect nothing, and those that recur and collect.

    Parameters
    ----------
    mdp : the model
    use : (L,) marks the rows that the policy takes
    policy : in a state with rewards of both signs its expected reward decides; without it such a state collects
    signs : (L,) the signs of the rewards, as `reward_signs` gives them; None to find them

    Returns
    -------
    Two masks (S,). Terminals are in the first.
    """
    recurrent, labels = recurring(mdp, use)
    rows = np.flatnonzero(use & recurrent[mdp.pair_state])
    state = mdp.pair_state[rows]
    sign = (reward_signs(mdp) if signs is None else signs)[rows]
    some = np.bincount(state[sign > 0], minlength=mdp.S) > 0
    other = np.bincount(state[sign < 0], minlength=mdp.S) > 0
    pays = some | other
    if policy is not None:
        for s in np.flatnonzero(some & other).tolist():
            pays[s] = _expected_reward(mdp, policy, rows[state == s]) != 0
    collects = recurrent & np.isin(labels, np.unique(labels[pays]))
    return recurrent & ~collects, collects


def _expected_reward(mdp: MDP, policy: Policy, rows: Ints) -> Fraction:
    """Σ_a π(a|s) r(s, a) of one state, up to a positive factor."""
    mean = Fraction(0)
    for i in rows.tolist():
        p = policy.exact[i] if policy.exact is not None else Fraction(float(policy.weights[i]))
        mean += p * mdp.rational(i)[1]
    return mean


# -- signs of rewards -------------------------------------------------------------------------------------------


def reward_signs(mdp: MDP) -> NDArray[np.int8]:
    """Return the exact sign of the expected reward of each row (L,), in the sign of maximisation.

    r is a rounded number: where it is too small to tell, the signs of the outcomes decide, and rationals where these
    differ.
    """
    r, off = mdp.r, mdp.facts.r_error
    if mdp.L and (r.min() > off or r.max() < -off):  # most often each step costs
        return np.full(mdp.L, math.copysign(1, r[0]) * mdp.sign, dtype=np.int8)
    sign = np.where(np.abs(r) > off, np.sign(r), 0).astype(np.int8)
    doubtful = np.flatnonzero(sign == 0)
    exact = mdp.exact
    if exact is not None and exact.r is not None:
        sign[doubtful] = _signs(exact.r.num[doubtful])
    elif doubtful.size and (exact is not None or mdp.reward is not None):
        num: Any = mdp.reward if exact is None or exact.reward is None else exact.reward.num
        some = [np.zeros(mdp.L, dtype=bool), np.zeros(mdp.L, dtype=bool)]
        weight = edges(mdp)
        for first, last, k0, k1 in row_blocks(mdp.row_ptr):
            starts = (mdp.row_ptr[first:last] - k0).astype(np.intp)
            outcome = _signs(num[k0:k1]) * (weight[k0:k1] > 0)
            some[0][first:last] = np.logical_or.reduceat(outcome > 0, starts)
            some[1][first:last] = np.logical_or.reduceat(outcome < 0, starts)
        up, down = some[0][doubtful], some[1][doubtful]
        sign[doubtful] = up.astype(np.int8) - down.astype(np.int8)
        for i in doubtful[up & down].tolist():
            sign[i] = _sign(mdp.rational(i)[1])
    return sign if mdp.sense == "max" else -sign


def _signs(x: NDArray[Any]) -> NDArray[np.int8]:
    return (x > 0).astype(np.int8) - (x < 0).astype(np.int8)


def _sign(x: Fraction) -> int:
    return (x > 0) - (x < 0)
