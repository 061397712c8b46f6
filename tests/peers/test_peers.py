"""A missing peer is a reason to skip, and a fault where peers are required; tests/peers/conftest.py is under test."""

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TESTS = """
import pytest

@pytest.mark.peers("no_such_peer", "json")
def test_missing(): pass

@pytest.mark.peers("json")
def test_present(): pass

def test_unnamed(): pass
"""


@pytest.mark.peers("pytest")
@pytest.mark.parametrize(("required", "counts"), [("", "1 passed, 1 skipped"), ("required", "1 passed")])
def test_a_missing_peer(tmp_path, monkeypatch, required, counts):
    (tmp_path / "conftest.py").write_bytes((HERE / "conftest.py").read_bytes())
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = peers", encoding="utf-8")
    (tmp_path / "test_it.py").write_text(TESTS, encoding="utf-8")
    monkeypatch.setenv("TABULAR_RL_PEERS", required)
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:xdist", "-p", "no:cacheprovider", "."]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
    assert counts in shown
    assert "no no_such_peer here: pip install -e '.[peers]'" in shown
    assert "expected pytest.mark.peers('quantecon')" in shown
    assert ("TABULAR_RL_PEERS=required, but skipped" in shown) == bool(required)


@pytest.mark.peers("pytest")
def test_the_extra_has_each_peer_that_a_test_names():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = parser["options.extras_require"]
    had = set(re.findall(r"^[\w-]+", extras["peers"] + extras["test"], re.MULTILINE))
    others = {"mdptoolbox": "pymdptoolbox"}
    for path in HERE.glob("test_*.py"):
        if path != Path(__file__):
            for names in re.findall(r"mark\.peers\(([^)]*)\)", path.read_text(encoding="utf-8")):
                for name in re.findall(r"[\"']([^\"']+)[\"']", names):
                    assert others.get(name, name) in had, f"{path.name} names {name}: add it to setup.cfg"
