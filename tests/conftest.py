"""What holds for all tests: no example of Hypothesis has a deadline, as kernels compile on first use.

Two workers share the cores, and BLAS threads that wait for work burn what the other worker could use: one each, here
and in the processes that tests start. The garbage collector need not look at what the collection of tests made.
"""

import contextlib
import gc
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest
from hypothesis import settings

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")


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
    with contextlib.suppress(ImportError):
        import fcntl

        from numba.core.dispatcher import Dispatcher

        alone, depth = Dispatcher.compile, 0

        def compile_alone(self, signature):
            nonlocal depth
            if depth:  # a kernel that another one calls
                return alone(self, signature)
            depth += 1
            try:
                with open(__file__) as file:  # what is locked is this file
                    fcntl.flock(file, fcntl.LOCK_EX)
                    return alone(self, signature)
            finally:
                depth -= 1

        Dispatcher.compile = compile_alone
