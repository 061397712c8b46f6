"""Docstrings of public functions: what goes in, what comes out."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import tabular_rl
from tabular_rl import graph, laws, testing
from tabular_rl.solving.method import Method

PACKAGE = Path(tabular_rl.__file__).parent
EXPORTED = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (tabular_rl, graph, laws, testing)
    for name in module.__all__
    if isinstance(getattr(module, name), Method) or inspect.isfunction(getattr(module, name))
}


@pytest.mark.parametrize("name", EXPORTED)
def test_exported_functions_say_what_they_take_and_return(name):
    text, signature = inspect.getdoc(EXPORTED[name]) or "", inspect.signature(EXPORTED[name])
    if signature.parameters:
        assert "Parameters\n----------" in text
        assert signature.return_annotation in (None, "None") or "Returns\n-------" in text


def lacking(source: str) -> list[str]:
    """The public functions of three or more arguments, outside classes, that do not say what they take and return."""
    found = []
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        if any("click" in decorator or "overload" in decorator for decorator in decorators):
            continue  # whose docstring is a help text, or another's
        text, arguments = ast.get_docstring(node) or "", node.args.args + node.args.kwonlyargs
        silent = node.returns is None or ast.unparse(node.returns) in ("None", "NoReturn")
        whole = "Parameters\n----------" in text and (silent or "Returns\n-------" in text)
        if len(arguments) >= 3 and not whole:
            found.append(node.name)
    return found


def test_functions_of_three_arguments_say_what_they_take_and_return():
    """One or two are said in the sentence; kernels say theirs in the equation."""
    files = [path for path in PACKAGE.rglob("*.py") if "kernels" not in path.parts]
    assert len(files) > 200
    found = {str(path.relative_to(PACKAGE)): lacking(path.read_text(encoding="utf-8")) for path in files}
    assert not {path: names for path, names in found.items() if names}


def test_a_function_that_says_nothing_is_found():
    assert lacking('def f(a, b, c) -> int:\n    """Return it."""') == ["f"]
    assert lacking("def f(a, b, c): ...") == ["f"]
    assert lacking("def f(a, b): ...") == []
