"""All small mistakes in all kernels are found; the quick tests make every sixth."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.parametrize("file", sorted(path.name for path in HERE.glob("test_mutants*.py")))
def test_all_mistakes_of_a_file_are_found(file):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", str(HERE / file)],
        env={**os.environ, "TABULAR_RL_MISTAKES": "all"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
