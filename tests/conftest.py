"""What holds for all tests: no example of Hypothesis has a deadline, as kernels compile on first use.

Two workers share the cores, and BLAS threads that wait for work burn what the other worker could use: one each, here
and in the processes that tests start. The garbage collector need not look at what the collection of tests made.
What one worker has made on the disk, compiled kernels and tests ready to run, the other one does not make again.
"""

import contextlib
import gc
import os

try:
    import fcntl
except ImportError:  # no POSIX
    fcntl = None

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")

collect_ignore = ["support/consumer.py"]  # a program, which would run as it is looked through for doctests
depth = 0  # of what this worker does alone


@contextlib.contextmanager
def alone():
    """Wait until no other worker does what is done alone; what is nested does not wait."""
    global depth
    depth += 1
    try:
        with open(__file__) as file:  # what is locked is this file
            if depth == 1 and fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
            yield
    finally:
        depth -= 1


@pytest.hookimpl(wrapper=True)
def pytest_collection(session):
    """Collect one worker after the other: the second finds the code of the tests, whose asserts pytest rewrites."""
    with alone() if hasattr(session.config, "workerinput") else contextlib.nullcontext():
        return (yield)


def pytest_collection_finish():
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def few_widths():
    """Rows are packed in two widths alone: each width is compiled from the same source, which takes seconds."""
    from tabular_rl.methods.planning import _kept_rows, _ordered

    with pytest.MonkeyPatch.context() as patch:
        for module in (_kept_rows, _ordered):
            patch.setattr(module, "WIDTHS", (4, 16))
        yield


def pytest_configure(config):
    if hasattr(config, "workerinput"):
        compile_one_at_a_time()


def compile_one_at_a_time():
    """Let no two workers compile the same kernel: who waits for the lock finds it in the cache."""
    from numba.core.dispatcher import Dispatcher

    whole = Dispatcher.compile

    def compile_alone(self, signature):
        with alone():  # nested where a kernel calls another one
            return whole(self, signature)

    Dispatcher.compile = compile_alone
