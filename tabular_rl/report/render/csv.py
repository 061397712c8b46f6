"""A sheet as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from tabular_rl.report.blocks import Report, Sheet


def report_parts(report: Report) -> Iterator[str]:
    """Yield a report as CSV."""
    return csv_parts(report.sheet())


def csv_parts(sheet: Sheet) -> Iterator[str]:
    """Yield a sheet as CSV, block by block; None is an empty cell.

    >>> "".join(csv_parts(Sheet(["state", "value"], [[["a, b", 1.5], ["c", None]]])))
    'state,value\\n"a, b",1.5\\nc,\\n'
    """
    yield ",".join(sheet.headers) + "\n"
    for lines in sheet.blocks:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(lines)
        yield text.getvalue()
