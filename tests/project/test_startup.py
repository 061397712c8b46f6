"""Nothing heavy is loaded before something is solved, and nothing rests on `assert`.

What a fresh interpreter loads is read from `-X importtime`; no time is asserted, since clocks differ.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tabular_rl

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("numba", "llvmlite", "scipy.sparse", "scipy.optimize", "flint", "matplotlib", "gymnasium")


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def heavy(report: str) -> list[str]:
    """Return the heavy modules that a report of `-X importtime` names."""
    loaded = re.findall(r"^import time:.*\|\s*(\S+)$", report, re.MULTILINE)
    assert "encodings" in loaded, "not a report of -X importtime"
    return [module for module in loaded if any(module == h or module.startswith(f"{h}.") for h in HEAVY)]


@pytest.mark.parametrize(
    "arguments",
    ["--help", "--version", "methods", "solve --help", "make --help", "learn --help", "compare --help"],
)
def test_nothing_heavy_is_loaded_to_answer(arguments):
    done = run("-X", "importtime", "-m", "tabular_rl", *arguments.split())
    assert done.returncode == 0
    assert done.stdout
    assert not heavy(done.stderr)


def test_import_loads_nothing_heavy():
    assert not heavy(run("-X", "importtime", "-c", "import tabular_rl; tabular_rl.solve").stderr)


def test_what_is_asked_later_is_imported_later():
    report = run("-X", "importtime", "-c", "import tabular_rl; tabular_rl.solve").stderr
    assert "tabular_rl.model.mdp" in report
    assert not re.findall(r"tabular_rl\.(?:analysis|laws|report)\b.*", report)


def test_later_names_are_those_that_type_checkers_see():
    tree = ast.parse((ROOT / "tabular_rl" / "__init__.py").read_text(encoding="utf-8"))
    (seen,) = (
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    names = {(alias.name, node.module) for node in seen.body for alias in node.names}
    assert names == set(tabular_rl._HOME.items())
    assert not {"Any", "TYPE_CHECKING", "annotations", "import_module"} & set(dir(tabular_rl))
    assert set(tabular_rl.__all__) <= set(dir(tabular_rl))
    assert all(hasattr(tabular_rl, name) and name in dir(tabular_rl) for name, _ in names)
    assert {module: getattr(tabular_rl, module).__name__ for module in tabular_rl._MODULES} == {
        "environments": "tabular_rl.environments",
        "laws": "tabular_rl.laws",
        "testing": "tabular_rl.testing",
    }
    with pytest.raises(AttributeError, match="module 'tabular_rl' has no attribute 'slove'"):
        _ = tabular_rl.slove


def test_catalogue_loads_nothing_heavy():
    code = "from tabular_rl.methods.lookup import PLANNERS; assert PLANNERS"
    assert not heavy(run("-X", "importtime", "-c", code).stderr)


def test_small_model_is_solved_without_numba():
    done = run("-X", "importtime", "-m", "tabular_rl", "solve", "example:recycling_robot")
    assert done.returncode == 0
    assert not heavy(done.stderr)


def test_learning_is_seen_to_load_numba():
    """The tests above can fail: what they look for is found where it must be."""
    command = "learn example:recycling_robot --method q-learning --steps 10"
    assert "numba" in heavy(run("-X", "importtime", "-m", "tabular_rl", *command.split()).stderr)


@pytest.mark.parametrize("flags", [[], ["-O"], ["-OO"]], ids=["plain", "O", "OO"])
def test_validation_does_not_rest_on_assert(tmp_path, flags):
    bad = tmp_path / "bad.toml"
    text = (ROOT / "mdps" / "recycling_robot.toml").read_text(encoding="utf-8")
    spoilt = re.sub(r"(?m)^(discount\s*=\s*).*$", r"\g<1>1.5", text)
    assert spoilt != text
    bad.write_text(spoilt, encoding="utf-8")
    done = run(*flags, "-m", "tabular_rl", "solve", str(bad))
    assert (done.returncode, done.stdout) == (2, "")
    assert "1.5" in done.stderr and "Traceback" not in done.stderr


def test_row_that_does_not_sum_to_one_is_refused_under_O(tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("state,action,next_state,probability,reward\na,go,a,0.5,1\na,go,b,0.4,0\nb,go,b,1,0\n")
    done = run("-O", "-m", "tabular_rl", "solve", "--gamma", "0.9", str(bad))
    assert (done.returncode, done.stdout) == (2, "")
    assert "9/10" in done.stderr


@pytest.mark.parametrize("program", ["cli.py", "-m tabular_rl"])
def test_all_doors_lead_to_the_same_room(program):
    here = run(*program.split(), "methods")
    assert here.returncode == 0
    assert here.stdout == run("-m", "tabular_rl", "methods").stdout


def test_checkout_runs_from_elsewhere(tmp_path):
    assert run(str(ROOT / "cli.py"), "--version", cwd=tmp_path).returncode == 0


def test_warnings_as_errors():
    done = run("-W", "error", "-m", "tabular_rl", "solve", "example:recycling_robot")
    assert done.returncode == 0, done.stderr
