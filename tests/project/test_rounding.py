"""Only certificates/ forms bounds: what rounds outward is used there, below it, and where a reason is given."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "tabular_rl"
OUTWARD = {"up", "down", "nextafter"}
ALLOWED = {
    "methods/planning/action_elimination.py": "until when kept rows are all that matter: that is proven anyway",
    "model/rounding.py": "the error of a backup, which certificates are made with",
    "model/graph/mean.py": "the sign of the mean reward of a cycle: which policies have a finite total",
    "model/validation.py": "how far the probabilities of a row are from 1, and stored rewards from exact ones",
    "solving/sweeps.py": "which rows are worth less than is proven, on few rows as kernels say it of many",
    "solving/solution.py": "a bound that is printed in a sentence",
}


def uses(source: str) -> set[str]:
    """Return the functions that round outward and that a file imports or calls by an attribute."""
    found: set[str] = set()
    if "rounding" not in source and "nextafter" not in source:
        return found
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("rounding"):
            found |= {alias.name for alias in node.names} & OUTWARD
        elif isinstance(node, ast.Attribute) and node.attr == "nextafter":
            found.add("nextafter")
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "rounding"
        ):
            found |= {node.attr} & OUTWARD
    return found


def outside() -> set[str]:
    """Return the files that round outward and are not in certificates/."""
    names = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if uses(path.read_text("utf-8"))
    }
    return {name for name in names if not name.startswith("certificates/")}


def test_only_certificates_round_outward():
    assert outside() == set(ALLOWED)


def test_what_rounds_outward_is_seen():
    assert uses("from tabular_rl.model.rounding import shared_error, up") == {"up"}
    assert uses("from ..model import rounding\nx = rounding.down(1.0)") == {"down"}
    assert uses("import math\nx = math.nextafter(1.0, 2.0)") == {"nextafter"}
    assert not uses("from tabular_rl.model.rounding import shared_error\nx = math.floor(1.0)")
