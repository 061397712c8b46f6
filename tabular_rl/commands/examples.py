"""tabular-rl examples"""

from __future__ import annotations

import re

import click

from tabular_rl.commands import COMMANDS
from tabular_rl.commands._shared import Command, json_option, quiet_option
from tabular_rl.formats.bundled import example_path, examples
from tabular_rl.report.layout import table
from tabular_rl.report.screen import out

KEY = re.compile(r'^[# ]*(name|source)\s*=\s*"([^"]*)"', re.MULTILINE)


@click.command("examples", cls=Command, short_help=COMMANDS["examples"])
@json_option
@quiet_option
def command(as_json: bool, quiet: int) -> int:
    """List the models that come with the program.

    \b
    tabular-rl examples
    tabular-rl solve example:gambler_40
    """
    rows = []
    for name in examples():
        path = example_path(name)
        head = dict(KEY.findall(path.read_text(encoding="utf-8")[:4000])) if path.suffix != ".npz" else {}
        rows.append([name, head.get("name", ""), head.get("source", "")])
    if as_json:
        from tabular_rl.formats.json import json_parts

        entries = [{"example": a, "name": b, "source": c} for a, b, c in rows]
        out("".join(json_parts({"schema": "tabular-rl examples", "version": 1, "examples": entries})))
        return 0
    shown = [[f"example:{name}", source] for name, _, source in rows]
    out(table(["model", "source"], shown, left="model,source", wrap="source") + "\n")
    return 0
