"""Where an answer goes: files, standard output, what is said beside it, and the exit code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tabular_rl.commands._memory import check_memory
from tabular_rl.commands._signals import solving, writing
from tabular_rl.errors import path_text
from tabular_rl.formats.output import all_or_none
from tabular_rl.model.mdp import MDP
from tabular_rl.report.blocks import Report
from tabular_rl.report.progress import Progress
from tabular_rl.report.render.files import write_report
from tabular_rl.report.render.json import report_parts
from tabular_rl.report.render.picture import write_picture
from tabular_rl.report.render.text import report_text
from tabular_rl.report.screen import note, out
from tabular_rl.solving.run import interrupt

NO = 1
NOT_REACHED = 3


@contextmanager
def at_work(mdp: MDP, quiet: int) -> Iterator[None]:
    """While this holds, progress is shown and signals are left to the method; raise where memory is short."""
    check_memory(mdp)
    with Progress(quiet), solving():
        yield


def is_file(path: str | None) -> bool:
    return path is not None and path != "-"


def deliver(report: Report, given: Mapping[str, Any]) -> None:
    """Write a report where --output and --json say, and its picture where --plot does: all files or none."""
    output, picture = given.get("output"), given.get("plot")
    with all_or_none(), writing(output or picture):
        if output is not None and is_file(output):
            write_report(report, output, given.get("to"))
        if picture is not None:
            write_picture(report, picture, given["draw"] or "")
    with writing(None):
        show(report, given)


def show(report: Report, given: Mapping[str, Any]) -> None:
    """Print a report: as JSON where that is asked for, else as text; nothing under -q where it went to a file."""
    output = given.get("output")
    if given.get("as_json") or output == "-":
        for part in report_parts(report):
            out(part)
    elif not (given["quiet"] and output is not None):
        out(report_text(report) + "\n")


def note_written(quiet: int, *paths: str | None) -> None:
    """Say which files were written."""
    for path in paths:
        if is_file(path) and not quiet:
            note(f"{path_text(path)}: written\n")


def exit_code(otherwise: int) -> int:
    """128 + signal where one came, else the code given."""
    return otherwise if interrupt.signum is None else 128 + interrupt.signum
