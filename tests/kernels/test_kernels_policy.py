"""The rules of compiled code: one compile policy, at most twelve parameters, sums reordered only in search.

Files kernels/search_*.py hold the kernels under @search_kernel, and no other file does; what forms bounds imports none.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "tabular_rl"
COMPILERS = {
    "jit", "njit", "vectorize", "guvectorize", "cfunc", "stencil", "generated_jit", "jitclass", "prange",
}  # fmt: skip
POLICY = Path("kernels") / "_jit.py"
# A file without any of these words breaks no rule, and need not be parsed.
WORDS = re.compile("|".join(["fastmath", "numba", "llvmlite", "kernel", "search_", *COMPILERS]))
SEARCH = "search_"  # how the names of files of search kernels begin
PROVING = ("certificates", "solving", "model")  # the folders whose numbers enter bounds


def breaches(package: Path) -> list[str]:
    """Return a line for each place that steps round the compile policy of kernels/_jit.py."""
    found = []
    for path in sorted(package.rglob("*.py")):
        name, text = path.relative_to(package), path.read_text(encoding="utf-8")
        if not WORDS.search(text):
            continue
        tree = ast.parse(text)
        reordering = set(ast.walk(search_policy(tree))) if name == POLICY else set()
        for node in ast.walk(tree):
            if node not in reordering:
                for what in (*breach(node, name == POLICY), *out_of_place(node, name)):
                    found.append(f"{name}:{getattr(node, 'lineno', 1)}: {what}")
    return found


def search_policy(tree: ast.Module) -> ast.AST:
    """The one function that may reorder sums."""
    named = (n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "search_kernel")
    return next(named, ast.Pass())


def out_of_place(node: ast.AST, name: Path) -> Iterator[str]:
    """Yield what is wrong where search kernels and proofs meet."""
    in_search = name.parts[0] == "kernels" and name.name.startswith(SEARCH)
    if isinstance(node, ast.FunctionDef):
        kinds = {callee_name(d) for d in node.decorator_list} & {"kernel", "search_kernel"}
        if kinds and kinds != {"search_kernel" if in_search else "kernel"}:
            yield f"search kernels, and no others, stand in files {SEARCH}*.py"
    if name.parts[0] in PROVING or (name.parts[0] == "kernels" and not in_search):
        imported = [a.name for a in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
        if any(f"{module}.{x}".rpartition("kernels.")[2].startswith(SEARCH) for x in imported):
            yield "a bound may be formed here, and search kernels reorder sums"


def breach(node: ast.AST, is_policy: bool) -> Iterator[str]:  # noqa: C901
    """Yield what is wrong with one node; kernels/_jit.py alone may name Numba, and may refuse fastmath."""
    if isinstance(node, ast.keyword) and node.arg == "fastmath" and not is_false(node.value):
        yield "fastmath licenses reordering, which voids every error bound"
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == "fastmath" and not is_false(value):
                yield "fastmath licenses reordering, which voids every error bound"
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    if any("fastmath" in ast.dump(target) for target in targets if isinstance(target, ast.expr)):
        yield "fastmath is not a thing to set"
    if is_policy:
        return
    if isinstance(node, ast.Import) and any(
        a.name.split(".")[0] in {"numba", "llvmlite"} for a in node.names
    ):
        yield "imports numba; kernels/_jit.py alone does"
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in {"numba", "llvmlite"}:
        yield "imports numba; kernels/_jit.py alone does"
    if isinstance(node, ast.Attribute | ast.Name):
        word = node.attr if isinstance(node, ast.Attribute) else node.id
        if word in COMPILERS:
            yield f"uses {word}; kernels are compiled by @kernel alone"


def is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def kernels(package: Path) -> dict[str, str]:
    """Return the functions under @kernel, each with its place."""
    return {node.name: f"{path.relative_to(package)}:{node.lineno}" for path, node in functions(package)}


def functions(package: Path) -> Iterator[tuple[Path, ast.FunctionDef]]:
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if re.search("@.*kernel", text) else ():
            if isinstance(node, ast.FunctionDef) and any(map(is_kernel, node.decorator_list)):
                yield path, node


def is_kernel(decorator: ast.expr) -> bool:
    return callee_name(decorator) in ("kernel", "search_kernel")


def callee_name(decorator: ast.expr) -> str:
    callee = decorator.func if isinstance(decorator, ast.Call) else decorator
    return callee.attr if isinstance(callee, ast.Attribute) else getattr(callee, "id", "")


def test_compile_policy_is_in_one_place():
    assert not breaches(PACKAGE), "\n".join(breaches(PACKAGE))


def test_kernels_live_in_kernels():
    found = kernels(PACKAGE)
    assert found, "the walk found no kernel"
    elsewhere = {name: place for name, place in found.items() if not place.startswith("kernels")}
    assert not elsewhere, f"a kernel outside tabular_rl/kernels/: {elsewhere}"


def test_sums_free_of_order_stand_where_they_are_exact():
    """`add` leaves their order to the compiler: only what makes models splits its numbers so that none is rounded."""
    lines = {path.name: path.read_text(encoding="utf-8") for path in (PACKAGE / "kernels").glob("[!_]*.py")}
    users = [name for name, text in lines.items() if re.search(r"_jit import .*\badd\b", text)]
    assert users == ["build.py"]


def test_kernels_take_at_most_twelve_parameters():
    """What belongs together travels in a named tuple."""
    found = {node.name: len(node.args.args) for _, node in functions(PACKAGE)}
    assert not {name: n for name, n in found.items() if n > 12}


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("kernels/a.py", "@kernel(fastmath=True)\ndef f(v): ..."),
        ("kernels/_jit.py", "flags = {'fastmath': True}"),
        ("kernels/_jit.py", "njit(fastmath={'contract'})"),
        ("kernels/_jit.py", "config.fastmath = True"),
        ("kernels/a.py", "import numba"),
        ("planning/a.py", "def f():\n    from numba.core import types"),
        ("planning/a.py", "@nb.njit\ndef f(v): ..."),
        ("kernels/a.py", "for s in prange(S): ..."),
        ("kernels/a.py", "@search_kernel\ndef f(v): ..."),
        ("kernels/search_a.py", "@kernel\ndef f(v): ..."),
        ("kernels/a.py", "from tabular_rl.kernels.search_a import f"),
        ("certificates/a.py", "def f():\n    from tabular_rl.kernels import search_a"),
        ("solving/a.py", "import tabular_rl.kernels.search_a"),
    ],
)
def test_planted_breach_is_found(tmp_path, name, source):
    path = tmp_path / name
    path.parent.mkdir()
    path.write_text(source)
    assert len(breaches(tmp_path)) == 1


def test_the_policy_itself_is_allowed(tmp_path):
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "_jit.py").write_text(
        "from numba import njit\n\ndef kernel(f):\n    return njit(f, nogil=True, fastmath=False)\n"
        "\ndef search_kernel(f):\n    return njit(f, fastmath={'contract'})\n"
    )
    assert not breaches(tmp_path)
