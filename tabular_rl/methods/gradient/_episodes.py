"""The episodes of a softmax policy as a chain: what every exact quantity of a gradient is computed on.

Quantities that look ahead obey X_t = local_t + w P_π X_{t+1}, those that look back D_{t+1} = w P_πᵀ D_t + inflow_t.
With a last step there is a layer for each t; without one a single layer, of a linear system. All is in the sign of the
model.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import NoFiniteAnswer, NumericalError, OptionError
from tabular_rl.methods.gradient.softmax import SoftmaxPolicy, check_size
from tabular_rl.model.mdp import MDP
from tabular_rl.model.rows import over_rows
from tabular_rl.solving import options as o

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Layers = Callable[[int], NDArray[Any]]

LARGEST = 1e120  # reward whose square, and that of a return, is a float
TABLES = "gradient: tables of every step and parameter take", "fewer steps, or features"
DENSE = 500  # states up to which systems are solved dense


def at(layers: NDArray[Any], t: int) -> Any:
    """The table of step t; the last one holds from there on."""
    return layers[min(t, len(layers) - 1)]


def stopping_model(mdp: MDP) -> MDP:
    """Return the model that ends after each step with probability 1 - γ, without discount: one more terminal state.

    The return R of the one has the mean of the discounted return of the other, whatever the policy; so have all values.

    >>> stopping_model(MDP([[[1.0]]], [[1.0]], "3/4")).prob.tolist()
    [0.75, 0.25]
    """
    S, gamma = mdp.S, mdp.gamma
    row = mdp.outcome_row
    goes_on = np.where(mdp.terminal[mdp.next_state], 1.0, gamma)
    rows = np.concatenate([row, row])
    order = np.argsort(rows, kind="stable")
    prob = np.concatenate([mdp.prob * goes_on, mdp.prob * (1.0 - goes_on)])[order]
    next_state = np.concatenate([mdp.next_state.astype(np.int64), np.full(mdp.K, S)])[order]
    reward = None if mdp.reward is None else np.concatenate([mdp.reward, mdp.reward])[order]
    kept = prob > 0
    names = {"states": [*mdp.states, _new_name(mdp)]} if mdp.states.given else {}
    return MDP.from_rows(
        pair_ptr=np.append(mdp.pair_ptr, mdp.L),
        pair_action=mdp.pair_action,
        row_ptr=np.concatenate([[0], np.cumsum(np.bincount(rows[order][kept], minlength=mdp.L))]),
        next_state=next_state[kept],
        prob=prob[kept],
        reward=None if reward is None else reward[kept],
        r=mdp.r if reward is None else None,
        gamma=1,
        terminal=np.append(mdp.terminal, True),
        start=np.append(mdp.start, 0.0),
        actions=mdp.actions,
        sense=mdp.sense,
        name=mdp.name,
        normalize=True,
        **names,  # type: ignore[arg-type]
    )


def _new_name(mdp: MDP) -> str:
    name = "stopped"
    while mdp.states.find(name) is not None:
        name += "'"
    return name


class Episodes:
    """How episodes of a policy begin, go on and end.

    They end at terminal states, where nothing can be earned any more, and at the horizon. Without a horizon, at γ < 1,
    they are stopped after each step with probability 1 - γ (`stopping`, the default); or never end; or are cut off
    after `steps`, which is biased.
    """

    def __init__(
        self,
        policy: SoftmaxPolicy,
        *,
        horizon: int | None = None,
        stopping: bool | None = None,
        steps: int | None = None,
    ) -> None:
        mdp = policy.mdp
        if horizon is not None and horizon != mdp.horizon:
            mdp = mdp.replace(horizon=horizon)
        self._last: tuple[Floats, Any] | None = None
        self.asked = mdp  # the model whose objective is asked for
        self.policy = policy
        timed = mdp.problem.timed
        if timed and (stopping or steps is not None):
            raise OptionError(
                "stopping, steps: found with a horizon, which ends episodes; expected without one"
            )
        steps = o.OPTIONS["episode_steps"].check(steps)
        discounted = mdp.discounted
        if stopping and steps is not None:
            raise OptionError("stopping, steps: found both, expected one way to end episodes")
        self.stopping = not timed and discounted and (steps is None if stopping is None else stopping)
        self.timed, self.steps = timed, mdp.horizon if timed else steps
        self.mdp = stopping_model(mdp) if self.stopping else mdp
        self.gamma = self.mdp.gamma
        if discounted and mdp.gamma >= 1.0:
            raise OptionError("gradient: the discount is too near 1 for a float")
        self.start = self.mdp.start
        if self.mdp.terminal.all():
            raise OptionError("no state to start from: all states are terminal")
        self.end = np.array(self.mdp.terminal)
        self.unending = self.collects = np.zeros(self.mdp.S, dtype=bool)
        if not timed:
            self._settle()
        self.pi: Floats = np.where(self.end[self.mdp.pair_state], 0.0, policy.pi)
        self.final: Floats | None = self.mdp.final_reward if timed else None
        self.reward: Floats = (
            self.mdp.reward
            if self.mdp.reward is not None
            else np.repeat(self.mdp.r, np.diff(self.mdp.row_ptr))
        )

    def check_squares(self) -> None:
        """Raise NumericalError where the squares of rewards, of which variances are made, leave the range of floats."""
        largest = float(np.abs(self.reward).max(initial=0.0))
        if self.final is not None:
            largest = max(largest, float(np.abs(self.final).max(initial=0.0)))
        if largest and not 1 / LARGEST < largest < LARGEST:
            raise NumericalError(
                f"{'overflow' if largest > 1 else 'underflow'}: the variance of estimates is made of squares of "
                f"rewards; found a largest |reward| of {largest:g}, expected {1 / LARGEST:g} to {LARGEST:g}. Multiply "
                "the rewards by a constant."
            )

    def _settle(self) -> None:
        """Find the states after which nothing is earned, and those that recur with reward."""
        from tabular_rl.model.graph.search import reachable, starts
        from tabular_rl.model.graph.total import idle_and_collecting

        mdp = self.mdp
        use = self.policy.policy.takes
        idle, collects = idle_and_collecting(mdp, use)
        if mdp.reward is not None:  # rewards that are 0 on average still make noise
            row = mdp.outcome_row
            noisy = np.zeros(mdp.S, dtype=bool)
            noisy[mdp.pair_state[row[mdp.reward != 0]]] = True
            idle = idle & ~mdp.terminal
            if (idle & noisy).any():
                collects, idle = collects | idle, np.zeros(mdp.S, dtype=bool)
        self.end |= idle
        self.collects = collects
        self.unending = collects & reachable(mdp, starts(mdp), use)
        if not mdp.discounted and collects.any():
            raise NoFiniteAnswer(
                "the policy may never end, and meets rewards forever, in", self.names(collects)
            )

    def names(self, mask: Mask) -> list[str]:
        return [self.mdp.states[int(s)] for s in np.flatnonzero(mask)]

    # -- pieces ---------------------------------------------------------------------------------------------------

    @property
    def layers(self) -> int:
        """Steps that have tables of their own: T, or 1."""
        return self.steps or 1

    def later(self, X: NDArray[Any], t: int) -> Any:
        """The table of step t + 1 (which is that of step t where there is no last one)."""
        return at(X, t + 1)

    def outcomes(self, x: Any, y: Any = None) -> Any:
        """E[y x(s')] of each row: (L, ...) of x (S, ...), y (K,); with x None E[y]."""
        if x is None:
            return over_rows(np.add, self.mdp.prob * y, self.mdp.row_ptr)
        return self.weighted(y) @ x

    def inflow(self, x: Floats, y: Floats | None = None) -> Any:
        """What flows to each state: (S, ...) of x (L, ...), each outcome by its probability times y (K,)."""
        return self.weighted(y).T @ x

    def weighted(self, y: Floats | None) -> Any:
        """The probabilities of outcomes times y (K,), as a matrix (L, S); that of the last y is kept."""
        if y is None:
            return self.P
        if self._last is None or self._last[0] is not y:
            from scipy.sparse import csr_array

            P = csr_array((self.mdp.prob * y, self.mdp.next_state, self.mdp.row_ptr), shape=self.P.shape)
            self._last = (y, P)
        return self._last[1]

    @cached_property
    def P(self) -> Any:
        return self.mdp.P

    @cached_property
    def choose(self) -> Any:
        """π as a matrix (S, L)."""
        from scipy.sparse import csr_array

        return csr_array((self.pi, np.arange(self.mdp.L), self.mdp.pair_ptr), shape=(self.mdp.S, self.mdp.L))

    @cached_property
    def P_pi(self) -> Any:
        from scipy.sparse import csr_array

        return csr_array(self.choose @ self.P)

    def mix(self, x: Any) -> Any:
        """Σ_a π(a|s) x(s,a): (S, ...) of x (L, ...)."""
        return self.choose @ x

    # -- looking ahead and looking back ---------------------------------------------------------------------------

    def back(self, w: float, local: Layers) -> Floats:
        """X_t = local_t + w P_π X_{t+1}: (T + 1, S, ...) with X_T = 0; (1, S, ...) without a last step."""
        if self.steps is None:
            return self.solve(w, local(0))[None]
        out: Floats | None = None
        for t in reversed(range(self.steps)):
            x = local(t)
            if out is None:
                check_size((self.steps + 1) * x.size, *TABLES)
                out = np.zeros((self.steps + 1, *x.shape))
            out[t] = x + w * (self.P_pi @ out[t + 1])
        assert out is not None
        return out

    def forth(self, w: float, begin: Floats, inflow: Layers | None = None) -> Floats:
        """D_0 = begin, D_{t+1} = w P_πᵀ D_t + inflow_t: (T, S, ...); (1, S, ...), their sum, without a last step."""
        if self.steps is None:
            return self.solve(w, begin if inflow is None else begin + inflow(0), transposed=True)[None]
        check_size(self.steps * begin.size, *TABLES)
        out = np.zeros((self.steps, *begin.shape))
        out[0] = begin
        onward = self.P_pi.T
        for t in range(self.steps - 1):
            out[t + 1] = w * (onward @ out[t])
            if inflow is not None:
                out[t + 1] += inflow(t)
        return out

    def solve(self, w: float, b: Floats, transposed: bool = False) -> Floats:
        """(I - w P_π)⁻¹ b, or its transpose; 0 at ends."""
        out = np.zeros(b.shape)
        live = self._live(w)
        if w == 0.0:
            out[live] = b[live]
        elif live.size:
            found = self._factor(w)(b[live], transposed)
            if not np.isfinite(found).all():
                raise NumericalError(
                    "the linear system of the gradient cannot be solved in floating point: the policy hardly ever ends"
                )
            out[live] = found
        return out

    def _live(self, w: float) -> NDArray[np.intp]:
        """The states that the system is about."""
        if w == 1.0 and self.unending.any():
            raise NoFiniteAnswer(
                "without the weight γ^t the sum of scores does not end, as the policy does not; stop with probability "
                "1 - γ, or give a horizon. It recurs in",
                self.names(self.unending),
                way_out="",
            )
        return np.flatnonzero(self._met & ~self.end if w == 1.0 and self.collects.any() else ~self.end)

    @cached_property
    def _met(self) -> Mask:
        from tabular_rl.model.graph.search import reachable, starts

        return reachable(self.mdp, starts(self.mdp), self.policy.policy.takes)

    def _factor(self, w: float) -> Callable[[Floats, bool], Floats]:
        """A solver of the system, factorised once."""
        known = self._factors
        if w not in known:
            live = self._live(w)
            A = self.P_pi[live][:, live]
            try:
                if len(live) <= DENSE:
                    known[w] = _dense(np.eye(len(live)) - w * A.toarray())
                else:
                    known[w] = _sparse(A, w)
            except RuntimeError as error:
                raise NumericalError(
                    f"the linear system of the gradient cannot be solved in floating point ({error})"
                ) from None
        return known[w]

    @cached_property
    def _factors(self) -> dict[float, Callable[[Floats, bool], Floats]]:
        return {}

    # -- values ---------------------------------------------------------------------------------------------------

    @cached_property
    def v(self) -> Floats:
        """v_π: (T + 1, S) with a horizon, else (1, S); of cut-off episodes those of the whole ones."""
        r_pi = self.mix(self.mdp.r)
        if not self.timed:
            return self.solve(self.gamma, r_pi)[None]
        assert self.steps is not None
        v = np.zeros((self.steps + 1, self.mdp.S))
        if self.final is not None:
            v[-1] = self.final
        for t in reversed(range(self.steps)):
            v[t] = r_pi + self.gamma * (self.P_pi @ v[t + 1])
        return v

    @cached_property
    def q(self) -> Floats:
        """q_π: (T, L) with a horizon, else (1, L)."""
        layers = self.steps if self.timed and self.steps else 1
        return np.stack([self.mdp.r + self.gamma * (self.P @ self.later(self.v, t)) for t in range(layers)])

    @cached_property
    def there(self) -> Floats:
        """γ^t Pr(s_t = s): (T, S), or its sum over t (1, S)."""
        return self.forth(self.gamma, self.begin)

    @property
    def begin(self) -> Floats:
        """The start distribution, without the states where nothing happens."""
        return np.where(self.end, 0.0, self.start)


def _dense(A: Floats) -> Callable[[Floats, bool], Floats]:
    from scipy.linalg import LinAlgWarning, lu_factor, lu_solve

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LinAlgWarning)  # a zero pivot makes inf, which is found
        lu = lu_factor(A)

    def solve(b: Floats, transposed: bool) -> Floats:
        how: Literal[0, 1] = 1 if transposed else 0
        return np.asarray(lu_solve(lu, b, trans=how))

    return solve


def _sparse(P: Any, w: float) -> Callable[[Floats, bool], Floats]:
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import splu

    lu: Any = splu(csc_array(eye_array(P.shape[0]) - w * P))
    return lambda b, transposed: np.asarray(lu.solve(b, "T" if transposed else "N"))
