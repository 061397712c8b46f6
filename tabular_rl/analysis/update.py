"""One update of a learner with its numbers: those that its own kernel made."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabular_rl.errors import OptionError, escape, quoted
from tabular_rl.formats.logs import given_transitions
from tabular_rl.methods.lookup import learner_of
from tabular_rl.model import hooks
from tabular_rl.model.mdp import MDP
from tabular_rl.model.policy import Policy, policy_of
from tabular_rl.model.transitions import Transitions, behavior_of
from tabular_rl.model.unroll import state_name, unroll, unroll_policy
from tabular_rl.solving import run as running
from tabular_rl.solving.learned import Learned
from tabular_rl.solving.method import Method
from tabular_rl.solving.sampling import Floats, policy_cum, sampling_model
from tabular_rl.solving.schedules import Schedule

ONE_STEP = (
    "td0",
    "sarsa",
    "sarsa-evaluation",
    "expected-sarsa",
    "q-evaluation",
    "q-learning",
    "double-q-learning",
)
SARSAS = ("sarsa", "sarsa-evaluation")
EXPECTED = ("expected-sarsa", "q-evaluation")
# What a step or a transition decides by itself, and what has no part in one update.
DECIDED = ("steps", "runs", "average", "replay", "capacity", "batch", "threads", "time_limit", "reference", "resume",
           "checkpoint", "weights")  # fmt: skip


@dataclass(frozen=True)
class Successor:
    """An action in s': its name, the probability that it counts with, its value, and the value it was chosen by."""

    action: str
    share: float | None
    value: float
    judged: float | None = None


@dataclass(frozen=True, eq=False)
class Update:
    """One update, x(j) ← x(j) + α ρ [ target - x(j) ], in the sign of the model.

    Parameters
    ----------
    mdp, method : the model, and the name of the learner
    step, seed : which step of which run it is; None of a transition that was given
    state, action, reward, next_state, next_action, done : the transition; a' only where the learner reads it
    table : which table is updated: v, q, or q₁ and q₂ of double Q-learning
    successors : the actions in s' that the target is made of; () at the end, and for values of states
    chosen : the action that decides what s' is worth, None where all do
    worth : what s' is worth, None at the end
    target, old, error, new : r + γ worth; the entry before; target - old; the entry after
    schedule, count, step_size : α, the n that it is of, and its value
    ratio : ρ, None where there is none
    possible : whether the model ever leads from (s, a) to s'
    """

    mdp: MDP
    method: str
    step: int | None
    seed: int | None
    state: str
    action: str
    reward: float
    next_state: str
    next_action: str | None
    done: bool
    table: str
    successors: tuple[Successor, ...]
    chosen: str | None
    worth: float | None
    target: float
    old: float
    error: float
    schedule: Schedule
    per: str
    count: int
    step_size: float
    ratio: float | None
    new: float
    possible: bool = True

    def __str__(self) -> str:
        return str(hooks.text_of(self))

    def __repr__(self) -> str:
        entry = escape(self.state) if self.table == "v" else f"{escape(self.state)}, {escape(self.action)}"
        return f"Update({self.method}, {self.table}({entry}): {self.old} to {self.new})"


def explain_update(
    mdp: MDP, method: Any, policy: Any, transition: Any, step: Any, options: dict[str, Any]
) -> Update:
    """Return one update of a learner of one step: from a transition, or step n of a run of a seed.

    The learner itself makes the update, and the numbers are read from its tables before and after.

    Parameters
    ----------
    mdp, method, policy : the model, the learner, and the policy of one that evaluates
    transition : (s, a, r, s') or (s, a, r, s', a'), or the same as a text with commas; None for a step
    step : n from 1; None for a transition
    options : of the learner

    Returns
    -------
    Update, whose text is what the command `explain` prints.

    Raises
    ------
    OptionError : no such learner, an option that it does not have, or a transition that it cannot learn from
    """
    learner = learner_of(method)
    if learner.name not in ONE_STEP:
        raise OptionError(
            f"explain: {learner.name} has no updates of one step, expected one of {', '.join(ONE_STEP)}"
        )
    if (transition is None) == (step is None):
        raise OptionError("explain: found a transition and a step, expected one of them")
    for name in options:
        if name in DECIDED:
            raise OptionError(f"explain: found {name}, which has no part in one update")
    if step is not None and (isinstance(step, bool) or not isinstance(step, (int, np.integer)) or step < 1):
        raise OptionError(f"step: found {quoted(step)}, expected a whole number from 1")
    if learner.task == "prediction" and policy is None:
        policy = Policy.uniform(mdp)
    if transition is not None:
        if "data" in options or "seed" in options:
            raise OptionError("explain: found data or a seed with a transition, expected them with a step")
        options = options | _as_log(mdp, learner, policy, transition, options)
    elif options.get("data") is not None:
        options = options | {"data": given_transitions(options["data"], mdp)}
    return _Step(mdp, learner, policy, int(step or 1), options, transition is None).update()


# -- a transition that is given ----------------------------------------------------------------------------------------


def _as_log(
    mdp: MDP, learner: Method[..., Any], policy: Any, transition: Any, options: dict[str, Any]
) -> dict[str, Any]:
    """Return the transition as `data`, and the policy that expected SARSA explores by as `behavior`."""
    given = _words(transition)
    if learner.name in SARSAS and len(given) == 4:
        s2 = Transitions.of(mdp, [given]).next_state[0]
        if not mdp.terminal[s2]:
            raise OptionError(f"transition: {learner.name} learns from (s, a, r, s', a'), found no a'")
    one = Transitions.of(mdp, [given[:4]])
    next_row = np.array([-1])
    if len(given) == 5 and not one.done[0]:
        try:
            next_row[0] = mdp.row(int(one.next_state[0]), given[4])
        except KeyError:
            raise OptionError(f"transition: action {quoted(given[4])} is not available in s'") from None
    made: dict[str, Any] = {}
    if learner.name == "expected-sarsa" and options.get("behavior") is None:
        made["behavior"] = _exploring(mdp, learner, options)
    # Behind it every pair that the policy takes, as learners of a policy want to see; one step learns from none of it.
    rest = np.arange(mdp.L) if policy is None else np.flatnonzero(policy_of(mdp, policy).takes)
    many = np.ones(len(rest), dtype=np.int64)
    made["data"] = Transitions(
        mdp,
        np.concatenate([one.row, rest]),
        np.concatenate([one.reward, 0.0 * many]),
        np.concatenate([one.next_state, 0 * many]),
        np.concatenate([one.done, many > 0]),
        np.concatenate([next_row, -many]),
    )
    return made


def _words(transition: Any) -> list[Any]:
    """Return the parts of a transition; those of a text may be quoted, as in '"1,1",up,-1,"1,0"'."""
    parts = transition
    if isinstance(transition, str):
        parts = [part.strip() for part in next(csv.reader([transition], skipinitialspace=True), [])]
    if not isinstance(parts, Sequence) or len(parts) not in (4, 5):
        raise OptionError(
            f"transition: found {quoted(transition)}, expected (s, a, r, s'), perhaps with the next action a'. "
            "Quote names that hold commas"
        )
    return list(parts)


def _exploring(mdp: MDP, learner: Method[..., Any], options: dict[str, Any]) -> Policy:
    """The policy by which a learner explores at its start values."""
    none = {name: x for name, x in options.items() if name != "behavior"}
    values = _at(mdp, learner, None, none, 0).state["arrays"]["estimates"]
    explore = learner.checked(none)["explore"]
    visits = np.zeros_like(values, dtype=np.int64)
    first_tie = learner.checked(none)["ties"] == "first"
    shares = [_shares(mdp, explore, 1, s, values, visits, first_tie) for s in range(mdp.S)]
    return Policy(mdp, probs=np.concatenate(shares))


def _shares(
    mdp: MDP, explore: Any, k: int, s: int, q: Floats, visits: NDArray[Any], first_tie: bool = False
) -> Floats:
    """π(a|s) of a way to explore, of the rows of s, by a table q (1, L) in the sign of maximisation."""
    rows = slice(int(mdp.pair_ptr[s]), int(mdp.pair_ptr[s + 1]))
    values, n, x = q[0, rows], len(q[0, rows]), explore.rate.at(k)
    if not n:
        return np.zeros(0)
    if explore.kind == "boltzmann":
        weight = np.exp((values - values.max()) / x)
        return np.asarray(weight / weight.sum())
    best = np.arange(n) == np.argmax(values) if first_tie else values == values.max()
    if explore.kind == "ucb":
        from tabular_rl.kernels.walk import other_choice

        best = np.arange(rows.start, rows.stop) == other_choice(
            explore.code, x, rows.start, rows.stop, q, visits, 0, 0.0
        )
        x = 0.0
    if explore.kind == "epsilon-visits":
        x = x / (x + int(visits[0, rows].sum()))
    return np.asarray(x / n + (1 - x) * best / best.sum())


# -- the learner before and after the step ---------------------------------------------------------------------------


@contextmanager
def _unheard() -> Iterator[None]:
    """Say nothing of what theory knows of the run."""
    before = running.adviser, running.listener
    running.adviser = running.listener = None
    try:
        yield
    finally:
        running.adviser, running.listener = before


def _at(
    mdp: MDP, learner: Method[..., Any], policy: Any, options: dict[str, Any], steps: int, resume: Any = None
) -> Learned:
    """The learner after some steps; none at all is what it knows at the start."""
    learner.check_model(mdp)
    learner.check_options(options)
    values = learner.checked({**options, "runs": 1, "steps": max(steps, 1)})
    values |= {"steps": steps, "reference": False, "resume": resume}
    with _unheard():
        found: Learned = learner.function(*((mdp,) if policy is None else (mdp, policy)), **values)
    return found


class _Step:
    """A learner before and after one step, and what its kernel read on the way, in the sign of maximisation."""

    def __init__(
        self,
        whole: MDP,
        learner: Method[..., Any],
        policy: Any,
        k: int,
        options: dict[str, Any],
        walked: bool,
    ) -> None:
        self.whole, self.learner, self.k, self.walked = whole, learner, k, walked
        self.name, self.option = learner.name, learner.checked(options)
        policy = None if policy is None else policy_of(whole, policy)
        behavior = options.get("behavior")
        before = _at(whole, learner, policy, options, k - 1)
        after = _at(whole, learner, policy, options, k, before)
        self.before, self.after = before.state["arrays"], after.state["arrays"]
        self.stream = before.state["streams"][0]
        self.mdp = unroll(whole) if whole.problem.timed else whole
        acts = policy if behavior is None else policy_of(whole, behavior)
        if acts is None and self.name == "expected-sarsa" and self.option["data"] is not None:
            acts = behavior_of(self.option["data"])
        self.policy, self.acts = (
            None if x is None else x if self.mdp is whole else unroll_policy(x, self.mdp)
            for x in (policy, acts)
        )
        self.explore = self.option.get("explore") if self.acts is None else None
        self.row, self.reward, self.s2, self.row2 = self._transition()

    def _transition(self) -> tuple[int, float, int, int]:
        """The row of (s, a), r, s' (-1: the end), and the row of a' where SARSA reads it, else -1."""
        from tabular_rl.kernels.walk import draw, explore, outcome

        data = self.option.get("data")
        if data is not None:
            log = data.arrays()
            at = (self.k - 1) % len(log.row)
            s2 = -1 if log.done[at] else int(log.next_state[at])
            self.arrived = int(log.next_state[at])
            return int(log.row[at]), float(log.reward[at]), s2, int(log.next_row[at])
        mdp, model = self.mdp, sampling_model(self.mdp)
        rng = np.random.Generator(np.random.PCG64())
        rng.bit_generator.state = self.stream
        first_tie = self.option.get("ties") == "first"
        u = rng.random((4 if self.name in (*SARSAS, "double-q-learning") else 3) - first_tie)
        i = int(self.before["row"][0])
        out = int(draw(model, i, u[0]))
        self.arrived = int(mdp.next_state[out])
        r, s2 = outcome(model, i, out)
        row2 = -1
        if self.name in SARSAS and s2 >= 0:
            kind, x = self._exploring()
            cum = policy_cum(Policy.uniform(mdp) if self.acts is None else self.acts)
            q, visits = self.before["estimates"], self.before["visits"]
            first, last = int(mdp.pair_ptr[s2]), int(mdp.pair_ptr[s2 + 1])
            row2 = int(explore(kind, x, first, last, cum, q, visits, 0, u[1 if first_tie else 2]))
        return i, float(r), int(s2), row2

    def _exploring(self) -> tuple[int, float]:
        """How actions are chosen in this step, for kernels: the kind, and its rate."""
        if self.explore is None:
            return 0, 0.0
        code = self.explore.first_tie if self.option.get("ties") == "first" else self.explore.code
        return code, self.explore.rate.at(self.k)

    # -- what s' is worth ---------------------------------------------------------------------------------------------

    def _tables(self) -> tuple[str, str, Floats, Floats]:
        """What the updated table is called and the array of it, then what successors are judged by, and read from."""
        if self.name == "double-q-learning":
            if self.after["heads"][0, self.row] > self.before["heads"][0, self.row]:
                return "q₁", "qa", self.before["qa"], self.before["qb"]
            return "q₂", "qb", self.before["qb"], self.before["qa"]
        bar = self.before.get("target", self.before["estimates"])
        return ("v" if self.name == "td0" else "q"), "estimates", bar, bar

    def _successors(self, judged: Floats, read: Floats) -> tuple[tuple[Successor, ...], int, float | None]:
        """The actions of s', which of them decides, and what s' is worth; the last in the sign of maximisation."""
        if self.s2 < 0:
            return (), -1, None
        if self.name == "td0":
            return (), -1, float(read[0, self.s2])
        mdp, sign = self.mdp, self.whole.sign
        first, last = int(mdp.pair_ptr[self.s2]), int(mdp.pair_ptr[self.s2 + 1])
        shares, worth, chosen = None, None, -1
        if self.name in EXPECTED:
            shares, worth = self._expected(first, last, read)
        elif self.name in SARSAS:
            if self.row2 < 0:
                raise OptionError(
                    f"explain: {self.name} learns nothing from step {self.k}: the log says no a'"
                )
            chosen = self.row2
        else:
            chosen = first + int(np.argmax(judged[0, first:last]))
        if worth is None:
            worth = float(read[0, chosen])
        double = self.name == "double-q-learning"
        listed = [
            Successor(
                mdp.actions[int(mdp.pair_action[i])],
                None if shares is None else float(shares[i - first]),
                float(sign * read[0, i]),
                float(sign * judged[0, i]) if double else None,
            )
            for i in ([chosen] if self.name in SARSAS else range(first, last))
        ]
        return tuple(listed), chosen, worth

    def _expected(self, first: int, last: int, read: Floats) -> tuple[Floats, float]:
        """The probabilities of the actions of s', and the mean, by the kernel that the learner uses."""
        from tabular_rl.kernels.one_step import expectation, own_value

        if self.explore is None:
            pi = self.policy if self.policy is not None else self.acts
            assert pi is not None
            return pi.weights[first:last], float(expectation(pi.weights, first, last, read, 0))
        q, visits = self.before["estimates"], self.before["visits"]
        kind, x = self._exploring()
        worth = own_value(kind, x, first, last, np.zeros(0), visits, q, 0, read)
        first_tie = self.option["ties"] == "first"
        return _shares(self.mdp, self.explore, self.k, self.s2, q, visits, first_tie), float(worth)

    # -- the update ---------------------------------------------------------------------------------------------------

    def update(self) -> Update:
        """The numbers of the update."""
        mdp, whole, sign = self.mdp, self.whole, int(self.whole.sign)
        table, array, judged, read = self._tables()
        successors, chosen, worth = self._successors(judged, read)
        s = int(mdp.pair_state[self.row])
        j = s if self.name == "td0" else self.row
        old, new = float(self.before[array][0, j]), float(self.after[array][0, j])
        target = self.reward if worth is None else self.reward + mdp.gamma * worth
        count = int(self.after["visits"][0, j])
        if array in ("qa", "qb"):
            heads = int(self.after["heads"][0, j])
            count = heads if array == "qa" else count - heads
        schedule, per = self.option["step_size"], self.option["per"]
        count = self.k if per == "step" else count
        ratio = self._ratio() if self.name == "td0" else None
        reads_next = self.name in SARSAS and chosen >= 0
        return Update(
            mdp=whole, method=self.name, step=self.k if self.walked else None,
            seed=int(self.option["seed"]) if self.walked and self.option.get("data") is None else None,
            state=state_name(whole, mdp, s), action=self._action(self.row), reward=float(sign * self.reward),
            next_state=state_name(whole, mdp, self.arrived), done=self.s2 < 0,
            next_action=self._action(chosen) if reads_next else None, table=table, successors=successors,
            chosen=self._action(chosen) if chosen >= 0 else None, worth=None if worth is None else sign * worth,
            target=sign * target, old=sign * old, error=sign * (target - old), schedule=schedule, per=per,
            count=count, step_size=float(schedule.at(count)), ratio=ratio, new=sign * new,
            possible=self._possible(),
        )  # fmt: skip

    def _possible(self) -> bool:
        """Whether s' may follow (s, a) in the model."""
        ks = slice(int(self.mdp.row_ptr[self.row]), int(self.mdp.row_ptr[self.row + 1]))
        return bool((self.mdp.next_state[ks] == self.arrived).any())

    def _action(self, row: int) -> str:
        return self.mdp.actions[int(self.mdp.pair_action[row])]

    def _ratio(self) -> float | None:
        """ρ = π(a|s) / b(a|s) of TD(0), None where it is 1 by definition."""
        assert self.policy is not None and self.acts is not None
        sweeps = self.option["source"] == "sweeps" and self.option.get("data") is None
        if self.acts is self.policy and not sweeps:
            return None
        b = Policy.uniform(self.mdp) if sweeps else self.acts
        return float(self.policy.weights[self.row] / b.weights[self.row])
