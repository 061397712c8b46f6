"""Reports as files, in the formats of answers: the format NAME is rendered by `report_parts` of render/NAME.py.

One that is a folder is written by its `write_folder`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import import_module

from tabular_rl.errors import path_text
from tabular_rl.formats.output import write_parts
from tabular_rl.formats.registry import ANSWERS, Format, Formats
from tabular_rl.report.blocks import Report


def write_report(
    report: Report, path: str | os.PathLike[str], name: str | None = None, formats: Formats = ANSWERS
) -> None:
    """Write a report atomically.

    Parameters
    ----------
    report : what is written
    path : where to
    name : a format; by default that of the suffix, or the first one, of answers JSON
    formats : those of answers, or of sheets

    Raises
    ------
    OutputError : path and reason; what stood there before is intact
    """
    format = formats.named(name) if name else formats.of(path) or formats.formats[0]
    format.check_needs(path_text(os.fspath(path)))
    if format.folder:
        write = import_module(f"tabular_rl.report.render.{format.name}").write_folder
        write(report, path)
        return
    write_parts(rendered(report, format), path)


def rendered(report: Report, format: Format) -> Iterable[str | bytes]:
    """The pieces of text, or of bytes, of a report in a format."""
    planted = format.write if callable(format.write) else None
    render = planted or import_module(f"tabular_rl.report.render.{format.name}").report_parts
    parts: Iterable[str | bytes] = render(report)
    return parts
