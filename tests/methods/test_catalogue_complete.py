"""A method file without its line in the catalogue would be invisible: the command line would not know it."""

from __future__ import annotations

import ast
from pathlib import Path

from tabular_rl.methods.lookup import METHODS
from tabular_rl.solving.method import Method

PACKAGE = Path(__file__).resolve().parents[2] / "tabular_rl"
FAMILIES = ("exact", "planning", "learning", "gradient")


def method_functions(package: Path) -> dict[str, str]:
    """Return the functions under @method in the four families, each with its module."""
    found = {}
    for family in FAMILIES:
        for path in sorted((package / "methods" / family).rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef) and any(map(is_method, node.decorator_list)):
                    module = ".".join(path.relative_to(package.parent).with_suffix("").parts)
                    found[f"{module}.{node.name}"] = module
    return found


def is_method(decorator: ast.expr) -> bool:
    """Tell whether a decorator is @method or @method(...), by any path."""
    callee = decorator.func if isinstance(decorator, ast.Call) else decorator
    return (callee.attr if isinstance(callee, ast.Attribute) else getattr(callee, "id", "")) == "method"


def test_every_method_is_in_the_catalogue():
    listed = {f"{function.__module__}.{function.__name__}" for function in METHODS.values()}
    missing = sorted(set(method_functions(PACKAGE)) - listed)
    assert not missing, f"add a line to tabular_rl/methods/catalogue.py for {', '.join(missing)}"


def test_every_entry_is_a_method_of_a_family():
    found = method_functions(PACKAGE)
    for name, function in METHODS.items():
        assert f"{function.__module__}.{function.__name__}" in found, name
        assert isinstance(function, Method)


def test_no_method_is_listed_twice():
    assert len({id(function) for function in METHODS.values()}) == len(METHODS)


def test_one_method_has_one_file_and_one_test_file():
    """One algorithm, one file, one test file of the same name."""
    tests = {path.stem for path in Path(__file__).parents[1].rglob("test_*.py")}
    for module in method_functions(PACKAGE).values():
        assert f"test_{module.rpartition('.')[2]}" in tests, f"{module} has no test file of its name"


def test_planted_method_is_seen(tmp_path):
    package = tmp_path / "tabular_rl"
    (package / "methods" / "planning").mkdir(parents=True)
    (package / "methods" / "planning" / "a.py").write_text(
        "@method(task='control')\ndef a(mdp): ...\n\n@lib.method()\ndef b(mdp): ...\n\n@other\ndef c(mdp): ...\n"
    )
    assert list(method_functions(package)) == [
        "tabular_rl.methods.planning.a.a",
        "tabular_rl.methods.planning.a.b",
    ]
