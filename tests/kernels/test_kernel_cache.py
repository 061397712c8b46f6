"""Compiled code on the disk: what is damaged there is compiled again, and never run."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest
from learners import hand_model
from program import inside

from tabular_rl import Policy, q_learning, sample_gradient, simulate
from tabular_rl.kernels import _jit, _notice
from tabular_rl.methods.lookup import LEARNERS
from tabular_rl.model.transitions import Transitions

ROOT = Path(__file__).resolve().parents[2]


def thrice(x):
    return 3 * x


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with the files of one kernel, and how it is used: its result, and whether it came from the folder."""
    folder = tmp_path_factory.mktemp("cache")
    if not hasattr(_jit.kernel(thrice), "stats"):
        pytest.skip("kernels are not compiled")
    assert used(folder) == (21, False)
    assert used(folder) == (21, True)
    return folder


def used(folder):
    before, _jit.CACHE = _jit.CACHE, str(folder)
    try:
        kernel = _jit.kernel(thrice)
        return kernel(7), bool(kernel.stats.cache_hits)
    finally:
        _jit.CACHE = before


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def turn_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def close(path):
    """A folder in its place cannot be read as a file, by root neither."""
    path.unlink()
    path.mkdir()


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": cut,
    "garbage": lambda path: path.write_bytes(b"garbage" * 100),
    "one bit": turn_a_bit,
    "missing": lambda path: path.unlink(),
    "unreadable": close,
}


@pytest.mark.parametrize("suffix", ["nbi", "nbc"], ids=["index", "code"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_compiled_again_and_replaced(written, tmp_path, damage, suffix):
    folder = tmp_path / "cache"
    shutil.copytree(written, folder)
    (path,) = folder.rglob(f"*.{suffix}")
    DAMAGES[damage](path)
    assert used(folder) == (21, False)
    assert used(folder) == (21, damage != "unreadable")


LATE = """
import sys
import numpy as np
from tabular_rl.kernels.build import count_numbers, pairs_rise
one, counts = np.array([0, 1], dtype=np.int32), np.zeros(1, dtype=np.int32)
print(pairs_rise(one, one[:1], np.array([False]), 1), bool(pairs_rise.stats.cache_hits), end=" ")
print("numba.np.linalg" in sys.modules, end=" ")
if "more" in sys.argv:
    count_numbers(np.array([[0.0, 2.0, 3.0]]), counts)
    print(counts[0], "numba.np.linalg" in sys.modules, end=" ")
"""


def test_the_compiler_is_loaded_only_when_something_is_compiled(tmp_path):
    """To read what is compiled takes a tenth of the time of loading what compiles; that comes later, where needed."""
    if not hasattr(_jit.kernel(thrice), "stats"):
        pytest.skip("kernels are not compiled")
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}

    def told(*arguments):
        command = [sys.executable, "-c", LATE, *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True
        ).stdout.split()

    assert told() == ["True", "False", "True"]
    assert told("more") == ["True", "True", "False", "2", "True"]


BEGIN = "from tabular_rl.kernels._jit import kernel\n"
PLANTED = {
    "ground": "@kernel\ndef ground(x):\n    return x + 1\n",
    "above": "from tabular_rl.kernels.ground import ground\n@kernel\ndef above(x):\n    return 10 * ground(x)\n",
    "top": "from tabular_rl.kernels.above import above\n@kernel\ndef top(x):\n    return 10 * above(x)\n",
    "beside": "@kernel\ndef beside(x):\n    return -x\n",
}
ASK = """
from tabular_rl.kernels.beside import beside
from tabular_rl.kernels.ground import ground
from tabular_rl.kernels.top import above, top
print([(kernel(1), bool(kernel.stats.cache_hits)) for kernel in (top, above, ground, beside)])
"""


def test_a_changed_kernel_is_compiled_again_with_all_that_use_it_and_nothing_else(tmp_path):
    folder = tmp_path / "tabular_rl" / "kernels"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "__init__.py").touch()
    for module in (_jit, _notice):
        shutil.copy(module.__file__, folder)

    def write(name, text):
        (folder / f"{name}.py").write_text(BEGIN + text)

    def found():
        env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", ASK], env=env, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return ast.literal_eval(done.stdout)

    for name, text in PLANTED.items():
        write(name, text)
    assert found() == [(200, False), (20, False), (2, False), (-1, False)]
    assert found() == [(200, True), (20, True), (2, True), (-1, True)]
    write("ground", PLANTED["ground"].replace("x + 1", "x + 2"))
    assert found() == [(300, False), (30, False), (3, False), (-1, True)]
    write("top", PLANTED["top"].replace("10", "20"))
    assert found() == [(600, False), (30, True), (3, True), (-1, True)]


@pytest.mark.parametrize("path", sorted(_jit.HERE.glob("*.py")), ids=lambda path: path.stem)
def test_a_kernel_file_imports_others_in_the_one_way_that_the_key_of_its_compiled_code_reads(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {name.split(".")[2] for name in imported if name.startswith("tabular_rl.")}
    assert {used.stem for used in _jit._uses(path)} == ours


def test_named_tuples_that_kernels_take_are_part_of_the_key():
    """Two fields that change places would else leave compiled code that reads the one for the other."""
    mdp = hand_model()
    log = Transitions.of(mdp, [("a", 0, 1.0, "a"), ("a", 1, 1.0, "b"), ("b", 0, 2.0, "end")])
    simulate(mdp, Policy.uniform(mdp), episodes=1)
    sample_gradient(Policy.uniform(mdp), episodes=1)
    for method in LEARNERS.values():
        policy, how = (
            [Policy.uniform(mdp)] if method.task == "prediction" else [],
            {"steps": 2, "reference": False},
        )
        method(mdp, *policy, **how)
        if "data" in method.defaults:
            method(mdp, *policy, data=log, **how)
    q_learning(mdp, replay="uniform", steps=2, reference=False)
    seen = set()
    for path in _jit.HERE.glob("*.py"):
        for kernel in vars(importlib.import_module(f"tabular_rl.kernels.{path.stem}")).values():
            for kind in (kind for signature in getattr(kernel, "signatures", ()) for kind in signature):
                if isinstance(kind, numba.types.NamedTuple):
                    seen.add(kind.instance_class.__name__)
                    home = Path(inspect.getfile(kind.instance_class))
                    assert home in _jit._all_uses(Path(kernel.py_func.__code__.co_filename)), kernel
    assert seen >= {"Model", "Walk", "LogArrays", "Decisions", "Halves", "Memory", "Buffer"}


def test_an_end_of_file_where_none_is_expected_is_no_interrupt(capsys, monkeypatch):
    """Click takes EOFError for Ctrl-D."""

    def broken(*_, **__):
        raise EOFError("Ran out of input")

    monkeypatch.setattr("tabular_rl.commands._files.load", broken)
    done = inside(capsys, "show", "example:forest")
    assert done.code == 70 and "Ran out of input" in done.err and "interrupted" not in done.err
