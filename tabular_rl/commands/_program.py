"""The program and its commands: each is imported when it is called."""

from __future__ import annotations

import importlib
from typing import Any

import click

from tabular_rl.commands._help import HYPHEN, whole
from tabular_rl.errors import closest, quoted
from tabular_rl.formats.bundled import documents, documents_folder
from tabular_rl.formats.registry import MODELS
from tabular_rl.report.screen import out

# Name -> what `tabular-rl --help` says of it, so that listing the commands imports none of them.
COMMANDS = {
    "solve": "Find the best policy of a model, with a proven interval around every value.",
    "evaluate": "Find the values of a policy, with a proven interval around each.",
    "learn": "Learn from sampled transitions, beside the exact answer.",
    "gradient": "Find the exact policy gradient, with bias and variance of its estimators.",
    "compare": "Compare methods on a model with the exact answer.",
    "verify": "Check an answer from anywhere, without trusting whoever made it.",
    "simulate": "Estimate what a policy earns by playing it, beside the exact value.",
    "estimate": "Estimate a model from a log of transitions, with its counts.",
    "ope": "Estimate what a policy is worth from a log that another policy made.",
    "explain": "Show how the value of a state arises, with the numbers in Bellman's equation.",
    "lesson": "Make a page for the browser that shows how the values of a model arise.",
    "exercise": "Pose a problem from a model that is solved by hand, and grade the answers.",
    "check": "Check that a model file is valid, and count what is in it.",
    "show": "Show a model as tables of states, actions and outcomes.",
    "convert": "Write a model in another format.",
    "make": "Make a model of a family, of any size.",
    "methods": "List the methods, or describe one with its equation and options.",
    "examples": "List the models that come with the program.",
    "help": "Show the help of a command, a method, or a page of the documents.",
}
PROGRAM = "tabular-rl"
WIDEST = 110  # characters of a line of help


class Program(click.Group):
    """A group whose commands are imported on demand."""

    def get_help(self, ctx: click.Context) -> str:
        return super().get_help(ctx).replace(HYPHEN, "-")

    def list_commands(self, _: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = importlib.import_module(f"tabular_rl.commands.{cmd_name}").command
        return found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"no command {quoted(args[0])}{closest(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        with formatter.section("Documents"):
            formatter.write_text(whole(f"{PROGRAM} help PAGE shows a page: {', '.join(documents())}."))
            formatter.write(f"  They lie in {documents_folder()}\n")


def version_text() -> str:
    from tabular_rl import __version__

    return f"{PROGRAM} {__version__}"


def _show_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        out(version_text() + "\n")
        ctx.exit()


HELP = f"""Solve finite Markov decision processes, with a proven interval around every value.

MODEL is a file ({MODELS.titles}), a directory of arrays, - for standard input, example:NAME, or
gymnasium:ID for an environment.
"""


@click.group(
    PROGRAM,
    help=HELP,
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
    epilog="Start with `tabular-rl solve example:recycling_robot`. Exit codes: 0 answered, 1 the answer is no, 2 wrong "
    "usage or input, 3 not reached within the limits, 4 no finite answer exists, 5 the output could not be written, "
    "70 a bug, 130 and 143 interrupted.",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
def program() -> None:
    """Solve a model."""
