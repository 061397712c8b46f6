"""`threads` reaches linear algebra: what OpenBLAS itself reports, inside a solve and after it."""

from __future__ import annotations

import importlib
import threading

import numpy as np
import pytest

from tabular_rl import evaluate, policy_iteration, solve
from tabular_rl.model.families import garnet
from tabular_rl.solving import blas

needs_openblas = pytest.mark.skipif(not blas.in_force(), reason="no OpenBLAS whose threads can be set")


@pytest.fixture
def three():
    """Let each library, SciPy's too, take three threads, for the test to find again."""
    importlib.import_module("scipy.linalg")
    before = blas.blas_threads()
    for library in blas.libraries().values():
        library.set(3)
    yield
    for library, count in zip(blas.libraries().values(), before, strict=False):
        library.set(count)


@pytest.fixture
def seen(monkeypatch):
    """The threads that OpenBLAS reports whenever a system is solved."""
    reported = []
    solved = np.linalg.solve

    def looking(*args):
        reported.append(set(blas.blas_threads()))
        return solved(*args)

    monkeypatch.setattr(np.linalg, "solve", looking)
    return reported


@needs_openblas
@pytest.mark.parametrize(("asked", "expected"), [({}, 1), ({"threads": 1}, 1), ({"threads": 2}, 2)])
def test_linear_algebra_takes_the_threads_of_the_method(three, seen, asked, expected):
    mdp = garnet(states=200, actions=3, seed=0)
    for how in ("auto", policy_iteration):
        assert solve(mdp, how, **asked).status.reached
    assert len(seen) >= 4
    assert all(counts == {expected} for counts in seen)
    assert set(blas.blas_threads()) == {3}


@needs_openblas
def test_policies_are_evaluated_in_one_thread(three, seen):
    assert evaluate(garnet(states=200, actions=3, seed=0), "uniform").status.reached
    assert seen[0] == {1}
    assert set(blas.blas_threads()) == {3}


@needs_openblas
def test_threads_are_restored_after_an_error(three):
    def fail():
        with blas.limited(1):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert set(blas.blas_threads()) == {3}


@needs_openblas
def test_blocks_that_overlap_restore_what_was_before_both(three):
    inside, done = threading.Event(), threading.Event()

    def other():
        with blas.limited(2):
            inside.set()
            done.wait(60)

    worker = threading.Thread(target=other)
    with blas.limited(1):
        worker.start()
        inside.wait(60)
        assert set(blas.blas_threads()) == {2}
    assert set(blas.blas_threads()) == {2}
    done.set()
    worker.join()
    assert set(blas.blas_threads()) == {3}


@needs_openblas
def test_library_that_comes_later_is_limited_and_restored(three, monkeypatch):
    first, count = next(iter(blas.libraries().items())), [7]
    late = blas._Library(lambda: count[0], lambda x: count.__setitem__(0, x))
    known = dict([first])
    monkeypatch.setattr(blas, "libraries", lambda: known)
    with blas.limited(1):
        known["late"] = late
        blas.apply()
        assert blas.blas_threads() == [1, 1]
    assert blas.blas_threads() == [3, 7]


def test_without_openblas_nothing_is_set(monkeypatch):
    monkeypatch.setattr(blas, "libraries", dict)
    with blas.limited(1):
        assert not blas.in_force()
        assert blas.blas_threads() == []
