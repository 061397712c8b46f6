"""Small mistakes planted in kernels, one at a time, by their syntax trees: the tests of a kernel must find each.

The mistakes are made from the tree itself, so that they survive any change of its text: each sum becomes a difference,
each factor is left out once, each condition is turned round, always met and never met, each whole number is one more,
each write is left out, each name is taken for its neighbour. Kernels run as plain Python. A mistake is found where a
comparison fails. One that only makes the program fail (an index out of range, a loop without end) is counted apart.
"""

from __future__ import annotations

import ast
import copy
import functools
import itertools
import math
import operator
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

import numpy as np

KERNELS = Path(__file__).resolve().parents[2] / "tabular_rl" / "kernels"
LONGEST_LOOP = 2_000
ENOUGH_CRASHES = 10  # of a mistake that no comparison has found yet
NEIGHBOURS = (
    ("i", "i2", "j"), ("s", "s2"), ("bar", "q", "v", "w", "table"), ("qa", "qb"), ("first", "last"), ("pi", "rho"),
)  # fmt: skip
NEGATED = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
TURNED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr,
          ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift}  # fmt: skip


@functools.cache
def tree_of(module: str) -> ast.Module:
    return ast.parse((KERNELS / f"{module}.py").read_text(encoding="utf-8"))


@functools.cache
def modules_of(module: str) -> tuple[str, ...]:
    """A module of kernels after those that it imports kernels from.

    >>> modules_of("one_step")
    ('lines', 'walk', 'one_step')
    """
    below: list[str] = []
    for node in tree_of(module).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tabular_rl.kernels."):
            name = str(node.module).rpartition(".")[2]
            below += [] if name == "_jit" else modules_of(name)
    return (*dict.fromkeys(below), module)


@functools.cache
def functions(module: str) -> dict[str, ast.FunctionDef]:
    """The kernels of a module, and those that they call, by name."""
    nodes = itertools.chain.from_iterable(tree_of(name).body for name in modules_of(module))
    return {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}


def kernels_of(file: str) -> list[str]:
    """The kernels that stand in a file."""
    return [node.name for node in tree_of(file).body if isinstance(node, ast.FunctionDef)]


def plain(module: str) -> dict[str, Any]:
    """The kernels of a module, and those that they call, as plain Python functions in one namespace."""
    made: dict[str, Any] = {"math": math, "np": np, "ticks": ticks}
    made["kernel"] = made["search_kernel"] = lambda function: function
    made["fetch"] = lambda array, place: None
    made["add"] = operator.add
    made["larger"] = max
    made["multiply_add"] = multiply_add
    made["at"] = int  # a mistake may lead to -1: then it is the last place
    for code in codes(module):
        exec(code, made)
    return made


def multiply_add(*words: int) -> tuple[int, int]:
    """(x y + z) mod 2^128 of numbers of two words each."""
    x, y, z = (2**64 * int(words[j]) + int(words[j + 1]) for j in (0, 2, 4))
    return divmod((x * y + z) % 2**128, 2**64)


@functools.cache
def codes(module: str) -> list[CodeType]:
    """What `plain` runs."""
    made = []
    for name in modules_of(module):
        for node in tree_of(name).body:
            own = isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tabular_rl")
            if not own and not isinstance(node, ast.FunctionDef):
                made.append(code_of(node))
    return made + [code_of(limited(node)) for node in functions(module).values()]


def define(node: ast.FunctionDef, made: dict[str, Any]) -> None:
    """Put a kernel into a namespace; its loops without a known end fail when they are too long."""
    exec(code_of(limited(node)), made)


def code_of(node: ast.stmt) -> CodeType:
    module = ast.fix_missing_locations(ast.Module([node], []))
    return compile(module, "kernels", "exec", flags=0, dont_inherit=True)


def limited(node: ast.FunctionDef) -> ast.FunctionDef:
    if any(isinstance(x, ast.While) for x in ast.walk(node)):
        return Limited().visit(copy.deepcopy(node))
    return node


class Limited(ast.NodeTransformer):
    """while x: -> while tick() and x:"""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.body.insert(0, ast.parse("tick = ticks()").body[0])
        return node

    def visit_While(self, node: ast.While) -> ast.While:
        self.generic_visit(node)
        node.test = ast.BoolOp(ast.And(), [ast.parse("next(tick)", mode="eval").body, node.test])
        return node


def ticks() -> Iterator[bool]:
    yield from itertools.repeat(True, LONGEST_LOOP)
    raise RuntimeError("a loop without end")


# -- mistakes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutant:
    """One mistake in one kernel: what was there, and what is there instead."""

    kernel: str
    old: str
    new: str
    number: int  # among those of the same words
    right: ast.FunctionDef = field(repr=False, compare=False)
    places: tuple[ast.AST, ...] = field(repr=False, compare=False)
    instead: ast.AST | None = field(repr=False, compare=False)

    @property
    def node(self) -> ast.FunctionDef:
        """The whole kernel with the mistake; most are never asked for it."""
        return ast.fix_missing_locations(changed(self.right, self.places, self.instead))

    def __str__(self) -> str:
        again = f" ({self.number + 1})" if self.number else ""
        return (
            f"{self.kernel}: {' '.join(self.old.split())} -> {' '.join(self.new.split()) or 'nothing'}{again}"
        )


def mutants(module: str, kernel: str) -> list[Mutant]:
    """All small mistakes in a kernel, in the order of its text.

    >>> for mutant in mutants("dyna", "drawn")[-5:]:
    ...     print(mutant)
    drawn: first += 1 -> first -= 1
    drawn: first += 1 -> nothing
    drawn: first += 1 -> first += 2
    drawn: rest -= counts[e, first] -> rest += counts[e, first]
    drawn: rest -= counts[e, first] -> nothing
    """
    node = functions(module)[kernel]
    names = {x.id for x in ast.walk(node) if isinstance(x, ast.Name)} | {x.arg for x in node.args.args}
    made: list[Mutant] = []
    counts: Counter[tuple[str, str]] = Counter()
    for statement, place in places(node):
        for new in mistakes(place, names):
            words = head(statement), head(changed(statement, [place], new))
            made.append(Mutant(kernel, *words, counts[words], node, (place,), new))
            counts[words] += 1
    return made


def planted(module: str, kernel: str, old: str, new: str, times: int = 1) -> Mutant:
    """The mistake that an expression or a statement, wherever it stands in the kernel, is another one."""
    node = functions(module)[kernel]
    before, after = (ast.parse(text).body[0] if text else None for text in (old, new))
    assert before is not None
    if isinstance(before, ast.Expr):
        before = before.value
        after = after.value if isinstance(after, ast.Expr) else after
    wanted = bare(before)
    found = [x for x in ast.walk(node) if isinstance(x, (ast.expr, ast.stmt)) and bare(x) == wanted]
    assert len(found) == times, f"{kernel}: found {old!r} {len(found)} times, expected {times}"
    return Mutant(kernel, old, new, 0, node, tuple(found), after)


def bare(node: ast.AST) -> str:
    return ast.dump(node).replace("Store()", "Load()")


def head(node: ast.AST | None) -> str:
    """The text of a node; of a compound statement its first line."""
    if node is None:
        return "nothing"
    if isinstance(node, ast.For | ast.If | ast.While):
        node = copy.copy(node)
        node.body, node.orelse = [ast.Pass()], []
    return ast.unparse(node).partition("\n")[0]


def places(node: ast.FunctionDef) -> Iterator[tuple[ast.stmt, ast.AST]]:
    """The expressions of a kernel, each after its statement; those that compare with None left out."""
    for statement in node.body:
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            yield from inside(statement, statement)


def inside(statement: ast.stmt, node: ast.AST) -> Iterator[tuple[ast.stmt, ast.AST]]:
    statement = node if isinstance(node, ast.stmt) else statement
    if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Is, ast.IsNot)):
        return
    yield statement, node
    if not isinstance(node, ast.UnaryOp):
        for child in ast.iter_child_nodes(node):
            yield from inside(statement, child)


def changed(tree: Any, places: Sequence[ast.AST], new: ast.AST | None) -> Any:
    """A copy of a tree with something else in some places; None where the whole of it is nothing."""
    if new is None and tree in places:
        return None
    known = {id(place): copy.deepcopy(ast.Pass() if new is None else new) for place in places}
    return copy.deepcopy(tree, known)


def mistakes(node: Any, names: set[str]) -> Iterator[ast.AST | None]:
    """What may stand at a place by mistake; None for nothing."""

    def other(**fields: Any) -> Any:
        return type(node)(**{**dict(ast.iter_fields(node)), **fields})

    match node:
        case ast.BinOp(op=ast.Mult()):
            yield from (node.left, node.right)
        case ast.BinOp(op=ast.FloorDiv() | ast.Mod()):
            yield node.left
        case ast.BinOp():
            yield other(op=TURNED[type(node.op)]())
        case ast.AugAssign(op=op):
            if type(op) in TURNED:
                yield other(op=TURNED[type(op)]())
            yield None
        case ast.Assign(targets=[ast.Subscript()]) | ast.Expr(value=ast.Call()):
            yield None
        case ast.Compare(ops=[op]) if type(op) in NEGATED:
            yield other(ops=[NEGATED[type(op)]()])
        case ast.BoolOp(op=op):
            yield other(op=ast.And() if isinstance(op, ast.Or) else ast.Or())
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as n)):
            yield ast.Constant(1 - n)
        case ast.UnaryOp():
            yield node.operand
        case ast.If(test=test) if not of_none(test):
            yield from (other(test=ast.Constant(True)), other(test=ast.Constant(False)))
        case ast.IfExp(test=test) if not of_none(test):
            yield from (node.body, node.orelse)
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int() | float()):
            yield ast.Constant(node.value + 1)
        case ast.Name(ctx=ast.Load()):
            group = next((group for group in NEIGHBOURS if node.id in group), ())
            yield from (ast.Name(name, ast.Load()) for name in group if name in names and name != node.id)


def of_none(test: ast.expr) -> bool:
    return any(isinstance(x, (ast.Is, ast.IsNot)) for x in ast.walk(test))


# -- what a check says ------------------------------------------------------------------------------------------------


class Check(NamedTuple):
    """What the twin leaves behind, how the kernels of a namespace leave it, and whether two such are equal."""

    expected: Any
    call: Callable[[dict[str, Any]], Any]
    equal: Callable[[Any, Any], bool]


def fate(made: dict[str, Any], mutant: Mutant, checks: list[Check]) -> str:
    """ "found" where a comparison fails, "crashed" where all that happens is that the program fails, or "missed".

    The check that finds a mistake moves to the front of the list: it is likely to find the next one, too.
    """
    right, crashes = made[mutant.kernel], 0
    define(mutant.node, made)
    try:
        for at, (expected, call, equal) in enumerate(checks):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    left = call(made)
            except (Exception, SystemError):
                crashes += 1
                if crashes == ENOUGH_CRASHES:
                    break
                continue
            if not equal(expected, left):
                checks.insert(0, checks.pop(at))
                return "found"
    finally:
        made[mutant.kernel] = right
    return "crashed" if crashes else "missed"


def fates(
    module: str, kernel: str, checks: Iterable[Check], alike: Iterable[str] = (), every: int = 1
) -> dict[str, list[str]]:
    """The mutants of a kernel by their fates; those of `alike` change nothing that can be seen, and are left out.

    With `every` 3, say, only the first of each three is made, which three follow each other in the text.
    """
    made, alike, checks = plain(module), set(alike), list(checks)
    found: dict[str, list[str]] = {"found": [], "crashed": [], "missed": []}
    for mutant in [m for m in mutants(module, kernel) if str(m) not in alike][::every]:
        found[fate(made, mutant, checks)].append(str(mutant))
    return found


def check_every_mistake_is_found(
    module: str, kernel: str, checks: Iterable[Check], alike: Iterable[str] = ()
) -> None:
    """Fail where a mistake in a kernel goes unseen, or where no comparison finds any.

    Every sixth mistake is made, and all of them where the environment has TABULAR_RL_MISTAKES=all, as in
    tests/kernels/test_all_mistakes.py.
    """
    every = 1 if os.environ.get("TABULAR_RL_MISTAKES") == "all" else 6
    found = fates(module, kernel, checks, alike, every)
    print({name: len(them) for name, them in found.items()})
    assert not found["missed"], found["missed"]
    assert found["found"] or every > 1, "it only crashes"
