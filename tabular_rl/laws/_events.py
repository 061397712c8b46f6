"""What can happen in one step of a learner whose update is linear in its table, and how moments go through it.

An event e is one row, outcome and, for SARSA, next action. It has a probability p given the node in which the step
begins, and changes one entry j of the table:

    z ← z + α e_j y,    y = g·z + c

z holds the table, then the target table where there is one, then the sum of the tables so far where they are averaged.
Nodes are what has to be known of the past to know the probabilities of the next step: the state, along a trajectory
(the row, for SARSA, which has chosen its next action already); nothing, where pairs are independent; a sweep knows its
row from the count of steps. Each outcome is an event with its own reward, so random rewards need nothing more.

The means u(t) = E[z 1{node = t}] and second moments W(t) = E[z zᵀ 1{node = t}] then obey

    u'(t) = Σ_e→t p [ u(s) + α e_j h ],                                h = g·u(s) + c Pr(s)
    W'(t) = Σ_e→t p [ W(s) + α (e_j qᵀ + q e_jᵀ) + α² e_j e_jᵀ y₂ ],   q = W(s) g + c u(s),  y₂ = g·q + c h

with s the node that e begins in. Events that end an episode lead to one more node, whose moments are then dealt out by
the start distribution. g has few entries, so that the cost of a step is that of moving W: outcomes × entries².
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError, closest, quoted
from tabular_rl.methods.learning._learning import Learning
from tabular_rl.methods.learning.expected_sarsa import q_evaluation
from tabular_rl.methods.learning.sarsa import sarsa_evaluation
from tabular_rl.methods.learning.td0 import td0
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import size_text
from tabular_rl.model.policy import Policy
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import Method
from tabular_rl.solving.schedules import Schedule

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST = 2**30  # bytes of a table of second moments
LAWS: dict[str, tuple[Method[..., Learned], Literal["states", "pairs"]]] = {
    "td0": (td0, "states"),
    "sarsa-evaluation": (sarsa_evaluation, "pairs"),
    "q-evaluation": (q_evaluation, "pairs"),
}


@dataclass(frozen=True)
class Events:
    """Everything that can happen in a step; `look` (E, n) is what the target reads of each entry."""

    row: Ints
    node: Ints
    to: Ints  # the next node, or `nodes` where an episode ends
    prob: Floats  # given the node
    entry: Ints
    rho: Floats
    reward: Floats
    look: Any

    def where(self, keep: NDArray[np.bool_]) -> Events:
        return Events(*(getattr(self, field.name)[keep] for field in fields(self)))


class Step:
    """How the moments of z (N,) go through one step, by its events."""

    def __init__(self, law: Law, events: Events) -> None:
        from scipy.sparse import csr_array

        E, nodes, N, gamma, centre = len(events.node), law.nodes, law.N, law.mdp.gamma, law.shift
        reads = law.n if law.target != "none" else 0  # where in z the target table begins
        self.nodes, self.start, self.N = nodes, law.start, N
        look = events.look.tocoo()
        rows = np.concatenate([look.row, np.arange(E)])
        values = np.concatenate([gamma * look.data * events.rho[look.row], -events.rho])
        columns = np.concatenate([look.col + reads, events.entry])
        g: Any = csr_array((values, (rows, columns)), shape=(E, N))  # adds up what falls together
        delta = events.reward + gamma * (events.look @ centre) - centre[events.entry]
        self.node = events.node
        self.c = events.rho * delta
        g = g.tocoo()
        self.g_row, self.g_column, self.g_value = g.row, g.col, g.data
        self.pick: Any = csr_array((g.data, (g.row, events.node[g.row] * N + g.col)), shape=(E, nodes * N))
        self.put: Any = csr_array(
            (events.prob, (events.to * N + events.entry, np.arange(E))), shape=((nodes + 1) * N, E)
        )
        self.move: Any = csr_array((events.prob, (events.to, events.node)), shape=(nodes + 1, nodes))

    def _deal(self, moments: Floats) -> Floats:
        """Start again what came to the end of an episode."""
        live, ended = moments[:-1], moments[-1]
        if np.any(ended):
            for t in np.flatnonzero(self.start):
                live[t] += self.start[t] * ended
        return live

    def chances(self, chance: Floats) -> Floats:
        """Pr(node) after the step."""
        return self._deal(self.move @ chance)

    def mean(self, chance: Floats, u: Floats, step_size: float) -> Floats:
        """Return u' (nodes, N)."""
        h = self.pick @ u.ravel() + self.c * chance[self.node]
        moved = self.move @ u + step_size * (self.put @ h).reshape(-1, self.N)
        return self._deal(moved)

    def second(self, chance: Floats, u: Floats, W: Floats, step_size: float) -> Floats:
        """Return W' (nodes, N, N)."""
        N = self.N
        h = self.pick @ u.ravel() + self.c * chance[self.node]
        q = self.pick @ W.reshape(-1, N) + self.c[:, None] * u[self.node]
        y2 = np.bincount(self.g_row, self.g_value * q[self.g_row, self.g_column], len(h)) + self.c * h
        cross = step_size * (self.put @ q).reshape(-1, N, N)
        moved = (self.move @ W.reshape(self.nodes, -1)).reshape(-1, N, N)
        moved += cross
        moved += cross.transpose(0, 2, 1)
        diagonal = np.arange(N)
        moved[:, diagonal, diagonal] += step_size**2 * (self.put @ y2).reshape(-1, N)
        return self._deal(moved)


class Law:
    """The law of a learner: its options, its steps, and the moments of its tables, in the sign of maximisation.

    Moments are those of z less the `centre`, where the expected update is zero: numbers as small as the noise, so that
    covariances are not differences of large numbers.
    """

    def __init__(self, method: str, mdp: MDP, policy: Policy, steps: int, options: dict[str, Any]) -> None:
        if method not in LAWS:
            raise OptionError(
                f"method {quoted(method)}: found no closed recursion for its moments{closest(method, LAWS) or ''}, "
                f"expected one of {', '.join(LAWS)}"
            )
        learner, kind = LAWS[method]
        learner.check_options(options)
        of_sampling = {
            "steps": steps,
            "runs": 1,
            "seed": 0,
            "reference": False,
            "resume": None,
            "checkpoint": None,
        }
        given = learner.checked(options | of_sampling) | {"mdp": mdp, "policy": policy}
        if given.get("data") is not None:
            raise OptionError("data: found transitions, which leave nothing to chance, expected a source")
        mdp.validate()
        self.learner = run = Learning(learner, given, table=kind)
        self.method, self.kind, self.mdp = method, kind, run.mdp
        self.step_size: Schedule = run.option["step_size"]
        if run.option["per"] == "visit" and self.step_size.kind != "constant":
            raise OptionError(
                f"--step-size: found {self.step_size} of the visits, whose moments obey no closed recursion, "
                'expected a constant one or per="step"'
            )
        self.source: str = run.option["source"]
        if run.option["episode_steps"] is not None and self.source == "trajectory":
            raise OptionError(f"--episode-steps: found {run.option['episode_steps']}, expected none")
        self.target, self.by = run.option["target"]
        if self.source == "sweeps":
            self.target, self.by = "copy", float(self.mdp.L)
        self.average: bool = run.option["average"]
        live = ~self.mdp.terminal if kind == "states" else np.ones(self.mdp.L, dtype=bool)
        self.live = np.flatnonzero(live)
        self.entries, self.n = len(live), len(self.live)
        self.blocks = 1 + (self.target != "none") + self.average
        self.N = self.blocks * self.n
        assert run.policy is not None
        assert run.behavior is not None
        self.pi, self.b = run.policy.weights, run.behavior.weights
        self.start_values = run.start_table()[self.live]
        self._make()

    # -- the events -------------------------------------------------------------------------------------------------

    def _make(self) -> None:
        """Find the nodes, the first distribution over them, and the steps that come in turn."""
        mdp, b = self.mdp, self.b
        events = self._events()
        if self.source == "trajectory":
            events = events.where(b[events.row] > 0)
            self.start = mdp.start[~mdp.terminal]
            if self.method == "sarsa-evaluation":
                self.start = mdp.start[mdp.pair_state] * b
            else:  # what comes next depends on the state alone: the action is chosen again
                events = replace(events, prob=events.prob * b[events.row])
            self.by_step = [events]
        else:
            alone = np.zeros(len(events.row), dtype=np.int64)
            events = replace(events, node=alone, to=alone)
            self.start = np.ones(1)
            if self.source == "independent":
                share = b[events.row] / (~mdp.terminal).sum()
                self.by_step = [replace(events, prob=events.prob * share).where(share > 0)]
            else:
                self.by_step = [events.where(events.row == i) for i in range(mdp.L)]
        self.nodes = len(self.start)
        self.centre = self._centre()
        self.shift = np.where(np.isfinite(self.centre), self.centre, 0.0)
        self.stages = [Step(self, events) for events in self.by_step]

    def _events(self) -> Events:
        """The events of all rows, with the nodes that they have along a trajectory."""
        from scipy.sparse import csr_array

        mdp, live = self.mdp, ~self.mdp.terminal
        at = np.cumsum(live) - 1  # the number of a live state among them
        k = np.flatnonzero(mdp.prob > 0)
        row = mdp.outcome_row[k]
        prob, s2 = mdp.prob[k], mdp.next_state[k].astype(np.int64)
        reward = mdp.sign * mdp.outcome_reward[k]
        node, to = at[mdp.pair_state[row]], np.where(live[s2], at[s2], live.sum())
        if self.method == "td0":
            on = np.flatnonzero(live[s2])
            look = csr_array((np.ones(len(on)), (on, at[s2[on]])), shape=(len(k), self.n))
            return Events(row, node, to, prob, node, self.learner.rho()[row], reward, look)
        many = np.diff(mdp.pair_ptr)[s2]  # each outcome with each of the next rows
        e = np.repeat(np.arange(len(k)), many)
        row2 = np.arange(len(e)) - np.repeat(np.cumsum(many) - many, many) + mdp.pair_ptr[s2[e]]
        if self.method == "q-evaluation":
            look = csr_array((self.pi[row2], (e, row2)), shape=(len(k), self.n))
            return Events(row, node, to, prob, row, np.ones(len(k)), reward, look)
        taken = self.b[row2] > 0
        e, row2 = e[taken], row2[taken]
        ends = np.flatnonzero(~live[s2])
        both = np.concatenate([e, ends])
        prob = np.concatenate([prob[e] * self.b[row2], prob[ends]])
        to = np.concatenate([row2, np.full(len(ends), mdp.L)])
        look = csr_array((np.ones(len(e)), (np.arange(len(e)), row2)), shape=(len(both), self.n))
        return Events(row[both], row[both], to, prob, row[both], np.ones(len(both)), reward[both], look)

    def _centre(self) -> Floats:
        """Where the expected update of every entry is zero (n,): Σ p ρ (r + γ look·x - x_j) = 0.

        An entry that is never updated stays as it is; NaN where the equations are singular.
        """
        from scipy.sparse import csr_array

        n = self.n
        A, right, touched = csr_array((n, n)), np.zeros(n), np.zeros(n, dtype=bool)
        for e in self.by_step:
            weight = e.prob * e.rho
            pick: Any = csr_array((weight, (e.entry, np.arange(len(weight)))), shape=(n, len(weight)))
            A = A + csr_array((weight, (e.entry, e.entry)), shape=(n, n)) - self.mdp.gamma * (pick @ e.look)
            right += pick @ e.reward
            touched[e.entry[weight > 0]] = True
        return solution_on(A, right, touched, self.start_values)

    # -- moments ----------------------------------------------------------------------------------------------------

    def first(self) -> Floats:
        """Return z at the start, less the centre."""
        z = np.zeros(self.N)
        for block in range(self.blocks - self.average):
            z[block * self.n : (block + 1) * self.n] = self.start_values - self.shift
        return z

    def need(self, kept: float, covariance: bool) -> None:
        """Raise OptionError where the work, or what is `kept`, is too large for the memory that is allowed."""
        size = 8.0 * max((self.nodes + 1) * float(self.N) ** (2 if covariance else 1), kept)
        if size > MOST:
            way_out = "covariance=False gives the means" if covariance else 'source="independent" takes less'
            raise OptionError(
                f"moments of {self.n} entries ({self.source}): found tables of {size_text(size)}, expected up to "
                f"{size_text(MOST)}: {way_out}"
            )

    def advance(
        self, k: int, chance: Floats, u: Floats, W: Floats | None
    ) -> tuple[Floats, Floats, Floats | None]:
        """Return the chances of the nodes and the moments after step k + 1, of those after step k."""
        stage = self.stages[k % len(self.stages)]
        step_size = self.step_size.at(k + 1)
        if W is not None:
            W = self._after(k, stage.second(chance, u, W, step_size), (1, 2))
        u = self._after(k, stage.mean(chance, u, step_size), (1,))
        return stage.chances(chance), u, W

    def _after(self, k: int, moments: Floats, axes: tuple[int, ...]) -> Floats:
        """What follows an update: the target moves, the sum grows."""
        n = self.n
        for axis in axes:
            along = np.moveaxis(moments, axis, 0)
            if self.target == "copy" and (k + 1) % int(self.by) == 0:
                along[n : 2 * n] = along[:n]
            elif self.target == "average":
                along[n : 2 * n] += self.by * (along[:n] - along[n : 2 * n])
            if self.average:
                along[-n:] += along[:n]
        return moments

    # -- the answer -------------------------------------------------------------------------------------------------

    def full(self, values: Floats, fill: float = 0.0) -> Floats:
        """Values of the live entries (..., n) as a table (..., entries)."""
        if self.n == self.entries:
            return values
        table = np.full((*values.shape[:-1], self.entries), fill)
        table[..., self.live] = values
        return table

    def full_square(self, values: Floats) -> Floats:
        """Values of pairs of live entries (n, n) as a table (entries, entries), 0 elsewhere."""
        table = np.zeros((self.entries, self.entries))
        table[np.ix_(self.live, self.live)] = values
        return table

    def truth(self) -> Floats:
        """The exact values of the policy (entries,), in the sign of maximisation: v_π or q_π."""
        from scipy.sparse import csr_array, identity

        mdp = self.mdp
        P: Any = csr_array((mdp.prob, mdp.next_state, mdp.row_ptr), shape=(mdp.L, mdp.S))
        by_state: Any = csr_array((self.pi, (mdp.pair_state, np.arange(mdp.L))), shape=(mdp.S, mdp.L))
        r = mdp.sign * mdp.r
        v = solution_on(identity(mdp.S) - mdp.gamma * (by_state @ P), by_state @ r, ~mdp.terminal, 0.0)
        return v if self.kind == "states" else r + mdp.gamma * (P @ v)

    def start_weights(self) -> Floats:
        """(entries,) whose sum with a table is the value of the start."""
        mdp = self.mdp
        return mdp.start if self.kind == "states" else mdp.start[mdp.pair_state] * self.pi


def deviations(covariance: Floats | None) -> Floats:
    """The standard deviations (..., n) of covariances (..., n, n); OptionError where they were not computed."""
    if covariance is None:
        raise OptionError("covariance: found False, expected True: without it there are means alone")
    variance = np.diagonal(covariance, axis1=-2, axis2=-1)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def solution_on(A: Any, right: Floats, touched: NDArray[np.bool_], otherwise: Floats | float) -> Floats:
    """Return x with A x = right on the entries `touched`, another value elsewhere; NaN where A is singular.

    Parameters
    ----------
    A : (n, n), dense or sparse
    right : (n,)
    touched : the entries with an equation (n,)
    otherwise : the values of all others, (n,) or one number

    Returns
    -------
    x (n,)
    """
    import warnings

    from scipy.sparse import csc_array
    from scipy.sparse.linalg import spsolve

    x = np.full(len(right), otherwise, dtype=np.float64)
    on, off = np.flatnonzero(touched), np.flatnonzero(~touched)
    if not len(on):
        return x
    rows = csc_array(A)[on]
    inner = csc_array(rows[:, on])
    given = right[on] - rows[:, off] @ x[off]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = np.atleast_1d(spsolve(inner, given))
    scale = np.abs(given).max() + abs(inner).max() * np.abs(found).max()
    good = np.isfinite(found).all() and np.abs(inner @ found - given).max() <= 1e-9 * scale
    x[on] = found if good else np.nan
    return x
