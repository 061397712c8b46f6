"""A whole training loop, or an agent, put to the test in an environment that remembers all that happened."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabular_rl.errors import OptionError
from tabular_rl.testing.evidence import ROUNDING, Evidence, diagnosis
from tabular_rl.testing.learned import learned_by
from tabular_rl.testing.models import Case, cases
from tabular_rl.testing.rules import Rule, Transition
from tabular_rl.testing.samples import bernstein
from tabular_rl.testing.verdict import FALSE_ALARM, Verdict, checked_seed, made_rule

CUT = 7  # steps after which an episode is truncated, for the rules that know what to do then
CUTS = ("td0", "expected-sarsa", "q-learning")
MOST = 200_000  # steps that a training loop may take
EPISODES = 200
TABLES = ("q", "Q", "v", "V", "table", "q_table", "values")  # where an agent's table is looked for
UPDATE = ("s", "a", "r", "s2", "done")

LOOP_MISTAKES = {
    "truncation": "a truncated episode is taken for one that ended: its target must keep γ times the value of s'",
    "state kept": "the state is not moved on: s stays the first one of the episode",
    "not reset": "the state that `reset` returns is not used: an episode starts from the last s' of the one before",
}


class _Space:
    """The numbers 0 ... n - 1, as an environment's spaces are asked for them."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        self.n, self._rng = n, rng

    def sample(self) -> int:
        """Return one of them at random."""
        return int(self._rng.integers(self.n))


class Environment:
    """A model of the kit with the interface of Gymnasium, `reset` and `step`, that keeps all transitions.

    Its states are the live ones, 0 ... n - 1. Where an episode ends, the state that `step` returns is a live one all
    the same, so that a loop which reads its value in spite of `terminated` cannot miss it.

    >>> env = Environment(cases()[0], cut=None, seed=1)
    >>> s, _ = env.reset()
    >>> s2, r, terminated, truncated, _ = env.step(0)
    >>> env.observation_space.n, env.action_space.n, len(env.steps)
    (2, 2, 1)
    """

    def __init__(self, case: Case, *, cut: int | None, seed: int) -> None:
        mdp = case.mdp
        self.rng = np.random.default_rng(seed)
        self.live = np.flatnonzero(~mdp.terminal)
        self.number = {int(s): at for at, s in enumerate(self.live)}
        self.observation_space = _Space(len(self.live), self.rng)
        self.action_space = _Space(mdp.A, self.rng)
        self.mdp, self.cut, self.reward = mdp, cut, mdp.outcome_reward
        self.steps: list[_Step] = []
        self._s: int | None = None
        self._length = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        """Start an episode; return (s, {})."""
        del seed, options  # which Gymnasium has; the environment has its own
        self._s = int(self.rng.choice(self.mdp.S, p=self.mdp.start))
        self._length = 0
        return self.number[self._s], {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """Take an action; return (s', r, terminated, truncated, {})."""
        if self._s is None:
            raise OptionError("env.step: found no running episode, expected env.reset() before it")
        a = int(action)
        if a != action or not 0 <= a < self.mdp.A:
            raise OptionError(f"env.step: found the action {action!r}, expected one of 0 to {self.mdp.A - 1}")
        if len(self.steps) == MOST:
            raise OptionError(f"env.step: more than {MOST:,} steps; train fewer episodes")
        mdp, s = self.mdp, self._s
        i = int(mdp.pair_ptr[s]) + a
        outcomes = slice(int(mdp.row_ptr[i]), int(mdp.row_ptr[i + 1]))
        weights = mdp.prob[outcomes]
        k = outcomes.start + int(self.rng.choice(len(weights), p=weights / weights.sum()))
        s2 = int(mdp.next_state[k])
        r = float(self.reward[k])
        terminated = bool(mdp.terminal[s2])
        self._length += 1
        truncated = not terminated and self._length == self.cut
        seen = (self.number[s] + 1) % len(self.live) if terminated else self.number[s2]
        t = Transition(self.number[s], a, r, seen, terminated)
        self.steps.append(_Step(t, self._length == 1, truncated))
        self._s = None if terminated or truncated else s2
        return seen, r, terminated, truncated, {}


@dataclass(frozen=True)
class _Step:
    """One transition, whether it was the first of its episode, and whether it was the last by truncation."""

    transition: Transition
    first: bool
    truncated: bool


def transitions_of(steps: Sequence[_Step], mistake: str | None = None) -> list[Transition]:
    """The transitions with their next actions; or what a mistake of the loop makes of them."""
    made, start = [], 0
    for k, step in enumerate(steps):
        t = step.transition
        follows = k + 1 < len(steps) and not steps[k + 1].first
        a2 = steps[k + 1].transition.a if follows else None
        if step.first:
            start = steps[k - 1].transition.s2 if mistake == "not reset" and k else t.s
        if mistake == "state kept" or (mistake == "not reset" and step.first):
            t = t._replace(s=start)
        done = t.done or (mistake == "truncation" and step.truncated)
        made.append(t._replace(a2=a2, done=done))
    return made


def check_training(
    train: Callable[..., Any],
    rule: str,
    *,
    step_size: Any = 0.25,
    epsilon: float | None = None,
    episodes: int = EPISODES,
    start_value: float = 0.0,
    n: int = 3,
    trace: float = 0.75,
    traces: str = "accumulating",
    visit: str = "first",
    false_alarm: float = FALSE_ALARM,
    seed: int | None = None,
    models: Sequence[Case] | None = None,
) -> Verdict:
    """Test a whole training loop, or an agent, against the exact behaviour of a rule, and name the mistake in it.

        train(env, gamma, step_size, ...) -> table

    `env` has Gymnasium's interface: `reset()` returns (s, info), `step(a)` returns (s', r, terminated, truncated,
    info); `env.observation_space.n` and `env.action_space.n` are the numbers of states and actions. It remembers every
    transition, so that the table must be what the rule makes of just these, but for rounding: a right loop never fails,
    however it explores. Episodes of td0, expected-sarsa and q-learning are truncated after 7 steps, where a target
    keeps the value of s'. A table is an array or a list of lists, (S,) or (S, A), or a dict by state or by (state,
    action).

    Instead of a table `train` may return an *agent*, an object with `act(s)` and `update(s, a, r, s2, done)`, and with
    its table in the attribute q or v; the loop is then ours. An agent whose `update` has a parameter a2 (SARSA) is
    given the next action.

    Where `epsilon` is given, the actions of sarsa and q-learning must be ε-greedy in the table of the moment: those
    that are not the best one are counted over all steps N at which one is best, against ε (1 - 1/|A|), by Freedman's
    inequality; likewise the actions of td0, monte-carlo, n-step-td and td-lambda against the policy pi.

    Parameters
    ----------
    train : the function; parameters named gamma, step_size, pi (S, A), epsilon, episodes, start_value, n, trace, lam
        and rng are filled in
    rule : as for `check_learner`, but not double-q-learning, whose coins are not seen
    step_size, start_value : α, and what the table starts from
    epsilon : ε of the exploration, None where it is not to be tested
    episodes : how many, for loops that ask and for agents
    n, trace, traces, visit : as for `check_learner`
    false_alarm : probability that a right loop fails the test of its actions, at most
    seed : of the environment; fresh where it is None, and shown
    models : Cases, instead of those of `cases()`

    Returns
    -------
    Verdict, which is true where the loop passed, and prints itself

    Raises
    ------
    OptionError : an option out of range, a loop that steps without a reset, or a result that is no table

    Sources
    -------
    Freedman (1975), for the inequality.

    Examples
    --------
    >>> def train(env, gamma, step_size, epsilon, episodes, rng):
    ...     q = np.zeros((env.observation_space.n, env.action_space.n))
    ...     for _ in range(episodes):
    ...         s, _ = env.reset()
    ...         over = False
    ...         while not over:
    ...             a = env.action_space.sample() if rng.random() < epsilon else int(q[s].argmax())
    ...             s2, r, terminated, truncated, _ = env.step(a)
    ...             q[s, a] += step_size * (r + gamma * (not terminated) * q[s2].max() - q[s, a])
    ...             s, over = s2, terminated or truncated
    ...     return q
    >>> bool(check_training(train, "q-learning", epsilon=0.2, seed=1))
    True
    """
    made = made_rule(rule, step_size, n, trace, traces, visit)
    if made.name == "double-q-learning":
        raise OptionError(
            "rule 'double-q-learning': its coins are not seen in a loop; check_learner tests its update"
        )
    seed = checked_seed(false_alarm, seed)
    if epsilon is not None and not 0 <= epsilon <= 1:
        raise OptionError(f"epsilon: found {epsilon}, expected a probability")
    cuts = made.name in CUTS
    tested = [c for c in (cases() if models is None else models) if cuts or c.mdp.terminal.any()]
    if not tested:
        raise OptionError(f"models: found none whose episodes end, which {made.name} needs")
    runs = [
        _Trained(train, made, case, cuts, epsilon, episodes, start_value, seed + at)
        for at, case in enumerate(tested)
    ]
    off = [run.evidence().off(made) for run in runs]
    difference = max(off)
    steps = sum(len(run.env.steps) for run in runs)
    if not difference <= ROUNDING:
        worst = runs[off.index(difference)]
        what = f"model {worst.case.name}, after {len(worst.env.steps)} steps: {worst.evidence().worst_entry(made)}"
        return Verdict(
            made.name, False, what, _diagnosed(runs), len(runs), difference, seed=seed, steps=steps
        )
    what = _acts_wrongly(runs, epsilon, false_alarm)
    if epsilon is None and not made.of_states:
        false_alarm = 0.0  # nothing was left to chance
    return Verdict(
        made.name, not what, what, (), len(runs), difference, 0, false_alarm, seed=seed, steps=steps
    )


def assert_trains(train: Callable[..., Any], rule: str, **options: Any) -> None:
    """Raise AssertionError with the whole verdict where a training loop is wrong: one line in a pytest test.

    Parameters
    ----------
    train : the function, as for `check_training`
    rule : its name, as there
    options : those of `check_training`

    Raises
    ------
    AssertionError : the loop is wrong; the message is the verdict
    OptionError : as `check_training` raises it
    """
    __tracebackhide__ = True
    check_training(train, rule, **options).require()


class _Trained:
    """A training loop's run on one model: all its steps, and the table that came out."""

    def __init__(
        self, train: Callable[..., Any], rule: Rule, case: Case, cuts: bool, epsilon: float | None, episodes: int,
        start_value: float, seed: int,
    ) -> None:  # fmt: skip
        self.rule, self.case = rule, case
        self.env = env = Environment(case, cut=CUT if cuts else None, seed=seed)
        self.pi = case.pi[env.live]
        given = {
            **rule.numbers,
            "gamma": case.mdp.gamma,
            "pi": self.pi.copy(),
            "epsilon": 0.2 if epsilon is None else epsilon,
            "episodes": episodes,
            "start_value": start_value,
            "rng": np.random.default_rng(seed + 1),
        }
        parameters = inspect.signature(train).parameters
        made = train(env, **{k: v for k, v in given.items() if k in list(parameters)[1:]})
        if hasattr(made, "act") and hasattr(made, "update"):
            _drive(made, env, episodes)
            made = next((getattr(made, name) for name in TABLES if hasattr(made, name)), None)
            if made is None:
                raise OptionError(f"agent: found no table, expected an attribute {' or '.join(TABLES)}")
        if not env.steps:
            raise OptionError(
                "train: took no step in the environment, expected a loop over env.reset and env.step"
            )
        last = env.steps[-1]
        if not (rule.name in CUTS or last.transition.done):
            raise OptionError(f"train: stopped within an episode, expected whole episodes for {rule.name}")
        shape = (len(env.live),) if rule.of_states else (len(env.live), case.mdp.A)
        self.found = _table_of(made, shape, start_value)
        self.start = np.full(shape, float(start_value))

    def evidence(self, mistake: str | None = None) -> Evidence:
        """What a rule must explain: the table and the transitions, or those that a mistake of the loop learns from."""
        live = np.ones(len(self.found), dtype=bool)
        transitions = transitions_of(self.env.steps, mistake)
        return Evidence(self.case, transitions, self.start, self.found, live, pi=self.pi)


def _table_of(made: Any, shape: tuple[int, ...], start_value: float) -> np.ndarray:
    """Return what a loop learned as an array; OptionError where it is no table of the shape."""
    if isinstance(made, Mapping):
        table = np.full(shape, float(start_value))
        for key, value in made.items():
            table[key] = value
        return table
    try:
        table = np.array(made, dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError(
            f"train: returned {type(made).__name__}, expected a table {shape} or an agent"
        ) from None
    if table.shape != shape:
        raise OptionError(f"train: returned the shape {table.shape}, expected a table {shape}")
    return table


def _drive(agent: Any, env: Environment, episodes: int) -> None:
    """Let an agent act and learn for some episodes."""
    names = inspect.signature(agent.update).parameters
    for _ in range(episodes):
        s, _ = env.reset()
        a, over = agent.act(s), False
        while not over:
            s2, r, terminated, truncated, _ = env.step(a)
            over = terminated or truncated
            parts = dict(zip(UPDATE, (s, a, r, s2, terminated), strict=True))
            if "a2" in names:
                a2 = None if terminated else agent.act(s2)
                agent.update(**parts, a2=a2)
            elif set(UPDATE) <= set(names):
                agent.update(**parts)
            else:
                agent.update(*parts.values())
            if not over:
                s, a = s2, a2 if "a2" in names else agent.act(s2)


def _diagnosed(runs: Sequence[_Trained]) -> tuple[str, ...]:
    """The mistakes that fit: of the loop, or of the rule."""
    rule = runs[0].rule
    found = [
        said
        for mistake, said in LOOP_MISTAKES.items()
        if all(run.evidence(mistake).off(rule) <= ROUNDING for run in runs)
    ]
    return tuple(found) or diagnosis(rule, [run.evidence() for run in runs])


def _acts_wrongly(runs: Sequence[_Trained], epsilon: float | None, false_alarm: float) -> str:
    """What is said of a loop whose actions are not those of its policy, '' where they are."""
    counts = [(run, *count) for run in runs for count in _action_counts(run, epsilon)]
    for run, events, n, p, what in counts:
        if abs(events - p * n) > allowed(p, n, false_alarm / len(counts)):
            return f"model {run.case.name}: {what}"
    return ""


def _action_counts(run: _Trained, epsilon: float | None) -> Iterator[tuple[int, int, float, str]]:
    """Counts of actions that a policy takes with a known probability: the count, of how many, p, and what is said."""
    if run.rule.of_states:  # whose loops must act by pi
        took = np.zeros(run.pi.shape, dtype=np.int64)
        for step in run.env.steps:
            took[step.transition.s, step.transition.a] += 1
        for (s, a), p in np.ndenumerate(run.pi):
            n, visits = int(took[s, a]), int(took[s].sum())
            what = (
                f"action {a} was taken in {n} of {visits} visits of s={s}, expected about {p * visits:.0f}: the "
                "actions are not those of pi"
            )
            yield n, visits, p, what
    elif epsilon is not None and run.rule.step_size.kind == "constant":
        p = epsilon * (1 - 1 / run.case.mdp.A)
        other, n = _explored(run)
        what = (
            f"an action that is not the best was taken in {other} of {n} steps, expected about {p * n:.0f}: the "
            f"actions are not ε-greedy with ε = {epsilon:g}"
        )
        yield other, n, p, what


def _explored(run: _Trained) -> tuple[int, int]:
    """How often the action taken was not the best one, and at how many steps one action alone was best.

    SARSA chooses its next action before it learns from the transition.
    """
    table, gamma, pi = run.start.tolist(), run.case.mdp.gamma, run.pi.tolist()
    before = table
    other = counted = 0
    for step, t in zip(run.env.steps, transitions_of(run.env.steps), strict=True):
        row = (before if run.rule.name == "sarsa" and not step.first else table)[t.s]
        best = max(row)
        if row.count(best) == 1:
            counted += 1
            other += row[t.a] != best
        before = table
        table = learned_by(run.rule, [t], table, gamma=gamma, pi=pi)
    return other, counted


def allowed(p: float, n: int, probability: float) -> float:
    """How far a count of events of probability p may be from n p, if n is not fixed before: Freedman's inequality.

    It holds for all n up to 2^j at once; the j-th power of two takes the share 1 / (j (j + 1)) of the probability.

    Parameters
    ----------
    p : probability of the event
    n : how many times it could happen
    probability : that a count is ever further off, at most

    Returns
    -------
    The largest |count - n p| that passes.
    """
    j = max(1, math.ceil(math.log2(max(n, 2))))
    most: int = 2**j
    return most * bernstein(math.sqrt(p * (1 - p)), 1.0, most, probability / (j * (j + 1)))
