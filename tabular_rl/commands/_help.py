"""What --help shows: the options in groups, the methods by purpose, and where to read on."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any

import click

from tabular_rl.methods.lookup import LEARNERS, METHODS
from tabular_rl.report.layout import reflowed
from tabular_rl.report.screen import spelled
from tabular_rl.solving.method import Method

HYPHEN = "\u2011"  # the one that no line is broken at; it is a plain one again before it is shown
FEW = 10  # options that need no groups

# The groups of options, in the order that they are shown in. What stands in none is about the output.
GROUPS = {
    "The model": "model format gamma horizon terminal reward minimize normalize arrays",
    "What to find": "kind numbers transition step action method methods exact iterates policy estimators estimator "
    "n trace traces importance visit features entropy undiscounted start tolerance relative level asserted",
    "Data": "data columns prior reward_range confidence episode_column least behavior source episode_steps",
    "Step sizes": "step_size per average critic_step_size",
    "Exploration": "explore ties exploring_starts start_value",
    "Replay, targets and planning": "target replay capacity batch planning threshold",
    "Run": "resamples logs steps sweeps inner_sweeps improvements in_place linear_solver start_from start_policy "
    "episodes runs seed student students sweep time threads time_limit no_reference checkpoint resume profile",
    "Output": "output file to as_json everything show quiet as_csv plot draw axes log state solution check help",
}
LEARNING = {"What to find": "What to learn"}
GROUP = {name: title for title, names in GROUPS.items() for name in names.split()}

# The page of the documents that says more of a command.
PAGES = {
    "learn": "learning",
    "gradient": "policy-gradients",
    "estimate": "logs",
    "ope": "off-policy-evaluation",
    "verify": "certificates",
    "check": "file-format",
    "show": "file-format",
    "lesson": "lesson-page",
    "convert": "file-format",
    "methods": "choosing-a-method",
    "exercise": "teaching",
}
PAGE = "command-line"
PURPOSES = ("plan", "evaluate", "best policy", "its gradient", "a policy's values", "values, from a log",
            "linear features")  # fmt: skip


def whole(text: str) -> str:
    """Return a text in which no line ends within a name, such as value-iteration: Click breaks lines at hyphens."""
    return text.replace("-", HYPHEN)


class Command(click.Command):
    """A command whose help fits the screen, in signs that it can show."""

    def get_help(self, ctx: click.Context) -> str:
        return spelled(super().get_help(ctx).replace(HYPHEN, "-"))

    def format_help_text(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the docstring: indented paragraphs, such as equations, keep their indentation and fit too."""
        room = formatter.width - 2
        parts = re.split(r"\n\s*\n", inspect.cleandoc(self.help or ""))
        shown = ["\b\n" + reflowed(part, room) if part.startswith(" ") else whole(part) for part in parts]
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text("\n\n".join(shown))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, in groups where they are many."""
        groups: dict[str, list[tuple[str, str]]] = {title: [] for title in GROUPS}
        many = sum(isinstance(p, click.Option) for p in self.params) > FEW
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                title = GROUP.get(str(parameter.name), "Output") if many else "Output"
                groups[title].append((record[0], whole(record[1])))
        for title, records in groups.items():
            if records:
                shown = LEARNING.get(title, title) if self.name == "learn" else title
                with formatter.section(shown if many else "Options"):
                    formatter.write_dl(records)

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        page = PAGES.get(str(self.name), PAGE)
        formatter.write_paragraph()
        formatter.write_text(f"More: tabular-rl help {page}")


class OfMethods(Command):
    """A command of many methods, which are listed by what they are for: learners, and in `compare` planners too."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = by_purpose(LEARNERS if self.name == "learn" else METHODS)
        with formatter.section("Methods"):
            formatter.write_dl([(what, whole(", ".join(names))) for what, names in found.items()])
        super().format_options(ctx, formatter)


def by_purpose(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the methods of each purpose, by what they are and which options they have.

    >>> by_purpose(["rational", "q-learning", "td0", "linear-td", "reinforce"])
    {'plan': ['rational'], 'best policy': ['q-learning'], 'its gradient': ['reinforce'], "a policy's values": ['td0'],
     'linear features': ['linear-td']}
    """

    def purpose(method: Method[..., Any]) -> str:
        control = method.task == "control"
        if method.family == "gradient":
            return "its gradient"
        if method.family != "learning":
            return "plan" if control else "evaluate"
        if "features" in method.options:
            return "linear features"
        if control:
            return "best policy"
        return "a policy's values" if "step_size" in method.options else "values, from a log"

    found: dict[str, list[str]] = {what: [] for what in PURPOSES}
    for name in names:
        found[purpose(METHODS[name])].append(name)
    return {what: listed for what, listed in found.items() if listed}
