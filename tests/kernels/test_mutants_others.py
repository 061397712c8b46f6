"""Mistakes planted in the kernels of Monte Carlo and linear learners: their twins find every one.

As in test_mutants.py: a text in one function is replaced, and the kernels run as plain Python. Each mutant must leave
something else behind than the twin (reference_returns, reference_linear) on some small input.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
import reference
import reference_linear
import reference_returns
from learners import SCHEDULES, Case
from mutants import KERNELS
from random_models import random_policy

from tabular_rl.methods.learning._linear import read_features
from tabular_rl.solving.schedules import Schedule

PIECES = (4, 26)  # a walk of 30 steps, in two calls


def source(module):
    """The kernels of a module, and those that they call, as one text without imports of their own."""
    texts = [(KERNELS / f"{name}.py").read_text(encoding="utf-8") for name in ("walk", "one_step", module)]
    return re.sub(r"^from (tabular_rl|__future__).*\n", "", "\n".join(texts), flags=re.MULTILINE)


@dataclass(frozen=True)
class Mutant:
    """In a function, `old` becomes `new`; it must be there `times` times."""

    function: str
    old: str
    new: str
    times: int = 1
    moments: bool = False  # seen in the means over 1,500 runs alone

    def __str__(self):
        return f"{self.function}: {' '.join(self.old.split())} -> {' '.join(self.new.split())}"

    def apply(self, text):
        start = text.index(f"def {self.function}(")
        end = text.find("@kernel", start)
        body = text[start:end] if end > 0 else text[start:]
        assert body.count(self.old) == self.times, f"the mutant no longer applies: {self}"
        return text[:start] + body.replace(self.old, self.new) + text[start + len(body) :]


def compiled(text, kernel=lambda function: function):
    made = {"kernel": kernel}
    exec(compile(text, "mutant", "exec"), made)
    return made


M = Mutant
BEHIND = "dot(ptr, col, value, s2, bar, e)"

MUTANTS = {
    "monte_carlo": [
        M("learn_returns", "+ gamma * G", "+ G"),
        M("learn_returns", "+ gamma * G", "- gamma * G"),
        M("learn_returns", "rewards[b, t] +", "rewards[b, max(t - 1, first)] +"),
        M("learn_returns", "range(last - 1, first - 1, -1)", "range(last - 2, first - 1, -1)"),
        M("learn_returns", "range(last - 1, first - 1, -1)", "range(last - 1, first, -1)"),
        M("learn_returns", "range(last - 1, first - 1, -1)", "range(keep - 1, first - 1, -1)"),
        M("learn_returns", "G *= rho[i]", "pass"),
        M("learn_returns", "G *= rho[i]", "G /= rho[i]"),
        M("learn_returns", "W *= rho[i]", "pass"),
        M("learn_returns", "W *= rho[i]", "W /= rho[i]"),
        M("learn_returns", "W *= rho[i]", "W = rho[i]"),
        M("learn_returns", "i = -i - 1", "i = -i"),
        M("learn_returns", "if again or t >= keep", "if t >= keep"),
        M("learn_returns", "t >= keep", "t > keep"),
        M("learn_returns", "t >= keep", "t >= last"),
        M("learn_returns", "(importance == 1 and W == 0.0)", "False"),
        M("learn_returns", "visits[e, s] += 1", "visits[e, s] += 2"),
        M("learn_returns", "mass[e, s] += W", "mass[e, s] += 1.0"),
        M("learn_returns", "n = mass[e, s]", "pass"),
        M("learn_returns", "n = k + 1.0", "n = k + 2.0"),
        M("learn_returns", "if per_step:", "if False:"),
        M("learn_returns", "if total.shape[1] > 0:", "if False:"),
        M("learn_returns", "tally(v, e, s, k,", "tally(v, e, s, k + 1,"),
        M("learn_returns", "(W * G - v[e, s])", "W * (G - v[e, s])"),
        M("learn_returns", "(W * G - v[e, s])", "(G - v[e, s])"),
        M("learn_returns", "(W * G - v[e, s])", "(W * G + v[e, s])"),
        M("learn_returns", "rate(step_size, n) * W * (G - v[e, s])", "rate(step_size, n) * (W * G - v[e, s])"),
        M("learn_returns", "rate(step_size, n) * W * (G", "rate(step_size, n) * (G"),
        M("learn_returns", "rate(step_size, n) * W * (G", "1.01 * rate(step_size, n) * W * (G"),
        M("learn_returns", "rate(step_size, n) * (W", "1.01 * rate(step_size, n) * (W"),
        M("learn_returns", "rate(step_size, n) * (G", "1.01 * rate(step_size, n) * (G"),
        M("learn_returns", "if importance == 2:", "if importance == 0:"),
        M("returns_walk", "rows[e, t] = i", "rows[e, t] = row[0]"),
        M("returns_walk", "reward[out] if len(reward) > 0 else r[i]", "r[i]"),
        M("returns_walk", "if first_visit:", "if True:"),
        M("returns_walk", "if first_visit:", "if False:"),
        M("returns_walk", "seen[e, s] == episode[e]", "seen[e, s] >= 0"),
        M("returns_walk", "seen[e, s] == episode[e]", "seen[e, s2] == episode[e]"),
        M("returns_walk", "rows[e, t] = -i - 1", "rows[e, t] = -i"),
        M("returns_walk", "t == rows.shape[1]", "t == rows.shape[1] - 1"),
        M("returns_walk", "keep = t if done else t - missing", "keep = t"),
        M("returns_walk", "keep = t if done else t - missing", "keep = t - missing"),
        M("returns_walk", "t - missing", "t - missing - 1"),
        M("returns_walk", "e, 0, keep, t,", "e, 1, keep, t,"),
        M("returns_walk", "e, 0, keep, t,", "0, 0, keep, t,"),
        M("returns_walk", "if not done:", "if True:"),
        M("returns_walk", "if done or restart:", "if done:"),
        M("returns_walk", "if done or restart:", "if True:"),
        M("returns_walk", "episode[e] += 1", "pass"),
        M("returns_walk", "t = 0", "pass"),
        M("returns_walk", "step + k,", "k,"),
        M("returns_walk", "search(start, uniforms[e, k, 1])", "search(start, uniforms[e, k, 0])"),
        M("returns_walk", "uniforms[e, k, 2]", "uniforms[e, k, 0]"),
        M("returns_given", "(step + k) % N", "(step + k + 1) % N"),
        M("returns_given", "begun[at] < 0", "begun[at] <= 0"),
        M("returns_given", "begun[at], keep", "begun[at] + 1, keep"),
        M("returns_given", "keep[at], at + 1", "at + 1, at + 1"),
        M("returns_given", "keep[at], at + 1", "keep[at], at"),
        M("returns_given", "step + k, e", "k, e"),
        M("returns_given", "episode[e] += 1", "pass"),
    ],
    "linear": [
        M("dot", "value[m] * w[e, col[m]]", "w[e, col[m]]"),
        M("dot", "ptr[j + 1]", "ptr[j + 1] - 1"),
        M("dot", "w[e, col[m]]", "w[0, col[m]]"),
        M("climb", "change * value[m]", "change"),
        M("climb", "+= change", "-= change"),
        M("climb", "if total.shape[1] > 0:", "if False:"),
        M("climb", "tally(w, e, col[m], k,", "tally(w, e, col[m], k + 1,"),
        M("climb", "ptr[j + 1]", "ptr[j + 1] - 1"),
        M("follow", "(k + 1) %", "k %"),
        M("follow", "by * (table", "(1.0 - by) * (table"),
        M("linear_td_walk", f"gamma * {BEHIND}", BEHIND),
        M("linear_td_walk", f"aim += gamma * {BEHIND}", f"aim -= gamma * {BEHIND}"),
        M("linear_td_walk", "s2, bar, e", "s, bar, e"),
        M("linear_td_walk", "s2, bar, e", "s2, w, e"),
        M("linear_td_walk", "if not done:", "if True:"),
        M("linear_td_walk", "value, s, alpha", "value, s2, alpha"),
        M("linear_td_walk", "aim - dot", "aim + dot"),
        M("linear_td_walk", "value, s, w, e)\n", "value, s, bar, e)\n"),
        M("linear_td_walk", "alpha * rho[i] * delta", "alpha * delta"),
        M("linear_td_walk", "alpha * rho[i] * delta", "alpha / rho[i] * delta"),
        M("linear_td_walk", "alpha * rho[i] * delta", "1.01 * alpha * rho[i] * delta"),
        M("linear_td_walk", "step + k + 1 if per_step", "k + 1 if per_step"),
        M("linear_td_walk", "else visits[e, s]", "else visits[e, s] + 1"),
        M("linear_td_walk", "if target > 0:", "if False:"),
        M("linear_td_walk", "follow(w, e, step + k,", "follow(w, e, k,"),
        M("linear_td_walk", "delta, step + k,", "delta, k,"),
        M("linear_td_walk", "reward[out] if len(reward) > 0 else r[i]", "r[i]"),
        M("linear_td_walk", "clock[e] == episode_steps", "clock[e] > episode_steps"),
        M("linear_td_walk", "clock[e] = 0", "pass"),
        M("linear_td_walk", "s2 = search(start, uniforms[e, k, 1])", "pass"),
        M("linear_td_walk", "scan(cum, pair_ptr[s2]", "scan(cum, pair_ptr[s]"),
        M("linear_td_walk", "search(pairs, uniforms[e, k, 1])", "search(pairs, uniforms[e, k, 0])"),
        M("linear_td_walk", "i + 1 < len(pair_state)", "i + 2 < len(pair_state)"),
        M("linear_q_walk", "aim += gamma * after", "aim += after"),
        M("linear_q_walk", "aim += gamma * after", "aim -= gamma * after"),
        # "if not done" is for clearness: a terminal state has no rows, and a sum over none is 0.
        M("linear_q_walk", "range(pair_ptr[s2], pair_ptr[s2 + 1])",
          "range(pair_ptr[model.pair_state[i]], pair_ptr[model.pair_state[i] + 1])"),
        M("linear_q_walk", "one = dot(ptr, col, value, j, bar, e)", "one = dot(ptr, col, value, j, w, e)"),
        M("linear_q_walk", "one = dot(ptr, col, value, j, bar, e)", "one = dot(ptr, col, value, i, bar, e)"),
        M("linear_q_walk", "if rule == 1:", "if False:"),
        M("linear_q_walk", "if rule == 1:", "if True:"),
        M("linear_q_walk", "pi[j] * one", "one"),
        M("linear_q_walk", "one > after", "one < after"),
        M("linear_q_walk", "j == pair_ptr[s2] or one", "one"),
        M("linear_q_walk", "value, i, alpha", "value, row[0], alpha"),
        M("linear_q_walk", "value, i, alpha", "value, pair_ptr[s2], alpha"),
        M("linear_q_walk", "alpha * delta", "1.01 * alpha * delta"),
        M("linear_q_walk", "alpha * delta", "-alpha * delta"),
        M("linear_q_walk", "aim - dot", "aim + dot"),
        M("linear_q_walk", "if target > 0:", "if False:"),
        M("linear_q_walk", "follow(w, e, step + k,", "follow(w, e, k,"),
        M("linear_q_walk", "delta, step + k,", "delta, k,"),
        M("linear_q_walk", "step + k + 1 if per_step", "k + 1 if per_step"),
        M("linear_q_walk", "visits[e, i] += 1", "visits[e, i] += 2"),
        M("linear_q_walk", "rate(explore_rate, step + k + 1)", "rate(explore_rate, k + 1)"),
        M("linear_q_walk", "if kind > 0:", "if False:"),
        M("linear_q_walk", "q[e, j] = dot(ptr, col, value, j, w, e)", "q[e, j] = dot(ptr, col, value, j, bar, e)"),
        M("linear_q_walk", "best = greedy(q, e, first, last)", "pass"),
        M("linear_q_walk", "clock[e] == episode_steps", "clock[e] > episode_steps"),
        M("linear_q_walk", "clock[e] = 0", "pass"),
        M("linear_q_walk", "s2 = search(start, uniforms[e, k, 1])", "pass"),
        M("linear_q_walk", "search(pairs, uniforms[e, k, 1])", "search(pairs, uniforms[e, k, 0])"),
        M("linear_q_walk", "i + 1 < q.shape[1]", "i + 2 < q.shape[1]"),
    ],
}  # fmt: skip


# -- the checks: each is what the twin leaves behind, and a call of the kernels that leaves the same ------------------


def same_arguments(name, *arguments):
    """A check where the twin in reference_returns takes what the kernel takes."""

    def call(function):
        own = [x.copy() if isinstance(x, np.ndarray) else x for x in arguments]
        return [function(*own), *(x for x in own if isinstance(x, np.ndarray))]

    def equal(a, b):
        return a[0] == b[0] and all(x.tobytes() == y.tobytes() for x, y in zip(a[1:], b[1:], strict=True))

    return call(getattr(reference_returns, name)), lambda made: call(made[name]), equal


def monte_carlo_checks(seed, importance, first, restart):
    average, per_step, rng = seed % 2 == 0, seed % 5 == 1, np.random.default_rng(seed)
    case = Case(7000 + seed, states=True, step_size=seed % 5, average=average)
    mdp, S, longest = case.mdp, case.mdp.S, (2, 4, 20)[seed % 3]
    missing = (1, 2, 0)[seed % 3]
    rho = np.where(rng.random(mdp.L) < 0.2, 0.0, case.rho) if seed % 4 == 3 else case.rho
    tables = case.copied()
    episode, mass = np.zeros(2, dtype=np.int64), np.zeros((2, S))
    kept = mass, tables["visits"], tables["total"], tables["since"], tables["table"]
    yield same_arguments(
        "returns_walk", case.model, case.cum, rho, importance, first, case.step_size, per_step, missing, restart,
        np.ascontiguousarray(case.uniforms[:, :, :3]), 7, tables["clock"], tables["row"],
        rng.integers(0, mdp.L, (2, longest)), rng.normal(size=(2, longest)), np.full((2, S), -1), episode,
        episode.copy(), *kept,
    )  # fmt: skip
    ends = np.array([2, 5, 6, 11])
    begun = np.full(12, -1)
    begun[ends] = [0, 3, 6, 7]
    keep = np.arange(12) + (rng.random(12) < 0.5)
    rows = rng.integers(0, mdp.L, 12)
    yield same_arguments(
        "returns_given", np.where(rng.random(12) < 0.2, -rows - 1, rows)[None], rng.normal(size=(1, 12)), begun, keep,
        mdp.pair_state, mdp.gamma, rho, importance, case.step_size, per_step, 30, 7, episode, *kept,
    )  # fmt: skip


TARGETS = ("none", "copy", "average")


def linear_check(seed, learner, source_, target, limit):
    """One of linear_td_walk ("td") and linear_q_walk ("expected", "max", "ε": greedy but for ε = .3)."""
    per_step, average = seed % 4 == 1, seed % 3 == 0
    case = Case(9000 + seed, states=learner == "td", step_size=seed % 5, target=target)
    mdp, rng, d = case.mdp, np.random.default_rng(seed), 3
    behavior, policy = random_policy(mdp, case.seed), random_policy(mdp, case.seed + 1)
    entries = mdp.S if learner == "td" else mdp.L
    X = rng.normal(size=(entries, d)) * (rng.random((entries, d)) < 0.7)
    if learner == "td":
        X[mdp.terminal] = math.nan
    x = read_features(X, entries, "entries")
    rows = x.ptr, x.col, x.value
    start, first = rng.normal(size=(2, d)), rng.random((2, 2))
    schedule = Schedule.of(SCHEDULES[seed % 5])
    code, kind = schedule.code, int(learner == "ε")
    epsilon = Schedule.of("0.3").code
    common = ("trajectory", "independent", "sweeps")[source_], (TARGETS[target], case.by), limit or None
    histories = []
    for e in range(2):
        uniforms = case.uniforms[e, :, :3].tolist()
        per, more = "step" if per_step else "visit", (start[e].tolist(), first[e].tolist(), uniforms)
        if learner == "td":
            history = reference_linear.linear_td_walk(
                mdp, X.tolist(), policy, behavior, schedule, per, *common, *more
            )
        else:
            history = reference_linear.linear_q_walk(
                mdp, X.tolist(), policy if learner == "expected" else None, behavior, 0.3 if kind else None, schedule,
                per, *common, *more,
            )  # fmt: skip
        histories.append(history)
    expected = np.array([h[-1] for h in histories]), np.sum(histories, axis=1)

    def call(made):
        w, kept = start.copy(), d if average else 0
        bar = w.copy() if target else w
        total, since = np.zeros((2, kept)), np.zeros((2, kept), dtype=np.int64)
        visits, clock, row = (
            np.zeros((2, entries), dtype=np.int64), np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64),
        )  # fmt: skip
        scratch = x.times(w)
        made["begin"](case.model, kind, 0.3, case.cum, source_, case.pairs, visits, scratch, first, row)
        scratch[:] = math.nan
        done = 0
        for n in PIECES:
            uniforms = np.ascontiguousarray(case.uniforms[:, done : done + n, :3])
            how = (
                code,
                per_step,
                source_,
                case.pairs,
                target,
                case.by,
                limit,
                uniforms,
                done,
                clock,
                row,
                visits,
            )
            if learner == "td":
                made["linear_td_walk"](case.model, *rows, case.cum, case.rho, *how, total, since, bar, w)
            else:
                made["linear_q_walk"](
                    case.model, *rows, 1 if learner == "expected" else 2, case.pi, kind, epsilon, case.cum, *how, total,
                    since, scratch, bar, w,
                )  # fmt: skip
            done += n
        return w, total + w * (done - since) if average else None

    def equal(a, b):
        return np.array_equal(a[0], b[0]) and (
            b[1] is None or np.allclose(a[1], b[1], rtol=1e-10, atol=1e-10)
        )

    return expected, call, equal


def one_hot_check(seed, rule, kind):
    """With one-hot features the weights are the table of Q-learning and expected SARSA, however one explores."""
    case = Case(9500 + seed, kind=kind, target=seed % 3)
    tables = case.q(reference, rule, episode_steps=4)
    x = read_features("one-hot", case.mdp.L, "pairs")

    def call(made):
        own, done = case.copied(), 0
        clock, row, visits, total, since, bar, w = own.values()
        for n in PIECES:
            made["linear_q_walk"](
                case.model, x.ptr, x.col, x.value, rule, case.pi, kind, case.rate, case.cum, case.step_size, False, 0,
                case.pairs, case.target, case.by, 4, np.ascontiguousarray(case.uniforms[:, done : done + n, :3]), done,
                clock, row, visits, total, since, np.full(w.shape, math.nan), bar, w,
            )  # fmt: skip
            done += n
        return w, visits

    return (tables["table"], tables["visits"]), call, lambda a, b: all(map(np.array_equal, a, b))


@functools.cache
def checks(module):
    """All checks of a module's kernels."""

    def over(check, *options):
        return [check(seed, *option) for seed, option in enumerate(itertools.product(*options))]

    if module == "monte_carlo":
        made = over(lambda *options: [*monte_carlo_checks(*options)], range(3), (False, True), (False, True))
        return [check for pair in made for check in pair]
    learners = over(linear_check, ("td", "expected", "max", "ε"), range(3), range(3), (0, 4))
    return learners + over(one_hot_check, (1, 2), range(4))


def differs(made, module):
    """Does any check leave something else behind than its twin, or fail? A name that is not there is no mistake."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return any(not equal(expected, call(made)) for expected, call, equal in checks(module))
    except NameError:
        raise
    except Exception:
        return True


@pytest.mark.parametrize("module", MUTANTS)
def test_nothing_is_found_where_nothing_is_planted(module):
    made = compiled(source(module))
    for expected, call, equal in checks(module):
        assert equal(expected, call(made))


@pytest.mark.parametrize(
    ("module", "mutant"),
    [(module, mutant) for module, listed in MUTANTS.items() for mutant in listed],
    ids=str,
)
def test_mutant_is_found(module, mutant):
    made = compiled(mutant.apply(source(module)))
    made["np"] = np  # for mutants that say so
    assert differs(made, module)
