"""tabular-rl methods"""

from __future__ import annotations

import inspect
from typing import Any

import click

from tabular_rl.commands import COMMANDS
from tabular_rl.commands._shared import Command, json_option, quiet_option
from tabular_rl.errors import OptionError, closest, quoted
from tabular_rl.methods.catalogue import ALIASES, LEARNERS, METHODS, SOLVERS, canonical
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
        raise OptionError(
            f"no method {quoted(method)}{closest(method, METHODS) or '.'} `tabular-rl methods` lists them."
        )
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
    spec = METHODS[name].spec  # type: ignore[attr-defined]
    return {
        "name": name, "aliases": aliases(name), "task": spec.task, "family": spec.family,
        "problems": list(spec.problems), "summary": spec.summary, "equation": spec.equation, "source": spec.source,
        "options": {
            key: {"flag": option.flag, "default": plain(default), "help": option.help, "expected": option.expected}
            for key, (option, default) in spec.options.items()
        },
    }  # fmt: skip


def plain(default: Any) -> Any:
    """A default as JSON knows it."""
    return default if default is None or isinstance(default, (bool, int, float, str)) else str(default)


def listing() -> str:
    """All methods, those of each task together."""
    parts = []
    for methods, task, heading in (
        (SOLVERS, "control", "solve: find the best policy"),
        (SOLVERS, "prediction", "evaluate: find the values of a policy"),
        (LEARNERS, "control", "learn: find the best policy from samples"),
        (LEARNERS, "prediction", "learn: find the values of a policy from samples"),
    ):
        specs = [f.spec for f in methods.values() if f.spec.task == task]  # type: ignore[attr-defined]
        rows = [[s.name, "all" if len(s.problems) == 3 else ", ".join(s.problems), s.summary] for s in specs]
        headers = ["method", "problems", "what it does"]
        shown = table(headers, rows, left=",".join(headers), wrap="problems,what it does")
        parts.append(f"{heading}\n\n{shown}")
    short = "Short names, in any case: " + ", ".join(f"{alias} {name}" for alias, name in ALIASES.items())
    parts.append("\n".join(wrapped(short, columns())))
    return "\n\n".join(parts)


def aliases(name: str) -> list[str]:
    return [alias for alias, method in ALIASES.items() if method == name]


def page(name: str) -> str:
    """One method: its docstring, and its options with their defaults."""
    function = METHODS[name]
    spec = function.spec  # type: ignore[attr-defined]
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
        for option, default in spec.options.values()
    ]
    command = "learn" if name in LEARNERS else "solve" if spec.task == "control" else "evaluate"
    limit = f"; up to {spec.largest} states" if spec.largest else ""
    head = [
        f"{name} (tabular-rl {command} MODEL --method {' or '.join([name, *aliases(name)])})",
        f"  {spec.equation}",
        f"  problems: {', '.join(spec.problems)}{limit}",
        f"  source: {spec.source}",
    ]
    return "\n".join(
        [
            *(reflowed(line, columns()) for line in head),
            "",
            reflowed(inspect.getdoc(function) or "", columns()),
            "",
            "On the command line",
            "-------------------",
            table(["option", "default", "meaning"], rows, left="option,default,meaning", wrap="meaning")
            if rows
            else "no options",
        ]
    )
