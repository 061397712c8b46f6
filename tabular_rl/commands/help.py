"""The command `tabular-rl help`."""

from __future__ import annotations

import click

from tabular_rl.commands._help import HYPHEN, Command, whole
from tabular_rl.commands._program import COMMANDS, PROGRAM, program
from tabular_rl.errors import OptionError, closest, quoted
from tabular_rl.formats.bundled import documents, documents_folder, pages_about
from tabular_rl.methods.lookup import METHODS, canonical
from tabular_rl.report.methods import page
from tabular_rl.report.render.text import text
from tabular_rl.report.screen import out, spelled


@click.command("help", cls=Command)
@click.argument("topic", nargs=-1, metavar="[COMMAND|METHOD|PAGE|WORD]")
def command(topic: tuple[str, ...]) -> int:
    """Show the help of a command, a method, or a page of the documents.

    Any other word is looked up in the headings of the pages, then in their text.

    \b
    tabular-rl help solve
    tabular-rl help make garnet
    tabular-rl help value-iteration
    tabular-rl help certificates
    tabular-rl help julia
    """
    name = " ".join(topic)
    if canonical(name) in METHODS:
        out(text(page(canonical(name))) + "\n")
        return 0
    about = {name: [""]} if name in documents() else {}
    if topic and not about and topic[0] not in COMMANDS:
        about = pages_about(name)
    if about:
        out(page_text(*about) if len(about) == 1 else listed(name, about))
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


def page_text(page: str) -> str:
    """Return a page of the documents as it is."""
    return (documents_folder() / f"{page}.md").read_text(encoding="utf-8")


def listed(word: str, about: dict[str, list[str]]) -> str:
    """Return the pages that a word leads to, each with its headings; of many headings the first ones."""
    formatter = click.get_current_context().make_formatter()
    rows = []
    for where, headings in about.items():
        more = f" and {len(headings) - 2} more" if len(headings) > 2 else ""
        rows.append((where, whole("; ".join(headings[:2]) + more)))
    formatter.write_text(f"Pages about {quoted(word)}, which `{PROGRAM} help PAGE` shows:")
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_dl(rows)
    return spelled(formatter.getvalue().replace(HYPHEN, "-"))
