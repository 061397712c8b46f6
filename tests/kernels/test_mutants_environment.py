"""Every small mistake in the kernels of copies that step together is found: other bits than the twin's."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import reference_environment
from mutants import Check, check_every_mistake_is_found, plain
from random_models import random_model

from tabular_rl.kernels.environment import Copies
from tabular_rl.solving.sampling import sampling_model

KERNELS = {"environment": ("step_copy", "step_copies")}
STEPS, COPIES = 8, 5


def left_by(kernel, seed, steps, by_pair, pays):
    """All that a few steps of some copies leave behind: one of them has ended, and one begins in a terminal state."""
    rng = np.random.default_rng(seed)
    mdp = random_model(seed, "discounted", exact=False, S=4, ends=1, by_pair=by_pair)
    model = sampling_model(mdp)
    row_of = np.full((mdp.S, mdp.A), -1, dtype=np.int64)
    row_of[mdp.pair_state, mdp.pair_action] = np.arange(mdp.L)
    live, end = np.flatnonzero(~mdp.terminal), int(np.flatnonzero(mdp.terminal)[0])
    state = np.array([*rng.choice(live, COPIES - 1), end])
    copies = Copies(state, rng.integers(0, 2, COPIES), np.arange(COPIES) == 1)
    final = rng.normal(size=mdp.S) if pays else np.zeros(0)
    kept = []
    for _ in range(STEPS):
        # What stands there before is none of what a step leaves.
        reward, ends = np.full(COPIES, np.nan), np.full((2, COPIES), int(rng.integers(2)), dtype=bool)
        action, uniforms = rng.integers(0, mdp.A, COPIES), rng.random(COPIES)
        kernel(model, row_of, steps, final, action, uniforms, copies, reward, ends[0], ends[1])
        kept.append((reward.tobytes(), ends.tobytes(), *(part.tobytes() for part in copies)))
    return kept


def checks():
    made = []
    for seed, (steps, by_pair, pays) in enumerate(
        itertools.product((0, 1, 3, 40), (False, True), (False, True))
    ):
        how = {"seed": 8100 + seed, "steps": steps, "by_pair": by_pair, "pays": pays}
        call = functools.partial(lambda how, kernels: left_by(kernels["step_copies"], **how), how)
        made.append(Check(left_by(reference_environment.step_copies, **how), call, list.__eq__))
    return made


@pytest.mark.small
@pytest.mark.parametrize(
    ("file", "kernel"), [(file, kernel) for file, names in KERNELS.items() for kernel in names]
)
def test_every_mistake_is_found(file, kernel):
    check_every_mistake_is_found(file, kernel, checks())


def test_the_compiled_kernel_leaves_what_its_twin_does():
    from tabular_rl.kernels import environment

    assert all(check.equal(check.expected, check.call(vars(environment))) for check in checks())


@pytest.mark.small
def test_nothing_is_found_where_nothing_is_planted():
    made = plain("environment")
    assert all(check.equal(check.expected, check.call(made)) for check in checks())
