"""Large models: certified, within 1.5 times the memory of the model's arrays plus 200 MB. On demand: pytest -m slow.

What the process holds before, Python, NumPy, SciPy and compiled code, is what a small model of the family takes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import pytest
from program import command_of, environment

FAMILIES = {
    "gridworld": ("--rows", "1414", "--columns", "1414"),  # packed rows and a proof do not fit side by side
    "garnet": ("--states", "100000", "--actions", "10"),
    "queue": ("--capacity", "1000000"),
}
SMALL = {
    "gridworld": ("--rows", "50", "--columns", "50"),
    "garnet": ("--states", "1000", "--actions", "10"),
    "queue": ("--capacity", "2000"),
}
# Values of 1e8, of which floats prove 1.1e-5.
TOLERANCE = {"queue": ("--tolerance", "1e-4")}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in kB on Linux alone")
@pytest.mark.parametrize("format", ["npz", "directory"])
@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_large_model_is_certified_in_little_memory(tmp_path, family, format):
    # All in other processes: what this one holds would count for its children.
    def made(name, sizes):
        path = tmp_path / name
        make = command_of("make", family, *sizes, "-o", path, "--to", format, "-q")
        subprocess.run(make, env=environment({}), check=True)
        return path

    def solved(path):
        """The peak of the process, in bytes, and what it printed."""
        command = command_of("solve", path, "--format", format, "-q", *TOLERANCE.get(family, ()))
        subprocess.run(
            command, env=environment({}), check=True, stdout=subprocess.DEVNULL
        )  # compiles, and keeps it
        with tempfile.TemporaryFile() as out:
            process = subprocess.Popen(command, env=environment({}), stdout=out)
            _, status, usage = os.wait4(process.pid, 0)
            out.seek(0)
            text = out.read().decode()
        assert os.waitstatus_to_exitcode(status) == 0 and "certified" in text
        return usage.ru_maxrss * 1024

    path = made("model", FAMILIES[family])
    files = [path] if path.is_file() else list(path.iterdir())
    arrays = sum(file.stat().st_size for file in files)
    assert solved(path) - solved(made("small", SMALL[family])) <= 1.5 * arrays + 200e6
