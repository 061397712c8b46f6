"""Run a notebook cell by cell in this process, and show what a cell ends with, as Jupyter does.

A kernel of its own would take ten packages and seconds of start for the same: the cells use no magic of IPython.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def cells(path: Path, kind: str) -> list[str]:
    """The texts of the cells of a kind, "code" or "markdown"."""
    book = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == kind]


def run_notebook(path: Path) -> list[str]:
    """Run the code cells of a notebook in one namespace, and return what each shows: HTML, else text.

    An error says the number of its cell.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for number, source in enumerate(cells(path, "code"), start=1):
        try:
            shown.append(_run(source, f"{path.name}, code cell {number}", namespace))
        except BaseException as error:
            error.add_note(f"{path.name}, code cell {number}:\n{source}")
            raise
    return shown


def _run(source: str, name: str, namespace: dict[str, Any]) -> str:
    """Run a cell; its last line is shown where it is an expression without a semicolon at its end."""
    body = ast.parse(source, name)
    last = body.body.pop() if body.body and isinstance(body.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(body, name, "exec"), namespace)
        if last is None:
            return printed.getvalue()
        value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)
    if source.rstrip().endswith(";") or value is None:
        return printed.getvalue()
    html = getattr(value, "_repr_html_", None)
    return printed.getvalue() + (html() if html is not None else repr(value))
