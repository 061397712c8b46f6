"""Imports run downhill: the slope that docs/architecture.md describes, drawn from the source itself."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "tabular_rl"

PAGE = PACKAGE.parent / "docs" / "architecture.md"


def order(page: str) -> list[str]:
    """Return the folders that the page lists, the top first; a file at the top of the package counts as a folder."""
    block = page.split("```text order\n")[1].split("```")[0]
    return [line.split("#")[0].strip() for line in block.splitlines() if line.split("#")[0].strip()]


ORDER = order(PAGE.read_text(encoding="utf-8"))

# Who looks uphill, and at what, one by one. The reason stands beside each.
EXCEPTIONS: dict[str, str] = {}  # "model.a > report.b": "why it cannot be otherwise"


@dataclass(frozen=True)
class Import:
    """One import statement: which module of the package asks for which, and where."""

    module: str
    target: str
    line: int
    deferred: bool  # inside a function: run when it is called, not when the module is loaded

    def __str__(self) -> str:
        return f"tabular_rl/{self.module.replace('.', '/')}:{self.line}: imports {self.target}"


def part(module: str) -> str:
    """Return the name in ORDER that a module belongs to."""
    return module.split(".")[0]


def modules(package: Path) -> dict[str, Path]:
    """Return every module below a package by its dotted name, the package's own name left out."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        names = path.relative_to(package).with_suffix("").parts
        found[".".join(names[:-1] if names[-1] == "__init__" and len(names) > 1 else names)] = path
    return found


def imports(package: Path) -> list[Import]:
    """Return every import inside a package of its own modules, except those for type checkers alone."""
    known = modules(package)
    found = []
    for module, path in known.items():
        for node, deferred in walk(ast.parse(path.read_text(encoding="utf-8"))):
            for target in targets(node, module, path.stem == "__init__", package.name, known):
                if target != module:
                    found.append(Import(module, target, node.lineno, deferred))
    return found


@functools.cache
def package_imports() -> list[Import]:
    """Return the imports of our own package, which several tests look at."""
    return imports(PACKAGE)


def walk(tree: ast.AST, deferred: bool = False) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Yield every import statement below a node, and whether it stands in a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, deferred
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for other in node.orelse:
                yield from walk(other, deferred)
        elif not isinstance(node, ast.expr):  # which holds no statement
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from walk(node, deferred or function)


def targets(
    node: ast.Import | ast.ImportFrom, module: str, is_package: bool, root: str, known: dict[str, Path]
) -> Iterator[str]:
    """Yield the modules of the package that one import statement loads."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            top, _, rest = alias.name.partition(".")
            if top == root:
                yield rest or "__init__"
        return
    if node.level:
        here = [] if module == "__init__" else module.split(".")
        up = node.level - (1 if is_package and module != "__init__" else 0)
        base = here[: len(here) - up] if up else here
        if module == "__init__":
            base = []
        base = base + (node.module.split(".") if node.module else [])
    else:
        top, _, rest = (node.module or "").partition(".")
        if top != root:
            return
        base = rest.split(".") if rest else []
    for alias in node.names:
        inner = ".".join([*base, alias.name])
        yield inner if inner in known else ".".join(base) or "__init__"


def uphill(found: list[Import], order: list[str]) -> list[str]:
    """Return a line for each import that does not point to its own folder or to a lower one; deferred ones count."""
    level = {name: -i for i, name in enumerate(order)}
    wrong = []
    for i in found:
        source, target = part(i.module), part(i.target)
        stranger = next((x for x in (source, target) if x not in level), None)
        if stranger is not None:
            wrong.append(f"{i}: '{stranger}' has no line in docs/architecture.md")
        elif level[target] > level[source] and f"{i.module} > {i.target}" not in EXCEPTIONS:
            wrong.append(f"{i}: uphill")
    return wrong


def circles(found: list[Import]) -> list[str]:
    """Return the circles among all imports, deferred or not."""
    edges: dict[str, set[str]] = {}
    for i in found:
        if f"{i.module} > {i.target}" not in EXCEPTIONS:
            edges.setdefault(i.module, set()).add(i.target)
    done: set[str] = set()
    wrong: list[str] = []

    def visit(module: str, trail: list[str]) -> None:
        if module in trail:
            wrong.append(" > ".join([*trail[trail.index(module) :], module]))
        elif module not in done:
            for target in sorted(edges.get(module, ())):
                visit(target, [*trail, module])
            done.add(module)

    for module in sorted(edges):
        visit(module, [])
    return wrong


def test_imports_run_downhill():
    found = package_imports()
    assert len(found) > 500, "the walk found next to nothing"
    assert not uphill(found, ORDER), "\n".join(uphill(found, ORDER))


def test_no_imports_in_a_circle():
    found = circles(package_imports())
    assert not found, "\n".join(found)


def test_every_exception_is_needed():
    found = {f"{i.module} > {i.target}" for i in package_imports()}
    assert set(EXCEPTIONS) <= found, set(EXCEPTIONS) - found


def test_the_package_holds_the_listed_folders_and_nothing_else():
    inside = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert inside == {*ORDER, "py.typed"}


def planted(tmp_path: Path, files: dict[str, str]) -> list[Import]:
    package = tmp_path / "tabular_rl"
    for name, source in {"__init__.py": "", **files}.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in path.relative_to(package).parents:
            (package / folder / "__init__.py").touch()
        path.write_text(source, encoding="utf-8")
    return imports(package)


SMALL = ["commands", "__init__", "methods", "certificates", "model", "kernels", "errors"]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("errors.py", "from tabular_rl.model.mdp import MDP"),
        ("errors.py", "from tabular_rl import model"),
        ("errors.py", "import tabular_rl.model.mdp"),
        ("errors.py", "from . import model"),
        ("errors.py", "from .model.mdp import MDP"),
        ("errors.py", "import tabular_rl"),
        ("errors.py", "def f():\n    from tabular_rl.model.mdp import MDP"),
        ("errors.py", "class A:\n    from tabular_rl.model.mdp import MDP"),
        ("errors.py", "try:\n    from tabular_rl.model.mdp import MDP\nexcept ImportError:\n    pass"),
        ("model/mdp.py", "def f():\n    from tabular_rl.methods.planning.vi import x"),
        ("kernels/sweep.py", "from ..methods.planning.vi import x"),
        ("kernels/sweep.py", "from ..methods.planning import vi"),
        ("kernels/__init__.py", "from ..methods.planning import vi"),
        ("model/policy.py", "from tabular_rl.certificates.total import certify"),
        ("unheard_of.py", "from tabular_rl import errors"),
    ],
)
def test_planted_uphill_import_is_found(tmp_path, name, source):
    files = {
        "model/mdp.py": "",
        "methods/planning/vi.py": "",
        "certificates/total.py": "",
        "errors.py": "",
        name: source,
    }
    assert len(uphill(planted(tmp_path, files), SMALL)) == 1


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("methods/planning/vi.py", "from tabular_rl.model.mdp import MDP"),
        ("methods/planning/vi.py", "from ...model.mdp import MDP"),
        ("methods/planning/vi.py", "from .backups import x"),
        ("methods/planning/vi.py", "def f():\n    from tabular_rl.kernels import sweep"),
        ("model/policy.py", "from tabular_rl.model.mdp import MDP"),
        ("errors.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .model.mdp import MDP"),
        ("errors.py", "import tabular_rl_elsewhere.model"),
        ("commands/solve.py", "from tabular_rl import load"),
    ],
)
def test_downhill_import_is_left_alone(tmp_path, name, source):
    files = {
        "model/mdp.py": "",
        "methods/planning/backups.py": "",
        "errors.py": "",
        "kernels/sweep.py": "",
        name: source,
    }
    assert not uphill(planted(tmp_path, files), SMALL)


@pytest.mark.parametrize("deferred", [False, True])
def test_planted_circle_is_found(tmp_path, deferred):
    back = "def f():\n    from .policy import x" if deferred else "from .policy import x"
    assert circles(planted(tmp_path, {"mdp.py": back, "policy.py": "from .mdp import MDP"})) == [
        "mdp > policy > mdp"
    ]
