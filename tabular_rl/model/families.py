"""Models of any size, by a rule and a seed: what `tabular-rl make FAMILY` writes.

Every family is a function of keyword arguments that returns an MDP. The same arguments give the same bits. No state is
looped over and no name is made, so that a million states take seconds and little more memory than the model itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError
from tabular_rl.model.calls import Option, public, with_checked_options
from tabular_rl.model.layout import Layout
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rows import Floats, Ints

LARGEST_INDEX = 2**31 - 1  # states and pairs; outcomes may be more


def _whole(name: str, help: str, low: int, high: float = math.inf) -> Option:
    return Option(name, int, help, low=low, high=high)


def _real(name: str, help: str, low: float = -1e300, high: float = 1e300) -> Option:
    return Option(name, float, help, low=low, high=high)


Seed = Annotated[int, _whole("seed", "the same seed gives the same model, bit for bit", 0, 2**53)]
Gamma = Annotated[float, _real("gamma", "discount", 0, 1)]
Rows = Annotated[int, _whole("rows", "rows of the grid", 1)]
Columns = Annotated[int, _whole("columns", "columns of the grid", 1)]
Slip = Annotated[float, _real("slip", "chance of sliding, half to either side of the move", 0, 1)]
StepReward = Annotated[float, _real("step_reward", "reward of every move")]

FAMILIES: dict[str, Callable[..., MDP]] = {}


def family(function: Callable[..., MDP]) -> Callable[..., MDP]:
    """Enter a function into FAMILIES under its name; its options are those that its signature is annotated with."""
    made = public(with_checked_options(function))
    FAMILIES[function.__name__] = made
    return made


def _fits(what: str, count: int) -> None:
    if count > LARGEST_INDEX:
        raise OptionError(f"found {count} {what}, expected at most {LARGEST_INDEX}. Choose a smaller model.")


def _random(seed: int) -> np.random.Generator:
    # Named, because numpy's default generator may change and these bits may not.
    return np.random.Generator(np.random.PCG64(seed))


def _even(count: int, width: int) -> Ints:
    """Pointers to `count` rows of `width` entries each."""
    return np.arange(0, count * width + 1, width, dtype=np.int32 if count * width < 2**31 else np.int64)


def _full(to: Ints, terminal: NDArray[np.bool_] | None = None, **more: Any) -> MDP:
    """Make a model all of whose states but terminal ones have the same actions, and these as many outcomes.

    `to` (states with actions, actions, outcomes) are the next states.
    """
    live, actions, outcomes = to.shape
    counts = np.full(live, actions) if terminal is None else np.where(terminal, 0, actions)
    return MDP.from_rows(
        pair_ptr=np.append(0, np.cumsum(counts)),
        pair_action=np.tile(np.arange(actions, dtype=np.int32), live),
        row_ptr=_even(live * actions, outcomes),
        next_state=to.reshape(-1),
        terminal=terminal,
        copy=False,
        **more,
    )


# ---------------------------------------------------------------- grids


@family
def gridworld(
    *,
    rows: Rows = 10,
    columns: Columns = 10,
    slip: Slip = 0.2,
    walls: Annotated[float, _real("walls", "share of the cells that are walls", 0, 0.99)] = 0.0,
    step_reward: StepReward = -1.0,
    gamma: Gamma = 0.99,
    seed: Seed = 0,
) -> MDP:
    """Make a grid with one goal, in the bottom right corner, and walls thrown at random.

    Of the pieces into which walls cut the grid only the largest is kept; it starts in its first cell, and its last one
    is the goal.

    A move goes where it is meant to, or slides to either side; into an edge or a wall it changes nothing:

        p(s + a | s, a) = 1 - slip,   p(s + side | s, a) = slip / 2 for both sides,   r(s, a) = step_reward

    Parameters
    ----------
    rows, columns : size of the grid, at least 2 cells
    slip : chance of sliding, 0 to 1
    walls : chance that a cell is a wall
    step_reward : reward of every move; the goal is terminal and worth 0
    gamma : discount
    seed : of the walls

    Returns
    -------
    A model of up to rows · columns states in row-major order, with 4 actions and a layout; it starts in the first.

    Raises
    ------
    OptionError where an option is out of range, or fewer than 2 cells or too many are left.

    Sources
    -------
    Sutton & Barto (2018), Example 4.1, with the slipping of Russell & Norvig (2010), section 17.1.

    Examples
    --------
    >>> mdp = gridworld(rows=1, columns=3, slip=0)
    >>> mdp
    MDP('gridworld 1 x 3', states=3, actions=4, pairs=8, outcomes=8, gamma=0.99)
    >>> mdp.next_state[mdp.row(0, "right")], mdp.next_state[mdp.row(1, "right")]
    (np.int32(1), np.int32(2))
    """
    _fits("pairs", 4 * rows * columns)
    if rows * columns < 2:
        raise OptionError("found a grid of 1 cell, expected at least 2. Raise --rows or --columns.")
    free = None
    if walls:
        free = _largest_piece(_random(seed).random((rows, columns)) >= walls)
        if np.count_nonzero(free) < 2:
            raise OptionError(
                "--walls: found fewer than 2 cells left, expected more. Lower it, or take another seed."
            )
    return _grid(rows, columns, free, slip, step_reward, gamma, f"gridworld {rows} x {columns}")


@family
def maze(
    *,
    rows: Rows = 10,
    columns: Columns = 10,
    slip: Slip = 0.0,
    step_reward: StepReward = -1.0,
    gamma: Gamma = 0.99,
    seed: Seed = 0,
) -> MDP:
    """Make a perfect maze: between any two rooms there is exactly one way.

    The passages are a spanning tree of the grid of rooms: the one of least weight, where each wall between two rooms
    has a random weight. Rooms and passages are cells of a grid of 2 · rows - 1 by 2 · columns - 1; one moves as in a
    gridworld, from the top left to the goal in the bottom right.

    Parameters
    ----------
    rows, columns : rooms, at least 2 of them
    slip : chance of sliding, 0 to 1, half to either side of the move
    step_reward : reward of every move; the goal is terminal and worth 0
    gamma : discount
    seed : of the weights

    Returns
    -------
    A model of 2 · rows · columns - 1 states in row-major order with 4 actions and a layout.

    Raises
    ------
    OptionError where an option is out of range, or there is 1 room or too many.

    Sources
    -------
    Kruskal (1956), on random weights.

    Examples
    --------
    >>> maze(rows=3, columns=4)
    MDP('maze 3 x 4', states=23, actions=4, pairs=88, outcomes=88, gamma=0.99)
    >>> maze(rows=1, columns=2).layout
    Layout(rows=1, columns=3, cell=None)
    """
    _fits("pairs", 4 * (2 * rows - 1) * (2 * columns - 1))
    if rows * columns < 2:
        raise OptionError("found a maze of 1 room, expected at least 2. Raise --rows or --columns.")
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    room = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    one = np.concatenate((room[:, :-1].ravel(), room[:-1].ravel()))  # each wall between two rooms
    two = np.concatenate((room[:, 1:].ravel(), room[1:].ravel()))
    # Distinct weights: the tree is then unique, whatever algorithm finds it. From 1 on: 0 would be no edge.
    weight = _random(seed).permutation(len(one)) + 1.0
    tree = minimum_spanning_tree(
        coo_array((weight, (one, two)), shape=(room.size, room.size)).tocsr()
    ).tocoo()
    one, two = tree.row, tree.col
    free = np.zeros((2 * rows - 1, 2 * columns - 1), dtype=bool)
    free[::2, ::2] = True
    free[one // columns + two // columns, one % columns + two % columns] = True
    walls = None if free.all() else free
    return _grid(*free.shape, walls, slip, step_reward, gamma, f"maze {rows} x {columns}")


def _largest_piece(free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest set of free cells that hang together; of several, the one with the first cell."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    cell = np.arange(free.size, dtype=np.int32).reshape(free.shape)
    across, down = free[:, :-1] & free[:, 1:], free[:-1] & free[1:]
    one = np.concatenate((cell[:, :-1][across], cell[:-1][down]))
    two = np.concatenate((cell[:, 1:][across], cell[1:][down]))
    graph = coo_array((np.ones(len(one), dtype=np.int8), (one, two)), shape=(free.size, free.size))
    piece = connected_components(graph.tocsr(), directed=False)[1].reshape(free.shape)
    size = np.bincount(piece.ravel())[piece]
    size[~free] = 0
    return np.asarray(free & (piece == piece.flat[int(np.argmax(size))]))


MOVES = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
SIDES = {0: (2, 3), 1: (2, 3), 2: (0, 1), 3: (0, 1)}  # of each move, by number


def _grid(
    rows: int,
    columns: int,
    free: NDArray[np.bool_] | None,
    slip: float,
    step_reward: float,
    gamma: float,
    name: str,
) -> MDP:
    """Make the model of walking on the free cells; the last of them is the goal. `free` None: all are."""
    states = rows * columns if free is None else int(np.count_nonzero(free))
    framed = np.full((rows + 2, columns + 2), -1, dtype=np.int32)  # the state of each cell, -1 for a wall
    inner = framed[1:-1, 1:-1]
    if free is None:
        inner[...] = np.arange(states, dtype=np.int32).reshape(rows, columns)
    else:
        inner[free] = np.arange(states, dtype=np.int32)
    outcomes = 3 if slip else 1
    live = states - 1  # all but the goal
    to = np.empty((live, 4, outcomes), dtype=np.int32)
    here = np.arange(live, dtype=np.int32)
    for b, (i, j) in enumerate(MOVES.values()):
        there = framed[1 + i : rows + 1 + i, 1 + j : columns + 1 + j]
        there = (there.ravel() if free is None else there[free])[:live]
        there = np.where(there < 0, here, there)
        to[:, b, 0] = there
        if slip:
            for a, sides in SIDES.items():
                if b in sides:
                    to[:, a, 1 + sides.index(b)] = there
    start = np.zeros(states)
    start[0] = 1.0
    terminal = np.zeros(states, dtype=bool)
    terminal[-1] = True
    pairs = 4 * live
    return _full(
        to,
        terminal,
        prob=np.tile([1 - slip, slip / 2, slip / 2] if slip else [1.0], pairs),
        r=np.full(pairs, step_reward),
        gamma=gamma,
        start=start,
        actions=MOVES,
        layout=Layout(rows, columns, None if free is None else np.flatnonzero(free)),
        name=name,
    )


# ---------------------------------------------------------------- chains


@family
def random_walk(
    *,
    states: Annotated[int, _whole("states", "states between the two ends", 1)] = 19,
    left: Annotated[float, _real("left", "reward of leaving on the left")] = -1.0,
    right: Annotated[float, _real("right", "reward of leaving on the right")] = 1.0,
    gamma: Gamma = 1.0,
) -> MDP:
    """Make a walk that steps left or right with equal chance until it leaves at either end.

        v(i) = left + (right - left) i / (n + 1)   where gamma = 1 and i = 1 ... n counts from the left

    Parameters
    ----------
    states : n, without the two terminal states 0 and n + 1
    left, right : reward of entering state 0 and state n + 1
    gamma : discount

    Returns
    -------
    A model of n + 2 states with one action, which starts in the middle (left of it where n is even).

    Raises
    ------
    OptionError where an option is out of range.

    Sources
    -------
    Sutton & Barto (2018), Examples 6.2 and 7.1.

    Examples
    --------
    >>> mdp = random_walk(states=5, left=0)
    >>> mdp
    MDP('random walk, 5 states', states=7, actions=1, pairs=5, outcomes=10, gamma=1)
    >>> mdp.next_state.tolist(), mdp.r.tolist()
    ([0, 2, 1, 3, 2, 4, 3, 5, 4, 6], [0.0, 0.0, 0.0, 0.0, 0.5])
    """
    _fits("states", states + 2)
    to = np.empty((states, 2), dtype=np.int32)
    to[:, 0] = np.arange(states)
    to[:, 1] = np.arange(2, states + 2)
    reward = np.zeros((states, 2))
    reward[0, 0], reward[-1, 1] = left, right
    terminal = np.zeros(states + 2, dtype=bool)
    terminal[[0, -1]] = True
    start = np.zeros(states + 2)
    start[(states + 1) // 2] = 1.0
    return _full(
        to[:, None],
        terminal,
        prob=np.full(2 * states, 0.5),
        reward=reward.reshape(-1),
        gamma=gamma,
        start=start,
        actions=["step"],
        layout=Layout(1, states + 2),
        name=f"random walk, {states} states",
    )


@family
def queue(
    *,
    capacity: Annotated[int, _whole("capacity", "customers that there is room for", 1)] = 100,
    speeds: Annotated[int, _whole("speeds", "speeds of the server, from 0 up", 1, 1000)] = 3,
    arrival: Annotated[float, _real("arrival", "chance of an arrival in a time slot", 0, 1)] = 0.3,
    service: Annotated[float, _real("service", "chance of a departure at the highest speed", 0, 1)] = 0.6,
    holding: Annotated[float, _real("holding", "cost of a customer in a time slot", 0)] = 1.0,
    effort: Annotated[float, _real("effort", "cost of the highest speed in a time slot", 0)] = 10.0,
    gamma: Gamma = 0.99,
) -> MDP:
    """Make a queue whose server chooses its speed: control of a birth-death chain, at least cost.

    With n customers and speed a = 0 ... k - 1, in each time slot

        n + 1 with arrival (lost at capacity),   n - 1 with m(a) = service · a / (k - 1) where n > 0,   else n
        cost(n, a) = holding · n + effort · (a / (k - 1))²

    Parameters
    ----------
    capacity : most customers
    speeds : k; a single speed is the highest one
    arrival, service : chances, together at most 1
    holding, effort : costs in a time slot
    gamma : discount

    Returns
    -------
    A model of capacity + 1 states and k actions with costs (sense "min").

    Raises
    ------
    OptionError where an option is out of range, or arrival + service is above 1.

    Sources
    -------
    Lippman (1975); Puterman (1994), section 11.5: uniformised control of the service rate.

    Examples
    --------
    >>> mdp = queue(capacity=2, speeds=2, arrival=0.25, service=0.5)
    >>> mdp
    MDP('queue, capacity 2', states=3, actions=2, pairs=6, outcomes=18, gamma=0.99, sense='min')
    >>> mdp.P[mdp.row(1, "1"), :].toarray().tolist(), mdp.r.tolist()
    ([0.5, 0.25, 0.25], [0.0, 10.0, 1.0, 11.0, 2.0, 12.0])
    """
    _fits("pairs", (capacity + 1) * speeds)
    if arrival + service > 1:
        raise OptionError(
            f"--service: found {service:g}, expected at most {1 - arrival:g}, what --arrival leaves"
        )
    n = np.arange(capacity + 1, dtype=np.int32)
    speed = np.arange(speeds) / (speeds - 1) if speeds > 1 else np.ones(1)
    to = np.empty((capacity + 1, speeds, 3), dtype=np.int32)
    to[:, :, 0] = np.maximum(n - 1, 0)[:, None]
    to[:, :, 1] = n[:, None]
    to[:, :, 2] = np.minimum(n + 1, capacity)[:, None]
    prob = np.empty((speeds, 3))
    prob[:, 0] = service * speed
    prob[:, 2] = arrival
    prob[:, 1] = np.maximum(1 - prob[:, 0] - arrival, 0)
    return _full(
        to,
        prob=np.tile(prob.reshape(-1), capacity + 1),
        r=(holding * n[:, None] + effort * speed**2).reshape(-1),
        gamma=gamma,
        sense="min",
        layout=Layout(1, capacity + 1),
        name=f"queue, capacity {capacity}",
    )


@family
def forest(
    *,
    states: Annotated[int, _whole("states", "ages of the forest", 2)] = 3,
    fire: Annotated[float, _real("fire", "chance of a fire in a year", 0, 1)] = 0.1,
    wait_reward: Annotated[float, _real("wait_reward", "reward of waiting in the oldest forest")] = 4.0,
    cut_reward: Annotated[float, _real("cut_reward", "reward of cutting the oldest forest")] = 2.0,
    gamma: Gamma = 0.9,
) -> MDP:
    """Make a forest that grows a year older when one waits, and is young again after a fire or a cut.

        wait:  s + 1 (at most n - 1) with 1 - fire, 0 with fire;   r = wait_reward in the oldest state, else 0
        cut:   0;   r = 0 in the youngest state, cut_reward in the oldest, else 1

    Parameters
    ----------
    states : n, ages 0 to n - 1
    fire : chance of a fire where one waits
    wait_reward, cut_reward : in the oldest state
    gamma : discount

    Returns
    -------
    A model of n states and the actions "wait" and "cut".

    Raises
    ------
    OptionError where an option is out of range.

    Sources
    -------
    MDPtoolbox, example forest (Chades et al. 2014): S, p, r1, r2.

    Examples
    --------
    >>> mdp = forest(states=3)
    >>> mdp.P.toarray().tolist()
    [[0.1, 0.9, 0.0], [1.0, 0.0, 0.0], [0.1, 0.0, 0.9], [1.0, 0.0, 0.0], [0.1, 0.0, 0.9], [1.0, 0.0, 0.0]]
    >>> mdp.r.tolist()
    [0.0, 0.0, 0.0, 1.0, 4.0, 2.0]
    """
    _fits("pairs", 2 * states)
    to = np.zeros((states, 3), dtype=np.int32)  # wait: fire, growth; cut
    to[:, 1] = np.minimum(np.arange(1, states + 1), states - 1)
    row_ptr = np.zeros(2 * states + 1, dtype=np.int32 if 3 * states < 2**31 else np.int64)
    row_ptr[1::2] = _even(states, 3)[:-1] + 2
    row_ptr[2::2] = _even(states, 3)[1:]
    r = np.zeros((states, 2))
    r[1:, 1] = 1.0
    r[-1] = wait_reward, cut_reward
    return MDP.from_rows(
        pair_ptr=_even(states, 2),
        pair_action=np.tile(np.arange(2, dtype=np.int32), states),
        row_ptr=row_ptr,
        next_state=to.reshape(-1),
        prob=np.tile([fire, 1 - fire, 1.0], states),
        r=r.reshape(-1),
        gamma=gamma,
        actions=["wait", "cut"],
        layout=Layout(1, states),
        name=f"forest, {states} ages",
        copy=False,
    )


# ---------------------------------------------------------------- stores


@family
def inventory(
    *,
    capacity: Annotated[int, _whole("capacity", "units that there is room for", 1, 60_000)] = 50,
    demand: Annotated[int, _whole("demand", "largest demand in a month", 1, 1000)] = 20,
    price: Annotated[float, _real("price", "what a unit sells for")] = 8.0,
    unit: Annotated[float, _real("unit", "cost of ordering a unit")] = 2.0,
    fixed: Annotated[float, _real("fixed", "cost of an order, however large")] = 4.0,
    holding: Annotated[float, _real("holding", "cost of a unit in stock for a month")] = 1.0,
    gamma: Gamma = 0.95,
) -> MDP:
    """Make a store that orders up to its capacity each month; demand that finds it empty is lost.

    With stock s, an order of a = 0 ... capacity - s units, y = s + a, and D binomial(demand, 1/2):

        s' = max(y - D, 0),   r(s, a) = price · E[min(D, y)] - [a > 0] fixed - unit · a - holding · y

    Parameters
    ----------
    capacity : most units in stock
    demand : largest D; half of it is the mean
    price, unit, fixed, holding : money
    gamma : discount

    Returns
    -------
    A model of capacity + 1 states; action a orders a units.

    Raises
    ------
    OptionError where an option is out of range.

    Sources
    -------
    Puterman (1994), section 3.2, whose example is capacity=3, demand=2.

    Examples
    --------
    >>> mdp = inventory(capacity=3, demand=2)
    >>> mdp
    MDP('inventory, capacity 3', states=4, actions=4, pairs=10, outcomes=26, gamma=0.95)
    >>> mdp.table(mdp.r).tolist()[0], mdp.P[mdp.row(1, "1"), :].toarray().tolist()
    ([0.0, -1.0, -2.0, -5.0], [0.25, 0.5, 0.25, 0.0])
    """
    pairs = (capacity + 1) * (capacity + 2) // 2
    _fits("pairs", pairs)
    # Integer binomials over a power of two: each probability is rounded once, small ones are exact.
    chance = [math.comb(demand, d) for d in range(demand + 1)]
    at_least = [sum(chance[d:]) for d in range(demand + 1)]
    p = np.array([c / 2**demand for c in chance])
    tail = np.array([c / 2**demand for c in at_least])  # P(D ≥ d)

    stock = np.arange(capacity + 1)
    options = capacity + 1 - stock
    pair_ptr = np.concatenate(([0], np.cumsum(options)))
    action = np.arange(pairs) - np.repeat(pair_ptr[:-1], options)
    y = np.repeat(stock, options) + action
    # Outcomes: D = 0 ... min(y, demand), the last for all that empties the store.
    length = np.minimum(y, demand) + 1
    row_ptr = np.concatenate(([0], np.cumsum(length)))
    d = np.arange(row_ptr[-1], dtype=np.int64) - np.repeat(row_ptr[:-1], length)
    last = row_ptr[1:] - 1
    prob = p[d]
    prob[last] = tail[length - 1]
    sold = np.concatenate(([0.0], np.cumsum(tail[1:])))  # E[min(D, y)] = Σ_{d=1}^{y} P(D ≥ d)
    r = price * sold[np.minimum(y, demand)] - np.where(action > 0, fixed + unit * action, 0.0) - holding * y
    return MDP.from_rows(
        pair_ptr=pair_ptr,
        pair_action=action,
        row_ptr=row_ptr,
        next_state=(np.repeat(y, length) - d).astype(np.int32),
        prob=prob,
        r=r,
        gamma=gamma,
        layout=Layout(1, capacity + 1),
        name=f"inventory, capacity {capacity}",
        copy=False,
    )


@family
def car_rental(
    *,
    capacity: Annotated[int, _whole("capacity", "cars that there is room for at each location", 1, 200)] = 20,
    moves: Annotated[int, _whole("moves", "most cars that can be moved overnight", 0, 200)] = 5,
    move_cost: Annotated[float, _real("move_cost", "cost of moving a car")] = 2.0,
    price: Annotated[float, _real("price", "what a car is rented for")] = 10.0,
    gamma: Gamma = 0.9,
) -> MDP:
    """Make Jack's car rental: two locations, cars moved overnight, Poisson requests and returns.

    With i and j cars in the evening and a cars moved from the first location to the second, n = (i - a, j + a), at most
    capacity each; at each location n' = min(n - R + B, capacity) with R = min(X, n) rented, and

        r(s, a) = price · E[R₁ + R₂] - move_cost · |a|
        X₁ ~ Poisson(3), B₁ ~ Poisson(3), X₂ ~ Poisson(4), B₂ ~ Poisson(2)

    The tails are all in: they are the days when a location runs out of cars or fills up.

    Parameters
    ----------
    capacity : most cars at a location
    moves : most cars moved
    move_cost, price : money
    gamma : discount

    Returns
    -------
    A model of (capacity + 1)² states, i · (capacity + 1) + j, and the actions -moves ... moves, while there are cars.

    Raises
    ------
    OptionError where an option is out of range.

    Sources
    -------
    Sutton & Barto (2018), Example 4.2.

    Examples
    --------
    >>> car_rental()
    MDP("Jack's car rental", states=441, actions=11, pairs=4221, outcomes=1861461, gamma=0.9)
    """
    width = capacity + 1
    first, rented_first = _rental_day(3, 3, capacity)
    second, rented_second = _rental_day(4, 2, capacity)
    i, j = (x.ravel() for x in np.divmod(np.arange(width**2), width))
    given, taken = np.minimum(i, moves), np.minimum(j, moves)
    options = given + taken + 1
    pair_ptr = np.concatenate(([0], np.cumsum(options)))
    pairs = int(pair_ptr[-1])
    _fits("pairs", pairs)
    a = np.arange(pairs) - np.repeat(pair_ptr[:-1] + taken, options)
    n1 = np.minimum(np.repeat(i, options) - a, capacity)
    n2 = np.minimum(np.repeat(j, options) + a, capacity)
    prob = first[n1][:, :, None] * second[n2][:, None, :]
    return MDP.from_rows(
        pair_ptr=pair_ptr,
        pair_action=a + moves,
        row_ptr=_even(pairs, width**2),
        next_state=np.tile(np.arange(width**2, dtype=np.int32), pairs),
        prob=prob.reshape(-1),
        r=price * (rented_first[n1] + rented_second[n2]) - move_cost * np.abs(a),
        gamma=gamma,
        actions=[str(x) for x in range(-moves, moves + 1)],
        layout=Layout(width, width),
        name="Jack's car rental",
        copy=False,
    )


def _rental_day(requests: int, returns: int, capacity: int) -> tuple[Floats, Floats]:
    """Return P[cars in the morning, cars in the evening] and the expected rentals, for one location."""

    def poisson(mean: int, last: int) -> list[float]:
        p = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(last)]
        return [*p, max(1 - math.fsum(p), 0.0)]

    P = np.zeros((capacity + 1, capacity + 1))
    rented = np.zeros(capacity + 1)
    for n in range(capacity + 1):
        rent = poisson(requests, n)
        rented[n] = math.fsum(k * p for k, p in enumerate(rent))
        for k, p in enumerate(rent):
            P[n, n - k :] += p * np.array(poisson(returns, capacity - n + k))
    return P, rented


# ---------------------------------------------------------------- random models


@family
def garnet(
    *,
    states: Annotated[int, _whole("states", "states", 1)] = 100,
    actions: Annotated[int, _whole("actions", "actions of each state", 1)] = 4,
    branching: Annotated[int, _whole("branching", "next states of each state and action", 1, 10_000)] = 5,
    gamma: Gamma = 0.95,
    seed: Seed = 0,
) -> MDP:
    """Make a random model: every row has the same number of next states, drawn without replacement.

    The probabilities of a row are the lengths into which branching - 1 uniform points cut [0, 1]; the rewards r(s, a)
    are uniform on [0, 1). The cuts are multiples of 2**-53, so that each row sums to exactly 1.

    Parameters
    ----------
    states, actions : size
    branching : next states of a row, at most `states`
    gamma : discount
    seed : of everything

    Returns
    -------
    A model of `states` states, all of whose actions are available.

    Raises
    ------
    OptionError where an option is out of range, or branching is above the number of states.

    Sources
    -------
    Archibald, McKinnon & Thomas (1995); the name (generic average-reward non-stationary environment test bed) and the
    cuts: Bhatnagar, Sutton, Ghavamzadeh & Lee (2009).

    Examples
    --------
    >>> mdp = garnet(states=20, actions=3, branching=4, seed=1)
    >>> mdp
    MDP('garnet 20 x 3 x 4', states=20, actions=3, pairs=60, outcomes=240, gamma=0.95)
    >>> mdp == garnet(states=20, actions=3, branching=4, seed=1), mdp == garnet(states=20, actions=3, branching=4)
    (True, False)
    """
    pairs = states * actions
    _fits("pairs", pairs)
    if branching > states:
        raise OptionError(f"--branching: found {branching}, expected at most {states}, the number of states")
    rng = _random(seed)
    to = np.empty((pairs, branching), dtype=np.int32)
    prob = np.empty((pairs, branching))
    block = max(1, 2**18 // branching)  # rows at a time: what is needed besides the model stays small
    for i in range(0, pairs, block):
        rows = to[i : i + block]
        # Floyd's sampling without replacement: draw j from 0 ... k; where j is taken, take k, which cannot be.
        for b in range(branching):
            k = states - branching + b
            draw = rng.integers(0, k, size=len(rows), dtype=np.int32, endpoint=True)
            taken = (rows[:, :b] == draw[:, None]).any(axis=1)
            rows[:, b] = np.where(taken, k, draw)
        rows.sort(axis=1)
        cuts = np.zeros((len(rows), branching + 1))
        cuts[:, 1:-1] = rng.random((len(rows), branching - 1))
        cuts[:, -1] = 1.0
        cuts.sort(axis=1)
        np.subtract(cuts[:, 1:], cuts[:, :-1], out=prob[i : i + block])
    return _full(
        to.reshape(states, actions, branching),
        prob=prob.reshape(-1),
        r=rng.random(pairs),
        gamma=gamma,
        name=f"garnet {states} x {actions} x {branching}",
    )
