"""The command `tabular-rl help`."""

from __future__ import annotations

import click

from tabular_rl.commands._help import Command
from tabular_rl.commands._program import PROGRAM, program
from tabular_rl.errors import OptionError, closest, quoted
from tabular_rl.formats.bundled import documents, documents_folder
from tabular_rl.methods.lookup import METHODS, canonical
from tabular_rl.report.methods import page
from tabular_rl.report.render.text import text
from tabular_rl.report.screen import out


@click.command("help", cls=Command)
@click.argument("topic", nargs=-1, metavar="[COMMAND|METHOD|PAGE]")
def command(topic: tuple[str, ...]) -> int:
    """Show the help of a command, a method, or a page of the documents.

    \b
    tabular-rl help solve
    tabular-rl help make garnet
    tabular-rl help value-iteration
    tabular-rl help certificates
    """
    name = " ".join(topic)
    if canonical(name) in METHODS:
        out(text(page(canonical(name))) + "\n")
        return 0
    if name in documents():
        out((documents_folder() / f"{name}.md").read_text(encoding="utf-8"))
        return 0
    ctx = click.Context(program, info_name=PROGRAM, **program.context_settings)
    for word in topic:
        group = ctx.command
        known = group.list_commands(ctx) if isinstance(group, click.Group) else []
        if word not in known:
            names = [*known, *documents(), *METHODS] if group is program else known
            raise OptionError(
                f"help: no command, method or page {quoted(word)}{closest(word, names) or '.'} `{PROGRAM} help` lists "
                "commands and pages, `methods` the methods."
            )
        assert isinstance(group, click.Group)
        below = group.get_command(ctx, word)
        assert below is not None
        ctx = click.Context(below, info_name=word, parent=ctx)
    out(ctx.get_help() + "\n")
    return 0
