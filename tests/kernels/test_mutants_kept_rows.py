"""Every small mistake in the kernels of action elimination and of aggregation is found.

Those that change nothing which can be seen are named in ALIKE.
"""

from __future__ import annotations

import functools
import operator

import numpy as np
import pytest
import reference_kept_rows as reference
from kept_rows_calls import kept_rows_calls, periodic_calls
from mutants import Check, check_every_mistake_is_found, functions, kernels_of, plain
from planning_calls import copied

from tabular_rl.kernels import kept_rows, search_groups, search_kept_rows

MODULES = {"kept_rows": kept_rows, "search_groups": search_groups, "search_kept_rows": search_kept_rows}
CALLS = [copied(call) for seed in range(8) for call in kept_rows_calls(seed, (-1.0) ** seed)]
CALLS += [copied(call) for seed in range(3) for call in periodic_calls(seed)]
# What is left in these arguments nobody reads: q and the rows to look at in a state.
WORK = {"filtered_backup": {7}}
ALIKE = {
    # no width is 1
    *(
        f"{kernel}: if len(width) > 0: -> if len(width) > 1:"
        for kernel in ("whole_row_value", "filtered_backup", "thin_out")
    ),
    "group_chain: if j >= 0 and len(width) > 0: -> if j >= 0 and len(width) > 1:",
    # another way to the same numbers, which is only slower
    "whole_row_value: if first + at(len(width)) <= at(len(prob)): -> if False:",
    "whole_row_value: if first + at(len(width)) <= at(len(prob)): -> if last + at(len(width)) <= at(len(prob)):",
    "whole_row_value: if run[at(i)] >= 0: -> if False:",
    "whole_row_value: if run[at(i)] >= 0: -> if run[at(i)] >= 1:",
    "filtered_backup: if above > -math.inf: -> if True:",
    "filtered_backup: above = least - max(delta, 0.0) - most -> above = least - max(delta, 1.0) - most",
    "settled: if prob[k] < share: -> if True:",
    "keep_row: if start + at(len(width)) <= at(len(prob)): -> if False:",
}
BELOW = {
    "filtered_backup": ("best_near", "best_of_all", "keep_row"), "kept_backup": ("sure_value",),
    "kept_policy_backup": ("kept_value", "whole_row_value"), "sampled_gaps": ("whole_row_value",),
    "kept_value": ("whole_row_value",), "best_coded_backup": ("coded_row_value", "keep_row"),
    "settled": ("likeliest",), "periods": ("likeliest",), "lead_into": ("likeliest",),
}  # fmt: skip


def arrays(argument):
    """The arrays of an argument, those in tuples too."""
    parts = argument if isinstance(argument, tuple) else (argument,)
    return [part for part in parts if isinstance(part, np.ndarray)]


def clear_behind(name, arguments, result):
    """Behind the last row of those that it finds the kernel leaves one that is none of them."""
    if name == "best_near":
        for array in arguments[5]:
            array[int(result[0]) :] = 0
    if name == "filtered_backup" and result >= 0:
        arguments[9][1][int(result) :] = 0


def left(call, name, arguments):
    """What a kernel returns, and leaves in copies of its arguments."""
    own = copied(list(arguments))
    with np.errstate(all="ignore"):
        result = call(*own)
    clear_behind(name, own, result)
    kept = [x for n, argument in enumerate(own) if n not in WORK.get(name, ()) for x in arrays(argument)]
    if name == "filtered_backup" and result == -1:
        kept = [own[8], own[10]]  # the span and the values: the rows had no room
    return repr(None if result is None else np.asarray(result, dtype=float).tolist()), [
        (x + 0).tobytes() for x in kept
    ]


@functools.cache
def checks(module):
    """The calls of the kernels of a module by their twins."""
    return {
        name: [
            Check(left(getattr(reference, name), name, args), by_kernel(name, args), operator.eq)
            for called, args in CALLS if called == name
        ]
        for name in kernels_of(module)
    }  # fmt: skip


def by_kernel(name, arguments):
    return lambda kernels: left(kernels[name], name, arguments)


@pytest.mark.parametrize(
    ("file", "kernel"), [(file, kernel) for file in MODULES for kernel in kernels_of(file)]
)
def test_every_mistake_is_found(file, kernel):
    made = checks(file)
    found = [check for name, some in made.items() if kernel in (name, *BELOW.get(name, ())) for check in some]
    check_every_mistake_is_found(file, kernel, found, ALIKE)


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_found_where_nothing_is_planted(module):
    made = plain(module)
    assert set(checks(module)) <= set(functions(module))
    for some in checks(module).values():
        assert some
        assert all(check.equal(check.expected, check.call(made)) for check in some)


@pytest.mark.parametrize("name", [name for module in MODULES for name in kernels_of(module)])
def test_compiled_kernels_do_as_their_twins_up_to_rounding(name):
    """Rows whose gap is exactly delta may fall to either side: whole numbers, every third seed, have no rounding."""
    module = next(m for m in MODULES.values() if hasattr(m, name))
    for called, arguments in CALLS:
        if called != name:
            continue
        mine, twins = copied(arguments), copied(arguments)
        found, expected = getattr(module, name)(*mine), getattr(reference, name)(*twins)
        for own in (mine, twins):
            clear_behind(name, own, expected)
        assert (found is None) == (expected is None)
        if expected is not None:
            assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)
        if name == "filtered_backup" and expected == -1:
            continue
        for n, (a, b) in enumerate(zip(mine, twins, strict=True)):
            if n not in WORK.get(name, ()):
                for x, y in zip(arrays(a), arrays(b), strict=True):
                    np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)
