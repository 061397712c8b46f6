"""Reports as files: which suffix stands for which format."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from tabular_rl.formats.output import write_parts
from tabular_rl.report.blocks import Report
from tabular_rl.report.render.csv import csv_parts
from tabular_rl.report.render.json import json_parts

# The suffix of a file -> how a report is written to it; a file without a suffix is JSON.
WRITERS: dict[str, Callable[[Report], Iterator[str]]] = {
    ".json": lambda report: json_parts(report.entries()),
    ".csv": lambda report: csv_parts(report.sheet()),
}


def write_report(report: Report, path: str | os.PathLike[str], suffix: str | None = None) -> None:
    """Write a report atomically, in the format of a suffix: that of its file where none is given, else as JSON.

    Raises
    ------
    OutputError : path and reason; what stood there before is intact
    """
    name = suffix or os.fspath(path).lower()
    writer = next((writer for end, writer in WRITERS.items() if name.endswith(end)), WRITERS[".json"])
    write_parts(writer(report), path)
