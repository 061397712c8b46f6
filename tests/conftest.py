"""What holds for all tests: no example of Hypothesis has a deadline, as kernels compile on first use.

Two workers share the cores, and BLAS threads that wait for work burn what the other worker could use: one each, here
and in the processes that tests start. The garbage collector need not look at what the collection of tests made.
"""

import gc
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from hypothesis import settings

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")


def pytest_collection_finish():
    gc.collect()
    gc.freeze()
