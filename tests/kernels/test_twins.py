"""Every kernel has a twin in plain Python, and is compared with it: a mistake planted in it makes a comparison fail.

A comparison is a check of tests/kernels/test_mutants_*.py: what the twins leave behind on drawn inputs, against what
the kernels do. Which kernels a file plants mistakes in is read from the parameters of its test.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import mutants
import pytest
import twins

HERE = Path(__file__).parent
FILES = sorted(path.stem for path in mutants.KERNELS.glob("[!_]*.py"))
KERNELS = [(file, kernel) for file in FILES for kernel in mutants.kernels_of(file)]


def planted(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """The kernels, with their files, that mistakes are planted in."""
    for path in sorted(HERE.glob("test_mutants_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        (mark,) = (m for m in module.test_every_mistake_is_found.pytestmark if m.name == "parametrize")
        names, parameters = mark.args
        assert names == ("file", "kernel")
        yield from parameters


def test_twins_of_every_kernel_file_have_one_home():
    assert sorted(file for files in twins.HOMES.values() for file in files) == FILES


@pytest.mark.parametrize(("file", "kernel"), KERNELS)
def test_every_kernel_has_a_twin_that_is_not_itself(file, kernel):
    twin = twins.twin(file, kernel)
    assert inspect.isfunction(twin)
    assert Path(inspect.getfile(twin)).parent == HERE.parent / "support"


def test_a_kernel_without_a_twin_is_noticed():
    with pytest.raises(KeyError):
        twins.twin("walk", "no_such_kernel")


def test_a_part_of_another_kernel_has_no_twin_by_its_name():
    assert set(twins.INLINED) <= set(KERNELS)
    for file, kernel in twins.INLINED:
        assert kernel not in vars(importlib.import_module(twins.home(file))), "it need not be listed"


def test_mistakes_are_planted_in_every_kernel_once(monkeypatch):
    """The test that plants them asserts that at least one makes a comparison fail."""
    assert Counter(planted(monkeypatch)) == Counter(KERNELS)
