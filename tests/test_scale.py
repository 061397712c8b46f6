"""Large models: certified, within 1.5 times the memory of the model's arrays plus 200 MB. On demand: pytest -m slow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

import pytest
from program import command_of, environment

from tabular_rl import families, save

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in kB on Linux alone")
@pytest.mark.parametrize("suffix", [".npz", ""])
@pytest.mark.parametrize("family", ["gridworld", "garnet"])
def test_a_large_model_is_certified_in_little_memory(tmp_path, family, suffix):
    options = {"rows": 1000, "columns": 1000} if family == "gridworld" else {"states": 100_000, "actions": 10}
    mdp = families.FAMILIES[family](**options)
    path = tmp_path / f"model{suffix}"
    save(mdp, path, format=None if suffix else "directory")
    command = command_of("solve", path, "--json")
    # Once before: compiling takes memory of its own, and its result is kept.
    subprocess.run(command, env=environment({}), check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, env=environment({}), stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        out.seek(0)
        found = json.load(out)
    assert os.waitstatus_to_exitcode(status) == 0
    assert found["bound"] <= 5e-7 and len(found["values"]) == mdp.S
    assert usage.ru_maxrss * 1024 <= 1.5 * mdp.nbytes + 200e6
