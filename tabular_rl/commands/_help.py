"""What --help shows: the options in groups, the methods by purpose, and where to read on."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

import click

from tabular_rl.report.layout import reflowed
from tabular_rl.report.screen import spelled

FEW = 10  # options that need no groups

# The groups of options, in the order that they are shown in. What stands in none is about the output.
GROUPS = {
    "The model": "format gamma horizon terminal minimize normalize",
    "What to find": "method methods exact policy estimators estimator n trace traces importance visit features entropy "
    "undiscounted start tolerance relative level asserted",
    "Data": "data behavior source episode_steps",
    "Step sizes": "step_size per average critic_step_size",
    "Exploration": "explore start_value",
    "Replay, targets and planning": "target replay capacity batch planning threshold",
    "Run": "steps sweeps inner_sweeps improvements in_place linear_solver start_from episodes runs seed threads "
    "time_limit no_reference checkpoint resume",
    "Output": "output to as_json everything quiet as_csv plot axes log state show help",
}
LEARNING = {"What to find": "What to learn"}
GROUP = {name: title for title, names in GROUPS.items() for name in names.split()}

# The page of the documents that says more of a command.
PAGES = {
    "learn": "learning",
    "gradient": "policy-gradients",
    "estimate": "logs",
    "verify": "certificates",
    "check": "file-format",
    "show": "file-format",
    "convert": "file-format",
    "methods": "choosing-a-method",
}
PAGE = "command-line"


class Command(click.Command):
    """A command whose help fits the screen, in signs that it can show."""

    def get_help(self, ctx: click.Context) -> str:
        return spelled(super().get_help(ctx))

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The docstring: indented paragraphs, such as equations, keep their indentation and fit too."""
        room = formatter.width - 2
        parts = re.split(r"\n\s*\n", inspect.cleandoc(self.help or ""))
        shown = ["\b\n" + reflowed(part, room) if part.startswith(" ") else part for part in parts]
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text("\n\n".join(shown))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, in groups where they are many."""
        groups: dict[str, list[tuple[str, str]]] = {title: [] for title in GROUPS}
        many = sum(isinstance(p, click.Option) for p in self.params) > FEW
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                groups[GROUP.get(str(parameter.name), "Output") if many else "Output"].append(record)
        for title, records in groups.items():
            if records:
                shown = LEARNING.get(title, title) if self.name == "learn" else title
                with formatter.section(shown if many else "Options"):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        page = PAGES.get(str(self.name), PAGE)
        formatter.write_paragraph()
        formatter.write_text(f"More: tabular-rl help {page}")


class Learning(Command):
    """A command of many methods, which are listed by what they are for."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from tabular_rl.catalogue import LEARNERS

        with formatter.section("Methods"):
            formatter.write_dl([(what, ", ".join(names)) for what, names in by_purpose(LEARNERS).items()])
        super().format_options(ctx, formatter)


def by_purpose(names: Iterable[str]) -> dict[str, list[str]]:
    """The learners of each purpose, by what they are and which options they have.

    >>> by_purpose(["q-learning", "td0", "linear-td", "reinforce", "batch-td"])["a policy's values"]
    ['td0']
    """
    from tabular_rl.catalogue import LEARNERS

    found: dict[str, list[str]] = {
        what: []
        for what in (
            "best policy",
            "its gradient",
            "a policy's values",
            "values, from a log",
            "linear features",
        )
    }
    for name in names:
        spec = LEARNERS[name].spec  # type: ignore[attr-defined]
        if spec.family == "gradient":
            found["its gradient"].append(name)
        elif "features" in spec.options:
            found["linear features"].append(name)
        elif spec.task == "control":
            found["best policy"].append(name)
        else:
            found["a policy's values" if "step_size" in spec.options else "values, from a log"].append(name)
    return found
