"""What is shown while a run goes on. That lines follow the clock is in tests/commands/test_process.py."""

from __future__ import annotations

import numba
import pytest

from tabular_rl.kernels import _jit
from tabular_rl.report import progress
from tabular_rl.report.progress import Progress


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_compiling_is_told_on_a_terminal_and_wiped_away(capsys, monkeypatch):
    monkeypatch.setattr(progress, "is_terminal", lambda _: True)
    kept = "compiling, once on this machine"
    for folder, line in (("/cache", kept), (None, "compiling")):
        monkeypatch.setattr(_jit, "CACHE", folder)
        with Progress():
            assert numba.njit(lambda x: x + 1)(1) == 2
            assert capsys.readouterr().err == f"\r{line}"
        assert capsys.readouterr().err == "\r" + " " * len(line) + "\r"
    numba.njit(lambda x: x + 2)(1)  # outside, nobody listens
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
@pytest.mark.parametrize(("terminal", "quiet"), [(False, 0), (True, 1)])
def test_compiling_is_not_told_elsewhere_nor_when_quiet(capsys, monkeypatch, terminal, quiet):
    monkeypatch.setattr(progress, "is_terminal", lambda _: terminal)
    with Progress(quiet):
        numba.njit(lambda x: x + 3)(1)
    assert capsys.readouterr().err == ""
