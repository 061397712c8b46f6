"""The command `tabular-rl make`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import click

from tabular_rl.commands import _options as o
from tabular_rl.commands._files import model_format
from tabular_rl.commands._help import Command
from tabular_rl.errors import closest, path_text, quoted
from tabular_rl.formats import save
from tabular_rl.formats.registry import MODELS
from tabular_rl.model.calls import options_of
from tabular_rl.model.families import FAMILIES
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import size_text
from tabular_rl.report.screen import note


class _Families(Command, click.Group):
    """One command for each family, with the options of its function."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            raise click.UsageError(
                f"found no family, expected one of {', '.join(self.list_commands(ctx))}", ctx
            )
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (as Click calls it)
        return [name.replace("_", "-") for name in FAMILIES]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  (as Click calls it)
        function = FAMILIES.get(cmd_name.replace("-", "_"))
        return None if function is None else _family_command(cmd_name, function)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        names = self.list_commands(ctx)
        if args and args[0].replace("_", "-") not in names and not args[0].startswith("-"):
            way_out = closest(args[0], names) or f", known are {', '.join(names)}"
            raise click.UsageError(f"no family {quoted(args[0])}{way_out}", ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        texts = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Families"):
            formatter.write_dl(
                [(name, family.short_help or "") for name, family in texts if family is not None]
            )


def _family_command(name: str, function: Callable[..., MDP]) -> click.Command:
    """Return the command that makes a model of one family."""
    doc = (inspect.getdoc(function) or "").split("\n\nParameters")[0]

    @click.command(name, cls=Command, short_help=doc.partition("\n")[0], help=doc)
    @o.together(
        *(
            o.value_option(option, f"{option.help[0].upper()}{option.help[1:]}  [default: {default:g}]")
            for option, default in options_of(function).values()
        )
    )
    @o.output_option(f"Write the model to FILE: {MODELS.endings}.", required=True)
    @o.to_option("FILE")
    @o.quiet_option
    def make(output: str, to: str | None, quiet: int, **sizes: Any) -> int:
        form = model_format(output, to)
        given = {key: value for key, value in sizes.items() if value is not None}
        mdp = function(**given)
        save(mdp, output, format=form)
        if not quiet and output != "-":
            note(
                f"{path_text(output)}: written as {form}, {mdp.S} states, {mdp.K} outcomes, {size_text(mdp.nbytes)}\n"
            )
        return 0

    return make


@click.command("make", cls=_Families, subcommand_metavar="FAMILY [OPTIONS]")
def command() -> None:
    """Make a model of a family, of any size.

    The same seed makes the same model, bit for bit.

    \b
    tabular-rl make gridworld --rows 20 --columns 30 --seed 1 -o grid.toml
    tabular-rl make garnet --states 100000 -o garnet   # a directory of arrays
    """
