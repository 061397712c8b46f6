"""Every small mistake in the kernels that draw uniforms is found: other bits than the twin's, and than numpy's."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import reference_learning
from learners import same_bits
from mutants import Check, check_every_mistake_is_found, plain

from tabular_rl.kernels.uniforms import fill_uniforms
from tabular_rl.solving.sampling import Uniforms, _leaps, _words, streams

KERNELS = {"uniforms": ("uniform", "leap", "fill_place", "fill_uniforms")}
PLACES = (
    (1, ()),
    (3, ()),
    (3, (0, 1)),
    (2, (1,)),
    (4, (0, 1, 2, 3)),
)


def left_by(fill, seed, n, width, unread, runs=2):
    """What two calls leave behind, and where the streams are then."""
    words = np.array([_words(rng) for rng in streams(seed, runs)], dtype=np.uint64)
    wanted = np.array([j not in unread for j in range(width)])
    blocks = [np.full((runs, k, width), -1.0) for k in (n, n + 1)]
    for out in blocks:
        fill(words, _leaps(width, out.shape[1]), wanted, out)
    return {"first": blocks[0], "second": blocks[1], "words": words}


@functools.cache
def checks():
    made = []
    for seed, (width, unread) in enumerate(PLACES):
        for n in (0, 2, 4, 8):
            call = functools.partial(left_by, seed=seed, n=n, width=width, unread=unread)
            expected = call(reference_learning.fill_uniforms)
            made.append(Check(expected, lambda kernels, call=call: call(kernels["fill_uniforms"]), same_bits))
    for high, low in ((0, 0), (2**64 - 1, 1), (2**58, 2**63 + 2**11 + 1), (3 << 58, 2**64 - 1)):
        own = functools.partial(lambda words, kernels: float(kernels["uniform"](*words)), (high, low))
        made.append(Check(reference_learning.uniform(high, low), own, float.__eq__))
    return made


@pytest.mark.parametrize(
    ("file", "kernel"), [(file, kernel) for file, names in KERNELS.items() for kernel in names]
)
def test_every_mistake_is_found(file, kernel):
    check_every_mistake_is_found("uniforms", kernel, checks())


def test_nothing_is_found_where_nothing_is_planted():
    made = plain("uniforms")
    assert all(check.equal(check.expected, check.call(made)) for check in checks())


@pytest.mark.parametrize(("width", "unread"), PLACES)
def test_uniforms_are_those_of_numpy_and_the_others_are_passed_over(width, unread):
    rngs, own = streams(7, 3), streams(7, 3)
    source = Uniforms(own, width, unread)
    read = [j for j in range(width) if j not in unread]
    for n in (1, 2, 3, 7, 1000, 4096):
        expected, out = np.stack([rng.random((n, width)) for rng in rngs]), np.full((3, n, width), -1.0)
        source.draw(0, 1, out[:1])
        source.draw(1, 3, out[1:])
        assert np.array_equal(out[..., read], expected[..., read])
        if hasattr(fill_uniforms, "signatures"):
            assert (out[..., list(unread)] == -1.0).all()
    source.close()
    for rng, other in zip(rngs, own, strict=True):
        assert rng.random() == other.random(), "the generator goes on after what was drawn"


def test_two_words_of_a_state_are_multiplied_as_one_number():
    """The compiled product against numpy's generator, whose increments have all their bits."""
    for seed in range(20):
        rng, source = streams(seed, 1)[0], Uniforms(streams(seed, 1), 5)
        out = np.empty((1, 1001, 5))
        source.draw(0, 1, out)
        assert np.array_equal(out[0], rng.random((1001, 5)))
