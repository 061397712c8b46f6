"""Tests beside other programs. `pytest.mark.peers("quantecon")` names the packages that a test imports.

Where one is missing the test is skipped and says so; TABULAR_RL_PEERS=required makes that an error, as in `.ci/run`:
then nothing in this folder may be skipped, for whatever reason. Import a peer inside the test.
"""

import os
from importlib.util import find_spec

import pytest

REQUIRED = os.environ.get("TABULAR_RL_PEERS") == "required"
UNNAMED = (
    "no marker names its peers, expected pytest.mark.peers('quantecon') say, on the test or as pytestmark"
)


def pytest_runtest_setup(item):
    marks = list(item.iter_markers("peers"))
    named = {name for mark in marks for name in mark.args}
    if not named:
        pytest.fail(f"{item.nodeid}: {UNNAMED}", pytrace=False)
    if missing := sorted(name for name in named if find_spec(name) is None):
        pytest.skip(f"no {', '.join(missing)} here: pip install -e '.[peers]' brings the peers")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if REQUIRED and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"TABULAR_RL_PEERS=required, but skipped: {report.longrepr[-1]}"
    return report
