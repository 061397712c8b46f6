"""Graph facts: what can be reached, what recurs, and whether a total reward (γ = 1) is finite.

An outcome is an edge where its probability is positive; terminal states have none. Everything here is decided from
the graph and from signs of rewards that are known exactly, before any iteration starts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import NoFiniteAnswer, NumericalError, quoted
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import Exact, RationalArray
from tabular_rl.model.rounding import LargeRewards, backup_error, shared_error, shared_reward, up
from tabular_rl.model.rows import Floats, Ints, row_blocks

Mask = NDArray[np.bool_]

SMALL = 64  # states of a component up to which its mean reward is decided in rationals
LATE = 256  # sweeps before rationals are tried on larger ones
CYCLE = 2000  # states of a cycle up to which its mean reward is tried in rationals
FRACTIONS = 50_000  # operations on them, at most
MEAN_SWEEPS = 100_000  # before the sign of a mean reward is given up
WORK = 4_000_000_000  # outcomes looked at, likewise


# -- searches ---------------------------------------------------------------------------------------------------


class Graph:
    """The edges of a model in both directions, over the rows that `row_mask` (L,) marks."""

    def __init__(self, mdp: MDP, row_mask: Mask | None = None, weight: Floats | None = None) -> None:
        self.mdp = mdp
        self.use = np.ones(mdp.L, dtype=bool) if row_mask is None else np.array(row_mask, dtype=bool)
        self.row_state = mdp.pair_state
        self.weight = edges(mdp) if weight is None else weight
        self.queue = np.empty(mdp.S, dtype=mdp.pair_ptr.dtype)
        self._incoming: tuple[Ints, Ints] | None = None

    @property
    def arrays(self) -> tuple[Any, ...]:
        return self.mdp.row_ptr, self.mdp.next_state, self.weight

    def incoming(self) -> tuple[Ints, Ints]:
        """The rows with an edge into each state, of the rows in use when first asked."""
        if self._incoming is None:
            from tabular_rl.kernels.graph import count_incoming, fill_incoming

            in_ptr = np.zeros(self.mdp.S + 1, dtype=np.int64)
            count_incoming(*self.arrays, self.use, in_ptr)
            in_row = np.empty(int(in_ptr[-1]), dtype=self.mdp.pair_ptr.dtype)
            fill_incoming(*self.arrays, self.use, in_ptr[:-1].copy(), in_row)
            self._incoming = in_ptr, in_row
        return self._incoming

    def backward(self, found: Mask) -> Ints:
        """Mark in `found` all states that can reach it; return the first row of a shortest way (S,), or -1."""
        from tabular_rl.kernels.graph import search_backward

        via = np.full(self.mdp.S, -1, dtype=self.mdp.pair_ptr.dtype)
        search_backward(*self.incoming(), self.row_state, self.use, self.queue, via, found)
        return via

    def rows_left(self) -> Ints:
        """How many rows of each state are in use (S,)."""
        counts = np.zeros(self.mdp.S, dtype=np.int64)
        live = np.diff(self.mdp.pair_ptr) > 0
        if live.any():
            starts = self.mdp.pair_ptr[:-1][live].astype(np.intp)
            counts[live] = np.add.reduceat(self.use, starts, dtype=np.int64)
        return counts

    def discard(self, dead: Ints, left: Ints) -> Ints:
        """Drop the rows into the states `dead`, and the states that have no row then; return all that went."""
        from tabular_rl.kernels.graph import discard

        self.queue[: len(dead)] = dead
        size = discard(*self.incoming(), self.row_state, len(dead), self.queue, left, self.use)
        return self.queue[:size].copy()

    def components(self) -> tuple[int, Ints]:
        """Strongly connected components: their number, and one label a state."""
        from tabular_rl.kernels.graph import strong_components

        S, small = self.mdp.S, self.mdp.pair_ptr.dtype
        number, label = np.full(S, -1, dtype=small), np.full(S, -1, dtype=small)
        low, path, row_at = (np.empty(S, dtype=small) for _ in range(3))
        at = np.empty(S, dtype=np.int64)
        count = strong_components(
            self.mdp.pair_ptr, *self.arrays, self.use, number, low, self.queue, path, row_at, at, label
        )
        return int(count), label


def edges(mdp: MDP) -> Floats:
    """Return an array (K,) that is positive where an outcome is possible, even if its float64 is 0."""
    if mdp.exact is not None:
        lost = (mdp.prob == 0) & (mdp.exact.prob.num > 0)
        if lost.any():
            weight = np.where(lost, 1.0, mdp.prob)
            weight.setflags(write=False)
            return weight
    return mdp.prob


def starts(mdp: MDP) -> Mask:
    """Return the states (S,) in which an episode can begin, even with a probability that is 0 as a float."""
    if mdp.exact is not None and mdp.exact.start is not None:
        return np.asarray(mdp.exact.start.num > 0)
    return mdp.start > 0


def unseen(mdp: MDP, *policies: Policy) -> bool:
    """Return True where a positive probability, of the model or of a policy, is 0 as a float."""
    hidden = [edges(mdp) > mdp.prob, starts(mdp) & (mdp.start == 0)]
    hidden += [policy.takes & (policy.weights == 0) for policy in policies]
    return any(bool(part.any()) for part in hidden)


def reachable(mdp: MDP, sources: Mask, row_mask: Mask | None = None, weight: Floats | None = None) -> Mask:
    """Return the states (S,) that can be reached from `sources` (S,), themselves included, by the rows marked.

    An edge is where `weight` (K,) is positive: by default the exact probability; `mdp.prob` for what can be drawn.

    >>> chain = MDP([[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]], [[1], [1], [0]], 1, terminal=[2])
    >>> import numpy as np
    >>> reachable(chain, np.array([False, True, False])).tolist()
    [False, True, True]
    """
    from tabular_rl.kernels.graph import search_forward

    graph = Graph(mdp, row_mask, weight)
    found = np.array(sources, dtype=bool)
    search_forward(mdp.pair_ptr, *graph.arrays, graph.use, graph.queue, found)
    return found


def can_reach(mdp: MDP, target: Mask, row_mask: Mask | None = None, weight: Floats | None = None) -> Mask:
    """Return the states (S,) from which `target` (S,) can be reached, itself included, as in `reachable`."""
    found = np.array(target, dtype=bool)
    Graph(mdp, row_mask, weight).backward(found)
    return found


def components(mdp: MDP, row_mask: Mask | None = None) -> tuple[int, Ints]:
    """Return the number of strongly connected components and the label of each state (S,).

    Labels are in topological order, successors first: an edge leads to the same label or to a lower one (Tarjan 1972).

    >>> components(MDP([[[0, 1, 0]], [[1, 0, 0]], [[1, 0, 0]]], [[0], [0], [0]], 1))
    (2, array([0, 0, 1], dtype=int32))
    """
    return Graph(mdp, row_mask).components()


def end_components(mdp: MDP, row_mask: Mask | None = None) -> Ints:
    """Return the maximal end component of each state (S,), -1 where it is in none.

    An end component is a set of states with a choice of rows that never lead out of it and lead from each of its
    states to each other: exactly the sets in which some policy can stay for ever (de Alfaro 1997).

    >>> end_components(MDP([[[1, 0], [0, 1]], [[0, 0], [0, 1]]], [[0, 0], [0, 0]], 1, axes="sas")).tolist()
    [0, 1]
    """
    return _end_components(mdp, row_mask)[0]


def _end_components(mdp: MDP, row_mask: Mask | None = None) -> tuple[Ints, Mask]:
    """The label of each state (S,), and the rows (L,) that stay in their component."""
    from tabular_rl.kernels.graph import drop_leaving

    graph = Graph(mdp, row_mask)
    left = graph.rows_left()
    gone = np.flatnonzero(left == 0)
    labels = np.full(mdp.S, -1, dtype=mdp.pair_ptr.dtype)
    if len(gone) < mdp.S:
        graph.discard(gone, left)
    while graph.use.any():
        _, labels = graph.components()
        before = int(left.sum())
        size = drop_leaving(*graph.arrays, graph.row_state, labels, graph.queue, left, graph.use)
        if int(left.sum()) == before:
            break
        graph.discard(graph.queue[:size].copy(), left)
    live = left > 0
    out = np.full(mdp.S, -1, dtype=mdp.pair_ptr.dtype)
    out[live] = np.unique(labels[live], return_inverse=True)[1]
    return out, graph.use


def almost_surely_reaching(mdp: MDP, target: Mask, row_mask: Mask | None = None) -> tuple[Mask, Ints]:
    """Return the states (S,) from which some policy reaches `target` with probability 1, and its rows (S,).

    Rows are -1 at the target and where no policy does. The states are the largest set in which each state has rows
    that never leave the set and by which the target can be reached (Baier & Katoen 2008, 10.6).

    >>> import numpy as np
    >>> mdp = MDP([[[.5, .5, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]], np.zeros((3, 2)), 1,
    ...           terminal=[2])
    >>> mask, rows = almost_surely_reaching(mdp, mdp.terminal)
    >>> mask.tolist(), rows.tolist()
    ([True, False, True], [1, -1, -1])
    """
    target = np.asarray(target, dtype=bool)
    graph = Graph(mdp, row_mask)
    graph.use &= ~target[graph.row_state]
    left = graph.rows_left()
    alive = np.ones(mdp.S, dtype=bool)
    while True:
        found = target.copy()
        via = graph.backward(found)
        dead = np.flatnonzero(alive & ~found)
        if not dead.size:
            return alive, via
        alive[dead] = False
        graph.use &= alive[graph.row_state]
        alive[graph.discard(dead, left)] = False


def repaired(mdp: MDP, rows: Ints, target: Mask, proper: Ints) -> tuple[Ints, Mask]:
    """Return `rows` (S,) with those of `proper` wherever they might never reach `target`, and where that is (S,).

    The policy made reaches the target with probability 1 wherever `proper` does: a state that keeps its row stays
    among those that do, and from the others `proper` leads there.
    """
    sure, _ = almost_surely_reaching(mdp, target, row_mask_of(mdp, rows))
    return np.where(sure, rows, proper), ~sure


def row_mask_of(mdp: MDP, rows: Ints) -> Mask:
    """Return the mask (L,) of the rows that a deterministic policy (S,) chooses."""
    mask = np.zeros(mdp.L, dtype=bool)
    mask[rows[rows >= 0]] = True
    return mask


# -- signs of rewards -------------------------------------------------------------------------------------------


def reward_signs(mdp: MDP) -> NDArray[np.int8]:
    """Return the exact sign of the expected reward of each row (L,), in the sign of maximisation.

    r is a rounded number: where it is too small to tell, the signs of the outcomes decide, and rationals where these
    differ.
    """
    sign = np.where(np.abs(mdp.r) > mdp.facts.r_error, np.sign(mdp.r), 0).astype(np.int8)
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


# -- total reward -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class TotalReward:
    """A model at γ = 1 whose optimal total reward is finite, with its zero-reward end components merged.

    In `quotient` each of them is one state: it keeps the rows that are not part of the component, and a row of reward 0
    to a terminal state stands for staying for ever (a component without other rows is itself terminal). Every policy of
    the quotient that may fail to end is worth -∞ somewhere (+∞ in costs), and `proper_rows` ends surely: the conditions
    under which Bellman's equation has one solution, value iteration converges to it from anywhere and policy iteration
    from a proper policy (Bertsekas & Tsitsiklis 1991). S' and L' below are the quotient's; where nothing is merged
    it is the model itself.

    of_state (S,) the quotient's state of each state; row_of (L',) the row of each of its rows, -1 for staying;
    internal (L,) the rows inside of merged components; proper_rows (S',) rows of a policy that ends surely.
    """

    mdp: MDP
    quotient: MDP
    of_state: Ints
    row_of: Ints
    internal: Mask
    proper_rows: Ints

    @property
    def merged(self) -> bool:
        """True where the quotient is not the model itself."""
        return self.quotient is not self.mdp

    def lift_values(self, v: Floats) -> Floats:
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
        chosen = self.row_of[rows[rows >= 0]]
        leaves = chosen[chosen >= 0]
        at = mdp.pair_state[leaves]
        target = np.zeros(mdp.S, dtype=bool)
        target[at] = True
        _, inside = almost_surely_reaching(mdp, target, self.internal)
        out = np.where(inside >= 0, inside, self._first_internal())
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

    def _first_internal(self) -> Ints:
        """The lowest row of each state that stays in its merged component (S,), -1 where there is none."""
        first = np.full(self.mdp.S, -1, dtype=np.int64)
        rows = np.flatnonzero(self.internal)[::-1]
        first[self.mdp.pair_state[rows]] = rows
        return first


def total_reward(mdp: MDP, breathe: Callable[[], None] | None = None, exactly: bool = False) -> TotalReward:
    """Decide whether the optimal total reward (γ = 1) is finite, and return the model in a form that can be iterated.

    Rewards that recur are rewards of an end component. One of reward 0 is worth 0 to stay in, and is merged. After
    that the optimal value is finite exactly if every end component has a negative largest mean reward and from every
    state some policy ends surely. `breathe` is called now and then where this may take long; it may raise. With
    `exactly` means are decided in rationals, however many states share one.

    Raises
    ------
    NoFiniteAnswer : with the states of a component whose largest mean reward is positive (+∞), or exactly 0 with
        rewards that are not (the sum does not settle); or with those from which every policy may collect negative
        reward for ever (-∞)
    NumericalError : where a mean reward could not be told from 0

    Sources: Puterman (1994), 7.2 and 9.5; Bertsekas & Tsitsiklis (1991); Baier et al. (2018), "Stochastic shortest
    paths and weight-bounded properties", for merging.

    Examples
    --------
    Stay for 0, or leave for -1: staying is worth 0.

    >>> mdp = MDP.from_outcomes([("s", "stay", "s", 1, 0), ("s", "leave", "t", 1, -1)], 1, terminal=["t"])
    >>> total = total_reward(mdp)
    >>> total.quotient
    MDP(states=3, actions=2, pairs=2, outcomes=2, gamma=1)
    >>> total.row_of.tolist(), total.lift_rows(total.proper_rows).tolist()
    ([1, -1], [1, -1])
    """
    signs = reward_signs(mdp)
    zero, internal = _end_components(mdp, signs == 0)
    total = _merge(mdp, zero, internal)
    quotient = total.quotient
    if total.merged:
        signs = np.append(signs, np.int8(0))[total.row_of]  # staying, -1, earns 0
    if (signs > 0).any():
        _refuse_recurring(total, signs, breathe, exactly)
    sure, proper = almost_surely_reaching(quotient, quotient.terminal)
    if not sure.all():
        what = (
            "every policy collects negative reward for ever and the total diverges to -inf, from"
            if mdp.sense == "max"
            else "every policy pays for ever and the total cost diverges to +inf, from"
        )
        raise NoFiniteAnswer(what, _names(mdp, ~sure[total.of_state]))
    object.__setattr__(total, "proper_rows", proper)
    return total


def _refuse_recurring(
    total: TotalReward, signs: NDArray[np.int8], breathe: Callable[[], None] | None, exactly: bool
) -> None:
    """Raise unless every end component of the quotient has a negative largest mean reward."""
    mdp, quotient = total.mdp, total.quotient
    labels, inside = _end_components(quotient)
    of_row = labels[quotient.pair_state]
    count = int(labels.max(initial=-1)) + 1
    positive = np.bincount(of_row[inside & (signs > 0)], minlength=count) > 0
    negative = np.bincount(of_row[inside & (signs < 0)], minlength=count) > 0
    for component in np.flatnonzero(positive).tolist():
        states = np.flatnonzero(labels == component)
        if negative[component]:
            rows = np.flatnonzero(inside & (of_row == component))
            sign, found = largest_mean_sign(_part(quotient, states, rows), breathe, exactly)
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
                "--exact, which takes up to 500 states that lead to each other."
            )
        raise NoFiniteAnswer(what, _names(total.mdp, mask[total.of_state]))


def _few(mdp: MDP, mask: Mask) -> str:
    names = _names(mdp, mask)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(quoted, names[:3])) + more


def _names(mdp: MDP, mask: Mask) -> list[str]:
    return [mdp.states[s] for s in np.flatnonzero(mask).tolist()]


def _merge(mdp: MDP, label: Ints, internal: Mask) -> TotalReward:
    """Merge each component into its lowest state; `internal` (L,) are its rows that go."""
    small = mdp.pair_ptr.dtype
    if not internal.any():
        every = np.arange(mdp.S, dtype=small)
        return TotalReward(mdp, mdp, every, np.arange(mdp.L, dtype=small), internal, every)
    member = np.flatnonzero(label >= 0)
    lowest = np.full(int(label.max()) + 1, mdp.S, dtype=np.int64)
    np.minimum.at(lowest, label[member], member)
    head = np.arange(mdp.S)
    head[member] = lowest[label[member]]
    heads = np.flatnonzero(head == np.arange(mdp.S))
    new = np.full(mdp.S, -1, dtype=small)
    new[heads] = np.arange(len(heads), dtype=small)
    of_state = new[head]

    rows = np.flatnonzero(~internal)
    owner = of_state[mdp.pair_state[rows]]
    left = np.bincount(owner, minlength=len(heads))
    component = label[heads] >= 0
    stays = np.flatnonzero(component & (left > 0))
    terminal = mdp.terminal[heads] | (component & (left == 0))
    if stays.size:  # to one more state, that stands for staying
        rows = np.concatenate([rows, np.full(len(stays), -1)])
        owner = np.concatenate([owner, stays.astype(small)])
        terminal = np.append(terminal, True)
    order = np.argsort(owner, kind="stable")
    rows, owner = rows[order], owner[order]
    names = None
    if mdp.states.given and mdp.S <= 100_000:
        names = [mdp.states[s] for s in heads.tolist()]
        if stays.size:
            names.append(next(n for n in ("stay" + "'" * i for i in range(mdp.S + 1)) if n not in mdp.states))
    quotient = _made_of(mdp, rows, owner, of_state, terminal, names)
    return TotalReward(mdp, quotient, of_state, rows.astype(small), internal, of_state)


def _part(mdp: MDP, states: Ints, rows: Ints) -> MDP:
    """The states of an end component and its rows as a model of its own."""
    of_state = np.full(mdp.S, -1, dtype=mdp.pair_ptr.dtype)
    of_state[states] = np.arange(len(states))
    owner = of_state[mdp.pair_state[rows]]
    return _made_of(mdp, rows, owner, of_state, np.zeros(len(states), dtype=bool), None)


def _made_of(
    mdp: MDP, rows: Ints, owner: Ints, of_state: Ints, terminal: Mask, names: list[str] | None
) -> MDP:
    """The model of some rows (-1: reward 0 to the last state) of the states `owner`, its next states renamed.

    An impossible outcome to a state that is not kept goes to state 0.
    """
    S = len(terminal)
    real = rows >= 0
    at = np.where(real, rows, 0)
    length = np.where(real, (mdp.row_ptr[at + 1] - mdp.row_ptr[at]).astype(np.int64), 1)
    row_ptr = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(length, out=row_ptr[1:])
    begin = np.where(real, mdp.row_ptr[at].astype(np.int64), mdp.K)
    # Outcome mdp.K stands for the one of staying.
    source = np.repeat(begin - row_ptr[:-1], length) + np.arange(row_ptr[-1])
    new = np.full(len(source), S - 1, dtype=mdp.pair_ptr.dtype)
    old = source < mdp.K
    new[old] = of_state[mdp.next_state[source[old]]]
    new[new < 0] = 0

    def taken(array: Any, index: Ints, ok: Mask, other: Any) -> Any:
        if array is None:
            return None
        if isinstance(array, RationalArray):
            return RationalArray(taken(array.num, index, ok, other), taken(array.den, index, ok, 1))
        out = np.full(len(index), other, dtype=array.dtype)
        out[ok] = array[index[ok]]
        return out

    exact = mdp.exact
    if exact is not None:
        exact = Exact(
            prob=taken(exact.prob, source, old, 1),
            reward=taken(exact.reward, source, old, 0),
            r=taken(exact.r, rows, real, 0),
        )
    pair_ptr = np.zeros(S + 1, dtype=np.int64)
    np.cumsum(np.bincount(owner, minlength=S), out=pair_ptr[1:])
    return MDP.from_rows(
        pair_ptr=pair_ptr,
        pair_action=np.arange(len(rows)) - pair_ptr[owner],
        row_ptr=row_ptr,
        next_state=new,
        prob=taken(mdp.prob, source, old, 1.0),
        reward=taken(mdp.reward, source, old, 0.0),
        r=taken(mdp.r, rows, real, 0.0),
        gamma=mdp.gamma_exact,
        terminal=terminal,
        states=names,
        exact=exact,
        sense=mdp.sense,
        name=mdp.name,
        origin=mdp.origin,
        copy=False,
    )


# -- the mean reward of a component -----------------------------------------------------------------------------


def largest_mean_sign(
    part: MDP, breathe: Callable[[], None] | None = None, exactly: bool = False
) -> tuple[int | None, Mask]:
    """Return the sign of the largest mean reward a step of an end component, and the states that show it.

    `part` holds the component alone, each state reachable from each other. What is returned is proven: negative by
    values h with r + P h - h < 0 at every row (Puterman 1994, 8.5), in floats or in rationals; positive by a cycle of a
    policy. In a component of more than SMALL states 0 is a cycle of mean 0 beside which no positive one was found, and
    None is nothing found, unless it was to be decided `exactly`.
    """
    from tabular_rl.kernels.bellman import optimal_backup

    S = part.S
    numbers = part.pair_ptr, part.row_ptr, part.next_state, part.prob, part.r, 1.0, part.sign
    every = np.ones(S, dtype=bool)
    h, out = np.zeros(S), np.empty(S)
    rows = np.empty(S, dtype=part.pair_ptr.dtype)
    tried: set[bytes] = set()
    large = LargeRewards(part)
    even: Mask | None = None
    done, check = 0, 4
    while done < MEAN_SWEEPS and done * part.K < WORK:
        if breathe is not None:
            breathe()
        span = np.array([math.inf, -math.inf])
        optimal_backup(*numbers, h, 0, S, span, rows, out)
        done += 1
        hmax = float(np.max(np.abs(h)))
        change = out - h
        if _negative(part, large, h, hmax, float(change.max())):
            return -1, every
        if done == check:
            check *= 4
            if S <= SMALL or (exactly and done >= LATE):
                return _largest_mean_sign_exact(part, rows, math.inf, breathe)
            if even is not None:
                return 0, even
            error = large.error(Policy.partial(part, rows=rows), hmax)
            for cycle in _cycles(part, rows):
                if float(change[cycle].min()) - 2 * error > 0:
                    return 1, cycle
                key = np.packbits(cycle).tobytes()
                if (key in tried and done != LATE) or int(cycle.sum()) > CYCLE:
                    continue
                tried.add(key)
                found = _evaluate(part, rows, np.flatnonzero(cycle), FRACTIONS)
                if found is not None and found[0] > 0:
                    return 1, cycle
                if found is not None and found[0] == 0:
                    even = cycle
                elif found is not None and done >= LATE and S <= CYCLE:
                    # A mean below 0 by less than rounding, perhaps: its h may prove all others negative.
                    sign, states = _largest_mean_sign_exact(part, rows, FRACTIONS, breathe)
                    if sign is not None:
                        return sign, states
        # Half a step: the same signs, and a period cannot keep the changes apart.
        h += 0.5 * change
        h -= h.max()
    return None, every


def _negative(part: MDP, large: LargeRewards, h: Floats, hmax: float, highest: float) -> bool:
    """True where r + P h - h < 0 is proven at every row; `highest` is the largest that was computed."""
    if float(up(up(highest) + shared_error(part, hmax))) >= 0:
        return False
    rows, rewards, states = large.beyond(shared_reward(part, hmax))
    if not rows.size:
        return True
    from tabular_rl.kernels.bellman import listed_backup

    q = np.empty(len(rows))
    listed_backup(part.row_ptr, part.next_state, part.prob, part.r, 1.0, part.sign, rows, h, q)
    high = up(q + backup_error(part, hmax, None, rewards))
    return bool((up(high - h[states]) < 0).all())


def _cycles(mdp: MDP, rows: Ints, limit: int = 20) -> list[Mask]:
    """The recurrent classes of a policy, as masks (S,)."""
    recurrent, labels = recurring(mdp, row_mask_of(mdp, rows))
    found = np.unique(labels[recurrent])[:limit]
    return [labels == label for label in found.tolist()]


def recurring(mdp: MDP, use: Mask, weight: Floats | None = None) -> tuple[Mask, Ints]:
    """The states (S,) that recur when the rows in use are all taken, and the component of each state."""
    from tabular_rl.kernels.graph import drop_leaving

    graph = Graph(mdp, use, weight)
    count, labels = graph.components()
    kept = use.copy()
    drop_leaving(*graph.arrays, graph.row_state, labels, graph.queue, graph.rows_left(), kept)
    closed = np.ones(count, dtype=bool)
    closed[labels[graph.row_state[use & ~kept]]] = False
    return closed[labels], labels


def _evaluate(
    mdp: MDP, rows: Ints, states: Ints, limit: float, breathe: Callable[[], None] | None = None
) -> tuple[Fraction, dict[int, Fraction]] | None:
    """Solve g + h(s) = r(s) + Σ p h(s'), h = 0 in the first state, over a closed set of states, in rationals.

    States are eliminated one by one, each replaced by its way on, with the reward and the time on it: positive numbers
    alone. In the first state what is left is the reward and the time from one visit to the next. None after `limit`
    operations.
    """
    sign = int(mdp.sign)
    way: dict[int, dict[int, Fraction]] = {}
    reward: dict[int, Fraction] = {}
    time = {s: Fraction(1) for s in states.tolist()}
    into: dict[int, set[int]] = {s: set() for s in time}
    for s in time:
        outcomes, r = mdp.rational(int(rows[s]))
        way[s] = {}
        for s2, p in outcomes:
            if p:
                way[s][s2] = way[s].get(s2, Fraction(0)) + p
                into[s2].add(s)
        reward[s] = sign * r
    first = int(states[0])
    order = [s for s in time if s != first]
    for s in order:
        if breathe is not None:
            breathe()
        stay = 1 - way[s].pop(s, Fraction(0))
        way[s] = {s2: p / stay for s2, p in way[s].items()}
        reward[s], time[s] = reward[s] / stay, time[s] / stay
        into[s].discard(s)
        for before in into.pop(s):
            if before not in into:  # taken out before: its way on leads to s, whose h is found first
                continue
            p = way[before].pop(s)
            limit -= len(way[s])
            if limit < 0:
                return None
            for s2, p2 in way[s].items():
                way[before][s2] = way[before].get(s2, Fraction(0)) + p * p2
                into[s2].add(before)
            reward[before] += p * reward[s]
            time[before] += p * time[s]
    mean = reward[first] / time[first]
    h = {first: Fraction(0)}
    for s in reversed(order):
        h[s] = reward[s] - mean * time[s] + sum((p * h[s2] for s2, p in way[s].items()), Fraction(0))
    return mean, h


def _largest_mean_sign_exact(
    part: MDP, rows: Ints, limit: float = math.inf, breathe: Callable[[], None] | None = None
) -> tuple[int | None, Mask]:
    """Policy iteration in rationals on an end component, from `rows` (Howard 1960).

    None where one evaluation takes more than `limit` operations, or there is no end in 100 improvements (10 with a
    limit).
    """
    every = np.ones(part.S, dtype=bool)
    rows = rows.copy()
    sign = int(part.sign)
    for _ in range(100 if limit == math.inf else 10):
        worth = []
        for cycle in _cycles(part, rows, part.S):
            found = _evaluate(part, rows, np.flatnonzero(cycle), limit, breathe)
            if found is None:
                return None, every
            worth.append((found[0], cycle))
        mean, cycle = max(worth, key=lambda found: found[0])
        if mean > 0:
            return 1, cycle
        # All other states lead to the best cycle: an end component lets them.
        _, way = almost_surely_reaching(part, cycle)
        rows, _ = repaired(part, rows, cycle, way)
        lead = int(np.flatnonzero(cycle)[0])
        order = np.array([lead, *(s for s in range(part.S) if s != lead)])
        found = _evaluate(part, rows, order, limit, breathe)
        if found is None:
            return None, every
        h = found[1]
        negative, changed = True, False
        for s in range(part.S):
            best = h[s] + mean
            for i in part.rows(s):
                outcomes, r = part.rational(i)
                q = sign * r + sum((p * h[s2] for s2, p in outcomes), Fraction(0))
                negative &= q < h[s]
                if q > best:
                    best, rows[s], changed = q, i, True
        if negative:
            return -1, every
        if not changed:  # then r + P h - h ≤ 0 everywhere, and 0 on the cycle
            return 0, cycle
    return None, every


# -- a given policy ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class PolicyTotal:
    """A policy at γ = 1 whose total reward is finite: `zero` (S,) marks the states of value exactly 0.

    These are the terminals, and the states that recur for ever and collect nothing. From all others the policy
    gets there surely.
    """

    policy: Policy
    zero: Mask


def policy_total(mdp: MDP, policy: Policy) -> PolicyTotal:
    """Decide whether the total reward (γ = 1) of a stationary policy is finite.

    It is exactly if in every state that recurs the expected reward r_π(s) = Σ_a π(a|s) r(s, a) is exactly 0.

    Raises
    ------
    NoFiniteAnswer : with the states that recur and collect reward for ever

    Examples
    --------
    >>> ring = MDP([[[0, 1]], [[1, 0]]], [[1], [1]], 1)
    >>> policy_total(ring, Policy.uniform(ring))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    tabular_rl.errors.NoFiniteAnswer: no finite answer: the policy never terminates ...: '0', '1'. A discount ...
    """
    zero, collects = settled(mdp, policy.takes, policy)
    if collects.any():
        word = "pays" if mdp.sense == "min" else "collects reward"
        raise NoFiniteAnswer(f"the policy never terminates and {word} for ever, in", _names(mdp, collects))
    return PolicyTotal(policy, zero)


def settled(
    mdp: MDP, use: Mask, policy: Policy | None = None, signs: NDArray[np.int8] | None = None
) -> tuple[Mask, Mask]:
    """Return the states (S,) that recur under a policy and collect nothing, and those that recur and collect.

    `use` (L,) are the rows that it takes; without `policy` it takes one a state. `signs` saves computing them.
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
