"""The model: a frozen, validated Markov decision process in read-only arrays.

A row for each available state-action pair, rows ordered by state then action, and in a row its outcomes:

    rows of state s         pair_ptr[s] : pair_ptr[s + 1]          pair_action[i] is the action of row i
    outcomes of row i       row_ptr[i]  : row_ptr[i + 1]           next_state[k], prob[k], reward[k]
    expected reward         r[i] = Σ_k prob[k] reward[k]

Ragged action sets, terminal states without actions, sparse and dense models are all the same thing.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tabular_rl.errors import Fault, ModelError, OptionError, closest, kind_text, quoted
from tabular_rl.model import hooks
from tabular_rl.model.calls import Model, check_options, public
from tabular_rl.model.clock import phase
from tabular_rl.model.fields import complete, finish, put, put_arrays, put_exact, put_rewards, put_start
from tabular_rl.model.functions import MOST, name_of, read_functions
from tabular_rl.model.kinds import Kinds, kinds_of, runs_of
from tabular_rl.model.layout import Layout
from tabular_rl.model.names import Names
from tabular_rl.model.numbers import plural, size_text
from tabular_rl.model.outcomes import arrays_of_outcomes
from tabular_rl.model.problem import Problem, problem_of
from tabular_rl.model.rationals import (
    DIGITS,
    INT64,
    Exact,
    decimal_text,
    exact_sum,
    nearest,
    spell,
    spell_short,
)
from tabular_rl.model.rows import (
    BLOCK,
    Floats,
    Ints,
    expected_reward,
    frozen,
    normalised,
    over_rows,
    readonly,
    row_blocks,
    row_sums,
)
from tabular_rl.model.settings import (
    AVERAGED,
    Sense,
    checked_gamma,
    checked_horizon,
    checked_sense,
    final_reward_of,
)
from tabular_rl.model.tensors import are_singles, arrays_of_tensors, turned_text
from tabular_rl.model.unavailable import with_way_out
from tabular_rl.model.validation import (
    ENDED_WITH_ROWS,
    LEFT_OUT,
    Facts,
    check_exact,
    check_layout,
    check_order,
    shape_faults,
)

if TYPE_CHECKING:
    from tabular_rl.model.policy import Policy

OF_ALL = ("horizon", "final_reward", "sense", "normalize", "name", "source", "layout")
OF_TENSORS = (
    "axes",
    "reward_axes",
    "terminal",
    "terminal_rewards",
    "unavailable",
    "states",
    "actions",
    "start",
    *OF_ALL,
)
OF_ARRAYS = tuple(word for word in OF_TENSORS if word not in ("axes", "reward_axes"))
OF_FUNCTIONS = ("gamma", "terminal", "start", "names", "most", "progress", *OF_ALL)
OF_DICTIONARIES = ("terminal", "start", *OF_ALL)
OF_OUTCOMES = ("terminal", "states", "actions", "start", *OF_ALL)
OF_GYMNASIUM = ("gamma", "states", "actions", "start", "sample", "seed", *OF_ALL)


class MDP(Model, hooks.Drawn):
    """A finite Markov decision process.

    `MDP(P, R, gamma)` takes the tensors of the textbooks, `MDP.from_outcomes` lists of outcomes, `MDP.from_rows` the
    arrays of this storage, `tabular_rl.load` a file. `MDP.from_functions` takes functions; what other tools keep goes
    to `MDP.from_dictionary`, `MDP.from_gymnasium`, `MDP.from_quantecon` and `MDP.from_toolbox`.

    Parameters
    ----------
    P : transition probabilities, dense (S, A, S), (A, S, S) or (S, S, A), or sparse: a list of scipy.sparse matrices
        (S, S), one an action, or one matrix (S·A, S) whose row s·A + a is that of state s and action a. In dense P and
        R texts such as "1/3" are exact.
    R : rewards (S, A, S), (S, A) or (S,), dense, or sparse in the form of P
    gamma : discount, 0 ≤ γ ≤ 1; a text such as "9/10" is that exact rational
    axes : "sas" for P[s, a, s'], "ass" for P[a, s, s'], "ssa" for P[s, s', a]; "s'as", "as's", "s'sa" where the next
        state comes before the state; needed where S = A: shapes cannot tell
    reward_axes : "sa", "as", "s" or the axes of P, where the shape does not say it
    terminal : states of value 0, by name, index or mask; all states without actions must be declared
    terminal_rewards : "on entry" to pay R(g) of a terminal state g on the transitions into it; refused otherwise
    unavailable : "-inf" where rewards -inf mark actions that are unavailable, "inf" where costs do; a row of zeros in P
        marks one too
    states, actions : names, any text; the index counts as a name where there are none
    start : a state, {state: probability} or an array (S,); default uniform over the non-terminal states
    sense : "max" for rewards, "min" for costs
    horizon, final_reward : number of decisions T, and the reward v_T (S,) after the last one
    normalize : rescale rows that do not sum to 1
    name, source, layout : for people and for drawing

    Raises
    ------
    ModelError : each fault with the state and the action that it concerns

    Examples
    --------
    >>> mdp = MDP(P=[[[0.5, 0.5]], [[0.0, 1.0]]], R=[[1.0], [0.0]], gamma=0.9)
    >>> mdp
    MDP(states=2, actions=1, pairs=2, outcomes=3, gamma=0.9)
    """

    gamma: float
    gamma_exact: Fraction
    pair_ptr: Ints
    pair_action: Ints
    row_ptr: Ints
    next_state: Ints
    prob: Floats
    reward: Floats | None
    r: Floats
    terminal: NDArray[np.bool_]
    start: Floats
    start_given: bool
    states: Names
    actions: Names
    layout: Layout | None
    horizon: int | None
    final_reward: Floats | None
    exact: Exact | None
    sense: Sense
    name: str
    source: str
    origin: str  # the file that it came from, for messages
    on_entry: bool  # True where rewards hold γ R(g) of terminal states g, so that they follow the discount
    averaged: bool  # True where `replace(r=...)` dropped the rewards of outcomes: samples vary less
    _facts: Facts | Callable[[MDP], Facts]
    _digest: str | None
    _pair_state: Ints | None
    _problem: Problem | None
    _kinds: Kinds | tuple[()] | None  # None where nobody has looked
    _runs: Ints | None

    __slots__ = tuple(__annotations__)  # a model has no other fields

    @public
    def __init__(self, P: Any, R: Any, gamma: Any, *, axes: str | None = None, **options: Any) -> None:
        put(self, **_fields(MDP.from_tensors(P, R, gamma, axes=axes, **options)))

    def __setattr__(self, field: str, value: object) -> None:
        raise AttributeError(f"a model is frozen: use mdp.replace({field}=...)")

    def __delattr__(self, field: str) -> None:
        raise AttributeError("a model is frozen")

    def __reduce__(self) -> Any:
        self.validate()
        return _restore, (
            _fields(self) | {"_pair_state": None, "_problem": None, "_kinds": None, "_runs": None},
        )

    # -- making one ---------------------------------------------------------------------------------------------

    @classmethod
    @public
    @phase("building")
    def from_rows(
        cls,
        *,
        pair_ptr: ArrayLike,
        pair_action: ArrayLike,
        row_ptr: ArrayLike,
        next_state: ArrayLike,
        prob: ArrayLike,
        gamma: Any,
        reward: ArrayLike | None = None,
        r: ArrayLike | None = None,
        terminal: ArrayLike | None = None,
        start: ArrayLike | None = None,
        states: Names | Iterable[str] | int | None = None,
        actions: Names | Iterable[str] | int | None = None,
        layout: Layout | None = None,
        horizon: int | None = None,
        final_reward: ArrayLike | None = None,
        exact: Exact | None = None,
        sense: Sense = "max",
        name: str = "",
        source: str = "",
        origin: str = "",
        normalize: bool = False,
        correction: float = 0.0,
        copy: bool = True,
        start_given: bool | None = None,
        on_entry: bool = False,
        lazy: Callable[[MDP], AbstractContextManager[None]] | None = None,
    ) -> MDP:
        """Return the model of these arrays.

        Parameters
        ----------
        pair_ptr, pair_action, row_ptr, next_state, prob : (S + 1,), (L,), (L + 1,), (K,), (K,), as the module says
        gamma : discount, 0 ≤ γ ≤ 1
        reward, r : rewards of outcomes (K,), expected rewards of rows (L,); one of them, or both
        terminal : mask (S,); default no state
        states, actions : names, or how many there are
        start, sense, horizon, final_reward, normalize, name, source, layout : as in `MDP`
        exact : the same numbers as rationals
        origin : the file that they come from, for messages
        correction : the largest change that was made to a probability before
        copy : False hands the arrays over: the caller must not write to them again
        start_given : whether the start is one that somebody gave, where `start` does not say it
        on_entry : whether rewards of terminal states are part of `reward`
        lazy : for mapped files. Contents are validated in one pass when they are first needed, inside
            `with lazy(mdp):`, and nothing that grows with the model is touched before

        Returns
        -------
        MDP, whose arrays are read-only.

        Raises
        ------
        ModelError : each fault with the state and the action that it concerns
        """
        mdp = object.__new__(cls)
        gamma_exact = checked_gamma(gamma)
        put(
            mdp,
            gamma_exact=gamma_exact,
            gamma=nearest(gamma_exact),
            name=str(name),
            source=str(source),
            origin=str(origin),
            layout=layout,
            exact=exact,
            on_entry=on_entry,
            averaged=False,
            sense=checked_sense(sense),
            start_given=start is not None if start_given is None else start_given,
            _digest=None,
            _pair_state=None,
            _problem=None,
            _kinds=None,
            _runs=None,
        )
        S, K, L = max(np.size(pair_ptr) - 1, 0), np.size(next_state), np.size(pair_action)
        if S == 0:
            raise ModelError("no states: found 0, expected at least 1")
        put(mdp, states=states if isinstance(states, Names) else Names(S if states is None else states))
        if actions is None:
            actions = int(np.max(pair_action)) + 1 if L else 0
        put(mdp, actions=actions if isinstance(actions, Names) else Names(actions))
        if len(mdp.states) != S:
            raise ModelError(f"names of states: found {len(mdp.states)}, expected {S}")
        arrays = {
            "pair_ptr": pair_ptr, "pair_action": pair_action, "row_ptr": row_ptr, "next_state": next_state,
            "prob": prob, "reward": reward, "terminal": np.zeros(S, dtype=bool) if terminal is None else terminal,
            "final_reward": final_reward,
        }  # fmt: skip
        room = put_arrays(mdp, copy, arrays, ("reward", "final_reward", "prob" if normalize else ""))
        put(mdp, horizon=checked_horizon(horizon))
        faults = shape_faults(mdp, K, L)
        if faults:
            raise ModelError(faults)
        if lazy is None:
            check_order(mdp)
        if reward is None and r is None:
            raise ModelError("no rewards: give reward (K,) or r (L,)")
        if normalize:
            scaled, largest = normalised(mdp)
            correction = max(correction, largest)
            put(mdp, prob=scaled, exact=None if largest else mdp.exact)
        put(mdp, r=frozen("r", expected_reward(mdp) if r is None else r, np.float64, copy, room))
        if mdp.r.shape != (L,):
            raise ModelError(f"r: found shape {mdp.r.shape}, expected ({L},)")
        if exact is not None and copy:
            check_exact(mdp, exact)
        finish(mdp, start, copy, correction, lazy)
        return mdp

    @classmethod
    @public
    @phase("building")
    def from_tensors(
        cls,
        P: Any,
        R: Any,
        gamma: Any,
        *,
        axes: str | None = None,
        reward_axes: str | None = None,
        terminal: Iterable[Any] | None = None,
        terminal_rewards: str | None = None,
        unavailable: str | None = None,
        **options: Any,
    ) -> MDP:
        """Return the model of textbook tensors, dense or sparse: what `MDP(P, R, gamma)` is, with its parameters.

        A row P[s, a] of zeros is an unavailable action. Without `axes` the shape tells them where there are not as many
        actions as states. Without `reward_axes` a matrix is (S, A), or (A, S) where that is another shape, and a tensor
        has the axes of P. One sparse matrix (S·A, S) goes by states: its row s·A + a is P[s, a]. With axes="ass" it
        goes by actions, a·S + s, as scipy.sparse.vstack makes it of a list.

        Texts such as "1/3" and fractions in dense P and R are exact; where one number is a float, all are.

        Rows of float32 numbers that sum to 1 as such do, within n · 2^-24, are divided by their sum, which a warning
        says.

        Matrices in CSR with sorted indices, and dense arrays of floats, are read at the speed of memory, and need none
        beside that of the model.

        A terminal state takes no actions, so that a reward R[g] of its own would never be collected: it is refused.
        With terminal_rewards="on entry", R(s) or R(s, a) of a terminal state g is paid by whoever enters it: γ R(g) is
        added to r(s, a, g). The values of the other states are then those of a model where v(g) = R(g).

        With unavailable="-inf", rewards -inf mark actions that are unavailable, whatever P says of them; with "inf"
        costs do. A reward R[s, a, s2] must be that for all next states or for none.

        Raises
        ------
        ModelError : each fault with the state and the action that it concerns, or axes that could be several

        Examples
        --------
        >>> P = [[[0.9, 0.1], [0.0, 1.0]]]                      # P[a][s][s2]
        >>> MDP.from_tensors(P, [[1.0], [0.0]], "1/2", axes="ass").r.tolist()
        [1.0, 0.0]
        >>> from scipy.sparse import csr_array
        >>> rows = csr_array([[0.5, 0.5], [0, 1], [1, 0], [0.5, 0.5]])  # rows (0, 0), (0, 1), (1, 0), (1, 1)
        >>> MDP.from_tensors(rows, [[1, 2], [3, 4]], "1/2").backup([2, 8]).tolist()
        [3.5, 6.0, 4.0, 6.5]
        >>> chain = [[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]]
        >>> MDP.from_tensors(chain, [-3, -3, 100], 1, terminal=[2], terminal_rewards="on entry").r.tolist()
        [-3.0, 97.0]
        """
        check_options("MDP", options, OF_TENSORS)
        gamma = checked_gamma(gamma)
        given = (axes, reward_axes, terminal, terminal_rewards, unavailable, options)
        try:
            arrays = arrays_of_tensors(P, R, gamma, *given)
            if not options.get("normalize") and are_singles(P, arrays["prob"], arrays["row_ptr"]):
                what = "P: rows sum to 1 only as float32 numbers do: each is divided by its sum"
                warnings.warn(what, stacklevel=4)
                arrays["normalize"] = True
            return cls.from_rows(gamma=gamma, copy=False, **arrays)
        except ModelError as error:
            turned = partial(turned_text, P, axes)
            raise with_way_out(error, ENDED_WITH_ROWS, LEFT_OUT, options.get("sense"), turned) from None

    @classmethod
    @public
    @phase("building")
    def from_outcomes(
        cls,
        outcomes: Iterable[Sequence[Any]],
        gamma: Any,
        *,
        terminal: Iterable[Any] = (),
        states: Iterable[Any] | None = None,
        actions: Iterable[Any] | None = None,
        start: Any = None,
        **options: Any,
    ) -> MDP:
        """Return the model of a list of (state, action, next state, probability, reward).

        States and actions are named by any text or number, in order of first appearance unless `states` and
        `actions` say otherwise. Probabilities and rewards that are texts, integers or fractions are exact; where one
        is a float, all are.

        Parameters
        ----------
        outcomes : the list, or a frame with the columns state, action, next_state, probability, reward
        gamma, terminal, states, actions, start : as in `MDP`
        options : horizon, final_reward, sense, normalize, name, source, layout, as in `MDP`

        Returns
        -------
        MDP

        Raises
        ------
        ModelError : each fault with the state and the action that it concerns

        Examples
        --------
        >>> MDP.from_outcomes([("a", "go", "end", "1/3", 1), ("a", "go", "a", "2/3", 0)], "0.9", terminal=["end"])
        MDP(states=2, actions=1, pairs=1, outcomes=2, gamma=0.9)
        """
        if "terminal_rewards" in options:
            raise ModelError(
                "terminal_rewards: found with outcomes, which give a terminal state no place for a reward. "
                "Add gamma times it to the reward of each outcome that leads there"
            )
        check_options("MDP.from_outcomes", options, OF_OUTCOMES)
        return cls.from_rows(**arrays_of_outcomes(outcomes, gamma, terminal, states, actions, start, options))

    @classmethod
    @public
    @phase("building")
    def from_dictionary(
        cls,
        P: Any,
        gamma: Any,
        *,
        terminal: Iterable[Any] = (),
        start: Any = None,
        **options: Any,
    ) -> MDP:
        """Return the model of a dictionary {state: {action: [(p, next state, reward, done)]}}.

        It is what Gymnasium's toy environments keep as env.unwrapped.P, and what bettermdptools takes. `done` ends the
        episode: nothing follows. A state that is entered only with done is terminal, and its own outcomes are left out,
        since no episode gets to them. Where a state is entered both ways, what is done leads to a terminal state named
        "end". Outcomes of an action with the same next state and reward are added up. Numbers that are texts, integers
        or fractions are exact; where one is a float, all are.

        Parameters
        ----------
        P : the dictionary; a list in its place has the keys 0, 1, 2 ... Keys are named as in `MDP.from_functions`
        gamma : discount
        terminal : more states that end, whose own outcomes are left out
        start : a state, or {state: probability}; a start counts as entered without done
        options : horizon, final_reward, sense, normalize, name, source, layout, as in `MDP`

        Returns
        -------
        MDP

        Raises
        ------
        ModelError : each fault with the state and the action that it concerns

        Examples
        --------
        A coin is tossed until it shows heads, and each toss costs 1: v = -1 + 1/2 · v = -2.

        >>> P = {"toss": {"again": [("1/2", "toss", -1, False), ("1/2", "toss", -1, True)]}}
        >>> mdp = MDP.from_dictionary(P, 1)
        >>> list(mdp.states), mdp.backup([-2, 0]).tolist()
        (['toss', 'end'], [-2.0])
        """
        check_options("MDP.from_dictionary", options, OF_DICTIONARIES)
        return cls.from_rows(**hooks.read_dictionary(arrays_of_outcomes, P, gamma, terminal, start, options))

    @classmethod
    @public
    def from_quantecon(
        cls, R: Any, Q: Any, beta: Any, s_indices: Any = None, a_indices: Any = None, **options: Any
    ) -> MDP:
        """Return the model of the arrays of QuantEcon's DiscreteDP(R, Q, beta, s_indices, a_indices).

        In the product form R is (S, A) and Q is (S, A, S); with the indices of state-action pairs, R is (L,) and Q is
        (L, S), dense or sparse. A reward -inf marks an action that is unavailable. So does a row of zeros in the
        product form, which QuantEcon does not look for.

        Parameters
        ----------
        R, Q, beta : rewards, probabilities and discount, as DiscreteDP takes them
        s_indices, a_indices : the state and the action of each pair, in any order
        options : terminal, states, actions, start and others, as in `MDP`

        Returns
        -------
        MDP

        Raises
        ------
        ModelError : each fault with the state and the action that it concerns

        Examples
        --------
        >>> R, Q = [[5, 10], [-1, float("-inf")]], [[[0.5, 0.5], [0, 1]], [[0, 1], [0.5, 0.5]]]
        >>> mdp = MDP.from_quantecon(R, Q, 0.95)
        >>> mdp == MDP.from_quantecon([5, 10, -1], [[0.5, 0.5], [0, 1], [0, 1]], 0.95, [0, 0, 1], [0, 1, 0])
        True
        """
        check_options("MDP.from_quantecon", options, OF_ARRAYS)
        P, rewards = hooks.read_quantecon(R, Q, s_indices, a_indices)
        return cls.from_tensors(P, rewards, beta, axes="sas", **{"unavailable": "-inf", **options})

    @classmethod
    @public
    def from_toolbox(cls, P: Any, R: Any, discount: Any, **options: Any) -> MDP:
        """Return the model of the arrays of pymdptoolbox, ValueIteration(P, R, discount) say.

        P is (A, S, S), or a list or an array of objects with one (S, S) matrix an action, dense or sparse. R is (S,),
        (S, A), (A, S, S), or a list of (S, S) matrices, an action each. The toolbox knows no terminal states: those
        that it has lead to themselves for nothing, and may do so here. A row of zeros is an unavailable action.

        Parameters
        ----------
        P, R, discount : as the classes of mdptoolbox.mdp take them
        options : terminal, unavailable, states, actions, start and others, as in `MDP`

        Returns
        -------
        MDP

        Raises
        ------
        ModelError : each fault with the state and the action that it concerns

        Examples
        --------
        >>> P = [[[0.5, 0.5], [0.8, 0.2]], [[0, 1], [0.1, 0.9]]]     # P[a][s][s2]
        >>> import numpy as np
        >>> MDP.from_toolbox(P, np.array([[5, 10], [-1, 2]]), 0.9).r.tolist()   # R[s, a]
        [5.0, 10.0, -1.0, 2.0]
        """
        check_options("MDP.from_toolbox", options, OF_ARRAYS)
        P, R, reward_axes = hooks.read_toolbox(P, R)
        return cls.from_tensors(P, R, discount, axes="ass", reward_axes=reward_axes, **options)

    @classmethod
    @public
    @phase("building")
    def from_functions(
        cls,
        states: Iterable[Any] | None,
        actions: Any,
        transition: Callable[..., Any],
        reward: Any = None,
        *,
        gamma: Any,
        terminal: Any = None,
        start: Any = None,
        names: Callable[[Any], str] = name_of,
        most: int = MOST,
        progress: bool = True,
        **options: Any,
    ) -> MDP:
        """Return the model that functions describe; with None for the states, of those that the start leads to.

        A state is anything that a dictionary takes as a key: a text, a number, a tuple, a frozen dataclass. States are
        in the order in which they are found, breadth first. One that has no actions is terminal.

        Parameters
        ----------
        states : all states, or None to find them from `start`
        actions : s -> the actions of a state, or a list of those that every state has
        transition : s, a -> {next state: probability}, or a list (a generator) of (next state, probability) or (next
            state, probability, reward)
        reward : s, a, s' -> number, or a function of (s, a) or s, or a number, where `transition` gives none
        gamma : discount
        terminal : states that end, or s -> whether s does
        start : a state, or {state: probability}
        names : state or action -> its name; by default a text as it is, a tuple or dataclass its parts: (1, 2) is "1,2"
        most : states, at which the search gives up
        progress : tell on standard error how many states were found, where that takes longer than a second
        options : horizon, final_reward, sense, normalize, name, source, layout, as in `MDP`

        Returns
        -------
        MDP

        Raises
        ------
        ModelError : what a function returned for which state and action, and what was expected

        Examples
        --------
        A walk over 0, 1, 2, 3 that wins 1 at 3: from 1 it is won one time in three.

        >>> from fractions import Fraction
        >>> def move(s, a):
        ...     return {s - 1: Fraction(1, 2), s + 1: Fraction(1, 2)}
        >>> mdp = MDP.from_functions(None, ["go"], move, lambda s, a, s2: s2 == 3, gamma=1, terminal=[0, 3], start=1)
        >>> list(mdp.states), mdp.r.tolist()
        (['1', '0', '2', '3'], [0.0, 0.5])
        """
        check_options("MDP.from_functions", options, OF_FUNCTIONS)
        with hooks.counting() if progress else nullcontext(lambda _seen, _known: None) as told:
            found = read_functions(states, actions, transition, reward, terminal, start, names, most, told)
        return cls.from_rows(
            **arrays_of_outcomes(
                found.outcomes,
                gamma,
                found.terminal,
                found.states,
                found.actions or None,
                found.start,
                options,
            )
        )

    @classmethod
    @public
    @phase("building")
    def from_gymnasium(
        cls,
        env: Any,
        gamma: Any = None,
        *,
        states: Iterable[Any] | None = None,
        actions: Iterable[Any] | None = None,
        start: Any = None,
        horizon: Any = None,
        sample: int | None = None,
        seed: int = 0,
        **options: Any,
    ) -> MDP:
        """Return the model of a Gymnasium environment whose transitions are known: `env.unwrapped.P`.

        P is read as in `MDP.from_dictionary`: `done` ends the episode, and rewards of the last step count. Names, the
        start and the map come from the environment. Where all numbers are whole they are exact. An empty list of
        outcomes is an unavailable action. A `ModelEnv` gives its model back.

        With `sample` the model is estimated from as many steps in the environment, wrappers and all, and its name says
        so: no P is needed, only observations and actions that are Discrete, or tuples of Discrete.

        Parameters
        ----------
        env : the environment, also within wrappers; or its ID, as "FrozenLake-v1?is_slippery=false"
        gamma : discount; by default 1, since the return of an environment is the plain sum of its rewards, or that of
            the model of a `ModelEnv`
        states, actions : names in the order of P; by default those of the toy-text environments, else the keys of P
        start : a state, or {state: probability}; by default the environment's initial_state_distrib
        horizon : decisions; True takes the limit of the TimeLimit around the environment. Without, episodes have none
        sample, seed : steps to estimate the model from, and the seed of the environment and of the actions
        options : final_reward, sense, normalize, name, source, layout, as in `MDP`

        Returns
        -------
        MDP, its states in the order of P: the index of a state is the observation, where P counts from 0.

        Raises
        ------
        ModelError : the environment has no P, or what was found there for which state and action
        MissingExtra : an ID was given, and gymnasium is not installed

        Examples
        --------
        >>> class Coin:  # any object with a table P is an environment here
        ...     P = {0: {0: [(0.5, 0, -1, False), (0.5, 1, -1, True)]}, 1: {0: [(1.0, 1, 0, True)]}}
        >>> mdp = MDP.from_gymnasium(Coin())
        >>> mdp.r.tolist(), mdp.terminal.tolist()
        ([-1.0], [False, True])
        """
        check_options("MDP.from_gymnasium", options, OF_GYMNASIUM)
        found: MDP = hooks.gymnasium(env, gamma, states, actions, start, horizon, sample, seed, options)
        return found

    def replace(self, **changes: Any) -> MDP:
        """Return a changed copy that shares the arrays.

        gamma, horizon, sense, name, source, layout : as in `MDP`
        start, final_reward : by state, as a dictionary or an array
        r (L,) : expected rewards; alone it drops the rewards of outcomes, and sampling then says so
        reward (K,) : rewards of outcomes; alone it computes r again, and both must agree
        on_entry : False keeps rewards that were put on entry under another gamma as they are

        Where the model is exact, new numbers are the rationals that they are: a text "1/3" is one third.

        >>> mdp = MDP([[[1.0]]], [[1.0]], 0.9)
        >>> mdp.replace(gamma=0.5).gamma, mdp.replace(r=[2.0]).r.tolist()
        (0.5, [2.0])

        Raises
        ------
        ModelError : an argument that does not fit, with what was found and expected
        """
        allowed = (
            "gamma", "horizon", "final_reward", "sense", "start", "name", "source", "layout", "origin", "on_entry", "r",
            "reward",
        )  # fmt: skip
        unknown = [field for field in changes if field not in allowed]
        if unknown:
            expected = closest(unknown[0], allowed) or f", expected some of {', '.join(allowed)}"
            raise ModelError(f"replace: found {quoted(unknown[0])}{expected}")
        made = object.__new__(MDP)
        plain = ("name", "source", "layout", "origin", "on_entry")
        put(
            made,
            **_fields(self)
            | {"_digest": None, "_problem": None}
            | {field: changes[field] for field in plain if field in changes},
        )
        if "sense" in changes:
            put(made, sense=checked_sense(changes["sense"]))
        if "r" in changes or "reward" in changes:
            put_rewards(made, changes)
        if "gamma" in changes:
            gamma_exact = checked_gamma(changes["gamma"])
            put(made, gamma_exact=gamma_exact, gamma=nearest(gamma_exact))
            if made.on_entry and made.gamma_exact != self.gamma_exact:
                raise ModelError(
                    "gamma: rewards of terminal states were put on the transitions into them, times gamma = "
                    f"{spell_short(self.gamma_exact)}. Make the model again with gamma = "
                    f"{spell_short(made.gamma_exact)}, or say on_entry=False to keep the rewards as they are"
                )
        if "horizon" in changes:
            put(made, horizon=checked_horizon(changes["horizon"]))
        if "final_reward" in changes or made.horizon is None:
            floats, rationals = final_reward_of(made, changes.get("final_reward"))
            put(made, final_reward=floats)
            put_exact(made, final_reward=rationals)
        if "start" in changes:
            put(made, start_given=changes["start"] is not None)
            put_exact(made, start=None)
            put_start(made, changes["start"])
        if "layout" in changes:
            check_layout(made)
        complete(made)
        return made

    # -- for other tools ----------------------------------------------------------------------------------------

    def to_dictionary(self) -> dict[Any, dict[Any, list[tuple[Any, Any, Any, bool]]]]:
        """Return {state: {action: [(p, next state, reward, done)]}}, as Gymnasium's env.unwrapped.P is.

        Names that are indices are whole numbers, other names texts. Numbers are fractions where the model is exact.
        A terminal state leads to itself for nothing, with done. Start, discount and horizon have no place in it.

        >>> MDP.from_outcomes([("a", "go", "b", 1.0, 2.0)], 0.9, terminal=["b"]).to_dictionary()["a"]
        {'go': [(1.0, 'b', 2.0, True)]}
        """
        made: dict[Any, dict[Any, list[tuple[Any, Any, Any, bool]]]] = hooks.export("dictionary", self)
        return made

    def to_toolbox(self, *, sparse: bool = False) -> tuple[Any, Any, float]:
        """Return P, R and the discount, as pymdptoolbox takes them: mdptoolbox.mdp.PolicyIteration(*mdp.to_toolbox()).

        P is (A, S, S), or a list of sparse matrices. R is (S, A), or has the form of P where rewards depend on the next
        state. Numbers are the nearest float64. A terminal state leads to itself for nothing, which is worth the same.

        Raises
        ------
        ModelError : an action that is unavailable somewhere, costs, a horizon, or two rewards of one transition

        >>> MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9).to_toolbox()[1].tolist()
        [[1.0], [0.0]]
        """
        P, R, discount = hooks.export("toolbox", self, sparse)
        return P, R, discount

    def to_quantecon(self, *, sparse: bool = False) -> tuple[Any, ...]:
        """Return R, Q and beta, as QuantEcon takes them: DiscreteDP(*mdp.to_quantecon()).

        R is (S, A) with -inf for actions that are unavailable, Q is (S, A, S). With `sparse` it is the form of pairs:
        R (L,), Q (L, S) sparse, beta, s_indices and a_indices (L,). Numbers are the nearest float64. A terminal state
        leads to itself for nothing, which is worth the same.

        Raises
        ------
        ModelError : rewards that depend on the next state, costs, or a horizon

        >>> R, Q, beta = MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9).to_quantecon()
        >>> R.tolist(), Q.tolist()
        ([[1.0], [0.0]], [[[0.5, 0.5]], [[0.0, 1.0]]])
        """
        made: tuple[Any, ...] = hooks.export("quantecon", self, sparse)
        return made

    # -- looking at one -----------------------------------------------------------------------------------------

    @property
    def S(self) -> int:
        """Number of states."""
        return len(self.pair_ptr) - 1

    @property
    def A(self) -> int:
        """Number of actions, over all states."""
        return len(self.actions)

    @property
    def L(self) -> int:
        """Number of available state-action pairs."""
        return len(self.pair_action)

    @property
    def K(self) -> int:
        """Number of outcomes."""
        return len(self.next_state)

    @property
    def sign(self) -> float:
        """+1 where rewards are maximised, -1 where they are costs."""
        return 1.0 if self.sense == "max" else -1.0

    @property
    def discounted(self) -> bool:
        """True where later rewards count less, γ < 1, whether there is a horizon or not."""
        return self.gamma_exact.numerator < self.gamma_exact.denominator  # quicker than < 1

    def validate(self) -> None:
        """Look at the contents of a mapped model, once; those of every other model were looked at when it was made.

        Raises
        ------
        ModelError : each fault with the state and the action that it concerns

        Examples
        --------
        >>> MDP([[[1.0]]], [[1.0]], 0.9).validate()
        """
        if not isinstance(self._facts, Facts):
            put(self, _facts=self._facts(self))

    @property
    def facts(self) -> Facts:
        """What validation found; a mapped model is validated here, on first use."""
        if not isinstance(self._facts, Facts):
            self.validate()
        return self._facts  # type: ignore[return-value]

    @property
    def P(self) -> Any:
        """The transition probabilities as a scipy.sparse.csr_array (L, S) that shares this model's memory."""
        from scipy.sparse import csr_array

        return csr_array((self.prob, self.next_state, self.row_ptr), shape=(self.L, self.S), copy=False)

    @property
    def outcome_row(self) -> NDArray[np.int64]:
        """The row of each outcome (K,)."""
        return np.repeat(np.arange(self.L), np.diff(self.row_ptr))

    @property
    def outcome_reward(self) -> Floats:
        """The reward of each outcome (K,): that of its row, where outcomes have none of their own."""
        return self.r[self.outcome_row] if self.reward is None else self.reward

    @property
    def pair_state(self) -> Ints:
        """The state of each row (L,): made on first use and kept, in the type of `pair_ptr`."""
        if self._pair_state is None:
            made = np.repeat(np.arange(self.S, dtype=self.pair_ptr.dtype), np.diff(self.pair_ptr))
            put(self, _pair_state=readonly(made))
        return self._pair_state  # type: ignore[return-value]

    @property
    def kinds(self) -> Kinds | None:
        """Rows that have the same outcomes, where rows are long and kinds few; else None. Found once, and kept."""
        if self._kinds is None:
            put(self, _kinds=kinds_of(self) or ())
        return self._kinds or None

    @property
    def runs(self) -> Ints:
        """The first next state of each row (L,) whose next states follow each other, else -1. Found once, and kept."""
        if self._runs is None:
            put(self, _runs=runs_of(self))
        return self._runs  # type: ignore[return-value]

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        arrays = (self.pair_ptr, self.pair_action, self.row_ptr, self.next_state, self.prob, self.reward)
        more = (self.r, self.terminal, self.start, self.final_reward)
        return sum(int(a.nbytes) for a in arrays + more if a is not None)

    @property
    def problem(self) -> Problem:
        """Which question the model asks: "finite-horizon", "discounted" or "total-reward", a text that knows more."""
        if self._problem is None:
            put(self, _problem=problem_of(self))
        return self._problem  # type: ignore[return-value]

    def rows(self, state: int) -> range:
        """The rows of a state, by index."""
        return range(int(self.pair_ptr[state]), int(self.pair_ptr[state + 1]))

    def row(self, state: Any, action: Any) -> int:
        """The row of a state and an action, by name or index; KeyError where the action is not available."""
        s = state if isinstance(state, (int, np.integer)) else self.states.find(str(state))
        a = action if isinstance(action, (int, np.integer)) else self.actions.find(str(action))
        if s is not None and 0 <= s < self.S:
            for i in self.rows(int(s)):
                if self.pair_action[i] == a:
                    return i
        raise KeyError((state, action))

    def state_of_row(self, row: int) -> int:
        """The state of a row, without the array of all of them."""
        at = self.pair_ptr.dtype.type(row)  # of another type, all of pair_ptr would be converted
        return int(np.searchsorted(self.pair_ptr, at, side="right")) - 1

    def table(self, q: NDArray[Any], fill: float = -math.inf) -> NDArray[Any]:
        """Return values over rows (L,) as a table (S, A), or (T, L) as (T, S, A), with `fill` where there is no row."""
        out = np.full((*q.shape[:-1], self.S, self.A), fill, dtype=np.result_type(q.dtype, type(fill)))
        out[..., self.pair_state, self.pair_action] = q
        return out

    # -- Bellman's equation -------------------------------------------------------------------------------------

    def backup(self, v: Any) -> Floats:
        """Return what each row is worth where the next states are worth v.

            q(s, a) = r(s, a) + γ Σ p(s' | s, a) v(s')

        A terminal s' counts 0, whatever v says. With a horizon, v holds the values at time t + 1 and q those at time t;
        v at the end is `final_reward`.

        Parameters
        ----------
        v : (S,) a value for each state, in the sign of the model: costs are costs; or a Solution, whose v is meant

        Returns
        -------
        q (L,) in the sign of the model, one a row; `mdp.table(q)` makes (S, A) of it.

        Raises
        ------
        OptionError : v is not one number for each state

        Sources
        -------
        Sutton & Barto (2018), (4.6). Puterman (1994), (5.4.1).

        Examples
        --------
        In state a one stays for 1, or goes to b for 0: 1 + 1/2 · 2 and 0 + 1/2 · 8. In b one stays for 4: 4 + 1/2 · 8.

        >>> outcomes = [("a", "stay", "a", 1, 1), ("a", "go", "b", 1, 0), ("b", "stay", "b", 1, 4)]
        >>> MDP.from_outcomes(outcomes, "1/2").backup([2, 8]).tolist()
        [2.0, 4.0, 8.0]
        """
        value = self._values(v)
        if self.horizon is None:
            value = np.where(self.terminal, 0.0, value)
        q = np.empty(self.L)
        for first, last, k0, k1 in row_blocks(self.row_ptr):
            products = self.prob[k0:k1] * value[self.next_state[k0:k1]]
            sums = row_sums(products, self.row_ptr[first : last + 1] - k0)
            q[first:last] = self.r[first:last] + self.gamma * sums
        return q

    def bellman(self, v: Any) -> Floats:
        """Return the optimal backup T v: what each state is worth where one acts best once, and then gets v.

            (T v)(s) = max_a [ r(s, a) + γ Σ p(s' | s, a) v(s') ],   min where the model has costs

        It is 0 at terminal states, and its fixed point is v*. With a horizon, v holds the values at time t + 1 and T v
        those at time t.

        Parameters
        ----------
        v : (S,) a value for each state, in the sign of the model; or a Solution, whose v is meant

        Returns
        -------
        T v (S,), in the sign of the model.

        Raises
        ------
        OptionError : v is not one number for each state

        Sources
        -------
        Bellman (1957). Sutton & Barto (2018), (4.10). Puterman (1994), (6.2.1).

        Examples
        --------
        In state a the best of 1 + 1/2 · 2 and 0 + 1/2 · 8, in b 4 + 1/2 · 8.

        >>> outcomes = [("a", "stay", "a", 1, 1), ("a", "go", "b", 1, 0), ("b", "stay", "b", 1, 4)]
        >>> mdp = MDP.from_outcomes(outcomes, "1/2")
        >>> mdp.bellman([2, 8]).tolist(), mdp.bellman([4, 8]).tolist()
        ([4.0, 8.0], [4.0, 8.0])
        """
        return over_rows(np.maximum if self.sense == "max" else np.minimum, self.backup(v), self.pair_ptr)

    def greedy(self, v: Any) -> Policy:
        """Return the policy that acts best for one step where the next states are worth v.

            π(s) = argmax_a [ r(s, a) + γ Σ p(s' | s, a) v(s') ],   argmin where the model has costs

        Of equal actions it takes the lowest. It is optimal where v = v*. With a horizon, v holds the values at time
        t + 1 and π is for time t alone.

        Parameters
        ----------
        v : (S,) a value for each state, in the sign of the model; or a Solution, whose v is meant

        Returns
        -------
        A deterministic Policy, one action a state.

        Raises
        ------
        OptionError : v is not one number for each state, or has nan

        Sources
        -------
        Sutton & Barto (2018), (4.9). Puterman (1994), (6.2.2).

        Examples
        --------
        In state a staying is worth 1 + 1/2 · 2 = 2, going 0 + 1/2 · 8 = 4.

        >>> outcomes = [("a", "stay", "a", 1, 1), ("a", "go", "b", 1, 0), ("b", "stay", "b", 1, 4)]
        >>> dict(MDP.from_outcomes(outcomes, "1/2").greedy([2, 8]))
        {'a': 'go', 'b': 'stay'}
        """
        made: Policy = self.policies.greedy(self, self.backup(v))
        return made

    def _values(self, v: Any) -> Floats:
        """Return the values of the states as (S,)."""
        given = getattr(v, "v", v)
        try:
            values = np.asarray(given, dtype=np.float64)
        except (ValueError, TypeError):
            raise OptionError(
                f"v: found {kind_text(given)}, expected {self.S} numbers, one a state"
            ) from None
        if values.shape != (self.S,):
            raise OptionError(f"v: found shape {values.shape}, expected ({self.S},), a number for each state")
        return values

    def rational(self, row: int) -> tuple[list[tuple[int, Fraction]], Fraction]:
        """Return what a row means: its (next state, probability) and expected reward, as exact rationals.

        Probabilities stored as floats are their dyadics over their sum.

        >>> MDP([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9).rational(0)
        ([(0, Fraction(1, 2)), (1, Fraction(1, 2))], Fraction(1, 1))
        """
        outcomes = self.rational_outcomes(row)
        if outcomes and self.reward is None:
            r: Fraction | None = outcomes[0][2]
        else:
            r = exact_sum(p * x for _, p, x in outcomes)
        if r is None:
            raise self._too_many_digits(row)
        return [(s2, p) for s2, p, _ in outcomes], r

    def rational_outcomes(self, row: int) -> list[tuple[int, Fraction, Fraction]]:
        """Return (next state, probability, reward) of each outcome of a row, as exact rationals.

        >>> MDP.from_outcomes([("s", "toss", "s", "1/3", 0), ("s", "toss", "s", "2/3", 1)], 0.9).rational_outcomes(0)
        [(0, Fraction(1, 3), Fraction(0, 1)), (0, Fraction(2, 3), Fraction(1, 1))]
        """
        ks = range(int(self.row_ptr[row]), int(self.row_ptr[row + 1]))
        exact = self.exact
        p = [exact.prob[k] if exact else Fraction(float(self.prob[k])) for k in ks]
        total = exact_sum(p)
        if total is None:
            raise self._too_many_digits(row)
        if total != 1:
            p = [x / total for x in p]
        if self.reward is not None:
            known = exact.reward if exact else None
            r = [Fraction(float(self.reward[k])) if known is None else known[k] for k in ks]
        else:
            r = [exact.r[row] if exact and exact.r is not None else Fraction(float(self.r[row]))] * len(ks)
        return [(int(self.next_state[k]), x, y) for k, x, y in zip(ks, p, r, strict=True)]

    def _too_many_digits(self, row: int) -> ModelError:
        return ModelError(
            Fault(
                f"the expected reward is a fraction of more than {DIGITS:,} digits, expected fewer. "
                "Write probabilities and rewards as decimals.",
                self.states[self.state_of_row(row)],
                self.actions[int(self.pair_action[row])],
            )
        )

    @property
    def digest(self) -> str:
        """A SHA-256 of everything that the answer depends on; the same through every file format."""
        if self._digest is None:
            h = hashlib.sha256()
            sizes = [self.S, self.A, self.L, self.K, self.horizon, self.sense, spell(self.gamma_exact)]
            h.update(json.dumps(sizes).encode())
            for names in (self.states, self.actions):
                h.update(json.dumps(list(names)).encode() if names.given else b"-")
            for array in (self.pair_ptr, self.pair_action, self.row_ptr, self.next_state):
                for i in range(0, len(array), BLOCK):
                    h.update(np.ascontiguousarray(array[i : i + BLOCK], dtype="<i8").data)
            for floats in (self.prob, self.r, self.reward, self.start, self.final_reward):
                h.update(b"-" if floats is None else b"+")
                for i in range(0, 0 if floats is None else len(floats), BLOCK):
                    h.update((np.asarray(floats[i : i + BLOCK], dtype="<f8") + 0.0).data)  # type: ignore[index]
            h.update(np.packbits(self.terminal).data)
            for rationals in (self.exact.prob, self.exact.reward, self.exact.r) if self.exact else ():
                for part in () if rationals is None else (rationals.num, rationals.den):
                    whole = part.dtype != object or all(-INT64 <= x <= INT64 for x in part)
                    text = " ".join(map(decimal_text, () if whole else part)).encode()
                    h.update(part.astype("<i8").tobytes() if whole else text)
            put(self, _digest=h.hexdigest())
        return self._digest  # type: ignore[return-value]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MDP):
            return NotImplemented
        return (
            self.digest == other.digest
            and self.exact == other.exact
            and self.layout == other.layout
            and (self.name, self.source, self.start_given) == (other.name, other.source, other.start_given)
        )

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        first = f"{self.name!r}, " if self.name else ""
        more = f", horizon={self.horizon}" if self.horizon is not None else ""
        more += ", sense='min'" if self.sense == "min" else ""
        return (
            f"MDP({first}states={self.S}, actions={self.A}, pairs={self.L}, outcomes={self.K}, "
            f"gamma={spell_short(self.gamma_exact)}{more})"
        )

    def __str__(self) -> str:
        ends = int(self.terminal.sum())
        problem = self.problem.text(self, f"γ = {spell_short(self.gamma_exact)}", self.problem.long)
        kind = "costs are minimised" if self.sense == "min" else "rewards are maximised"
        lines = [
            self.name or "a Markov decision process",
            f"  {problem}; {kind}",
            f"  {plural(self.S, 'state')} ({ends} terminal), {plural(self.A, 'action')}, {plural(self.L, 'pair')}, "
            f"{plural(self.K, 'outcome')}",
            f"  numbers: {'exact rationals' if self.exact else 'float64'}; arrays {size_text(self.nbytes)}",
        ]
        if self.averaged:
            lines.append(f"  {AVERAGED}")
        if self.source:
            lines.append(f"  source: {self.source}")
        return "\n".join(lines)


def _fields(mdp: MDP) -> dict[str, Any]:
    return {field: getattr(mdp, field) for field in MDP.__slots__}


def _restore(fields: Mapping[str, Any]) -> MDP:
    mdp = object.__new__(MDP)
    put(mdp, **fields)
    for value in fields.values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return mdp
