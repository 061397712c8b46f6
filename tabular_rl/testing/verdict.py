"""Put a learner of one's own to the test."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabular_rl.errors import OptionError
from tabular_rl.solving.options import check
from tabular_rl.testing.evidence import ROUNDING, Evidence, coins_of, diagnosis
from tabular_rl.testing.models import Case, cases
from tabular_rl.testing.rules import EPISODIC, RULES, Rule, Transition, known_rule
from tabular_rl.testing.samples import LAWS, Sampled, diagnosed_by_samples
from tabular_rl.testing.walks import LONGEST, explicit_sequences

FALSE_ALARM = 1e-6
OWN_COINS = 6  # transitions of a sequence on which all 2^6 coins of double Q-learning are tried
# What a function is given where it has a parameter of the name.
NAMES = ("gamma", "step_size", "pi", "a2", "n", "rng", "coin", "coins", "trace", "lam")
STEP = ("table", "s", "a", "r", "s2", "done")


@dataclass(frozen=True)
class Verdict:
    """What came out: `passed`, and why.

    `mistakes` are sentences about the known mistakes that fit, `difference` the largest difference on explicit
    sequences, `false_alarm` a proven bound on the probability that a right learner fails, `detects` the smallest
    error of a mean that is found with probability 99.9%, in units of reward, None where nothing was sampled; `steps`
    are those of a training loop.
    """

    rule: str
    passed: bool
    what: str
    mistakes: tuple[str, ...]
    sequences: int
    difference: float
    runs: int = 0
    false_alarm: float = 0.0
    detects: float | None = None
    seed: int = 0
    steps: int = 0

    def __bool__(self) -> bool:
        return self.passed

    def require(self) -> None:
        """Raise AssertionError with all that is said where the test was not passed."""
        __tracebackhide__ = True
        if not self.passed:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        lines = [f"{self.rule}: {'right' if self.passed else 'wrong'}", f"  {RULES[self.rule]}"]
        if self.what:
            lines.append(f"  {self.what}")
        lines += [f"  this fits: {said}" for said in self.mistakes]
        if not self.passed and not self.mistakes:
            lines.append("  none of the known mistakes fits")
        if self.steps:
            lines.append(
                f"  trained: {self.steps} steps on {self.sequences} models, seed {self.seed}, largest difference "
                f"{_shown(self.difference)}"
            )
            if self.false_alarm:
                lines.append(f"  actions: a right loop fails with probability at most {self.false_alarm:g}")
        elif self.sequences:
            lines.append(
                f"  explicit: {self.sequences} sequences, largest difference {_shown(self.difference)}"
            )
        if self.detects is not None:
            lines.append(
                f"  sampled: {self.runs} runs a model, seed {self.seed}: a right learner fails with probability at "
                f"most {self.false_alarm:g};\n  a mean that is off by {self.detects:.2g} is found (99.9%)"
            )
        return "\n".join(lines)


def _shown(difference: float) -> str:
    """A difference; one that another order of the arithmetic makes is no number to compare with."""
    return "at most 1e-09" if difference <= ROUNDING else f"{difference:.2g}"


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
    n: int = 3,
    trace: float = 0.75,
    traces: str = "accumulating",
    visit: str = "first",
) -> Verdict:
    """Test a learner of your own against the exact behaviour of a rule, and name the mistake in it.

    A *step function* is called for each transition, and changes the table in place or returns a new one:

        step(table, s, a, r, s2, done)

    A *learner* is handed a list of transitions (s, a, r, s2, done) and a table to start from, and returns the table:

        learner(transitions, table)

    For sarsa each transition has a sixth part, the next action, None where done. monte-carlo, n-step-td and td-lambda
    take learners only, which are given whole episodes, one after the other. Tables are arrays (S,) for td0 and these
    three, (2, S, A) for double-q-learning and (S, A) for the others; entries of terminal states start at garbage.

    Parameters with these names are filled in where the function has them: gamma; step_size (α of n = 1); pi (S, A); a2
    (the next action); n (of a step function, the updates of this entry, from 1; of an n-step learner, its n); trace or
    lam (λ); rng; coin of a step function, coins of a learner (which table of double Q-learning learns, 0 or 1; one that
    tosses its own coins must match one of all ways in which they can fall). What `step_size` is as a schedule, such as
    "1/n", a learner has to count itself; a step function may take step_size, which it is given for each update.

    First explicit sequences: the table must be what the rule makes of them, but for rounding, so that a right learner
    never fails. Then, for the rules whose moments obey a closed recursion (td0, sarsa, expected-sarsa, with a constant
    step size), the mean and the variance over many runs against the exact ones, by Bernstein's inequality:

        Pr( |mean - E| ≥ t ) ≤ 2 exp( -N t² / (2 σ² + 2 M t / 3) )

    with σ known and M the largest possible deviation, shared out among all entries, moments and models.

    Parameters
    ----------
    learner : the function
    rule : "td0", "sarsa", "expected-sarsa" (also called "q-evaluation"), "q-learning", "double-q-learning",
        "monte-carlo", "n-step-td" or "td-lambda"
    step_size : α that the learner uses, or is to use
    kind : "step" or "batch" (a list of transitions); "auto" tells by the first parameters
    explicit, sampled : which tests are made; a learner with random choices of its own fits `explicit=False`
    steps, runs : transitions of a sampled run, and runs on each model
    false_alarm : probability that a right learner fails, at most
    seed : of the samples; fresh where it is None, and shown
    models : Cases, instead of those of `cases()`
    n : rewards in a return of n-step-td
    trace, traces : λ of td-lambda; "accumulating" or "replacing"
    visit : "first" or "every" visit of a state counts in monte-carlo

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
    steps, runs = check(steps=steps, runs=runs)
    seed = checked_seed(false_alarm, seed)
    put = Put(learner, made_rule(rule, step_size, n, trace, traces, visit), kind)
    name = put.rule.name
    tested = list(cases() if models is None else models)
    difference, count = 0.0, 0
    if explicit:
        evidence = put.sequences(tested, seed)
        count = len(evidence)
        off = [e.off(put.rule) for e in evidence]
        difference = max(off)
        if not difference <= ROUNDING:
            where = put.first_shown(evidence[off.index(difference)])
            mistakes = diagnosis(put.rule, evidence)
            return Verdict(name, False, where, mistakes, count, difference, seed=seed)
        if put.own_coins and (tosses := put.same_coin(tested[0], seed)):
            said = f"the same table learned from each of {tosses} transitions"
            return Verdict(name, False, said, (), count, difference, 0, 2.0 ** (1 - tosses), seed=seed)
    if not sampled or name not in LAWS or put.rule.step_size.kind != "constant":
        if not count:
            raise OptionError(
                f"explicit: found False, but {name} with this step size has no exact moments to sample against"
            )
        return Verdict(name, True, "", (), count, difference, seed=seed)
    found = [Sampled(put, case, steps, runs, seed + at) for at, case in enumerate(tested)]
    share = false_alarm / sum(2 * sample.entries for sample in found)
    wrong = [said for sample in found if (said := sample.wrong(share))]
    return Verdict(
        name, not wrong, wrong[0] if wrong else "", diagnosed_by_samples(put.rule, found) if wrong else (), count,
        difference, runs, false_alarm, max(sample.detects(share) for sample in found), seed,
    )  # fmt: skip


def checked_seed(false_alarm: float, seed: int | None) -> int:
    """Return the seed of a test, a fresh one where None is given, once the probability of a false alarm is one."""
    if not 0 < false_alarm < 1:
        raise OptionError(f"false_alarm: found {false_alarm}, expected a probability above 0, below 1")
    return secrets.randbits(32) if seed is None else int(check(seed=seed)[0])


def made_rule(name: str, step_size: Any, n: int, trace: float, traces: str, visit: str) -> Rule:
    """Return the rule of a name with its numbers, each checked.

    Parameters
    ----------
    name : of the rule, or another name of it
    step_size : α, a number or a schedule
    n : rewards in a return of n-step-td
    trace : λ of td-lambda
    traces : "accumulating" or "replacing"
    visit : "first" or "every", of monte-carlo

    Returns
    -------
    Rule

    Raises
    ------
    OptionError : no such rule, or a number or word out of range
    """
    step_size, n, trace = check(step_size=step_size, n=n, trace=trace)
    if traces not in ("accumulating", "replacing"):
        raise OptionError(f"traces: found {traces!r}, expected accumulating or replacing")
    if visit not in ("first", "every"):
        raise OptionError(f"visit: found {visit!r}, expected first or every")
    return Rule(known_rule(name), step_size, n, trace, traces, visit)


def assert_learns(learner: Callable[..., Any], rule: str, **options: Any) -> None:
    """Raise AssertionError with the whole verdict where a learner is wrong: one line in a pytest test.

    Parameters
    ----------
    learner : the function, as for `check_learner`
    rule : its name, as there
    options : those of `check_learner`

    Raises
    ------
    AssertionError : the learner is wrong; the message is the verdict
    OptionError : as `check_learner` raises it

    Examples
    --------
    >>> def sarsa(table, s, a, r, s2, done, a2, gamma, step_size):
    ...     table[s, a] += step_size * (r + (0 if done else gamma * table[s2, a2]) - table[s, a])
    >>> assert_learns(sarsa, "sarsa", runs=50, seed=0)
    """
    __tracebackhide__ = True
    check_learner(learner, rule, **options).require()


class Put:
    """A learner put to the test: its parameters understood, called in one way whatever its kind."""

    def __init__(self, learner: Callable[..., Any], rule: Rule, kind: str) -> None:
        self.learner, self.rule = learner, rule
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
        if kind == "step" and rule.name in EPISODIC:
            raise OptionError(
                f"learner: found a step function, but {rule.name} learns from episodes: expected a learner "
                "(transitions, table)"
            )
        self.kind = kind
        # A function that names all parts of a transition may have them in any order.
        self.by_name = kind == "step" and set(STEP[1:]) <= set(parameters)
        self.wants = [name for name in NAMES if name in parameters]
        self.own_coins = rule.name == "double-q-learning" and not {"coin", "coins"} & set(self.wants)
        if self.own_coins and rule.step_size.kind != "constant":
            raise OptionError(
                "learner: with a step size that changes, double Q-learning must take its coins from a parameter: "
                "coin of a step function, coins of a learner from transitions"
            )

    def run(self, case: Case, transitions: Sequence[Transition], table: Any, rng: np.random.Generator) -> Any:
        """The table that the learner makes of the transitions."""
        table = np.array(table, dtype=np.float64)
        coins, rule = coins_of(transitions), self.rule
        given: dict[str, Any] = {
            **rule.numbers,
            "gamma": case.mdp.gamma,
            "pi": case.pi,
            "rng": rng,
            "coins": coins,
        }
        if self.kind == "batch":
            listed = [tuple(t) if rule.name == "sarsa" else tuple(t[:5]) for t in transitions]
            made = self.learner(listed, table, **{k: v for k, v in given.items() if k in self.wants})
            return self.checked(made, table)
        counts: dict[Any, int] = {}
        for t, coin in zip(transitions, coins, strict=True):
            own = coin if rule.name == "double-q-learning" else 0
            key = rule.entry(t, own)
            n = counts[key] = counts.get(key, 0) + 1
            given |= {"n": n, "step_size": rule.step_size.at(n), "a2": t.a2 or 0, "coin": coin}
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

    def evidence(self, case: Case, transitions: Sequence[Transition]) -> Evidence:
        """What the learner makes of a sequence."""
        start = self.rule_start(case)
        found = self.run(case, transitions, start, np.random.default_rng(0))
        coins = None if self.own_coins else coins_of(transitions)
        return Evidence(case, list(transitions), start, found, ~case.mdp.terminal, coins)

    def rule_start(self, case: Case) -> np.ndarray:
        """The table that a learner starts from: (S,), (S, A), or two of these."""
        if self.rule.of_states:
            return case.start[:, 0].copy()
        if self.rule.name == "double-q-learning":
            return np.stack([case.start, case.start[:, ::-1] + 0.375])
        return case.start.copy()

    def sequences(self, tested: Sequence[Case], seed: int) -> list[Evidence]:
        """What the learner makes of explicit sequences on each model that its rule can learn from."""
        whole = self.rule.name in EPISODIC
        longest = OWN_COINS if self.own_coins else LONGEST
        used = [case for case in tested if case.mdp.terminal.any() or not whole]
        if not used:
            raise OptionError(f"models: found none whose episodes end, which {self.rule.name} needs")
        return [
            self.evidence(case, sequence)
            for case in used
            for sequence in explicit_sequences(case, seed, whole=whole, longest=longest)
        ]

    def same_coin(self, case: Case, seed: int) -> int:
        """How many transitions one table of double Q-learning learned from, where the other never did; else 0.

        A fair coin shows one side in k tosses with probability 2^(1-k).
        """
        start, rng = self.rule_start(case), np.random.default_rng(seed)
        sequences = explicit_sequences(case, seed)
        moved = np.zeros(2, dtype=bool)
        for sequence in sequences:
            moved |= (self.run(case, sequence, start, rng) != start).any(axis=(1, 2))
        return 0 if moved.all() else sum(map(len, sequences))

    def first_shown(self, whole: Evidence) -> str:
        """Where the learner first differs from its rule on a sequence."""
        for k in range(1, len(whole.transitions) + 1):
            shorter = self.evidence(whole.case, whole.transitions[:k])
            if not shorter.off(self.rule) <= ROUNDING:
                t = whole.transitions[k - 1]
                where = f"transition {k} (s={t.s}, a={t.a}, r={t.r:g}, s'={t.s2}{', done' if t.done else ''})"
                return f"model {whole.case.name}, {where}: {shorter.worst_entry(self.rule)}"
        return f"model {whole.case.name}: {whole.worst_entry(self.rule)}"
