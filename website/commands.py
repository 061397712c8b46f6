"""The reference of the command line, made of the commands themselves."""

from __future__ import annotations

import inspect
import re

import click

from tabular_rl.commands._help import FEW, GROUP, GROUPS, HYPHEN, LEARNING, OfMethods, by_purpose
from tabular_rl.commands._program import COMMANDS, PROGRAM, program
from tabular_rl.methods.lookup import LEARNERS, METHODS
from website.markdown import block, code, escaped, table
from website.pages import toctree


def command_pages() -> dict[str, str]:
    """Return the page that lists the commands, and a page for each."""
    context = click.Context(program, info_name=PROGRAM, **program.context_settings)
    rows = [[f"[`{name}`](commands/{name}.md)", escaped(said)] for name, said in COMMANDS.items()]
    text = (
        "# Commands and options\n\nWhat `tabular-rl COMMAND --help` says of every command; with examples, "
        f"[the command line](command-line.md).\n\n{table(['command', 'what it does'], rows)}\n"
    )
    pages = {"commands": text + toctree([f"/commands/{name}" for name in COMMANDS])}
    for name in COMMANDS:
        command = program.get_command(context, name)
        assert command is not None
        pages[f"commands/{name}"] = command_page(
            command, click.Context(command, info_name=name, parent=context)
        )
    return pages


def command_page(command: click.Command, context: click.Context, depth: int = 1) -> str:
    """Return the page of a command; a group has its commands below it."""
    usage = command.get_usage(context).replace("Usage: ", "", 1)
    parts = [
        f"{'#' * depth} {context.info_name}",
        paragraphs(command),
        block(" ".join(usage.split()), "text"),
    ]
    if isinstance(command, OfMethods):
        found = by_purpose(LEARNERS if command.name == "learn" else METHODS)
        rows = [[what, ", ".join(_method(name) for name in names)] for what, names in found.items()]
        parts += [f"{'#' * (depth + 1)} Methods", table(["to find", "methods"], rows)]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            parts.append(command_page(below, click.Context(below, info_name=name, parent=context), depth + 1))
    else:
        parts += options(command, context, depth + 1)
    return "\n\n".join(part for part in parts if part) + "\n"


def _method(name: str) -> str:
    return f"{{py:obj}}`{name} <tabular_rl.{METHODS[name].function.__name__}>`"


def paragraphs(command: click.Command) -> str:
    """Return the text of a help; equations and examples, which are indented or kept as they are, as code."""
    found = []
    for part in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
        if part.startswith("\b"):
            lines = part.removeprefix("\b").strip("\n")
            found.append(block(re.sub("^", "$ ", lines, flags=re.MULTILINE), "console"))
        elif part.startswith(" "):
            found.append(block(inspect.cleandoc(part)))
        else:
            found.append(escaped(part))
    return "\n\n".join(found)


def sentence(said: str) -> str:
    """Return what a help says of an option as sentences.

    >>> sentence("Rows of the grid  [default: 10]"), sentence("Hide progress.")
    ('Rows of the grid. Default: `10`.', 'Hide progress.')
    """
    text, _, usual = (
        said.removesuffix("]").partition("[default: ") if "[default: " in said else (said, "", "")
    )
    text = text.rstrip()
    return text + "." * (not text.endswith(".")) + (f" Default: `{usual}`." if usual else "")


def options(command: click.Command, context: click.Context, depth: int) -> list[str]:
    """Return the options of a command, under the headings that its help has."""
    groups: dict[str, list[str]] = {title: [] for title in GROUPS}
    many = sum(isinstance(p, click.Option) for p in command.params) > FEW
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option):
            names, said = (part.replace(HYPHEN, "-") for part in record)
            said = sentence(said)
            title = GROUP.get(str(parameter.name), "Output") if many else "Output"
            groups[title].append(f"{code(names)}\n: {escaped(said)}")
    parts = []
    for title, entries in groups.items():
        if entries:
            shown = LEARNING.get(title, title) if command.name == "learn" else title
            parts += [f"{'#' * depth} {shown if many else 'Options'}", "\n\n".join(entries)]
    return parts
