"""Who uses the package with types has them: `py.typed` is there, and a user's file is checked against it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tabular_rl

ROOT = Path(__file__).resolve().parents[2]
CONSUMER = ROOT / "tests" / "support" / "consumer.py"


def test_the_marker_is_there():
    assert (Path(tabular_rl.__file__).parent / "py.typed").is_file()
    assert "tabular_rl = py.typed" in (ROOT / "setup.cfg").read_text(encoding="utf-8")


def test_the_file_runs(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(CONSUMER)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("[1, 1, 1, -1] ")  # always up
    assert "\nTrue 1000 " in done.stdout


@pytest.mark.slow
def test_mypy_knows_the_types(tmp_path):
    """Against the package as an environment has it, without the settings of this project."""
    site = tmp_path / "site"
    shutil.copytree(ROOT / "tabular_rl", site / "tabular_rl")
    settings = [f"--config-file={os.devnull}", "--strict", "--warn-unused-ignores", "--follow-imports=silent"]
    command = [sys.executable, "-m", "mypy", *settings, str(CONSUMER)]
    environment = os.environ | {"MYPYPATH": str(site)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
