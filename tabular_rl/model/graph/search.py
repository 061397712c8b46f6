"""Graph facts of a model: what can be reached, what recurs, and in which sets one can stay.

An outcome is an edge where its probability is positive, even if its float64 is 0; terminal states have none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._plain import kernels
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rows import Floats, Ints, row_sums

Mask = NDArray[np.bool_]
FEW = 16  # of the states that are left a pass finds one, or it is not worth another
PASSES = 8  # over the rows of a policy, where they find nothing: to turn all edges round takes as long


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
        """What kernels take of the edges."""
        return self.mdp.row_ptr, self.mdp.next_state, self.weight

    @property
    def kernels(self) -> Any:
        """The kernels, compiled where the model is large or Numba is loaded."""
        return kernels("graph", self.mdp.K, self.mdp.L)

    def incoming(self) -> tuple[Ints, Ints]:
        """The rows with an edge into each state, of the rows in use when first asked."""
        if self._incoming is None:
            in_ptr = np.zeros(self.mdp.S + 1, dtype=np.int64)
            self.kernels.count_incoming(*self.arrays, self.use, in_ptr)
            in_row = np.empty(int(in_ptr[-1]), dtype=self.mdp.pair_ptr.dtype)
            self.kernels.fill_incoming(*self.arrays, self.use, in_ptr[:-1].copy(), in_row)
            self._incoming = in_ptr, in_row
        return self._incoming

    def backward(self, found: Mask) -> Ints:
        """Mark in `found` all states that can reach it; return the first row of a shortest way (S,), or -1."""
        via = np.full(self.mdp.S, -1, dtype=self.mdp.pair_ptr.dtype)
        self.kernels.search_backward(*self.incoming(), self.row_state, self.use, self.queue, via, found)
        return via

    def rows_left(self) -> Ints:
        """How many rows of each state are in use (S,)."""
        return row_sums(self.use, self.mdp.pair_ptr).astype(np.int64)

    def discard(self, dead: Ints, left: Ints) -> Ints:
        """Drop the rows into the states `dead`, and the states that have no row then; return all that went."""
        self.queue[: len(dead)] = dead
        size = self.kernels.discard(*self.incoming(), self.row_state, len(dead), self.queue, left, self.use)
        return self.queue[:size].copy()

    def isolate(self, left: Ints) -> None:
        """Drop the rows between others and states that lead to no other, or to which no other leads, again and again.

        It is what most components fall apart into when rows are dropped, one layer of states a search for them.
        """
        away, into = np.zeros(self.mdp.S, dtype=np.int64), np.zeros(self.mdp.S, dtype=np.int64)
        self.kernels.count_moves(*self.arrays, self.row_state, self.use, away, into)
        self.kernels.isolate(
            self.mdp.pair_ptr,
            *self.incoming(),
            self.arrays,
            self.row_state,
            away,
            into,
            self.queue,
            left,
            self.use,
        )

    def components(self) -> tuple[int, Ints]:
        """Strongly connected components: their number, and one label a state."""
        count, label, _ = self.searched()
        return count, label

    def searched(self) -> tuple[int, Ints, Ints]:
        """What one search in depth finds: the components, and how many states were left before each state."""
        S, small = self.mdp.S, self.mdp.pair_ptr.dtype
        number, label = np.full(S, -1, dtype=small), np.full(S, -1, dtype=small)
        low, path, row_at = (np.empty(S, dtype=small) for _ in range(3))
        at = np.empty(S, dtype=np.int64)
        count = self.kernels.strong_components(
            self.mdp.pair_ptr, *self.arrays, self.use, number, low, self.queue, path, row_at, at, label
        )
        return int(count), label, number


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

    Parameters
    ----------
    mdp : the model
    sources : (S,) marks the states to begin from
    row_mask : (L,) marks the rows that may be taken; None for all
    weight : (K,) an edge is where it is positive: by default the exact probability; `mdp.prob` for what can be drawn

    Returns
    -------
    Mask (S,).

    Examples
    --------
    >>> chain = MDP([[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]], [[1], [1], [0]], 1, terminal=[2])
    >>> import numpy as np
    >>> reachable(chain, np.array([False, True, False])).tolist()
    [False, True, True]
    """
    graph = Graph(mdp, row_mask, weight)
    found = np.array(sources, dtype=bool)
    graph.kernels.search_forward(mdp.pair_ptr, *graph.arrays, graph.use, graph.queue, found)
    return found


def can_reach(mdp: MDP, target: Mask, row_mask: Mask | None = None, weight: Floats | None = None) -> Mask:
    """Return the states (S,) from which `target` (S,) can be reached, itself included, as in `reachable`.

    Parameters
    ----------
    mdp : the model
    target : (S,) marks the states to arrive at
    row_mask, weight : the rows (L,) that may be taken and what makes an edge (K,), as in `reachable`

    Returns
    -------
    Mask (S,).
    """
    found = np.array(target, dtype=bool)
    Graph(mdp, row_mask, weight).backward(found)
    return found


def policy_can_reach(mdp: MDP, rows: Ints, target: Mask) -> Mask:
    """Return the states (S,) from which `target` (S,) can be reached, itself included, by one row of each state.

    A few passes over these rows mostly find them, forward and backward in turn: to turn all edges round takes longer.

    Parameters
    ----------
    mdp : the model
    rows : (S,) the row of each state, -1 where there is none
    target : (S,) marks the states to arrive at

    Returns
    -------
    Mask (S,).

    Examples
    --------
    >>> import numpy as np
    >>> mdp = MDP([[[0, 1, 0], [0, 0, 1]], [[1, 0, 0]] * 2, [[0, 0, 1]] * 2], np.zeros((3, 2)), 0.9)
    >>> policy_can_reach(mdp, np.array([0, 2, 4]), np.array([False, False, True])).tolist()
    [False, False, True]
    >>> policy_can_reach(mdp, np.array([1, 2, 4]), np.array([False, False, True])).tolist()
    [True, True, True]
    """
    found = np.array(target, dtype=bool)
    pass_back, edge = kernels("graph", mdp.K, mdp.L).pass_back, edges(mdp)
    forward, left = False, PASSES * mdp.S  # states that may still be looked at
    while left > 0:
        left -= mdp.S - int(np.count_nonzero(found))
        states = (0, mdp.S, 1) if forward else (mdp.S - 1, -1, -1)
        if not pass_back(mdp.row_ptr, mdp.next_state, edge, rows, *states, found):
            return found
        forward = not forward
    return can_reach(mdp, found, row_mask_of(mdp, rows))


def components(mdp: MDP, row_mask: Mask | None = None) -> tuple[int, Ints]:
    """Return the number of strongly connected components and the label of each state (S,).

    Labels are in topological order, successors first: an edge leads to the same label or to a lower one (Tarjan 1972).

    >>> components(MDP([[[0, 1, 0]], [[1, 0, 0]], [[1, 0, 0]]], [[0], [0], [0]], 1))
    (2, array([0, 0, 1], dtype=int32))
    """
    return Graph(mdp, row_mask).components()


def flow_order(mdp: MDP) -> Ints:
    """Return the states (S,) so that each stands after those that it leads to, but for ways that lead back to it.

    >>> flow_order(MDP([[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]], [[0], [0], [0]], 1, terminal=[2])).tolist()
    [2, 1, 0]
    """
    place = flow_places(mdp)
    order = np.empty_like(place)
    order[place] = np.arange(mdp.S, dtype=order.dtype)
    return order


def flow_places(mdp: MDP) -> Ints:
    """Return the place of each state (S,) in the order of `flow_order`."""
    return Graph(mdp).searched()[2]


def end_components(mdp: MDP, row_mask: Mask | None = None) -> tuple[Ints, Mask]:
    """Return the maximal end component of each state (S,), -1 where it is in none, and the rows (L,) that stay in it.

    An end component is a set of states with a choice of rows that never lead out of it and lead from each of its
    states to each other: exactly the sets in which some policy can stay as long as it likes (de Alfaro 1997).

    >>> end_components(MDP([[[1, 0], [0, 1]], [[0, 0], [0, 1]]], [[0, 0], [0, 0]], 1, axes="sas"))[0].tolist()
    [0, 1]
    """
    labels = np.full(mdp.S, -1, dtype=mdp.pair_ptr.dtype)
    if row_mask is None and every_policy_ends(mdp):
        return labels, np.zeros(mdp.L, dtype=bool)
    graph = Graph(mdp, row_mask)
    left = graph.rows_left()
    while graph.use.any():
        graph.isolate(left)
        _, labels = graph.components()
        before = int(left.sum())
        graph.kernels.drop_leaving(*graph.arrays, graph.row_state, labels, graph.queue, left, graph.use)
        if int(left.sum()) == before:
            break
    live = left > 0
    met = np.zeros(mdp.S + 1, dtype=bool)
    met[labels[live]] = True
    out = (np.cumsum(met, dtype=labels.dtype) - 1)[labels]
    out[~live] = -1
    return out, graph.use


def every_policy_ends(mdp: MDP) -> bool:
    """Whether each row of each state may lead on toward the terminal states, as far as quick passes show it.

    Then no end component is left: no policy can stay anywhere.
    """
    kernel, edge = kernels("graph", mdp.K, mdp.L).pass_back_all, edges(mdp)
    found, forward = np.diff(mdp.pair_ptr) == 0, False
    left = mdp.S - int(np.count_nonzero(found))
    while left:
        states = (0, mdp.S, 1) if forward else (mdp.S - 1, -1, -1)
        more = kernel(mdp.pair_ptr, mdp.row_ptr, mdp.next_state, edge, *states, found)
        if FEW * more < left:
            return False
        left, forward = left - more, not forward
    return True


def almost_surely_reaching(mdp: MDP, target: Mask, row_mask: Mask | None = None) -> tuple[Mask, Ints]:
    """Return the states (S,) from which some policy reaches `target` with probability 1, and its rows (S,).

    The states are the largest set in which each state has rows that never leave the set and by which the target can be
    reached (Baier & Katoen 2008, 10.6).

    Parameters
    ----------
    mdp : the model
    target : (S,) marks the states to arrive at
    row_mask : (L,) marks the rows that may be taken; None for all

    Returns
    -------
    Mask (S,), and the row of each state (S,): -1 at the target and where no policy reaches it surely.

    Examples
    --------
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

    Parameters
    ----------
    mdp : the model
    rows : (S,) the row of each state, -1 at terminals
    target : (S,) marks the states to arrive at
    proper : (S,) rows that lead to the target surely, -1 where there is none to take

    Returns
    -------
    Rows (S,), and the mask (S,) of the states that have theirs from `proper`.
    """
    sure, _ = almost_surely_reaching(mdp, target, row_mask_of(mdp, rows))
    return np.where(sure, rows, proper), ~sure


def row_mask_of(mdp: MDP, rows: Ints) -> Mask:
    """Return the mask (L,) of the rows that a deterministic policy (S,) chooses."""
    mask = np.zeros(mdp.L, dtype=bool)
    mask[rows[rows >= 0]] = True
    return mask


def recurring(mdp: MDP, use: Mask, weight: Floats | None = None) -> tuple[Mask, Ints]:
    """The states (S,) that recur when the rows in use are all taken, and the component of each state.

    Parameters
    ----------
    mdp : the model
    use : (L,) marks the rows that are taken
    weight : (K,) what makes an edge, as in `reachable`

    Returns
    -------
    Mask (S,), in which terminals are, and the label of each state (S,), as in `components`.
    """
    graph = Graph(mdp, use, weight)
    count, labels = graph.components()
    kept = use.copy()
    graph.kernels.drop_leaving(*graph.arrays, graph.row_state, labels, graph.queue, graph.rows_left(), kept)
    closed = np.ones(count, dtype=bool)
    closed[labels[graph.row_state[use & ~kept]]] = False
    return closed[labels], labels
