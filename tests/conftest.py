"""What holds for all tests: no example of Hypothesis has a deadline, as kernels compile on first use."""

from hypothesis import settings

settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")
