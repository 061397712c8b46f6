"""Imports run downhill: the slope that docs/architecture.md describes, drawn from the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "tabular_rl"

# The top is first. Names in one line stand side by side: they may import each other, but not in a circle.
ORDER = (
    ("__main__",),
    ("commands",),
    ("__init__",),
    ("report", "testing", "verification"),
    ("comparison", "policies"),
    ("catalogue", "ask"),
    ("exact", "planning", "learning", "gradient", "laws"),
    (
        "formats",
        "answers",
        "estimation",
        "simulation",
        "sampling",
        "certificates",
        "certificates_total",
    ),
    ("structure", "sweeps"),
    ("kernels",),
    ("solver", "solution", "run", "learned"),
    (
        "options",
        "model",
        "policy",
        "arguments",
        "build",
        "validation",
        "tensors",
        "families",
        "transitions",
        "unroll",
    ),
    ("exploration", "schedules"),
    ("bundled", "names", "rationals", "rounding", "rows"),
    ("errors", "words", "calls"),
    ("startup",),
)
LEVEL = {name: level for level, names in enumerate(reversed(ORDER)) for name in names}

# Who may look uphill, inside a function only, and at what. The reason stands beside each.
EXCEPTIONS: dict[str, set[str]] = {
    "solution": set(LEVEL),  # computes q, draws and writes itself with what lies above it
    "learned": set(LEVEL),  # likewise
    "comparison": {"report"},  # draws itself
    "simulation": {"report", "planning"},  # likewise, beside the exact value
    "arguments": {"policies"},  # a policy may be named by a text, as on the command line
}


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


def walk(tree: ast.AST, deferred: bool = False) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Yield every import statement below a node, and whether it stands in a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, deferred
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from walk(other, deferred)
        else:
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
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


def uphill(found: list[Import]) -> list[str]:
    """Return a line for each import that points the wrong way."""
    wrong = []
    for i in found:
        if part(i.module) not in LEVEL or part(i.target) not in LEVEL:
            stranger = part(i.module) if part(i.module) not in LEVEL else part(i.target)
            wrong.append(f"{i}: '{stranger}' has no place in ORDER")
        elif LEVEL[part(i.target)] > LEVEL[part(i.module)] and not (
            i.deferred and part(i.target) in EXCEPTIONS.get(part(i.module), ())
        ):
            wrong.append(f"{i}: uphill")
    return wrong


def circles(found: list[Import]) -> list[str]:
    """Return the circles among the imports that run when a module is loaded."""
    edges: dict[str, set[str]] = {}
    for i in found:
        if not i.deferred:
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
    found = imports(PACKAGE)
    assert len(found) > 10, "the walk found next to nothing"
    assert not uphill(found), "\n".join(uphill(found))


def test_no_imports_in_a_circle():
    assert not circles(imports(PACKAGE)), "\n".join(circles(imports(PACKAGE)))


def test_every_module_has_its_place():
    strangers = {part(module) for module in modules(PACKAGE)} - set(LEVEL)
    assert not strangers, f"add {sorted(strangers)} to ORDER and to docs/architecture.md"


def test_architecture_page_draws_the_same_slope():
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = page.split("```text slope\n")[1].split("```")[0]
    lines = [tuple(line.split("#")[0].split()) for line in drawn.splitlines()]
    assert [line for line in lines if line] == [tuple(names) for names in ORDER]


def planted(tmp_path: Path, files: dict[str, str]) -> list[Import]:
    package = tmp_path / "tabular_rl"
    for name, source in {"__init__.py": "", **files}.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in path.relative_to(package).parents:
            (package / folder / "__init__.py").touch()
        path.write_text(source, encoding="utf-8")
    return imports(package)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("errors.py", "from tabular_rl.model import MDP"),
        ("errors.py", "from tabular_rl import model"),
        ("errors.py", "import tabular_rl.model"),
        ("errors.py", "from . import model"),
        ("errors.py", "from .model import MDP"),
        ("errors.py", "import tabular_rl"),
        ("errors.py", "def f():\n    from tabular_rl.model import MDP"),
        ("errors.py", "class A:\n    from tabular_rl.model import MDP"),
        ("errors.py", "try:\n    from tabular_rl.model import MDP\nexcept ImportError:\n    pass"),
        ("model.py", "def f():\n    from tabular_rl.planning.vi import x"),
        ("kernels/sweep.py", "from ..planning.vi import x"),
        ("kernels/sweep.py", "from ..planning import vi"),
        ("kernels/__init__.py", "from ..planning import vi"),
        ("solution.py", "from tabular_rl.certificates import certify"),
        ("unheard_of.py", "from tabular_rl import errors"),
    ],
)
def test_planted_uphill_import_is_found(tmp_path, name, source):
    files = {"model.py": "", "planning/vi.py": "", "certificates.py": "", "errors.py": "", name: source}
    assert len(uphill(planted(tmp_path, files))) == 1


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("planning/vi.py", "from tabular_rl.model import MDP"),
        ("planning/vi.py", "from ..model import MDP"),
        ("planning/vi.py", "from .backups import x"),
        ("planning/vi.py", "def f():\n    from tabular_rl.kernels import sweep"),
        ("policy.py", "from tabular_rl.model import MDP"),
        ("solution.py", "def f():\n    from tabular_rl.certificates import certify"),
        ("errors.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .model import MDP"),
        ("errors.py", "import tabular_rl_elsewhere.model"),
        ("commands/solve.py", "from tabular_rl import load"),
    ],
)
def test_downhill_import_is_left_alone(tmp_path, name, source):
    files = {"model.py": "", "planning/backups.py": "", "certificates.py": "", "errors.py": "", name: source}
    assert not uphill(planted(tmp_path, {**files, "kernels/sweep.py": ""}))


def test_planted_circle_is_found(tmp_path):
    side_by_side = {"model.py": "from .policy import x", "policy.py": "from .model import MDP"}
    assert circles(planted(tmp_path, side_by_side)) == ["model > policy > model"]


def test_deferred_import_closes_no_circle(tmp_path):
    later = {"model.py": "def f():\n    from .policy import x", "policy.py": "from .model import MDP"}
    assert not circles(planted(tmp_path, later))
