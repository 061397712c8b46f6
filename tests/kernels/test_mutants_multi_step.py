"""Every small mistake in the kernels of n-step, trace and batch learners is found: other bits than the twin's."""

from __future__ import annotations

import functools
import importlib
import itertools
import math

import numpy as np
import pytest
import reference
import reference_returns
import reference_traces
from learners import Case
from mutants import Check, check_every_mistake_is_found, plain

from tabular_rl.kernels.n_step import TREE, Ahead
from tabular_rl.kernels.traces import TRUE_ONLINE, Traces
from tabular_rl.solving.schedules import Schedule

PIECES = (4, 26)  # a walk of 30 steps, in two calls
STEPS = sum(PIECES)
KERNELS = {
    "n_step": ("mixed", "look_back", "n_step"),
    "traces": ("forget", "spread", "td_lambda", "sarsa_lambda", "q_lambda"),
    "batch": ("count", "find_ways_out", "present"),
}


# -- the checks: each is what the twin leaves behind, and a call of the kernels that leaves the same ------------------


class Counted:
    """Steps for a twin: it knows how many there were, and what the table was after each."""

    def __init__(self, steps, table, code, per_step):
        self.steps, self.table, self.history, self.k = steps, table, [], 0
        self.step_size = lambda n: reference_returns.rate_at(code, self.k if per_step else n)

    def __iter__(self):
        for step in self.steps:
            self.k += 1
            yield step
            self.history.append(list(self.table))


def by_twin(case, per_step, steps_of, run):
    """Table, visits and sum of all tables of each run; `run` takes steps, their step size, visits and a table."""
    left = []
    for e, table in enumerate(case.tables["table"].tolist()):
        visits = [0] * len(table)
        steps = Counted(steps_of(e, table), table, case.step_size, per_step)
        run(steps, steps.step_size, visits, table)
        left.append((table, visits, np.sum(steps.history, axis=0)))
    return [np.array(x, dtype=float) for x in zip(*left, strict=True)]


def by_kernel(case, average, log, walk, kept, name, kernels):
    """The same of a kernel, where a named tuple of settings and arrays is `kept` between its calls."""
    tables, done = case.copied(), 0
    own = type(kept)(*(x.copy() if isinstance(x, np.ndarray) else x for x in kept))
    clock = None if log is not None else own.age if isinstance(own, Ahead) else tables["clock"]
    arrays = [tables[name] for name in ("visits", "total", "since", "table")]
    for n in PIECES:
        width = walk.again + 1 if log is None else 0
        uniforms = np.ascontiguousarray(case.uniforms[:, done : done + n, :width])
        kernels[name](case.model, log, walk, uniforms, done, clock, tables["row"], own, *arrays)
        done += n
    total = tables["total"] + tables["table"] * (done - tables["since"]) if average else None
    return tables["table"], tables["visits"], total


def equal(expected, left):
    """Equal bits; sums over all steps but for their rounding, where they are kept."""
    return all(
        b is None or np.array_equal(a, b, equal_nan=True) for a, b in zip(expected[:2], left[:2], strict=True)
    ) and (left[2] is None or np.allclose(expected[2], left[2], rtol=1e-10, atol=1e-10, equal_nan=True))


def log_of(case):
    """Seven transitions as kernels take them, and (row, r, s', done, over, row of a') of 30 steps, over and over."""
    given = case.given()
    lines = list(zip(*(x.tolist() for x in given), strict=True))
    return given, [
        (*line[:4], line[4] < 0, line[4]) for line in (lines[k % len(lines)] for k in range(STEPS))
    ]


def checked(case, average, per_step, given, cut, choose, rule, kept, name, **changed):
    """A check of a kernel on a log or a walk; `choose(table)` are the actions of the twin `rule`."""
    transitions, log = log_of(case)

    def steps_of(e, table):
        ahead = name == "sarsa_lambda"
        if given:
            return log if ahead else [step[:5] for step in log]
        row, uniforms = int(case.tables["row"][e]), case.uniforms[e].tolist()
        walk = reference_traces.walk_ahead if ahead else reference_traces.trajectory
        return walk(case.model, choose(table), cut, row, uniforms)

    walk = case.walk(per_step=per_step, episode_steps=cut, **changed)
    call = functools.partial(by_kernel, case, average, transitions if given else None, walk, kept, name)
    return Check(by_twin(case, per_step, steps_of, rule), call, equal)


def n_step_check(seed, kind, n, cut, given):
    average, per_step = seed % 3 == 0, seed % 5 == 1
    case = Case(5000 + seed, states=kind != TREE, step_size=seed % 5, average=average)
    model, ratio = case.model, case.pi if kind == TREE else case.rho
    kept = Ahead(
        kind,
        np.zeros(2, dtype=np.int64),
        np.zeros((2, n), dtype=np.int64),
        np.full((2, n), math.nan),
    )

    def rule(steps, *own):
        pairs = model.gamma, model.pair_ptr, model.pair_state
        reference_traces.n_step(steps, kind, ratio, n, *pairs, *own)

    return checked(case, average, per_step, given, cut, lambda _: case.cum, rule, kept, "n_step")


def no_traces(kind, decay, entries):
    integers = np.zeros(2, dtype=np.int64), np.zeros((2, entries), dtype=np.int64)
    return Traces(kind, decay, np.zeros(2), *integers, np.zeros((2, entries)))


def traces_check(seed, learner, kind, trace, cut, given):
    average, per_step = seed % 3 == 0, seed % 5 == 1
    case = Case(6000 + seed, states=learner == "td_lambda", step_size=seed % 5, average=average)
    model, decay = case.model, case.model.gamma * trace
    rho = np.ones(len(case.rho)) if kind == TRUE_ONLINE else case.rho
    kept = no_traces(kind, decay, case.tables["table"].shape[1])

    def choose(table):
        def greedily(s, u):
            return reference_traces.epsilon_greedy(table, model.pair_ptr[s], model.pair_ptr[s + 1], 0.3, u)

        return case.cum if learner == "td_lambda" else greedily

    def rule(steps, *own):
        if learner == "sarsa_lambda":
            reference_traces.sarsa_lambda(steps, kind, decay, model.gamma, *own)
        elif learner == "td_lambda":
            for _ in reference_traces.td_lambda(steps, kind, decay, rho, model.gamma, model.pair_state, *own):
                pass
        else:
            pairs = model.gamma, model.pair_ptr, model.pair_state
            reference_traces.q_lambda(steps, kind, decay, *pairs, *own)

    how = {"rho": rho, "explore": int(learner != "td_lambda"), "explore_rate": Schedule.of("0.3").code}
    if learner == "sarsa_lambda":
        how["again"] = 3
    return checked(case, average, per_step, given, cut, choose, rule, kept, learner, **how)


def no_trace_check(seed, kind, name):
    """At λ = 0 Q(λ) is Q-learning and SARSA(λ) is SARSA, with every way of exploring and its schedule."""
    case = Case(6500 + seed, kind=kind)
    tables = case.q(reference, 2 if name == "q_lambda" else 0, episode_steps=4)
    kept, again = no_traces(0, 0.0, case.tables["table"].shape[1]), 2 if name == "q_lambda" else 3
    walk = case.walk(episode_steps=4, again=again)
    call = functools.partial(by_kernel, case, False, None, walk, kept, name)
    return Check((tables["table"], tables["visits"], None), call, equal)


def same_arguments(name, *arguments):
    """A check where the twin in reference_returns takes what the kernel takes."""

    def call(function):
        own = [x.copy() if isinstance(x, np.ndarray) else x for x in arguments]
        return [function(*own), *(x for x in own if isinstance(x, np.ndarray))]

    def equal(a, b):
        return a[0] == b[0] and all(x.tobytes() == y.tobytes() for x, y in zip(a[1:], b[1:], strict=True))

    return Check(call(getattr(reference_returns, name)), lambda made: call(made[name]), equal)


def batch_checks(seed):
    rng = np.random.default_rng(seed)
    S = Case(8000 + seed, states=True).mdp.S
    for source, cut in itertools.product(range(3), (0, 4)):
        case = Case(8000 + seed, states=True, source=source)
        yield same_arguments(
            "count",
            case.model,
            None,
            case.walk(episode_steps=cut),
            np.ascontiguousarray(case.uniforms[:, :, :3]),
            0,
            np.zeros(2, dtype=np.int64),
            case.tables["row"],
            rng.integers(0, 3, (2, case.mdp.K)),
        )
    n = 15
    weight = 0.3 * rng.random(n) * (rng.random(n) < 0.7)
    state, to = rng.integers(0, S - 1, n), rng.integers(0, S, n)
    over = (rng.random(n) < 0.2) | (to == S - 1)
    mass = np.bincount(state, weight, S)
    mass[seed % S] = 0.0
    v = np.append(rng.normal(size=S - 1), math.nan)
    for sweeps, reward in itertools.product((0, 1, 3, 300), (rng.normal(size=n), -np.ones(n))):
        error = rng.normal(size=S)
        yield same_arguments("present", weight, state, reward, to, over, 0.8, mass, sweeps, error, v)


def ways_out():
    line, no = np.arange(6), np.zeros(6, dtype=bool)
    for weights, ends, masses in (
        (np.ones(6), line == 5, np.ones(7)),  # a chain, listed from its far end: many rounds
        (np.ones(6), no, np.ones(7)),  # no way out
        (np.zeros(6), line == 5, np.ones(7)),  # nothing was seen
        (np.ones(6), no, np.where(np.arange(7) == 2, 0.0, 1.0)),  # 1 leads to 2, of which nothing is known
    ):
        yield same_arguments("find_ways_out", weights, line, line + 1, ends, masses, np.zeros(7, dtype=bool))


@functools.cache
def checks(module):
    """All checks of a module's kernels."""

    def over(check, *options):
        return [check(seed, *option) for seed, option in enumerate(itertools.product(*options))]

    if module == "n_step":
        return over(n_step_check, range(3), (1, 3), (0, 4), (False, True))
    if module == "batch":
        return [check for seed in range(3) for check in batch_checks(seed)] + list(ways_out())
    td = over(traces_check, ("td_lambda",), range(3), (0.0, 0.2, 0.9, 1.0), (0, 4), (False, True))
    q = over(traces_check, ("q_lambda",), range(2), (0.5, 0.9), (0, 4), (False, True))
    sarsa = over(traces_check, ("sarsa_lambda",), range(3), (0.5, 0.9), (0, 4), (False, True))
    return td + q + sarsa + over(no_trace_check, range(4), ("q_lambda", "sarsa_lambda"))


def walks_on(kernel):
    """What a walk by a policy does not ask for: a rate of exploring."""
    call = "next_row(model, walk, {}, u, s2, -1, e, clock, row, None, None)"
    return {f"{kernel}: {call.format('0.0')} -> {call.format('1.0')}"}


ALIKE = {
    *walks_on("n_step"),
    *walks_on("td_lambda"),
    *walks_on("count"),
    "look_back: at = at - 1 if at > 0 else n - 1 -> at = at - 1",  # places count from the end, too
    "spread: if total.shape[1] > 0: -> if total.shape[1] > 1:",  # tables have two entries at least
    # after an end nothing has a trace
    "td_lambda: worth = 0.0 -> worth = 1.0",
    "sarsa_lambda: worth = 0.0 -> worth = 1.0",
    "q_lambda: best = -1 if over else greedy(q, e, model.pair_ptr[s2], model.pair_ptr[s2 + 1]) -> "
    "best = 0 if over else greedy(q, e, model.pair_ptr[s2], model.pair_ptr[s2 + 1])",  # nobody asks
}


@pytest.mark.parametrize("module", KERNELS)
def test_nothing_is_found_where_nothing_is_planted(module):
    made = plain(module)
    assert all(check.equal(check.expected, check.call(made)) for check in checks(module))


@pytest.mark.parametrize("module", KERNELS)
def test_compiled_kernels_have_the_bits_of_their_twins(module):
    compiled = vars(importlib.import_module(f"tabular_rl.kernels.{module}"))
    assert all(check.equal(check.expected, check.call(compiled)) for check in checks(module))


@pytest.mark.parametrize(
    ("file", "kernel"),
    [("walk", "is_over"), *((file, kernel) for file, names in KERNELS.items() for kernel in names)],
)
def test_every_mistake_is_found(file, kernel):
    module = "n_step" if file == "walk" else file
    check_every_mistake_is_found(module, kernel, checks(module), ALIKE)
