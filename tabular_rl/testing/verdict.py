"""Put a learner of one's own to the test."""

from __future__ import annotations

import inspect
import math
import random
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabular_rl.errors import OptionError
from tabular_rl.model import MDP
from tabular_rl.options import check
from tabular_rl.policy import Policy
from tabular_rl.schedules import Schedule
from tabular_rl.testing.models import Case, cases
from tabular_rl.testing.rules import MISTAKES, RULES, Transition, known_rule, learned_by, mistakes_of

FALSE_ALARM = 1e-6
ROUNDING = 1e-9  # relative difference that another order of the same arithmetic may cause
LONGEST = 12  # transitions of an explicit sequence
SEQUENCES = 8  # explicit sequences a model
NAMES = (
    "gamma",
    "step_size",
    "pi",
    "a2",
    "n",
    "rng",
)  # what a function is given where it has a parameter of the name
STEP = ("table", "s", "a", "r", "s2", "done")


@dataclass(frozen=True)
class Verdict:
    """What came out: `passed`, and why.

    `mistakes` are sentences about the known mistakes that fit, `difference` the largest difference on explicit
    sequences, `false_alarm` a proven bound on the probability that a right learner fails, `detects` the smallest
    error of a mean that is found with probability 99.9%, in units of reward, None where nothing was sampled.
    """

    rule: str
    passed: bool
    what: str
    mistakes: tuple[str, ...]
    sequences: int
    difference: float
    runs: int
    false_alarm: float
    detects: float | None
    seed: int

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        lines = [f"{self.rule}: {'right' if self.passed else 'wrong'}", f"  {RULES[self.rule]}"]
        if self.what:
            lines.append(f"  {self.what}")
        lines += [f"  this fits: {said}" for said in self.mistakes]
        if not self.passed and not self.mistakes:
            lines.append("  none of the known mistakes fits")
        if self.sequences:
            lines.append(f"  explicit: {self.sequences} sequences, largest difference {self.difference:.2g}")
        if self.detects is not None:
            lines.append(
                f"  sampled: {self.runs} runs a model, seed {self.seed}: a right learner fails with probability at "
                f"most {self.false_alarm:g};\n  a mean that is off by {self.detects:.2g} is found (99.9%)"
            )
        return "\n".join(lines)


def check_learner(
    learner: Callable[..., Any],
    rule: str,
    *,
    step_size: Any = 0.25,
    kind: str = "auto",
    explicit: bool = True,
    sampled: bool = True,
    steps: int = 20,
    runs: int = 1000,
    false_alarm: float = FALSE_ALARM,
    seed: int | None = None,
    models: Sequence[Case] | None = None,
) -> Verdict:
    """Test a learner of your own against the exact behaviour of a rule, and name the mistake in it.

    A *step function* is called for each transition, and changes the table in place or returns a new one:

        step(table, s, a, r, s2, done)

    A *learner* is handed a list of transitions (s, a, r, s2, done) and a table to start from, and returns the table:

        learner(transitions, table)

    For sarsa each transition has a sixth part, the next action, None where done. Tables are arrays (S,) for td0 and
    (S, A) for the others; entries of terminal states start at garbage. Parameters named gamma, step_size (α of n =
    1), pi (S, A), a2 (the next action), n (updates of this entry, from 1) and rng are filled in where the function
    has them; what `step_size` is as a schedule, such as "1/n", it has to count itself, or take step_size, which a
    step function is given for each update.

    First explicit sequences: the table must be what the rule makes of them, but for rounding, so that a right learner
    never fails. Then, for the rules whose moments obey a closed recursion (td0, sarsa, expected-sarsa, with a constant
    step size), the mean and the variance over many runs against the exact ones, by Bernstein's inequality:

        Pr( |mean - E| ≥ t ) ≤ 2 exp( -N t² / (2 σ² + 2 M t / 3) )

    with σ known and M the largest possible deviation, shared out among all entries, moments and models.

    Parameters
    ----------
    learner : the function
    rule : "td0", "sarsa", "expected-sarsa" (also called "q-evaluation") or "q-learning"
    step_size : α that the learner uses, or is to use
    kind : "step" or "batch" (a list of transitions); "auto" tells by the first parameters
    explicit, sampled : which tests are made; a learner with random choices of its own fits `explicit=False`
    steps, runs : transitions of a sampled run, and runs on each model
    false_alarm : probability that a right learner fails, at most
    seed : of the samples; fresh where it is None, and shown
    models : Cases, in place of those of `cases()`

    Returns
    -------
    Verdict, which is true where the learner passed, and prints itself

    Raises
    ------
    OptionError : an option out of range, or a function whose parameters are not understood

    Sources
    -------
    Boucheron, Lugosi & Massart (2013), section 2.8, for the inequality.

    Examples
    --------
    >>> def td(table, s, a, r, s2, done, gamma):
    ...     table[s] += 0.25 * (r + gamma * (0 if done else table[s2]) - table[s])
    >>> def forgot_gamma(table, s, a, r, s2, done):
    ...     table[s] += 0.25 * (r + (0 if done else table[s2]) - table[s])
    >>> bool(check_learner(td, "td0", sampled=False))
    True
    >>> check_learner(forgot_gamma, "td0", sampled=False).mistakes
    ('the discount γ is missing',)
    """
    rule = known_rule(rule)
    (schedule,) = check(step_size=step_size)
    steps, runs = check(steps=steps, runs=runs)
    if not 0 < false_alarm < 1:
        raise OptionError(f"false_alarm: found {false_alarm}, expected a probability above 0, below 1")
    seed = secrets.randbits(32) if seed is None else check(seed=seed)[0]
    put = Put(learner, rule, schedule, kind)
    tested = list(cases() if models is None else models)
    difference, where, count = 0.0, "", 0
    if explicit:
        for case in tested:
            for sequence in explicit_sequences(case, seed):
                count += 1
                off, said = put.compared(case, sequence)
                if not off <= difference:
                    difference, where = off, said
        if not difference <= ROUNDING:
            return Verdict(
                rule, False, where, put.diagnosed(tested, seed), count, difference, 0, 0.0, None, seed
            )
    if not sampled or rule == "q-learning" or schedule.kind != "constant":
        return Verdict(rule, True, "", (), count, difference, 0, 0.0, None, seed)
    found = [Sampled(put, case, steps, runs, seed + at) for at, case in enumerate(tested)]
    share = false_alarm / sum(2 * sample.entries for sample in found)
    wrong = [said for sample in found if (said := sample.wrong(share))]
    return Verdict(
        rule, not wrong, wrong[0] if wrong else "", put.diagnosed_by_samples(found) if wrong else (), count,
        difference, runs, false_alarm, max(sample.detects(share) for sample in found), seed,
    )  # fmt: skip


def assert_learns(learner: Callable[..., Any], rule: str, **options: Any) -> None:
    """Raise AssertionError with the whole verdict where a learner is wrong: one line in a pytest test.

    >>> def sarsa(table, s, a, r, s2, done, a2, gamma, step_size):
    ...     table[s, a] += step_size * (r + (0 if done else gamma * table[s2, a2]) - table[s, a])
    >>> assert_learns(sarsa, "sarsa", runs=50, seed=0)
    """
    __tracebackhide__ = True
    verdict = check_learner(learner, rule, **options)
    if not verdict:
        raise AssertionError(str(verdict))


class Put:
    """A learner put to the test: its parameters understood, called in one way whatever its kind."""

    def __init__(self, learner: Callable[..., Any], rule: str, schedule: Schedule, kind: str) -> None:
        self.learner, self.rule, self.schedule = learner, rule, schedule
        parameters = inspect.signature(learner).parameters
        positional = [
            p for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        required = [p.name for p in positional if p.default is p.empty and p.name not in NAMES]
        if kind == "auto":
            kind = {6: "step", 2: "batch"}.get(len(required), "")
        if kind not in ("step", "batch"):
            raise OptionError(
                f"learner: found the parameters ({', '.join(parameters)}), expected a step function "
                f"({', '.join(STEP)}) or a learner (transitions, table), and any of {', '.join(NAMES)}"
            )
        self.kind = kind
        # A function that names all parts of a transition may have them in any order.
        self.by_name = kind == "step" and set(STEP[1:]) <= set(parameters)
        self.wants = [name for name in NAMES if name in parameters]

    def start(self, case: Case) -> np.ndarray:
        return case.start[:, 0].copy() if self.rule == "td0" else case.start.copy()

    def run(self, case: Case, transitions: Sequence[Transition], table: Any, rng: np.random.Generator) -> Any:
        """The table that the learner makes of the transitions."""
        table = np.array(table, dtype=np.float64)
        given = {
            "gamma": case.mdp.gamma,
            "pi": case.pi,
            "rng": rng,
            "step_size": self.schedule.at(1),
        }
        if self.kind == "batch":
            listed = [tuple(t) if self.rule == "sarsa" else tuple(t[:5]) for t in transitions]
            made = self.learner(listed, table, **{k: v for k, v in given.items() if k in self.wants})
            return self.checked(made, table)
        counts: dict[Any, int] = {}
        for t in transitions:
            key = t.s if self.rule == "td0" else (t.s, t.a)
            n = counts[key] = counts.get(key, 0) + 1
            given |= {"n": n, "step_size": self.schedule.at(n), "a2": 0 if t.a2 is None else t.a2}
            more = {k: v for k, v in given.items() if k in self.wants}
            parts = dict(zip(STEP[1:], t[:5], strict=True))
            if self.by_name:
                made = self.learner(table, **parts, **more)
            else:
                made = self.learner(table, *parts.values(), **more)
            table = self.checked(made, table)
        return table

    def checked(self, made: Any, table: np.ndarray) -> np.ndarray:
        """What was returned, or the table that was changed in place."""
        if made is None:
            return table
        found = np.asarray(made, dtype=np.float64)
        if found.shape != table.shape:
            raise OptionError(f"learner: returned the shape {found.shape}, expected a table {table.shape}")
        return np.array(found)

    def by_rule(
        self, case: Case, transitions: Sequence[Transition], table: Any, mistake: str | None = None
    ) -> Any:
        pi = case.pi.tolist()
        return np.array(
            learned_by(
                self.rule, transitions, table.tolist(), gamma=case.mdp.gamma, step_size=self.schedule, pi=pi,
                mistake=mistake,
            )
        )  # fmt: skip

    def compared(
        self, case: Case, transitions: Sequence[Transition], mistake: str | None = None, told: bool = True
    ) -> tuple[float, str]:
        """The largest relative difference to the rule on a sequence, and where it first shows."""
        table, rng = self.start(case), np.random.default_rng(0)
        live = ~case.mdp.terminal
        expected = self.by_rule(case, transitions, table, mistake)
        off = difference(self.run(case, transitions, table, rng)[live], expected[live])
        if off <= ROUNDING or not told:
            return off, ""
        for k in range(1, len(transitions) + 1):
            found = self.run(case, transitions[:k], table, rng)
            expected = self.by_rule(case, transitions[:k], table)
            if not difference(found[live], expected[live]) <= ROUNDING:
                break
        gap = np.nan_to_num(np.abs(found - expected), nan=math.inf)
        gap[~live] = -1.0
        at = np.unravel_index(int(np.argmax(gap)), gap.shape)
        t = transitions[k - 1]
        entry = f"s={at[0]}" if self.rule == "td0" else f"s={at[0]}, a={at[1]}"
        return off, (
            f"model {case.name}, transition {k} (s={t.s}, a={t.a}, r={t.r:g}, s'={t.s2}{', done' if t.done else ''}): "
            f"found {found[at]:.6g} at {entry}, expected {expected[at]:.6g}"
        )

    def diagnosed(self, tested: Sequence[Case], seed: int) -> tuple[str, ...]:
        """The known mistakes whose tables are those of the learner on every sequence."""
        found = [
            MISTAKES[mistake]
            for mistake in mistakes_of(self.rule, self.schedule)
            if self.fits(tested, seed, mistake)
        ]
        rule = self.rule
        for other in () if found or rule == "td0" else ("sarsa", "expected-sarsa", "q-learning"):
            self.rule = other
            if other != rule and self.fits(tested, seed):
                found.append(f"the rule is that of {other}: {RULES[other]}")
        self.rule = rule
        return tuple(found)

    def fits(self, tested: Sequence[Case], seed: int, mistake: str | None = None) -> bool:
        """Whether the tables of the learner are those of the rule, with a mistake or without, on every sequence."""
        return all(
            self.compared(case, sequence, mistake, told=False)[0] <= ROUNDING
            for case in tested
            for sequence in explicit_sequences(case, seed)
        )

    def diagnosed_by_samples(self, found: Sequence[Sampled]) -> tuple[str, ...]:
        """The known mistake whose tables, learned from the same transitions, are nearest, where it is much nearer."""
        if not found:
            return ()
        distance = {
            mistake: max(sample.distance(mistake) for sample in found)
            for mistake in [None, *mistakes_of(self.rule, self.schedule)]
        }
        best = min(distance, key=lambda m: distance[m])
        if best is None or not distance[best] < 0.25 * distance[None]:
            return ()
        return (MISTAKES[best],)


class Sampled:
    """Many runs of a learner on one model, beside the exact moments of its table."""

    def __init__(self, put: Put, case: Case, steps: int, runs: int, seed: int) -> None:
        from tabular_rl.laws.expected import expected

        self.put, self.case, mdp = put, case, case.mdp
        start = np.where(mdp.terminal[:, None], case.start, 0.5)
        self.start = start[:, 0] if put.rule == "td0" else start
        method = {"td0": "td0", "sarsa": "sarsa-evaluation", "expected-sarsa": "q-evaluation"}[put.rule]
        law = expected(method, mdp, case.policy, points=[steps], step_size=put.schedule, start_value=0.5)
        self.mean, self.sd = law.mean[-1], law.sd[-1]
        walk = Walk(mdp, case.policy, random.Random(seed))
        self.sequences = [walk.transitions(steps) for _ in range(runs)]
        rng = np.random.default_rng(seed)
        self.tables = np.stack([self.entries_of(put.run(case, s, self.start, rng)) for s in self.sequences])
        self.entries = self.tables.shape[1]
        # |table| ≤ M after k updates follows from M ← (1 - α) M + α (Rmax + γ M), whichever entry is updated.
        most = float(np.abs(mdp.r if mdp.reward is None else mdp.reward).max())
        alpha, self.largest = put.schedule.at(1), 0.5
        for _ in range(steps):
            self.largest = max(
                self.largest, (1 - alpha) * self.largest + alpha * (most + mdp.gamma * self.largest)
            )

    def entries_of(self, table: Any) -> np.ndarray:
        """The entries in the order of the law: (S,) with 0 at terminal states, or (L,)."""
        mdp = self.case.mdp
        if table.ndim == 1:
            return np.where(mdp.terminal, 0.0, table)
        return np.asarray(table[mdp.pair_state, mdp.pair_action])

    def wrong(self, share: float) -> str:
        """What is said of the entry whose mean or variance is furthest off, '' where none is off."""
        mean = self.tables.mean(axis=0)
        second = np.square(self.tables - self.mean).mean(axis=0)
        most = 2 * self.largest
        for name, found, expected, sd, bound in (
            ("mean", mean, self.mean, self.sd, most),
            ("variance", second, self.sd**2, most * self.sd, most**2),
        ):
            allowed = np.array([bernstein(x, bound, len(self.tables), share) for x in sd]) + 1e-9 * (
                1 + np.abs(expected)
            )
            off = np.abs(found - expected) - allowed
            off[np.isnan(off)] = math.inf
            j = int(np.argmax(off))
            if off[j] > 0:
                return (
                    f"model {self.case.name}, {self.entry(j)}: the {name} over {len(self.tables)} runs is "
                    f"{found[j]:.4g}, expected {expected[j]:.4g} ± {allowed[j]:.2g}"
                )
        return ""

    def entry(self, j: int) -> str:
        if self.put.rule == "td0":
            return f"s={j}"
        mdp = self.case.mdp
        return f"s={int(mdp.pair_state[j])}, a={int(mdp.pair_action[j])}"

    def detects(self, share: float) -> float:
        """An error of a mean that is found with probability 99.9%: twice the way, once for each side."""
        n = len(self.tables)
        return max(
            bernstein(x, 2 * self.largest, n, share) + bernstein(x, 2 * self.largest, n, 1e-3)
            for x in self.sd
        )

    def distance(self, mistake: str | None) -> float:
        """How far the mean table is from that of the rule with a mistake, on the same transitions."""
        made = [self.entries_of(self.put.by_rule(self.case, s, self.start, mistake)) for s in self.sequences]
        return float(np.abs(np.mean(made, axis=0) - self.tables.mean(axis=0)).max())


def bernstein(sd: float, largest: float, n: int, probability: float) -> float:
    """The t with 2 exp( -n t² / (2 σ² + 2 M t / 3) ) = probability.

    >>> t = bernstein(1.0, 3.0, 1000, 1e-6)
    >>> round(2 * math.exp(-1000 * t**2 / (2 + 2 * t)), 9)
    1e-06
    """
    log = math.log(2 / probability)
    linear = largest * log / (3 * n)
    return linear + math.sqrt(linear**2 + 2 * sd**2 * log / n)


def difference(found: Any, expected: Any) -> float:
    """The largest difference, relative where numbers are large; inf where one is NaN."""
    off = np.abs(found - expected) / np.maximum(1.0, np.abs(expected))
    return float(np.max(off)) if not np.isnan(off).any() else math.inf


def explicit_sequences(case: Case, seed: int) -> list[list[Transition]]:
    """Sequences of 1, 2, ... transitions along trajectories of a policy that is not the one learned of."""
    lengths = [1 + at * (LONGEST - 1) // (SEQUENCES - 1) for at in range(SEQUENCES)]
    walk = Walk(case.mdp, Policy.uniform(case.mdp), random.Random(seed))
    return [walk.transitions(length) for length in lengths]


class Walk:
    """Trajectories of a policy, with restarts, in plain Python."""

    def __init__(self, mdp: MDP, policy: Policy, rng: random.Random) -> None:
        self.mdp, self.rng = mdp, rng
        self.terminal = mdp.terminal.tolist()
        self.starts = mdp.start.tolist()
        self.rows = [list(mdp.rows(s)) for s in range(mdp.S)]
        self.weights = [[float(policy.weights[i]) for i in rows] for rows in self.rows]
        ptr = mdp.row_ptr.tolist()
        self.outcomes = [list(range(ptr[i], ptr[i + 1])) for i in range(mdp.L)]
        self.prob = [[float(mdp.prob[k]) for k in outcomes] for outcomes in self.outcomes]
        self.next_state, self.action = mdp.next_state.tolist(), mdp.pair_action.tolist()
        self.reward = None if mdp.reward is None else mdp.reward.tolist()
        self.r = mdp.r.tolist()

    def act(self, s: int) -> int:
        return int(self.rng.choices(self.rows[s], self.weights[s])[0])

    def transitions(self, steps: int) -> list[Transition]:
        """So many transitions; a' is known in all but where the episode is done."""
        states = range(self.mdp.S)
        s = self.rng.choices(states, self.starts)[0]
        i, made = self.act(s), []
        for _ in range(steps):
            k = self.rng.choices(self.outcomes[i], self.prob[i])[0]
            s2, r = self.next_state[k], self.r[i] if self.reward is None else self.reward[k]
            done = self.terminal[s2]
            at = self.rng.choices(states, self.starts)[0] if done else s2
            after = self.act(at)
            made.append(Transition(s, self.action[i], r, s2, done, None if done else self.action[after]))
            s, i = at, after
        return made
