"""tabular-rl methods"""

from __future__ import annotations

import inspect
from typing import Any

import click

from tabular_rl.commands import COMMANDS
from tabular_rl.commands._shared import Command, json_option, quiet_option
from tabular_rl.methods.lookup import ALIASES, LEARNERS, METHODS, PLANNERS, canonical, unknown_method
from tabular_rl.report.layout import columns, reflowed, table, wrapped
from tabular_rl.report.screen import out, spelled


@click.command("methods", cls=Command, short_help=COMMANDS["methods"])
@click.argument("method", required=False)
@json_option
@quiet_option
def command(method: str | None, as_json: bool, quiet: int) -> int:
    """List the methods, or describe one with its equation and options.

    \b
    tabular-rl methods
    tabular-rl methods value-iteration
    """
    method = None if method is None else canonical(method)
    if method is not None and method not in METHODS:
        raise unknown_method(method, METHODS, "`tabular-rl methods` lists them.")
    names = list(METHODS) if method is None else [method]
    if as_json:
        from tabular_rl.formats.json import json_parts

        out(
            "".join(
                json_parts(
                    {"schema": "tabular-rl methods", "version": 1, "methods": [entry(n) for n in names]}
                )
            )
        )
    else:
        out(spelled(listing() if method is None else page(method)) + "\n")
    return 0


def entry(name: str) -> dict[str, Any]:
    method = METHODS[name]
    return {
        "name": name, "aliases": aliases(name), "task": method.task, "family": method.family,
        "problems": list(method.problems), "summary": method.summary, "equation": method.equation,
        "source": method.source,
        "options": {
            key: {"flag": option.flag, "default": plain(default), "help": option.help, "expected": option.expected}
            for key, (option, default) in method.options.items()
        },
    }  # fmt: skip


def plain(default: Any) -> Any:
    """A default as JSON knows it."""
    return default if default is None or isinstance(default, (bool, int, float, str)) else str(default)


def listing() -> str:
    """All methods, those of each task together."""
    parts = []
    for methods, task, heading in (
        (PLANNERS, "control", "solve: find the best policy"),
        (PLANNERS, "prediction", "evaluate: find the values of a policy"),
        (LEARNERS, "control", "learn: find the best policy from samples"),
        (LEARNERS, "prediction", "learn: find the values of a policy from samples"),
    ):
        rows = [
            [m.name, "all" if len(m.problems) == 3 else ", ".join(m.problems), m.summary]
            for m in methods.values()
            if m.task == task
        ]
        headers = ["method", "problems", "what it does"]
        shown = table(headers, rows, left=",".join(headers), wrap="problems,what it does")
        parts.append(f"{heading}\n\n{shown}")
    short = "Short names, in any case: " + ", ".join(f"{alias} {name}" for alias, name in ALIASES.items())
    parts.append("\n".join(wrapped(short, columns())))
    return "\n\n".join(parts)


def aliases(name: str) -> list[str]:
    return [alias for alias, known in ALIASES.items() if known == name]


def page(name: str) -> str:
    """One method: its docstring, and its options with their defaults."""
    method = METHODS[name]
    rows = [
        [
            option.flag,
            ""
            if default is None
            else str(default).lower()
            if default in (True, False)
            else f"{default:g}"
            if isinstance(default, float)
            else str(default),
            option.help,
        ]
        for option, default in method.options.values()
    ]
    command = "learn" if name in LEARNERS else "solve" if method.task == "control" else "evaluate"
    limit = f"; up to {method.largest} states" if method.largest else ""
    head = [
        f"{name} (tabular-rl {command} MODEL --method {' or '.join([name, *aliases(name)])})",
        f"  {method.equation}",
        f"  problems: {', '.join(method.problems)}{limit}",
        f"  source: {method.source}",
    ]
    return "\n".join(
        [
            *(reflowed(line, columns()) for line in head),
            "",
            reflowed(inspect.getdoc(method) or "", columns()),
            "",
            "On the command line",
            "-------------------",
            table(["option", "default", "meaning"], rows, left="option,default,meaning", wrap="meaning")
            if rows
            else "no options",
        ]
    )
