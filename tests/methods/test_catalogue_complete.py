"""A solver file without its line in the catalogue would be invisible: the command line would not know it."""

from __future__ import annotations

import ast
from pathlib import Path

from tabular_rl.methods.catalogue import METHODS

PACKAGE = Path(__file__).resolve().parents[2] / "tabular_rl"
FAMILIES = ("exact", "planning", "learning", "gradient")


def solver_functions(package: Path) -> dict[str, str]:
    """Return the functions under @solver in the four families, each with its module."""
    found = {}
    for family in FAMILIES:
        for path in sorted((package / "methods" / family).rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef) and any(map(is_solver, node.decorator_list)):
                    module = ".".join(path.relative_to(package.parent).with_suffix("").parts)
                    found[f"{module}.{node.name}"] = module
    return found


def is_solver(decorator: ast.expr) -> bool:
    """Tell whether a decorator is @solver or @solver(...), by any path."""
    callee = decorator.func if isinstance(decorator, ast.Call) else decorator
    return (callee.attr if isinstance(callee, ast.Attribute) else getattr(callee, "id", "")) == "solver"


def test_every_solver_is_in_the_catalogue():
    listed = {f"{function.__module__}.{function.__name__}" for function in METHODS.values()}
    missing = sorted(set(solver_functions(PACKAGE)) - listed)
    assert not missing, f"add a line to tabular_rl/methods/catalogue.py for {', '.join(missing)}"


def test_every_entry_is_a_solver_of_a_family():
    found = solver_functions(PACKAGE)
    for name, function in METHODS.items():
        assert f"{function.__module__}.{function.__name__}" in found, name
        assert function.spec is not None


def test_no_solver_is_listed_twice():
    assert len({id(function) for function in METHODS.values()}) == len(METHODS)


def test_one_solver_has_one_file_and_one_test_file():
    """One algorithm, one file, one test file of the same name."""
    tests = {path.stem for path in Path(__file__).parents[1].rglob("test_*.py")}
    for module in solver_functions(PACKAGE).values():
        assert f"test_{module.rpartition('.')[2]}" in tests, f"{module} has no test file of its name"


def test_planted_solver_is_seen(tmp_path):
    package = tmp_path / "tabular_rl"
    (package / "methods" / "planning").mkdir(parents=True)
    (package / "methods" / "planning" / "a.py").write_text(
        "@solver(task='control')\ndef a(mdp): ...\n\n@lib.solver()\ndef b(mdp): ...\n\n@other\ndef c(mdp): ...\n"
    )
    assert list(solver_functions(package)) == [
        "tabular_rl.methods.planning.a.a",
        "tabular_rl.methods.planning.a.b",
    ]
