"""The models that come with the program."""

from __future__ import annotations

import re
from typing import Any

from tabular_rl.formats.bundled import example_path, examples
from tabular_rl.report.blocks import Block, Report, Table

KEY = re.compile(r'^[# ]*(name|source)\s*=\s*"([^"]*)"', re.MULTILINE)


class ExamplesReport(Report):
    """Each model that comes with the program, with its source."""

    def blocks(self) -> list[Block]:
        rows = [[f"example:{entry['example']}", entry["source"]] for entry in _entries()]
        return [Table(["model", "source"], rows, left="model,source", wrap="source")]

    def entries(self) -> dict[str, Any]:
        return {"schema": "tabular-rl examples", "version": 1, "examples": _entries()}


def _entries() -> list[dict[str, str]]:
    """Each model, with its name and its source as its file says them."""
    entries = []
    for name in examples():
        path = example_path(name)
        head = dict(KEY.findall(path.read_text(encoding="utf-8")[:4000])) if path.suffix != ".npz" else {}
        entries.append({"example": name, "name": head.get("name", ""), "source": head.get("source", "")})
    return entries
