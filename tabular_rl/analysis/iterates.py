"""The iterates of a method, one by one, as textbooks define them: V_0, V_1, ..., or policy after policy.

These are plain numbers, not bounds: V_k is k backups away from the start, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import NotAnswerable, OptionError, quoted
from tabular_rl.methods.exact.linear_solve import improve, policy_values, policy_zero
from tabular_rl.methods.exact.rational import rational_evaluation
from tabular_rl.methods.lookup import canonical
from tabular_rl.model import hooks
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import RationalArray, nearest
from tabular_rl.model.rounding import shared_error
from tabular_rl.solving.solution import Floats, checked_values
from tabular_rl.solving.sweeps import Sweeper

METHODS = ("value-iteration", "policy-evaluation", "policy-iteration", "backward-induction")
Values = list[Any]  # one number a state in the sign of maximisation: floats, or Fractions


@dataclass(frozen=True, eq=False)
class Iterate:
    """One step: its number k, or the time t of backward induction, and what stands there.

    Parameters
    ----------
    k : sweeps, or improvements, done so far; of backward induction the time t
    v : (S,) the values, in the sign of the model
    exact : the same as fractions, where these were asked for
    policy : the greedy policy that made these values; of policy iteration the policy whose values these are
    changed : the states whose action is another than in the step before
    """

    k: int
    v: Floats
    exact: tuple[Fraction, ...] | None
    policy: Policy | None
    changed: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Iterates(Sequence[Iterate], hooks.Drawn):
    """The steps of a method in their order: `steps[k].v` is V_k.

    `order` says how a sweep goes through the states; `ended` whether one more step would change nothing.
    """

    mdp: MDP
    method: str
    order: str
    steps: tuple[Iterate, ...]
    ended: bool = False

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, k: Any) -> Any:
        return self.steps[k]

    def __str__(self) -> str:
        return str(hooks.text_of(self))

    def __repr__(self) -> str:
        return f"Iterates({self.method}, {self.mdp.S} states, steps {self[0].k} to {self[-1].k})"


@public
def iterates(
    mdp: MDP,
    method: Any = "value-iteration",
    count: int = 10,
    *,
    policy: Any = None,
    start_from: Any = None,
    start_policy: Any = None,
    in_place: bool = False,
    exact: bool = False,
) -> Iterates:
    """Return what a method finds step by step, as textbooks define it.

        value iteration      V_{k+1}(s) = max_a [ r(s,a) + γ Σ_s' p(s'|s,a) V_k(s') ]
        policy evaluation    V_{k+1}(s) = Σ_a π(a|s) [ r(s,a) + γ Σ_s' p(s'|s,a) V_k(s') ]
        policy iteration     π_{k+1} is greedy by the values of π_k, and keeps its action where none is better
        backward induction   V_t(s) = max_a [ r(s,a) + γ Σ_s' p(s'|s,a) V_{t+1}(s') ]

    Parameters
    ----------
    mdp : the model
    method : "value-iteration", "policy-evaluation", "policy-iteration" or "backward-induction"
    count : how many sweeps or improvements follow the start; policy iteration ends where nothing changes any more
    policy : what policy evaluation evaluates
    start_from : V_0: values (S,), a mapping of states to values (the others 0), or a Solution; 0 without
    start_policy : the first policy of policy iteration, such as "uniform"; without, the first action of each state
    in_place : each new value is used at once (Gauss-Seidel), states in the order of the model; else all use V_k
    exact : in fractions, without rounding

    Returns
    -------
    Iterates: one Iterate a step, V_0 or π_0 first.

    Raises
    ------
    OptionError : an option that the method does not have
    NotAnswerable : a method that does not fit the model
    NoFiniteAnswer : γ = 1, and a policy on the way never ends and earns without end

    Examples
    --------
    A racecar is cool or warm. Slow: cool stays cool for 1, warm goes to either for 1. Fast: cool goes to either for 2,
    warm ends for -10. At γ = 1/2, V_1 = (2, 1) and V_2 = (2 + (2 + 1)/4, 1 + (2 + 1)/4).

    >>> from tabular_rl import MDP
    >>> moves = [("cool", "slow", "cool", 1, 1), ("warm", "slow", "cool", "1/2", 1),
    ...          ("warm", "slow", "warm", "1/2", 1), ("cool", "fast", "cool", "1/2", 2),
    ...          ("cool", "fast", "warm", "1/2", 2), ("warm", "fast", "end", 1, -10)]
    >>> racecar = MDP.from_outcomes(moves, "1/2", terminal=["end"])
    >>> [step.v.tolist()[:2] for step in iterates(racecar, count=2)]
    [[0.0, 0.0], [2.0, 1.0], [2.75, 1.75]]
    """
    method = canonical(str(getattr(method, "name", method)))
    if method not in METHODS:
        raise OptionError(f"iterates: found method {quoted(method)}, expected one of {', '.join(METHODS)}")
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 0:
        raise OptionError(f"count: found {quoted(count)}, expected a whole number from 0")
    _check_options(mdp, method, policy, start_from, start_policy, in_place)
    arithmetic: _Arithmetic = _Fractions(mdp) if exact else _Floats(mdp)
    evaluated = None if policy is None else Policy.of(mdp, policy)
    order = "each state in turn, new values used at once" if in_place else "all states at once"
    if method == "policy-iteration":
        return Iterates(mdp, method, order, *_policies(arithmetic, start_policy, count))
    if method == "backward-induction":
        return Iterates(mdp, method, order, tuple(_backward(arithmetic, count)), count >= (mdp.horizon or 0))
    steps = _sweeps(arithmetic, arithmetic.start(start_from), evaluated, count, in_place)
    return Iterates(mdp, method, order, tuple(steps))


def _check_options(
    mdp: MDP, method: str, policy: Any, start_from: Any, start_policy: Any, in_place: bool
) -> None:
    """Raise where an option is not one of the method, or the method does not fit the model."""
    timed = mdp.problem.timed
    if timed != (method == "backward-induction"):
        fits = "backward-induction" if timed else "value-iteration or policy-iteration"
        raise NotAnswerable(f"iterates of {method}: this is a {mdp.problem} problem. Take {fits}")
    swept = method in ("value-iteration", "policy-evaluation")
    having: dict[str, tuple[bool, Any]] = {
        "policy": (method == "policy-evaluation", policy),
        "start_from": (swept, start_from),
        "start_policy": (method == "policy-iteration", start_policy),
        "in_place": (swept, in_place or None),
    }
    for name, (has, value) in having.items():
        if value is not None and not has:
            raise OptionError(f"iterates of {method}: found {name}, which it does not have")
    if method == "policy-evaluation" and policy is None:
        raise OptionError("iterates of policy-evaluation: found no policy, expected the one to evaluate")


# -- two kinds of arithmetic -------------------------------------------------------------------------------------------


class _Arithmetic:
    """Backups of one model in the sign of maximisation, in floats or in fractions."""

    zero: Any = 0.0

    def __init__(self, mdp: MDP) -> None:
        self.mdp = mdp

    def q(self, i: int, v: Values) -> Any:
        """r(i) + γ Σ p v(s') of row i."""
        raise NotImplementedError

    def share(self, policy: Policy, i: int) -> Any:
        """π(a|s) of row i."""
        raise NotImplementedError

    def of_policy(self, policy: Policy) -> Values:
        """v_π, by a linear solve."""
        raise NotImplementedError

    def better(self, v: Values, rows: NDArray[Any]) -> NDArray[Any]:
        """Rows that are greedy by v, and those of `rows` where none is better."""
        raise NotImplementedError

    def number(self, x: Any) -> Any:
        """A float of the model as a number of this kind."""
        return float(x)

    def signed(self, x: Any) -> Any:
        """A number of the model in the sign of maximisation, or back."""
        return x if self.mdp.sign > 0 else -x

    def start(self, given: Any) -> Values:
        """V_0 as it is given, 0 at terminals."""
        if isinstance(given, Mapping) and not hasattr(given, "v"):
            v = [self.zero] * self.mdp.S
            for name, x in given.items():
                v[self.mdp.states.at(name, "start_from")] = self.signed(self.number(x))
            return [self.zero if end else x for x, end in zip(v, self.mdp.terminal, strict=True)]
        if given is None:
            return [self.zero] * self.mdp.S
        return [self.number(x) for x in checked_values(self.mdp, given)]

    def slack(self, _v: Values) -> Any:
        """How much better an action must be to be taken for better."""
        return self.zero

    def improved(self, v: Values, policy: Policy) -> tuple[Policy, tuple[int, ...]]:
        """The policy that is greedy by v, and as before where nothing is better; the states where it is another."""
        if policy.rows is not None:
            rows = self.better(v, policy.rows)
            return Policy(self.mdp, rows=rows), _changes(rows, policy.rows)
        changed: dict[int, int] = {}
        slack, shares = self.slack(v), policy.rationals()
        for s in np.flatnonzero(~self.mdp.terminal).tolist():
            q = {i: self.q(i, v) for i in self.mdp.rows(s)}
            best = max(q.values())
            if best - _mixture(self, policy, q) > slack:
                changed[s] = next(i for i, x in q.items() if x >= best - slack)
                for i in q:
                    shares[i] = Fraction(int(i == changed[s]))
        if max((x.denominator for x in shares), default=1) > 1:
            probs = np.array([nearest(x) for x in shares])
            return Policy(self.mdp, probs=probs, exact=RationalArray.of(shares)), tuple(changed)
        rows = np.full(self.mdp.S, -1, dtype=self.mdp.pair_ptr.dtype)
        taken = np.flatnonzero([x == 1 for x in shares])
        rows[self.mdp.pair_state[taken]] = taken
        return Policy(self.mdp, rows=rows), tuple(changed)

    def step(self, k: int, v: Values, policy: Policy | None, changed: tuple[int, ...]) -> Iterate:
        """The step that a user sees, in the sign of the model."""
        signed = [self.signed(x) for x in v]
        exact = tuple(signed) if isinstance(self.zero, Fraction) else None
        floats = np.array([nearest(x) for x in exact] if exact else signed, dtype=np.float64) + 0.0
        return Iterate(k, floats, exact, policy, changed)


class _Floats(_Arithmetic):
    """Floats: the bits of the kernels that prove."""

    def __init__(self, mdp: MDP) -> None:
        super().__init__(mdp)
        self.sweeper = Sweeper(mdp)

    def q(self, i: int, v: Values) -> float:
        return float(self.sweeper.listed(np.array([i]), np.asarray(v, dtype=np.float64))[0])

    def share(self, policy: Policy, i: int) -> float:
        return float(policy.weights[i])

    def of_policy(self, policy: Policy) -> Values:
        return list(policy_values(self.mdp, policy, zero=policy_zero(self.mdp, policy)).tolist())

    def slack(self, v: Values) -> float:
        return 2 * float(shared_error(self.mdp, self.sweeper.norm(np.array(v))))

    def better(self, v: Values, rows: NDArray[Any]) -> NDArray[Any]:
        rows = rows.copy()
        improve(self.sweeper, np.array(v), rows)
        return rows


class _Fractions(_Arithmetic):
    """Fractions: nothing is rounded."""

    zero = Fraction(0)

    def __init__(self, mdp: MDP) -> None:
        super().__init__(mdp)
        self._rows: dict[int, tuple[Fraction, list[tuple[int, Fraction]]]] = {}

    def q(self, i: int, v: Values) -> Fraction:
        if i not in self._rows:
            outcomes = self.mdp.rational_outcomes(i)
            r = sum((p * x for _, p, x in outcomes), Fraction(0))
            self._rows[i] = (
                (r if self.mdp.sign > 0 else -r),
                [(s, self.mdp.gamma_exact * p) for s, p, _ in outcomes],
            )
        r, terms = self._rows[i]
        return r + sum((p * v[s] for s, p in terms), Fraction(0))

    def share(self, policy: Policy, i: int) -> Fraction:
        return policy.rationals()[i]

    def number(self, x: Any) -> Fraction:
        return Fraction(x)

    def of_policy(self, policy: Policy) -> Values:
        exact = rational_evaluation(self.mdp, policy).exact
        assert exact is not None
        return [self.signed(x) for x in exact]

    def better(self, v: Values, rows: NDArray[Any]) -> NDArray[Any]:
        rows = rows.copy()
        for s in np.flatnonzero(~self.mdp.terminal).tolist():
            q = {i: self.q(i, v) for i in self.mdp.rows(s)}
            best = max(q, key=q.__getitem__)
            if q[best] > q[int(rows[s])]:
                rows[s] = best
        return rows


# -- the methods -------------------------------------------------------------------------------------------------------


def _swept(
    arithmetic: _Arithmetic, v: Values, policy: Policy | None, in_place: bool
) -> tuple[Values, NDArray[Any] | None]:
    """One sweep from v: the new values and, without a policy, the lowest greedy row of each state."""
    mdp = arithmetic.mdp
    new = v if in_place else list(v)
    rows = np.full(mdp.S, -1, dtype=mdp.pair_ptr.dtype)
    for s in np.flatnonzero(~mdp.terminal).tolist():
        q = {i: arithmetic.q(i, v) for i in mdp.rows(s)}
        if policy is None:
            rows[s] = max(q, key=q.__getitem__)
            new[s] = q[int(rows[s])]
        else:
            new[s] = _mixture(arithmetic, policy, q)
    return new, rows if policy is None else None


def _changes(rows: NDArray[Any] | None, before: NDArray[Any] | None) -> tuple[int, ...]:
    """The states whose row is another than before."""
    return () if rows is None or before is None else tuple(np.flatnonzero(rows != before).tolist())


def _mixture(arithmetic: _Arithmetic, policy: Policy, q: dict[int, Any]) -> Any:
    total = arithmetic.zero
    for i, x in q.items():
        if policy.takes[i]:
            total += arithmetic.share(policy, i) * x
    return total


def _sweeps(
    arithmetic: _Arithmetic, v: Values, policy: Policy | None, count: int, in_place: bool
) -> Iterator[Iterate]:
    """V_0, and V_k of each sweep."""
    yield arithmetic.step(0, v, None, ())
    before = None
    for k in range(1, count + 1):
        v, rows = _swept(arithmetic, list(v), policy, in_place)
        policy_found = None if rows is None else Policy(arithmetic.mdp, rows=rows)
        yield arithmetic.step(k, v, policy_found, _changes(rows, before))
        before = rows


def _policies(arithmetic: _Arithmetic, start: Any, count: int) -> tuple[tuple[Iterate, ...], bool]:
    """π_0 with its values, and each better policy; whether the last one is the end."""
    mdp = arithmetic.mdp
    if start is None:
        rows = np.where(mdp.terminal, -1, mdp.pair_ptr[:-1]).astype(mdp.pair_ptr.dtype)
        policy = Policy(mdp, rows=rows)
    else:
        policy = Policy.of(mdp, start, "start_policy")
    if policy.timed:
        raise OptionError("start_policy: found a policy that depends on time, expected one that does not")
    steps: list[Iterate] = []
    changed: tuple[int, ...] = ()
    while True:
        v = arithmetic.of_policy(policy)
        steps.append(arithmetic.step(len(steps), v, policy, changed))
        policy, changed = arithmetic.improved(v, policy)
        if not changed or len(steps) > count:
            return tuple(steps), not changed


def _backward(arithmetic: _Arithmetic, count: int) -> Iterator[Iterate]:
    """V_T, and V_t of each earlier time, with the policy that is greedy by V_{t+1}."""
    mdp = arithmetic.mdp
    T, last = mdp.horizon or 0, mdp.final_reward
    v = [arithmetic.zero] * mdp.S
    if last is not None:
        exact = None if mdp.exact is None else mdp.exact.final_reward
        v = [
            arithmetic.signed(arithmetic.number((last if exact is None else exact)[s])) for s in range(mdp.S)
        ]
    yield arithmetic.step(T, v, None, ())
    before = None
    for t in reversed(range(max(T - count, 0), T)):
        v, rows = _swept(arithmetic, v, None, False)
        v = [arithmetic.zero if end else x for x, end in zip(v, mdp.terminal, strict=True)]
        assert rows is not None
        yield arithmetic.step(t, v, Policy(mdp, rows=rows), _changes(rows, before))
        before = rows
