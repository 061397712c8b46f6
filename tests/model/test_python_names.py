"""The names of the package: functions stay functions, whatever was imported, and methods and functions agree."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import tabular_rl
from tabular_rl.methods.lookup import METHODS

QUESTIONS = (
    "solve", "evaluate", "learn", "simulate", "compare", "verify", "estimate", "load", "save", "examples",
)  # fmt: skip


def submodules() -> list[str]:
    return [found.name for found in pkgutil.walk_packages(tabular_rl.__path__, "tabular_rl.")]


def test_questions_are_functions_after_every_submodule_was_imported():
    for name in submodules():
        if not name.endswith("__main__"):  # that is run, not imported
            importlib.import_module(name)
    for name in QUESTIONS:
        assert inspect.isfunction(getattr(tabular_rl, name)), name


@pytest.mark.parametrize("module", [name for name in submodules() if name.count(".") == 1])
def test_no_module_takes_the_place_of_a_public_name(module):
    assert module.rpartition(".")[2] not in tabular_rl.__all__


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_a_function_of_its_name(method):
    assert getattr(tabular_rl, method.replace("-", "_")) is METHODS[method]
