"""Policies: a type of its own, never inferred from the shape of an array.

A policy is either one action a state, or a probability for each available pair; for a finite horizon, one of these
for each time step. Its rows obey the rules of a model's rows: exact rationals sum to exactly 1, floats to within
n 2**-52.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tabular_rl.errors import OptionError, escape, quoted
from tabular_rl.model import hooks
from tabular_rl.model.calls import Model, check_model
from tabular_rl.model.decisions import (
    array_of,
    by_pair,
    check_probs,
    check_rows,
    index_of,
    live_states,
    probs_of_mapping,
    rows_of_actions,
    unavailable,
)
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rationals import RationalArray, as_fraction, nearest
from tabular_rl.model.rows import Floats, Ints

EXACT_PAIRS = 100_000  # up to which mixed probabilities are kept as fractions too


class Policy(Mapping[str, Any], hooks.Drawn, hooks.Framed):
    """What to do in each state: a mapping of states to actions, or to {action: probability}.

    `rows` (S,) is the chosen row of each state, -1 at terminals, where the policy is deterministic; `probs` (L,) the
    probability of each row where it is not. With a leading time axis (T, ...) for finite-horizon problems.

    Parameters
    ----------
    mdp : the model
    rows : (S,) or (T, S)
    probs : (L,) or (T, L), in place of rows
    exact : the same probabilities as rationals, which are then not checked again

    Raises
    ------
    OptionError : neither or both of rows and probs; a row that is not the state's own; probabilities that do not sum
        to 1

    Examples
    --------
    >>> from tabular_rl import MDP
    >>> mdp = MDP([[[1, 0], [0, 1]], [[0, 1], [0, 0]]], [[0, 1], [0, 0]], 0.9, actions=["stay", "go"], axes="sas")
    >>> Policy.uniform(mdp)
    Policy(stochastic, 2 states)
    >>> Policy.of_actions(mdp, {"0": "go", "1": "stay"})["0"]
    'go'
    """

    __slots__ = ("exact", "mdp", "probs", "rows")

    def __init__(
        self,
        mdp: MDP,
        *,
        rows: Ints | None = None,
        probs: Floats | None = None,
        exact: RationalArray | None = None,
    ) -> None:
        if (rows is None) == (probs is None):
            raise OptionError("a policy: expected rows or probs, one of them")
        if rows is not None:
            rows = np.array(rows)
            check_rows(mdp, rows)
        elif exact is None:
            probs = np.array(probs, dtype=np.float64)
            for at in range(len(probs)) if probs.ndim == 2 else (...,):
                check_probs(mdp, probs[at])
        for array in (rows, probs):
            if array is not None:
                array.setflags(write=False)
        self._put(mdp, rows, probs, exact)

    rows: Ints | None
    probs: Floats | None
    exact: RationalArray | None
    mdp: MDP

    def __setattr__(self, field: str, value: object) -> None:
        raise AttributeError("a policy is frozen")

    @classmethod
    def partial(
        cls,
        mdp: MDP,
        *,
        rows: Ints | None = None,
        probs: Floats | None = None,
        exact: RationalArray | None = None,
    ) -> Policy:
        """What to do in some states, for sweeps: row -1, or no probability, where nothing is done; unchecked."""
        made = object.__new__(cls)
        made._put(mdp, rows, probs, exact)
        return made

    def _put(self, mdp: MDP, rows: Ints | None, probs: Floats | None, exact: RationalArray | None) -> None:
        for field, value in (("mdp", mdp), ("rows", rows), ("probs", probs), ("exact", exact)):
            object.__setattr__(self, field, value)

    # -- making one ---------------------------------------------------------------------------------------------

    @classmethod
    def uniform(cls, mdp: MDP) -> Policy:
        """Each available action with probability exactly 1 / |A(s)|."""
        check_model(mdp)
        counts = np.diff(mdp.pair_ptr)
        per_row = np.repeat(counts, counts)
        exact = None
        if mdp.L <= 1_000_000:
            exact = RationalArray(np.ones(mdp.L, dtype=np.int64), per_row.astype(np.int64))
        return cls(mdp, probs=1.0 / per_row, exact=exact)

    @classmethod
    def of(cls, mdp: MDP, given: Any, name: str = "policy") -> Policy:
        """Return what is given as a policy, in any form that functions take: see `policy_of`.

        >>> from tabular_rl import MDP
        >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.9)
        >>> Policy.of(mdp, "uniform") == Policy.of(mdp, [[0.5, 0.5]]), Policy.of(mdp, [1])["0"]
        (True, '1')
        """
        return policy_of(mdp, given, name)

    @classmethod
    def of_actions(cls, mdp: MDP, actions: Mapping[Any, Any] | ArrayLike) -> Policy:
        """One action a state, by name or index: a mapping, a list with None at terminals, an array (S,) with -1 there.

        (T, S) is one array a time step.

        Parameters
        ----------
        mdp, actions : the model, and what is done in each state

        Returns
        -------
        A deterministic Policy.

        Raises
        ------
        OptionError : a state or an action that is not there, or a state without an action
        """
        check_model(mdp)
        return cls(mdp, rows=rows_of_actions(mdp, actions))

    @classmethod
    def of_probs(cls, mdp: MDP, probs: Any) -> Policy:
        """A probability for each pair: an array (L,), a table (S, A), or a nested mapping {state: {action: p}}.

        Probabilities of a mapping that are texts, integers or Fractions are exact. (T, ...) is one array a time step.

        Parameters
        ----------
        mdp, probs : the model, and the probabilities

        Returns
        -------
        A stochastic Policy.

        Raises
        ------
        OptionError : a shape that fits nothing, or two things; probabilities that do not sum to 1
        """
        check_model(mdp)
        if isinstance(probs, Mapping):
            values, exact = probs_of_mapping(mdp, probs)
            return cls(mdp, probs=values, exact=exact)
        values = array_of(probs, "policy", np.float64)
        by_pair = values.shape == (mdp.L,) or values.shape == (mdp.horizon, mdp.L)
        as_table = values.shape[-2:] == (mdp.S, mdp.A) and values.ndim in (2, 3)
        if by_pair and as_table and mdp.S > 1:
            raise OptionError(
                f"policy: found shape {values.shape}, which is a table of {mdp.S} states and {mdp.A} actions, and "
                f"{mdp.horizon} time steps of {mdp.L} pairs. Say Policy.of_table(mdp, ...) or Policy(mdp, probs=...)."
            )
        if as_table and not by_pair:
            return cls.of_table(mdp, values)
        if values.shape[-1:] != (mdp.L,) or values.ndim > 2:
            raise OptionError(
                f"policy: found shape {values.shape}, expected ({mdp.L},): a probability for each pair, or a table "
                f"({mdp.S}, {mdp.A}). Policy.of_actions takes one action a state."
            )
        return cls(mdp, probs=values)

    @classmethod
    def of_table(cls, mdp: MDP, table: ArrayLike) -> Policy:
        """A probability for each state and action: an array (S, A) or (T, S, A), 0 where an action is not available."""
        check_model(mdp)
        values = array_of(table, "policy", np.float64)
        if values.shape[-2:] != (mdp.S, mdp.A) or values.ndim > 3:
            raise OptionError(f"policy: found shape {values.shape}, expected ({mdp.S}, {mdp.A})")
        states, actions = mdp.pair_state, mdp.pair_action
        available = np.zeros((mdp.S, mdp.A), dtype=bool)
        available[states, actions] = True
        wrong = np.argwhere(~available & (values != 0) & ~mdp.terminal[:, None])
        if wrong.size:
            s, a = map(int, wrong[0][-2:])
            raise unavailable(mdp, s, a)
        return cls(mdp, probs=values[..., states, actions])

    @classmethod
    def from_frame(cls, mdp: MDP, frame: Any) -> Policy:
        """The policy of a data frame with the columns `state` and `action`, and perhaps `probability` and `time`.

        Columns of values are passed over, so that the frame of an answer is one too.

        Parameters
        ----------
        mdp : the model
        frame : a frame of pandas, polars or pyarrow, or what turns into one; as `to_frame` makes it

        Returns
        -------
        A deterministic Policy where there are no probabilities, else a stochastic one.

        Raises
        ------
        OptionError : no frame, or no policy of this model
        ModelError : the row or the state, and what was found and expected there
        """
        check_model(mdp)
        made: Policy = hooks.read_policy_frame(mdp, frame)
        return made

    @classmethod
    def greedy(cls, mdp: MDP, q: ArrayLike) -> Policy:
        """The best row of each state by values q (L,) or (S, A), the lowest action at ties; (T, ...) a time step each.

        Parameters
        ----------
        mdp, q : the model, and action values in its sign: of costs the least are best

        Returns
        -------
        A deterministic Policy.

        Raises
        ------
        OptionError : another shape, or nan

        Examples
        --------
        >>> from tabular_rl import MDP
        >>> Policy.greedy(MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.9), [[2.0, 3.0]])["0"]
        '1'
        """
        check_model(mdp)
        best = mdp.sign * by_pair(mdp, q, "q")
        if np.isnan(best).any():
            raise OptionError("q: found nan, expected numbers")
        live, starts, counts = live_states(mdp)
        rows = np.full((*best.shape[:-1], mdp.S), -1, dtype=mdp.pair_ptr.dtype)
        if starts.size:
            top = np.repeat(np.maximum.reduceat(best, starts, axis=-1), counts, axis=-1)
            hits = np.where(best == top, np.arange(mdp.L), mdp.L)
            rows[..., live] = np.minimum.reduceat(hits, starts, axis=-1)
        return cls(mdp, rows=rows)

    @classmethod
    def epsilon_greedy(cls, mdp: MDP, policy: Policy, epsilon: Any) -> Policy:
        """The policy with probability 1 - ε, else any available action, uniformly.

        Parameters
        ----------
        mdp, policy : the model, and a policy
        epsilon : ε, 0 to 1; a text such as "1/3" is exact where the policy does not depend on time

        Returns
        -------
        A stochastic Policy.

        Raises
        ------
        OptionError : ε out of range

        Examples
        --------
        >>> from tabular_rl import MDP
        >>> mdp = MDP([[[1.0], [1.0]]], [[0.0, 1.0]], 0.9)
        >>> Policy.epsilon_greedy(mdp, Policy.of_actions(mdp, [1]), 0.5).probs.tolist()
        [0.25, 0.75]
        """
        policy = cls.of(mdp, policy)
        try:
            eps = as_fraction(epsilon)
        except (ValueError, OverflowError, TypeError):
            eps = Fraction(-1)
        if not 0 <= eps <= 1:
            raise OptionError(f"epsilon: found {quoted(epsilon)}, expected a number from 0 to 1")
        if mdp.L <= EXACT_PAIRS and not policy.timed:
            mixed = [
                eps * Fraction(1, int(n)) + (1 - eps) * p
                for n, p in zip(
                    np.repeat(np.diff(mdp.pair_ptr), np.diff(mdp.pair_ptr)).tolist(),
                    policy.rationals(),
                    strict=True,
                )
            ]
            return cls(mdp, probs=np.array([nearest(p) for p in mixed]), exact=RationalArray.of(mixed))
        return cls(mdp, probs=nearest(eps) * cls.uniform(mdp).weights + nearest(1 - eps) * policy.weights)

    @classmethod
    def softmax(cls, mdp: MDP, preferences: ArrayLike, temperature: float = 1.0) -> Policy:
        """π(a|s) ∝ exp(h(s, a) / temperature): the larger the preference, the likelier, whatever the sense.

        Parameters
        ----------
        mdp, preferences : the model, and h (L,) or (S, A)
        temperature : above 0; the lower, the nearer to the best action alone

        Returns
        -------
        A stochastic Policy.

        Raises
        ------
        OptionError : a temperature that is not above 0, preferences of another shape, nan or +inf
        """
        if not (isinstance(temperature, (int, float, np.number)) and 0 < temperature < math.inf):
            raise OptionError(f"temperature: found {quoted(temperature)}, expected a positive number")
        check_model(mdp)
        h = by_pair(mdp, preferences, "preferences") / temperature
        if np.isnan(h).any() or (h == math.inf).any():
            raise OptionError("preferences: found nan or inf, expected numbers")
        _, starts, counts = live_states(mdp)
        weights = np.exp(h - np.repeat(np.maximum.reduceat(h, starts, axis=-1), counts, axis=-1))
        return cls(mdp, probs=weights / np.repeat(np.add.reduceat(weights, starts, axis=-1), counts, axis=-1))

    # -- looking at one -----------------------------------------------------------------------------------------

    @property
    def timed(self) -> bool:
        """True where there is one row of decisions a time step."""
        array = self.rows if self.rows is not None else self.probs
        return array is not None and array.ndim == 2

    @property
    def deterministic(self) -> bool:
        """Whether it takes one action in each state."""
        return self.rows is not None

    @property
    def actions(self) -> Ints:
        """The chosen action of each state (S,), -1 at terminals, of a deterministic policy."""
        if self.rows is None:
            raise OptionError("actions: found a stochastic policy, expected a deterministic one. Use .probs.")
        if self.mdp.L == 0:
            return np.full(self.rows.shape, -1, dtype=np.int64)
        return np.where(self.rows >= 0, self.mdp.pair_action[self.rows], -1)

    @property
    def weights(self) -> Floats:
        """The probability of each row, (L,) or (T, L), whatever the kind."""
        if self.probs is not None:
            return self.probs
        assert self.rows is not None
        out = np.zeros((*self.rows.shape[:-1], self.mdp.L))
        *times, states = np.nonzero(self.rows >= 0)
        out[(*times, self.rows[(*times, states)])] = 1.0
        return out

    @property
    def takes(self) -> NDArray[np.bool_]:
        """The rows, (L,) or (T, L), that are taken with a positive probability, even where that is 0 as a float."""
        taken = self.weights > 0
        return taken if self.exact is None else taken | np.asarray(self.exact.num > 0)

    @property
    def table(self) -> Floats:
        """The probabilities as a table (S, A), or (T, S, A)."""
        return self.mdp.table(self.weights, fill=0.0)

    def at(self, t: int) -> Policy:
        """The policy of one time step."""
        if not self.timed:
            return self
        at = [None if array is None else array[t] for array in (self.rows, self.probs)]
        return Policy(self.mdp, rows=at[0], probs=at[1])

    def rationals(self) -> list[Fraction]:
        """The exact probability of each row: dyadics over their sum where they are floats."""
        if self.exact is not None:
            return list(self.exact)
        weights = [Fraction(float(p)) for p in self.weights]
        if self.rows is None:
            for s in range(self.mdp.S):
                rows = self.mdp.rows(s)
                total = sum(weights[i] for i in rows)
                for i in rows:
                    weights[i] /= total
        return weights

    def replace_model(self, mdp: MDP) -> Policy:
        """The same decisions for a model with the same rows (another discount, say)."""
        return Policy(mdp, rows=self.rows, probs=self.probs, exact=self.exact)

    def as_agent(self, env: Any, seed: int = 0, states: Callable[[Any], Any] | None = None) -> Any:
        """Return an agent that acts by this policy in an environment of Gymnasium, and plays in it.

        Parameters
        ----------
        env : the environment; its observations are states by the names that `MDP.from_gymnasium` gives them
        seed : of the actions that are drawn
        states : a function of an observation that returns a state by name or index, where the names are others

        Returns
        -------
        `tabular_rl.environments.Agent`: `act(observation)`, `returns(episodes, seed)`, `play(episodes, seed)`.

        Raises
        ------
        OptionError : the states or the actions are not those of the environment
        """
        return hooks.agent(self, env, seed, states)

    def __getitem__(self, state: Any) -> Any:
        """The action of a state by name or index, or {action: probability}; a list of these, one a time step."""
        s = index_of(self.mdp.states, state, "state")
        mdp = self.mdp
        if self.timed:
            return [self.at(t)[mdp.states[s]] for t in range(len(self.weights))]
        if self.rows is not None:
            return mdp.actions[int(mdp.pair_action[self.rows[s]])] if self.rows[s] >= 0 else None
        return {mdp.actions[int(mdp.pair_action[i])]: float(self.weights[i]) for i in mdp.rows(s)}

    def __reduce__(self) -> Any:
        return _restore, (self.mdp, self.rows, self.probs, self.exact)

    def __iter__(self) -> Iterator[str]:
        return iter(self.mdp.states)

    def __len__(self) -> int:
        return self.mdp.S

    def __str__(self) -> str:
        shown = [f"{escape(s)}: {self[s]}" for s in self.mdp.states[:20]]
        more = self.mdp.S - len(shown)
        return "\n".join([*shown, f"... and {more} more states"] if more > 0 else shown)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Policy):
            return NotImplemented
        if self.exact is not None and other.exact is not None and list(self.exact) != list(other.exact):
            return False
        mine, theirs = (self.rows, self.probs), (other.rows, other.probs)
        return all(map(np.array_equal, mine, theirs))  # type: ignore[arg-type]  # None equals None alone

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        kind = "deterministic" if self.deterministic else "stochastic"
        time = f", {len(self.weights)} time steps" if self.timed else ""
        return f"Policy({kind}, {self.mdp.S} states{time})"


Model.policies = Policy


def _restore(mdp: MDP, rows: Any, probs: Any, exact: Any) -> Policy:
    return Policy(mdp, rows=rows, probs=probs, exact=exact)


# -- what a user gives ---------------------------------------------------------------------------------------------

FORMS = (
    "a Policy, 'uniform', an action a state (list, dict or array), or a probability for each pair (L,) or as a table "
    "(S, A)"
)


def policy_of(mdp: MDP, given: Any, name: str = "policy") -> Policy:
    """Return what is given as a policy of a model, in whatever form; this is what every function calls.

    Parameters
    ----------
    mdp : the model
    given : a Policy; a Solution, whose policy is meant; a text as for --policy, such as "uniform" or "action:left"; one
        action a state by name or index, as a list, an array (S,) or {state: action}; a probability for each pair, as
        {state: {action: p}}, an array (L,), or a table (S, A). For a finite horizon one of these for each time too.
    name : what messages call it

    Returns
    -------
    Policy of this model.

    Raises
    ------
    OptionError : no policy of this model, or an array that could be two different ones

    Examples
    --------
    >>> mdp = MDP([[[1, 0], [0, 1]], [[0, 1], [0, 0]]], [[0, 1], [0, 0]], 0.9, axes="sas", actions=["stay", "go"])
    >>> [policy_of(mdp, given)["0"] for given in (["go", "stay"], {0: "go", "1": 0}, [[0, 1], [1, 0]])]
    ['go', 'go', {'stay': 0.0, 'go': 1.0}]
    """
    try:
        return _fitting(mdp, _read(mdp, given))
    except OptionError as error:
        if name == "policy":
            raise
        raise OptionError(str(error).replace("policy:", f"{name}:", 1)) from None


def _read(mdp: MDP, given: Any) -> Policy:
    own = getattr(given, "policy", given)  # that of a Solution, of a SoftmaxPolicy
    if isinstance(own, Policy):
        return own
    if own is not given:
        raise OptionError(f"policy: found {type(given).__name__} without a policy, expected {FORMS}")
    named = _named(mdp, given)
    if named is not None:
        return named
    if isinstance(given, Mapping):
        return _of_mapping(mdp, given)
    if isinstance(given, (list, tuple)) and any(x is None or isinstance(x, (str, Mapping)) for x in given):
        return _of_list(mdp, given)
    if not hasattr(given, "__len__") or isinstance(given, (set, frozenset, bytes)):
        raise OptionError(f"policy: found {type(given).__name__}, expected {FORMS}")
    try:
        array = np.asarray(given)
    except (ValueError, TypeError):
        raise OptionError(f"policy: found lists of different lengths, expected {FORMS}") from None
    if array.dtype.kind in "UO" and all(x is None or isinstance(x, str) for x in array.ravel().tolist()):
        return Policy.of_actions(mdp, given)
    if array.dtype.kind not in "biuf":
        raise OptionError(f"policy: found {type(given).__name__} of {array.dtype}, expected {FORMS}")
    return _of_array(mdp, array)


def _named(mdp: MDP, given: Any) -> Policy | None:
    """The policy of a text as for --policy, or of a data frame that names states and actions; None of others."""
    if isinstance(given, str):
        made: Policy = hooks.read_policy(given, mdp)
        return made
    columns = list(getattr(given, "column_names", getattr(given, "columns", ())))
    by_name = columns and (
        all(isinstance(x, str) for x in columns) or {"state", "action"} <= {*map(str, columns)}
    )
    return Policy.from_frame(mdp, given) if by_name else None


def _of_list(mdp: MDP, given: Sequence[Any]) -> Policy:
    """The policy of a list with a mapping for each time, or with the name of an action for each state."""
    if any(isinstance(x, Mapping) for x in given):
        if not all(isinstance(x, Mapping) for x in given) or len(given) != mdp.horizon:
            raise OptionError(
                f"policy: found a list of {len(given)}, expected a mapping for each of {mdp.horizon or 'no'} time steps"
            )
        return _stacked(mdp, [_of_mapping(mdp, x) for x in given])
    return Policy.of_actions(mdp, given)


def _of_mapping(mdp: MDP, given: Mapping[Any, Any]) -> Policy:
    rows = list(given.values())
    if mdp.horizon is not None and rows and all(isinstance(x, (list, tuple)) for x in rows):
        if any(len(x) != mdp.horizon for x in rows):
            found = next(len(x) for x in rows if len(x) != mdp.horizon)
            raise OptionError(f"policy: found {found} time steps, expected {mdp.horizon}")
        return _stacked(
            mdp, [_of_mapping(mdp, {s: x[t] for s, x in given.items()}) for t in range(mdp.horizon)]
        )
    if any(isinstance(x, Mapping) for x in rows):
        return Policy.of_probs(mdp, given)
    return Policy.of_actions(mdp, given)


def _stacked(mdp: MDP, policies: list[Policy]) -> Policy:
    """One policy a time step as one."""
    if all(policy.rows is not None for policy in policies):
        return Policy(mdp, rows=np.stack([policy.rows for policy in policies]))  # type: ignore[misc]
    return Policy(mdp, probs=np.stack([policy.weights for policy in policies]))


def _of_array(mdp: MDP, array: NDArray[Any]) -> Policy:
    """The policy that an array of numbers means; where its shape has two readings, the one that makes a policy."""
    S, A, L, T = mdp.S, mdp.A, mdp.L, mdp.horizon
    whole = array.dtype.kind in "iu" or (array.dtype.kind == "f" and bool((array == np.rint(array)).all()))
    actions = array.astype(np.int64) if whole else array
    readings: list[tuple[str, str, Callable[[], Policy]]] = []
    if array.shape in ((S,), (T, S)) and whole and array.dtype.kind != "b":
        readings.append(("an action a state", "of_actions", lambda: Policy.of_actions(mdp, actions)))
    if array.shape in ((S, A), (T, S, A)):
        readings.append(("a table (S, A) of probabilities", "of_table", lambda: Policy.of_probs(mdp, array)))
    elif array.shape in ((L,), (T, L)):
        readings.append(("a probability for each pair", "of_probs", lambda: Policy.of_probs(mdp, array)))
    if not readings:
        times = f", or with {T} in front" if T is not None else ""
        raise OptionError(
            f"policy: found {array.dtype} of shape {array.shape}, expected an action a state ({S},), a probability for "
            f"each pair ({L},) or a table ({S}, {A}){times}"
        )
    made, faults = [], []
    for what, maker, make in readings:
        try:
            made.append((what, maker, make()))
        except OptionError as error:
            faults.append(error)
    if not made:
        raise faults[0] if len(faults) == 1 else OptionError(
            f"policy: found an array {array.shape} that is neither {readings[0][0]} ({faults[0]}) nor {readings[1][0]} "
            f"({faults[1]})"
        )  # fmt: skip
    if len(made) == 2 and not np.array_equal(made[0][2].weights, made[1][2].weights):
        ways = " or ".join(f"{what} (Policy.{maker})" for what, maker, _ in made)
        raise OptionError(
            f"policy: found an array {array.shape} that could be {ways}, expected one: say which"
        )
    return made[0][2]


def _fitting(mdp: MDP, policy: Policy) -> Policy:
    """Return the policy as one of this model, or raise OptionError."""
    if policy.mdp is not mdp:
        same = (
            np.array_equal(policy.mdp.pair_ptr, mdp.pair_ptr)
            and np.array_equal(policy.mdp.pair_action, mdp.pair_action)
        )  # fmt: skip
        if not same:
            raise OptionError(
                "policy: found one of another model, expected one with the same states and actions"
            )
        policy = policy.replace_model(mdp)
    if policy.timed:
        steps = len(policy.rows if policy.rows is not None else policy.probs)  # type: ignore[arg-type]
        if steps != mdp.horizon:
            raise OptionError(f"policy: found {steps} time steps, expected {mdp.horizon or 'none'}")
    return policy
