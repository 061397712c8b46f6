"""Reports as files, in the formats of answers: the format NAME is rendered by `report_parts` of render/NAME.py."""

from __future__ import annotations

import os
from importlib import import_module

from tabular_rl.formats.output import write_parts
from tabular_rl.formats.registry import ANSWERS
from tabular_rl.report.blocks import Report


def write_report(report: Report, path: str | os.PathLike[str], name: str | None = None) -> None:
    """Write a report atomically.

    Parameters
    ----------
    report : what is written
    path : where to
    name : a format of answers; by default that of the suffix, or the first, JSON

    Raises
    ------
    OutputError : path and reason; what stood there before is intact
    """
    format = ANSWERS.named(name) if name else ANSWERS.of(path) or ANSWERS.formats[0]
    planted = format.write if callable(format.write) else None
    rendered = planted or import_module(f"tabular_rl.report.render.{format.name}").report_parts
    write_parts(rendered(report), path)
