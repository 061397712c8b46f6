"""The methods of the catalogue: a list of all, or the page of one with its equation and options."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from tabular_rl.methods.lookup import ALIASES, LEARNERS, METHODS, PLANNERS
from tabular_rl.report.blocks import Block, Lines, Report, Table
from tabular_rl.report.layout import columns, reflowed, wrapped

QUESTIONS = (
    (PLANNERS, "control", "solve: find the best policy"),
    (PLANNERS, "prediction", "evaluate: find the values of a policy"),
    (LEARNERS, "control", "learn: find the best policy from samples"),
    (LEARNERS, "prediction", "learn: find the values of a policy from samples"),
)


@dataclass(frozen=True)
class MethodsReport(Report):
    """All methods, those of each question together; or one of them, with its docstring and its options."""

    method: str | None = None
    mathematical = True

    def blocks(self) -> list[Block]:
        return _listing() if self.method is None else page(self.method)

    def entries(self) -> dict[str, Any]:
        names = list(METHODS) if self.method is None else [self.method]
        return {"schema": "tabular-rl methods", "version": 1, "methods": [_entry(name) for name in names]}


def _entry(name: str) -> dict[str, Any]:
    """One method for a program."""
    method = METHODS[name]
    return {
        "name": name, "aliases": _aliases(name), "task": method.task, "family": method.family,
        "problems": list(method.problems), "summary": method.summary, "equation": method.equation,
        "source": method.source,
        "options": {
            key: {"flag": option.flag, "default": _plain(default), "help": option.help, "expected": option.expected}
            for key, (option, default) in method.options.items()
        },
    }  # fmt: skip


def _plain(default: Any) -> Any:
    """A default as JSON knows it."""
    return default if default is None or isinstance(default, bool | int | float | str) else str(default)


def _listing() -> list[Block]:
    """All methods, those of each question together."""
    blocks: list[Block] = []
    headers = ["method", "problems", "what it does"]
    for methods, task, heading in QUESTIONS:
        rows = [
            [m.name, "all" if len(m.problems) == 3 else ", ".join(m.problems), m.summary]
            for m in methods.values()
            if m.task == task
        ]
        blocks += [
            Lines([heading]),
            Table(headers, rows, left=",".join(headers), wrap="problems,what it does"),
        ]
    short = "Short names, in any case: " + ", ".join(f"{alias} {name}" for alias, name in ALIASES.items())
    return [*blocks, Lines(wrapped(short, columns()))]


def _aliases(name: str) -> list[str]:
    return [alias for alias, known in ALIASES.items() if known == name]


def page(name: str) -> list[Block]:
    """One method: its equation, its docstring, and its options with their defaults."""
    method = METHODS[name]
    command = "learn" if name in LEARNERS else "solve" if method.task == "control" else "evaluate"
    limit = f"; up to {method.largest} states" if method.largest else ""
    head = [
        f"{name} (tabular-rl {command} MODEL --method {' or '.join([name, *_aliases(name)])})",
        f"  {method.equation}",
        f"  problems: {', '.join(method.problems)}{limit}",
        f"  source: {method.source}",
    ]
    above = ["On the command line", "-------------------"]
    rows = [[option.flag, _default_text(default), option.help] for option, default in method.options.values()]
    headers = ["option", "default", "meaning"]
    return [
        Lines([reflowed(line, columns()) for line in head]),
        Lines([reflowed(inspect.getdoc(method) or "", columns())]),
        Table(headers, rows, left=",".join(headers), wrap="meaning", above=above)
        if rows
        else Lines([*above, "no options"]),
    ]


def _default_text(default: Any) -> str:
    """Return a default as it is written on the command line.

    >>> _default_text(None), _default_text(True), _default_text(1e-6), _default_text("1/n")
    ('', 'true', '1e-06', '1/n')
    """
    if default is None:
        return ""
    if default in (True, False):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)
