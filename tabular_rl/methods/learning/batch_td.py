"""Batch TD(0) and certainty equivalence: all that a log says of the values of a policy, by iteration and by algebra."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, Unpack

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import NumericalError, spoken
from tabular_rl.methods.exact.linear_solve import DENSE_STATES, solve_chain
from tabular_rl.methods.learning._learning import Learning
from tabular_rl.methods.learning._walk import learn_by, walk_of
from tabular_rl.methods.learning.monte_carlo import WEIGHTLESS, with_unused
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy
from tabular_rl.solving import options as o
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import Method, method
from tabular_rl.solving.run import Stop
from tabular_rl.solving.sampling import Floats

AT_ONCE = 2e7  # transitions presented in one call: well under a second


@method(
    equation="v(s) ← v(s) + Σ_t ρ_t [ r_t + γ v(s_t') - v(s) ] / Σ_t ρ_t,  all t with s_t = s, until v stays",
    source="Sutton & Barto (2018), 6.3",
)
def batch_td(
    mdp: MDP,
    policy: Policy,
    *,
    behavior: Policy | None = None,
    data: Any = None,
    steps: o.Steps = 1_000_000,
    sweeps: o.Sweeps = 100_000,
    source: o.Source = "trajectory",
    **shared: Unpack[o.ValueLearner],
) -> Learned:
    """Learn the values of a policy by presenting all transitions again and again, until nothing changes.

        v(s) ← v(s) + Σ_t ρ_t [ r_t + γ v(s_t') - v(s) ] / Σ_t ρ_t,    all t with s_t = s; ρ = π(a|s) / b(a|s)

    The transitions are a log, or those of a walk through the model; their TD errors are added up before v changes.
    What is reached depends on the transitions alone: it is the answer of certainty_equivalence. It ends when v
    changes by no more than rounding does. Only counts of outcomes are kept, so memory does not grow with the steps.
    A state in which no action of π was seen, or (at γ = 1) from which nothing that was seen leads to an end, is
    unknown: it keeps the start value, and counts as never visited. A step takes the same three uniforms as in td0.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    policy : π, whose values are learned
    behavior : b, which chooses the actions (default: π); it must take every action that π takes
    data : Transitions to learn from instead of samples of the model; after n steps the first n of them, each once
    steps, runs, seed : transitions a run, independent runs, start of the random numbers
    sweeps : presentations of all transitions, at most
    source, episode_steps : where transitions come from; when an episode is cut off
    start_value, start_from : v at the start, and of states that were only ever arrived at
    threads, time_limit, weights, reference, resume, checkpoint : as in td0

    Returns
    -------
    Learned: v (S,) of the mean over the runs, `estimates` (runs, S), the curve of the errors. No certificate.

    Raises
    ------
    OptionError : an option out of range, or a behaviour that lacks an action of the policy
    NoFiniteAnswer : at γ = 1, where the policy collects reward forever

    Sources
    -------
    Sutton & Barto (2018), 6.3, Examples 6.3 and 6.4.

    Examples
    --------
    You are the predictor: eight episodes, A 0 B 0; six times B 1; B 0. V(B) = 6/8, and A leads to B.

    >>> P = [[[0, 1, 0]], [[0, 0, 1]], [[0, 0, 0]]]
    >>> mdp = MDP(P, [[0], [0.5], [0]], 1, states=["A", "B", "end"], terminal=["end"])
    >>> log = [("A", 0, 0, "B"), ("B", 0, 0, "end")] + 6 * [("B", 0, 1, "end")] + [("B", 0, 0, "end")]
    >>> batch_td(mdp, Policy.uniform(mdp), data=log, steps=9).v.tolist()
    [0.75, 0.75, 0.0]
    """
    run = Batch(batch_td, locals())
    limit = run.option["sweeps"]

    def iterate(seen: Seen, weight: Floats, mass: Floats, v: Floats) -> None:
        from tabular_rl.kernels.batch import present

        error, left = np.empty(len(v)), limit
        at_once = max(1, int(AT_ONCE / (len(weight) + len(v))))
        while left > 0:
            run.run.check_stop()
            n = min(left, at_once)
            if present(weight, *seen[:4], run.mdp.gamma, mass, n, error, v) == 0:
                return
            left -= n
        run.unfinished = True

    run.rule = iterate
    answer = run.learn_batch()
    if not run.unfinished:
        return answer
    note = f"v still changed after {limit:,} sweeps; raise --sweeps, or use certainty-equivalence"
    return replace(answer, note=spoken("; ".join(filter(None, (answer.note, note)))))


@method(
    equation="(I - γ P̂) v = r̂,  P̂(s'|s) = Σ_t ρ_t 1{s_t' = s'} / Σ_t ρ_t,  r̂(s) = Σ_t ρ_t r_t / Σ_t ρ_t",
    source="Sutton & Barto (2018), 6.3",
)
def certainty_equivalence(
    mdp: MDP,
    policy: Policy,
    *,
    behavior: Policy | None = None,
    data: Any = None,
    steps: o.Steps = 1_000_000,
    source: o.Source = "trajectory",
    **shared: Unpack[o.ValueLearner],
) -> Learned:
    """Solve for the values of a policy in the chain that was estimated from transitions.

        (I - γ P̂) v = r̂,    P̂(s'|s) = Σ_t ρ_t 1{s_t' = s'} / Σ_t ρ_t,    r̂(s) = Σ_t ρ_t r_t / Σ_t ρ_t

    The sums run over all t with s_t = s; ρ = π(a|s) / b(a|s), 1 on policy: P̂ is then how often s' followed s. This is
    the chain of the policy as it was seen, not the model of each action with the policy's own probabilities put
    in. batch_td comes to the same values by iteration; what is unknown to it is unknown here.

    Parameters
    ----------
    mdp : the model; with a horizon there is a table for each time
    policy : π, whose values are learned
    behavior : b, which chooses the actions (default: π); it must take every action that π takes
    data : Transitions to learn from instead of samples of the model; after n steps the first n of them, each once
    steps, runs, seed : transitions a run, independent runs, start of the random numbers
    source, episode_steps : where transitions come from; when an episode is cut off
    start_value, start_from : v of states that were only ever arrived at
    threads, time_limit, weights, reference, resume, checkpoint : as in td0

    Returns
    -------
    Learned: v (S,) of the mean over the runs, `estimates` (runs, S), the curve of the errors. No certificate.

    Raises
    ------
    OptionError : an option out of range, or a behaviour that lacks an action of the policy
    NoFiniteAnswer : at γ = 1, where the policy collects reward forever

    Sources
    -------
    Sutton & Barto (2018), 6.3. Bradtke & Barto (1996).

    Examples
    --------
    One state: seen to pay 1 and stay once, to pay 0 and end once. v = 1/2 + 1/2 v.

    >>> mdp = MDP([[[0.75, 0.25]], [[0, 0]]], [[1.0], [0.0]], 1, states=["a", "end"], terminal=["end"])
    >>> log = [("a", 0, 1, "a"), ("a", 0, 0, "end")]
    >>> certainty_equivalence(mdp, Policy.uniform(mdp), data=log, steps=2)["a"]
    1.0
    """
    run = Batch(certainty_equivalence, locals())

    def solve(seen: Seen, weight: Floats, mass: Floats, v: Floats) -> None:
        run.run.check_stop()
        known = mass > 0
        n = int(known.sum())
        place = np.cumsum(known) - 1
        use = known[seen.state]
        share = weight[use] / mass[seen.state[use]]
        from_, to, over = place[seen.state[use]], seen.next_state[use], seen.over[use]
        inner = ~over & known[to]
        border = ~over & ~known[to]
        worth = seen.reward[use]
        worth[border] += run.mdp.gamma * v[to[border]]
        r_hat: Floats = np.bincount(from_, share * worth, n).astype(np.float64)
        entries = share[inner], (from_[inner], place[to[inner]])
        if n > DENSE_STATES:
            from scipy.sparse import csr_array

            P_hat = csr_array(entries, shape=(n, n))
            v[known] = solve_chain(P_hat, r_hat, run.mdp.gamma, run=run.run)
            return
        A = np.eye(n)
        np.add.at(A, entries[1], -run.mdp.gamma * entries[0])
        try:  # here, without the thread in which larger systems are solved: it would take ten times as long
            x = np.linalg.solve(A, r_hat)
            v[known] = x + np.linalg.solve(A, r_hat - A @ x)
        except np.linalg.LinAlgError as error:
            raise NumericalError(f"the linear system cannot be solved in floating point ({error})") from None

    run.rule = solve
    return run.learn_batch()


ENDLESS = "visited, and nothing that was seen from there leads to an end"


class Seen(NamedTuple):
    """Transitions that can be seen: the outcomes of a model, or the lines of a log."""

    state: NDArray[Any]
    reward: Floats
    next_state: NDArray[Any]
    over: NDArray[np.bool_]
    rho: Floats


class Batch(Learning):
    """A learner that counts what it sees, and computes its table from all of it when asked.

    `rule(seen, weight, mass, v)` changes v (S,) at the states of positive mass, the sum of the weights there.
    """

    rule: Callable[[Seen, Floats, Floats, Floats], None]

    def __init__(self, method: Method[..., Learned], given: dict[str, Any]) -> None:
        super().__init__(method, given, table="states")
        mdp, rho = self.mdp, self.rho()
        self.settled, self.given_up, self.unfinished = 0, False, False
        self.unused = {reason: np.zeros(mdp.S, dtype=bool) for reason in (WEIGHTLESS, ENDLESS)}
        if self.data is not None:
            log = self.data.arrays()
            self.seen = Seen(mdp.pair_state[log.row], log.reward, log.next_state, log.done, rho[log.row])
        else:
            i = mdp.outcome_row
            reward = mdp.sign * (mdp.r[i] if mdp.reward is None else mdp.reward)
            over = mdp.terminal[mdp.next_state]
            self.seen = Seen(mdp.pair_state[i], reward, mdp.next_state, over, rho[i])
        self.count = self.add_count("count", 0 if self.data is not None else mdp.K)

    def learn_batch(self) -> Learned:
        """Present all transitions, and return what was learned."""
        if self.data is not None:
            self.uniforms = 0
            self.steps = min(self.steps, len(self.data))
            answer = self.learn(lambda *_: None)
            # Nothing is walked, so there is no rate to show.
            answer = replace(answer, steps_a_second=math.nan, unit="transition")
        else:
            from tabular_rl.kernels.batch import count

            answer = learn_by(self, count, walk_of(self)[0], self.count)
        return with_unused(answer, self.unused)

    def current(self) -> Floats:
        """The estimates (runs, S), computed from all that was seen."""
        seen_now = self.done if self.data is None else min(self.done, len(self.data))
        if seen_now == self.settled or self.given_up:
            return self.estimates
        before = self.estimates.copy(), self.visits.copy()
        for mask in self.unused.values():
            mask[:] = False
        self.unfinished = False
        try:
            if self.data is None:
                for e in range(self.runs):
                    self._settle(e, self.count[e])
            else:
                self._settle(0, (np.arange(len(self.data)) < seen_now).astype(np.int64))
                self.visits[1:], self.estimates[1:] = self.visits[0], self.estimates[0]
            self.settled = seen_now
        except Stop:  # the run ends with what it knew when it was last asked
            self.given_up = True
            self.estimates[:], self.visits[:] = before
        return self.estimates

    def _settle(self, e: int, count: NDArray[np.int64]) -> None:
        from tabular_rl.kernels.batch import find_ways_out

        mdp, v = self.mdp, self.estimates[e]
        use = np.flatnonzero((count > 0) & (self.seen.rho > 0))
        seen = Seen._make(x[use] for x in self.seen)
        weight = count[use] * seen.rho
        mass: Floats = np.bincount(seen.state, weight, mdp.S).astype(np.float64)
        met = np.bincount(self.seen.state, count > 0, mdp.S) > 0
        self.unused[WEIGHTLESS] |= met & (mass == 0)
        if mdp.gamma == 1:
            found = np.zeros(mdp.S, dtype=bool)
            find_ways_out(weight, seen.state, seen.next_state, seen.over, mass, found)
            mass[~found] = 0.0
            self.unused[ENDLESS] |= met & ~found & ~self.unused[WEIGHTLESS]
        # From the start value each time: what is reached must not depend on when it was asked for.
        v[~mdp.terminal] = self.start_values[~mdp.terminal]
        self.visits[e] = np.where(mass > 0, np.bincount(seen.state, count[use], mdp.S), 0)
        self.rule(seen, weight, mass, v)
