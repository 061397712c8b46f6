"""Every small mistake in the kernels of a learner's step is found: other bits than the twin's, or a failure.

Kernels are quick where their twins look again.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections import Counter

import numpy as np
import pytest
import reference
import reference_learning
from learners import Case, same_bits
from mutants import Check, check_every_mistake_is_found, plain
from one_step_mutants import ALIKE, KERNELS

from tabular_rl.kernels.walk import Model
from tabular_rl.solving.sampling import in_lines
from tabular_rl.solving.schedules import Schedule

PIECES = (4, 26)


@functools.cache
def checks():
    """Walks and logs of all rules with all kinds of options, the first rows, and running sums."""
    made = [Check(sums(reference.accumulate), lambda kernels: sums(kernels["accumulate"]), same_bits)]
    walks = itertools.product(
        (0, 1, 2, 3, 8), ("td0", "sarsa", "expected_sarsa", "q_learning"), (False, True)
    )
    made += [*step_sizes(), *scans(), *(fetches(*options) for options in walks)]
    made += laid_out()
    ties = np.array([[1.0, 1.0, 2.0, 2.0, 0.0]]), 0, 0, 5
    made.append(Check((2, 2), lambda kernels: kernels["best_and_ties"](*ties), tuple.__eq__))
    steep = 2, 1.0, 0, 2, np.array([[0.0, 800.0]]), np.ones((1, 2)), 0, 0.5
    made.append(Check(1, lambda kernels: kernels["other_choice"](*steep), int.__eq__))
    for kind, values in itertools.product(range(7), ([1.0, 1.0, 0.0], [0.0, 2.0, 1.0])):
        given = kind, 0.3, 0, 3, np.array([0.5, 2.0, 2.0]), np.full((1, 3), 2), np.array([values]), 0
        given += (np.array([[3.0, 2.0, 4.0]]),)
        own = functools.partial(lambda given, kernels: kernels["own_value"](*given), given)
        made.append(Check(reference.own_value(*given), own, float.__eq__))
    options = itertools.product(range(3), range(3), (False, True), (False, True), (0, 3))
    for seed, (source, target, average, per_step, cut) in enumerate(options):
        case = Case(
            3000 + seed, states=True, step_size=seed % 5, source=source, target=target, average=average
        )
        made.append(by_twin(case.left_by, "td0", per_step=per_step, episode_steps=cut))
        if seed % 4 == 0:
            made.append(by_twin(case.left_by, "td0", per_step=per_step, log=case.given()))
    options = itertools.product(range(3), range(3), range(4), range(4))
    for seed, (source, target, kind, rule) in enumerate(options):
        case = Case(
            4000 + seed + seed // 4,  # an odd one has few ties
            step_size=seed % 5,
            kind=kind,
            source=source,
            target=target,
            average=seed % 2 == 0,
        )
        how = {"episode_steps": (0, 3)[seed % 5 % 2], "per_step": seed % 3 == 0}
        made.append(Check(case.q(reference, rule, **how), walk(case, rule, how), same_bits))
        if rule == 2 and (source, target, kind) == (0, 0, 1):
            usual = {**how, "usual": True}
            made.append(Check(case.q(reference, rule, **usual), walk(case, rule, usual), same_bits))
        if rule < 3 and seed % 3 == 0:
            how = {"log": case.given()}
            made.append(Check(case.q(reference, rule, **how), walk(case, rule, how), same_bits))
        if rule == 0:
            made.append(Check(begun(case, reference.begin), functools.partial(begin, case), same_bits))
    made += first_ties()
    # Long walks that explore little: whether the greedy row is still the same is seen late.
    for seed, (_, rule, target) in enumerate(itertools.product(range(4), (1, 2, 3), range(3))):
        case = Case(4300 + seed, kind=1, target=target, steps=400)
        how = {"explore_rate": Schedule.of("0.9*n^-0.5").code}
        whole = functools.partial(case.q, rule=rule, pieces=(400,), **how)
        made.append(Check(whole(reference), whole, same_bits))
    # Episodes that are cut off after two steps: the greedy row is that of a state where the walk does not go on.
    for seed, (kind, rule) in enumerate(itertools.product((1, 2, 3, 4), (1, 2, 3))):
        case, how = Case(4400 + seed, kind=kind), {"episode_steps": 2}
        made.append(Check(case.q(reference, rule, **how), walk(case, rule, how), same_bits))
    return made


def step_sizes():
    """What is found beforehand, and that it is read where it is there."""
    made = []
    for text in ("0.8/n", "0.9*n^-0.6"):
        own = functools.partial(tabulated, Schedule.of(text).code)
        made.append(Check(own(vars(reference_learning)), own, same_bits))
    listed = [2.0, 1.0, 0.5, 0.0, 7.0, 8.0]
    for schedule, n, x in ((listed, 2, 8.0), (listed[:5], 1, 7.0), (listed[:4], 0.25, 2.0), (listed, 4, 0.5)):
        own = functools.partial(lambda given, kernels: kernels["rate"](*given), (schedule, n))
        made.append(Check(x, own, float.__eq__))
    return made


def first_ties():
    """Ties go to the first row, and a step takes one uniform less: what a restart leaves of its takes the action."""
    made = []
    for seed, (kind, rule, source, cut) in enumerate(itertools.product((5, 6, 0), range(4), (0, 1), (0, 2))):
        case, at = Case(4600 + 2 * seed, kind=kind, source=source), 2 if rule == 0 else 1
        how = {"episode_steps": cut, "again": at, "restart": at, "act": 1, "width": at + 1}
        made.append(Check(case.q(reference, rule, **how), walk(case, rule, how), same_bits))
    for s, u in ((0, 0.0), (0, 0.2), (2, 0.5), (3, 0.75), (3, 1 - 2**-53)):
        given = np.array([0.3, 0.3, 0.7, 2.0, 2.0]), s, u
        own = functools.partial(lambda given, kernels: kernels["leftover"](*given), given)
        made.append(Check(reference.leftover(*given), own, float.__eq__))
    return made


def scans():
    """Few and many outcomes, some of weight 0, compared one by one, all together, and by bisection."""
    made = []
    for n, together, u in itertools.product(
        (1, 2, 16, 17, 18, 40), (False, True), (0.0, 0.3, 0.501, 1 - 2**-53)
    ):
        weights = np.random.default_rng(n).random(n + 4) * (np.arange(n + 4) % 5 != 3)
        cum = np.empty(n + 4)
        reference.accumulate(np.array([0, 2, n + 2, n + 4]), weights / weights.sum(), cum)
        given = cum, 2, n + 2, u, together
        own = functools.partial(lambda given, kernels: kernels["scan"](*given), given)
        made.append(Check(reference.scan(*given), own, operator.eq))
        one = cum[2 : n + 2].copy()
        own = functools.partial(lambda one, u, kernels: kernels["search"](one, u), one, u)
        made.append(Check(reference.search(one, u), own, operator.eq))
    return made


def laid_out():
    """Lines of rows with one to five outcomes, some of weight 0, and rewards of outcomes or of rows."""
    made, sizes = [], (3, 1, 5, 2)
    ptr = np.concatenate([[0], np.cumsum(sizes)])
    rng = np.random.default_rng(0)
    weights, cum = rng.random(11) * (np.arange(11) % 5 != 4), np.empty(11)
    reference.accumulate(ptr, weights / np.repeat(np.add.reduceat(weights, ptr[:-1]), sizes), cum)
    for by_outcome in (False, True):
        rewards = rng.random(11 * by_outcome), rng.random(4)
        ends, start = np.array([False, False, True, False]), np.full(4, 2.0)
        model = Model(
            np.arange(5), np.arange(4), ptr, rng.integers(0, 4, 11), cum, *rewards, 0.9, ends, start, width=5
        )

        def filled(fill_lines, model=model):
            lines = np.zeros((4, 16))
            arrays = model.row_ptr, model.next_state, model.cum, model.reward, model.r, model.terminal
            fill_lines(*arrays, model.width, lines, lines.view(np.int64))
            return {"lines": lines}

        made.append(
            Check(
                filled(reference_learning.fill_lines),
                lambda kernels, filled=filled: filled(kernels["fill_lines"]),
                same_bits,
            )
        )
        lines = filled(reference_learning.fill_lines)["lines"]
        model = model._replace(lines=lines, whole=lines.view(np.int64))
        for i, u in itertools.product(range(4), (0.0, 0.3, 0.501, float(cum[0]), 1 - 2**-53)):
            # the twin takes it of the lists of outcomes
            own = functools.partial(lambda given, kernels: kernels["sample"](*given), (model, i, u))
            made.append(Check(reference_learning.sample(model, i, u), own, tuple.__eq__))
            line = model.width, lines, i, u
            own = functools.partial(lambda given, kernels: kernels["place_in_line"](*given), line)
            made.append(Check(reference_learning.place_in_line(*line), own, operator.eq))
    return made


def fetched(case, name, how, kernels):
    """What a walk has the processor fetch, by names and places, and how often."""
    found, before = Counter(), kernels["fetch"]
    kernels["fetch"] = lambda array, place: found.update([(id(array), *np.ravel(place).tolist())])
    try:
        tables = case.left_by(kernels[name], **how)
    finally:
        kernels["fetch"] = before
    arrays = {**case.model._asdict(), "the policy": case.cum, "rho": case.rho, **tables}
    names = {id(x): name for name, x in arrays.items()}
    return {(names[array], *place): count for (array, *place), count in found.items()}


def fetches(seed, name, ahead):
    case = Case(4500 + seed, states=name == "td0", kind=int(name != "td0"), target=1)
    if seed % 2:
        case.model = case.model._replace(reward=np.zeros(0))
        if seed == 1:
            case.model = in_lines(case.model)
    how = {"ahead": ahead} | ({"again": 3, "width": 4} if name == "sarsa" else {})
    if seed == 2:
        how |= {"log": case.given(), "explore": 0}
    call = functools.partial(fetched, case, name, how)
    return Check(call(vars(reference_learning)), call, dict.__eq__)


def by_twin(run, name, **how):
    return Check(
        run(getattr(reference, name), **how),
        lambda kernels: run(kernels[name], pieces=PIECES, **how),
        same_bits,
    )


def walk(case, rule, how):
    return lambda kernels: case.q(kernels, rule, pieces=PIECES, **how)


def begin(case, kernels):
    return begun(case, kernels["begin"])


def begun(case, kernel):
    tables, rows = case.copied(), []
    for k in range(10):
        kernel(case.model, case.kind, 0.2, case.cum, case.source, case.pairs, tables["visits"], tables["table"],
               np.ascontiguousarray(case.uniforms[:, k, :2]), tables["row"])  # fmt: skip
        rows.append(tables["row"].copy())
    return {**tables, "rows": np.array(rows)}


def sums(kernel):
    weights, ptr = np.array([0.5, 0.0, 0.5, 0.0, 0.3, 0.7, 0.0, 0.0]), np.array([0, 4, 4, 7, 8])
    out = np.empty(8)
    kernel(ptr, weights, out)
    return {"out": out}


def tabulated(schedule, kernels):
    out = np.zeros(6)
    kernels["tabulate"](schedule, out)
    return {"out": out}


@pytest.mark.parametrize(
    ("file", "kernel"), [(file, kernel) for file, names in KERNELS.items() for kernel in names]
)
def test_every_mistake_is_found(file, kernel):
    check_every_mistake_is_found("one_step", kernel, checks(), ALIKE)


def test_nothing_is_found_where_nothing_is_planted():
    made = plain("one_step")
    assert all(check.equal(check.expected, check.call(made)) for check in checks())
