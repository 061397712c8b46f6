"""Every small mistake in the kernels of planning is found: Bellman backups, the searches of the graph, and its passes.

Those that change nothing which can be seen are named in ALIKE.
"""

from __future__ import annotations

import functools
import operator

import pytest
import reference
from mutants import Check, check_every_mistake_is_found, functions, kernels_of, plain
from planning_calls import bellman_calls, flow_calls, graph_calls, left, span_calls

from tabular_rl.kernels import bellman, flow, graph

MODULES = {"bellman": bellman, "graph": graph, "flow": flow}
SEEDS = 12
ALIKE = {
    # which numbers states get in their order, and where the stack begins
    "strong_components: clock = 0 -> clock = 1",
    "strong_components: clock += 1 -> clock += 2",
    "strong_components: top = 0 -> top = 1",
    # state 0 is the first root: nothing leads to it as a new one, and its number is 0
    "strong_components: if number[root] >= 0: -> if number[root] >= 1:",
    "strong_components: while i < pair_ptr[s + 1] and new < 0: -> while i < pair_ptr[s + 1] and new < 1:",
    "strong_components: if new < 0: -> if new < 1:",
    "strong_components: if new >= 0: -> if new >= 1: (2)",
    # rows that are read one outcome after the other have the same bits
    *(
        f"row_value: if len(width) > 0 and first + at(len(width)) <= at(len(prob)): -> if {other}:"
        for other in (
            "False",
            "len(width) > 1 and first + at(len(width)) <= at(len(prob))",
            "len(width) > 0 and last + at(len(width)) <= at(len(prob))",
        )
    ),
    # the first row is taken whatever it pays
    "best_paid: best = 0.0 -> best = 1.0",
    # whether there are any is all that is asked
    "drop_move: moves = 1 -> moves = 2",
    # on the way back all rows are looked at again, which is only slower
    "strong_components: row_at[s] = i -> nothing",
}


@functools.cache
def checks(module):
    """The calls of some small models, by the twins of the kernels."""
    if module == "bellman":
        calls = [
            *span_calls(),
            *(call for seed in range(SEEDS) for call in bellman_calls(seed, (-1.0) ** seed)),
        ]
    else:
        drawn = graph_calls if module == "graph" else flow_calls
        calls = [call for seed in range(SEEDS) for call in drawn(seed)]
    return {
        name: [
            Check(left(getattr(reference, name), name, arguments), by_kernel(name, arguments), operator.eq)
            for called, arguments in calls
            if called == name
        ]
        for name in {called for called, _ in calls}
    }


def by_kernel(name, arguments):
    return lambda kernels: left(kernels[name], name, arguments)


def checks_of(module, kernel):
    """The calls of a kernel; of one that others are made of, all calls."""
    made = checks(module)
    return [check for name, some in made.items() if kernel in (name, *BELOW.get(name, ())) for check in some]


BELOW = {
    "optimal_backup": ("row_value", "widened"), "chosen_backup": ("row_value", "widened"),
    "mixed_backup": ("row_value", "widened"), "full_backup": ("row_value", "widened"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("file", "kernel"), [(file, kernel) for file in MODULES for kernel in kernels_of(file)]
)
def test_every_mistake_is_found(file, kernel):
    check_every_mistake_is_found(file, kernel, checks_of(file, kernel), ALIKE)


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_found_where_nothing_is_planted(module):
    made = plain(module)
    assert set(checks(module)) == set(functions(module))
    assert all(
        check.equal(check.expected, check.call(made)) for some in checks(module).values() for check in some
    )
