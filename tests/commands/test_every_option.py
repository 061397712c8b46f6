"""No option is without a test: each option of each command is given in a test, or in a document that is run."""

from __future__ import annotations

import ast
import functools
import shlex
from pathlib import Path

import documents
import pytest
from option_table import options

from tabular_rl.commands import COMMANDS

TESTS = Path(__file__).parents[1]
GENERAL = {
    "test_every_option.py",
    "test_completion.py",
    "test_help.py",
}  # these name all options, and use none


def words_of(node: ast.AST) -> set[str]:
    """The words of the texts below a node, those before an = and f-strings too."""
    texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    words = {word for text in texts for word in text.split()}
    return words | {word.partition("=")[0] for word in words if word.startswith("--")}


def named(node: ast.AST, top: dict[str, ast.AST]) -> dict[str, ast.AST]:
    """What a node names of the top of its file: helpers, fixtures and tables, and what these name in turn."""
    found: dict[str, ast.AST] = {}
    waiting = [node]
    while waiting:
        for child in ast.walk(waiting.pop()):
            name = (
                child.id if isinstance(child, ast.Name) else child.arg if isinstance(child, ast.arg) else None
            )
            if name in top and name not in found and top[name] is not node:
                found[name] = top[name]
                waiting.append(top[name])
    return found


@functools.cache
def used() -> list[set[str]]:  # noqa: C901
    """The words that one test gives a command, those of each row of a table apart; and each line of the documents."""
    found = []
    for path in sorted(TESTS.rglob("test_*.py")):
        if path.name in GENERAL:
            continue
        top: dict[str, ast.AST] = {}
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                top[node.name] = node
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                top[node.targets[0].id] = node.value
        for name, node in top.items():
            if not name.startswith("test_"):
                continue
            words, rows = words_of(node), [set()]
            for other in named(node, top).values():
                if isinstance(other, ast.Dict):
                    pairs = zip(other.keys, other.values, strict=True)
                    rows = [
                        words_of(key) | words_of(value) for key, value in pairs if key is not None
                    ] or rows
                elif isinstance(other, ast.List | ast.Tuple) and len(other.elts) > 12:
                    rows = [words_of(row) for row in other.elts]
                else:
                    words |= words_of(other)
            found += [words | row for row in rows]
    for page in documents.pages():
        for block in documents.blocks(page.read_text(encoding="utf-8")):
            if block.language == "console":
                for line in block.lines:
                    if line.startswith("$ tabular-rl "):
                        given = set(shlex.split(line[2:], comments=True))
                        found.append(given | {w.partition("=")[0] for w in given if w.startswith("--")})
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_given_in_a_test(command):
    missing = [
        f"{family} {option.opts[-1]}".strip()
        for name, family, option in options()
        if name == command
        and not any(
            command in words and words & set(option.opts) and (not family or family in words)
            for words in used()
        )
    ]
    assert not missing, f"{command}: no test gives {', '.join(missing)}"


def test_what_is_found_is_not_everything():
    """The search has teeth: an option that there is not is nowhere given."""
    assert not any("--no-such-option" in words for words in used())
    assert any({"verify", "--relative"} <= words for words in used())
