"""README.md's tables of what is read and written name what the registry has, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tabular_rl import MDP
from tabular_rl.formats.registry import ANSWERS, LOGS, MODELS

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("## What is read and written")[2].partition("\n## ")[0]
ADD = "add a row to the table in README.md, or mend it: | what it is | `.suffix` | yes | yes or no | [page](docs/...) |"


def rows(first):
    """{suffix, or "a directory": (read, written)} of the table whose first header this is."""
    table = re.search(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", SECTION, re.MULTILINE)[1]
    found = {}
    for line in table.splitlines():
        _, _, files, read, written, *_ = (cell.strip() for cell in line.split("|"))
        for name in filter(None, files.replace("`", "").split(", ")):
            found[name] = (read, written)
    return found


@pytest.mark.parametrize(
    ("first", "formats"),
    [("model", MODELS), ("log", LOGS), ("answer, policy", ANSWERS)],
    ids=["models", "logs", "answers"],
)
def test_each_format_has_its_row(first, formats):
    expected = {
        name: ("yes" if format.read else "no", "yes" if format in formats.written else "no")
        for format in formats.formats
        for name in format.suffixes or ("a directory",)
    }
    assert rows(first) == expected, ADD


def test_each_way_from_and_to_objects_is_named():
    ways = {name for name in dir(MDP) if name.startswith(("from_", "to_"))}
    named = set(re.findall(r"`(?:MDP\.)?((?:from|to)_\w+)`", SECTION)) - {"to_frame"}
    assert named == ways, (
        "name each classmethod MDP.from_... and each method to_... below the table of models in README.md"
    )
