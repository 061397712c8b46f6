"""The table of all options in docs/command-line.md, made from the help of the commands.

`python tests/support/option_table.py --write` writes it into the page.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

PAGE = Path(__file__).resolve().parents[2] / "docs" / "command-line.md"
TITLE, AFTER = "## All options", "## What is printed where"
BEFORE = """

What the help of each command says, in short. `tabular-rl COMMAND --help` has the methods that an option belongs to,
and what it is where it is not given; `tabular-rl methods NAME` has the options of one method.

"""


def options() -> Iterator[tuple[str, str, click.Option]]:
    """Yield (command, the family of `make` or "", option) for each option of each command."""
    from tabular_rl.commands import COMMANDS, program

    for name in COMMANDS:
        command = program.get_command(click.Context(program), name)
        ctx = click.Context(command)
        families = command.list_commands(ctx) if isinstance(command, click.Group) else [""]
        for family in families:
            own = command.get_command(ctx, family) if isinstance(command, click.Group) else command
            for parameter in own.params:
                if isinstance(parameter, click.Option):
                    yield name, family, parameter


def code(option: str) -> str:
    return f"`{option}`"


def short(text: str) -> str:
    r"""The first sentence, without defaults and methods.

    >>> short("Show it. More  [default: 1]"), short("Stop [a, b]  [default: 1]"), short("the largest |value|")
    ('Show it', 'Stop', 'the largest \\|value\\|')
    """
    text = re.sub(r"\s*\[[^]]*\]\.?$", "", re.sub(r"\s*\[default: [^]]*\]\.?$", "", text.strip()))
    return re.split(r"\.(?: (?=[A-Z0-9`])|$)", text)[0].replace("|", r"\|").strip()


def table() -> str:
    """One row for each option: what it does, and of which commands; options of `make` stand by family."""
    from tabular_rl.commands import COMMANDS

    rows: dict[str, dict[str, list[str]]] = {}
    families: dict[str, list[str]] = {}
    for command, family, parameter in options():
        if parameter.hidden:
            continue
        option, meaning = ", ".join(map(code, parameter.opts)), short(parameter.help)
        if family:
            families.setdefault(family, []).append(f"{option} {meaning[:1].lower()}{meaning[1:]}")
        else:
            rows.setdefault(option, {}).setdefault(meaning, []).append(command)
    reading = next(iter(rows["`--arrays`"].values()))
    lines = ["| option | what it does |", "|---|---|"]
    for option, meanings in sorted(rows.items(), key=lambda row: row[0].rpartition("--")[2]):
        told = []
        for meaning, commands in meanings.items():
            rest = [c for c in commands if c not in reading]
            whole = len(reading) == len(commands) - len(rest)
            of = ", ".join(["every command that reads a model"] * whole + (rest if whole else commands))
            told.append(f"{meaning} ({'every command' if len(commands) > len(COMMANDS) - 2 else of})")
        lines.append(f"| {option} | {'; '.join(told)} |")
    common = set.intersection(*map(set, families.values()))
    shared = ", ".join(sorted(re.match(r"`[^ ]+`", option)[0] for option in common))
    lines += ["", f"All families of `make` have {shared}; the others are", ""]
    lines += ["| family | options |", "|---|---|"]
    lines += [
        f"| `{name}` | {'; '.join(o for o in found if o not in common)} |" for name, found in families.items()
    ]
    return "\n".join(lines)


def with_table(text: str) -> str:
    """The page with the table as it should be."""
    start, end = text.index(TITLE), text.index(AFTER)
    return text[:start] + TITLE + BEFORE + table() + "\n\n" + text[end:]


if __name__ == "__main__":
    sys.path.insert(0, str(PAGE.parents[1]))
    if "--write" not in sys.argv:
        sys.exit(__doc__)
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
