"""Every small mistake in the kernels of a learner's step is found: other bits than the twin's, or a failure."""

from __future__ import annotations

import functools
import itertools

import pytest
import reference
from learners import Case, same_bits
from mutants import Check, fates, plain


def of_case(case, name, **how):
    """A check that a kernel of a rule leaves the bits of its twin."""
    pieces = (4, 26)
    return Check(
        case.left_by(getattr(reference, name), **how),
        lambda made: case.left_by(made[name], pieces=pieces, **how),
        same_bits,
    )


@functools.cache
def td0_checks():
    made = []
    options = itertools.product(range(3), range(3), (False, True), (False, True), (0, 3))
    for seed, (source, target, average, per_step, cut) in enumerate(options):
        case = Case(
            3000 + seed, states=True, step_size=seed % 5, source=source, target=target, average=average
        )
        made.append(of_case(case, "td0", per_step=per_step, episode_steps=cut))
        if seed % 4 == 0:
            made.append(of_case(case, "td0", per_step=per_step, log=case.given()))
    return made


ALIKE = {
    # one entry at least; as many in a target table as in the table
    "outcome: return (model.reward[out] if len(model.reward) > 0 else model.r[i], -1 if model.terminal[s2] else s2) -> "
    "return (model.reward[out] if len(model.reward) > 1 else model.r[i], -1 if model.terminal[s2] else s2)",
    "update: if total.shape[1] > 0: -> if total.shape[1] > 1:",
    "follow: for j in range(table.shape[1]): -> for j in range(bar.shape[1]):",
    "follow: for j in range(table.shape[1]): -> for j in range(bar.shape[1]): (2)",
    "follow: if kind == 2: -> if True:",
    "td0: for e in range(len(v)): -> for e in range(len(bar)):",
    # `follow` looks itself
    "td0: if walk.target > 0: -> if True:",
    # TD(0) explores nothing: no rate, no greedy row
    "td0: next_row(model, walk, 0.0, u, s2, -1, -1, e, clock, row, None, None) -> "
    "next_row(model, walk, 1.0, u, s2, -1, -1, e, clock, row, None, None)",
    "td0: next_row(model, walk, 0.0, u, s2, -1, -1, e, clock, row, None, None) -> "
    "next_row(model, walk, 0.0, u, s2, 0, -1, e, clock, row, None, None)",
}


@pytest.mark.parametrize("kernel", ["td0", "outcome", "transition", "follow", "tally", "update"])
def test_every_mistake_is_found(kernel):
    found = fates("one_step", kernel, td0_checks(), ALIKE)
    print({name: len(them) for name, them in found.items()})
    assert not found["missed"]
    assert found["found"]


def test_nothing_is_found_where_nothing_is_planted():
    made = plain("one_step")
    assert all(check.equal(check.expected, check.call(made)) for check in td0_checks())
